package dynamo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/ingest"
	"keypool/shared/outbox"
	"keypool/shared/retry"
	"keypool/shared/sweep"
)

// duePage is how many due items are read at a time: what one BatchGetItem takes.
const duePage = 100

// Due implements sweep.Store. The index says what to look at and may lag: what is
// seen is read from the tables, strongly consistent, and passed over if it is not
// due there any more.
func (s *Store) Due(ctx context.Context, partition int, now time.Time, see func(sweep.Item) bool) error {
	more, ordersErr := s.dueIn(ctx, s.tables.Orders, partition, now, decodeDueOrder, see)
	if !more {
		return ordersErr
	}
	_, catalogErr := s.dueIn(ctx, s.tables.Catalog, partition, now, decodeDueUpload, see)
	return errors.Join(ordersErr, catalogErr)
}

// dueItem decodes an item of a table, and says when it is due by its own word.
type dueItem func(map[string]types.AttributeValue) (sweep.Item, time.Time, error)

func (s *Store) dueIn(ctx context.Context, table string, partition int, now time.Time, decode dueItem, see func(sweep.Item) bool) (more bool, err error) {
	shard := fmt.Sprintf("due#%d", partition)
	pages := dynamodb.NewQueryPaginator(s.db, &dynamodb.QueryInput{
		TableName:                 aws.String(table),
		IndexName:                 aws.String(dueIndex),
		KeyConditionExpression:    aws.String("due = :due AND dueAt <= :now"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":due": text(shard), ":now": number(millis(now))},
		Limit:                     aws.Int32(duePage),
	})
	var unreadable []error
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return true, errors.Join(append(unreadable, fmt.Errorf("look for what is due in %s: %w", shard, err))...)
		}
		found, err := s.readAll(ctx, table, page.Items)
		if err != nil {
			return true, errors.Join(append(unreadable, fmt.Errorf("read what is due in %s: %w", shard, err))...)
		}
		for _, av := range found {
			item, dueAt, err := decode(av)
			if err != nil {
				unreadable = append(unreadable, err)
				continue
			}
			if dueAt.IsZero() || dueAt.After(now) {
				continue
			}
			if !see(item) {
				return false, errors.Join(unreadable...)
			}
		}
	}
	return true, errors.Join(unreadable...)
}

// readAll reads the items that an index showed, strongly consistent, in the
// index's order; those that are there no more are left out.
func (s *Store) readAll(ctx context.Context, table string, shown []map[string]types.AttributeValue) ([]map[string]types.AttributeValue, error) {
	type name struct{ pk, sk string }
	nameOf := func(item map[string]types.AttributeValue) name {
		return name{stringOf(item["pk"]), stringOf(item["sk"])}
	}
	var keys []map[string]types.AttributeValue
	for _, item := range shown {
		keys = append(keys, map[string]types.AttributeValue{"pk": item["pk"], "sk": item["sk"]})
	}
	there, err := s.batchGet(ctx, insistently, table, keys)
	if err != nil {
		return nil, err
	}
	found := make(map[name]map[string]types.AttributeValue, len(there))
	for _, item := range there {
		found[nameOf(item)] = item
	}
	var items []map[string]types.AttributeValue
	for _, item := range shown {
		if now, ok := found[nameOf(item)]; ok {
			items = append(items, now)
		}
	}
	return items, nil
}

func decodeDueOrder(av map[string]types.AttributeValue) (sweep.Item, time.Time, error) {
	if strings.HasPrefix(stringOf(av["pk"]), noticePK("")) {
		n, err := decodeNotice(av)
		return sweep.Item{Notice: &n}, n.Mail.DueAt, err
	}
	f, err := decodeFulfillment(av)
	return sweep.Item{Line: &f}, f.Mail.DueAt, err
}

// SetMail implements sweep.Store: one conditional update of the outbox entry
// alone, so that nothing else of the item can be lost by it.
func (s *Store) SetMail(ctx context.Context, item sweep.Item, to outbox.Entry) error {
	var update *dynamodb.UpdateItemInput
	if f := item.Line; f != nil {
		update = s.changeMail(primary(orderPK(f.ID), lineSK(f.ID)), f.Version, to, nil)
	} else {
		update = s.changeMail(primary(noticePK(item.Notice.ID), noticeSK), item.Notice.Version, to, nil)
	}
	_, err := s.db.UpdateItem(ctx, update)
	return sweepError(err)
}

// sweepError makes a domain error of a failed condition, or of a conflict with a
// transaction that is changing the item.
func sweepError(err error) error {
	var failed *types.ConditionalCheckFailedException
	var conflict *types.TransactionConflictException
	if errors.As(err, &failed) || errors.As(err, &conflict) {
		return retry.ErrChanged
	}
	return err
}

func decodeDueUpload(av map[string]types.AttributeValue) (sweep.Item, time.Time, error) {
	u, err := decodeUpload(av)
	return sweep.Item{Upload: &u}, u.DueAt, err
}

// SetUploadDue implements sweep.Store.
func (s *Store) SetUploadDue(ctx context.Context, u ingest.Upload, dueAt time.Time) error {
	in := &dynamodb.UpdateItemInput{
		TableName:                 aws.String(s.tables.Catalog),
		Key:                       primary(uploadsPK(u.Merchant), u.ID),
		UpdateExpression:          aws.String("REMOVE due, dueAt"),
		ConditionExpression:       aws.String("dueAt = :seen"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":seen": number(millis(u.DueAt))},
	}
	if !dueAt.IsZero() {
		in.UpdateExpression = aws.String("SET dueAt = :dueAt")
		in.ExpressionAttributeValues[":dueAt"] = number(millis(dueAt))
	}
	_, err := s.db.UpdateItem(ctx, in)
	return sweepError(err)
}
