package simulate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/delivery"
	"keypool/shared/dynamo/dynamotest"
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

// Run lets a plan happen and holds what came of it against the promise. It must
// be called in a bubble of testing/synctest, whose time is the world's.
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

	w.calm.Store(true)
	w.spawned.Wait()
	w.settle()
	w.close()
	return w.outcome()
}

// settle sweeps until nothing is left to do, for three days at most.
func (w *world) settle() {
	for round := 0; ; round++ {
		w.spawned.Wait()
		left, next := w.ledger.unfinished()
		if len(left) == 0 {
			return
		}
		if round == 200 || time.Since(w.began) > 3*24*time.Hour {
			for _, what := range left {
				w.ledger.report("faults have stopped, and %s", what)
			}
			return
		}
		time.Sleep(max(time.Until(next)+w.plan.Weather.Skew, time.Minute))
		w.sweep(fmt.Sprint("late sweep ", round))
	}
}

// unfinished says what is still to be done, and when the next sweep can do some of it.
func (l *ledger) unfinished() (left []string, next time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	say := func(format string, args ...any) { left = append(left, fmt.Sprintf(format, args...)) }
	for _, id := range slices.Sorted(maps.Keys(l.lines)) {
		if now := l.lines[id]; now.mail == "due" || now.mail == "sending" {
			say("a mail of line %s is %s", id, now.mail)
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
	}
	for _, p := range sides() {
		side := p.Merchant + "#" + p.Pool + "#" + string(p.Side)
		if waiting := len(l.queues["queue#"+side]); waiting > 0 && len(l.shelf[side]) > 0 {
			say("%d lines of %s wait beside %d keys", waiting, side, len(l.shelf[side]))
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

// close holds what came of everything against what was asked for.
func (w *world) close() {
	w.checkLines()
	w.checkFiles()
	w.checkMails()
	w.checkShown()
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	w.ledger.broken = append(w.ledger.broken, w.balance()...)
	if problem := w.linear(); problem != "" {
		w.ledger.problem("%s", problem)
	}
}

// checkLines holds that every line that was answered for has what it paid for,
// or waits for it, and that nobody lost a key that he was shown.
func (w *world) checkLines() {
	l := w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range w.answers.claims {
		if c.answered.IsZero() {
			continue
		}
		now := l.lines[c.id]
		switch {
		case now == nil:
			l.problem("line %s was answered and is not there", c.id)
			continue
		case c.changed == (now.quantity == c.line.quantity):
			l.problem("line %s of %d was answered as changed: %v; it is there with %d", c.id, c.line.quantity, c.changed, now.quantity)
		case now.wanted > 0 && now.wanted != now.quantity:
			l.problem("line %s paid for %d and is due %d keys", c.id, now.quantity, now.wanted)
		}
		for _, k := range c.keys {
			if _, has := now.keys[k]; !has && !c.changed {
				l.problem("line %s was answered with key %s and does not hold it", c.id, k)
			}
		}
	}
}

// checkFiles holds that every key of every file is in the tables, once, and that
// reports add up.
func (w *world) checkFiles() {
	l := w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	expected := map[string]bool{}
	known := map[string]*uploaded{}
	for _, name := range slices.Sorted(maps.Keys(l.uploads)) {
		u := l.uploads[name]
		if known[u.file] != nil {
			l.problem("file %s is two uploads", u.file)
		}
		known[u.file] = u
	}
	accepted := 0
	for _, name := range slices.Sorted(maps.Keys(w.answers.files)) {
		f, u := w.answers.files[name], known[name]
		switch {
		case u == nil && f.lost:
			continue
		case u == nil:
			l.problem("file %s is not known", name)
			continue
		case u.state == "parked":
			if l.made["pool#"+f.upload.pool] {
				l.problem("file %s waits for a pool that is there", name)
			}
			continue
		case u.state != "finished":
			continue // told already
		}
		accepted += u.accepted
		for _, text := range f.texts() {
			expected[text] = true
		}
		filled := 0
		for _, line := range f.upload.lines {
			if line != "" {
				filled++
			}
		}
		if u.outcomes != filled {
			l.problem("file %s has %d lines that are not blank; its report tells of %d", name, filled, u.outcomes)
		}
	}
	if accepted != len(l.keys) {
		l.problem("reports tell of %d accepted keys, %d are in the table", accepted, len(l.keys))
	}
	stored := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(l.keys)) {
		k := l.keys[id]
		if !expected[k.text] {
			l.problem("key %s is in no file", id)
		}
		stored[k.text] = true
	}
	for _, text := range slices.Sorted(maps.Keys(expected)) {
		if !stored[text] { // on the other side, where it stands there
			l.problem("key %s of a file is not in the table", text)
		}
	}
}

// checkMails holds that what was to be told was told.
func (w *world) checkMails() {
	l := w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(l.lines)) {
		now, went := l.lines[id], l.mails[delivery.Item{Line: id}]
		whole := now.wanted > 0 && now.missing() == 0 && now.given == 0 && !now.onHold
		switch {
		case whole && (went == nil || went.accepted["keys"] == 0 && !went.refused):
			l.problem("line %s has its keys and no mail went out; its mail is %q", id, now.mail)
		case now.waits() && went != nil && went.accepted["keys"] > 0:
			l.problem("line %s waits and its keys were mailed", id)
		}
	}
	for id, times := range l.notices {
		if times > 1 {
			l.problem("notice %s was written %d times", id, times)
		}
		if went := l.mails[delivery.Item{Notice: id}]; went == nil || went.accepted["notice"] == 0 && !went.refused {
			l.problem("notice %s was never mailed", id)
		}
	}
}

// checkShown holds that the counts that merchants see are right after a night.
func (w *world) checkShown() {
	time.Sleep(25 * time.Hour)
	for n := range 12 { // an hour of them
		w.checkStock(fmt.Sprint("stock at night ", n))
		time.Sleep(5 * time.Minute)
	}
	w.spawned.Wait()
	l := w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, item := range w.db.Items(w.tables.Catalog) {
		name, ok := strings.CutPrefix(str(item, "sk"), "count#")
		if !ok {
			continue
		}
		side := merchant + "#" + name
		if shown := num(item, "accepted") - num(item, "taken"); shown != len(l.shelf[side]) {
			l.problem("%s shows %d keys and has %d", side, shown, len(l.shelf[side]))
		}
	}
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
	for id, went := range l.mails {
		if extra := went.accepted["keys"] - 1; id.Line != "" && extra > 0 {
			o.Tally["second mail after an answer that nobody saw"] += extra
		}
	}
	o.Tally["newcomer passed the queue, nobody lost by it"] = l.overtook
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

// balance holds the tables as they stand at the end against the promise, by the
// same audit that tests on a real engine use.
func (w *world) balance() []string {
	_, problems := dynamotest.Balance(plain(w.db.Items(w.tables.Orders)), plain(w.db.Items(w.tables.Keys)))
	return problems
}

func plain(items []map[string]types.AttributeValue) []map[string]any {
	all := make([]map[string]any, len(items))
	for i, item := range items {
		if err := attributevalue.UnmarshalMap(item, &all[i]); err != nil {
			panic(err) // into a map of anything: cannot happen
		}
	}
	return all
}
