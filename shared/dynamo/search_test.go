package dynamo_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/dynamo"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
)

// found returns the orders that a search finds, page by page.
func found(t *testing.T, store *dynamo.Store, q order.Search, page int) []string {
	t.Helper()
	var orders []string
	for after := (order.Place{}); ; {
		places, err := store.Places(t.Context(), q, after, page)
		if err != nil {
			t.Fatal(err)
		}
		if len(places) == 0 {
			return orders
		}
		var ids []order.LineID
		for _, place := range places {
			ids = append(ids, place.Line)
		}
		lines, err := store.LinesByID(t.Context(), ids)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			orders = append(orders, lines[id].Order+"/"+lines[id].Line)
		}
		after = places[len(places)-1]
	}
}

func (s *shop) add(number, line string, receivedAt time.Time, change func(*order.Fulfillment)) order.Fulfillment {
	s.t.Helper()
	f := order.Fulfillment{
		Merchant: elden.Merchant, Side: pool.Live, Account: "shop", Origin: "shop", Order: number, Line: line, Product: "game", Pool: "game",
		Quantity: 1, KeysPerUnit: 1, Wanted: 1, ReceivedAt: receivedAt,
	}
	if change != nil {
		change(&f)
	}
	f.ID = f.Identity().ID()
	s.commit(order.NewLine(f))
	return s.line(f.ID)
}

func all(q order.Search) order.Search {
	q.Merchant, q.Until = elden.Merchant, stockNoon.Add(24*time.Hour)
	if q.Side == "" {
		q.Side = pool.Live
	}
	return q
}

// Pages of any size show every line once, the latest first, however many came in one
// moment, and lines of another side or merchant never.
func TestPlaces_pagesShowEveryLineOnce(t *testing.T) {
	t.Parallel()
	s := openShop(t, 0)
	var want []string
	for n := range 40 {
		at := stockNoon.Add(time.Duration(n/10) * time.Second) // ten of a moment
		s.add(fmt.Sprintf("A-%02d", n), "1", at, nil)
		s.add(fmt.Sprintf("A-%02d", n), "2", at, nil)
		want = append(want, fmt.Sprintf("A-%02d/1", n), fmt.Sprintf("A-%02d/2", n))
	}
	s.add("T-1", "1", stockNoon, func(f *order.Fulfillment) { f.Side = pool.Test })
	s.add("O-1", "1", stockNoon, func(f *order.Fulfillment) { f.Merchant = "other" })
	for _, page := range []int{1, 3, 7, 100} {
		got := found(t, s.store, all(order.Search{}), page)
		moment := func(name string) string { return name[:3] } // the tens of its number
		if !slices.IsSortedFunc(got, func(a, b string) int { return strings.Compare(moment(b), moment(a)) }) {
			t.Errorf("pages of %d are not the latest first: %v", page, got)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %v", page, got)
		}
	}
	if got := found(t, s.store, all(order.Search{Side: pool.Test}), 10); !slices.Equal(got, []string{"T-1/1"}) {
		t.Errorf("test side: %v", got)
	}
	q := all(order.Search{From: stockNoon.Add(time.Second)})
	q.Until = stockNoon.Add(2 * time.Second)
	if got := found(t, s.store, q, 3); len(got) != 20 || slices.Max(got) != "A-19/2" || slices.Min(got) != "A-10/1" {
		t.Errorf("of one second: %v", got)
	}
}

// The lines of an address are found by its hash, and one without an address by none.
func TestPlaces_ofAnAddress(t *testing.T) {
	t.Parallel()
	s := openShop(t, 0)
	by := func(hash string) func(*order.Fulfillment) {
		return func(f *order.Fulfillment) { f.CustomerHash, f.Customer.Email = hash, hash+"@example.com" }
	}
	s.add("1", "1", stockNoon, by("ada"))
	s.add("2", "1", stockNoon.Add(time.Second), by("ada"))
	s.add("3", "1", stockNoon, by("bob"))
	s.add("4", "1", stockNoon, nil)
	for _, page := range []int{1, 10} {
		if got := found(t, s.store, all(order.Search{CustomerHash: "ada"}), page); !slices.Equal(got, []string{"2/1", "1/1"}) {
			t.Errorf("pages of %d: %v", page, got)
		}
	}
	dynamotest.Audit(t, s.tables)
}

// A line that somebody has to look at is found since then, and no longer than it is so: the
// writes that change the line say it.
func TestPlaces_whatNeedsAttention(t *testing.T) {
	t.Parallel()
	s := openShop(t, 1)
	s.add("waits", "1", stockNoon.Add(-3*time.Hour), nil)
	s.add("waits-a-little", "1", stockNoon.Add(-time.Minute), nil)
	s.add("unconnected", "1", stockNoon.Add(-time.Hour), func(f *order.Fulfillment) { f.Pool, f.Wanted = "", 0 })
	s.add("held", "1", stockNoon.Add(-3*time.Hour), func(f *order.Fulfillment) {
		f.Hold(order.HoldByHand)
		f.HeldAt = stockNoon.Add(-30 * time.Minute)
	})
	s.add("given-back", "1", stockNoon.Add(-3*time.Hour), func(f *order.Fulfillment) { f.ReturnAll() })
	sold := s.sell("mailed", 1, s.keys[0])
	due := order.ChangeOf(sold)
	due.After.Mail = due.After.Mail.Next(outbox.Keys, stockNoon)
	s.commit(due)

	q := all(order.Search{Attention: true})
	q.Until = stockNoon
	want := []string{"held/1", "unconnected/1", "waits/1"}
	if got := found(t, s.store, q, 2); !slices.Equal(got, want) {
		t.Errorf("found %v", got)
	}

	mails := s.store.LineMails()
	leased, _, ok, err := mails.Lease(t.Context(), string(sold.ID), stockNoon)
	if err != nil || !ok {
		t.Fatalf("%v, %v", ok, err)
	}
	leased.Mail = leased.Mail.Completed(outbox.Bounced, "ses-1", "Permanent", stockNoon.Add(-time.Minute))
	if err := mails.Mark(t.Context(), leased, nil, nil); err != nil {
		t.Fatal(err)
	}
	q.Until = stockNoon.Add(time.Hour)
	if got := found(t, s.store, q, 2); !slices.Contains(got, "mailed/1") {
		t.Errorf("bounced: %v", got)
	}
	again := order.ChangeOf(s.line(sold.ID))
	again.After.Mail = again.After.Mail.Next(outbox.Keys, stockNoon)
	s.commit(again)
	if got := found(t, s.store, q, 2); slices.Contains(got, "mailed/1") {
		t.Errorf("mailed again: %v", got)
	}
	dynamotest.Audit(t, s.tables)
}

// Lines that stand in an index and are gone from the table are left out.
func TestLinesByID_leavesOutWhatIsNotThere(t *testing.T) {
	t.Parallel()
	s := openShop(t, 0)
	there := s.add("1", "1", stockNoon, nil)
	gone := order.Identity{Merchant: elden.Merchant, Side: pool.Live, Origin: "shop", Order: "2", Line: "1"}.ID()
	lines, err := s.store.LinesByID(t.Context(), []order.LineID{gone, there.ID})
	if err != nil || len(lines) != 1 || lines[there.ID].Order != "1" {
		t.Errorf("%v, %v", lines, err)
	}
	if none, err := s.store.LinesByID(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("%v, %v", none, err)
	}
}
