package dynamo_test

import (
	"sync"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/access"
	"keypool/shared/catalog"
)

// Calls that processes count at once are added up, by day and merchant. To look writes nothing.
func TestCountCalls(t *testing.T) {
	t.Parallel()
	var calls dynamotest.Meter
	store, _ := dynamotest.Open(t, calls.Option)
	if err := store.PutMerchant(t.Context(), catalog.Merchant{Name: "acme", Calls: 500}); err != nil {
		t.Fatal(err)
	}
	midnight := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	count := func(merchant string, at time.Time, n int) access.Day {
		day, err := store.CountCalls(t.Context(), merchant, at, n)
		if err != nil {
			t.Error(err)
		}
		return day
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { count("acme", midnight.Add(-1), 10) })
	}
	all.Wait()
	calls.Reset()
	for _, c := range []struct {
		merchant string
		at       time.Time
		want     access.Day
	}{
		{"acme", midnight.Add(-24 * time.Hour), access.Day{Calls: 200, Limit: 500}},
		{"acme", midnight.Add(-1), access.Day{Calls: 200, Limit: 500}},
		{"acme", midnight, access.Day{Limit: 500}},
		{"mallory", midnight.Add(-1), access.Day{Limit: catalog.DefaultCalls}},
	} {
		if got := count(c.merchant, c.at, 0); got != c.want {
			t.Errorf("%s at %s: %+v, want %+v", c.merchant, c.at, got, c.want)
		}
	}
	for _, c := range calls.Calls() {
		if c.Operation != "GetItem" {
			t.Errorf("to look takes %s", c.Operation)
		}
	}
}
