package sweep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"keypool/shared/order"
)

// run is one sweep: its counts, its errors and its requests to fill.
type run struct {
	*Sweeper

	mu     sync.Mutex
	swept  Swept
	failed []error
	asked  map[order.FillRequest]func() error
	days   map[string]usedDay // by merchant
}

// ask sends a request to fill, once in a run for all lines of a queue. It returns the
// result of that one send to each of them.
func (r *run) ask(ctx context.Context, request order.FillRequest) error {
	r.mu.Lock()
	if r.asked == nil {
		r.asked = make(map[order.FillRequest]func() error)
	}
	send := r.asked[request]
	if send == nil {
		send = sync.OnceValue(func() error { return r.Fill.Send(ctx, request, 0) })
		r.asked[request] = send
	}
	r.mu.Unlock()
	return send()
}

func (r *run) count(add func(*Swept)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	add(&r.swept)
}

func (r *run) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, err)
}

// shown is the number of errors that one sweep returns in full: a table that is down
// fails every item in the same way.
const shown = 20

// err returns the errors of the sweep, sorted, so that two sweeps with the same errors
// return the same text.
func (r *run) err() error {
	failed := slices.SortedFunc(slices.Values(r.failed), func(a, b error) int {
		return strings.Compare(a.Error(), b.Error())
	})
	if rest := len(failed) - shown; rest > 0 {
		failed = append(failed[:shown], fmt.Errorf("and %d more", rest))
	}
	return errors.Join(failed...)
}
