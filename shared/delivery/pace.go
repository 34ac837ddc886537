package delivery

import (
	"context"
	"sync"
	"time"

	"keypool/shared/random"
)

// How fast a process offers mails to SES. It does not know the account's quota,
// nor how many others mail from it: forty, with a stream of four shards. So it
// begins in moderation, halves its rate when SES takes no more, and comes back a
// fortieth with each mail: one offer in five to twenty is refused, and nine
// tenths of SES's first quota are used.
const (
	usualGap   = 50 * time.Millisecond
	fastestGap = 5 * time.Millisecond

	// slowestGap lets forty processes share SES's first quota of 14 mails a second,
	// and one invocation of two minutes offer all its mails.
	slowestGap = 4 * time.Second

	// stopBefore is how long before an invocation's end the last mail is offered.
	stopBefore = sendFor + 5*time.Second
)

// pace spaces the mails of one process. Its zero value is ready; it is safe for
// concurrent use.
type pace struct {
	mu     sync.Mutex
	gap    time.Duration // between one mail and the next
	next   time.Time     // when the next may be offered
	slowed time.Time     // when the gap last grew
}

// turn waits until a mail may be offered and returns when that was; false if it
// cannot be before the invocation's time is up.
func (p *pace) turn(ctx context.Context) (at time.Time, ok bool) {
	for {
		at, slowed := p.reserve()
		if deadline, set := ctx.Deadline(); set && at.After(deadline.Add(-stopBefore)) {
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

// reserve returns the time of the next turn, which is good while the pace has not
// been slowed since.
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

// taken quickens the pace a little.
func (p *pace) taken() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gap = max(p.gap*39/40, fastestGap)
}

// tooFast halves the pace, because a mail that was offered then was refused. Those
// that were offered with it say nothing new.
func (p *pace) tooFast(ctx context.Context, offered time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !offered.After(p.slowed) {
		return
	}
	p.slowed = time.Now()
	p.gap = min(2*p.gap, slowestGap)
	// Not all processes at once: those that were refused together come apart.
	p.next = p.slowed.Add(p.gap/2 + random.N(ctx, p.gap))
}
