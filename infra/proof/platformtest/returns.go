package platformtest

import (
	"sync"
	"testing"

	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// returns are the cases of what happens to an order after it was paid. Each is run on the
// platforms that send such events.
var returns = map[string]struct {
	needs Kind
	run   func(*testing.T, Platform)
}{
	"return":                 {Refunded, returnAfterPayment},
	"return before payment":  {Refunded, returnBeforePayment},
	"return twice":           {Refunded, returnTwice},
	"return of one side":     {Refunded, returnOfOneSide},
	"return beside payment":  {Refunded, returnBesidePayment},
	"return of units":        {PartlyRefunded, returnOfUnits},
	"refund that failed":     {RefundFailed, refundFailed},
	"failure before success": {RefundFailed, failureBeforeSuccess},
	"failure of an amount":   {AmountRefunded, failureOfAnAmount},
	"dispute":                {DisputeOpened, dispute},
	"dispute before payment": {DisputeOpened, disputeBeforePayment},
}

// stands holds a line to a state, and the books to the keys that are with customers.
func (s *shop) stands(n int, want order.State, keys int, what string) {
	s.Helper()
	results := s.received(Paid, s.game(n)) // a repeat says how the line stands
	if len(results) != 1 || results[0].State != want {
		s.Errorf("%s: the line is %+v, want %s", what, results, want)
	}
	s.sold(keys, what)
}

func returnAfterPayment(t *testing.T, p Platform) {
	s := openShop(t, p)
	s.received(Paid, s.game(1))
	s.received(Paid, s.game(2))
	s.received(Refunded, s.game(1))
	s.stands(1, order.Returned, 1, "after a refund")
	s.stands(2, order.Fulfilled, 1, "another order")
	s.received(Refunded, s.game(1))
	s.stands(1, order.Returned, 1, "after the same refund again")
}

// What comes before the payment is remembered: the customer has his money back, and gets
// no key.
func returnBeforePayment(t *testing.T, p Platform) {
	s := openShop(t, p)
	for range 2 {
		s.received(Refunded, s.game(1))
	}
	s.sold(0, "by a refund")
	for range 2 {
		results := s.received(Paid, s.game(1))
		if len(results) != 1 || results[0].Allocated != 0 || results[0].State != order.Returned && results[0].State != order.OnHold {
			t.Errorf("%+v", results)
		}
	}
	s.sold(0, "by an order that was refunded before it was paid")
	s.received(Paid, s.game(2))
	s.sold(1, "by another order")
}

// Two refunds of one order give back no more than was bought.
func returnTwice(t *testing.T, p Platform) {
	s := openShop(t, p)
	s.received(Paid, s.game(1))
	s.received(Paid, s.game(2))
	for refund := range 3 {
		o := s.game(1)
		o.Refund = refund
		s.received(Refunded, o)
	}
	s.stands(1, order.Returned, 1, "after three refunds of one order")
}

// The refund of a test order leaves the live order of the same number alone.
func returnOfOneSide(t *testing.T, p Platform) {
	s := openShop(t, p)
	test := s.game(1)
	test.Test = true
	if p.Events[Paid](test).Body == nil || p.Events[Refunded](test).Body == nil {
		t.Skip("the platform has no test orders")
	}
	s.received(Paid, s.game(1))
	s.received(Paid, test)
	s.received(Refunded, test)
	s.sold(1, "after the refund of a test order")
	if live, sold := s.soldOf(pool.Live), s.soldOf(pool.Test); live != 1 || sold != 0 {
		t.Errorf("%d live keys and %d test keys are with customers", live, sold)
	}
}

// A refund and the payment at once end as one after the other. A line that was stored while
// the refund looked for it is found by the sweep; until then no mailer lets its key leave.
func returnBesidePayment(t *testing.T, p Platform) {
	s := openShop(t, p)
	for n := range 6 {
		var calls sync.WaitGroup
		for _, kind := range []Kind{Paid, Refunded, Paid, Refunded} {
			r := p.signed(t, kind, s.game(n), p.Secrets[0], s.now)
			calls.Go(func() {
				if answer, results := s.receive(r); answer.Status/100 != 2 {
					t.Errorf("%s is answered %d: %+v", kind, answer.Status, results)
				}
			})
		}
		calls.Wait()
	}
	s.sweep()
	s.sold(0, "by orders that were refunded while they were paid")
}

// Units are given back one after the other, each refund once.
func returnOfUnits(t *testing.T, p Platform) {
	s := openShop(t, p)
	three := s.game(1)
	three.Quantity = 3
	s.received(Paid, three)
	one := s.game(1) // of one unit
	for refund, left := range []int{2, 1, 0, 0} {
		one.Refund = refund
		for range 2 {
			s.received(PartlyRefunded, one)
			s.sold(left, "after a refund of one unit of three")
		}
	}
	before := s.game(2)
	s.received(PartlyRefunded, before)
	two := s.game(2)
	two.Quantity = 2
	s.received(Paid, two)
	s.sold(1, "after a refund of one unit, before two were paid")
}

// A refund that failed takes nothing, and the merchant is told.
func refundFailed(t *testing.T, p Platform) {
	s := openShop(t, p)
	s.received(Paid, s.game(1))
	for range 2 {
		s.received(RefundFailed, s.game(1))
	}
	s.stands(1, order.Fulfilled, 1, "after a refund that failed")
	if told := s.told(notice.RefundFailed); len(told) != 1 {
		t.Errorf("told %+v", told)
	}
}

// A refund is known to have failed before its success is heard: it takes nothing, whatever
// it names, and whenever the order is paid.
func failureBeforeSuccess(t *testing.T, p Platform) {
	s := openShop(t, p)
	for n, kind := range []Kind{Refunded, PartlyRefunded, AmountRefunded} {
		if p.Events[kind] == nil {
			continue
		}
		for before := range 2 {
			o := s.game(2*n + before)
			if before == 0 {
				s.received(Paid, o)
			}
			s.received(RefundFailed, o)
			s.received(kind, o)
			results := s.received(Paid, o)
			if len(results) != 1 || results[0].State != order.Fulfilled {
				t.Errorf("%s after its failure: %+v", kind, results)
			}
			s.received(kind, o)
			if results = s.received(Paid, o); results[0].State != order.Fulfilled {
				t.Errorf("%s again after its failure: %+v", kind, results)
			}
		}
	}
	o := s.game(0)
	o.Refund = 1
	s.received(Refunded, o)
	if results := s.received(Paid, s.game(0)); results[0].State != order.Returned {
		t.Errorf("another refund: %+v", results)
	}
}

// Half of an order's price went back, failed, and went back again: half of it is back.
func failureOfAnAmount(t *testing.T, p Platform) {
	s := openShop(t, p)
	o := s.game(1)
	s.received(Paid, o)
	s.received(AmountRefunded, o)
	s.received(RefundFailed, o)
	s.received(AmountRefunded, o) // late
	o.Refund = 1
	s.received(AmountRefunded, o)
	s.stands(1, order.Fulfilled, 1, "after half of its price, of which one failed")
	o.Refund = 2
	s.received(AmountRefunded, o)
	s.stands(1, order.Returned, 0, "after both halves of its price")
}

// A dispute holds the order; won, it is as before; lost, it is returned.
func dispute(t *testing.T, p Platform) {
	s := openShop(t, p)
	for n := range 2 {
		s.received(Paid, s.game(n))
		for range 2 {
			s.received(DisputeOpened, s.game(n))
		}
		s.stands(n, order.OnHold, n+1, "in dispute")
		if n == 0 && p.Events[DisputeWon] != nil {
			s.received(DisputeWon, s.game(n))
			s.stands(n, order.Fulfilled, 1, "after a dispute was won")
			s.received(DisputeOpened, s.game(n))
			s.stands(n, order.Fulfilled, 1, "after a dispute was won, and its opening came again")
		}
	}
	if p.Events[DisputeLost] != nil {
		s.received(DisputeLost, s.game(1))
		s.stands(1, order.Returned, 1, "after a dispute was lost")
	}
}

// An order that is in dispute before it is known is held when it is paid.
func disputeBeforePayment(t *testing.T, p Platform) {
	s := openShop(t, p)
	s.received(DisputeOpened, s.game(1))
	results := s.received(Paid, s.game(1))
	if len(results) != 1 || results[0].State != order.OnHold {
		t.Errorf("%+v", results)
	}
	if p.Events[DisputeLost] == nil {
		return
	}
	s.received(DisputeLost, s.game(1))
	s.sold(0, "by an order whose dispute was lost")
}
