package stock

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/pool"
)

// Counts keeps the counts of keys that are shown. They are kept by adding up
// uploads and takes, so a lost message would leave them wrong for ever.
type Counts interface {
	// LeaseRecount gives the day's recount of a pool side to its caller until
	// then, with the count as it is shown now; false if it is done, or being done.
	LeaseRecount(ctx context.Context, p pool.ID, day string, now, until time.Time) (shown int, ok bool, err error)
	// Available counts a pool side's available keys up to limit.
	Available(ctx context.Context, p pool.ID, shards, limit int) (int, error)
	// CorrectCount adds to the count that is shown and marks the day as done.
	CorrectCount(ctx context.Context, p pool.ID, day string, add int, now time.Time) error
}

// recountLease is how long one recount may take: the longest a function runs.
// A recount that was cut off is begun again by the first check after that.
const recountLease = 15 * time.Minute

// recount puts right what is shown, for each pool side once a day, in UTC.
//
// Keys are sold and loaded while they are counted, so what it finds is added as
// a difference: what happens during the count may be missed or seen twice, and
// is put right the next night, but nothing counted later is overwritten.
func (c *Checker) recount(ctx context.Context, pools []catalog.Pool) error {
	var broken []error
	for _, p := range pools {
		for _, side := range []pool.Side{pool.Live, pool.Test} {
			id := pool.ID{Merchant: p.Merchant, Pool: p.Name, Side: side}
			if err := c.recountSide(ctx, id, p.Shards); err != nil {
				broken = append(broken, fmt.Errorf("recount %s: %w", id, err))
			}
		}
	}
	return errors.Join(broken...)
}

func (c *Checker) recountSide(ctx context.Context, p pool.ID, shards int) error {
	now := c.Now()
	day := now.UTC().Format(time.DateOnly)
	shown, ok, err := c.Counts.LeaseRecount(ctx, p, day, now, now.Add(recountLease))
	if err != nil || !ok {
		return err
	}
	there, err := c.Counts.Available(ctx, p, shards, everything)
	if err != nil {
		return err
	}
	return c.Counts.CorrectCount(ctx, p, day, there-shown, now)
}

// everything is a limit that no pool reaches.
const everything = math.MaxInt32
