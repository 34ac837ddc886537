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
	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
)

// checkEnd checks the end of a history against the orders and files.
func (w *world) checkEnd() {
	w.checkLines()
	w.checkFound()
	w.checkOrders()
	w.checkFiles()
	w.checkJobs()
	w.checkShown("before the night", true)
	w.passNight()
	w.checkShown("after the night", false)
	w.checkSettled()
	w.checkAlerts()
	w.checkMails()
	w.checkTables()
	w.checkWipe()
}

// checkTables checks the tables as a whole.
func (w *world) checkTables() {
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	w.ledger.problems = append(w.ledger.problems, w.auditTables()...)
	if problem := w.checkLinearizable(); problem != "" {
		w.ledger.problem("%s", problem)
	}
}

// checkLines checks that every answered line exists as it was paid, and that it holds
// every key of each answer, unless that key was returned.
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
		case c.notice != "" && !l.notices[c.notice] && !l.told[c.notice]:
			l.problem("%s was answered, and there is no notice %s", l.name(c.id), c.notice)
		}
		for _, k := range c.keys {
			if _, has := now.keys[k]; !has && !c.changed && !now.returnedKeys[k] {
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
	expected := map[keyOnSide]bool{}
	known := map[string]*uploadRecord{}
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
			continue // see ledger.unfinished
		case u.state != "finished":
			continue // see ledger.unfinished
		}
		accepted += u.accepted
		for _, reads := range f.keyTexts() {
			expected[keyOnSide{f.upload.side, reads}] = true
		}
		filled := 0
		if f.upload.headed {
			filled++
		}
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
	stored, uploaded := map[keyOnSide]bool{}, 0
	for _, id := range slices.Sorted(maps.Keys(l.keys)) {
		k := l.keys[id]
		if k.remembered() || k.state == "shared" {
			continue
		}
		uploaded++
		is := keyOnSide{pool.Live, k.text}
		if strings.HasPrefix(id, merchant+"#test#") {
			is.side = pool.Test
		}
		if !expected[is] {
			l.problem("key %s is in no file for the %s side", l.text(id), is.side)
		}
		stored[is] = true
	}
	if accepted != uploaded {
		l.problem("reports tell of %d accepted keys, %d are in the table", accepted, uploaded)
	}
	for _, is := range slices.SortedFunc(maps.Keys(expected), func(a, b keyOnSide) int { return strings.Compare(a.text, b.text) }) {
		if k := l.keys[string(pool.Identify(salt, merchant, pool.Live, is.text))]; k != nil && k.remembered() {
			continue // it was blocked before it came
		}
		if !stored[is] && (is.side == pool.Live || !stored[keyOnSide{pool.Live, is.text}]) { // a live key is no test key
			l.problem("key %s of a file for the %s side is not in the table", is.text, is.side)
		}
	}
}

// keyOnSide is the text of a key, and its side.
type keyOnSide struct {
	side pool.Side
	text string
}

// checkMails checks that the keys of each complete line were mailed, and each notice.
func (w *world) checkMails() {
	l := w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(l.lines)) {
		now, went := l.lines[id], l.mails[outbox.LineItem(string(id))]
		whole := now.wanted > 0 && now.missing() <= 0 && !now.returned() && !now.onHold
		if now.ofParent {
			if lends := l.lends(now); lends != nil && !now.returned() && !now.onHold && (went == nil || went.accepted["keys"] == 0 && !went.refused["keys"]) {
				l.problem("%s renews %s, whose keys were not mailed to it; its mail is %q", l.name(id), l.name(lends.id), now.mail)
			}
			l.w.count("renewal with the keys of its parent")
			if parents := l.parents(now, now.product, map[order.LineID]bool{id: true}); len(parents) == 1 && !l.sameCustomer(now, parents[0]) {
				l.w.count("renewal of another customer's order")
			}
			continue
		}
		switch {
		case whole && (went == nil || went.accepted["keys"] == 0 && !went.refused["keys"]):
			l.problem("%s has its keys and no mail went out; its mail is %q", l.name(id), now.mail)
		case now.waits() && went != nil && went.accepted["keys"] > 0:
			l.problem("%s waits and its keys were mailed", l.name(id))
		case whole && went.asked+went.moved > 0 && went.askedAt.After(went.leasedAt) && !went.refused["keys"]:
			l.problem("the keys of %s were to be sent again, and were not", l.name(id))
		case whole && !went.refused["keys"]:
			for _, k := range slices.Sorted(maps.Keys(now.keys)) {
				if !l.mailedKeys[k] {
					l.problem("%s holds key %s, which was never mailed", l.name(id), l.text(k))
				}
			}
		}
	}
	l.checkAsked()
	for _, id := range slices.Sorted(maps.Keys(l.notices)) {
		if strings.HasPrefix(id, merchant+"#held-for-review#") {
			continue // it may have nothing to tell any more: see checkAsked
		}
		if went := l.mails[outbox.NoticeItem(id)]; went == nil || went.accepted["notice"] == 0 && !went.refused["notice"] {
			if l.formerErased(id) {
				l.w.count("former address erased before it was told")
				continue
			}
			l.problem("notice %s was never mailed", id)
		}
	}
}

// formerErased reports whether a notice is to an address that was erased with its line.
func (l *ledger) formerErased(notice string) bool {
	about, former := strings.CutPrefix(notice, merchant+"#keys-elsewhere#")
	order, _, _ := strings.Cut(about, "#")
	for id, line := range l.lines {
		if former && line.erased && id.OrderHalf() == order {
			return true
		}
	}
	return false
}

// checkAlerts checks that the last notice about a pool agrees with its stock.
func (w *world) checkAlerts() {
	l := w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range sides() {
		if p.Side != pool.Live || !l.catalog.pools[p.Pool] {
			continue
		}
		keys, level := len(l.available[sideOf(p)]), ""
		switch {
		case keys == 0 && len(l.queues[queueOf(p)]) > 0:
			level = "backordered"
		case keys == 0:
			level = "empty"
		case keys < lowStock:
			level = "low"
		}
		existing := l.alerts["alert#"+p.Merchant+"#"+p.Pool+"alert#"+string(p.Side)]
		if existing == nil {
			existing = &alert{}
		}
		if existing.level != level || level != "" && existing.sequence == 0 {
			l.problem("%s has %d keys and is %q; its merchant got %d notices, the last says that it is %q", sideOf(p), keys, level, existing.sequence, existing.level)
		}
	}
}

// passNight waits for a day, and then checks the stock for an hour: the nightly recount
// puts the counts right.
func (w *world) passNight() {
	time.Sleep(25 * time.Hour)
	for n := range 12 {
		w.checkStock(fmt.Sprint("stock at night ", n))
		time.Sleep(5 * time.Minute)
	}
	w.spawned.Wait()
	w.sweepUntilDone("after the night") // the new notices are mailed too
}

// checkShown checks what merchants see of each pool side while nothing is under way: each
// number is so, and together they are what uploads added. Late counts may lack keys that
// a mailer did not count: the night finds them.
func (w *world) checkShown(when string, late bool) {
	time.Sleep(time.Second) // for indexes
	p := w.begin("what is shown "+when, time.Minute, 0)
	defer p.end()
	var pools []catalog.Pool
	for _, name := range allPools() {
		pools = append(pools, catalog.Pool{Merchant: merchant, Name: name, Shards: w.plan.Conditions.Shards})
	}
	shown, err := w.store.Stock(p.ctx, pools, p.now())
	if err != nil {
		w.ledger.report("%s, the stock of the pools is not shown: %v", when, err)
		return
	}
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	for _, side := range sides() {
		w.ledger.checkStock(when, shown[side], late)
	}
}

func (l *ledger) checkStock(when string, shown catalog.Stock, late bool) {
	type numbers struct{ available, claimed, revoked, withdrawn int }
	var is numbers
	accepted := 0
	for _, k := range l.keys {
		if k.side != sideOf(shown.Pool) {
			continue
		}
		accepted++
		switch k.state {
		case "available":
			is.available++
		case "claimed", "kept":
			is.claimed++
		case "revoked":
			is.revoked++
		case "withdrawn":
			is.withdrawn++
		}
	}
	see := numbers{shown.Available, shown.Claimed, shown.Revoked, shown.Withdrawn}
	if shown.Available > 1000 && late {
		// Beyond 1,000 a mailer that died may leave keys uncounted until the night, but
		// none are ever counted twice.
		uncounted := min(max(0, see.available-is.available), is.claimed)
		is.available, is.claimed = is.available+uncounted, is.claimed-uncounted
	}
	if sum := see.available + see.claimed + see.revoked + see.withdrawn; see != is || sum != accepted {
		l.problem("%s, %s shows %+v, %d keys; it has %+v of %d that uploads added", when, sideOf(shown.Pool), see, sum, is, accepted)
	}
}

// checkSettled checks that the counts behind what is shown are exact after a night, also
// of pools that show their keys themselves.
func (w *world) checkSettled() {
	l := w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, item := range w.db.Items(w.tables.Catalog) {
		name, ok := strings.CutPrefix(str(item, "sk"), "count#")
		if !ok {
			continue
		}
		side := merchant + "#" + name
		counted := num(item, "accepted") - num(item, "taken") - num(item, "withdrawn")
		if counted != len(l.available[side]) {
			l.problem("%s counts %d keys and has %d", side, counted, len(l.available[side]))
		}
	}
}

// auditTables applies the audit of the tests on a real engine to the final tables.
func (w *world) auditTables() []string {
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
