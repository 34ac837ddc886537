package deployment_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/deployment"
)

// Every folder under functions/ is deployed.
func TestFunctions_areTheFolders(t *testing.T) {
	entries, err := os.ReadDir("../../functions")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, e := range entries {
		if e.IsDir() {
			want = append(want, e.Name())
		}
	}
	for _, f := range deployment.Functions {
		got = append(got, f.Folder())
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the folders (-) and the table (+) differ:\n%s", diff)
	}
}

// The services that functions may use.
var services = []string{"dynamodb", "kms", "logs", "s3", "ses", "sqs"}

func TestRights_nameActionsOfListedServices(t *testing.T) {
	for _, f := range deployment.Functions {
		for _, s := range f.Statements() {
			for _, action := range s.Actions {
				service, name, _ := strings.Cut(action, ":")
				if !slices.Contains(services, service) || name == "" || strings.ContainsAny(name, "*?") {
					t.Errorf("%s may %s", f.ID, action)
				}
			}
		}
	}
}

// Merchants and tokens are written by the operator's function alone: the one that
// merchants reach cannot make itself another merchant.
func TestRights_merchantsAndTokensAreWrittenByTheOperator(t *testing.T) {
	reads := []string{"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"}
	for _, f := range deployment.Functions {
		for _, s := range f.Statements() {
			if s.Resource != "${Catalog.Arn}" {
				continue
			}
			if s.When == nil || s.When.Key != "dynamodb:LeadingKeys" {
				t.Errorf("%s may %v on every item of the catalog", f.ID, s.Actions)
				continue
			}
			writes := slices.ContainsFunc(s.Actions, func(action string) bool { return !slices.Contains(reads, action) })
			for _, begin := range s.When.Values {
				if writes && (begin == "merchant#*" || begin == "token#*") && f.ID != "Operator" {
					t.Errorf("%s may %v on %s", f.ID, s.Actions, begin)
				}
			}
		}
	}
}

// The key is used through a service that stores our data, or for the secrets of
// accounts. The emulator of the one-machine run does not check the second condition.
func TestRights_useTheKeyForNothingElse(t *testing.T) {
	accounts := deployment.Condition{Operator: "ForAllValues:StringEquals", Key: "kms:EncryptionContextKeys", Values: []string{"merchant", "account"}}
	for _, f := range deployment.Functions {
		for _, s := range f.Statements() {
			if s.Resource == "${Key.Arn}" && (s.When == nil || s.When.Key != "kms:ViaService" && !cmp.Equal(*s.When, accounts)) {
				t.Errorf("%s may %v, limited by %v", f.ID, s.Actions, s.When)
			}
		}
	}
}

// The operator's routes are checked by AWS, but for the document that describes them.
func TestRoutes_ofTheOperatorAreCheckedByIAM(t *testing.T) {
	for _, f := range deployment.Functions {
		for _, r := range f.Routes {
			if want := f.ID == "Operator" && r.Path != "/operator/openapi.json"; r.IAM != want {
				t.Errorf("%s of %s: IAM is %t", r.Key(), f.ID, r.IAM)
			}
		}
	}
}

func TestRoute(t *testing.T) {
	for _, c := range []struct {
		route            deployment.Route
		key, id, pattern string
	}{
		{deployment.Route{Method: "POST", Path: "/v1/merchants/{merchant}/tokens"}, "POST /v1/merchants/{merchant}/tokens", "PostV1MerchantsMerchantTokens", "POST/v1/merchants/*/tokens"},
		{deployment.Route{Method: "ANY", Path: "/v1/{proxy+}"}, "ANY /v1/{proxy+}", "AnyV1Proxy", "*/v1/*"},
		{deployment.Route{Method: "GET", Path: "/openapi.json"}, "GET /openapi.json", "GetOpenapiJson", "GET/openapi.json"},
	} {
		got := []string{c.route.Key(), c.route.ID(), c.route.Pattern()}
		if diff := cmp.Diff([]string{c.key, c.id, c.pattern}, got); diff != "" {
			t.Error(diff)
		}
	}
}

// Callers that do not wait lose no event: the function has a queue for those that it
// could not handle.
func TestFunctions_withoutAWaitingCallerHaveAQueueForFailures(t *testing.T) {
	for _, f := range deployment.Functions {
		if alone := f.UploadEvents || f.MailEvents || f.Schedule != ""; alone != (f.OnFailure != nil) {
			t.Errorf("%s: called without waiting is %t, its queue for failures %v", f.ID, alone, f.OnFailure)
		}
		if f.OnFailure != nil && !slices.Contains(deployment.DeadLetterQueues, f.OnFailure.Queue) {
			t.Errorf("%s: there is no queue %s", f.ID, f.OnFailure.Queue)
		}
	}
}

// A message stays hidden for longer than the function that received it may run.
func TestQueues_hideMessagesLongEnough(t *testing.T) {
	for _, q := range deployment.Queues {
		for _, f := range deployment.Functions {
			if f.Queue != nil && f.Queue.Queue == q.ID && q.VisibilityTimeout <= f.Timeout {
				t.Errorf("%s shows a message again after %s, while %s may work on it for %s", q.ID, q.VisibilityTimeout, f.ID, f.Timeout)
			}
		}
		if !slices.Contains(deployment.DeadLetterQueues, q.DeadLetters()) {
			t.Errorf("%s has no dead-letter queue", q.ID)
		}
	}
}

// A function's environment has the variables that its main reads, and no other.
func TestEnvironment_isWhatTheFunctionsRead(t *testing.T) {
	for _, f := range deployment.Functions {
		want := variablesRead(t, filepath.Join("../../functions", f.Folder()))
		var got []string
		for _, v := range f.Variables() {
			got = append(got, v.Name)
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: what its main reads (-) and what the table gives it (+) differ:\n%s", f.ID, diff)
		}
	}
}

// variablesRead finds the names of variables in a function's source.
func variablesRead(t *testing.T, folder string) []string {
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
				if text := unquoted(t, literal.Value); strings.HasPrefix(text, "KEYPOOL_") {
					names[text] = true
				}
			}
			return true
		})
	}
	return slices.Sorted(maps.Keys(names))
}

func unquoted(t *testing.T, literal string) string {
	t.Helper()
	text, err := strconv.Unquote(literal)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
