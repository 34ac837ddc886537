package dynamo

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/dice"
)

// Tables names the deployment's three tables. A function that is not granted a
// table leaves its name empty.
type Tables struct {
	Catalog string
	Keys    string
	Orders  string
}

// Store keeps the tables. It is safe for concurrent use.
type Store struct {
	db     *dynamodb.Client
	tables Tables
}

// Open returns the store behind client. A plain write that meets a transaction on
// its item is repeated, as one that is throttled is; the SDK alone would not.
func Open(client *dynamodb.Client, tables Tables) *Store {
	conflict := (*types.TransactionConflictException)(nil).ErrorCode()
	db := dynamodb.New(client.Options(), func(o *dynamodb.Options) {
		o.Retryer = retry.AddWithErrorCodes(o.Retryer, conflict)
	})
	return &Store{db: db, tables: tables}
}

// schema is the version that every item written now carries as v.
const schema = 1

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

// word returns 16 hex digits of chance: a key's place in its shard, or what a
// mailer signs its lease with.
func word(ctx context.Context) string { return fmt.Sprintf("%016x", dice.Uint64(ctx)) }

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number[N int | int64](n N) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(int64(n), 10)}
}

// primary returns the primary key of an item of catalog or orders.
func primary(pk, sk string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"pk": text(pk), "sk": text(sk)}
}
