package simulate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/order"
	"keypool/shared/pool"
)

// moveKeys moves keys to another pool, while a lagging index may still show them in their
// old place.
type moveKeys struct {
	keys     int
	from, to string
	chance   uint64
	serial   int
}

func (m moveKeys) String() string {
	return fmt.Sprintf("%d keys are moved from %s to %s", m.keys, m.from, m.to)
}

func (m moveKeys) do(w *world) {
	for n := range m.keys {
		w.spawn(func() {
			w.untilDone(fmt.Sprintf("move %d/%d", m.serial, n), func(ctx context.Context, _ time.Time) error {
				keys := w.ledger.availableKeys(pool.ID{Merchant: merchant, Pool: m.from, Side: pool.Live})
				if len(keys) == 0 {
					return nil
				}
				if err := w.move(ctx, keys[(m.chance+uint64(n))%uint64(len(keys))], m.to); err != nil {
					return err
				}
				w.send(ctx, order.FillPool(pool.ID{Merchant: merchant, Pool: m.to, Side: pool.Live}))
				return nil
			})
		})
	}
}

// move moves a key to another pool, as an operator may do by hand, with the counts that are
// shown in the same transaction. It does nothing if the key is in another place by now, or
// its upload is withdrawn.
func (w *world) move(ctx context.Context, k key, to string) error {
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	parts := strings.Split(k.shard, "#") // merchant, pool, side, number
	count := func(pool, n string) types.TransactWriteItem {
		return types.TransactWriteItem{Update: &types.Update{
			TableName: aws.String(w.tables.Catalog),
			Key: map[string]types.AttributeValue{
				"pk": text("counts#" + parts[0]), "sk": text("count#" + pool + "#" + parts[2]),
			},
			UpdateExpression:          aws.String("SET v = :v ADD accepted :n REMOVE lookAt"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":v": &types.AttributeValueMemberN{Value: "1"}, ":n": &types.AttributeValueMemberN{Value: n}},
		}}
	}
	shard := strings.Join([]string{parts[0], to, parts[2], parts[3]}, "#")
	_, err := w.db.Client().TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Update: &types.Update{
			TableName:                 aws.String(w.tables.Keys),
			Key:                       map[string]types.AttributeValue{"pk": text(k.id)},
			ConditionExpression:       aws.String("#shard = :shard"),
			UpdateExpression:          aws.String("SET #shard = :to, #pool = :pool"),
			ExpressionAttributeNames:  map[string]string{"#shard": "shard", "#pool": "pool"},
			ExpressionAttributeValues: map[string]types.AttributeValue{":shard": text(k.shard), ":to": text(shard), ":pool": text(to)},
		}},
		{ConditionCheck: &types.ConditionCheck{
			TableName:           aws.String(w.tables.Catalog),
			Key:                 map[string]types.AttributeValue{"pk": text("uploads#" + merchant), "sk": text(k.upload)},
			ConditionExpression: aws.String("attribute_not_exists(withdrawal)"),
		}},
		count(parts[1], "-1"), count(to, "1"),
	}})
	var canceled *types.TransactionCanceledException
	if errors.As(err, &canceled) && slices.ContainsFunc(canceled.CancellationReasons, func(r types.CancellationReason) bool {
		return aws.ToString(r.Code) == "ConditionalCheckFailed"
	}) {
		return nil // another writer was faster
	}
	return err
}
