package simulate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"keypool/shared/lifecycle"
	"keypool/shared/order"
)

// What the merchant's people do about disputes that their platform never ends, and the
// ledger's checks of it.

// dropDisputes drops the disputes of an order, and releases its lines from all else.
type dropDisputes struct {
	of     payOrder
	seen   bool // by somebody who has seen the lines, and acts on them as they were
	serial int
}

func (d dropDisputes) String() string {
	return fmt.Sprintf("order %s: the merchant drops its disputes", d.of.order)
}

// droppedWhy is what a person says of a dispute that they drop.
const droppedWhy = "nobody ends it"

func (d dropDisputes) do(w *world) {
	id := d.of.orderID()
	w.spawn(func() {
		w.untilDone(fmt.Sprintf("disputes %d", d.serial), func(ctx context.Context, now time.Time) error {
			var seen []order.LineVersion
			versions := map[order.LineID]int{}
			if d.seen {
				lines, err := w.store.Lines(ctx, id)
				if err != nil {
					return err
				}
				for _, line := range lines {
					seen = append(seen, order.LineVersion{Line: line.ID, Version: line.Version})
					versions[line.ID] = line.Version
				}
				time.Sleep(w.upTo("look at "+callerOf(ctx), 100*time.Millisecond))
			}
			drops := decision{verdict: "release", order: id, versions: versions}
			saw, done := w.ledger.drops(&drops)
			defer done()
			changes := w.lifecycle(func() time.Time { return now })
			changes.Wholes = &firstLook{Wholes: w.store, saw: saw}
			of := order.Whole{ID: id, Merchant: merchant, Side: d.of.side, Account: shopName, Order: d.of.order}
			lines, err := changes.ReleaseDisputed(ctx, of, lifecycle.Act{By: "simulation", Why: droppedWhy}, seen...)
			if errors.As(err, new(*order.StaleError)) {
				w.count("disputes not dropped: a line had changed since it was seen")
				return nil
			}
			if err == nil {
				w.ledger.dropAnswered(&drops, lines)
			}
			return err
		})
	})
}

// firstLook notes what is known of an order when it is read first.
type firstLook struct {
	lifecycle.Wholes
	once sync.Once
	saw  func(order.Whole)
}

func (f *firstLook) Whole(ctx context.Context, orderID string) (order.Whole, error) {
	known, err := f.Wholes.Whole(ctx, orderID)
	if err == nil {
		f.once.Do(func() { f.saw(known) })
	}
	return known, err
}

// drops records that a person drops the disputes of an order: those that they see in it.
func (l *ledger) drops(d *decision) (saw func(order.Whole), done func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.review.decisions = append(l.review.decisions, d)
	saw = func(known order.Whole) {
		l.mu.Lock()
		defer l.mu.Unlock()
		for id, state := range known.Disputes {
			if state == order.DisputeOpen {
				d.disputes = append(d.disputes, id)
			}
		}
	}
	return saw, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		d.over = time.Now()
	}
}

// asSeen reports whether the decision may change the line: it was not seen, or is as it was.
func (d *decision) asSeen(id order.LineID, version int) bool {
	seen := d.versions[id]
	return seen == 0 || seen == version
}

// noteReleased notes that a line was released as somebody saw it, who drops the disputes of
// its order next.
func (l *ledger) noteReleased(id order.LineID, version int) {
	for _, d := range l.review.decisions {
		if d.order == id.OrderHalf() && d.inTime() && d.versions[id] == version {
			d.versions[id]++
		}
	}
}

// checkDropped checks that a person dropped the dispute, who saw it open, and that the
// order's lines are as that person saw them.
func (l *ledger) checkDropped(orderID, dispute string) {
	byPerson := slices.ContainsFunc(l.review.decisions, func(d *decision) bool {
		if d.order != orderID || !d.inTime() || !slices.Contains(d.disputes, dispute) {
			return false
		}
		for _, id := range l.linesOf[orderID] {
			if now := l.lines[id]; now != nil && !d.asSeen(id, now.version) {
				return false
			}
		}
		return true
	})
	if !byPerson {
		l.problem("dispute %s of order %s was dropped by nobody who saw it, and its lines", dispute, orderID)
	}
}

// checkDisputeTurn checks a change of what is known of a dispute. One that was won or lost
// stays so. One that a person dropped is not opened again; its platform may still say how it
// ended.
func (l *ledger) checkDisputeTurn(orderID, dispute, before, now string) {
	switch {
	case now == before:
	case now == "dropped" && before == "open":
		l.checkDropped(orderID, dispute)
	case before == "dropped" && (now == "won" || now == "lost"):
		l.w.count("dispute " + now + " that a person had dropped")
	case now == "dropped", before != "" && before != "open":
		l.problem("dispute %s of order %s was %q and is %q", dispute, orderID, before, now)
	}
}

// checkLifted checks that a line's history tells why it is not held any more for a dispute:
// the platform ended it, or a person dropped it, whose words may be forgotten by now.
func (l *ledger) checkLifted(now *line, hold, state string, wordless bool, why reasons) {
	says := hold
	if state == "dropped" && !wordless {
		says += ": " + droppedWhy
	}
	if !why.tells("released", says) {
		l.problem("%s is not held any more (%s), which is %s, and its history does not tell", l.name(now.id), hold, state)
	}
}

// dropAnswered checks that no line is held any more for the disputes that somebody was told
// they have dropped.
func (l *ledger) dropAnswered(d *decision, lines []order.Fulfillment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	there := l.wholes[d.order]
	for _, id := range d.disputes {
		if there.disputes[id] == "open" {
			l.problem("it was answered that dispute %s of order %s is dropped, which is open", id, d.order)
		}
		for _, line := range lines {
			if slices.Contains(line.Holds, order.DisputeHold(id)) {
				l.problem("it was answered that dispute %s is dropped, and that %s is held for it", id, l.name(line.ID))
			}
		}
	}
	for _, line := range lines {
		if slices.ContainsFunc(line.Holds, func(h order.Hold) bool {
			dispute, is := strings.CutPrefix(string(h), "dispute:")
			return is && !slices.Contains(d.disputes, dispute)
		}) {
			l.w.count("dispute opened while others were dropped")
		}
	}
}
