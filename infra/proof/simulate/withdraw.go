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
// may do at the console of DynamoDB. It does nothing if the key is in another place by
// now.
func (w *world) withdraw(ctx context.Context, k key, to string) error {
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	in := &dynamodb.UpdateItemInput{
		TableName:                aws.String(w.tables.Keys),
		Key:                      map[string]types.AttributeValue{"pk": text(k.id)},
		ConditionExpression:      aws.String("#shard = :shard"),
		UpdateExpression:         aws.String("SET #state = :withdrawn REMOVE #shard, place"),
		ExpressionAttributeNames: map[string]string{"#shard": "shard", "#state": "state"},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":shard": text(k.shard), ":withdrawn": text("withdrawn"),
		},
	}
	if to != "" {
		parts := strings.Split(k.shard, "#") // merchant, pool, side, number
		parts[1] = to
		in.UpdateExpression = aws.String("SET #shard = :to, #pool = :pool")
		in.ExpressionAttributeNames = map[string]string{"#shard": "shard", "#pool": "pool"}
		in.ExpressionAttributeValues = map[string]types.AttributeValue{
			":shard": text(k.shard), ":to": text(strings.Join(parts, "#")), ":pool": text(to),
		}
	}
	_, err := w.db.Client().UpdateItem(ctx, in)
	var gone *types.ConditionalCheckFailedException
	if errors.As(err, &gone) {
		return nil // another writer was faster
	}
	return err
}
