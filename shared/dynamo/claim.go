package dynamo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/random"
	"keypool/shared/retry"
)

// Fulfillment implements claim.Store: one consistent read.
func (s *Store) Fulfillment(ctx context.Context, id order.LineID) (order.Fulfillment, bool, error) {
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:      aws.String(s.tables.Orders),
		Key:            primary(orderPK(id), lineSK(id)),
		ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return order.Fulfillment{}, false, fmt.Errorf("read line %s: %w", id, err)
	}
	if out.Item == nil {
		return order.Fulfillment{}, false, nil
	}
	f, err := decodeFulfillment(out.Item)
	return f, err == nil, err
}

// queueItem is a line in the queue of a pool side, or of a product that no pool
// feeds. Its sort key orders lines by age.
type queueItem struct {
	PK      string `dynamodbav:"pk"`
	SK      string `dynamodbav:"sk"`
	V       int    `dynamodbav:"v"`
	Missing int    `dynamodbav:"missing,omitempty"`
	Until   int64  `dynamodbav:"until,omitempty"` // of a pass
}

// passSK stands before every line: it is read with the front of the queue.
const passSK = "!pass"

func queuePK(p pool.ID) string {
	return "queue#" + p.Merchant + "#" + p.Pool + "#" + string(p.Side)
}

func unconnectedPK(merchant string, side pool.Side, product string) string {
	return "unconnected#" + merchant + "#" + string(side) + "#" + product
}

func queueSK(f order.Fulfillment) string {
	return fmt.Sprintf("%013d#%s", millis(f.ReceivedAt), f.ID)
}

func (i queueItem) queued() (order.Queued, error) {
	ms, id, ok := strings.Cut(i.SK, "#")
	received, err := strconv.ParseInt(ms, 10, 64)
	if !ok || err != nil || !order.LineID(id).Valid() {
		return order.Queued{}, fmt.Errorf("%s %s is not a place in a queue", i.PK, i.SK)
	}
	return order.Queued{Line: order.LineID(id), ReceivedAt: at(received), Missing: i.Missing}, nil
}

// Queue implements claim.Store: one consistent query.
func (s *Store) Queue(ctx context.Context, p pool.ID) (order.Queue, error) {
	return s.queueFront(ctx, p, order.QueueFront)
}

func (s *Store) queueFront(ctx context.Context, p pool.ID, lines int) (order.Queue, error) {
	out, err := s.db.Query(ctx, &dynamodb.QueryInput{
		TableName:                 aws.String(s.tables.Orders),
		KeyConditionExpression:    aws.String("pk = :pk"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":pk": text(queuePK(p))},
		ConsistentRead:            aws.Bool(true),
		Limit:                     aws.Int32(int32(lines + 1)), // and the pass
	})
	if err != nil {
		return order.Queue{}, fmt.Errorf("read the queue of %s: %w", p, err)
	}
	var items []queueItem
	if err := attributevalue.UnmarshalListOfMaps(out.Items, &items); err != nil {
		return order.Queue{}, fmt.Errorf("decode the queue of %s: %w", p, err)
	}
	var queue order.Queue
	for _, item := range items {
		if item.SK == passSK {
			queue.PassUntil = at(item.Until)
			continue
		}
		queued, err := item.queued()
		if err != nil {
			return order.Queue{}, err
		}
		if len(queue.Lines) < lines {
			queue.Lines = append(queue.Lines, queued)
		}
	}
	return queue, nil
}

// The states of a key's item that claiming knows.
const (
	stateAvailable = "available"
	stateClaimed   = "claimed"
)

func shardName(p pool.ID, n int) string {
	return p.Merchant + "#" + p.Pool + "#" + string(p.Side) + "#" + strconv.Itoa(n)
}

// Candidates implements claim.Shelf. It begins at a random place of a random
// shard and goes around: one query where keys abound, two for each shard where
// they do not.
func (s *Store) Candidates(ctx context.Context, p pool.ID, shards, n int) ([]pool.Key, error) {
	var keys []pool.Key
	start, from := random.N(ctx, shards), word(ctx)
	for i := range shards {
		shard := shardName(p, (start+i)%shards)
		for _, half := range []string{"place >= :from", "place < :from"} {
			found, err := s.available(ctx, shard, half, from, max(25, 2*n)-len(keys))
			if err != nil {
				return nil, fmt.Errorf("look for keys of %s: %w", p, err)
			}
			keys = append(keys, found...)
			if len(keys) >= 2*n {
				random.Shuffle(ctx, len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
				return keys, nil
			}
		}
	}
	return keys, nil
}

// available reads up to limit keys of one half of a shard.
func (s *Store) available(ctx context.Context, shard, half, from string, limit int) ([]pool.Key, error) {
	query := &dynamodb.QueryInput{
		TableName:                aws.String(s.tables.Keys),
		IndexName:                aws.String(availableIndex),
		KeyConditionExpression:   aws.String("#shard = :shard AND " + half),
		ExpressionAttributeNames: map[string]string{"#shard": "shard"},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":shard": text(shard), ":from": text(from),
		},
	}
	var keys []pool.Key
	for {
		query.Limit = aws.Int32(int32(limit - len(keys)))
		out, err := s.db.Query(ctx, query)
		if err != nil {
			return nil, err
		}
		for _, item := range out.Items {
			var key struct {
				PK     string `dynamodbav:"pk"`
				Text   string `dynamodbav:"text"`
				Upload string `dynamodbav:"upload"`
			}
			if err := attributevalue.UnmarshalMap(item, &key); err != nil {
				return nil, fmt.Errorf("decode a key: %w", err)
			}
			keys = append(keys, pool.Key{ID: pool.KeyID(key.PK), Text: pool.Conceal(key.Text), Upload: key.Upload, Shard: shard})
		}
		if len(keys) >= limit || out.LastEvaluatedKey == nil {
			return keys, nil
		}
		query.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

// Remaining implements claim.Shelf: one consistent read for each hundred. What the
// table puts off is as good as gone.
func (s *Store) Remaining(ctx context.Context, candidates []pool.Key) ([]pool.Key, error) {
	keys := make([]map[string]types.AttributeValue, len(candidates))
	for i, key := range candidates {
		keys[i] = primaryOf(key.ID)
	}
	items, err := s.batchGet(ctx, 1, s.tables.Keys, keys, "pk", "shard")
	if err != nil && len(items) == 0 {
		return nil, fmt.Errorf("look %d candidates up: %w", len(keys), err)
	}
	shards := make(map[pool.KeyID]string, len(items))
	for _, item := range items {
		shards[pool.KeyID(stringOf(item["pk"]))] = stringOf(item["shard"])
	}
	var remaining []pool.Key
	for _, key := range candidates {
		if shards[key.ID] == key.Shard {
			remaining = append(remaining, key)
		}
	}
	return remaining, nil
}

// Commit implements claim.Shelf: one TransactWriteItems.
//
// For each change it writes the line (a new one only if it is not there, an old
// one only if its version is the one before), the line's place in a queue, which
// follows from its state before and after, the chunk of keys that do not fit in
// the line, and each key, if it is still available in the shard it was found in:
// a lagging index must not sell a key that was moved elsewhere.
func (s *Store) Commit(ctx context.Context, changes ...order.Change) error {
	var c commit
	for _, change := range changes {
		if err := s.addChange(&c, change); err != nil {
			return err
		}
	}
	if len(c.writes) == 0 {
		return nil
	}
	return c.answer(s.transact(ctx, &c.transaction))
}

// commit is the transaction of some takes, and what each of its writes is about.
type commit struct {
	transaction
	about []subject
}

// subject is a key, or else a line.
type subject struct {
	key pool.KeyID
	new bool // a line that must not be there yet
}

func (c *commit) add(write types.TransactWriteItem, about subject) {
	c.transaction.add(write)
	c.about = append(c.about, about)
}

func (s *Store) addChange(c *commit, change order.Change) error {
	line, err := attributevalue.MarshalMap(newFulfillmentItem(change.After))
	if err != nil {
		return fmt.Errorf("encode line %s: %w", change.After.ID, err)
	}
	put := &types.Put{TableName: aws.String(s.tables.Orders), Item: line}
	if change.Before == nil {
		put.ConditionExpression = aws.String("attribute_not_exists(pk)")
		put.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	} else {
		put.ConditionExpression = aws.String("version = :before")
		put.ExpressionAttributeValues = map[string]types.AttributeValue{":before": number(change.Before.Version)}
	}
	c.add(types.TransactWriteItem{Put: put}, subject{new: change.Before == nil})

	if err := s.addQueue(c, change); err != nil {
		return err
	}
	if change.NewChunk() {
		chunk, err := attributevalue.MarshalMap(chunkItem{
			PK: orderPK(change.After.ID), SK: chunkSK(change.After.ID, change.After.Chunks), V: schema,
			Keys: newKeyItems(change.Allocated),
		})
		if err != nil {
			return fmt.Errorf("encode keys of line %s: %w", change.After.ID, err)
		}
		c.add(types.TransactWriteItem{Put: &types.Put{TableName: aws.String(s.tables.Orders), Item: chunk}}, subject{})
	}
	for _, key := range change.Allocated {
		c.add(types.TransactWriteItem{Update: &types.Update{
			TableName:                aws.String(s.tables.Keys),
			Key:                      primaryOf(key.ID),
			UpdateExpression:         aws.String("SET #state = :claimed, #line = :line, soldAt = :soldAt REMOVE #shard, place"),
			ConditionExpression:      aws.String("#shard = :shard"),
			ExpressionAttributeNames: map[string]string{"#shard": "shard", "#state": "state", "#line": "line"},
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":claimed": text(stateClaimed), ":line": text(string(change.After.ID)), ":shard": text(key.Shard),
				":soldAt": number(millis(change.After.ReceivedAt)),
			},
		}}, subject{key: key.ID})
	}
	return nil
}

// chunkItem holds keys of a line beyond those in its own item.
type chunkItem struct {
	PK   string    `dynamodbav:"pk"`
	SK   string    `dynamodbav:"sk"`
	V    int       `dynamodbav:"v"`
	Keys []keyItem `dynamodbav:"keys"`
}

// addQueue keeps the invariant that a line stands in a queue if and only if it
// waits: in its pool's, or in its product's while no pool feeds it.
func (s *Store) addQueue(c *commit, change order.Change) error {
	before := ""
	if change.Before != nil {
		before = queueOf(*change.Before)
	}
	now := queueOf(change.After)
	if before != "" && before != now {
		c.add(types.TransactWriteItem{Delete: &types.Delete{
			TableName: aws.String(s.tables.Orders),
			Key:       primary(before, queueSK(*change.Before)),
		}}, subject{})
	}
	if now == "" {
		return nil
	}
	item, err := attributevalue.MarshalMap(queueItem{
		PK: now, SK: queueSK(change.After), V: schema, Missing: change.After.Missing(),
	})
	if err != nil {
		return fmt.Errorf("encode the place of line %s: %w", change.After.ID, err)
	}
	c.add(types.TransactWriteItem{Put: &types.Put{TableName: aws.String(s.tables.Orders), Item: item}}, subject{})
	return nil
}

// queueOf returns the partition of the queue that the line stands in, "" if it
// does not wait.
func queueOf(f order.Fulfillment) string {
	switch f.State() {
	case order.Waiting:
		return queuePK(f.PoolID())
	case order.Unconnected:
		return unconnectedPK(f.Merchant, f.Side, f.Product)
	default:
		return ""
	}
}

// answer returns the error that claiming branches on. A record that exists decides
// before a line that changed, that before keys that are gone, and those before a throttle.
func (c *commit) answer(err error) error {
	var failed *writeError
	if !errors.As(err, &failed) {
		return wrap(err, "commit %d writes", len(c.writes))
	}
	var (
		gone    order.KeysTakenError
		changed bool
	)
	for i, write := range failed.writes {
		switch about := c.about[i]; {
		case write.cause == "" || write.cause == throttled:
		case about.key != "":
			gone.Keys = append(gone.Keys, about.key)
		case about.new && write.item != nil:
			there, err := decodeFulfillment(write.item)
			if err != nil {
				return err
			}
			return &order.ExistsError{Fulfillment: there}
		default:
			changed = true
		}
	}
	switch {
	case changed:
		return retry.ErrChanged
	case len(gone.Keys) > 0:
		return &gone
	case failed.any(throttled):
		return retry.ErrThrottled
	default:
		return wrap(err, "commit %d writes", len(c.writes))
	}
}
