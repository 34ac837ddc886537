package simulate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Outcome is the result of a history.
type Outcome struct {
	Problems []string // where the promise was broken
	Steps    int64    // calls of tables, queues, buckets and mail service
	Orders   int      // paid lines
	Keys     int      // accepted
	Sold     int
	Tally    map[string]int // counts of events, by name
	History  uint64         // a hash of all commits
}

// Run runs a plan and checks its history against the promise. It must be called in a
// bubble of testing/synctest, whose time is the time of the history.
func Run(plan Plan) Outcome {
	w := newWorld(plan)
	w.reliable.Store(true)
	if err := w.setUp(); err != nil {
		return Outcome{Problems: []string{fmt.Sprintf("not set up: %v", err)}}
	}
	w.reliable.Store(false)
	end := w.began.Add(30 * time.Second)
	if len(plan.Actions) > 0 {
		end = end.Add(plan.Actions[len(plan.Actions)-1].At)
	}
	w.spawn(func() { w.schedule(end) })
	for _, a := range plan.Actions {
		time.Sleep(time.Until(w.began.Add(a.At)))
		a.Action.do(w)
	}
	time.Sleep(time.Until(end))

	w.recoverUnderFaults()
	w.reliable.Store(true)
	w.drain()
	time.Sleep(catchupProcess + time.Minute) // a run that died has the lease no longer
	w.askCatchup("catchup late")
	w.drain()
	w.sweepUntilDone("late")
	w.checkEnd()
	return w.outcome()
}

// recoverUnderFaults lets the sweep resume unfinished work while faults still happen. Each
// round waits until the next work is due.
func (w *world) recoverUnderFaults() {
	for round := range w.plan.RecoveryRounds {
		w.drain()
		_, next := w.ledger.unfinished()
		time.Sleep(min(max(time.Until(next)+w.plan.Conditions.ClockSkew, time.Minute), time.Hour))
		w.sweepTwice(fmt.Sprint("sweep in recovery ", round))
		if round%3 == 2 {
			w.spawn(func() { w.checkStock(fmt.Sprint("stock in recovery ", round)) })
			w.spawn(func() { w.askCatchup(fmt.Sprint("catchup in recovery ", round)) })
		}
	}
	w.drain()
}

// sweepUntilDone sweeps until no work is left, for three days at most.
func (w *world) sweepUntilDone(when string) {
	began := time.Now()
	for round := 0; ; round++ {
		w.spawned.Wait()
		left, next := w.ledger.unfinished()
		if len(left) == 0 {
			return
		}
		if time.Since(began) > 3*24*time.Hour {
			for _, what := range left {
				w.ledger.report("faults have stopped, and %s", what)
			}
			return
		}
		// A digest waits for the end of its day: then the sweeps come seldom.
		time.Sleep(max(time.Until(next)+w.plan.Conditions.ClockSkew, min(time.Minute<<(round/20), time.Hour)))
		w.sweep(fmt.Sprint("sweep ", when, " ", round))
	}
}

// unfinished lists the work that is left, and returns when the next of it is due.
func (l *ledger) unfinished() (left []string, next time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	say := func(format string, args ...any) { left = append(left, fmt.Sprintf(format, args...)) }
	for _, id := range slices.Sorted(maps.Keys(l.lines)) {
		now := l.lines[id]
		// A renewal waits as long as its parent has no keys for it.
		if (now.mail == "due" || now.mail == "sending") && !(now.ofParent && l.lends(now) == nil) {
			say("a mail of %s is %s", l.name(id), now.mail)
		}
		if now.waits() && now.wanted == 0 && l.catalog.hasPool(now.product, now.currency) {
			say("%s of %s waits to be connected, and there is a pool for it", l.name(id), now.product)
		}
		if now.waits() && now.product == "demo" && l.code(now.side) != nil {
			say("%s waits for a code, and there is one", l.name(id))
		}
	}
	for name := range l.due {
		if strings.HasPrefix(name, l.w.tables.Orders+" notice#") {
			say("%s is still to be mailed", name)
		}
		if strings.HasPrefix(name, l.w.tables.Catalog+" jobs#") {
			say("%s has not ended", name)
		}
	}
	for name, u := range l.uploads {
		if u.state == "loading" || u.state == "confirmed" {
			say("upload %s is still being loaded", name)
		}
		if u.state == "needs_confirmation" {
			say("upload %s is held, and its merchant's answer is not stored", name)
		}
		if u.state == "parked" && l.catalog.pools[u.pool] {
			say("upload %s waits for its pool %s, which is there", name, u.pool)
		}
	}
	for _, p := range sides() {
		if waiting, keys := len(l.queues[queueOf(p)]), len(l.available[sideOf(p)]); waiting > 0 && keys > 0 {
			say("%d lines of %s wait beside %d keys", waiting, sideOf(p), keys)
		}
	}
	for _, at := range l.due {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	slices.Sort(left)
	return left, next
}

func (w *world) outcome() Outcome {
	l := w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	o := Outcome{Problems: l.problems, Steps: w.steps.Load(), Orders: len(l.lines), Keys: len(l.keys), Tally: maps.Clone(w.tally), History: l.history.Sum64()}
	for _, k := range l.keys {
		if k.state == "claimed" {
			o.Sold++
		}
	}
	stats := w.db.Stats()
	for fate, n := range stats.Fates {
		o.Tally["fate "+fate] = n
	}
	for cause, n := range stats.Cancellations {
		o.Tally["cancelled by "+cause] = n
	}
	o.Tally["throttled by a partition"] = stats.Throttles
	return o
}
