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
	answers := func(stored string) map[string]*huma.Response {
		return map[string]*huma.Response{
			"200": problem(stored),
			"400": problem("The body cannot be taken, or is larger than 1 MiB; the problem names the field. The merchant is told."),
			"401": problem("The signature does not match, its time is more than five minutes off, or there is no such account."),
			"503": problem("Not stored, or not all of it: send the same again, after Retry-After seconds."),
		}
	}
	return map[string]*huma.PathItem{"order.refunded": {Post: &huma.Operation{
		OperationID: "order-refunded",
		Tags:        []string{"Accounts"},
		Summary:     "An order was refunded",
		Description: "Signed and written as order.paid is. What was refunded is given back: the lines where it names any, else what the amount pays for, else the whole order. " +
			"It may come before order.paid: a line that was given back then gets no key, and an order that was given back as a whole waits for a person. " +
			"A refund is known by its id, so the same refund may be sent as often as it takes. It is final: order.paid of what was refunded in full gets no key again, and the merchant is told once if its paid_at is another than before, and later than refunded_at. What becomes of the keys is a setting of the product or the merchant (returned_keys). " +
			"An amount that is neither the whole order nor a multiple of the unit price of its only line takes nothing: the merchant is asked.",
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: orderRefunded(), Example: sampleOrderRefunded}}},
		Responses:   answers("Stored: how each line stands. No line is named if the order was not paid yet: the refund is remembered."),
	}}, "order.disputed": {Post: &huma.Operation{
		OperationID: "order-disputed",
		Tags:        []string{"Accounts"},
		Summary:     "An order is in dispute, or was",
		Description: "Signed and written as order.paid is. While a dispute is open, its order is on hold: it gets no key and no mail. won: it goes on as before. lost: it is given back. " +
			"A dispute that has ended stays as it ended, whatever comes later; it may come before order.paid. " +
			"Where it is never said how it ended, release-order with disputes drops it: it is not opened again, and the order is given back still if it is lost later.",
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: orderDisputed(), Example: sampleOrderDisputed}}},
		Responses:   answers("Stored: how each line stands. No line is named if the order was not paid yet: the dispute is remembered."),
	}}, "order.paid": {Post: &huma.Operation{
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
			"200": problem("Stored: how each line stands. Also the answer to the same event sent again, and to an event of another type, which is ignored. A line of an order that was paid before the account delivers (delivers_from) is on_hold until it is released. A line of which nothing is stored is under skipped, with why: the account passes over products that have no settings. Where the account has order_page_in_answer set, order_page is the link to the page that the customer has of the order, as in get-order; it is left out where the order has no page, where its link was revoked or has ended, and where it could not be looked for now."),
			"400": problem("The body cannot be taken, or is larger than 1 MiB; the problem names the field. The merchant is told."),
			"401": problem("The signature does not match, its time is more than five minutes off, or there is no such account."),
			"409": problem("The line was paid before with other content. Nothing was changed."),
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
	risk := ofTypes("The platform's verdict on the order, in its own word, such as elevated. Send the order again with another verdict when one comes after the payment: where a rule of review asks for it, keys that have not left are held.", "string", "null")
	risk.MaxLength = new(64)
	quantity := ofTypes("How many were bought, as first bought: a whole number.", "integer", "string")
	quantity.Minimum, quantity.Pattern = new(1.0), `^ *0*[1-9][0-9]*(\.0*)? *$`
	return object("", []string{"type", "data"}, map[string]*huma.Schema{
		"type":      {Type: "string", Enum: []any{"order.paid"}},
		"timestamp": {Description: "When the event happened, as the specification has it. Not read."},
		"data": object("The order.", []string{"order", "customer", "lines"}, map[string]*huma.Schema{
			"order":    id("The order's number. A repeat of the order has the same."),
			"test":     ofTypes("No money was paid: the order gets test keys, never live ones.", "boolean", "null"),
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
			"parent": id("The order that this one renews, by its number in the same shop: what {PARENT_KEY} in a text takes its keys from.", "null"),
			"risk":   risk,
			"lines": {
				Type: "array", MinItems: new(1), MaxItems: new(100), Description: "What was bought.",
				Items: object("", []string{"product", "quantity"}, map[string]*huma.Schema{
					"line":       id("The line's own number within the order; the product's where left out. No two lines have the same.", "null"),
					"product":    id("The product, as it is named in its settings."),
					"original":   id("Of a product that is made for this order: the product whose pool and texts it takes, where it has no settings of its own.", "null"),
					"quantity":   quantity,
					"title":      shown("The product's name, where its settings give none."),
					"unit_price": shown("What was paid for one, after discounts and with taxes, a decimal number. A refund that is an amount gives back as many as it pays for."),
				}),
			},
		}),
	})
}

func object(description string, required []string, properties map[string]*huma.Schema) *huma.Schema {
	return &huma.Schema{Type: "object", Description: description, Required: required, Properties: properties}
}

// ofTypes is a member of several types, which huma's own field does not know.
func ofTypes(description string, names ...string) *huma.Schema {
	return &huma.Schema{Description: description, Extensions: map[string]any{"type": names}}
}

// id is a member that identifies something.
func id(description string, names ...string) *huma.Schema {
	s := ofTypes(description+" At most 128 characters without control characters; a number is taken by its digits.", append(names, "string", "integer")...)
	s.MaxLength, s.Pattern = new(128), `^(\S(.*\S)?)?$`
	return s
}

// shown is a member that decides nothing.
func shown(description string) *huma.Schema {
	return ofTypes(description+" Only shown: cut after 500 characters.", "string", "number", "null")
}

var sampleOrderRefunded = map[string]any{
	"type": "order.refunded",
	"data": map[string]any{
		"order": "10001", "refund": "RF-1", "refunded_at": "2026-11-24T10:00:00Z",
		"lines": []any{map[string]any{"line": "1", "quantity": 1}},
	},
}

// orderRefunded is the JSON Schema of a refund.
func orderRefunded() *huma.Schema {
	quantity := ofTypes("How many units were refunded: a whole number. All that are left where left out.", "integer", "string")
	quantity.Minimum, quantity.Pattern = new(1.0), `^ *0*[1-9][0-9]*(\.0*)? *$`
	amount := ofTypes("How much was refunded, a decimal number; where no line is named.", "number", "string")
	amount.Pattern = `^ *[0-9]{1,15}(\.[0-9]{1,6})? *$`
	return object("", []string{"type", "data"}, map[string]*huma.Schema{
		"type":      {Type: "string", Enum: []any{"order.refunded"}},
		"timestamp": {Description: "When the event happened, as the specification has it. Not read."},
		"data": object("The refund.", []string{"order", "refund"}, map[string]*huma.Schema{
			"order":       id("The order's number, as in order.paid."),
			"refund":      id("The refund's own number. A repeat of the refund has the same."),
			"test":        ofTypes("The order was a test.", "boolean", "null"),
			"failed":      ofTypes("The refund of this number failed: the customer has no money back. Nothing changes, and the merchant is told.", "boolean", "null"),
			"amount":      amount,
			"currency":    {Type: "string", Description: "Of the amount: that of the order, or nothing can be told from it."},
			"refunded_at": shown("When it was refunded."),
			"lines": {
				Type: "array", MinItems: new(1), MaxItems: new(100), Description: "What was refunded, by lines.",
				Items: object("", []string{"line"}, map[string]*huma.Schema{
					"line":     id("The line, as in order.paid: the product's where that named no lines."),
					"quantity": quantity,
				}),
			},
		}),
	})
}

var sampleOrderDisputed = map[string]any{
	"type": "order.disputed",
	"data": map[string]any{"order": "10001", "dispute": "CB-1", "state": "open", "disputed_at": "2026-11-24T10:00:00Z"},
}

// orderDisputed is the JSON Schema of a dispute.
func orderDisputed() *huma.Schema {
	return object("", []string{"type", "data"}, map[string]*huma.Schema{
		"type":      {Type: "string", Enum: []any{"order.disputed"}},
		"timestamp": {Description: "When the event happened, as the specification has it. Not read."},
		"data": object("The dispute.", []string{"order", "dispute", "state"}, map[string]*huma.Schema{
			"order":       id("The order's number, as in order.paid."),
			"dispute":     id("The dispute's own number."),
			"test":        ofTypes("The order was a test.", "boolean", "null"),
			"state":       {Type: "string", Enum: []any{"open", "won", "lost"}, Description: "won: by the merchant, the order stands. lost: the money went back."},
			"disputed_at": shown("When it came to this."),
		}),
	})
}
