// Package stripe takes orders from Stripe: Checkout, Payment Links and subscriptions.
//
// # Connect Stripe in five minutes
//
// Do it in a sandbox first (its orders get test keys), then once more live: both are the
// same account here.
//
//  1. Make the account, with a token of the scopes secrets, settings and orders:read. Its
//     address is webhook_path of the answer, below the address of Keypool's API:
//
//     PUT /v1/accounts/stripe
//     {"platform": "stripe"}
//
//  2. In Stripe's dashboard: Workbench, Webhooks, Create an event destination. Take events
//     from your account, the newest API version, and:
//
//     checkout.session.completed
//     checkout.session.async_payment_succeeded
//     invoice.paid
//     charge.refunded
//     refund.updated
//     refund.failed
//     charge.dispute.created
//     charge.dispute.closed
//
//     The destination is a webhook endpoint with the payload style Snapshot, at the address
//     of step 1.
//
//  3. In Stripe: Developers, API keys, Create restricted key. Set to Read, and nothing else:
//     Checkout Sessions, Products, Prices, Invoices, Charges and Refunds; Events and Webhook
//     Endpoints for what is asked every 15 minutes (see below). A secret key (sk_…) is
//     refused here: it may do anything.
//
//  4. Give both here: the destination's signing secret (whsec_…) and the key, with the
//     header If-Match: *, which changes what is there. Those of the sandbox stand beside
//     the live ones, the secret marked as test:
//
//     PUT /v1/accounts/stripe
//     {"platform": "stripe",
//     "secrets": [{"name": "live", "secret": "whsec_…"}, {"name": "sandbox", "test": true, "secret": "whsec_…"}],
//     "credentials": [{"name": "live_key", "credential": "rk_live_…"}, {"name": "test_key", "credential": "rk_test_…"}]}
//
//     What is left out of a list is taken away. What was given before is named without its
//     text, and stays: {"name": "sandbox", "test": true}, {"name": "test_key"}.
//
//  5. Give each product its name here: in Stripe's product catalog, put the metadata
//     keypool_product = <the product's id here> on the product, or on one of its prices.
//     Without it, a price's lookup key is the name, else the product's id (prod_…).
//
//  6. Buy something in the sandbox with the card 4242 4242 4242 4242. A mail with a test
//     key follows. If none does: GET /v1/accounts/stripe and GET /v1/refusals say why.
//
// # Settings
//
//	"settings": {"product": "auto", "no_payment_required": "ignore", "license_field": "licensee"}
//
// product says what names a product: "auto" as in step 5; "metadata" for keypool_product
// alone; "lookup_key", "price" or "product" for the price's lookup key, its id, or the
// product's id. What a product lacks is unconnected, by the product's id in Stripe.
//
// no_payment_required is "deliver" if an order that cost nothing (free, or a trial's
// beginning) shall get keys as well. license_field is the key of the custom field of a
// Checkout page that says who the license is for.
//
// # What is read
//
//	checkout.session.completed               an order, if payment_status is paid
//	checkout.session.async_payment_succeeded the same, of a delayed payment such as SEPA
//	invoice.paid                             a renewal, if billing_reason is subscription_cycle
//	charge.refunded, refund.updated          the refunds of the charge, each by its id
//	refund.failed                            the refund did not reach the customer
//	charge.dispute.created                   the order is in dispute; an inquiry counts too
//	charge.dispute.closed                    won, lost, or neither
//
// All other events are received and ignored, so an endpoint may send too many. Above all
// payment_intent.succeeded and other reasons of invoice.paid: they report a payment that
// the session reports as well, and would deliver twice. Payments without Checkout
// (Payment Element, invoices by hand) are not delivered: no session says what was bought.
//
// An invoice that was paid without Checkout is told by mail, once, and listed by
// GET /v1/refusals. So is that of a subscription that began without Checkout, but for its
// renewals: these are orders of their own, and delivered. An account whose other_products is
// ignore tells of none, and nor does one without a key, or of what was paid before it
// delivers. A payment without Checkout and without an invoice (Payment Element) is not told.
//
// An order is the session (cs_…), whichever event tells of it and whether or not it has
// an invoice; only a renewal is its invoice (in_…), and names the order that it renews.
// A line is a price: lines of one price are summed. Products that are shipped
// ("shippable") hold nothing to deliver, unless the metadata keypool_product names what is
// delivered for them. You are told of one that is set up here all the same.
//
// # What is fetched
//
// A webhook never holds what was bought. An order takes one call for each 100 lines; a
// renewal one for each price, one for its first order, and more only where no session began
// the subscription. A refund or dispute takes one to three calls to find its order; a
// refund one more for the list of refunds, one for the charge if the webhook is about the
// refund alone, and one for the lines if only a part came back. All of them together may
// take 8 seconds.
//
// A call that fails for now, or that the key does not allow, makes the answer 503: nothing
// is stored, and Stripe sends the event again, for three days. What the key lacks is told
// by mail.
//
// # What is asked every 15 minutes
//
// A webhook may be lost, and Stripe sends nothing again for the time in which a destination
// was switched off. So Stripe's list of events is read every 15 minutes, with Events: Read:
// the same events as above, from the time of the last one that was found. An order whose
// webhook never came is delivered then, with its refunds and disputes taken into account.
// What was given back is asked for when its order comes in that list, or its own time: however many
// refunds of other payments there are, each look comes further.
// An invoice that was paid without Checkout is found here: Stripe reports each invoice at the
// same time as the session that it may belong to, so the session is looked for when the event
// is ten minutes old: one call an invoice.
// An event that cannot be read, or is about something that Stripe knows no more, is passed
// over and told once, as a webhook that cannot be taken. If it is of a refund or a dispute, the
// order of its payment is not delivered here: what was given back of it is not known, so a
// person fulfils it if keys are due. The order of one that names no payment is not known, and is
// delivered.
//
// Stripe lists events for 30 days: a longer outage is not made up, and of orders that are
// older than that none is found when delivers_from is set to an earlier time.
//
// Live orders and those of the sandbox are read each with its own key. A sandbox's key that
// does not serve is told, and holds up no live order; test orders that are sold meanwhile
// are delivered by their webhooks alone. While the sandbox's API does not answer for now, live
// orders go on, and both sides are read again from there for a day: so long an outage of the
// sandbox is made up, unless there are more live orders than one look can read. During a longer
// one, test orders are delivered by their webhooks alone.
//
// With Webhook Endpoints: Read, Stripe is also asked whether the destination is enabled and
// sends all events of step 2 but refund.updated; you are told once a day if it is not. A
// key without that permission is as good: then nobody asks.
//
// # The signature
//
// Stripe-Signature holds t (seconds) and one or more v1: HMAC-SHA256 over <t>.<body> by
// the secret's text, with its whsec_. It covers the whole body. What is fetched is
// not signed: it comes by TLS from api.stripe.com, by the key of the side that the body
// names, and is held against what was asked for. A body of the live side that a secret
// marked as test has signed is refused: test secrets stand in many places.
//
// # Refunds
//
// Stripe tells the sum of an order's refunds each time, so their list is read, and each
// refund is applied once. One that gives everything back returns the order. One that is a
// multiple of what a unit cost, with discounts and taxes, in an order of one line, returns so
// many units. Any other names no line: it is reported as an amount, for a person to decide. A pending refund
// counts, since Stripe reports it when it fails: the merchant is asked then, and what was
// taken stays taken.
//
// # Decisions
//
// Stripe's Go library is the sender in the tests, and in no function: it adds 1.6 MB, and
// refuses events of another API release. The API is called with a version of its own
// (apiVersion), whatever version the endpoint has; of the two shapes that an invoice
// has had, both are read.
//
// A dispute that was "prevented" was either resolved, and the money went back, or
// blocked, and it did not: its case type and its balance transactions say which.
//
// Sources: docs.stripe.com/webhooks, /api and /currencies; Stripe's API description of
// 2026-08-26.dahlia as stripe-mock v0.203.0 has it; stripe-go v85.2.0. Not documented where
// we read: how long Stripe waits for an answer, and which permission of a key each call
// needs; the list above follows the names of the API's objects, and a mail says when a key
// lacks one.
package stripe
