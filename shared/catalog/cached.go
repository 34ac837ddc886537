package catalog

import (
	"context"
	"strings"
	"time"
)

// Reader reads a merchant's settings. It returns false for one that does not exist.
type Reader interface {
	Merchant(ctx context.Context, name string) (Merchant, bool, error)
	Pool(ctx context.Context, merchant, name string) (Pool, bool, error)
	Product(ctx context.Context, merchant, id string) (Product, bool, error)
	// Review returns the merchant's rules and brake: the zero Review where none were set.
	Review(ctx context.Context, merchant string) (Review, error)
}

// Cached reads settings through a cache: a setting may be CacheFor old, and the
// absence of one is never cached. It implements Reader.
type Cached struct {
	merchants *Cache[Merchant]
	pools     *Cache[Pool]
	products  *Cache[Product]
	reviews   *Cache[Review]
}

// NewCached returns an empty cache of the settings that r reads.
func NewCached(r Reader, now func() time.Time) *Cached {
	return &Cached{
		merchants: NewCache(now, r.Merchant),
		pools: NewCache(now, func(ctx context.Context, key string) (Pool, bool, error) {
			merchant, name := splitKey(key)
			return r.Pool(ctx, merchant, name)
		}),
		products: NewCache(now, func(ctx context.Context, key string) (Product, bool, error) {
			merchant, id := splitKey(key)
			return r.Product(ctx, merchant, id)
		}),
		reviews: NewCache(now, func(ctx context.Context, merchant string) (Review, bool, error) {
			review, err := r.Review(ctx, merchant)
			return review, true, err
		}),
	}
}

// Merchant implements Reader.
func (c *Cached) Merchant(ctx context.Context, name string) (Merchant, bool, error) {
	return c.merchants.Get(ctx, name)
}

// Pool implements Reader.
func (c *Cached) Pool(ctx context.Context, merchant, name string) (Pool, bool, error) {
	return c.pools.Get(ctx, joinKey(merchant, name))
}

// Product implements Reader.
func (c *Cached) Product(ctx context.Context, merchant, id string) (Product, bool, error) {
	return c.products.Get(ctx, joinKey(merchant, id))
}

// Review implements Reader.
func (c *Cached) Review(ctx context.Context, merchant string) (Review, error) {
	review, _, err := c.reviews.Get(ctx, merchant)
	return review, err
}

// A merchant's name holds no slash. A product's id may.
func joinKey(merchant, rest string) string { return merchant + "/" + rest }

func splitKey(key string) (merchant, rest string) {
	merchant, rest, _ = strings.Cut(key, "/")
	return merchant, rest
}
