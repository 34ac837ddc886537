// Package generic takes webhooks of any sender that signs its body with an HMAC: a shop's
// own code, an automation, a platform that Keypool has no adapter for. Where in the
// request the signature, the time, the order and its lines stand, the account's settings
// say.
//
// # Setting it up
//
// 1. With a token of the scopes secrets and settings, PUT /v1/accounts/my-shop with the
// platform generic, the sender's signing secret, and settings that describe its webhooks.
// Each sender has an account of its own, since two shops may number their orders alike. To
// change the account, put it again, with the header If-Match: *.
//
//	{"platform": "generic",
//	 "secrets": [{"name": "live", "secret": "as the sender shows it"}],
//	 "settings": {
//	  "signature": {"header": "X-Signature", "prefix": "v1=", "separator": ",", "signed": "{time}.{body}"},
//	  "time": {"part": "t"},
//	  "event": {"pointer": "/event", "paid": ["order.paid"], "returned": ["order.refunded"], "ignored": ["ping"]},
//	  "when": [{"pointer": "/order/status", "in": ["paid", "complete"]}],
//	  "order": "/order/id",
//	  "test": {"pointer": "/order/sandbox", "in": [true, "1"]},
//	  "paid_at": "/order/paid_at", "currency": "/order/currency", "language": "/order/lang",
//	  "customer": {"email": "/order/email", "name": "/order/name", "country": "/order/country"},
//	  "lines": {"pointer": "/order/items", "line": "/id", "product": "/sku", "title": "/name", "quantity": "/qty", "unit_price": "/price"},
//	  "return": {"id": "/refund/id", "order": "/order/id", "lines": "/refund/items", "line": "/id", "quantity": "/qty",
//	   "full_when": {"pointer": "/refund/full", "in": [true]}}}}
//
// 2. In the sender, set the address that the answer names, webhook_path, below the API's.
//
// 3. Send one order, or take the headers and the body of one that was sent, and put them
// to POST /v1/accounts/my-shop/dry-run. It says which step fails, and which events
// Keypool makes of it, and stores nothing.
//
// # The signature
//
// header is where it stands. algorithm is sha256, the default, or sha512; encoding is hex,
// base64 or base64url. The header's parts are what stands between separator; a part that
// begins with prefix is a signature, eight at most. signed is what is signed: {body} once,
// {time} and {id}, and text between. The time is put in as it stood in the request, and
// checked to be within tolerance_seconds, 300 where left out. time.header is the header that
// holds {time}, or time.part the part of the signature's; id_header is the header that holds
// {id}. key says how the secret is read: as the text that it is, hex, base64, or base64 after
// whsec_. A text has 8 characters or more, a key in another form 16 bytes.
//
//	sender              header               settings
//	GitHub              sha256=<hex>         "prefix": "sha256="
//	Shopify             <base64>             "encoding": "base64"
//	X                   sha256=<base64>      "prefix": "sha256=", "encoding": "base64"
//	Stripe              t=<s>,v1=<hex>       "prefix": "v1=", "separator": ",", "signed": "{time}.{body}"; time: "part": "t"
//	Standard Webhooks   v1,<base64>          "prefix": "v1,", "separator": " ", "encoding": "base64", "key": "whsec", "signed": "{id}.{time}.{body}"; time: "header": "webhook-timestamp"; "id_header": "webhook-id"
//	Dixa                t=<ms>,v1=<hex>      as Stripe, "key": "hex"; time: "part": "t", "unit": "ms"
//	Everee              v1=<hex>,v1=<hex>    "prefix": "v1=", "separator": ",", "signed": "{time}.{body}"; time: "header": …
//	Worldpay            7/SHA256/<hex>       "prefix": "7/SHA256/", "separator": ","
//	a Date header       <hex>                "signed": "{body}{time}"; time: "header": "Date", "unit": "http"
//
// Where signed holds no {time}, a webhook that somebody recorded is good for ever. It
// takes no second key: a line is delivered once. The headers that name the event, the
// time, or the form of the body prove nothing unless they are signed.
//
// # The body
//
// A pointer is a JSON Pointer (RFC 6901); those of lines and of return's line and quantity
// start at the element of the list. A form (body: form) has the pointer /name for each
// field, and no lists. An id is taken by its literal text, so that 42 and "42" are one
// order, and 42.0 is refused. null is the same as absent. A value that decides what is
// delivered and is missing, or is an object or a list, has the order refused: it is kept
// under refusals, the merchant is told, and the sender is answered 200, since to send it
// again would not help. A value that is only shown is left out then.
//
// Without lines.pointer an order has one line, whose pointers start at the body; without
// lines.line the product is the line; without lines.quantity one unit was bought.
// lines.unit_price is what was paid for one, after discounts and with taxes: a refund that is
// an amount gives back the units that it pays for. Leave it out where the sender writes
// another price there, and a person decides.
//
// An event that stands in no list is passed over and told once a day. A paid order that
// does not pass every test under when is passed over; it is told if the value is missing.
// So an order.paid that is sent again with the status refunded brings no key.
//
// A refund is of the lines of return.lines, of return.amount, or of the whole order; one
// that passes full_when is of the whole order. An element of return.lines with the quantity 0
// takes nothing of its line. The tests under when are not asked about refunds. If the sender
// reports refunds before they are made, return.when has tests of the same form: a refund has
// to pass every one of them, and is passed over and told once a day if it does not. Disputes
// are not read.
//
// A refund is final: an order that was refunded in full and is reported as paid later than
// that (paid_at, which has to be another than before) gets no keys again, and the merchant
// is told, to fulfil it by hand.
//
// There are no scripts, regular expressions or calls out: a sender that needs them needs
// an adapter. Unsigned pings and challenges are not answered.
//
// # The answer
//
// A webhook that was taken, passed over or refused for what stands in it is answered 200, with
// JSON that says what became of it. For a sender that takes only a certain text for success,
// answer is that text, such as OK: it is sent as text/plain in the place of the JSON.
//
// # Why so
//
// Of the receivers that can be configured, Hookdeck, Convoy and Svix Bridge have fixed
// places for the signature and scripts for the body; EventBridge's webhook source alone
// has the three things that real schemes differ in: what is signed, where the time
// stands, several signatures. Those are settings here, and the body needs no script, since
// an order is a handful of values. Whether the body is a form is a setting, not the
// Content-Type: that header is not signed, and what is JSON by intent can be read as a
// form. MD5 and SHA-1 are left out: a sender that has no better would get keys for money
// by a signature that is broken.
package generic
