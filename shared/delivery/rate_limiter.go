package delivery

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"keypool/shared/random"
)

// The rate at which a process offers mails to SES. A process knows neither the
// account's quota nor the number of other processes (forty, with a stream of four
// shards). So it starts at a moderate rate, halves the rate when SES throttles, and
// raises it by a fortieth with each mail. One offer in five to twenty is throttled,
// and nine tenths of SES's first quota are used.
const (
	usualGap   = 50 * time.Millisecond
	fastestGap = 5 * time.Millisecond

	// slowestGap lets forty processes share SES's first quota of 14 mails a second,
	// and one invocation of two minutes offer all its mails.
	slowestGap = 4 * time.Second

	// busyFor is the time after a throttled offer in which notices are not offered.
	busyFor = time.Minute

	// reserve is the time between the last offer of a mail and the invocation's end.
	reserve = sendFor + 5*time.Second
)

// rateLimiter spaces the mails of one process. Its zero value is ready; it is safe for
// concurrent use.
type rateLimiter struct {
	mu     sync.Mutex
	gap    time.Duration // between one mail and the next
	next   time.Time     // when the next may be offered
	slowed time.Time     // when the gap last grew

	waiting int                 // mails in wait
	none    chan struct{}       // closed when none is in wait any more
	behind  *semaphore.Weighted // of one of the mails in waitBehind, in the order they came
}

// wait waits until a mail may be offered, and returns that time. It is false if the
// invocation's time is up before.
func (l *rateLimiter) wait(ctx context.Context) (at time.Time, ok bool) {
	l.enter()
	defer l.leave()
	for {
		at, slowed := l.slot()
		if deadline, set := ctx.Deadline(); set && at.After(deadline.Add(-reserve)) {
			return at, false
		}
		select {
		case <-ctx.Done():
			return at, false
		case <-time.After(time.Until(at)):
		}
		if l.current(slowed) {
			return at, true
		}
	}
}

func (l *rateLimiter) enter() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting++; l.waiting == 1 {
		l.none = make(chan struct{})
	}
}

func (l *rateLimiter) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting--; l.waiting == 0 {
		close(l.none)
	}
}

// waitBehind is wait for a mail that lets all those in wait go first. It takes a slot
// only when that has come, so that a mail that comes later need not wait behind it. It
// is false, too, for a minute after a throttled offer.
func (l *rateLimiter) waitBehind(ctx context.Context) (at time.Time, ok bool) {
	turn := l.turn()
	if turn.Acquire(ctx, 1) != nil {
		return time.Now(), false
	}
	defer turn.Release(1)
	for {
		at, none, taken := l.free()
		deadline, set := ctx.Deadline()
		if at.IsZero() || set && at.After(deadline.Add(-reserve)) {
			return at, false
		}
		if taken {
			return at, true
		}
		var come <-chan time.Time
		if none == nil {
			come = time.After(time.Until(at))
		}
		select {
		case <-ctx.Done():
			return at, false
		case <-none:
		case <-come:
		}
	}
}

func (l *rateLimiter) turn() *semaphore.Weighted {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.behind == nil {
		l.behind = semaphore.NewWeighted(1)
	}
	return l.behind
}

// free takes the slot of this moment, if there is one and no mail is in wait. Else it
// returns the time of the next slot, or what is closed when no mail is in wait any more.
// The time is zero if an offer was throttled a moment ago.
func (l *rateLimiter) free() (at time.Time, none <-chan struct{}, taken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gap == 0 {
		l.gap = usualGap
	}
	at = time.Now()
	switch {
	case at.Before(l.slowed.Add(busyFor)):
		return time.Time{}, nil, false
	case l.waiting > 0:
		return at, l.none, false
	case l.next.After(at):
		return l.next, nil, false
	}
	l.next = at.Add(l.gap)
	return at, nil, true
}

// slot returns the time of the next slot. The slot is lost if the rate is halved
// before that time: slowed changes.
func (l *rateLimiter) slot() (at, slowed time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gap == 0 {
		l.gap = usualGap
	}
	at = time.Now()
	if l.next.After(at) {
		at = l.next
	}
	l.next = at.Add(l.gap)
	return at, l.slowed
}

// current reports whether the rate was not halved since.
func (l *rateLimiter) current(slowed time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.slowed.Equal(slowed)
}

// succeeded raises the rate a little after a mail that SES took.
func (l *rateLimiter) succeeded() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gap = max(l.gap*39/40, fastestGap)
}

// throttled halves the rate after a throttled offer. Other offers of the same moment,
// before the rate was last halved, change nothing.
func (l *rateLimiter) throttled(ctx context.Context, offered time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !offered.After(l.slowed) {
		return
	}
	l.slowed = time.Now()
	l.gap = min(2*l.gap, slowestGap)
	// Processes that were throttled together go on at different times.
	l.next = l.slowed.Add(l.gap/2 + random.N(ctx, l.gap))
}
