package simulate

import (
	"cmp"
	"fmt"
	"hash"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/infra/proof/dynamosim"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
)

// ledger gets every change of the tables, in order, and checks each against the promise. It knows the tables by their documentation alone and
// shares no code with the packages that write them.
type ledger struct {
	w *world

	mu                  sync.Mutex
	keys                map[string]*key
	lines               map[order.LineID]*line
	queues              map[string]map[string]*place // partition -> sort key
	alerts              map[string]*alert
	bypasses            map[string]time.Time       // partition of a queue -> until
	removed             map[string][]time.Time     // pool side -> times of its claimed, moved and withdrawn keys
	available           map[string]map[string]*key // pool side -> its available keys
	reads               map[string]queueRead       // caller -> its last read of a queue
	readsBeforeLateCall map[string]queueRead       // the same, before a call that arrives late
	mails               map[outbox.Item]*mailState
	leases              map[mailNumber]lease
	notices             map[string]bool
	told                map[string]bool      // products that digests told of
	due                 map[string]time.Time // items that the sweep handles, and when
	problems            []string
	versions            []version
	keyEvents           []keyEvent
	wholes              map[string]*known // by order
	reported            reported
	uploads             map[string]*uploadRecord // by record
	withdrawn           map[string]bool          // uploads, by ID: no key of theirs is for sale again
	catalog             catalogState
	review              reviewState
	linesOf             map[string][]order.LineID // by order
	released            map[string]order.LineID   // keys that lines release in the current commit
	reasons             map[order.LineID]reasons  // of the changes of lines in the current commit
	mailedKeys          map[string]bool           // by ID: both sides of a pool may have one text
	leasedKeys          map[string]bool           // by ID: a mailer had them, whether it mailed them or not
	leasedLines         map[order.LineID]bool     // whose keys a mailer had
	pages               map[string]bool           // orders whose pages somebody has show their keys
	shownKeys           map[string]bool           // by ID: a page showed them
	shownLines          map[order.LineID]bool     // whose keys a page showed
	history             hash.Hash64               // of all commits: equal for equal runs
}

// catalogState is the part of the catalog that decides from which pool lines get keys.
type catalogState struct {
	pools       map[string]bool
	poolsOf     map[string]map[string]string // product -> currency, "" for any -> pool
	defaultPool string
	returned    map[string][]setting[string] // product, "" for the merchant -> what becomes of returned keys, the latest last
}

// hasPool reports whether a pool for a line of the product exists.
func (s catalogState) hasPool(product, currency string) bool {
	if product == "demo" {
		return false
	}
	by := s.poolsOf[product]
	return s.pools[cmp.Or(by[currency], by[""], s.defaultPool)]
}

type key struct {
	id, side, shard, state, line, text string
	upload                             string // that brought it
	restocked, blocked                 bool
	codeOf                             string   // the product whose code it is, or was last
	current                            []period // in which it was given to orders as that product's code
}

// remembered reports whether it is nothing but a text that is blocked: no upload brought it.
func (k *key) remembered() bool { return k.blocked && k.text == "" }

// line is a fulfillment.
type line struct {
	id                                   order.LineID
	version, wanted, held, returnedCount int
	onHold                               bool
	ofParent                             bool   // it delivers the keys of its parent
	shared                               bool   // it gets the code of its product
	parent                               string // the order that its order renews
	past                                 []moment
	holds                                []string
	expected                             bool // not paid yet
	returnedUnits                        int
	returnedAll                          bool
	paidAfter                            map[string]bool // returns of its order
	queue, sort                          string          // its place if it waits
	name                                 string          // of the order and of the line in it
	product, currency                    string
	quantity                             int
	backs                                []givenBack
	own                                  int             // units that persons returned, and no refund of the platform has answered
	matched                              map[string]bool // refunds that were taken for those
	side                                 string
	storedAt                             time.Time // when it was first
	risk                                 string    // of its order, in the word of the platform
	customer                             string    // the hash of the address
	address                              string
	former                               []string // addresses before
	erased                               bool     // nothing of its customer is kept
	shown                                bool     // a page showed its keys
	receivedAt, heldAt                   time.Time
	released                             map[string]bool              // rules that a person has released it from
	counted                              bool                         // lines of its order that were claimed at once count its keys for sure
	replaced                             []string                     // keys that were set aside
	refunds                              map[string]bool              // by their ids
	paidSince                            time.Time                    // zero: not paid yet
	parts                                map[string]map[string]string // sort key of the line or a chunk -> its keys
	keys                                 map[string]string            // id -> text, chunks included
	returnedKeys                         map[string]bool              // keys that it released
	mail                                 string
}

// put records the keys of a part of the line, nil if that part was deleted.
func (l *line) put(part string, keys [][2]string) {
	delete(l.parts, part)
	if len(keys) > 0 {
		l.parts[part] = map[string]string{}
		for _, k := range keys {
			l.parts[part][k[0]] = k[1]
		}
	}
	l.keys = map[string]string{}
	for _, part := range l.parts {
		maps.Copy(l.keys, part)
	}
}

func (l *line) missing() int { return l.wanted - l.returnedCount - l.held }

// surplus returns the keys that the line holds beyond those it is due.
func (l *line) surplus() int { return max(0, -l.missing()) }

func (l *line) waits() bool {
	return !l.onHold && !l.expected && !l.returned() && !l.ofParent && (l.wanted == 0 || l.missing() > 0)
}

// place is a line's place in a queue.
type place struct {
	line    order.LineID
	missing int
	since   time.Time // when it entered the queue
}

// queueRead is the last read of a queue by a caller.
type queueRead struct {
	at       time.Time
	previous time.Time // the time of the read before
	bypasses map[string]time.Time
}

// version is one version of a line.
type version struct {
	line   order.LineID
	number int
	paid   bool // the first version of the line as a paid one: a return may have come before
	held   int
	gained []string // keys
	at     time.Time
}

func newLedger(w *world) *ledger {
	return &ledger{
		w: w, keys: map[string]*key{}, lines: map[order.LineID]*line{}, queues: map[string]map[string]*place{},
		alerts: map[string]*alert{}, bypasses: map[string]time.Time{}, removed: map[string][]time.Time{},
		available: map[string]map[string]*key{}, reads: map[string]queueRead{}, readsBeforeLateCall: map[string]queueRead{}, mails: map[outbox.Item]*mailState{},
		notices: map[string]bool{}, told: map[string]bool{}, due: map[string]time.Time{}, uploads: map[string]*uploadRecord{}, withdrawn: map[string]bool{}, leases: map[mailNumber]lease{},
		wholes: map[string]*known{}, reported: newReported(),
		released: map[string]order.LineID{}, reasons: map[order.LineID]reasons{}, mailedKeys: map[string]bool{}, leasedKeys: map[string]bool{}, leasedLines: map[order.LineID]bool{},
		pages: map[string]bool{}, shownKeys: map[string]bool{}, shownLines: map[order.LineID]bool{},
		history: fnv.New64a(), catalog: catalogState{pools: map[string]bool{}, poolsOf: map[string]map[string]string{}, returned: map[string][]setting[string]{}},
		review: newReviewState(), linesOf: map[string][]order.LineID{},
	}
}

// name returns the order and the line in it, or the ID of a line that the
// ledger does not know.
func (l *ledger) name(id order.LineID) string {
	if there := l.lines[id]; there != nil && there.name != "" {
		return there.name
	}
	return "line " + string(id)
}

// text returns the text of a key, or the ID of a key that the ledger does not know.
func (l *ledger) text(id string) string {
	if k := l.keys[id]; k != nil && k.text != "" {
		return k.text[:min(len(k.text), 20)]
	}
	return id
}

// sideOf and queueOf name a pool side and its queue as the tables do.
func sideOf(p pool.ID) string  { return p.Merchant + "#" + p.Pool + "#" + string(p.Side) }
func queueOf(p pool.ID) string { return "queue#" + sideOf(p) }

// problem records that the promise was broken.
func (l *ledger) problem(format string, args ...any) {
	l.problems = append(l.problems, fmt.Sprintf("%8.3f s  ", time.Since(l.w.began).Seconds())+fmt.Sprintf(format, args...))
}

// report is problem, for callers that do not hold the lock.
func (l *ledger) report(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problem(format, args...)
}

// noteRead records that a caller reads a queue now.
func (l *ledger) noteRead(who string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads[who] = queueRead{at: time.Now(), previous: l.reads[who].at, bypasses: maps.Clone(l.bypasses)}
}

// noteLateCall records that a call will arrive late. Its caller decided on it by the reads
// of the queues up to now.
func (l *ledger) noteLateCall(who string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.readsBeforeLateCall[who]; !known {
		l.readsBeforeLateCall[who] = l.reads[who]
	}
}

// checkAsRead reports a problem of a commit unless the commit was right by its caller's
// last read of the queues.
func (l *ledger) checkAsRead(c dynamosim.Commit, wrong func(seen queueRead) string) {
	problem := wrong(l.reads[c.Caller])
	if earlier, ok := l.readsBeforeLateCall[c.Caller]; ok && problem != "" {
		problem = wrong(earlier)
	}
	if problem != "" {
		l.problem("%s", problem)
	}
}

// observe records all changes of a commit, and then checks the lines that it touched.
func (l *ledger) observe(c dynamosim.Commit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.released)
	clear(l.reasons)
	touched := map[order.LineID]bool{}
	before := map[order.LineID]line{}
	remember := func(id order.LineID) {
		if !touched[id] {
			touched[id] = true
			if there := l.lines[id]; there != nil {
				before[id] = *there
			}
		}
	}
	var notices []string // new ones of the same commit
	var told []string    // uploads that notices of the same commit tell of
	for _, change := range c.Changes {
		pk, sk := str(change.Key, "pk"), str(change.Key, "sk")
		fmt.Fprintf(l.history, "%d %s %s %s %s %d\n", time.Since(l.w.began), c.Caller, change.Table, pk, sk, num(change.After, "version"))
		l.noteDue(change.Table+" "+pk+" "+sk, change.After)
		switch {
		case change.Table == l.w.tables.Keys:
			l.keyChanged(pk, change.Before, change.After)
		case change.Table == l.w.tables.Catalog && strings.HasPrefix(pk, "uploads#"):
			defer l.uploadChanged(pk+" "+sk, change.After, &told)
		case change.Table == l.w.tables.Catalog && pk == "review#"+merchant:
			l.reviewChanged(c, sk, change.Before, change.After)
		case change.Table == l.w.tables.Catalog:
			l.settingsChanged(pk, sk, change.After)
		case strings.HasPrefix(sk, "line#"):
			id := order.LineID(strings.TrimPrefix(pk, "order#") + strings.TrimPrefix(sk, "line#"))
			remember(id)
			l.lineChanged(id, change.After)
			l.outboxChanged(outbox.LineItem(string(id)), change.Before, change.After)
		case sk == "order":
			orderID, _ := orderOf(pk, sk)
			l.wholeChanged(orderID, change.After)
		case strings.HasPrefix(sk, "keys#"):
			id, _, _ := strings.Cut(strings.TrimPrefix(sk, "keys#"), "#")
			line := order.LineID(strings.TrimPrefix(pk, "order#") + id)
			remember(line)
			l.chunkChanged(line, sk, change.Before, change.After)
		case strings.HasPrefix(sk, "history#"):
			l.historyAdded(pk, sk, change.After)
		case strings.HasPrefix(sk, "refund#"):
			l.refundAdded(pk, sk, change.Before, change.After)
		case sk == "!bypass":
			l.bypassChanged(c, pk, time.UnixMilli(int64(num(change.After, "until"))))
		case strings.HasPrefix(pk, "queue#"), strings.HasPrefix(pk, "unconnected#"):
			_, id, _ := strings.Cut(sk, "#")
			remember(order.LineID(id))
			l.placeChanged(pk, sk, change.After)
			defer l.noteNewWaiters(pk)
		case strings.HasPrefix(pk, "held#"):
			_, id, _ := strings.Cut(sk, "#")
			remember(order.LineID(id))
			l.heldChanged(pk, sk, change.After)
		case strings.HasPrefix(pk, "buyer#"):
			l.buyerChanged(c, pk, sk, change.After)
		case strings.HasPrefix(pk, "notice#"):
			id := strings.TrimPrefix(pk, "notice#")
			if change.Before == nil {
				notices = append(notices, id)
			}
			told = append(told, uploadsOf(change.After)...)
			l.noticeChanged(id, change.Before, change.After)
		case strings.HasPrefix(pk, "alert#"):
			defer l.alertChanged(c, pk+sk, change.After, &notices)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(touched)) {
		l.check(c, id, before[id])
	}
	for _, k := range slices.Sorted(maps.Keys(l.released)) {
		if id := l.released[k]; !touched[id] {
			l.problem("key %s was taken from %s, which was not changed with it", l.text(k), l.name(id))
		}
	}
}

func (l *ledger) noteDue(name string, after map[string]types.AttributeValue) {
	if after["dueAt"] == nil {
		delete(l.due, name)
		return
	}
	l.due[name] = time.UnixMilli(int64(num(after, "dueAt")))
}

// keyChanged checks the states of a key: available, then claimed by one line until that
// line releases it, and then revoked or kept for ever, or available again. An available
// key may be withdrawn.
func (l *ledger) keyChanged(id string, before, after map[string]types.AttributeValue) {
	k := l.keys[id]
	switch {
	case after == nil:
		l.problem("key %s was deleted", l.text(id))
		return
	case before == nil:
		k = &key{id: id}
		l.keys[id] = k
	default:
		l.checkPlace(k, before, after)
		if str(after, "text") != k.text {
			l.problem("key %s has another text now", l.text(id))
		}
		switch state, line := str(after, "state"), str(after, "line"); {
		case k.state == "claimed" && state == "claimed" && line == k.line:
		case k.state == "claimed" && (line == k.line && (state == "revoked" || state == "kept") || line == "" && state == "available"):
			l.released[id] = order.LineID(k.line)
			l.w.count("key given back and " + state)
			k.restocked = state == "available"
			switch {
			case k.restocked && l.mailedKeys[id]:
				l.problem("key %s was mailed and is available again", l.text(id))
			case k.restocked && (l.leasedKeys[id] || l.shownKeys[id]):
				l.problem("key %s was a mailer's and is available again", l.text(id))
			}
		case k.state == "claimed":
			l.problem("key %s was sold to %s and is now %s, of %s", l.text(id), l.name(order.LineID(k.line)), state, l.name(order.LineID(line)))
		case (k.state == "shared") != (state == "shared"):
			l.problem("key %s was %s and is %s: a code is no key of a pool", l.text(id), k.state, state)
		case k.state != "available" && state == k.state && line == k.line: // it is blocked
		case k.state == "revoked", k.state == "kept":
			l.problem("key %s was %s and came back", l.text(id), k.state)
		case k.state == "withdrawn":
			l.problem("key %s was taken out of sale and came back", l.text(id))
		case k.restocked && state == "claimed":
			l.w.count("restocked key sold again")
		}
		if k.shard != "" {
			delete(l.available[k.side], id)
			l.removed[k.side] = append(l.removed[k.side], time.Now())
		}
	}
	l.checkMark(k, before, after)
	l.codeChanged(k, after)
	k.state, k.shard, k.line, k.text = str(after, "state"), str(after, "shard"), str(after, "line"), str(after, "text")
	k.upload = str(after, "upload")
	owner, rest, _ := strings.Cut(id, "#")
	side, _, _ := strings.Cut(rest, "#")
	k.side = owner + "#" + str(after, "pool") + "#" + side
	if available := k.state == "available"; available != (k.shard != "") || available == (k.line != "") && k.state != "withdrawn" && k.state != "shared" {
		l.problem("key %s is %s, in shard %q, of line %q", l.text(id), k.state, k.shard, k.line)
	}
	if came := k.shard != ""; came && (before == nil || str(before, "shard") == "") || !came && k.state == "withdrawn" {
		l.keyEvents = append(l.keyEvents, keyEvent{key: id, available: came, at: time.Now()})
	}
	if k.shard != "" {
		if !strings.HasPrefix(k.shard, k.side+"#") {
			l.problem("key %s of %s stands in shard %s", l.text(id), k.side, k.shard)
		}
		if l.available[k.side] == nil {
			l.available[k.side] = map[string]*key{}
		}
		l.available[k.side][id] = k
	}
}

func (l *ledger) lineChanged(id order.LineID, after map[string]types.AttributeValue) {
	if after == nil {
		l.problem("%s was deleted", l.name(id))
		return
	}
	there := l.lines[id]
	if there == nil {
		there = &line{id: id, parts: map[string]map[string]string{}, storedAt: time.Now(), returnedKeys: map[string]bool{}, refunds: map[string]bool{}, matched: map[string]bool{}, released: map[string]bool{}}
		l.lines[id] = there
		l.linesOf[id.OrderHalf()] = append(l.linesOf[id.OrderHalf()], id)
	}
	if version := num(after, "version"); version != there.version+1 {
		l.problem("%s went from version %d to %d", l.name(id), there.version, version)
	}
	if product, quantity := str(after, "product"), num(after, "quantity"); there.version > 0 && !there.expected && (product != there.product || quantity != there.quantity) {
		l.problem("%s was paid as %d x %s and is now %d x %s", l.name(id), there.quantity, there.product, quantity, product)
	}
	there.put("line", keysIn(after))
	there.version, there.wanted, there.held, there.returnedCount = num(after, "version"), num(after, "wanted"), num(after, "allocated"), num(after, "returned")
	there.holds = textsIn(after, "holds")
	there.onHold = len(there.holds) > 0
	_, there.expected = after["expected"]
	_, there.ofParent = after["keysOfParent"]
	_, there.shared = after["sharedCode"]
	there.parent = ""
	if parent := str(after, "parent"); parent != "" {
		there.parent = orderIDOf(pool.Side(str(after, "side")), parent)
	}
	there.returnedUnits = num(after, "returnedUnits")
	_, there.returnedAll = after["returnedAll"]
	there.replaced = textsIn(after, "replaced")
	if there.paidSince.IsZero() && !there.expected {
		there.paidSince = time.Now()
	}
	there.paidAfter = map[string]bool{}
	for _, id := range textsIn(after, "paidAfter") {
		there.paidAfter[id] = true
	}
	there.product, there.currency, there.quantity = str(after, "product"), str(after, "currency"), num(after, "quantity")
	there.mail = str(after, "mail")
	there.side, there.customer, there.risk = str(after, "side"), str(after, "who")[strings.LastIndex(str(after, "who"), "#")+1:], str(after, "risk")
	there.address, there.former = strIn(after, "customer", "email"), textsIn(after, "former")
	_, there.erased = after["erasedAt"]
	_, there.shown = after["shownAt"]
	there.receivedAt, there.heldAt = time.UnixMilli(int64(num(after, "receivedAt"))), time.UnixMilli(int64(num(after, "heldAt")))
	if name := str(after, "order"); name != "" {
		there.name = "order " + name + ", line " + str(after, "line")
	}
	there.queue = "queue#" + str(after, "merchant") + "#" + str(after, "pool") + "#" + str(after, "side")
	if after["pool"] == nil {
		there.queue = "unconnected#" + str(after, "merchant") + "#" + str(after, "side") + "#" + there.product
	}
	there.sort = fmt.Sprintf("%013d#%s", num(after, "receivedAt"), id)
}

func (l *ledger) chunkChanged(id order.LineID, sk string, before, after map[string]types.AttributeValue) {
	keys := keysIn(after)
	switch there := l.lines[id]; {
	case there == nil:
		l.problem("%s has a chunk and does not exist", l.name(id))
		return
	case after == nil:
		l.w.count("chunk emptied and deleted")
	case len(keys) == 0:
		l.problem("a chunk of %s is empty", l.name(id))
	case before != nil:
		l.w.count("chunk written again")
	case len(there.parts) > 1 || len(there.parts) == 1 && there.parts["line"] == nil:
		l.w.count("second chunk of a line")
	}
	l.lines[id].put(sk, keys)
}

func (l *ledger) placeChanged(pk, sk string, after map[string]types.AttributeValue) {
	if after == nil {
		delete(l.queues[pk], sk)
		return
	}
	if l.queues[pk] == nil {
		l.queues[pk] = map[string]*place{}
	}
	_, id, _ := strings.Cut(sk, "#")
	since := time.Now()
	if there := l.queues[pk][sk]; there != nil {
		since = there.since
	}
	l.queues[pk][sk] = &place{line: order.LineID(id), missing: num(after, "missing"), since: since}
}

// check checks a line against the promise, after a commit that touched it.
func (l *ledger) check(c dynamosim.Commit, id order.LineID, before line) {
	now := l.lines[id]
	if now == nil {
		l.problem("a place in a queue names %s, which does not exist", l.name(id))
		return
	}
	if len(now.keys) != now.held {
		l.problem("%s says it holds %d keys and holds %d", l.name(id), now.held, len(now.keys))
	}
	if now.held > now.wanted {
		l.problem("%s holds %d keys and paid for %d", l.name(id), now.held, now.wanted)
	}
	if now.wanted > 0 && now.wanted != keysFor(now.product, now.quantity) {
		l.problem("%s paid for %d x %s and is due %d keys", l.name(id), now.quantity, now.product, now.wanted)
	}
	for k, text := range now.keys {
		switch sold := l.keys[k]; {
		case now.shared:
			l.checkCodeHeld(now, k, text)
		case sold == nil || sold.state != "claimed" || sold.line != string(id):
			l.problem("%s holds key %s, which is not sold to it", l.name(id), l.text(k))
		case sold.text != text:
			l.problem("%s holds key %s with another text", l.name(id), l.text(k))
		case "queue#"+sold.side != now.queue:
			l.problem("%s of %s holds key %s of %s", l.name(id), now.queue, l.text(k), sold.side)
		}
	}
	at := l.queues[now.queue][now.sort]
	switch {
	case now.waits() != (at != nil):
		l.problem("%s waits: %v; it stands in its queue: %v", l.name(id), now.waits(), at != nil)
	case at != nil && now.wanted > 0 && at.missing != now.missing():
		l.problem("%s misses %d keys, its queue says %d", l.name(id), now.missing(), at.missing)
	}
	if before.version > 0 && before.queue != now.queue && l.queues[before.queue][before.sort] != nil {
		l.problem("%s stands in two queues", l.name(id))
	}
	if before.version > 0 && before.wanted == 0 && now.wanted > 0 {
		l.w.count("line connected")
	}
	if before.version != now.version {
		l.checkReasons(c, id, before)
	}
	l.checkListed(now)
	now.past = append(now.past, moment{time.Now(), now.keys, now.mayLend(), !now.expected, now.due()})
	if now.ofParent && (now.held > 0 || now.wanted > 0) {
		l.problem("%s delivers the keys of its parent, and holds %d of its own and is due %d", l.name(id), now.held, now.wanted)
	}
	lost, asked := 0, l.askedOf(id, before)
	for _, k := range slices.Sorted(maps.Keys(before.keys)) {
		if _, holds := now.keys[k]; holds {
			continue
		}
		lost++
		now.returnedKeys[k] = true
		if before.shared {
			l.w.count("code given back")
			if !now.returned() {
				l.problem("%s lost its code, and is not returned", l.name(id))
			}
			continue
		}
		if l.released[k] != id {
			l.problem("%s does not hold key %s any more and did not give it back", l.name(id), l.text(k))
			continue
		}
		l.checkGivenBack(id, k, asked)
	}
	if before.version > 0 && before.surplus() > 0 && lost > 0 {
		l.w.count("keys taken back by a further change")
	}
	var gained []string
	for k := range now.keys {
		if _, had := before.keys[k]; !had {
			gained = append(gained, k)
		}
	}
	slices.Sort(gained)
	if now.shared && len(gained) > 0 {
		l.checkCode(c, now, gained)
		gained = nil
	}
	if before.version != now.version {
		l.versions = append(l.versions, version{line: id, number: now.version, paid: (before.version == 0 || before.expected) && !now.expected, held: now.held, gained: gained, at: time.Now()})
	}
	if before.version != now.version {
		l.checkRules(c, &before, now, len(gained), lost)
	}
	if len(gained) == 0 {
		return
	}
	switch {
	case before.version == 0, before.expected:
		l.checkNewcomer(c, now, len(gained))
	case lost > 0 && len(gained) <= lost: // a person replaces keys, even if other lines wait
		l.w.add("key replaced", len(gained))
	case !before.waits():
		l.problem("%s did not wait, and got %d keys", l.name(id), len(gained))
	case len(gained) > before.missing():
		l.problem("%s missed %d keys and got %d", l.name(id), before.missing(), len(gained))
	default:
		l.checkOrder(c, now)
	}
}

// checkOrder checks that a waiting line gets keys only while no older line waits, as far
// as fill could know: a line that entered the queue after fill had read it does not count.
func (l *ledger) checkOrder(c dynamosim.Commit, now *line) {
	l.checkAsRead(c, func(seen queueRead) string {
		for sk, at := range l.queues[now.queue] {
			if sk < now.sort && at.since.Before(seen.at) {
				return fmt.Sprintf("%s was served before %s, which came first", l.name(now.id), l.name(at.line))
			}
		}
		return ""
	})
}

// missing returns the number of keys that waiting lines miss, of the lines that a reader
// of the queue must have read: they were in the queue at that time, and still are.
func (l *ledger) missing(queue string, seen queueRead) (missing int) {
	for _, at := range l.queues[queue] {
		if at.since.Before(seen.at) {
			missing += at.missing
		}
	}
	return missing
}

// visible returns the largest number of keys of a pool side that a lagging index may have
// shown at that time: the keys that are available now, and those that were claimed, moved
// or withdrawn since.
func (l *ledger) visible(side string, seen queueRead) int {
	shown := len(l.available[side])
	for _, at := range l.removed[side] {
		if at.After(seen.at.Add(-l.w.plan.Conditions.IndexLag)) {
			shown++
		}
	}
	return shown
}

// checkNewcomer checks that a new line takes no key that a waiting line would get
// otherwise: a bypass was allowed, or there were more keys than the waiting lines and
// the new one need, which may have been given back in part before it was paid.
func (l *ledger) checkNewcomer(c dynamosim.Commit, now *line, took int) {
	how := ""
	l.checkAsRead(c, func(seen queueRead) string {
		missing := l.missing(now.queue, seen)
		shown := l.visible(strings.TrimPrefix(now.queue, "queue#"), seen)
		switch {
		case missing == 0:
		case seen.at.Before(seen.bypasses[now.queue].Add(l.w.plan.Conditions.ClockSkew)):
			how = "newcomer bypassed the queue while that was allowed"
		case shown > missing+now.missing()+took:
			how = "newcomer bypassed the queue, nobody lost by it"
		default:
			return fmt.Sprintf("%s took %d keys; %d were to be seen, and lines that waited before it miss %d", l.name(now.id), took, shown, missing)
		}
		return ""
	})
	if how != "" {
		l.w.count(how)
	}
}

// bypassChanged checks that a bypass is allowed only where there are many more keys
// than the queue misses, and for a few seconds.
func (l *ledger) bypassChanged(c dynamosim.Commit, queue string, until time.Time) {
	l.w.count("bypass of a queue allowed")
	l.bypasses[queue] = until
	l.checkAsRead(c, func(seen queueRead) string {
		missing := l.missing(queue, seen)
		shown := l.visible(strings.TrimPrefix(queue, "queue#"), seen)
		if shown < 2*missing+1000 {
			return fmt.Sprintf("a bypass of %s was allowed, where %d keys were to be seen and lines miss %d", queue, shown, missing)
		}
		return ""
	})
	if until.After(time.Now().Add(5*time.Second + l.w.plan.Conditions.ClockSkew)) {
		l.problem("a bypass of %s lasts until %s", queue, until)
	}
}

// settingsChanged records a change of a merchant, a pool or a product.
func (l *ledger) settingsChanged(pk, sk string, after map[string]types.AttributeValue) {
	if day, is := strings.CutPrefix(sk, "sold#"); is {
		l.review.sold[day] = num(after, "keys")
	}
	if !strings.HasPrefix(pk, "merchant#") && !strings.HasPrefix(pk, "settings#") {
		return
	}
	s := &l.catalog
	if sk == "merchant" {
		s.defaultPool = str(after, "defaultPool")
		s.setReturned("", after)
	}
	if name, ok := strings.CutPrefix(sk, "pool#"); ok {
		s.pools[name] = after != nil
	}
	if name, ok := strings.CutPrefix(sk, "product#"); ok {
		s.poolsOf[name] = map[string]string{"": str(after, "pool")}
		s.setReturned(name, after)
		l.review.setProduct(name, after)
		if by, ok := after["pools"].(*types.AttributeValueMemberM); ok {
			for currency := range by.Value {
				s.poolsOf[name][currency] = str(by.Value, currency)
			}
		}
	}
}

// str and num return the value of an attribute, "" and 0 if it is absent.
func str(item map[string]types.AttributeValue, name string) string {
	if s, ok := item[name].(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func num(item map[string]types.AttributeValue, name string) int {
	if n, ok := item[name].(*types.AttributeValueMemberN); ok {
		value, _ := strconv.Atoi(n.Value)
		return value
	}
	return 0
}

// keysIn returns the ID and the text of each key that a line or a chunk holds.
func keysIn(item map[string]types.AttributeValue) [][2]string {
	list, _ := item["keys"].(*types.AttributeValueMemberL)
	if list == nil {
		return nil
	}
	var keys [][2]string
	for _, element := range list.Value {
		k := element.(*types.AttributeValueMemberM).Value
		keys = append(keys, [2]string{str(k, "id"), str(k, "text")})
	}
	return keys
}

// strIn returns a text in a map of an item.
func strIn(item map[string]types.AttributeValue, of, name string) string {
	within, _ := item[of].(*types.AttributeValueMemberM)
	if within == nil {
		return ""
	}
	return str(within.Value, name)
}
