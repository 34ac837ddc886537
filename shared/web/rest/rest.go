// Package rest builds a JSON API: its operations, their OpenAPI document, and the
// status of every error. The functions api and operator are each one such API.
//
// It stands apart from package web because it brings huma, the library that
// describes and checks the operations. A function that answers no such API does
// not carry it.
package rest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"keypool/shared/access"
	"keypool/shared/idempotency"
	"keypool/shared/problem"
	"keypool/shared/web"
)

// Config describes an API.
type Config struct {
	Title       string
	Description string
	Tags        []*huma.Tag
	Document    string   // path of the OpenAPI document
	Described   []byte   // the document, as Describe returned it before the program was built
	Reference   []byte   // the same as a page for people, at /v1; nil: there is none
	Free        []string // wildcards whose values may hold any byte, see web.Router

	// Authenticate returns the context of the caller with that Authorization header.
	// Its error is usually ErrUnauthorized or ErrForbidden.
	Authenticate func(ctx context.Context, authorization string) (context.Context, error)
	Caller       string               // who may call: the name of the security scheme
	Scheme       *huma.SecurityScheme // documents how callers authenticate
	Refused      int                  // status for other callers: 401 or 403

	// Scoped says that callers have tokens with scopes: an operation is only for those
	// with the scope that package access has in its table, and answers others by 403.
	Scoped bool

	// Operations adds the operations, by the first name of their path below /v1.
	// Those of a name are added by the first request for it: describing all of them
	// takes as long as the rest of a cold start, and most processes serve one or two.
	Operations map[string]func(*API)

	// Idempotency lets calls be made once that are not idempotent by themselves.
	Idempotency *idempotency.Guard

	// Forms are the types that describe others, which know nothing of schemas.
	Forms map[reflect.Type]reflect.Type

	// Webhooks describes the requests that others send by themselves, by their name. It
	// is called for the document only. May be nil.
	Webhooks func() map[string]*huma.PathItem
}

// API serves the operations of a Config. It is safe for concurrent use.
type API struct {
	config Config
	router web.Router
	huma   huma.API

	adding sync.RWMutex // held to add operations, shared to serve them
	added  map[string]bool
}

// The names of members are case-sensitive. By huma's default "SECRET" passes for
// "secret" in the check, and in the decoding the last of both wins.
func init() { huma.ValidateStrictCasing = true }

// New returns an API.
func New(config Config) *API {
	a := &API{config: config, router: web.Router{Free: config.Free}, added: map[string]bool{}}
	a.huma = humago.New(&a.router, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: config.Title, Version: "1", Description: config.Description},
			Servers: []*huma.Server{{URL: "/"}},
			Components: &huma.Components{
				SecuritySchemes: map[string]*huma.SecurityScheme{config.Caller: config.Scheme},
			},
			Tags: config.Tags,
		},
		Formats:       formats,
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{tidy},

		RejectUnknownQueryParameters: true,
	})
	for of, form := range config.Forms {
		a.huma.OpenAPI().Components.Schemas.RegisterTypeAlias(of, form)
	}
	a.huma.UseMiddleware(a.authenticate, readQuery, a.once)
	a.router.HandleFunc(http.MethodGet+" "+config.Document, newDocument(config.Described, "application/json").ServeHTTP)
	if config.Reference != nil {
		a.router.HandleFunc(http.MethodGet+" /v1", newDocument(config.Reference, "text/html; charset=utf-8").ServeHTTP)
	}
	return a
}

// HandleFunc adds an address beside the operations, such as a page for people: see
// web.Router. It must not be called while requests are served.
func (a *API) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	a.router.HandleFunc(pattern, handler)
}

// ServeHTTP answers a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if below, ok := strings.CutPrefix(r.URL.Path, "/v1/"); ok {
		name, _, _ := strings.Cut(below, "/")
		a.add(name)
	}
	a.adding.RLock()
	defer a.adding.RUnlock()
	a.router.ServeHTTP(w, r)
}

// add adds the operations of a name, once.
func (a *API) add(name string) {
	operations, ok := a.config.Operations[name]
	a.adding.RLock()
	ok = ok && !a.added[name]
	a.adding.RUnlock()
	if !ok {
		return
	}
	a.adding.Lock()
	defer a.adding.Unlock()
	if !a.added[name] {
		operations(a)
		a.added[name] = true
	}
}

func (a *API) authenticate(ctx huma.Context, next func(huma.Context)) {
	operation := ctx.Operation().OperationID
	caller, err := a.config.Authenticate(ctx.Context(), ctx.Header("Authorization"))
	var p access.Principal
	if err == nil {
		r, _ := humago.Unwrap(ctx)
		p = access.From(caller)
		p.From = web.CallerAddress(r)
		caller = access.With(caller, p)
	}
	if err == nil && a.config.Scoped {
		sayQuota(ctx, p.Quota)
		if err = p.Quota.Allows(operation); err == nil {
			err = p.May(operation)
		}
	}
	if err != nil {
		refuse(ctx, err)
		return
	}
	next(huma.WithContext(ctx, caller))
}

// readQuery refuses a call whose query holds a value that is empty, or two of one name: a
// script made it of a variable that was empty, and all orders would be listed in place of
// those of one customer, or the settings changed in place of a dry run. A flag may stand alone,
// and the first page of a list has an empty after.
func readQuery(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	values, err := url.ParseQuery(r.URL.RawQuery)
	alone := strings.Split(r.URL.RawQuery, "&")
	var places []problem.Place
	if err != nil { // what cannot be read is left out of the values
		places = append(places, problem.Place{Message: "cannot be read: write % and ; in a value as %25 and %3B", Location: "query"})
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch given := values[name]; {
		case len(given) > 1:
			places = append(places, problem.Place{Message: "is there twice: give it once", Location: "query." + name})
		case strings.TrimSpace(given[0]) == "" && name != "after" && !(isFlag(ctx.Operation(), name) && slices.Contains(alone, name)):
			places = append(places, problem.Place{Message: "is empty: give a value, or leave it out", Location: "query." + name})
		}
	}
	if len(places) > 0 {
		problem.New(http.StatusUnprocessableEntity, invalid, places...).Write(w, r)
		return
	}
	next(ctx)
}

func isFlag(op *huma.Operation, name string) bool {
	return slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.Name == name && p.Schema.Type == huma.TypeBoolean })
}

// sayQuota tells a caller what the token may still call in a minute, and all tokens of its
// merchant in a day: RateLimit and RateLimit-Policy (IETF draft httpapi-ratelimit-headers).
func sayQuota(ctx huma.Context, q access.Quota) {
	var policies, left []string
	if q.Rate > 0 {
		policies = append(policies, fmt.Sprintf(`"token";q=%d;w=60`, q.Rate))
		left = append(left, fmt.Sprintf(`"token";r=%d;t=%d`, q.Left, seconds(q.Full)))
	}
	if q.Day.Limit > 0 {
		policies = append(policies, fmt.Sprintf(`"day";q=%d;w=86400`, q.Day.Limit))
		left = append(left, fmt.Sprintf(`"day";r=%d;t=%d`, q.Day.Left, seconds(q.Day.Ends)))
	}
	if len(policies) > 0 {
		ctx.SetHeader("RateLimit-Policy", strings.Join(policies, ", "))
		ctx.SetHeader("RateLimit", strings.Join(left, ", "))
	}
}

// seconds returns a time in whole seconds, rounded up.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// refuse answers a call by the problem of an error, before its operation is reached.
func refuse(ctx huma.Context, err error) {
	r, w := humago.Unwrap(ctx)
	refusal, headers := problemOf(ctx.Context(), ctx.Operation().OperationID, err)
	for name := range headers {
		w.Header().Set(name, headers.Get(name))
	}
	refusal.Write(w, r)
}

// Register adds an operation. Its errors become problems by the package's table.
//
// It is compiled once for each operation: what does not depend on the types of the
// operation stands in functions of its own.
func Register[I, O any](a *API, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	a.describe(&op)
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		var out *O
		err := a.begin(ctx)
		if err == nil {
			out, err = handle(ctx, in)
		}
		if err != nil {
			return nil, asAnswer(ctx, op.OperationID, err)
		}
		return out, nil
	})
	shareHeaders(op)
}

// describe adds to an operation what all operations have: who may call it, and how it fails.
func (a *API) describe(op *huma.Operation) {
	scopes := []string{}
	op.Errors = append(op.Errors, a.config.Refused, http.StatusServiceUnavailable)
	if a.config.Scoped {
		scopes = append(scopes, string(access.Needs[op.OperationID]))
		op.Errors = append(op.Errors, http.StatusForbidden, http.StatusTooManyRequests)
		op.Extensions = map[string]any{"x-roles": access.RoleNames(access.RolesFor(op.OperationID))}
	}
	op.Security = []map[string][]string{{a.config.Caller: scopes}}
	if idempotency.Posts[op.OperationID].Keyed() {
		op.Parameters = append(op.Parameters, keyParameter)
		op.Errors = append(op.Errors, http.StatusConflict, http.StatusUnprocessableEntity)
	}
	if op.RequestBody != nil {
		op.Errors = append(op.Errors, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
}

// asAnswer returns the error of an operation as huma answers it.
func asAnswer(ctx context.Context, operation string, err error) error {
	if errors.Is(err, errMade) {
		return err
	}
	refusal, headers := problemOf(ctx, operation, err)
	return huma.ErrorWithHeaders(model(refusal), headers)
}

// shareHeaders describes the headers of a registered operation's successful statuses: huma
// describes them for one, and the others have them too.
func shareHeaders(op huma.Operation) {
	plain := op.Responses[strconv.Itoa(op.DefaultStatus)]
	if plain == nil {
		return
	}
	for status, response := range op.Responses {
		if status[0] == '2' && response.Headers == nil {
			response.Headers = plain.Headers
		}
	}
}

// AlsoAs describes that a registered operation answers documents of another media type too,
// of the same schema as JSON. If it reads its body by itself, it takes them too, and example
// describes that body; nil: it has none.
func (a *API) AlsoAs(media string, op huma.Operation, example any) {
	if example != nil {
		op.RequestBody.Content = map[string]*huma.MediaType{"application/json": {Schema: a.schema(example), Example: example}, media: {Schema: a.schema(example), Example: example}}
	}
	for status, response := range op.Responses {
		if status[0] == '2' {
			as := response.Content["application/json"]
			response.Content[media] = &huma.MediaType{Schema: as.Schema, Example: as.Example}
		}
	}
}

func (a *API) schema(example any) *huma.Schema {
	return a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(example), true, "")
}

// Request describes an operation's request body by an example.
func Request(example any) *huma.RequestBody {
	return &huma.RequestBody{Content: map[string]*huma.MediaType{"application/json": {Example: example}}}
}

// Responses describes an operation's successful responses by an example.
func (a *API) Responses(example any, statuses ...int) map[string]*huma.Response {
	responses := map[string]*huma.Response{}
	for _, status := range statuses {
		responses[strconv.Itoa(status)] = &huma.Response{
			Description: descriptions[status],
			Content: map[string]*huma.MediaType{"application/json": {
				Schema:  a.schema(example),
				Example: example,
			}},
		}
	}
	return responses
}

var descriptions = map[int]string{
	http.StatusOK:       "As it stands now.",
	http.StatusCreated:  "Created, as it stands now.",
	http.StatusAccepted: "Taken, as it stands now.",
}

// Body is a response with a JSON body.
type Body[T any] struct{ Body T }

// Page is the part of a list that a request asks for.
type Page struct {
	Limit int    `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many to answer at most."`
	After string `query:"after" maxLength:"200" doc:"Answer those after this one: next, as the page before gave it."`
}
