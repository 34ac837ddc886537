package settings_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/dynamo"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/settings"
)

func now() time.Time { return noon }

// putPools stores pools of acme, one of each number of shards: p-000, p-001 and so on.
func putPools(t *testing.T, store *dynamo.Store, shards ...int) (names []string) {
	t.Helper()
	for n, s := range shards {
		p := catalog.Pool{Merchant: "acme", Name: fmt.Sprintf("p-%03d", n), Shards: s}
		if err := store.PutPool(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		names = append(names, p.Name)
	}
	return names
}

// walk returns the pages of a list of pools.
func walk(t *testing.T, pools *settings.Pools, limit int) (pages [][]settings.PoolStock) {
	t.Helper()
	for after := ""; ; {
		page, next, err := pools.List(t.Context(), "acme", after, limit)
		if err != nil || len(page) == 0 || len(pages) > 200 {
			t.Fatalf("page %d after %q: %d pools, %v", len(pages), after, len(page), err)
		}
		pages = append(pages, page)
		if after = next; next == "" {
			return pages
		}
	}
}

// A page has as many pools as readsAtOnce counts, and one in any case. All pages together
// have each pool once.
func TestListPools_pages(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		shards []int
		limit  int
		want   []int // pools a page
	}{
		"all alike":     {slices.Repeat([]int{4}, 25), 100, []int{10, 10, 5}},
		"just one page": {slices.Repeat([]int{4}, 10), 100, []int{10}},
		"a limit":       {slices.Repeat([]int{4}, 5), 2, []int{2, 2, 1}},
		"few shards":    {slices.Repeat([]int{1}, 51), 100, []int{25, 25, 1}},
		"many shards":   {[]int{64, 4, 64, 64, 4, 4}, 50, []int{1, 1, 1, 1, 2}},
		"both":          {[]int{44, 4, 1, 43, 4, 1, 1}, 50, []int{2, 2, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, _ := dynamotest.Open(t)
			names := putPools(t, store, c.shards...)
			var sizes []int
			var listed []string
			for _, page := range walk(t, &settings.Pools{Store: store, Stock: store, Now: now}, c.limit) {
				sizes = append(sizes, len(page))
				for _, p := range page {
					listed = append(listed, p.Name)
				}
			}
			if !slices.Equal(sizes, c.want) || !slices.Equal(listed, names) {
				t.Errorf("pages of %v pools, want %v: %v", sizes, c.want, listed)
			}
		})
	}
}

// TestListPools_costs holds the exact number of calls and read units of a page: one query of
// the pools, one read of their counts, and one query of each shard and of each queue. A pool
// adds what it costs alone, less the read of its settings.
func TestListPools_costs(t *testing.T) {
	t.Parallel()
	meter := new(dynamotest.Meter)
	store, tables := dynamotest.Open(t, meter.Option)
	names := putPools(t, store, slices.Repeat([]int{pool.DefaultShards}, 30)...)
	for _, name := range names {
		dynamotest.Stock(t, tables, pool.ID{Merchant: "acme", Pool: name, Side: pool.Live}, pool.DefaultShards, dynamotest.Texts(name, 8)...)
	}
	pools := &settings.Pools{Store: store, Stock: store, Now: now}
	for what, c := range map[string]struct {
		read  func() error
		calls map[string]int
		units float64
	}{
		// 8 shards at half a unit, as indexes are not consistent; 2 queues, 2 counts, the settings.
		"a pool": {func() error { _, err := pools.Get(t.Context(), "acme", names[0]); return err }, map[string]int{"GetItem": 1, "BatchGetItem": 1, "Query": 10}, 9},
		"a page": {func() error { _, _, err := pools.List(t.Context(), "acme", "", 100); return err }, map[string]int{"BatchGetItem": 1, "Query": 101}, 81},
	} {
		meter.Reset()
		if err := c.read(); err != nil {
			t.Fatal(err)
		}
		calls := map[string]int{}
		for _, call := range meter.Calls() {
			calls[call.Operation]++
		}
		units, writes := meter.Units()
		if diff := gocmp.Diff(c.calls, calls); diff != "" || units != c.units || writes != 0 {
			t.Errorf("%s takes %v read units, want %v, and %v write units (-want +got):\n%s", what, units, c.units, writes, diff)
		}
	}
}

// Each pool of a page has the counts of its own sides, the same that it has alone.
func TestListPools_countsEachSideOfEachPool(t *testing.T) {
	t.Parallel()
	store, tables := dynamotest.Open(t)
	names := putPools(t, store, 1, 2, 3, 4, 5, 6, 7)
	for n, name := range names {
		for s, side := range pool.Sides {
			id := pool.ID{Merchant: "acme", Pool: name, Side: side}
			dynamotest.Stock(t, tables, id, n+1, dynamotest.Texts(name, 10*n+s)...)
			for i := range 5*n + s {
				line := order.Fulfillment{
					Merchant: "acme", Side: side, Origin: "shop", Order: fmt.Sprint(name, i), Line: "1", Product: "game", Pool: name, Wanted: 1, ReceivedAt: noon,
				}
				line.ID = line.Identity().ID()
				if err := store.Commit(t.Context(), order.NewLine(line)); err != nil {
					t.Fatal(err)
				}
			}
			if err := store.AddTaken(t.Context(), id, []pool.Take{{Keys: 3*n + s + 1, At: noon}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	pools := &settings.Pools{Store: store, Stock: store, Now: now}
	got := slices.Concat(walk(t, pools, 3)...)
	if len(got) != len(names) {
		t.Fatalf("%d pools, want %d", len(got), len(names))
	}
	for n, listed := range got {
		for s, stock := range []catalog.Stock{listed.Live, listed.Test} {
			want := catalog.Stock{
				Pool: pool.ID{Merchant: "acme", Pool: names[n], Side: pool.Sides[s]}, Available: 10*n + s, Waiting: 5*n + s, AsOf: noon,
				Sold: catalog.Sales{catalog.Day(noon, 0): 3*n + s + 1},
			}
			if want.Waiting > 0 {
				want.WaitingSince = noon
			}
			if diff := gocmp.Diff(want, stock); diff != "" {
				t.Errorf("%s (-want +got):\n%s", want.Pool, diff)
			}
		}
		alone, err := pools.Get(t.Context(), "acme", listed.Name)
		if diff := gocmp.Diff(listed, alone); diff != "" || err != nil {
			t.Errorf("%s alone: %v (-listed +alone):\n%s", listed.Name, err, diff)
		}
	}
}
