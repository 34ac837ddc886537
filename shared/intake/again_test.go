package intake_test

import (
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/dynamo"
	"keypool/shared/lifecycle"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/pool"
)

// An order that was returned and is paid again gets no keys by itself, and its merchant is
// told, once; of a payment that is reported late, or with the return itself, nobody is.
func TestPaidAgain(t *testing.T) {
	t.Parallel()
	bought, back := noon.Add(-3*time.Hour), noon.Add(-2*time.Hour)
	again := back.Add(time.Hour)
	cancelled := platform.Returned{ID: "cancelled", All: true, At: back}
	ofLine := platform.Returned{ID: "R1", Lines: []platform.ReturnedLine{{ID: "game", Quantity: 2}}, At: back}
	ofUnit := platform.Returned{ID: "R1", Lines: []platform.ReturnedLine{{ID: "game", Quantity: 1}}, At: back}
	ofOther := platform.Returned{ID: "R2", Lines: []platform.ReturnedLine{{ID: "game", Quantity: 1}}, At: back}
	amount := platform.Returned{ID: "R1", Amount: "10.00", Currency: "EUR", At: back}
	untimed := platform.Returned{ID: "R1", All: true}
	failed := platform.Returned{ID: "R1", Failed: true, At: back}
	for name, c := range map[string]struct {
		back    []platform.Returned
		beside  []platform.Returned // told together with the payment
		changed time.Time
		first   time.Time // when it was paid first; else three hours ago
		paidAt  time.Time // when it is paid again
		told    bool
	}{
		"the whole order was cancelled":                       {back: []platform.Returned{cancelled}, changed: again, told: true},
		"the line was refunded":                               {back: []platform.Returned{ofLine}, changed: again, told: true},
		"its units were refunded one by one":                  {back: []platform.Returned{ofUnit, ofOther}, changed: again, told: true},
		"an amount of all that it cost was given back":        {back: []platform.Returned{amount}, changed: again, told: true},
		"another refund is told beside":                       {back: []platform.Returned{cancelled}, beside: []platform.Returned{ofUnit}, changed: again, told: true},
		"the return is of no time, and was heard of before":   {back: []platform.Returned{untimed}, changed: noon.Add(time.Second), told: true},
		"the return is of no time, and was heard of since":    {back: []platform.Returned{untimed}, changed: again},
		"a unit is left":                                      {back: []platform.Returned{ofUnit}, changed: again},
		"the payment is reported late":                        {back: []platform.Returned{cancelled}, changed: back.Add(-time.Minute)},
		"the payment is of the moment of the return":          {back: []platform.Returned{cancelled}, changed: back.Add(time.Microsecond)},
		"the payment says no time of change":                  {back: []platform.Returned{cancelled}},
		"the payment is another, and says no time of change":  {back: []platform.Returned{cancelled}, paidAt: again, told: true},
		"the payment is the same, by a clock that is ahead":   {back: []platform.Returned{cancelled}, first: again},
		"the payment is another, of before the return":        {back: []platform.Returned{cancelled}, paidAt: back.Add(-time.Minute)},
		"the refund of the line is told beside":               {back: []platform.Returned{ofLine}, beside: []platform.Returned{ofLine}, changed: again},
		"the refunds of the line's units are told beside":     {back: []platform.Returned{cancelled}, beside: []platform.Returned{ofUnit, ofOther}, changed: again},
		"the amount is told beside":                           {back: []platform.Returned{amount}, beside: []platform.Returned{amount}, changed: again},
		"that the refund failed is told beside, with another": {back: []platform.Returned{ofLine}, beside: []platform.Returned{failed}, changed: again},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, tables := open(t)
			p := paid("1", 2, "game")
			p.Currency, p.Lines[0].UnitPrice, p.PaidAt = "EUR", "5.00", bought
			if !c.changed.IsZero() {
				p.ChangedAt = bought
			}
			if !c.first.IsZero() {
				p.PaidAt = c.first
			}
			is(t, in.Apply(t.Context(), account, request, []platform.Event{p}), platform.Accepted)
			for _, r := range c.back {
				r.Order = "1"
				is(t, in.Apply(t.Context(), account, request, []platform.Event{r}), platform.Accepted)
			}
			is(t, in.Apply(t.Context(), account, request, []platform.Event{p}), platform.Accepted) // late, as it was
			if told := noticesOf(t, tables, notice.PaidAgain); len(told) != 0 {
				t.Errorf("a late repeat is told: %v", told)
			}
			p.ChangedAt = c.changed
			if !c.paidAt.IsZero() {
				p.PaidAt = c.paidAt
			}
			var events []platform.Event
			for _, r := range c.beside {
				r.Order = "1"
				events = append(events, r)
			}
			for range 3 {
				got := in.Apply(t.Context(), account, request, append(events, p))
				if last := got[len(got)-1]; last.Outcome != platform.Accepted {
					t.Fatalf("answered %+v", got)
				}
				if c.told && !c.changed.IsZero() {
					p.ChangedAt = p.ChangedAt.Add(time.Minute) // the shop saves it again
				}
			}
			want := 0
			if c.told {
				want = 1
			}
			told := noticesOf(t, tables, notice.PaidAgain)
			if len(told) != want {
				t.Errorf("told %v, want %d", told, want)
			}
			if kept := dynamotest.Items(t, tables.Orders, "refused#acme"); len(kept) != want {
				t.Errorf("listed %v, want %d", kept, want)
			}
			entries := 0
			for _, item := range dynamotest.Items(t, tables.Orders, orderItems("1")) {
				if item["what"] == string(order.PaidAgain) && item["code"] == "returned" {
					entries++
				}
			}
			if entries != want {
				t.Errorf("the history tells %d times, want %d", entries, want)
			}
			dynamotest.Audit(t, tables)
		})
	}
}

// Catch-up says all that was given back, and hands over what is news of it: a unit that is in
// both is one unit.
func TestPaidAgain_ofCatchup(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	p := paid("1", 2, "game")
	p.PaidAt, p.ChangedAt = noon.Add(-3*time.Hour), noon.Add(-3*time.Hour)
	is(t, in.Take(t.Context(), account, p), platform.Accepted)
	is(t, in.Take(t.Context(), account, platform.Returned{Order: "1", ID: "cancelled", All: true, At: noon.Add(-2 * time.Hour)}), platform.Accepted)
	unit := platform.Returned{Order: "1", ID: "R1", Lines: []platform.ReturnedLine{{ID: "game", Quantity: 1}}, At: noon.Add(-time.Hour)}
	p.ChangedAt, p.GivenBack = noon, []platform.Returned{unit}
	is(t, in.Take(t.Context(), account, unit, p), platform.Accepted, platform.Accepted)
	if told := noticesOf(t, tables, notice.PaidAgain); len(told) != 1 {
		t.Errorf("told %v, want once: a unit is paid", told)
	}
}

// orderItems is the partition of a live order of the account.
func orderItems(number string) string {
	return "order#" + order.Identity{Merchant: account.Merchant, Side: pool.Live, Origin: account.Origin, Order: number}.OrderID()
}

// The lines of an order that was cancelled are told by one notice, and each is in its
// history; a line that was refunded by itself is another return. A line that waited for a
// pool, or was returned before it was paid, is told alike.
func TestPaidAgain_lines(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	p := paid("1", 1, "game", "unheard-of", "dlc", "early")
	p.PaidAt, p.ChangedAt = noon.Add(-3*time.Hour), noon.Add(-3*time.Hour)
	back := noon.Add(-2 * time.Hour)
	early := platform.Returned{Order: "1", ID: "R2", Lines: []platform.ReturnedLine{{ID: "early", All: true}}, At: back}
	alone := platform.Returned{Order: "1", ID: "R1", Lines: []platform.ReturnedLine{{ID: "dlc", All: true}}, At: back}
	is(t, in.Apply(t.Context(), account, request, []platform.Event{early}), platform.Accepted)
	is(t, in.Apply(t.Context(), account, request, []platform.Event{p, alone}), platform.Accepted, platform.Accepted, platform.Accepted, platform.Accepted, platform.Accepted)
	in.Apply(t.Context(), account, request, []platform.Event{platform.Returned{Order: "1", ID: "cancelled", All: true, At: back.Add(time.Minute)}})
	p.ChangedAt = noon
	for range 2 {
		for _, result := range in.Apply(t.Context(), account, request, []platform.Event{p}) {
			if result.State != order.Returned || result.Allocated != 0 {
				t.Errorf("line %s is %s with %d keys", result.Line, result.State, result.Allocated)
			}
		}
	}
	told := noticesOf(t, tables, notice.PaidAgain)
	if len(told) != 3 {
		t.Errorf("told %v, want one for each return", told)
	}
	kept := dynamotest.Items(t, tables.Orders, "refused#acme")
	if len(kept) != 4 {
		t.Errorf("listed %v, want each line", kept)
	}
	for _, item := range kept {
		if problem := item["problem"].(string); item["order"] != "1" || !strings.Contains(problem, "was returned 2026-11-23T10:0") || !strings.Contains(problem, "fulfil it by hand") {
			t.Errorf("listed %v", item)
		}
	}
}

// What a person returned, or a dispute, is nothing that the shop has given back: its order
// stays paid there, and is reported so whenever it is edited.
func TestPaidAgain_notReturnedByThePlatform(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	p := paid("1", 1, "game", "dlc", "lost")
	p.PaidAt, p.ChangedAt = noon.Add(-3*time.Hour), noon.Add(-3*time.Hour)
	is(t, in.Apply(t.Context(), account, request, []platform.Event{p}), platform.Accepted, platform.Accepted, platform.Accepted)
	changes := in.Orders.(*lifecycle.Lifecycle)
	id := order.Identity{Merchant: account.Merchant, Side: pool.Live, Origin: account.Origin, Order: "1", Line: "game"}
	if _, err := changes.ReturnLine(t.Context(), lifecycle.LineReturn{Identity: id, Account: account.Name, Refund: "mine", Units: 1, Act: lifecycle.Act{By: "ada"}}); err != nil {
		t.Fatal(err)
	}
	// The platform's refund of the same line comes later, and returns nothing more.
	in.Apply(t.Context(), account, request, []platform.Event{platform.Returned{Order: "1", ID: "R1", Lines: []platform.ReturnedLine{{ID: "game", All: true}}, At: noon.Add(-time.Hour)}})
	in.Apply(t.Context(), account, request, []platform.Event{platform.Disputed{Order: "1", ID: "D1", State: platform.DisputeLost, At: noon.Add(-time.Hour)}})
	p.ChangedAt = noon
	for _, result := range in.Apply(t.Context(), account, request, []platform.Event{p}) {
		if result.State != order.Returned {
			t.Errorf("line %s is %s", result.Line, result.State)
		}
	}
	if told := noticesOf(t, tables, notice.PaidAgain); len(told) != 0 {
		t.Errorf("told %v", told)
	}
}

// A line that was returned before its payment came, and that a rule holds as well, is told for
// both.
func TestPaid_afterAReturnAndHeldByARule(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	if err := in.Records.(*dynamo.Store).PutReview(t.Context(), catalog.Review{Merchant: "acme", Rules: catalog.Rules{Risk: true}}); err != nil {
		t.Fatal(err)
	}
	late := paid("1", 1, "game")
	for _, event := range []platform.Event{platform.Returned{Order: "1", ID: "R1", All: true}, late} {
		is(t, in.Apply(t.Context(), account, request, []platform.Event{event}), platform.Accepted)
	}
	late.Risk = "elevated"
	got := in.Apply(t.Context(), account, request, []platform.Event{late})
	if is(t, got, platform.Accepted); got[0].State != order.OnHold {
		t.Errorf("got %+v", got)
	}
	for kind, want := range map[notice.Kind]int{notice.PaidAfterReturn: 1, notice.HeldForReview: 2} { // one of them waits for the hour's end
		if told := noticesOf(t, tables, kind); len(told) != want {
			t.Errorf("%d notices of %s, want %d", len(told), kind, want)
		}
	}
}
