package paddle_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"keypool/infra/proof/apitest"
	"keypool/infra/proof/platformtest"
	"keypool/shared/platform"
	"keypool/shared/platform/paddle"
)

// The account of the examples in events/paddle_*.json, and when they were signed.
const (
	liveSecret = "pdl_ntfset_01liveoftheexamples_liveSecretOfTheExamples0000000001"
	testSecret = "pdl_ntfset_01testoftheexamples_testSecretOfTheExamples0000000001"
	liveKey    = "pdl_live_apikey_01oftheexamples_liveKeyOfTheExamples1_AAA"
	testKey    = "pdl_sdbx_apikey_01oftheexamples_testKeyOfTheExamples1_BBB"
)

var signedAt = time.Unix(1767366246, 0)

// id returns an id as the examples have them: txn_01000000000000000000000001.
func id(kind string, n int) string { return fmt.Sprintf("%s_01%024d", kind, n) }

// account returns the account as function webhook hands it to Decode, of a live webhook.
func account(settings string) platform.Account {
	return platform.Account{
		Merchant: "acme", Name: "paddle", Platform: "paddle", Settings: json.RawMessage(settings),
		Credentials: map[string]platform.Secret{"live_key": platform.Conceal([]byte(liveKey)), "test_key": platform.Conceal([]byte(testKey))},
		Secrets: []platform.SigningSecret{
			{Name: "live", Secret: platform.Conceal([]byte(liveSecret))},
			{Name: "sandbox", Test: true, Secret: platform.Conceal([]byte(testSecret))},
		},
	}
}

// without returns the account without some credentials.
func without(a platform.Account, names ...string) platform.Account {
	a.Credentials = maps.Clone(a.Credentials)
	for _, name := range names {
		delete(a.Credentials, name)
	}
	return a
}

func ofTestSide(a platform.Account) platform.Account {
	a.Test = true
	return a
}

var webhook, changed = platformtest.Example, platformtest.ChangedExample

// object is an entity of Paddle's.
type object map[string]any

// and returns the object with other members.
func (o object) and(members object) object {
	o = maps.Clone(o)
	maps.Copy(o, members)
	return o
}

// entity returns the entity of the event in events/<name>.json.
func entity(t testing.TB, name string) object {
	t.Helper()
	var event struct{ Data object }
	if err := json.Unmarshal(webhook(t, name).Body, &event); err != nil {
		t.Fatal(err)
	}
	return event.Data
}

// side is what Paddle's API knows of a live account, or of the sandbox's.
type side struct {
	transactions, adjustments, events, destinations []object

	customers, addresses, businesses map[string]object
}

// world is a stand-in of Paddle's API, made from its documentation and from the shapes that
// its Go library has: it answers with these entities. A path, parameter or value that is not
// documented fails the test.
type world struct {
	testing.TB
	mu         sync.Mutex
	live, test *side

	fails map[string]int // statuses by path
	large int            // pages with more entities are larger than what is read
	shown map[any]object // members that lists show otherwise, by the id of their entity
	calls []string       // hosts, paths and queries
}

// open returns a world that knows the examples.
func open(t testing.TB) (*world, paddle.Adapter) {
	w := &world{TB: t, live: newSide(), test: newSide(), fails: map[string]int{}, large: 1000}
	for _, name := range []string{
		"paddle_paid", "paddle_free", "paddle_subscribed", "paddle_renewed", "paddle_charged", "paddle_upgraded", "paddle_card_changed", "paddle_invoice", "paddle_email_passed",
	} {
		w.live.transactions = append(w.live.transactions, entity(t, name))
	}
	began := w.live.transaction(id("txn", 4))
	began["billed_at"] = "2025-12-02T15:04:04Z"
	began["payments"] = []any{object{"status": "captured", "captured_at": "2025-12-02T15:04:03Z"}}
	w.test.transactions = append(w.test.transactions, entity(t, "paddle_paid_test"))
	return w, paddle.Adapter{API: apitest.Serve(t, w)}
}

func newSide() *side {
	return &side{
		customers: map[string]object{id("ctm", 1): {
			"id": id("ctm", 1), "name": "Ada Byron", "email": "ada@example.com", "locale": "en", "status": "active", "marketing_consent": false,
			"custom_data": nil, "import_meta": nil, "created_at": "2026-01-02T15:00:00Z", "updated_at": "2026-01-02T15:00:00Z",
		}},
		addresses: map[string]object{id("add", 1): {
			"id": id("add", 1), "country_code": "GB", "city": "London", "postal_code": "SW1Y 4LE", "region": nil, "first_line": "12 St James's Square", "second_line": nil,
		}},
		businesses: map[string]object{id("biz", 1): {"id": id("biz", 1), "name": "Analytical Engines", "tax_identifier": nil}},
	}
}

// transaction returns a transaction, nil if there is none.
func (s *side) transaction(id string) object {
	i := slices.IndexFunc(s.transactions, func(o object) bool { return o["id"] == id })
	if i < 0 {
		return nil
	}
	return s.transactions[i]
}

// adjust adds an adjustment, and the event that tells of it. One that is there is replaced:
// its status changed.
func (s *side) adjust(kind, at string, adjustment object) {
	s.adjustments = slices.DeleteFunc(s.adjustments, func(o object) bool { return o["id"] == adjustment["id"] })
	s.adjustments = append(s.adjustments, adjustment)
	s.events = append(s.events, object{"event_id": id("evt", 1000+len(s.events)), "event_type": kind, "occurred_at": at, "notification_id": nil, "data": adjustment})
}

// documented are the parameters of each list, and their largest pages.
var documented = map[string]struct {
	parameters []string
	orders     []string
	most       int
}{
	"/transactions": {
		[]string{"after", "billed_at[GTE]", "id", "include", "order_by", "origin", "per_page", "status", "subscription_id", "updated_at[GTE]"},
		[]string{"billed_at", "created_at", "id", "updated_at"},
		30,
	},
	"/adjustments":           {[]string{"action", "after", "id", "order_by", "per_page", "status", "transaction_id"}, []string{"id"}, 50},
	"/events":                {[]string{"after", "event_type", "order_by", "per_page"}, []string{"id"}, 200},
	"/notification-settings": {[]string{"active", "after", "order_by", "per_page", "traffic_source"}, []string{"id"}, 200},
}

// ServeHTTP implements http.Handler.
func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, r.Host+r.URL.Path+"?"+r.URL.RawQuery)
	if status := w.fails[r.URL.Path]; status != 0 {
		w.refuse(out, status)
		return
	}
	if r.Method != http.MethodGet || r.Header.Get("Paddle-Version") != "1" {
		w.Errorf("called is %s %s, version %q", r.Method, r.URL, r.Header.Get("Paddle-Version"))
	}
	s := w.live
	switch r.Host + " " + r.Header.Get("Authorization") {
	case "api.paddle.com Bearer " + liveKey:
	case "sandbox-api.paddle.com Bearer " + testKey:
		s = w.test
	default:
		w.Errorf("%s%s is called with another key", r.Host, r.URL.Path)
		w.refuse(out, http.StatusForbidden)
		return
	}
	query := r.URL.Query()
	if one, ok := strings.CutPrefix(r.URL.Path, "/transactions/"); ok {
		for name := range query {
			if name != "include" {
				w.Errorf("%s has the parameter %s", r.URL.Path, name)
			}
		}
		found := s.transaction(one)
		if found == nil {
			w.refuse(out, http.StatusNotFound)
			return
		}
		json.NewEncoder(out).Encode(object{"data": s.including(w, found, query.Get("include")), "meta": object{"request_id": "1"}})
		return
	}
	list, ok := documented[r.URL.Path]
	if !ok {
		w.Errorf("called is %s", r.URL)
		w.refuse(out, http.StatusNotFound)
		return
	}
	for name := range query {
		if !slices.Contains(list.parameters, name) {
			w.Errorf("%s has the parameter %s", r.URL.Path, name)
		}
	}
	all := map[string][]object{"/transactions": s.transactions, "/adjustments": s.adjustments, "/events": s.events, "/notification-settings": s.destinations}[r.URL.Path]
	all = w.ordered(w.filtered(all, query), query.Get("order_by"), list.orders)
	w.page(out, r, s, all, list.most)
}

func (w *world) refuse(out http.ResponseWriter, status int) {
	out.WriteHeader(status)
	fmt.Fprint(out, `{"error":{"type":"request_error","code":"not_found","detail":"of pdl_live_apikey_01oftheexamples"},"meta":{"request_id":"1"}}`)
}

// filtered returns the entities that a query asks for.
func (w *world) filtered(all []object, query url.Values) []object {
	return slices.DeleteFunc(slices.Clone(all), func(o object) bool {
		for name := range query {
			wanted := strings.Split(query.Get(name), ",")
			switch name {
			case "include", "order_by", "per_page", "after":
			case "updated_at[GTE]", "billed_at[GTE]":
				from, err := time.Parse(time.RFC3339, query.Get(name))
				if err != nil {
					w.Errorf("%s is %q", name, query.Get(name))
				}
				if text, _ := o[strings.TrimSuffix(name, "[GTE]")].(string); text == "" || at(text).Before(from) {
					return true
				}
			default:
				if text, _ := o[name].(string); !slices.Contains(wanted, text) {
					return true
				}
			}
		}
		return false
	})
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// ordered returns entities in an order: "updated_at[ASC]". Without one it is id[DESC].
func (w *world) ordered(all []object, by string, fields []string) []object {
	field, direction, _ := strings.Cut(strings.TrimSuffix(by, "]"), "[")
	if by == "" {
		field, direction = "id", "DESC"
	}
	if !slices.Contains(fields, field) || direction != "ASC" && direction != "DESC" {
		w.Errorf("the order is %q", by)
	}
	key := func(o object) string {
		text, _ := o[field].(string)
		if field == "id" && text == "" {
			text, _ = o["event_id"].(string)
		} else if field != "id" && text != "" {
			text = at(text).UTC().Format("2006-01-02T15:04:05.000000")
		}
		return text
	}
	slices.SortStableFunc(all, func(a, b object) int { return strings.Compare(key(a), key(b)) })
	if direction == "DESC" {
		slices.Reverse(all)
	}
	return all
}

// including returns a transaction with the entities that it is to be read with.
func (s *side) including(t testing.TB, transaction object, include string) object {
	if include == "" {
		return transaction
	}
	for name := range strings.SplitSeq(include, ",") {
		of := map[string]map[string]object{"customer": s.customers, "address": s.addresses, "business": s.businesses}[name]
		if of == nil {
			t.Errorf("included is %s", name)
		}
		which, _ := transaction[name+"_id"].(string)
		if found := of[which]; found != nil {
			transaction = transaction.and(object{name: found})
		}
	}
	return transaction
}

// page answers with a page of a list.
func (w *world) page(out http.ResponseWriter, r *http.Request, s *side, all []object, most int) {
	query := r.URL.Query()
	limit, err := strconv.Atoi(query.Get("per_page"))
	if err != nil || limit < 1 || limit > most {
		w.Errorf("%s is asked for pages of %q", r.URL.Path, query.Get("per_page"))
		limit = most
	}
	name := func(o object) string {
		if text, ok := o["event_id"].(string); ok {
			return text
		}
		return o["id"].(string)
	}
	if after := query.Get("after"); after != "" {
		all = all[slices.IndexFunc(all, func(o object) bool { return name(o) == after })+1:]
	}
	more, total := len(all) > limit, len(all)
	all = slices.Clone(all[:min(limit, len(all))])
	if len(all) > 0 {
		query.Set("after", name(all[len(all)-1]))
	}
	next := "https://" + r.Host + r.URL.Path + "?" + query.Encode()
	if len(all) > w.large {
		all[0] = all[0].and(object{"filler": strings.Repeat("x", 1<<20)})
	}
	for i, o := range all {
		all[i] = s.including(w, o, r.URL.Query().Get("include")).and(w.shown[o["id"]]).and(w.shown[o["event_id"]])
	}
	if all == nil {
		all = []object{}
	}
	json.NewEncoder(out).Encode(object{"data": all, "meta": object{"request_id": "1", "pagination": object{
		"per_page": limit, "next": next, "has_more": more, "estimated_total": total,
	}}})
}

// called returns how many calls were made of paths that begin so.
func (w *world) called(path string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, call := range w.calls {
		if _, of, _ := strings.Cut(call, "/"); strings.HasPrefix("/"+of, path) {
			n++
		}
	}
	return n
}
