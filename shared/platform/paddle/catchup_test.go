package paddle_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/time/rate"

	"keypool/infra/proof/apitest"
	"keypool/infra/proof/platformtest"
	"keypool/shared/platform"
	"keypool/shared/platform/paddle"
)

// empty lets the world know nothing.
func (w *world) empty() {
	for _, s := range []*side{w.live, w.test} {
		s.transactions, s.adjustments, s.events = nil, nil, nil
	}
}

// sell adds a transaction that was paid and changed at a time.
func (s *side) sell(t testing.TB, n int, at time.Time) object {
	t.Helper()
	sold := entity(t, "paddle_paid").and(object{"id": id("txn", n), "billed_at": at.Format(time.RFC3339), "updated_at": at.Format(time.RFC3339Nano)})
	sold["payments"] = []any{object{"status": "captured", "captured_at": at.Format(time.RFC3339Nano)}}
	s.transactions = append(s.transactions, sold)
	return sold
}

// collect returns what changed, and the error after it.
func collect(t testing.TB, a paddle.Adapter, from platform.Account, since time.Time) (all []platform.Purchase, failure error) {
	t.Helper()
	for p, err := range a.Changed(t.Context(), from, since) {
		if failure != nil {
			t.Errorf("it goes on after %v", failure)
		}
		if failure = err; err == nil {
			all = append(all, p)
		}
	}
	return all, failure
}

var since = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestChanged_orders(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	got, err := collect(t, a, account(""), since)
	if err != nil {
		t.Fatal(err)
	}
	var orders []platform.Paid
	for _, p := range got {
		if p.Paid == nil || p.Returned != nil || p.Disputed != nil || !p.ChangedAt.Equal(time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)) {
			t.Errorf("%+v", p)
			continue
		}
		orders = append(orders, *p.Paid)
	}
	invoice, charged, test := one(9), one(6), one(2)
	invoice.Customer.Company, charged.Customer.LicenseFor, test.Test = "Analytical Engines", "", true
	subscribed := first()
	subscribed.PaidAt = at("2025-12-02T15:04:03Z")
	want := []platform.Paid{paid(), subscribed, renewed(), charged, invoice, one(10), test}
	byID := func(a, b platform.Paid) int { return strings.Compare(a.Order, b.Order) }
	slices.SortFunc(orders, byID)
	slices.SortFunc(want, byID)
	if diff := cmp.Diff(want, orders); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if w.called("/transactions/") != 0 {
		t.Errorf("each order takes a call: %v", w.calls)
	}
}

// All pages of both sides come in the order of their change, and nothing that is older.
func TestChanged_inTheOrderOfTheirChange(t *testing.T) {
	t.Parallel()
	for _, large := range []int{1000, 4} {
		w, a := open(t)
		w.empty()
		w.large = large // pages of more entities are larger than what is read
		for i := range 70 {
			s := w.live
			if i%7 == 0 {
				s = w.test
			}
			s.sell(t, 100+(i*37)%70, since.Add(time.Duration(i)*time.Minute))
		}
		w.live.sell(t, 999, since.Add(-time.Second))
		got, err := collect(t, a, account(""), since)
		if err != nil || len(got) != 70 {
			t.Fatalf("%d, %v", len(got), err)
		}
		for i, p := range got {
			if want := since.Add(time.Duration(i) * time.Minute); !p.ChangedAt.Equal(want) || p.Paid.Order != id("txn", 100+(i*37)%70) || p.Paid.Test != (i%7 == 0) {
				t.Errorf("%d is %+v", i, p)
			}
		}
		if calls := w.called("/transactions"); large == 1000 && calls != 3 {
			t.Errorf("%d pages: %v", calls, w.calls)
		}
	}
}

// Whoever stops early is not sent more, and no more is read.
func TestChanged_stops(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	w.empty()
	for i := range 70 {
		w.live.sell(t, i, since.Add(time.Duration(i)*time.Minute))
	}
	for range a.Changed(t.Context(), without(account(""), "test_key"), since) {
		break
	}
	if n := w.called("/transactions"); n != 1 {
		t.Errorf("%d pages were read", n)
	}
}

// What was refunded or disputed comes with its order, so that a customer who has the money
// back gets no key.
func TestChanged_refundsOfAnOrder(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	w.empty()
	w.live.sell(t, 1, since)
	w.live.sell(t, 2, since.Add(time.Minute))
	w.live.adjustments = []object{
		entity(t, "paddle_refund_waits").and(object{"id": id("adj", 30)}),
		entity(t, "paddle_refund_rejected").and(object{"id": id("adj", 31)}),
		entity(t, "paddle_credited"),
		entity(t, "paddle_refund_approved"),
		entity(t, "paddle_chargeback"),
		entity(t, "paddle_chargeback_reversed"),
		entity(t, "paddle_refunded_all").and(object{"transaction_id": id("txn", 2)}),
	}
	got, err := collect(t, a, account(""), since)
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	part, all := units(returned(1), 1), returned(2)
	part.Within, part.At = "", time.Date(2026, 1, 3, 9, 10, 0, 0, time.UTC)
	all.Within, all.At, all.Order, all.All = "", time.Date(2026, 1, 3, 9, 0, 0, 0, time.UTC), id("txn", 2), true
	if diff := cmp.Diff([][]platform.Returned{{part}, {all}}, [][]platform.Returned{got[0].Returned, got[1].Returned}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	won := disputed(7, platform.DisputeWon, time.Date(2026, 1, 3, 9, 0, 0, 0, time.UTC))
	if diff := cmp.Diff([]platform.Disputed{won}, got[0].Disputed); diff != "" || got[1].Disputed != nil {
		t.Errorf("(-want +got):\n%s%+v", diff, got[1].Disputed)
	}
}

// A refund of an order that did not change itself is found, however old the order and the
// refund are: Paddle approved it now.
func TestChanged_refundsOfOldOrders(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	w.empty()
	old := since.AddDate(-2, 0, 0)
	for n := range 40 {
		w.live.sell(t, n, old)
	}
	text := func(minutes int) string {
		return since.Add(time.Duration(minutes) * time.Minute).Format(time.RFC3339Nano)
	}
	refund := func(n int, more object) object {
		return entity(t, "paddle_refunded_all").and(object{"id": id("adj", n), "transaction_id": id("txn", n), "created_at": old.Format(time.RFC3339)}).and(more)
	}
	for n := range 35 {
		w.live.adjust("adjustment.updated", text(n), refund(n, object{"updated_at": text(n)}))
	}
	w.live.adjust("adjustment.created", text(40), refund(36, object{"status": "pending_approval"}))
	w.live.adjust("adjustment.created", text(41), refund(37, object{"action": "credit"}))
	w.live.adjust("adjustment.created", text(42), refund(38, object{"action": "chargeback"}))
	w.live.adjust("adjustment.created", text(-1), refund(39, nil))                                                    // before
	w.live.adjust("adjustment.updated", text(50), refund(40, object{"transaction_id": id("txn", 3)}))                 // again of order 3
	w.live.adjust("adjustment.updated", text(51), refund(41, object{"transaction_id": id("txn", 4242)}))              // of one that is not listed
	slices.Reverse(w.live.events[:10])                                                                                // as the API may have them
	w.live.events = append(w.live.events, w.live.events[0].and(object{"event_type": "customer.updated"}))             // another type
	w.test.adjust("adjustment.updated", text(7), entity(t, "paddle_refunded_all").and(object{"updated_at": text(7)})) // of the sandbox
	got, err := collect(t, a, account(""), since)
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for i, p := range got {
		if p.Paid != nil || i > 0 && p.ChangedAt.Before(got[i-1].ChangedAt) {
			t.Errorf("%+v", p)
		}
		switch {
		case len(p.Returned) > 0:
			seen = append(seen, fmt.Sprint(p.Returned[0].Order, p.Returned[0].Test, len(p.Returned)))
		case len(p.Disputed) == 1:
			seen = append(seen, p.Disputed[0].Order+" disputed")
		}
	}
	var want []string
	for n := range 35 {
		if n != 3 {
			want = append(want, fmt.Sprint(id("txn", n), false, 1))
		}
	}
	want = append(want, id("txn", 38)+" disputed", fmt.Sprint(id("txn", 3), false, 2), fmt.Sprint(id("txn", 4242), false, 1), fmt.Sprint(id("txn", 1), true, 1))
	slices.Sort(seen)
	slices.Sort(want)
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Renewals find their parents by one call for a page, however many there are.
func TestChanged_renewals(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	w.empty()
	for n := range 25 {
		w.live.sell(t, n, since.AddDate(0, -1, 0))["subscription_id"] = id("sub", n)
		renewal := w.live.sell(t, 100+n, since.Add(time.Duration(n)*time.Minute))
		renewal["subscription_id"], renewal["origin"] = id("sub", n), "subscription_recurring"
	}
	imported := w.live.sell(t, 200, since.Add(time.Hour))
	imported["subscription_id"], imported["origin"] = id("sub", 77), "subscription_recurring"
	got, err := collect(t, a, account(""), since)
	if err != nil || len(got) != 26 {
		t.Fatalf("%+v, %v", got, err)
	}
	for n, p := range got[:25] {
		if p.Paid.Order != id("txn", 100+n) || p.Paid.Parent != id("txn", n) {
			t.Errorf("%+v", p.Paid)
		}
	}
	if got[25].Paid.Parent != "" {
		t.Errorf("%+v", got[25].Paid)
	}
	if n := w.called("/transactions"); n != 4 { // live, the sandbox, the parents, and those of a subscription from elsewhere
		t.Errorf("it takes the calls %v", w.calls)
	}
}

// An order whose lines cannot be read holds up no other: the merchant is told of it.
func TestChanged_unreadableOrder(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	w.empty()
	w.live.sell(t, 1, since)["details"] = object{"totals": object{"total": "1"}, "line_items": []any{object{"id": 7}}}
	w.live.sell(t, 2, since.Add(time.Minute))
	got, err := collect(t, a, account(""), since)
	if err != nil || len(got) != 2 || got[0].Paid != nil || !got[0].ChangedAt.Equal(since) || got[1].Paid.Check(10) != nil {
		t.Fatalf("%+v, %v", got, err)
	}
	if field := got[0].Unreadable; field == nil || field.Order != id("txn", 1) || field.Field != "data.details.line_items[0].id" {
		t.Errorf("%+v", field)
	}
}

// What cannot be told apart from others, or is whose nobody knows, holds up no other. What was
// sold is delivered, unless it is not known what went back of it.
func TestChanged_unreadableParts(t *testing.T) {
	t.Parallel()
	refund := object{"id": id("adj", 1), "action": "refund", "status": "approved", "type": "full", "transaction_id": id("txn", 1), "items": []any{}}
	const event = "evt_01000000000000000000001000"
	for name, test := range map[string]struct {
		of     any // whose members are shown otherwise
		as     object
		paid   []string
		passed map[string]string // the fields of those that are passed over, by the order
	}{
		"no id":                  {id("txn", 1), object{"id": 7}, []string{id("txn", 2)}, map[string]string{"": "id"}},
		"no time of change":      {id("txn", 1), object{"updated_at": "soon", "created_at": nil}, []string{id("txn", 2)}, map[string]string{id("txn", 1): "updated_at"}},
		"another's customer":     {id("txn", 1), object{"customer": object{"id": id("ctm", 9)}}, []string{id("txn", 2)}, map[string]string{id("txn", 1): "customer.id"}},
		"a refund of no order":   {id("adj", 1), object{"transaction_id": nil}, []string{id("txn", 2)}, map[string]string{id("txn", 1): "adjustments.transaction_id"}},
		"an event of no order":   {event, object{"data": refund.and(object{"transaction_id": 7})}, []string{id("txn", 1), id("txn", 2)}, map[string]string{"": "data.transaction_id"}},
		"an event of no time":    {event, object{"occurred_at": "soon"}, []string{id("txn", 1), id("txn", 2)}, map[string]string{}},
		"an event of neither":    {event, object{"occurred_at": nil, "data": refund.and(object{"transaction_id": 7})}, []string{id("txn", 1), id("txn", 2)}, map[string]string{"": "data.transaction_id"}},
		"all is as it should be": {nil, nil, []string{id("txn", 1), id("txn", 2)}, map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, a := open(t)
			w.empty()
			w.live.sell(t, 1, since)
			w.live.sell(t, 2, since.Add(time.Minute))
			w.live.adjust("adjustment.updated", since.Add(time.Second).Format(time.RFC3339Nano), refund)
			w.shown = map[any]object{test.of: test.as}
			found, err := collect(t, a, account(""), since)
			if err != nil {
				t.Fatal(err)
			}
			paid, back, passed := []string{}, 0, map[string]string{}
			for _, p := range found {
				switch {
				case p.Unreadable != nil:
					passed[p.Unreadable.Order] = p.Unreadable.Field
				case p.Paid != nil:
					paid = append(paid, p.Paid.Order)
				}
				back += len(p.Returned)
			}
			if diff := cmp.Diff(test.paid, paid) + cmp.Diff(test.passed, passed); diff != "" {
				t.Errorf("delivered and passed over (-want +got):\n%s", diff)
			}
			if lost := name == "a refund of no order"; back == 0 != lost {
				t.Errorf("%d refunds are told", back)
			}
		})
	}
}

// It ends with the first failure, and what came before is whole. The sandbox holds up no live
// order.
func TestChanged_failures(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/transactions", "/adjustments", "/events"} {
		for status, says := range map[int]string{429: "", 500: "", 403: "credentials.live_key"} {
			w, a := open(t)
			w.fails[path] = status
			_, err := collect(t, a, account(""), since)
			var setup *platform.SetupError
			if says == "" && !errors.Is(err, platform.ErrTryAgain) || says != "" && (!errors.As(err, &setup) || setup.Field != says) {
				t.Errorf("%s, %d: %v", path, status, err)
			}
		}
	}
	w, a := open(t)
	sandbox := a
	sandbox.API = through(func(r *http.Request) string {
		if r.Host == "sandbox-api.paddle.com" || r.URL.Host == "sandbox-api.paddle.com" {
			return "no JSON"
		}
		return body(t, served(w, r))
	})
	got, err := collect(t, sandbox, account(""), since)
	if len(got) != 6 || !errors.Is(err, platform.ErrTryAgain) {
		t.Errorf("%d, %v", len(got), err)
	}
	var setup *platform.SetupError
	if _, err := collect(t, a, without(account(""), "live_key", "test_key"), since); !errors.As(err, &setup) || setup.Field != "credentials.live_key" {
		t.Errorf("without a key: %v", err)
	}
	if _, err := collect(t, a, account(`{"product":5}`), since); !errors.As(err, &setup) || setup.Field != "settings" {
		t.Errorf("by other settings: %v", err)
	}
	w.calls = nil
	if got, err := collect(t, a, without(account(""), "live_key"), since); err != nil || len(got) != 1 || !got[0].Paid.Test {
		t.Errorf("with the sandbox's key alone: %+v, %v", got, err)
	}
	if n := w.called("/transactions"); n != 1 {
		t.Errorf("it calls %v", w.calls)
	}
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	var text strings.Builder
	if err := r.Write(&text); err != nil {
		t.Error(err)
	}
	_, after, _ := strings.Cut(text.String(), "\r\n\r\n")
	return after[strings.Index(after, "{") : strings.LastIndex(after, "}")+1]
}

// A list whose next page is itself, or has no address, is not read for ever.
func TestChanged_listsThatDoNotEnd(t *testing.T) {
	t.Parallel()
	for _, next := range []string{`""`, `null`, `"https://api.paddle.com/transactions"`, `"https://api.paddle.com/transactions?after=x"`, `"http://[::1"`} {
		a := paddle.Adapter{API: through(func(*http.Request) string {
			return `{"data":[],"meta":{"pagination":{"has_more":true,"next":` + next + `}}}`
		})}
		if got, err := collect(t, a, account(""), since); !errors.Is(err, platform.ErrTryAgain) || got != nil {
			t.Errorf("%s: %+v, %v", next, got, err)
		}
	}
}

// Calls of catch-up keep to Paddle's limit: 240 a minute.
func TestChanged_pace(t *testing.T) {
	t.Parallel()
	pace := paddle.New().Pace
	if most := float64(pace.Burst()) + 60*float64(pace.Limit()); most > 180 {
		t.Errorf("%.0f calls in a minute", most)
	}
	_, a := open(t)
	a.Pace = rate.NewLimiter(rate.Every(time.Hour), 2)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var failure error
	for _, err := range a.Changed(ctx, account(""), since) {
		failure = err
	}
	if !errors.Is(failure, platform.ErrTryAgain) {
		t.Errorf("%v", failure)
	}
	decodes(t, a, webhook(t, "paddle_paid"), account(""), paid()) // which does not wait
}

// Catch-up delivers what webhooks did not, and sells nothing twice.
func TestCatchup(t *testing.T) {
	t.Parallel()
	platformtest.RunCatchup(t, platformtest.Platform{
		Name: "paddle", Credentials: map[string]string{"live_key": liveKey},
		Secrets:   [3]string{liveSecret, "pdl_ntfset_01second_secretOfTheAccount000000000002", "pdl_ntfset_01third_secretOfTheAccount000000000003"},
		Signature: "paddle-signature", Sign: sign,
		Events: map[platformtest.Kind]func(platformtest.Order) platformtest.Webhook{
			platformtest.Paid: func(o platformtest.Order) platformtest.Webhook {
				return webhookOf("transaction.completed", o, transaction(o))
			},
		},
	}, func(t testing.TB, n *platformtest.Network) platformtest.World {
		w, a := open(t)
		w.empty()
		w.live.destinations = []object{destinationTo("https://api.example.com/webhooks/acme/shop")}
		a.API = apitest.Serve(t, n.Before(w))
		return platformtest.World{Adapter: a, Put: w.put, Spoil: w.spoil}
	})
}

// put shows an order of the run in the live account. A refund does not change its transaction:
// only the adjustment is new.
func (w *world) put(o platformtest.Order, changedAt time.Time, refunded bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	shown := transaction(o)
	if refunded {
		at := changedAt.Format(time.RFC3339Nano)
		w.live.adjust("adjustment.updated", at, adjustment(o, "refund", "approved").and(object{"updated_at": at}))
	} else {
		shown["updated_at"] = changedAt.Format(time.RFC3339Nano)
	}
	w.live.transactions = slices.DeleteFunc(w.live.transactions, func(t object) bool { return t["id"] == shown["id"] })
	w.live.transactions = append(w.live.transactions, shown)
}

// spoil shows an order of the run whose line says no quantity.
func (w *world) spoil(o platformtest.Order, changedAt time.Time) {
	w.put(o, changedAt, false)
	w.mu.Lock()
	defer w.mu.Unlock()
	last := w.live.transactions[len(w.live.transactions)-1]
	last["details"].(object)["line_items"].([]any)[0].(object)["quantity"] = "two"
}

// destinationTo is an active destination of all events that are needed.
func destinationTo(address string) object {
	events := []any{}
	for _, name := range []string{"transaction.completed", "adjustment.created", "adjustment.updated", "customer.created"} {
		events = append(events, object{"name": name})
	}
	return object{"id": id("ntfset", 1), "type": "url", "destination": address, "active": true, "traffic_source": "platform", "subscribed_events": events}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	const address = "https://api.example.com/webhooks/acme/paddle"
	destination := func(more object) object { return destinationTo(address).and(more) }
	fewer := object{"subscribed_events": []any{object{"name": "transaction.completed"}, object{"name": "adjustment.created"}}}
	for name, test := range map[string]struct {
		destinations []object
		want         platform.WebhookStatus
	}{
		"none":                    {nil, platform.WebhookMissing},
		"active":                  {[]object{destination(nil)}, platform.WebhookActive},
		"with a slash at the end": {[]object{destination(object{"destination": address + "/"})}, platform.WebhookActive},
		"of all traffic":          {[]object{destination(object{"traffic_source": "all"})}, platform.WebhookActive},
		"simulated only":          {[]object{destination(object{"traffic_source": "simulation"})}, platform.WebhookMissing},
		"switched off":            {[]object{destination(object{"active": false})}, platform.WebhookInactive},
		"one is switched off":     {[]object{destination(object{"active": false}), destination(object{"id": id("ntfset", 2)})}, platform.WebhookActive},
		"to another address":      {[]object{destination(object{"destination": address + "-2"})}, platform.WebhookMissing},
		"of fewer events":         {[]object{destination(fewer)}, platform.WebhookMissing},
	} {
		w, a := open(t)
		w.live.destinations = test.destinations
		if got, err := a.Probe(t.Context(), account(""), address); err != nil || got != test.want {
			t.Errorf("%s: %s, %v", name, got, err)
		}
		w.live.destinations, w.test.destinations = nil, test.destinations
		if got, err := a.Probe(t.Context(), without(account(""), "live_key"), address); err != nil || got != test.want {
			t.Errorf("%s, in the sandbox: %s, %v", name, got, err)
		}
	}
	w, a := open(t)
	w.fails["/notification-settings"] = 403
	if got, err := a.Probe(t.Context(), account(""), address); err != nil || got != platform.WebhookUnknown {
		t.Errorf("without the permission: %q, %v", got, err)
	}
	var setup *platform.SetupError
	w.fails["/notification-settings"] = 401
	if _, err := a.Probe(t.Context(), account(""), address); !errors.As(err, &setup) {
		t.Errorf("%v", err)
	}
	if _, err := a.Probe(t.Context(), without(account(""), "live_key", "test_key"), address); !errors.As(err, &setup) {
		t.Errorf("%v", err)
	}
}
