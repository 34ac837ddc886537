package paddle_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/platformtest"
	"keypool/shared/platform"
	"keypool/shared/platform/paddle"
)

// sample is an order of the run as the custom data of its webhooks carry it.
type sample struct {
	platformtest.Order
	Kind string
}

func TestConformance(t *testing.T) {
	t.Parallel()
	adjusted := func(action, status, of string, items ...any) func(platformtest.Order) platformtest.Webhook {
		return func(o platformtest.Order) platformtest.Webhook {
			a := adjustment(o, action, status)
			a["type"], a["custom_data"] = of, object{"sample": encoded(sample{o, action})}
			if items != nil {
				a["items"] = items
			}
			return webhookOf("adjustment.updated", o, a)
		}
	}
	platformtest.Run(t, platformtest.Platform{
		Name: "paddle", Adapter: conforming{paddle.Adapter{API: through(byTheBody)}},
		Credentials: map[string]string{"live_key": liveKey, "test_key": testKey},
		Secrets:     [3]string{liveSecret, "pdl_ntfset_01second_secretOfTheAccount000000000002", "pdl_ntfset_01third_secretOfTheAccount000000000003"},
		TestSecret:  testSecret,
		Signature:   "paddle-signature", Sign: sign,
		Events: map[platformtest.Kind]func(platformtest.Order) platformtest.Webhook{
			platformtest.Paid: func(o platformtest.Order) platformtest.Webhook {
				return webhookOf("transaction.completed", o, transaction(o))
			},
			platformtest.Refunded: adjusted("refund", "approved", "full"),
			platformtest.PartlyRefunded: func(o platformtest.Order) platformtest.Webhook {
				total := strconv.Itoa(5999 * o.Quantity)
				item := object{"id": id("adjitm", 100*o.N+o.Refund), "item_id": id("txnitm", o.N), "type": "partial", "amount": total, "totals": object{"total": total}}
				return adjusted("refund", "approved", "partial", item)(o)
			},
			platformtest.AmountRefunded: func(o platformtest.Order) platformtest.Webhook {
				a := adjustment(o, "refund", "approved").and(object{"type": "partial", "totals": object{"total": "3000"}, "custom_data": object{"sample": encoded(sample{o, "refund"})}})
				return webhookOf("adjustment.updated", o, a)
			},
			platformtest.RefundFailed:  adjusted("refund", "reversed", "full"),
			platformtest.DisputeOpened: adjusted("chargeback", "approved", "full"),
			platformtest.DisputeWon: func(o platformtest.Order) platformtest.Webhook {
				w := adjusted("chargeback_reverse", "approved", "full")(o)
				w.Body = []byte(strings.Replace(string(w.Body), adjustmentOf(o), id("adj", 5000+o.N), 1)) // is an adjustment of its own
				return w
			},
			platformtest.Concerns: func(o platformtest.Order) platformtest.Webhook {
				return webhookOf("transaction.paid", o, transaction(o))
			},
			platformtest.Unheard: func(o platformtest.Order) platformtest.Webhook {
				return webhookOf("transaction.completed", o, transaction(o).and(object{"origin": "kiosk"}))
			},
			platformtest.Unreadable: func(o platformtest.Order) platformtest.Webhook {
				return webhookOf("transaction.completed", o, transaction(o).and(object{"status": nil}))
			},
		},
	})
}

func webhookOf(kind string, o platformtest.Order, data object) platformtest.Webhook {
	return platformtest.Webhook{Body: []byte(encoded(object{
		"event_id": id("evt", o.N), "event_type": kind, "occurred_at": o.PaidAt.Format(time.RFC3339Nano), "notification_id": id("ntf", o.N), "data": data,
	}))}
}

func sign(key []byte, w platformtest.Webhook, at time.Time) platformtest.Webhook {
	w.Header = http.Header{}
	w.Header.Set("Paddle-Signature", paddle.Sign(key, at, w.Body))
	return w
}

// transaction returns the order as Paddle has it.
func transaction(o platformtest.Order) object {
	total := strconv.Itoa(5999 * o.Quantity)
	return object{
		"id": id("txn", o.N), "status": "completed", "origin": "web", "currency_code": "EUR", "customer_id": id("ctm", 1),
		"custom_data": object{"sample": encoded(sample{o, "paid"})}, "billed_at": o.PaidAt.Format(time.RFC3339),
		"created_at": o.PaidAt.Format(time.RFC3339), "updated_at": o.PaidAt.Format(time.RFC3339),
		"items": []any{},
		"details": object{"totals": object{"total": total}, "line_items": []any{object{
			"id": id("txnitm", o.N), "price_id": id("pri", 1), "quantity": o.Quantity, "proration": nil, "unit_totals": object{"total": "5999"}, "totals": object{"total": total},
			"product": object{"id": id("pro", 1), "name": "The Game", "custom_data": object{"keypool_product": o.Product}},
		}}},
		"payments": []any{object{"status": "captured", "captured_at": o.PaidAt.Format(time.RFC3339Nano)}},
	}
}

func adjustmentOf(o platformtest.Order) string { return id("adj", 100*o.N+o.Refund) }

func adjustment(o platformtest.Order, action, status string) object {
	total := strconv.Itoa(5999 * o.Quantity)
	at := o.PaidAt.Add(time.Duration(o.Refund) * time.Second).Format(time.RFC3339)
	return object{
		"id": adjustmentOf(o), "action": action, "type": "full", "status": status, "currency_code": "EUR", "transaction_id": id("txn", o.N),
		"items": []any{}, "totals": object{"total": total}, "created_at": at, "updated_at": at,
	}
}

// conforming is the adapter, whose API knows the webhook that is being decoded: the cases
// of the run sell different things under the same numbers, side by side.
type conforming struct{ paddle.Adapter }

type bodyKey struct{}

func (c conforming) Decode(ctx context.Context, r platform.Request, a platform.Account) ([]platform.Event, error) {
	return c.Adapter.Decode(context.WithValue(ctx, bodyKey{}, r.Body), r, a)
}

// byTheBody answers a call about an order by what the webhook's custom data say of it. Of
// an order of which units were refunded, three units were bought.
func byTheBody(r *http.Request) string {
	var event struct {
		Data struct {
			CustomData struct{ Sample string } `json:"custom_data"`
		}
	}
	var of sample
	body, _ := r.Context().Value(bodyKey{}).([]byte)
	if json.Unmarshal(body, &event) != nil || json.Unmarshal([]byte(event.Data.CustomData.Sample), &of) != nil {
		return "" // which the adapter cannot read
	}
	switch {
	case strings.HasPrefix(r.URL.Path, "/transactions/"):
		o := of.Order
		if of.Kind == "refund" {
			o.Quantity = 3
		}
		customer := object{"id": id("ctm", 1), "email": o.Email, "name": "Ada Byron", "locale": "en"}
		return encoded(object{"data": transaction(o).and(object{"customer": customer})})
	case of.Kind == "chargeback_reverse":
		return encoded(object{"data": []any{adjustment(of.Order, "chargeback", "reversed")}})
	}
	return encoded(object{"data": []any{}})
}

func encoded(body any) string {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // texts and numbers always encode
	}
	return string(text)
}
