// Package resttest tries the functions that answer a JSON API (package rest): it
// sends events of the gateway, and holds each response against the API's own
// OpenAPI document.
package resttest

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
	"go.yaml.in/yaml/v3"

	"keypool/shared/problem"
)

// Document is the OpenAPI document of an API, read by a JSON Schema validator that
// knows nothing of how it was made. It is safe for concurrent use.
type Document struct {
	// Serve opens the API, and Path is where it serves the document.
	Serve func() Serve
	Path  string

	once       sync.Once
	raw        []byte
	doc        openAPI
	paths      map[string]*regexp.Regexp // of the requests that each path of the document is for
	operations []Operation
	schemas    *jsonschema.Compiler
	mu         sync.Mutex
}

type openAPI struct {
	OpenAPI    string
	Info       struct{ Title, Version, Description string }
	Paths      map[string]map[string]operation
	Components struct {
		Responses       map[string]response
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
		Schema   struct {
			Examples []any
			Maximum  float64
		}
	}
	RequestBody *struct {
		Required bool
		Content  map[string]media
	}
	Responses map[string]response
}

type response struct {
	Ref         string `json:"$ref"`
	Description string
	Content     map[string]media
	Headers     map[string]json.RawMessage
}

type media struct {
	Schema  json.RawMessage
	Example json.RawMessage
}

// Load reads the document, once.
func (s *Document) Load(t testing.TB) {
	t.Helper()
	s.once.Do(func() {
		var e events.APIGatewayV2HTTPRequest
		e.RawPath, e.RequestContext.HTTP.Method = s.Path, http.MethodGet
		got, err := s.Serve()(t.Context(), e)
		if err != nil || got.StatusCode != http.StatusOK {
			t.Fatalf("GET %s: %d, %v", s.Path, got.StatusCode, err)
		}
		s.raw = []byte(got.Body)
		if err := json.Unmarshal(s.raw, &s.doc); err != nil {
			t.Fatalf("the document: %v", err)
		}
		s.paths = map[string]*regexp.Regexp{}
		for template, methods := range s.doc.Paths {
			for _, op := range methods {
				s.resolve(t, op)
			}
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
		s.operations = s.readOperations(t)
	})
	if s.schemas == nil {
		t.Fatal("there is no document")
	}
}

// resolve gives an operation the responses that it refers to.
func (s *Document) resolve(t testing.TB, op operation) {
	t.Helper()
	for status, r := range op.Responses {
		name, shared := strings.CutPrefix(r.Ref, sharedResponses)
		if !shared {
			continue
		}
		found, ok := s.doc.Components.Responses[name]
		if !ok {
			t.Fatalf("%s: there is no response %q", op.OperationID, name)
		}
		found.Ref = r.Ref
		op.Responses[status] = found
	}
}

// sharedResponses is where the document has responses that operations refer to.
const sharedResponses = "#/components/responses/"

// place is where the document describes the body of a response to an operation.
func (r response) place(template, method, status, contentType string) string {
	if name, shared := strings.CutPrefix(r.Ref, sharedResponses); shared {
		return pointer("components", "responses", name, "content", contentType, "schema")
	}
	return pointer("paths", template, method, "responses", status, "content", contentType, "schema")
}

// check holds a JSON value against the schema at a place in the document.
func (s *Document) check(t testing.TB, place string, value []byte) {
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

// operationOf returns the operation that a request is for, "" if it is for none: that whose path
// has the most segments of its own.
func (s *Document) operationOf(method, path string) (best string, op operation) {
	most := -1
	for template, methods := range s.doc.Paths {
		found, ok := methods[strings.ToLower(method)]
		if own := strings.Count(inBraces.ReplaceAllString(template, ""), "/") - len(inBraces.FindAllString(template, -1)); ok && own > most && s.paths[template].MatchString(path) {
			best, op, most = template, found, own
		}
	}
	return best, op
}

// Holds fails the test unless the document describes such a response. Client sends
// every request of a test by here.
func (s *Document) Holds(t testing.TB, e events.APIGatewayV2HTTPRequest, answer events.APIGatewayV2HTTPResponse) {
	t.Helper()
	s.Load(t)
	method, status := e.RequestContext.HTTP.Method, strconv.Itoa(answer.StatusCode)
	contentType := answer.Headers["Content-Type"]
	if answer.StatusCode >= 400 {
		if contentType != "application/problem+json" {
			t.Errorf("%s %s: a problem of type %q", method, e.RawPath, contentType)
		}
		s.check(t, pointer("components", "schemas", "ErrorModel"), []byte(answer.Body))
	}
	template, op := s.operationOf(method, e.RawPath)
	if template == "" || e.RawPath == s.Path {
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
	if contentType == "text/csv" || contentType == "application/jsonl" {
		return // their lines are held by the tests of their operations
	}
	body := []byte(answer.Body)
	if contentType == "application/yaml" {
		body = fromYAML(t, body)
	}
	s.check(t, response.place(template, strings.ToLower(method), status, contentType), body)
}

// fromYAML returns what YAML says as JSON.
func fromYAML(t testing.TB, body []byte) []byte {
	t.Helper()
	var value any
	err := yaml.Unmarshal(body, &value)
	if err == nil {
		body, err = json.Marshal(value)
	}
	if err != nil {
		t.Errorf("%v: %s", err, body)
	}
	return body
}

// Answers fails the test unless an attempt, whatever it holds, is answered as an API
// answers: a success or a problem that the document describes, never 5xx, and no
// success for a stranger.
func (s *Document) Answers(t testing.TB, a Attempt, e events.APIGatewayV2HTTPRequest, answer events.APIGatewayV2HTTPResponse) {
	t.Helper()
	var p problem.Problem
	switch {
	case answer.StatusCode >= 500:
		t.Errorf("%+v: answered %d %s", a, answer.StatusCode, answer.Body)
	case a.Method == http.MethodHead:
		if answer.Body != "" {
			t.Errorf("%+v: answered with a body", a)
		}
	case answer.StatusCode < 400:
		s.Holds(t, e, answer)
	default:
		if err := json.Unmarshal([]byte(answer.Body), &p); err != nil || p.Status != answer.StatusCode || p.Title != http.StatusText(p.Status) || p.Detail == "" {
			t.Errorf("%+v: a problem of %+v, %v", a, p, err)
		}
		if answer.StatusCode != http.StatusMethodNotAllowed && p.Detail != "There is no such address." {
			s.Holds(t, e, answer)
		}
	}
	if a.Caller != "" && answer.StatusCode < 400 {
		t.Errorf("%+v: a stranger is answered %d", a, answer.StatusCode)
	}
}

// IsComplete holds that the document describes each operation in full, with
// examples that fit their own schemas, and that there are so many operations.
func (s *Document) IsComplete(t *testing.T, operations int) {
	t.Helper()
	s.Load(t)
	doc := s.doc
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
			if len(op.Security) != 1 || len(op.Security[0]) != 1 {
				t.Fatalf("%s: the document does not say who may call it", name)
			}
			for scheme := range op.Security[0] {
				described, ok := doc.Components.SecuritySchemes[scheme]
				if !ok {
					t.Errorf("%s: there is no security scheme %q", name, scheme)
				}
				if described.Type == "apiKey" { // signed requests: the gateway answers 401 itself
					refusal = "403"
				}
			}
			expected := []string{refusal, "500", "503"}
			makes := method == "put" || name == "fulfil-order" // what the path names
			if strings.Contains(path, "{") && !makes {
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

			if (op.RequestBody != nil) != (method == "put" || name == "create-upload" || name == "create-token" || name == "make-owner" || name == "open-portal" || name == "load-upload" || name == "find-keys" || name == "add-keys" || name == "block-keys" || name == "move-keys" || name == "export-keys" || name == "withdraw-upload" || name == "dry-run" || name == "preview-mail" || name == "send-sample" || name == "place-test-order" || acts.MatchString(name)) {
				t.Errorf("%s %s: request body %v", method, path, op.RequestBody)
			}
			if op.RequestBody != nil {
				s.example(t, op.RequestBody.Content["application/json"], pointer("paths", path, method, "requestBody", "content", "application/json", "schema"))
			}
			for status, response := range op.Responses {
				if response.Description == "" {
					t.Errorf("%s: %s has no description", name, status)
				}
				if status[0] == '2' && method != "delete" {
					s.example(t, response.Content["application/json"], response.place(path, method, status, "application/json"))
				}
				if status[0] > '3' {
					s.example(t, response.Content[problem.ContentType], response.place(path, method, status, problem.ContentType))
				}
			}
		}
	}
	if len(seen) != operations {
		t.Errorf("%d operations, want %d", len(seen), operations)
	}
	for name := range doc.Components.Schemas {
		s.mu.Lock()
		if _, err := s.schemas.Compile("openapi.json#" + pointer("components", "schemas", name)); err != nil {
			t.Errorf("component %s is no JSON Schema: %v", name, err)
		}
		s.mu.Unlock()
	}
}

// Scopes returns the scopes that the document says an operation needs of its caller.
func (s *Document) Scopes(t testing.TB, operation string) []string {
	t.Helper()
	s.Load(t)
	for _, methods := range s.doc.Paths {
		for _, op := range methods {
			if op.OperationID != operation {
				continue
			}
			for _, scopes := range op.Security[0] {
				return scopes
			}
		}
	}
	t.Fatalf("the document has no operation %s", operation)
	return nil
}

// example holds an example against its own schema.
func (s *Document) example(t *testing.T, m media, place string) {
	t.Helper()
	if len(m.Example) == 0 {
		t.Errorf("%s: no example", place)
		return
	}
	s.check(t, place, m.Example)
}

// ExamplesCanBeSent holds that the example of a request has no property that can
// only be read.
func (s *Document) ExamplesCanBeSent(t *testing.T) {
	t.Helper()
	s.Load(t)
	for _, methods := range s.doc.Paths {
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
				json.Unmarshal(s.doc.Components.Schemas[strings.TrimPrefix(ref.Ref, "#/components/schemas/")], &schema),
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

// ReferencesResolve holds that every reference in the document leads to a schema.
func (s *Document) ReferencesResolve(t *testing.T) {
	t.Helper()
	s.Load(t)
	for _, ref := range regexp.MustCompile(`"\$ref":"([^"]+)"`).FindAllStringSubmatch(string(s.raw), -1) {
		name, ok := strings.CutPrefix(ref[1], "#/components/schemas/")
		if _, there := s.doc.Components.Schemas[name]; !ok || !there {
			t.Errorf("%s leads nowhere", ref[1])
		}
	}
}

// Webhook returns the mistake that the schema of a webhook's body finds in a body, nil
// if there is none.
func (s *Document) Webhook(t testing.TB, name string, body []byte) error {
	t.Helper()
	s.Load(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	schema, err := s.schemas.Compile("openapi.json#" + pointer("webhooks", name, "post", "requestBody", "content", "application/json", "schema"))
	if err != nil {
		t.Fatalf("the schema of the webhook %s: %v", name, err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

// acts are the operations that change an order, and say how in their bodies.
var acts = regexp.MustCompile(`^(fulfil-order|cancel-order|return-order|hold-order|release-order|reject-order|release-held|reject-held|resend-order|replace-key|replace-order-link|revoke-order-link|erase-order|erase-customer)(-by-query)?$`)
