package main

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/web/bodies"
	"keypool/shared/web/rest"
)

type putOrderPage struct {
	rest.Precondition
	Body OrderPage
}

func (a *api) addOrderPage(to *rest.API) {
	const page = "A customer who has the page's link, which is in the mails of the order, sees its keys there, or that they are to come, and has its mail sent again. "
	rest.Register(to, huma.Operation{
		OperationID: "get-order-page", Method: http.MethodGet, Path: "/v1/order-page", Tags: []string{"Products"},
		Summary:     "Read whether customers have a page that shows their order",
		Description: page + "It is off until it is set. get-product says what it comes to for a product (has_order_page).",
		Responses:   to.Responses(bodies.SampleOrderPage, 200),
	}, a.getOrderPage)
	rest.Register(to, huma.Operation{
		OperationID: "put-order-page", Method: http.MethodPut, Path: "/v1/order-page", Tags: []string{"Products"},
		Summary:     "Set whether customers have a page that shows their order",
		Description: page + "A product says otherwise by its order_page. Where default is on, customers who have lost their mail have it sent again, to the address of the order, at /o/lost/ and your name below the public address.",
		Errors:      []int{412, 428},
		RequestBody: rest.Request(bodies.SampleOrderPage), Responses: to.Responses(bodies.SampleOrderPage, 200),
	}, a.putOrderPage)
}

func (a *api) getOrderPage(ctx context.Context, _ *struct{}) (*rest.Versioned[OrderPage], error) {
	o, err := a.orderPages.Get(ctx, caller(ctx))
	return rest.Found(o.Version, bodies.NewOrderPage(o)), err
}

func (a *api) putOrderPage(ctx context.Context, in *putOrderPage) (*rest.Versioned[OrderPage], error) {
	o, err := a.orderPages.Put(ctx, in.Body.Settings(caller(ctx)), access.From(ctx), in.Condition())
	return rest.Found(o.Version, bodies.NewOrderPage(o)), err
}
