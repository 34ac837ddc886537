package simulate

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// withdraw withdraws a key, or moves it to another pool if one is named, as an operator
// may do by hand, with the counts that are shown in the same transaction. It does nothing
// if the key is in another place by now.
func (w *world) withdraw(ctx context.Context, k key, to string) error {
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	parts := strings.Split(k.shard, "#") // merchant, pool, side, number
	count := func(pool, name, n string) types.TransactWriteItem {
		return types.TransactWriteItem{Update: &types.Update{
			TableName: aws.String(w.tables.Catalog),
			Key: map[string]types.AttributeValue{
				"pk": text("counts#" + parts[0]), "sk": text("count#" + pool + "#" + parts[2]),
			},
			UpdateExpression:          aws.String("SET v = :v ADD " + name + " :n REMOVE lookAt"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":v": &types.AttributeValueMemberN{Value: "1"}, ":n": &types.AttributeValueMemberN{Value: n}},
		}}
	}
	update := &types.Update{
		TableName:                aws.String(w.tables.Keys),
		Key:                      map[string]types.AttributeValue{"pk": text(k.id)},
		ConditionExpression:      aws.String("#shard = :shard"),
		UpdateExpression:         aws.String("SET #state = :withdrawn REMOVE #shard, place"),
		ExpressionAttributeNames: map[string]string{"#shard": "shard", "#state": "state"},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":shard": text(k.shard), ":withdrawn": text("withdrawn"),
		},
	}
	counts := []types.TransactWriteItem{count(parts[1], "withdrawn", "1")}
	if to != "" {
		counts = []types.TransactWriteItem{count(parts[1], "accepted", "-1"), count(to, "accepted", "1")}
		parts[1] = to
		update.UpdateExpression = aws.String("SET #shard = :to, #pool = :pool")
		update.ExpressionAttributeNames = map[string]string{"#shard": "shard", "#pool": "pool"}
		update.ExpressionAttributeValues = map[string]types.AttributeValue{
			":shard": text(k.shard), ":to": text(strings.Join(parts, "#")), ":pool": text(to),
		}
	}
	_, err := w.db.Client().TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
		TransactItems: append([]types.TransactWriteItem{{Update: update}}, counts...),
	})
	var canceled *types.TransactionCanceledException
	if errors.As(err, &canceled) && aws.ToString(canceled.CancellationReasons[0].Code) == "ConditionalCheckFailed" {
		return nil // another writer was faster
	}
	return err
}
