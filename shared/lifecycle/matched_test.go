package lifecycle_test

import (
	"errors"
	"slices"
	"testing"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
)

// byHand has a person return units under an id.
func (s *shop) byHand(refund string, units int) (order.Fulfillment, error) {
	return s.changes.ReturnLine(s.Context(), lifecycle.LineReturn{
		Identity: identity("1", "1"), Account: "shop", Refund: refund, Units: units, Act: ada, ByHand: true,
	})
}

// own has a person return units.
func (s *shop) own(refund string, units int) {
	s.Helper()
	_, err := s.byHand(refund, units)
	s.must(err)
}

// Units that a person returned under an id of his own, and that the platform refunds then, are
// taken once. What it refunds beyond them is taken.
func TestReturnLine_byHandAndThenRefunded(t *testing.T) {
	for name, c := range map[string]struct {
		do       func(s *shop)
		returned int
		asks     []string // refunds that it asks about
	}{
		"the same units":   {func(s *shop) { s.own("RMA-1", 1); s.returnUnits("1", "1", "R1", 1) }, 1, []string{"R1"}},
		"by an amount":     {func(s *shop) { s.own("RMA-1", 1); s.returnAmount("R1", "19.90") }, 1, []string{"R1"}},
		"and others":       {func(s *shop) { s.own("RMA-1", 1); s.returnUnits("1", "1", "R1", 3) }, 3, []string{"R1"}},
		"and a second one": {func(s *shop) { s.own("RMA-1", 1); s.returnUnits("1", "1", "R1", 1); s.returnUnits("1", "1", "R2", 1) }, 2, []string{"R1"}},
		"one by one":       {func(s *shop) { s.own("RMA-1", 2); s.returnUnits("1", "1", "R1", 1); s.returnUnits("1", "1", "R2", 1) }, 2, []string{"R1", "R2"}},
		"two returns":      {func(s *shop) { s.own("RMA-1", 1); s.own("RMA-2", 1); s.returnUnits("1", "1", "R1", 2) }, 2, []string{"R1"}},
		"all that is left": {func(s *shop) { s.own("RMA-1", 1); s.returnUnits("1", "1", "R1", 0) }, 5, nil},
		"more than there are": {func(s *shop) {
			s.own("RMA-1", 4)
			s.returnUnits("1", "1", "R1", 5)
		}, 5, nil},
		"nothing is left":            {func(s *shop) { s.own("RMA-1", 2); s.own("RMA-2", 3); s.returnUnits("1", "1", "R1", 2) }, 5, nil},
		"the id is the platform's":   {func(s *shop) { s.own("R1", 1); s.returnUnits("1", "1", "R1", 1); s.returnUnits("1", "1", "R2", 1) }, 2, nil},
		"the platform's was earlier": {func(s *shop) { s.returnUnits("1", "1", "R1", 1); s.own("RMA-1", 1) }, 2, nil},
		"of an amount that was told of": {func(s *shop) {
			s.returnAmount("R1", "1.23")
			s.own("R1", 1)
			s.returnUnits("1", "1", "R2", 1)
		}, 2, nil},
		"it was another": {func(s *shop) {
			s.own("RMA-1", 1)
			s.returnUnits("1", "1", "R1", 1)
			for range 3 {
				s.own("R1", 1)
			}
			s.returnUnits("1", "1", "R1", 1)
			s.returnUnits("1", "1", "R2", 1)
		}, 3, nil},
		"it was another, and was all": {func(s *shop) {
			s.own("RMA-1", 1)
			s.returnUnits("1", "1", "R1", 1)
			s.own("R1", 0)
		}, 5, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, 5)
			line := s.pay("1", "1", "game", 5)
			for range 2 { // whatever is sent twice
				c.do(s)
			}
			got := s.line(line.ID)
			if got.Returned != c.returned || got.Allocated != 5-c.returned || !slices.Equal(got.MatchedRefunds, c.asks) {
				t.Errorf("%d keys are returned, %d left, and it asks about %q; want %d and %q", got.Returned, got.Allocated, got.MatchedRefunds, c.returned, c.asks)
			}
			if history := s.history(line.ID); slices.Contains(history, "refund-matched by webhook: R1") != (len(c.asks) > 0 || name == "it was another" || name == "it was another, and was all") && c.returned != 5 {
				t.Errorf("history %q", history)
			}
			dynamotest.Audit(t, s.tables)
		})
	}
}

// What a person returned before the payment was heard of is matched after it, too.
func TestReturnLine_byHandBeforeThePayment(t *testing.T) {
	s := open(t, 5)
	s.own("RMA-1", 1)
	line := s.pay("1", "1", "game", 3)
	s.returnUnits("1", "1", "R1", 1)
	s.is(s.line(line.ID), order.Fulfilled, 2, 1)
	s.own("R1", 1)
	s.is(s.line(line.ID), order.Fulfilled, 1, 2)
}

// A person who names a refund that failed is refused, unless he names what he returned before
// it failed.
func TestReturn_byHandOfARefundThatFailed(t *testing.T) {
	s := open(t, 5)
	s.orderLines = 2
	line := s.pay("1", "1", "game", 3)
	fail := func(refund string) {
		t.Helper()
		_, _, err := s.changes.RefundFailed(t.Context(), whole("1"), order.Return{ID: refund, By: "webhook"})
		s.must(err)
	}
	returnAll := func(refund string) error {
		_, err := s.changes.ReturnSeen(t.Context(), whole("1"), order.Return{ID: refund, By: ada.By})
		return err
	}
	s.own("R1", 1)
	fail("R1")
	fail("R2")
	s.returnAmount("R3", "1.23")
	fail("R3")
	s.own("R1", 1)
	if _, err := s.byHand("R2", 1); !errors.Is(err, order.ErrRefundFailed) {
		t.Errorf("units: %v", err)
	}
	for _, refund := range []string{"R1", "R2", "R3"} {
		if err := returnAll(refund); !errors.Is(err, order.ErrRefundFailed) {
			t.Errorf("all, by %s: %v", refund, err)
		}
	}
	s.is(s.line(line.ID), order.Fulfilled, 2, 1)
	s.must(returnAll("RMA-2"))
	fail("RMA-2")
	s.must(returnAll("RMA-2"))
	s.is(s.line(line.ID), order.Returned, 0, 3)
}

// A person decides what an amount is of, by its id: all that is left, once.
func TestReturnSeen_ofAnAmount(t *testing.T) {
	s := open(t, 5)
	s.orderLines = 2
	one, two := s.pay("1", "1", "game", 1), s.pay("1", "2", "game", 1)
	s.returnAmount("R1", "1.23")
	s.is(s.line(one.ID), order.Fulfilled, 1, 0)
	for range 2 {
		lines, err := s.changes.ReturnSeen(t.Context(), whole("1"), order.Return{ID: "R1", By: ada.By, Why: "broken", KeysBack: order.Keep})
		s.must(err)
		if len(lines) != 2 {
			t.Errorf("the lines are %+v", lines)
		}
	}
	for _, line := range []order.Fulfillment{one, two} {
		s.is(s.line(line.ID), order.Returned, 0, 1)
		if got := s.history(line.ID); !slices.Equal(got, []string{"order-returned by ada: broken"}) {
			t.Errorf("history %q", got)
		}
	}
	s.became(0, 2)
}
