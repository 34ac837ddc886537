package bench

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"keypool/infra/proof/results"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/search"
)

// finding reads the units and the round trips of a page of 100 orders, of a thousand and of a
// million.
func finding(ctx context.Context, b *bench) error {
	const few, many, page = 1_000, 1_000_000, 100
	defer debug.SetGCPercent(debug.SetGCPercent(50)) // a million rows take 5 GB as it is
	m, err := openMetered(ctx)
	if err != nil {
		return err
	}
	if err := setUp(ctx, m.store); err != nil {
		return err
	}
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	finder := search.Finder{Merchants: m.store, Lines: m.store, Now: func() time.Time { return began.AddDate(1, 0, 0) }}
	units, trips, stored := map[int]float64{}, map[int]int{}, 0
	for _, size := range []int{few, many} {
		if err := m.addOrders(ctx, began, stored, size); err != nil {
			return err
		}
		stored = size
		m.meter.Reset()
		m.calls.reset()
		m.calls.latency = 5 * time.Millisecond
		found, err := finder.Find(ctx, search.Query{Merchant: live.Merchant, Side: pool.Live}, "", page)
		m.calls.latency = 0
		if err != nil {
			return err
		}
		if newest := fmt.Sprint(size - 1); len(found.Lines) != page || found.Lines[0].Order != newest || found.Next == "" {
			return fmt.Errorf("found %d orders of %d, and not %s first", len(found.Lines), size, newest)
		}
		units[size], _ = m.meter.Units()
		trips[size] = m.calls.roundTrips()
	}
	b.add(figure{
		Name: fmt.Sprintf("read units of a list of %d orders, of %s and of %s", page, results.Grouped(few), results.Grouped(many)), Bar: "no more",
		Got: fmt.Sprintf("%.1f and %.1f", units[few], units[many]), Met: units[many] <= units[few] && units[many] > 0,
	})
	b.add(figure{
		Name: "its round trips", Bar: "2",
		Got: fmt.Sprintf("%d and %d", trips[few], trips[many]), Met: trips[few] <= 2 && trips[many] <= 2,
	})
	b.note("Lists of orders", "On the model of DynamoDB, whose units follow from the bytes of what is read: a query of 100 entries in each of the 8 partitions of the index, side by side, and the 100 orders that are shown. A million rows of the model take 5 GB of memory, and two minutes.")
	return nil
}

// addOrders stores orders from one number up to another, a second apart. Their records are as
// short as they can be.
func (m *metered) addOrders(ctx context.Context, began time.Time, from, to int) error {
	const together = 50 // in a transaction
	var changes []order.Change
	for n := range to - from {
		number := fmt.Sprint(from + n)
		id := order.Identity{Merchant: live.Merchant, Side: live.Side, Origin: "shop", Order: number, Line: "1"}
		changes = append(changes, order.NewLine(order.Fulfillment{
			ID: id.ID(), Merchant: id.Merchant, Side: id.Side, Account: "shop", Origin: "shop", Order: number, Line: "1",
			Product: "game", Pool: live.Pool, Quantity: 1, Wanted: 1, Allocated: 1, ReceivedAt: began.Add(time.Duration(from+n) * time.Second),
		}))
		if len(changes) == together || n == to-from-1 {
			if err := m.store.Commit(ctx, changes...); err != nil {
				return err
			}
			changes = nil
		}
	}
	return nil
}
