package stack_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"keypool/infra/deployment"
	"keypool/infra/stack"
)

// given returns the parameters that have no default, and more.
func given(more map[string]any) map[string]any {
	context := map[string]any{
		"account":  "123456789012",
		"region":   "eu-central-1",
		"sender":   "Example Keys <keys@example.com>",
		"operator": "operator@example.com",
	}
	maps.Copy(context, more)
	return context
}

// templates returns both stacks with the default parameters. Making them takes seconds,
// so the tests share them.
var templates = sync.OnceValue(func() assembly { return must(synthesize(given(nil))) })

// assembly is a synthesized app.
type assembly struct{ data, pipeline template }

func synthesize(context map[string]any) (assembly, error) {
	folder, err := os.MkdirTemp("", "keypool-stack-")
	if err != nil {
		return assembly{}, err
	}
	defer os.RemoveAll(folder)
	settings, err := deployment.Read(context)
	if err != nil {
		return assembly{}, err
	}
	settings.Zips = filepath.Join(folder, "zips")
	zips := filepath.Join(settings.Zips, settings.Architecture)
	if err := os.MkdirAll(zips, 0o700); err != nil {
		return assembly{}, err
	}
	for _, f := range deployment.Functions {
		if err := os.WriteFile(settings.Zip(f), []byte(f.ID), 0o600); err != nil {
			return assembly{}, err
		}
	}
	app := awscdk.NewApp(&awscdk.AppProps{
		Outdir:  jsii.String(filepath.Join(folder, "out")),
		Context: &map[string]any{"@aws-cdk/core:defaultCrossStackReferences": "strong"},
	})
	if err := stack.New(app, settings); err != nil {
		return assembly{}, err
	}
	app.Synth(nil)

	var a assembly
	if a.data.raw, err = os.ReadFile(filepath.Join(folder, "out", settings.Name+"-Data.template.json")); err != nil {
		return assembly{}, err
	}
	if a.pipeline.raw, err = os.ReadFile(filepath.Join(folder, "out", settings.Name+".template.json")); err != nil {
		return assembly{}, err
	}
	exports := map[string]string{}
	if err := a.data.read(exports); err != nil {
		return assembly{}, err
	}
	return a, a.pipeline.read(exports)
}

// template is a synthesized template whose references are readable names, such as
// Catalog.Arn, whichever stack the resource is in.
type template struct {
	raw       []byte
	resources map[string]resource
	outputs   map[string]string
}

type resource struct {
	Type           string
	Properties     map[string]any
	DependsOn      []string
	DeletionPolicy string

	UpdateReplacePolicy string
}

func (t *template) read(exports map[string]string) error {
	var raw struct {
		Resources map[string]resource
		Outputs   map[string]struct {
			Value  any
			Export struct{ Name string }
		}
	}
	if err := json.Unmarshal(t.raw, &raw); err != nil {
		return err
	}
	t.resources = map[string]resource{}
	for id, r := range raw.Resources {
		r.Properties, _ = readable(r.Properties, exports).(map[string]any)
		for i := range r.DependsOn {
			r.DependsOn[i] = plain(r.DependsOn[i])
		}
		if _, taken := t.resources[plain(id)]; taken {
			return fmt.Errorf("two resources are called %s", plain(id))
		}
		t.resources[plain(id)] = r
	}
	t.outputs = map[string]string{}
	for name, o := range raw.Outputs {
		value := fmt.Sprint(readable(o.Value, exports))
		if o.Export.Name != "" {
			exports[o.Export.Name] = value
		} else {
			t.outputs[name] = value
		}
	}
	return nil
}

// ofType returns the resources of a type by id.
func (t template) ofType(kind string) map[string]resource {
	found := map[string]resource{}
	for id, r := range t.resources {
		if r.Type == kind {
			found[id] = r
		}
	}
	return found
}

// readable replaces CloudFormation's functions by readable names.
func readable(value any, exports map[string]string) any {
	switch v := value.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = readable(v[i], exports)
		}
		return out
	case map[string]any:
		if ref, ok := v["Ref"].(string); ok && len(v) == 1 {
			if ref == "AWS::Partition" {
				return "aws"
			}
			return plain(ref)
		}
		if get, ok := v["Fn::GetAtt"].([]any); ok && len(v) == 1 {
			return plain(get[0].(string)) + "." + get[1].(string)
		}
		if name, ok := v["Fn::ImportValue"].(string); ok && len(v) == 1 {
			return exports[name]
		}
		if join, ok := v["Fn::Join"].([]any); ok && len(v) == 1 {
			var parts []string
			for _, part := range readable(join[1], exports).([]any) {
				parts = append(parts, fmt.Sprint(part))
			}
			return strings.Join(parts, join[0].(string))
		}
		out := map[string]any{}
		for key, inner := range v {
			out[key] = readable(inner, exports)
		}
		return out
	}
	return value
}

// plain returns a resource's ID without the hash that the CDK appends.
func plain(id string) string { return regexp.MustCompile(`[0-9A-F]{8}$`).ReplaceAllString(id, "") }

// statement formats a statement of a policy as one line.
func statement(s map[string]any) string {
	line := s["Effect"].(string) + " " + strings.Join(texts(s["Action"]), " ") + " on " + strings.Join(texts(s["Resource"]), " ")
	if condition, ok := s["Condition"].(map[string]any); ok {
		for _, operator := range slices.Sorted(maps.Keys(condition)) {
			keys := condition[operator].(map[string]any)
			for _, key := range slices.Sorted(maps.Keys(keys)) {
				line += " if " + key + " " + operator + " " + strings.Join(texts(keys[key]), " ")
			}
		}
	}
	return line
}

// statements formats each statement of a policy document as one line.
func statements(document any) []string {
	var lines []string
	for _, s := range document.(map[string]any)["Statement"].([]any) {
		lines = append(lines, statement(s.(map[string]any)))
	}
	return lines
}

// texts returns a text, or a list of texts, as a list.
func texts(value any) []string {
	if many, ok := value.([]any); ok {
		out := make([]string, len(many))
		for i := range many {
			out[i] = fmt.Sprint(many[i])
		}
		return out
	}
	if value == nil {
		return nil
	}
	return []string{fmt.Sprint(value)}
}

// at returns a nested property: at(r, "LoggingConfig", "LogGroup").
func at(r resource, path ...string) any {
	var value any = r.Properties
	for _, step := range path {
		inner, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = inner[step]
	}
	return value
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
