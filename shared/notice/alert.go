package notice

import (
	"fmt"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/pool"
)

// StockLevel is the level of a pool's stock.
type StockLevel string

// The levels, from good to worst. StockEmpty and StockBackordered are told by the same
// kind of notice, once each: a merchant who has known for days that a pool is empty
// still wants to hear at once that a paid order waits.
const (
	StockOK          StockLevel = ""
	StockLow         StockLevel = "low"         // fewer keys than the threshold
	StockEmpty       StockLevel = "empty"       // none
	StockBackordered StockLevel = "backordered" // none, and paid orders wait for them
)

var ranks = map[StockLevel]int{StockOK: 0, StockLow: 1, StockEmpty: 2, StockBackordered: 3}

func (l StockLevel) worseThan(other StockLevel) bool { return ranks[l] > ranks[other] }

// kind returns the kind of notice that tells of the level.
func (l StockLevel) kind() Kind {
	if l == StockLow {
		return LowStock
	}
	return Empty
}

// Alert records the stock level that a merchant was last told of. A merchant is told
// once when the level gets worse, and again after a cool-down while it stays bad. A
// better level is not told, and makes the next worse one a new notice. Only the live
// side of a pool has alerts.
//
// Every write is conditional on Version; 0 is an alert that was never written.
type Alert struct {
	Pool     pool.ID
	Version  int
	Level    StockLevel
	Sequence int       // counts the notices, so that each has an ID of its own
	ToldAt   time.Time // of the last notice; zero: never
}

// StockView is the stock of a pool's live side. The counts are bounded: they are
// exact only as far as the levels need them.
type StockView struct {
	Available int // keys left, counted to one more than the threshold

	// Of the orders that wait for keys, looked at only where none are left.
	Waiting   int
	Missing   int       // keys they miss
	HeadNeeds int       // keys the first of them misses
	Since     time.Time // when the first of them began to wait
}

// level returns the level of the stock by a threshold. With threshold 0 a merchant
// is never told of keys that run out, but of paid orders that wait even so.
func (v StockView) level(threshold int) StockLevel {
	switch {
	case v.Available == 0 && v.Waiting > 0:
		return StockBackordered
	case v.Available >= threshold:
		return StockOK
	case v.Available == 0:
		return StockEmpty
	default:
		return StockLow
	}
}

// After returns the alert for the stock of a pool with these settings, and the notices
// to store together with it, none if there is nothing to tell.
func (a Alert) After(v StockView, p catalog.Pool, now time.Time) (Alert, []Notice) {
	next := a
	next.Level = v.level(p.LowStock)
	again := p.Reminder > 0 && next.Level == a.Level && next.Level != StockOK && !now.Before(a.ToldAt.Add(p.Reminder))
	if !next.Level.worseThan(a.Level) && !next.newOrdersWait(a, v.Since) && !again {
		return next, nil
	}
	return next.raise(Facts{
		Available: v.Available,
		Threshold: p.LowStock,
		Waiting:   v.Waiting,
		Missing:   v.Missing,
		HeadNeeds: v.HeadNeeds,
		Started:   v.Since,
	}, p.NoticeAddresses, now)
}

// AfterEmpty returns the alert after a search that found no key although orders wait,
// the first of them since facts.Started. It returns the notices to store with it, none
// if that has been told. Further are the pool's further addresses.
func (a Alert) AfterEmpty(facts Facts, further []string, now time.Time) (Alert, []Notice) {
	if a.Pool.Side != pool.Live {
		return a, nil
	}
	next := a
	next.Level = StockBackordered
	if a.Level == StockBackordered && !next.newOrdersWait(a, facts.Started) {
		return a, nil
	}
	return next.raise(facts, further, now)
}

// newOrdersWait reports whether every order that waited at the last notice has been
// served since: orders are served oldest first, and the first that waits now came
// later. So keys came and ran out again between two checks.
func (a Alert) newOrdersWait(before Alert, since time.Time) bool {
	return a.Level == StockBackordered && before.Level == StockBackordered && since.After(before.ToldAt)
}

// raise returns the notice to the merchant's notice address, and one to each further address:
// each is a mail of its own, so that none waits for another, or shows it.
func (a Alert) raise(facts Facts, further []string, now time.Time) (Alert, []Notice) {
	a.Sequence++
	a.ToldAt = now
	facts.Pool, facts.Side = a.Pool.Pool, a.Pool.Side
	key := AlertKey(a.Pool, a.Sequence)
	tell := []Notice{New(a.Pool.Merchant, a.Level.kind(), key, facts, now)}
	for i, address := range further {
		n := New(a.Pool.Merchant, a.Level.kind(), fmt.Sprintf("%s#%d", key, i+1), facts, now)
		n.To = address
		tell = append(tell, n)
	}
	return a, tell
}
