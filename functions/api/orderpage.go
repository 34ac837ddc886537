package main

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/web/rest"
)

// OrderPage is whether customers have a page that shows their order.
type OrderPage struct {
	Default string `json:"default" enum:"on,off" doc:"For lines of products that leave order_page out, and whose original does."`
}

var sampleOrderPage = OrderPage{string(catalog.OrderPageOn)}

type putOrderPage struct {
	rest.Precondition
	Body OrderPage
}

// settings returns the settings that a request describes.
func (in *putOrderPage) settings(merchant string) catalog.OrderPages {
	return catalog.OrderPages{Merchant: merchant, Default: catalog.OrderPage(in.Body.Default)}
}

func newOrderPage(o catalog.OrderPages) OrderPage { return OrderPage{string(o.Default)} }

func (a *api) addOrderPage(to *rest.API) {
	const notYet = "There is no such page yet: the setting takes effect with it. "
	rest.Register(to, huma.Operation{
		OperationID: "get-order-page", Method: http.MethodGet, Path: "/v1/order-page", Tags: []string{"Products"},
		Summary:     "Read whether customers have a page that shows their order",
		Description: notYet + "It is off until it is set. get-product says what it comes to for a product (has_order_page).",
		Responses:   to.Responses(sampleOrderPage, 200),
	}, a.getOrderPage)
	rest.Register(to, huma.Operation{
		OperationID: "put-order-page", Method: http.MethodPut, Path: "/v1/order-page", Tags: []string{"Products"},
		Summary:     "Set whether customers have a page that shows their order",
		Description: notYet + "A product says otherwise by its order_page.",
		Errors:      []int{412, 428},
		RequestBody: rest.Request(sampleOrderPage), Responses: to.Responses(sampleOrderPage, 200),
	}, a.putOrderPage)
}

func (a *api) getOrderPage(ctx context.Context, _ *struct{}) (*rest.Versioned[OrderPage], error) {
	o, err := a.orderPages.Get(ctx, caller(ctx))
	return rest.Found(o.Version, newOrderPage(o)), err
}

func (a *api) putOrderPage(ctx context.Context, in *putOrderPage) (*rest.Versioned[OrderPage], error) {
	o, err := a.orderPages.Put(ctx, in.settings(caller(ctx)), access.From(ctx), in.Condition())
	return rest.Found(o.Version, newOrderPage(o)), err
}
