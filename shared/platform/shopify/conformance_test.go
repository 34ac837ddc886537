package shopify_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"keypool/infra/proof/platformtest"
	"keypool/shared/platform/shopify"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	event := func(topic string, body object) platformtest.Webhook {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		h.Set("X-Shopify-Topic", topic)
		h.Set("X-Shopify-Shop-Domain", shop)
		return platformtest.Webhook{Header: h, Body: text}
	}
	item := func(o platformtest.Order) object {
		return object{
			"id": 100 + o.N, "variant_id": json.Number(o.Product), "product_id": 9, "sku": "", "name": "The Game", "quantity": o.Quantity, "current_quantity": o.Quantity,
			"price": "59.99", "requires_shipping": false, "gift_card": false,
		}
	}
	body := func(o platformtest.Order) object {
		return object{
			"id": orderOf(o), "test": o.Test, "financial_status": "paid", "created_at": o.PaidAt, "processed_at": o.PaidAt, "updated_at": o.PaidAt, "cancelled_at": nil,
			"currency": "EUR", "email": o.Email, "line_items": []object{item(o)}, "refunds": []object{},
		}
	}
	back := func(o platformtest.Order, quantity int, status string) platformtest.Webhook {
		return event("refunds/create", object{
			"id": 5000 + 10*o.N + o.Refund, "order_id": orderOf(o), "created_at": o.PaidAt,
			"refund_line_items": []object{{"line_item_id": 100 + o.N, "quantity": quantity, "line_item": item(o)}},
			"transactions":      []object{{"kind": "refund", "status": status, "amount": "59.99", "currency": "EUR", "test": o.Test}},
		})
	}
	disputed := func(o platformtest.Order, topic, status string) platformtest.Webhook {
		return event(topic, object{"id": 7000 + 10*o.N + o.Refund, "order_id": orderOf(o), "type": "chargeback", "status": status, "initiated_at": o.PaidAt})
	}
	platformtest.Run(t, platformtest.Platform{
		Name: "shopify", Adapter: shopify.New(), Settings: account().Settings, Replays: true,
		Secrets:   [3]string{appSecret, handSecret, "shpss_of_a_former_app_0123456789"},
		Signature: "X-Shopify-Hmac-Sha256",
		Sign: func(key []byte, w platformtest.Webhook, _ time.Time) platformtest.Webhook {
			w.Header.Set("X-Shopify-Hmac-Sha256", shopify.Sign(key, w.Body))
			return w
		},
		Events: map[platformtest.Kind]func(platformtest.Order) platformtest.Webhook{
			platformtest.Paid:           func(o platformtest.Order) platformtest.Webhook { return event("orders/paid", body(o)) },
			platformtest.Refunded:       func(o platformtest.Order) platformtest.Webhook { return back(o, o.Quantity, "success") },
			platformtest.PartlyRefunded: func(o platformtest.Order) platformtest.Webhook { return back(o, o.Quantity, "success") },
			platformtest.RefundFailed:   func(o platformtest.Order) platformtest.Webhook { return back(o, o.Quantity, "failure") },
			platformtest.DisputeOpened: func(o platformtest.Order) platformtest.Webhook {
				return disputed(o, "disputes/create", "needs_response")
			},
			platformtest.DisputeWon:  func(o platformtest.Order) platformtest.Webhook { return disputed(o, "disputes/update", "won") },
			platformtest.DisputeLost: func(o platformtest.Order) platformtest.Webhook { return disputed(o, "disputes/update", "lost") },
			platformtest.Concerns:    func(o platformtest.Order) platformtest.Webhook { return event("orders/updated", body(o)) },
			platformtest.Unheard:     func(o platformtest.Order) platformtest.Webhook { return event("orders/reticulated", body(o)) },
			platformtest.Unreadable: func(o platformtest.Order) platformtest.Webhook {
				return event("orders/paid", body(o).and(object{"line_items": nil}))
			},
		},
	})
}

// orderOf is the id of an order: that of a test order is another's, as Shopify has one
// sequence for both.
func orderOf(o platformtest.Order) int {
	if o.Test {
		return 820982911946150000 + o.N
	}
	return 820982911946160000 + o.N
}
