package resttest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// Call is an operation of the document as a request, made of the examples that the
// document gives for its path, its required query and its body.
type Call struct {
	Operation    string
	Method, Path string
	Body         string
	Most         int // the greatest page that a list takes, 0 if the operation is none that has pages
}

// Calls makes a request of every operation of the document, so that a new one is
// tried without a word more: reads first, then deletions, then writes.
func (s *Document) Calls(t testing.TB) []Call {
	t.Helper()
	s.Load(t)
	var all []Call
	for template, methods := range s.doc.Paths {
		for lower, op := range methods {
			c := Call{Operation: op.OperationID, Method: strings.ToUpper(lower), Path: template}
			for _, p := range op.Parameters {
				if p.In == "path" && len(p.Schema.Examples) > 0 {
					c.Path = strings.ReplaceAll(c.Path, "{"+p.Name+"}", fmt.Sprint(p.Schema.Examples[0]))
				}
			}
			query := url.Values{}
			for _, p := range op.Parameters {
				if p.In == "query" && p.Required && len(p.Schema.Examples) > 0 {
					query.Set(p.Name, fmt.Sprint(p.Schema.Examples[0]))
				}
				if p.In == "query" && p.Name == "limit" {
					c.Most = int(p.Schema.Maximum)
				}
			}
			if len(query) > 0 {
				c.Path += "?" + query.Encode()
			}
			if strings.Contains(c.Path, "{") {
				t.Fatalf("%s: the document gives no example for %s", op.OperationID, c.Path)
			}
			if op.RequestBody != nil {
				if c.Body = string(op.RequestBody.Content["application/json"].Example); c.Body == "" {
					t.Fatalf("%s: the document gives no example of its body", op.OperationID)
				}
			}
			all = append(all, c)
		}
	}
	order := []string{"GET", "DELETE", "POST", "PUT"}
	slices.SortFunc(all, func(a, b Call) int {
		if a.Method != b.Method {
			return slices.Index(order, a.Method) - slices.Index(order, b.Method)
		}
		return strings.Compare(a.Path, b.Path)
	})
	return all
}

// Takes returns the headers that an operation takes, and the statuses that it answers.
func (s *Document) Takes(t testing.TB, operation string) (headers, statuses []string) {
	t.Helper()
	s.Load(t)
	for _, methods := range s.doc.Paths {
		for _, op := range methods {
			if op.OperationID != operation {
				continue
			}
			for _, p := range op.Parameters {
				if p.In == "header" {
					headers = append(headers, p.Name)
				}
			}
			return headers, slices.Sorted(maps.Keys(op.Responses))
		}
	}
	t.Fatalf("there is no operation %s", operation)
	return nil, nil
}

// Operation is an operation, and the schemas of everything that it takes.
type Operation struct {
	method, template string
	Parameters       []struct {
		Name, In string
		Schema   map[string]any
	}
	RequestBody *struct {
		Content map[string]struct {
			Schema  map[string]any
			Example map[string]any
		}
	}
}

// readOperations returns the operations of the document, by path and method.
func (s *Document) readOperations(t testing.TB) []Operation {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]Operation
	}
	if err := json.Unmarshal(s.raw, &doc); err != nil {
		t.Fatal(err)
	}
	var all []Operation
	for _, template := range slices.Sorted(maps.Keys(doc.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(doc.Paths[template])) {
			op := doc.Paths[template][method]
			op.method, op.template = strings.ToUpper(method), template
			all = append(all, op)
		}
	}
	return all
}

// Operations is how many operations the document has.
func (s *Document) Operations(t testing.TB) int {
	t.Helper()
	s.Load(t)
	return len(s.operations)
}
