package review_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/notice"
)

// How many keys of a day are out of the ordinary after which days before it.
func TestSales_limit(t *testing.T) {
	for name, c := range map[string]struct {
		before map[int]int // keys, by the number of days ago
		most   int         // that the day sells without being told
	}{
		"the first day":                  {nil, 100},
		"the best day is small":          {map[int]int{1: 20, 2: 3}, 100},
		"the best day is just enough":    {map[int]int{1: 3, 9: 21}, 105},
		"the best of the days, not last": {map[int]int{1: 40, 5: 90, 6: 80}, 450},
		"the oldest day that counts":     {map[int]int{14: 60, 1: 10}, 300},
		"a day too old to count":         {map[int]int{15: 60, 1: 10}, 100},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, catalog.Review{})
			for ago, keys := range c.before {
				if _, err := s.store.AddSold(t.Context(), "nova", keys, noon.AddDate(0, 0, -ago)); err != nil {
					t.Fatal(err)
				}
			}
			s.sell(0, c.most-1)
			s.sell(0, 1)
			if s.told() != 0 {
				t.Errorf("%d keys are told", c.most)
			}
			s.sell(0, 1)
			if s.told() != 1 {
				t.Errorf("%d keys are told %d times", c.most+1, s.told())
			}
		})
	}
}

// A day is told once, and the next one again. Days are those of UTC, wherever the merchant
// is.
func TestSales_onceADay(t *testing.T) {
	s := open(t, catalog.Review{})
	if err := s.store.PutMerchant(t.Context(), catalog.Merchant{Name: "nova", TimeZone: "America/Los_Angeles"}); err != nil {
		t.Fatal(err)
	}
	at := func(moment time.Time, keys int) {
		t.Helper()
		s.now = moment
		if err := s.sales.Sold(t.Context(), "nova", keys); err != nil {
			t.Fatal(err)
		}
	}
	midnight := noon.Add(12 * time.Hour)
	at(midnight.Add(-time.Millisecond), 60)
	at(midnight, 60) // with those before it would be told
	if s.told() != 0 {
		t.Fatal("two days are taken for one")
	}
	at(midnight.Add(24*time.Hour-time.Millisecond).In(time.FixedZone("east", 9*3600)), 241) // of the same day: 301
	at(midnight.Add(time.Hour), 1000)
	if s.told() != 1 {
		t.Errorf("the day is told %d times", s.told())
	}
	at(midnight.AddDate(0, 0, 1), 6506) // more than five times 1,301
	at(midnight.AddDate(0, 0, 1), 1)
	if s.told() != 2 {
		t.Errorf("with the day after, %d times", s.told())
	}
}

// notTold stores no notice, and then does.
type notTold struct {
	to    notices
	fails int
	last  notice.Notice
}

type notices interface {
	RaiseNotice(ctx context.Context, n notice.Notice) error
}

var errBusy = errors.New("busy")

func (n *notTold) RaiseNotice(ctx context.Context, tell notice.Notice) error {
	if n.fails > 0 {
		n.fails--
		return errBusy
	}
	n.last = tell
	return n.to.RaiseNotice(ctx, tell)
}

// A day that could not be told is told with its next key, and the mail says how many keys it
// was, and the best day before.
func TestSales_toldLater(t *testing.T) {
	s := open(t, catalog.Review{BrakesItself: true})
	lost := &notTold{to: s.store, fails: 1}
	s.sales.Notices = lost
	s.sell(1, 30)
	s.now = noon
	if err := s.sales.Sold(t.Context(), "nova", 200); !errors.Is(err, errBusy) {
		t.Errorf("a notice that was not stored is %v", err)
	}
	if set := s.brake(); !set.Set() || set.By == "" || !set.SetAt.Equal(noon) {
		t.Errorf("the brake is %+v, whether it was told or not", set)
	}
	s.sell(0, 1)
	if f := lost.last.Facts; s.told() != 1 || f.Count != 201 || f.Threshold != 30 || f.Cause != notice.BrakeSet {
		t.Errorf("told %d times, with %+v", s.told(), f)
	}
}
