package standin

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"keypool/infra/local/sample"
)

// The hosts of Paddle's API.
const (
	PaddleHost        = "api.paddle.com"
	PaddleSandboxHost = "sandbox-api.paddle.com"
)

// Paddle is Paddle's API, as far as a webhook asks for it, made from its documentation: the
// transactions and adjustments of the samples that were taken, with their customers.
type Paddle struct {
	mu           sync.Mutex
	transactions []paddleEntity
	adjustments  []paddleEntity
}

// paddleEntity is an entity of Paddle's, and the side that knows it.
type paddleEntity struct {
	test bool
	data map[string]any
}

func (e paddleEntity) text(name string) string {
	text, _ := e.data[name].(string)
	return text
}

// Take makes the API know what a sample is about: its transaction, that of the subscription
// that a renewal renews, or that of an adjustment, and the adjustment.
func (p *Paddle) Take(w *sample.Webhook, o sample.Order) error {
	own, err := paddleData(w)
	if err != nil {
		return err
	}
	first := "paid"
	renewal := own.text("origin") == "subscription_recurring"
	if renewal {
		first = "subscribed"
	}
	began, err := w.Platform.Read(w.Folder, first)
	if err != nil {
		return err
	}
	began.Be(o)
	began.Test = w.Test
	sold, err := paddleData(began)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := slices.ContainsFunc(p.transactions, sold.is); renewal || !known {
		p.transactions = put(p.transactions, sold, o.Email)
	}
	switch {
	case strings.HasPrefix(own.text("id"), "txn_"):
		p.transactions = put(p.transactions, own, o.Email)
	case strings.HasPrefix(own.text("id"), "adj_"):
		p.adjustments = put(p.adjustments, own, "")
	}
	return nil
}

// is says whether two entities are the same one, at different times.
func (e paddleEntity) is(other paddleEntity) bool {
	return e.test == other.test && e.text("id") == other.text("id") && e.text("transaction_id") == other.text("transaction_id")
}

// put puts an entity in the place of the same one. A transaction has its customer.
func put(all []paddleEntity, e paddleEntity, email string) []paddleEntity {
	if email != "" {
		e.data = maps.Clone(e.data)
		e.data["customer"] = map[string]any{"id": e.data["customer_id"], "name": "Ada Byron", "email": email, "locale": "en", "status": "active", "custom_data": nil}
		e.data["address"] = map[string]any{
			"id": e.data["address_id"], "country_code": "GB", "city": "London", "postal_code": "SW1Y 4LE", "region": nil, "first_line": "12 St James's Square", "second_line": nil,
		}
	}
	return append(slices.DeleteFunc(all, e.is), e)
}

func paddleData(w *sample.Webhook) (paddleEntity, error) {
	var event struct{ Data map[string]any }
	err := json.Unmarshal(w.Body, &event)
	return paddleEntity{w.Test, event.Data}, err
}

// ServeHTTP implements http.Handler.
func (p *Paddle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	test, key := r.Host == PaddleSandboxHost, "pdl_live_apikey_"
	if test {
		key = "pdl_sdbx_apikey_"
	}
	if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer "+key) {
		http.Error(w, `{"error":{"type":"request_error","code":"forbidden"}}`, http.StatusForbidden)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	query := r.URL.Query()
	found := func(all []paddleEntity, members ...string) []map[string]any {
		out := []map[string]any{}
		for _, e := range all {
			if e.test == test && !slices.ContainsFunc(members, func(name string) bool {
				wanted := query.Get(name)
				return wanted != "" && !slices.Contains(strings.Split(wanted, ","), e.text(name))
			}) {
				out = append(out, e.data)
			}
		}
		return out
	}
	switch id, one := strings.CutPrefix(r.URL.Path, "/transactions/"); {
	case r.Method != http.MethodGet:
		http.Error(w, `{"error":{"type":"request_error","code":"method_not_allowed"}}`, http.StatusMethodNotAllowed)
	case one:
		i := slices.IndexFunc(p.transactions, func(e paddleEntity) bool { return e.test == test && e.text("id") == id })
		if i < 0 {
			http.Error(w, `{"error":{"type":"request_error","code":"not_found"}}`, http.StatusNotFound)
			return
		}
		answer(w, map[string]any{"data": p.transactions[i].data, "meta": map[string]any{"request_id": "1"}})
	case r.URL.Path == "/transactions":
		page(w, r, found(p.transactions, "id", "subscription_id", "origin", "status"))
	case r.URL.Path == "/adjustments":
		page(w, r, found(p.adjustments, "id", "transaction_id", "action", "status"))
	default:
		http.Error(w, `{"error":{"type":"request_error","code":"not_found"}}`, http.StatusNotFound)
	}
}

// page answers with the only page of a list.
func page(w http.ResponseWriter, r *http.Request, all []map[string]any) {
	answer(w, map[string]any{"data": all, "meta": map[string]any{"request_id": "1", "pagination": map[string]any{
		"per_page": 50, "next": "https://" + r.Host + r.URL.Path, "has_more": false, "estimated_total": len(all),
	}}})
}

// answer answers with JSON.
func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(body); err != nil {
		panic(http.ErrAbortHandler)
	}
}
