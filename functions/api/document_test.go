package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// served is the document as GET /openapi.json serves it, read by a JSON Schema
// validator that knows nothing of how it was made.
type served struct {
	once    sync.Once
	raw     []byte
	doc     openAPI
	paths   map[string]*regexp.Regexp // what each path of the document stands for
	schemas *jsonschema.Compiler
	mu      sync.Mutex
}

// document is shared: it needs no tables.
var document served

type openAPI struct {
	OpenAPI    string
	Info       struct{ Title, Version, Description string }
	Paths      map[string]map[string]operation
	Components struct {
		Schemas         map[string]json.RawMessage
		SecuritySchemes map[string]struct{ Type, Scheme, In, Name string }
	}
}

type operation struct {
	OperationID string `json:"operationId"`
	Summary     string
	Tags        []string
	Security    []map[string][]string
	Parameters  []struct {
		Name, In string
		Required bool
		Schema   struct{ Examples []any }
	}
	RequestBody *struct {
		Required bool
		Content  map[string]media
	}
	Responses map[string]struct {
		Description string
		Content     map[string]media
		Headers     map[string]json.RawMessage
	}
}

type media struct {
	Schema  json.RawMessage
	Example json.RawMessage
}

func (s *served) load(t testing.TB) {
	t.Helper()
	s.once.Do(func() {
		h := handler{api: (&api{}).serve()}
		got, err := h.Handle(t.Context(), event(t, "good_api_document"))
		if err != nil || got.StatusCode != http.StatusOK {
			t.Fatalf("GET /openapi.json: %d, %v", got.StatusCode, err)
		}
		s.raw = []byte(got.Body)
		if err := json.Unmarshal(s.raw, &s.doc); err != nil {
			t.Fatalf("the document: %v", err)
		}
		s.paths = map[string]*regexp.Regexp{}
		for template := range s.doc.Paths {
			name := `[^/]+`
			if strings.HasPrefix(template, "/v1/products/") || strings.HasPrefix(template, "/v1/orders/") {
				name = `.+`
			}
			s.paths[template] = regexp.MustCompile("^" + inBraces.ReplaceAllString(template, name) + "$")
		}
		whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(s.raw))
		if err != nil {
			t.Fatalf("the document: %v", err)
		}
		s.schemas = jsonschema.NewCompiler()
		s.schemas.DefaultDraft(jsonschema.Draft2020)
		s.schemas.AssertFormat()
		if err := s.schemas.AddResource("openapi.json", whole); err != nil {
			t.Fatalf("the document: %v", err)
		}
	})
	if s.schemas == nil {
		t.Fatal("there is no document")
	}
}

// check holds a JSON value against the schema at a place in the document.
func (s *served) check(t testing.TB, place string, value []byte) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	schema, err := s.schemas.Compile("openapi.json#" + place)
	if err != nil {
		t.Errorf("%s is no schema: %v", place, err)
		return
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
	if err != nil {
		t.Errorf("%s: %v\n%s", place, err, value)
		return
	}
	if err := schema.Validate(v); err != nil {
		t.Errorf("%s: %v\n%s", place, err, value)
	}
}

// pointer makes a JSON pointer.
func pointer(parts ...string) string {
	var b strings.Builder
	for _, part := range parts {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(part))
	}
	return b.String()
}

var inBraces = regexp.MustCompile(`\{[^}]+\}`)

// operationOf returns the operation that a request is for, "" if it is for none.
func (s *served) operationOf(method, path string) (string, operation) {
	for template, methods := range s.doc.Paths {
		if s.paths[template].MatchString(path) {
			if op, ok := methods[strings.ToLower(method)]; ok {
				return template, op
			}
		}
	}
	return "", operation{}
}

// holds fails the test unless the document tells of such an answer. Every
// request that a test sends comes by here.
func (s *served) holds(t testing.TB, e events.APIGatewayV2HTTPRequest, answer events.APIGatewayV2HTTPResponse) {
	t.Helper()
	s.load(t)
	method, status := e.RequestContext.HTTP.Method, strconv.Itoa(answer.StatusCode)
	contentType := answer.Headers["Content-Type"]
	if answer.StatusCode >= 400 {
		if contentType != "application/problem+json" {
			t.Errorf("%s %s: a problem of type %q", method, e.RawPath, contentType)
		}
		s.check(t, pointer("components", "schemas", "ErrorModel"), []byte(answer.Body))
	}
	template, op := s.operationOf(method, e.RawPath)
	if template == "" || e.RawPath == "/openapi.json" {
		return
	}
	response, ok := op.Responses[status]
	if !ok {
		t.Errorf("%s answers %s, which the document does not tell\n%s", op.OperationID, status, answer.Body)
		return
	}
	for header := range response.Headers {
		if answer.Headers[http.CanonicalHeaderKey(header)] == "" {
			t.Errorf("%s: the answer has no header %s", op.OperationID, header)
		}
	}
	if len(response.Content) == 0 {
		if answer.Body != "" {
			t.Errorf("%s: the document tells of no body\n%s", op.OperationID, answer.Body)
		}
		return
	}
	if _, ok := response.Content[contentType]; !ok {
		t.Errorf("%s answers %s, which the document does not tell", op.OperationID, contentType)
		return
	}
	s.check(t, pointer("paths", template, strings.ToLower(method), "responses", status, "content", contentType, "schema"), []byte(answer.Body))
}

func TestDocument_tellsAllThereIsToKnow(t *testing.T) {
	t.Parallel()
	document.load(t)
	doc := document.doc
	if doc.OpenAPI != "3.1.0" || doc.Info.Title == "" || doc.Info.Version == "" || doc.Info.Description == "" {
		t.Errorf("the head of the document: %s %+v", doc.OpenAPI, doc.Info)
	}
	seen := map[string]bool{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			name := op.OperationID
			if name == "" || seen[name] {
				t.Errorf("%s %s: operation id %q is empty or taken", method, path, name)
			}
			seen[name] = true
			if op.Summary == "" || len(op.Tags) != 1 {
				t.Errorf("%s: summary %q, tags %v", name, op.Summary, op.Tags)
			}

			refusal := "401"
			for scheme := range op.Security[0] {
				if _, ok := doc.Components.SecuritySchemes[scheme]; !ok {
					t.Errorf("%s: there is no security scheme %q", name, scheme)
				}
				if scheme == operatorScheme {
					refusal = "403"
				}
			}
			expected := []string{refusal, "500", "503"}
			if strings.Contains(path, "{") && method != "put" {
				expected = append(expected, "404")
			}
			if method == "put" {
				expected = append(expected, "400", "412", "413", "415", "422", "428")
			}
			for _, status := range expected {
				if _, ok := op.Responses[status].Content["application/problem+json"]; !ok {
					t.Errorf("%s: %s is not told as a problem", name, status)
				}
			}

			var declared []string
			for _, p := range op.Parameters {
				if p.In == "path" {
					declared = append(declared, "{"+p.Name+"}")
					if !p.Required || len(p.Schema.Examples) == 0 {
						t.Errorf("%s: path parameter %s: required %v, examples %v", name, p.Name, p.Required, p.Schema.Examples)
					}
				}
			}
			if want := inBraces.FindAllString(path, -1); !slices.Equal(declared, want) {
				t.Errorf("%s: path parameters %v, want %v", name, declared, want)
			}

			if (op.RequestBody != nil) != (method == "put" || name == "create-upload") {
				t.Errorf("%s %s: request body %v", method, path, op.RequestBody)
			}
			if op.RequestBody != nil {
				example(t, op.RequestBody.Content["application/json"], pointer("paths", path, method, "requestBody", "content", "application/json", "schema"))
			}
			for status, response := range op.Responses {
				if response.Description == "" {
					t.Errorf("%s: %s has no description", name, status)
				}
				if status[0] == '2' && method != "delete" {
					example(t, response.Content["application/json"], pointer("paths", path, method, "responses", status, "content", "application/json", "schema"))
				}
			}
		}
	}
	if len(seen) < 17 {
		t.Errorf("only %d operations", len(seen))
	}
	for name := range doc.Components.Schemas {
		document.mu.Lock()
		if _, err := document.schemas.Compile("openapi.json#" + pointer("components", "schemas", name)); err != nil {
			t.Errorf("component %s is no JSON Schema: %v", name, err)
		}
		document.mu.Unlock()
	}
}

// example holds an example against its own schema.
func example(t *testing.T, m media, place string) {
	t.Helper()
	if len(m.Example) == 0 {
		t.Errorf("%s: no example", place)
		return
	}
	document.check(t, place, m.Example)
}

// An example of a request shows only what a request can set.
func TestDocument_requestsSetWhatCanBeSet(t *testing.T) {
	t.Parallel()
	document.load(t)
	for _, methods := range document.doc.Paths {
		for _, op := range methods {
			if op.RequestBody == nil {
				continue
			}
			body := op.RequestBody.Content["application/json"]
			var ref struct {
				Ref string `json:"$ref"`
			}
			var schema struct {
				Properties map[string]struct{ ReadOnly bool }
			}
			var example map[string]any
			for _, err := range []error{
				json.Unmarshal(body.Schema, &ref),
				json.Unmarshal(document.doc.Components.Schemas[strings.TrimPrefix(ref.Ref, "#/components/schemas/")], &schema),
				json.Unmarshal(body.Example, &example),
			} {
				if err != nil {
					t.Fatalf("%s: %v", op.OperationID, err)
				}
			}
			for name := range example {
				if schema.Properties[name].ReadOnly {
					t.Errorf("%s: the example sets %s, which can only be read", op.OperationID, name)
				}
			}
		}
	}
}

// Every reference in the document leads somewhere.
func TestDocument_referencesLeadSomewhere(t *testing.T) {
	t.Parallel()
	document.load(t)
	for _, ref := range regexp.MustCompile(`"\$ref":"([^"]+)"`).FindAllStringSubmatch(string(document.raw), -1) {
		name, ok := strings.CutPrefix(ref[1], "#/components/schemas/")
		if _, there := document.doc.Components.Schemas[name]; !ok || !there {
			t.Errorf("%s leads nowhere", ref[1])
		}
	}
}
