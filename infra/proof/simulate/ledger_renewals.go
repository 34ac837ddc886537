package simulate

import (
	"maps"
	"slices"
	"strings"
	"time"

	"keypool/shared/order"
)

// The ledger's checks of renewals that deliver the keys of the order they renew.

// moment is a line as it was from a time on.
type moment struct {
	since   time.Time
	keys    map[string]string // id -> text
	mayLend bool
	paid    bool // and not only expected
	due     int  // keys
}

// mayLend reports whether the line's keys may be mailed to a renewal by what it says
// itself: it holds all that it is due and no other, and may be mailed itself.
func (l *line) mayLend() bool {
	return !l.expected && !l.ofParent && l.wanted > 0 && l.missing() == 0 && l.held > 0 && l.keepsKeysIn() == ""
}

// parents returns the paid lines of the order that a line renews which may be meant: those
// of its product, else all. Those that renew others themselves lead on to those.
func (l *ledger) parents(of *line, product string, seen map[order.LineID]bool) (found []*line) {
	var all []*line
	for _, id := range slices.Sorted(maps.Keys(l.lines)) {
		if p := l.lines[id]; id.OrderHalf() == of.parent && !p.expected && !seen[id] {
			all = append(all, p)
		}
	}
	same := slices.DeleteFunc(slices.Clone(all), func(p *line) bool { return p.product != product })
	if len(same) > 0 {
		all = same
	}
	for _, p := range all {
		if !p.ofParent {
			found = append(found, p)
			continue
		}
		seen[p.id] = true
		found = append(found, l.parents(p, product, seen)...)
	}
	return found
}

// lends returns the line whose keys a renewal is to be mailed now, nil if there is none, or
// if it is not clear which.
func (l *ledger) lends(now *line) *line {
	parents := l.parents(now, now.product, map[order.LineID]bool{now.id: true})
	if len(parents) != 1 || !parents[0].mayLend() || !l.leasedLines[parents[0].id] || !l.sameCustomer(now, parents[0]) {
		return nil
	}
	parent := parents[0]
	there := l.wholes[parent.id.OrderHalf()]
	if there == nil {
		return parent
	}
	open := slices.Contains(slices.Collect(maps.Values(there.disputes)), "open")
	if l.returnOf(parent) != "" || open {
		return nil
	}
	return parent
}

// sameCustomer reports whether the orders of two lines were reported as one customer's.
func (l *ledger) sameCustomer(a, b *line) bool {
	return l.reported.paid[a.id.OrderHalf()].customer == l.reported.paid[b.id.OrderHalf()].customer
}

// checkLent checks the keys that a renewal's mail shows: all keys of its parent, as they
// were at some moment since the mail was leased, of a parent of the same customer that could be mailed itself.
// A mailer had that one's keys before: a return puts none of them up for sale again. Another line
// of the parent's order may have been paid since the mail was composed, so that it is not
// clear any more which one was meant: any that could be is right.
func (l *ledger) checkLent(now *line, leasedAt time.Time, texts []string) {
	for _, parent := range l.parents(now, now.product, map[order.LineID]bool{now.id: true}) {
		for i, was := range parent.past {
			over := i+1 < len(parent.past) && parent.past[i+1].since.Before(leasedAt)
			if over || !was.mayLend || !l.sameCustomer(now, parent) || !slices.Equal(slices.Sorted(maps.Values(was.keys)), texts) {
				continue
			}
			if !l.leasedLines[parent.id] {
				l.problem("%s was mailed the keys of %s, whose own mailer never had any", l.name(now.id), l.name(parent.id))
			}
			for id, text := range was.keys {
				l.mailedKeys[id] = true
				if l.keys[id].state == "available" {
					l.problem("key %s was mailed to %s, and is available again", text, l.name(now.id))
				}
			}
			l.checkMayLeave(parent.id, leasedAt)
			l.w.count("keys of a parent mailed to its renewal")
			return
		}
	}
	l.problem("%s was mailed keys %s, which its parent did not have to give when the mail was leased", l.name(now.id), strings.Join(texts, " "))
}
