package lifecycle_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"keypool/shared/lifecycle"
	"keypool/shared/order"
)

// raced is a store where something happens between the look at an order and the write.
type raced struct {
	lifecycle.ShowStore
	meanwhile func()
}

func (r *raced) Order(ctx context.Context, orderID string) ([]order.Fulfillment, order.Whole, error) {
	lines, whole, err := r.ShowStore.Order(ctx, orderID)
	if do := r.meanwhile; do != nil {
		r.meanwhile = nil
		do()
	}
	return lines, whole, err
}

func (s *shop) show(store lifecycle.ShowStore, number string, tell bool) []lifecycle.Shown {
	s.Helper()
	shower := &lifecycle.Shower{Store: store, Now: func() time.Time { return s.at }}
	all := func(order.Fulfillment) bool { return true }
	shown, err := shower.Show(s.Context(), identity(number, "").OrderID(), nil, all, tell, ada)
	s.must(err)
	return shown
}

// Keys are shown once that is written, each time in the history only where that is asked for.
func TestShow(t *testing.T) {
	s := open(t, 30)
	f, g := s.pay("1", "1", "game", 25), s.pay("1", "2", "game", 1)
	for _, tell := range []bool{false, false, true} {
		s.at = s.at.Add(time.Minute)
		shown := s.show(s.store, "1", tell)
		if len(shown) != 2 || len(shown[0].Keys)+len(shown[1].Keys) != 26 {
			t.Fatalf("%d lines are shown", len(shown))
		}
	}
	for _, id := range []order.LineID{f.ID, g.ID} {
		if line := s.line(id); !line.ShownAt.Equal(noon.Add(time.Minute)) || !line.KeysSeen() {
			t.Errorf("shown first at %v", line.ShownAt)
		}
		history, err := s.store.History(t.Context(), id)
		s.must(err)
		n := 0
		for _, h := range history {
			if h.Event == order.KeysShown && h.By == ada.By {
				n++
			}
		}
		if n != 2 {
			t.Errorf("the history tells it %d times, want 2", n)
		}
	}
	s.settle(f.ID, g.ID)
	if n := len(s.ses.mails); n != 2 {
		t.Errorf("%d mails: a key that was shown is mailed still", n)
	}
}

// A return, a dispute or a hold that comes between the look at an order and the write holds its
// keys back.
func TestShow_whatComesMeanwhile(t *testing.T) {
	for name, meanwhile := range map[string]func(*shop, order.Fulfillment){
		"a return, which is not applied": func(s *shop, _ order.Fulfillment) {
			w := whole("1")
			w.AddReturn(order.Return{ID: "R1", At: s.at})
			s.must(s.store.PutWhole(s.Context(), w))
		},
		"a dispute": func(s *shop, _ order.Fulfillment) {
			w := whole("1")
			w.AddDispute("D1", order.DisputeOpen)
			s.must(s.store.PutWhole(s.Context(), w))
		},
		"a hold": func(s *shop, f order.Fulfillment) {
			_, err := s.changes.Hold(s.Context(), f.ID, ada)
			s.must(err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, 2)
			f := s.pay("1", "1", "game", 2)
			shown := s.show(&raced{s.store, func() { meanwhile(s, f) }}, "1", false)
			if len(shown) != 0 {
				t.Errorf("its keys are shown")
			}
			if line := s.line(f.ID); !line.ShownAt.IsZero() {
				t.Error("it says that its keys were shown")
			}
		})
	}
}

// Of an order of more lines than one transaction takes, all are shown.
func TestShow_manyLines(t *testing.T) {
	const lines = 40
	s := open(t, lines)
	s.orderLines = lines
	for n := range lines {
		s.pay("1", fmt.Sprint(n), "game", 1)
	}
	if shown := s.show(s.store, "1", true); len(shown) != lines {
		t.Errorf("%d lines are shown, want %d", len(shown), lines)
	}
}
