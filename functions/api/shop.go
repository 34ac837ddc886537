package main

import (
	"cmp"
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/settings"
	"keypool/shared/web/bodies"
	"keypool/shared/web/rest"
)

// Shop is what the merchant sets of itself, and what the operator has set.
type Shop struct {
	bodies.ShopSettings

	Uploads *UploadLimits `json:"uploads,omitempty" readOnly:"true" doc:"What your key files may bring in a day, by UTC. The operator sets it."`
	Calls   int           `json:"calls_per_day,omitempty" readOnly:"true" doc:"How many calls of the API your tokens may make together in a day, by UTC. The operator sets it."`
	Mails   int           `json:"mails_per_day,omitempty" readOnly:"true" doc:"How many notices you get by mail in a day, by UTC. The operator sets it."`
}

// UploadLimits are those of a day.
type UploadLimits struct {
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
	Keys  int   `json:"keys" doc:"A file's are reckoned from its first 64 KiB."`
}

var sampleShop = newShop(bodies.SampleShop.Merchant("acme"))

func newShop(m catalog.Merchant) Shop {
	limits := UploadLimits(m.Uploads.OrDefault())
	return Shop{bodies.NewShop(m), &limits, cmp.Or(m.Calls, catalog.DefaultCalls), cmp.Or(m.Mails, catalog.DefaultMails)}
}

type putShop struct {
	rest.Precondition
	Body Shop
}

// Resolve reports mistakes of meaning together with huma's own, of form.
func (in *putShop) Resolve(huma.Context) []error {
	return rest.Mistakes(settings.CheckShop(in.Body.Merchant("")), rest.InPath{})
}

func (a *api) addShop(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "get-shop", Method: http.MethodGet, Path: "/v1/shop", Tags: []string{"Shop"},
		Summary:     "Read the settings of the shop as a whole",
		Description: "Its name, languages and addresses, and the limits that the operator has set.",
		Responses:   to.Responses(sampleShop, 200),
	}, a.getShop)
	rest.Register(to, huma.Operation{
		OperationID: "put-shop", Method: http.MethodPut, Path: "/v1/shop", Tags: []string{"Shop"},
		Summary:     "Change the settings of the shop as a whole",
		Description: "What the body leaves out is emptied; limits in it are ignored. All functions know the change within 30 seconds. A new default pool lets the lines go on that waited for one. Another notice address is told by mail, to the new and to the former one; what else customers read in their mails, such as another name or reply address, to the notice address.",
		Errors:      []int{412, 428},
		RequestBody: rest.Request(bodies.SampleShop), Responses: to.Responses(sampleShop, 200),
	}, a.putShop)
}

func (a *api) getShop(ctx context.Context, _ *struct{}) (*rest.Versioned[Shop], error) {
	m, err := a.merchants.Get(ctx, caller(ctx))
	return rest.Found(m.Version, newShop(m)), err
}

func (a *api) putShop(ctx context.Context, in *putShop) (*rest.Versioned[Shop], error) {
	m, err := a.merchants.PutOwn(ctx, in.Body.Merchant(caller(ctx)), access.From(ctx), in.Condition())
	return rest.Found(m.Version, newShop(m)), err
}
