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

// run is one sweep: what it did, what went wrong, and what it has asked.
type run struct {
	*Sweeper

	mu     sync.Mutex
	swept  Swept
	failed []error
	asked  map[order.FillRequest]func() error
}

// ask sends a request to fill, once in a run however many lines wait in the
// queue, and returns to each of them whether it was sent.
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

// shown is how many failures one sweep tells in full: a table that is down fails
// everything in the same way.
const shown = 20

// err returns what went wrong, sorted, so that two sweeps that met the same
// trouble say the same.
func (r *run) err() error {
	failed := slices.SortedFunc(slices.Values(r.failed), func(a, b error) int {
		return strings.Compare(a.Error(), b.Error())
	})
	if rest := len(failed) - shown; rest > 0 {
		failed = append(failed[:shown], fmt.Errorf("and %d more", rest))
	}
	return errors.Join(failed...)
}
