// Package access says who may do what: the principal that a request comes from, the
// scopes of API tokens, the roles of people, and the scope and the roles that each operation
// of the merchants' API needs.
//
// A token has the scopes that it was made with, and no other right follows from one; or it
// stands for a person, and has the role that the person has at that moment.
// It is stored as a hash, and looked up for every request: tokens are not cached, so that
// one that is revoked or expired is refused from that moment on.
package access

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
)

// Scope is a right of an API token.
type Scope string

// The scopes.
const (
	Upload      Scope = "upload"
	OrdersRead  Scope = "orders:read"
	OrdersWrite Scope = "orders:write"
	KeysRead    Scope = "keys:read"
	Settings    Scope = "settings"
	Secrets     Scope = "secrets"
	People      Scope = "people"
)

// Scopes lists every scope.
var Scopes = []Scope{Upload, OrdersRead, OrdersWrite, KeysRead, Settings, Secrets, People}

// Names returns the names of scopes.
func Names(scopes []Scope) []string {
	names := make([]string, len(scopes))
	for i, scope := range scopes {
		names[i] = string(scope)
	}
	return names
}

// means says what each scope lets its token do.
var means = map[Scope]string{
	Upload:      "bring keys, and key files",
	OrdersRead:  "read orders, with their customers, and refusals",
	OrdersWrite: "fulfil orders by hand, cancel, return, hold, release and reject orders, replace keys and links of order pages, set the brake, erase customers, place test orders",
	KeysRead:    "find out what became of a key, export keys, and show those of an order, also by the link of its page",
	Settings:    "read and change pools, products, texts, review, retention, sender; read accounts and uploads; try webhooks; answer for held files; withdraw, move and block keys; wipe test data; read and cancel jobs",
	Secrets:     "set up accounts and give them signing secrets, list and revoke tokens",
	People:      "say who works here, and in which role",
}

// Meaning says what the scope lets its token do, as documents and mails tell it.
func (s Scope) Meaning() string { return means[s] }

// Explained says what each scope is for, as documents tell it.
func Explained() string {
	var all []string
	for _, scope := range Scopes {
		all = append(all, fmt.Sprintf("%s: %s.", scope, means[scope]))
	}
	return "A token may do what its scopes say, and nothing else: " + strings.Join(all, " ")
}

// Needs is the table of the scope that each operation of the merchants' API needs, by
// the operation's ID. An operation that does not stand here is refused to everybody.
var Needs = map[string]Scope{
	"create-upload": Upload,
	"add-keys":      Upload,

	"get-order":     OrdersRead,
	"list-orders":   OrdersRead,
	"list-refusals": OrdersRead,
	"list-held":     OrdersRead,
	"get-brake":     OrdersRead,

	"cancel-order":          OrdersWrite,
	"cancel-order-by-query": OrdersWrite,

	"fulfil-order":           OrdersWrite,
	"fulfil-order-by-query":  OrdersWrite,
	"return-order":           OrdersWrite,
	"return-order-by-query":  OrdersWrite,
	"hold-order":             OrdersWrite,
	"hold-order-by-query":    OrdersWrite,
	"release-order":          OrdersWrite,
	"release-order-by-query": OrdersWrite,
	"resend-order":           OrdersWrite,
	"resend-order-by-query":  OrdersWrite,
	"reject-order":           OrdersWrite,
	"reject-order-by-query":  OrdersWrite,
	"release-held":           OrdersWrite,
	"reject-held":            OrdersWrite,
	"set-brake":              OrdersWrite,
	"release-brake":          OrdersWrite,
	"replace-key":            OrdersWrite,

	"replace-order-link":          OrdersWrite,
	"replace-order-link-by-query": OrdersWrite,
	"revoke-order-link":           OrdersWrite,
	"revoke-order-link-by-query":  OrdersWrite,

	"place-test-order":     OrdersWrite,
	"erase-customer":       OrdersWrite,
	"erase-order":          OrdersWrite,
	"erase-order-by-query": OrdersWrite,
	"replace-key-by-query": OrdersWrite,

	"get-order-link":           KeysRead, // who has it sees the keys
	"get-order-link-by-query":  KeysRead,
	"show-order-keys":          KeysRead,
	"show-order-keys-by-query": KeysRead,

	"find-keys":     KeysRead,
	"export-keys":   KeysRead,
	"link-job-file": KeysRead,

	"list-pools":      Settings,
	"get-pool":        Settings,
	"put-pool":        Settings,
	"delete-pool":     Settings,
	"list-products":   Settings,
	"get-product":     Settings,
	"put-product":     Settings,
	"delete-product":  Settings,
	"get-code":        Settings,
	"put-code":        Settings,
	"delete-code":     Settings,
	"get-texts":       Settings,
	"put-texts":       Settings,
	"list-tags":       Settings,
	"preview-mail":    Settings,
	"send-sample":     Settings,
	"list-audit":      Settings,
	"get-catalog":     Settings,
	"put-catalog":     Settings, // of accounts, what put-account needs besides
	"get-sender":      Settings,
	"put-sender":      Settings,
	"delete-sender":   Settings,
	"get-retention":   Settings,
	"put-retention":   Settings,
	"list-notices":    Settings,
	"get-shop":        Settings,
	"put-shop":        Settings,
	"get-order-page":  Settings,
	"put-order-page":  Settings,
	"get-review":      Settings,
	"put-review":      Settings,
	"get-account":     Settings,
	"list-platforms":  Settings,
	"dry-run":         Settings,
	"list-uploads":    Settings,
	"get-upload":      Settings,
	"load-upload":     Settings,
	"withdraw-upload": Settings,
	"block-keys":      Settings,
	"move-keys":       Settings,
	"wipe-test-data":  Settings, // whoever sets a shop up tries it, and watches the job
	"list-jobs":       Settings,
	"get-job":         Settings,
	"cancel-job":      Settings,
	"list-readings":   Settings,
	"forget-readings": Settings,

	"put-account":  Secrets,
	"list-tokens":  Secrets,
	"revoke-token": Secrets,

	"list-people":   People,
	"get-person":    People,
	"put-person":    People,
	"delete-person": People,
}

// Principal is who a request comes from. The zero Principal may do nothing.
type Principal struct {
	ID       string  // of the token; no secret
	Merchant string  // whose things it works on
	Name     string  // as a mail to the merchant says it
	Scopes   []Scope // of its token
	Role     Role    // of the person that its token stands for; "": it stands for none
	Quota    Quota   // of its token
	From     string  // network address that the request came from
}

// Operator is whoever runs the deployment.
func Operator() Principal { return Principal{ID: "operator", Name: "the operator"} }

// May returns a *DeniedError if the principal's token lacks the scope that the operation
// needs, or its person the role.
func (p Principal) May(operation string) error {
	needed, ok := Needs[operation]
	if p.Role != "" {
		if !p.Role.May(operation) {
			return &DeniedError{Needs: needed, Role: p.Role}
		}
		return nil
	}
	if !ok || !slices.Contains(p.Scopes, needed) {
		return &DeniedError{Needs: needed}
	}
	return nil
}

// DeniedError means that a token is valid, and lacks a scope, or its person a role.
type DeniedError struct {
	Needs Scope // empty: the operation stands in no table, so that no scope helps
	Role  Role  // of the person; "": the token has scopes
}

func (e *DeniedError) Error() string {
	if e.Role != "" {
		return fmt.Sprintf("the role %q is not enough", e.Role)
	}
	return fmt.Sprintf("the token lacks the scope %q", e.Needs)
}

type principalKey struct{}

// request is what a context knows of its request.
type request struct {
	principal Principal
	acts      *atomic.Uint32
}

// With returns a context of a request that comes from the principal.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, request{p, new(atomic.Uint32)})
}

// From returns the principal that the context's request comes from, the zero Principal
// if nobody was authenticated.
func From(ctx context.Context) Principal {
	r, _ := ctx.Value(principalKey{}).(request)
	return r.principal
}

// Requested reports whether the context is one of a request.
func Requested(ctx context.Context) bool {
	_, ok := ctx.Value(principalKey{}).(request)
	return ok
}

// Act counts the acts of the context's request, so that they can be told in their order: 0
// for the first, and for all outside a request.
func Act(ctx context.Context) int {
	r, ok := ctx.Value(principalKey{}).(request)
	if !ok {
		return 0
	}
	return int(r.acts.Add(1)) - 1
}
