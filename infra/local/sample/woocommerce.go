package sample

import (
	"cmp"
	"encoding/json"
)

// woocommerce is a WooCommerce shop at shop.example.com, whose products are named by their
// SKU, so that any product of Keypool's can be sold. Of an order 7, the renewal is 72, and
// the subscription 71.
var woocommerce = Platform{
	Name: "woocommerce", file: "woocommerce", testAt: "/meta_data/2/value", testIs: "test", TestBySample: true,
	unlisted: map[string]bool{"staging": true, "ping": true, "not_allowed": true},
	KindAt:   "X-WC-Webhook-Topic", Kinds: []string{"order.updated", "order.created"},
	Settings: json.RawMessage(`{"shop": "https://shop.example.com", "product": "sku"}`),
	Credentials: func(random, _ string) map[string]string {
		return map[string]string{"consumer_key": "ck_" + random + random[:8], "consumer_secret": "cs_" + random[8:] + random[:16]}
	},
	Secret:  func(random string) string { return random },
	ID:      func(random string, _ bool) string { return random },
	CheckID: digits,
	about: func(body any, o Order) (values, string) {
		v := values{}
		order := cmp.Or(o.ID, member(body, "/id"))
		if o.ID != "" && member(body, "/created_via") == "subscription" {
			v.put(o.ID+"1", "/meta_data/2/value")
			order = o.ID + "2"
		}
		if o.ID != "" && member(body, "/status") != "publish" { // not a product
			v.put(order, "/id", "/number")
		}
		v.put(o.Email, "/billing/email")
		v.put(o.Product, "/line_items/0/sku")
		v.put(o.Quantity, "/line_items/0/quantity")
		v.put(stamp(o.PaidAt, "2006-01-02T15:04:05"), "/date_created", "/date_created_gmt", "/date_modified", "/date_modified_gmt", "/date_paid", "/date_paid_gmt")
		if member(body, "/date_paid_gmt") == "" { // it is not paid
			delete(v, "/date_paid")
			delete(v, "/date_paid_gmt")
		}
		return v, order
	},
	sign: signBody("X-WC-Webhook-Signature"),
}
