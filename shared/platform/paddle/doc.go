// Package paddle takes orders from Paddle Billing. Paddle Classic is another product, with
// other webhooks.
//
// # Connect Paddle in five minutes
//
// Do it in Paddle's sandbox first (its orders get test keys), then once more live. The two
// are separate accounts of Paddle's, each with its own login, and one account here.
//
//  1. Make the account, with a token of the scopes secrets, settings and orders:read. Its
//     address is webhook_path of the answer, below the address of Keypool's API:
//
//     PUT /v1/accounts/paddle
//     {"platform": "paddle"}
//
//  2. In Paddle: Developer tools, Notifications, New destination. Notification type: URL
//     (webhook). URL: the address of step 1. Usage type: Platform. Events:
//
//     transaction.completed
//     adjustment.created
//     adjustment.updated
//
//     Save the destination, open it again (Edit destination), and copy its secret key
//     (pdl_ntfset_…).
//
//  3. In Paddle: Developer tools, Authentication, API keys, New API key. Tick Read, and
//     nothing else, for: Transactions, Customers, Addresses, Businesses, Adjustments,
//     Notifications and Notification settings. Copy the key (pdl_live_apikey_…, in the
//     sandbox pdl_sdbx_apikey_…): it is shown once. Note when it expires.
//
//  4. Give both here, with the header If-Match: *, which changes what is there. Those of the
//     sandbox stand beside the live ones, the secret marked as test:
//
//     PUT /v1/accounts/paddle
//     {"platform": "paddle",
//     "secrets": [{"name": "live", "secret": "pdl_ntfset_…"}, {"name": "sandbox", "test": true, "secret": "pdl_ntfset_…"}],
//     "credentials": [{"name": "live_key", "credential": "pdl_live_apikey_…"}, {"name": "test_key", "credential": "pdl_sdbx_apikey_…"}]}
//
//     What is left out of a list is taken away. What was given before is named without its
//     text, and stays: {"name": "sandbox", "test": true}, {"name": "test_key"}.
//
//  5. Give each product its name here: in Paddle's catalog, put the custom data
//     keypool_product = <the product's id here> on the product, or on one of its prices.
//     Without it, a price's id (pri_…) is the name, which is another in the sandbox.
//
//  6. Buy something in the sandbox with the card 4242 4242 4242 4242. A mail with a test key
//     follows. If none does: GET /v1/accounts/paddle and GET /v1/refusals say why.
//
// # Settings
//
//	"settings": {"product": "auto", "no_payment_required": "ignore", "renewals": "deliver", "license_field": "licensee"}
//
// product says what names a product: "auto" as in step 5; "custom_data" for keypool_product
// alone; "price" or "product" for the price's or the product's id. What a product lacks is
// unconnected, by the price's id.
//
// no_payment_required is "deliver" if a transaction that cost nothing (a discount of 100%,
// or a trial's beginning) shall get keys as well. One that was paid by the customer's credit
// is paid. renewals is "ignore" if the renewals of a subscription shall get nothing: its
// first payment has delivered all. license_field is the key of the custom data that your
// checkout passes with a transaction, and that says who the license is for.
//
// # What is read
//
//	transaction.completed                    an order, or a renewal
//	adjustment.created, adjustment.updated   a refund, or a chargeback
//
// A transaction sells by its origin: web, api and subscription_charge do, and
// subscription_recurring is a renewal, which names the order that it renews: the first
// transaction of the subscription that was delivered. subscription_update (an upgrade, in
// parts of prices) and subscription_payment_method_change (another card) sell nothing; of an
// origin that is not documented the merchant is told.
//
// All other events are received and ignored, so a destination may send too many. Above all
// transaction.paid, transaction.updated, subscription.created and subscription.activated:
// they report a payment that transaction.completed reports as well, within moments, and would
// deliver twice.
//
// An order is the transaction (txn_…), a line its line item (txnitm_…), which is what refunds
// name. Lines with a proration sell nothing. The price of a unit is what was paid for it, with
// tax. An order was paid when its money was captured (payments): an invoice is billed
// weeks before. Where nothing was to pay it is the time of the bill (billed_at), and
// then that of the event (occurred_at).
//
// # What is fetched
//
// A webhook never says who the customer is. An order takes one call, for mail address, name,
// language, address and company; a renewal one or two more beside it, for the order that it
// renews. A refund that names an amount of a line takes two, for the line's price and what
// was refunded before; a chargeback that is reversed one, for which it was. All of them
// together may take 3 seconds, since Paddle waits for five.
//
// A call that fails for now, or that the key does not allow, makes the answer 503: nothing
// is stored, and Paddle sends the event again, 60 times in three days, in the sandbox 3 times
// in a quarter of an hour. What the key lacks is told by mail. The host is that of the side
// whose secret signed: api.paddle.com, or sandbox-api.paddle.com.
//
// Without a key, orders are delivered whose custom data hold the address: pass
// customData: {email: …} to your checkout. Any other is answered 503, and told. Nothing tells
// a simulated event from a true one then: leave the usage type at Platform.
//
// # The signature
//
// Paddle-Signature holds ts (seconds) and one or more h1, several while a secret is
// rotated: HMAC-SHA256 over <ts>:<body> by the secret's text, with its pdl_ntfset_. It
// covers the whole body. ts may be five minutes from now, in both directions. Paddle's
// library for Python allows 5 seconds, that for Go any time: a function that starts
// cold, and a clock that is not quite right, are not to cost an order, and what is sent
// twice is delivered once.
//
// The body does not say whether it is of the sandbox, and the signature covers no such
// flag: it is the secret that fits. Not signed is what is fetched: it comes by TLS, by the
// key of that side, and is held against what was asked for. A live secret that is entered as
// test, or the other way round, is found by that, since the other side knows nothing of the
// transaction. Nor is it said that an event was simulated: Paddle signs those like any other,
// and the API does not know what they are about, so they are refused where there is a key.
//
// # Refunds
//
// Only an approved one counts. Most wait for Paddle first (pending_approval), and may be
// rejected. One of the type full returns the order, an item of the type full what is left of
// its line. A partial one returns as many units as its amount is the price of, and the rest
// of the line once all its money is back. Any other amount is reported as such: the
// merchant is asked. Items of tax and of a proration give back no unit, and a credit belongs to an
// invoice.
//
// A chargeback, and the warning of one, puts the order on hold. Reversed, it was won. Of one
// that was lost Paddle tells nothing further: the order stays on hold until you decide. Give
// it back: POST /v1/orders/{order}/return. Or, where you keep the money after all, drop the
// chargeback: POST /v1/orders/{order}/release with {"disputes": true}.
//
// # Catch-up
//
// With a key, what changed is read every 15 minutes: the completed transactions, 30 a page in
// the order of their change, each page with its adjustments; and the transactions of which
// Paddle's events of the last 90 days tell a refund or a chargeback, however old they are.
// Paddle takes 240 calls a minute from one address: catch-up makes at most 180, and goes on
// from where it was. A transaction that cannot be read, or of which it is not known what went
// back, is passed over and told once, as a webhook that cannot be taken. Whether the destination is active, and ticks the three events, is read
// with the live key, or else with that of the sandbox.
//
// A sandbox holds up no live order. While its API does not answer for now, live orders go on, and
// both sides are read again from there for a day: so long an outage of the sandbox is made up,
// unless there are more live orders than one look can read. During a longer one, and while its key
// does not serve, test orders are delivered by their webhooks alone.
//
// # Decisions
//
// Paddle's Go library is the sender in the tests, and in no function: it adds 0.7 MB,
// refuses a header with two h1, which Paddle documents, and knows one secret.
//
// GET /adjustments has no filter by time and no order but by id, and a refund that waited
// for days to be approved keeps its id; so catch-up finds refunds by GET /events.
// A transaction is not read with its adjustments included, since that value is "adjustment"
// in Paddle's libraries and "adjustments" in its documentation.
//
// Sources: developer.paddle.com (webhooks, API reference, API keys); paddle-go-sdk v4.2.0;
// paddle-python-sdk. Inferred, and not documented: that ts is the time of sending, so that a
// repeat is signed anew; that VND has no smaller unit.
package paddle
