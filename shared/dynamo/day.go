package dynamo

import (
	"cmp"
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/access"
	"keypool/shared/catalog"
)

// dayItem is what a merchant's limits of a day count, in the catalog.
type dayItem struct {
	primaryKey
	V     int `dynamodbav:"v"`
	Calls int `dynamodbav:"calls,omitempty"`
	Mails int `dynamodbav:"mails,omitempty"`
}

// day returns how a merchant's day stands at that time: one consistent read.
func (s *Store) day(ctx context.Context, merchant string, now time.Time) (dayItem, error) {
	item, _, err := getAs[dayItem](ctx, s, s.tables.Catalog, dayKey(merchant, now), oldestInCatalog)
	return item, err
}

// addToDay adds to a count of a merchant's day, and returns the day.
func (s *Store) addToDay(ctx context.Context, merchant string, now time.Time, count string, n int) (dayItem, error) {
	u := newUpdate(always)
	u.set("v", number(schema))
	u.add(count, n)
	item, err := s.writeAndRead(ctx, u.write(s.tables.Catalog, dayKey(merchant, now)))
	if err != nil {
		return dayItem{}, err
	}
	return decode[dayItem](item, oldestInCatalog)
}

// Mailed returns how many notices a merchant has got in the day of that time.
func (s *Store) Mailed(ctx context.Context, merchant string, now time.Time) (int, error) {
	day, err := s.day(ctx, merchant, now)
	return day.Mails, wrap(err, "read how many notices %s has got", merchant)
}

// AddMailed counts a notice that a merchant has got.
func (s *Store) AddMailed(ctx context.Context, merchant string, now time.Time) error {
	_, err := s.addToDay(ctx, merchant, now, "mails", 1)
	return wrap(err, "count the notices to %s", merchant)
}

// CountCalls implements access.Days: a write, and beside it a read of the merchant, whose limit
// it is. Without calls to add, both are reads.
func (s *Store) CountCalls(ctx context.Context, merchant string, now time.Time, calls int) (access.Day, error) {
	var day dayItem
	var m catalog.Merchant
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		if calls == 0 {
			day, err = s.day(ctx, merchant, now)
		} else {
			day, err = s.addToDay(ctx, merchant, now, "calls", calls)
		}
		return err
	})
	both.Go(func() (err error) {
		m, _, err = s.Merchant(ctx, merchant)
		return err
	})
	if err := both.Wait(); err != nil {
		return access.Day{}, wrap(err, "count the calls of %s", merchant)
	}
	return access.Day{Calls: day.Calls, Limit: cmp.Or(m.Calls, catalog.DefaultCalls)}, nil
}
