package stripe_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/apitest"
	"keypool/infra/proof/platformtest"
	"keypool/shared/platform"
	"keypool/shared/platform/stripe"
)

// TestCatchup finds by Stripe's list of events what its webhooks did not tell. The API is
// a stand-in, made from Stripe's description of it.
func TestCatchup(t *testing.T) {
	t.Parallel()
	session := func(o platformtest.Order) object {
		return object{
			"id": sessionOf(o), "object": "checkout.session", "mode": "payment", "payment_status": "paid", "created": int(o.PaidAt.Unix()), "livemode": true,
			"currency": "eur", "payment_intent": intentOf(o), "customer_details": object{"email": o.Email, "name": "Ada Byron"},
		}
	}
	platformtest.RunCatchup(t, platformtest.Platform{
		Name:        "stripe",
		Credentials: map[string]string{"live_key": liveKey},
		Secrets:     [3]string{liveSecret, "whsec_second_secret_of_the_account", "whsec_third_secret_of_the_account"},
		Sign: func(key []byte, w platformtest.Webhook, at time.Time) platformtest.Webhook {
			w.Header = http.Header{}
			w.Header.Set("Stripe-Signature", stripe.Sign(key, at, w.Body))
			return w
		},
		Events: map[platformtest.Kind]func(platformtest.Order) platformtest.Webhook{
			platformtest.Paid: func(o platformtest.Order) platformtest.Webhook {
				body, err := json.Marshal(happened("evt_1", "checkout.session.completed", o.PaidAt, session(o)))
				if err != nil {
					t.Fatal(err)
				}
				return platformtest.Webhook{Body: body}
			},
		},
	}, func(t testing.TB, n *platformtest.Network) platformtest.World {
		w, _ := open(t)
		w.points = []object{{"id": "we_1", "object": "webhook_endpoint", "url": "https://api.example.com/webhooks/acme/shop", "status": "enabled", "livemode": true, "enabled_events": []string{"*"}}}
		put := func(o platformtest.Order, changedAt time.Time, refunded bool) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if _, known := find(w.sessions, sessionOf(o)); !known {
				w.sessions = append(w.sessions, session(o))
				w.items[sessionOf(o)] = []object{item("li_1", price("price_"+o.Product, "prod_"+o.Product, "The Game").and(object{"metadata": object{"keypool_product": o.Product}}), o.Quantity, 5999)}
				w.events = append(w.events, happened(fmt.Sprintf("evt_paid_%d", o.N), "checkout.session.completed", o.PaidAt, session(o)))
			}
			if !refunded {
				return // an edit that Stripe lists no event of
			}
			charged := charge(fmt.Sprintf("ch_c%d", o.N), intentOf(o)).and(object{"amount": 5999, "amount_captured": 5999})
			back := refund(refundOf(o), 5999, "succeeded", int(changedAt.Unix())).and(object{"charge": charged["id"], "payment_intent": intentOf(o)})
			w.charges, w.refunds = append(w.charges, charged), append(w.refunds, back)
			w.events = append(w.events,
				happened(fmt.Sprintf("evt_refunded_%d", o.N), "charge.refunded", changedAt, charged),
				happened(fmt.Sprintf("evt_refund_%d", o.N), "refund.updated", changedAt.Add(time.Second), back))
		}
		return platformtest.World{Adapter: stripe.Through(apitest.Serve(t, n.Before(w))), Put: put, Spoil: func(o platformtest.Order, changedAt time.Time) {
			put(o, changedAt, false)
			w.mu.Lock()
			defer w.mu.Unlock()
			w.items[sessionOf(o)][0]["quantity"] = "two"
		}}
	})
}

func intentOf(o platformtest.Order) string { return fmt.Sprintf("pi_c%d", o.N) }

// happened is an event as Stripe lists and sends it.
func happened(id, kind string, at time.Time, about object) object {
	return object{
		"id": id, "object": "event", "api_version": "2026-08-26.dahlia", "created": int(at.Unix()), "livemode": about["livemode"], "type": kind,
		"data": object{"object": about},
	}
}

var began = time.Unix(1767366000, 0).UTC()

// changes returns what an account's Changed yields, in words, but for that from which nothing
// follows.
func changes(t *testing.T, a stripe.Adapter, from platform.Account, since time.Time) (all []string, last error) {
	t.Helper()
	for p, err := range a.Changed(t.Context(), from, since) {
		if err != nil {
			return all, err
		}
		if nothing := (platform.Purchase{ChangedAt: p.ChangedAt}); cmp.Equal(p, nothing) {
			continue
		}
		what := p.ChangedAt.Sub(began).String()
		for _, r := range p.Returned {
			what += fmt.Sprintf(" %s returned by %s, all %t", r.Order, r.ID, r.All)
		}
		for _, d := range p.Disputed {
			what += fmt.Sprintf(" %s disputed by %s, %s", d.Order, d.ID, d.State)
		}
		if p.Unreadable != nil {
			what += fmt.Sprintf(" %q: %s", p.Unreadable.Order, p.Unreadable)
		}
		for _, other := range p.Ignored {
			what += " ignored " + other.Payment
		}
		if p.Paid != nil {
			what += fmt.Sprintf(" %s paid, test %t", p.Paid.Order, p.Paid.Test)
		}
		all = append(all, what)
	}
	return all, nil
}

// sold adds the events of a session that the world has.
func (w *world) sold(id string, after time.Duration) {
	found, _ := find(w.sessions, id)
	w.events = append(w.events, happened("evt_"+id, "checkout.session.completed", began.Add(after), found))
}

// An invoice without Checkout is told, beside orders and what was given back of others.
func TestChanged_paymentsWithoutCheckout(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	a.Now = func() time.Time { return began.Add(time.Hour) }
	w.sold("cs_live_a1", time.Minute)
	w.refunds = []object{refund("re_1", 11998, "succeeded", 1767366100)}
	byHand := invoice("in_9", "manual", 0).and(object{"parent": nil, "customer": "cus_9"})
	w.events = append(w.events,
		happened("evt_in_1", "invoice.paid", began.Add(2*time.Minute), w.invoices[0]),
		happened("evt_in_9", "invoice.paid", began.Add(3*time.Minute), byHand),
		happened("evt_r1", "charge.refunded", began.Add(4*time.Minute), w.charges[0]),
		happened("evt_in_8", "invoice.paid", began.Add(55*time.Minute), byHand.and(object{"id": "in_8"})))
	got, err := changes(t, a, account(""), began)
	want := []string{"1m0s cs_live_a1 returned by re_1 and all before, all true cs_live_a1 paid, test false", "3m0s ignored in_9"}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	others := account("")
	others.OtherProducts = "ignore"
	if got, err := changes(t, a, others, began); err != nil || len(got) != 1 {
		t.Errorf("to an account that ignores others: %v, %v", got, err)
	}
	w.fails["/v1/checkout/sessions"] = http.StatusServiceUnavailable
	if got, err := changes(t, a, account(""), began.Add(2*time.Minute)); !errors.Is(err, platform.ErrTryAgain) {
		t.Errorf("while the API is down: %v, %v", got, err)
	}
}

// Both sides are listed by time; an order is told with its refunds and disputes, whenever
// they came, and at the time of its payment: a run that is cut off between the two must
// find the payment again.
func TestChanged_ordersWithWhatBecameOfThem(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	w.sold("cs_live_a1", time.Minute)
	w.sold("cs_test_a1", 2*time.Minute)
	w.sold("cs_live_a3", 3*time.Minute) // cost nothing
	w.events = append(w.events, happened("evt_in_2", "invoice.paid", began.Add(4*time.Minute), w.invoices[1].and(object{"livemode": true})))
	w.refunds = []object{refund("re_1", 5999, "succeeded", 1767366100), refund("re_2", 5999, "succeeded", 1767366200)}
	w.events = append(w.events,
		happened("evt_r1", "charge.refunded", began.Add(6*time.Minute), w.charges[0]),
		happened("evt_r2", "refund.updated", began.Add(7*time.Minute), w.refunds[0]),
		happened("evt_d1", "charge.dispute.created", began.Add(5*time.Minute), object{
			"id": "dp_1", "object": "dispute", "livemode": true, "status": "needs_response", "charge": "ch_3", "payment_intent": "pi_3",
		}),
		happened("evt_x", "payment_intent.succeeded", began.Add(time.Minute), object{"id": "pi_1", "livemode": true}))
	got, err := changes(t, a, account(""), began)
	want := []string{
		"1m0s cs_live_a1 returned by re_1, all false cs_live_a1 returned by re_2 and all before, all true cs_live_a1 paid, test false",
		"2m0s cs_test_a1 paid, test true",
		"4m0s in_2 paid, test false",
		"5m0s cs_live_a2 disputed by dp_1, open",
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if n := w.called("/v1/refunds"); n != 1 {
		t.Errorf("the refunds of one charge were read %d times", n)
	}
	got, err = changes(t, a, account(""), began.Add(5*time.Minute))
	want = []string{
		"5m0s cs_live_a2 disputed by dp_1, open",
		"6m0s cs_live_a1 returned by re_1, all false cs_live_a1 returned by re_2 and all before, all true",
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("from then on: %v (-want +got):\n%s", err, diff)
	}
}

// Stripe lists the newest first, fifty at once.
func TestChanged_manyPages(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	const orders = 130
	for n := range orders {
		w.session(fmt.Sprintf("cs_live_m%d", n), object{"payment_intent": fmt.Sprintf("pi_m%d", n)}, item("li_1", w.prices[0], 1, 5999))
		w.sold(fmt.Sprintf("cs_live_m%d", n), time.Duration(n)*time.Second)
	}
	from := account("")
	delete(from.Credentials, "test_key")
	got, err := changes(t, a, from, began)
	if err != nil || len(got) != orders || got[0] != "0s cs_live_m0 paid, test false" || got[orders-1] != "2m9s cs_live_m129 paid, test false" {
		t.Errorf("%d, %v: %.1v", len(got), err, got)
	}
}

// A key of the sandbox that does not serve holds up nobody who paid; one of the live side
// ends the list.
func TestChanged_aKeyThatDoesNotServe(t *testing.T) {
	t.Parallel()
	for _, test := range []bool{true, false} {
		w, _ := open(t)
		w.sold("cs_live_a1", time.Minute)
		w.sold("cs_test_a1", 2*time.Minute)
		w.sold("cs_live_a2", 3*time.Minute)
		refused := "Bearer " + liveKey
		if test {
			refused = "Bearer " + testKey
		}
		a := stripe.Through(apitest.Serve(t, http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == refused {
				out.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.ServeHTTP(out, r)
		})))
		got, err := changes(t, a, account(""), began)
		var setup *platform.SetupError
		want := map[bool][]string{true: {"1m0s cs_live_a1 paid, test false", "3m0s cs_live_a2 paid, test false"}}[test]
		if diff := cmp.Diff(want, got); diff != "" || !errors.As(err, &setup) {
			t.Errorf("test %t: %v (-want +got):\n%s", test, err, diff)
		}
	}
}

// One order, or event, that can never be read holds up no other.
func TestChanged_passesOverWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	w.events = append(w.events,
		happened("evt_bad", "checkout.session.completed", began, object{"id": "cs_live_bad", "livemode": true, "payment_status": 7}),
		happened("evt_back", "charge.refunded", began.Add(time.Second), object{"id": "ch_1", "livemode": true, "payment_intent": "pi_1", "amount": "much"}))
	w.sold("cs_live_a2", 2*time.Second)
	w.items["cs_live_a2"][0]["quantity"] = "two"
	w.events = append(w.events, object{"id": 7, "created": int(began.Unix()), "livemode": true, "type": "checkout.session.completed"})
	w.session("cs_live_a4", object{"payment_intent": "pi_9"}, item("li_9", w.prices[0], 1, 5999))
	sideless, _ := find(w.sessions, "cs_live_a4")
	w.events = append(w.events, happened("evt_sideless", "checkout.session.completed", began.Add(3*time.Second), sideless).and(object{"livemode": nil}))
	w.sold("cs_live_a4", time.Minute)
	got, err := changes(t, a, account(""), began)
	want := []string{
		`0s "cs_live_bad": data.object.payment_status is of another type than Stripe documents`,
		`0s "": id is of another type than Stripe documents`,
		`1s "cs_live_a1": data.object.amount is of another type than Stripe documents; unless its order was delivered before, catch-up does not deliver it: fulfil it by hand if the customer is to have keys`,
		`2s "cs_live_a2": data[0].quantity is of another type than Stripe documents`,
		`3s "": livemode is not there as Stripe documents it`, `3s "": livemode is not there as Stripe documents it`, // of each side
		"1m0s cs_live_a4 paid, test false",
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// An order is not delivered while a refund or dispute of it cannot be read, unless another
// event tells of the same charge: keys would leave for what was given back.
func TestChanged_deliversNoOrderWhoseRefundCannotBeRead(t *testing.T) {
	t.Parallel()
	const held = "; unless its order was delivered before, catch-up does not deliver it: fulfil it by hand if the customer is to have keys"
	const other, paid = "1m0s cs_live_a2 paid, test false", "0s cs_live_a1 paid, test false"
	back := charge("ch_1", "pi_1")
	disputed := object{"id": "dp_1", "object": "dispute", "livemode": true, "status": 7, "charge": "ch_1", "payment_intent": "pi_1"}
	for name, c := range map[string]struct {
		event object
		gone  string // a path that is answered 404
		then  []object
		want  []string
	}{
		"its refunds are gone": {
			happened("evt_r", "charge.refunded", began.Add(2*time.Minute), back), "/v1/refunds", nil,
			[]string{other, `2m0s "cs_live_a1": data.object is about something that Stripe knows no more (the event evt_r, answered 404)` + held},
		},
		"its order cannot be asked for": {
			happened("evt_r", "charge.refunded", began.Add(2*time.Minute), back), "/v1/checkout/sessions", nil,
			[]string{other, `2m0s "cs_live_a1": data.object is about something that Stripe knows no more (the event evt_r, answered 404)` + held},
		},
		"a body that cannot be read": {
			happened("evt_r", "charge.refunded", began.Add(2*time.Minute), back.and(object{"amount": "much"})), "", nil,
			[]string{other, `2m0s "cs_live_a1": data.object.amount is of another type than Stripe documents` + held},
		},
		"a dispute": {
			happened("evt_d", "charge.dispute.created", began.Add(2*time.Minute), disputed), "", nil,
			[]string{other, `2m0s "cs_live_a1": data.object.status is of another type than Stripe documents` + held},
		},
		"it names no payment": {
			happened("evt_r", "charge.refunded", began.Add(2*time.Minute), back.and(object{"payment_intent": 7})), "", nil,
			[]string{paid, other, `2m0s "": data.object.payment_intent is of another type than Stripe documents`},
		},
		"another event of the charge is read": {
			happened("evt_r", "charge.refunded", began.Add(2*time.Minute), back.and(object{"amount": "much"})), "",
			[]object{happened("evt_s", "refund.updated", began.Add(3*time.Minute), refund("re_1", 5999, "succeeded", 1767366100))},
			[]string{
				"0s cs_live_a1 returned by re_1, all false cs_live_a1 paid, test false", other,
				`2m0s "cs_live_a1": data.object.amount is of another type than Stripe documents`, // it is delivered
			},
		},
	} {
		w, a := open(t)
		w.sold("cs_live_a1", 0)
		w.sold("cs_live_a2", time.Minute)
		w.refunds = []object{refund("re_1", 5999, "succeeded", 1767366100)}
		w.events = append(append(w.events, c.event), c.then...)
		if c.gone != "" {
			w.fails[c.gone] = http.StatusNotFound
		}
		got, err := changes(t, a, account(""), began)
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	w, a := open(t)
	w.sold("cs_live_a1", 0)
	w.events = append(w.events, happened("evt_r", "charge.refunded", began.Add(time.Minute), back.and(object{"amount": "much"})))
	w.fails["/v1/checkout/sessions"] = http.StatusServiceUnavailable
	if got, err := changes(t, a, account(""), began); !errors.Is(err, platform.ErrTryAgain) || len(got) != 0 {
		t.Errorf("while the API is down: %v, %v", got, err)
	}
}

// An object that was deleted in Stripe holds up no event after it. A key that may not read
// stops the list: it goes on there once it may.
func TestChanged_passesOverWhatIsGone(t *testing.T) {
	t.Parallel()
	const gone = `0s "cs_live_a2": data.object is about something that Stripe knows no more (the event evt_cs_live_a2, answered`
	for status, want := range map[int][]string{
		http.StatusNotFound:     {gone + " 404)", "1m0s cs_live_a1 paid, test false"},
		http.StatusBadRequest:   {gone + " 400)", "1m0s cs_live_a1 paid, test false"},
		http.StatusUnauthorized: nil, http.StatusForbidden: nil, http.StatusServiceUnavailable: nil,
	} {
		w, a := open(t)
		w.sold("cs_live_a2", 0)
		w.sold("cs_live_a1", time.Minute)
		w.fails["/v1/checkout/sessions/cs_live_a2/line_items"] = status
		got, err := changes(t, a, account(""), began)
		if diff := cmp.Diff(want, got); diff != "" || (err != nil) != (want == nil) {
			t.Errorf("%d: %v (-want +got):\n%s", status, err, diff)
		}
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	const address = "https://api.example.com/webhooks/acme/stripe"
	all := []string{
		"checkout.session.completed", "checkout.session.async_payment_succeeded", "invoice.paid", "charge.refunded", "refund.failed",
		"charge.dispute.created", "charge.dispute.closed",
	}
	point := func(url, status string, events ...string) object {
		return object{"id": "we_1", "object": "webhook_endpoint", "url": url, "status": status, "livemode": true, "enabled_events": events}
	}
	for name, c := range map[string]struct {
		points []object
		want   platform.WebhookStatus
	}{
		"all events":          {[]object{point(address, "enabled", all...)}, platform.WebhookActive},
		"every event":         {[]object{point(address+"/", "enabled", "*")}, platform.WebhookActive},
		"switched off":        {[]object{point(address, "disabled", all...)}, platform.WebhookInactive},
		"one of two":          {[]object{point(address, "disabled", all...), point(address, "enabled", "*")}, platform.WebhookActive},
		"lacks events":        {[]object{point(address, "enabled", all[1:]...)}, platform.WebhookMissing},
		"to another address":  {[]object{point(address+"-eu", "enabled", "*")}, platform.WebhookMissing},
		"there is none":       {nil, platform.WebhookMissing},
		"of the sandbox only": {[]object{point(address, "enabled", "*").and(object{"livemode": false})}, platform.WebhookMissing},
	} {
		w, a := open(t)
		w.points = c.points
		if got, err := a.Probe(t.Context(), account(""), address); got != c.want || err != nil {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
	for status, wantErr := range map[int]bool{http.StatusForbidden: false, http.StatusUnauthorized: true, http.StatusTooManyRequests: true} {
		w, a := open(t)
		w.fails["/v1/webhook_endpoints"] = status
		if got, err := a.Probe(context.Background(), account(""), address); got != platform.WebhookUnknown || (err != nil) != wantErr {
			t.Errorf("a key that is answered %d: %q, %v", status, got, err)
		}
	}
}

// A refund whose order was paid in the same time is read with its order, whatever names the
// payment: the session, or its first invoice, or the renewal itself.
func TestChanged_refundsOfSubscriptions(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	w.sold("cs_live_s1", 0)
	w.events = append(w.events, happened("evt_in_2", "invoice.paid", began.Add(time.Minute), w.invoices[1]))
	for n, intent := range []string{"pi_4", "pi_5"} {
		id := fmt.Sprintf("ch_s%d", n)
		charged := charge(id, intent).and(object{"amount": 1200, "amount_captured": 1200})
		w.charges = append(w.charges, charged)
		w.refunds = append(w.refunds, refund(fmt.Sprintf("re_s%d", n), 1200, "succeeded", 1767366400).and(object{"charge": id, "payment_intent": intent}))
		w.events = append(w.events, happened("evt_"+id, "charge.refunded", began.Add(time.Duration(n+2)*time.Minute), charged))
	}
	got, err := changes(t, a, account(""), began)
	want := []string{
		"0s cs_live_s1 returned by re_s0 and all before, all true cs_live_s1 paid, test false",
		"1m0s in_2 returned by re_s1 and all before, all true in_2 paid, test false",
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// However many refunds and invoices are no order's, the list comes somewhere in the time of a
// run: the API is asked for each when its time has come, and each is told as a step.
func TestChanged_goesOnThroughWhatIsNoOrders(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	a.Now = func() time.Time { return began.Add(24 * time.Hour) }
	const others = 60
	for n := range others {
		intent := fmt.Sprintf("pi_other%d", n)
		w.events = append(w.events,
			happened(fmt.Sprintf("evt_r%d", n), "charge.refunded", began.Add(time.Duration(n)*time.Minute), charge(fmt.Sprintf("ch_other%d", n), intent)),
			happened(fmt.Sprintf("evt_i%d", n), "invoice.paid", began.Add(time.Duration(n)*time.Minute), w.invoices[0]))
	}
	w.sold("cs_live_a1", others*time.Minute)
	from := account("")
	delete(from.Credentials, "test_key")
	var at time.Time
	for p, err := range a.Changed(t.Context(), from, began) {
		if err != nil || p.ChangedAt.Before(at) {
			t.Fatalf("%v comes after %v, %v", p.ChangedAt, at, err)
		}
		if at = p.ChangedAt; at.Equal(began.Add(2 * time.Minute)) {
			break
		}
	}
	if n := w.called("/v1/checkout/sessions"); n == 0 || n > 8 {
		t.Errorf("until three minutes were told, the API was asked for %d sessions", n)
	}
	steps, paid := 0, 0
	for p, err := range a.Changed(t.Context(), from, began) {
		if err != nil {
			t.Fatal(err)
		}
		if steps++; p.Paid != nil {
			paid++
		}
	}
	if steps != 2*others+1 || paid != 1 {
		t.Errorf("%d steps, %d paid", steps, paid)
	}
}
