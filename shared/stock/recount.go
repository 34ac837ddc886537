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

// Counts keeps the counts of keys that are shown. They are sums of uploads and takes, so
// without a recount a lost message would leave them wrong for ever.
type Counts interface {
	Count(ctx context.Context, p pool.ID) (catalog.Count, error)
	// Available counts a pool side's available keys up to limit.
	Available(ctx context.Context, p pool.ID, shards, limit int) (int, error)
	// Look stores a look, and Settle the takes up to a moment, with the day whose recount
	// is done. Both do nothing unless the look they follow still stands.
	Look(ctx context.Context, p pool.ID, last, next catalog.Look) error
	Settle(ctx context.Context, p pool.ID, look catalog.Look, found catalog.Settlement) error
}

// quiet is how long no key may come or go for a recount to hold. Half of it is more than
// clocks differ, an index lags and a claim takes. Checks are five minutes apart.
const quiet = 4 * time.Minute

// counted is a pool, with the live keys that were just seen in it.
type counted struct {
	catalog.Pool
	seen int
}

// recount puts right the counts of each pool side once a day, in UTC, and at once if
// more keys were seen than are counted.
//
// A key is sold a while before its mail has it counted as taken. A recount in between
// that took the difference for an error would have the key counted twice. So it waits
// for a time in which nothing happens, over three checks: nothing is counted from the
// first to the last, and the second and the last find as many keys. The count is settled
// as of the middle of that time. Takes before it are in the count, however long their
// mail still waits, and are not counted by it; all others are: see pool.Take.
//
// A pool that is never quiet is never settled. It shows since when.
func (c *Checker) recount(ctx context.Context, pools []counted) error {
	var broken []error
	for _, p := range pools {
		for _, side := range pool.Sides {
			id, seen := pool.ID{Merchant: p.Merchant, Pool: p.Name, Side: side}, 0
			if side == pool.Live {
				seen = p.seen
			}
			if err := c.recountSide(ctx, id, p.Shards, seen); err != nil {
				broken = append(broken, fmt.Errorf("recount %s: %w", id, err))
			}
		}
	}
	return errors.Join(broken...)
}

func (c *Checker) recountSide(ctx context.Context, p pool.ID, shards, seen int) error {
	count, err := c.Counts.Count(ctx, p)
	if err != nil {
		return err
	}
	now, last := c.Now(), count.Look
	day := now.UTC().Format(time.DateOnly)
	switch {
	case count.SettledOn == day && seen <= count.Available():
		return nil
	case last.At.IsZero():
		return c.Counts.Look(ctx, p, last, catalog.Look{At: now})
	case last.Counted && now.Before(last.At.Add(quiet)):
		return nil
	}
	there, err := c.Counts.Available(ctx, p, shards, everything)
	if err != nil {
		return err
	}
	taken := count.Accepted - count.Withdrawn - there
	if !last.Counted || there != last.Available || taken < 0 { // of keys for sale that are not accepted yet
		return c.Counts.Look(ctx, p, last, catalog.Look{At: c.Now(), Counted: true, Available: there})
	}
	return c.Counts.Settle(ctx, p, last, catalog.Settlement{
		Taken: taken, Until: last.At.Add(now.Sub(last.At) / 2), Day: day,
		Late: taken - count.Taken, Forget: count.Sold.Forget(now),
	})
}

// everything is a limit above the size of any pool.
const everything = math.MaxInt32
