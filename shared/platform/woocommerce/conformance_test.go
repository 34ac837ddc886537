package woocommerce_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/apitest"
	"keypool/infra/proof/platformtest"
	"keypool/shared/outbound"
	"keypool/shared/platform"
	"keypool/shared/platform/woocommerce"
)

const withoutZone = "2006-01-02T15:04:05"

// conformance is the shop of the run: its orders have one line each, of 60.00 a unit.
func conformance() platformtest.Platform {
	updated := func(o platformtest.Order, members object) platformtest.Webhook {
		return of("order.updated", sold(o, o.PaidAt).and(members))
	}
	return platformtest.Platform{
		Name: "woocommerce", Adapter: conforming{woocommerce.Through(outbound.Through(answering(byTheBody)))},
		Settings:    json.RawMessage(forUs),
		Credentials: map[string]string{"consumer_key": key, "consumer_secret": keyKey},
		Secrets:     [3]string{secret, "the second secret of the account", "the third secret of the account"},
		Signature:   "X-WC-Webhook-Signature",
		Sign: func(key []byte, w platformtest.Webhook, _ time.Time) platformtest.Webhook {
			signed := platformtest.Webhook{Header: w.Header.Clone(), Body: w.Body}
			signed.Header.Set("X-WC-Webhook-Signature", woocommerce.Sign(key, w.Body))
			return signed
		},
		Replays: true,
		Events: map[platformtest.Kind]func(platformtest.Order) platformtest.Webhook{
			platformtest.Paid:     func(o platformtest.Order) platformtest.Webhook { return updated(o, nil) },
			platformtest.Refunded: func(o platformtest.Order) platformtest.Webhook { return updated(o, object{"status": "refunded"}) },
			platformtest.PartlyRefunded: func(o platformtest.Order) platformtest.Webhook {
				refund := object{"id": 8000 + 10*o.N + o.Refund, "total": "-60.00"}
				return updated(o, object{"status": "on-hold", "refunds": []object{refund}}) // not paid again by the same webhook
			},
			platformtest.Concerns: func(o platformtest.Order) platformtest.Webhook {
				return of("order.created", sold(o, o.PaidAt).and(object{"date_paid_gmt": nil, "status": "on-hold"}))
			},
			platformtest.Unheard:    func(o platformtest.Order) platformtest.Webhook { return of("order.settled", sold(o, o.PaidAt)) },
			platformtest.Unreadable: func(o platformtest.Order) platformtest.Webhook { return updated(o, object{"date_paid_gmt": "soon"}) },
		},
	}
}

// of returns a webhook of a topic.
func of(topic string, body object) platformtest.Webhook {
	w := platformtest.Webhook{Header: http.Header{}, Body: []byte(encoded(body))}
	w.Header.Set("X-WC-Webhook-Topic", topic)
	w.Header.Set("X-WC-Webhook-Source", "https://shop.example.com/")
	return w
}

// sold returns an order as the shop shows it, changed at a time.
func sold(o platformtest.Order, changedAt time.Time) object {
	meta := []object{}
	if o.Test {
		meta = []object{{"id": 1, "key": "_wcpay_mode", "value": "test"}}
	}
	return object{
		"id": 700 + o.N, "status": "processing", "currency": "EUR", "meta_data": meta, "refunds": []object{},
		"date_paid_gmt": o.PaidAt.Format(withoutZone), "date_modified_gmt": changedAt.Format(withoutZone),
		"billing": object{"first_name": "Ada", "last_name": "Byron", "email": o.Email},
		"line_items": []object{{
			"id": 3000 + o.N, "name": "The Game", "product_id": 93, "variation_id": json.Number(o.Product), "quantity": o.Quantity,
			"total": fmt.Sprintf("%d.00", 60*o.Quantity), "total_tax": "0.00", "meta_data": []object{},
		}},
	}
}

func encoded(body any) string {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // texts and numbers always encode
	}
	return string(text)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	platformtest.Run(t, conformance())
}

// The shop loses webhooks, is away for days, limits its callers and has hundreds of orders
// edited at once.
func TestCatchup(t *testing.T) {
	t.Parallel()
	platformtest.RunCatchup(t, conformance(), func(t testing.TB, n *platformtest.Network) platformtest.World {
		w := emptyWorld(t)
		for _, topic := range []string{"order.created", "order.updated"} {
			w.webhooks = append(w.webhooks, object{"id": 27, "status": "active", "topic": topic, "delivery_url": "https://api.example.com/webhooks/acme/shop"})
		}
		return platformtest.World{
			Adapter: woocommerce.Through(apitest.Serve(t, n.Before(w))),
			Put: func(o platformtest.Order, changedAt time.Time, refunded bool) {
				shown := sold(o, changedAt)
				if refunded {
					shown["status"] = "refunded"
					shown["refunds"] = []object{{"id": 8000 + o.N, "reason": "Order fully refunded.", "total": "-60.00"}}
				}
				w.put(shown)
			},
			Spoil: func(o platformtest.Order, changedAt time.Time) {
				shown := sold(o, changedAt)
				shown["line_items"].([]object)[0]["id"] = "one"
				w.put(shown)
			},
			Partly: func(o platformtest.Order, changedAt time.Time) platformtest.Webhook {
				back := 8000 + o.N
				shown := sold(o, changedAt).and(object{"refunds": []object{{"id": back, "reason": "", "total": "-60.00"}}})
				w.put(shown)
				w.refunds[strconv.Itoa(700+o.N)] = []object{refund(back, "60.00", refunded(strconv.Itoa(3000+o.N), -1, "-60.00"))}
				return of("order.updated", shown)
			},
		}
	})
}

// conforming is the adapter, whose shop knows the webhook that is being decoded: the cases
// of the run sell different things under the same numbers, side by side.
type conforming struct{ woocommerce.Adapter }

type bodyKey struct{}

func (c conforming) Decode(ctx context.Context, r platform.Request, a platform.Account) ([]platform.Event, error) {
	return c.Adapter.Decode(context.WithValue(ctx, bodyKey{}, r.Body), r, a)
}

// byTheBody answers a call for the refunds of an order by those that the webhook tells: each
// of as many units of its line as that has.
func byTheBody(r *http.Request) string {
	var order struct {
		Refunds []struct{ ID int }
		Lines   []struct{ ID, Quantity int } `json:"line_items"`
	}
	body, _ := r.Context().Value(bodyKey{}).([]byte)
	if json.Unmarshal(body, &order) != nil || len(order.Lines) == 0 || !strings.HasSuffix(r.URL.Path, "/refunds") {
		return "" // which the adapter cannot read
	}
	all := []object{}
	for _, told := range order.Refunds {
		all = append(all, refund(told.ID, "60.00", refunded(strconv.Itoa(order.Lines[0].ID), -order.Lines[0].Quantity, "-60.00")))
	}
	return encoded(all)
}
