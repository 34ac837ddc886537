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
	code   catalog.Code   // of its product; zero: it gets keys of a pool, or its parent's
	rules  *catalog.Rules // of its product's own; nil: the merchant's
}

// connect fills in the pool that feeds the line and the number of keys that the line
// has a right to. A line whose product or pool does not exist stays unconnected, and so does
// one whose product has a code for everybody that is not set for its side. A renewal that
// delivers its parent's keys needs no pool, nor does a line that gets such a code.
func connect(ctx context.Context, settings catalog.Reader, line order.Fulfillment) (order.Fulfillment, feeder, error) {
	merchant, known, err := settings.Merchant(ctx, line.Merchant)
	if err != nil || !known {
		return line, feeder{}, err
	}
	line.CustomerHash = order.HashAddress(merchant.Salt, line.Customer.Email)
	if line.Pool == "" {
		line.Disconnect() // it may have been connected to a code that is another by now
	}
	product, known, err := catalog.LineProduct(ctx, settings, line.Merchant, line.Product, line.Original)
	if err != nil || !known {
		return line, feeder{}, err
	}
	if product.RenewsParent(line.Parent) {
		line.RenewParent()
		return line, feeder{rules: product.Review}, nil
	}
	if code, set := product.CodeFor(line.Side); set {
		line.ShareCode()
		return line, feeder{code: code, rules: product.Review}, nil
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
	return line, feeder{shards: from.Shards, rules: product.Review}, nil
}

// feeders returns the pool sides that feed a product, in whatever currency, and whether
// lines of it are connected without one: renewals that get their parents' keys, and those that
// get a code. A pool that does not exist is left out.
func feeders(ctx context.Context, settings catalog.Reader, r order.FillRequest) (pools []pool.ID, without bool, err error) {
	product, known, err := catalog.ReadProduct(ctx, settings, r.Merchant, r.Product)
	if err != nil || !known {
		return nil, false, err
	}
	renews := product.Renewal == catalog.ParentKey
	if product.Keys.Mode == catalog.Shared {
		_, set := product.CodeFor(r.Side)
		return nil, set || renews, nil
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
	return pools, renews, nil
}
