package simulate

import (
	"context"
	"fmt"
	"time"

	"keypool/shared/lifecycle"
	"keypool/shared/order"
)

// showKeys has somebody open an order's page and press the button that shows its keys.
type showKeys struct {
	of     payOrder
	times  int  // at once: people press twice
	soon   bool // at once
	serial int
}

func (s showKeys) String() string {
	return fmt.Sprintf("the page of order %s (%s) shows its keys, pressed %d times", s.of.order, s.of.side, s.times)
}

func (s showKeys) do(w *world) {
	orderID := s.of.orderID()
	w.ledger.expectShown(orderID)
	for n := range s.times {
		w.spawn(func() {
			name := fmt.Sprintf("page %s/%s/%d/%d", s.of.order, s.of.side, s.serial, n)
			if !s.soon {
				time.Sleep(w.upTo(name, time.Second) >> w.number(name+" closer", 8))
			}
			w.untilDone(name, func(ctx context.Context, now time.Time) error {
				page := &lifecycle.Shower{Store: w.store, Now: func() time.Time { return now }}
				all := func(order.Fulfillment) bool { return true }
				shown, err := page.Show(ctx, orderID, nil, all, w.number(name+" tells", 2) == 0, lifecycle.Act{By: "page"})
				if err == nil && !processOf(ctx).dead() {
					w.ledger.keysShown(shown)
				}
				return err
			})
		})
	}
}

// expectShown records that somebody presses the button of an order's page.
func (l *ledger) expectShown(orderID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pages[orderID] = true
}

// keysShown records keys that a page shows. None of them is for sale from now on, or is
// somebody else's.
func (l *ledger) keysShown(shown []lifecycle.Shown) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range shown {
		if !l.shownLines[s.Line.ID] {
			l.problem("a page shows the keys of %s, and it was not written first", l.name(s.Line.ID))
		}
		for _, k := range s.Keys {
			id := string(k.ID)
			if there := l.keys[id]; there != nil && there.state == "available" {
				l.problem("a page shows key %s of %s, which is for sale", l.text(id), l.name(s.Line.ID))
			}
			l.shownKeys[id] = true
			l.w.count("key shown on a page")
		}
	}
}

// checkShown checks a line whose keys may have been shown with a commit: somebody pressed the button,
// the history tells, and it is never forgotten.
func (l *ledger) checkShown(id order.LineID, before line, why reasons) {
	now := l.lines[id]
	switch {
	case before.shown && !now.shown:
		l.problem("%s forgot that its keys were shown", l.name(id))
	case now.shown && !before.shown && !l.pages[id.OrderHalf()]:
		l.problem("the keys of %s are shown, and nobody asked", l.name(id))
	case now.shown && !before.shown && !why.has(string(order.KeysShown)):
		l.problem("the keys of %s are shown, and its history does not tell", l.name(id))
	case now.shown && !before.shown:
		l.w.count("line whose keys are shown on a page")
		l.shownLines[id] = true
		for k := range now.keys {
			l.shownKeys[k] = true
		}
	}
}
