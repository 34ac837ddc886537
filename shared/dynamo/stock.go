package dynamo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/notice"
	"keypool/shared/pool"
	"keypool/shared/retry"
	"keypool/shared/stock"
)

// alertItem is what a merchant has been told about a pool side, in the orders table.
type alertItem struct {
	PK      string `dynamodbav:"pk"`
	SK      string `dynamodbav:"sk"`
	V       int    `dynamodbav:"v"`
	Version int    `dynamodbav:"version"`
	Level   string `dynamodbav:"level,omitempty"`
	Edge    int    `dynamodbav:"edge"`
	ToldAt  int64  `dynamodbav:"toldAt,omitempty"`
}

// countItem is the count of a pool side's keys that is shown, in the catalog.
// Ingest adds to accepted, deliver to taken; what is shown is the difference.
type countItem struct {
	V           int    `dynamodbav:"v"`
	Accepted    int    `dynamodbav:"accepted"`
	Taken       int    `dynamodbav:"taken"`
	Recounted   string `dynamodbav:"recounted"` // the day that it was last put right, 2006-01-02
	RecountEnds int64  `dynamodbav:"recountEnds"`
}

func alertPK(p pool.ID) string { return "alert#" + p.Merchant + "#" + p.Pool }
func alertSK(p pool.ID) string { return "alert#" + string(p.Side) }
func countSK(p pool.ID) string { return "count#" + p.Pool + "#" + string(p.Side) }

// PoolNames calls see with each pool of each merchant, until see fails. A pool
// made within the last moment may be missing: the index lags.
func (s *Store) PoolNames(ctx context.Context, see func(merchant, name string) error) error {
	pages := dynamodb.NewQueryPaginator(s.db, &dynamodb.QueryInput{
		TableName:                 aws.String(s.tables.Catalog),
		IndexName:                 aws.String(kindIndex),
		KeyConditionExpression:    aws.String("kind = :pool"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":pool": text("pool")},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list the pools: %w", err)
		}
		for _, av := range page.Items {
			var item struct {
				PK string `dynamodbav:"pk"`
				SK string `dynamodbav:"sk"`
			}
			if err := attributevalue.UnmarshalMap(av, &item); err != nil {
				return fmt.Errorf("list the pools: %w", err)
			}
			merchant, name := strings.TrimPrefix(item.PK, merchantPrefix), strings.TrimPrefix(item.SK, poolSort)
			if err := see(merchant, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// Alert returns what has been told about a pool side, as it stands now.
func (s *Store) Alert(ctx context.Context, p pool.ID) (stock.Alert, error) {
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:      aws.String(s.tables.Orders),
		Key:            primary(alertPK(p), alertSK(p)),
		ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return stock.Alert{}, fmt.Errorf("read the alert of %s: %w", p, err)
	}
	if out.Item == nil {
		return stock.Alert{Pool: p}, nil
	}
	var item alertItem
	if err := attributevalue.UnmarshalMap(out.Item, &item); err != nil {
		return stock.Alert{}, fmt.Errorf("read the alert of %s: %w", p, err)
	}
	if err := readable(item.V); err != nil {
		return stock.Alert{}, fmt.Errorf("read the alert of %s: %w", p, err)
	}
	return stock.Alert{
		Pool: p, Version: item.Version,
		Level: stock.Level(item.Level), Edge: item.Edge, ToldAt: at(item.ToldAt),
	}, nil
}

// ChangeAlert stores the alert as the version after the one it names, and with
// it the notice, if any: both or none. Were they two writes, a crash between
// them would leave a merchant untold for good, or told twice.
func (s *Store) ChangeAlert(ctx context.Context, next stock.Alert, n *notice.Notice) error {
	p := next.Pool
	item, err := attributevalue.MarshalMap(alertItem{
		PK: alertPK(p), SK: alertSK(p), V: schema, Version: next.Version + 1,
		Level: string(next.Level), Edge: next.Edge, ToldAt: millis(next.ToldAt),
	})
	if err != nil {
		return fmt.Errorf("change the alert of %s: %w", p, err)
	}
	from := changeFrom(next.Version)
	writes := []types.TransactWriteItem{{Put: &types.Put{
		TableName:                 aws.String(s.tables.Orders),
		Item:                      item,
		ConditionExpression:       aws.String(from.condition),
		ExpressionAttributeValues: from.values,
	}}}
	if n != nil {
		writes = append(writes, noticePut(s.tables.Orders, *n))
	}
	_, err = s.db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: writes})
	if lostRace(err) {
		return fmt.Errorf("change the alert of %s: %w", p, retry.ErrChanged)
	}
	return wrap(err, "change the alert of %s", p)
}

// lostRace reports whether a transaction was cancelled because somebody else
// changed one of its items, before it or at the same time.
func lostRace(err error) bool {
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) {
		return false
	}
	for _, reason := range cancelled.CancellationReasons {
		switch aws.ToString(reason.Code) {
		case "ConditionalCheckFailed", "TransactionConflict":
			return true
		}
	}
	return false
}

// emptyAttempts bounds how often RaiseEmpty meets somebody else's change. The
// check of the stock, every few minutes, tells what it could not.
const emptyAttempts = 3

// RaiseEmpty stores the notice that a pool has nothing left while orders wait,
// once until the last of those is served; since says how long the first of them
// has waited. Of a test side nobody is told. Facts are asked for only if there is
// something to tell: it takes a look at the queue.
func (s *Store) RaiseEmpty(ctx context.Context, p pool.ID, since time.Time, facts func() (notice.Facts, error), now time.Time) error {
	for range emptyAttempts {
		before, err := s.Alert(ctx, p)
		if err != nil {
			return err
		}
		if _, tell := before.AfterNothing(notice.Facts{Started: since}, now); tell == nil {
			return nil
		}
		seen, err := facts()
		if err != nil {
			return err
		}
		after, tell := before.AfterNothing(seen, now)
		if tell == nil {
			return nil
		}
		if err := s.ChangeAlert(ctx, after, tell); !errors.Is(err, retry.ErrChanged) {
			return err
		}
	}
	return fmt.Errorf("tell that %s is empty: %w", p, retry.ErrChanged)
}

// LeaseRecount gives the day's recount of a pool side to its caller until then,
// with the count that is shown now; false if it is done, or being done.
func (s *Store) LeaseRecount(ctx context.Context, p pool.ID, day string, now, until time.Time) (int, bool, error) {
	key := primary(merchantPrefix+p.Merchant, countSK(p))
	// Nearly every check finds the day's recount done: half a read unit, where the
	// condition below would cost a write unit each time.
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String(s.tables.Catalog), Key: key})
	if err != nil {
		return 0, false, fmt.Errorf("read the count of %s: %w", p, err)
	}
	if done, ok := out.Item["recounted"].(*types.AttributeValueMemberS); ok && done.Value == day {
		return 0, false, nil
	}
	leased, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:           aws.String(s.tables.Catalog),
		Key:                 key,
		UpdateExpression:    aws.String("SET v = :v, recountEnds = :until"),
		ConditionExpression: aws.String("(attribute_not_exists(recounted) OR recounted <> :day) AND (attribute_not_exists(recountEnds) OR recountEnds <= :now)"),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":v": number(schema), ":until": number(millis(until)), ":day": text(day), ":now": number(millis(now)),
		},
		ReturnValues: types.ReturnValueAllNew,
	})
	var taken *types.ConditionalCheckFailedException
	if errors.As(err, &taken) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("lease the recount of %s: %w", p, err)
	}
	var item countItem
	if err := attributevalue.UnmarshalMap(leased.Attributes, &item); err != nil {
		return 0, false, fmt.Errorf("lease the recount of %s: %w", p, err)
	}
	return item.Accepted - item.Taken, true, nil
}

// CorrectCount adds to the count of a pool side that is shown, and marks the day
// as done, if it is not.
func (s *Store) CorrectCount(ctx context.Context, p pool.ID, day string, add int, now time.Time) error {
	// What is missing was taken unseen; what is there too many was given back unseen.
	_, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:           aws.String(s.tables.Catalog),
		Key:                 primary(merchantPrefix+p.Merchant, countSK(p)),
		UpdateExpression:    aws.String("ADD taken :taken SET recounted = :day, recountedAt = :now REMOVE recountEnds"),
		ConditionExpression: aws.String("attribute_not_exists(recounted) OR recounted <> :day"),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":taken": number(-add), ":day": text(day), ":now": number(millis(now)),
		},
	})
	var done *types.ConditionalCheckFailedException
	if errors.As(err, &done) {
		return nil
	}
	return wrap(err, "correct the count of %s", p)
}
