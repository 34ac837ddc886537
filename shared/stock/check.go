// Package stock checks the stock of every pool and stores the notices for pools that
// run out of keys: see notice.Alert. Once a day it puts right the counts that are shown.
package stock

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/catalog"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// Pools lists the merchants' pools.
type Pools interface {
	// PoolNames calls see with each pool of each merchant, until see fails.
	PoolNames(ctx context.Context, see func(merchant, name string) error) error
	Pool(ctx context.Context, merchant, name string) (catalog.Pool, bool, error)
}

// KeyStore counts keys and shows the lines that wait for them.
type KeyStore interface {
	// Available counts a pool side's available keys up to limit, and reads no more
	// of them, so its price does not grow with the pool.
	Available(ctx context.Context, p pool.ID, shards, limit int) (int, error)
	// Queue returns the front of the lines that wait for keys.
	Queue(ctx context.Context, p pool.ID) (order.Queue, error)
}

// Alerts keeps the alerts of pools.
type Alerts interface {
	// Alert returns the alert of a pool side as it stands now.
	Alert(ctx context.Context, p pool.ID) (notice.Alert, error)
	// ChangeAlert stores an alert made from the one of its Version, and with it
	// the notices, if any: all or nothing. retry.ErrChanged if the alert was changed meanwhile.
	ChangeAlert(ctx context.Context, next notice.Alert, tell []notice.Notice) error
}

// Checker looks at every pool.
type Checker struct {
	Pools  Pools
	Keys   KeyStore
	Alerts Alerts
	Counts Counts
	Now    func() time.Time
}

// workers is the number of pools that are checked side by side.
const workers = 8

// Check looks at every pool and stores the notices that are due, then puts
// right the counts that are shown, once a day. An error of one pool does not stop the others;
// all errors are returned together.
func (c *Checker) Check(ctx context.Context) error {
	var (
		mu     sync.Mutex
		pools  []counted
		broken []error
	)
	looks := new(errgroup.Group)
	looks.SetLimit(workers)
	err := c.Pools.PoolNames(ctx, func(merchant, name string) error {
		looks.Go(func() error {
			p, seen, ok, err := c.check(ctx, merchant, name)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				broken = append(broken, fmt.Errorf("check pool %s of %s: %w", name, merchant, err))
			}
			if ok {
				pools = append(pools, counted{p, seen})
			}
			return nil
		})
		return ctx.Err()
	})
	looks.Wait()
	if err != nil {
		broken = append(broken, err)
	}
	if err := c.recount(ctx, pools); err != nil {
		broken = append(broken, err)
	}
	return errors.Join(broken...)
}

// check looks at one pool and returns its settings and the live keys that were seen, false
// if the pool is gone.
func (c *Checker) check(ctx context.Context, merchant, name string) (_ catalog.Pool, seen int, ok bool, _ error) {
	settings, ok, err := c.Pools.Pool(ctx, merchant, name)
	if err != nil || !ok {
		return settings, 0, false, err
	}
	live := pool.ID{Merchant: merchant, Pool: name, Side: pool.Live}
	before, err := c.Alerts.Alert(ctx, live)
	if err != nil {
		return settings, 0, true, err
	}
	view, err := c.view(ctx, live, settings)
	if err != nil {
		return settings, view.Available, true, err
	}
	after, tell := before.After(view, settings, c.Now())
	if after == before {
		return settings, view.Available, true, nil
	}
	err = c.Alerts.ChangeAlert(ctx, after, tell)
	if errors.Is(err, retry.ErrChanged) {
		err = nil // another check, or fill, was first; the next check sees what is left to tell
	}
	return settings, view.Available, true, err
}

func (c *Checker) view(ctx context.Context, p pool.ID, settings catalog.Pool) (notice.StockView, error) {
	available, err := c.Keys.Available(ctx, p, settings.Shards, settings.LowStock+1)
	if err != nil || available > 0 {
		return notice.StockView{Available: available}, err
	}
	queue, err := c.Keys.Queue(ctx, p)
	if err != nil {
		return notice.StockView{}, err
	}
	view := notice.StockView{Waiting: len(queue.Lines)}
	for _, line := range queue.Lines {
		view.Missing += line.Missing
	}
	if len(queue.Lines) > 0 {
		view.HeadNeeds = queue.Lines[0].Missing
		view.Since = queue.Lines[0].ReceivedAt
	}
	return view, nil
}
