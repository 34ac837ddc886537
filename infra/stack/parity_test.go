package stack_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// The template that SAM's command line reads says the same as the CDK app: the
// functions, their size, settings, rights and triggers.
func TestParity(t *testing.T) {
	ours, sams := templates().pipeline, samTemplate(t)
	for _, id := range functionIDs {
		t.Run(id, func(t *testing.T) {
			function := sams.resources[id]
			if function.Type != "AWS::Serverless::Function" {
				t.Fatalf("template.yaml has no function %s", id)
			}
			if diff := cmp.Diff(describe(ours, id), describeSAM(sams, function, id)); diff != "" {
				t.Errorf("the CDK app (-) and template.yaml (+) differ:\n%s", diff)
			}
		})
	}
	if diff := cmp.Diff(functionIDs, slices.Sorted(maps.Keys(sams.ofType("AWS::Serverless::Function")))); diff != "" {
		t.Error(diff)
	}
}

func TestParity_tablesAndQueues(t *testing.T) {
	a, sams := templates(), samTemplate(t)
	for _, id := range []string{"Catalog", "Keys", "Orders"} {
		if diff := cmp.Diff(tableSchema(a.data.resources[id].Properties), tableSchema(sams.resources[id].Properties)); diff != "" {
			t.Errorf("%s:\n%s", id, diff)
		}
	}
	for _, id := range []string{"Ranges", "Fills"} {
		if got, want := sams.resources[id].Properties["VisibilityTimeout"], a.pipeline.resources[id].Properties["VisibilityTimeout"]; got != want {
			t.Errorf("%s hides messages for %v s, want %v", id, got, want)
		}
	}
}

// likeness is what both have to agree on about a function.
type likeness struct {
	Says, Runtime, Handler string
	Memory, Timeout        float64
	Architecture           string
	Log                    string
	Environment            []string
	Rights                 []string
	Triggers               []string
	Async                  string
}

func describe(p template, id string) likeness {
	r := p.resources[id]
	l := likeness{
		Says: r.Properties["Description"].(string), Runtime: r.Properties["Runtime"].(string), Handler: r.Properties["Handler"].(string),
		Memory: r.Properties["MemorySize"].(float64), Timeout: r.Properties["Timeout"].(float64),
		Architecture: texts(r.Properties["Architectures"])[0],
		Log:          at(r, "LoggingConfig", "LogGroup").(string),
		Environment:  slices.Sorted(maps.Keys(at(r, "Environment", "Variables").(map[string]any))),
		Rights:       statements(p.resources[id+"Role"].Properties["Policies"].([]any)[0].(map[string]any)["PolicyDocument"]),
	}
	for _, m := range p.ofType("AWS::Lambda::EventSourceMapping") {
		if m.Properties["FunctionName"] == id {
			l.Triggers = append(l.Triggers, words("mapping", m.Properties, "FunctionName"))
		}
	}
	for _, s := range p.ofType("AWS::Scheduler::Schedule") {
		if at(s, "Target", "Arn") == id+".Arn" {
			l.Triggers = append(l.Triggers, fmt.Sprint("schedule ", s.Properties["ScheduleExpression"], " retried ", at(s, "Target", "RetryPolicy")))
		}
	}
	for _, rule := range p.ofType("AWS::Events::Rule") {
		if rule.Properties["Targets"].([]any)[0].(map[string]any)["Arn"] == id+".Arn" {
			l.Triggers = append(l.Triggers, words("rule", map[string]any{"Pattern": rule.Properties["EventPattern"]}))
		}
	}
	for _, route := range p.ofType("AWS::ApiGatewayV2::Route") {
		integration := p.resources[strings.TrimPrefix(route.Properties["Target"].(string), "integrations/")]
		if integration.Properties["IntegrationUri"] == id+".Arn" {
			l.Triggers = append(l.Triggers, fmt.Sprint("route ", route.Properties["RouteKey"], " ", route.Properties["AuthorizationType"]))
		}
	}
	for bucket, b := range p.ofType("AWS::S3::Bucket") {
		for _, n := range at(b, "NotificationConfiguration", "LambdaConfigurations").([]any) {
			if n := n.(map[string]any); n["Function"] == id+".Arn" {
				l.Triggers = append(l.Triggers, fmt.Sprint("bucket ", bucket, " ", n["Event"], " filter ", n["Filter"]))
			}
		}
	}
	slices.Sort(l.Triggers)
	for _, c := range p.ofType("AWS::Lambda::EventInvokeConfig") {
		if c.Properties["FunctionName"] == id {
			l.Async = fmt.Sprint(c.Properties["MaximumRetryAttempts"], " ", c.Properties["MaximumEventAgeInSeconds"], " ",
				at(c, "DestinationConfig", "OnFailure", "Destination"))
		}
	}
	return l
}

func describeSAM(t template, r resource, id string) likeness {
	globals := t.resources["Globals"]
	l := likeness{
		Says: r.Properties["Description"].(string), Runtime: at(globals, "Function", "Runtime").(string), Handler: at(globals, "Function", "Handler").(string),
		Memory: r.Properties["MemorySize"].(float64), Timeout: r.Properties["Timeout"].(float64),
		Architecture: texts(at(globals, "Function", "Architectures"))[0],
		Log:          at(r, "LoggingConfig", "LogGroup").(string),
		Environment:  slices.Sorted(maps.Keys(at(r, "Environment", "Variables").(map[string]any))),
		Rights:       statements(r.Properties["Policies"]),
	}
	for _, e := range r.Properties["Events"].(map[string]any) {
		event := resource{Type: e.(map[string]any)["Type"].(string), Properties: e.(map[string]any)["Properties"].(map[string]any)}
		p := event.Properties
		switch event.Type {
		case "S3":
			l.Triggers = append(l.Triggers, fmt.Sprint("bucket ", p["Bucket"], " ", p["Events"], " filter ", p["Filter"]))
		case "SQS":
			p["EventSourceArn"] = p["Queue"]
			l.Triggers = append(l.Triggers, words("mapping", p, "Queue"))
		case "DynamoDB":
			p["EventSourceArn"] = p["Stream"]
			delete(at(event, "DestinationConfig", "OnFailure").(map[string]any), "Type")
			l.Triggers = append(l.Triggers, words("mapping", p, "Stream"))
		case "EventBridgeRule":
			l.Triggers = append(l.Triggers, words("rule", p))
		case "ScheduleV2":
			l.Triggers = append(l.Triggers, fmt.Sprint("schedule ", p["ScheduleExpression"], " retried ", p["RetryPolicy"]))
		case "HttpApi":
			authorization := "NONE"
			if authorizer := at(event, "Auth", "Authorizer"); authorizer != nil {
				authorization = authorizer.(string)
			}
			l.Triggers = append(l.Triggers, fmt.Sprint("route ", p["Method"], " ", p["Path"], " ", authorization))
		default:
			l.Triggers = append(l.Triggers, event.Type)
		}
	}
	slices.Sort(l.Triggers)
	if at(r, "EventInvokeConfig") != nil {
		l.Async = fmt.Sprint(at(r, "EventInvokeConfig", "MaximumRetryAttempts"), " ", at(r, "EventInvokeConfig", "MaximumEventAgeInSeconds"), " ",
			at(r, "EventInvokeConfig", "DestinationConfig", "OnFailure", "Destination"))
	}
	return l
}

// words writes properties in one line, without the named ones.
func words(kind string, properties map[string]any, without ...string) string {
	rest := maps.Clone(properties)
	for _, name := range without {
		delete(rest, name)
	}
	return kind + " " + string(must(json.Marshal(rest)))
}

// samTemplate reads template.yaml, its references as readable as those of the
// synthesized templates. Globals stand among the resources, under that name.
func samTemplate(t *testing.T) template {
	t.Helper()
	content, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Parameters map[string]struct {
			Default string `yaml:"Default"`
		} `yaml:"Parameters"`
		Globals   yaml.Node            `yaml:"Globals"`
		Resources map[string]yaml.Node `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(content, &document); err != nil {
		t.Fatal(err)
	}
	known := map[string]string{
		"AWS::Partition": "aws", "AWS::AccountId": "123456789012", "AWS::Region": "eu-central-1",
		// As the synthesized templates were given them.
		"SenderAddress": "keys@example.com",
	}
	for name, parameter := range document.Parameters {
		if known[name] == "" {
			known[name] = parameter.Default
		}
	}
	sams := template{resources: map[string]resource{"Globals": {Properties: plainYAML(&document.Globals, known).(map[string]any)}}}
	for id, node := range document.Resources {
		r := plainYAML(&node, known).(map[string]any)
		properties, _ := r["Properties"].(map[string]any)
		sams.resources[id] = resource{Type: r["Type"].(string), Properties: properties}
	}
	return sams
}

// plainYAML is a YAML value with CloudFormation's short functions resolved: !Ref
// and !GetAtt to names, !Sub to text.
func plainYAML(node *yaml.Node, known map[string]string) any {
	name := func(reference string) string {
		if value, ok := known[reference]; ok {
			return value
		}
		return reference
	}
	switch {
	case node.Tag == "!Ref":
		return name(node.Value)
	case node.Tag == "!GetAtt":
		return node.Value
	case node.Tag == "!Sub":
		return regexp.MustCompile(`\$\{([^}]+)\}`).ReplaceAllStringFunc(node.Value, func(m string) string { return name(m[2 : len(m)-1]) })
	case node.Kind == yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i < len(node.Content); i += 2 {
			out[node.Content[i].Value] = plainYAML(node.Content[i+1], known)
		}
		return out
	case node.Kind == yaml.SequenceNode:
		out := []any{}
		for _, inner := range node.Content {
			out = append(out, plainYAML(inner, known))
		}
		return out
	case node.Tag == "!!int":
		return must(strconv.ParseFloat(node.Value, 64))
	case node.Tag == "!!bool":
		return node.Value == "true"
	}
	return node.Value
}

// A function finds in its environment what its main reads, and nothing else.
func TestEnvironment_isWhatTheFunctionsRead(t *testing.T) {
	for _, id := range functionIDs {
		want := settingsRead(t, filepath.Join("../../functions", strings.ToLower(id)))
		got := slices.Sorted(maps.Keys(at(templates().pipeline.resources[id], "Environment", "Variables").(map[string]any)))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: what main reads (-) and what the stack sets (+) differ:\n%s", id, diff)
		}
	}
}

// settingsRead finds the names of settings in a function's source.
func settingsRead(t *testing.T, folder string) []string {
	t.Helper()
	names := map[string]bool{}
	sources, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("no source in %s", folder)
	}
	for _, source := range sources {
		if strings.HasSuffix(source, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), source, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text := must(strconv.Unquote(literal.Value)); strings.HasPrefix(text, "KEYPOOL_") {
					names[text] = true
				}
			}
			return true
		})
	}
	return slices.Sorted(maps.Keys(names))
}
