package delivery

import (
	"context"
	"sync"
	"time"

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

	// reserve is the time between the last offer of a mail and the invocation's end.
	reserve = sendFor + 5*time.Second
)

// pace spaces the mails of one process. Its zero value is ready; it is safe for
// concurrent use.
type pace struct {
	mu     sync.Mutex
	gap    time.Duration // between one mail and the next
	next   time.Time     // when the next may be offered
	slowed time.Time     // when the gap last grew
}

// turn waits until a mail may be offered, and returns that time. It is false if the
// invocation's time is up before.
func (p *pace) turn(ctx context.Context) (at time.Time, ok bool) {
	for {
		at, slowed := p.reserve()
		if deadline, set := ctx.Deadline(); set && at.After(deadline.Add(-reserve)) {
			return at, false
		}
		select {
		case <-ctx.Done():
			return at, false
		case <-time.After(time.Until(at)):
		}
		if p.holds(slowed) {
			return at, true
		}
	}
}

// reserve returns the time of the next turn. The turn is lost if the pace is slowed
// before that time: slowed changes.
func (p *pace) reserve() (at, slowed time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gap == 0 {
		p.gap = usualGap
	}
	at = time.Now()
	if p.next.After(at) {
		at = p.next
	}
	p.next = at.Add(p.gap)
	return at, p.slowed
}

func (p *pace) holds(slowed time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.slowed.Equal(slowed)
}

// taken raises the rate a little after a mail that SES took.
func (p *pace) taken() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gap = max(p.gap*39/40, fastestGap)
}

// tooFast halves the rate after a throttled offer. Other offers of the same moment,
// before the rate was last halved, change nothing.
func (p *pace) tooFast(ctx context.Context, offered time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !offered.After(p.slowed) {
		return
	}
	p.slowed = time.Now()
	p.gap = min(2*p.gap, slowestGap)
	// Processes that were throttled together go on at different times.
	p.next = p.slowed.Add(p.gap/2 + random.N(ctx, p.gap))
}
