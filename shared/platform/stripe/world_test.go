package stripe_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stripe/stripe-mock/embedded"
	"github.com/stripe/stripe-mock/server"
	"github.com/stripe/stripe-mock/spec"

	"keypool/infra/proof/apitest"
	"keypool/infra/proof/platformtest"
	"keypool/shared/platform"
	"keypool/shared/platform/stripe"
)

// The account of the examples in events/stripe_*.json, and when they were signed.
const (
	liveSecret = "whsec_live_secret_of_the_examples"
	testSecret = "whsec_test_secret_of_the_examples"
	liveKey    = "rk_live_of_the_examples"
	testKey    = "rk_test_of_the_examples"
)

var signedAt = time.Unix(1767366245, 0)

// account returns the account as function webhook hands it to Decode, of a live webhook.
func account(settings string) platform.Account {
	return platform.Account{
		Merchant: "acme", Name: "stripe", Platform: "stripe", Settings: json.RawMessage(settings),
		Credentials: map[string]platform.Secret{"live_key": platform.Conceal([]byte(liveKey)), "test_key": platform.Conceal([]byte(testKey))},
		Secrets: []platform.SigningSecret{
			{Name: "live", Secret: platform.Conceal([]byte(liveSecret))},
			{Name: "sandbox", Test: true, Secret: platform.Conceal([]byte(testSecret))},
		},
	}
}

func ofTestSide(a platform.Account) platform.Account {
	a.Test = true
	return a
}

var webhook, changed = platformtest.Example, platformtest.ChangedExample

// object is an object of Stripe's.
type object map[string]any

// and returns the object with other members.
func (o object) and(members object) object {
	o = maps.Clone(o)
	maps.Copy(o, members)
	return o
}

// world is a stand-in of Stripe's API: it answers with these objects, in the shapes that
// Stripe documents. Each call is held against Stripe's own description of the API, by
// stripe-mock: an unknown path or parameter fails the test.
type world struct {
	testing.TB
	mu       sync.Mutex
	sessions []object
	items    map[string][]object // by session
	prices   []object
	invoices []object
	lines    map[string][]object // by invoice
	payments []object
	charges  []object
	refunds  []object
	events   []object
	points   []object // webhook endpoints

	fails map[string]int // statuses by path
	calls []string       // paths with queries
}

// open returns a world with two prices, three sessions and a subscription, as the examples
// have them.
func open(t testing.TB) (*world, stripe.Adapter) {
	referee() // takes seconds to read the description, more than a call may
	w := &world{TB: t, items: map[string][]object{}, lines: map[string][]object{}, fails: map[string]int{}}
	game := price("price_1", "prod_1", "The Game")
	w.prices = []object{game, price("price_2", "prod_2", "The Sequel"), price("price_3", "prod_3", "Pro")}
	w.session("cs_live_a1", object{"payment_intent": "pi_1"}, item("li_1", game, 2, 11998))
	w.session("cs_live_a2", object{"payment_intent": "pi_3"}, item("li_2", game, 2, 11998))
	w.session("cs_live_a3", object{"payment_status": "no_payment_required"}, item("li_3", game, 1, 0))
	w.session("cs_live_s1", object{"mode": "subscription", "subscription": "sub_1", "invoice": "in_1"}, item("li_4", w.prices[2], 1, 1200))
	w.session("cs_test_a1", object{"payment_intent": "pi_2", "livemode": false}, item("li_5", game.and(object{"livemode": false}), 1, 5999))
	w.invoices = []object{
		invoice("in_1", "subscription_create", 1764687600), invoice("in_2", "subscription_cycle", 1767366240),
	}
	w.payments = []object{invoicePayment("pi_4", "in_1"), invoicePayment("pi_5", "in_2")}
	w.charges = []object{charge("ch_1", "pi_1")}
	return w, stripe.Adapter{API: apitest.Serve(t, w), Now: func() time.Time { return signedAt }}
}

func price(id, product, name string) object {
	return object{
		"id": id, "object": "price", "livemode": true, "currency": "eur", "lookup_key": nil, "metadata": object{}, "type": "one_time", "unit_amount": 5999,
		"product": object{"id": product, "object": "product", "name": name, "shippable": nil, "metadata": object{}, "livemode": true},
	}
}

func item(id string, price object, quantity, total any) object {
	product, _ := price["product"].(object)
	return object{
		"id": id, "object": "item", "quantity": quantity, "currency": "eur", "description": product["name"],
		"amount_subtotal": total, "amount_total": total, "amount_tax": 0, "amount_discount": 0, "metadata": object{}, "price": price,
	}
}

func (w *world) session(id string, members object, items ...object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sessions = slices.DeleteFunc(w.sessions, func(o object) bool { return o["id"] == id })
	w.sessions = append(w.sessions, object{
		"id": id, "object": "checkout.session", "mode": "payment", "payment_status": "paid", "livemode": true, "created": 1764687600,
		"payment_intent": nil, "subscription": nil, "invoice": nil,
	}.and(members))
	w.items[id] = items
}

func invoice(id, reason string, paidAt int) object {
	return object{
		"id": id, "object": "invoice", "billing_reason": reason, "status": "paid", "livemode": true, "total": 1200, "currency": "eur",
		"status_transitions": object{"paid_at": paidAt},
		"parent":             object{"type": "subscription_details", "subscription_details": object{"subscription": "sub_1"}},
		"lines":              object{"object": "list", "has_more": false, "data": []object{}},
	}
}

func invoicePayment(intent, invoice string) object {
	return object{
		"id": "inpay_" + intent, "object": "invoice_payment", "invoice": invoice, "livemode": true,
		"payment": object{"type": "payment_intent", "payment_intent": intent},
	}
}

func charge(id, intent string) object {
	return object{
		"id": id, "object": "charge", "amount": 11998, "amount_captured": 11998, "amount_refunded": 0, "currency": "eur", "livemode": true, "payment_intent": intent,
	}
}

func refund(id string, amount int, status string, created int) object {
	return object{
		"id": id, "object": "refund", "amount": amount, "currency": "eur", "status": status, "created": created, "charge": "ch_1", "payment_intent": "pi_1", "livemode": true,
	}
}

// ServeHTTP implements http.Handler.
func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.documented(r)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, r.URL.Path+"?"+r.URL.RawQuery)
	if status := w.fails[r.URL.Path]; status != 0 {
		out.WriteHeader(status)
		fmt.Fprint(out, `{"error":{"type":"invalid_request_error","message":"The provided key 'rk_live_of_the_examples' is wrong"}}`)
		return
	}
	if r.Host != "api.stripe.com" || r.Header.Get("Stripe-Version") != "2026-08-26.dahlia" {
		w.Errorf("called is %s, as of version %q", r.Host, r.Header.Get("Stripe-Version"))
	}
	var live bool
	switch r.Header.Get("Authorization") {
	case "Bearer " + liveKey:
		live = true
	case "Bearer " + testKey:
	default:
		w.Errorf("%s is called with another key", r.URL.Path)
	}
	of := func(all []object) []object { // the objects of the key's side
		return slices.DeleteFunc(slices.Clone(all), func(o object) bool { return o["livemode"] != nil && o["livemode"] != live })
	}
	query := r.URL.Query()
	where := func(all []object, conditions ...string) []object {
		return slices.DeleteFunc(of(all), func(o object) bool {
			for i := 0; i < len(conditions); i += 2 {
				if value := query.Get(conditions[i]); value != "" && value != member(o, conditions[i+1]) {
					return true
				}
			}
			return false
		})
	}
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	switch path := r.URL.Path; {
	case path == "/v1/checkout/sessions":
		w.page(out, r, newestFirst(where(w.sessions, "payment_intent", "payment_intent", "subscription", "subscription", "customer", "customer")))
	case strings.HasSuffix(path, "/line_items"):
		w.page(out, r, w.items[parts[2]])
	case path == "/v1/invoices":
		w.page(out, r, newestFirst(where(w.invoices, "subscription", "parent.subscription_details.subscription", "status", "status")))
	case strings.HasSuffix(path, "/lines"):
		w.page(out, r, w.lines[parts[1]])
	case path == "/v1/invoice_payments":
		found := where(w.payments, "payment[payment_intent]", "payment.payment_intent", "invoice", "invoice")
		if slices.Contains(query["expand[]"], "data.invoice") {
			for i, o := range found {
				whole, _ := find(w.invoices, o["invoice"].(string))
				found[i] = o.and(object{"invoice": whole})
			}
		}
		w.page(out, r, newestFirst(found))
	case path == "/v1/events":
		since, _ := strconv.ParseInt(query.Get("created[gte]"), 10, 64)
		found := slices.DeleteFunc(of(w.events), func(o object) bool {
			return int64(o["created"].(int)) < since || !slices.Contains(query["types[]"], o["type"].(string))
		})
		slices.SortStableFunc(found, func(a, b object) int { return a["created"].(int) - b["created"].(int) })
		w.page(out, r, newestFirst(found))
	case path == "/v1/webhook_endpoints":
		w.page(out, r, of(w.points))
	case path == "/v1/refunds":
		w.page(out, r, newestFirst(where(w.refunds, "charge", "charge")))
	case strings.HasPrefix(path, "/v1/prices/"):
		one(out, of(w.prices), parts[1])
	case strings.HasPrefix(path, "/v1/charges/"):
		one(out, of(w.charges), parts[1])
	default:
		w.Errorf("called is %s", path)
	}
}

// member returns a member of an object by its path.
func member(o object, path string) string {
	var value any = o
	for name := range strings.SplitSeq(path, ".") {
		inner, ok := value.(object)
		if !ok {
			return ""
		}
		value = inner[name]
	}
	text, _ := value.(string)
	return text
}

func newestFirst(all []object) []object {
	slices.Reverse(all)
	return all
}

func find(all []object, id string) (object, bool) {
	i := slices.IndexFunc(all, func(o object) bool { return o["id"] == id })
	if i < 0 {
		return nil, false
	}
	return all[i], true
}

func one(out http.ResponseWriter, all []object, id string) {
	found, ok := find(all, id)
	if !ok {
		out.WriteHeader(http.StatusNotFound)
		return
	}
	json.NewEncoder(out).Encode(found)
}

// page answers with a page of a list: ten objects unless more are asked for, as Stripe does.
func (w *world) page(out http.ResponseWriter, r *http.Request, all []object) {
	limit := 10
	if text := r.URL.Query().Get("limit"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > 100 {
			w.Errorf("asked for %q objects", text)
		}
	}
	if after := r.URL.Query().Get("starting_after"); after != "" {
		i := slices.IndexFunc(all, func(o object) bool { return o["id"] == after })
		if i < 0 {
			w.Errorf("asked for what comes after %s", after)
		}
		all = all[i+1:]
	}
	more := len(all) > limit
	if all = all[:min(limit, len(all))]; all == nil {
		all = []object{}
	}
	json.NewEncoder(out).Encode(object{"object": "list", "url": r.URL.Path, "has_more": more, "data": all})
}

// called returns how many calls were made of paths that end so.
func (w *world) called(suffix string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, call := range w.calls {
		if path, _, _ := strings.Cut(call, "?"); strings.HasSuffix(path, suffix) {
			n++
		}
	}
	return n
}

// description is Stripe's description of its API, as stripe-mock has it.
var description = sync.OnceValue(func() *spec.Spec {
	read, err := server.LoadSpec(embedded.OpenAPISpec, "")
	if err != nil {
		panic(err)
	}
	return read
})

var referee = sync.OnceValue(func() *server.StubServer {
	fixtures, err := server.LoadFixtures(embedded.OpenAPIFixtures, "")
	if err != nil {
		panic(err)
	}
	stub, err := server.NewStubServer(fixtures, description(), true, false)
	if err != nil {
		panic(err)
	}
	return stub
})

// documented holds a call against the description.
func (w *world) documented(r *http.Request) {
	w.Helper()
	call := r.Clone(r.Context())
	call.Header.Set("Authorization", "Bearer sk_test_1") // it knows no live keys
	answer := httptest.NewRecorder()
	referee().HandleRequest(answer, call)
	if answer.Code != http.StatusOK {
		w.Errorf("%s is not as Stripe describes it: %d %s", r.URL, answer.Code, answer.Body)
	}
}
