package main

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/outbox"
)

// Who has lost the mail gets one answer, with as many calls of the store, whether there is such
// an order or not; and the mail goes to the address of the order alone.
func TestLost(t *testing.T) {
	t.Parallel()
	var calls dynamotest.Trips
	w := open(t, calls.Option)
	w.must(w.store.PutAccount(t.Context(), catalog.Account{Merchant: "nova", Name: "shop", Platform: "standard", Origin: "shop"}))
	mailed := func(f *order.Fulfillment) { f.Customer.Email = "Mara@Example.com" }
	f := w.sold("A-1", "elden", 1, 1, mailed)
	change := order.ChangeOf(f)
	change.After.Mail = sent
	w.must(w.store.Commit(t.Context(), change))
	w.get("/o/lost/nova").want(404)
	w.pages(catalog.OrderPages{Default: catalog.OrderPageOn})
	form := w.get("/o/lost/nova").want(200).has("Nova Games", "Have you lost the mail?", "Send the mail").body
	if !strings.Contains(form, `action="/o/lost/nova"`) {
		t.Error("the form leads nowhere")
	}
	w.post("/o/lost/nova", url.Values{"email": {"x@example.com"}, "order": {"none"}}) // the settings are read
	counts := map[string]int{}
	for _, c := range []struct{ name, email, order string }{
		{"right", " mara@example.com", "A-1 "},
		{"right, once more", "mara@example.com", "A-1"}, // its mail is under way
		{"another address", "nora@example.com", "A-1"},
		{"another number", "mara@example.com", "A-9"},
		{"nothing", "", ""},
	} {
		calls.Reset(50 * time.Millisecond)
		to := w.post("/o/lost/nova", url.Values{"email": {c.email}, "order": {c.order}}).want(303)
		if to.headers["Location"] != "/o/lost/nova?done" || to.body != "" {
			t.Errorf("%s: it leads to %s", c.name, to.headers["Location"])
		}
		counts[c.name] = calls.Calls()
	}
	for name, n := range counts {
		if n != counts["right"] {
			t.Errorf("%s takes %d calls, and what is right %d", name, n, counts["right"])
		}
	}
	w.get("/o/lost/nova?done").want(200).has("If there is an order with this address and this number, its mail is on its way.")
	if got := w.line(f.ID).Mail; got.State != outbox.Due || got.Number != 2 || w.line(f.ID).Customer.Email != "Mara@Example.com" {
		t.Errorf("its mail: %+v", got)
	}
	w.get("/o/lost/nobody").want(404).has("This link does not work.")
	w.post("/o/lost/nobody", nil).want(404)
}

// Numbers are not tried one after the other.
func TestLost_limits(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.pages(catalog.OrderPages{Default: catalog.OrderPageOn})
	for range 5 {
		w.post("/o/lost/nova", url.Values{"email": {"mara@example.com"}, "order": {"A-1"}}).want(303)
	}
	w.post("/o/lost/nova", url.Values{"email": {"MARA@example.com"}, "order": {"A-2"}}).want(429)
	for range 14 {
		w.post("/o/lost/nova", url.Values{"email": {time.Now().String()}, "order": {"A-1"}}).want(303)
	}
	w.post("/o/lost/nova", url.Values{"email": {"new@example.com"}, "order": {"A-1"}}).want(429)
	w.now = w.now.Add(time.Hour)
	w.post("/o/lost/nova", url.Values{"email": {"mara@example.com"}, "order": {"A-1"}}).want(303)
}
