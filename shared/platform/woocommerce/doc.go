// Package woocommerce takes orders from WooCommerce, the shop plugin of WordPress.
//
// # Connect WooCommerce in five minutes
//
//  1. Make the account, with a token of the scopes secrets, settings and orders:read. Its
//     address is webhook_path of the answer, below the address of Keypool's API. Shop is the address of the front page, as
//     WordPress has it (Settings, General, Site Address), with https and with or without
//     www. as it stands there:
//
//     PUT /v1/accounts/woocommerce
//     {"platform": "woocommerce", "settings": {"shop": "https://shop.example.com"}}
//
//  2. In WordPress, as an administrator: WooCommerce, Settings, Advanced, Webhooks, Add
//     webhook. Name: Keypool. Status: Active. Topic: Order updated. Delivery URL: the
//     address of step 1. Secret: 50 letters and digits that you make yourself, such as by a
//     password manager, and no others. API Version: WP REST API Integration v3. Save webhook.
//
//     If the secret is left empty, WooCommerce makes one, and the page shows it. It may hold
//     quotes, which break a line of the shell and of JSON: see step 5.
//
//  3. Add a second webhook like it, with the topic Order created, the same delivery URL and
//     the same secret: WooCommerce has one topic for each.
//
//  4. WooCommerce, Settings, Advanced, REST API, Add key. Description: Keypool. User: an
//     administrator. Permissions: Read. Generate API key, and copy both of its parts. They
//     are shown this once.
//
//  5. Give all three here, with the header If-Match: *, which changes what is there:
//
//     PUT /v1/accounts/woocommerce
//     {"platform": "woocommerce",
//     "secrets": [{"name": "live", "secret": "as in step 2"}],
//     "credentials": [{"name": "consumer_key", "credential": "ck_…"}, {"name": "consumer_secret", "credential": "cs_…"}]}
//
//     With a secret that WooCommerce made, write the body to a file, \" for each " of the
//     secret and \\ for each \, and have curl send the file as it is:
//     --data-binary @account.json. On the command line the shell would read its quotes.
//
//  6. Give each product its name here: the variation's id, or the product's if it has no
//     variations. WordPress shows the product's id below its name in the list of products,
//     and a variation's (#94) at its head in the product's Variations. A product of that
//     id here then delivers it (PUT /v1/products/94).
//
//  7. If the shop sells other things too, set "other_products": "ignore": else each of its
//     orders waits for a product, and is told.
//
//  8. Buy something. A mail with a key follows. If none does: GET /v1/accounts/woocommerce
//     and GET /v1/refusals say why. WooCommerce, Status, Logs has what was sent and how it
//     was answered.
//
// The key of step 4 may be left out. Then an order whose webhook was lost is never
// delivered, and WooCommerce repeats none.
//
// # If it does not work
//
// The REST API needs permalinks of any kind but Plain (WordPress, Settings, Permalinks).
// It is called by https alone: a shop on plain http is not. Some hosts keep the
// Authorization header from WordPress, and each key is refused; to save the permalinks
// once writes the line into .htaccess that lets it through, on most of them. Firewalls
// and security plugins must let calls of /wp-json/wc/ through.
//
// The delivery URL has to be the final one: WooCommerce takes a redirect for a success
// and follows none. A webhook that fails six times in a row is switched off, and
// WooCommerce tells nobody. Where the account has the key of step 4, Keypool looks every 15
// minutes, and mails you once a day as long as it is off. Set its status to Active again.
//
// # Settings
//
//	"settings": {"shop": "https://shop.example.com", "product": "variation"}
//
// shop is as in step 1. An account keeps its shop: one that has moved to another domain
// gets an account of its own. product says what names a product: "variation" as in step 6;
// "product" for the product's id whatever the variation; "sku" for the SKU as it is now,
// and the id where there is none. test: true is for a staging site, all of whose orders
// get test keys; such a site has an account of its own, and an account keeps this too.
// paid_statuses are statuses of the shop's own that mean paid, such as ["shipped"].
// license_field is the key of an order's meta data that says who the license is for.
//
// # What is read
//
//	order.updated, order.created   the order as it was when the webhook was sent
//	order.restored                 the same
//	order.deleted                  received and ignored: it names the order, and nothing of it
//
// All others are received and ignored. An order is paid when it has a time of payment
// (date_paid_gmt) and is processing or completed. By itself a status says too little: an
// order that is paid on delivery is processing before it is paid. What is on-hold,
// pending or failed gets nothing, and leaves no trace. An order that cost nothing is paid.
//
// The order is its id, not the number that plugins change; the line is the line item's
// id. Neither is ever used again, so that any number of edits, and of the webhooks that
// they send, are one order. A line that is added later is delivered if the order is still
// paid. A line whose quantity or product changes is told, and gets no further key. A
// corrected billing address is not another customer: the line keeps it from then on, in
// its history, and a mail that had bounced is sent there. An order without an address is on
// hold, and delivered when the shop reports it with one; you are told.
//
// WooCommerce has no test orders. One that WooPayments took in test mode (_wcpay_mode), or
// PayPal Payments in its sandbox (_ppcp_paypal_payment_mode), gets test keys.
//
// A body does not say which lines are virtual and which are shipped: each is delivered
// whose product is known here. A bundle comes as lines of its own and of its parts, each with
// an id: if the bundle and its parts all have products here, the customer gets keys for both.
// Give a product here to one of them alone. A line of no whole number of units, such as 1.5 m, is
// passed over. The language is that of WPML or Weglot (wpml_language, weglot_language).
//
// # What is fetched
//
// The lines of refunds, if a part of the order was refunded; for a renewal of WooCommerce
// Subscriptions (_subscription_renewal), the order with which the subscription began.
// Everything else stands in the body. Every quarter of an hour the orders that changed
// are read from the shop: what no webhook told is made up for. All calls go to the
// account's shop, by TLS and the key, and only to public addresses.
//
// While the shop does not answer such a call, the order waits for that look (catch-up), since
// keys for what was refunded would leave otherwise. Its customer gets the keys at most a quarter
// of an hour after the shop answers again. An order in a status of the shop's own may be hidden
// from that look: its webhook is answered 503, which WooCommerce's log shows. If it is hidden,
// save the order once more when the shop answers. GET /v1/accounts/woocommerce shows the webhook as
// left_to_catchup, and if catch-up gets no answer for a day, you are told by mail. An order that
// is neither a renewal nor refunded in part takes no call, and does not wait. One whose call the
// shop's software fails at (500) while it shows other orders is passed over a day after it
// changed, and told: fulfil it by hand if the customer is to have keys.
//
// Orders are read whatever their status, and what follows is the same as of a webhook. Not read
// are drafts, orders in the trash, and those of a status of the shop's own that its plugin keeps
// out of searches (exclude_from_search).
//
// # The signature
//
// X-WC-Webhook-Signature is HMAC-SHA256 over the body, in base64, by the secret as the
// page shows it. No time is signed: a webhook that somebody recorded is good for ever, and
// is a repeat. The headers are not signed. X-WC-Webhook-Topic says how a body is read,
// and no body of one topic can be read as another's. X-WC-Webhook-Source has to name the
// account's shop: a copy of the shop, made to try something, has the same secret and the
// same order numbers, and sends its orders here. They are refused, and told.
//
// The request by which WooCommerce tries an address (webhook_id=27, as a form) is not
// signed. It is answered 200 at every address, and nothing is done.
//
// # Refunds
//
// An order with the status refunded, or cancelled after it was paid, returns all of it. Of
// a part, the shop says how many units of which lines: those are returned, each refund
// once. A line whose refunds make up what was paid for it, with tax, is returned, whatever
// units they name. Any other money of a line, without units, takes nothing: it stands in its
// history, and the merchant is asked, once. A refund that names no line, and each one if there is no key here, is an
// amount: the price of one or more units of an order of one line returns so many; of any
// other a person decides. WooCommerce tells of no disputes.
//
// A return is final. An order that was cancelled or refunded, and is set back to a paid
// status, gets no keys again by itself: it may have been a mistake, or a customer who has
// both the money and the keys. You are told by mail, once for each return, and
// GET /v1/refusals and the history of its lines say so. If the customer is to have keys,
// fulfil the order by hand, with POST /v1/orders/{order}/fulfil. It is known by
// date_modified_gmt, which is later than that of the return, and by the refund, which the
// order does not list any more. A webhook of before the cancellation that comes late, and
// an edit of an order that lists the refund still, are not told.
//
// # Decisions
//
// All that was received is answered 200, and 4xx is for a signature and a size alone. An order
// that waits for the shop's answer is answered 200 as well: six refusals in a row would switch
// the webhook off, and with it the orders that need no call. It waits for the next look, since
// the shop would not answer one that is asked for at once. What could not be stored is answered
// 503, though WooCommerce does not repeat it: its log shows it, one failure switches nothing off,
// and catch-up finds the order. An order that waits and last changed before the account delivers,
// or has a status of the shop's own, is answered 503 too: catch-up does not list it, or may not. A key that does not serve is no reason to wait:
// refunds are amounts then.
//
// Catch-up lists orders of any status (status=any), and goes on after those of which nothing
// follows. Thousands of orders that failed would be read again at each look otherwise, and a list
// of the paid statuses misses the refund of an order that is on hold.
//
// Keypool makes no webhooks by the REST API. Their secret has to be known to who makes
// them, and catch-up, which would, opens no signing secrets: a key that can only read is
// worth more. Disabled webhooks are told and not lifted, since a person may have stopped
// them.
//
// Full refunds are known by the status, under an id of their own: an order may have
// several refunds, and one set to refunded by hand has one without lines. Disputes are
// not guessed from the status on-hold. Completing the order in the shop, and stock, are
// not touched.
//
// Sources: WooCommerce 10.9.1 (class-wc-webhook.php, REST API v3) and
// woocommerce/woocommerce-rest-api-docs; WooCommerce Subscriptions' _subscription_renewal
// and its REST API; WooPayments and PayPal Payments for the modes. Not documented:
// orderby=modified, and which statuses are any, read in the code.
package woocommerce
