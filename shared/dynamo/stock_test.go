package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/dynamo"
	"keypool/shared/notice"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

var (
	elden     = pool.ID{Merchant: "nova", Pool: "elden", Side: pool.Live}
	stockNoon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
)

func TestPoolNames_listsEveryMerchants(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	store, _ := dynamotest.Open(t)
	for _, p := range []catalog.Pool{{Merchant: "nova", Name: "elden"}, {Merchant: "nova", Name: "ring"}, {Merchant: "vega", Name: "elden"}} {
		p.Shards = 1
		if err := store.PutPool(ctx, p); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.PutMerchant(ctx, catalog.Merchant{Name: "nova"}); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := store.PoolNames(ctx, func(merchant, name string) error {
		got = append(got, merchant+"/"+name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"nova/elden", "nova/ring", "vega/elden"}, got); diff != "" {
		t.Errorf("pools (-want +got):\n%s", diff)
	}
}

// TestAvailable_costsTheSameHoweverLargeThePool counts read units as DynamoDB
// reports them: of a pool with many keys, and of one with a hundred times as many.
func TestAvailable_costsTheSameHoweverLargeThePool(t *testing.T) {
	t.Parallel()
	const threshold = 10
	units := map[int]float64{}
	for _, size := range []int{100, 10_000} {
		meter := new(dynamotest.Meter)
		store, tables := dynamotest.Open(t, meter.Option)
		dynamotest.Stock(t, tables, elden, pool.DefaultShards, dynamotest.Texts("KEY", size)...)
		got, err := store.Available(context.Background(), elden, pool.DefaultShards, threshold+1)
		if err != nil {
			t.Fatal(err)
		}
		if got != threshold+1 {
			t.Errorf("%d keys: counted %d, want the limit %d", size, got, threshold+1)
		}
		units[size], _ = meter.Units()
	}
	if units[100] != units[10_000] || units[10_000] > 2 {
		t.Errorf("read units by size: %v; want the same, 2 at most", units)
	}
}

func TestAvailable_addsUpTheShards(t *testing.T) {
	t.Parallel()
	store, tables := dynamotest.Open(t)
	dynamotest.Stock(t, tables, elden, pool.DefaultShards, dynamotest.Texts("KEY", 9)...)
	test := elden
	test.Side = pool.Test
	dynamotest.Stock(t, tables, test, pool.DefaultShards, dynamotest.Texts("TEST", 3)...)
	for limit, want := range map[int]int{1: 1, 5: 5, 9: 9, 11: 9} {
		got, err := store.Available(context.Background(), elden, pool.DefaultShards, limit)
		if err != nil || got != want {
			t.Errorf("limit %d: %d, %v; want %d", limit, got, err, want)
		}
	}
}

// Keys of which a call counts some hundreds are counted all the same, from shards of any fill.
func TestStock_ofLongKeys(t *testing.T) {
	t.Parallel()
	store, tables := dynamotest.Open(t)
	dynamotest.Stock(t, tables, elden, 1, dynamotest.Texts(strings.Repeat("A", 2000), 900)...)
	dynamotest.Stock(t, tables, elden, 3, dynamotest.Texts("B", 90)...)
	shown, err := store.Stock(t.Context(), []catalog.Pool{{Merchant: elden.Merchant, Name: elden.Pool, Shards: 3}}, stockNoon)
	if got := shown[elden].Available; got != 990 || err != nil {
		t.Errorf("%d keys, %v; want 990", got, err)
	}
}

func TestChangeAlert_storesTheNoticeWithItOrNeither(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	store, tables := dynamotest.Open(t)
	first, told := notice.Alert{Pool: elden}.After(notice.StockView{Available: 3}, catalog.Pool{LowStock: 10}, stockNoon)
	if err := store.ChangeAlert(ctx, first, told); err != nil {
		t.Fatal(err)
	}
	got, err := store.Alert(ctx, elden)
	want := notice.Alert{Pool: elden, Version: 1, Level: notice.StockLow, Sequence: 1, ToldAt: stockNoon}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("alert: %v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff([]string{"notice#nova#low-stock#elden#live#1"}, noticesIn(t, tables)); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}

	// A second writer that read the same version stores nothing at all.
	other, told := notice.Alert{Pool: elden}.AfterEmpty(notice.Facts{Waiting: 1}, []string{"stock@nova.example"}, stockNoon)
	if err := store.ChangeAlert(ctx, other, told); !errors.Is(err, retry.ErrChanged) {
		t.Errorf("a late writer: %v, want ErrChanged", err)
	}
	if got := noticesIn(t, tables); len(got) != 1 {
		t.Errorf("notices after a late writer: %q", got)
	}
}

func TestRaiseEmpty_onceAmongMany(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	store, tables := dynamotest.Open(t)
	since := stockNoon.Add(-time.Second)
	waiting := func(lines int, since time.Time) func() (notice.Facts, error) {
		return func() (notice.Facts, error) { return notice.Facts{Waiting: lines, Started: since}, nil }
	}
	var fills sync.WaitGroup
	for range 8 {
		fills.Go(func() {
			err := retry.Contention.Do(ctx, func() error { // as fill repeats its step
				return store.RaiseEmpty(ctx, elden, []string{"stock@nova.example"}, since, waiting(2, since), stockNoon)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	fills.Wait()
	if diff := cmp.Diff([]string{"notice#nova#empty#elden#live#1", "notice#nova#empty#elden#live#1#1"}, noticesIn(t, tables)); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
	test := elden
	test.Side = pool.Test
	if err := store.RaiseEmpty(ctx, test, nil, since, waiting(1, since), stockNoon); err != nil {
		t.Error(err)
	}
	if got := noticesIn(t, tables); len(got) != 2 {
		t.Errorf("notices after a test order waits: %q", got)
	}
	err := store.RaiseEmpty(ctx, elden, []string{"stock@nova.example"}, since, func() (notice.Facts, error) {
		return notice.Facts{}, errors.New("the queue was counted though there was nothing to tell")
	}, stockNoon)
	if err != nil {
		t.Error(err)
	}
}

// TestRaiseEmpty_lostAnswerTellsOnce: the notice is stored and nobody hears of it.
func TestRaiseEmpty_lostAnswerTellsOnce(t *testing.T) {
	t.Parallel()
	for _, lost := range []int{1, dynamotest.SDKAttempts} {
		t.Run(fmt.Sprint(lost), func(t *testing.T) {
			t.Parallel()
			faults := dynamotest.NewFaults(t, 1)
			store, tables := dynamotest.Open(t, faults.Option)
			raise := func() error {
				return store.RaiseEmpty(context.Background(), elden, nil, stockNoon, twoWait, stockNoon.Add(time.Second))
			}
			faults.Next("TransactWriteItems", lost, dynamotest.LostAnswer)
			if err := raise(); (err != nil) != (lost == dynamotest.SDKAttempts) {
				t.Errorf("after %d lost answers: %v", lost, err)
			}
			if err := raise(); err != nil {
				t.Errorf("asked again: %v", err)
			}
			if diff := cmp.Diff([]string{"notice#nova#empty#elden#live#1"}, noticesIn(t, tables)); diff != "" {
				t.Errorf("notices (-want +got):\n%s", diff)
			}
		})
	}
}

// twoWait tells of two orders that wait since noon.
func twoWait() (notice.Facts, error) { return notice.Facts{Waiting: 2, Started: stockNoon}, nil }

func TestRaiseEmpty_conflictIsReturned(t *testing.T) {
	t.Parallel()
	faults := dynamotest.NewFaults(t, 1)
	store, tables := dynamotest.Open(t, faults.Option)
	faults.Next("TransactWriteItems", 1, dynamotest.Conflict(tables.Orders))
	raise := func() error { return store.RaiseEmpty(context.Background(), elden, nil, stockNoon, twoWait, stockNoon) }
	if err := raise(); !errors.Is(err, retry.ErrChanged) {
		t.Errorf("got %v, want ErrChanged", err)
	}
	if got := noticesIn(t, tables); len(got) != 0 {
		t.Errorf("notices: %q, want none", got)
	}
	if err := raise(); err != nil {
		t.Errorf("asked again: %v", err)
	}
	if got := noticesIn(t, tables); len(got) != 1 {
		t.Errorf("notices: %q, want one", got)
	}
}

// TestSettle_onlyOnALookThatStands counts, loads and looks between a look and what was to
// rest on it.
func TestSettle_onlyOnALookThatStands(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		between func(ctx context.Context, store *dynamo.Store, look catalog.Look) error
		settled bool
	}{
		"nothing": {func(context.Context, *dynamo.Store, catalog.Look) error { return nil }, true},
		"a take": {func(ctx context.Context, store *dynamo.Store, _ catalog.Look) error {
			return store.AddTaken(ctx, elden, []pool.Take{{Keys: 1, At: stockNoon}})
		}, false},
		"another look": {func(ctx context.Context, store *dynamo.Store, look catalog.Look) error {
			return store.Look(ctx, elden, look, catalog.Look{At: stockNoon.Add(time.Minute)})
		}, false},
		"a look that was void before": {func(ctx context.Context, store *dynamo.Store, _ catalog.Look) error {
			return store.Look(ctx, elden, catalog.Look{}, catalog.Look{At: stockNoon.Add(time.Minute)})
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			store, _ := dynamotest.Open(t)
			look := catalog.Look{At: stockNoon, Counted: true, Available: 70}
			if err := store.Look(ctx, elden, catalog.Look{}, look); err != nil {
				t.Fatal(err)
			}
			if err := test.between(ctx, store, look); err != nil {
				t.Fatal(err)
			}
			before, err := store.Count(ctx, elden)
			if err != nil {
				t.Fatal(err)
			}
			if err := store.Settle(ctx, elden, look, catalog.Settlement{Taken: 30, Until: stockNoon, Day: "2026-11-23"}); err != nil {
				t.Fatal(err)
			}
			after, err := store.Count(ctx, elden)
			if err != nil {
				t.Fatal(err)
			}
			want := before
			if test.settled {
				want = catalog.Count{Taken: 30, SettledAt: stockNoon, SettledOn: "2026-11-23"}
			}
			if diff := cmp.Diff(want, after); diff != "" {
				t.Errorf("the count (-want +got):\n%s", diff)
			}
		})
	}
}

// Takes up to the moment that a recount settled are in the count already.
func TestAddTaken_onlyAfterTheRecount(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store, _ := dynamotest.Open(t)
	take := func(keys int, after time.Duration) pool.Take {
		return pool.Take{Keys: keys, At: stockNoon.Add(after)}
	}
	add := func(want int, takes ...pool.Take) {
		t.Helper()
		if err := store.AddTaken(ctx, elden, takes); err != nil {
			t.Fatal(err)
		}
		count, err := store.Count(ctx, elden)
		if err != nil {
			t.Fatal(err)
		}
		if count.Taken != want {
			t.Errorf("%d taken, want %d", count.Taken, want)
		}
	}
	add(3, take(1, -time.Hour), take(2, time.Hour)) // never recounted: all
	if err := store.Look(ctx, elden, catalog.Look{}, catalog.Look{At: stockNoon}); err != nil {
		t.Fatal(err)
	}
	if err := store.Settle(ctx, elden, catalog.Look{At: stockNoon}, catalog.Settlement{Taken: 100, Until: stockNoon, Day: "2026-11-23"}); err != nil {
		t.Fatal(err)
	}
	add(100, take(1, -time.Hour), take(2, 0))
	add(104, take(1, -time.Hour), take(4, time.Millisecond), take(2, 0))
	add(112, take(8, time.Hour))
}

// Takes add to what was sold on their days, by the same write and as exactly as to the
// count. Days that a recount forgets are gone. A count with every day that is told of costs one
// write unit.
func TestAddTaken_byDay(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	var meter dynamotest.Meter
	store, _ := dynamotest.Open(t, meter.Option)
	sold := func(want catalog.Sales) {
		t.Helper()
		count, err := store.Count(ctx, elden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, count.Sold); diff != "" {
			t.Errorf("sold (-want +got):\n%s", diff)
		}
	}
	day := func(n int) time.Time { return stockNoon.AddDate(0, 0, n) }
	take := func(keys, n int) pool.Take { return pool.Take{Keys: keys, At: day(n)} }
	add := func(takes ...pool.Take) {
		t.Helper()
		if err := store.AddTaken(ctx, elden, takes); err != nil {
			t.Fatal(err)
		}
	}
	add(take(1, -1), take(2, 0), take(4, -1))
	add(take(8, 0))
	sold(catalog.Sales{catalog.Day(stockNoon, -1): 5, catalog.Day(stockNoon, 0): 10})
	found := catalog.Settlement{Taken: 18, Until: day(0), Day: "2026-11-23", Late: 3, Forget: []string{catalog.Day(stockNoon, -40)}}
	if err := store.Settle(ctx, elden, catalog.Look{}, found); err != nil {
		t.Fatal(err)
	}
	add(take(100, 0), take(7, 1)) // the first is in the recount
	sold(catalog.Sales{catalog.Day(stockNoon, -1): 8, catalog.Day(stockNoon, 0): 10, catalog.Day(stockNoon, 1): 7})

	for n := range catalog.SoldDays + 1 {
		add(take(99_999, 1+n))
	}
	meter.Reset()
	add(take(1, catalog.SoldDays))
	if calls := meter.Calls(); len(calls) != 1 || calls[0].Write != 1 {
		t.Errorf("counting takes costs %+v", calls)
	}
	found = catalog.Settlement{Taken: 1, Until: day(40), Day: "2027-01-02", Forget: []string{catalog.Day(stockNoon, -1), catalog.Day(stockNoon, 0)}}
	if err := store.Settle(ctx, elden, catalog.Look{}, found); err != nil {
		t.Fatal(err)
	}
	count, err := store.Count(ctx, elden)
	if _, there := count.Sold[catalog.Day(stockNoon, 0)]; err != nil || there || len(count.Sold) != catalog.SoldDays+1 {
		t.Errorf("after days were forgotten: %v, %v", count.Sold, err)
	}
}

// An addition whose answer is lost is made once, though the SDK would send it again. One
// that is refused is made by a later try.
func TestAdditions_areMadeOnce(t *testing.T) {
	t.Parallel()
	add := map[string]func(ctx context.Context, store *dynamo.Store) error{
		"keys that were taken": func(ctx context.Context, store *dynamo.Store) error {
			return store.AddTaken(ctx, elden, []pool.Take{{Keys: 5, At: stockNoon}})
		},
		"webhooks": func(ctx context.Context, store *dynamo.Store) error {
			return store.AddCalls(ctx, "nova", "shop", catalog.Calls{Failed: 5})
		},
	}
	for what, add := range add {
		for name, test := range map[string]struct {
			fault  dynamotest.Fault
			failed bool
		}{
			"the answer is lost": {dynamotest.LostAnswer, true},
			"throttled":          {dynamotest.ThrottledCall, false},
		} {
			t.Run(what+", "+name, func(t *testing.T) {
				t.Parallel()
				ctx := t.Context()
				faults := dynamotest.NewFaults(t, 1)
				store, _ := dynamotest.Open(t, faults.Option)
				faults.Next("UpdateItem", 1, test.fault)
				if err := add(ctx, store); (err != nil) != test.failed {
					t.Errorf("got error %v, want one: %t", err, test.failed)
				}
				count, err := store.Count(ctx, elden)
				calls, err2 := store.Calls(ctx, "nova", "shop")
				if err != nil || err2 != nil {
					t.Fatal(err, err2)
				}
				if added := count.Taken + calls.Failed; added != 5 {
					t.Errorf("%d were added, want 5", added)
				}
			})
		}
	}
}

// noticesIn returns the names of the notices in the orders table, sorted.
func noticesIn(t *testing.T, tables dynamo.Tables) []string {
	t.Helper()
	out, err := dynamotest.Client(t).Scan(context.Background(), &dynamodb.ScanInput{TableName: aws.String(tables.Orders)})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, item := range out.Items {
		if pk := item["pk"].(*types.AttributeValueMemberS).Value; strings.HasPrefix(pk, "notice#") {
			names = append(names, pk)
		}
	}
	slices.Sort(names)
	return names
}
