package sample

import (
	"cmp"
	"errors"
	"time"

	adapter "keypool/shared/platform/noventiq"
)

// noventiq is Noventiq checkout.
var noventiq = Platform{
	Name: adapter.Name, file: "noventiq", BySecret: true,
	KindAt: "/event", Kinds: []string{"order.payment.succeeded", "product.returned", "subscription.cancelled", "subscription.restored", "subscription.renewal_offer_order_accepted", "subscription.renewal_offer_order_cancelled"},
	Secret:  func(random string) string { return random },
	ID:      func(random string, _ bool) string { return random },
	CheckID: digits,
	about: func(body any, o Order) (values, string) {
		v := values{}
		order := o.ID
		if subscription := member(body, "/subscription/id"); subscription != "" && order != "" {
			v.put(order+"_2", "/subscription/id")
			order += "2" // the renewal is an order of its own; the subscription names the first
		}
		v.put(order, "/order_id")
		if order != "" {
			v.put("A"+order, "/order_name")
		}
		v.put(o.Email, "/customer/email")
		v.put(o.Quantity, "/product/quantity")
		v.putProduct(body, o.Product, "/product/id", "/product/vendor_code")
		v.put(stamp(o.PaidAt, time.RFC3339), "/pay_date", "/create_date")
		return v, cmp.Or(order, member(body, "/order_id"))
	},
	sign: func(w *Webhook, key []byte, _ time.Time) error {
		signature, ok := adapter.Sign(key, w.Body)
		if !ok {
			return errors.New("the sample lacks what is signed")
		}
		w.Header.Set("signature", signature)
		return nil
	},
}
