package catalog_test

import (
	"testing"
	"time"

	"keypool/shared/catalog"
)

// Days are counted from the merchant's day of the payment, also across a change of clocks.
func TestRedeem_until(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		redeem catalog.Redeem
		zone   string
		paid   time.Time
		want   string
	}{
		"nothing set":               {catalog.Redeem{}, "", time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), ""},
		"30 days":                   {catalog.Redeem{WithinDays: 30}, "", time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), "2026-12-23"},
		"ten years":                 {catalog.Redeem{WithinDays: 3650}, "", time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), "2036-11-20"},
		"a day later in the zone":   {catalog.Redeem{WithinDays: 1}, "Asia/Tokyo", time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC), "2026-11-25"},
		"a day earlier in the zone": {catalog.Redeem{WithinDays: 1}, "America/Los_Angeles", time.Date(2026, 11, 23, 7, 59, 0, 0, time.UTC), "2026-11-23"},
		"clocks that change at midnight": { // 0:30 is no time of 6 September 2026 in Santiago
			catalog.Redeem{WithinDays: 1}, "America/Santiago", time.Date(2026, 9, 5, 4, 30, 0, 0, time.UTC), "2026-09-06",
		},
		"an unknown zone":           {catalog.Redeem{WithinDays: 1}, "Mars/Olympus", time.Date(2026, 11, 23, 23, 59, 0, 0, time.UTC), "2026-11-24"},
		"a fixed day":               {catalog.Redeem{By: "2026-12-23"}, "Asia/Tokyo", time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC), "2026-12-23"},
		"a day that cannot be read": {catalog.Redeem{By: "23.12.2026"}, "", time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC), ""},
		"one day, in a year of 366": {catalog.Redeem{WithinDays: 1}, "", time.Date(2028, 2, 28, 15, 0, 0, 0, time.UTC), "2028-02-29"},
	} {
		day, ok := c.redeem.Until(c.paid, catalog.Merchant{TimeZone: c.zone})
		got := ""
		if ok {
			got = day.Format(time.DateOnly)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// The two settings are inherited as one: a product with a day of its own has no days of its
// original.
func TestRedeem_isInherited(t *testing.T) {
	t.Parallel()
	original := catalog.Product{Redeem: catalog.Redeem{WithinDays: 30}}
	if got := (catalog.Product{}).Inherit(original).Redeem; got != original.Redeem {
		t.Errorf("inherited %+v", got)
	}
	own := catalog.Redeem{By: "2026-12-23"}
	if got := (catalog.Product{Redeem: own}).Inherit(original).Redeem; got != own {
		t.Errorf("of its own %+v", got)
	}
}
