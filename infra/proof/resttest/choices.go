package resttest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Attempt is a request that may be wrong in any way.
type Attempt struct {
	Method, Path, Body string
	Headers            map[string]string // but authorization
	Caller             string            // authorization of a stranger; "": a caller who may
}

// Choices makes requests out of a fuzzer's bytes. Once they have ended, it takes the
// first choice each time, which is always a right one.
type Choices struct {
	Document *Document
	Data     []byte
	Free     string // stands wherever any text may
}

func (c *Choices) of(n int) int {
	if len(c.Data) == 0 {
		return 0
	}
	chosen := int(c.Data[0]) % n
	c.Data = c.Data[1:]
	return chosen
}

// Attempt makes a request.
func (c *Choices) Attempt() Attempt {
	op := c.Document.operations[c.of(len(c.Document.operations))]
	r := Attempt{Method: op.method, Path: op.template, Headers: map[string]string{}}
	query := url.Values{}
	for _, p := range op.Parameters {
		examples, _ := p.Schema["examples"].([]any)
		switch {
		case p.In == "path":
			r.Path = strings.ReplaceAll(r.Path, "{"+p.Name+"}", c.text(fmt.Sprint(examples[0])))
		case c.of(3) == 0: // left out
		case p.In == "query":
			query.Set(p.Name, fmt.Sprint(c.value(p.Schema, 1)))
		default:
			r.Headers[strings.ToLower(p.Name)] = c.text("*", `"1"`, `"2"`, `W/"1"`, "1, *")
		}
	}
	if len(query) > 0 {
		r.Path += "?" + query.Encode()
	}
	if op.RequestBody != nil {
		r.Body = c.body(op.RequestBody.Content["application/json"].Schema, op.RequestBody.Content["application/json"].Example)
	}
	switch c.of(12) {
	case 1:
		r.Headers["content-type"] = c.text("application/x-www-form-urlencoded", "application/json; charset=utf-16", "")
	case 2:
		r.Caller = c.text("Bearer kp_", "Basic x", "bearer")
	case 3:
		r.Method = []string{"POST", "PATCH", "OPTIONS", "HEAD", "TRACE"}[c.of(5)]
	}
	return r
}

// body makes a body of the example, with some of it made anew, by the schema or
// against it.
func (c *Choices) body(schema, example map[string]any) string {
	body, fields := maps.Clone(example), c.properties(schema)
	for range c.of(6) {
		name := fields[c.of(len(fields))]
		if c.of(4) == 3 {
			delete(body, name)
		} else {
			body[name] = c.value(c.resolved(schema)["properties"].(map[string]any)[name].(map[string]any), 0)
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
		return string(raw) + c.Free
	case 3:
		return c.Free
	case 4:
		return strings.Replace(string(raw), "{", `{"`+fields[c.of(len(fields))]+`":`+c.text("{}", "[]", "1e999", "nul", `"\ud800"`)+",", 1)
	}
	return string(raw)
}

// value makes a value for a schema, or one against it.
func (c *Choices) value(schema map[string]any, depth int) any {
	schema = c.resolved(schema)
	kind, _ := schema["type"].(string)
	if c.of(12) == 11 || depth > 4 {
		return []any{nil, c.Free, 1.5, true, []any{}, map[string]any{}}[c.of(6)]
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
		for _, name := range c.properties(schema) {
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
func (c *Choices) text(right ...string) string {
	n := c.of(len(right) + 4)
	if n < len(right) {
		return right[n]
	}
	const longest = 20_000 // bytes; a gateway takes no longer headers and addresses
	long := strings.Repeat(c.Free+"x", 1+longest/(len(c.Free)+1)*c.of(2))
	return []string{c.Free, "", strings.ToValidUTF8(long[:min(len(long), longest)], ""), "\u202e\x00" + c.Free}[n-len(right)]
}

func (c *Choices) properties(schema map[string]any) []string {
	all, _ := c.resolved(schema)["properties"].(map[string]any)
	return slices.Sorted(maps.Keys(all))
}

// resolved follows a schema's reference.
func (c *Choices) resolved(schema map[string]any) map[string]any {
	ref, ok := schema["$ref"].(string)
	if !ok {
		return schema
	}
	var there map[string]any
	if err := json.Unmarshal(c.Document.doc.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")], &there); err != nil {
		panic(err)
	}
	return there
}
