// Package shopify takes orders from a Shopify shop.
//
// # Connect Shopify in five minutes
//
// There are two ways. With an app of your own (steps 1 to 5), Keypool makes its webhooks
// itself and sees that they stay, makes up for webhooks that never came, and knows the risk
// of fraud. Without one (steps 1, 6 and 5), you make the webhooks by hand, and an order whose
// webhook was lost stays undelivered.
//
//  1. Find the domain that Shopify gave your shop, such as acme.myshopify.com: in Shopify,
//     Settings, Domains. Make the account, with a token of the scopes secrets, settings and
//     orders:read. Its address is webhook_path of the answer, below the address of Keypool's
//     API:
//
//     PUT /v1/accounts/shopify
//     {"platform": "shopify", "settings": {"shop": "acme.myshopify.com"}}
//
//  2. Make an app: dev.shopify.com, Dev Dashboard, Apps, Create app, Start from Dev
//     Dashboard. In its version choose the scopes read_orders, read_customers and, if you
//     use Shopify Payments, read_shopify_payments_disputes. Add read_all_orders if an order
//     may change after 60 days. Release the version.
//
//     Under API access, ask for protected customer data: name, email, phone and address.
//     Without it Shopify leaves the address out, and orders are on hold: see What is read.
//
//  3. Install the app in your shop: Dev Dashboard, your app, Home, Install app. The app and
//     the shop have to belong to the same organization.
//
//  4. Copy client ID and secret (Dev Dashboard, your app, Settings) and give them here, with
//     the header If-Match: *, which changes what is there. The client secret stands there
//     twice: it gets the key to the API, and it signs webhooks.
//
//     PUT /v1/accounts/shopify
//     {"secrets": [{"name": "app", "secret": "shpss_…"}],
//     "credentials": [{"name": "client_id", "credential": "…"}, {"name": "client_secret", "credential": "shpss_…"}]}
//
//     Keypool makes the webhooks within a minute. GET /v1/accounts/shopify shows webhook as
//     active then, or under catch_up what is still missing.
//
//  5. Give each product the variant's id as its id here: the number at the end of the
//     address of the variant's page in Shopify. At each product switch off "This is a
//     physical product": lines that ship get no keys.
//
//     Then buy something with test mode on (Settings, Payments). A mail with a test key
//     follows. If none does: GET /v1/accounts/shopify and GET /v1/refusals say why.
//
//  6. Without an app: Settings, Notifications, Webhooks, Create webhook, three times, for
//     Order payment, Refund create and Order cancellation; format JSON, the address of step
//     1, the newest version. Below the list stands a secret, one for all of them. Give it
//     here, with the header If-Match: *:
//
//     PUT /v1/accounts/shopify
//     {"settings": {"shop": "acme.myshopify.com", "webhooks": "by_hand"},
//     "secrets": [{"name": "notifications", "secret": "…"}]}
//
//     "Send test notification" there is answered 200 and delivers nothing.
//
// The two secrets differ: an app's client secret signs the app's webhooks, the secret
// under Notifications those made by hand. Both may be there, each by a name. After a secret
// was rotated, give the new one with keep_previous_hours: for up to an hour Shopify signs by
// the old one.
//
// # Settings
//
//	"settings": {"shop": "acme.myshopify.com", "product": "variant", "shipped_lines": "ignore",
//	             "fraud_risk": "read", "webhooks": "by_keypool", "license_field": "license_for"}
//
// shop is the shop, and the origin of the account's orders: an account keeps it. product
// says what names a product: "variant" or "product" for the id of either, "sku" for the SKU.
// A line that has none, such as a custom item of a draft order, goes by its SKU or title.
// shipped_lines is "deliver" if lines that ship get keys as well. fraud_risk is "ignore" if
// the risk is not to be asked for. webhooks is "by_hand" as in step 6. license_field is the
// attribute of an order (note attribute), or of a line (property), that says who the license
// is for.
//
// Credentials are client_id and client_secret, or access_token (shpat_…) of an app that was
// made in the shop's admin before 2026.
//
// # What is read
//
//	orders/paid                    an order, if financial_status is paid or partially_refunded
//	refunds/create                 units that came back, or an amount
//	orders/cancelled               the whole order came back, if it had been paid
//	disputes/create, /update       the order is in dispute (inquiries too), won, or lost
//	orders/risk_assessment_changed the order is read again for its risk, with credentials
//
// All other topics are received and ignored, above all orders/create and orders/updated:
// such an order need not be paid. Test notifications deliver nothing.
//
// An order is its id (not its name, #1001), a line its id. A line that an edit adds is
// claimed for when the order is paid again; units that an edit adds to a line go to its
// history and a notice. What was removed before it was paid for is not sold. Gift cards,
// tips and lines that ship hold nothing to deliver; you are told of a product that is set up
// here and that Shopify calls a physical one. An order is a test by its own flag, or
// by Shopify's bogus gateway. An order that cost nothing is delivered.
//
// An order without a mail address is on hold, and takes no keys: the app may read none, or
// there is none, as of a sale at the point of sale. You are told once, and it is listed by
// GET /v1/refusals. Enter an address at the order in Shopify, or give the app access and
// change something at the order: it is delivered when it is read again, by catch-up within 15
// minutes. Nobody can release it before. Without credentials nothing reads it again: give it back,
// POST /v1/orders/{order}/return, and fulfil it by hand, POST /v1/orders/{order}/fulfil, under a
// number that you choose.
//
// Prices and the currency are the shop's, not those that the customer saw. A unit's price is
// what was paid for it: after all discounts, with taxes, rounded up. The time of
// payment is that of the first payment where there are credentials, else when the order
// was placed; an imported order keeps its time in the other shop. Of an order that was
// edited after it was paid, and waits for the rest (partially_paid), nothing more is
// delivered until it is paid again.
//
// # What is fetched
//
// Without credentials nothing. With them, by GraphQL from the account's own shop
// domain alone: of each paid order one call for its risk, the time of payment, what went
// back of it since, and the address where the webhook has none; of a refund that names no
// line, one for the order. They may take 3 seconds together. A call that fails for now makes
// the answer 503, and Shopify sends again. Credentials that do not serve hold up no order:
// it is delivered with the risk "unknown", and catch-up tells the merchant.
//
// The risk of an order is Shopify's word: accept, investigate, cancel; pending while it is
// made, unknown where it could not be asked for. One that comes after the payment holds the
// order as well, where a rule of review asks for the risk, while its keys have not been
// mailed.
//
// The access token for client id and secret is good for 24 hours. It is kept in memory
// alone, and asked for again before it ends, or when the shop knows it no more.
//
// Catch-up reads the orders that changed since its last run, by updated_at, with refunds and
// disputes. Orders of more than 60 days ago are not shown to an app without read_all_orders,
// and of a variant that was deleted the API shows the SKU and the title alone: an order of it
// whose webhook never came goes by these. An order that the API shows otherwise than documented is
// passed over and told once, as a webhook that cannot be taken.
//
// # The signature
//
// X-Shopify-Hmac-Sha256 is HMAC-SHA256 of the body, in base64. It covers the whole body, and
// no header: not the topic, which stands nowhere else, not the shop, not a time. So each body
// has to be as its topic says (a paid order is marked paid, a cancelled one has the time
// of it), the shop has to be the account's, and a recorded webhook is good for ever: it
// takes no second key, and what was returned stays returned.
//
// # Refunds
//
// A refund gives back the units that it names, once, by its id; so does an edit that takes
// units away. One that names no line gives back everything if the order is refunded in full,
// which the API tells; else it is an amount: the price of units of an order of one line, or
// for a person to decide. Where Shopify lists no payment of it, the amount is that of its
// adjustments (order_adjustments). Refunds all of whose payments failed take nothing, and the
// merchant is asked. A cancelled order is returned as a whole, with or without a refund.
//
// A return is final. Shopify itself sets no cancelled order back. If an order shows a line as
// paid all the same after it was returned (updated_at is later than the return, and neither
// that refund nor others of all its units are listed), it gets no keys again by itself: you
// are told by mail, once for each return, and fulfil it by hand if the customer is to have
// keys, with POST /v1/orders/{order}/fulfil.
//
// A dispute that Shopify calls prevented stays on hold: whether the money went back it does
// not tell. Look in Shopify, and give the order back, POST /v1/orders/{order}/return, or drop
// the dispute: POST /v1/orders/{order}/release with {"disputes": true}. Accepted, lost, and
// charge_refunded are returns.
//
// # Decisions
//
// Answers are 200, also for what can never be taken (it is kept, and the merchant told):
// after 8 tries in 4 hours Shopify deletes webhooks that an app made. A 4xx is for a wrong
// signature and size alone.
//
// A paid order that says partially_refunded is taken: its body was written after the refund,
// and the refund is listed in it. Quantities are what is there now (current_quantity)
// and what the listed refunds took, at most what was ordered.
//
// Sources: shopify.dev and help.shopify.com, API 2026-04 to 2026-10; types of
// Shopify/shopify-app-js. Read in others' code: the shape of refunds, disputes and
// orders/risk_assessment_changed, of which Shopify shows no example, and that Order.disputes
// names a dispute by the webhook's number. Not documented where we read: whether
// updated_at moves with a dispute or a risk, whether a search of orders leaves out archived
// ones, whether an edit that raises a quantity keeps
// the line's id, and how long Shopify waits before it sends again.
package shopify
