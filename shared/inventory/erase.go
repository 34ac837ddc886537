package inventory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"keypool/shared/job"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// Erase has what is kept of a customer taken away: of all orders of an address that came until
// now, on both sides. It returns the job that does it. An address without orders has a job that
// finds nothing. The address is not stored: the job holds its keyed hash until it ends. Its
// error is job.ErrNoAddress of an empty one.
func (s *Jobs) Erase(ctx context.Context, merchant, address string, force bool, by string) (job.Job, error) {
	m, err := known(ctx, s.Merchants, merchant)
	if err != nil {
		return job.Job{}, fmt.Errorf("erase a customer: %w", err)
	}
	customer := order.HashAddress(m.Salt, address)
	if customer == "" {
		return job.Job{}, job.ErrNoAddress
	}
	return s.start(ctx, job.Job{Merchant: merchant, Kind: job.Erase, Customer: customer, Force: force, By: by})
}

// LinesOf finds lines by an index, which may lag behind by IndexLag.
type LinesOf interface {
	// Places returns the places of up to limit lines that a search finds, the latest first,
	// after one of them: the zero Place to begin with.
	Places(ctx context.Context, q order.Search, after order.Place, limit int) ([]order.Place, error)
	// LinesByID returns those of the lines that are there, as they stand.
	LinesByID(ctx context.Context, ids []order.LineID) (map[order.LineID]order.Fulfillment, error)
}

// Eraser takes away what is kept of a line's customer; see lifecycle.Eraser.
type Eraser interface {
	Erase(ctx context.Context, id order.LineID, how lifecycle.Erasure) (order.Fulfillment, error)
}

// erasedAtOnce is how many lines are erased in one step.
const erasedAtOnce = 25

// erasure takes away what is kept of a customer.
//
// It looks at all lines of the address, again and again, since the index lags: a line that was
// paid just before the job was asked for may be shown late. The last look is one that changes
// nothing, and that began when the job was made, and the last line changed, for longer than
// that. Lines that owe the customer something are left, and are counted in it.
type erasure struct{ progress }

// Step erases the next lines of the customer.
func (e *erasure) Step(ctx context.Context) (last bool, err error) {
	if e.cut() {
		return true, nil
	}
	if e.job.Customer == "" {
		return false, job.ErrNoAddress // it would look at the lines of everybody
	}
	look := &e.job.Look
	if look.Began.IsZero() {
		look.Began = e.Now()
	}
	places, err := e.Lines.Places(ctx, order.Search{
		Merchant: e.job.Merchant, Side: pool.Sides[look.Shard], CustomerHash: e.job.Customer, Until: e.job.CreatedAt.Add(time.Millisecond),
	}, parsePlace(look.After), erasedAtOnce)
	if err != nil {
		return false, err
	}
	for _, place := range places {
		if err := e.erase(ctx, place.Line); err != nil {
			return false, err
		}
		look.After = formatPlace(place)
	}
	if len(places) == erasedAtOnce {
		return false, nil
	}
	look.Shard, look.After = look.Shard+1, ""
	if look.Shard < len(pool.Sides) {
		return false, nil
	}
	changed := e.job.CreatedAt
	if look.FoundAt.After(changed) {
		changed = look.FoundAt
	}
	if look.Found == look.Left && look.Began.Sub(changed) >= IndexLag {
		return true, nil
	}
	return false, e.pause()
}

// erase erases a line, and counts what became of it.
func (e *erasure) erase(ctx context.Context, id order.LineID) error {
	look := &e.job.Look
	e.job.SavedAt = e.Now()
	line, err := e.Eraser.Erase(ctx, id, lifecycle.Erasure{Act: lifecycle.Act{By: e.job.By}, Customer: e.job.Customer, Force: e.job.Force, Job: &e.job})
	switch {
	case errors.Is(err, order.ErrOwes):
		look.Found++
		look.Left++
	case errors.Is(err, order.ErrMailing):
		look.Found++ // the next look finds it sent
	case err != nil:
		return err
	case !line.ErasedAt.IsZero():
		look.Found++
		look.FoundAt = e.Now()
	}
	return nil
}

// A place is kept as text, since the looks of other jobs go by other places.

func formatPlace(p order.Place) string {
	return fmt.Sprintf("%d %d %s %d", p.At.UnixMilli(), p.Partition, p.Line, p.Former)
}

func parsePlace(after string) (p order.Place) {
	var ms int64
	if _, err := fmt.Sscanf(after, "%d %d %s %d", &ms, &p.Partition, &p.Line, &p.Former); err != nil {
		return order.Place{}
	}
	p.At = time.UnixMilli(ms).UTC()
	return p
}
