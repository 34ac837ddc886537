package bench

import (
	"context"
	"fmt"

	"keypool/infra/proof/results"
	"keypool/shared/catalog"
	"keypool/shared/pool"
)

// stockCheck reads the units of a check that finds a pool well stocked: a pool of ten
// thousand keys, and one thirty times as large.
func stockCheck(ctx context.Context, b *bench) error {
	small, large := 10_000, 300_000
	units := map[int]float64{}
	for _, size := range []int{small, large} {
		m, err := openMetered(ctx)
		if err != nil {
			return err
		}
		if err := m.stock(ctx, m.tables, live, "STOCK", size); err != nil {
			return err
		}
		found, err := m.store.Available(ctx, live, pool.DefaultShards, catalog.DefaultLowStock+1)
		if err != nil {
			return err
		}
		if found != catalog.DefaultLowStock+1 {
			return fmt.Errorf("counted %d keys of %d", found, size)
		}
		units[size], _ = m.meter.Units()
	}
	b.add(figure{
		Name: fmt.Sprintf("read units of a stock check, %s and %s keys", results.Grouped(small), results.Grouped(large)), Bar: "equal",
		Got: fmt.Sprintf("%.1f and %.1f", units[small], units[large]),
		Met: units[small] == units[large] && units[small] > 0,
	})
	b.note("Stock check", "On the model of DynamoDB, whose units follow from the number of items read. The check counts to one more than the threshold and stops.")
	return nil
}
