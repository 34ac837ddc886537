package main

import (
	"context"
	_ "embed"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/idempotency"
	"keypool/shared/intake"
	"keypool/shared/inventory"
	"keypool/shared/lifecycle"
	"keypool/shared/orderpage"
	"keypool/shared/review"
	"keypool/shared/search"
	"keypool/shared/settings"
	"keypool/shared/web/rest"
)

// api holds the use cases that the operations call.
type api struct {
	calls    *idempotency.Guard
	gate     *access.Gate
	tokens   *settings.Tokens
	people   *settings.People
	pools    *settings.Pools
	products *settings.Products
	codes    *settings.Codes
	texts    *settings.Texts
	previews *settings.Previews
	senders  *settings.Senders
	accounts *settings.Accounts
	trials   *settings.Trials

	testOrders *settings.TestOrders
	uploads    *settings.Uploads
	keys       *settings.Keys
	finder     *inventory.Finder
	blocker    *inventory.Blocker
	jobs       *inventory.Jobs
	exports    *inventory.Exports
	orders     orders
	numbers    *search.Numbers
	search     *search.Finder
	refusals   refusals
	changes    changes
	eraser     *lifecycle.Eraser
	retention  *settings.Retentions
	orderPages *settings.OrderPages
	merchants  *settings.Merchants
	pages      *orderpage.Pages
	publicURL  string
	byHand     *intake.ByHand
	review     *settings.Reviews
	trail      *settings.Trail
	notices    *settings.Notices
	desk       *review.Desk
}

// described is the OpenAPI document, which make documents writes.
//
//go:embed openapi.json
var described []byte

// reference is the same for people, which make documents writes too.
//
//go:embed reference.html
var reference []byte

// serve returns the API.
func (a *api) serve() *rest.API {
	served := rest.New(rest.Config{
		Title:       "Keypool",
		Description: "License keys for paid orders: a merchant's pools, products, accounts with payment platforms, uploads and orders. Each operation needs a token with the scope that stands in its security requirement.",
		Tags: []*huma.Tag{
			{Name: "Pools", Description: "Named stores of keys. Each has a live and a test side that never mix."},
			{Name: "Products", Description: "What is sold, and which pool feeds it."},
			{Name: "Texts", Description: "The words of mails: their tags, and how a mail looks."},
			{Name: "Sender", Description: "The address at the merchant's own domain that customers' mails come from."},
			{Name: "Accounts", Description: "A merchant's accounts with payment platforms, which report paid orders."},
			{Name: "Uploads", Description: "Key files and what became of each line."},
			{Name: "Keys", Description: "What became of a key."},
			{Name: "Jobs", Description: "Long work on keys: how far it has come."},
			{Name: "Orders", Description: "What was paid for and what was delivered."},
			{Name: "Review", Description: "Orders that somebody looks at first: rules, what they hold, and the brake."},
			{Name: "Shop", Description: "The shop as a whole: its name, languages and addresses."},
			{Name: "Catalog", Description: "All settings as one document, to be kept in a file."},
			{Name: "Audit", Description: "Who changed which setting, and acted on which order."},
			{Name: "People", Description: "Who works here, and in which role. roles.md beside this function's code has the table of what each role may do."},
			{Name: "Tokens", Description: "Who may call this API, and for what. The operator makes tokens."},
		},
		Document:  "/openapi.json",
		Described: described,
		Reference: reference,
		Free:      []string{"product", "order"}, // platforms choose them
		Forms:     map[reflect.Type]reflect.Type{reflect.TypeFor[AccountSettings](): reflect.TypeFor[accountSettings]()},

		Authenticate: a.authenticate,
		Caller:       "merchant",
		Scheme: &huma.SecurityScheme{
			Type: "http", Scheme: "bearer",
			Description: "The merchant's API token. It names the merchant: no path or body does. " + access.Explained() + " One that is unknown, revoked or expired is answered by 401, the same for each; a valid one without the scope by 403, which names the scope. A token may make 600 calls a minute, and all tokens of a merchant together 100,000 a day, by UTC, or as many as the operator says. Each answer tells by RateLimit and RateLimit-Policy what is left (token, r=599, t=1: 599 calls at this moment, all of them again in 1 second; day, r=99999: as many until the day ends, in t seconds). A call too many is 429, with Retry-After. " + strings.Join(access.Unlimited, ", ") + " are answered although the day has no calls left.",
		},
		Refused: http.StatusUnauthorized,
		Scoped:  true,

		Idempotency: a.calls,

		Operations: map[string]func(*rest.API){
			"pools":     a.addPools,
			"products":  a.addProducts,
			"codes":     a.addCodes,
			"preview":   a.addPreview,
			"tags":      a.addTags,
			"texts":     a.addTexts,
			"sender":    a.addSender,
			"accounts":  a.addAccounts,
			"platforms": a.addPlatforms,
			"uploads":   a.addUploads,
			"keys":      a.addKeys,
			"jobs":      a.addJobs,
			"orders":    a.addOrders,
			"refusals":  a.addRefusals,
			"review":    a.addReview,
			"brake":     a.addBrake,
			"held":      a.addHeld,
			"catalog":   a.addCatalog,
			"audit":     a.addAudit,
			"tokens":    a.addTokens,
			"people":    a.addPeople,

			"customers":   a.addCustomers,
			"retention":   a.addRetention,
			"order-page":  a.addOrderPage,
			"shop":        a.addShop,
			"notices":     a.addNotices,
			"test-orders": a.addTestOrders,
			"test-data":   a.addTestData,
		},
		Webhooks: webhooks,
	})
	return served
}

// caller returns the name of the merchant who calls.
func caller(ctx context.Context) string { return access.From(ctx).Merchant }

// authenticate adds the principal whose token the header carries to the context.
func (a *api) authenticate(ctx context.Context, authorization string) (context.Context, error) {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, rest.ErrUnauthorized
	}
	principal, ok, err := a.gate.Principal(ctx, strings.TrimSpace(token))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, rest.ErrUnauthorized
	}
	return access.With(ctx, principal), nil
}

// or returns a value that a body may leave out.
func or[T any](given *T, otherwise T) T {
	if given == nil {
		return otherwise
	}
	return *given
}
