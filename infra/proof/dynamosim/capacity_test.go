package dynamosim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/infra/proof/dynamosim"
)

// TestCapacity_isWhatTheEngineSays compares the units that calls consume.
func TestCapacity_isWhatTheEngineSays(t *testing.T) {
	t.Parallel()
	model, reference := engines(t)
	big := strings.Repeat("x", 3000)
	given := []item{{"pk": "a", "sk": "1", "g": "G", "n": 1}, {"pk": "a", "sk": "2", "note": big, "g": "G", "n": 2}, {"pk": "a", "sk": "3", "note": big}}
	const all = types.ReturnConsumedCapacityIndexes
	update := func(sk, expression string, values item) func(world) (*types.ConsumedCapacity, error) {
		return func(w world) (*types.ConsumedCapacity, error) {
			out, err := w.UpdateItem(ctx, &dynamodb.UpdateItemInput{
				TableName: &w.pairs, Key: item{"pk": "a", "sk": sk}.av(), UpdateExpression: &expression,
				ExpressionAttributeValues: values.av(), ReturnConsumedCapacity: all,
			})
			if err != nil {
				return nil, err
			}
			return out.ConsumedCapacity, nil
		}
	}
	put := func(i item) func(world) (*types.ConsumedCapacity, error) {
		return func(w world) (*types.ConsumedCapacity, error) {
			out, err := w.PutItem(ctx, &dynamodb.PutItemInput{TableName: &w.pairs, Item: i.av(), ReturnConsumedCapacity: all})
			if err != nil {
				return nil, err
			}
			return out.ConsumedCapacity, nil
		}
	}
	get := func(sk string, consistent bool) func(world) (*types.ConsumedCapacity, error) {
		return func(w world) (*types.ConsumedCapacity, error) {
			out, err := w.GetItem(ctx, &dynamodb.GetItemInput{TableName: &w.pairs, Key: item{"pk": "a", "sk": sk}.av(), ConsistentRead: &consistent, ReturnConsumedCapacity: all})
			if err != nil {
				return nil, err
			}
			return out.ConsumedCapacity, nil
		}
	}
	query := func(index, condition string, consistent bool) func(world) (*types.ConsumedCapacity, error) {
		return func(w world) (*types.ConsumedCapacity, error) {
			in := &dynamodb.QueryInput{
				TableName: &w.pairs, KeyConditionExpression: &condition, ExpressionAttributeValues: item{":v": map[bool]string{true: "a", false: "G"}[index == ""]}.av(),
				ConsistentRead: &consistent, ReturnConsumedCapacity: all,
			}
			if index != "" {
				in.IndexName = &index
			}
			out, err := w.Query(ctx, in)
			if err != nil {
				return nil, err
			}
			return out.ConsumedCapacity, nil
		}
	}
	for _, c := range []struct {
		name string
		do   func(world) (*types.ConsumedCapacity, error)
	}{
		{"a read", get("1", false)},
		{"a consistent read", get("2", true)},
		{"a read of nothing", get("9", false)},
		{"a query", query("", "pk = :v", false)},
		{"a consistent query", query("", "pk = :v", true)},
		{"a query of an index", query("byNumber", "g = :v", false)},
		{"a put of a new item", put(item{"pk": "a", "sk": "4"})},
		{"a put of a new item that is in the indexes", put(item{"pk": "a", "sk": "5", "g": "G", "n": 1})},
		{"a put over an item", put(item{"pk": "a", "sk": "1"})},
		{"a put of 3000 bytes", put(item{"pk": "a", "sk": "6", "note": big, "g": "H", "n": 1})},
		{"an update beside the indexes", update("1", "SET x = :v", item{":v": 1})},
		{"an update of what an index shows", update("1", "SET note = :v", item{":v": "x"})},
		{"an update of an index's sort key", update("1", "SET n = :v", item{":v": 5})},
		{"an update of an index's partition key", update("1", "SET g = :v", item{":v": "H"})},
		{"an update that leaves the indexes", update("2", "REMOVE g", nil)},
		{"an update that changes nothing", update("1", "SET n = :v", item{":v": 1})},
	} {
		model.refill(t, given)
		reference.refill(t, given)
		m, r := consumed(c.do(model)), consumed(c.do(reference))
		if m != r {
			t.Errorf("%s: the model says %s, the reference %s", c.name, m, r)
		}
	}
}

// TestCapacity_ofATransaction: two units for each KB of an item, one for each KB of
// an entry of an index that comes or goes. DynamoDB Local reports up to twice that.
//
// Source: Amazon DynamoDB Developer Guide, "DynamoDB transactions: How it works".
func TestCapacity_ofATransaction(t *testing.T) {
	_, w := simulated(t, dynamosim.Options{})
	w.refill(t, []item{{"pk": "a", "sk": "1", "g": "G", "n": 1}, {"pk": "a", "sk": "2", "note": strings.Repeat("x", 3000)}})
	for _, c := range []struct {
		write func(world) types.TransactWriteItem
		want  string
	}{
		{txPut(item{"pk": "b", "sk": "1", "g": "G", "n": 1}, ""), "4, of the table 2, of byNumber 1, of byPair 1"},
		{txUpdate("b", "1", "SET x = :v", item{":v": 1}, "", nil), "2, of the table 2"},
		{txUpdate("b", "1", "SET n = :v", item{":v": 2}, "", nil), "4, of the table 2, of byNumber 2"},
		{txUpdate("a", "2", "REMOVE note", nil, "", nil), "6, of the table 6"},
		{txDelete("a", "1"), "4, of the table 2, of byNumber 1, of byPair 1"},
		{txCheck("a", "2", "attribute_exists(pk)"), "2, of the table 2"},
	} {
		out, err := w.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
			TransactItems: []types.TransactWriteItem{c.write(w)}, ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := consumed(&out.ConsumedCapacity[0], nil); got != c.want {
			t.Errorf("a transaction consumed %s, not %s", got, c.want)
		}
	}
}

func consumed(c *types.ConsumedCapacity, err error) string {
	if err != nil {
		return told(nil, err)
	}
	shown := fmt.Sprintf("%v, of the table %v", aws.ToFloat64(c.CapacityUnits), aws.ToFloat64(c.Table.CapacityUnits))
	for _, name := range []string{"byNumber", "byPair"} {
		if index, ok := c.GlobalSecondaryIndexes[name]; ok {
			shown += fmt.Sprintf(", of %s %v", name, aws.ToFloat64(index.CapacityUnits))
		}
	}
	return shown
}

// TestPages_ofAMegabyte compares where a query stops that reads too much.
func TestPages_ofAMegabyte(t *testing.T) {
	t.Parallel()
	model, reference := engines(t)
	pages := func(w world) (sizes []int) {
		for i := range 12 {
			i := item{"pk": "a", "sk": fmt.Sprintf("%02d", i), "note": strings.Repeat("x", 150_000+10_000*i)}
			if _, err := w.PutItem(ctx, &dynamodb.PutItemInput{TableName: &w.pairs, Item: i.av()}); err != nil {
				t.Fatal(err)
			}
		}
		in := &dynamodb.QueryInput{TableName: &w.pairs, KeyConditionExpression: aws.String("pk = :p"), ExpressionAttributeValues: item{":p": "a"}.av()}
		for {
			out, err := w.Query(ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			sizes = append(sizes, len(out.Items))
			if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
				return sizes
			}
		}
	}
	if m, r := pages(model), pages(reference); fmt.Sprint(m) != fmt.Sprint(r) {
		t.Errorf("the model's pages hold %v items, the reference's %v", m, r)
	}
}
