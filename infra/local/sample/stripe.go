package sample

import (
	"cmp"
	"errors"
	"strings"
	"time"

	adapter "keypool/shared/platform/stripe"
)

// stripe is Stripe. A session and what belongs to it have one name:
//
//	cs_live_a1: its payment is pi_a1, its charge ch_a1, the refund re_a1, the dispute dp_a1,
//	the subscription sub_a1, whose first invoice is in_a1 and whose renewal in_a1r
var stripe = Platform{
	Name: adapter.Name, file: "stripe", testAt: "/livemode", testIs: "false", BySecret: true, unlisted: map[string]bool{"twice": true},
	KindAt: "/type", Kinds: []string{"checkout.session.completed", "checkout.session.async_payment_succeeded", "invoice.paid", "charge.refunded", "refund.updated", "refund.failed", "charge.dispute.created", "charge.dispute.closed"},
	Credentials: func(random, _ string) map[string]string {
		return map[string]string{"live_key": "rk_live_" + random, "test_key": "rk_test_" + random}
	},
	Secret: func(random string) string { return "whsec_" + random },
	ID: func(random string, test bool) string {
		if test {
			return "cs_test_" + random
		}
		return "cs_live_" + random
	},
	CheckID: func(id string) error {
		if StripeName(id) == "" {
			return errors.New("is the id of a Checkout session, such as cs_live_a1, or cs_test_a1 of a test order")
		}
		return nil
	},
	about: func(body any, o Order) (values, string) {
		v := values{}
		if o.Test {
			v["/livemode"], v["/data/object/livemode"] = false, false
		}
		v.put(o.Email, "/data/object/customer_details/email", "/data/object/customer_email")
		v.put(seconds(o.PaidAt), "/created", "/data/object/created", "/data/object/status_transitions/paid_at")
		kind := member(body, "/data/object/object")
		if o.Quantity > 0 {
			v.put(o.Quantity, "/data/object/lines/data/0/quantity")
			if whole := member(body, "/data/object/amount_refunded"); whole != member(body, "/data/object/amount") {
				v.put(StripePrice, "/data/object/amount_refunded") // one unit, of however many
			} else {
				v.put(StripePrice*o.Quantity, "/data/object/amount_refunded")
			}
			if kind != "refund" { // which is of one unit
				v.put(StripePrice*o.Quantity, "/data/object/amount", "/data/object/amount_captured", "/data/object/amount_subtotal", "/data/object/amount_total")
			}
		}
		order := cmp.Or(o.ID, member(body, "/data/object/id"))
		name := StripeName(o.ID)
		if name == "" {
			return v, order
		}
		v.put("evt_"+name+"_"+strings.ReplaceAll(member(body, "/type"), ".", "_"), "/id")
		v.put("ch_"+name, "/data/object/charge")
		v.put("price_"+name, "/data/object/lines/data/0/pricing/price_details/price", "/data/object/lines/data/0/price/id")
		v.put("prod_"+name, "/data/object/lines/data/0/pricing/price_details/product", "/data/object/lines/data/0/price/product")
		v.put("sub_"+name, "/data/object/parent/subscription_details/subscription", "/data/object/lines/data/0/parent/subscription_item_details/subscription",
			"/data/object/lines/data/0/subscription")
		if member(body, "/data/object/payment_intent") != "" {
			v.put("pi_"+name, "/data/object/payment_intent")
		}
		if member(body, "/data/object/subscription") != "" {
			v.put("sub_"+name, "/data/object/subscription")
		}
		if member(body, "/data/object/invoice") != "" {
			v.put("in_"+name, "/data/object/invoice")
		}
		switch kind {
		case "checkout.session":
			v.put(o.ID, "/data/object/id")
		case "invoice":
			order = "in_" + name
			if member(body, "/data/object/billing_reason") == "subscription_cycle" {
				order += "r"
			}
			v.put(order, "/data/object/id")
			v.put("cus_"+name, "/data/object/customer")
		case "charge":
			v.put("ch_"+name, "/data/object/id")
		case "refund":
			v.put("re_"+name, "/data/object/id")
		case "dispute":
			v.put("dp_"+name, "/data/object/id")
		}
		return v, order
	},
	sign: func(w *Webhook, key []byte, at time.Time) error {
		w.Header.Set("Stripe-Signature", adapter.Sign(key, at, w.Body))
		return nil
	},
}

// StripePrice is the price of a unit in Stripe's samples, in cents.
const StripePrice = 5999

// StripeName returns the part that all ids of a Checkout session and what belongs to it
// have in common, empty if the id is none of a session.
func StripeName(id string) string {
	for _, prefix := range []string{"cs_live_", "cs_test_"} {
		if name, ok := strings.CutPrefix(id, prefix); ok && name != "" && strings.Trim(name, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
			return name
		}
	}
	return ""
}
