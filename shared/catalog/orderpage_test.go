package catalog_test

import (
	"testing"

	"keypool/shared/catalog"
)

// A product's own setting comes first, then its original's, then the merchant's.
func TestHasOrderPage(t *testing.T) {
	t.Parallel()
	const on, off = catalog.OrderPageOn, catalog.OrderPageOff
	for _, c := range []struct {
		own, original, common catalog.OrderPage
		want                  bool
	}{
		{"", "", off, false},
		{"", "", on, true},
		{"", on, off, true},
		{"", off, on, false},
		{on, off, off, true},
		{off, on, on, false},
	} {
		product := catalog.Product{OrderPage: c.own}.Inherit(catalog.Product{OrderPage: c.original})
		if got := product.HasOrderPage(catalog.OrderPages{Default: c.common}); got != c.want {
			t.Errorf("%q, of an original with %q, where the merchant says %q: %t", c.own, c.original, c.common, got)
		}
	}
}
