package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
)

// FuzzOperations holds that every operation of the document answers what the
// document tells, whatever it is sent, never 5xx; that what is refused changed
// nothing; and that what is taken reads back as it was answered.
func FuzzOperations(f *testing.F) {
	document.load(f)
	for n := range operations() {
		f.Add([]byte{byte(n)}, "")
		f.Add([]byte{byte(n), 1}, strings.Repeat("a", 3000))
		f.Add([]byte{byte(n), 1}, "%ff")
		f.Add([]byte{byte(n), 1}, "\x00")
		f.Add([]byte{byte(n), 1, 3, 3, 3, 2, 0, 1, 5, 7, 1, 2, 9, 4, 6, 3, 1, 8, 2}, "../{KEY}\r\n<b>?#")
		f.Add([]byte{byte(n), 0, 0, 1, 1, 3, 4, 2, 0, 3, 2, byte(n), 0, 0, 1, 1, 2, 6, 1, 4}, `"3"`)
	}
	log := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	f.Cleanup(func() { slog.SetDefault(log) })
	// One world serves all of them, put in order again after each that changed it.
	var calls dynamotest.Meter
	store, tables := dynamotest.Open(f, calls.Option)
	var o *owner
	var first map[string]kept
	f.Fuzz(func(t *testing.T, data []byte, free string) {
		if o == nil {
			o = newOwner(over(t, store, tables))
			first = o.items()
			o.restore(first)
		}
		o.T = t
		c := choices{data: data, free: strings.ToValidUTF8(free, "\uFFFD")}
		changed := false
		for range 8 {
			changed = o.tries(c.attempt(), &calls) || changed
			if len(c.data) == 0 {
				break
			}
		}
		if changed || t.Failed() {
			o.restore(first)
		}
	})
}

// restore brings the tables back to what they held.
func (o *owner) restore(want map[string]kept) {
	o.Helper()
	client := dynamotest.Client(o)
	have := o.items()
	for id, old := range want {
		if !reflect.DeepEqual(old.item, have[id].item) {
			if _, err := client.PutItem(context.Background(), &dynamodb.PutItemInput{TableName: &old.table, Item: old.item}); err != nil {
				o.Fatal(err)
			}
		}
	}
	for id, there := range have {
		if _, ok := want[id]; !ok {
			if _, err := client.DeleteItem(context.Background(), &dynamodb.DeleteItemInput{TableName: &there.table, Key: there.key()}); err != nil {
				o.Fatal(err)
			}
		}
	}
	o.fill.take()
	o.ranges.take()
}

// attempt is a request that may be wrong in any way.
type attempt struct {
	method, path, body string
	headers            map[string]string // but authorization
	who                string            // empty: who the operation is for
}

// tries sends a request, holds the answer and what it left to the promise, and
// reports whether it changed anything.
func (o *owner) tries(r attempt, calls *dynamotest.Meter) bool {
	o.Helper()
	calls.Reset()
	e := event(o, "good_api_pool")
	if strings.HasPrefix(r.path, "/v1/merchants") {
		e = event(o, "good_api_merchant")
	}
	e.RequestContext.HTTP.Method, e.Body = r.method, r.body
	e.RawPath, e.RawQueryString, _ = strings.Cut(r.path, "?")
	e.Headers["authorization"] = "Bearer " + o.token
	if r.who != "" {
		e.RequestContext.Authorizer, e.Headers["authorization"] = nil, r.who
	}
	maps.Copy(e.Headers, r.headers)
	got, err := o.handler.Handle(o.Context(), e)
	if err != nil {
		o.Fatalf("%+v: %v", r, err)
	}

	var p struct {
		Status        int
		Title, Detail string
	}
	switch {
	case got.StatusCode >= 500:
		o.Errorf("%+v: answered %d %s", r, got.StatusCode, got.Body)
	case r.method == http.MethodHead:
		if got.Body != "" {
			o.Errorf("%+v: answered with a body", r)
		}
	case got.StatusCode < 400:
		document.holds(o, e, got)
	default:
		if err := json.Unmarshal([]byte(got.Body), &p); err != nil || p.Status != got.StatusCode || p.Title != http.StatusText(p.Status) || p.Detail == "" {
			o.Errorf("%+v: a problem of %+v, %v", r, p, err)
		}
		if got.StatusCode != http.StatusMethodNotAllowed && p.Detail != "There is no such address." {
			document.holds(o, e, got)
		}
	}
	var sent struct{ Secret string }
	if json.Unmarshal([]byte(r.body), &sent) == nil && len(sent.Secret) > 8 && strings.Contains(got.Body, sent.Secret) {
		o.Errorf("%+v: the answer tells the secret: %s", r, got.Body)
	}
	if r.who != "" && got.StatusCode < 400 {
		o.Errorf("%+v: a stranger is answered %d", r, got.StatusCode)
	}

	writes := slices.DeleteFunc(calls.Calls(), func(c dynamotest.Call) bool {
		return slices.Contains([]string{"GetItem", "BatchGetItem", "Query"}, c.Operation)
	})
	messages := append(o.fill.take(), o.ranges.take()...)
	if r.method == http.MethodGet || r.method == http.MethodHead || got.StatusCode >= 400 {
		if len(writes)+len(messages) > 0 {
			o.Errorf("%+v: answered %d, and wrote %+v, sent %v", r, got.StatusCode, writes, messages)
		}
		return len(writes) > 0
	}
	if r.method == http.MethodPut {
		e.RequestContext.HTTP.Method, e.Body = http.MethodGet, ""
		again := o.send(e).want(http.StatusOK)
		put, read := settings(o, got.Body), settings(o, again.Body)
		delete(put, "secret") // shown once
		if diff := cmp.Diff(put, read); diff != "" || again.etag() != got.Headers["Etag"] {
			o.Errorf("%+v: it reads back otherwise, as %s (-put +read):\n%s", r, again.etag(), diff)
		}
	}
	return len(writes) > 0
}

func settings(t testing.TB, body string) map[string]any {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return all
}

// described is an operation, and the schemas of all that it takes, as the
// document has them.
type described struct {
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

// operations are the operations of the document, in the order of their paths.
var operations = sync.OnceValue(func() []described {
	var doc struct {
		Paths map[string]map[string]described
	}
	if err := json.Unmarshal(document.raw, &doc); err != nil {
		panic(err)
	}
	var all []described
	for _, template := range slices.Sorted(maps.Keys(doc.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(doc.Paths[template])) {
			op := doc.Paths[template][method]
			op.method, op.template = strings.ToUpper(method), template
			all = append(all, op)
		}
	}
	return all
})

// choices makes requests out of a fuzzer's bytes. Where they have ended it chooses
// the first of what there is to choose from, which is always what is right.
type choices struct {
	data []byte
	free string // stands wherever any text may
}

func (c *choices) of(n int) int {
	if len(c.data) == 0 {
		return 0
	}
	chosen := int(c.data[0]) % n
	c.data = c.data[1:]
	return chosen
}

func (c *choices) attempt() attempt {
	op := operations()[c.of(len(operations()))]
	r := attempt{method: op.method, path: op.template, headers: map[string]string{}}
	query := url.Values{}
	for _, p := range op.Parameters {
		examples, _ := p.Schema["examples"].([]any)
		switch {
		case p.In == "path":
			r.path = strings.ReplaceAll(r.path, "{"+p.Name+"}", c.text(fmt.Sprint(examples[0])))
		case c.of(3) == 0: // left out
		case p.In == "query":
			query.Set(p.Name, fmt.Sprint(c.value(p.Schema, 1)))
		default:
			r.headers[strings.ToLower(p.Name)] = c.text("*", `"1"`, `"2"`, `W/"1"`, "1, *")
		}
	}
	if len(query) > 0 {
		r.path += "?" + query.Encode()
	}
	if op.RequestBody != nil {
		r.body = c.body(op.RequestBody.Content["application/json"].Schema, op.RequestBody.Content["application/json"].Example)
	}
	switch c.of(12) {
	case 1:
		r.headers["content-type"] = c.text("application/x-www-form-urlencoded", "application/json; charset=utf-16", "")
	case 2:
		r.who = c.text("Bearer kp_", "Basic x", "bearer")
	case 3:
		r.method = []string{"POST", "PATCH", "OPTIONS", "HEAD", "TRACE"}[c.of(5)]
	}
	return r
}

// body makes a body of the example, with some of it made anew, by the schema or
// against it.
func (c *choices) body(schema, example map[string]any) string {
	body, fields := maps.Clone(example), properties(schema)
	for range c.of(6) {
		name := fields[c.of(len(fields))]
		if c.of(4) == 3 {
			delete(body, name)
		} else {
			body[name] = c.value(resolved(schema)["properties"].(map[string]any)[name].(map[string]any), 0)
		}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	switch c.of(16) {
	case 1:
		return string(raw[:c.of(len(raw))])
	case 2:
		return string(raw) + c.free
	case 3:
		return c.free
	case 4:
		return strings.Replace(string(raw), "{", `{"`+fields[c.of(len(fields))]+`":`+c.text("{}", "[]", "1e999", "nul", `"\ud800"`)+",", 1)
	}
	return string(raw)
}

// value makes a value for a schema, or one against it.
func (c *choices) value(schema map[string]any, depth int) any {
	schema = resolved(schema)
	kind, _ := schema["type"].(string)
	if c.of(12) == 11 || depth > 4 {
		return []any{nil, c.free, 1.5, true, []any{}, map[string]any{}}[c.of(6)]
	}
	switch kind {
	case "integer":
		low, _ := schema["minimum"].(float64)
		high, _ := schema["maximum"].(float64)
		return []any{low, high, low - 1, high + 1, json.Number("9223372036854775808"), 2.5, "1"}[c.of(7)]
	case "boolean":
		return c.of(2) == 0
	case "array":
		items := []any{}
		for range c.of(4) {
			items = append(items, c.value(schema["items"].(map[string]any), depth+1))
		}
		return items
	case "object":
		object := map[string]any{}
		if each, ok := schema["additionalProperties"].(map[string]any); ok {
			for range c.of(4) {
				object[c.text("en", "de", "EUR", "USD")] = c.value(each, depth+1)
			}
			return object
		}
		for _, name := range properties(schema) {
			if c.of(5) != 4 {
				object[name] = c.value(schema["properties"].(map[string]any)[name].(map[string]any), depth+1)
			}
		}
		return object
	}
	if words, ok := schema["enum"].([]any); ok {
		return c.text(fmt.Sprint(words[c.of(len(words))]))
	}
	return c.text("elden", "4711", "de", "a@b.example", "https://shop.example/?a=1", "Europe/Berlin", "{KEY}", "whsec_"+strings.Repeat("A", 44))
}

// text chooses one of some texts, or another.
func (c *choices) text(right ...string) string {
	n := c.of(len(right) + 4)
	if n < len(right) {
		return right[n]
	}
	const longest = 20_000 // bytes; a gateway takes no longer headers and addresses
	long := strings.Repeat(c.free+"x", 1+longest/(len(c.free)+1)*c.of(2))
	return []string{c.free, "", strings.ToValidUTF8(long[:min(len(long), longest)], ""), "\u202e\x00" + c.free}[n-len(right)]
}

func properties(schema map[string]any) []string {
	all, _ := resolved(schema)["properties"].(map[string]any)
	return slices.Sorted(maps.Keys(all))
}

// resolved follows a schema's reference.
func resolved(schema map[string]any) map[string]any {
	ref, ok := schema["$ref"].(string)
	if !ok {
		return schema
	}
	var there map[string]any
	if err := json.Unmarshal(document.doc.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")], &there); err != nil {
		panic(err)
	}
	return there
}
