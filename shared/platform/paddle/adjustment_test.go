package paddle_test

import (
	"errors"
	"testing"
	"time"

	"keypool/shared/platform"
)

var adjustedAt = time.Date(2026, 1, 3, 9, 10, 0, 5e8, time.UTC)

// returned is a refund of the order of events/paddle_paid.json.
func returned(n int) platform.Returned {
	return platform.Returned{Within: "data.", Order: id("txn", 1), ID: id("adj", n), Currency: "EUR", At: adjustedAt}
}

// units is of that many units of its line, 0: of all that are left.
func units(r platform.Returned, quantity int) platform.Returned {
	r.Lines = []platform.ReturnedLine{{ID: id("txnitm", 1), Quantity: quantity, All: quantity == 0}}
	return r
}

func amount(r platform.Returned, amount string) platform.Returned {
	r.Amount = amount
	return r
}

// A refund that waits for Paddle may be rejected: nothing is taken before it is approved.
func TestAdjustment_onlyApproved(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	decodes(t, a, webhook(t, "paddle_refund_waits"), account(""), ignored("adjustment.created"))
	decodes(t, a, webhook(t, "paddle_refund_rejected"), account(""), ignored("adjustment.updated"))
	if len(w.calls) != 0 {
		t.Errorf("they take the calls %v", w.calls)
	}
	decodes(t, a, webhook(t, "paddle_refund_approved"), account(""), units(returned(1), 1))
	if len(w.calls) != 2 {
		t.Errorf("it takes the calls %v", w.calls)
	}
	failed := returned(1)
	failed.Failed = true
	decodes(t, a, changed(t, "paddle_refund_approved", `"status":"approved"`, `"status":"reversed"`), account(""), failed)
}

func TestAdjustment_refunds(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	all := returned(2)
	all.All = true
	decodes(t, a, webhook(t, "paddle_refunded_all"), account(""), all)
	decodes(t, a, changed(t, "paddle_refunded_all", `"type":"full","amount"`, `"type":"partial","amount"`), account(""), all)
	decodes(t, a, webhook(t, "paddle_refunded_line"), account(""), units(returned(3), 0))
	if len(w.calls) != 0 {
		t.Errorf("they take the calls %v", w.calls)
	}
	decodes(t, a, webhook(t, "paddle_refunded_goodwill"), account(""), amount(returned(4), "10.00"))
	// Tax and a proration give back no unit, and a credit belongs to an invoice.
	decodes(t, a, webhook(t, "paddle_refunded_tax"), account(""), ignored("adjustment.created"))
	decodes(t, a, webhook(t, "paddle_credited"), account(""), ignored("adjustment.created"))
	decodes(t, a, changed(t, "paddle_credited", `"action":"credit"`, `"action":"credit_reverse"`), account(""), ignored("adjustment.created"))
	decodes(t, a, changed(t, "paddle_credited", `"action":"credit"`, `"action":"clawback"`), account(""), platform.Ignored{Type: "adjustment.created, action clawback", Unknown: true})
	// A type of null is no type, and items may be missing.
	decodes(t, a, changed(t, "paddle_refund_approved", `"type":"partial","status"`, `"type":null,"status"`), account(""), units(returned(1), 1))
	decodes(t, a, changed(t, "paddle_refund_approved", `"items":[{`, `"things":[{`), account(""), amount(returned(1), "59.99"))
	test := all
	test.Test = true
	decodes(t, a, webhook(t, "paddle_refunded_all"), ofTestSide(account("")), test)
}

// An amount is held against what was paid for a unit, with tax and after discounts.
func TestAdjustment_units(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		amount, total string // of the refund, and of the line of three units
		want          int    // -1: it is the price of no number of units
	}{
		{"1000", "3000", 1},
		{"2000", "3000", 2},
		{"3000", "3000", 0},
		{"1500", "3000", -1},
		{"1", "3000", -1},
		{"3001", "3000", 0},
		{"333", "1000", 1},
		{"334", "1000", 1},
		{"667", "1000", 2},
		{"666", "1000", 2},
		{"335", "1000", -1},
		{"1000", "0", -1},
		{"9007199254740991", "9007199254740991", 0},
	} {
		w, a := open(t)
		item := object{"id": id("txnitm", 1), "quantity": 3, "totals": object{"total": test.total}}
		w.live.transaction(id("txn", 1))["details"] = object{"line_items": []any{item}}
		r := changed(t, "paddle_refund_approved", `"amount":"5999"`, `"amount":"1"`, `"tax":"0","total":"5999"}}]`, `"tax":"0","total":"`+test.amount+`"}}]`)
		got, err := a.Decode(t.Context(), r, account(""))
		if err != nil || len(got) != 1 {
			t.Fatalf("%+v: %+v, %v", test, got, err)
		}
		back, _ := got[0].(platform.Returned)
		clear := len(back.Lines) == 1 && back.Lines[0].Quantity == test.want
		if test.want < 0 && (back.Lines != nil || back.Amount == "") || test.want >= 0 && !clear {
			t.Errorf("%+v: %+v", test, back)
		}
	}
}

// Refunds of a line that are unclear each give back all of it once they make up its price.
func TestAdjustment_addUp(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	waits := entity(t, "paddle_refund_waits").and(object{"id": id("adj", 40), "created_at": "2026-01-02T18:00:00Z"})
	w.live.adjustments = append(w.live.adjustments, entity(t, "paddle_refunded_goodwill").and(object{"created_at": "2026-01-02T17:00:00Z"}), waits)
	rest := func(total string) platform.Request {
		return changed(t, "paddle_refund_approved", `"amount":"5999"`, `"amount":"`+total+`"`, `"total":"5999"`, `"total":"`+total+`"`)
	}
	decodes(t, a, rest("10998"), account(""), units(returned(1), 0))
	decodes(t, a, rest("10997"), account(""), amount(returned(1), "109.97"))
	// The first of them does not know of the second, whenever it comes again.
	w.live.adjustments = append(w.live.adjustments, entity(t, "paddle_refund_approved").and(object{"items": []any{object{"item_id": id("txnitm", 1), "type": "partial", "totals": object{"total": "10998"}}}}))
	r := changed(t, "paddle_refunded_goodwill", `"created_at":"2026-01-03T09:00:00Z"`, `"created_at":"2026-01-02T17:00:00Z"`)
	decodes(t, a, r, account(""), amount(returned(4), "10.00"))
}

// A refund of several lines gives back what is clear, and asks about the rest, under an id of
// its own.
func TestAdjustment_severalLines(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	second := object{"id": id("txnitm", 77), "quantity": 1, "totals": object{"total": "4000"}}
	details := w.live.transaction(id("txn", 1))["details"].(map[string]any)
	details["line_items"] = append(details["line_items"].([]any), second)
	items := func(kind, total string) string {
		return `"items":[{"id":"` + id("adjitm", 90) + `","item_id":"` + id("txnitm", 77) + `","type":"` + kind + `","totals":{"total":"` + total + `"}},{`
	}
	both := units(returned(1), 1)
	both.Lines = append([]platform.ReturnedLine{{ID: id("txnitm", 77), All: true}}, both.Lines...)
	decodes(t, a, changed(t, "paddle_refund_approved", `"items":[{`, items("full", "4000")), account(""), both)
	decodes(t, a, changed(t, "paddle_refund_approved", `"items":[{`, items("tax", "4000")), account(""), units(returned(1), 1))
	rest := amount(returned(1), "5.00")
	rest.ID, rest.Refund = id("adjitm", 90), id("adj", 1) // it fails with the adjustment
	decodes(t, a, changed(t, "paddle_refund_approved", `"items":[{`, items("partial", "500")), account(""), units(returned(1), 1), rest)
	// Two items of one line are one line.
	twice := `"items":[{"id":"` + id("adjitm", 91) + `","item_id":"` + id("txnitm", 1) + `","type":"full","totals":{"total":"1"}},{`
	decodes(t, a, changed(t, "paddle_refund_approved", `"items":[{`, twice), account(""), units(returned(1), 0))
}

// Without a key an amount is an amount: whether it is the price of units, the order says.
func TestAdjustment_withoutKey(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	keyless := without(account(""), "live_key")
	decodes(t, a, webhook(t, "paddle_refund_approved"), keyless, amount(returned(1), "59.99"))
	decodes(t, a, webhook(t, "paddle_refunded_line"), keyless, units(returned(3), 0))
	if wrong := setup(t, a, webhook(t, "paddle_chargeback_reversed"), keyless); wrong.Field != "credentials.live_key" {
		t.Errorf("%+v", wrong)
	}
	if len(w.calls) != 0 {
		t.Errorf("they take the calls %v", w.calls)
	}
}

// disputed is a dispute of the order of events/paddle_paid.json.
func disputed(n int, state platform.DisputeState, at time.Time) platform.Disputed {
	return platform.Disputed{Within: "data.", Order: id("txn", 1), ID: id("adj", n), State: state, At: at}
}

func TestAdjustment_chargeback(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	decodes(t, a, webhook(t, "paddle_chargeback"), account(""), disputed(7, platform.DisputeOpen, adjustedAt))
	decodes(t, a, webhook(t, "paddle_chargeback_warning"), account(""), disputed(8, platform.DisputeOpen, adjustedAt))
	decodes(t, a, changed(t, "paddle_chargeback", `"status":"approved"`, `"status":"reversed"`), account(""), disputed(7, platform.DisputeWon, adjustedAt))
	decodes(t, a, changed(t, "paddle_chargeback", `"status":"approved"`, `"status":"pending_approval"`), account(""), ignored("adjustment.created"))
	if len(w.calls) != 0 {
		t.Errorf("they take the calls %v", w.calls)
	}
}

// A reversal does not say of which chargeback: Paddle marks that one, or the oldest of its
// kind is meant.
func TestAdjustment_reversal(t *testing.T) {
	t.Parallel()
	madeAt := time.Date(2026, 1, 3, 9, 0, 0, 0, time.UTC)
	chargeback := entity(t, "paddle_chargeback")
	second := chargeback.and(object{"id": id("adj", 70), "created_at": "2026-01-05T09:00:00Z", "updated_at": "2026-01-05T09:00:00Z"})
	laterAt := madeAt.AddDate(0, 0, 2)
	warning := entity(t, "paddle_chargeback_warning")
	for name, test := range map[string]struct {
		adjustments []object
		want        []platform.Event
	}{
		"marked":        {[]object{chargeback.and(object{"status": "reversed"})}, []platform.Event{disputed(7, platform.DisputeWon, madeAt)}},
		"not yet":       {[]object{chargeback}, []platform.Event{disputed(7, platform.DisputeWon, madeAt)}},
		"the first":     {[]object{second, chargeback}, []platform.Event{disputed(7, platform.DisputeWon, madeAt), disputed(70, platform.DisputeOpen, laterAt)}},
		"the second":    {[]object{second.and(object{"status": "reversed"}), chargeback}, []platform.Event{disputed(7, platform.DisputeOpen, madeAt), disputed(70, platform.DisputeWon, laterAt)}},
		"not a warning": {[]object{warning, chargeback}, []platform.Event{disputed(7, platform.DisputeWon, madeAt), disputed(8, platform.DisputeOpen, madeAt)}},
		"of nothing":    {nil, []platform.Event{ignored("adjustment.created")}},
	} {
		w, a := open(t)
		w.live.adjustments = test.adjustments
		t.Run(name, func(t *testing.T) { decodes(t, a, webhook(t, "paddle_chargeback_reversed"), account(""), test.want...) })
	}
	w, a := open(t)
	w.live.adjustments = []object{warning, chargeback}
	decodes(t, a, changed(t, "paddle_chargeback_reversed", "chargeback_reverse", "chargeback_warning_reverse"), account(""),
		disputed(7, platform.DisputeOpen, madeAt), disputed(8, platform.DisputeWon, madeAt))
}

func TestAdjustment_failuresOfTheAPI(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/adjustments", "/transactions/" + id("txn", 1)} {
		w, a := open(t)
		w.fails[path] = 503
		if got, err := a.Decode(t.Context(), webhook(t, "paddle_refund_approved"), account("")); !errors.Is(err, platform.ErrTryAgain) {
			t.Errorf("%s: %+v, %v", path, got, err)
		}
	}
	w, a := open(t)
	w.live.adjustments = []object{{"id": id("adj", 7), "transaction_id": id("txn", 1), "created_at": "x"}}
	if _, err := a.Decode(t.Context(), webhook(t, "paddle_refund_approved"), account("")); err != nil {
		t.Errorf("an adjustment without a time: %v", err)
	}
}
