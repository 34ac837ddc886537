package stripe_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/platform/stripe"
)

func returned(id string, change func(*platform.Returned)) platform.Returned {
	r := platform.Returned{Order: "cs_live_a1", ID: id, Amount: "59.99", Currency: "EUR", At: time.Unix(1767366100, 0).UTC()}
	change(&r)
	return r
}

func units(n int) func(*platform.Returned) {
	return func(r *platform.Returned) { r.Lines = []platform.ReturnedLine{{ID: "price_1", Quantity: n}} }
}

func all(r *platform.Returned) { r.All, r.Refund, r.ID = true, r.ID, r.ID+" and all before" }

func amount(*platform.Returned) {}

// The sum that a charge tells is no refund: the refunds are, each by its id, however often
// and in whatever order their webhooks come.
func TestDecode_refunds(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	w.refunds = []object{refund("re_1", 5999, "succeeded", 1767366100)}
	decodes(t, a, webhook(t, "stripe_refunded_part"), account(""), returned("re_1", units(1)))
	w.refunds = append(w.refunds, refund("re_2", 5999, "succeeded", 1767366100+60))
	second := returned("re_2", all)
	second.At = second.At.Add(time.Minute)
	for _, name := range []string{"stripe_refunded_all", "stripe_refunded_part"} { // the second is late
		decodes(t, a, webhook(t, name), account(""), returned("re_1", units(1)), second)
	}
}

// A refund that was an amount completes the sum once an earlier one, which waited for the
// customer's bank, succeeds. Everything is a return of its own, or it would be known.
func TestDecode_earlierRefundSucceedsLater(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	game, sequel := price("price_1", "prod_1", "The Game"), price("price_2", "prod_2", "The Sequel")
	w.items["cs_live_a1"] = []object{item("li_1", game, 1, 5999), item("li_2", sequel, 1, 5999)}
	w.refunds = []object{refund("re_1", 5999, "requires_action", 1767366100), refund("re_2", 5999, "succeeded", 1767366100)}
	decodes(t, a, webhook(t, "stripe_refunded_part"), account(""), returned("re_2", amount))
	w.refunds[0] = refund("re_1", 5999, "succeeded", 1767366100)
	for range 2 {
		decodes(t, a, webhook(t, "stripe_refund_updated"), account(""), returned("re_1", amount), returned("re_2", all))
	}
}

// Of two refunds in one second, the later completes the sum, as it did when the first was
// alone.
func TestDecode_refundsOfOneSecond(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	w.refunds = []object{refund("re_1", 5999, "succeeded", 1767366100), refund("re_2", 5999, "succeeded", 1767366100)}
	decodes(t, a, webhook(t, "stripe_refunded_all"), account(""), returned("re_1", units(1)), returned("re_2", all))
}

func TestDecode_refundOfEverything(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	w.refunds = []object{refund("re_1", 11998, "succeeded", 1767366100)}
	whole := func(r *platform.Returned) { all(r); r.Amount = "119.98" }
	decodes(t, a, webhook(t, "stripe_refunded_all"), account(""), returned("re_1", whole))
	if w.called("/line_items") != 0 {
		t.Error("the lines are read for nothing")
	}
	// What was never captured needs no refund.
	w.charges[0]["amount_captured"] = 5999
	w.refunds = []object{refund("re_1", 5999, "succeeded", 1767366100)}
	decodes(t, a, changed(t, "stripe_refunded_part", `"amount_captured":11998`, `"amount_captured":5999`), account(""), returned("re_1", all))
}

// A pending refund counts, since it is reported when it fails. One that the customer has
// to act for does not, and one that failed is undone.
func TestDecode_statesOfRefunds(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]func(*platform.Returned){
		"pending": units(1), "succeeded": units(1), "requires_action": nil, "something_new": nil,
		"failed": func(r *platform.Returned) { r.Failed = true }, "canceled": func(r *platform.Returned) { r.Failed = true },
	} {
		w, a := open(t)
		w.refunds = []object{refund("re_1", 5999, status, 1767366100)}
		for _, name := range []string{"stripe_refund_updated", "stripe_refund_failed", "stripe_refunded_part"} {
			r := webhook(t, name)
			if want == nil {
				got, err := a.Decode(t.Context(), r, account(""))
				if _, ok := got[0].(platform.Ignored); err != nil || !ok {
					t.Errorf("%s: %+v, %v", status, got, err)
				}
				continue
			}
			decodes(t, a, r, account(""), returned("re_1", want))
		}
	}
	// A refund that failed does not count towards everything.
	w, a := open(t)
	w.refunds = []object{refund("re_1", 5999, "failed", 1767366100), refund("re_2", 5999, "succeeded", 1767366100)}
	decodes(t, a, webhook(t, "stripe_refund_failed"), account(""), returned("re_1", func(r *platform.Returned) { r.Failed = true }), returned("re_2", units(1)))
}

// A partial refund names no line. In an order of one line it may be so many units, with
// discounts and taxes; else it names an amount alone, for a person to decide.
func TestDecode_partialRefunds(t *testing.T) {
	t.Parallel()
	game, sequel := price("price_1", "prod_1", "The Game"), price("price_2", "prod_2", "The Sequel")
	shipped := game.and(object{"id": "price_9", "product": object{"id": "prod_9", "shippable": true}})
	for _, test := range []struct {
		name   string
		items  []object
		amount int
		want   int // units, 0: an amount alone
	}{
		{"one of two", []object{item("li_1", game, 2, 11998)}, 5999, 1},
		{"a cent too few", []object{item("li_1", game, 2, 11998)}, 5997, 0},
		{"a part of a unit", []object{item("li_1", game, 2, 11998)}, 1000, 0},
		{"with a discount", []object{item("li_1", game, 2, 11998).and(object{"amount_total": 10798})}, 5399, 1},
		{"with a tax on top", []object{item("li_1", game, 2, 11998).and(object{"amount_total": 14278})}, 7139, 1},
		{"two of three whose price is no whole number", []object{item("li_1", game, 3, 10000)}, 6667, 2},
		{"the same, rounded down", []object{item("li_1", game, 3, 10000)}, 6666, 2},
		{"a price in two items", []object{item("li_1", game, 1, 5999), item("li_2", game, 1, 5999)}, 5999, 1},
		{"of two products", []object{item("li_1", game, 2, 900), item("li_2", sequel, 1, 900)}, 900, 0},
		{"beside a poster", []object{item("li_1", game, 2, 900), item("li_9", shipped, 1, 900)}, 900, 0},
		{"more than its lines cost", []object{item("li_1", game, 1, 100)}, 200, 0},
		{"of a free line", []object{item("li_1", game, 1, 0)}, 200, 0},
	} {
		w, a := open(t)
		w.items["cs_live_a1"], w.refunds = test.items, []object{refund("re_1", test.amount, "succeeded", 1767366100)}
		got, err := a.Decode(t.Context(), webhook(t, "stripe_refunded_part"), account(""))
		if err != nil || len(got) != 1 {
			t.Fatalf("%s: %+v, %v", test.name, got, err)
		}
		r := got[0].(platform.Returned)
		if n := len(r.Lines); r.All || n != min(test.want, 1) || n == 1 && r.Lines[0] != (platform.ReturnedLine{ID: "price_1", Quantity: test.want}) {
			t.Errorf("%s: %+v, want %d units", test.name, r, test.want)
		}
	}
}

// An amount that is of no unit is of none by the prices of the order's lines either: they
// are what was paid, with the tax that came on top.
func TestDecode_amountsAndPrices(t *testing.T) {
	t.Parallel()
	game, sequel := price("price_1", "prod_1", "The Game"), price("price_2", "prod_2", "The Sequel")
	for name, test := range map[string]struct {
		items   []object
		amounts []int
	}{
		"two units of 50.00, and 19 % on top":  {[]object{item("li_1", game, 2, 10000).and(object{"amount_total": 11900})}, []int{5000}},
		"lines of 60.00 and 40.00 with 19 %":   {[]object{item("li_1", game, 1, 6000).and(object{"amount_total": 7140}), item("li_2", sequel, 1, 4000).and(object{"amount_total": 4760})}, []int{7140, 2860}},
		"three units of 100.00, and one again": {[]object{item("li_1", game, 3, 10000), item("li_2", sequel, 3, 10000)}, []int{9999, 10000}},
	} {
		w, a := open(t)
		w.items["cs_live_a1"] = test.items
		for i, amount := range test.amounts {
			w.refunds = append(w.refunds, refund(fmt.Sprintf("re_%d", i), amount, "succeeded", 1767366100+i))
		}
		sold, err := a.Decode(t.Context(), webhook(t, "stripe_paid"), account(""))
		if err != nil {
			t.Fatal(err)
		}
		back, err := a.Decode(t.Context(), changed(t, "stripe_refunded_part", `"amount_captured":11998`, `"amount_captured":20000`), account(""))
		if err != nil || len(back) != len(test.amounts) {
			t.Fatalf("%s: %+v, %v", name, back, err)
		}
		var lines []order.Fulfillment
		paid := sold[0].(platform.Paid)
		for _, line := range paid.Lines {
			lines = append(lines, order.Fulfillment{Quantity: line.Quantity, UnitPrice: line.UnitPrice, Currency: paid.Currency, OrderLines: len(paid.Lines)})
		}
		var whole order.Whole
		for _, event := range back {
			r := event.(platform.Returned)
			returned := order.Return{ID: r.ID, Amount: r.Amount, Currency: r.Currency}
			whole.Returns = append(whole.Returns, returned)
			if units, ok := returned.UnitsOf(lines); ok || len(r.Lines) > 0 {
				t.Errorf("%s: %s is %d units, and the adapter says %+v", name, r.Amount, units, r.Lines)
			}
		}
		if whole.AllGivenBack(lines, paid.Currency) {
			t.Errorf("%s: %+v is all of %+v", name, whole.Returns, lines)
		}
	}
}

// A refund and a dispute find the order as the payment made it: the session, or a
// renewal's invoice. What has neither is none of ours.
func TestDecode_orderOfAPayment(t *testing.T) {
	t.Parallel()
	for payment, want := range map[string]string{
		"pi_1": "cs_live_a1", // the session's own payment
		"pi_4": "cs_live_s1", // of a subscription's first invoice
		"pi_5": "in_2",       // of a renewal
		"pi_7": "",           // of an invoice by hand
		"pi_8": "",           // of a change within a period
		"pi_9": "",           // of no order
	} {
		w, a := open(t)
		byHand := invoice("in_7", "manual", 1767366240)
		delete(byHand, "parent")
		w.invoices, w.payments = append(w.invoices, byHand, invoice("in_8", "subscription_update", 1767366240)), append(w.payments, invoicePayment("pi_7", "in_7"), invoicePayment("pi_8", "in_8"))
		w.refunds = []object{refund("re_1", 11998, "succeeded", 1767366100)}
		for _, name := range []string{"stripe_refunded_all", "stripe_disputed"} {
			got, err := a.Decode(t.Context(), changed(t, name, `"pi_1"`, `"`+payment+`"`), account(""))
			if err != nil || len(got) != 1 {
				t.Fatalf("%s of %s: %+v, %v", name, payment, got, err)
			}
			order := ""
			switch event := got[0].(type) {
			case platform.Returned:
				order = event.Order
			case platform.Disputed:
				order = event.Order
			}
			if order != want {
				t.Errorf("%s of %s: %+v, want %q", name, payment, got[0], want)
			}
		}
	}
	_, a := open(t)
	for _, name := range []string{"stripe_refunded_all", "stripe_disputed", "stripe_refund_failed"} {
		got, err := a.Decode(t.Context(), changed(t, name, `"payment_intent":"pi_1"`, `"payment_intent":null`), account(""))
		if _, ok := got[0].(platform.Ignored); err != nil || !ok {
			t.Errorf("%s without a payment: %+v, %v", name, got, err)
		}
	}
}

func TestDecode_disputes(t *testing.T) {
	t.Parallel()
	_, a := open(t)
	disputed := func(state platform.DisputeState) platform.Event {
		return platform.Disputed{Order: "cs_live_a1", ID: "dp_1", State: state, At: paidAt}
	}
	for name, state := range map[string]platform.DisputeState{
		"stripe_disputed": platform.DisputeOpen, "stripe_dispute_won": platform.DisputeWon, "stripe_dispute_lost": platform.DisputeLost,
	} {
		decodes(t, a, webhook(t, name), account(""), disputed(state))
	}
	for status, state := range map[string]platform.DisputeState{
		"under_review": platform.DisputeOpen, "warning_needs_response": platform.DisputeOpen, "warning_under_review": platform.DisputeOpen, "warning_closed": platform.DisputeWon,
	} {
		decodes(t, a, changed(t, "stripe_disputed", `"needs_response"`, `"`+status+`"`), account(""), disputed(state))
	}
	// Prevented: resolved with the money, or blocked without.
	for _, test := range []struct {
		balance, caseType string
		state             platform.DisputeState
	}{
		{`"amount":-11998`, `"resolution"`, platform.DisputeLost},
		{`"amount":-11998`, `"block"`, platform.DisputeLost},
		{`"amount":0`, `"resolution"`, platform.DisputeLost},
		{`"amount":0`, `"block"`, platform.DisputeWon},
	} {
		r := changed(t, "stripe_dispute_won", `"status":"won"`, `"status":"prevented"`, `"amount":-11998`, test.balance, `"chargeback"`, test.caseType)
		decodes(t, a, r, account(""), disputed(test.state))
	}
}

// What is fetched is held against what was asked for, and against the side.
func TestDecode_answersAboutSomethingElse(t *testing.T) {
	t.Parallel()
	const (
		session  = `{"data":[{"id":"cs_live_a1","livemode":true,"payment_intent":"pi_1"}]}`
		nothing  = `{"data":[]}`
		payments = `{"data":[{"payment":{"payment_intent":"pi_1"},"invoice":{"id":"in_2","billing_reason":"subscription_cycle","livemode":true}}]}`
		charge   = `{"id":"ch_1","livemode":true,"amount":11998,"payment_intent":"pi_1"}`
		refunds  = `{"data":[{"id":"re_1","status":"succeeded","amount":11998,"currency":"eur","charge":"ch_1"}]}`
	)
	for _, test := range []struct {
		name, path, answer string
		good               bool
	}{
		{"as asked for", "", "", true},
		{"another payment's session", "/v1/checkout/sessions", `{"data":[{"id":"cs_live_a1","livemode":true,"payment_intent":"pi_2"}]}`, false},
		{"the other side's session", "/v1/checkout/sessions", `{"data":[{"id":"cs_live_a1","livemode":false,"payment_intent":"pi_1"}]}`, false},
		{"a session without an id", "/v1/checkout/sessions", `{"data":[{"livemode":true,"payment_intent":"pi_1"}]}`, false},
		{"no session, and the payment's invoice", "/v1/checkout/sessions", nothing, true},
		{"another charge", "/v1/charges/ch_1", `{"id":"ch_2","livemode":true,"amount":11998}`, false},
		{"the other side's charge", "/v1/charges/ch_1", `{"id":"ch_1","livemode":false,"amount":11998}`, false},
		{"another charge's refund", "/v1/refunds", `{"data":[{"id":"re_1","status":"succeeded","amount":11998,"currency":"eur","charge":"ch_2"}]}`, false},
	} {
		answers := map[string]string{"/v1/checkout/sessions": session, "/v1/invoice_payments": payments, "/v1/charges/ch_1": charge, "/v1/refunds": refunds}
		if test.path != "" {
			answers[test.path] = test.answer
		}
		a := stripe.Through(through(func(r *http.Request) string { return answers[r.URL.Path] }))
		if got, err := a.Decode(t.Context(), webhook(t, "stripe_refund_updated"), account("")); (err == nil) != test.good || err != nil && !errors.Is(err, platform.ErrTryAgain) {
			t.Errorf("%s: %+v, %v", test.name, got, err)
		}
	}
	for name, answer := range map[string]string{
		"another payment's invoice": `{"data":[{"payment":{"payment_intent":"pi_2"},"invoice":{"id":"in_2","billing_reason":"subscription_cycle","livemode":true}}]}`,
		"the other side's invoice":  `{"data":[{"payment":{"payment_intent":"pi_1"},"invoice":{"id":"in_2","billing_reason":"subscription_cycle","livemode":false}}]}`,
	} {
		answers := map[string]string{"/v1/checkout/sessions": nothing, "/v1/invoice_payments": answer}
		a := stripe.Through(through(func(r *http.Request) string { return answers[r.URL.Path] }))
		if got, err := a.Decode(t.Context(), webhook(t, "stripe_disputed"), account("")); !errors.Is(err, platform.ErrTryAgain) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
