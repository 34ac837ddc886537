package noventiq

import (
	"context"
	"strings"
	"time"

	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/platform/payload"
)

// The events. Any other is told to the merchant.
const (
	typePaid     = "order.payment.succeeded"
	typeReturned = "product.returned"
)

// ignored are the events that nothing is done for.
var ignored = map[string]bool{"order.created": true, "order.payment.failed": true, "product.delivered": true}

// recorded are the events that only stand in the history of their line.
var recorded = map[string]bool{
	"subscription.cancelled": true, "subscription.restored": true,
	"subscription.renewal_offer_order_accepted": true, "subscription.renewal_offer_order_cancelled": true,
}

// Decode implements platform.Adapter. A body holds one event of one product.
func (Adapter) Decode(_ context.Context, r platform.Request, a platform.Account) ([]platform.Event, error) {
	body, err := payload.Parse(r.Body)
	if err != nil {
		return nil, &platform.FieldError{Problem: strings.TrimPrefix(err.Error(), "the body ") + ", as Noventiq documents it"}
	}
	event, err := decode(webhook{Value: body, account: a})
	if err != nil {
		return nil, err
	}
	return []platform.Event{event}, nil
}

// webhook is a body that was read, and the account that it came to.
type webhook struct {
	payload.Value
	account platform.Account
}

func decode(w webhook) (platform.Event, error) {
	kind := w.text("/event")
	switch {
	case kind == "":
		return nil, &platform.FieldError{Field: "event", Problem: "is missing: it says what happened, such as " + typePaid}
	case kind != typePaid && kind != typeReturned && !recorded[kind]:
		return platform.Ignored{Type: kind, Unknown: !ignored[kind]}, nil
	}
	orderID, wrong := w.id("/order_id")
	if wrong != nil {
		return nil, wrong
	}
	product, wrong := w.id("/product/id")
	if wrong != nil {
		wrong.Order = orderID
		return nil, wrong
	}
	if recorded[kind] {
		return platform.Recorded{Order: orderID, Test: w.account.Test, Line: product, Type: kind, At: w.time("/event_date")}, nil
	}
	refuse := func(field, problem string) (platform.Event, error) {
		return nil, &platform.FieldError{Field: field, Problem: problem, Order: orderID}
	}
	quantity, ok := w.Find("/product/quantity").Quantity()
	switch {
	case !ok:
		return refuse("product.quantity", "is missing, or not a whole number")
	case quantity < 1:
		return refuse("product.quantity", "is less than 1")
	}
	if kind == typeReturned {
		if w.text("/event_date") == "" {
			return refuse("event_date", "is missing, or no text: Noventiq names no refund, and by the moment of the event two returns of a line are told apart")
		}
		return w.returned(orderID, product, quantity), nil
	}
	if status := w.text("/status"); status != "" && status != "paid" {
		return refuse("status", "is not paid, though the event says so: a full refund came first, or the webhook was changed")
	}
	settings, err := parseSettings(w.account.Settings)
	if err != nil {
		return nil, err
	}
	return w.paid(orderID, product, quantity, settings), nil
}

// paid returns the line that was paid.
func (w webhook) paid(orderID, product string, quantity int, settings Settings) platform.Paid {
	paid := platform.Paid{
		Order: orderID, Test: w.account.Test, Currency: w.text("/currency"), Language: w.language(), PaidAt: w.time("/pay_date"), Parent: w.parent(orderID),
		Customer: order.Customer{
			FirstName: w.text("/customer/first_name"), LastName: w.text("/customer/last_name"), Email: w.text("/customer/email"),
			Phone: w.text("/customer/phone"), Company: w.text("/customer/company_name"), Country: w.text("/customer/country"),
			Address: w.text("/customer/company_delivery_address"),
		},
		Lines: []platform.Line{{
			ID: product, Product: product, Original: w.original(settings), Title: w.text("/product/name"), Quantity: quantity, UnitPrice: w.text("/product/price"),
		}},
	}
	paid.IgnoredFields = w.unreadable(paid.PaidAt)
	return paid
}

// shown are the members that are only shown.
var shown = []payload.Pointer{
	"/customer/first_name", "/customer/last_name", "/customer/phone", "/customer/company_name", "/customer/country",
	"/customer/company_delivery_address", "/product/name", "/product/price", "/locale",
}

// unreadable returns the fields that are only shown and could not be read.
func (w webhook) unreadable(paidAt time.Time) []string {
	var fields []string
	for _, at := range shown {
		if _, ok := textOf(w.Find(at)); !ok {
			fields = append(fields, fieldOf(at))
		}
	}
	if text, ok := textOf(w.Find("/pay_date")); !ok || text != "" && paidAt.IsZero() {
		fields = append(fields, "pay_date")
	}
	return fields
}

// returned returns the line's units that were given back. Noventiq names no refund, so
// that the moment of the event tells two returns of a line apart: two of one second are one.
func (w webhook) returned(orderID, product string, quantity int) platform.Returned {
	return platform.Returned{
		Order: orderID, Test: w.account.Test, ID: product + "@" + w.text("/event_date"), At: w.time("/event_date"),
		Lines: []platform.ReturnedLine{{ID: product, Quantity: quantity}},
	}
}

// id returns a member that identifies something: a text, or a number by its digits.
func (w webhook) id(at payload.Pointer) (string, *platform.FieldError) {
	value := w.Find(at)
	id, ok := value.ID()
	if !ok && !value.Missing() {
		return "", &platform.FieldError{Field: fieldOf(at), Problem: "is neither a text in quotes nor a number of digits only"}
	}
	if wrong := platform.CheckID(id); wrong != "" {
		return "", &platform.FieldError{Field: fieldOf(at), Problem: wrong}
	}
	return id, nil
}

// text returns a member as a text, "" where it is none.
func (w webhook) text(at payload.Pointer) string {
	text, ok := textOf(w.Find(at))
	if !ok {
		return ""
	}
	return text
}

// time returns a member that is a time, such as 2021-08-13T09:16:35+03:00; zero where it
// is none.
func (w webhook) time(at payload.Pointer) time.Time {
	t, _ := payload.ParseTime(w.text(at))
	return t
}

// fieldOf names a member as merchants are told it: product.id.
func fieldOf(at payload.Pointer) string {
	return strings.ReplaceAll(strings.TrimPrefix(string(at), "/"), "/", ".")
}

// original returns the product whose fulfillment a product with dynamic characteristics
// takes, "" for any other product.
func (w webhook) original(settings Settings) string {
	if w.text("/external_id") == "" {
		return ""
	}
	codes := []string{w.text("/product/vendor_code"), w.text("/product/sku")}
	for _, code := range codes {
		if id := settings.Products[code]; id != "" {
			return id
		}
	}
	for _, code := range codes {
		if platform.CheckID(code) == "" {
			return code
		}
	}
	return ""
}

// language returns the language of a locale such as en_EN, which is no BCP 47 tag.
func (w webhook) language() string {
	language, _, _ := strings.Cut(w.text("/locale"), "_")
	if len(language) != 2 {
		return ""
	}
	return strings.ToLower(language)
}

// parent returns the order that a renewal's subscription began with, "" for an order that
// is no renewal. A subscription's id is NN_MM, NN the order that began it. Where it
// stands is not documented.
func (w webhook) parent(orderID string) string {
	for _, at := range []payload.Pointer{"/subscription/id", "/subscription/subscription_id", "/subscription_id"} {
		began, part, ok := strings.Cut(w.text(at), "_")
		if ok && payload.IsDigits(began) && payload.IsDigits(part) && began != orderID && platform.CheckID(began) == "" {
			return began
		}
	}
	return ""
}
