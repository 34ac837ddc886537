package intake_test

import (
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

// lineOf returns a line of an order of the account as it stands.
func lineOf(t *testing.T, tables dynamo.Tables, side pool.Side, number, line string) (order.Fulfillment, bool) {
	t.Helper()
	id := order.Identity{Merchant: account.Merchant, Side: side, Origin: account.Origin, Order: number, Line: line}.ID()
	f, ok, err := dynamo.Open(dynamotest.Client(t), tables).Fulfillment(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return f, ok
}

// Refunds of the whole order, of lines and of an amount are applied, however often.
func TestReturned(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		event platform.Returned
		state order.State
		keys  int // left
	}{
		"all":                               {platform.Returned{All: true}, order.Returned, 0},
		"a line":                            {platform.Returned{Lines: []platform.ReturnedLine{{ID: "game", All: true}}}, order.Returned, 0},
		"a unit":                            {platform.Returned{Lines: []platform.ReturnedLine{{ID: "game", Quantity: 1}}}, order.Fulfilled, 1},
		"an amount":                         {platform.Returned{Amount: "5.00", Currency: "EUR"}, order.Fulfilled, 1},
		"a refund that failed":              {platform.Returned{All: true, Failed: true}, order.Fulfilled, 2},
		"an amount that is nothing we know": {platform.Returned{Amount: "1.23", Currency: "EUR"}, order.Fulfilled, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, tables := open(t)
			bought := paid("1", 2, "game")
			bought.Currency, bought.Lines[0].UnitPrice = "EUR", "5.00"
			is(t, in.Apply(t.Context(), account, request, []platform.Event{bought}), platform.Accepted)
			c.event.Order, c.event.ID = "1", "R1"
			for range 3 {
				is(t, in.Apply(t.Context(), account, request, []platform.Event{c.event}), platform.Accepted)
			}
			if f, _ := lineOf(t, tables, pool.Live, "1", "game"); f.State() != c.state || f.Allocated != c.keys {
				t.Errorf("the line is %s with %d keys, want %s with %d", f.State(), f.Allocated, c.state, c.keys)
			}
			dynamotest.Audit(t, tables)
			for _, kind := range []notice.Kind{notice.RefundFailed, notice.RefundUnclear} {
				want := 0
				if kind == notice.RefundFailed && c.event.Failed || kind == notice.RefundUnclear && c.event.Amount == "1.23" {
					want = 1
				}
				if told := noticesOf(t, tables, kind); len(told) != want {
					t.Errorf("%d notices of %s, want %d", len(told), kind, want)
				}
			}
		})
	}
}

// The merchant is asked, once, about money of a line that was given back without units, and
// of a line that is passed over nobody asks.
func TestRecorded_refundOfMoney(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	from := account
	from.OtherProducts = catalog.OthersIgnored
	bought, refundedAt := paid("1", 2, "game", "poster"), time.Date(2026, 1, 3, 9, 0, 0, 0, time.UTC)
	money := func(refund, line string, at time.Time) platform.Recorded {
		return platform.Recorded{Order: "1", Line: line, Type: "refund of money alone", Refund: refund, At: at}
	}
	for range 2 {
		in.Apply(t.Context(), from, request, []platform.Event{bought, money("R1", "poster", refundedAt)})
	}
	if told := noticesOf(t, tables, notice.RefundUnclear); len(told) != 0 {
		t.Errorf("of a line that is passed over is told %+v", told)
	}
	for range 3 {
		is(t, in.Apply(t.Context(), from, request, []platform.Event{money("R2", "game", refundedAt)}), platform.Accepted)
		is(t, in.Apply(t.Context(), from, request, []platform.Event{money("R3", "", refundedAt), money("R4", "game", time.Time{})}), platform.Accepted, platform.Accepted)
	}
	if told := noticesOf(t, tables, notice.RefundUnclear); len(told) != 3 {
		t.Errorf("told %+v", told)
	}
	line, _ := lineOf(t, tables, pool.Live, "1", "game")
	if line.Allocated != 2 {
		t.Errorf("it took keys: %+v", line)
	}
	entries := 0
	for _, item := range dynamotest.Items(t, tables.Orders, "") {
		if item["code"] == "refund of money alone" {
			entries++
		}
	}
	if entries != 1 {
		t.Errorf("%d entries in histories", entries)
	}
}

// An order that is refunded before it is paid gets nothing, and its merchant is asked once.
func TestReturned_beforeThePayment(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	got := in.Apply(t.Context(), account, request, []platform.Event{platform.Returned{Order: "1", ID: "R1", All: true}})
	is(t, got, platform.Accepted)
	if got[0].Line != "" || got[0].Order != "1" {
		t.Errorf("%+v", got)
	}
	for range 2 {
		got = in.Apply(t.Context(), account, request, []platform.Event{paid("1", 1, "game", "unheard-of")})
		is(t, got, platform.Accepted, platform.Accepted)
	}
	if got[0].State != order.OnHold || got[1].State != order.OnHold || got[0].Allocated != 0 {
		t.Errorf("%+v", got)
	}
	if told := noticesOf(t, tables, notice.PaidAfterReturn); len(told) != 1 {
		t.Errorf("told %+v", told)
	}
	if books := dynamotest.Audit(t, tables); books.Claimed != 0 {
		t.Errorf("%d keys are claimed", books.Claimed)
	}
}

// A platform that names no side tells of both.
func TestReturned_sideUnknown(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	dynamotest.Stock(t, tables, pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Test}, pool.DefaultShards, dynamotest.Texts("TEST", 3)...)
	test := paid("1", 1, "game")
	test.Test = true
	is(t, in.Apply(t.Context(), account, request, []platform.Event{test}), platform.Accepted)
	is(t, in.Apply(t.Context(), account, request, []platform.Event{platform.Disputed{Order: "1", ID: "D1", State: platform.DisputeOpen, TestUnknown: true}}), platform.Accepted, platform.Accepted)
	if f, _ := lineOf(t, tables, pool.Test, "1", "game"); f.State() != order.OnHold {
		t.Errorf("the test is %s", f.State())
	}
	is(t, in.Apply(t.Context(), account, request, []platform.Event{platform.Returned{Order: "1", ID: "R1", All: true, TestUnknown: true}}), platform.Accepted, platform.Accepted)
	if f, _ := lineOf(t, tables, pool.Test, "1", "game"); f.State() != order.Returned {
		t.Errorf("the test is %s", f.State())
	}
	is(t, in.Apply(t.Context(), account, request, []platform.Event{paid("1", 1, "game")}), platform.Accepted)
	if f, _ := lineOf(t, tables, pool.Live, "1", "game"); f.State() != order.OnHold {
		t.Errorf("the live order is %s", f.State())
	}
}

// Disputes are applied as they turn.
func TestDisputed(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	is(t, in.Apply(t.Context(), account, request, []platform.Event{paid("1", 1, "game")}), platform.Accepted)
	for _, turn := range []struct {
		id    string
		state platform.DisputeState
		want  order.State
	}{
		{"D1", platform.DisputeOpen, order.OnHold},
		{"D1", platform.DisputeWon, order.Fulfilled},
		{"D1", platform.DisputeOpen, order.Fulfilled},
		{"D2", platform.DisputeLost, order.Returned},
	} {
		got := in.Apply(t.Context(), account, request, []platform.Event{platform.Disputed{Order: "1", ID: turn.id, State: turn.state}})
		is(t, got, platform.Accepted)
		if got[0].State != turn.want {
			t.Errorf("dispute %s is %s: the line is %s, want %s", turn.id, turn.state, got[0].State, turn.want)
		}
	}
	dynamotest.Audit(t, tables)
}

// What cannot be read of a refund or a dispute is refused by its field, and nothing happens.
func TestReturned_refused(t *testing.T) {
	t.Parallel()
	in, _ := open(t)
	for field, event := range map[string]platform.Event{
		"data.order":             platform.Returned{Within: "data.", ID: "R1", All: true},
		"data.refund":            platform.Returned{Within: "data.", Order: "1", All: true},
		"data.amount":            platform.Returned{Within: "data.", Order: "1", ID: "R1", Amount: "1e3"},
		"data.lines[0].quantity": platform.Returned{Within: "data.", Order: "1", ID: "R1", Lines: []platform.ReturnedLine{{ID: "1", Quantity: 11}}},
		"data.lines[1].quantity": platform.Returned{Within: "data.", Order: "1", ID: "R1", Lines: []platform.ReturnedLine{{ID: "1", Quantity: 1}, {ID: "2", Quantity: 0}}},
		"data.lines[1].line":     platform.Returned{Within: "data.", Order: "1", ID: "R1", Lines: []platform.ReturnedLine{{ID: "1", All: true}, {ID: "1", All: true}}},
		"data.dispute":           platform.Disputed{Within: "data.", Order: "1", State: platform.DisputeOpen},
		"data.state":             platform.Disputed{Within: "data.", Order: "1", ID: "D1", State: "lost?"},
	} {
		got := in.Apply(t.Context(), account, request, []platform.Event{event})
		is(t, got, platform.Rejected)
		if got[0].Field.Field != field {
			t.Errorf("refused for %s, want %s", got[0].Field.Field, field)
		}
	}
}

// Units that a person returned, and that are refunded at the platform then, are taken once: the
// merchant is told so, once, be the refund of units or of an amount.
func TestReturned_afterAPersonReturnedThem(t *testing.T) {
	t.Parallel()
	for name, refund := range map[string]platform.Returned{
		"units":  {Lines: []platform.ReturnedLine{{ID: "game", Quantity: 1}}},
		"amount": {Amount: "5.00", Currency: "EUR"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, tables := open(t)
			bought := paid("1", 3, "game")
			bought.Currency, bought.Lines[0].UnitPrice = "EUR", "5.00"
			apply(t, in, bought)
			line, _ := lineOf(t, tables, pool.Live, "1", "game")
			_, err := in.Orders.ReturnLine(t.Context(), lifecycle.LineReturn{
				Identity: order.Identity{Merchant: line.Merchant, Side: line.Side, Origin: line.Origin, Order: line.Order, Line: line.Line},
				Account:  line.Account, Refund: "RMA-17", Units: 1, Act: lifecycle.Act{By: "ada"}, ByHand: true,
			})
			if err != nil {
				t.Fatal(err)
			}
			refund.Order, refund.ID = "1", "R1"
			apply(t, in, refund, refund)
			told := noticesOf(t, tables, notice.RefundMatched)
			if line, _ = lineOf(t, tables, pool.Live, "1", "game"); line.ReturnedUnits != 1 || line.Allocated != 2 || len(told) != 1 {
				t.Errorf("%d units are returned, %d keys left, told %+v", line.ReturnedUnits, line.Allocated, told)
			}
			refund.ID = "R2"
			apply(t, in, refund)
			if line, _ = lineOf(t, tables, pool.Live, "1", "game"); line.ReturnedUnits != 2 || line.Allocated != 1 {
				t.Errorf("after a second refund, %d units are returned and %d keys left", line.ReturnedUnits, line.Allocated)
			}
			dynamotest.Audit(t, tables)
		})
	}
}
