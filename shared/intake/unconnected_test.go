package intake_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/dynamo"
	"keypool/shared/notice"
	"keypool/shared/platform"
	"keypool/shared/pool"
)

// A mixed shop sells many things that nobody set up: one digest a day and account names
// them, with the orders of each.
func TestTake_unconnectedProductsShareADigest(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	now := noon
	in.Now = func() time.Time { return now }
	sells := func(from platform.Account, order string, products ...string) {
		for range 2 { // a repeat counts nothing
			for _, result := range in.Apply(t.Context(), from, request, []platform.Event{paid(order, 1, products...)}) {
				if result.Outcome != platform.Accepted {
					t.Errorf("%+v", result)
				}
			}
			now = now.Add(unconnectedEvery)
		}
	}
	for n := range 3 {
		sells(account, fmt.Sprint(n), "shirt", "mug")
	}
	sells(account, "4", "poster")
	other := account
	other.Name, other.Origin = "shop-us", "us.acme.example"
	sells(other, "1", "shirt")

	told := map[string]map[string]int{} // orders by account and product
	for _, n := range noticesOf(t, tables, notice.Unconnected) {
		if told[n.Facts.Account] != nil {
			t.Errorf("%s has two digests in a day", n.Facts.Account)
		}
		told[n.Facts.Account] = map[string]int{}
		for _, p := range n.Facts.Products {
			told[n.Facts.Account][p.ID] = p.Count
		}
	}
	if got, want := fmt.Sprint(told), "map[shop-eu:map[mug:3 poster:1 shirt:3] shop-us:map[shirt:1]]"; got != want {
		t.Errorf("told %s, want %s", got, want)
	}

	now = now.Add(24 * time.Hour)
	sells(account, "5", "cap")
	digests := noticesOf(t, tables, notice.Unconnected)
	if len(digests) != 3 {
		t.Fatalf("%d digests in two days", len(digests))
	}
	for _, n := range digests {
		// The first is mailed at once; while products go on being unconnected, one a day is.
		if n.Facts.Products[0].ID == "cap" && !n.Mail.TryAt.After(now) {
			t.Errorf("the next day's digest is mailed before the day ends: %+v", n.Mail)
		}
	}
}

// unconnectedEvery is longer than a process gathers orders of one product.
const unconnectedEvery = 11 * time.Second

// A rush to a product that nobody set up is no rush to its notice.
func TestTake_aRushToAnUnconnectedProductIsGathered(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	now := noon
	in.Now = func() time.Time { return now }
	for n := range 50 {
		in.Apply(t.Context(), account, request, []platform.Event{paid(fmt.Sprint(n), 1, "shirt")})
	}
	one := noticesOf(t, tables, notice.Unconnected)
	if len(one) != 1 || one[0].Version != 0 {
		t.Errorf("told %+v", one)
	}
	now = now.Add(unconnectedEvery)
	in.Apply(t.Context(), account, request, []platform.Event{paid("50", 1, "shirt")})
	one = noticesOf(t, tables, notice.Unconnected)
	if len(one) != 1 || one[0].Facts.Products[0].Count != 51 || one[0].Facts.Count != 51 {
		t.Errorf("told %+v", one)
	}
}

// A product that is set up here, and that the shop ships, gets no keys: it may be marked so by
// mistake, and stands in the same digest. What the catalog does not know, or ignores, does not.
func TestTake_shippedProductsStandInTheDigest(t *testing.T) {
	t.Parallel()
	in, tables := open(t)
	now := noon
	in.Now = func() time.Time { return now }
	store := in.Records.(*dynamo.Store)
	if err := store.PutProduct(t.Context(), catalog.Product{Merchant: "acme", ID: "mug", Ignored: true}); err != nil {
		t.Fatal(err)
	}
	from := account
	from.OtherProducts, from.DeliversFrom = catalog.OthersIgnored, noon.Add(-time.Hour)
	ships := func(number string, paidAt time.Time) platform.Paid {
		p := paid(number, 1)
		p.PaidAt, p.SkippedLines = paidAt, []string{"1", "2", "3", "4"}
		for i, product := range []string{"game", "shirt", "mug", ""} {
			p.Shipped = append(p.Shipped, platform.Line{ID: fmt.Sprint(i + 1), Product: product})
		}
		return p
	}
	for range 2 { // a repeat counts nothing
		for n := range 2 {
			is(t, in.Apply(t.Context(), from, request, []platform.Event{ships(fmt.Sprint(n), noon)}), platform.Skipped, platform.Skipped, platform.Skipped, platform.Skipped)
			now = now.Add(unconnectedEvery)
		}
	}
	in.Apply(t.Context(), from, request, []platform.Event{ships("old", noon.AddDate(-1, 0, 0))})
	digests := noticesOf(t, tables, notice.Unconnected)
	want := []notice.Product{{ID: "game", Side: pool.Live, Ships: true, Orders: []string{"0", "1"}, Count: 2}}
	if len(digests) != 1 {
		t.Fatalf("told %+v", digests)
	}
	if diff := cmp.Diff(want, digests[0].Facts.Products); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if books := dynamotest.Audit(t, tables); books.Claimed != 0 || len(books.Lines) != 0 {
		t.Errorf("%d keys for %d lines", books.Claimed, len(books.Lines))
	}
}

// inPairs answers once two products are asked for at the same time.
type inPairs struct{ asked chan struct{} }

func (p inPairs) Product(context.Context, string, string) (catalog.Product, bool, error) {
	select {
	case p.asked <- struct{}{}:
	case <-p.asked:
	case <-time.After(5 * time.Second):
		return catalog.Product{}, false, errors.New("nobody else asks")
	}
	return catalog.Product{}, false, nil
}

// A shop that ships hundreds of things in an order waits for no more than a few seconds: what it
// ships is looked up side by side.
func TestTake_shippedProductsAreLookedUpTogether(t *testing.T) {
	t.Parallel()
	in, _ := open(t)
	in.Products = inPairs{make(chan struct{})}
	p := paid("1", 1)
	p.SkippedLines = []string{"1", "2"}
	p.Shipped = []platform.Line{{ID: "1", Product: "mug"}, {ID: "2", Product: "cup"}}
	is(t, in.Apply(t.Context(), account, request, []platform.Event{p}), platform.Skipped, platform.Skipped)
}
