package access

import (
	"context"
	"net/netip"
	"time"
)

// Counts counts what strangers may do a few times only.
type Counts interface {
	// CountAttempts counts one more of what a limit is about, in its span of time, and returns
	// how many there were in it.
	CountAttempts(ctx context.Context, what, of string, span time.Duration, now time.Time) (int, error)
}

// Limit bounds how often something may be asked for in a span of time.
type Limit struct {
	What string
	Most int
	Span time.Duration
}

// The limits of asking for a sign-in. A person mistypes, waits and asks again: a few times an
// hour. An office asks from one address of the network.
var (
	ofAddress        = Limit{"address", 10, time.Hour}
	ofNetwork        = Limit{"network", 60, time.Hour}
	ofAddressNetwork = Limit{"address-network", 5, 15 * time.Minute}
)

// The limits of trying. A request ends by MaxTries wrong codes, and an address has ten requests
// an hour: that is at most 50 guesses of ten million an hour at one person, from however many
// networks. One network guesses at many people at most 100 times an hour. A link cannot be
// guessed; to bound its tries bounds what they cost.
var (
	codesOfNetwork = Limit{"codes", 100, time.Hour}
	linksOfNetwork = Limit{"links", 300, time.Hour}
)

// Network returns what limits count a network address as: whoever has one address of IPv6 has
// all of its /64, and would try from another one each time.
func Network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	prefix, _ := ip.Prefix(64) // each address of IPv6 has one
	return prefix.String()
}

// Attempts are how many there were of each limit, this one included.
type Attempts map[Limit]int

// Within reports whether none of them is over its most.
func (a Attempts) Within() bool {
	for l, n := range a {
		if n > l.Most {
			return false
		}
	}
	return true
}

// CountAttempts counts one more of each, side by side. Each is counted whatever the others
// say: the answer takes the same time.
func CountAttempts(ctx context.Context, counts Counts, now time.Time, limits map[Limit]string) (Attempts, error) {
	type result struct {
		n   int
		err error
		l   Limit
	}
	results := make(chan result, len(limits))
	for l, of := range limits {
		go func() {
			n, err := counts.CountAttempts(ctx, l.What, of, l.Span, now)
			results <- result{n, err, l}
		}()
	}
	attempts := make(Attempts, len(limits))
	var failed error
	for range limits {
		r := <-results
		attempts[r.l] = r.n
		if r.err != nil {
			failed = r.err
		}
	}
	return attempts, failed
}
