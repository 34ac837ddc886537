package main

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"
)

// mostTrips are the round trips that a page of the API takes at most, beside that for its
// token.
const mostTrips = 2

// TestPages_roundTrips walks all operations that read. The second call is counted: the first
// also writes when its token was used, and reads the salt of the merchant.
func TestPages_roundTrips(t *testing.T) {
	t.Parallel()
	var calls tripLog
	o := newOwner(open(t, calls.option))
	tried := 0
	for _, c := range document.Calls(t) {
		if c.Method != "GET" {
			continue
		}
		tried++
		o.shop(o.token, c.Method, c.Path, c.Body).Want(200)
		trips := 0
		for range 5 { // a busy machine starts calls late that are made side by side
			calls.reset()
			o.shop(o.token, c.Method, c.Path, c.Body).Want(200)
			if now := calls.roundTrips(); trips == 0 || now < trips {
				trips = now
			}
			if trips <= 1+mostTrips {
				break
			}
		}
		if trips > 1+mostTrips {
			t.Errorf("%s takes %d round trips beside its token's, and %d are the most", c.Operation, trips-1, mostTrips)
		}
	}
	if tried < 15 {
		t.Errorf("only %d operations were tried", tried)
	}
}

// tripLog records when calls of a DynamoDB client began and ended.
type tripLog struct {
	mu    sync.Mutex
	calls []trip
}

type trip struct{ from, to time.Time }

// latency is added to each call, so that those that are made side by side overlap.
const latency = 5 * time.Millisecond

func (l *tripLog) option(o *dynamodb.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Trips",
			func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
				from := time.Now()
				time.Sleep(latency)
				out, metadata, err := next.HandleInitialize(ctx, in)
				l.mu.Lock()
				defer l.mu.Unlock()
				l.calls = append(l.calls, trip{from, time.Now()})
				return out, metadata, err
			}), middleware.Before)
	})
}

func (l *tripLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = nil
}

// roundTrips returns the longest chain of calls that may have waited for one another: those
// that overlap in time have not.
func (l *tripLog) roundTrips() int {
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
