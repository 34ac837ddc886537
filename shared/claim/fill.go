package claim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// FillStore is what filling a queue needs of the tables.
type FillStore interface {
	Shelf

	// Head returns the lines at the front of the pool side's queue, oldest first,
	// as many as may share a transaction, with their first keys.
	Head(ctx context.Context, p pool.ID) ([]order.Fulfillment, error)

	// Unconnected returns lines of a product that no pool feeds, oldest first,
	// from the one after the given one on ("" for the first).
	Unconnected(ctx context.Context, r order.FillRequest, after string) (lines []order.Fulfillment, next string, err error)
}

// PassStore is what it takes to let newcomers pass a queue.
type PassStore interface {
	// Missing returns how many keys the lines of a queue miss, and how many lines
	// they are, counting up to limit lines.
	Missing(ctx context.Context, p pool.ID, limit int) (keys, lines int, err error)
	// Available counts the available keys of a pool side, up to limit.
	Available(ctx context.Context, p pool.ID, shards, limit int) (int, error)
	// Pass lets newcomers pass the queue until then.
	Pass(ctx context.Context, p pool.ID, until time.Time) error
}

// Notifier tells the merchant that a pool is empty while orders wait: once,
// until it is restocked.
type Notifier interface {
	//
	// Since is when the first of them began to wait; facts are asked for only if
	// there is something to tell.
	RaiseEmpty(ctx context.Context, p pool.ID, since time.Time, facts func() (notice.Facts, error), now time.Time) error
}

// Filler serves the lines that wait.
type Filler struct {
	Store   FillStore
	Passes  PassStore
	Catalog Catalog // as it stands now
	Notices Notifier
	Now     func() time.Time
}

// A pass is good for passFor and renewed every passEvery while keys abound, so
// that one lost or late only means queueing for a moment.
const (
	passFor   = 5 * time.Second
	passEvery = 2 * time.Second
	// abundance is how many keys beyond twice what the queue misses must be there.
	abundance = 1000
	// countLines bounds how much of a queue is counted for a pass: there is none
	// for a queue that is longer, since nobody knows what it misses.
	countLines = 10_000
	// tellLines bounds how much of it is counted for a notice.
	tellLines = 1000
)

// ErrUnfinished means that the time was up before the queue was served.
var ErrUnfinished = errors.New("the time was up with lines left to serve")

// Fill serves a request: the lines of a queue, strictly oldest first, with the
// keys there are. It ends when no line or no key is left, and returns
// ErrUnfinished when until comes first. Two fills of one queue at the same time
// are harmless: each line and each key goes to one of them.
func (f *Filler) Fill(ctx context.Context, r order.FillRequest, until time.Time) error {
	if r.Product == "" {
		return f.fillPool(ctx, pool.ID{Merchant: r.Merchant, Pool: r.Pool, Side: r.Side}, until)
	}
	pools, err := feeders(ctx, f.Catalog, r)
	if err != nil {
		return fmt.Errorf("connect a product of %s: %w", r.Merchant, err)
	}
	if len(pools) == 0 {
		return nil // nothing can be connected, however many wait
	}
	if err := f.connectLines(ctx, r, until); err != nil {
		return fmt.Errorf("connect a product of %s: %w", r.Merchant, err)
	}
	// All pools that feed the product, whether or not a line was moved just now:
	// whoever moved one before us may not have lived to fill it.
	for _, p := range pools {
		err = errors.Join(err, f.fillPool(ctx, p, until))
	}
	return err
}

// fillPool serves the queue of a pool side.
func (f *Filler) fillPool(ctx context.Context, p pool.ID, until time.Time) error {
	feeder, known, err := f.Catalog.Pool(ctx, p.Merchant, p.Pool)
	if err != nil {
		return fmt.Errorf("fill %s: %w", p, err)
	}
	if !known {
		// Deleted while an order that still saw it was on its way: it waits for the
		// pool to come back, and the merchant is told.
		feeder.Shards = pool.DefaultShards
	}
	var passed time.Time
	err = f.untilDone(ctx, until, func() (more bool, err error) {
		if f.Now().Sub(passed) >= passEvery {
			passed = f.Now()
			if err := f.letPass(ctx, p, feeder.Shards); err != nil {
				// Without a pass newcomers queue for a moment: no reason to stop.
				slog.WarnContext(ctx, "no pass was left", "pool", p, "error", err)
			}
		}
		return f.serveHead(ctx, p, feeder.Shards)
	})
	if err != nil {
		return fmt.Errorf("fill %s: %w", p, err)
	}
	return nil
}

// untilDone repeats a step until it says that there is no more to do. A step that
// met somebody else's change or a throttle is tried again, a bounded number of
// times in a row.
func (f *Filler) untilDone(ctx context.Context, until time.Time, step func() (more bool, err error)) error {
	for attempt := 1; ; {
		if !f.Now().Before(until) {
			return ErrUnfinished
		}
		more, err := step()
		switch {
		case errors.Is(err, retry.ErrChanged) || errors.Is(err, retry.ErrThrottled):
			if attempt++; attempt > attempts {
				return ErrBusy
			}
			if err := pause(ctx, attempt); err != nil {
				return err
			}
		case err != nil || !more:
			return err
		default:
			attempt = 1
		}
	}
}

// serveHead serves the lines at the front of the queue in one transaction, and
// reports whether there may be more to do.
func (f *Filler) serveHead(ctx context.Context, p pool.ID, shards int) (more bool, err error) {
	lines, err := f.Store.Head(ctx, p)
	if err != nil || len(lines) == 0 {
		return false, err
	}
	wanted := 0
	for _, line := range lines {
		wanted += line.Missing()
	}
	candidates, err := f.Store.Candidates(ctx, p, shards, min(wanted, order.MaxItems))
	if err != nil {
		return false, err
	}
	if len(candidates) == 0 {
		return false, f.tellEmpty(ctx, p, lines[0])
	}
	for {
		changes := share(lines, candidates, f.Now())
		err := f.Store.Commit(ctx, changes...)
		var gone *order.KeysTakenError
		if !errors.As(err, &gone) {
			return true, err
		}
		candidates = remaining(ctx, f.Store, without(candidates, gone.Keys))
		if len(candidates) == 0 {
			return false, retry.ErrChanged // the index showed too little: look again
		}
	}
}

// share allocates candidates to lines, oldest first, as far as the keys go and one
// transaction reaches. The first line that stays incomplete is the last that gets
// any: no line is served before an older one is complete.
func share(lines []order.Fulfillment, candidates []pool.Key, now time.Time) []order.Change {
	var changes []order.Change
	room := order.MaxItems
	for _, line := range lines {
		items := 2 // the line and its place in the queue
		if line.Chunks > 0 || line.Allocated+line.Missing() > order.InlineKeys {
			items = 3 // and a chunk
		}
		n := min(line.Missing(), len(candidates), room-items, order.MaxKeys)
		if n <= 0 {
			break
		}
		change := order.ChangeOf(line)
		allocate(&change, candidates[:n], now)
		changes = append(changes, change)
		if n < line.Missing() {
			break
		}
		candidates = candidates[n:]
		room -= items + n
	}
	return changes
}

// letPass renews the queue's pass while there are keys for everybody.
func (f *Filler) letPass(ctx context.Context, p pool.ID, shards int) error {
	available, err := f.Passes.Available(ctx, p, shards, abundance)
	if err != nil || available < abundance {
		return err // nearly always, and cheaper to know than what the queue misses
	}
	missing, lines, err := f.Passes.Missing(ctx, p, countLines)
	if err != nil || lines == 0 || lines >= countLines {
		return err
	}
	needed := 2*missing + abundance
	available, err = f.Passes.Available(ctx, p, shards, needed)
	if err != nil || available < needed {
		return err
	}
	return f.Passes.Pass(ctx, p, f.Now().Add(passFor))
}

// tellEmpty raises the notice of an empty pool with orders waiting.
func (f *Filler) tellEmpty(ctx context.Context, p pool.ID, head order.Fulfillment) error {
	return f.Notices.RaiseEmpty(ctx, p, head.ReceivedAt, func() (notice.Facts, error) {
		missing, lines, err := f.Passes.Missing(ctx, p, tellLines)
		return notice.Facts{
			Pool: p.Pool, Side: p.Side,
			Waiting: lines, Missing: missing, HeadNeeds: head.Missing(),
			Orders: []string{head.Order}, Started: head.ReceivedAt,
		}, err
	}, f.Now())
}

// connectLines moves the lines of a product to the queues of the pools that feed
// it now, each to the place its age gives it. The settings are read once for many
// lines: whoever changes them asks for a fill of its own.
func (f *Filler) connectLines(ctx context.Context, r order.FillRequest, until time.Time) error {
	settings, after := catalog.NewCached(f.Catalog, f.Now), ""
	return f.untilDone(ctx, until, func() (more bool, err error) {
		lines, next, err := f.Store.Unconnected(ctx, r, after)
		if err != nil {
			return false, err
		}
		var changes []order.Change
		for _, line := range lines {
			change := order.ChangeOf(line)
			if change.After, _, err = connect(ctx, settings, change.After); err != nil {
				return false, err
			}
			if change.After.Pool != "" {
				changes = append(changes, change)
			}
		}
		if err := f.Store.Commit(ctx, changes...); err != nil {
			return false, err
		}
		after = next
		return next != "", nil
	})
}
