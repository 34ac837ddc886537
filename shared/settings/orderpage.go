package settings

import (
	"cmp"
	"context"
	"time"

	"keypool/shared/access"
	"keypool/shared/audit"
	"keypool/shared/catalog"
)

// OrderPages changes and reads merchants' settings of order pages.
type OrderPages struct {
	Store OrderPageStore
	Now   func() time.Time
}

// OrderPageStore keeps settings of order pages; its errors are as those of ReviewStore.
type OrderPageStore interface {
	OrderPages(ctx context.Context, merchant string) (catalog.OrderPages, error)
	PutOrderPages(ctx context.Context, o catalog.OrderPages, with ...audit.Record) error
}

// Get returns a merchant's settings. Those that were never set are off, at version 1.
func (s *OrderPages) Get(ctx context.Context, merchant string) (catalog.OrderPages, error) {
	o, err := s.Store.OrderPages(ctx, merchant)
	o.Version++
	o.Days = cmp.Or(o.Days, catalog.DefaultPageDays)
	return o, err
}

// CheckOrderPages returns the mistakes in settings of order pages.
func CheckOrderPages(o catalog.OrderPages) []Problem {
	var p problems
	p.orderPage("default", o.Default)
	if o.Days < 0 || o.Days > catalog.MaxPageDays {
		p.add("days", "use a number of days from 1 to %d", catalog.MaxPageDays)
	}
	return p
}

// Put changes a merchant's settings, and returns them with their new version. The version of
// next is ignored.
func (s *OrderPages) Put(ctx context.Context, next catalog.OrderPages, by access.Principal, c Condition) (o catalog.OrderPages, err error) {
	if err := invalid(CheckOrderPages(next)...); err != nil {
		return o, err
	}
	before, err := s.Get(ctx, next.Merchant)
	if err != nil {
		return o, err
	}
	next.Version, next.Days = before.Version, cmp.Or(next.Days, catalog.DefaultPageDays)
	same := next == before
	if err := c.check(before.Version, same); err != nil || same {
		return before, err
	}
	stored := next
	stored.Version-- // see Get
	e := entry(ctx, by, audit.OrderPage, next.Merchant, "", before.Shown(), next.Shown(), s.Now())
	if err := s.Store.PutOrderPages(ctx, stored, audit.Record{Entry: e}); err != nil {
		return o, err
	}
	next.Version++
	return next, nil
}
