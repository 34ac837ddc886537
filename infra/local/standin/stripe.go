package standin

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stripe/stripe-mock/embedded"
	"github.com/stripe/stripe-mock/server"

	"keypool/infra/local/sample"
)

// StripeHost is the host of Stripe's API.
const StripeHost = "api.stripe.com"

// Stripe is Stripe's API: Stripe's own stripe-mock, which refuses calls that are not as the
// API's description says, and answers in its shapes. The values in them are those of the
// samples that were taken, by the names of the platform's samples; Stripe's events are the
// samples themselves, as they are in truth. Each key sees its own.
type Stripe struct {
	sides[stripeKey]

	mock *server.StubServer
}

// stripeKey is what a key of Stripe's API sees.
type stripeKey struct {
	mu        sync.Mutex
	test      bool
	orders    map[string]StripeOrder // by the name that its ids have in common
	events    []stripeEvent          // the oldest first
	endpoints []any
}

// stripeEvent is an event, as it was sent to a webhook.
type stripeEvent struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Created int64  `json:"created"`
	body    json.RawMessage
}

// StripeOrder is an order of Stripe's.
type StripeOrder struct {
	Session  string // cs_live_a1
	Product  string // of Keypool's
	Quantity int
	Paid     time.Time
	Test     bool
	Refunded int    // units that are refunded; 0: all
	Refund   string // the status of the refund: succeeded, failed
}

// StripeOrderOf returns the order that a sample of Stripe's is about: of as many units as
// its amounts are the price of, refunded as it says. A sample that has no such amounts is
// of an order of one unit; a refund alone, of one of two.
func StripeOrderOf(w *sample.Webhook, o sample.Order) StripeOrder {
	units := func(at string) int {
		amount, err := strconv.Atoi(w.Member("/data/object/" + at))
		if err != nil || amount%sample.StripePrice != 0 {
			return 0
		}
		return amount / sample.StripePrice
	}
	made := StripeOrder{Session: o.ID, Product: o.Product, Paid: o.PaidAt, Test: w.Test, Refunded: units("amount_refunded"), Quantity: cmp.Or(o.Quantity, units("amount_total"), units("amount"), 1)}
	if w.Member("/data/object/object") == "refund" {
		made.Quantity, made.Refunded, made.Refund = cmp.Or(o.Quantity, 2), units("amount"), w.Member("/data/object/status")
	}
	return made
}

// NewStripe returns Stripe's API without orders. It takes seconds.
func NewStripe() (*Stripe, error) {
	fixtures, err := server.LoadFixtures(embedded.OpenAPIFixtures, "")
	if err != nil {
		return nil, err
	}
	description, err := server.LoadSpec(embedded.OpenAPISpec, "")
	if err != nil {
		return nil, err
	}
	mock, err := server.NewStubServer(fixtures, description, true, false)
	if err != nil {
		return nil, err
	}
	return &Stripe{mock: mock}, nil
}

func (s *Stripe) know(credentials map[string]string) {
	for _, key := range credentials {
		side := s.sides.know(key)
		side.mu.Lock()
		side.test = strings.HasPrefix(key, "rk_test_")
		side.mu.Unlock()
	}
}

func (s *Stripe) send(address string, credentials map[string]string) {
	for _, key := range credentials {
		side := s.of(key)
		side.mu.Lock()
		side.endpoints = append(side.endpoints, map[string]any{
			"id": "we_1", "object": "webhook_endpoint", "url": address, "status": "enabled", "livemode": !side.test, "enabled_events": []string{"*"}, "api_version": nil,
		})
		side.mu.Unlock()
	}
}

// take has the key of the sample's side see the order and the event.
func (s *Stripe) take(w *sample.Webhook, o sample.Order, credentials map[string]string) error {
	name := sample.StripeName(o.ID)
	if name == "" {
		return fmt.Errorf("%s is no Checkout session", o.ID)
	}
	credential := "live_key"
	if w.Test {
		credential = "test_key"
	}
	side := s.of(credentials[credential])
	if side == nil {
		return nil // the account has no key of this side
	}
	event := stripeEvent{body: w.Body}
	if err := json.Unmarshal(w.Body, &event); err != nil {
		return err
	}
	side.mu.Lock()
	defer side.mu.Unlock()
	if side.orders == nil {
		side.orders = map[string]StripeOrder{}
	}
	side.orders[name] = StripeOrderOf(w, o)
	if event.Created > 0 { // a thin event is of another kind
		side.events = append(slices.DeleteFunc(side.events, func(e stripeEvent) bool { return e.ID == event.ID }), event)
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (s *Stripe) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	side := s.of(key)
	if side == nil {
		refuse(w, http.StatusUnauthorized, `{"error":{"type":"invalid_request_error","message":"Invalid API Key provided"}}`)
		return
	}
	side.mu.Lock()
	defer side.mu.Unlock()
	lists := map[string]func(url.Values) ([]any, bool){"/v1/events": side.listed, "/v1/webhook_endpoints": side.hooked}
	list := lists[r.URL.Path]
	o, name, ok := side.about(r)
	if list == nil && !ok {
		refuse(w, http.StatusNotFound, `{"error":{"type":"invalid_request_error","code":"resource_missing"}}`)
		return
	}
	call := r.Clone(r.Context())
	call.Header.Set("Authorization", "Bearer sk_test_1") // the mock knows no live keys
	answer := httptest.NewRecorder()
	s.mock.HandleRequest(answer, call)
	body := answer.Body.Bytes()
	if answer.Code == http.StatusOK {
		var decoded any
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		if err := d.Decode(&decoded); err != nil {
			http.Error(w, "the mock's answer is no JSON", http.StatusInternalServerError)
			return
		}
		if list != nil {
			data, more := list(r.URL.Query())
			decoded = map[string]any{"object": "list", "url": r.URL.Path, "has_more": more, "data": data}
		} else {
			o.into(decoded, name)
		}
		body, _ = json.Marshal(decoded)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(answer.Code)
	w.Write(body)
}

// listed returns a page of the events of the types that are asked for, the newest first.
func (k *stripeKey) listed(query url.Values) (page []any, more bool) {
	since, _ := strconv.ParseInt(query.Get("created[gte]"), 10, 64)
	limit, _ := strconv.Atoi(query.Get("limit"))
	after := query.Get("starting_after")
	page = []any{}
	newestFirst := slices.Clone(k.events)
	slices.SortStableFunc(newestFirst, func(a, b stripeEvent) int { return int(a.Created - b.Created) })
	for _, e := range slices.Backward(newestFirst) {
		switch {
		case after != "":
			if e.ID == after {
				after = ""
			}
		case e.Created < since || !slices.Contains(query["types[]"], e.Type):
		case len(page) == limit:
			return page, true
		default:
			page = append(page, e.body)
		}
	}
	return page, false
}

func (k *stripeKey) hooked(url.Values) (page []any, more bool) {
	return append([]any{}, k.endpoints...), false
}

// about returns the order that a call is about: an id in its path or query has its name. A
// call about a price names the product alone.
func (k *stripeKey) about(r *http.Request) (StripeOrder, string, bool) {
	texts := strings.Split(r.URL.Path, "/")
	for _, values := range r.URL.Query() {
		texts = append(texts, values...)
	}
	for _, text := range texts {
		at := strings.LastIndexByte(text, '_')
		if at < 0 {
			continue
		}
		name := text[at+1:]
		if o, ok := k.orders[name]; ok {
			return o, name, true
		}
		if o, ok := k.orders[strings.TrimSuffix(name, "r")]; ok {
			return o, strings.TrimSuffix(name, "r"), true
		}
	}
	return StripeOrder{}, "", false
}

// into puts the order's values into an answer, in all objects of their kinds.
func (o StripeOrder) into(answer any, name string) {
	switch within := answer.(type) {
	case []any:
		for _, one := range within {
			o.into(one, name)
		}
	case map[string]any:
		for _, one := range within {
			o.into(one, name)
		}
		kind, _ := within["object"].(string)
		maps.Copy(within, o.members(kind, name))
	}
}

// members returns the order's values in an object of a kind.
func (o StripeOrder) members(kind, name string) map[string]any {
	amount := sample.StripePrice * o.Quantity
	back := amount
	if o.Refunded > 0 {
		back = sample.StripePrice * o.Refunded
	}
	status := o.Refund
	if status == "" {
		status = "succeeded"
	}
	switch kind {
	case "checkout.session":
		return map[string]any{
			"id": o.Session, "mode": "payment", "payment_status": "paid", "livemode": !o.Test, "created": o.Paid.Unix(), "currency": "eur",
			"payment_intent": "pi_" + name, "subscription": "sub_" + name, "invoice": "in_" + name, "customer": "cus_" + name, "amount_subtotal": amount, "amount_total": amount,
		}
	case "item":
		return map[string]any{
			"id": "li_" + name, "quantity": o.Quantity, "currency": "eur", "description": o.Product, "amount_subtotal": amount, "amount_total": amount,
		}
	case "price":
		return map[string]any{"id": "price_" + name, "livemode": !o.Test, "lookup_key": nil, "currency": "eur", "unit_amount": sample.StripePrice, "metadata": map[string]any{}}
	case "product":
		return map[string]any{
			"id": "prod_" + name, "livemode": !o.Test, "name": o.Product, "shippable": nil, "metadata": map[string]any{"keypool_product": o.Product},
		}
	case "charge":
		return map[string]any{
			"id": "ch_" + name, "livemode": !o.Test, "amount": amount, "amount_captured": amount, "amount_refunded": back, "currency": "eur", "payment_intent": "pi_" + name,
		}
	case "refund":
		return map[string]any{
			"id": "re_" + name, "charge": "ch_" + name, "payment_intent": "pi_" + name, "amount": back, "currency": "eur", "status": status, "created": o.Paid.Unix(),
		}
	}
	return nil
}
