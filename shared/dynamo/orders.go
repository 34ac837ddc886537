package dynamo

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// Lines returns the lines of an order, each with the first of its keys, none if
// there is no such order. The order is named by the half of a LineID that its
// lines share.
func (s *Store) Lines(ctx context.Context, id string) ([]order.Fulfillment, error) {
	pages := dynamodb.NewQueryPaginator(s.db, &dynamodb.QueryInput{
		TableName:              aws.String(s.tables.Orders),
		KeyConditionExpression: aws.String("pk = :pk AND begins_with(sk, :line)"),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":pk": text(orderPrefix + id), ":line": text(lineSort),
		},
		ConsistentRead: aws.Bool(true),
	})
	var lines []order.Fulfillment
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, wrap(mapThrottle(err), "read the lines of an order")
		}
		for _, item := range page.Items {
			line, err := decodeFulfillment(item)
			if err != nil {
				return nil, wrap(err, "read the lines of an order")
			}
			lines = append(lines, line)
		}
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
		out, err := s.db.Query(ctx, &dynamodb.QueryInput{
			TableName:                 aws.String(s.tables.Orders),
			KeyConditionExpression:    aws.String("pk = :pk"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":pk": text(unconnectedPK(merchant, side, product))},
			ConsistentRead:            aws.Bool(true),
			Select:                    types.SelectCount,
			Limit:                     aws.Int32(1),
		})
		if err != nil {
			return false, wrap(mapThrottle(err), "look for unconnected lines of %s", merchant)
		}
		if out.Count > 0 {
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
	var count shownItem
	if _, err := s.catalogItem(ctx, merchantPrefix+p.Merchant, countSK(p), &count); err != nil {
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

func (i *shownItem) schemaVersion() int { return i.V }
