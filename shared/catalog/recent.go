package catalog

import (
	"context"
	"strings"
	"time"
)

// Reader reads a merchant's settings as they stand now.
type Reader interface {
	Merchant(ctx context.Context, name string) (Merchant, bool, error)
	Pool(ctx context.Context, merchant, name string) (Pool, bool, error)
	Product(ctx context.Context, merchant, id string) (Product, bool, error)
}

// Recent reads settings through a cache: what it returns may be CacheFor old,
// what does not exist is always asked for.
type Recent struct {
	merchants *Cache[Merchant]
	pools     *Cache[Pool]
	products  *Cache[Product]
}

// NewRecent returns an empty cache over r.
func NewRecent(r Reader, now func() time.Time) *Recent {
	return &Recent{
		merchants: NewCache(now, r.Merchant),
		pools: NewCache(now, func(ctx context.Context, name string) (Pool, bool, error) {
			merchant, rest := split(name)
			return r.Pool(ctx, merchant, rest)
		}),
		products: NewCache(now, func(ctx context.Context, name string) (Product, bool, error) {
			merchant, rest := split(name)
			return r.Product(ctx, merchant, rest)
		}),
	}
}

// Merchant implements Reader.
func (c *Recent) Merchant(ctx context.Context, name string) (Merchant, bool, error) {
	return c.merchants.Get(ctx, name)
}

// Pool implements Reader.
func (c *Recent) Pool(ctx context.Context, merchant, name string) (Pool, bool, error) {
	return c.pools.Get(ctx, join(merchant, name))
}

// Product implements Reader.
func (c *Recent) Product(ctx context.Context, merchant, id string) (Product, bool, error) {
	return c.products.Get(ctx, join(merchant, id))
}

// A merchant's name holds no slash; what follows it may.
func join(merchant, rest string) string { return merchant + "/" + rest }

func split(name string) (merchant, rest string) {
	merchant, rest, _ = strings.Cut(name, "/")
	return merchant, rest
}
