package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
)

// racing lets something happen between what an act reads and what it writes, once.
type racing struct {
	lifecycle.Store
	lifecycle.Wholes
	meanwhile func()
}

func (r *racing) race() {
	if do := r.meanwhile; do != nil {
		r.meanwhile = nil
		do()
	}
}

func (r *racing) Commit(ctx context.Context, changes ...order.Change) error {
	r.race()
	return r.Store.Commit(ctx, changes...)
}

func (r *racing) PutWhole(ctx context.Context, w order.Whole, seen ...order.LineVersion) error {
	r.race()
	return r.Wholes.PutWhole(ctx, w, seen...)
}

// stale holds that an act was refused since the line has changed, and shows it as it is.
func (s *shop) stale(err error, now order.Fulfillment) {
	s.Helper()
	var stale *order.StaleError
	if !errors.As(err, &stale) || len(stale.Lines) != 1 || stale.Lines[0].Version != now.Version || stale.Lines[0].ID != now.ID {
		s.Errorf("the act says %v, want a line that has changed, at version %d", err, now.Version)
	}
	if there := s.line(now.ID); there.Version != now.Version {
		s.Errorf("the line is at version %d, and was at %d", there.Version, now.Version)
	}
}

// acts are the acts of people on one line that names its version, each with the line that
// it can be done to.
var acts = map[string]struct {
	line func(s *shop) order.Fulfillment
	do   func(l *lifecycle.Lifecycle, ctx context.Context, line order.Fulfillment, act lifecycle.Act) (order.Fulfillment, error)
}{
	"hold": {(*shop).sold, func(l *lifecycle.Lifecycle, ctx context.Context, line order.Fulfillment, act lifecycle.Act) (order.Fulfillment, error) {
		return l.Hold(ctx, line.ID, act)
	}},
	"release": {(*shop).stopped, func(l *lifecycle.Lifecycle, ctx context.Context, line order.Fulfillment, act lifecycle.Act) (order.Fulfillment, error) {
		return l.Release(ctx, line.ID, act)
	}},
	"release what a rule holds": {(*shop).reviewed, func(l *lifecycle.Lifecycle, ctx context.Context, line order.Fulfillment, act lifecycle.Act) (order.Fulfillment, error) {
		return l.ReleaseHeld(ctx, line.ID, act)
	}},
	"reject": {(*shop).reviewed, func(l *lifecycle.Lifecycle, ctx context.Context, line order.Fulfillment, act lifecycle.Act) (order.Fulfillment, error) {
		return l.Reject(ctx, line.ID, act)
	}},
	"resend": {(*shop).sold, func(l *lifecycle.Lifecycle, ctx context.Context, line order.Fulfillment, act lifecycle.Act) (order.Fulfillment, error) {
		return l.Resend(ctx, line.ID, act)
	}},
	"cancel": {(*shop).waiting, func(l *lifecycle.Lifecycle, ctx context.Context, line order.Fulfillment, act lifecycle.Act) (order.Fulfillment, error) {
		return l.Cancel(ctx, line.ID, act)
	}},
	"replace": {(*shop).sold, func(l *lifecycle.Lifecycle, ctx context.Context, line order.Fulfillment, act lifecycle.Act) (order.Fulfillment, error) {
		return l.Replace(ctx, line.ID, line.Keys[0].ID, act)
	}},
	"return units": {(*shop).sold, func(l *lifecycle.Lifecycle, ctx context.Context, line order.Fulfillment, act lifecycle.Act) (order.Fulfillment, error) {
		return l.ReturnLine(ctx, lifecycle.LineReturn{Identity: identity("1", "1"), Account: "shop", Refund: "R1", Units: 1, Act: act})
	}},
	"return all": {(*shop).sold, func(l *lifecycle.Lifecycle, ctx context.Context, line order.Fulfillment, act lifecycle.Act) (order.Fulfillment, error) {
		return l.ReturnLine(ctx, lifecycle.LineReturn{Identity: identity("1", "1"), Account: "shop", Act: act})
	}},
}

func (s *shop) sold() order.Fulfillment {
	line := s.pay("1", "1", "game", 2)
	s.mail(line.ID)
	return s.line(line.ID)
}

func (s *shop) stopped() order.Fulfillment {
	line, err := s.changes.Hold(s.Context(), s.sold().ID, ada)
	s.must(err)
	return line
}

func (s *shop) waiting() order.Fulfillment { return s.pay("1", "1", "game", 9) }

// reviewed is a line that a rule holds.
func (s *shop) reviewed() order.Fulfillment {
	change := order.ChangeOf(s.waiting())
	change.After.HoldByRules([]order.Hold{order.HoldCap}, s.at)
	change.Settle(s.at)
	s.must(s.store.Commit(s.Context(), change))
	return change.After
}

// An act of a person holds for the line as they saw it: nothing is done to one that has
// changed, be it before the act or while it is being done.
func TestAct_namesTheVersion(t *testing.T) {
	for name, act := range acts {
		t.Run(name, func(t *testing.T) {
			s := open(t, 4)
			line := act.line(s)
			touched := func() {
				change := order.ChangeOf(s.line(line.ID))
				change.History = []order.History{{Line: line.ID, At: s.at, Event: order.Reported, By: "test"}}
				s.must(s.store.Commit(t.Context(), change))
			}
			touched()
			now := s.line(line.ID)
			seen := lifecycle.Act{By: "ada", Why: "odd", Version: line.Version}
			_, err := act.do(s.changes, t.Context(), line, seen)
			s.stale(err, now)

			race := &racing{Store: s.store, Wholes: s.store, meanwhile: touched}
			raced := *s.changes
			raced.Store, raced.Wholes = race, race
			seen.Version = now.Version
			_, err = act.do(&raced, t.Context(), now, seen)
			if now = s.line(line.ID); race.meanwhile != nil {
				t.Fatal("the act wrote nothing")
			}
			s.stale(err, now)

			seen.Version = now.Version
			done, err := act.do(s.changes, t.Context(), now, seen)
			s.must(err)
			if done.Version <= now.Version {
				t.Errorf("at its version, the line was not changed")
			}
			dynamotest.Audit(t, s.tables)
		})
	}
}

// A return that was done is not done again, and no reason for a conflict: whoever lost the
// answer repeats it as it was.
func TestReturnLine_againAtTheSameVersion(t *testing.T) {
	s := open(t, 4)
	line := s.sold()
	back := lifecycle.LineReturn{Identity: identity("1", "1"), Account: "shop", Refund: "R1", Units: 1, Act: lifecycle.Act{By: "ada", Version: line.Version}}
	for range 2 {
		got, err := s.changes.ReturnLine(t.Context(), back)
		s.must(err)
		s.is(got, order.Fulfilled, 1, 1)
	}
	back.Refund = "R2"
	_, err := s.changes.ReturnLine(t.Context(), back)
	s.stale(err, s.line(line.ID))
	back.Refund, back.Units, back.Act = "", 0, ada
	for range 2 {
		got, err := s.changes.ReturnLine(t.Context(), back)
		s.must(err)
		s.is(got, order.Returned, 0, 2)
	}
	history, err := s.store.History(t.Context(), line.ID)
	s.must(err)
	returns := 0
	for _, h := range history {
		if h.Event == order.UnitsReturned {
			returns++
		}
	}
	if returns != 2 {
		t.Errorf("the history tells of %d returns", returns)
	}
}

// A return of a whole order holds for its lines as they were seen, all of them together.
func TestReturnSeen(t *testing.T) {
	s := open(t, 4)
	s.orderLines = 2
	one, two := s.pay("1", "1", "game", 1), s.pay("1", "2", "game", 1)
	seen := []order.LineVersion{{Line: one.ID, Version: one.Version}, {Line: two.ID, Version: two.Version}}
	back := func(l *lifecycle.Lifecycle, id string) error {
		_, err := l.ReturnSeen(t.Context(), whole("1"), order.Return{ID: id, By: "ada"}, seen...)
		return err
	}
	nothing := func() {
		t.Helper()
		w, err := s.store.Whole(t.Context(), one.ID.OrderHalf())
		s.must(err)
		if s.is(s.line(one.ID), order.Fulfilled, 1, 0); len(w.Returns) > 0 {
			t.Errorf("the order has %d returns", len(w.Returns))
		}
	}
	s.mail(two.ID)
	s.stale(back(s.changes, "R1"), s.line(two.ID))
	nothing()

	seen[1].Version = s.line(two.ID).Version
	race := &racing{Store: s.store, Wholes: s.store, meanwhile: func() {
		_, err := s.changes.Hold(t.Context(), two.ID, ada)
		s.must(err)
	}}
	raced := *s.changes
	raced.Store, raced.Wholes = race, race
	s.stale(back(&raced, "R1"), s.line(two.ID))
	nothing()

	seen[1].Version = s.line(two.ID).Version
	for range 2 { // also when all has changed by the first
		s.must(back(s.changes, "R1"))
		for _, id := range []order.LineID{one.ID, two.ID} {
			s.is(s.line(id), order.Returned, 0, 1)
		}
	}
	if err := back(s.changes, "R2"); !errors.As(err, new(*order.StaleError)) {
		t.Errorf("another return of what was seen before: %v", err)
	}
}

// Somebody who decides about all lines that were on hold until then leaves one that was put
// on hold by hand since. Having seen that, they release it from the rule, and by name from the rest.
func TestReleaseHeld_leavesWhatWasHeldLater(t *testing.T) {
	s := open(t, 0)
	line := s.reviewed()
	seen := lifecycle.Act{By: "ada", HeldUntil: s.at}
	s.at = s.at.Add(time.Second)
	_, err := s.changes.Hold(t.Context(), line.ID, ada)
	s.must(err)
	for _, do := range []func(context.Context, order.LineID, lifecycle.Act) (order.Fulfillment, error){s.changes.ReleaseHeld, s.changes.Reject} {
		if _, err := do(t.Context(), line.ID, seen); !errors.Is(err, order.ErrState) {
			t.Errorf("it was decided about: %v", err)
		}
	}
	seen.HeldUntil = s.at
	released, err := s.changes.ReleaseHeld(t.Context(), line.ID, seen)
	s.must(err)
	s.is(released, order.OnHold, 0, 0) // by hand, still
	released, err = s.changes.Release(t.Context(), line.ID, ada)
	s.must(err)
	s.is(released, order.Waiting, 0, 0)
}

// A line that changes while others are acted on is left, and the answer says which were done.
func TestOnEach_changedMeanwhile(t *testing.T) {
	t.Parallel()
	lines := []order.Fulfillment{{ID: "a", Line: "1", Version: 1}, {ID: "b", Line: "2", Version: 1}, {ID: "c", Line: "3", Version: 1}}
	seen := []order.LineVersion{{Line: "a", Version: 1}, {Line: "b", Version: 1}, {Line: "c", Version: 1}}
	var tried []string
	_, _, err := lifecycle.OnEach(lines, seen, ada, func(line order.Fulfillment, act lifecycle.Act) (order.Fulfillment, error) {
		tried = append(tried, fmt.Sprint(line.Line, "@", act.Version))
		if line.Line == "2" {
			line.Version = 2
			return line, &order.StaleError{Lines: []order.Fulfillment{line}}
		}
		return line, nil
	})
	var stale *order.StaleError
	if !errors.As(err, &stale) || len(stale.Lines) != 1 || stale.Lines[0].Version != 2 || fmt.Sprint(stale.Done) != "[1]" || fmt.Sprint(tried) != "[1@1 2@1]" {
		t.Errorf("%v: %+v, tried %v", err, stale, tried)
	}
}
