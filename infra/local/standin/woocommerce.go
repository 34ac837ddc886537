package standin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"keypool/infra/local/sample"
)

// WooCommerceHost is the shop of the samples.
const WooCommerceHost = "shop.example.com"

// wooCommerce is the REST API of a WooCommerce shop, as far as Keypool asks for it, made from
// its documentation: the orders of the samples that were taken, their refunds, one unit of the
// first line each, the subscriptions that renewals belong to, and the webhooks. Each key of
// the API sees its own.
type wooCommerce struct{ sides[wooKey] }

// wooKey is what a key of the shop's API sees.
type wooKey struct {
	mu            sync.Mutex
	secret        string
	orders        []wooOrder
	subscriptions map[string]string // the orders that they began with
	webhooks      []map[string]any
}

// wooOrder is an order, as the shop's webhooks wrote it last.
type wooOrder struct {
	id      string
	body    map[string]any
	refunds []map[string]any
}

func (o wooOrder) text(name string) string {
	text, _ := o.body[name].(string)
	return text
}

func (s *wooCommerce) know(credentials map[string]string) {
	key := s.sides.know(credentials["consumer_key"])
	key.mu.Lock()
	defer key.mu.Unlock()
	key.secret = credentials["consumer_secret"]
}

func (s *wooCommerce) send(address string, credentials map[string]string) {
	key := s.of(credentials["consumer_key"])
	key.mu.Lock()
	defer key.mu.Unlock()
	for _, topic := range []string{"order.created", "order.updated"} {
		key.webhooks = append(key.webhooks, map[string]any{"id": len(key.webhooks) + 1, "status": "active", "topic": topic, "delivery_url": address})
	}
}

// take has a key see what a sample is about. An order that is given back does not become paid
// again when the sample of its payment is sent once more.
func (s *wooCommerce) take(w *sample.Webhook, o sample.Order, credentials map[string]string) error {
	order := wooOrder{id: w.Order, refunds: []map[string]any{}}
	d := json.NewDecoder(bytes.NewReader(w.Body))
	d.UseNumber()
	if err := d.Decode(&order.body); err != nil || order.body["line_items"] == nil {
		return nil // no order: nothing is asked for
	}
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
		return err
	}
	for _, refund := range body.Refunds {
		items := []map[string]any{}
		if len(body.LineItems) > 0 {
			items = append(items, map[string]any{
				"id": refund.ID + 100, "quantity": -1, "total": refund.Total, "meta_data": []any{map[string]any{"id": 1, "key": "_refunded_item_id", "value": body.LineItems[0].ID}},
			})
		}
		order.refunds = append(order.refunds, map[string]any{
			"id": refund.ID, "amount": strings.TrimPrefix(refund.Total, "-"), "date_created_gmt": w.Member("/date_modified_gmt"), "line_items": items,
		})
	}
	key := s.of(credentials["consumer_key"])
	key.mu.Lock()
	defer key.mu.Unlock()
	if w.Member("/created_via") == "subscription" {
		if key.subscriptions == nil {
			key.subscriptions = map[string]string{}
		}
		key.subscriptions[w.Member("/meta_data/2/value")] = o.ID
	}
	if i := key.find(order.id); i >= 0 {
		if known := key.orders[i]; len(known.refunds) > len(order.refunds) || known.text("status") == "refunded" || known.text("status") == "cancelled" {
			return nil
		}
		key.orders = slices.Delete(key.orders, i, i+1)
	}
	key.orders = append(key.orders, order)
	return nil
}

func (k *wooKey) find(order string) int {
	return slices.IndexFunc(k.orders, func(o wooOrder) bool { return o.id == order })
}

// ServeHTTP implements http.Handler.
func (s *wooCommerce) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, secret, _ := r.BasicAuth()
	key := s.of(name)
	if key == nil {
		refuse(w, http.StatusUnauthorized, `{"code":"woocommerce_rest_authentication_error","message":"Consumer key is invalid.","data":{"status":401}}`)
		return
	}
	key.mu.Lock()
	defer key.mu.Unlock()
	if secret != key.secret {
		refuse(w, http.StatusUnauthorized, `{"code":"woocommerce_rest_authentication_error","message":"Consumer secret is invalid.","data":{"status":401}}`)
		return
	}
	path, rest := strings.CutPrefix(r.URL.Path, "/wp-json/wc/v3/")
	parts := strings.Split(path, "/")
	switch {
	case !rest || r.Method != http.MethodGet:
	case path == "orders":
		found, err := key.changed(r.URL.Query())
		if err != nil {
			refuse(w, http.StatusBadRequest, fmt.Sprintf(`{"code":"rest_invalid_param","message":%q,"data":{"status":400}}`, err))
			return
		}
		answer(w, found)
		return
	case path == "webhooks":
		answer(w, pageOf(key.webhooks, r.URL.Query()))
		return
	case len(parts) == 3 && parts[0] == "orders" && parts[2] == "refunds":
		if i := key.find(parts[1]); i >= 0 {
			answer(w, pageOf(key.orders[i].refunds, r.URL.Query()))
			return
		}
	case len(parts) == 2 && parts[0] == "subscriptions":
		if began, ok := key.subscriptions[parts[1]]; ok {
			answer(w, map[string]any{"id": json.Number(parts[1]), "parent_id": json.Number(began)})
			return
		}
	}
	refuse(w, http.StatusNotFound, `{"code":"rest_no_route","message":"No route was found matching the URL and request method.","data":{"status":404}}`)
}

// hidden are the statuses that WordPress leaves out of searches, and so of orders of any status.
var hidden = map[string]bool{"trash": true, "auto-draft": true, "checkout-draft": true}

// changed returns a page of the orders that changed after a second, by the time of the change.
func (k *wooKey) changed(query url.Values) ([]map[string]any, error) {
	if query.Get("orderby") != "modified" || query.Get("order") != "asc" || query.Get("dates_are_gmt") != "true" {
		return nil, fmt.Errorf("this stand-in lists orders by the time of their change alone")
	}
	if query.Get("status") != "any" {
		return nil, fmt.Errorf("this stand-in lists orders of any status alone")
	}
	var found []wooOrder
	for _, o := range k.orders {
		if o.text("date_modified_gmt") > query.Get("modified_after") && !hidden[o.text("status")] {
			found = append(found, o)
		}
	}
	slices.SortStableFunc(found, func(a, b wooOrder) int {
		return strings.Compare(a.text("date_modified_gmt"), b.text("date_modified_gmt"))
	})
	var bodies []map[string]any
	for _, o := range found {
		bodies = append(bodies, o.body)
	}
	return pageOf(bodies, query), nil
}

// pageOf returns the page of a list that a call asks for, with the members that it names.
func pageOf(all []map[string]any, query url.Values) []map[string]any {
	number, _ := strconv.Atoi(query.Get("page"))
	size, _ := strconv.Atoi(query.Get("per_page"))
	if size < 1 {
		size = 10 // the API's own
	}
	from := min(max(number-1, 0)*size, len(all))
	page := []map[string]any{}
	for _, one := range all[from:min(from+size, len(all))] {
		if fields := query.Get("_fields"); fields != "" {
			shown := map[string]any{}
			for name := range strings.SplitSeq(fields, ",") {
				if value, ok := one[name]; ok {
					shown[name] = value
				}
			}
			one = shown
		}
		page = append(page, one)
	}
	return page
}
