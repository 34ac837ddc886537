package main

import (
	"context"
	"fmt"

	"keypool/shared/catalog"
	"keypool/shared/dynamo/dynamotest"
	"keypool/shared/pool"
)

// stockCheck reads what it consumes to learn that a pool is not low, of a pool
// with ten thousand keys and of one with a million.
func stockCheck(ctx context.Context, b *bench) error {
	e, err := b.ministack(ctx)
	if err != nil {
		return err
	}
	units := map[int]float64{}
	for _, size := range []int{10_000, 1_000_000} {
		var meter dynamotest.Meter
		store, tables, err := e.open(ctx, meter.Option)
		if err != nil {
			return err
		}
		if err := e.stock(ctx, tables, live, "STOCK", size); err != nil {
			return err
		}
		found, err := store.Available(ctx, live, pool.DefaultShards, catalog.DefaultLowStock+1)
		if err != nil {
			return err
		}
		if found != catalog.DefaultLowStock+1 {
			return fmt.Errorf("counted %d keys of %d", found, size)
		}
		units[size], _ = meter.Units()
		e.drop(ctx, tables)
	}
	b.add(figure{
		Name: "read units of a stock check, 10 k and 1 M keys", Bar: "equal",
		Got: fmt.Sprintf("%.1f and %.1f", units[10_000], units[1_000_000]),
		Met: units[10_000] == units[1_000_000] && units[10_000] > 0,
	})
	return nil
}
