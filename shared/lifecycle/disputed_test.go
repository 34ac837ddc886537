package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
)

// drop drops the disputes of an order, and returns its lines.
func (s *shop) drop(number string, act lifecycle.Act, seen ...order.LineVersion) []order.Fulfillment {
	s.Helper()
	lines, err := s.changes.ReleaseDisputed(s.Context(), whole(number), act, seen...)
	s.must(err)
	return lines
}

// disputes checks the disputes of an order, as "D1 open, D2 dropped".
func (s *shop) disputes(number, want string) {
	s.Helper()
	w, err := s.store.Whole(s.Context(), whole(number).ID)
	s.must(err)
	got := ""
	for _, id := range []string{"D1", "D2", "D3"} {
		if is := w.Disputes[id]; is != "" {
			got += fmt.Sprintf(", %s %s", id, is)
		}
	}
	if got = got[min(2, len(got)):]; got != want {
		s.Errorf("the disputes are %q, want %q", got, want)
	}
}

// A person drops disputes that never end: the order is mailed once, their openings hold it no
// more, and the history says who did so, and why. Another dispute holds it again; one that is
// lost after all gives the order back.
func TestReleaseDisputed(t *testing.T) {
	s := open(t, 10)
	line := s.pay("1", "1", "game", 1)
	s.dispute("1", "D1", order.DisputeOpen)
	s.dispute("1", "D2", order.DisputeOpen)
	s.settle(line.ID)
	s.mails(0)
	for range 2 {
		s.at = s.at.Add(time.Second)
		if lines := s.drop("1", ada); len(lines) != 1 || lines[0].State() != order.Fulfilled || len(lines[0].Holds) != 0 {
			t.Errorf("dropped, the lines are %+v", lines)
		}
		s.disputes("1", "D1 dropped, D2 dropped")
	}
	s.dispute("1", "D1", order.DisputeOpen) // reported again
	s.is(s.line(line.ID), order.Fulfilled, 1, 0)
	s.settle(line.ID)
	s.mails(1)
	s.dispute("1", "D3", order.DisputeOpen)
	s.is(s.line(line.ID), order.OnHold, 1, 0)
	s.drop("1", lifecycle.Act{By: "bob"})
	s.dispute("1", "D2", order.DisputeWon)
	s.is(s.line(line.ID), order.Fulfilled, 1, 0)
	s.dispute("1", "D1", order.DisputeLost)
	s.is(s.line(line.ID), order.Returned, 0, 1)
	s.drop("1", ada)
	s.disputes("1", "D1 lost, D2 won, D3 dropped")
	s.is(s.line(line.ID), order.Returned, 0, 1)
	s.settle(line.ID)
	s.mails(1)
	history := s.history(line.ID)
	slices.Sort(history)
	if want := []string{
		"held by webhook: dispute:D1", "held by webhook: dispute:D2", "held by webhook: dispute:D3", "order-returned by webhook: dispute:D1",
		"released by ada: dispute:D1: looks odd", "released by ada: dispute:D2: looks odd", "released by bob: dispute:D3",
	}; !slices.Equal(history, want) {
		t.Errorf("history %q", history)
	}
}

// Whatever else holds lines of the order is lifted as well: a person who drops its disputes
// wants it delivered. A rule is not asked again. What was given back stays so.
func TestReleaseDisputed_fromAllElse(t *testing.T) {
	s := open(t, 0)
	s.orderLines = 3
	byRule, byHand, back := s.reviewed(), s.pay("1", "2", "game", 1), s.pay("1", "3", "game", 1)
	_, err := s.changes.Hold(t.Context(), byHand.ID, ada)
	s.must(err)
	s.returnUnits("1", "3", "R1", 1)
	s.dispute("1", "D1", order.DisputeOpen)
	for range 2 {
		s.drop("1", ada)
		s.is(s.line(byHand.ID), order.Waiting, 0, 0)
		s.is(s.line(back.ID), order.Returned, 0, 1)
		if now := s.line(byRule.ID); now.State() != order.Waiting || !now.ReleasedFrom(order.HoldCap) {
			t.Errorf("the line is %s (%q), released from %q", now.State(), now.Holds, now.Released)
		}
	}
	s.stock(10)
	s.settle(byRule.ID, byHand.ID, back.ID)
	s.is(s.line(byRule.ID), order.Fulfilled, 9, 0)
	s.is(s.line(byHand.ID), order.Fulfilled, 1, 0)
	if got, want := s.history(byHand.ID), []string{"released by ada: looks odd", "released by ada: dispute:D1: looks odd"}; !slices.Contains(got, want[0]) || !slices.Contains(got, want[1]) {
		t.Errorf("history %q, want %q", got, want)
	}
}

// Nobody but who says so drops a dispute: not who releases a line, nor who decides what rules
// hold, as links in mails and a release of all do.
func TestReleaseDisputed_onlyIfSaid(t *testing.T) {
	s := open(t, 0)
	line := s.reviewed()
	s.dispute("1", "D1", order.DisputeOpen)
	for _, do := range []func(context.Context, order.LineID, lifecycle.Act) (order.Fulfillment, error){s.changes.ReleaseHeld, s.changes.Release} {
		got, err := do(t.Context(), line.ID, ada)
		if err != nil && !errors.Is(err, order.ErrState) {
			t.Error(err)
		}
		s.is(got, order.OnHold, 0, 0)
		s.disputes("1", "D1 open")
	}
}

// A dispute that is opened while others are dropped is not: nobody has seen it.
func TestReleaseDisputed_anotherOpensMeanwhile(t *testing.T) {
	s := open(t, 10)
	line := s.pay("1", "1", "game", 1)
	s.dispute("1", "D1", order.DisputeOpen)
	race := &racing{Store: s.store, Wholes: s.store, meanwhile: func() { s.dispute("1", "D2", order.DisputeOpen) }}
	raced := *s.changes
	raced.Store, raced.Wholes = race, race
	lines, err := raced.ReleaseDisputed(t.Context(), whole("1"), ada)
	s.must(err)
	if race.meanwhile != nil || len(lines) != 1 {
		t.Fatalf("the lines are %+v", lines)
	}
	s.disputes("1", "D1 dropped, D2 open")
	if !slices.Equal(lines[0].Holds, []order.Hold{order.DisputeHold("D2")}) {
		t.Errorf("it is held: %q", lines[0].Holds)
	}

	s.drop("1", ada)
	s.dispute("1", "D3", order.DisputeOpen)
	race.meanwhile = func() { s.dispute("1", "D3", order.DisputeWon) }
	_, err = raced.ReleaseDisputed(t.Context(), whole("1"), ada)
	s.must(err)
	s.disputes("1", "D1 dropped, D2 dropped, D3 won") // the platform was first
	s.is(s.line(line.ID), order.Fulfilled, 1, 0)
}

// Disputes are dropped if the lines are as they were seen, all of them together.
func TestReleaseDisputed_seen(t *testing.T) {
	s := open(t, 10)
	s.orderLines = 2
	one, two := s.pay("1", "1", "game", 1), s.pay("1", "2", "game", 1)
	s.dispute("1", "D1", order.DisputeOpen)
	_, err := s.changes.Hold(t.Context(), one.ID, ada)
	s.must(err)
	seen := []order.LineVersion{{Line: one.ID, Version: s.line(one.ID).Version}, {Line: two.ID, Version: two.Version}}
	_, err = s.changes.ReleaseDisputed(t.Context(), whole("1"), ada, seen...)
	s.stale(err, s.line(two.ID))
	s.disputes("1", "D1 open")
	if now := s.line(one.ID); now.Version != seen[0].Version {
		t.Errorf("the first line was changed: %+v", now)
	}

	seen[1].Version = s.line(two.ID).Version
	race := &racing{Store: s.store, Wholes: s.store, meanwhile: func() {
		_, err := s.changes.Hold(t.Context(), two.ID, ada)
		s.must(err)
	}}
	raced := *s.changes
	raced.Wholes = race
	_, err = raced.ReleaseDisputed(t.Context(), whole("1"), ada, seen...)
	s.stale(err, s.line(two.ID))
	var stale *order.StaleError
	if errors.As(err, &stale) && (!slices.Equal(stale.Done, []string{"1"}) || !stale.Disputes) {
		t.Errorf("done are %q, disputes were to be dropped: %v; the first line has lost the hold that somebody put on it", stale.Done, stale.Disputes)
	}
	s.disputes("1", "D1 open")
	s.is(s.line(one.ID), order.OnHold, 1, 0)

	seen = []order.LineVersion{{Line: one.ID, Version: s.line(one.ID).Version}, {Line: two.ID, Version: s.line(two.ID).Version}}
	s.drop("1", ada, seen...)
	s.is(s.line(one.ID), order.Fulfilled, 1, 0)
	s.is(s.line(two.ID), order.Fulfilled, 1, 0)
	if _, err = s.changes.ReleaseDisputed(t.Context(), whole("1"), ada, seen...); !errors.As(err, new(*order.StaleError)) {
		t.Errorf("again, with the versions of before: %v", err)
	}
}

// A line that is paid after its order's dispute was dropped gets its keys at once. One whose
// payment was under way, and read of the dispute before, is let go by the sweep.
func TestReleaseDisputed_paidLater(t *testing.T) {
	s := open(t, 10)
	s.orderLines = 3
	s.dispute("1", "D1", order.DisputeOpen)
	first := s.pay("1", "1", "game", 1)
	s.is(first, order.OnHold, 0, 0)
	between := &interrupted{Store: s.store, before: func() { s.drop("1", ada) }}
	claims, cut := s.claims, *s.claims
	cut.Store = between
	s.claims = &cut
	second := s.pay("1", "2", "game", 1)
	s.is(second, order.OnHold, 0, 0)
	if s.claims = claims; between.before != nil {
		t.Fatal("nothing was committed")
	}
	s.is(s.pay("1", "3", "game", 1), order.Fulfilled, 1, 0)
	s.settle(first.ID, second.ID)
	s.is(s.line(first.ID), order.Fulfilled, 1, 0)
	s.is(s.line(second.ID), order.Fulfilled, 1, 0)
	if got, want := s.history(second.ID), "released by ada: dispute:D1: looks odd"; !slices.Contains(got, want) {
		t.Errorf("history %q", got)
	}
}

// The disputes are dropped, and the process dies before the lines show it: the sweep goes on,
// in the name of who dropped them, unless the platform has said how they ended.
func TestReleaseDisputed_diesBeforeItsLines(t *testing.T) {
	for name, test := range map[string]struct {
		then  order.Dispute
		state order.State
		says  string
	}{
		"dropped":        {"", order.Fulfilled, "released by ada: dispute:D1: looks odd"},
		"won meanwhile":  {order.DisputeWon, order.Fulfilled, "released by webhook: dispute:D1"},
		"lost meanwhile": {order.DisputeLost, order.Returned, "order-returned by webhook: dispute:D1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, 10)
			line := s.pay("1", "1", "game", 1)
			s.dispute("1", "D1", order.DisputeOpen)
			dies := *s.changes
			dies.Store = &dying{Store: s.store}
			if _, err := dies.ReleaseDisputed(t.Context(), whole("1"), ada); !errors.Is(err, errDied) {
				t.Fatal(err)
			}
			s.is(s.line(line.ID), order.OnHold, 1, 0)
			s.disputes("1", "D1 dropped")
			if test.then != "" {
				s.dispute("1", "D1", test.then)
			}
			s.settle(line.ID)
			if now := s.line(line.ID); now.State() != test.state {
				t.Errorf("the line is %s (%q)", now.State(), now.Holds)
			}
			if got := s.history(line.ID); !slices.Contains(got, test.says) {
				t.Errorf("history %q, want %q", got, test.says)
			}
			dynamotest.Audit(t, s.tables)
		})
	}
}
