//go:build browser

package main

import (
	"testing"

	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// Who presses the button of a mail about orders on hold is led to sign in, then to the orders,
// and decides about all of them at once; a role that may not look is told what to ask for.
func TestBrowser_fromTheMailToOrdersOnHold(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	if err := s.store.PutReview(t.Context(), catalog.Review{Merchant: "acme", Rules: catalog.Rules{Always: true}}); err != nil {
		t.Fatal(err)
	}
	for _, number := range []string{"A-1", "A-2"} {
		s.sell("acme", number, 2)
	}
	s.sell("acme", "T-1", 1, func(f *order.Fulfillment) { f.Side = pool.Test })
	const held = "/portal/orders?show=on_hold"
	b := s.tab()
	b.Go(held)
	b.Has("There is no password")
	b.signIn("ada@acme.example")
	b.Go(held)
	b.Has("To decide about all that your rules hold at once")
	b.Look("orders-on-hold")
	b.Press("Reject all…")
	b.Has("This cannot be undone.")
	b.Look("orders-reject-all")
	b.Press("Go back")
	b.Press("Release all…")
	b.Look("orders-release-all")
	b.Press("Release all on hold")
	b.Has("2 order lines were released from hold.")
	b.Look("orders-released-all")

	stock := s.tab().signIn("stock@acme.example")
	stock.Go(held)
	stock.Has("Ask an owner of the shop to do it")
	stock.Look("not-for-this-role")
	b.Go("/portal/pools/of-another-shop/add")
	b.Has("If it belongs to another shop of yours")
	b.Look("of-another-shop")
}
