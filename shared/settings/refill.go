package settings

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// Queue sends a message to another function.
type Queue interface {
	Send(ctx context.Context, message any, delay time.Duration) error
}

// ProductLister lists all of a merchant's products, by id.
type ProductLister interface {
	Products(ctx context.Context, merchant string) ([]catalog.Product, error)
}

// Refill asks function fill to serve the order lines that a change of settings may
// let go on. The change is stored already, so an error is only logged.
type Refill struct {
	Products ProductLister
	Queue    Queue // of order.FillRequest
}

const (
	// refillDelay gives an index the time to show the change.
	refillDelay = 2 * time.Second

	messagesAtOnce = 16
)

// newPool serves the lines that waited for a pool of that name: those in its
// queues, and those of products that name it.
func (r *Refill) newPool(ctx context.Context, p catalog.Pool) {
	var requests []order.FillRequest
	for _, side := range pool.Sides {
		requests = append(requests, order.FillPool(pool.ID{Merchant: p.Merchant, Pool: p.Name, Side: side}))
	}
	r.send(ctx, p.Merchant, requests)
	r.eachProduct(ctx, p.Merchant, func(product catalog.Product) bool { return names(product, p.Name) })
}

// newDefaultPool serves the lines of all products that name no pool.
func (r *Refill) newDefaultPool(ctx context.Context, merchant string) {
	r.eachProduct(ctx, merchant, func(p catalog.Product) bool { return p.Pool == "" })
}

// changedProduct serves the lines of a product, and of the products that inherit
// from it, if another pool feeds it now, or its code; those of the product alone if it has a new alias.
//
// Only that case reads all products to find the inheritors: a shop that creates
// thousands of products, or sends new texts for them, would read them all each
// time. A new product has no inheritors.
func (r *Refill) changedProduct(ctx context.Context, before, after catalog.Product) {
	otherPool := after.Pool != before.Pool || after.Original != before.Original || after.Ignored != before.Ignored ||
		after.Renewal != before.Renewal || (after.Keys.Mode == catalog.Shared) != (before.Keys.Mode == catalog.Shared) ||
		!maps.Equal(after.PoolsByCurrency, before.PoolsByCurrency)
	otherID := slices.ContainsFunc(after.Aliases, func(alias string) bool { return !slices.Contains(before.Aliases, alias) })
	switch {
	case before.Version == 0 || otherID && !otherPool || otherPool && after.Original != "":
		r.products(ctx, after.Merchant, []catalog.Product{after})
	case otherPool:
		r.eachProduct(ctx, after.Merchant, func(p catalog.Product) bool { return p.ID == after.ID || p.Original == after.ID })
	}
}

// newCode serves the lines of a product that has another code, and of those that inherit it.
func (r *Refill) newCode(ctx context.Context, p catalog.Product) {
	r.eachProduct(ctx, p.Merchant, func(other catalog.Product) bool { return other.ID == p.ID || other.Original == p.ID })
}

// eachProduct serves the lines of the products that are chosen.
func (r *Refill) eachProduct(ctx context.Context, merchant string, chosen func(catalog.Product) bool) {
	products, err := r.Products.Products(ctx, merchant)
	if err != nil {
		slog.WarnContext(ctx, "fill.not_requested", "merchant", merchant, "error", err)
		return
	}
	r.products(ctx, merchant, slices.DeleteFunc(products, func(p catalog.Product) bool { return !chosen(p) }))
}

func (r *Refill) products(ctx context.Context, merchant string, products []catalog.Product) {
	var requests []order.FillRequest
	for _, p := range products {
		for _, id := range p.IDs() {
			for _, side := range pool.Sides {
				requests = append(requests, order.FillProduct(merchant, side, id))
			}
		}
	}
	r.send(ctx, merchant, requests)
}

func (r *Refill) send(ctx context.Context, merchant string, requests []order.FillRequest) {
	var sending errgroup.Group
	sending.SetLimit(messagesAtOnce)
	for _, request := range requests {
		sending.Go(func() error { return r.Queue.Send(ctx, request, refillDelay) })
	}
	if err := sending.Wait(); err != nil {
		slog.WarnContext(ctx, "fill.not_requested", "merchant", merchant, "error", err)
	}
}

// names says whether a product names a pool.
func names(p catalog.Product, poolName string) bool {
	return p.Pool == poolName || slices.Contains(slices.Collect(maps.Values(p.PoolsByCurrency)), poolName)
}
