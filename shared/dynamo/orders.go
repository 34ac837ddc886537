package dynamo

import (
	"context"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// Lines returns the lines of an order, each with the first of its keys, none if
// there is no such order. The order is named by the half of a LineID that its
// lines share.
func (s *Store) Lines(ctx context.Context, id string) ([]order.Fulfillment, error) {
	items, err := s.items(ctx, withPrefix(s.tables.Orders, orderPrefix+id, lineSort))
	if err != nil {
		return nil, wrap(err, "read the lines of an order")
	}
	var lines []order.Fulfillment
	for _, item := range items {
		line, err := decodeFulfillment(item)
		if err != nil {
			return nil, wrap(err, "read the lines of an order")
		}
		lines = append(lines, line)
	}
	return lines, nil
}

const (
	orderPrefix = "order#"
	lineSort    = "line#"
)

// HasUnconnected reports whether lines wait for a product to get a pool.
func (s *Store) HasUnconnected(ctx context.Context, merchant, product string) (bool, error) {
	for _, side := range []pool.Side{pool.Live, pool.Test} {
		q := inPartition(s.tables.Orders, unconnectedPK(merchant, side, product))
		q.limit = 1
		n, err := s.count(ctx, q)
		if err != nil {
			return false, wrap(err, "look for unconnected lines of %s", merchant)
		}
		if n > 0 {
			return true, nil
		}
	}
	return false, nil
}

// shownExactly is how many keys, and waiting lines, are counted to be shown.
const shownExactly = 1_000

// Stock counts what is in a pool side: exactly as far as 1,000 keys, however
// large it is; beyond that as uploads and takes add up since they were last put right.
func (s *Store) Stock(ctx context.Context, p pool.ID, shards int, now time.Time) (catalog.Stock, error) {
	available, err := s.Available(ctx, p, shards, shownExactly+1)
	if err != nil {
		return catalog.Stock{}, err
	}
	_, waiting, err := s.Missing(ctx, p, shownExactly)
	if err != nil {
		return catalog.Stock{}, err
	}
	count, _, err := getAs[shownItem](ctx, s, s.tables.Catalog, primary(merchantPrefix+p.Merchant, countSK(p)), lastVersions)
	if err != nil {
		return catalog.Stock{}, wrap(err, "read the count of %s", p)
	}
	stock := catalog.Stock{
		Pool: p, Available: available, Claimed: max(0, count.Taken), Revoked: count.Revoked, Waiting: waiting, AsOf: now,
	}
	if available > shownExactly {
		// What adds up may lag behind, but this many were just seen.
		stock.Available = max(available, count.Accepted-count.Taken)
		stock.AsOf = at(count.RecountedAt)
	}
	return stock, nil
}

// shownItem is a count as it is shown.
type shownItem struct {
	V           int   `dynamodbav:"v"`
	Accepted    int   `dynamodbav:"accepted"`
	Taken       int   `dynamodbav:"taken"`
	Revoked     int   `dynamodbav:"revoked"`
	RecountedAt int64 `dynamodbav:"recountedAt"`
}
