package dynamo

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// linesPerTransaction is how many waiting lines of one key each share a
// transaction: the line, its place in the queue and the key are three items.
const linesPerTransaction = order.MaxItems / 3

// Head implements claim.FillStore: one consistent query and one consistent batch
// read. A line that moved in between is retry.ErrChanged.
func (s *Store) Head(ctx context.Context, p pool.ID) ([]order.Fulfillment, error) {
	queue, err := s.queueFront(ctx, p, linesPerTransaction)
	if err != nil {
		return nil, err
	}
	ids := make([]order.LineID, len(queue.Lines))
	for i, queued := range queue.Lines {
		ids[i] = queued.Line
	}
	return s.queuedLines(ctx, ids, order.Waiting)
}

// Unconnected implements claim.FillStore; after is the sort key of a line.
func (s *Store) Unconnected(ctx context.Context, r order.FillRequest, after string) ([]order.Fulfillment, string, error) {
	pk := unconnectedPK(r.Merchant, r.Side, r.Product)
	query := &dynamodb.QueryInput{
		TableName:                 aws.String(s.tables.Orders),
		KeyConditionExpression:    aws.String("pk = :pk"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":pk": text(pk)},
		ConsistentRead:            aws.Bool(true),
		Limit:                     aws.Int32(linesPerTransaction),
	}
	if after != "" {
		query.ExclusiveStartKey = primary(pk, after)
	}
	out, err := s.db.Query(ctx, query)
	if err != nil {
		return nil, "", fmt.Errorf("read unconnected lines of %s: %w", r.Merchant, err)
	}
	var items []queueItem
	if err := attributevalue.UnmarshalListOfMaps(out.Items, &items); err != nil {
		return nil, "", fmt.Errorf("decode unconnected lines of %s: %w", r.Merchant, err)
	}
	ids := make([]order.LineID, len(items))
	for i, item := range items {
		queued, err := item.queued()
		if err != nil {
			return nil, "", err
		}
		ids[i] = queued.Line
	}
	next := ""
	if out.LastEvaluatedKey != nil {
		next = items[len(items)-1].SK
	}
	lines, err := s.queuedLines(ctx, ids, order.Unconnected)
	return lines, next, err
}

// queuedLines reads lines in the order of ids, all of which must be in the state.
func (s *Store) queuedLines(ctx context.Context, ids []order.LineID, state order.State) ([]order.Fulfillment, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	keys := make([]map[string]types.AttributeValue, len(ids))
	for i, id := range ids {
		keys[i] = primary(orderPK(id), lineSK(id))
	}
	items, err := s.batchGet(ctx, insistently, s.tables.Orders, keys)
	if err != nil {
		return nil, fmt.Errorf("read %d lines of a queue: %w", len(ids), err)
	}
	found := make(map[order.LineID]order.Fulfillment, len(ids))
	for _, item := range items {
		f, err := decodeFulfillment(item)
		if err != nil {
			return nil, err
		}
		found[f.ID] = f
	}
	lines := make([]order.Fulfillment, len(ids))
	for i, id := range ids {
		f, ok := found[id]
		if !ok || f.State() != state {
			return nil, retry.ErrChanged
		}
		lines[i] = f
	}
	return lines, nil
}

// Missing implements claim.PassStore: a consistent query of the queue.
func (s *Store) Missing(ctx context.Context, p pool.ID, limit int) (keys, lines int, err error) {
	query := &dynamodb.QueryInput{
		TableName:              aws.String(s.tables.Orders),
		KeyConditionExpression: aws.String("pk = :pk AND sk > :pass"),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":pk": text(queuePK(p)), ":pass": text(passSK),
		},
		ProjectionExpression:     aws.String("#missing"),
		ExpressionAttributeNames: map[string]string{"#missing": "missing"}, // a reserved word
		ConsistentRead:           aws.Bool(true),
	}
	for {
		query.Limit = aws.Int32(int32(limit - lines))
		out, err := s.db.Query(ctx, query)
		if err != nil {
			return 0, 0, fmt.Errorf("count the queue of %s: %w", p, err)
		}
		var items []queueItem
		if err := attributevalue.UnmarshalListOfMaps(out.Items, &items); err != nil {
			return 0, 0, fmt.Errorf("decode the queue of %s: %w", p, err)
		}
		for _, item := range items {
			keys += item.Missing
		}
		lines += len(items)
		if lines >= limit || out.LastEvaluatedKey == nil {
			return keys, lines, nil
		}
		query.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

// Available implements claim.PassStore: it counts on the index, shard by shard,
// and stops at limit, so that it reads no more however large the pool is.
func (s *Store) Available(ctx context.Context, p pool.ID, shards, limit int) (int, error) {
	count := 0
	for n := range shards {
		query := &dynamodb.QueryInput{
			TableName:                 aws.String(s.tables.Keys),
			IndexName:                 aws.String(availableIndex),
			KeyConditionExpression:    aws.String("#shard = :shard"),
			ExpressionAttributeNames:  map[string]string{"#shard": "shard"},
			ExpressionAttributeValues: map[string]types.AttributeValue{":shard": text(shardName(p, n))},
			Select:                    types.SelectCount,
		}
		for {
			query.Limit = aws.Int32(int32(limit - count))
			out, err := s.db.Query(ctx, query)
			if err != nil {
				return 0, fmt.Errorf("count the keys of %s: %w", p, err)
			}
			count += int(out.Count)
			if count >= limit {
				return count, nil
			}
			if out.LastEvaluatedKey == nil {
				break
			}
			query.ExclusiveStartKey = out.LastEvaluatedKey
		}
	}
	return count, nil
}

// Pass implements claim.PassStore. The later of two passes wins or loses: both
// are good.
func (s *Store) Pass(ctx context.Context, p pool.ID, until time.Time) error {
	item, err := attributevalue.MarshalMap(queueItem{PK: queuePK(p), SK: passSK, V: schema, Until: millis(until)})
	if err != nil {
		return fmt.Errorf("encode a pass of %s: %w", p, err)
	}
	_, err = s.db.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(s.tables.Orders), Item: item})
	if err != nil {
		return fmt.Errorf("write a pass of %s: %w", p, err)
	}
	return nil
}
