package standin

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"keypool/infra/local/sample"
)

// The hosts of Paddle's API.
const (
	PaddleHost        = "api.paddle.com"
	PaddleSandboxHost = "sandbox-api.paddle.com"
)

// paddles is Paddle's API, as far as Keypool asks for it, made from its documentation: the
// transactions and adjustments of the samples that were taken, with their customers, the
// events that told of them, and the notification destinations. Each key sees its own.
type paddles struct{ sides[paddleKey] }

// paddleKey is what a key of Paddle's API sees.
type paddleKey struct {
	mu           sync.Mutex
	transactions []paddleEntity
	adjustments  []paddleEntity
	events       []paddleEntity // the oldest first
	destinations []map[string]any
}

// paddleEntity is an entity of Paddle's.
type paddleEntity map[string]any

func (e paddleEntity) text(name string) string {
	text, _ := e[name].(string)
	return text
}

// time returns a member that is a time, the zero time for any other.
func (e paddleEntity) time(name string) time.Time {
	at, _ := time.Parse(time.RFC3339Nano, e.text(name))
	return at
}

// data is what an event tells of.
func (e paddleEntity) data() paddleEntity {
	data, _ := e["data"].(map[string]any)
	return data
}

// paddleKeyOf names the credential of a side.
func paddleKeyOf(test bool) string {
	if test {
		return "test_key"
	}
	return "live_key"
}

func (p *paddles) know(credentials map[string]string) {
	for _, key := range credentials {
		p.sides.know(key)
	}
}

func (p *paddles) send(address string, credentials map[string]string) {
	var events []map[string]any
	for _, name := range []string{"transaction.completed", "adjustment.created", "adjustment.updated"} {
		events = append(events, map[string]any{"name": name})
	}
	for _, key := range credentials {
		side := p.of(key)
		side.mu.Lock()
		side.destinations = append(side.destinations, map[string]any{
			"id": "ntfset_01", "type": "url", "destination": address, "active": true, "traffic_source": "platform", "api_version": 1, "subscribed_events": events,
		})
		side.mu.Unlock()
	}
}

// take has the key of the sample's side see what it is about: its transaction, that of the
// subscription that a renewal renews, or that of an adjustment, and the adjustment.
func (p *paddles) take(w *sample.Webhook, o sample.Order, credentials map[string]string) error {
	event, err := paddleEvent(w)
	if err != nil {
		return err
	}
	own := event.data()
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
	sold, err := paddleEvent(began)
	if err != nil {
		return err
	}
	key := p.of(credentials[paddleKeyOf(w.Test)])
	if key == nil {
		return nil // the account has no key of this side
	}
	key.mu.Lock()
	defer key.mu.Unlock()
	if known := slices.ContainsFunc(key.transactions, sold.data().is); renewal || !known {
		key.transactions = put(key.transactions, sold.data(), o.Email)
	}
	switch {
	case strings.HasPrefix(own.text("id"), "txn_"):
		key.transactions = put(key.transactions, own, o.Email)
	case strings.HasPrefix(own.text("id"), "adj_"):
		key.adjustments = put(key.adjustments, own, "")
	}
	key.events = append(slices.DeleteFunc(key.events, func(e paddleEntity) bool {
		return e.text("event_id") == event.text("event_id") && e.data().is(own)
	}), event)
	return nil
}

// is says whether two entities are the same one, at different times.
func (e paddleEntity) is(other paddleEntity) bool {
	return e.text("id") == other.text("id") && e.text("transaction_id") == other.text("transaction_id")
}

// put puts an entity in the place of the same one. A transaction has its customer.
func put(all []paddleEntity, e paddleEntity, email string) []paddleEntity {
	if email != "" {
		e = maps.Clone(e)
		e["customer"] = map[string]any{"id": e["customer_id"], "name": "Ada Byron", "email": email, "locale": "en", "status": "active", "custom_data": nil}
		e["address"] = map[string]any{
			"id": e["address_id"], "country_code": "GB", "city": "London", "postal_code": "SW1Y 4LE", "region": nil, "first_line": "12 St James's Square", "second_line": nil,
		}
	}
	return append(slices.DeleteFunc(all, e.is), e)
}

func paddleEvent(w *sample.Webhook) (paddleEntity, error) {
	var event paddleEntity
	return event, json.Unmarshal(w.Body, &event)
}

// ServeHTTP implements http.Handler.
func (p *paddles) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	key := p.of(text)
	if key == nil || strings.HasPrefix(text, "pdl_sdbx_") != (r.Host == PaddleSandboxHost) {
		refuse(w, http.StatusForbidden, `{"error":{"type":"request_error","code":"forbidden"}}`)
		return
	}
	key.mu.Lock()
	defer key.mu.Unlock()
	switch id, one := strings.CutPrefix(r.URL.Path, "/transactions/"); {
	case r.Method != http.MethodGet:
		refuse(w, http.StatusMethodNotAllowed, `{"error":{"type":"request_error","code":"method_not_allowed"}}`)
	case one:
		i := slices.IndexFunc(key.transactions, func(e paddleEntity) bool { return e.text("id") == id })
		if i < 0 {
			refuse(w, http.StatusNotFound, `{"error":{"type":"request_error","code":"not_found"}}`)
			return
		}
		answer(w, map[string]any{"data": key.transactions[i], "meta": map[string]any{"request_id": "1"}})
	case r.URL.Path == "/transactions":
		found := having(key.transactions, r.URL.Query(), "id", "subscription_id", "origin", "status")
		since, _ := time.Parse(time.RFC3339, r.URL.Query().Get("updated_at[GTE]"))
		found = slices.DeleteFunc(found, func(e paddleEntity) bool { return e.time("updated_at").Before(since) })
		if r.URL.Query().Get("order_by") == "updated_at[ASC]" {
			slices.SortStableFunc(found, func(a, b paddleEntity) int { return a.time("updated_at").Compare(b.time("updated_at")) })
		}
		page(w, r, found)
	case r.URL.Path == "/adjustments":
		page(w, r, having(key.adjustments, r.URL.Query(), "id", "transaction_id", "action", "status"))
	case r.URL.Path == "/events":
		found := having(key.events, r.URL.Query(), "event_type")
		slices.Reverse(found) // by id[DESC], which is all that is asked for
		page(w, r, found)
	case r.URL.Path == "/notification-settings":
		page(w, r, key.destinations)
	default:
		refuse(w, http.StatusNotFound, `{"error":{"type":"request_error","code":"not_found"}}`)
	}
}

// having returns the entities whose members have one of the values that a query lists.
func having(all []paddleEntity, query url.Values, members ...string) []paddleEntity {
	var found []paddleEntity
	for _, e := range all {
		if !slices.ContainsFunc(members, func(name string) bool {
			wanted := query.Get(name)
			return wanted != "" && !slices.Contains(strings.Split(wanted, ","), e.text(name))
		}) {
			found = append(found, e)
		}
	}
	return found
}

// page answers with the only page of a list.
func page[T any](w http.ResponseWriter, r *http.Request, all []T) {
	answer(w, map[string]any{"data": append([]T{}, all...), "meta": map[string]any{"request_id": "1", "pagination": map[string]any{
		"per_page": 50, "next": "https://" + r.Host + r.URL.Path, "has_more": false, "estimated_total": len(all),
	}}})
}
