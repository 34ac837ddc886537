package shopify_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/shopifyapi"
	"keypool/shared/platform"
	"keypool/shared/platform/shopify"
)

// all returns what changed.
func all(t *testing.T, a shopify.Adapter, from platform.Account, since time.Time) ([]platform.Purchase, error) {
	t.Helper()
	var found []platform.Purchase
	for p, err := range a.Changed(t.Context(), from, since) {
		if err != nil {
			return found, err
		}
		found = append(found, p)
	}
	return found, nil
}

// What the API lists is what webhooks tell: the same ids, lines, refunds and disputes.
func TestChanged_isAsWebhooksTell(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	ship := line("14001234567891", 1).With(object{"requiresShipping": true})
	w.orders = []object{
		order("1", now.Add(-time.Hour), line("11", 1)), // before
		order("2", now, line("21", 2).With(object{"currentQuantity": 1}), ship).With(object{
			"displayFinancialStatus": "PARTIALLY_REFUNDED",
			"refunds":                []object{refund("920001", line("21", 2), 1), refund("920002", nil, 0, transaction("REFUND", "SUCCESS", "5.0")), refund("920003", ship, 1)},
			"disputes":               []object{{"id": shopifyapi.GID("OrderDisputeSummary", "815"), "status": "WON"}},
		}),
		order("3", now.Add(time.Minute), line("31", 1)).With(object{"displayFinancialStatus": "PENDING"}),
		order("4", now.Add(2*time.Minute), line("41", 1)).With(object{"displayFinancialStatus": "REFUNDED", "refunds": []object{refund("920004", nil, 0, transaction("REFUND", "SUCCESS", "59.99"))}}),
		order("5", now.Add(3*time.Minute), line("51", 1)).With(object{"cancelledAt": "2026-01-02T15:07:00Z", "test": true}),
		order("6", now.Add(4*time.Minute), line("61", 1)).With(object{"displayFinancialStatus": "VOIDED", "cancelledAt": "2026-01-02T15:07:00Z"}),
		order("7", now.Add(5*time.Minute), ship),
	}
	got, err := all(t, a, withApp(account()), now)
	if err != nil {
		t.Fatal(err)
	}
	two := seen()
	two.Order, two.Lines[0].ID, two.SkippedLines = "2", "21", []string{"14001234567891"}
	two.Shipped = []platform.Line{{ID: "14001234567891", Product: "44001234567890"}}
	at := time.Date(2026, 1, 3, 9, 0, 0, 0, time.UTC)
	want := []platform.Purchase{
		{
			ChangedAt: now, Paid: &two, Disputed: []platform.Disputed{{Order: "2", ID: "815", State: platform.DisputeWon, At: now}},
			Returned: []platform.Returned{
				{Order: "2", ID: "920001", At: at, Lines: []platform.ReturnedLine{{ID: "21", Quantity: 1}}},
				{Order: "2", ID: "920002", At: at, Amount: "5.00", Currency: "EUR"},
			},
		},
		{ChangedAt: now.Add(time.Minute)},
		{ChangedAt: now.Add(2 * time.Minute), Returned: []platform.Returned{{Order: "4", ID: "refunded", All: true, At: now.Add(2 * time.Minute)}}},
		{ChangedAt: now.Add(3 * time.Minute), Returned: []platform.Returned{{Order: "5", Test: true, ID: "cancelled", All: true, At: now.Add(3*time.Minute - 5*time.Second)}}},
		{ChangedAt: now.Add(4 * time.Minute)},
		{ChangedAt: now.Add(5 * time.Minute)},
	}
	want[3].Returned[0].At = time.Date(2026, 1, 2, 15, 7, 0, 0, time.UTC)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A refund of money alone is found by its adjustments where the API lists no payment of it.
func TestChanged_refundByAdjustmentsAlone(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	back := refund("920002", nil, 0)
	back["orderAdjustments"] = []object{{"amountSet": money("-10.00"), "taxAmountSet": money("-1.90")}}
	w.orders[0]["refunds"], w.orders[0]["displayFinancialStatus"] = []object{back}, "PARTIALLY_REFUNDED"
	got, err := all(t, a, withApp(account()), now)
	want := []platform.Returned{{Order: "5501234567890", ID: "920002", At: time.Date(2026, 1, 3, 9, 0, 0, 0, time.UTC), Amount: "11.90", Currency: "EUR"}}
	if err != nil || len(got) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if diff := cmp.Diff(want, got[0].Returned); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Every page is read, the earliest change first, and what is too much for one answer.
func TestChanged_readsAll(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	w.points = 1e6
	w.orders = nil
	for n := range 40 {
		w.orders = append(w.orders, order(strconv.Itoa(1000+n), now.Add(time.Duration(-n)*time.Minute), line("1", 1)))
	}
	var lines []object
	for n := range 230 {
		lines = append(lines, line(strconv.Itoa(500+n), 1))
	}
	large := order("1", now.Add(time.Hour), lines...)
	var refunds []object
	for n := range 4 {
		refunds = append(refunds, refund(strconv.Itoa(900+n), lines[n], 1))
	}
	many := []object{}
	for n := range 130 {
		many = append(many, object{"quantity": 1, "lineItem": lines[n+10]})
	}
	refunds[2]["refundLineItems"] = many
	large["refunds"], large["displayFinancialStatus"] = refunds, "PARTIALLY_REFUNDED"
	w.orders = append(w.orders, large)

	got, err := all(t, a, withApp(account()), now.Add(-24*time.Hour))
	if err != nil || len(got) != 41 || !slices.IsSortedFunc(got, func(a, b platform.Purchase) int { return a.ChangedAt.Compare(b.ChangedAt) }) {
		t.Fatalf("%d orders, %v", len(got), err)
	}
	for _, cost := range w.costs {
		if cost > 900 { // more than we count is left for what Shopify counts otherwise
			t.Errorf("a query costs %d points", cost)
		}
	}
	last := got[40]
	if len(last.Paid.Lines) != 230 || len(last.Returned) != 4 || len(last.Returned[2].Lines) != 130 || last.Returned[3].ID != "903" {
		t.Errorf("%d lines, %d refunds", len(last.Paid.Lines), len(last.Returned))
	}
	w.orders = []object{order("2", now, line("1", 1))}
	w.orders[0]["refunds"] = []object{refund("7", nil, 0)}
	w.orders[0]["refunds"].([]object)[0]["refundLineItems"] = many[:7]
	got, err = all(t, a, withApp(account()), now)
	if err != nil || len(got) != 1 || len(got[0].Returned) != 1 || len(got[0].Returned[0].Lines) != 7 {
		t.Errorf("%+v, %v", got, err)
	}
}

// A shop gives so many points to calls: a run waits for more, and one that cannot wait
// keeps what it has.
func TestChanged_keepsToTheLimit(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	w.orders = nil
	for n := range 60 {
		w.orders = append(w.orders, order(strconv.Itoa(1000+n), now.Add(time.Duration(n)*time.Minute), line("1", 1)))
	}
	waited := time.Duration(0)
	a.Wait = func(_ context.Context, d time.Duration) error {
		waited += d
		w.mu.Lock()
		w.points += 100 * d.Seconds()
		w.mu.Unlock()
		return nil
	}
	w.points = 1000
	if got, err := all(t, a, withApp(account()), now); err != nil || len(got) != 60 || waited == 0 || waited > 2*time.Minute {
		t.Errorf("%d orders after %s, %v", len(got), waited, err)
	}
	a.Wait = func(context.Context, time.Duration) error { return context.DeadlineExceeded }
	w.points = 1000
	got, err := all(t, a, withApp(account()), now)
	if !errors.Is(err, platform.ErrTryAgain) || len(got) == 0 || len(got) == 60 {
		t.Errorf("%d orders, %v", len(got), err)
	}
	w.points = 0
	if got, err := all(t, a, withApp(account()), now); !errors.Is(err, platform.ErrTryAgain) || len(got) != 0 {
		t.Errorf("%d orders, %v", len(got), err)
	}
	for _, cost := range w.costs {
		if cost > 900 || cost < 100 {
			t.Errorf("a query costs %d points", cost)
		}
	}
}

// Who stops listening is called no more.
func TestChanged_stops(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	w.orders = nil
	for n := range 30 {
		w.orders = append(w.orders, order(strconv.Itoa(1000+n), now, line("1", 1)))
	}
	for range a.Changed(t.Context(), withApp(account()), now) {
		break
	}
	if len(w.queries) != 1 {
		t.Errorf("asked %v", w.queries)
	}
}

// Keypool makes its own webhooks, those that are missing, once.
func TestSubscribe(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	from := withApp(account())
	probe := func(of platform.Account, want platform.WebhookStatus) {
		t.Helper()
		if got, err := a.Probe(t.Context(), of, address); err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	probe(from, platform.WebhookMissing)
	w.webhooks = []object{
		{"id": "1", "topic": "ORDERS_PAID", "uri": "https://other.example.com/hook", "format": "JSON"},
		{"id": "2", "topic": "REFUNDS_CREATE", "uri": address + "/", "format": "JSON"},
		{"id": "3", "topic": "ORDERS_CANCELLED", "uri": address, "format": "XML"},
	}
	probe(from, platform.WebhookMissing)
	w.refuses["DISPUTES_CREATE"], w.refuses["DISPUTES_UPDATE"] = true, true // the app lacks the scope
	for range 2 {
		if err := a.Subscribe(t.Context(), from, address); err != nil {
			t.Fatal(err)
		}
	}
	var made []string
	for _, o := range w.webhooks[3:] {
		made = append(made, fmt.Sprint(o["topic"], " ", o["uri"], " ", o["format"]))
	}
	want := []string{"ORDERS_PAID " + address + " JSON", "ORDERS_CANCELLED " + address + " JSON", "ORDERS_RISK_ASSESSMENT_CHANGED " + address + " JSON"}
	if !slices.Equal(made, want) {
		t.Errorf("made %v, want %v", made, want)
	}
	probe(from, platform.WebhookActive)

	w.webhooks = nil // Shopify deleted them
	probe(from, platform.WebhookMissing)
	w.refuses["REFUNDS_CREATE"] = true
	var setup *platform.SetupError
	if err := a.Subscribe(t.Context(), from, address); !errors.As(err, &setup) {
		t.Errorf("%v", err)
	}
	w.fails = "THROTTLED"
	if err := a.Subscribe(t.Context(), from, address); !errors.Is(err, platform.ErrTryAgain) {
		t.Errorf("%v", err)
	}
}

// Webhooks that were made by hand are shown to no app: none are made beside them.
func TestSubscribe_byHand(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	from := withApp(account(`"webhooks":"by_hand"`))
	if err := a.Subscribe(t.Context(), from, address); err != nil || len(w.webhooks) != 0 || len(w.queries) != 0 {
		t.Errorf("made %v, %v", w.webhooks, err)
	}
	if state, err := a.Probe(t.Context(), from, address); err != nil || state != "" {
		t.Errorf("%q, %v", state, err)
	}
	w.status = http.StatusServiceUnavailable
	if _, err := a.Probe(t.Context(), withApp(account()), address); !errors.Is(err, platform.ErrTryAgain) {
		t.Errorf("%v", err)
	}
}
