package dynamo_test

import (
	"testing"
	"time"

	"keypool/shared/order"
)

// A line's place counts those before it, whether or not the queue may be bypassed, up to a
// bound; a line that does not wait has none.
func TestQueuePlace(t *testing.T) {
	t.Parallel()
	s := openShop(t, 1)
	first := s.add("first", "1", stockNoon, nil)
	second := s.add("second", "1", stockNoon.Add(time.Second), nil)
	third := s.add("third", "1", stockNoon.Add(time.Second), nil)
	alone := s.add("alone", "1", stockNoon, func(f *order.Fulfillment) { f.Pool, f.Wanted = "", 0 })
	if err := s.store.AllowBypass(t.Context(), first.PoolID(), stockNoon); err != nil {
		t.Fatal(err)
	}
	place := func(f order.Fulfillment, most int) int {
		t.Helper()
		n, err := s.store.QueuePlace(t.Context(), f, most)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := place(first, 10); n != 1 {
		t.Errorf("the first is in place %d", n)
	}
	if n, m := place(second, 10), place(third, 10); n+m != 5 || n < 2 || m < 2 {
		t.Errorf("two of one moment are in places %d and %d", n, m)
	}
	if n := place(third, 1); n != 1 {
		t.Errorf("beyond the bound: place %d", n)
	}
	if n := place(alone, 10); n != 1 {
		t.Errorf("without a pool: place %d", n)
	}
	if n := place(s.sell("sold", 1, s.keys[0]), 10); n != 0 {
		t.Errorf("a line that does not wait is in place %d", n)
	}
}
