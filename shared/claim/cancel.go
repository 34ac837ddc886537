package claim

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// CancelStore is what cancelling needs of the tables.
type CancelStore interface {
	// Fulfillment returns the line's record as it stands now, with the keys of its own
	// item, and false if there is no such line.
	Fulfillment(ctx context.Context, id order.LineID) (order.Fulfillment, bool, error)
	// Chunks returns the chunks of a line as they stand now.
	Chunks(ctx context.Context, id order.LineID) ([]order.Chunk, error)
	// Commit is that of KeyStore.
	Commit(ctx context.Context, changes ...order.Change) error
}

// Pools finds a pool; false if there is none.
type Pools interface {
	Pool(ctx context.Context, merchant, name string) (catalog.Pool, bool, error)
}

// Canceller gives back lines that wait.
type Canceller struct {
	Store CancelStore
	Pools Pools  // uncached
	Fill  Sender // the queue of order.FillRequest
	Now   func() time.Time
}

// Cancel gives back a line that waits for keys or for a pool: it becomes returned and
// leaves its queue, and the keys that it has got so far, which nobody was mailed, are
// for sale again. A line that does not wait, since it has been filled meanwhile or was
// returned before, stays as it is. Cancel returns the line as it stands; its error is
// temporary if some of the line's keys are still to be released, and a repeat does so.
func (c *Canceller) Cancel(ctx context.Context, id order.LineID, by string) (order.Fulfillment, error) {
	var line order.Fulfillment
	cancelled := false
	err := retry.Contention.Do(ctx, func() (err error) {
		var known bool
		line, known, err = c.Store.Fulfillment(ctx, id)
		if err != nil || !known {
			return err
		}
		waits := line.State() == order.Waiting || line.State() == order.Unconnected
		if !waits && (!line.ReturnedAll || line.Allocated == 0) {
			return nil
		}
		cancelled = true
		line, err = c.release(ctx, line, by)
		return err
	})
	if err != nil {
		return line, fmt.Errorf("cancel line %s: %w", id, err)
	}
	if cancelled && line.Pool != "" {
		// Its keys, and its place, are for the lines behind it.
		if err := c.Fill.Send(ctx, order.FillPool(line.PoolID()), indexLag); err != nil {
			slog.WarnContext(ctx, "fill.not_requested", "line", line.ID, "error", err)
		}
	}
	return line, nil
}

// release returns the line, first of all, so that it gets no more keys, and then takes
// its keys from it, chunk by chunk.
func (c *Canceller) release(ctx context.Context, line order.Fulfillment, by string) (order.Fulfillment, error) {
	feeder := catalog.Pool{}
	if line.Allocated > 0 {
		var err error
		if feeder, _, err = c.Pools.Pool(ctx, line.Merchant, line.Pool); err != nil {
			return line, err
		}
	}
	shards := feeder.Shards
	if shards == 0 {
		shards = pool.DefaultShards
	}
	change := order.ChangeOf(line)
	if !line.ReturnedAll {
		after := &change.After
		after.ReturnedAll, after.Returned = true, after.Wanted
		if after.Mail.State != outbox.Sending { // else its mailer finds nothing left to say
			if after.Mail.State == outbox.Due {
				after.Mail.State = outbox.None
			}
			after.Mail.TryAt, after.Mail.LeaseEndsAt, after.Mail.DueAt = time.Time{}, time.Time{}, time.Time{}
		}
		change.History = []order.History{{Line: line.ID, At: c.Now(), Event: order.Cancelled, By: by}}
	}
	if err := c.commit(ctx, &change, line.Keys, shards); err != nil {
		return line, err
	}
	line = change.After
	if line.Allocated == 0 {
		return line, nil
	}
	chunks, err := c.Store.Chunks(ctx, line.ID)
	if err != nil {
		return line, err
	}
	for _, chunk := range chunks {
		change := order.ChangeOf(line)
		change.Chunk = chunk
		if err := c.commit(ctx, &change, chunk.Keys, shards); err != nil {
			return line, err
		}
		line = change.After
	}
	return line, nil
}

// commit takes keys from the line and stores the change. Keys that may have been mailed
// are not sold again.
func (c *Canceller) commit(ctx context.Context, change *order.Change, keys []pool.Key, shards int) error {
	to := order.Restock
	if change.After.Mail.Kind == outbox.Keys {
		to = order.Revoke
	}
	for _, key := range keys {
		if err := change.Release(order.Release{Key: key.ID, To: to, Shards: shards}); err != nil {
			return err
		}
	}
	return c.Store.Commit(ctx, *change)
}
