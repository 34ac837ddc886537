package claim

import (
	"context"

	"keypool/shared/catalog"
	"keypool/shared/order"
)

// Catalog is what claiming needs to know of the merchant's settings; false is
// for what does not exist.
type Catalog interface {
	Merchant(ctx context.Context, name string) (catalog.Merchant, bool, error)
	Pool(ctx context.Context, merchant, name string) (catalog.Pool, bool, error)
	Product(ctx context.Context, merchant, id string) (catalog.Product, bool, error)
}

// connect fills in the pool that feeds the line and the keys it is due, and
// returns the pool's number of shards. A line whose product or pool does not
// exist stays unconnected.
func connect(ctx context.Context, settings Catalog, line order.Fulfillment) (order.Fulfillment, int, error) {
	merchant, known, err := settings.Merchant(ctx, line.Merchant)
	if err != nil || !known {
		return line, 0, err
	}
	line.Who = order.HashAddress(merchant.Salt, line.Customer.Email)
	product, known, err := settings.Product(ctx, line.Merchant, line.Product)
	if err != nil || !known {
		return line, 0, err
	}
	if product.Original != "" {
		original, known, err := settings.Product(ctx, line.Merchant, product.Original)
		if err != nil || !known {
			return line, 0, err
		}
		product = product.Inherit(original)
	}
	name, fed := product.PoolFor(line.Currency, merchant)
	if !fed {
		return line, 0, nil
	}
	feeder, known, err := settings.Pool(ctx, line.Merchant, name)
	if err != nil || !known {
		return line, 0, err
	}
	line.Pool = feeder.Name
	line.Wanted = product.Keys.Wanted(line.Quantity)
	return line, feeder.Shards, nil
}
