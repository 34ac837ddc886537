package platform_test

import (
	"math/big"
	"testing"

	"keypool/shared/platform"
)

// The price of a unit is rounded up to the lowest unit of its currency: so many units never
// cost less than what was paid for all.
func TestUnitPrice(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		total    string
		units    int64
		currency string
		want     string
	}{
		{"119.98", 2, "EUR", "59.99"},
		{"100", 3, "EUR", "33.34"},
		{"0.01", 1000, "EUR", "0.01"},
		{"0", 7, "EUR", "0.00"},
		{"0.001", 1, "EUR", "0.01"},
		{"2999", 3, "JPY", "1000"},
		{"2.999", 3, "KWD", "1.000"},
		{"1", 3, "", "0.34"},
	} {
		total, _ := new(big.Rat).SetString(test.total)
		if got := platform.UnitPrice(total, test.units, test.currency); got != test.want {
			t.Errorf("a unit of %d for %s %s costs %s, want %s", test.units, test.total, test.currency, got, test.want)
		}
	}
}
