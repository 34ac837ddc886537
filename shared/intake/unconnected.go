package intake

import (
	"context"
	"errors"
	"sync"
	"time"

	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/pool"
)

// unconnected gathers the orders of products that no pool feeds, so that a rush of them
// does not become a rush to one notice. Its zero value is ready.
type unconnected struct {
	mu    sync.Mutex
	sold  map[sold]*toldOf
	began string // the day of what is in sold
}

// sold is a product that an account sold.
type sold struct {
	merchant, account, product string
	side                       pool.Side
	ships                      bool
}

// toldOf is what a process knows of such a product.
type toldOf struct {
	writtenAt time.Time
	unwritten int // orders that the notice does not count yet
}

// unconnectedEvery is how often a process writes of one product. What it gathers meanwhile
// is lost if it ends: the digest counts some orders less, and names the product all the same.
const unconnectedEvery = 10 * time.Second

// take returns how many orders are to be written of a product, 0 if that is not due.
func (u *unconnected) take(of sold, now time.Time) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	if day := notice.Day(now); u.sold == nil || u.began != day {
		u.sold, u.began = map[sold]*toldOf{}, day // each day has a digest of its own
	}
	told, ok := u.sold[of]
	if !ok {
		told = &toldOf{}
		u.sold[of] = told
	}
	told.unwritten++
	if now.Sub(told.writtenAt) < unconnectedEvery {
		return 0
	}
	return told.unwritten
}

// wrote notes that so many orders were written of a product.
func (u *unconnected) wrote(of sold, orders int, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if told, ok := u.sold[of]; ok {
		told.writtenAt, told.unwritten = now, max(0, told.unwritten-orders)
	}
}

// notifyUnconnected tells the merchant of a product that was paid for, and that no pool
// feeds: all such products of an account and day together, with the orders of each. A
// product that the merchant ignores is not told of.
func (in *Intake) notifyUnconnected(ctx context.Context, line order.Fulfillment) error {
	if ignored, err := in.ignores(ctx, line); err != nil || ignored {
		return err
	}
	return in.gatherSold(ctx, sold{merchant: line.Merchant, account: line.Account, product: line.ConnectedBy(), side: line.Side}, line.Order)
}

// ignores reports whether the merchant ignores the product of a line.
func (in *Intake) ignores(ctx context.Context, line order.Fulfillment) (bool, error) {
	product, known, err := in.Products.Product(ctx, line.Merchant, line.ConnectedBy())
	return known && product.Ignored, err
}

// notifyShipped tells the merchant of products that the catalog knows, and that the shop
// ships: they get no keys, and may be marked so by mistake. They stand in the digest of
// products that no pool feeds.
func (in *Intake) notifyShipped(ctx context.Context, from platform.Account, paid platform.Paid) error {
	if from.PaidBefore(paid) {
		return nil
	}
	failed := make([]error, len(paid.Shipped))
	eachLine(ctx, platform.Paid{Lines: paid.Shipped}, func(ctx context.Context, i int, _ string) {
		id := paid.Shipped[i].Product
		if platform.CheckID(id) != "" {
			return
		}
		product, known, err := in.Products.Product(ctx, from.Merchant, id)
		if err == nil && known && !product.Ignored {
			err = in.gatherSold(ctx, sold{merchant: from.Merchant, account: from.Name, product: id, side: pool.SideOf(paid.Test), ships: true}, paid.Order)
		}
		failed[i] = err
	})
	return errors.Join(failed...)
}

// gatherSold adds an order to the digest of products that got no keys.
func (in *Intake) gatherSold(ctx context.Context, of sold, number string) error {
	now := in.Now()
	orders := in.unconnected.take(of, now)
	if orders == 0 {
		return nil
	}
	facts := notice.Facts{Account: of.account, Count: orders, Products: []notice.Product{
		{ID: of.product, Side: of.side, Ships: of.ships, Orders: []string{number}, Count: orders},
	}}
	if err := in.Records.RaiseNotice(ctx, notice.Gather(of.merchant, notice.Unconnected, facts, now)); err != nil {
		return err
	}
	in.unconnected.wrote(of, orders, now)
	return nil
}
