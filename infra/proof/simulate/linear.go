package simulate

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"keypool/shared/order"
)

// linear says why the claims of the world are no linearizable history, "" if they are.
//
// The object is the whole shop: which keys are to be had, and which version each
// line is at. A claim, seen from the platform that made it, either finds its line
// and is answered with the version it is at, or makes it, of keys that are to be
// had. What others write (keys that come, are moved, or go to lines that wait;
// mails that are marked) happens at one known moment each.
func (w *world) linear() string {
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
	instant := func(t time.Time, in step) {
		ns := t.Sub(w.began).Nanoseconds()
		history = append(history, porcupine.Operation{ClientId: len(history), Input: in, Call: ns, Return: ns + 1})
	}
	for _, e := range l.keyEvents {
		instant(e.at, step{what: stockChanged, keys: []int{keys[e.key]}, there: e.there})
	}
	for _, v := range l.versions {
		if v.number > 1 {
			instant(v.at, step{what: written, line: lines[v.line], version: v.number, keys: gained(v)})
		}
	}
	for _, c := range w.answers.claims {
		if c.changed {
			continue
		}
		line, known := lines[c.id]
		if !known {
			continue // it was never made; who answered for it has been told already
		}
		made := at[versionOf{line, 1}]
		in := step{what: ask, line: line, version: 1, keys: gained(made)}
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
		return fmt.Sprintf("the %d claims are no linearizable history", len(w.answers.claims))
	case porcupine.Unknown:
		return "nobody could tell in a minute whether the claims are a linearizable history"
	default:
		return ""
	}
}

type versionOf struct{ line, version int }

// keyEvent is a key that came to be had, or went from there but not to a line.
type keyEvent struct {
	key   string
	there bool
	at    time.Time
}

// step is what happens to the shop.
type step struct {
	what    int
	line    int
	version int   // of the line after it
	keys    []int // that go to the line, or whose stock changed
	there   bool
}

const (
	ask          = iota // a platform's call
	written             // a line's next version
	stockChanged        // a key is available from now on, or no more
)

// shop is the sequential object: so many lines and keys.
type shop struct{ lines, keys int }

// state is the versions of all lines, then the keys that are to be had, a bit each.
type state []uint64

func (s shop) model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return make(state, s.lines+(s.keys+63)/64) },
		Step: func(before, in, out any) (bool, any) { return s.step(before.(state), in.(step), out) },
		Equal: func(a, b any) bool {
			return slices.Equal(a.(state), b.(state))
		},
	}
}

func (s shop) step(now state, in step, out any) (bool, any) {
	if in.what == stockChanged {
		next := slices.Clone(now)
		s.put(next, in.keys[0], in.there)
		return true, next
	}
	version := int(now[in.line])
	switch {
	case in.what == written && version != in.version-1:
		return false, now
	case in.what == ask && version > 0: // it is there
		return out == nil || out.(int) == version, now
	case in.what == ask && out != nil && out.(int) != 1:
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
