package simulate

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"keypool/shared/pool"
)

// Plan is what happens to the world from outside, and the weather it happens in.
// It follows from its seed, and can be cut shorter: what is left happens as before.
type Plan struct {
	Seed    uint64
	Weather Weather
	Acts    []Act
}

// Weather says what may go wrong, and how often. Rates are chances from 0 to 1.
type Weather struct {
	Lag       time.Duration // an index shows a change up to so late
	Slow      time.Duration // a call takes up to so long, one in fifty ten times that
	Hold      time.Duration // a transaction holds its items up to so long
	Skew      time.Duration // clocks are up to so far apart
	Shards    int           // index partitions of each pool side
	Partition float64       // write units a second that a partition takes; 0: any number

	Trouble float64 // a call meets some fault
	Death   float64 // a process dies in its first moments
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
		{w.Death, "of processes die early"},
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

// The one merchant of the world, its pools and products. Game is fed by elden,
// pack by ring, and dlc by nothing until it is connected; late names a pool that
// does not exist yet.
const merchant = "nova"

var (
	poolNames    = []string{"elden", "ring"}
	productPools = map[string]string{"game": "elden", "pack": "ring", "dlc": "", "late": "souls"}
	productNames = []string{"game", "game", "game", "pack", "pack", "dlc", "late"}
)

// NewPlan makes up a history of some length. Each seed mixes its own weather:
// where everything goes wrong at once, the rare meetings of two things are rarer.
func NewPlan(seed uint64, length int) Plan {
	m := maker{rng: rand.New(rand.NewPCG(seed, 0x6b657973))}
	m.scarce = m.one(2)
	plan := Plan{Seed: seed, Weather: m.weather()}
	m.tight = plan.Weather.Partition > 0
	span := m.upTo(20*time.Second, 10*time.Minute)
	plan.Acts = append(plan.Acts, Act{0, m.upload("elden")}, Act{0, m.upload("ring")})
	for range length {
		at, happens := m.upTo(time.Second, span), m.act()
		plan.Acts = append(plan.Acts, Act{at, happens})
		// Orders come in a rush now and then, and for keys that leave their place.
		keys, leave := happens.(shelved)
		if leave || m.one(20) {
			m.sought = map[string]string{"elden": "game", "ring": "pack"}[keys.from]
			for range 5 + m.rng.IntN(30) {
				plan.Acts = append(plan.Acts, Act{at + m.upTo(0, 300*time.Millisecond), m.paid()})
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
	scarce  bool   // few keys for many orders: lines wait
	tight   bool   // partitions take little: no place for a thousand keys
	sought  string // the product that everybody wants just now
	orders  []paid
	uploads []upload
	serial  int
}

func (m *maker) one(in int) bool { return m.rng.IntN(in) == 0 }

func (m *maker) upTo(least, most time.Duration) time.Duration {
	return least + time.Duration(m.rng.Int64N(int64(most-least)+1))
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
		w.Skew = 2 * time.Second
	}
	if m.one(3) {
		w.Partition = 10 + 60*m.rng.Float64()
	}
	w.Trouble, w.Death, w.Mail = some(0.10), some(0.20), some(0.30)
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
		return m.upload(append(poolNames, "souls")[m.rng.IntN(3)])
	case roll < 83:
		return handled{what: []string{"returned", "held", "released"}[m.rng.IntN(3)], order: m.anyOrder(), serial: m.next()}
	case roll < 90:
		from := m.rng.IntN(2)
		return shelved{move: !m.one(3), keys: 1 + m.rng.IntN(30), from: poolNames[from], to: poolNames[1-from], chance: m.rng.Uint64(), serial: m.next()}
	case roll < 92:
		return connected{product: "dlc", pool: []string{"", "elden", "ring"}[m.rng.IntN(3)], serial: m.next()}
	case roll < 94:
		return connected{product: "game", pool: m.anyPool(), serial: m.next()}
	case roll < 96:
		return opened{pool: "souls", serial: m.next()}
	case roll < 98:
		return swept{serial: m.next()}
	default:
		return counted{serial: m.next()}
	}
}

func (m *maker) next() int { m.serial++; return m.serial }

func (m *maker) anyPool() string { return poolNames[m.rng.IntN(len(poolNames))] }

func (m *maker) anyOrder() string {
	if len(m.orders) == 0 {
		return "1"
	}
	return m.orders[m.rng.IntN(len(m.orders))].order
}

func (m *maker) paid() act {
	p := paid{order: fmt.Sprint(len(m.orders) + 1), side: pool.SideOf(m.one(15)), times: 1}
	if m.one(3) {
		p.times = 2 + m.rng.IntN(4)
		p.apart = m.upTo(0, []time.Duration{0, 5 * time.Millisecond, time.Second, time.Minute}[m.rng.IntN(4)])
	}
	for n := range 1 + m.rng.IntN(3)*m.rng.IntN(2) {
		quantity := 1
		switch roll := m.rng.IntN(40); {
		case roll == 0:
			quantity = 90 + m.rng.IntN(161) // more than one take holds
		case roll < 12:
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

// again is an order that comes once more: as it was, or with another quantity.
func (m *maker) again() act {
	if len(m.orders) == 0 {
		return m.paid()
	}
	p := m.orders[m.rng.IntN(len(m.orders))]
	p.times, p.serial = 1, m.next()
	if m.one(2) {
		p.lines = slices.Clone(p.lines)
		p.lines[0].quantity++
		p.changed = true
	}
	return p
}

func (m *maker) upload(to string) act {
	u := upload{file: fmt.Sprintf("keys-%d.txt", len(m.uploads)+1), pool: to, side: pool.SideOf(m.one(12)), events: 1 + m.rng.IntN(3)*m.rng.IntN(2)}
	keys := 1 + m.rng.IntN(60)
	if m.one(4) {
		keys = 100 + m.rng.IntN(400)
	}
	if m.scarce {
		keys = 1 + m.rng.IntN(12)
	}
	u.long = !m.scarce && !m.tight && m.one(30) // of several ranges
	if u.long {
		keys = 1200 + m.rng.IntN(300)
	}
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
			u.lines = append(u.lines, fmt.Sprintf("K%d-%d", len(m.uploads)+1, n))
		}
	}
	if u.long {
		for n, line := range u.lines {
			if strings.HasPrefix(line, "K") {
				u.lines[n] = line + strings.Repeat("x", 1900)
			}
		}
	}
	m.uploads = append(m.uploads, u)
	return u
}
