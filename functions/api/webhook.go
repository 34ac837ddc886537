package main

import (
	"github.com/danielgtaylor/huma/v2"
)

// webhooks describes what a shop sends by Keypool's own scheme. Package
// shared/platform/standard reads it.
func webhooks() map[string]*huma.PathItem {
	problem := func(description string) *huma.Response {
		return &huma.Response{Description: description}
	}
	return map[string]*huma.PathItem{"order.paid": {Post: &huma.Operation{
		OperationID: "order-paid",
		Tags:        []string{"Accounts"},
		Summary:     "An order was paid",
		Description: "Sent by the shop to the webhook_path of its account, signed as the Standard Webhooks specification says: " +
			"the headers webhook-id, webhook-timestamp and webhook-signature, or Svix's svix-id, svix-timestamp and svix-signature. " +
			"The same event may be sent again, as often as it takes: a line gets its keys once.\n\n" +
			"The body is strict JSON: UTF-8, names of members in the case that stands here, no member twice. " +
			"Members that are not named here are passed over. A member that is only shown, and cannot be read, is left out and named in the answer's ignored_fields.",
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: orderPaid(), Example: sampleOrderPaid}}},
		Responses: map[string]*huma.Response{
			"200": problem("Stored: how each line stands. Also the answer to the same event sent again, and to an event of another type, which is ignored. A line of which nothing is stored is under skipped, with why: the order was paid before the account delivers (delivers_from), or the account passes over products that have no settings."),
			"400": problem("The body cannot be taken; the problem names the field. The merchant is told."),
			"401": problem("The signature does not match, its time is more than five minutes off, or there is no such account."),
			"409": problem("The line was paid before with other content. Nothing was changed."),
			"413": problem("The body is larger than 256 KiB."),
			"503": problem("Not stored, or not all of it: send the same again, after Retry-After seconds."),
		},
	}}}
}

var sampleOrderPaid = map[string]any{
	"type": "order.paid",
	"data": map[string]any{
		"order": "10001", "currency": "EUR", "language": "en", "paid_at": "2026-11-23T09:29:58Z",
		"customer": map[string]any{"name": "Ada Byron", "email": "ada@example.com"},
		"lines":    []any{map[string]any{"line": "1", "product": "elden-long-night", "title": "Elden: The Long Night", "quantity": 1, "unit_price": "29.90"}},
	},
}

// orderPaid is the JSON Schema of the event. What it accepts is taken, as far as the
// merchant's cap and addresses allow.
func orderPaid() *huma.Schema {
	object := func(description string, required []string, properties map[string]*huma.Schema) *huma.Schema {
		return &huma.Schema{Type: "object", Description: description, Required: required, Properties: properties}
	}
	// types is a member of several types, which huma's own field does not know.
	types := func(description string, names ...string) *huma.Schema {
		return &huma.Schema{Description: description, Extensions: map[string]any{"type": names}}
	}
	id := func(description string, names ...string) *huma.Schema {
		s := types(description+" At most 128 characters without control characters; a number is taken by its digits.", append(names, "string", "integer")...)
		s.MaxLength, s.Pattern = new(128), `^(\S(.*\S)?)?$`
		return s
	}
	shown := func(description string) *huma.Schema {
		return types(description+" Only shown: cut after 500 characters.", "string", "number", "null")
	}
	quantity := types("How many were bought, as first bought: a whole number.", "integer", "string")
	quantity.Minimum, quantity.Pattern = new(1.0), `^ *0*[1-9][0-9]*(\.0*)? *$`
	return object("", []string{"type", "data"}, map[string]*huma.Schema{
		"type":      {Type: "string", Enum: []any{"order.paid"}},
		"timestamp": {Description: "When the event happened, as the specification has it. Not read."},
		"data": object("The order.", []string{"order", "customer", "lines"}, map[string]*huma.Schema{
			"order":    id("The order's number. A repeat of the order has the same."),
			"test":     types("No money was paid: the order gets test keys, never live ones.", "boolean", "null"),
			"currency": shown("Three to five letters: EUR, USDT. A product may have a pool for each currency."),
			"language": shown("The customer's, by BCP 47: en, de-AT."),
			"paid_at":  shown("When it was paid: RFC 3339, 2026-11-25 15:00:00 in UTC, or seconds or milliseconds since 1970."),
			"customer": object("", []string{"email"}, map[string]*huma.Schema{
				"email":       {Type: "string", MinLength: new(1), MaxLength: new(320), Description: "Where the keys are sent: one address, without a name."},
				"name":        shown("The whole name."),
				"first_name":  shown("Used where there is no name."),
				"last_name":   shown("Used where there is no name."),
				"phone":       shown("The telephone number."),
				"company":     shown("The company."),
				"country":     shown("The country, by ISO 3166-1 alpha-2."),
				"city":        shown("The city."),
				"zip":         shown("The postal code."),
				"address":     shown("Street and number."),
				"license_for": shown("Who owns the product, if not the customer."),
				"add_info":    shown("What the customer added."),
			}),
			"lines": {
				Type: "array", MinItems: new(1), MaxItems: new(100), Description: "What was bought.",
				Items: object("", []string{"product", "quantity"}, map[string]*huma.Schema{
					"line":       id("The line's own number within the order; the product's where left out. No two lines have the same.", "null"),
					"product":    id("The product, as it is named in its settings."),
					"quantity":   quantity,
					"title":      shown("The product's name, where its settings give none."),
					"unit_price": shown("The price of one, a decimal number."),
				}),
			},
		}),
	})
}
