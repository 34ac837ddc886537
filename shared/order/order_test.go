package order_test

import (
	"testing"

	"keypool/shared/order"
	"keypool/shared/pool"
)

// Every field of an identity tells lines apart; all but the last two tell orders
// apart. What one field holds never passes for another's.
func TestIdentity_everyFieldCounts(t *testing.T) {
	t.Parallel()
	base := order.Identity{Merchant: "acme", Side: pool.Live, Origin: "shop-1", Order: "10001", Line: "1"}
	with := func(change func(*order.Identity)) order.Identity {
		i := base
		change(&i)
		return i
	}
	for name, test := range map[string]struct {
		other     order.Identity
		sameOrder bool
	}{
		"merchant":                  {with(func(i *order.Identity) { i.Merchant = "nova" }), false},
		"side":                      {with(func(i *order.Identity) { i.Side = pool.Test }), false},
		"origin":                    {with(func(i *order.Identity) { i.Origin = "shop-2" }), false},
		"order":                     {with(func(i *order.Identity) { i.Order = "10002" }), false},
		"line":                      {with(func(i *order.Identity) { i.Line = "2" }), true},
		"part":                      {with(func(i *order.Identity) { i.Part = "2" }), true},
		"a field's end in the next": {with(func(i *order.Identity) { i.Origin, i.Order = "shop-11", "0001" }), false},
		"the line as a part":        {with(func(i *order.Identity) { i.Line, i.Part = "", "1" }), true},
	} {
		if test.other.ID() == base.ID() {
			t.Errorf("%s: two lines have one identity", name)
		}
		if got := test.other.OrderID() == base.OrderID(); got != test.sameOrder {
			t.Errorf("%s: one order %v, want %v", name, got, test.sameOrder)
		}
	}
}

// An identity stays what it is for ever: a line is found by it years later.
func TestIdentity_neverChanges(t *testing.T) {
	t.Parallel()
	id := order.Identity{Merchant: "acme", Side: pool.Live, Origin: "shop-1", Order: "10001", Line: "1", Part: "2"}
	const want = "KSxapXJh_VNmPrBbbSlOygDlU7e7ccncF9ZkXabQuhMB"
	if got := id.ID(); got != want || !got.Valid() || got.OrderHalf() != id.OrderID() {
		t.Errorf("got %s, want %s", got, want)
	}
}
