package claim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/job"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// FillStore is what filling a queue needs of the tables.
type FillStore interface {
	KeyStore
	OrderStore

	// Head returns the lines at the front of the pool side's queue, oldest first,
	// as many as may share a transaction, with the keys of their own items.
	Head(ctx context.Context, p pool.ID) ([]order.Fulfillment, error)

	// Unconnected returns lines of a product that no pool feeds, oldest first, and
	// where the next call goes on: "" for the first call and after the last line.
	Unconnected(ctx context.Context, r order.FillRequest, after string) (lines []order.Fulfillment, next string, err error)
}

// BypassStore weighs a queue against the keys that there are, and allows new lines
// to bypass it.
type BypassStore interface {
	// Missing returns how many keys the lines of a queue miss, and how many lines
	// they are. It counts up to limit lines.
	Missing(ctx context.Context, p pool.ID, limit int) (keys, lines int, err error)
	// Available counts the available keys of a pool side, up to limit.
	Available(ctx context.Context, p pool.ID, shards, limit int) (int, error)
	// AllowBypass lets new lines take keys, until then, though others wait.
	AllowBypass(ctx context.Context, p pool.ID, until time.Time) error
}

// Notifier tells the merchant that a pool is empty while orders wait: once, until
// the pool is restocked.
type Notifier interface {
	// RaiseEmpty raises the notice unless the merchant knows already, and one to each of
	// the pool's further addresses. Since is when the first order began to wait. RaiseEmpty calls facts only for a new notice. It
	// fails with retry.ErrChanged if another fill was faster.
	RaiseEmpty(ctx context.Context, p pool.ID, further []string, since time.Time, facts func() (notice.Facts, error), now time.Time) error
	// RaiseNotice stores a notice, once.
	RaiseNotice(ctx context.Context, n notice.Notice) error
}

// Filler serves the lines that wait.
type Filler struct {
	Store   FillStore
	Bypass  BypassStore
	Catalog catalog.Reader // uncached
	Notices Notifier
	Now     func() time.Time
}

// A bypass lasts for bypassFor and is renewed every bypassEvery while there are keys
// for everybody, so one that comes late only means that new lines queue for a moment.
const (
	bypassFor   = 5 * time.Second
	bypassEvery = 2 * time.Second
	// spareKeys is how many available keys there must be beyond twice the missing ones.
	spareKeys = 1000
	// countLines is how many lines of a queue are counted for a bypass. A longer
	// queue gets none.
	countLines = 10_000
	// countForNotice is how many lines of a queue are counted for a notice.
	countForNotice = 1000
)

// Fill serves a request: it allocates available keys to the lines of a queue,
// strictly oldest first, until no line or no key is left. It returns
// job.ErrUnfinished if the time is up before that. Two fills of one queue at once
// are harmless: each line and each key is served by one of them.
func (f *Filler) Fill(ctx context.Context, r order.FillRequest, until time.Time) error {
	if r.Product == "" {
		return f.fillPool(ctx, pool.ID{Merchant: r.Merchant, Pool: r.Pool, Side: r.Side}, until)
	}
	pools, without, err := feeders(ctx, f.Catalog, r)
	if err != nil {
		return fmt.Errorf("connect a product of %s: %w", r.Merchant, err)
	}
	if len(pools) == 0 && !without {
		return nil // no line can be connected, however many wait
	}
	if err := f.connectLines(ctx, r, until); err != nil {
		return fmt.Errorf("connect a product of %s: %w", r.Merchant, err)
	}
	// All pools that feed the product, even if no line was moved just now: an
	// earlier fill may have moved lines and died.
	for _, p := range pools {
		err = errors.Join(err, f.fillPool(ctx, p, until))
	}
	return err
}

// connectLines moves the lines of a product to the queues of the pools that feed it
// now, each to the place that its age gives it, or gives them the product's code. The
// settings are read once for many lines: a change of them sends a request of its own.
func (f *Filler) connectLines(ctx context.Context, r order.FillRequest, until time.Time) error {
	settings, after := catalog.NewCached(f.Catalog, f.Now), ""
	return f.repeat(ctx, until, func() (more bool, err error) {
		lines, next, err := f.Store.Unconnected(ctx, r, after)
		if err != nil {
			return false, err
		}
		var changes []order.Change
		for _, line := range lines {
			// Lines of one order count each other's keys, once those are stored.
			if slices.ContainsFunc(changes, func(c order.Change) bool { return c.After.ID.OrderHalf() == line.ID.OrderHalf() }) {
				if err := f.commitHeld(ctx, changes); err != nil {
					return false, err
				}
				changes = nil
			}
			change := order.ChangeOf(line)
			var from feeder
			if change.After, from, err = connect(ctx, settings, change.After); err != nil {
				return false, err
			}
			if !connected(change.After) {
				continue
			}
			var code pool.Key
			if change.After.SharedCode {
				// It is read after the line, so that it is the product's since the order came.
				given := false
				if code, given, err = f.Store.Code(ctx, from.code); err != nil {
					return false, err
				}
				if !given {
					continue
				}
			}
			if err := f.askNew(ctx, settings, &change, from.rules); err != nil {
				return false, err
			}
			if change.After.SharedCode && change.After.Active() {
				change.GiveCode(code, f.Now())
			}
			change.Settle(f.Now())
			changes = append(changes, change)
		}
		if err := f.commitHeld(ctx, changes); err != nil {
			return false, err
		}
		after = next
		return next != "", nil
	})
}

// fillPool serves the queue of a pool side.
func (f *Filler) fillPool(ctx context.Context, p pool.ID, until time.Time) error {
	feeder, known, err := f.Catalog.Pool(ctx, p.Merchant, p.Pool)
	if err != nil {
		return fmt.Errorf("fill %s: %w", p, err)
	}
	if !known {
		// Deleted after a claim had read it: the line waits until there is a pool of
		// that name again, and the merchant is told.
		feeder.Shards = pool.DefaultShards
	}
	var renewedAt time.Time
	settings := catalog.NewCached(f.Catalog, f.Now)
	err = f.repeat(ctx, until, func() (more bool, err error) {
		if f.Now().Sub(renewedAt) >= bypassEvery {
			renewedAt = f.Now()
			if err := f.renewBypass(ctx, p, feeder.Shards); err != nil {
				slog.WarnContext(ctx, "bypass.not_renewed", "pool", p, "error", err) // new lines queue for a moment
			}
		}
		return f.serveHead(ctx, settings, p, feeder)
	})
	if err != nil {
		return fmt.Errorf("fill %s: %w", p, err)
	}
	return nil
}

// repeat repeats a step until there is no more to do, or no time. Each step is tried
// again while others change the same records or the tables are throttled.
func (f *Filler) repeat(ctx context.Context, until time.Time, step func() (more bool, err error)) error {
	for more := true; more; {
		err := retry.Contention.Do(ctx, func() (err error) {
			if !f.Now().Before(until) {
				return job.ErrUnfinished
			}
			more, err = step()
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// serveHead serves the lines at the front of the queue in one transaction, and
// reports whether there may be more to do.
func (f *Filler) serveHead(ctx context.Context, settings catalog.Reader, p pool.ID, feeder catalog.Pool) (more bool, err error) {
	lines, err := f.Store.Head(ctx, p)
	if err != nil || len(lines) == 0 {
		return false, err
	}
	if held, err := f.askWaiting(ctx, settings, lines); err != nil || held {
		return held, err
	}
	wanted := 0
	for _, line := range lines {
		wanted += line.Missing()
	}
	candidates, err := f.Store.Candidates(ctx, p, feeder.Shards, min(wanted, order.MaxItems))
	if err != nil {
		return false, err
	}
	if len(candidates) == 0 {
		return false, f.tellEmpty(ctx, p, feeder.NoticeAddresses, lines[0])
	}
	for {
		err := f.Store.Commit(ctx, share(lines, candidates, f.Now())...)
		var taken *order.KeysTakenError
		if !errors.As(err, &taken) {
			return true, err
		}
		candidates = remaining(ctx, f.Store, without(candidates, taken.Keys))
		if len(candidates) == 0 {
			return false, retry.ErrChanged // the index lags: the next try may find others
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
		change.Allocate(candidates[:n], now)
		change.Settle(now)
		changes = append(changes, change)
		if n < line.Missing() {
			break
		}
		candidates = candidates[n:]
		room -= items + n
	}
	return changes
}

// renewBypass allows new lines to bypass the queue while there are keys for everybody.
func (f *Filler) renewBypass(ctx context.Context, p pool.ID, shards int) error {
	available, err := f.Bypass.Available(ctx, p, shards, spareKeys)
	if err != nil || available < spareKeys {
		return err // nearly always; it costs less to know than what the queue misses
	}
	missing, lines, err := f.Bypass.Missing(ctx, p, countLines)
	if err != nil || lines == 0 || lines >= countLines {
		return err
	}
	needed := 2*missing + spareKeys
	available, err = f.Bypass.Available(ctx, p, shards, needed)
	if err != nil || available < needed {
		return err
	}
	return f.Bypass.AllowBypass(ctx, p, f.Now().Add(bypassFor))
}

// tellEmpty raises the notice that the pool is empty while orders wait.
func (f *Filler) tellEmpty(ctx context.Context, p pool.ID, further []string, head order.Fulfillment) error {
	return f.Notices.RaiseEmpty(ctx, p, further, head.ReceivedAt, func() (notice.Facts, error) {
		missing, lines, err := f.Bypass.Missing(ctx, p, countForNotice)
		return notice.Facts{
			Pool: p.Pool, Side: p.Side,
			Waiting: lines, Missing: missing, HeadNeeds: head.Missing(),
			Orders: []string{head.Order}, Started: head.ReceivedAt,
		}, err
	}, f.Now())
}
