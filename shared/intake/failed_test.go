package intake_test

import (
	"slices"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/dynamo"
	"keypool/shared/intake"
	"keypool/shared/lifecycle"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/pool"
)

// A refund may be known to have failed before its success is heard, which a sender repeats
// for days: it takes nothing then, whatever it names, and whenever the order is paid. What
// it took before it failed stays taken, and nothing more.
func TestReturned_thatFailed(t *testing.T) {
	t.Parallel()
	bought := paid("1", 2, "game")
	bought.Currency, bought.Lines[0].UnitPrice = "EUR", "5.00"
	failed := platform.Returned{Order: "1", ID: "R1", Failed: true}
	refunds := map[string]platform.Event{
		"all":          platform.Returned{Order: "1", ID: "R1", All: true},
		"made of it":   platform.Returned{Order: "1", ID: "R1 and all before", Refund: "R1", All: true},
		"line":         platform.Returned{Order: "1", ID: "R1", Lines: []platform.ReturnedLine{{ID: "game", All: true}}},
		"unit":         platform.Returned{Order: "1", ID: "R1", Lines: []platform.ReturnedLine{{ID: "game", Quantity: 1}}},
		"amount":       platform.Returned{Order: "1", ID: "R1", Amount: "5.00", Currency: "EUR"},
		"whole amount": platform.Returned{Order: "1", ID: "R1", Amount: "10.00", Currency: "EUR"},
		"unclear":      platform.Returned{Order: "1", ID: "R1", Amount: "1.23", Currency: "EUR"},
		"side unknown": platform.Returned{Order: "1", ID: "R1", All: true, TestUnknown: true},
	}
	for name, refund := range refunds {
		for when, events := range map[string][]platform.Event{
			"after its failure":                          {bought, failed, refund, failed, refund},
			"after its failure, both before the payment": {failed, refund, bought, refund},
			"after its failure, which came first":        {failed, bought, refund},
		} {
			t.Run(name+", "+when, func(t *testing.T) {
				t.Parallel()
				in, tables := open(t)
				apply(t, in, events...)
				if f, _ := lineOf(t, tables, pool.Live, "1", "game"); f.State() != order.Fulfilled || f.Allocated != 2 || f.ReturnedUnits != 0 {
					t.Errorf("the line is %s with %d keys, %d units are returned", f.State(), f.Allocated, f.ReturnedUnits)
				}
				if told, unclear := noticesOf(t, tables, notice.RefundFailed), noticesOf(t, tables, notice.RefundUnclear); len(told) != 1 || len(unclear) != 0 {
					t.Errorf("told %+v, and asked %+v", told, unclear)
				}
				dynamotest.Audit(t, tables)
			})
		}
		if name == "unclear" {
			continue // it takes nothing
		}
		t.Run(name+", before its failure", func(t *testing.T) {
			t.Parallel()
			in, tables := open(t)
			apply(t, in, bought, refund)
			before, _ := lineOf(t, tables, pool.Live, "1", "game")
			apply(t, in, failed, refund, failed)
			if f, _ := lineOf(t, tables, pool.Live, "1", "game"); f.ReturnedUnits != before.ReturnedUnits || f.ReturnedUnits == 0 || f.Allocated != before.Allocated {
				t.Errorf("%d units are returned, and %d keys left; before it failed %d and %d", f.ReturnedUnits, f.Allocated, before.ReturnedUnits, before.Allocated)
			}
			dynamotest.Audit(t, tables)
		})
	}
}

// apply has events taken, one after the other.
func apply(t *testing.T, in *intake.Intake, events ...platform.Event) {
	t.Helper()
	for _, event := range events {
		for _, result := range in.Apply(t.Context(), account, request, []platform.Event{event}) {
			if result.Outcome != platform.Accepted {
				t.Fatalf("%+v: %+v", event, result)
			}
		}
	}
}

// What failed does not count towards the price of an order: half of it went back twice, and
// once of these the customer did not get it.
func TestReturned_failedAmounts(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	bought := paid("1", 1, "game", "unheard-of")
	bought.Currency, bought.Lines[0].UnitPrice, bought.Lines[1].UnitPrice = "EUR", "59.99", "59.99"
	half := func(id string) platform.Returned {
		return platform.Returned{Order: "1", ID: id, Amount: "59.99", Currency: "EUR"}
	}
	apply(t, in, bought, half("re_1"), platform.Returned{Order: "1", ID: "re_1", Failed: true}, half("re_2"))
	stands := func(all bool, what string) {
		t.Helper()
		for _, line := range []string{"game", "unheard-of"} {
			if f, _ := lineOf(t, tables, pool.Live, "1", line); f.ReturnedAll != all {
				t.Errorf("%s: line %s is returned: %v", what, line, f.ReturnedAll)
			}
		}
	}
	stands(false, "half of it is back")
	if asked := noticesOf(t, tables, notice.RefundUnclear); len(asked) != 2 {
		t.Errorf("asked %+v", asked)
	}
	apply(t, in, half("re_3"))
	stands(true, "all of it is back")
	apply(t, in, platform.Returned{Order: "1", ID: "re_2", Failed: true}, half("re_3"))
	stands(true, "a part failed after all was taken")
	if asked := noticesOf(t, tables, notice.RefundUnclear); len(asked) != 2 {
		t.Errorf("asked %+v", asked)
	}
}

// A refund that failed stands in the history of the lines that it names, or of all, once.
func TestReturned_failedInHistory(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string][]platform.ReturnedLine{"all": nil, "one": {{ID: "game", All: true}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, tables := open(t)
			apply(t, in, paid("1", 1, "game", "unheard-of"))
			in.By = "catchup"
			for range 2 {
				apply(t, in, platform.Returned{Order: "1", ID: "R1", Failed: true, Lines: lines})
				in.Orders.(*lifecycle.Lifecycle).Now = func() time.Time { return noon.Add(time.Hour) }
			}
			for _, line := range []string{"game", "unheard-of"} {
				var want []order.History
				f, _ := lineOf(t, tables, pool.Live, "1", line)
				if lines == nil || line == "game" {
					want = []order.History{{Line: f.ID, At: noon, Event: order.RefundFailed, By: "catchup", Code: "R1"}}
				}
				got, err := dynamo.Open(dynamotest.Client(t), tables).History(t.Context(), f.ID)
				if err != nil || !slices.EqualFunc(got, want, func(a, b order.History) bool {
					return a.At.Equal(b.At) && a.Event == b.Event && a.By == b.By && a.Code == b.Code
				}) {
					t.Errorf("history of %s: %+v, %v", line, got, err)
				}
			}
		})
	}
}
