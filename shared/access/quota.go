package access

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"
)

// DefaultRate is how many calls a minute a token may make whose rate the operator did not set.
const DefaultRate = 600

// MaxRate is the most that the operator can set.
const MaxRate = 60_000

// Quota is what a token may call.
type Quota struct {
	Rate int           // calls a minute; 0: no limit
	Left int           // that it may make at this moment, after this one
	Full time.Duration // until it may make all of Rate again
	Wait time.Duration // until it may make this call; 0: it may
	Day  DayQuota      // of all tokens of its merchant
}

// OverRateError means that a token has called too much.
type OverRateError struct{ Quota Quota }

func (e *OverRateError) Error() string { return fmt.Sprintf("over %d calls a minute", e.Quota.Rate) }

// meter counts the calls of a token, by the generic cell rate algorithm: each call spends a
// part of a minute, and time up to spent is spent. A token whose spent lies a minute ahead
// may not call.
//
// Every process has a meter of its own, which it brings together with all others' in the
// table (Uses) after shareAfter calls, or when shareEvery has gone by, beside the read of the
// token: no call but a process's first takes a round trip more for it. So a token may call at
// its rate for as long as it likes, as often as that at once if it rested for a minute, and
// shareAfter calls more for each process that serves it. Where the table does not answer,
// each process counts alone. A function's process serves one call at a time, and API Gateway
// limits the calls of all tokens together.
type meter struct {
	of       Token
	notedAt  time.Time
	spent    time.Time // up to when, as this process knows
	unshared int       // calls that the table does not know
}

const (
	shareAfter = 10
	shareEvery = 5 * time.Second
	period     = time.Minute
)

// meet begins to meter a token that was found good. It reports whether the token is new to
// this process.
func (g *Gate) meet(t Token) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	m, known := g.meters[t.Hash]
	if known {
		m.of = t
		return false
	}
	if g.meters == nil {
		g.meters = map[string]*meter{}
	}
	g.meters[t.Hash] = &meter{of: t}
	return true
}

// forget ends the meter of a token that is none any more.
func (g *Gate) forget(hash string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.meters, hash)
}

// count counts a call, unless the token has called too much, and returns what is left.
func (g *Gate) count(hash string, now time.Time) Quota {
	g.mu.Lock()
	defer g.mu.Unlock()
	m, known := g.meters[hash]
	if g.Rate == 0 || !known { // unknown: another call has just found it to be none any more
		return Quota{}
	}
	call := m.call(g.Rate)
	q := Quota{Rate: int(period / call)}
	if m.spent.Before(now) {
		m.spent = now
	}
	if over := m.spent.Add(call).Sub(now) - period; over > 0 {
		q.Wait = over
	} else {
		m.spent = m.spent.Add(call)
		m.unshared++
	}
	q.Full = m.spent.Sub(now)
	q.Left = max(0, int((period-q.Full)/call))
	return q
}

// call is what a call spends.
func (m *meter) call(usual int) time.Duration {
	return period / time.Duration(cmp.Or(m.of.Rate, usual))
}

// note keeps that a token is used, and shares what was counted of it, if it is time to.
func (g *Gate) note(ctx context.Context, hash string, now time.Time) {
	t, unshared, ok := g.toNote(hash, now)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, noteWithin)
	defer cancel()
	spent, err := g.Uses.UseToken(ctx, t, now, unshared)
	if err != nil {
		slog.WarnContext(ctx, "token.use_not_noted", "error", err)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if known, ok := g.meters[hash]; ok && spent.After(known.spent) {
		known.spent = spent
	}
}

// toNote returns a token and the time that it has spent and the table does not know, false if
// nothing is to be noted. What lies in the past is not shared. The rest counts as shared from
// then on: a call that fails to share it leaves it to this process.
func (g *Gate) toNote(hash string, now time.Time) (t Token, unshared time.Duration, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	m, known := g.meters[hash]
	if !known || g.Uses == nil {
		return Token{}, 0, false
	}
	if !m.spent.After(now) {
		m.unshared = 0
	}
	since := now.Sub(m.notedAt)
	if since < noteEvery && m.unshared < shareAfter && (m.unshared == 0 || since < shareEvery) {
		return Token{}, 0, false
	}
	if m.unshared > 0 {
		unshared = min(time.Duration(m.unshared)*m.call(g.Rate), m.spent.Sub(now))
	}
	m.notedAt, m.unshared = now, 0
	return m.of, unshared, true
}
