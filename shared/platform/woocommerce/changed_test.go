package woocommerce_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/platform"
	"keypool/shared/platform/woocommerce"
)

var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

// sold returns an order of the examples under another number, changed at a time.
func (w *world) sold(number int, at time.Time, members object) object {
	o := orderOf(w, "woocommerce_paid").and(object{"id": number, "date_modified_gmt": at.Format("2006-01-02T15:04:05")})
	return o.and(members)
}

func changes(t *testing.T, a woocommerce.Adapter, from platform.Account, since time.Time) ([]platform.Purchase, error) {
	t.Helper()
	var all []platform.Purchase
	for p, err := range a.Changed(t.Context(), from, since) {
		if err != nil {
			return all, err
		}
		all = append(all, p)
	}
	return all, nil
}

func mustChange(t *testing.T, a woocommerce.Adapter, since time.Time) []platform.Purchase {
	t.Helper()
	all, err := changes(t, a, withKey(account(forUs)), since)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// numbers returns the orders of which something follows.
func numbers(all []platform.Purchase) []string {
	var ids []string
	for _, p := range all {
		switch {
		case p.Paid != nil:
			ids = append(ids, p.Paid.Order)
		case p.Returned != nil:
			ids = append(ids, p.Returned[0].Order+" back")
		}
	}
	return ids
}

// An order is read as its webhook is: the same lines, refunds and times.
func TestChanged_likeWebhooks(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	for i, name := range []string{"paid", "created", "refunded_part", "refunded_part", "refunded_all", "cancelled", "renewed", "edited", "address_corrected", "paid_test"} {
		w.orders = []object{orderOf(t, "woocommerce_"+name)}
		units := -(i % 2) // of the first refund of a part none: it is of money alone
		w.refunds["727"] = []object{refund(801, "59.99", refunded("315", units, "-59.99"))}
		events, err := a.Decode(t.Context(), webhook(t, "woocommerce_"+name), withKey(account(forUs)))
		if err != nil {
			t.Fatal(err)
		}
		all := mustChange(t, a, paidAt)
		if len(all) != 1 {
			t.Errorf("%s: %+v", name, all)
			continue
		}
		var told []platform.Event
		for _, r := range all[0].Returned {
			told = append(told, r)
		}
		if all[0].Paid != nil {
			told = append(told, *all[0].Paid)
			if !all[0].ChangedAt.Equal(all[0].Paid.ChangedAt) {
				t.Errorf("%s changed %s", name, all[0].ChangedAt)
			}
		}
		for _, r := range all[0].Recorded {
			told = append(told, r)
		}
		if diff := cmp.Diff(events, told); diff != "" {
			t.Errorf("%s (-webhook +list):\n%s", name, diff)
		}
	}
}

func TestChanged_order(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	w.orders = []object{
		w.sold(5, noon.Add(2*time.Second), nil),
		w.sold(4, noon.Add(time.Second), object{"status": "refunded"}),
		w.sold(3, noon, object{"status": "cancelled"}),
		w.sold(2, noon, nil),
		w.sold(1, noon.Add(-time.Second), nil), // before
		w.sold(6, noon, object{"status": "pending"}),
		w.sold(7, noon, object{"status": "processing", "date_paid_gmt": nil}), // paid on delivery
		w.sold(8, noon, object{"status": "shipped"}),
	}
	if diff := cmp.Diff([]string{"3 back", "2", "4 back", "5"}, numbers(mustChange(t, a, noon))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	own := withKey(account(`{"shop":"shop.example.com","paid_statuses":["shipped"]}`))
	if all, err := changes(t, a, own, noon.Add(500*time.Millisecond)); err != nil || len(numbers(all)) != 5 {
		t.Errorf("with a status of its own: %v, %v", numbers(all), err)
	}
}

// Of an order of any status follows what follows of its webhook. One that is paid and is in no
// paid status now gives back what was refunded. Catch-up goes on after one of which nothing
// follows: thousands of orders that failed would be read at each run.
func TestChanged_statuses(t *testing.T) {
	t.Parallel()
	shown := []string{"pending", "on-hold", "failed", "processing", "completed", "refunded", "cancelled", "shipped", "awaiting-stock"}
	hidden := []string{"trash", "auto-draft", "checkout-draft"}
	for _, paid := range []bool{true, false} {
		for _, status := range append(hidden, shown...) {
			w, a := open(t)
			r := changed(t, "woocommerce_refunded_part", `"status":"processing"`, `"status":"`+status+`"`)
			if !paid {
				r = changed(t, "woocommerce_refunded_part", `"status":"processing"`, `"status":"`+status+`"`, `"date_paid_gmt":"2026-01-02T15:04:00"`, `"date_paid_gmt":null`)
			}
			var o object
			if err := json.Unmarshal(r.Body, &o); err != nil {
				t.Fatal(err)
			}
			w.put(o)
			w.refunds["727"] = []object{refund(801, "59.99", refunded("315", -1, "-59.99"))}
			from := withKey(account(`{"shop":"shop.example.com","paid_statuses":["shipped"]}`))
			events, err := a.Decode(t.Context(), r, from)
			all, err2 := changes(t, a, from, paidAt)
			if err := errors.Join(err, err2); err != nil {
				t.Fatal(err)
			}
			if slices.Contains(hidden, status) {
				if len(all) != 0 || slices.ContainsFunc(events, func(e platform.Event) bool { _, is := e.(platform.Paid); return is }) {
					t.Errorf("%s: %+v, by its webhook %+v", status, all, events)
				}
				continue
			}
			if len(all) != 1 || !all[0].ChangedAt.Equal(refundedAt) {
				t.Errorf("%s: %+v", status, all)
				continue
			}
			var told []platform.Event
			for _, back := range all[0].Returned {
				told = append(told, back)
			}
			if all[0].Paid != nil {
				told = append(told, *all[0].Paid)
			}
			if told == nil {
				told = []platform.Event{platform.Ignored{Type: "order.updated"}}
			}
			if diff := cmp.Diff(events, told); diff != "" {
				t.Errorf("%s (-webhook +list):\n%s", status, diff)
			}
			if back := len(all[0].Returned); (back == 1) != paid || (all[0].Paid != nil) != (paid && slices.Contains([]string{"processing", "completed", "shipped"}, status)) {
				t.Errorf("%s, paid %t: %+v", status, paid, all[0])
			}
		}
	}
}

// Trap: an order that is saved while the pages are read moves to the end of the list. None
// is passed over for it.
func TestChanged_whileOrdersChange(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	for n := range 100 {
		w.orders = append(w.orders, w.sold(1000+n, noon.Add(time.Duration(n)*time.Second), nil))
	}
	pages := 0
	w.before = func(string) {
		if pages++; pages == 2 || pages == 3 { // the first that were read are saved again
			for n := range 15 {
				w.orders[n+15*(pages-2)]["date_modified_gmt"] = noon.Add(time.Hour).Format("2006-01-02T15:04:05")
			}
		}
	}
	seen := map[string]int{}
	for _, id := range numbers(mustChange(t, a, noon)) {
		seen[id]++
	}
	for n := range 100 {
		if id := fmt.Sprint(1000 + n); seen[id] == 0 {
			t.Errorf("%s is passed over", id)
		}
	}
}

// Trap: a bulk edit saves hundreds of orders in one second. Each is read once.
func TestChanged_manyOfOneSecond(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	for n := range 500 {
		w.orders = append(w.orders, w.sold(1000+n, noon.Add(time.Duration(n/450)*time.Second), nil))
	}
	seen := map[string]int{}
	for _, id := range numbers(mustChange(t, a, noon.Add(-time.Hour))) {
		seen[id]++
	}
	if len(seen) != 500 {
		t.Errorf("%d of 500 orders are read", len(seen))
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s is read %d times", id, n)
		}
	}
	if n := w.called("/orders"); n > 30 {
		t.Errorf("it takes %d calls", n)
	}
	// Whoever has enough reads no further.
	w.calls = nil
	for range a.Changed(t.Context(), withKey(account(forUs)), noon.Add(-time.Hour)) {
		break
	}
	if len(w.calls) != 1 {
		t.Errorf("for one order it takes the calls %v", w.calls)
	}
}

// Plugins keep so much on each order that a page of them is larger than what is read of an
// answer: fewer are asked for. An order that is too large alone is told.
func TestChanged_largeOrders(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	for n := range 45 {
		w.orders = append(w.orders, w.sold(1000+n, noon.Add(time.Duration(n)*time.Second), object{"customer_note": strings.Repeat("x", 150_000)}))
	}
	seen := map[string]bool{}
	for _, id := range numbers(mustChange(t, a, noon.Add(-time.Hour))) {
		seen[id] = true
	}
	if n := w.called("/orders"); len(seen) != 45 || n > 15 {
		t.Errorf("%d of 45 orders are read by %d calls", len(seen), n)
	}
	w.orders = append(w.orders, w.sold(2000, noon.Add(time.Hour), object{"customer_note": strings.Repeat("x", 1<<20)}))
	var setup *platform.SetupError
	if _, err := changes(t, a, withKey(account(forUs)), noon.Add(time.Minute)); !errors.As(err, &setup) || !strings.Contains(setup.Problem, "more than") {
		t.Errorf("of an order of more than 1 MiB it says %v", err)
	}
}

// A cache that shows one page for all is told, and not asked for ever.
func TestChanged_behindACache(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	var page []object
	for n := range 20 {
		page = append(page, w.sold(1000+n, noon.Add(time.Duration(n)*time.Second), nil))
	}
	w.says["/orders"] = encoded(page)
	var setup *platform.SetupError
	if all, err := changes(t, a, withKey(account(forUs)), noon); len(all) != 20 || !errors.As(err, &setup) || !strings.Contains(setup.Problem, "cache") {
		t.Errorf("%d orders, %v", len(all), err)
	}
	if n := w.called("/orders"); n > 3 {
		t.Errorf("it takes %d calls", n)
	}
}

// An order that can never be read is told like its webhook, and holds up none after it.
func TestChanged_unreadable(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	w.orders = []object{w.sold(1, noon, object{"date_paid_gmt": "yesterday"}), w.sold(2, noon.Add(time.Second), nil)}
	nameless := w.sold(3, noon.Add(2*time.Second), object{"id": "three"})
	w.orders = append(w.orders, nameless, w.sold(4, noon.Add(3*time.Second), nil))
	all := mustChange(t, a, noon)
	if len(all) != 4 || all[1].Paid == nil || all[3].Paid == nil {
		t.Fatalf("%+v", all)
	}
	for i, want := range map[int]platform.Purchase{
		0: {ChangedAt: noon, Unreadable: &platform.FieldError{Field: "date_paid_gmt", Problem: "is not a time: it says when the order was paid, null while it is not", Order: "1"}},
		2: {ChangedAt: noon.Add(2 * time.Second), Unreadable: &platform.FieldError{Field: "id", Problem: "is missing, or no whole number"}},
	} {
		if diff := cmp.Diff(want, all[i]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// What the merchant is to mend is said; what passes is tried again.
func TestChanged_errors(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	for status, says := range map[int][2]string{
		401: {"credentials.consumer_key", "Authorization header"},
		403: {"credentials.consumer_key", "firewall"},
		404: {"settings.shop", "permalinks"},
		301: {"settings.shop", "another address"},
		400: {"settings.shop", "refuses"},
	} {
		w.fails["/orders"] = status
		for _, call := range []func() error{
			func() error { _, err := changes(t, a, withKey(account(forUs)), noon); return err },
			func() error {
				w.fails["/webhooks"] = status
				_, err := a.Probe(t.Context(), withKey(account(forUs)), address)
				return err
			},
		} {
			var setup *platform.SetupError
			err := call()
			if !errors.As(err, &setup) || setup.Field != says[0] || !strings.Contains(setup.Problem, says[1]) || strings.Contains(err.Error(), "ck_") {
				t.Errorf("%d: %v", status, err)
			}
		}
	}
	for _, status := range []int{429, 503} {
		w.fails["/orders"] = status
		if _, err := changes(t, a, withKey(account(forUs)), noon); !errors.Is(err, platform.ErrTryAgain) {
			t.Errorf("%s: %v", http.StatusText(status), err)
		}
	}
	delete(w.fails, "/orders")
	for _, answer := range []string{"<html>One moment, please</html>", `{"code":"x"}`, ``, `[{"id":1}`, `[{"id":1,"id":2}]`, `[],"x":[]`, "Notice: Undefined variable []"} {
		w.says["/orders"] = answer
		var setup *platform.SetupError
		if _, err := changes(t, a, withKey(account(forUs)), noon); !errors.As(err, &setup) || setup.Field != "settings.shop" {
			t.Errorf("%s: %v", answer, err)
		}
	}
	w.says["/orders"] = "\ufeff[]" // a plugin's file begins with a mark
	if all, err := changes(t, a, withKey(account(forUs)), noon); err != nil || all != nil {
		t.Errorf("%v, %v", all, err)
	}
	for _, missing := range []string{"consumer_key", "consumer_secret"} {
		from := withKey(account(forUs))
		delete(from.Credentials, missing)
		var setup *platform.SetupError
		if _, err := changes(t, a, from, noon); !errors.As(err, &setup) || setup.Field != "credentials."+missing {
			t.Errorf("without %s: %v", missing, err)
		}
	}
}

const address = "https://api.keypool.example/webhooks/acme/woocommerce"

// Trap: WooCommerce switches a webhook off in silence.
func TestProbe(t *testing.T) {
	t.Parallel()
	webhook := func(topic, status, to string) object {
		return object{"id": 27, "name": "Keypool", "status": status, "topic": topic, "delivery_url": to}
	}
	for name, test := range map[string]struct {
		webhooks []object
		want     platform.WebhookStatus
	}{
		"none":              {nil, platform.WebhookMissing},
		"both":              {[]object{webhook("order.created", "active", address), webhook("order.updated", "active", address+"/")}, platform.WebhookActive},
		"one of two":        {[]object{webhook("order.updated", "active", address)}, platform.WebhookMissing},
		"switched off":      {[]object{webhook("order.created", "active", address), webhook("order.updated", "disabled", address)}, platform.WebhookInactive},
		"paused":            {[]object{webhook("order.created", "paused", address), webhook("order.updated", "active", address)}, platform.WebhookInactive},
		"to others":         {[]object{webhook("order.created", "active", address+"-2"), webhook("order.updated", "active", "https://other.example/")}, platform.WebhookMissing},
		"off and on again":  {[]object{webhook("order.created", "active", address), webhook("order.updated", "disabled", address), webhook("order.updated", "active", address)}, platform.WebhookActive},
		"off, and one gone": {[]object{webhook("order.created", "disabled", address)}, platform.WebhookMissing},
	} {
		w, a := open(t)
		w.webhooks = test.webhooks
		for range 120 { // of other uses, before ours
			w.webhooks = append([]object{webhook("product.updated", "active", "https://other.example/")}, w.webhooks...)
		}
		if got, err := a.Probe(t.Context(), withKey(account(forUs)), address); err != nil || got != test.want {
			t.Errorf("%s: %s, %v, want %s", name, got, err, test.want)
		}
	}
}

// A shop may stand in a folder of its domain.
func TestChanged_shopInAFolder(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	w.folder = "/buy/here"
	w.orders = []object{w.sold(1, noon, nil)}
	if all, err := changes(t, a, withKey(account(`{"shop":"https://shop.example.com/buy/here"}`)), noon); err != nil || len(all) != 1 {
		t.Errorf("%v, %v", all, err)
	}
}

// An order that the shop's software fails at, while it shows others, holds up those after it for
// a day. A shop that is away, or limits its callers, is waited for.
func TestChanged_anOrderThatTheShopFailsAt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		after  time.Duration
		passed bool
	}{
		{http.StatusInternalServerError, 24*time.Hour + time.Second, true},
		{http.StatusInternalServerError, 24 * time.Hour, false},
		{http.StatusServiceUnavailable, 100 * time.Hour, false},
		{http.StatusTooManyRequests, 100 * time.Hour, false},
	} {
		w, a := open(t)
		w.orders = []object{
			w.sold(1, noon, object{"refunds": []object{{"id": 801, "total": "-1.00"}}}),
			w.sold(2, noon.Add(time.Second), nil),
		}
		w.fails["/orders/1/refunds"] = c.status
		a.Now = func() time.Time { return noon.Add(c.after) }
		all, err := changes(t, a, withKey(account(forUs)), noon)
		if !c.passed {
			if len(all) != 0 || !errors.Is(err, platform.ErrTryAgain) {
				t.Errorf("%d after %s: %+v, %v", c.status, c.after, all, err)
			}
			continue
		}
		if err != nil || len(all) != 2 || all[0].Unreadable == nil || all[0].Unreadable.Order != "1" || all[0].Paid != nil || !all[0].ChangedAt.Equal(noon) || all[1].Paid == nil {
			t.Errorf("%d after %s: %+v, %v", c.status, c.after, all, err)
		}
	}
}
