package dynamo_test

import (
	"errors"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/audit"
	"keypool/shared/catalog"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// A code is stored with its key or not at all: a key that came meanwhile, or that stands on the
// other side, is none, and the product stays as it was. So does a product that has changed.
func TestPutCodes_keyThatCameMeanwhile(t *testing.T) {
	t.Parallel()
	store, tables := dynamotest.Open(t)
	if err := store.PutProduct(t.Context(), catalog.Product{Merchant: "acme", ID: "demo"}); err != nil {
		t.Fatal(err)
	}
	there := dynamotest.Stock(t, tables, pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}, 1, "FOR-SALE")[0].ID
	put := func(version int, key, otherSide pool.KeyID, former ...pool.KeyID) error {
		p := catalog.Product{Merchant: "acme", ID: "demo", Version: version, Codes: map[pool.Side]catalog.Code{pool.Live: {Product: "demo", Key: key}}}
		code := catalog.NewCode{Key: key, OtherSide: otherSide, Text: pool.Conceal("TEXT")}
		e := audit.New(t.Context(), audit.Entry{Merchant: "acme", By: "ada", Thing: audit.Product}, time.Now())
		return store.PutCodes(t.Context(), p, []catalog.NewCode{code}, former, audit.Record{Entry: e})
	}
	for name, err := range map[string]error{
		"of a key for sale":            put(1, there, "acme#test#none"),
		"of one on the other side":     put(1, "acme#live#new", there),
		"in the place of one not here": put(1, "acme#live#new", "acme#test#none", "acme#live#gone"),
	} {
		if !errors.Is(err, retry.ErrChanged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := put(7, "acme#live#new", "acme#test#none"); !errors.Is(err, catalog.ErrConflict) {
		t.Errorf("of a product that has changed: %v", err)
	}
	if p, _, err := store.Product(t.Context(), "acme", "demo"); err != nil || p.Version != 1 || len(p.Codes) > 0 {
		t.Errorf("the product is %+v, %v", p, err)
	}
	if books := dynamotest.Audit(t, tables); books.Available != 1 || books.Keys != 1 {
		t.Errorf("%d keys for sale, of %d", books.Available, books.Keys)
	}
	if err := put(1, "acme#live#new", "acme#test#none"); err != nil {
		t.Fatal(err)
	}
	key, given, err := store.Code(t.Context(), catalog.Code{Product: "demo", Key: "acme#live#new"})
	if err != nil || !given || key.Text.Reveal() != "TEXT" {
		t.Errorf("the code is given: %v, %v", given, err)
	}
	if _, given, err := store.Code(t.Context(), catalog.Code{Product: "demo", Key: there}); err != nil || given {
		t.Errorf("a key of a pool is given as a code: %v, %v", given, err)
	}
}
