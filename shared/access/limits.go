package access

import (
	"context"
	"time"
)

// SignInCounts counts what strangers may do a few times only.
type SignInCounts interface {
	// CountSignIns counts one more of what a limit is about, in its span of time, and returns
	// how many there were in it.
	CountSignIns(ctx context.Context, what, of string, span time.Duration, now time.Time) (int, error)
}

// limit bounds how often something may be asked for in a span of time.
type limit struct {
	what string
	most int
	span time.Duration
}

// The limits of asking for a sign-in. A person mistypes, waits and asks again: a few times an
// hour. An office asks from one address of the network.
var (
	ofAddress        = limit{"address", 10, time.Hour}
	ofNetwork        = limit{"network", 60, time.Hour}
	ofAddressNetwork = limit{"address-network", 5, 15 * time.Minute}
)

// within counts one more of each, side by side, and reports whether none of them is over its
// most. Each is counted whatever the others say: the answer takes the same time.
func within(ctx context.Context, counts SignInCounts, now time.Time, limits map[limit]string) (bool, error) {
	type result struct {
		n   int
		err error
		l   limit
	}
	results := make(chan result, len(limits))
	for l, of := range limits {
		go func() {
			n, err := counts.CountSignIns(ctx, l.what, of, l.span, now)
			results <- result{n, err, l}
		}()
	}
	ok := true
	var failed error
	for range limits {
		r := <-results
		ok = ok && r.n <= r.l.most
		if r.err != nil {
			failed = r.err
		}
	}
	return ok, failed
}
