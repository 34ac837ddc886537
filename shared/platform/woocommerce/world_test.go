package woocommerce_test

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"keypool/infra/proof/apitest"
	"keypool/infra/proof/platformtest"
	"keypool/shared/platform"
	"keypool/shared/platform/woocommerce"
)

// The account of the examples in events/woocommerce_*.json.
const (
	secret = `keypool & <woo> "secret" of 't examples`
	key    = "ck_0123456789abcdef0123456789abcdef01234567"
	keyKey = "cs_0123456789abcdef0123456789abcdef01234567"
	forUs  = `{"shop":"https://shop.example.com"}`
)

// account returns the account as function webhook hands it to Decode, without a key.
func account(settings string) platform.Account {
	return platform.Account{
		Merchant: "acme", Name: "woocommerce", Platform: woocommerce.Name, Origin: "shop.example.com", Settings: json.RawMessage(settings),
		Secrets: []platform.SigningSecret{{Name: "live", Secret: platform.Conceal([]byte(secret))}},
	}
}

func withKey(a platform.Account) platform.Account {
	a.Credentials = map[string]platform.Secret{"consumer_key": platform.Conceal([]byte(key)), "consumer_secret": platform.Conceal([]byte(keyKey))}
	return a
}

var webhook, changed = platformtest.Example, platformtest.ChangedExample

// object is an object of the REST API.
type object map[string]any

// and returns the object with other members.
func (o object) and(members object) object {
	o = maps.Clone(o)
	maps.Copy(o, members)
	return o
}

// orderOf returns the order of a file, as the REST API shows it too.
func orderOf(t testing.TB, name string) object {
	t.Helper()
	var o object
	if err := json.Unmarshal(webhook(t, name).Body, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// world is a stand-in of a shop's REST API, wc/v3, made from the shapes that WooCommerce
// documents: it is not WooCommerce. A call that the documentation does not know fails the
// test.
type world struct {
	testing.TB
	mu            sync.Mutex
	host, folder  string
	orders        []object
	refunds       map[string][]object // by order
	subscriptions []object
	webhooks      []object

	fails  map[string]int    // statuses by path below /wp-json/wc/v3
	says   map[string]string // what is answered in the place of JSON
	calls  []string
	before func(path string) // is called before an answer is made
}

// open returns a shop with the order of the examples and a subscription.
func open(t testing.TB) (*world, woocommerce.Adapter) {
	t.Helper()
	w := emptyWorld(t)
	w.subscriptions = []object{{"id": 742, "status": "active", "parent_id": 741}}
	return w, woocommerce.Through(apitest.Serve(t, w))
}

func emptyWorld(t testing.TB) *world {
	return &world{TB: t, host: "shop.example.com", refunds: map[string][]object{}, fails: map[string]int{}, says: map[string]string{}}
}

// put shows an order, or shows it anew.
func (w *world) put(o object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.orders = append(slices.DeleteFunc(w.orders, func(old object) bool { return old["id"] == o["id"] }), o)
}

// refund returns a refund with lines: the line refunded, its units (below 0), its total.
func refund(id int, amount string, lines ...object) object {
	if lines == nil {
		lines = []object{}
	}
	return object{"id": id, "amount": amount, "reason": "", "date_created_gmt": "2026-01-03T09:00:00", "line_items": lines}
}

func refunded(line string, quantity int, total string) object {
	return object{
		"id": 900, "product_id": 93, "variation_id": 94, "quantity": quantity, "total": total,
		"meta_data": []object{{"id": 1, "key": "_reduced_stock", "value": ""}, {"id": 2, "key": "_refunded_item_id", "value": line}},
	}
}

// ServeHTTP implements http.Handler.
func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	path, ok := strings.CutPrefix(r.URL.Path, w.folder+"/wp-json/wc/v3")
	if !ok || r.Host != w.host || r.Method != http.MethodGet {
		w.Errorf("called is %s %s%s", r.Method, r.Host, r.URL.Path)
	}
	w.calls = append(w.calls, path+"?"+r.URL.RawQuery)
	if w.before != nil {
		w.before(path)
	}
	if want := "Basic " + base64.StdEncoding.EncodeToString([]byte(key+":"+keyKey)); r.Header.Get("Authorization") != want {
		w.Errorf("%s is called with another key", path)
	}
	if status := w.fails[path]; status != 0 {
		out.WriteHeader(status)
		fmt.Fprint(out, `{"code":"woocommerce_rest_cannot_view","message":"key ck_0123 is wrong","data":{"status":401}}`)
		return
	}
	if text, ok := w.says[path]; ok {
		fmt.Fprint(out, text)
		return
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case path == "/orders":
		w.list(out, r, w.changedOrders(r), "status", "modified_after", "dates_are_gmt", "orderby", "order")
	case len(parts) == 3 && parts[0] == "orders" && parts[2] == "refunds":
		w.list(out, r, w.refunds[parts[1]], "order")
	case path == "/webhooks":
		w.list(out, r, w.webhooks, "status")
	case len(parts) == 2 && parts[0] == "subscriptions":
		for _, o := range w.subscriptions {
			if fmt.Sprint(o["id"]) == parts[1] {
				json.NewEncoder(out).Encode(o)
				return
			}
		}
		out.WriteHeader(http.StatusNotFound)
	default:
		w.Errorf("called is %s", path)
	}
}

// changedOrders returns the orders that a call asks for, the earliest change first.
func (w *world) changedOrders(r *http.Request) []object {
	query := r.URL.Query()
	if query.Get("orderby") != "modified" || query.Get("order") != "asc" || query.Get("dates_are_gmt") != "true" {
		w.Errorf("orders are asked for by %s", r.URL.RawQuery)
	}
	if _, err := time.Parse("2006-01-02T15:04:05", query.Get("modified_after")); err != nil {
		w.Errorf("orders are asked for that changed after %q", query.Get("modified_after"))
	}
	found := slices.DeleteFunc(slices.Clone(w.orders), func(o object) bool {
		return !ofStatus(o["status"].(string), query.Get("status")) || o["date_modified_gmt"].(string) <= query.Get("modified_after")
	})
	slices.SortStableFunc(found, func(a, b object) int {
		return cmp.Compare(a["date_modified_gmt"].(string), b["date_modified_gmt"].(string))
	})
	return found
}

// ofStatus says whether a call that asks for statuses is shown an order of one. Any are those
// that WordPress does not leave out of searches.
func ofStatus(status, asked string) bool {
	if asked == "any" {
		return status != "trash" && status != "auto-draft" && status != "checkout-draft"
	}
	return slices.Contains(strings.Split(asked, ","), status)
}

// list answers with a page of a list, each object with the members that are asked for.
func (w *world) list(out http.ResponseWriter, r *http.Request, all []object, known ...string) {
	query := r.URL.Query()
	for name := range query {
		if !slices.Contains(append(known, "page", "per_page", "_fields"), name) {
			w.Errorf("%s is no parameter of %s", name, r.URL.Path)
		}
	}
	size, err := strconv.Atoi(cmp.Or(query.Get("per_page"), "10"))
	page, err2 := strconv.Atoi(cmp.Or(query.Get("page"), "1"))
	if err != nil || err2 != nil || size < 1 || size > 100 || page < 1 {
		w.Errorf("asked for page %q of %q", query.Get("page"), query.Get("per_page"))
		return
	}
	from := min((page-1)*size, len(all))
	shown := []object{}
	for _, o := range all[from:min(from+size, len(all))] {
		o = maps.Clone(o)
		maps.DeleteFunc(o, func(name string, _ any) bool {
			return query.Has("_fields") && !slices.Contains(strings.Split(query.Get("_fields"), ","), name)
		})
		shown = append(shown, o)
	}
	out.Header().Set("X-WP-Total", strconv.Itoa(len(all)))
	json.NewEncoder(out).Encode(shown)
}

// called returns how many calls were made of a path.
func (w *world) called(path string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, call := range w.calls {
		if called, _, _ := strings.Cut(call, "?"); called == path {
			n++
		}
	}
	return n
}
