// Package reference writes the page of an API's reference for people, from its OpenAPI
// document: one file of HTML, without scripts and without anything from elsewhere.
package reference

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
)

//go:embed reference.html
var page string

//go:embed reference.css
var style string

var layout = template.Must(template.New("reference").Funcs(template.FuncMap{"pretty": pretty, "words": words}).Parse(page))

// Page returns the page of an OpenAPI 3.1 document.
func Page(document []byte) ([]byte, error) {
	var d description
	if err := json.Unmarshal(document, &d); err != nil {
		return nil, fmt.Errorf("the document cannot be read: %w", err)
	}
	var out bytes.Buffer
	err := layout.Execute(&out, d.content())
	return out.Bytes(), err
}

// description is what is read of an OpenAPI document.
type description struct {
	Info struct{ Title, Description string }
	Tags []struct{ Name, Description string }

	Paths, Webhooks map[string]map[string]operation
	Components      struct {
		Responses       map[string]response
		Schemas         map[string]schema
		SecuritySchemes map[string]struct{ Description string }
	}
}

type operation struct {
	OperationID, Summary, Description string

	Tags        []string
	Parameters  []parameter
	RequestBody body
	Responses   map[string]response
	Security    []map[string][]string
	Roles       []string `json:"x-roles"`
}

type parameter struct {
	Name, In, Description string

	Required bool
	Schema   schema
}

type body struct {
	Description string
	Required    bool
	Content     map[string]media
}

type media struct {
	Schema  schema
	Example json.RawMessage
}

type response struct {
	Ref         string `json:"$ref"`
	Description string
	Content     map[string]media
}

type schema struct {
	Ref                               string `json:"$ref"`
	Type                              kinds
	Description, Format               string
	Properties                        map[string]schema
	Required                          []string
	Items                             *schema
	AdditionalProperties              json.RawMessage
	AnyOf                             []schema
	Enum                              []json.RawMessage
	Default                           json.RawMessage
	Minimum, Maximum                  *json.Number
	MaxLength, MinLength              *int
	MaxItems, MinItems, MaxProperties *int
	ReadOnly, WriteOnly               bool
}

// kinds is one type, or several.
type kinds []string

// UnmarshalJSON implements json.Unmarshaler.
func (k *kinds) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		return json.Unmarshal(text, (*[]string)(k))
	}
	*k = kinds{""}
	return json.Unmarshal(text, &(*k)[0])
}

// The content of the page.
type (
	content struct {
		Title, Description, Access string

		Style    template.CSS
		Groups   []group
		Problems []sent // by their statuses
		Objects  []object
	}
	group struct {
		Name, Description string

		Operations []shown
	}
	shown struct {
		ID, Method, Path, Summary, Description, Scope, Roles string

		Parameters []field
		Body       *sent
		Answers    []answer
		Problems   []string // their statuses
	}
	// sent is a body that is sent, or answered with a status.
	sent struct {
		Status, Description, Media string

		Type    kind
		Example json.RawMessage
	}
	// answer is what a status means. Its body comes in one media type, or in the one asked for.
	answer struct {
		Status, Description string

		Bodies []sent
	}
	object struct {
		Name, Description string

		Fields []field
	}
	field struct {
		Name, Description, In string

		Type     kind
		Required bool
		Limits   []string
	}
	// kind is a type, and the object that it is, or consists of: "list of" and "Order".
	kind struct{ Words, Object string }
)

func (d description) content() content {
	c := content{Title: d.Info.Title, Description: d.Info.Description, Style: template.CSS(style)} //nolint:gosec // a constant of the program
	for _, name := range slices.Sorted(maps.Keys(d.Components.SecuritySchemes)) {
		c.Access = d.Components.SecuritySchemes[name].Description
	}
	problems := d.resolve()
	for _, status := range slices.Sorted(maps.Keys(problems)) {
		r := problems[status]
		c.Problems = append(c.Problems, sentAs(status, r.Description, r.Content)...)
	}
	for _, tag := range d.Tags {
		g := group{Name: tag.Name, Description: tag.Description}
		for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
			g.add(tag.Name, path, d.Paths[path])
		}
		c.Groups = append(c.Groups, g)
	}
	if len(d.Webhooks) > 0 {
		g := group{Name: "Webhooks", Description: "What a shop sends to its account's address by Keypool's own scheme."}
		for _, name := range slices.Sorted(maps.Keys(d.Webhooks)) {
			g.add("", name, d.Webhooks[name])
		}
		c.Groups = append(c.Groups, g)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Components.Schemas)) {
		s := d.Components.Schemas[name]
		c.Objects = append(c.Objects, object{Name: name, Description: s.Description, Fields: s.fields()})
	}
	return c
}

// resolve gives the operations the responses that they refer to, which are the problems, and
// returns those by their statuses.
func (d description) resolve() map[string]response {
	problems := map[string]response{}
	for _, methods := range d.Paths {
		for _, o := range methods {
			for status, r := range o.Responses {
				if name, refers := strings.CutPrefix(r.Ref, "#/components/responses/"); refers {
					problems[status] = d.Components.Responses[name]
					o.Responses[status] = problems[status]
				}
			}
		}
	}
	return problems
}

// problemMedia is the media type of every error (RFC 9457).
const problemMedia = "application/problem+json"

var methods = []string{"get", "post", "put", "patch", "delete"}

// add adds the operations of a path that have the tag; all of them for no tag.
func (g *group) add(tag, path string, all map[string]operation) {
	for _, method := range methods {
		o, ok := all[method]
		if !ok || tag != "" && !slices.Contains(o.Tags, tag) {
			continue
		}
		s := shown{ID: o.OperationID, Method: strings.ToUpper(method), Path: path, Summary: o.Summary, Description: o.Description}
		for _, scheme := range o.Security {
			for _, scopes := range scheme {
				s.Scope = strings.Join(scopes, ", ")
			}
		}
		s.Roles = strings.Join(o.Roles, ", ")
		for _, p := range o.Parameters {
			f := p.Schema.field(p.Name, p.Required)
			f.In, f.Description = p.In, cmp.Or(p.Description, f.Description)
			s.Parameters = append(s.Parameters, f)
		}
		if bodies := sentAs("", o.RequestBody.Description, o.RequestBody.Content); len(bodies) > 0 {
			s.Body = &bodies[0]
		}
		for _, status := range slices.Sorted(maps.Keys(o.Responses)) {
			r := o.Responses[status]
			a := answer{status, r.Description, sentAs(status, r.Description, r.Content)}
			if len(a.Bodies) > 0 && a.Bodies[0].Media == problemMedia {
				s.Problems = append(s.Problems, status)
				continue
			}
			if len(a.Bodies) > 0 {
				a.Description = a.Bodies[0].Description
			}
			s.Answers = append(s.Answers, a)
		}
		g.Operations = append(g.Operations, s)
	}
}

func sentAs(status, says string, all map[string]media) (bodies []sent) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		m := all[name]
		bodies = append(bodies, sent{Status: status, Description: strings.TrimSuffix(says, "."), Media: name, Type: m.Schema.kind(), Example: m.Example})
	}
	return bodies
}

func (s schema) fields() (all []field) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		all = append(all, s.Properties[name].field(name, slices.Contains(s.Required, name)))
	}
	return all
}

func (s schema) field(name string, required bool) field {
	f := field{Name: name, Description: s.Description, Type: s.kind(), Required: required}
	limit := func(says string, n *int) {
		if n != nil {
			f.Limits = append(f.Limits, fmt.Sprintf(says, *n))
		}
	}
	if s.ReadOnly {
		f.Limits = append(f.Limits, "read only")
	}
	if s.WriteOnly {
		f.Limits = append(f.Limits, "never shown")
	}
	if len(s.Enum) > 0 {
		var values []string
		for _, v := range s.Enum {
			values = append(values, string(v))
		}
		f.Limits = append(f.Limits, "one of "+strings.Join(values, ", "))
	}
	if s.Minimum != nil {
		f.Limits = append(f.Limits, "at least "+s.Minimum.String())
	}
	if s.Maximum != nil {
		f.Limits = append(f.Limits, "at most "+s.Maximum.String())
	}
	limit("at least %d characters", s.MinLength)
	limit("at most %d characters", s.MaxLength)
	limit("at least %d entries", s.MinItems)
	limit("at most %d entries", s.MaxItems)
	limit("at most %d members", s.MaxProperties)
	if len(s.Default) > 0 {
		f.Limits = append(f.Limits, string(s.Default)+" where left out")
	}
	return f
}

func (s schema) kind() kind {
	switch {
	case s.Ref != "":
		return kind{Object: s.Ref[strings.LastIndex(s.Ref, "/")+1:]}
	case s.Items != nil:
		of := s.Items.kind()
		return kind{strings.TrimSpace("list of " + of.Words), of.Object}
	case len(s.AnyOf) > 0:
		return s.AnyOf[0].kind()
	case len(s.Type) == 0:
		return kind{Words: "anything"}
	}
	var of schema
	if s.Type[0] == "object" && json.Unmarshal(s.AdditionalProperties, &of) == nil {
		inner := of.kind()
		return kind{strings.TrimSpace("object of " + inner.Words), inner.Object}
	}
	if s.Format == "date-time" {
		return kind{Words: "time"}
	}
	return kind{Words: strings.Join(s.Type, " or ")}
}

// pretty returns an example as people read it.
func pretty(example json.RawMessage) (string, error) {
	var out bytes.Buffer
	err := json.Indent(&out, example, "", "  ")
	return out.String(), err
}

// words returns the paragraphs of a description.
func words(text string) []string {
	return slices.DeleteFunc(strings.Split(text, "\n\n"), func(p string) bool { return strings.TrimSpace(p) == "" })
}
