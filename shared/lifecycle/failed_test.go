package lifecycle_test

import (
	"context"
	"fmt"
	"testing"

	"keypool/shared/lifecycle"
	"keypool/shared/order"
)

// readers lets something happen just after what is known of an order is read for the n-th
// time.
type readers struct {
	lifecycle.Wholes
	n     int
	after func()
}

func (r *readers) Whole(ctx context.Context, id string) (order.Whole, error) {
	w, err := r.Wholes.Whole(ctx, id)
	if r.n--; r.n == 0 {
		r.after()
	}
	return w, err
}

// fails notes that a refund failed, for somebody else.
func (s *shop) fails(number, refund string) {
	s.Helper()
	other := *s.changes
	other.Wholes = s.store
	_, _, err := other.RefundFailed(s.Context(), whole(number), order.Return{ID: refund, By: "webhook"})
	s.must(err)
}

// A refund fails while it is applied to a line: what was known before is not enough.
func TestReturnLine_failsMeanwhile(t *testing.T) {
	s := open(t, 10)
	line := s.pay("1", "1", "game", 2)
	s.changes.Wholes = &readers{s.store, 1, func() { s.fails("1", "R1") }}
	s.is(s.returnUnits("1", "1", "R1", 1), order.Fulfilled, 2, 0)
	s.changes.Wholes = s.store
	s.is(s.returnUnits("1", "1", "R1", 0), order.Fulfilled, 2, 0)
	s.is(s.returnUnits("1", "1", "R2", 1), order.Fulfilled, 1, 1)
	if w, err := s.store.Whole(t.Context(), line.ID.OrderHalf()); err != nil || w.FailedAt("R1").IsZero() || !w.FailedAt("R2").IsZero() {
		t.Errorf("%+v, %v", w, err)
	}
}

// One of two halves fails while the other is found to complete the order's price.
func TestReturnAmount_anotherFailsMeanwhile(t *testing.T) {
	for n := range 4 {
		t.Run(fmt.Sprint("after read ", n+1), func(t *testing.T) {
			s := open(t, 10)
			s.orderLines = 2
			first, second := s.pay("1", "1", "game", 1), s.pay("1", "2", "game", 1)
			half := order.Return{ID: "R1", By: "webhook", Amount: "19.90", Currency: "EUR"}
			_, clear, err := s.changes.ReturnAmount(t.Context(), whole("1"), half)
			if s.must(err); clear {
				t.Error("half of the price is taken for something")
			}
			s.changes.Wholes = &readers{s.store, n + 1, func() { s.fails("1", "R1") }}
			half.ID = "R2"
			_, clear, err = s.changes.ReturnAmount(t.Context(), whole("1"), half)
			if s.must(err); clear {
				t.Error("half of the price is taken for all of it")
			}
			s.settle()
			s.is(s.line(first.ID), order.Fulfilled, 1, 0)
			s.is(s.line(second.ID), order.Fulfilled, 1, 0)
		})
	}
}

// A mail leaves though its order was returned, once that refund failed: the customer has paid.
func TestReturnOrder_failsBeforeThePayment(t *testing.T) {
	s := open(t, 10)
	s.returnOrder("1", "R1")
	s.fails("1", "R1")
	line := s.pay("1", "1", "game", 1)
	s.settle(line.ID)
	s.is(s.line(line.ID), order.Fulfilled, 1, 0)
	s.mails(1)
}
