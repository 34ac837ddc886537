package main

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/access"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/settings"
	"keypool/shared/web/rest"
)

// TestOrder is what is bought to try what a customer gets.
type TestOrder struct {
	Product  string `json:"product" minLength:"1" maxLength:"128" doc:"The product's id."`
	Quantity int    `json:"quantity,omitempty" minimum:"1" maximum:"1000" default:"1"`
	Currency string `json:"currency,omitempty" minLength:"3" maxLength:"3" doc:"ISO 4217 code: it may choose the pool."`
	Language string `json:"language,omitempty" maxLength:"35" doc:"BCP 47 tag of the customer's language: it chooses the text."`
	Email    string `json:"email,omitempty" maxLength:"254" doc:"Who gets the mail; the merchant's own notice address where left out."`
	Account  string `json:"account,omitempty" maxLength:"63" doc:"An account of Keypool's own scheme that reports the order; where left out, the account test-orders, which the first test order makes."`
}

// TestOrdered is a test order, and how its webhook was answered.
type TestOrdered struct {
	Account string         `json:"account"`
	Order   string         `json:"order" doc:"Its number: GET /v1/orders/{order}?test=true shows what becomes of it."`
	Status  int            `json:"status" doc:"Status that the webhook was answered with; 200 if it was taken."`
	Lines   []TestLine     `json:"lines,omitempty" doc:"Its lines, if it was taken."`
	Problem map[string]any `json:"problem,omitempty" doc:"What the webhook was answered instead."`
}

// TestLine is how a line of a test order stands.
type TestLine struct {
	Line      string      `json:"line"`
	Product   string      `json:"product"`
	State     order.State `json:"state" doc:"As of any line: see get-order."`
	Wanted    int         `json:"wanted" doc:"Keys that it is to get."`
	Allocated int         `json:"allocated" doc:"Keys that it has."`
}

var (
	sampleTestOrder   = TestOrder{Product: "4711", Quantity: 2, Currency: "EUR", Language: "de"}
	sampleTestOrdered = TestOrdered{
		Account: settings.TestAccount, Order: "test-5f0c1f8a2b7d4e63", Status: http.StatusOK,
		Lines: []TestLine{{Line: "1", Product: "4711", State: order.Fulfilled, Wanted: 2, Allocated: 2}},
	}
)

func (a *api) addTestOrders(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "place-test-order", Method: http.MethodPost, Path: "/v1/test-orders", Tags: []string{"Orders"},
		Summary:     "Buy a product as a customer would, as a test",
		Description: "A signed webhook reports the order at the address that shops send theirs to, and all that follows is what follows of a shop's order: keys, mail, notices. It is a test: it takes keys of the test side alone, and its mail says so. Each call is an order of its own, but for repeats with its Idempotency-Key.",
		Errors:      []int{404},
		RequestBody: rest.Request(sampleTestOrder), Responses: to.Responses(sampleTestOrdered, 200),
	}, a.placeTestOrder)
}

type placeTestOrder struct{ Body TestOrder }

func (a *api) placeTestOrder(ctx context.Context, in *placeTestOrder) (*rest.Body[TestOrdered], error) {
	placed, err := a.testOrders.Place(ctx, settings.TestOrder{
		Merchant: caller(ctx), Account: in.Body.Account, Product: in.Body.Product, Quantity: max(in.Body.Quantity, 1),
		Currency: in.Body.Currency, Language: in.Body.Language, Email: in.Body.Email, By: access.From(ctx),
	})
	if err != nil {
		return nil, err
	}
	body := TestOrdered{Account: placed.Account, Order: placed.Order, Status: placed.Answer.Status}
	var reply platform.Reply
	if placed.Taken() && json.Unmarshal(placed.Answer.Body, &reply) == nil {
		for _, line := range reply.Lines {
			body.Lines = append(body.Lines, TestLine(line))
		}
	} else if json.Unmarshal(placed.Answer.Body, &body.Problem) != nil {
		body.Problem = nil // no JSON: it came from before the function
	}
	return &rest.Body[TestOrdered]{Body: body}, nil
}
