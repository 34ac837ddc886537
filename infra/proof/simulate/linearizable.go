package simulate

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"keypool/shared/order"
)

// checkLinearizable returns why the claims are not a linearizable history, "" if they are.
//
// The object is the whole shop: the available keys, and the version of each line. A
// claim, seen from its platform, either finds its line and is answered with the current
// version, or makes the line from available keys. The other writes (keys that are added,
// moved or allocated to waiting lines, mails that are marked) happen at one known moment
// each.
func (w *world) checkLinearizable() string {
	l := w.ledger
	keys := map[string]int{}
	lines := map[order.LineID]int{}
	at := map[versionOf]version{}
	for _, v := range l.versions {
		if _, known := lines[v.line]; !known {
			lines[v.line] = len(lines)
		}
		at[versionOf{lines[v.line], v.number}] = v
	}
	for _, e := range l.keyEvents {
		if _, known := keys[e.key]; !known {
			keys[e.key] = len(keys)
		}
	}
	shop := shop{lines: len(lines), keys: len(keys)}
	gained := func(v version) []int {
		var all []int
		for _, k := range v.gained {
			all = append(all, keys[k])
		}
		return all
	}

	var history []porcupine.Operation
	instant := func(t time.Time, in operation) {
		ns := t.Sub(w.began).Nanoseconds()
		history = append(history, porcupine.Operation{ClientId: len(history), Input: in, Call: ns, Return: ns + 1})
	}
	for _, e := range l.keyEvents {
		instant(e.at, operation{kind: stockChanged, keys: []int{keys[e.key]}, available: e.available})
	}
	for _, v := range l.versions {
		if v.number > 1 {
			instant(v.at, operation{kind: versionWritten, line: lines[v.line], version: v.number, keys: gained(v)})
		}
	}
	for _, c := range w.answers.claims {
		if c.changed {
			continue
		}
		line, known := lines[c.id]
		if !known {
			continue // it was never made; checkLines reports an answer for it
		}
		made := at[versionOf{line, 1}]
		in := operation{kind: claimed, line: line, version: 1, keys: gained(made)}
		op := porcupine.Operation{
			ClientId: len(history), Input: in,
			Call: c.asked.Sub(w.began).Nanoseconds(), Return: math.MaxInt64,
		}
		if !c.answered.IsZero() {
			op.Return = c.answered.Sub(w.began).Nanoseconds()
			op.Output = c.version
			switch v, there := at[versionOf{line, c.version}]; {
			case !there:
				return fmt.Sprintf("line %s was answered at version %d, which it never had", c.id, c.version)
			case v.held != c.held:
				return fmt.Sprintf("line %s was answered with %d keys at version %d, which holds %d", c.id, c.held, c.version, v.held)
			}
		}
		history = append(history, op)
	}
	switch porcupine.CheckOperationsTimeout(shop.model(), history, time.Minute) {
	case porcupine.Illegal:
		return fmt.Sprintf("the %d claims are not a linearizable history", len(w.answers.claims))
	case porcupine.Unknown:
		return "whether the claims are a linearizable history was not decided within a minute"
	default:
		return ""
	}
}

type versionOf struct{ line, version int }

// keyEvent is a key that became available, or was withdrawn.
type keyEvent struct {
	key       string
	available bool
	at        time.Time
}

// operation is one operation on the shop.
type operation struct {
	kind      int
	line      int
	version   int   // of the line afterwards
	keys      []int // allocated to the line, or added or withdrawn
	available bool
}

const (
	claimed        = iota // a platform's call for a line
	versionWritten        // the next version of a line
	stockChanged          // a key was added or withdrawn
)

// shop is the sequential specification, of so many lines and keys.
type shop struct{ lines, keys int }

// state holds the versions of all lines, then a bit for each key: available or not.
type state []uint64

func (s shop) model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return make(state, s.lines+(s.keys+63)/64) },
		Step: func(before, in, out any) (bool, any) { return s.step(before.(state), in.(operation), out) },
		Equal: func(a, b any) bool {
			return slices.Equal(a.(state), b.(state))
		},
	}
}

func (s shop) step(now state, in operation, out any) (bool, any) {
	if in.kind == stockChanged {
		next := slices.Clone(now)
		s.put(next, in.keys[0], in.available)
		return true, next
	}
	version := int(now[in.line])
	switch {
	case in.kind == versionWritten && version != in.version-1:
		return false, now
	case in.kind == claimed && version > 0: // it exists
		return out == nil || out.(int) == version, now
	case in.kind == claimed && out != nil && out.(int) != 1:
		return false, now
	}
	next := slices.Clone(now)
	next[in.line] = uint64(in.version)
	for _, k := range in.keys {
		if !s.has(now, k) {
			return false, now
		}
		s.put(next, k, false)
	}
	return true, next
}

func (s shop) has(now state, k int) bool { return now[s.lines+k/64]&(1<<(k%64)) != 0 }

func (s shop) put(now state, k int, there bool) {
	now[s.lines+k/64] &^= 1 << (k % 64)
	if there {
		now[s.lines+k/64] |= 1 << (k % 64)
	}
}
