package stripe_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/platformtest"
	"keypool/shared/platform"
	"keypool/shared/platform/stripe"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	event := func(kind string, o platformtest.Order, about object) platformtest.Webhook {
		order, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(object{
			"id": "evt_1", "object": "event", "api_version": "2026-08-26.dahlia", "created": o.PaidAt.Unix(), "livemode": !o.Test, "type": kind,
			"data": object{"object": about.and(object{"livemode": !o.Test, "metadata": object{"order": string(order), "kind": kind}})},
		})
		if err != nil {
			t.Fatal(err)
		}
		return platformtest.Webhook{Body: body}
	}
	session := func(o platformtest.Order) object {
		return object{
			"id": sessionOf(o), "object": "checkout.session", "mode": "payment", "payment_status": "paid", "created": o.PaidAt.Unix(),
			"currency": "eur", "payment_intent": "pi_c", "customer_details": object{"email": o.Email, "name": "Ada Byron"},
		}
	}
	charge := func(o platformtest.Order) object {
		return object{"id": "ch_c", "amount": 5999 * o.Quantity, "payment_intent": "pi_c"}
	}
	disputed := func(o platformtest.Order, status string) object {
		return object{"id": fmt.Sprintf("dp_c%d_%d", o.N, o.Refund), "status": status, "charge": "ch_c", "payment_intent": "pi_c"}
	}
	platformtest.Run(t, platformtest.Platform{
		Name: "stripe", Adapter: conforming{stripe.Through(through(byTheBody))},
		Credentials: map[string]string{"live_key": liveKey, "test_key": testKey},
		Secrets:     [3]string{liveSecret, "whsec_second_secret_of_the_account", "whsec_third_secret_of_the_account"},
		TestSecret:  testSecret,
		Signature:   "stripe-signature",
		Sign: func(key []byte, w platformtest.Webhook, at time.Time) platformtest.Webhook {
			w.Header = http.Header{}
			w.Header.Set("Stripe-Signature", stripe.Sign(key, at, w.Body))
			return w
		},
		Events: map[platformtest.Kind]func(platformtest.Order) platformtest.Webhook{
			platformtest.Paid: func(o platformtest.Order) platformtest.Webhook {
				return event("checkout.session.completed", o, session(o))
			},
			platformtest.Refunded: func(o platformtest.Order) platformtest.Webhook { return event("charge.refunded", o, charge(o)) },
			platformtest.AmountRefunded: func(o platformtest.Order) platformtest.Webhook {
				return event("refund.updated", o, object{"id": refundOf(o), "charge": "ch_c", "payment_intent": "pi_c"})
			},
			platformtest.RefundFailed: func(o platformtest.Order) platformtest.Webhook {
				return event("refund.failed", o, object{"id": refundOf(o), "charge": "ch_c", "payment_intent": "pi_c"})
			},
			platformtest.DisputeOpened: func(o platformtest.Order) platformtest.Webhook {
				return event("charge.dispute.created", o, disputed(o, "needs_response"))
			},
			platformtest.DisputeWon: func(o platformtest.Order) platformtest.Webhook {
				return event("charge.dispute.closed", o, disputed(o, "won"))
			},
			platformtest.DisputeLost: func(o platformtest.Order) platformtest.Webhook {
				return event("charge.dispute.closed", o, disputed(o, "lost"))
			},
			platformtest.Concerns: func(o platformtest.Order) platformtest.Webhook {
				return event("payment_intent.succeeded", o, object{"id": "pi_1", "object": "payment_intent"})
			},
			platformtest.Unreadable: func(o platformtest.Order) platformtest.Webhook {
				return event("checkout.session.completed", o, session(o).and(object{"payment_status": nil}))
			},
		},
	})
}

func sessionOf(o platformtest.Order) string { return fmt.Sprintf("cs_c%d", o.N) }

func refundOf(o platformtest.Order) string { return fmt.Sprintf("re_c%d_%d", o.N, o.Refund) }

// conforming is the adapter, whose API knows the webhook that is being decoded: the cases
// of the run sell different things under the same numbers, side by side.
type conforming struct{ stripe.Adapter }

type bodyKey struct{}

func (c conforming) Decode(ctx context.Context, r platform.Request, a platform.Account) ([]platform.Event, error) {
	return c.Adapter.Decode(context.WithValue(ctx, bodyKey{}, r.Body), r, a)
}

// byTheBody answers a call about an order by what the webhook's metadata say of it, which
// the adapter does not read.
func byTheBody(r *http.Request) string {
	var event struct {
		Data struct {
			Object struct {
				Metadata struct{ Order, Kind string }
			}
		}
	}
	var o platformtest.Order
	body, _ := r.Context().Value(bodyKey{}).([]byte)
	if json.Unmarshal(body, &event) != nil || json.Unmarshal([]byte(event.Data.Object.Metadata.Order), &o) != nil {
		return "" // which the adapter cannot read
	}
	status, amount := "succeeded", 5999*o.Quantity
	if event.Data.Object.Metadata.Kind == "refund.failed" {
		status = "failed"
	}
	back := amount
	if event.Data.Object.Metadata.Kind == "refund.updated" {
		back = 3000
	}
	var found object
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/line_items"):
		found = item("li_1", price("price_"+o.Product, "prod_"+o.Product, "The Game").and(object{"metadata": object{"keypool_product": o.Product}}), o.Quantity, amount)
	case path == "/v1/checkout/sessions":
		found = object{"id": sessionOf(o), "payment_intent": "pi_c", "livemode": !o.Test}
	case path == "/v1/refunds":
		found = refund(refundOf(o), back, status, int(o.PaidAt.Unix())).and(object{"charge": "ch_c"})
	case strings.HasPrefix(path, "/v1/charges/"):
		return encoded(object{"id": "ch_c", "amount": amount, "amount_captured": amount, "livemode": !o.Test, "payment_intent": "pi_c"})
	}
	return encoded(object{"object": "list", "has_more": false, "data": []object{found}})
}

func encoded(body object) string {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // texts and numbers always encode
	}
	return string(text)
}
