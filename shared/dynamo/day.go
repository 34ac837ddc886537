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
}

// CountCalls implements access.Days: a write, and beside it a read of the merchant, whose limit
// it is. Without calls to add, both are reads.
func (s *Store) CountCalls(ctx context.Context, merchant string, now time.Time, calls int) (access.Day, error) {
	var day dayItem
	var m catalog.Merchant
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		if calls == 0 {
			day, _, err = getAs[dayItem](ctx, s, s.tables.Catalog, dayKey(merchant, now), oldestInCatalog)
			return err
		}
		u := newUpdate(always)
		u.set("v", number(schema))
		u.add("calls", calls)
		item, err := s.writeAndRead(ctx, u.write(s.tables.Catalog, dayKey(merchant, now)))
		if err == nil {
			day, err = decode[dayItem](item, oldestInCatalog)
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
