package shopify_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"keypool/infra/proof/apitest"
	"keypool/infra/proof/platformtest"
	"keypool/infra/proof/shopifyapi"
	"keypool/shared/platform/shopify"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	platformtest.Run(t, conformance(t))
}

// The orders that catch-up finds, in the stand-in of the shop's API, are those that webhooks
// tell of. Webhooks do not ask there themselves: so many at once would wait for each other.
func TestCatchup(t *testing.T) {
	t.Parallel()
	p := conformance(t)
	p.Credentials = map[string]string{"client_id": appID, "client_secret": appSecret}
	p.Settings = account(`"fraud_risk":"ignore"`).Settings
	platformtest.RunCatchup(t, p, func(t testing.TB, n *platformtest.Network) platformtest.World {
		w, _ := open(t)
		w.orders, w.points = nil, 1e9
		for _, topic := range []string{"ORDERS_PAID", "REFUNDS_CREATE", "ORDERS_CANCELLED"} {
			w.webhooks = append(w.webhooks, object{"id": "1", "topic": topic, "uri": "https://api.example.com/webhooks/acme/shop", "format": "JSON"})
		}
		return platformtest.World{Adapter: shopify.Through(apitest.Serve(t, n.Before(w))), Put: w.put, Spoil: w.spoil}
	})
}

// put shows an order of the run in the API.
func (w *world) put(o platformtest.Order, changedAt time.Time, refunded bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	paid := o.PaidAt.Format(time.RFC3339)
	bought := line(strconv.Itoa(100+o.N), o.Quantity).With(object{"variant": object{"id": shopifyapi.GID("ProductVariant", o.Product)}, "name": "The Game", "sku": ""})
	shown := order(strconv.Itoa(orderOf(o)), changedAt, bought).With(object{
		"createdAt": paid, "processedAt": paid, "email": o.Email, "test": o.Test, "transactions": []object{transaction("SALE", "SUCCESS", "59.99").With(object{"processedAt": paid})},
	})
	if refunded {
		bought["currentQuantity"] = 0
		shown["displayFinancialStatus"] = "REFUNDED"
		shown["refunds"] = []object{refund(strconv.Itoa(5000+10*o.N), bought, o.Quantity, transaction("REFUND", "SUCCESS", "59.99"))}
	}
	w.orders = append(slices.DeleteFunc(w.orders, func(other object) bool { return other["id"] == shown["id"] }), shown)
}

// spoil shows an order of the run in the API whose line says no quantity.
func (w *world) spoil(o platformtest.Order, changedAt time.Time) {
	w.put(o, changedAt, false)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.orders[len(w.orders)-1]["lineItems"].([]object)[0]["quantity"] = "two"
}

// conformance is the platform in the runs that all platforms have.
func conformance(t *testing.T) platformtest.Platform {
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
	return platformtest.Platform{
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
			platformtest.AmountRefunded: func(o platformtest.Order) platformtest.Webhook {
				return event("refunds/create", object{
					"id": 5000 + 10*o.N + o.Refund, "order_id": orderOf(o), "created_at": o.PaidAt, "refund_line_items": []object{},
					"transactions": []object{{"kind": "refund", "status": "success", "amount": "30.00", "currency": "EUR", "test": o.Test}},
				})
			},
			platformtest.RefundFailed: func(o platformtest.Order) platformtest.Webhook { return back(o, o.Quantity, "failure") },
			platformtest.DisputeOpened: func(o platformtest.Order) platformtest.Webhook {
				return disputed(o, "disputes/create", "needs_response")
			},
			platformtest.DisputeWon:  func(o platformtest.Order) platformtest.Webhook { return disputed(o, "disputes/update", "won") },
			platformtest.DisputeLost: func(o platformtest.Order) platformtest.Webhook { return disputed(o, "disputes/update", "lost") },
			platformtest.Concerns:    func(o platformtest.Order) platformtest.Webhook { return event("orders/updated", body(o)) },
			platformtest.Unheard:     func(o platformtest.Order) platformtest.Webhook { return event("orders/reticulated", body(o)) },
			platformtest.Unreadable: func(o platformtest.Order) platformtest.Webhook {
				return event("orders/paid", body(o).With(object{"line_items": nil}))
			},
		},
	}
}

// orderOf is the id of an order: that of a test order is another's, as Shopify has one
// sequence for both.
func orderOf(o platformtest.Order) int {
	if o.Test {
		return 820982911946150000 + o.N
	}
	return 820982911946160000 + o.N
}
