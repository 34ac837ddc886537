// Package stock tells the merchant before a pool runs dry.
//
// A pool is told about when its stock gets worse, once, and again after a
// cool-down for as long as it stays that way: fewer keys left than the merchant's
// threshold, none left, none left while paid orders wait. Getting better is
// silent and arms the next  Only the live side is watched.
package notice

import (
	"time"

	"keypool/shared/catalog"
	"keypool/shared/pool"
)

// Level is how badly a pool's stock stands.
type StockLevel string

// The levels, from good to worst. Empty and Owing are told by the same kind of
// notice, but each is told: a merchant who has known for days that a pool is
// empty still wants to hear, at once, that somebody paid and waits.
const (
	StockOK    StockLevel = ""
	StockLow   StockLevel = "low"   // fewer keys than the threshold
	StockEmpty StockLevel = "empty" // none
	StockOwed  StockLevel = "owing" // none, and paid orders wait for them
)

var ranks = map[StockLevel]int{StockOK: 0, StockLow: 1, StockEmpty: 2, StockOwed: 3}

func (l StockLevel) worseThan(other StockLevel) bool { return ranks[l] > ranks[other] }

// kind returns the kind of notice that tells of the level.
func (l StockLevel) kind() Kind {
	if l == StockLow {
		return LowStock
	}
	return Empty
}

// Alert is what a merchant has been told about a pool. Every write to it is
// conditional on its Version; 0 is an alert that was never written.
type Alert struct {
	Pool    pool.ID
	Version int
	Level   StockLevel
	Edge    int       // counts the notices, so that each has a name of its own
	ToldAt  time.Time // of the last notice; zero: never
}

// Sight is what there is to see of a pool's live side. The counts are bounded:
// they are exact only as far as the levels need them.
type StockView struct {
	Available int // keys left, counted to one more than the threshold

	// Of the orders that wait for keys, looked at only where none are left.
	Waiting   int
	Missing   int       // keys they miss
	HeadNeeds int       // keys the first of them misses
	Since     time.Time // when the first of them began to wait
}

// level returns how the stock stands by a threshold. Threshold 0 means never to
// be told of keys running out; that a paid order waits is told even so.
func (s StockView) level(threshold int) StockLevel {
	switch {
	case s.Available == 0 && s.Waiting > 0:
		return StockOwed
	case s.Available >= threshold:
		return StockOK
	case s.Available == 0:
		return StockEmpty
	default:
		return StockLow
	}
}

// After returns the alert after the sight of a pool with these settings, and the
// notice that is to be stored together with it, nil where nothing is to be told.
func (a Alert) After(s StockView, p catalog.Pool, now time.Time) (Alert, *Notice) {
	next := a
	next.Level = s.level(p.LowStock)
	again := p.Reminder > 0 && next.Level == a.Level && next.Level != StockOK && !now.Before(a.ToldAt.Add(p.Reminder))
	if !next.Level.worseThan(a.Level) && !next.newOrdersWait(a, s.Since) && !again {
		return next, nil
	}
	return next.tell(Facts{
		Available: s.Available,
		Threshold: p.LowStock,
		Waiting:   s.Waiting,
		Missing:   s.Missing,
		HeadNeeds: s.HeadNeeds,
		Started:   s.Since,
	}, now)
}

// AfterNothing returns the alert after keys were looked for and none were found
// while orders wait, the first of them since facts.Started, and the notice to
// store with it, nil if that has been told.
func (a Alert) AfterNothing(facts Facts, now time.Time) (Alert, *Notice) {
	if a.Pool.Side != pool.Live {
		return a, nil
	}
	next := a
	next.Level = StockOwed
	if a.Level == StockOwed && !next.newOrdersWait(a, facts.Started) {
		return a, nil
	}
	return next.tell(facts, now)
}

// owesAnew reports whether everybody who waited when the merchant was last told
// has been served since: orders are served oldest first, so the first that waits
// now came later. Keys had come, then, and are gone again, between two looks.
func (a Alert) newOrdersWait(before Alert, since time.Time) bool {
	return a.Level == StockOwed && before.Level == StockOwed && since.After(before.ToldAt)
}

func (a Alert) tell(facts Facts, now time.Time) (Alert, *Notice) {
	a.Edge++
	a.ToldAt = now
	facts.Pool, facts.Side = a.Pool.Pool, a.Pool.Side
	n := New(a.Pool.Merchant, a.Level.kind(), Edge(a.Pool, a.Edge), facts, now)
	return a, &n
}
