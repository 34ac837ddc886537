package catalog

import (
	"cmp"
	"context"
	"time"
)

// OrderPage says whether customers have a page that shows their order.
type OrderPage string

// What it says.
const (
	OrderPageOn  OrderPage = "on"
	OrderPageOff OrderPage = "off"
)

// OrderPages are a merchant's settings of order pages.
type OrderPages struct {
	Merchant string
	Version  int
	Default  OrderPage // of products that do not say so themselves

	Days       int  // that a link is good, from its order on; 0: DefaultPageDays
	QueuePlace bool // a customer who waits sees the place in the queue
}

// The days that a link is good.
const (
	DefaultPageDays = 365
	MaxPageDays     = 3650
)

// OrderPageReader reads a merchant's settings of order pages, which are off where they were
// never set.
type OrderPageReader interface {
	OrderPages(ctx context.Context, merchant string) (OrderPages, error)
}

// Ends returns when a link ends that was made at a time.
func (o OrderPages) Ends(made time.Time) time.Time {
	return made.AddDate(0, 0, cmp.Or(o.Days, DefaultPageDays))
}

// CachedOrderPages reads settings of order pages through a cache: they may be CacheFor old. It
// implements OrderPageReader.
type CachedOrderPages struct{ pages *Cache[OrderPages] }

// NewCachedOrderPages returns an empty cache of the settings that r reads.
func NewCachedOrderPages(r OrderPageReader, now func() time.Time) *CachedOrderPages {
	return &CachedOrderPages{NewCache(now, func(ctx context.Context, merchant string) (OrderPages, bool, error) {
		o, err := r.OrderPages(ctx, merchant)
		return o, true, err
	})}
}

// OrderPages implements OrderPageReader.
func (c *CachedOrderPages) OrderPages(ctx context.Context, merchant string) (OrderPages, error) {
	o, _, err := c.pages.Get(ctx, merchant)
	return o, err
}

// Shown returns the fields of the settings.
func (o OrderPages) Shown() Shown {
	s := Shown{}
	s.set("default", string(o.Default))
	s.set("days", cmp.Or(o.Days, DefaultPageDays))
	s.set("queue_place", o.QueuePlace)
	return s
}

// HasOrderPage says whether a line of the product has an order page. The product is as
// ReadProduct returns it.
func (p Product) HasOrderPage(common OrderPages) bool {
	return cmp.Or(p.OrderPage, common.Default) == OrderPageOn
}
