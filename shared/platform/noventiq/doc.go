// Package noventiq takes the webhooks of Noventiq checkout (formerly Softline).
//
// # Connect a shop in five minutes
//
//  1. Make the account, with a token of the scopes secrets, settings and orders:read. Its
//     address is webhook_path of the answer, below the address of Keypool's API:
//
//     PUT /v1/accounts/noventiq
//     {"platform": "noventiq"}
//
//  2. In the Merchant Portal, open the webhooks. Enter that address for the events
//     order.payment.succeeded and product.returned, and better for all of them. Each has a
//     secret key of its own: let the portal or a password manager make one of 16 characters
//     or more, and give it here under a name, with the header If-Match: *, which changes
//     what is there. One key for all events is one entry:
//
//     PUT /v1/accounts/noventiq
//     {"secrets": [{"name": "paid", "secret": "…"}, {"name": "returned", "secret": "…"}]}
//
//  3. Name your products in Keypool as Noventiq does: PUT /v1/products/{product} with the
//     product's id, such as 111111, and the pool that feeds it.
//
//  4. Order a test product. If your test mode has a secret key of its own, mark it
//     {"test": true}: its orders get test keys. Nothing else tells a test order from a paid
//     one, so never give the test mode the key of the live one.
//
//  5. Switch off Noventiq's own list of licenses for these products, or customers get two
//     keys.
//
// # What happens
//
// An order.payment.succeeded is a paid line: order_id is the order, product.id the line. An
// order of several products comes as one webhook for each, in any order and at once. The
// same line again is one fulfillment. A product.returned gives the line's units back, by
// product.quantity. Noventiq names no refund: a line's returns are told apart by event_date, so
// one without it is refused, and a second one within the same second is taken for a repeat of
// the first, whatever its quantity. Give its units back by hand: POST
// /v1/orders/{order}/return. What subscriptions report stands in the history of the line. A renewal
// is an order of its own; its parent is the order in the subscription's id (55_1 began with
// order 55), whose key is {PARENT_KEY}.
//
// A product with dynamic characteristics (external_id is set) takes the fulfillment of its
// original: the product of Keypool that has its vendor_code as id, else its sku. Where
// these are other than your products' ids, the account's settings say which is which:
//
//	"settings": {"products": {"VENDOR-CODE": "111111"}}
//
// # What the signature does not cover
//
// It is SHA-512 over secret, event, order, dates of creation, payment method, currency and
// the customer's address: neither product nor quantity nor status nor subscription, and no
// time of sending. Whoever holds one webhook of your shop can send it again with another
// product, or as a renewal of another order: keys of that one are mailed only to the address
// that it was paid with itself. And whoever
// holds one product.returned can give back any line of that order, and any number of its
// units, since it covers neither product nor quantity nor event_date: its customer then has
// keys that are revoked, or sold again where they were never mailed. So a
// product of an order is delivered once, a repeat never brings more keys, the quantity is
// capped, and a repeat whose content changed goes to the history and to your mail. Keep
// the webhooks' bodies secret, and use Keypool's own scheme where you can.
//
// Keypool does not set Noventiq's own mark "delivered".
//
// # Sources
//
// docs.noventiq.com and docs.softline.com: the signature, with an example in English and
// one in Russian, the events, the fields of order.created. The paid event is taken to be
// the same object with status paid. Not documented, and taken as stands above: what is
// retried (we take at least once, in any order), the members of a subscription, and whether
// product.quantity of a return is what was returned. A product.returned is also sent for a
// license that was replaced there; we hold the licenses, so it means a return.
package noventiq
