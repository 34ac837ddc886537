package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// Each change of a setting has its entry, with who made it and what it changed; what changes
// nothing has none.
func TestAudit_everyChange(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	other := w.merchant("mallory")
	w.token("acme", access.Upload)
	var tokens TokenList
	w.shop(bearer, "GET", "/v1/tokens", nil).Want(200).Into(&tokens)
	read := func() []string {
		t.Helper()
		var all []string
		for after := ""; ; {
			var page AuditList
			w.shop(bearer, "GET", "/v1/audit?limit=4&after="+after, nil).Want(200).Into(&page)
			for _, e := range page.Items {
				by := e.By
				if strings.HasPrefix(by, `the token "test"`) {
					by = "test"
				}
				all = append(all, strings.TrimSpace(fmt.Sprint(by, " ", e.Change, " ", e.Thing, " ", e.Name, " ", e.Before, " ", e.After)))
			}
			if after = page.Next; after == "" {
				return all
			}
		}
	}
	step := func(want string, do func()) {
		t.Helper()
		w.advance(time.Second)
		before := read()
		do()
		after := read()
		added := after[:len(after)-len(before)]
		if diff := cmp.Diff(before, after[len(added):]); diff != "" {
			t.Errorf("former entries changed:\n%s", diff)
		}
		if got := strings.Join(added, "; "); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	call := func(method, path string, body any, status int) func() {
		return func() { t.Helper(); w.shop(bearer, method, path, body, "if-match", "*").Want(status) }
	}
	made := func(method, path string, body any) func() {
		return func() { t.Helper(); w.shop(bearer, method, path, body).Want(201) }
	}
	step("test added pool elden map[] map[low_stock:10 reminder_hours:24 shards:4]", made("PUT", "/v1/pools/elden", Pool{}))
	step("", call("PUT", "/v1/pools/elden", Pool{}, 200))
	step("", call("PUT", "/v1/pools/elden", Pool{Shards: new(1)}, 422))
	step("test changed pool elden map[low_stock:10] map[low_stock:5 title:E]", call("PUT", "/v1/pools/elden", Pool{Title: "E", LowStock: new(5)}, 200))
	step("test added product 4711 map[] map[keys.count:1 keys.mode:per_unit pool:elden title:A]", made("PUT", "/v1/products/4711", Product{Title: "A", Pool: "elden"}))
	step("test changed product 4711 map[title:A] map[texts.en.body:{KEY} title:B]", call("PUT", "/v1/products/4711", Product{Title: "B", Pool: "elden", Texts: map[string]Text{"en": {Body: "{KEY}"}}}, 200))
	step("", call("DELETE", "/v1/pools/elden", nil, 409))
	step("test removed product 4711 map[keys.count:1", call("DELETE", "/v1/products/4711", nil, 204))
	step("test removed pool elden map[low_stock:5", call("DELETE", "/v1/pools/elden", nil, 204))
	step("test added account own map[] map[delivers_from:2026-11-23T12:00:10Z other_products:unconnected platform:standard secrets[0].created_at:2026-11-23T12:00:10Z]", made("PUT", "/v1/accounts/own", Account{}))
	step("test changed account own map[other_products:unconnected] map[other_products:ignore]", call("PUT", "/v1/accounts/own", Account{KeepSecret: true, OtherProducts: "ignore"}, 200))
	step("test changed account own map[secrets[0].created_at:2026-11-23T12:00:10Z] map[secrets[0].created_at:2026-11-23T12:00:12Z", call("PUT", "/v1/accounts/own", Account{}, 200))
	step("test changed review  map[] map[rules.max_keys:5]", call("PUT", "/v1/review", ReviewSettings{Rules: Review{MaxKeys: 5}}, 200))
	step("test changed brake  map[set:false] map[set:true]", call("POST", "/v1/brake", nil, 200))
	step("", call("POST", "/v1/brake", nil, 200))
	step("test changed brake  map[set:true] map[reason:sale set:false]", call("DELETE", "/v1/brake?reason=sale", nil, 204))
	step("the operator changed merchant  map[title:acme] map[time_zone:Europe/Berlin title:Acme]", func() {
		w.setMerchant(catalog.Merchant{Name: "acme", Title: "Acme", NoticeAddress: "acme@example.com", TimeZone: "Europe/Berlin"})
	})
	step("the operator added token ", func() { w.token("acme", access.KeysRead) })
	id := tokens.Items[0].ID
	if tokens.Items[0].ID == (access.Token{Hash: access.HashToken(bearer)}).ID() {
		id = tokens.Items[1].ID
	}
	step("test removed token "+id+" map[expires_at:", call("DELETE", "/v1/tokens/"+id, nil, 204))
	step("", call("DELETE", "/v1/tokens/"+id, nil, 404))
	step("test added pool ring map[] map[low_stock:10 reminder_hours:24 shards:4]", call("PUT", "/v1/catalog", `{"pools": {"ring": {}}}`, 200))

	for _, e := range dynamotest.Items(t, w.tables.Catalog, "audit#") {
		if text := fmt.Sprint(e); strings.Contains(text, "whsec_") || strings.Contains(text, "sealed") || strings.Contains(text, bearer) {
			t.Errorf("an entry holds a secret: %s", text)
		}
	}
	var theirs AuditList
	w.shop(other, "GET", "/v1/audit", nil).Want(200).Into(&theirs)
	if len(theirs.Items) != 2 { // the merchant and its token
		t.Errorf("mallory reads %+v", theirs.Items)
	}
}

// A change is stored with its entry or not at all.
func TestAudit_inOneTransaction(t *testing.T) {
	t.Parallel()
	faults := dynamotest.NewFaults(t, 1)
	w := open(t, faults.Option)
	bearer := w.merchant("acme")
	w.claim("acme", "elden", pool.Live, "7", 1)
	before := w.dump()
	faults.Next("TransactWriteItems", 1000, dynamotest.Throttled)
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{}).Want(503)
	w.shop(bearer, "PUT", "/v1/review", ReviewSettings{BrakesItself: true}, "if-match", "*").Want(503)
	w.shop(bearer, "POST", "/v1/brake", nil).Want(503)
	w.shop(bearer, "POST", "/v1/orders/7/hold", `{}`).Want(503)
	faults.Stop()
	if diff := cmp.Diff(before, w.dump()); diff != "" {
		t.Errorf("something is stored without the rest:\n%s", diff)
	}
	// One answer is lost: the change is made once, and has one entry.
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{"PUT", "/v1/pools/elden", Pool{}},
		{"PUT", "/v1/products/1", Product{Title: "A"}},
		{"PUT", "/v1/review", ReviewSettings{BrakesItself: true}},
		{"POST", "/v1/brake", nil},
		{"POST", "/v1/orders/7/hold", "{}"},
		{"DELETE", "/v1/products/1", nil},
		{"DELETE", "/v1/pools/elden", nil},
	} {
		entries := len(dynamotest.Items(t, w.tables.Catalog, "audit#acme"))
		faults.Next("TransactWriteItems", 1, dynamotest.LostAnswer)
		headers := []string{"if-match", "*"}
		if c.method == "PUT" && c.path != "/v1/review" {
			headers = nil
		}
		if got := w.shop(bearer, c.method, c.path, c.body, headers...); got.StatusCode >= 300 {
			t.Errorf("%s %s: %d %s", c.method, c.path, got.StatusCode, got.Body)
		}
		if now := len(dynamotest.Items(t, w.tables.Catalog, "audit#acme")); now != entries+1 {
			t.Errorf("%s %s: %d entries more", c.method, c.path, now-entries)
		}
	}
}

// Each act on an order has its entry, beside that of the order's timeline: with who did it, and
// nothing of the customer or of what somebody wrote. What changes nothing has none.
func TestAudit_everyAct(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.seller(3)
	w.paidOrder("7", 2)
	w.paidOrder("8", 1)
	waiting := w.claim("acme", "elden", pool.Live, "6", 1)
	var read OrderList
	w.shop(bearer, "GET", "/v1/orders/7", nil).Want(200).Into(&read)
	bad := read.Items[0].Lines[0].KeyIDs[0]
	for _, act := range []struct{ path, body, want string }{
		{"7/hold", `{"reason":"Ada looks odd"}`, "changed 7 map[state:fulfilled] map[account:shop-eu did:held line:1 state:on_hold]"},
		{"7/hold", `{}`, ""},
		{"7/resend", `{}`, ""}, // it is on hold
		{"7/release", `{"reason":"Ada is fine"}`, "changed 7 map[state:on_hold] map[account:shop-eu did:released line:1 state:fulfilled]"},
		{"7/resend", `{"email":"ada@example.org"}`, "changed 7 map[] map[account:shop-eu did:address-corrected line:1]"},
		{"7/replace", `{"line":"1","key_id":"` + bad + `","reason":"Ada says so"}`, "changed 7 map[] map[account:shop-eu did:replaced line:1]"},
		{"7/return", `{"lines":[{"line":"1","units":1}],"refund":"RMA-1"}`, "changed 7 map[keys:2] map[account:shop-eu did:units-returned keys:1 line:1 returned:1]"},
		{"7/return", `{"lines":[{"line":"1","units":1}],"refund":"RMA-1"}`, ""},
		{"7/return", `{}`, "changed 7 map[keys:1 returned:1 state:fulfilled] map[account:shop-eu did:order-returned keys:0 line:1 returned:2 state:returned]"},
		{"8/erase", `{"force":true}`, "changed 8 map[state:fulfilled] map[account:shop-eu did:erased line:1 state:on_hold]"},
		{"6/cancel", `{}`, "changed 6 map[state:waiting] map[account:shop-eu did:cancelled line:1 returned:1 state:returned]"},
		{"9/fulfil", gift, "added 9 map[] map[account:by-hand did:fulfilled-by-hand keys:2 line:game state:fulfilled]"},
		{"9/fulfil", gift, ""},
	} {
		before := len(dynamotest.Items(t, w.tables.Catalog, "audit#acme"))
		w.advance(time.Second)
		w.shop(bearer, "POST", "/v1/orders/"+act.path, act.body).Want(200)
		var page AuditList
		got := w.shop(bearer, "GET", "/v1/audit?limit=1", nil).Want(200)
		got.Into(&page)
		e, said := page.Items[0], ""
		switch len(dynamotest.Items(t, w.tables.Catalog, "audit#acme")) - before {
		case 0:
		case 1:
			said = fmt.Sprint(e.Change, " ", e.Name, " ", e.Before, " ", e.After)
		default:
			said = "several entries"
		}
		if said != act.want {
			t.Errorf("%s %s:\ngot  %s\nwant %s", act.path, act.body, said, act.want)
		}
		if said != "" && (e.Thing != "order" || !strings.HasPrefix(e.By, `the token "test"`) || e.From != "192.0.2.1") {
			t.Errorf("%s: a %s by %s from %s", act.path, e.Thing, e.By, e.From)
		}
		if strings.Contains(got.Body, "Ada") || strings.Contains(got.Body, "ada@") {
			t.Errorf("%s: it tells of the customer: %s", act.path, got.Body)
		}
	}
	// What a function does is in no trail.
	before := w.dump()
	change := order.ChangeOf(w.state(waiting.ID))
	change.History = []order.History{{Line: waiting.ID, At: w.now(), Event: order.Reported, By: "webhook", Code: "subscription.cancelled"}}
	if err := w.store.Commit(access.With(t.Context(), access.Principal{Merchant: "acme"}), change); err != nil {
		t.Fatal(err)
	}
	for key := range w.dump() {
		if _, old := before[key]; !old && strings.Contains(key, "audit#") {
			t.Errorf("%s is new", key)
		}
	}
}

// An entry says where its call came from, and the changes of one call stand in their order,
// however many there are in one moment.
func TestAudit_fromWhereAndInOrder(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	for i := range 12 {
		w.shop(bearer, "PUT", fmt.Sprintf("/v1/pools/p%02d", i), Pool{}).Want(201)
	}
	w.advance(time.Second)
	w.shop(bearer, "PUT", "/v1/catalog", `{"pools": {}}`, "if-match", "*").Want(200)
	var list AuditList
	w.shop(bearer, "GET", "/v1/audit?limit=12", nil).Want(200).Into(&list)
	var removed []string
	for _, e := range list.Items {
		if e.Change != "removed" || e.From != "192.0.2.1" {
			t.Errorf("%s %s from %q", e.Change, e.Name, e.From)
		}
		removed = append(removed, e.ID)
	}
	for i, id := range removed {
		if of := fmt.Sprintf("20261123T120001.000Z-%04x", len(removed)-1-i); !strings.HasPrefix(id, of) {
			t.Errorf("entry %d is %s, want %s", i, id, of)
		}
	}
	// What no call did came from nowhere.
	w.shop(bearer, "GET", "/v1/audit", nil, "accept", "application/json").Want(200).Into(&list)
	for _, e := range list.Items {
		if by := e.By == "the operator"; by != (e.From == "") {
			t.Errorf("by %s from %q", e.By, e.From)
		}
	}
}

// The trail is read as a file, page by page, and no cell of a table is a formula.
func TestAudit_asAFile(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.advance(time.Second)
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{Title: `=1+1, "a" & <b>`}).Want(201)
	w.advance(time.Second)
	w.shop(bearer, "PUT", "/v1/products/=4711", Product{Title: "A"}).Want(201)
	var all []string
	for path := "/v1/audit?limit=2"; path != ""; {
		got := w.shop(bearer, "GET", path, nil, "accept", "application/jsonl").Want(200)
		if got.Headers["Content-Type"] != "application/jsonl" || got.Headers["Vary"] != "Accept" {
			t.Errorf("headers %v", got.Headers)
		}
		for line := range strings.Lines(got.Body) {
			var e AuditEntry
			if err := json.Unmarshal([]byte(line), &e); err != nil || e.ID == "" {
				t.Errorf("%s: %v", line, err)
			}
			all = append(all, e.Thing)
		}
		path, _, _ = strings.Cut(strings.TrimPrefix(got.Headers["Link"], "<"), `>; rel="next"`)
	}
	if len(all) != 4 || all[0] != "product" || all[1] != "pool" {
		t.Errorf("the lines are of %q", all)
	}
	got := w.shop(bearer, "GET", "/v1/audit?limit=2", nil, "accept", "text/csv").Want(200)
	rows, err := csv.NewReader(strings.NewReader(got.Body)).ReadAll()
	if err != nil || len(rows) != 3 || got.Headers["Content-Type"] != "text/csv" {
		t.Fatalf("%v %v, %s", err, got.Headers, got.Body)
	}
	if diff := cmp.Diff([]string{"id", "at", "by", "from", "change", "thing", "name", "before", "after"}, rows[0]); diff != "" {
		t.Error(diff)
	}
	if rows[1][6] != "'=4711" || rows[1][3] != "192.0.2.1" || rows[1][1] != "2026-11-23T12:00:02Z" || !strings.Contains(rows[2][8], `"title":"=1+1, \"a\" \u0026 \u003cb\u003e"`) {
		t.Errorf("rows %q", rows[1:])
	}
}
