package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"path"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"keypool/shared/dynamo"
)

// api is what the operations share.
type api struct {
	store    *dynamo.Store
	secrets  sealer
	fill     queue // of order.FillRequest
	ranges   queue // of upload.Message
	keyFiles keyFiles
	reports  reports
	now      func() time.Time

	huma huma.API
	mux  *http.ServeMux

	// building is held by who adds operations, and shared by who uses them.
	building sync.RWMutex
	built    map[string]bool
}

type sealer interface {
	Seal(ctx context.Context, merchant, account string, secret []byte) ([]byte, error)
}

type queue interface {
	Send(ctx context.Context, message any, delay time.Duration) error
}

// keyFiles and reports sign addresses by which a caller reaches the buckets.
type keyFiles interface {
	PresignUpload(ctx context.Context, name string, expires time.Duration) (string, error)
}

type reports interface {
	PresignReport(ctx context.Context, name string, expires time.Duration) (string, error)
}

// Who may call an operation. The document says it, and authenticate enforces
// what the document says.
const (
	operatorScheme = "operator"
	merchantScheme = "merchant"
)

var (
	byOperator = []map[string][]string{{operatorScheme: {}}}
	byMerchant = []map[string][]string{{merchantScheme: {}}}
)

// parts are the operations by the first name in their path. Each part is built
// when it is first asked for: describing all of them takes as long as the rest of
// a cold start's own work, and most processes serve one or two.
var parts = map[string]func(*api){
	"merchants": (*api).merchants,
	"pools":     (*api).pools,
	"products":  (*api).products,
	"accounts":  (*api).accounts,
	"uploads":   (*api).uploads,
	"orders":    (*api).orders,
}

// build adds the operations of a part, once.
func (a *api) build(part string) {
	add, ok := parts[part]
	a.building.RLock()
	ok = ok && !a.built[part]
	a.building.RUnlock()
	if !ok {
		return
	}
	a.building.Lock()
	defer a.building.Unlock()
	if !a.built[part] {
		add(a)
		a.built[part] = true
	}
}

// serve returns the API.
func (a *api) serve() http.Handler {
	a.mux, a.built = http.NewServeMux(), map[string]bool{}
	a.huma = humago.New(a.mux, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:       "Keypool",
				Version:     "1",
				Description: "License keys for paid orders: a merchant's pools, products, accounts with payment platforms, uploads and orders.",
			},
			Servers: []*huma.Server{{URL: "/"}},
			Components: &huma.Components{
				SecuritySchemes: map[string]*huma.SecurityScheme{
					merchantScheme: {
						Type: "http", Scheme: "bearer",
						Description: "The merchant's API token. It names the merchant: no path or body does.",
					},
					operatorScheme: {
						Type: "apiKey", In: "header", Name: "Authorization",
						Description: "The deployment's operator: requests signed with AWS Signature Version 4 for execute-api.",
						Extensions:  map[string]any{"x-amazon-apigateway-authtype": "awsSigv4"},
					},
				},
			},
			Tags: []*huma.Tag{
				{Name: "Merchants", Description: "Who sells here; for the operator."},
				{Name: "Pools", Description: "Named stores of keys. Each has a live and a test side that never mix."},
				{Name: "Products", Description: "What is sold, and which pool feeds it."},
				{Name: "Accounts", Description: "A merchant's accounts with payment platforms, which report paid orders."},
				{Name: "Uploads", Description: "Key files and what became of each line."},
				{Name: "Orders", Description: "What was paid for and what was delivered."},
			},
		},
		Formats:       huma.DefaultFormats,
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{tidy},

		RejectUnknownQueryParameters: true,
	})
	a.huma.UseMiddleware(a.authenticate)
	a.mux.HandleFunc("GET /openapi.json", a.document)
	return http.HandlerFunc(a.route)
}

// route answers a request by its operation.
func (a *api) route(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if below, ok := strings.CutPrefix(r.URL.Path, "/v1/"); ok {
		part, _, _ := strings.Cut(below, "/")
		a.build(part)
	}
	if r.URL.Path == "/openapi.json" {
		for part := range parts {
			a.build(part)
		}
	}
	a.building.RLock()
	defer a.building.RUnlock()
	// The mux would redirect a path that is not clean; no client of ours asks for one.
	clean := r.URL.EscapedPath() == path.Clean(r.URL.EscapedPath())
	if _, pattern := a.mux.Handler(r); pattern == "" || !clean {
		a.unrouted(w, r)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// document serves what the operations say of themselves.
func (a *api) document(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(a.huma.OpenAPI())
}

// unrouted answers for what is no operation, as the mux would, but as a problem.
func (a *api) unrouted(w http.ResponseWriter, r *http.Request) {
	plain := &recorder{header: http.Header{}}
	a.mux.ServeHTTP(plain, r)
	if plain.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", plain.header.Get("Allow"))
		writeProblem(w, plain.status, "This cannot be done here; the Allow header says what can.")
		return
	}
	writeProblem(w, http.StatusNotFound, "There is no such address.")
}

// merchantKey holds the name of the merchant whose token a request carries.
type merchantKey struct{}

// caller returns the name of the merchant who calls.
func caller(ctx context.Context) string { return ctx.Value(merchantKey{}).(string) }

// authenticate lets through who the operation is for. An operation that says
// nothing is for nobody.
func (a *api) authenticate(ctx huma.Context, next func(huma.Context)) {
	refuse := func(status int, detail string) {
		huma.WriteErr(a.huma, ctx, status, detail)
	}
	for _, scheme := range ctx.Operation().Security {
		if _, ok := scheme[operatorScheme]; ok {
			if ctx.Context().Value(operatorKey{}) == nil {
				refuse(http.StatusForbidden, "This is for the operator, by a request signed with AWS Signature Version 4.")
				return
			}
			next(ctx)
			return
		}
		if _, ok := scheme[merchantScheme]; ok {
			merchant, ok, err := a.merchantOf(ctx.Context(), ctx.Header("Authorization"))
			if err != nil {
				p, headers := problem(ctx.Context(), ctx.Operation().OperationID, err)
				for name := range headers {
					ctx.SetHeader(name, headers.Get(name))
				}
				refuse(p.Status, p.Detail)
				return
			}
			if !ok {
				ctx.SetHeader("WWW-Authenticate", "Bearer")
				refuse(http.StatusUnauthorized, "An API token is needed that is valid: Authorization: Bearer kp_…")
				return
			}
			next(huma.WithValue(ctx, merchantKey{}, merchant))
			return
		}
	}
	refuse(http.StatusForbidden, "This is for nobody.")
}

// merchantOf returns whose token the header carries. The table knows tokens by
// their hash, so looking one up compares no secret byte by byte.
func (a *api) merchantOf(ctx context.Context, authorization string) (string, bool, error) {
	scheme, token, _ := strings.Cut(authorization, " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || !strings.HasPrefix(token, tokenPrefix) {
		return "", false, nil
	}
	return a.store.TokenMerchant(ctx, hashToken(token))
}

func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// register adds an operation. In what it documents and how its errors are
// answered all operations are alike.
func register[I, O any](a *api, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	op.Errors = append(op.Errors, http.StatusServiceUnavailable)
	if op.RequestBody != nil {
		op.Errors = append(op.Errors, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			p, headers := problem(ctx, op.OperationID, err)
			return nil, huma.ErrorWithHeaders(p, headers)
		}
		return out, nil
	})
	// huma describes the answer of one status; the others are like it.
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

// body describes a request's body, with an example of it.
func body(example any) *huma.RequestBody {
	return &huma.RequestBody{Content: map[string]*huma.MediaType{"application/json": {Example: example}}}
}

// answers describes what an operation answers when all went well.
func (a *api) answers(example any, statuses ...int) map[string]*huma.Response {
	responses := map[string]*huma.Response{}
	for _, status := range statuses {
		responses[strconv.Itoa(status)] = &huma.Response{
			Description: descriptions[status],
			Content: map[string]*huma.MediaType{"application/json": {
				Schema:  a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(example), true, ""),
				Example: example,
			}},
		}
	}
	return responses
}

var descriptions = map[int]string{
	http.StatusOK:      "As it stands now.",
	http.StatusCreated: "Created, as it stands now.",
}

// page says which part of a list to answer.
type page struct {
	Limit int    `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many to answer at most."`
	After string `query:"after" maxLength:"200" doc:"Answer those after this one: next, as the page before gave it."`
}
