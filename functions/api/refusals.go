package main

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/order"
	"keypool/shared/web/rest"
)

// Refusal is a webhook that was signed, or an order that catch-up found, and that Keypool could
// not take.
type Refusal struct {
	Order   string    `json:"order,omitempty" doc:"As the platform names it; left out where it could not be read."`
	Account string    `json:"account" doc:"The account with a payment platform that reported it."`
	Field   string    `json:"field,omitempty" doc:"The field at fault; left out where it is the body as a whole."`
	Problem string    `json:"problem" doc:"What is wrong with it."`
	At      time.Time `json:"at" doc:"When it was refused first. A repeat that is refused for the same reason is not listed again."`
}

// RefusalList is one page of the merchant's refusals.
type RefusalList struct {
	Items []Refusal `json:"items" nullable:"false"`
	Next  string    `json:"next,omitempty" doc:"Where the next page starts: give it as after. Not there on the last page."`
}

var sampleRefusals = RefusalList{Items: []Refusal{{
	Order: "A-1002", Account: "shop-eu", Field: "data.lines[0].quantity", Problem: "is less than 1",
	At: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC),
}}}

// refusals lists refusals.
type refusals interface {
	// Refusals returns up to limit refusals, newest first, and where to go on.
	Refusals(ctx context.Context, merchant, before string, limit int) (refusals []order.Refusal, next string, err error)
}

func (a *api) addRefusals(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "list-refusals", Method: http.MethodGet, Path: "/v1/refusals", Tags: []string{"Orders"},
		Summary:     "List the orders that were refused, the newest first",
		Description: "Webhooks that were signed by one of the merchant's accounts and that could not be taken, so that no key was sent; what catch-up found in the platform's API and could not read, once each; and orders that were paid before their account delivers (delivers_from), which are on hold until release-order, and told once a day; and orders that were returned and are paid again, which get no keys until somebody fulfils them by hand; and orders without a mail address, which are on hold until their platform tells one; and payments that are no order, such as an invoice of Stripe's by hand. They are kept for 90 days, without their content. The merchant is told of each by mail: of the first of an hour at once, of the others when the hour ends.",
		Responses:   to.Responses(sampleRefusals, 200),
	}, a.listRefusals)
}

func (a *api) listRefusals(ctx context.Context, in *rest.Page) (*rest.Body[RefusalList], error) {
	refused, next, err := a.refusals.Refusals(ctx, caller(ctx), in.After, in.Limit)
	out := RefusalList{Items: []Refusal{}, Next: next}
	for _, r := range refused {
		out.Items = append(out.Items, Refusal{Order: r.Order, Account: r.Account, Field: r.Field, Problem: r.Problem, At: r.At})
	}
	return &rest.Body[RefusalList]{Body: out}, err
}
