package woocommerce_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"keypool/shared/platform"
	"keypool/shared/platform/woocommerce"
)

var refundedAt = time.Date(2026, 1, 3, 9, 0, 0, 0, time.UTC)

// partly is the order of events/woocommerce_refunded_part.json: it is paid, and a part of it
// was given back.
func partly() platform.Paid {
	p := paid()
	p.ChangedAt = refundedAt
	return p
}

func returned(id, amount string, lines ...platform.ReturnedLine) platform.Returned {
	return platform.Returned{Order: "727", ID: id, Lines: lines, Amount: amount, Currency: "EUR", At: refundedAt}
}

// An order that is refunded, or cancelled after it was paid, is given back whole, under the
// same id however often it is told and however many refunds it took.
func TestDecode_givenBackWhole(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	at := time.Date(2026, 1, 3, 10, 0, 0, 0, time.UTC)
	for name, id := range map[string]string{"woocommerce_refunded_all": "refunded", "woocommerce_cancelled": "cancelled"} {
		for _, from := range []platform.Account{account(forUs), withKey(account(forUs))} {
			decodes(t, a, webhook(t, name), from, platform.Returned{Order: "727", ID: id, All: true, At: at})
		}
	}
	if len(w.calls) != 0 {
		t.Errorf("it takes the calls %v", w.calls)
	}
}

// Trap: an order tells the amounts of its refunds, and no lines. These are read from the
// shop: how many units of which line. The refunds come before the payment, which may not
// have been heard of.
func TestDecode_refundOfUnits(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	w.refunds["727"] = []object{refund(801, "59.99", refunded("315", -1, "-59.99"))}
	want := returned("801", "59.99", platform.ReturnedLine{ID: "315", Quantity: 1})
	for range 2 {
		decodes(t, a, webhook(t, "woocommerce_refunded_part"), withKey(account(forUs)), want, partly())
	}
	if w.called("/orders/727/refunds") != 2 || len(w.calls) != 2 {
		t.Errorf("it takes the calls %v", w.calls)
	}
	// Two refunds, one of two lines, and of one line twice.
	w.refunds["727"] = []object{
		refund(801, "59.99", refunded("315", -1, "-59.99")),
		refund(802, "79.89", refunded("316", -1, "-19.90"), refunded("315", -1, "-30.00"), refunded("315", -1, "-29.99")),
	}
	decodes(t, a, webhook(t, "woocommerce_refunded_part"), withKey(account(forUs)), want,
		returned("802", "79.89", platform.ReturnedLine{ID: "316", Quantity: 1}, platform.ReturnedLine{ID: "315", Quantity: 2}), partly())
	// While the order is on hold, what was given back is given back.
	decodes(t, a, changed(t, "woocommerce_refunded_part", `"processing"`, `"on-hold"`), withKey(account(forUs)), want,
		returned("802", "79.89", platform.ReturnedLine{ID: "316", Quantity: 1}, platform.ReturnedLine{ID: "315", Quantity: 2}))
}

// Trap: a line that is named without units had money given back alone. Nobody can tell which
// units it is for: its history says so, and the merchant is asked. Once the refunds of a line
// make up what was paid for it, with tax, it is given back.
func TestDecode_refundOfMoney(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	moneyOf := func(refund, line string) platform.Recorded {
		return platform.Recorded{Order: "727", Line: line, Type: "refund of money alone", At: refundedAt, Refund: refund}
	}
	all := func(line string) platform.ReturnedLine { return platform.ReturnedLine{ID: line, All: true} }
	units := func(line string, n int) platform.ReturnedLine {
		return platform.ReturnedLine{ID: line, Quantity: n}
	}
	taxed := refunded("315", 0, "-100.82")
	taxed["total_tax"] = "-19.16"
	untaxed := refunded("315", 0, "-100.82")
	for name, c := range map[string]struct {
		refunds []object
		want    []platform.Event
	}{
		"a part":              {[]object{refund(801, "59.99", refunded("315", 0, "-59.99"))}, []platform.Event{partly(), moneyOf("801", "315")}},
		"all of the line":     {[]object{refund(801, "119.98", refunded("315", 0, "-119.98"))}, []platform.Event{returned("801", "119.98", all("315")), partly()}},
		"with tax":            {[]object{refund(801, "119.98", taxed)}, []platform.Event{returned("801", "119.98", all("315")), partly()}},
		"without the tax":     {[]object{refund(801, "100.82", untaxed)}, []platform.Event{partly(), moneyOf("801", "315")}},
		"in two parts":        {[]object{refund(802, "60.00", refunded("315", 0, "-60.00")), refund(801, "59.98", refunded("315", 0, "-59.98"))}, []platform.Event{returned("802", "60.00", all("315")), partly()}},
		"a unit and the rest": {[]object{refund(801, "59.99", refunded("315", -1, "-59.99")), refund(802, "59.99", refunded("315", 0, "-59.99"))}, []platform.Event{returned("801", "59.99", units("315", 1)), returned("802", "59.99", all("315")), partly()}},
		"all units, and more": {[]object{refund(801, "110.00", refunded("315", -2, "-110.00")), refund(802, "5.00", refunded("315", 0, "-5.00"))}, []platform.Event{returned("801", "110.00", units("315", 2)), partly()}},
		"one unit for all":    {[]object{refund(801, "119.98", refunded("315", -1, "-119.98"))}, []platform.Event{returned("801", "119.98", all("315")), partly()}},
		"mixed":               {[]object{refund(801, "69.99", refunded("316", -1, "-59.99"), refunded("315", 0, "-10.00"))}, []platform.Event{returned("801", "69.99", units("316", 1)), partly(), moneyOf("801", "315")}},
		"mixed, all":          {[]object{refund(801, "179.97", refunded("316", -1, "-59.99"), refunded("315", 0, "-119.98"))}, []platform.Event{returned("801", "179.97", units("316", 1), all("315")), partly()}},
		"of nothing":          {[]object{refund(801, "0.00", refunded("315", 0, "0.00"))}, []platform.Event{partly()}},
	} {
		w.refunds["727"] = c.refunds
		for range 2 {
			decodes(t, a, webhook(t, "woocommerce_refunded_part"), withKey(account(forUs)), c.want...)
		}
		if t.Failed() {
			t.Fatalf("of the refund: %s", name)
		}
	}
	// One that names no line is an amount, such as one that a payment plugin brought.
	w.refunds["727"] = []object{refund(801, "59.99")}
	decodes(t, a, webhook(t, "woocommerce_refunded_part"), withKey(account(forUs)), returned("801", "59.99"), partly())
	// One of a line that it does not name is no less.
	unnamed := refunded("315", -1, "-59.99")
	unnamed["meta_data"] = []object{}
	w.refunds["727"] = []object{refund(801, "59.99", unnamed)}
	decodes(t, a, webhook(t, "woocommerce_refunded_part"), withKey(account(forUs)), returned("801", "59.99"), partly())
	// One of nothing gives nothing back, and one that was deleted is not there any more.
	w.refunds["727"] = []object{refund(801, "0.00")}
	decodes(t, a, webhook(t, "woocommerce_refunded_part"), withKey(account(forUs)), partly())
	w.refunds["727"] = nil
	decodes(t, a, webhook(t, "woocommerce_refunded_part"), withKey(account(forUs)), partly())
}

// Without a key, or by one that does not serve, a refund is an amount: it is not lost, and
// neither is the order beside it.
func TestDecode_refundWithoutKey(t *testing.T) {
	t.Parallel()
	amount := returned("801", "59.99")
	amount.At = time.Time{}
	w, a := open(t)
	decodes(t, a, webhook(t, "woocommerce_refunded_part"), account(forUs), amount, partly())
	if len(w.calls) != 0 {
		t.Errorf("it takes the calls %v", w.calls)
	}
	for _, status := range []int{401, 403, 404, 301} {
		w.fails["/orders/727/refunds"] = status
		decodes(t, a, webhook(t, "woocommerce_refunded_part"), withKey(account(forUs)), amount, partly())
	}
	delete(w.fails, "/orders/727/refunds")
	w.says["/orders/727/refunds"] = "<html>Are you human?</html>"
	decodes(t, a, webhook(t, "woocommerce_refunded_part"), withKey(account(forUs)), amount, partly())
	// What passes is left to catch-up: an order that nobody has heard of would get too many keys.
	for _, status := range []int{429, 500, 503} {
		w.fails["/orders/727/refunds"] = status
		leaves(t, a, webhook(t, "woocommerce_refunded_part"), withKey(account(forUs)), "727")
	}
}

// leaves holds a webhook to be left to catch-up.
func leaves(t *testing.T, a woocommerce.Adapter, r platform.Request, from platform.Account, order string) {
	t.Helper()
	got, err := a.Decode(t.Context(), r, from)
	var left *platform.LeftError
	if got != nil || !errors.As(err, &left) || left.Order != order || !errors.Is(err, platform.ErrTryAgain) {
		t.Errorf("%+v, %v", got, err)
	}
}

// Catch-up lists no order that changed before the account delivers, and may not list one in a
// status of the shop's own: their webhooks are not left to it.
func TestDecode_notLeftToCatchup(t *testing.T) {
	t.Parallel()
	w, a := open(t)
	w.fails["/orders/727/refunds"] = http.StatusServiceUnavailable
	from := withKey(account(forUs))
	from.DeliversFrom = refundedAt
	leaves(t, a, webhook(t, "woocommerce_refunded_part"), from, "727")
	from.DeliversFrom = refundedAt.Add(time.Second)
	waits(t, a, webhook(t, "woocommerce_refunded_part"), from)
	from = withKey(account(`{"shop":"shop.example.com","paid_statuses":["shipped"]}`))
	for status, left := range map[string]bool{
		"processing": true, "completed": true, "on-hold": true, "pending": true, "failed": true,
		"shipped": false, "packing": false, "checkout-draft": false, "trash": false,
	} {
		request := changed(t, "woocommerce_refunded_part", `"status":"processing"`, `"status":"`+status+`"`)
		if left {
			leaves(t, a, request, from, "727")
		} else {
			waits(t, a, request, from)
		}
	}
}

// waits holds a webhook to be answered 503.
func waits(t *testing.T, a woocommerce.Adapter, r platform.Request, from platform.Account) {
	t.Helper()
	got, err := a.Decode(t.Context(), r, from)
	if got != nil || !errors.Is(err, platform.ErrTryAgain) || errors.As(err, new(*platform.LeftError)) {
		t.Errorf("%+v, %v", got, err)
	}
}
