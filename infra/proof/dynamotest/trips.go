package dynamotest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"
)

// Trips records when calls of a DynamoDB client began and ended. Each takes the latency
// longer, so that those that are made side by side overlap.
type Trips struct {
	mu      sync.Mutex
	latency time.Duration
	calls   []trip
}

type trip struct{ from, to time.Time }

// Option has a store record its calls: give it to Open.
func (l *Trips) Option(o *dynamodb.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Trips",
			func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
				from := time.Now()
				time.Sleep(l.delay())
				out, metadata, err := next.HandleInitialize(ctx, in)
				l.mu.Lock()
				defer l.mu.Unlock()
				l.calls = append(l.calls, trip{from, time.Now()})
				return out, metadata, err
			}), middleware.Before)
	})
}

// Reset forgets what was recorded, and has each call take the latency longer from now on.
func (l *Trips) Reset(latency time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.latency, l.calls = latency, nil
}

func (l *Trips) delay() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.latency
}

// Calls returns how many calls were recorded.
func (l *Trips) Calls() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.calls)
}

// RoundTrips returns the longest chain of calls that may have waited for one another: those
// that overlap in time have not.
func (l *Trips) RoundTrips() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	trips := 0
	var last time.Time
	for _, c := range slices.SortedFunc(slices.Values(l.calls), func(a, b trip) int { return a.to.Compare(b.to) }) {
		if !c.from.Before(last) {
			trips++
			last = c.to
		}
	}
	return trips
}
