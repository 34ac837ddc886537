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

// Counts keeps the counts of keys that are shown. They are sums of uploads and
// claims, so without a recount a lost message would leave them wrong for ever.
type Counts interface {
	// LeaseRecount gives the day's recount of a pool side to its caller until a time,
	// with the count that is shown now. It is false if the recount is done or leased.
	LeaseRecount(ctx context.Context, p pool.ID, day string, now, until time.Time) (shown int, ok bool, err error)
	// Available counts a pool side's available keys up to limit.
	Available(ctx context.Context, p pool.ID, shards, limit int) (int, error)
	// CorrectCount adds to the count that is shown and marks the day's recount as done.
	CorrectCount(ctx context.Context, p pool.ID, day string, add int, now time.Time) error
}

// recountLease is the longest that one recount may take: the longest that a function
// runs. The first check after that begins an interrupted recount again.
const recountLease = 15 * time.Minute

// recount corrects the count that is shown of each pool side once a day, in UTC.
//
// Keys are sold and loaded while they are counted, so the correction is added as a
// difference. A sale during the count may be missed or counted twice until the next
// night, but no later count is overwritten.
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

// everything is a limit above the size of any pool.
const everything = math.MaxInt32
