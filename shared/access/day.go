package access

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"keypool/shared/notice"
)

// Day is what the tokens of a merchant have called in a day.
type Day struct {
	Calls int
	Limit int // the most; 0: not known
}

// Days counts what merchants' tokens call in a day.
type Days interface {
	// CountCalls adds calls to the day of a merchant at that time, and returns the day.
	CountCalls(ctx context.Context, merchant string, at time.Time, calls int) (Day, error)
}

// Notices stores notices, which are mailed.
type Notices interface {
	// RaiseNotice stores one. The same again is no error.
	RaiseNotice(ctx context.Context, n notice.Notice) error
}

// DayQuota is what the tokens of a merchant may still call in a day.
type DayQuota struct {
	Limit int           // 0: none
	Left  int           // after this call
	Ends  time.Duration // until the next day begins
	Over  bool          // nothing was left for this call
}

// OverDayError means that a merchant's tokens have called too much in a day.
type OverDayError struct{ Quota DayQuota }

func (e *OverDayError) Error() string { return fmt.Sprintf("over %d calls a day", e.Quota.Limit) }

// Unlimited are the operations that are never refused because a day has no calls left: the
// one that a paid order comes by, and those that stop a token that calls too much, or what it
// sells.
var Unlimited = []string{"fulfil-order", "fulfil-order-by-query", "list-tokens", "revoke-token", "set-brake"}

// Allows returns an *OverRateError or an *OverDayError if the operation may not be called now.
func (q Quota) Allows(operation string) error {
	switch {
	case q.Wait > 0:
		return &OverRateError{Quota: q}
	case q.Day.Over && !slices.Contains(Unlimited, operation):
		return &OverDayError{Quota: q.Day}
	default:
		return nil
	}
}

// tally counts the calls of a merchant's tokens in a day.
//
// As of a meter, every process has one of its own, and brings it together with all others' in
// the table (Days) after shareAfter calls, beside the read of the token: no call but a
// process's first takes a round trip more for it, and one in ten a write. So a merchant may
// make the calls of a day, and shareAfter more for each process that served it that day.
// Calls that are refused are not counted. A process that refuses looks again every lookEvery,
// since the operator may raise the limit.
type tally struct {
	Day

	start    time.Time // of the day
	unshared int       // calls that the table does not know; Calls has them too
	lookedAt time.Time
	told     bool // the merchant, that the day has no calls left
}

const lookEvery = 30 * time.Second

func startOfDay(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

func (t *tally) over() bool { return t.Limit > 0 && t.Calls >= t.Limit }

// begin begins to count a merchant's calls. It reports whether the merchant is new to this
// process.
func (g *Gate) begin(merchant string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.tallies[merchant]; known || g.Days == nil {
		return false
	}
	if g.tallies == nil {
		g.tallies = map[string]*tally{}
	}
	g.tallies[merchant] = &tally{}
	return true
}

// countDay counts a call in its merchant's day, unless it is refused or that has none left,
// and returns what is left.
func (g *Gate) countDay(merchant string, now time.Time, refused bool) DayQuota {
	g.mu.Lock()
	defer g.mu.Unlock()
	t, known := g.tallies[merchant]
	if !known {
		return DayQuota{}
	}
	t.turn(now)
	q := DayQuota{Limit: t.Limit, Ends: t.start.Add(24 * time.Hour).Sub(now), Over: t.over()}
	if !q.Over && !refused {
		t.Calls++
		t.unshared++
	}
	q.Left = max(0, t.Limit-t.Calls)
	return q
}

// turn begins a new day when it has come. What the day before did not share is left out.
func (t *tally) turn(now time.Time) {
	if start := startOfDay(now); start.After(t.start) {
		*t = tally{Day: Day{Limit: t.Limit}, start: start}
	}
}

// share brings a merchant's tally together with those of other processes, if it is time to,
// and tells the merchant when the day has no calls left. A call does not depend on it.
func (g *Gate) share(ctx context.Context, merchant string, now time.Time) {
	calls, ok := g.toShare(merchant, now)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, noteWithin)
	defer cancel()
	day, err := g.Days.CountCalls(ctx, merchant, now, calls)
	if err == nil && g.shared(merchant, now, day) {
		limit := notice.Facts{Limit: int64(day.Limit)}
		err = g.Notices.RaiseNotice(ctx, notice.New(merchant, notice.CallLimit, notice.Day(now), limit, now))
		g.tell(merchant, err == nil)
	}
	if err != nil {
		slog.WarnContext(ctx, "calls.not_counted", "merchant", merchant, "error", err)
	}
}

// toShare returns the calls of a merchant that the table does not know, false if nothing is
// to be shared. They count as shared from then on: those of a call that fails to share them
// stay with this process.
func (g *Gate) toShare(merchant string, now time.Time) (calls int, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t, known := g.tallies[merchant]
	if !known {
		return 0, false
	}
	t.turn(now)
	if !t.lookedAt.IsZero() && t.unshared < shareAfter && (!t.over() || t.unshared == 0 && now.Sub(t.lookedAt) < lookEvery) {
		return 0, false
	}
	calls, t.unshared, t.lookedAt = t.unshared, 0, now
	return calls, true
}

// shared keeps how a day stands by the table, and reports whether the merchant is to be told
// that it has no calls left.
func (g *Gate) shared(merchant string, now time.Time, day Day) (tell bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.tallies[merchant]
	if !t.start.Equal(startOfDay(now)) { // another call has begun the next day
		return false
	}
	t.Limit = day.Limit
	t.Calls = max(t.Calls, day.Calls+t.unshared)
	return t.over() && !t.told
}

func (g *Gate) tell(merchant string, told bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tallies[merchant].told = told
}
