package dynamotest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/dynamo"
	"keypool/shared/pool"
)

// Stock puts available keys into a pool side, evenly over its shards, and returns
// them in the order of their texts. It writes to the table directly: ingest has tests
// of its own, and is slow on some engines.
func Stock(t testing.TB, tables dynamo.Tables, p pool.ID, shards int, texts ...string) []pool.Key {
	t.Helper()
	client := Client(t)
	keys := make([]pool.Key, len(texts))
	writes := make([]types.WriteRequest, len(texts))
	for i, text := range texts {
		item := KeyItem(p, shards, i, text)
		keys[i] = pool.Key{
			ID: pool.KeyID(value(item["pk"])), Text: pool.Conceal(text),
			Upload: value(item["upload"]), Shard: value(item["shard"]),
		}
		writes[i] = types.WriteRequest{PutRequest: &types.PutRequest{Item: item}}
	}
	for len(writes) > 0 {
		n := min(25, len(writes))
		out, err := client.BatchWriteItem(context.Background(), &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{tables.Keys: writes[:n]},
		})
		if err != nil {
			t.Fatalf("stock %s: %v", p, err)
		}
		writes = append(writes[n:], out.UnprocessedItems[tables.Keys]...)
	}
	return keys
}

// KeyItem is the n-th available key of a pool side, as an item of the table.
func KeyItem(p pool.ID, shards, n int, text string) map[string]types.AttributeValue {
	str := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	return map[string]types.AttributeValue{
		"pk":     str(string(pool.Identify([]byte("salt of a test"), p.Merchant, p.Side, text))),
		"v":      &types.AttributeValueMemberN{Value: "1"},
		"text":   str(text),
		"upload": str("upload of a test"),
		"pool":   str(p.Pool),
		"state":  str(string(pool.KeyAvailable)),
		"shard":  str(p.Merchant + "#" + p.Pool + "#" + string(p.Side) + "#" + strconv.Itoa(n%shards)),
		"place":  str(fmt.Sprintf("%016x", rand.Uint64())),
	}
}

func value(av types.AttributeValue) string { return av.(*types.AttributeValueMemberS).Value }

// Texts returns n texts of keys: "prefix-000000", "prefix-000001", …
func Texts(prefix string, n int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprintf("%s-%06d", prefix, i)
	}
	return texts
}
