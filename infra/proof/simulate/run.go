package simulate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Outcome is what came of a history.
type Outcome struct {
	Problems []string // the promise, where it was broken
	Steps    int64    // calls of tables, queues, buckets and mail service
	Orders   int      // lines that were paid for
	Keys     int      // that were accepted
	Sold     int
	Tally    map[string]int // what else happened, by name
	History  uint64         // a hash of all commits
}

// Run runs a plan and checks its history against the promise. It must be called in a
// bubble of testing/synctest, whose time is the time of the history.
func Run(plan Plan) Outcome {
	w := newWorld(plan)
	w.calm.Store(true)
	if err := w.setUp(); err != nil {
		return Outcome{Problems: []string{fmt.Sprintf("not set up: %v", err)}}
	}
	w.calm.Store(false)
	end := w.began.Add(30 * time.Second)
	if len(plan.Acts) > 0 {
		end = end.Add(plan.Acts[len(plan.Acts)-1].At)
	}
	w.spawn(func() { w.schedule(end) })
	for _, a := range plan.Acts {
		time.Sleep(time.Until(w.began.Add(a.At)))
		a.Act.do(w)
	}
	time.Sleep(time.Until(end))

	w.recoveries()
	w.calm.Store(true)
	w.rest()
	w.settle("late")
	w.close()
	return w.outcome()
}

// recoveries lets the sweep resume unfinished work while faults still happen. Each
// round waits until there is something to resume.
func (w *world) recoveries() {
	for round := range w.plan.Recoveries {
		w.rest()
		_, next := w.ledger.unfinished()
		time.Sleep(min(max(time.Until(next)+w.plan.Weather.Skew, time.Minute), time.Hour))
		w.sweepTwice(fmt.Sprint("sweep in recovery ", round))
		if round%3 == 2 {
			w.spawn(func() { w.checkStock(fmt.Sprint("stock in recovery ", round)) })
		}
	}
	w.rest()
}

// settle sweeps until nothing is left to do, for three days at most.
func (w *world) settle(when string) {
	began := time.Now()
	for round := 0; ; round++ {
		w.spawned.Wait()
		left, next := w.ledger.unfinished()
		if len(left) == 0 {
			return
		}
		if round == 200 || time.Since(began) > 3*24*time.Hour {
			for _, what := range left {
				w.ledger.report("faults have stopped, and %s", what)
			}
			return
		}
		time.Sleep(max(time.Until(next)+w.plan.Weather.Skew, time.Minute))
		w.sweep(fmt.Sprint("sweep ", when, " ", round))
	}
}

// unfinished says what is still to be done, and when the next sweep can do some of it.
func (l *ledger) unfinished() (left []string, next time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	say := func(format string, args ...any) { left = append(left, fmt.Sprintf(format, args...)) }
	for _, id := range slices.Sorted(maps.Keys(l.lines)) {
		now := l.lines[id]
		if now.mail == "due" || now.mail == "sending" {
			say("a mail of %s is %s", l.name(id), now.mail)
		}
		if now.waits() && now.wanted == 0 && l.settings.feeds(now.product, now.currency) {
			say("%s of %s waits to be connected, and there is a pool for it", l.name(id), now.product)
		}
	}
	for name := range l.due {
		if strings.HasPrefix(name, l.w.tables.Orders+" notice#") {
			say("%s is still to be mailed", name)
		}
	}
	for name, u := range l.uploads {
		if u.state == "loading" {
			say("upload %s is still being loaded", name)
		}
		if u.state == "parked" && l.settings.pools[u.pool] {
			say("upload %s waits for its pool %s, which is there", name, u.pool)
		}
	}
	for _, p := range sides() {
		if waiting, keys := len(l.queues[queueOf(p)]), len(l.onSale[sideOf(p)]); waiting > 0 && keys > 0 {
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
	o := Outcome{Problems: l.broken, Steps: w.steps.Load(), Orders: len(l.lines), Keys: len(l.keys), Tally: maps.Clone(w.tally), History: l.history.Sum64()}
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
