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

	"keypool/shared/delivery"
	"keypool/shared/dynamo/dynamosim"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// ledger watches every change of the tables, in the order they are made, and
// holds each against the promise. It knows the tables by their documentation
// alone and shares no code with those who write them.
type ledger struct {
	w *world

	mu        sync.Mutex
	keys      map[string]*key
	lines     map[order.LineID]*line
	queues    map[string]map[string]*place // partition -> sort key
	alerts    map[string]*alert
	passes    map[string]time.Time       // partition of a queue -> until
	gone      map[string][]time.Time     // pool side -> when keys left it
	shelf     map[string]map[string]*key // pool side -> its available keys
	looked    map[string]look            // who -> what was seen of the queues
	mails     map[delivery.Item]*mailed
	leased    map[leased]string // what a mail that was being sent is about
	notices   map[string]int
	due       map[string]time.Time // what a sweep is to look at, and when
	broken    []string
	versions  []version
	keyEvents []keyEvent
	uploads   map[string]*uploaded // by record
	made      map[string]bool      // pools that are there
	overtook  int                  // newcomers who took a key while others waited, rightly
	history   hash.Hash64          // of all commits: two runs of a plan are the same if it is
}

// uploaded is an upload's record.
type uploaded struct {
	file, state, cause string
	accepted           int
	lines              int
	outcomes           int
}

type key struct {
	id, side, shard, state, line, text string
}

// line is a fulfillment.
type line struct {
	id                           order.LineID
	version, wanted, held, given int
	onHold                       bool
	queue, sort                  string // where it stands if it waits
	product, orderName           string
	quantity                     int
	keys                         map[string]string // id -> text, chunks included
	mail                         string
	number                       int
}

func (l *line) missing() int { return l.wanted - l.given - l.held }

func (l *line) waits() bool {
	return !l.onHold && (l.wanted == 0 || l.given < l.wanted) && (l.wanted == 0 || l.missing() > 0)
}

// place is a line's place in a queue.
type place struct {
	line    order.LineID
	missing int
	since   time.Time // when it came into the queue
}

// look is what somebody's last look at a queue can have shown.
type look struct {
	at     time.Time
	passes map[string]time.Time
}

type alert struct {
	level string
	edge  int
	told  time.Time
}

// mailed is what went out about a line or a notice.
type mailed struct {
	accepted map[string]int // by kind: keys, patience, notice
	unmarked bool           // the last one is not known to have been written down
	refused  bool
}

// leased names a mail of a line.
type leased struct {
	line   order.LineID
	number int
}

// version is what a line's record came to be at one moment.
type version struct {
	line   order.LineID
	number int
	held   int
	gained []string // keys
	at     time.Time
}

func newLedger(w *world) *ledger {
	return &ledger{
		w: w, keys: map[string]*key{}, lines: map[order.LineID]*line{}, queues: map[string]map[string]*place{},
		alerts: map[string]*alert{}, passes: map[string]time.Time{}, gone: map[string][]time.Time{},
		shelf: map[string]map[string]*key{}, looked: map[string]look{}, mails: map[delivery.Item]*mailed{},
		notices: map[string]int{}, due: map[string]time.Time{}, uploads: map[string]*uploaded{}, made: map[string]bool{}, leased: map[leased]string{}, history: fnv.New64a(),
	}
}

// problem notes that the promise was broken.
func (l *ledger) problem(format string, args ...any) {
	l.broken = append(l.broken, fmt.Sprintf("%8.3f s  ", time.Since(l.w.began).Seconds())+fmt.Sprintf(format, args...))
}

// report is problem, for those who do not hold the lock.
func (l *ledger) report(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problem(format, args...)
}

// looks notes that somebody is about to read a queue: what was there by now is seen.
func (l *ledger) looks(who string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looked[who] = look{at: time.Now(), passes: maps.Clone(l.passes)}
}

// observe takes a commit in: first all of it, then what must hold after it.
func (l *ledger) observe(c dynamosim.Commit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	touched := map[order.LineID]bool{}
	before := map[order.LineID]line{}
	remember := func(id order.LineID) {
		if !touched[id] {
			touched[id] = true
			if there := l.lines[id]; there != nil {
				was := *there
				was.keys = maps.Clone(there.keys)
				before[id] = was
			}
		}
	}
	told := false
	for _, change := range c.Changes {
		pk, sk := str(change.Key, "pk"), str(change.Key, "sk")
		fmt.Fprintf(l.history, "%d %s %s %s %s %d\n", time.Since(l.w.began), c.Caller, change.Table, pk, sk, num(change.After, "version"))
		l.noteDue(change.Table+" "+pk+" "+sk, change.After)
		switch {
		case change.Table == l.w.tables.Keys:
			l.keyChanged(pk, change.Before, change.After)
		case change.Table == l.w.tables.Catalog && strings.HasPrefix(pk, "uploads#"):
			l.uploadChanged(pk+" "+sk, change.After)
		case change.Table == l.w.tables.Catalog:
			l.made[sk] = change.After != nil
		case strings.HasPrefix(sk, "line#"):
			id := order.LineID(strings.TrimPrefix(pk, "order#") + strings.TrimPrefix(sk, "line#"))
			remember(id)
			l.lineChanged(id, change.After)
		case strings.HasPrefix(sk, "keys#"):
			id, _, _ := strings.Cut(strings.TrimPrefix(sk, "keys#"), "#")
			line := order.LineID(strings.TrimPrefix(pk, "order#") + id)
			remember(line)
			l.chunkChanged(line, change.Before, change.After)
		case sk == "!pass":
			l.passes[pk] = time.UnixMilli(int64(num(change.After, "until")))
		case strings.HasPrefix(pk, "queue#"), strings.HasPrefix(pk, "unconnected#"):
			_, id, _ := strings.Cut(sk, "#")
			remember(order.LineID(id))
			l.placeChanged(pk, sk, change.After)
		case strings.HasPrefix(pk, "notice#"):
			told = told || change.Before == nil
			l.noticeChanged(strings.TrimPrefix(pk, "notice#"), change.Before, change.After)
		case strings.HasPrefix(pk, "alert#"):
			defer l.alertChanged(pk+sk, change.After, &told)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(touched)) {
		l.check(c, id, before[id])
	}
}

func (l *ledger) noteDue(name string, after map[string]types.AttributeValue) {
	if after["dueAt"] == nil {
		delete(l.due, name)
		return
	}
	l.due[name] = time.UnixMilli(int64(num(after, "dueAt")))
}

// keyChanged holds a key's life: available, then claimed for one line, for ever;
// or taken out of sale.
func (l *ledger) keyChanged(id string, before, after map[string]types.AttributeValue) {
	k := l.keys[id]
	switch {
	case after == nil:
		l.problem("key %s was deleted", id)
		return
	case before == nil:
		k = &key{id: id}
		l.keys[id] = k
	default:
		if str(after, "text") != k.text {
			l.problem("key %s has another text now", id)
		}
		if k.state == "claimed" && (str(after, "state") != "claimed" || str(after, "line") != k.line) {
			l.problem("key %s was sold to line %s and is now %s, line %s", id, k.line, str(after, "state"), str(after, "line"))
		}
		if k.state == "withdrawn" {
			l.problem("key %s was taken out of sale and came back", id)
		}
		if k.shard != "" {
			delete(l.shelf[k.side], id)
			l.gone[k.side] = append(l.gone[k.side], time.Now())
		}
	}
	k.state, k.shard, k.line, k.text = str(after, "state"), str(after, "shard"), str(after, "line"), str(after, "text")
	owner, rest, _ := strings.Cut(id, "#")
	side, _, _ := strings.Cut(rest, "#")
	k.side = owner + "#" + str(after, "pool") + "#" + side
	if available := k.state == "available"; available != (k.shard != "") || available == (k.line != "") && k.state != "withdrawn" {
		l.problem("key %s is %s, in shard %q, of line %q", id, k.state, k.shard, k.line)
	}
	if came := k.shard != ""; came && (before == nil || str(before, "shard") == "") || !came && k.state == "withdrawn" {
		l.keyEvents = append(l.keyEvents, keyEvent{key: id, there: came, at: time.Now()})
	}
	if k.shard != "" {
		if !strings.HasPrefix(k.shard, k.side+"#") {
			l.problem("key %s of %s stands in shard %s", id, k.side, k.shard)
		}
		if l.shelf[k.side] == nil {
			l.shelf[k.side] = map[string]*key{}
		}
		l.shelf[k.side][id] = k
	}
}

func (l *ledger) lineChanged(id order.LineID, after map[string]types.AttributeValue) {
	if after == nil {
		l.problem("line %s was deleted", id)
		return
	}
	there := l.lines[id]
	if there == nil {
		there = &line{id: id, keys: map[string]string{}}
		l.lines[id] = there
	}
	if version := num(after, "version"); version != there.version+1 {
		l.problem("line %s went from version %d to %d", id, there.version, version)
	}
	for _, k := range keysIn(after) {
		there.keys[k[0]] = k[1]
	}
	there.version, there.wanted, there.held, there.given = num(after, "version"), num(after, "wanted"), num(after, "held"), num(after, "returned")
	_, there.onHold = after["onHold"]
	there.product, there.orderName, there.quantity = str(after, "product"), str(after, "order"), num(after, "quantity")
	there.mail, there.number = str(after, "mail"), num(after, "mailNumber")
	if there.mail == "sending" {
		l.leased[leased{id, there.number}] = str(after, "mailKind")
	}
	there.queue = "queue#" + str(after, "merchant") + "#" + str(after, "pool") + "#" + str(after, "side")
	if after["pool"] == nil {
		there.queue = "unconnected#" + str(after, "merchant") + "#" + str(after, "side") + "#" + there.product
	}
	there.sort = fmt.Sprintf("%013d#%s", num(after, "receivedAt"), id)
	if there.mail != "due" && there.mail != "sending" {
		if m := l.mails[delivery.Item{Line: id}]; m != nil {
			m.unmarked = false
		}
	}
}

func (l *ledger) chunkChanged(id order.LineID, before, after map[string]types.AttributeValue) {
	if before != nil {
		l.problem("a chunk of line %s was written twice", id)
		return
	}
	for _, k := range keysIn(after) {
		l.lines[id].keys[k[0]] = k[1]
	}
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

// check holds a line against the promise, after a commit that touched it.
func (l *ledger) check(c dynamosim.Commit, id order.LineID, before line) {
	now := l.lines[id]
	if now == nil {
		l.problem("a place in a queue names line %s, which does not exist", id)
		return
	}
	if len(now.keys) != now.held {
		l.problem("line %s says it holds %d keys and holds %d", id, now.held, len(now.keys))
	}
	if now.held > now.wanted {
		l.problem("line %s holds %d keys and paid for %d", id, now.held, now.wanted)
	}
	for k, text := range now.keys {
		switch sold := l.keys[k]; {
		case sold == nil || sold.state != "claimed" || sold.line != string(id):
			l.problem("line %s holds key %s, which is not sold to it", id, k)
		case sold.text != text:
			l.problem("line %s holds key %s with another text", id, k)
		case "queue#"+sold.side != now.queue:
			l.problem("line %s of %s holds key %s of %s", id, now.queue, k, sold.side)
		}
	}
	at := l.queues[now.queue][now.sort]
	switch {
	case now.waits() != (at != nil):
		l.problem("line %s waits: %v; it stands in its queue: %v", id, now.waits(), at != nil)
	case at != nil && now.wanted > 0 && at.missing != now.missing():
		l.problem("line %s misses %d keys, its queue says %d", id, now.missing(), at.missing)
	}
	if before.version > 0 && before.queue != now.queue && l.queues[before.queue][before.sort] != nil {
		l.problem("line %s stands in two queues", id)
	}
	var gained []string
	for k := range now.keys {
		if _, had := before.keys[k]; !had {
			gained = append(gained, k)
		}
	}
	slices.Sort(gained)
	if before.version != now.version {
		l.versions = append(l.versions, version{line: id, number: now.version, held: now.held, gained: gained, at: time.Now()})
	}
	if len(gained) == 0 {
		return
	}
	if before.version == 0 {
		l.checkNewcomer(c, now, len(gained))
	} else {
		l.checkOrder(c, now)
	}
}

// checkOrder holds that a waiting line is given keys only when none that came
// before it waits: none, that is, that stood in the queue when fill looked.
func (l *ledger) checkOrder(c dynamosim.Commit, now *line) {
	look := l.looked[c.Caller]
	for sk, at := range l.queues[now.queue] {
		if sk < now.sort && at.since.Before(look.at) {
			l.problem("line %s was served before line %s, which came first", now.id, at.line)
		}
	}
}

// checkNewcomer holds that nobody who waits is passed for a key that he would
// otherwise get: there was a pass, or there were more keys than the lines miss
// that wait, as far as an index that lags could show.
func (l *ledger) checkNewcomer(c dynamosim.Commit, now *line, took int) {
	look := l.looked[c.Caller]
	missing := 0
	for _, at := range l.queues[now.queue] {
		if at.since.Before(look.at) && at.line != now.id {
			missing += at.missing
		}
	}
	if missing == 0 {
		return
	}
	l.overtook++
	skew := l.w.plan.Weather.Skew
	if until := later(look.passes[now.queue], l.passes[now.queue]); look.at.Before(until.Add(skew)) {
		return
	}
	side := strings.TrimPrefix(now.queue, "queue#")
	shown := len(l.shelf[side]) + took
	for _, at := range l.gone[side] {
		if at.After(look.at.Add(-l.w.plan.Weather.Lag)) {
			shown++
		}
	}
	if shown <= missing+now.wanted {
		l.problem("line %s took %d keys; %d were to be seen, and lines that waited before it miss %d", now.id, took, shown, missing)
	}
}

func (l *ledger) noticeChanged(id string, before, after map[string]types.AttributeValue) {
	if before == nil {
		l.notices[id]++
	}
	if state := str(after, "mail"); state != "due" && state != "sending" {
		if m := l.mails[delivery.Item{Notice: id}]; m != nil {
			m.unmarked = false
		}
	}
}

func (l *ledger) uploadChanged(name string, after map[string]types.AttributeValue) {
	u := &uploaded{file: str(after, "name"), state: str(after, "state"), cause: str(after, "cause"), lines: num(after, "lines")}
	if counts, ok := after["counts"].(*types.AttributeValueMemberM); ok {
		u.accepted = num(counts.Value, "accepted")
		for outcome := range counts.Value {
			u.outcomes += num(counts.Value, outcome)
		}
	}
	if was := l.uploads[name]; was != nil && was.state == "finished" && *was != *u {
		l.problem("upload %s changed after it was finished: %+v, %+v", name, *was, *u)
	}
	l.uploads[name] = u
}

// alertChanged holds that a merchant is told exactly when an alert says so: the
// notice is written with the edge, and no edge is told twice.
func (l *ledger) alertChanged(name string, after map[string]types.AttributeValue, told *bool) {
	was := l.alerts[name]
	if was == nil {
		was = &alert{}
	}
	now := &alert{level: str(after, "level"), edge: num(after, "edge"), told: time.UnixMilli(int64(num(after, "toldAt")))}
	l.alerts[name] = now
	if (now.edge > was.edge) != *told || now.edge > was.edge+1 || now.edge < was.edge {
		l.problem("alert %s went from edge %d to %d, a notice was written with it: %v", name, was.edge, now.edge, *told)
	}
	if !*told {
		return
	}
	if now.level == "" {
		l.problem("alert %s told that all is well", name)
	}
	// Again at the same level: after a day, or of lines that all came since.
	first := l.firstWaiting(strings.Replace(strings.Replace(name, "alert#", "queue#", 1), "alert#", "#", 1))
	if now.level == was.level && now.told.Before(was.told.Add(24*time.Hour)) && !first.After(was.told) {
		l.problem("alert %s told twice of what is %s, at %s and %s", name, now.level, was.told, now.told)
	}
}

// firstWaiting returns when the first line of a queue was received; the zero time
// if none waits.
func (l *ledger) firstWaiting(queue string) time.Time {
	if len(l.queues[queue]) == 0 {
		return time.Time{}
	}
	first, _, _ := strings.Cut(slices.Min(slices.Collect(maps.Keys(l.queues[queue]))), "#")
	ms, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		l.problem("%s holds a place of %q", queue, first)
	}
	return time.UnixMilli(ms)
}

// mailed takes in that the mail service took a mail.
func (l *ledger) mailed(who string, item delivery.Item, number int, m delivery.Mail) {
	l.mu.Lock()
	defer l.mu.Unlock()
	went := l.mails[item]
	if went == nil {
		went = &mailed{accepted: map[string]int{}}
		l.mails[item] = went
	}
	kind := "notice"
	if now := l.lines[item.Line]; now != nil {
		kind = l.leased[leased{item.Line, number}] // it may have been filled since
		whole := m.Text + attached(m)
		for _, text := range now.keys {
			if in := strings.Contains(whole, text); in != (kind == "keys") {
				l.problem("mail %d of line %s is about its %s and holds one of its keys: %v", number, item.Line, kind, in)
			}
		}
	}
	if went.accepted[kind] > 0 && !went.unmarked {
		l.problem("%s sent mail %d of %v, a second one about its %s, and the first was marked as sent", who, number, item, kind)
	}
	went.accepted[kind]++
	went.unmarked = true
}

func attached(m delivery.Mail) string {
	var all strings.Builder
	for _, a := range m.Attached {
		all.Write(a.Content)
	}
	return all.String()
}

// refused notes that the mail service will never take a mail.
func (l *ledger) refused(item delivery.Item) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mails[item] == nil {
		l.mails[item] = &mailed{accepted: map[string]int{}}
	}
	l.mails[item].refused = true
}

// available returns the keys that may be sold from a pool side now, by name.
func (l *ledger) available(p pool.ID) []key {
	l.mu.Lock()
	defer l.mu.Unlock()
	var keys []key
	for _, k := range l.shelf[p.Merchant+"#"+p.Pool+"#"+string(p.Side)] {
		keys = append(keys, *k)
	}
	slices.SortFunc(keys, func(a, b key) int { return cmp.Compare(a.id, b.id) })
	return keys
}

// str and num read an attribute as the tables hold it; "" and 0 if it is not there.
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

// keysIn returns identity and text of the keys that a line or a chunk holds.
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

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
