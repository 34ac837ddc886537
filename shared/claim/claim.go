package claim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/random"
	"keypool/shared/retry"
)

// Store is what claiming needs of the tables.
type Store interface {
	Shelf

	// Fulfillment returns the line's record, with its first keys, as it stands
	// now; false if the line is new.
	Fulfillment(ctx context.Context, id order.LineID) (order.Fulfillment, bool, error)

	// Queue returns the front of a pool side's queue as it stands now.
	Queue(ctx context.Context, p pool.ID) (order.Queue, error)
}

// Shelf is what it takes to take keys, for new lines and for those that wait.
type Shelf interface {
	// Candidates returns available keys from a random place, so that orders in
	// flight do not all reach for the same ones: 2n where there are as many, to
	// have another for one that is gone, all there are otherwise. It may lag: a
	// candidate may be gone when it is committed.
	Candidates(ctx context.Context, p pool.ID, shards, n int) ([]pool.Key, error)

	// Remaining returns those of the candidates that stand now where they were
	// found, as far as that can be told at once.
	Remaining(ctx context.Context, candidates []pool.Key) ([]pool.Key, error)

	// Commit writes the changes, all or nothing. *order.ExistsError holds the
	// record that was there before a new line; *order.KeysTakenError names the keys to
	// replace; retry.ErrChanged asks to read the line again; retry.ErrThrottled to wait.
	Commit(ctx context.Context, changes ...order.Change) error
}

// Sender sends a message, to be received after the delay.
type Sender interface {
	Send(ctx context.Context, message any, delay time.Duration) error
}

// Claimer claims keys for paid lines.
type Claimer struct {
	Store  Store
	Recent Catalog // may be up to 30 seconds old, so that a warm claim asks no catalog
	Fresh  Catalog // as it stands now
	Fill   Sender
	Now    func() time.Time
}

// attempts bounds how often one claim is tried. The pauses between ten add up to
// two seconds, four at most: by then an index has caught up, and the partition of
// a queue has taken in a thousand lines, when the last keys are fought over.
const attempts = 10

// indexLag is what an index is given to show a write before fill relies on it.
const indexLag = 2 * time.Second

// Claim gives a paid line the keys it paid for, once, and returns its record.
// Paid holds what the platform said; what the catalog knows is filled in here.
//
// A repeat of the same line returns the record that is there and takes nothing.
// A repeat with another product or quantity is *ChangedError. When keys are
// missing, or others wait for them, the line is stored waiting, with what it
// could take, and fill is told. ErrBusy means that nothing is known to be
// stored: the caller's repeat will find out.
func (c *Claimer) Claim(ctx context.Context, paid order.Fulfillment) (order.Fulfillment, error) {
	line, shards, err := connect(ctx, c.Recent, paid)
	if err == nil && line.Pool == "" {
		line, shards, err = connect(ctx, c.Fresh, paid) // it may have been connected just now
	}
	if err != nil {
		return order.Fulfillment{}, fmt.Errorf("claim for line %s: %w", paid.ID, err)
	}
	for attempt := 1; attempt <= attempts; attempt++ {
		got, err := c.try(ctx, line, shards, attempt == attempts)
		if errors.Is(err, retry.ErrChanged) || errors.Is(err, retry.ErrThrottled) {
			err = pause(ctx, attempt)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return order.Fulfillment{}, fmt.Errorf("claim for line %s: %w", paid.ID, err)
		}
		c.askForFill(ctx, got)
		return got, nil
	}
	return order.Fulfillment{}, fmt.Errorf("claim for line %s: %w", paid.ID, ErrBusy)
}

// try reads what there is, side by side, and commits. On the last try it stores
// the line waiting rather than look for keys that the index keeps showing wrongly.
func (c *Claimer) try(ctx context.Context, line order.Fulfillment, shards int, last bool) (order.Fulfillment, error) {
	var (
		there                        order.Fulfillment
		exists                       bool
		queue                        order.Queue
		candidates                   []pool.Key
		lineErr, queueErr, searchErr error
		reads                        sync.WaitGroup
	)
	if line.Pool != "" {
		reads.Go(func() { queue, queueErr = c.Store.Queue(ctx, line.PoolID()) })
		reads.Go(func() {
			candidates, searchErr = c.Store.Candidates(ctx, line.PoolID(), shards, min(line.Missing(), order.MaxKeys))
		})
	}
	// On the goroutine that is there: a new one would have to grow its stack.
	there, exists, lineErr = c.Store.Fulfillment(ctx, line.ID)
	reads.Wait()
	if lineErr == nil && exists {
		return repeat(there, line) // whatever became of the other reads
	}
	if err := errors.Join(lineErr, queueErr, searchErr); err != nil {
		return order.Fulfillment{}, err
	}
	candidates, needed, err := c.mayTake(ctx, line, queue, candidates, shards)
	if err != nil {
		return order.Fulfillment{}, err
	}

	for {
		wanted := min(line.Missing(), order.MaxKeys, len(candidates))
		change := newLine(line, candidates[:wanted], c.Now())
		err := c.Store.Commit(ctx, change)

		var won *order.ExistsError
		var gone *order.KeysTakenError
		switch {
		case err == nil:
			return change.After, nil
		case errors.As(err, &won):
			return repeat(won.Fulfillment, line)
		case errors.As(err, &gone):
			candidates = remaining(ctx, c.Store, without(candidates, gone.Keys))
			if needed > 0 && len(candidates) <= needed {
				candidates = nil // it passed others for what there seemed to be, and there is less
				continue
			}
			if len(candidates) < wanted && !last {
				return order.Fulfillment{}, retry.ErrChanged // look again: there may be others
			}
		default:
			return order.Fulfillment{}, err
		}
	}
}

// shortQueue is how many missing keys a newcomer counts up to before it queues.
// To know that there are more keys than that it would have to read them; fill,
// which does so every two seconds for everybody, leaves a pass.
const shortQueue = 1000

// mayTake returns the candidates that the line may take: none if others wait for
// them, more of them if that is needed to know. If it may because there are more
// keys than the line and those who wait need together, it returns how many that is.
func (c *Claimer) mayTake(ctx context.Context, line order.Fulfillment, queue order.Queue, candidates []pool.Key, shards int) (may []pool.Key, needed int, err error) {
	if len(queue.Lines) == 0 || c.Now().Before(queue.PassUntil) {
		return candidates, 0, nil
	}
	needed = line.Missing()
	for _, waiting := range queue.Lines {
		needed += waiting.Missing
	}
	if len(queue.Lines) >= order.QueueFront || needed > shortQueue {
		return nil, 0, nil
	}
	if len(candidates) <= needed {
		if candidates, err = c.Store.Candidates(ctx, line.PoolID(), shards, needed+1); err != nil {
			return nil, 0, err
		}
	}
	if len(candidates) <= needed {
		return nil, 0, nil
	}
	return candidates, needed, nil
}

// remaining returns the candidates that are left after a race for one was lost:
// where one is gone others are, since the index is behind for all of them. It is a
// hint: if nobody can tell, the next transaction will.
func remaining(ctx context.Context, shelf Shelf, candidates []pool.Key) []pool.Key {
	left, err := shelf.Remaining(ctx, candidates)
	if err != nil {
		return candidates
	}
	return left
}

// newLine returns the change that stores a new line with its first keys.
func newLine(line order.Fulfillment, keys []pool.Key, now time.Time) order.Change {
	line.ReceivedAt = now
	change := order.NewLine(line)
	allocate(&change, keys, now)
	return change
}

// allocate gives keys to the line. The line's mail is due once no key is missing;
// until then the sweep looks at the line now and then.
func allocate(change *order.Change, keys []pool.Key, now time.Time) {
	change.Allocate(keys)
	line := &change.After
	if line.State() == order.Fulfilled {
		line.Mail = line.Mail.Next(outbox.Keys, now)
	} else if line.Mail.DueAt.IsZero() {
		line.Mail.DueAt = now.Add(outbox.SweepAfter)
	}
}

// repeat answers a line that is there already.
func repeat(there, paid order.Fulfillment) (order.Fulfillment, error) {
	if there.Product != paid.Product || there.Quantity != paid.Quantity {
		return there, &ChangedError{Line: there.ID}
	}
	return there, nil
}

// askForFill tells fill about a line that was left waiting. If the message is
// lost, the sweep finds the line.
//
// A line that no pool feeds asks too: its product may have been connected, and
// fill have looked, between our look at the catalog and our commit.
func (c *Claimer) askForFill(ctx context.Context, line order.Fulfillment) {
	var request order.FillRequest
	switch line.State() {
	case order.Waiting:
		request = order.FillPool(line.PoolID())
	case order.Unconnected:
		request = order.FillProduct(line.Merchant, line.Side, line.Product)
	default:
		return
	}
	if err := c.Fill.Send(ctx, request, indexLag); err != nil {
		slog.WarnContext(ctx, "fill was not asked, the sweep will", "line", line.ID, "error", err)
	}
}

// without returns the candidates less the keys that are gone.
func without(candidates []pool.Key, gone []pool.KeyID) []pool.Key {
	return slices.DeleteFunc(slices.Clone(candidates), func(k pool.Key) bool {
		return slices.Contains(gone, k.ID)
	})
}

// pause waits before the next attempt: up to 20 ms and doubling, with full jitter,
// so that those who met once do not meet again.
func pause(ctx context.Context, attempt int) error {
	longest := min(10*time.Millisecond<<attempt, time.Second)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(random.N(ctx, longest)):
		return nil
	}
}
