package sample

import (
	"cmp"
	"errors"
	"strconv"
	"strings"
	"time"

	adapter "keypool/shared/platform/paddle"
)

// paddle is Paddle Billing. A transaction and what belongs to it have one number:
//
//	txn_01…07: its line item is txnitm_01…07, its customer ctm_01…07, its subscription
//	sub_01…07, whose renewal is txn_02…07
var paddle = Platform{
	Name: adapter.Name, file: "paddle", BySecret: true, unlisted: map[string]bool{"twice": true},
	KindAt: "/event_type", Kinds: []string{"transaction.completed", "adjustment.created", "adjustment.updated"},
	Credentials: func(random, _ string) map[string]string {
		return map[string]string{"live_key": "pdl_live_apikey_01ofthesamples_" + random + "_AAA", "test_key": "pdl_sdbx_apikey_01ofthesamples_" + random + "_BBB"}
	},
	Secret: func(random string) string { return "pdl_ntfset_01ofthesamples_" + random },
	ID:     func(random string, _ bool) string { return paddleID("txn_01", random) },
	CheckID: func(id string) error {
		if PaddleNumber(id) == "" {
			return errors.New("is the id of a transaction, of digits, such as " + paddleID("txn_01", "7"))
		}
		return nil
	},
	about: func(body any, o Order) (values, string) {
		v := values{}
		const line = "/data/details/line_items/0"
		v.put(o.Email, "/data/custom_data/email")
		v.put(o.Quantity, "/data/items/0/quantity", line+"/quantity")
		if each, err := strconv.Atoi(member(body, line+"/unit_totals/total")); err == nil && o.Quantity > 0 {
			v.put(strconv.Itoa(each*o.Quantity), line+"/totals/subtotal", line+"/totals/total", "/data/details/totals/subtotal", "/data/details/totals/total",
				"/data/details/totals/grand_total", "/data/payments/0/amount")
		}
		v.put(stamp(o.PaidAt, time.RFC3339), "/occurred_at", "/data/billed_at", "/data/payments/0/captured_at", "/data/updated_at")
		if o.Product != "" {
			v.put(map[string]string{"keypool_product": o.Product}, line+"/product/custom_data")
		}
		order := cmp.Or(member(body, "/data/transaction_id"), member(body, "/data/id"))
		n := PaddleNumber(o.ID)
		if n == "" {
			return v, order
		}
		order = o.ID
		if member(body, "/data/origin") == "subscription_recurring" {
			order = "txn_02" + n
		}
		if strings.HasPrefix(member(body, "/data/id"), "txn_") {
			v.put(order, "/data/id")
		}
		v.put(order, "/data/transaction_id")
		v.put("txnitm_"+strings.TrimPrefix(order, "txn_"), line+"/id", "/data/items/0/item_id", "/data/items/1/item_id")
		v.put("ctm_01"+n, "/data/customer_id")
		if member(body, "/data/subscription_id") != "" {
			v.put("sub_01"+n, "/data/subscription_id")
		}
		return v, order
	},
	sign: func(w *Webhook, key []byte, at time.Time) error {
		w.Header.Set("Paddle-Signature", adapter.Sign(key, at, w.Body))
		return nil
	},
}

// paddleID returns an id of Paddle's, which has 26 characters after its kind.
func paddleID(kind, digits string) string { return kind + strings.Repeat("0", 24-len(digits)) + digits }

// PaddleNumber returns the digits that the ids of a transaction and what belongs to it have
// in common, empty if the id is none of a transaction of the samples.
func PaddleNumber(id string) string {
	for _, prefix := range []string{"txn_01", "txn_02", "sub_01", "ctm_01"} {
		if n, ok := strings.CutPrefix(id, prefix); ok && len(n) == 24 && strings.Trim(n, "0123456789") == "" {
			return n
		}
	}
	return ""
}
