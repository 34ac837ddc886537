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
	other, told := notice.Alert{Pool: elden}.AfterEmpty(notice.Facts{Waiting: 1}, stockNoon)
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
				return store.RaiseEmpty(ctx, elden, since, waiting(2, since), stockNoon)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	fills.Wait()
	if diff := cmp.Diff([]string{"notice#nova#empty#elden#live#1"}, noticesIn(t, tables)); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
	test := elden
	test.Side = pool.Test
	if err := store.RaiseEmpty(ctx, test, since, waiting(1, since), stockNoon); err != nil {
		t.Error(err)
	}
	if got := noticesIn(t, tables); len(got) != 1 {
		t.Errorf("notices after a test order waits: %q", got)
	}
	err := store.RaiseEmpty(ctx, elden, since, func() (notice.Facts, error) {
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
				return store.RaiseEmpty(context.Background(), elden, stockNoon, twoWait, stockNoon.Add(time.Second))
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
	raise := func() error { return store.RaiseEmpty(context.Background(), elden, stockNoon, twoWait, stockNoon) }
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

// TestRecount_onceADayByOne lets two recount at once, one of them cut off.
func TestRecount_onceADayByOne(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	store, tables := dynamotest.Open(t)
	addToCount(t, tables, 100, 30) // 70 shown
	lease := func(now time.Time) (int, bool) {
		t.Helper()
		shown, ok, err := store.LeaseRecount(ctx, elden, now.Format(time.DateOnly), now, now.Add(15*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		return shown, ok
	}
	if shown, ok := lease(stockNoon); !ok || shown != 70 {
		t.Fatalf("first lease: %d, %v; want 70 and the lease", shown, ok)
	}
	if _, ok := lease(stockNoon.Add(time.Minute)); ok {
		t.Error("a second recount was let in")
	}
	if _, ok := lease(stockNoon.Add(15 * time.Minute)); !ok {
		t.Error("the lease has run out, and nobody may recount")
	}
	addToCount(t, tables, 50, 0) // an upload lands during the count
	if err := store.CorrectCount(ctx, elden, "2026-11-23", -5, stockNoon); err != nil {
		t.Fatal(err)
	}
	// The worker that was thought dead comes back: its correction is not added too.
	if err := store.CorrectCount(ctx, elden, "2026-11-23", -5, stockNoon); err != nil {
		t.Fatal(err)
	}
	if _, ok := lease(stockNoon.Add(time.Hour)); ok {
		t.Error("recounted twice on one day")
	}
	if shown, ok := lease(stockNoon.Add(12 * time.Hour)); !ok || shown != 115 {
		t.Errorf("the next day: %d, %v; want 115 and the lease", shown, ok)
	}
}

func addToCount(t *testing.T, tables dynamo.Tables, accepted, taken int) {
	t.Helper()
	_, err := dynamotest.Client(t).UpdateItem(context.Background(), &dynamodb.UpdateItemInput{
		TableName: aws.String(tables.Catalog),
		Key: map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: "counts#nova"},
			"sk": &types.AttributeValueMemberS{Value: "count#elden#live"},
		},
		UpdateExpression: aws.String("ADD accepted :accepted, taken :taken"),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":accepted": &types.AttributeValueMemberN{Value: fmt.Sprint(accepted)},
			":taken":    &types.AttributeValueMemberN{Value: fmt.Sprint(taken)},
		},
	})
	if err != nil {
		t.Fatal(err)
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
