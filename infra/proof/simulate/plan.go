package simulate

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/review"
)

// Plan is a history: the actions of platforms, merchants and operators, and the faults
// under which they happen. It follows from its seed. A part of it can be removed: the
// remaining actions happen as before, unless they depend on a removed one.
type Plan struct {
	Seed       uint64
	Conditions Conditions
	Actions    []TimedAction

	// RecoveryRounds is the number of sweeps after the last action, each when the next work
	// is due, with the same faults: leases end, and interrupted uploads are resumed.
	RecoveryRounds int
}

// Conditions are the delays and the faults of a history. Rates are from 0 to 1.
type Conditions struct {
	IndexLag        time.Duration // the most by which an index lags
	Latency         time.Duration // the most that a call takes; one in fifty takes up to ten times that
	TransactionTime time.Duration // the longest that a transaction holds its items
	ReadTime        time.Duration // the longest pause of a read between two items
	ClockSkew       time.Duration // the most by which two clocks differ
	Shards          int           // index partitions of each pool side
	PartitionWrites float64       // write units a second of a partition; 0: no limit

	CallFaults        float64 // of calls that meet a fault
	ProcessDeaths     float64 // of processes that die
	MailFaults        float64 // of mails that SES refuses or throttles, or whose answer is lost
	MailsFollowed     float64 // of orders that mails to the merchant lead to
	LostMessages      float64 // of messages and records that are never delivered
	DuplicateMessages float64 // of messages and records that are delivered again
}

func (c Conditions) String() string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if c.IndexLag > 0 {
		add("indexes lag up to %s", c.IndexLag)
	}
	if c.TransactionTime > 0 {
		add("transactions hold their items up to %s", c.TransactionTime)
	}
	if c.ReadTime > 0 {
		add("reads stop halfway up to %s", c.ReadTime)
	}
	if c.ClockSkew > 0 {
		add("clocks are up to %s apart", c.ClockSkew)
	}
	if c.PartitionWrites > 0 {
		add("a partition takes %.0f write units a second", c.PartitionWrites)
	}
	for _, rate := range []struct {
		of    float64
		words string
	}{
		{c.CallFaults, "of calls meet a fault"},
		{c.ProcessDeaths, "of processes die, if they live long enough"},
		{c.MailFaults, "of mails meet a fault of SES"},
		{c.MailsFollowed, "of orders that mails lead to are decided"},
		{c.LostMessages, "of messages and records are lost"},
		{c.DuplicateMessages, "of them are duplicated"},
	} {
		if rate.of > 0 {
			add("%.1f %% %s", 100*rate.of, rate.words)
		}
	}
	return strings.Join(append(parts, fmt.Sprintf("calls take up to %s, %d shards", c.Latency, c.Shards)), "; ")
}

// TimedAction is an action and its time since the start.
type TimedAction struct {
	At     time.Duration
	Action action
}

func (a TimedAction) String() string { return fmt.Sprintf("%8.3f s  %s", a.At.Seconds(), a.Action) }

// The one merchant of the world, its pools and products. The product dlc has no pool
// at first, late names a pool that is made later, and abroad has a pool for one
// currency only.
const merchant = "nova"

// salt is the merchant's, for the hashes of keys.
var salt = []byte("the salt of a simulated merchant")

var (
	poolNames = []string{"elden", "ring"}
	latePools = []string{"souls", "sekiro", "nioh", "lies"} // made during a history: their files are parked until then
	products  = map[string]catalog.Product{
		"game":   {Pool: "elden", ReturnedKeys: order.Restock, Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}},
		"pack":   {Pool: "ring", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 2}},
		"pass":   {Pool: "ring", ReturnedKeys: order.Keep, Keys: catalog.KeyRule{Mode: catalog.PerLine, Count: 3}},
		"dlc":    {Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}},
		"late":   {Pool: latePools[0], Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}},
		"club":   {Pool: "elden", Renewal: catalog.ParentKey, Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}},
		"demo":   {Keys: catalog.KeyRule{Mode: catalog.Shared, Count: 1}}, // its orders get a code, once one is set
		"abroad": {PoolsByCurrency: map[string]string{"USD": "ring"}, Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}},
	}
	productNames = []string{"game", "game", "game", "game", "pack", "pass", "dlc", "late", "abroad", "club", "club", "demo"}
)

// keysFor returns the number of keys of a line, by the rules above, which never change.
func keysFor(product string, quantity int) int {
	rule := products[product].Keys
	if rule.Mode != catalog.PerUnit {
		return rule.Count
	}
	return rule.Count * quantity
}

// NewPlan makes a random history of some length. Each seed chooses its own conditions:
// with all faults at once, the rare combinations of two would be rarer.
func NewPlan(seed uint64, length int) Plan {
	m := planner{rng: rand.New(rand.NewPCG(seed, 0x6b657973)), missingPools: latePools[1:]}
	m.fewKeys = m.oneIn(2)
	m.reviewed, m.early, m.nowhere = m.oneIn(2), m.oneIn(4), m.oneIn(4)
	plan := Plan{Seed: seed, Conditions: m.conditions()}
	if m.reviewed {
		plan.Conditions.MailsFollowed = 0.3 + 0.7*m.rng.Float64()
	}
	m.throttled = plan.Conditions.PartitionWrites > 0
	m.manyKeys = !m.fewKeys && !m.throttled && m.oneIn(2)
	plan.RecoveryRounds = m.rng.IntN(13)
	span := m.between(20*time.Second, 10*time.Minute)
	plan.Actions = append(plan.Actions, TimedAction{0, m.upload("elden")}, TimedAction{0, m.upload("ring")})
	if m.reviewed {
		plan.Actions = append(plan.Actions, TimedAction{0, m.setRules("")})
	}
	if m.oneIn(2) {
		plan.Actions = append(plan.Actions, TimedAction{0, setCode{side: pool.Live, number: 1, serial: m.next()}})
	}
	if m.manyKeys { // while there are enough for them
		for range 3 {
			p, paidAt := m.order(), m.between(3*time.Second, 15*time.Second)
			p.lines = []paidLine{{"1", "game", 2*order.MaxKeys + 1 + m.rng.IntN(order.MaxKeys)}}
			m.orders[len(m.orders)-1] = p
			plan.Actions = append(append(plan.Actions, TimedAction{paidAt, p}), m.returnedAndHeld(p, p.lines[0], paidAt)...)
		}
	}
	for range length {
		at, action := m.between(time.Second, span), m.action()
		if p, ok := action.(payOrder); ok && m.nowhere && !p.changed && m.oneIn(15) {
			p.nowhere = true
			action = p
			if !m.oneIn(4) {
				plan.Actions = append(plan.Actions, TimedAction{at + m.delay(), m.again(p)})
			}
		}
		if _, ok := pressed(action); ok && m.oneIn(2) { // while the pools still have keys
			at = m.between(2*time.Second, 20*time.Second)
		}
		plan.Actions = append(plan.Actions, TimedAction{at, action})
		if p, ok := action.(payOrder); ok && m.oneIn(10) { // concurrent with its first call
			plan.Actions = append(plan.Actions, TimedAction{at + m.between(0, 50*time.Millisecond), m.changedRepeat(p)})
		}
		if f, ok := action.(fulfilByHand); ok && m.oneIn(2) {
			plan.Actions = append(plan.Actions, m.changes(f.payOrder, at)...)
		}
		if p, ok := action.(payOrder); ok && m.oneIn(2) {
			plan.Actions = append(plan.Actions, m.changes(p, at)...)
		}
		// A merchant drops several files for a pool and makes it afterwards. A failed call
		// then leaves parked files to the sweep.
		if len(m.missingPools) > 0 && m.oneIn(3) {
			late := m.missingPools[0]
			m.missingPools = m.missingPools[1:]
			for range 3 + m.rng.IntN(6) {
				plan.Actions = append(plan.Actions, TimedAction{at + m.between(0, time.Second), m.file(late, 1+m.rng.IntN(5), false)})
			}
			plan.Actions = append(plan.Actions, TimedAction{at + m.between(3*time.Second, time.Minute), makePool{pool: late, serial: m.next()}})
		}
		// Orders come in bursts now and then, and for keys that are withdrawn or moved.
		from, leaves := pressed(action)
		if leaves || m.oneIn(20) || m.manyKeys && m.oneIn(6) {
			m.inDemand = map[string]string{"elden": "game", "ring": "pack"}[from]
			for range 5 + m.rng.IntN(30) {
				p := m.order()
				paidAt := at + m.between(0, 300*time.Millisecond)
				plan.Actions = append(plan.Actions, TimedAction{paidAt, p})
				if m.oneIn(4) {
					plan.Actions = append(plan.Actions, m.changes(p, paidAt)...)
				}
			}
			m.inDemand = ""
		}
	}
	slices.SortStableFunc(plan.Actions, func(a, b TimedAction) int { return cmp.Compare(a.At, b.At) })
	return plan
}

// pressed returns the pool whose keys an action takes away, false if it takes none.
func pressed(a action) (string, bool) {
	switch a := a.(type) {
	case moveKeys:
		return a.from, true
	case withdrawUpload:
		return a.pool, true
	default:
		return "", false
	}
}

// planner makes random plans.
type planner struct {
	rng          *rand.Rand
	fewKeys      bool     // few keys for many orders: lines wait
	throttled    bool     // partitions take few writes: too few for a thousand keys
	manyKeys     bool     // thousands of keys, and large orders: lines wait although there are many keys
	reviewed     bool     // the merchant has rules of review
	early        bool     // some orders were paid before the account delivers
	nowhere      bool     // some orders come without an address first
	inDemand     string   // the product of a burst of orders
	missingPools []string // later pools that no action makes yet
	orders       []payOrder
	unpaid       []payOrder // changed before they are paid
	uploads      []dropFile
	serial       int
}

func (m *planner) oneIn(in int) bool { return m.rng.IntN(in) == 0 }

func (m *planner) between(least, most time.Duration) time.Duration {
	return least + time.Duration(m.rng.Int64N(int64(most-least)+1))
}

// delay returns a delay after an order: the mail may be sent by then or not.
func (m *planner) delay() time.Duration {
	return m.between(0, []time.Duration{100 * time.Millisecond, time.Second, 10 * time.Minute}[m.rng.IntN(3)])
}

func (m *planner) conditions() Conditions {
	w := Conditions{Latency: m.between(time.Millisecond, 20*time.Millisecond), Shards: []int{1, 2, 4, 16}[m.rng.IntN(4)]}
	some := func(most float64) float64 {
		if m.oneIn(2) {
			return 0
		}
		return most * m.rng.Float64()
	}
	if !m.oneIn(4) {
		w.IndexLag = m.between(0, 500*time.Millisecond)
	}
	if !m.oneIn(3) {
		w.TransactionTime = m.between(0, 20*time.Millisecond)
	}
	if !m.oneIn(3) {
		w.ReadTime = m.between(0, 20*time.Millisecond)
	}
	if !m.oneIn(3) {
		w.ClockSkew = 2 * time.Second
	}
	if m.oneIn(3) {
		w.PartitionWrites = 10 + 60*m.rng.Float64()
	}
	w.CallFaults, w.ProcessDeaths, w.MailFaults = some(0.10), some(0.50), some(0.30)
	w.LostMessages, w.DuplicateMessages = some(0.10), some(0.20)
	return w
}

func (m *planner) action() action {
	if len(m.unpaid) > 0 && m.oneIn(2) {
		p := m.unpaid[0]
		m.unpaid = m.unpaid[1:]
		m.orders = append(m.orders, p)
		return p
	}
	switch {
	case m.reviewed && m.oneIn(4):
		return m.review()
	case m.oneIn(20):
		return m.byHand()
	case m.early && m.oneIn(40):
		return setDeliversFrom{}
	case m.oneIn(25):
		return m.code()
	}
	switch roll := m.rng.IntN(100); {
	case roll < 56:
		return m.order()
	case roll < 62:
		return m.renewal()
	case roll < 66:
		return m.repeat()
	case roll < 80:
		return m.upload(append(poolNames, latePools[0])[m.rng.IntN(3)])
	case roll < 83:
		return m.lineChange()
	case roll < 90:
		from := m.rng.IntN(2)
		if m.oneIn(4) {
			return withdrawUpload{pool: poolNames[from], cancels: m.oneIn(5), chance: m.rng.Uint64(), serial: m.next()}
		}
		if m.oneIn(4) {
			return m.block()
		}
		move := moveKeys{keys: 1 + m.rng.IntN(30), from: poolNames[from], to: poolNames[1-from], cancels: m.oneIn(5), chance: m.rng.Uint64(), serial: m.next()}
		if m.oneIn(4) {
			move.keys = 0
		}
		return move
	case roll < 92:
		return connectProduct{product: "dlc", pool: []string{"", "elden", "ring"}[m.rng.IntN(3)], serial: m.next()}
	case roll < 93:
		return setDefaultPool{pool: []string{"", "elden", "ring"}[m.rng.IntN(3)], serial: m.next()}
	case roll < 94:
		return connectProduct{product: "game", pool: m.anyPool(), serial: m.next()}
	case roll < 96:
		return makePool{pool: latePools[0], serial: m.next()}
	case roll < 97:
		return startSweep{serial: m.next()}
	case roll < 98:
		return setReturnedKeys{
			product: []string{"game", "pack", "dlc"}[m.rng.IntN(3)],
			to:      []order.Disposition{"", order.Revoke, order.Restock, order.Keep}[m.rng.IntN(4)], serial: m.next(),
		}
	default:
		return startStockCheck{serial: m.next()}
	}
}

// code sets another code of a product, or the one it had before, takes it off sale, or blocks it.
func (m *planner) code() action {
	c := setCode{side: pool.SideOf(m.oneIn(4)), number: 1 + m.rng.IntN(4), serial: m.next()}
	switch m.rng.IntN(6) {
	case 0:
		return blockKeys{texts: []string{c.text()}, serial: c.serial}
	case 1:
		c.number = 0
	}
	return c
}

func (m *planner) next() int { m.serial++; return m.serial }

func (m *planner) anyPool() string { return poolNames[m.rng.IntN(len(poolNames))] }

// lineChange changes a line of an earlier order.
func (m *planner) lineChange() action {
	if len(m.orders) == 0 || m.oneIn(3) {
		return m.changeBeforePayment()
	}
	return m.changeOf(m.orders[m.rng.IntN(len(m.orders))])
}

// changeBeforePayment changes an order that is paid later, or never.
func (m *planner) changeBeforePayment() action {
	p := m.order()
	m.orders = m.orders[:len(m.orders)-1] // nobody repeats it before it is paid
	p.order = fmt.Sprint("early-", m.next())
	m.unpaid = append(m.unpaid, p)
	return m.changeOf(p)
}

// changes are what becomes of an order after it was paid at a time: mostly one change, and
// sometimes many at once, of all kinds.
func (m *planner) changes(p payOrder, paidAt time.Duration) (all []TimedAction) {
	at, count := paidAt+m.delay(), 1
	if m.oneIn(4) {
		count = 3 + m.rng.IntN(5)
	}
	within := []time.Duration{50 * time.Millisecond, time.Second, time.Minute}[m.rng.IntN(3)]
	for range count {
		all = append(all, TimedAction{at + m.between(0, within), m.changeOf(p)})
	}
	for _, change := range slices.Clone(all) {
		if r, is := change.Action.(reportOrder); is && r.kind == "open" && !m.oneIn(4) {
			all = append(all, m.dropped(change.At, r, p)...)
		}
	}
	if large := p.largestLine(); keysFor(large.product, large.quantity) > 2*order.MaxKeys {
		all = append(all, m.returnedAndHeld(p, large, paidAt)...)
	}
	if m.reviewed && !p.hand && m.oneIn(3) {
		all = append(all, TimedAction{at + m.between(0, within), m.assessed(p)})
	}
	if m.oneIn(3) {
		all = append(all, TimedAction{at + m.between(0, within), showKeys{of: p, times: 1 + m.rng.IntN(2), serial: m.next()}})
	}
	if m.oneIn(3) {
		all = append(all, m.shownAndReturned(p, paidAt)...)
	}
	if !p.hand && m.oneIn(5) {
		all = append(all, TimedAction{at + within + m.between(0, within), m.again(p)})
	}
	for _, line := range p.lines {
		if products[line.product].Pool == "" && line.product != "demo" && m.oneIn(2) { // it is connected in the middle of them
			all = append(all, TimedAction{at + m.between(0, within), m.connection(line.product)})
		}
	}
	return all
}

// dropped is a dispute that its platform does not end, as it seems: people drop it, at about
// the time when something else happens to the order, or later. Sometimes it ends after all.
func (m *planner) dropped(openedAt time.Duration, opened reportOrder, p payOrder) (all []TimedAction) {
	within := []time.Duration{50 * time.Millisecond, time.Second, time.Minute, time.Hour}[m.rng.IntN(4)]
	at := openedAt + m.between(0, within)
	all = append(all, TimedAction{at, dropDisputes{of: p, seen: m.oneIn(2), serial: m.next()}})
	if m.oneIn(3) {
		all = append(all, TimedAction{at + m.between(0, within), changeLine{kind: held, of: p, line: p.lines[m.rng.IntN(len(p.lines))].id, serial: m.next(), times: 1}})
	}
	if m.oneIn(2) {
		end := opened
		end.kind, end.serial = []string{"won", "lost", "open"}[m.rng.IntN(3)], m.next()
		all = append(all, TimedAction{at + m.between(0, within), end})
	}
	return all
}

// returnedAndHeld is a return of so many keys that several transactions take them back, of a
// line that people hold, or release, meanwhile: each takes keys back as well.
func (m *planner) returnedAndHeld(p payOrder, large paidLine, paidAt time.Duration) []TimedAction {
	back := changeLine{kind: returnedUnits, of: p, line: large.id, units: large.quantity - 1 - m.rng.IntN(3), cutOff: m.oneIn(2), serial: m.next(), times: 1 + m.rng.IntN(2)}
	if m.oneIn(4) {
		back.kind, back.units = returnedLine, 0
	}
	at := paidAt + m.between(6*time.Second, time.Minute)
	all := []TimedAction{
		{paidAt + m.between(500*time.Millisecond, 5*time.Second), changeLine{kind: released, of: p, line: large.id, serial: m.next(), times: 1}}, // from the cap
		{at, back},
	}
	within := []time.Duration{300 * time.Millisecond, time.Second, time.Minute}[m.rng.IntN(3)]
	for range 1 + m.rng.IntN(4) {
		kind := []string{held, held, released}[m.rng.IntN(3)]
		all = append(all, TimedAction{at + m.between(0, within), changeLine{kind: kind, of: p, line: large.id, serial: m.next(), times: 1}})
	}
	return all
}

// shownAndReturned are the keys of an order that its page shows at about the time when its mail is
// due, and that go back right after that.
func (m *planner) shownAndReturned(p payOrder, paidAt time.Duration) []TimedAction {
	at := paidAt + m.between(0, 200*time.Millisecond)
	return []TimedAction{
		{at, showKeys{of: p, times: 1, soon: true, serial: m.next()}},
		{at + m.between(0, 200*time.Millisecond), changeLine{kind: returnedLine, of: p, line: p.lines[m.rng.IntN(len(p.lines))].id, keysTo: order.Restock, serial: m.next(), times: 1}},
	}
}

// connection gives a product a pool that may have none.
func (m *planner) connection(product string) action {
	if product == "abroad" {
		return setDefaultPool{pool: m.anyPool(), serial: m.next()}
	}
	return connectProduct{product: product, pool: m.anyPool(), serial: m.next()}
}

func (m *planner) changeOf(p payOrder) action {
	if m.reviewed && m.oneIn(4) {
		return m.decisionOf(p)
	}
	if !p.hand && m.oneIn(3) {
		return m.reportOf(p)
	}
	h := changeLine{
		kind: []string{returnedLine, returnedUnits, returnedUnits, held, held, released, released, replaced, sentAgain, cancelled, erased, erased}[m.rng.IntN(12)],
		of:   p, line: p.lines[m.rng.IntN(len(p.lines))].id, seen: m.oneIn(3), serial: m.next(), times: 1,
	}
	if h.kind == sentAgain && h.serial%2 == 0 && p.line(h.line).product != "club" { // a renewal is the same customer's by its address
		h.kind, h.times = corrected, 1+h.serial/2%2
	}
	if h.kind == erased && p.line(h.line).product == "club" { // as above
		h.kind = held
	}
	if large := p.largestLine(); keysFor(large.product, large.quantity) > order.InlineKeys && m.oneIn(2) { // often: its chunks are written again or emptied
		h.line, h.kind = large.id, []string{returnedLine, returnedUnits, replaced}[m.rng.IntN(3)]
	}
	if h.returns() {
		h.keysTo = []order.Disposition{"", order.Revoke, order.Restock, order.Restock, order.Keep}[m.rng.IntN(5)]
		h.times = 1 + m.rng.IntN(3)
	}
	if h.kind == returnedUnits {
		h.units = m.someUnits(p.line(h.line))
	}
	return h
}

// review is what the merchant's people do about orders that somebody looks at first.
func (m *planner) review() action {
	switch roll := m.rng.IntN(10); {
	case roll < 3:
		return m.setRules("")
	case roll < 4:
		return m.setRules([]string{"game", "pack", "dlc", "club"}[m.rng.IntN(4)])
	case roll < 7:
		return turnBrake{[]review.Verdict{review.SetBrake, review.ReleaseBrake}[m.rng.IntN(2)], m.next()}
	case roll < 8:
		return decideAll{m.verdict(), pool.SideOf(m.oneIn(6)), m.next()}
	case len(m.orders) > 0:
		return m.decisionOf(m.orders[m.rng.IntN(len(m.orders))])
	}
	return turnBrake{review.ReleaseBrake, m.next()}
}

func (m *planner) verdict() review.Verdict {
	return []review.Verdict{review.Release, review.Release, review.Reject}[m.rng.IntN(3)]
}

func (m *planner) decisionOf(p payOrder) action {
	return decideLine{verdict: m.verdict(), of: p, line: p.lines[m.rng.IntN(len(p.lines))].id, seen: m.oneIn(3), serial: m.next()}
}

// setRules sets rules of any kind, and sometimes of several.
func (m *planner) setRules(product string) action {
	s := setRules{product: product, serial: m.next(), rules: &catalog.Rules{MaxKeys: 100_000}}
	if product != "" && m.oneIn(3) {
		s.rules = nil
		return s
	}
	s.itself = product == "" && m.oneIn(2)
	for range 1 + m.rng.IntN(2) {
		switch m.rng.IntN(8) {
		case 0:
			s.rules.Always = true
		case 1:
			s.rules.Risk = true
		case 2, 3:
			s.rules.Above = map[string]string{"EUR": []string{"25.00", "100", "500.5"}[m.rng.IntN(3)]}
		case 4, 5:
			s.rules.MaxKeys = []int{0, 10, 60}[m.rng.IntN(3)]
		case 6:
			s.rules.MaxOrders = 1 + m.rng.IntN(3)
		default: // any order passes
		}
	}
	return s
}

// assessed is an order whose platform says only now how risky it is.
func (m *planner) assessed(p payOrder) payOrder {
	p.risk = []string{"elevated", "highest", "normal"}[m.rng.IntN(3)]
	p.times, p.serial, p.assessed, p.unheard = 1+m.rng.IntN(2), m.next(), true, m.oneIn(4)
	return p
}

// again is an order that is paid once more.
func (m *planner) again(p payOrder) payOrder {
	p.times, p.serial, p.unheard, p.nowhere = 1, m.next(), false, false
	return p
}

// someUnits are a part of the line's units, and sometimes nearly all.
func (m *planner) someUnits(l paidLine) int {
	if l.quantity > 1 && m.oneIn(3) {
		return l.quantity - 1
	}
	return 1 + m.rng.IntN(l.quantity)
}

// reportOf is what the platform reports of the order. An order has three refunds and three
// disputes at most, so that the reports of each meet.
func (m *planner) reportOf(p payOrder) action {
	r := reportOrder{
		kind:  []string{orderReturned, linesReturned, linesReturned, amountBack, amountBack, refundFailed, "open", "open", "open", "won", "won", "lost"}[m.rng.IntN(12)],
		order: p.order, side: p.side, unknown: m.oneIn(8),
		id: fmt.Sprint(1 + m.rng.IntN(3)), times: 1 + m.rng.IntN(2), serial: m.next(),
	}
	r.unheard = r.times == 1 && m.oneIn(6)
	if r.times > 1 {
		r.apart = m.between(0, []time.Duration{0, time.Second, 5 * time.Minute}[m.rng.IntN(3)])
	}
	switch r.kind {
	case linesReturned:
		r.id = fmt.Sprint("lines ", r.serial)
		r.units = map[string]int{}
		for _, line := range p.lines {
			switch m.rng.IntN(3) {
			case 0:
				r.units[line.id] = 0
			case 1:
				r.units[line.id] = m.someUnits(line)
			}
		}
		if len(r.units) == 0 {
			r.units[p.lines[0].id] = m.someUnits(p.lines[0])
		}
	case amountBack:
		if p.split { // nobody knows of the order's other lines
			r.kind = orderReturned
			break
		}
		r.id, r.currency = fmt.Sprint("amount ", r.serial), p.currency
		line := p.lines[m.rng.IntN(len(p.lines))]
		switch m.rng.IntN(4) {
		case 0:
			r.amount = 333
		case 1:
			for _, line := range p.lines {
				r.amount += line.price()
			}
		default:
			r.amount = m.someUnits(line) * unitPrices[line.product]
		}
	}
	return r
}

func (p payOrder) line(id string) paidLine {
	return p.lines[slices.IndexFunc(p.lines, func(l paidLine) bool { return l.id == id })]
}

// largestLine is the line of the order that is due the most keys.
func (p payOrder) largestLine() paidLine {
	return slices.MaxFunc(p.lines, func(a, b paidLine) int {
		return cmp.Compare(keysFor(a.product, a.quantity), keysFor(b.product, b.quantity))
	})
}

func (m *planner) order() payOrder {
	p := payOrder{order: fmt.Sprint(len(m.orders) + 1), side: pool.SideOf(m.oneIn(15)), currency: "EUR", times: 1}
	if m.oneIn(4) {
		p.currency = "USD"
	}
	if m.oneIn(3) {
		p.times = 2 + m.rng.IntN(4)
		p.apart = m.between(0, []time.Duration{0, 5 * time.Millisecond, time.Second, time.Minute}[m.rng.IntN(4)])
	}
	p.unheard = p.times == 1 && m.oneIn(12)
	for n := range 1 + m.rng.IntN(3)*m.rng.IntN(2) {
		quantity := 1
		switch roll := m.rng.IntN(40); {
		case roll == 0, m.manyKeys && roll < 5:
			quantity = 90 + m.rng.IntN(161) // more than one transaction allocates
		case roll < 7:
			quantity = 27 + m.rng.IntN(63)
		case roll < 15:
			quantity = 2 + m.rng.IntN(25)
		}
		product := productNames[m.rng.IntN(len(productNames))]
		if m.inDemand != "" {
			product = m.inDemand
		}
		p.lines = append(p.lines, paidLine{id: fmt.Sprint(n + 1), product: product, quantity: quantity})
	}
	p.customer, p.early = "ada", m.early && m.oneIn(5)
	if m.reviewed {
		p.customer = []string{"ada", "bob", "eve"}[m.rng.IntN(3)]
		if p.split = len(p.lines) > 1 && m.oneIn(3); p.split && m.oneIn(2) {
			for i := range p.lines {
				p.lines[i].quantity = 7 + m.rng.IntN(40)
			}
		}
		if m.oneIn(3) {
			p.risk = slices.Sorted(maps.Keys(risks))[m.rng.IntN(len(risks))]
		}
	}
	m.orders = append(m.orders, p)
	return p
}

// byHand is an order that a person fulfils, mostly under a number of its own.
func (m *planner) byHand() action {
	f := fulfilByHand{payOrder: m.order()}
	m.orders = m.orders[:len(m.orders)-1] // no platform knows it
	f.hand, f.early, f.split, f.unheard, f.risk = true, false, false, false, ""
	f.order = fmt.Sprint("hand-", m.next())
	if len(m.orders) > 0 && m.oneIn(4) {
		f.order, f.side = m.orders[m.rng.IntN(len(m.orders))].order, pool.Live
	}
	for _, line := range f.lines {
		f.keys += keysFor(line.product, line.quantity)
	}
	switch m.rng.IntN(4) {
	case 0:
		f.keys = 0
	case 1:
		f.keys += m.rng.IntN(2)
	}
	f.serial = m.next()
	return f
}

// renewal is an order that renews an earlier one, one that is paid later, or one that
// never is; mostly of a product that delivers the keys of the order it renews.
func (m *planner) renewal() action {
	renewed := payOrder{order: fmt.Sprint(len(m.orders) + 1 + m.rng.IntN(4)), lines: []paidLine{{"1", "club", 1}}}
	if clubs := slices.DeleteFunc(slices.Clone(m.orders), func(p payOrder) bool { return !p.sells("club") }); len(clubs) > 0 && !m.oneIn(5) {
		renewed = clubs[m.rng.IntN(len(clubs))]
	} else if len(m.orders) > 0 && m.oneIn(2) {
		renewed = m.orders[m.rng.IntN(len(m.orders))]
	}
	p := m.order()
	p.parent, p.side = renewed.order, renewed.side
	if renewed.customer != "" && !m.oneIn(6) {
		p.customer = renewed.customer
	}
	if p.side == "" {
		p.side = pool.Live
	}
	p.lines = []paidLine{renewed.lines[m.rng.IntN(len(renewed.lines))]}
	m.orders[len(m.orders)-1] = p
	return p
}

func (p payOrder) sells(product string) bool {
	return slices.ContainsFunc(p.lines, func(l paidLine) bool { return l.product == product })
}

// repeat reports an earlier order again, with the same content or another.
func (m *planner) repeat() action {
	if len(m.orders) == 0 {
		return m.order()
	}
	p := m.orders[m.rng.IntN(len(m.orders))]
	switch m.rng.IntN(4) {
	case 0, 1:
		return m.changedRepeat(p)
	case 2: // a test of the shop may have the number of an order
		p.side = pool.SideOf(p.side == pool.Live)
	}
	return m.again(p)
}

// changedRepeat reports the order again, with other content in its first line.
func (m *planner) changedRepeat(p payOrder) payOrder {
	p.times, p.serial, p.changed, p.unheard = 1, m.next(), true, false
	p.lines = slices.Clone(p.lines)
	first := &p.lines[0]
	if was := first.product; m.oneIn(2) {
		for first.product == was {
			first.product = productNames[m.rng.IntN(len(productNames))]
		}
	} else {
		first.quantity++
	}
	return p
}

// keyText returns the text of a key. All have one length, so that none is a prefix of
// another, and one form, by which they are found in a mail.
func keyText(file, n int) string { return fmt.Sprintf("K%04d-%04d", file, n) }

var keyForm = regexp.MustCompile(`K\d{4}-\d{4}x*`)

// block blocks some keys of files that were dropped, and some of the next two files.
func (m *planner) block() action {
	b := blockKeys{serial: m.next()}
	for range 1 + m.rng.IntN(12) {
		if len(m.uploads) > 0 && !m.oneIn(3) {
			u := m.uploads[m.rng.IntN(len(m.uploads))]
			if text := u.lines[m.rng.IntN(len(u.lines))]; strings.HasPrefix(text, "K") {
				b.texts = append(b.texts, text)
				continue
			}
		}
		b.texts = append(b.texts, keyText(len(m.uploads)+1+m.rng.IntN(2), m.rng.IntN(20)))
	}
	return b
}

// upload is a key file of any size.
func (m *planner) upload(to string) action {
	keys := 1 + m.rng.IntN(60)
	if m.oneIn(4) {
		keys = 100 + m.rng.IntN(400)
	}
	if m.fewKeys {
		keys = 1 + m.rng.IntN(12)
	}
	if m.manyKeys && len(m.uploads) < 2 {
		keys = 1500 + m.rng.IntN(1500)
	}
	long := !m.fewKeys && !m.throttled && m.oneIn(30)
	if long {
		keys = 1200 + m.rng.IntN(300)
	}
	return m.file(to, keys, long)
}

// file is a key file of so many lines. A long file has long keys, so that it is read
// in several ranges.
func (m *planner) file(to string, keys int, long bool) action {
	u := dropFile{file: fmt.Sprintf("keys-%d.txt", len(m.uploads)+1), pool: to, side: pool.SideOf(m.oneIn(12)), events: 1 + m.rng.IntN(3)*m.rng.IntN(2)}
	for n := range keys {
		switch {
		case m.oneIn(25) && len(m.uploads) > 0: // in an earlier file
			other := m.uploads[m.rng.IntN(len(m.uploads))]
			u.lines = append(u.lines, other.lines[m.rng.IntN(len(other.lines))])
		case m.oneIn(30) && n > 0:
			u.lines = append(u.lines, u.lines[m.rng.IntN(n)])
		case m.oneIn(60):
			u.lines = append(u.lines, "control\x01character")
		case m.oneIn(40):
			u.lines = append(u.lines, "")
		default:
			u.lines = append(u.lines, keyText(len(m.uploads)+1, n))
		}
	}
	if long {
		for n, line := range u.lines {
			if strings.HasPrefix(line, "K") {
				u.lines[n] = line + strings.Repeat("x", 1900)
			}
		}
	}
	u.headed = len(m.uploads)%5 == 2
	m.uploads = append(m.uploads, u)
	return u
}
