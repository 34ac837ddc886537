package standin

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"

	"keypool/infra/local/sample"
)

// WooCommerceHost is the shop of the samples.
const WooCommerceHost = "shop.example.com"

// WooCommerce is the REST API of a WooCommerce shop, as far as a webhook asks for it, made
// from its documentation: the refunds of the orders of the samples that were taken, one unit
// of the first line each, and the subscriptions that renewals belong to.
type WooCommerce struct {
	mu            sync.Mutex
	refunds       map[string][]map[string]any // by order
	subscriptions map[string]string           // the orders that they began with
}

// Take makes the API know what a sample is about.
func (s *WooCommerce) Take(w *sample.Webhook, o sample.Order) error {
	var body struct {
		LineItems []struct {
			ID int64 `json:"id"`
		} `json:"line_items"`
		Refunds []struct {
			ID    int64  `json:"id"`
			Total string `json:"total"`
		} `json:"refunds"`
	}
	if err := json.Unmarshal(w.Body, &body); err != nil {
		return nil // no order: nothing is asked for
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refunds == nil {
		s.refunds, s.subscriptions = map[string][]map[string]any{}, map[string]string{}
	}
	if w.Member("/created_via") == "subscription" {
		s.subscriptions[w.Member("/meta_data/2/value")] = o.ID
	}
	s.refunds[w.Order] = nil
	for _, refund := range body.Refunds {
		items := []map[string]any{}
		if len(body.LineItems) > 0 {
			items = append(items, map[string]any{
				"id": refund.ID + 100, "quantity": -1, "total": refund.Total, "meta_data": []any{map[string]any{"id": 1, "key": "_refunded_item_id", "value": body.LineItems[0].ID}},
			})
		}
		s.refunds[w.Order] = append(s.refunds[w.Order], map[string]any{
			"id": refund.ID, "amount": strings.TrimPrefix(refund.Total, "-"), "date_created_gmt": w.Member("/date_modified_gmt"), "line_items": items,
		})
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (s *WooCommerce) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, secret, ok := r.BasicAuth()
	if !ok || !strings.HasPrefix(key, "ck_") || !strings.HasPrefix(secret, "cs_") {
		http.Error(w, `{"code":"woocommerce_rest_cannot_view","message":"Sorry, you cannot list resources.","data":{"status":401}}`, http.StatusUnauthorized)
		return
	}
	path, rest := strings.CutPrefix(r.URL.Path, "/wp-json/wc/v3/")
	parts := strings.Split(path, "/")
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !rest || r.Method != http.MethodGet:
	case len(parts) == 3 && parts[0] == "orders" && parts[2] == "refunds":
		if all, ok := s.refunds[parts[1]]; ok {
			answer(w, append([]map[string]any{}, all...))
			return
		}
	case len(parts) == 2 && parts[0] == "subscriptions":
		if began, ok := s.subscriptions[parts[1]]; ok {
			answer(w, map[string]any{"id": json.Number(parts[1]), "parent_id": json.Number(began)})
			return
		}
	}
	http.Error(w, `{"code":"rest_no_route","message":"No route was found matching the URL and request method.","data":{"status":404}}`, http.StatusNotFound)
}
