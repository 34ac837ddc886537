package shopify_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/intake"
	"keypool/shared/lifecycle"
	"keypool/shared/notice"
	"keypool/shared/platform"
	"keypool/shared/platform/shopify"
	"keypool/shared/pool"
)

type quiet struct{}

func (quiet) Send(context.Context, any, time.Duration) error { return nil }

// Trap: an order that is edited after it was paid is reported as paid again, with its new
// lines. A new line is claimed for, a known one is not, and units that were added to a line
// bring no key by themselves: they are told.
func TestPaid_againAfterAnEdit(t *testing.T) {
	t.Parallel()
	store, tables := dynamotest.Open(t)
	clock := func() time.Time { return now }
	for _, err := range []error{
		store.PutMerchant(t.Context(), catalog.Merchant{Name: "acme", Title: "Acme"}),
		store.PutPool(t.Context(), catalog.Pool{Merchant: "acme", Name: "elden", Shards: pool.DefaultShards}),
		store.PutProduct(t.Context(), catalog.Product{Merchant: "acme", ID: "44001234567890", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	dynamotest.Stock(t, tables, pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}, pool.DefaultShards, dynamotest.Texts("KEY", 9)...)
	in := &intake.Intake{
		Claims:  &claim.Claimer{Store: store, Cached: store, Uncached: store, Fill: quiet{}, Notices: store, By: "webhook", Now: clock},
		Orders:  &lifecycle.Lifecycle{Store: store, Wholes: store, Uploads: store, Notices: store, Settings: store, Fill: quiet{}, By: "webhook", Now: clock},
		Records: store, Products: store, MaxQuantity: 10, By: "webhook", Now: clock,
	}
	const line = `"line_items":[{"id":14001234567890,`
	added := `"line_items":[{"id":14001234567891,"variant_id":44001234567890,"quantity":1,"current_quantity":1,"price":"59.99"},{"id":14001234567890,`
	for _, test := range []struct {
		what    string
		oldnew  []string
		claimed int
		worst   platform.Outcome
	}{
		{"as it was first paid", nil, 2, platform.Accepted},
		{"again", nil, 2, platform.Accepted},
		{"with another line", []string{line, added}, 3, platform.Accepted},
		{"with that once more", []string{line, added}, 3, platform.Accepted},
		{"with a line of more units", []string{line, added, `"quantity":2,"current_quantity":2`, `"quantity":5,"current_quantity":5`}, 3, platform.Changed},
	} {
		events, err := shopify.Adapter{}.Decode(t.Context(), changed(t, "shopify_paid", test.oldnew...), account())
		if err != nil {
			t.Fatalf("%s: %v", test.what, err)
		}
		worst := platform.Skipped
		results := in.Apply(t.Context(), account(), platform.Request{}, events)
		for _, result := range results {
			worst = max(worst, result.Outcome)
		}
		if books := dynamotest.Audit(t, tables); books.Claimed != test.claimed || worst != test.worst {
			t.Errorf("paid %s: %d keys claimed, %s", test.what, books.Claimed, fmt.Sprint(results))
		}
	}
	if told := dynamotest.Partitions(t, tables.Orders, "notice#acme#"+string(notice.ChangedRepeat)+"#"); len(told) != 1 {
		t.Errorf("told %v", told)
	}
}
