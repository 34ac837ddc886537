package sample

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"
)

// shopify is a Shopify shop with an app, whose secret signs the webhooks that Keypool makes:
// see the guide of its adapter. Products are named by their SKU, so that any product of
// Keypool's can be sold.
var shopify = Platform{
	Name: "shopify", file: "shopify", testAt: "/test", testIs: "true",
	unlisted: map[string]bool{"other_shop": true, "no_address": true},
	KindAt:   "X-Shopify-Topic", Kinds: []string{"orders/paid", "refunds/create", "orders/cancelled", "disputes/create", "disputes/update", "orders/risk_assessment_changed"},
	Settings: json.RawMessage(`{"shop": "acme.myshopify.com", "product": "sku"}`),
	Credentials: func(random, secret string) map[string]string {
		return map[string]string{"client_id": random, "client_secret": secret}
	},
	Secret:  func(random string) string { return "shpss_" + random },
	ID:      func(random string, _ bool) string { return "5" + random },
	CheckID: digits,
	about: func(body any, o Order) (values, string) {
		v := values{}
		order := cmp.Or(member(body, "/order_id"), member(body, "/id"))
		if o.ID != "" {
			order = o.ID
			if member(body, "/order_id") == "" {
				v.put(o.ID, "/id")
				v.put("gid://shopify/Order/"+o.ID, "/admin_graphql_api_id")
				v.put("#"+o.ID, "/name")
			}
			v.put(o.ID, "/order_id", "/transactions/0/order_id", "/order_adjustments/0/order_id", "/refunds/0/order_id")
			v.put("gid://shopify/Order/"+o.ID, "/admin_graphql_api_order_id")
		}
		v.put(o.Email, "/email", "/contact_email", "/customer/email")
		v.put(o.Product, "/line_items/0/sku", "/refund_line_items/0/line_item/sku")
		v.put(stamp(o.PaidAt, time.RFC3339), "/processed_at", "/created_at", "/updated_at")
		if member(body, "/cancelled_at") != "" {
			v.put(stamp(o.PaidAt, time.RFC3339), "/cancelled_at")
		}
		v.put(o.Test, "/test")
		if o.Quantity > 0 && member(body, "/line_items/0/quantity") == member(body, "/line_items/0/current_quantity") {
			v.put(o.Quantity, "/line_items/0/quantity", "/line_items/0/current_quantity", "/line_items/0/fulfillable_quantity")
		}
		if member(body, "/refund_line_items/0/quantity") == member(body, "/refund_line_items/0/line_item/quantity") { // all of the line
			v.put(o.Quantity, "/refund_line_items/0/quantity")
		}
		v.put(o.Quantity, "/refund_line_items/0/line_item/quantity")
		return v, order
	},
	sign: signBody("X-Shopify-Hmac-Sha256"),
}

// signBody returns a function that puts the HMAC of a body in a header, in base64.
func signBody(header string) func(w *Webhook, key []byte, at time.Time) error {
	return func(w *Webhook, key []byte, _ time.Time) error {
		mac := hmac.New(sha256.New, key)
		mac.Write(w.Body)
		w.Header.Set(header, base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		return nil
	}
}
