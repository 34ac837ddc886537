package claim

import (
	"context"
	"maps"
	"slices"

	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// feeder is what the settings say of a line beside the line itself.
type feeder struct {
	shards int            // of its pool
	rules  *catalog.Rules // of its product's own; nil: the merchant's
}

// connect fills in the pool that feeds the line and the number of keys that the line
// has a right to. A line whose product or pool does not exist stays unconnected.
// A renewal that delivers its parent's keys needs no pool.
func connect(ctx context.Context, settings catalog.Reader, line order.Fulfillment) (order.Fulfillment, feeder, error) {
	merchant, known, err := settings.Merchant(ctx, line.Merchant)
	if err != nil || !known {
		return line, feeder{}, err
	}
	line.CustomerHash = order.HashAddress(merchant.Salt, line.Customer.Email)
	product, known, err := catalog.LineProduct(ctx, settings, line.Merchant, line.Product, line.Original)
	if err != nil || !known {
		return line, feeder{}, err
	}
	if product.RenewsParent(line.Parent) {
		line.RenewParent()
		return line, feeder{rules: product.Review}, nil
	}
	name, fed := product.PoolFor(line.Currency, merchant)
	if !fed {
		return line, feeder{}, nil
	}
	from, known, err := settings.Pool(ctx, line.Merchant, name)
	if err != nil || !known {
		return line, feeder{}, err
	}
	wanted := product.Keys.Wanted(line.Quantity)
	if wanted < 1 {
		return line, feeder{}, nil // no rule says how many keys: the product is not set up yet
	}
	line.Connect(from.Name, product.Keys.PerUnit(), wanted)
	return line, feeder{from.Shards, product.Review}, nil
}

// feeders returns the pool sides that feed a product, in whatever currency, and whether
// its renewals need none. A pool that does not exist is left out.
func feeders(ctx context.Context, settings catalog.Reader, r order.FillRequest) (pools []pool.ID, renews bool, err error) {
	product, known, err := catalog.ReadProduct(ctx, settings, r.Merchant, r.Product)
	if err != nil || !known {
		return nil, false, err
	}
	merchant, _, err := settings.Merchant(ctx, r.Merchant)
	if err != nil {
		return nil, false, err
	}
	names := append(slices.Sorted(maps.Values(product.PoolsByCurrency)), product.Pool, merchant.DefaultPool)
	for _, name := range names {
		p := pool.ID{Merchant: r.Merchant, Pool: name, Side: r.Side}
		if name == "" || slices.Contains(pools, p) {
			continue
		}
		_, known, err := settings.Pool(ctx, r.Merchant, name)
		if err != nil {
			return nil, false, err
		}
		if known {
			pools = append(pools, p)
		}
	}
	return pools, product.Renewal == catalog.ParentKey, nil
}
