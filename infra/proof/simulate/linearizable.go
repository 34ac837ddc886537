package simulate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"keypool/shared/order"
)

// checkLinearizable returns why the claims are not a linearizable history, "" if they are.
//
// The shop is many objects, and a history of them is linearizable if that of each is. A
// key is available or not. A line has a version. They are written at known moments: a key
// is added, withdrawn or allocated, a line is made or gets its next version. A claim, seen
// from its platform, reads the version of its line at some moment between the call and
// the answer; a call without an answer read nothing. A line is made, or one that was
// returned before is completed, while a call for it is under way.
func (w *world) checkLinearizable() string {
	l := w.ledger
	objects := map[checked][]porcupine.Operation{}
	add := func(of checked, in operation, out any, from, to time.Time) {
		objects[of] = append(objects[of], porcupine.Operation{
			ClientId: len(objects[of]), Input: in, Output: out,
			Call: from.Sub(w.began).Nanoseconds(), Return: to.Sub(w.began).Nanoseconds() + 1,
		})
	}
	for _, e := range l.keyEvents {
		kind := keyWithdrawn
		if e.available {
			kind = keyAdded
		}
		add(checked{key: e.key}, operation{kind: kind}, nil, e.at, e.at)
	}
	known, paid := map[versionOf]version{}, map[order.LineID]version{}
	for _, v := range l.versions {
		known[versionOf{v.line, v.number}] = v
		if v.paid {
			paid[v.line] = v
		}
		add(checked{line: v.line}, operation{versionWritten, v.number}, nil, v.at, v.at)
		for _, key := range v.gained {
			add(checked{key: key}, operation{kind: keyAllocated}, nil, v.at, v.at)
		}
	}
	called := map[order.LineID]bool{} // lines that were made while a call was under way
	for _, c := range w.answers.claims {
		made, is := paid[c.id]
		if c.changed || !is {
			continue // checkLines reports an answer for a line that was never made
		}
		if !c.asked.After(made.at) && (c.answered.IsZero() || !c.answered.Before(made.at)) {
			called[c.id] = true
		}
		if c.answered.IsZero() {
			continue
		}
		switch v, there := known[versionOf{c.id, c.version}]; {
		case !there, v.number < made.number:
			return fmt.Sprintf("%s was answered at version %d, which it never had", l.name(c.id), c.version)
		case v.held != c.held:
			return fmt.Sprintf("%s was answered with %d keys at version %d, which holds %d", l.name(c.id), c.held, c.version, v.held)
		}
		add(checked{line: c.id}, operation{kind: claimed}, c.version, c.asked, c.answered)
	}
	for _, v := range l.versions {
		if v.paid && !called[v.line] {
			return fmt.Sprintf("%s was made while no call for it was under way", l.name(v.line))
		}
	}
	byName := func(a, b checked) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.line, b.line)) }
	for _, object := range slices.SortedFunc(maps.Keys(objects), byName) {
		if !porcupine.CheckOperations(specification, objects[object]) {
			name := "key " + l.text(object.key)
			if object.line != "" {
				name = l.name(object.line)
			}
			return fmt.Sprintf("the %d operations on %s are not a linearizable history", len(objects[object]), name)
		}
	}
	return ""
}

// checked is an object of the shop: a key, by its ID, or a line.
type checked struct {
	key  string
	line order.LineID
}

type versionOf struct {
	line    order.LineID
	version int
}

// keyEvent is a key that became available, or was withdrawn.
type keyEvent struct {
	key       string
	available bool
	at        time.Time
}

// operation is one operation on a line or a key.
type operation struct {
	kind    operationKind
	version int // of the line that is written
}

type operationKind int

const (
	claimed        operationKind = iota // a platform's call for a line; its output is the version in the answer
	versionWritten                      // the next version of a line
	keyAdded
	keyWithdrawn
	keyAllocated
)

// specification is that of one object. The state of a line is its version, 0 before it is
// made; that of a key is 1 while it is available.
var specification = porcupine.Model{
	Init: func() any { return 0 },
	Step: func(before, in, out any) (bool, any) {
		now, op := before.(int), in.(operation)
		switch op.kind {
		case claimed:
			return out == now, now
		case versionWritten:
			return now == op.version-1, op.version
		case keyAdded:
			return true, 1
		case keyWithdrawn:
			return true, 0
		case keyAllocated:
			return now == 1, 0
		}
		panic("an operation of a kind that nothing checks")
	},
}
