package dynamo

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/pool"
	"keypool/shared/random"
	"keypool/shared/retry"
)

// The indexes.
const (
	availableIndex = "available" // of keys
	dueIndex       = "due"       // of orders and of catalog
	kindIndex      = "kind"      // of catalog
)

// DueShards is the number of partitions of a due index.
const DueShards = 32

// dueShard returns the partition of a due index that the named item is found in.
func dueShard(name string) string {
	h := fnv.New32a()
	h.Write([]byte(name))
	return "due#" + strconv.Itoa(int(h.Sum32()%DueShards))
}

// millis is how a time stands in the tables; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// at is millis's inverse.
func at(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// word returns 16 hex digits of chance: a key's place in its shard, or what a lease
// of a mail or a change of settings is signed with.
func word(ctx context.Context) string { return fmt.Sprintf("%016x", random.Uint64(ctx)) }

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number[N int | int64](n N) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(int64(n), 10)}
}

// primary returns the primary key of an item of catalog or orders.
func primary(pk, sk string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"pk": text(pk), "sk": text(sk)}
}

// primaryOf returns the primary key of an item of keys.
func primaryOf(id pool.KeyID) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"pk": text(string(id))}
}

// batchGet reads the items with these primary keys, strongly consistent, in any
// order; those that are not there are left out. What the table puts off is asked
// for so many times; after that it is retry.ErrThrottled, with what could be read.
func (s *Store) batchGet(ctx context.Context, tries int, table string, keys []map[string]types.AttributeValue, attributes ...string) ([]map[string]types.AttributeValue, error) {
	request := types.KeysAndAttributes{ConsistentRead: aws.Bool(true)}
	if len(attributes) > 0 {
		request.ExpressionAttributeNames = make(map[string]string, len(attributes))
		for _, name := range attributes {
			request.ExpressionAttributeNames["#"+name] = name
		}
		request.ProjectionExpression = aws.String("#" + strings.Join(attributes, ", #"))
	}
	var items []map[string]types.AttributeValue
	for batch := range slices.Chunk(keys, batchGetKeys) {
		request.Keys = batch
		for try := 1; ; try++ {
			out, err := s.db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
				RequestItems: map[string]types.KeysAndAttributes{table: request},
			})
			if err != nil {
				return items, err
			}
			items = append(items, out.Responses[table]...)
			request.Keys = out.UnprocessedKeys[table].Keys
			if len(request.Keys) == 0 {
				break
			}
			if try == tries {
				return items, retry.ErrThrottled
			}
			if err := retry.Throttling.Wait(ctx, try); err != nil {
				return items, err
			}
		}
	}
	return items, nil
}

const (
	batchGetKeys = 100 // as many as one BatchGetItem takes
	insistently  = 10  // tries of a batchGet that somebody waits for
)
