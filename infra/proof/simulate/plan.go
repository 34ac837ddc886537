package simulate

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// Plan is what happens to the world from outside, and the weather it happens in.
// It follows from its seed, and can be cut shorter: what is left happens as
// before, as far as it does not meet what is gone.
type Plan struct {
	Seed    uint64
	Weather Weather
	Acts    []Act

	// Recoveries is how often, once all acts are over, the next thing that is due
	// is waited for in the same weather: leases lapse, quiet uploads are taken up
	// and hourly looks are had while things still go wrong.
	Recoveries int
}

// Weather says what may go wrong, and how often. Rates are chances from 0 to 1.
type Weather struct {
	Lag       time.Duration // an index shows a change up to so late
	Slow      time.Duration // a call takes up to so long, one in fifty ten times that
	Hold      time.Duration // a transaction holds its items up to so long
	Tear      time.Duration // a read stops up to so long between two of its items
	Skew      time.Duration // clocks are up to so far apart
	Shards    int           // index partitions of each pool side
	Partition float64       // write units a second that a partition takes; 0: any number

	Trouble float64 // a call meets some fault
	Death   float64 // a process dies, in its first moments or long after
	Mail    float64 // SES refuses, throttles, or loses its answer
	Lost    float64 // a message or record is never delivered
	Twice   float64 // a message or record is delivered again
}

func (w Weather) String() string {
	var says []string
	say := func(format string, args ...any) { says = append(says, fmt.Sprintf(format, args...)) }
	if w.Lag > 0 {
		say("indexes lag up to %s", w.Lag)
	}
	if w.Hold > 0 {
		say("transactions hold their items up to %s", w.Hold)
	}
	if w.Tear > 0 {
		say("reads stop halfway up to %s", w.Tear)
	}
	if w.Skew > 0 {
		say("clocks are up to %s apart", w.Skew)
	}
	if w.Partition > 0 {
		say("a partition takes %.0f write units a second", w.Partition)
	}
	for _, rate := range []struct {
		of    float64
		words string
	}{
		{w.Trouble, "of calls meet a fault"},
		{w.Death, "of processes die, if they live long enough"},
		{w.Mail, "of mails meet trouble at SES"},
		{w.Lost, "of messages and records are lost"},
		{w.Twice, "of them come twice"},
	} {
		if rate.of > 0 {
			say("%.1f %% %s", 100*rate.of, rate.words)
		}
	}
	return strings.Join(append(says, fmt.Sprintf("calls take up to %s, %d shards", w.Slow, w.Shards)), "; ")
}

// Act is one thing that happens from outside, so long after the beginning.
type Act struct {
	At  time.Duration
	Act act
}

func (a Act) String() string { return fmt.Sprintf("%8.3f s  %s", a.At.Seconds(), a.Act) }

// The one merchant of the world, its pools and products. The product dlc has no pool
// at first, late names a pool that is made later, and abroad has a pool for one
// currency only.
const merchant = "nova"

var (
	poolNames = []string{"elden", "ring"}
	latePools = []string{"souls", "sekiro", "nioh", "lies"} // made during a history: their files are parked until then
	products  = map[string]catalog.Product{
		"game":   {Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}},
		"pack":   {Pool: "ring", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 2}},
		"pass":   {Pool: "ring", Keys: catalog.KeyRule{Mode: catalog.PerLine, Count: 3}},
		"dlc":    {Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}},
		"late":   {Pool: latePools[0], Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}},
		"abroad": {PoolsByCurrency: map[string]string{"USD": "ring"}, Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}},
	}
	productNames = []string{"game", "game", "game", "game", "pack", "pass", "dlc", "late", "abroad"}
)

// keysFor is how many keys a line is due, by the rules that stand above and never change.
func keysFor(product string, quantity int) int {
	rule := products[product].Keys
	if rule.Mode == catalog.PerLine {
		return rule.Count
	}
	return rule.Count * quantity
}

// NewPlan makes up a history of some length. Each seed mixes its own weather:
// where everything goes wrong at once, the rare meetings of two things are rarer.
func NewPlan(seed uint64, length int) Plan {
	m := maker{rng: rand.New(rand.NewPCG(seed, 0x6b657973)), late: latePools[1:]}
	m.scarce = m.one(2)
	plan := Plan{Seed: seed, Weather: m.weather()}
	m.tight = plan.Weather.Partition > 0
	m.rich = !m.scarce && !m.tight && m.one(2)
	plan.Recoveries = m.rng.IntN(13)
	span := m.upTo(20*time.Second, 10*time.Minute)
	plan.Acts = append(plan.Acts, Act{0, m.upload("elden")}, Act{0, m.upload("ring")})
	for range length {
		at, happens := m.upTo(time.Second, span), m.act()
		plan.Acts = append(plan.Acts, Act{at, happens})
		if p, ok := happens.(paid); ok && m.one(10) { // beside its first call
			plan.Acts = append(plan.Acts, Act{at + m.upTo(0, 50*time.Millisecond), m.changed(p)})
		}
		if p, ok := happens.(paid); ok && m.one(2) {
			plan.Acts = append(plan.Acts, Act{at + m.soonOrLate(), m.handledLine(p)})
		}
		// A merchant drops several files for a pool and makes it afterwards. A failed call
		// then leaves parked files to the sweep.
		if len(m.late) > 0 && m.one(3) {
			late := m.late[0]
			m.late = m.late[1:]
			for range 3 + m.rng.IntN(6) {
				plan.Acts = append(plan.Acts, Act{at + m.upTo(0, time.Second), m.file(late, 1+m.rng.IntN(5), false)})
			}
			plan.Acts = append(plan.Acts, Act{at + m.upTo(3*time.Second, time.Minute), opened{pool: late, serial: m.next()}})
		}
		// Orders come in a rush now and then, and for keys that leave their place.
		keys, leave := happens.(withdrawn)
		if leave || m.one(20) || m.rich && m.one(6) {
			m.sought = map[string]string{"elden": "game", "ring": "pack"}[keys.from]
			for range 5 + m.rng.IntN(30) {
				p := m.paid()
				comes := at + m.upTo(0, 300*time.Millisecond)
				plan.Acts = append(plan.Acts, Act{comes, p})
				if m.one(4) {
					plan.Acts = append(plan.Acts, Act{comes + m.soonOrLate(), m.handledLine(p)})
				}
			}
			m.sought = ""
		}
	}
	slices.SortStableFunc(plan.Acts, func(a, b Act) int { return cmp.Compare(a.At, b.At) })
	return plan
}

// maker makes plans up.
type maker struct {
	rng     *rand.Rand
	scarce  bool     // few keys for many orders: lines wait
	tight   bool     // partitions take little: no place for a thousand keys
	rich    bool     // thousands of keys, and large orders: lines wait where keys abound
	sought  string   // the product that everybody wants just now
	late    []string // pools that are not made yet, beside the first
	orders  []paid
	uploads []dropped
	serial  int
}

func (m *maker) one(in int) bool { return m.rng.IntN(in) == 0 }

func (m *maker) upTo(least, most time.Duration) time.Duration {
	return least + time.Duration(m.rng.Int64N(int64(most-least)+1))
}

// soonOrLate is a delay after an order, before its mail is sent or after.
func (m *maker) soonOrLate() time.Duration {
	return m.upTo(0, []time.Duration{100 * time.Millisecond, time.Second, 10 * time.Minute}[m.rng.IntN(3)])
}

func (m *maker) weather() Weather {
	w := Weather{Slow: m.upTo(time.Millisecond, 20*time.Millisecond), Shards: []int{1, 2, 4, 16}[m.rng.IntN(4)]}
	some := func(most float64) float64 {
		if m.one(2) {
			return 0
		}
		return most * m.rng.Float64()
	}
	if !m.one(4) {
		w.Lag = m.upTo(0, 500*time.Millisecond)
	}
	if !m.one(3) {
		w.Hold = m.upTo(0, 20*time.Millisecond)
	}
	if !m.one(3) {
		w.Tear = m.upTo(0, 20*time.Millisecond)
	}
	if !m.one(3) {
		w.Skew = 2 * time.Second
	}
	if m.one(3) {
		w.Partition = 10 + 60*m.rng.Float64()
	}
	w.Trouble, w.Death, w.Mail = some(0.10), some(0.50), some(0.30)
	w.Lost, w.Twice = some(0.10), some(0.20)
	return w
}

func (m *maker) act() act {
	switch roll := m.rng.IntN(100); {
	case roll < 62:
		return m.paid()
	case roll < 66:
		return m.again()
	case roll < 80:
		return m.upload(append(poolNames, latePools[0])[m.rng.IntN(3)])
	case roll < 85:
		return m.handled()
	case roll < 90:
		from := m.rng.IntN(2)
		return withdrawn{move: !m.one(3), keys: 1 + m.rng.IntN(30), from: poolNames[from], to: poolNames[1-from], chance: m.rng.Uint64(), serial: m.next()}
	case roll < 92:
		return connected{product: "dlc", pool: []string{"", "elden", "ring"}[m.rng.IntN(3)], serial: m.next()}
	case roll < 93:
		return defaulted{pool: []string{"", "elden", "ring"}[m.rng.IntN(3)], serial: m.next()}
	case roll < 94:
		return connected{product: "game", pool: m.anyPool(), serial: m.next()}
	case roll < 96:
		return opened{pool: latePools[0], serial: m.next()}
	case roll < 98:
		return swept{serial: m.next()}
	default:
		return counted{serial: m.next()}
	}
}

func (m *maker) next() int { m.serial++; return m.serial }

func (m *maker) anyPool() string { return poolNames[m.rng.IntN(len(poolNames))] }

// handled is something that happens to a line of an order that was paid before.
func (m *maker) handled() act {
	if len(m.orders) == 0 {
		return m.paid()
	}
	return m.handledLine(m.orders[m.rng.IntN(len(m.orders))])
}

func (m *maker) handledLine(p paid) act {
	h := handled{
		what:  []string{"returned", "returned in part", "held", "released", "replaced"}[m.rng.IntN(5)],
		order: p.order, side: p.side, line: p.lines[m.rng.IntN(len(p.lines))].id, serial: m.next(),
	}
	if large := p.largestLine(); keysFor(large.product, large.quantity) > order.InlineKeys && m.one(2) { // its chunks are written again and emptied
		h.line, h.what = large.id, []string{"returned", "returned in part", "replaced"}[m.rng.IntN(3)]
	}
	if h.what == "returned" || h.what == "returned in part" || h.what == "replaced" {
		h.keys = []order.Disposition{order.Revoke, order.Restock, order.Restock, order.Keep}[m.rng.IntN(4)]
	}
	return h
}

// largestLine is the line of the order that is due the most keys.
func (p paid) largestLine() paidLine {
	return slices.MaxFunc(p.lines, func(a, b paidLine) int {
		return cmp.Compare(keysFor(a.product, a.quantity), keysFor(b.product, b.quantity))
	})
}

func (m *maker) paid() paid {
	p := paid{order: fmt.Sprint(len(m.orders) + 1), side: pool.SideOf(m.one(15)), currency: "EUR", times: 1}
	if m.one(4) {
		p.currency = "USD"
	}
	if m.one(3) {
		p.times = 2 + m.rng.IntN(4)
		p.apart = m.upTo(0, []time.Duration{0, 5 * time.Millisecond, time.Second, time.Minute}[m.rng.IntN(4)])
	}
	for n := range 1 + m.rng.IntN(3)*m.rng.IntN(2) {
		quantity := 1
		switch roll := m.rng.IntN(40); {
		case roll == 0, m.rich && roll < 5:
			quantity = 90 + m.rng.IntN(161) // more than one take holds
		case roll < 7:
			quantity = 27 + m.rng.IntN(63)
		case roll < 15:
			quantity = 2 + m.rng.IntN(25)
		}
		product := productNames[m.rng.IntN(len(productNames))]
		if m.sought != "" {
			product = m.sought
		}
		p.lines = append(p.lines, paidLine{id: fmt.Sprint(n + 1), product: product, quantity: quantity})
	}
	m.orders = append(m.orders, p)
	return p
}

// again is an order that comes once more: as it was, or with other content.
func (m *maker) again() act {
	if len(m.orders) == 0 {
		return m.paid()
	}
	p := m.orders[m.rng.IntN(len(m.orders))]
	if m.one(2) {
		return m.changed(p)
	}
	p.times, p.serial = 1, m.next()
	return p
}

// changed is a call for the same order that says otherwise of its first line.
func (m *maker) changed(p paid) paid {
	p.times, p.serial, p.changed = 1, m.next(), true
	p.lines = slices.Clone(p.lines)
	first := &p.lines[0]
	if was := first.product; m.one(2) {
		for first.product == was {
			first.product = productNames[m.rng.IntN(len(productNames))]
		}
	} else {
		first.quantity++
	}
	return p
}

// keyText is the text of a key: of one length, so that none is the beginning of
// another, and found in a mail by its form.
func keyText(file, n int) string { return fmt.Sprintf("K%04d-%04d", file, n) }

var keyForm = regexp.MustCompile(`K\d{4}-\d{4}x*`)

// upload is a key file of any size.
func (m *maker) upload(to string) act {
	keys := 1 + m.rng.IntN(60)
	if m.one(4) {
		keys = 100 + m.rng.IntN(400)
	}
	if m.scarce {
		keys = 1 + m.rng.IntN(12)
	}
	if m.rich && len(m.uploads) < 2 {
		keys = 1500 + m.rng.IntN(1500)
	}
	long := !m.scarce && !m.tight && m.one(30)
	if long {
		keys = 1200 + m.rng.IntN(300)
	}
	return m.file(to, keys, long)
}

// file is a key file of so many lines. A long file has long keys, so that it is read
// in several ranges.
func (m *maker) file(to string, keys int, long bool) act {
	u := dropped{file: fmt.Sprintf("keys-%d.txt", len(m.uploads)+1), pool: to, side: pool.SideOf(m.one(12)), events: 1 + m.rng.IntN(3)*m.rng.IntN(2)}
	for n := range keys {
		switch {
		case m.one(25) && len(m.uploads) > 0: // known already
			other := m.uploads[m.rng.IntN(len(m.uploads))]
			u.lines = append(u.lines, other.lines[m.rng.IntN(len(other.lines))])
		case m.one(30) && n > 0:
			u.lines = append(u.lines, u.lines[m.rng.IntN(n)])
		case m.one(60):
			u.lines = append(u.lines, "control\x01character")
		case m.one(40):
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
	m.uploads = append(m.uploads, u)
	return u
}
