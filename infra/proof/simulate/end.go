package simulate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/outbox"
	"keypool/shared/pool"
)

// close checks the end of a history against what was asked for.
func (w *world) close() {
	w.checkLines()
	w.checkFiles()
	w.night()
	w.checkShown()
	w.checkAlerts()
	w.checkMails()
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	w.ledger.broken = append(w.ledger.broken, w.balance()...)
	if problem := w.linear(); problem != "" {
		w.ledger.problem("%s", problem)
	}
}

// checkLines checks that every line that was answered for has the keys it paid for, or
// waits for them, and that no line lost a key that it was answered with, unless it gave
// that back.
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
			l.problem("%s was answered and is not there", l.name(c.id))
			continue
		case c.changed == (now.product == c.line.product && now.quantity == c.line.quantity):
			l.problem("%s of %d x %s was answered as changed: %v; it is there with %d x %s", l.name(c.id), c.line.quantity, c.line.product, c.changed, now.quantity, now.product)
		case c.told != "" && !l.notices[c.told]:
			l.problem("%s was answered, and there is no notice %s", l.name(c.id), c.told)
		}
		for _, k := range c.keys {
			if _, has := now.keys[k]; !has && !c.changed && !now.returned[k] {
				l.problem("%s was answered with key %s and does not hold it", l.name(c.id), l.text(k))
			}
		}
	}
}

// checkFiles checks that every key of every file is in the tables, once, and that the
// reports add up.
func (w *world) checkFiles() {
	l := w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	expected := map[text]bool{}
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
			continue // told already, if its pool is there
		case u.state != "finished":
			continue // told already
		}
		accepted += u.accepted
		for _, reads := range f.texts() {
			expected[text{f.upload.side, reads}] = true
		}
		filled := 0
		for _, line := range f.upload.lines {
			if line != "" {
				filled++
			}
		}
		if u.cause == "" && !w.bucket.objects[name].done {
			l.problem("file %s was read and is not marked as done", name)
		}
		if u.outcomes != filled {
			l.problem("file %s has %d lines that are not blank; its report tells of %d", name, filled, u.outcomes)
		}
	}
	if accepted != len(l.keys) {
		l.problem("reports tell of %d accepted keys, %d are in the table", accepted, len(l.keys))
	}
	stored := map[text]bool{}
	for _, id := range slices.Sorted(maps.Keys(l.keys)) {
		k := l.keys[id]
		is := text{pool.Live, k.text}
		if strings.HasPrefix(id, merchant+"#test#") {
			is.side = pool.Test
		}
		if !expected[is] {
			l.problem("key %s is in no file for the %s side", l.text(id), is.side)
		}
		stored[is] = true
	}
	for _, is := range slices.SortedFunc(maps.Keys(expected), func(a, b text) int { return strings.Compare(a.reads, b.reads) }) {
		if !stored[is] && (is.side == pool.Live || !stored[text{pool.Live, is.reads}]) { // a live key is no test key
			l.problem("key %s of a file for the %s side is not in the table", is.reads, is.side)
		}
	}
}

// text is what a key reads, on a side.
type text struct {
	side  pool.Side
	reads string
}

// checkMails checks that customers have mails with the keys of their lines, and
// merchants their notices.
func (w *world) checkMails() {
	l := w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(l.lines)) {
		now, went := l.lines[id], l.mails[outbox.LineItem(string(id))]
		whole := now.wanted > 0 && now.missing() <= 0 && now.given < now.wanted && !now.onHold
		switch {
		case whole && (went == nil || went.accepted["keys"] == 0 && !went.refused["keys"]):
			l.problem("%s has its keys and no mail went out; its mail is %q", l.name(id), now.mail)
		case now.waits() && went != nil && went.accepted["keys"] > 0:
			l.problem("%s waits and its keys were mailed", l.name(id))
		case whole && !went.refused["keys"]:
			for _, k := range slices.Sorted(maps.Values(now.keys)) {
				if !l.sent[k] {
					l.problem("%s holds key %s, which was never mailed", l.name(id), k)
				}
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(l.notices)) {
		if went := l.mails[outbox.NoticeItem(id)]; went == nil || went.accepted["notice"] == 0 && !went.refused["notice"] {
			l.problem("notice %s was never mailed", id)
		}
	}
}

// checkAlerts checks that the last notice about a pool says how the pool stands.
func (w *world) checkAlerts() {
	l := w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range sides() {
		if p.Side != pool.Live || !l.settings.pools[p.Pool] {
			continue
		}
		keys, level := len(l.onSale[sideOf(p)]), ""
		switch {
		case keys == 0 && len(l.queues[queueOf(p)]) > 0:
			level = "backordered"
		case keys == 0:
			level = "empty"
		case keys < lowStock:
			level = "low"
		}
		told := l.alerts["alert#"+p.Merchant+"#"+p.Pool+"alert#"+string(p.Side)]
		if told == nil {
			told = &alert{}
		}
		if told.level != level || level != "" && told.sequence == 0 {
			l.problem("%s has %d keys and is %q; its merchant was told %d times, last that it is %q", sideOf(p), keys, level, told.sequence, told.level)
		}
	}
}

// night lets a night pass, with an hour of looks at the stock at its end.
func (w *world) night() {
	time.Sleep(25 * time.Hour)
	for n := range 12 {
		w.checkStock(fmt.Sprint("stock at night ", n))
		time.Sleep(5 * time.Minute)
	}
	w.spawned.Wait()
	w.settle("after the night") // what was told meanwhile is mailed too
}

// checkShown checks that the counts that merchants see are right after a night.
func (w *world) checkShown() {
	l := w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, item := range w.db.Items(w.tables.Catalog) {
		name, ok := strings.CutPrefix(str(item, "sk"), "count#")
		if !ok {
			continue
		}
		side := merchant + "#" + name
		if shown := num(item, "accepted") - num(item, "taken"); shown != len(l.onSale[side]) {
			l.problem("%s shows %d keys and has %d", side, shown, len(l.onSale[side]))
		}
	}
}

// balance checks the tables at the end by the audit that tests on a real engine use.
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
