package settings_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/dynamo"
	"keypool/shared/pool"
	"keypool/shared/settings"
)

// book are the catalogs of a store.
func book(store *dynamo.Store) *settings.Catalogs {
	now := func() time.Time { return noon }
	refill := &settings.Refill{Products: store, Queue: noQueue{}}
	return &settings.Catalogs{
		Merchants:  &settings.Merchants{Store: store, Refill: refill, Now: now},
		Pools:      &settings.Pools{Store: store, Uses: store, Stock: store, Refill: refill, Uploads: store, Ranges: noQueue{}, Now: now},
		Products:   &settings.Products{Store: store, Related: store, Refill: refill, Now: now},
		Texts:      &settings.Texts{Store: store, Merchants: store, Products: store, Now: now},
		Reviews:    &settings.Reviews{Store: store},
		OrderPages: &settings.OrderPages{Store: store, Now: now},
		Retentions: &settings.Retentions{Store: store, Now: now},
		Accounts:   &settings.Accounts{Store: store, Heard: store, Catchup: noQueue{}, Now: now},
	}
}

type noQueue struct{}

func (noQueue) Send(context.Context, any, time.Duration) error { return nil }

// whatever is the condition of a caller who does not look.
func whatever(settings.Catalog) bool { return true }

// drawCatalog makes a catalog of a few names, which move from one thing to another, and
// which may be wrong.
func drawCatalog(rng *rand.Rand) settings.CatalogChange {
	c := settings.CatalogChange{Pools: []catalog.Pool{}, Products: []catalog.Product{}}
	for _, name := range []string{"p", "q"} {
		if rng.IntN(4) > 0 {
			c.Pools = append(c.Pools, catalog.Pool{Name: name, LowStock: 1 + rng.IntN(2), Reminder: time.Hour})
		}
	}
	free := []string{"a", "b", "c", "d", "e"}
	rng.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
	for len(free) > 0 {
		n := 1 + rng.IntN(min(3, len(free)))
		p := catalog.Product{
			ID: free[0], Title: []string{"Elden", "Ring"}[rng.IntN(2)], Aliases: free[1:n],
			Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}, Pool: []string{"", "", "", "p", "q"}[rng.IntN(5)],
		}
		if id := []string{"a", "b", "c"}[rng.IntN(3)]; id != free[0] && rng.IntN(3) == 0 {
			p.Original = id
		}
		if rng.IntN(3) == 0 {
			p.Texts = map[string]catalog.Text{[]string{"en", "de"}[rng.IntN(2)]: {Body: "{KEY}"}}
		}
		if rng.IntN(4) > 0 {
			c.Products = append(c.Products, p)
		}
		free = free[n:]
	}
	if rng.IntN(3) > 0 {
		c.Merchant = &catalog.Merchant{
			Title: []string{"M", "N"}[rng.IntN(2)], NoticeAddress: "m@example.com",
			Languages: [][]string{nil, nil, {"en"}, {"de"}, {"en", "de"}}[rng.IntN(5)], DefaultPool: []string{"", "p", "q"}[rng.IntN(3)],
		}
	}
	return c
}

// Whatever settings there are, a document that is right is applied whole, though ids move
// between products and products become each other's originals: each step is right by
// itself. One that is cut off at any write is finished by the same document, sent again.
// One that is wrong changes nothing.
func TestCatalogs_anyDocumentFollowsAnyOther(t *testing.T) {
	t.Parallel()
	faults := dynamotest.NewFaults(t, 1)
	store, _ := dynamotest.Open(t, faults.Option)
	ctx := context.Background()
	applied, refused, cut := 0, 0, 0
	rng := rand.New(rand.NewPCG(1, 0))
	for merchant := range 50 {
		name := fmt.Sprintf("m%d", merchant)
		if err := store.PutMerchant(ctx, catalog.Merchant{Name: name, Title: "M", NoticeAddress: "m@example.com"}); err != nil {
			t.Fatal(err)
		}
		c := book(store)
		read := func(merchant string) settings.Catalog {
			t.Helper()
			now, err := c.Get(ctx, merchant)
			if err != nil {
				t.Fatal(err)
			}
			return now
		}
		for range 4 {
			change := drawCatalog(rng)
			change.By = access.Principal{Merchant: name, Name: "a test", Scopes: access.Scopes}
			slices.SortFunc(change.Products, func(a, b catalog.Product) int { return cmp.Compare(a.ID, b.ID) })
			before := read(name)
			want, err := c.Put(ctx, change, nil, true)
			if diff := gocmp.Diff(before, read(name)); diff != "" {
				t.Fatalf("a dry run changed something:\n%s", diff)
			}
			var wrong *settings.InvalidError
			if errors.As(err, &wrong) {
				refused++
				if _, err := c.Put(ctx, change, whatever, false); !errors.As(err, &wrong) {
					t.Fatalf("the dry run refused it, and then: %v", err)
				}
				if diff := gocmp.Diff(before, read(name)); diff != "" {
					t.Fatalf("a wrong document changed something:\n%s", diff)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, operation := range []string{"PutItem", "DeleteItem", "TransactWriteItems"} {
				fault := []dynamotest.Fault{dynamotest.CutOff, dynamotest.LostAnswer}[rng.IntN(2)]
				faults.After(operation, rng.IntN(6), dynamotest.SDKAttempts, fault)
			}
			_, err = c.Put(ctx, change, whatever, false)
			faults.Stop()
			if err != nil {
				cut++
				if _, err = c.Put(ctx, change, whatever, false); err != nil {
					t.Fatalf("after one that was cut off: %v", err)
				}
			}
			applied++
			after := read(name)
			ignored := cmpopts.IgnoreFields(catalog.Product{}, "Merchant", "Version")
			if diff := gocmp.Diff(change.Products, after.Products, ignored, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("the products (-want +got):\n%s", diff)
			}
			if diff := gocmp.Diff(change.Pools, after.Pools, cmpopts.IgnoreFields(catalog.Pool{}, "Merchant", "Version", "Shards"), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("the pools (-want +got):\n%s", diff)
			}
			if change.Merchant != nil {
				ignored := cmpopts.IgnoreFields(catalog.Merchant{}, "Name", "Version", "Salt", "LinkKey")
				if diff := gocmp.Diff(*change.Merchant, after.Merchant, ignored, cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("the merchant (-want +got):\n%s", diff)
				}
			}
			if again, err := c.Put(ctx, change, nil, false); err != nil || len(again) > 0 {
				t.Fatalf("what was set differs from itself: %+v, %v", again, err)
			}
			if len(want) == 0 != gocmp.Equal(before, after) {
				t.Fatalf("the dry run said %+v of %s", want, gocmp.Diff(before, after))
			}
		}
	}
	t.Logf("%d documents applied, %d of them cut off first, %d refused", applied, cut, refused)
	if applied < 50 || cut < 20 || refused < 20 {
		t.Errorf("too few to show anything: %d applied, %d cut off, %d refused", applied, cut, refused)
	}
}

// A mistake in what there is one of is told with its place before anything is stored, whoever
// asks.
func TestCatalogs_mistakesInWhatThereIsOneOf(t *testing.T) {
	t.Parallel()
	store, _ := dynamotest.Open(t)
	if err := store.PutMerchant(t.Context(), catalog.Merchant{Name: "acme", Title: "A", NoticeAddress: "a@example.com"}); err != nil {
		t.Fatal(err)
	}
	c := book(store)
	change := settings.CatalogChange{
		Pools:      []catalog.Pool{{Name: "elden"}},
		OrderPages: &catalog.OrderPages{Default: "half"},
		Retention:  &catalog.Retention{Days: -1},
		By:         access.Principal{Merchant: "acme", Name: "a test", Scopes: access.Scopes},
	}
	before, err := c.Get(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Put(t.Context(), change, whatever, false)
	var wrong *settings.InvalidError
	if !errors.As(err, &wrong) {
		t.Fatalf("%v", err)
	}
	if diff := gocmp.Diff([]string{"order_page.default", "retention.days"}, paths(wrong.Problems)); diff != "" {
		t.Error(diff)
	}
	after, err := c.Get(t.Context(), "acme")
	if diff := gocmp.Diff(before, after); diff != "" || err != nil {
		t.Errorf("%v, %s", err, diff)
	}
}

// A change of many products reads them all once a phase, not once for each of them: a shop that
// has thousands could not take them out, move them to another pool, or change what inherits.
func TestCatalogs_manyProducts(t *testing.T) {
	t.Parallel()
	var calls dynamotest.Meter
	store, _ := dynamotest.Open(t, calls.Option)
	c := book(store)
	ctx := context.Background()
	if err := store.PutMerchant(ctx, catalog.Merchant{Name: "acme", Title: "Acme", NoticeAddress: "a@example.com"}); err != nil {
		t.Fatal(err)
	}
	const many = 40
	all := func(pool, original string) settings.CatalogChange {
		change := settings.CatalogChange{By: access.Principal{Merchant: "acme", Name: "a test", Scopes: access.Scopes}}
		for _, name := range []string{"p", "q"} {
			change.Pools = append(change.Pools, catalog.Pool{Name: name, LowStock: 1, Reminder: time.Hour})
		}
		rule, texts := catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}, map[string]catalog.Text{"en": {Body: "{KEY} " + strings.Repeat("x", 4_000)}}
		for i := range many {
			change.Products = append(change.Products,
				catalog.Product{ID: fmt.Sprintf("sold-%02d", i), Title: "Elden", Pool: pool, Keys: rule, Texts: texts},
				catalog.Product{ID: fmt.Sprintf("dynamic-%02d", i), Title: original, Original: "sold-00"})
		}
		return change
	}
	none := all("", "")
	none.Products = []catalog.Product{}
	for _, change := range []settings.CatalogChange{all("p", "Elden"), all("q", "Ring"), none} {
		calls.Reset()
		if _, err := c.Put(ctx, change, whatever, false); err != nil {
			t.Fatal(err)
		}
		// A product's own reads are some ten units; a list of all is more than forty.
		read, _ := calls.Units()
		if each := read / (2 * many); each > 20 {
			t.Errorf("%.0f read units, %.1f for each product", read, each)
		}
	}
}

// What new pools find of former ones is read together, and not in one call for each.
func TestCatalogs_manyPools(t *testing.T) {
	t.Parallel()
	var calls dynamotest.Meter
	store, _ := dynamotest.Open(t, calls.Option)
	c := book(store)
	ctx := context.Background()
	if err := store.PutMerchant(ctx, catalog.Merchant{Name: "acme", Title: "Acme", NoticeAddress: "a@example.com"}); err != nil {
		t.Fatal(err)
	}
	by := access.Principal{Merchant: "acme", Name: "a test", Scopes: access.Scopes}
	pools := func(n, shards int) settings.CatalogChange {
		change := settings.CatalogChange{Pools: []catalog.Pool{}, By: by}
		for i := range n {
			change.Pools = append(change.Pools, catalog.Pool{Name: fmt.Sprintf("p-%02d", i), LowStock: 1, Reminder: time.Hour, Shards: shards})
		}
		return change
	}
	for _, change := range []settings.CatalogChange{pools(50, 8), pools(0, 0)} {
		if _, err := c.Put(ctx, change, whatever, false); err != nil {
			t.Fatal(err)
		}
	}
	looks := func(n int) (int, []settings.Difference) {
		calls.Reset()
		differences, err := c.Put(ctx, pools(n, 0), whatever, true)
		if err != nil || len(differences) != n {
			t.Fatalf("%d differences, %v", len(differences), err)
		}
		return len(calls.Calls()), differences
	}
	few, _ := looks(1)
	many, differences := looks(60)
	if many != few {
		t.Errorf("the difference of 60 new pools takes %d calls, that of one %d", many, few)
	}
	for _, d := range differences {
		want := pool.DefaultShards
		if d.Name < "p-50" {
			want = 8 // keys may stand in them
		}
		if d.After["shards"] != want {
			t.Errorf("%s has %v shards, want %d", d.Name, d.After["shards"], want)
		}
	}
	var wrong *settings.InvalidError
	if _, err := c.Put(ctx, pools(50, 2), whatever, true); !errors.As(err, &wrong) || len(wrong.Problems) != 50 {
		t.Errorf("with fewer shards than before: %v", err)
	}
}

// A change that ends on the way says how much of it was done: it is no longer true that nothing
// was changed.
func TestCatalogs_cutOff(t *testing.T) {
	t.Parallel()
	faults := dynamotest.NewFaults(t, 1)
	store, _ := dynamotest.Open(t, faults.Option)
	c := book(store)
	ctx := context.Background()
	if err := store.PutMerchant(ctx, catalog.Merchant{Name: "acme", Title: "Acme", NoticeAddress: "a@example.com"}); err != nil {
		t.Fatal(err)
	}
	change := settings.CatalogChange{
		Pools:    []catalog.Pool{{Name: "p", LowStock: 1, Reminder: time.Hour}},
		Products: []catalog.Product{{ID: "a", Title: "A", Pool: "p", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}}},
		By:       access.Principal{Merchant: "acme", Name: "a test", Scopes: access.Scopes},
	}
	for _, made := range []int{0, 1} {
		faults.After("TransactWriteItems", made, dynamotest.SDKAttempts, dynamotest.CutOff)
		_, err := c.Put(ctx, change, whatever, false)
		faults.Stop()
		var cut *settings.CutOffError
		if is := errors.As(err, &cut); err == nil || is != (made > 0) {
			t.Fatalf("after %d of 2: %v", made, err)
		}
		if made > 0 && (cut.Done != made || cut.Of != 2) {
			t.Errorf("it says %d of %d", cut.Done, cut.Of)
		}
	}
}
