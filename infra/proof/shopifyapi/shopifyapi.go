// Package shopifyapi answers queries of Shopify's Admin API from objects of the caller's. It
// stands in for Shopify in tests and on the one machine.
//
// A query is held against the documented part of the API's schema, admin.graphql, which is of
// our own writing. It is answered with the members that it names, page by page, and costs what
// shopify.dev says that it costs.
package shopifyapi

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// Version is the version of the API whose schema is known.
const Version = "2026-07"

// Object is an object of the API. A member that is a list of objects is of type []Object.
type Object map[string]any

// With returns the object with other members.
func (o Object) With(members Object) Object {
	o = maps.Clone(o)
	maps.Copy(o, members)
	return o
}

// GID returns the id of an object by its number: gid://shopify/Order/5501234567890.
func GID(kind, number string) string { return "gid://shopify/" + kind + "/" + number }

// Find returns the object of an id, nil if there is none.
func Find(all []Object, id string) any {
	i := slices.IndexFunc(all, func(o Object) bool { return o["id"] == id })
	if i < 0 {
		return nil
	}
	return all[i]
}

//go:embed admin.graphql
var documented string

// Load reads the schema, which takes longer than a call may. It need not be called.
var Load = sync.OnceValue(func() *ast.Schema {
	return gqlparser.MustLoadSchema(&ast.Source{Name: "admin.graphql", Input: documented})
})

// Query is a query, or a mutation, that is as the schema says.
type Query struct {
	op        *ast.OperationDefinition
	variables map[string]any
}

// Parse reads the body of a call.
func Parse(body []byte) (*Query, error) {
	var asked struct {
		Query     string
		Variables map[string]any
	}
	if err := json.Unmarshal(body, &asked); err != nil {
		return nil, err
	}
	document, errs := gqlparser.LoadQueryWithRules(Load(), asked.Query, rules.NewDefaultRules())
	if errs != nil {
		return nil, fmt.Errorf("the query is not as documented: %w", errs)
	}
	q := &Query{op: document.Operations[0]}
	var err error
	if q.variables, err = validator.VariableValues(Load(), q.op, asked.Variables); err != nil {
		return nil, fmt.Errorf("the variables are not as documented: %w", err)
	}
	return q, nil
}

// Name returns the first member that is asked for, such as orders.
func (q *Query) Name() string { return q.op.SelectionSet[0].(*ast.Field).Name }

// MostCost is the cost above which a query is refused, in points.
const MostCost = 1000

// Cost returns what the query costs at most, by shopify.dev's rules: an object 1, a list as
// many of them as are asked for.
func (q *Query) Cost() int { return q.cost(q.op.SelectionSet) }

func (q *Query) cost(set ast.SelectionSet) int {
	total := 0
	for _, f := range flat(set) {
		if len(f.SelectionSet) == 0 {
			continue
		}
		if isConnection(f) {
			for _, part := range flat(f.SelectionSet) {
				if part.Name == "nodes" {
					total += q.first(f) * (1 + q.cost(part.SelectionSet))
				} else {
					total++
				}
			}
			continue
		}
		total += max(q.first(f), 1) * (1 + q.cost(f.SelectionSet))
	}
	return total
}

// Answer is what a query found.
type Answer struct {
	Data   Object
	Errors []Object // one for each member that was denied
	Nodes  int      // objects in it: what the query cost
}

// Arguments returns an argument of a member that is asked for, nil if it is not given.
type Arguments func(name string) any

// Answer answers the query. Root returns the members of the query itself; those of denied may
// not be read.
func (q *Query) Answer(root func(member string, of Arguments) any, denied ...string) (Answer, error) {
	found := Object{}
	for _, f := range flat(q.op.SelectionSet) {
		found[f.Name] = root(f.Name, func(name string) any { return q.argument(f, name) })
	}
	a := answering{Query: q, denied: denied}
	data := a.object(q.op.SelectionSet, found)
	return Answer{Data: data, Errors: a.errors, Nodes: a.nodes}, a.err
}

// answering is a query that is being answered.
type answering struct {
	*Query
	denied []string
	errors []Object
	nodes  int
	err    error
}

func (a *answering) object(set ast.SelectionSet, of Object) Object {
	a.nodes++
	found := Object{}
	for _, f := range flat(set) {
		value := of[f.Name]
		if slices.Contains(a.denied, f.Name) {
			a.errors = append(a.errors, Object{"message": "Access denied for " + f.Name + " field.", "path": []string{f.Name}, "extensions": Object{"code": "ACCESS_DENIED"}})
			value = nil
		}
		switch value := value.(type) {
		case Object:
			found[f.Alias] = a.object(f.SelectionSet, value)
		case []Object:
			if isConnection(f) {
				found[f.Alias] = a.object(f.SelectionSet, a.page(f, value))
				continue
			}
			if n := a.first(f); n > 0 {
				value = value[:min(n, len(value))]
			}
			list := []Object{}
			for _, one := range value {
				list = append(list, a.object(f.SelectionSet, one))
			}
			found[f.Alias] = list
		default:
			found[f.Alias] = value
		}
	}
	return found
}

// mostOfPage is the largest page of a list.
const mostOfPage = 250

// page returns a page of a list. A cursor is the place after which it goes on.
func (a *answering) page(f *ast.Field, all []Object) Object {
	after, _ := a.argument(f, "after").(string)
	begin, _ := strconv.Atoi(after)
	n := a.first(f)
	if n < 1 || n > mostOfPage {
		a.err = fmt.Errorf("%d of %s are asked for", n, f.Name)
	}
	begin = min(begin, len(all))
	end := min(begin+max(n, 0), len(all))
	return Object{
		"nodes":    all[begin:end],
		"pageInfo": Object{"hasNextPage": end < len(all), "hasPreviousPage": begin > 0, "startCursor": after, "endCursor": strconv.Itoa(end)},
	}
}

func (q *Query) argument(f *ast.Field, name string) any {
	argument := f.Arguments.ForName(name)
	if argument == nil {
		return nil
	}
	value, err := argument.Value.Value(q.variables)
	if err != nil {
		return nil // as Parse has seen, all variables are there
	}
	return value
}

func (q *Query) first(f *ast.Field) int {
	n, _ := strconv.Atoi(fmt.Sprint(q.argument(f, "first")))
	return n
}

func isConnection(f *ast.Field) bool {
	return strings.HasSuffix(f.Definition.Type.Name(), "Connection")
}

// flat returns the members that a selection names, those of its fragments too.
func flat(set ast.SelectionSet) []*ast.Field {
	var fields []*ast.Field
	for _, selection := range set {
		switch selection := selection.(type) {
		case *ast.Field:
			fields = append(fields, selection)
		case *ast.FragmentSpread:
			fields = append(fields, flat(selection.Definition.SelectionSet)...)
		case *ast.InlineFragment:
			fields = append(fields, flat(selection.SelectionSet)...)
		}
	}
	return fields
}
