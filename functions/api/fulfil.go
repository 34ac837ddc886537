package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/claim"
	"keypool/shared/intake"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/platform"
	"keypool/shared/settings"
	"keypool/shared/web/rest"
)

// Fulfil is an order that a person fulfils by hand.
type Fulfil struct {
	Reason   string          `json:"reason" minLength:"1" maxLength:"200" doc:"Why, for the history of the lines." example:"a key for the press"`
	Test     bool            `json:"test,omitempty" doc:"It takes test keys; keys for sale where left out."`
	Customer FulfilsCustomer `json:"customer"`
	Language string          `json:"language,omitempty" maxLength:"35" doc:"Of the mail, BCP 47, such as de."`
	Currency string          `json:"currency,omitempty" maxLength:"5" doc:"ISO 4217, for products whose pool it decides."`
	Lines    []FulfilsLine   `json:"lines" minItems:"1" maxItems:"100" nullable:"false"`
	Keys     int             `json:"keys,omitempty" minimum:"1" doc:"How many keys the lines get together. Needed where it is more than max_keys of the rules of review (100 where none are set), so that a slip of the finger in a quantity sends nothing."`
}

// FulfilsCustomer is who gets the keys.
type FulfilsCustomer struct {
	Name    string `json:"name,omitempty" maxLength:"500"`
	Email   string `json:"email" maxLength:"320" doc:"Where the keys are mailed." example:"ada@example.com"`
	Company string `json:"company,omitempty" maxLength:"500"`
}

// FulfilsLine is one product of the order.
type FulfilsLine struct {
	Line     string `json:"line,omitempty" maxLength:"128" doc:"Names the line within the order; its product where left out."`
	Product  string `json:"product" maxLength:"128"`
	Quantity int    `json:"quantity" minimum:"1" maximum:"10000"`
}

var (
	sampleFulfil = Fulfil{
		Reason: "a key for the press", Customer: FulfilsCustomer{Name: "Ada Example", Email: "ada@example.com"}, Language: "de",
		Lines: []FulfilsLine{{Product: "4711", Quantity: 1}},
	}
	sampleFulfilled = func() Order {
		o := sampleOrders.Items[0]
		o.Order, o.Account = "press-17", "by-hand"
		was := o.Lines[0]
		o.Lines = []Line{{
			ID: was.ID, Line: was.Product, Version: 1, Product: was.Product, Pool: was.Pool, State: string(order.Fulfilled),
			Quantity: 1, Wanted: 1, Allocated: 1, Language: was.Language, ReceivedAt: was.ReceivedAt,
			Delivery: &Delivery{State: string(outbox.Due), About: string(outbox.Keys), Number: 1},
		}}
		o.Timeline = []Entry{
			{At: was.ReceivedAt, Line: was.Product, What: string(order.KeysTaken), By: "api", Keys: 1, Pool: was.Pool},
			{At: was.ReceivedAt, Line: was.Product, What: string(order.ByHand), By: `the token "support"`, Code: "a key for the press"},
			{Line: was.Product, What: string(order.MailTried), Ahead: true},
		}
		return o
	}()
)

// An order is named in the path or in the query, as those that exist are: see OrderPath.
type fulfilByPath struct {
	Order string `path:"order" maxLength:"128" doc:"The order's number, which you choose. A number with . or .. between slashes, or that ends as another address does (/cancel), is named in the query instead." example:"press-17"`
	Body  Fulfil
}

type fulfilByQuery struct {
	Order string `query:"order" required:"true" minLength:"1" maxLength:"128" doc:"The order's number, which you choose, whatever characters it has." example:"press-17"`
	Body  Fulfil
}

// Resolve reports a number that cannot be one, where it stands.
func (in *fulfilByPath) Resolve(huma.Context) []error { return checkNumber(in.Order, "path.order") }

// Resolve reports a number that cannot be one, where it stands.
func (in *fulfilByQuery) Resolve(huma.Context) []error { return checkNumber(in.Order, "query.order") }

func checkNumber(number, location string) []error {
	if mistake := platform.CheckID(number); mistake != "" {
		return []error{&huma.ErrorDetail{Message: mistake, Location: location}}
	}
	return nil
}

func (a *api) addFulfil(to *rest.API) {
	const description = "For an order that no platform knows: a key for the press, an order that was paid by bank transfer. " +
		"Its account is by-hand. It is as any other order: it waits in line where keys are missing, is mailed, found, held, returned and replaced. " +
		"Rules of review do not hold it; max_keys asks for keys, and the brake holds it as it holds every order. " +
		"The same call again changes nothing, so a call whose answer was lost is safe to repeat. 409 if the number is that of another order, also of one of an account. " +
		"422 if no pool feeds a product, or keys is missing or wrong: then nothing is stored."
	operation := func(id, path, summary string) huma.Operation {
		return huma.Operation{
			OperationID: id, Method: http.MethodPost, Path: path, Tags: []string{"Orders"},
			Summary: summary, Description: description,
			Errors: []int{409}, RequestBody: rest.Request(sampleFulfil), Responses: to.Responses(sampleFulfilled, 200),
		}
	}
	rest.Register(to, operation("fulfil-order", "/v1/orders/{order}/fulfil", "Fulfil an order by hand"),
		func(ctx context.Context, in *fulfilByPath) (*rest.Body[Order], error) {
			return a.fulfil(ctx, in.Order, in.Body)
		})
	rest.Register(to, operation("fulfil-order-by-query", "/v1/orders/fulfil", "Fulfil an order by hand (order in the query)"),
		func(ctx context.Context, in *fulfilByQuery) (*rest.Body[Order], error) {
			return a.fulfil(ctx, in.Order, in.Body)
		})
}

func (a *api) fulfil(ctx context.Context, number string, in Fulfil) (*rest.Body[Order], error) {
	act := actOf(ctx, strings.TrimSpace(in.Reason))
	if act.Why == "" {
		return nil, mistake("reason", "is blank: say why, for the history of the order")
	}
	wish := intake.Wish{
		Merchant: caller(ctx), By: act.By, Why: act.Why, Keys: in.Keys,
		Order: platform.Paid{
			Order: number, Test: in.Test, Language: in.Language, Currency: in.Currency,
			Customer: order.Customer{Name: in.Customer.Name, Email: in.Customer.Email, Company: in.Customer.Company},
		},
	}
	for _, line := range in.Lines {
		wish.Order.Lines = append(wish.Order.Lines, platform.Line{ID: line.Line, Product: line.Product, Quantity: line.Quantity})
	}
	lines, err := a.byHand.Fulfil(ctx, wish)
	if err != nil {
		return nil, fulfilError(err)
	}
	read, _, err := a.readWhole(ctx, lines[0].ID.OrderHalf())
	if err != nil {
		return nil, err
	}
	read.lines = lines
	body, err := a.order(ctx, read)
	return &rest.Body[Order]{Body: body}, err
}

// fulfilError returns the error of an order that cannot be fulfilled with the fields of the
// request that are at fault.
func fulfilError(err error) error {
	var field *platform.FieldError
	var unconnected *claim.UnconnectedError
	var keys *claim.KeysError
	switch {
	case errors.As(err, &field):
		return mistake(field.Field, field.Problem)
	case errors.As(err, &unconnected):
		wrong := &settings.InvalidError{}
		for _, i := range unconnected.Lines {
			wrong.Problems = append(wrong.Problems, settings.Problem{
				Path:    fmt.Sprintf("lines[%d].product", i),
				Message: "no pool feeds this product, and it has no code that may be given: set it up first (put-product, put-code), or name one that is",
			})
		}
		return wrong
	case errors.As(err, &keys):
		return mistake("keys", fmt.Sprintf("the lines take %d keys together, and more than %d go out only if you confirm it: send keys: %d if you mean so many", keys.Keys, keys.Cap, keys.Keys))
	}
	return err
}

func mistake(path, message string) error {
	return &settings.InvalidError{Problems: []settings.Problem{{Path: path, Message: message}}}
}
