package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/random"
	"keypool/shared/retry"
)

// Fulfillment returns a line as it stands, with its first keys only, and false if
// there is no such line: one consistent read.
func (s *Store) Fulfillment(ctx context.Context, id order.LineID) (order.Fulfillment, bool, error) {
	item, ok, err := getAs[fulfillmentItem](ctx, s, s.tables.Orders, lineKey(id), oldestInOrders)
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
	items, err := queryAs[fulfillmentItem](ctx, s, withPrefix(s.tables.Orders, orderPK(id), lineSort), oldestInOrders)
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
	start, from := random.N(ctx, shards), randomHex(ctx)
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
		found, err := s.countShard(ctx, p, n, limit-available)
		if err != nil {
			return 0, err
		}
		if available += found; available >= limit {
			break
		}
	}
	return available, nil
}

// availableAtOnce is Available in one round trip, for whoever waits for a page: it counts up
// to limit in each shard, side by side. A call counts 1 MB, so that long keys in few shards
// may take further ones.
func (s *Store) availableAtOnce(ctx context.Context, p pool.ID, shards, limit int) (available int, err error) {
	reads := make([]*dynamodb.QueryInput, shards)
	for n := range reads {
		reads[n] = s.inShard(p, n).input()
		reads[n].Select = types.SelectCount
	}
	for len(reads) > 0 && available < limit {
		found := make([]*dynamodb.QueryOutput, len(reads))
		counting, ctx := errgroup.WithContext(ctx)
		for n, read := range reads {
			read.Limit = aws.Int32(int32(limit - available))
			counting.Go(func() (err error) {
				found[n], err = s.db.Query(ctx, read)
				return err
			})
		}
		if err := counting.Wait(); err != nil {
			return 0, fmt.Errorf("count the keys of %s: %w", p, err)
		}
		var more []*dynamodb.QueryInput
		for n, out := range found {
			available += int(out.Count)
			if reads[n].ExclusiveStartKey = out.LastEvaluatedKey; out.LastEvaluatedKey != nil {
				more = append(more, reads[n])
			}
		}
		reads = more
	}
	return min(available, limit), nil
}

func (s *Store) countShard(ctx context.Context, p pool.ID, shard, limit int) (int, error) {
	q := s.inShard(p, shard)
	q.limit = limit
	found, err := s.count(ctx, q)
	if err != nil {
		return 0, fmt.Errorf("count the keys of %s: %w", p, err)
	}
	return found, nil
}

// inShard reads the available keys of a shard.
func (s *Store) inShard(p pool.ID, shard int) query {
	return query{table: s.tables.Keys, index: availableIndex, where: inShard, values: attrs{":shard": text(shardName(p, shard))}}
}

// Remaining returns the candidates that are still available: one consistent read
// for each hundred. A key that the table does not read at once counts as gone.
func (s *Store) Remaining(ctx context.Context, candidates []pool.Key) ([]pool.Key, error) {
	keys := make([]attrs, len(candidates))
	for i, key := range candidates {
		keys[i] = licenseKey(key.ID).attrs()
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
