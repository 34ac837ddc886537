package dynamo

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/random"
	"keypool/shared/retry"
)

// Fulfillment returns a line as it stands, with its first keys only, and false if
// there is no such line: one consistent read.
func (s *Store) Fulfillment(ctx context.Context, id order.LineID) (order.Fulfillment, bool, error) {
	item, ok, err := getAs[fulfillmentItem](ctx, s, s.tables.Orders, lineKey(id), everyVersion)
	if !ok {
		return order.Fulfillment{}, false, wrap(err, "read line %s", id)
	}
	f, err := item.fulfillment()
	return f, err == nil, err
}

// Lines returns the lines of an order, each with its first keys only, none if
// there is no such order. The order is named by the half of a LineID that its
// lines share.
func (s *Store) Lines(ctx context.Context, id string) ([]order.Fulfillment, error) {
	items, err := queryAs[fulfillmentItem](ctx, s, withPrefix(s.tables.Orders, orderPK(id), lineSort), everyVersion)
	if err != nil {
		return nil, wrap(err, "read the lines of an order")
	}
	var lines []order.Fulfillment
	for _, item := range items {
		line, err := item.fulfillment()
		if err != nil {
			return nil, wrap(err, "read the lines of an order")
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// Candidates returns up to max(25, 2n) available keys. It begins at a random
// place of a random shard and goes around: one query where keys abound, two for
// each shard where they do not. The index lags: a key may be gone already.
func (s *Store) Candidates(ctx context.Context, p pool.ID, shards, n int) ([]pool.Key, error) {
	var keys []pool.Key
	start, from := random.N(ctx, shards), word(ctx)
	for i := range shards {
		shard := shardName(p, (start+i)%shards)
		for _, half := range []string{"place >= :from", "place < :from"} {
			items, err := s.items(ctx, query{
				table: s.tables.Keys, index: availableIndex,
				where: inShard + " AND " + half, values: attrs{":shard": text(shard), ":from": text(from)},
				limit: max(25, 2*n) - len(keys),
			})
			if err != nil {
				return nil, fmt.Errorf("look for keys of %s: %w", p, err)
			}
			for _, item := range items {
				keys = append(keys, pool.Key{
					ID: pool.KeyID(stringOf(item["pk"])), Text: pool.Conceal(stringOf(item["text"])),
					Upload: stringOf(item["upload"]), Shard: shard,
				})
			}
			if len(keys) >= 2*n {
				random.Shuffle(ctx, len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
				return keys, nil
			}
		}
	}
	return keys, nil
}

// Available counts the keys of a pool side on the index, shard by shard. It stops
// at limit, so a large pool changes no more read units than a small one.
func (s *Store) Available(ctx context.Context, p pool.ID, shards, limit int) (int, error) {
	available := 0
	for n := range shards {
		found, err := s.count(ctx, query{
			table: s.tables.Keys, index: availableIndex,
			where: inShard, values: attrs{":shard": text(shardName(p, n))},
			limit: limit - available,
		})
		if err != nil {
			return 0, fmt.Errorf("count the keys of %s: %w", p, err)
		}
		if available += found; available >= limit {
			break
		}
	}
	return available, nil
}

// Remaining returns the candidates that are still available: one consistent read
// for each hundred. A key that the table does not read at once counts as gone.
func (s *Store) Remaining(ctx context.Context, candidates []pool.Key) ([]pool.Key, error) {
	keys := make([]attrs, len(candidates))
	for i, key := range candidates {
		keys[i] = licenseKey(key.ID)
	}
	items, err := s.batchGet(ctx, retry.BackOff{Tries: 1}, s.tables.Keys, keys, "pk", "shard")
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

// Commit writes the changes, all or nothing: one TransactWriteItems.
//
// For each change it writes
//   - the line: a new one if there is none, another one if its version is the one before;
//   - the line's place in a queue, which follows from its state before and after;
//   - the chunk of keys that do not fit in the line;
//   - each key, if it is still available in the shard it was found in, since a
//     lagging index must not sell a key that was moved elsewhere.
func (s *Store) Commit(ctx context.Context, changes ...order.Change) error {
	var c commit
	for _, change := range changes {
		s.addChange(&c, change)
	}
	if len(c.writes) == 0 {
		return nil
	}
	return c.answer(s.transact(ctx, &c.transaction))
}

// commit is the transaction of some changes, and what each of its writes is about.
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

func (s *Store) addChange(c *commit, change order.Change) {
	guard := absent
	if change.Before != nil {
		guard = atVersion(change.Before.Version)
	}
	c.add(put(s.tables.Orders, newFulfillmentItem(change.After).attrs(), guard), subject{new: change.Before == nil})
	s.addQueue(c, change)
	if change.NewChunk() {
		chunk := chunkItem{primaryKey: chunkKey(change.After.ID, change.After.Chunks), V: schema, Keys: newKeyItems(change.Allocated)}
		c.add(put(s.tables.Orders, encode(chunk), always), subject{})
	}
	for _, key := range change.Allocated {
		c.add(types.TransactWriteItem{Update: &types.Update{
			TableName:                aws.String(s.tables.Keys),
			Key:                      licenseKey(key.ID),
			UpdateExpression:         aws.String("SET #state = :claimed, #line = :line, soldAt = :soldAt REMOVE #shard, place"),
			ConditionExpression:      aws.String("#shard = :shard"),
			ExpressionAttributeNames: map[string]string{"#shard": "shard", "#state": "state", "#line": "line"},
			ExpressionAttributeValues: attrs{
				":claimed": text(stateClaimed), ":line": text(string(change.After.ID)), ":shard": text(key.Shard),
				":soldAt": number(millis(change.After.ReceivedAt)),
			},
		}}, subject{key: key.ID})
	}
}

// addQueue keeps the invariant that a line stands in a queue if and only if it
// waits: in its pool's, or in its product's while no pool feeds that.
func (s *Store) addQueue(c *commit, change order.Change) {
	place, waits := queueKey(change.After)
	if change.Before != nil {
		if before, waited := queueKey(*change.Before); waited && before != place {
			c.add(remove(s.tables.Orders, before, always), subject{})
		}
	}
	if waits {
		item := queueItem{primaryKey: place, V: schema, Missing: change.After.Missing()}
		c.add(put(s.tables.Orders, encode(item), always), subject{})
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

// The states of a key's item that are written here.
const (
	stateAvailable = "available"
	stateClaimed   = "claimed"
)
