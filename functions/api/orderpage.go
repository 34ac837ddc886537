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
	Default    string `json:"default" enum:"on,off" doc:"For lines of products that leave order_page out, and whose original does."`
	Days       int    `json:"days,omitempty" minimum:"1" maximum:"3650" default:"365" doc:"How many days a link is good, from its order on, or from when it replaced another."`
	QueuePlace bool   `json:"queue_place,omitempty" doc:"A customer whose keys are not there yet sees their place in the queue."`
}

var sampleOrderPage = OrderPage{Default: string(catalog.OrderPageOn), Days: catalog.DefaultPageDays}

type putOrderPage struct {
	rest.Precondition
	Body OrderPage
}

// settings returns the settings that a request describes.
func (in *putOrderPage) settings(merchant string) catalog.OrderPages {
	return in.Body.settings(merchant)
}

func (o OrderPage) settings(merchant string) catalog.OrderPages {
	return catalog.OrderPages{Merchant: merchant, Default: catalog.OrderPage(o.Default), Days: o.Days, QueuePlace: o.QueuePlace}
}

func newOrderPage(o catalog.OrderPages) OrderPage {
	return OrderPage{string(o.Default), o.Days, o.QueuePlace}
}

func (a *api) addOrderPage(to *rest.API) {
	const page = "A customer who has the page's link, which is in the mails of the order, sees its keys there, or that they are to come, and has its mail sent again. "
	rest.Register(to, huma.Operation{
		OperationID: "get-order-page", Method: http.MethodGet, Path: "/v1/order-page", Tags: []string{"Products"},
		Summary:     "Read whether customers have a page that shows their order",
		Description: page + "It is off until it is set. get-product says what it comes to for a product (has_order_page).",
		Responses:   to.Responses(sampleOrderPage, 200),
	}, a.getOrderPage)
	rest.Register(to, huma.Operation{
		OperationID: "put-order-page", Method: http.MethodPut, Path: "/v1/order-page", Tags: []string{"Products"},
		Summary:     "Set whether customers have a page that shows their order",
		Description: page + "A product says otherwise by its order_page. Where default is on, customers who have lost their mail have it sent again, to the address of the order, at /o/lost/ and your name below the public address.",
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
