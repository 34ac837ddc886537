package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/claim"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// paidOrder returns a line that holds its keys.
func (w *world) paidOrder(number string, quantity int) order.Fulfillment {
	w.Helper()
	elden := pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}
	keys := dynamotest.Stock(w, w.tables, elden, 4, dynamotest.Texts("KEY-"+number, quantity)...)
	line := w.claim("acme", "elden", pool.Live, number, quantity)
	change := order.ChangeOf(line)
	change.After.Connect("elden", 1, quantity)
	change.Allocate(keys, time.Now())
	change.Settle(time.Now())
	if err := w.store.Commit(w.Context(), change); err != nil {
		w.Fatal(err)
	}
	return change.After
}

// inHistory returns the entries of an order's timeline that stand in its history.
func inHistory(o Order) []Entry {
	return slices.DeleteFunc(slices.Clone(o.Timeline), func(e Entry) bool {
		return e.Ahead || slices.Contains([]string{string(order.Received), string(order.KeysTaken), string(order.InQueue)}, e.What)
	})
}

// People hold, release, send again and give back, and the history tells who did what and why.
func TestActs(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	w.shop(token, "PUT", "/v1/pools/elden", Pool{Title: "Elden"}).Want(201)
	w.paidOrder("7", 2)
	for _, step := range []struct {
		path, body, state string
		done              bool
	}{
		{"/v1/orders/7/hold", `{"reason":"looks odd"}`, "on_hold", true},
		{"/v1/orders/7/resend", `{}`, "on_hold", false},
		{"/v1/orders/7/release", `{"reason":"it is fine","lines":["1"]}`, "fulfilled", true},
		{"/v1/orders/resend?order=7", `{}`, "fulfilled", true},
		{"/v1/orders/7/return", `{"lines":[{"line":"1","units":1}],"refund":"RMA-1","reason":"does not run"}`, "fulfilled", true},
		{"/v1/orders/7/return", `{"lines":[{"line":"1","units":1}],"refund":"RMA-1"}`, "fulfilled", true},
		{"/v1/orders/7/return", `{"keys":"restock"}`, "returned", true},
		{"/v1/orders/7/hold", `{}`, "returned", false},
	} {
		var got Acted
		w.shop(token, "POST", step.path, step.body).Want(200).Into(&got)
		if got.Order != "7" || len(got.Lines) != 1 || got.Lines[0].State != step.state || got.Lines[0].Done != step.done {
			t.Errorf("%s %s: %+v, want %s, done %v", step.path, step.body, got.Lines, step.state, step.done)
		}
	}
	var read OrderList
	w.shop(token, "GET", "/v1/orders/7", nil).Want(200).Into(&read)
	line := read.Items[0].Lines[0]
	if line.Returned != 2 || line.Allocated != 0 {
		t.Errorf("read %+v", line)
	}
	said := ""
	for _, h := range inHistory(read.Items[0]) {
		said += h.What + " by " + h.By + ": " + h.Code + "\n"
	}
	for _, want := range []string{"held by the token ", "looks odd\n", "released by the token ", "it is fine\n", "units-returned by the token ", "does not run\n"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in the history:\n%s", want, said)
		}
	}
	books := dynamotest.Audit(t, w.tables)
	if books.Revoked != 1 || books.Available != 1 { // no mailer had the other
		t.Errorf("%d keys are revoked, %d for sale", books.Revoked, books.Available)
	}
	for _, c := range []struct{ order, body, says string }{
		{"7", `{"lines":["1","9"]}`, "lacks a line that you name"},
		{"8", `{}`, "no such order"},
	} {
		if got := w.shop(token, "POST", "/v1/orders/"+c.order+"/hold", c.body).Want(404); !strings.Contains(got.Body, c.says) {
			t.Errorf("order %s, %s: %s, want %q", c.order, c.body, got.Body, c.says)
		}
	}
	if got := w.shop(token, "GET", "/v1/orders/7", nil).Want(200); strings.Contains(got.Body, `"state":"on_hold"`) {
		t.Errorf("read %s", got.Body)
	}
	w.shop(token, "POST", "/v1/orders/7/return", `{"keys":"sell"}`).Want(422)
}

// A key is replaced once for one name of it, and never by none.
func TestActs_replace(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	w.shop(token, "PUT", "/v1/pools/elden", Pool{Title: "Elden"}).Want(201)
	w.paidOrder("7", 1)
	var read OrderList
	w.shop(token, "GET", "/v1/orders/7", nil).Want(200).Into(&read)
	bad := read.Items[0].Lines[0].KeyIDs[0]
	body := `{"line":"1","key_id":"` + bad + `","reason":"does not work"}`
	w.shop(token, "POST", "/v1/orders/7/replace", body).Want(409) // the pool is empty
	dynamotest.Stock(w, w.tables, pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}, 4, dynamotest.Texts("NEW", 3)...)
	for range 2 {
		w.shop(token, "POST", "/v1/orders/7/replace", body).Want(200)
	}
	w.shop(token, "POST", "/v1/orders/7/replace", `{"line":"1","key_id":"acme#live#nobody's"}`).Want(404)
	w.shop(token, "POST", "/v1/orders/7/hold", `{}`).Want(200)
	w.shop(token, "GET", "/v1/orders/7", nil).Want(200).Into(&read)
	now := read.Items[0].Lines[0]
	if len(now.KeyIDs) != 1 || now.KeyIDs[0] == bad || len(now.Holds) != 1 || now.Holds[0] != "by hand" {
		t.Errorf("read %+v", now)
	}
	w.shop(token, "POST", "/v1/orders/7/replace", `{"line":"1","key_id":"`+now.KeyIDs[0]+`"}`).Want(409)
	if books := dynamotest.Audit(t, w.tables); books.Revoked != 1 || books.Available != 2 {
		t.Errorf("%d keys are revoked, %d for sale", books.Revoked, books.Available)
	}
}

// An act on a number that several orders have is refused with those it fits.
func TestActs_severalOrdersOfANumber(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	w.claim("acme", "elden", pool.Live, "1", 1)
	w.claim("acme", "elden", pool.Test, "1", 1)
	for _, act := range []string{"return", "hold", "release", "resend"} {
		w.shop(token, "POST", "/v1/orders/1/"+act, `{}`).Want(409)
		w.shop(token, "POST", "/v1/orders/"+act+"?order=1&test=true", `{}`).Want(200)
	}
	var live OrderList
	w.shop(token, "GET", "/v1/orders/1?test=false", nil).Want(200).Into(&live)
	if state := live.Items[0].Lines[0].State; state != "waiting" {
		t.Errorf("the paid order is %s", state)
	}
}

// A return of the whole order covers lines that are paid later, says what becomes of the
// keys, and is one return however often it is called; after a later payment was released,
// it is another.
func TestActs_returnOfAWholeOrder(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	w.shop(token, "PUT", "/v1/pools/elden", Pool{Title: "Elden"}).Want(201)
	w.shop(token, "PUT", "/v1/products/game", Product{Title: "Elden", Pool: "elden"}).Want(201)
	first := w.paidOrder("7", 1)
	claims := &claim.Claimer{Store: w.store, Cached: w.store, Uncached: w.store, Fill: w.fill, Notices: w.store, By: "webhook", Now: time.Now}
	pay := func(line string) order.Fulfillment {
		paid := order.Fulfillment{
			Merchant: "acme", Side: pool.Live, Account: first.Account, Origin: first.Origin, Order: "7", Line: line, Product: "game", Quantity: 1,
			Customer: order.Customer{Email: "ada@example.com"},
		}
		paid.ID = order.Identity{Merchant: paid.Merchant, Side: paid.Side, Origin: paid.Origin, Order: paid.Order, Line: paid.Line}.ID()
		f, err := claims.Claim(w.Context(), paid)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	back := func() (states []string) {
		var got Acted
		w.shop(token, "POST", "/v1/orders/7/return", `{"keys":"restock","reason":"a mistake"}`).Want(200).Into(&got)
		for _, line := range got.Lines {
			states = append(states, line.State)
		}
		slices.Sort(states)
		return states
	}
	for range 2 {
		if got := back(); !slices.Equal(got, []string{"returned"}) {
			t.Errorf("returned: %v", got)
		}
	}
	of, err := w.store.Whole(t.Context(), first.ID.OrderHalf())
	if err != nil || len(of.Returns) != 1 || !strings.HasPrefix(of.Returns[0].By, "the token ") {
		t.Errorf("known of the order: %+v, %v", of, err)
	}
	if books := dynamotest.Audit(t, w.tables); books.Available != 1 || books.Revoked != 0 {
		t.Errorf("%d keys for sale, %d revoked", books.Available, books.Revoked)
	}
	if late := pay("2"); late.State() != order.OnHold || late.Allocated != 0 {
		t.Errorf("paid later, a line is %s with %d keys", late.State(), late.Allocated)
	}
	w.shop(token, "POST", "/v1/orders/7/release", `{"lines":["2"]}`).Want(200)
	if got := back(); !slices.Equal(got, []string{"returned", "returned"}) {
		t.Errorf("returned again: %v", got)
	}
}

// An order whose dispute nobody ends is released when its merchant says so of its disputes,
// and not otherwise; a refusal says how.
func TestRelease_disputes(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	w.shop(token, "PUT", "/v1/pools/elden", Pool{Title: "Elden"}).Want(201)
	one := w.paidOrder("7", 1)
	two := w.waits(one, "2")
	of := order.Whole{ID: one.ID.OrderHalf(), Merchant: "acme", Side: pool.Live, Account: one.Account, Order: "7"}
	platform := &lifecycle.Lifecycle{Store: w.store, Wholes: w.store, Uploads: w.store, Notices: w.store, Settings: w.store, Fill: w.fill, By: "webhook", Now: w.now}
	dispute := func(id string, state order.Dispute) {
		t.Helper()
		if _, err := platform.Dispute(t.Context(), of, id, state); err != nil {
			t.Fatal(err)
		}
	}
	release := func(body string, want int) (acted Acted) {
		t.Helper()
		answer := w.shop(token, "POST", "/v1/orders/7/release", body).Want(want)
		if want == 200 {
			answer.Into(&acted)
		}
		return acted
	}
	dispute("CB-1", order.DisputeOpen)
	w.shop(token, "POST", "/v1/orders/7/hold", `{"lines":["2"]}`).Want(200)
	for i, body := range []string{`{}`, `{"disputes":false}`, `{"lines":["1","2"]}`} {
		for _, line := range release(body, 200).Lines {
			if done := i == 0 && line.Line == "2"; line.State != "on_hold" || line.Done != done || !strings.Contains(line.Detail, `{"disputes": true}`) {
				t.Errorf("%s: %+v", body, line)
			}
		}
	}
	before := w.dump()
	if got := w.shop(token, "POST", "/v1/orders/7/release", `{"disputes":true,"lines":["1"]}`).Want(422).Locations(); !slices.Equal(got, []string{"body.lines"}) {
		t.Errorf("at fault are %v", got)
	}
	w.shop(token, "POST", "/v1/orders/7/release", `{"disputes":"CB-1"}`).Want(422)
	release(`{"disputes":true,"versions":{"1":1}}`, 409)
	for _, act := range []string{"hold", "resend", "reject", "return", "cancel"} {
		w.shop(token, "POST", "/v1/orders/7/"+act, `{"disputes":true}`).Want(422)
	}
	if fmt.Sprint(w.dump()) != fmt.Sprint(before) {
		t.Error("a refused release changed something")
	}

	w.shop(token, "POST", "/v1/orders/7/hold", `{"lines":["2"]}`).Want(200)
	seen := fmt.Sprintf(`{"1":%d,"2":%d}`, w.state(one.ID).Version, w.state(two.ID).Version)
	for n, want := range []string{"fulfilled", "waiting"} {
		lines := release(`{"disputes":true,"reason":"closed in March","versions":`+seen+`}`, 200).Lines
		if line := lines[slices.IndexFunc(lines, func(l ActedLine) bool { return l.Line == fmt.Sprint(n+1) })]; line.State != want || !line.Done || line.Detail != "" {
			t.Errorf("released: %+v", line)
		}
		seen = `{}`
	}
	var read OrderList
	w.shop(token, "GET", "/v1/orders/7", nil).Want(200).Into(&read)
	said := ""
	for _, h := range inHistory(read.Items[0]) {
		said += h.What + " by " + h.By + ": " + h.Code + "\n"
	}
	if !strings.Contains(said, "released by the token ") || !strings.Contains(said, "dispute:CB-1: closed in March\n") {
		t.Errorf("the history is\n%s", said)
	}
	dispute("CB-1", order.DisputeLost)
	if got := w.state(one.ID).State(); got != order.Returned {
		t.Errorf("the dispute is lost after all, and the line is %s", got)
	}
	dynamotest.Audit(t, w.tables)
}
