// Package retry repeats what a store could not do this time.
//
// A store says so with one of two errors, whatever it was asked for: ErrChanged
// and ErrThrottled. Everything else is final for the caller of this package.
package retry

import (
	"context"
	"errors"
	"time"

	"keypool/shared/random"
)

var (
	// ErrChanged means that somebody else changed the record meanwhile, or is
	// changing it now. Read it again before the next try.
	ErrChanged = errors.New("the record was changed meanwhile")
	// ErrThrottled means that the store takes no more calls just now. The same call
	// may succeed later.
	ErrThrottled = errors.New("the store is throttled")
)

// Temporary reports whether an error may pass by itself.
func Temporary(err error) bool {
	return errors.Is(err, ErrChanged) || errors.Is(err, ErrThrottled)
}

// BackOff is how long the tries of one thing are apart: up to First after the
// first try, twice that after each further one, Longest at most. The wait is
// random, so that those who met once do not meet again.
type BackOff struct {
	First   time.Duration
	Longest time.Duration
	Tries   int // at most
}

var (
	// Contention is for callers that race for the same records. The waits of ten
	// tries add up to two seconds on average, four at most.
	Contention = BackOff{First: 20 * time.Millisecond, Longest: time.Second, Tries: 10}
	// Throttling is for a store that takes no more calls.
	Throttling = BackOff{First: 40 * time.Millisecond, Longest: 2 * time.Second, Tries: 10}
)

// Wait waits after a try, counted from 1. It returns the context's error if that
// ends first.
func (b BackOff) Wait(ctx context.Context, try int) error {
	longest := b.Longest
	if shift := max(try-1, 0); shift < 32 {
		longest = min(b.First<<shift, b.Longest)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(random.N(ctx, longest)):
		return nil
	}
}

// For returns the back-off for a temporary error.
func For(err error) BackOff {
	if errors.Is(err, ErrChanged) {
		return Contention
	}
	return Throttling
}

// Do calls once until it succeeds or fails with an error that is not temporary,
// Tries times at most. It returns the last error.
func (b BackOff) Do(ctx context.Context, once func() error) error {
	for try := 1; ; try++ {
		err := once()
		if !Temporary(err) || try == b.Tries {
			return err
		}
		if err := b.Wait(ctx, try); err != nil {
			return err
		}
	}
}
