package retry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"keypool/shared/retry"
)

func TestDo(t *testing.T) {
	final := errors.New("no such table")
	for name, test := range map[string]struct {
		answers []error
		want    error
		calls   int
	}{
		"succeeds at once":         {[]error{nil}, nil, 1},
		"succeeds after conflicts": {[]error{retry.ErrChanged, fmt.Errorf("read: %w", retry.ErrThrottled), nil}, nil, 3},
		"a final error ends it":    {[]error{retry.ErrChanged, final}, final, 2},
		"ends after its tries":     {[]error{retry.ErrChanged, retry.ErrChanged, retry.ErrChanged}, retry.ErrChanged, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				err := retry.BackOff{First: time.Second, Longest: time.Minute, Tries: 3}.Do(t.Context(), func() error {
					calls++
					return test.answers[calls-1]
				})
				if !errors.Is(err, test.want) || calls != test.calls {
					t.Errorf("%v after %d calls, want %v after %d", err, calls, test.want, test.calls)
				}
			})
		})
	}
}

func TestWait_staysWithinItsBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		back := retry.BackOff{First: 20 * time.Millisecond, Longest: time.Second}
		for try, longest := range map[int]time.Duration{
			0: 20 * time.Millisecond, 1: 20 * time.Millisecond, 2: 40 * time.Millisecond, 6: 640 * time.Millisecond, 7: time.Second, 1000: time.Second,
		} {
			for range 50 {
				start := time.Now()
				if err := back.Wait(t.Context(), try); err != nil {
					t.Fatal(err)
				}
				if waited := time.Since(start); waited >= longest {
					t.Errorf("waited %s after try %d, want less than %s", waited, try, longest)
				}
			}
		}
	})
}

func TestWait_endsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := retry.Throttling.Wait(ctx, 1000); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
