package catalog_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/catalog"
)

// A pool runs dry on a day between the one by its faster and the one by its slower rate.
func TestRunsDry(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 23, 59, 0, 0, time.UTC)
	// sold makes sales of so many keys, so many days ago.
	sold := func(keysAndDays ...int) catalog.Sales {
		s := catalog.Sales{}
		for i := 0; i < len(keysAndDays); i += 2 {
			s[catalog.Day(now, -keysAndDays[i+1])] = keysAndDays[i]
		}
		return s
	}
	for what, c := range map[string]struct {
		available int
		sold      catalog.Sales
		from, to  int // days from today; -1: no forecast
	}{
		"nothing was ever sold":           {100, nil, -1, -1},
		"today alone is too little":       {100, sold(50, 0), -1, -1},
		"sold too long ago":               {100, sold(50, 30), -1, -1},
		"steadily for a month":            {290, sold(29, 29, 261, 15, 70, 7), 23, 29},
		"faster this week":                {140, sold(8, 29, 70, 3), 14, 52},
		"slower this week":                {140, sold(140, 14, 7, 3), 13, 140},
		"nothing this week":               {100, sold(100, 20), 20, 20},
		"too new to say":                  {100, sold(20, 2), -1, -1},
		"new since three days":            {100, sold(30, 3), 10, 10},
		"none is left":                    {0, sold(20, 3), 0, 0},
		"it lasts for years":              {100_000, sold(1, 29), -1, -1},
		"the slower rate lasts for years": {20_000, sold(1_000, 29, 7, 3), 575, 5 * 365},
		"counted back below nothing":      {100, sold(-5, 1), -1, -1},
	} {
		got, ok := catalog.Stock{Available: c.available, Sold: c.sold}.RunsDry(now)
		if ok != (c.from >= 0) {
			t.Errorf("%s: forecast %v, want %v", what, ok, c.from >= 0)
			continue
		}
		if !ok {
			continue
		}
		today := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
		if diff := cmp.Diff(catalog.RunsDry{From: today.AddDate(0, 0, c.from), To: today.AddDate(0, 0, c.to)}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

func TestRunsDry_words(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 23, 59, 0, 0, time.UTC)
	for want, days := range map[string][2]int{
		"today":              {0, 0},
		"within 1 day":       {0, 1},
		"in about 1 day":     {1, 1},
		"in 2 to 4 days":     {2, 4},
		"in 1 to 4 weeks":    {10, 30},
		"within 3 weeks":     {3, 21},
		"in about 6 weeks":   {42, 44},
		"in 2 to 8 months":   {60, 240},
		"in about 61 months": {1820, 1825},
	} {
		at := func(n int) time.Time { return time.Date(2026, 11, 27+n, 0, 0, 0, 0, time.UTC) }
		if got := (catalog.RunsDry{From: at(days[0]), To: at(days[1])}).Words(now); got != want {
			t.Errorf("%v days: %q, want %q", days, got, want)
		}
	}
}

func TestSales(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 0, 1, 0, 0, time.UTC)
	s := catalog.Sales{"2026-11-27": 1, "2026-11-21": 2, "2026-11-20": 4, "2026-10-29": 8, "2026-10-28": 16, "2026-10-27": 32, "2025-11-27": 64}
	if week, month := s.In(7, now), s.In(catalog.SoldDays, now); week != 3 || month != 15 {
		t.Errorf("%d in a week, %d in 30 days; want 3 and 15", week, month)
	}
	forgotten := s.Forget(now)
	slices.Sort(forgotten)
	if diff := cmp.Diff([]string{"2025-11-27", "2026-10-27"}, forgotten); diff != "" {
		t.Errorf("forgotten (-want +got):\n%s", diff)
	}
}
