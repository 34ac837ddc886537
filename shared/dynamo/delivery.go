package dynamo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/delivery"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// MailItem says what can be mailed of the item that has this primary key, false
// if nothing can.
func MailItem(pk, sk string) (delivery.Item, bool) {
	if id, ok := lineOf(pk, sk); ok {
		return delivery.Item{Line: id}, true
	}
	id, ok := strings.CutPrefix(pk, "notice#")
	return delivery.Item{Notice: id}, ok && sk == noticeSK
}

// LeaseLine implements delivery.Lines: one conditional write, and a consistent
// query for the keys that do not fit in the line's own item.
func (s *Store) LeaseLine(ctx context.Context, id order.LineID, now time.Time) (order.Fulfillment, bool, bool, error) {
	av, again, err := s.lease(ctx, primary(orderPK(id), lineSK(id)), now)
	if av == nil || err != nil {
		return order.Fulfillment{}, false, false, err
	}
	f, err := decodeFulfillment(av)
	if err != nil {
		return order.Fulfillment{}, false, false, fmt.Errorf("%w: %w", delivery.ErrUnreadable, err)
	}
	if f.Chunks > 0 {
		rest, err := s.chunkKeys(ctx, id)
		if err != nil {
			return order.Fulfillment{}, false, false, err
		}
		f.Keys = append(f.Keys, rest...)
	}
	return f, again, true, nil
}

// LeaseNotice implements delivery.Notices.
func (s *Store) LeaseNotice(ctx context.Context, id string, now time.Time) (notice.Notice, bool, error) {
	av, _, err := s.lease(ctx, primary(noticePK(id), noticeSK), now)
	if av == nil || err != nil {
		return notice.Notice{}, false, err
	}
	n, err := decodeNotice(av)
	return n, err == nil, err
}

// lease takes the mail of an item for one mailer and returns the item as it
// stands with the lease; nil if the mail is not to be sent now.
//
// Nearly always the mail is due and nobody has tried it: one write. Otherwise the
// refusal shows the item, and whether another mailer's lease ended: that mail may
// have gone out, so this one is the next number.
//
// The lease is signed with a random word. When the answer to our own write is
// lost and the SDK repeats it, the refusal shows our word: the lease is ours.
func (s *Store) lease(ctx context.Context, key map[string]types.AttributeValue, now time.Time) (item map[string]types.AttributeValue, again bool, err error) {
	leased, signed := outbox.Entry{}.Leased(now), word(ctx)
	out, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:           aws.String(s.tables.Orders),
		Key:                 key,
		UpdateExpression:    aws.String("SET mail = :sending, leaseEndsAt = :ends, leaseBy = :word, version = version + :one REMOVE tryAt, code"),
		ConditionExpression: aws.String("mail = :due AND attribute_not_exists(leaseEndsAt) AND (attribute_not_exists(tryAt) OR tryAt <= :now)"),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":sending": text(string(leased.State)), ":ends": number(millis(leased.LeaseEndsAt)), ":word": text(signed), ":one": number(1),
			":due": text(string(outbox.Due)), ":now": number(millis(now)),
		},
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if err == nil {
		return out.Attributes, false, nil
	}
	there, item, err := refusal(err)
	if item == nil || err != nil {
		return nil, false, err
	}
	if there.LeaseBy == signed {
		return item, false, nil
	}
	entry := there.entry()
	if !entry.MayLease(now) {
		return nil, false, nil
	}
	update := s.changeMail(key, there.Version, entry.Leased(now), map[string]types.AttributeValue{"leaseBy": text(signed)})
	update.ReturnValues = types.ReturnValueAllNew
	update.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	out, err = s.db.UpdateItem(ctx, update)
	if err == nil {
		return out.Attributes, entry.Lapsed(), nil
	}
	there, item, err = refusal(err)
	if err != nil || there.LeaseBy != signed {
		return nil, false, err // another mailer was faster
	}
	return item, entry.Lapsed(), nil
}

// leaseItem is what a refused lease looks at.
type leaseItem struct {
	Version int    `dynamodbav:"version"`
	LeaseBy string `dynamodbav:"leaseBy"`
	outboxItem
}

// refusal reads the item whose condition failed, nil if there is none; any other
// error is returned.
func refusal(err error) (leaseItem, map[string]types.AttributeValue, error) {
	var (
		refused *types.ConditionalCheckFailedException
		there   leaseItem
	)
	if !errors.As(err, &refused) {
		return there, nil, err
	}
	if err := attributevalue.UnmarshalMap(refused.Item, &there); err != nil {
		return there, nil, fmt.Errorf("%w: %w", delivery.ErrUnreadable, err)
	}
	return there, refused.Item, nil
}

// changeMail returns the write of an item's outbox entry, if the item is still at
// that version. Other attributes to set go with it.
func (s *Store) changeMail(key map[string]types.AttributeValue, version int, e outbox.Entry, set map[string]types.AttributeValue) *dynamodb.UpdateItemInput {
	entry, err := attributevalue.MarshalMap(newOutboxItem(e, mailName(key)))
	if err != nil {
		panic(fmt.Sprintf("encode an outbox entry: %v", err)) // strings and numbers only: cannot happen
	}
	maps.Copy(entry, set)
	values := map[string]types.AttributeValue{":version": number(version), ":next": number(version + 1)}
	sets, removes, names := []string{"version = :next"}, []string(nil), map[string]string{}
	for _, name := range outboxNames {
		if _, ok := entry[name]; !ok {
			names["#"+name] = name
			removes = append(removes, "#"+name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(entry)) {
		names["#"+name] = name
		sets = append(sets, "#"+name+" = :"+name)
		values[":"+name] = entry[name]
	}
	expression := "SET " + strings.Join(sets, ", ")
	if len(removes) > 0 {
		expression += " REMOVE " + strings.Join(removes, ", ")
	}
	return &dynamodb.UpdateItemInput{
		TableName:                 aws.String(s.tables.Orders),
		Key:                       key,
		UpdateExpression:          aws.String(expression),
		ConditionExpression:       aws.String("version = :version"),
		ExpressionAttributeNames:  names,
		ExpressionAttributeValues: values,
	}
}

// outboxNames are the attributes of an outboxItem.
var outboxNames = []string{"mail", "mailKind", "mailNumber", "tries", "tryAt", "leaseEndsAt", "due", "dueAt", "messageId", "code"}

// mailName is what decides where an item stands in the due index: see newOutboxItem.
func mailName(key map[string]types.AttributeValue) string {
	pk, sk := key["pk"].(*types.AttributeValueMemberS).Value, key["sk"].(*types.AttributeValueMemberS).Value
	if id, ok := lineOf(pk, sk); ok {
		return string(id)
	}
	return strings.TrimPrefix(pk, "notice#")
}

// MarkLine implements delivery.Lines. A mark alone is one plain write; with
// history or a notice it is a transaction.
func (s *Store) MarkLine(ctx context.Context, f order.Fulfillment, m delivery.Mark) error {
	update := s.changeMail(primary(orderPK(f.ID), lineSK(f.ID)), f.Version, m.Mail,
		map[string]types.AttributeValue{"counted": number(m.Counted)})
	return s.mark(ctx, update, m)
}

// MarkNotice implements delivery.Notices.
func (s *Store) MarkNotice(ctx context.Context, n notice.Notice, m delivery.Mark) error {
	update := s.changeMail(primary(noticePK(n.ID), noticeSK), n.Version, m.Mail, nil)
	return s.mark(ctx, update, m)
}

// Positions in the transaction of a mark.
const (
	markedItem = iota
	markedNotice
)

func (s *Store) mark(ctx context.Context, update *dynamodb.UpdateItemInput, m delivery.Mark) error {
	if m.History == nil && m.Tell == nil {
		_, err := s.db.UpdateItem(ctx, update)
		var refused *types.ConditionalCheckFailedException
		var conflict *types.TransactionConflictException
		if errors.As(err, &refused) || errors.As(err, &conflict) {
			return retry.ErrChanged
		}
		return wrap(err, "mark a mail")
	}
	for range markAttempts {
		writes := []types.TransactWriteItem{{Update: &types.Update{
			TableName:                 update.TableName,
			Key:                       update.Key,
			UpdateExpression:          update.UpdateExpression,
			ConditionExpression:       update.ConditionExpression,
			ExpressionAttributeNames:  update.ExpressionAttributeNames,
			ExpressionAttributeValues: update.ExpressionAttributeValues,
		}}}
		if m.Tell != nil {
			tell, err := s.told(ctx, *m.Tell)
			if err != nil {
				return wrap(err, "mark a mail")
			}
			writes = append(writes, tell...)
		}
		if m.History != nil {
			history, err := s.historyPut(*m.History)
			if err != nil {
				return err
			}
			writes = append(writes, types.TransactWriteItem{Put: history})
		}
		_, err := s.db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: writes})
		var canceled *types.TransactionCanceledException
		if !errors.As(err, &canceled) {
			return wrap(err, "mark a mail")
		}
		switch reasons := canceled.CancellationReasons; {
		case cancelledBy(reasons, markedItem, "ConditionalCheckFailed"):
			return retry.ErrChanged
		case cancelledBy(reasons, markedNotice, "ConditionalCheckFailed"), cancelledBy(reasons, markedItem, "TransactionConflict"), cancelledBy(reasons, markedNotice, "TransactionConflict"):
			continue // somebody else told the same meanwhile: look again
		default:
			return wrap(err, "mark a mail")
		}
	}
	return wrap(retry.ErrChanged, "mark a mail")
}

// markAttempts bounds how often a mark is tried against others that add to the
// same notice.
const markAttempts = 10

func cancelledBy(reasons []types.CancellationReason, position int, code string) bool {
	return position < len(reasons) && aws.ToString(reasons[position].Code) == code
}

// told returns the write that stores a notice, none if it is there. One of those
// that are told together is added to the one that is there.
func (s *Store) told(ctx context.Context, n notice.Notice) ([]types.TransactWriteItem, error) {
	there, ok, err := s.Notice(ctx, n.ID)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return []types.TransactWriteItem{noticePut(s.tables.Orders, n)}, nil
	case !n.Kind.Together():
		return nil, nil
	case !there.TakesMore():
		return s.told(ctx, n.Rest())
	}
	item, err := attributevalue.MarshalMap(newNoticeItem(there.With(n)))
	if err != nil {
		return nil, fmt.Errorf("encode a notice: %w", err)
	}
	return []types.TransactWriteItem{{Put: &types.Put{
		TableName:                 aws.String(s.tables.Orders),
		Item:                      item,
		ConditionExpression:       aws.String("version = :version"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":version": number(there.Version)},
	}}}, nil
}

// Notice implements delivery.Notices: one consistent read.
func (s *Store) Notice(ctx context.Context, id string) (notice.Notice, bool, error) {
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:      aws.String(s.tables.Orders),
		Key:            primary(noticePK(id), noticeSK),
		ConsistentRead: aws.Bool(true),
	})
	if err != nil || out.Item == nil {
		return notice.Notice{}, false, wrap(err, "read a notice")
	}
	n, err := decodeNotice(out.Item)
	return n, err == nil, err
}

func decodeNotice(av map[string]types.AttributeValue) (notice.Notice, error) {
	var item noticeItem
	if err := attributevalue.UnmarshalMap(av, &item); err != nil {
		return notice.Notice{}, fmt.Errorf("%w: %w", delivery.ErrUnreadable, err)
	}
	n, err := item.notice()
	if err != nil {
		return notice.Notice{}, fmt.Errorf("%w: %w", delivery.ErrUnreadable, err)
	}
	return n, nil
}

// historyItem is one thing that happened to a line.
type historyItem struct {
	PK string `dynamodbav:"pk"`
	SK string `dynamodbav:"sk"`
	V  int    `dynamodbav:"v"`

	At        int64  `dynamodbav:"at"`
	What      string `dynamodbav:"what"`
	By        string `dynamodbav:"by"`
	Mail      int    `dynamodbav:"mailOf,omitempty"` // not mail: the stream's filter is on that
	MessageID string `dynamodbav:"messageId,omitempty"`
	Code      string `dynamodbav:"code,omitempty"`
}

// AddHistory implements delivery.Lines. What happened names the item, so the same
// news twice is one entry.
func (s *Store) AddHistory(ctx context.Context, h order.History) error {
	put, err := s.historyPut(h)
	if err != nil {
		return err
	}
	_, err = s.db.PutItem(ctx, &dynamodb.PutItemInput{TableName: put.TableName, Item: put.Item})
	return wrap(err, "add to the history of line %s", h.Line)
}

func (s *Store) historyPut(h order.History) (*types.Put, error) {
	item, err := attributevalue.MarshalMap(historyItem{
		PK: orderPK(h.Line),
		SK: fmt.Sprintf("%s%013d#%s#%d", historySK(h.Line), millis(h.At), h.What, h.Mail),
		V:  schema,
		At: millis(h.At), What: string(h.What), By: h.By, Mail: h.Mail, MessageID: h.MessageID, Code: h.Code,
	})
	if err != nil {
		return nil, fmt.Errorf("encode history of line %s: %w", h.Line, err)
	}
	return &types.Put{TableName: aws.String(s.tables.Orders), Item: item}, nil
}

// History returns what happened to a line, oldest first.
func (s *Store) History(ctx context.Context, id order.LineID) ([]order.History, error) {
	items, err := queryOrders[historyItem](ctx, s, orderPK(id), historySK(id))
	if err != nil {
		return nil, fmt.Errorf("read the history of line %s: %w", id, err)
	}
	history := make([]order.History, len(items))
	for i, item := range items {
		if err := readable(item.V); err != nil {
			return nil, fmt.Errorf("history of line %s: %w", id, err)
		}
		history[i] = order.History{
			Line: id, At: at(item.At), What: order.Happening(item.What), By: item.By,
			Mail: item.Mail, MessageID: item.MessageID, Code: item.Code,
		}
	}
	return history, nil
}

// chunkKeys returns the keys of a line that do not fit in its own item, in the
// order they were taken.
func (s *Store) chunkKeys(ctx context.Context, id order.LineID) ([]pool.Key, error) {
	chunks, err := queryOrders[chunkItem](ctx, s, orderPK(id), chunksSK(id))
	if err != nil {
		return nil, fmt.Errorf("read the keys of line %s: %w", id, err)
	}
	var keys []pool.Key
	for _, chunk := range chunks {
		if err := readable(chunk.V); err != nil {
			return nil, fmt.Errorf("keys of line %s: %w", id, err)
		}
		keys = append(keys, keysOf(chunk.Keys)...)
	}
	return keys, nil
}

// queryOrders returns the items of a partition whose sort key starts with
// prefix, in order, strongly consistent.
func queryOrders[T any](ctx context.Context, s *Store, pk, prefix string) ([]T, error) {
	pages := dynamodb.NewQueryPaginator(s.db, &dynamodb.QueryInput{
		TableName:                 aws.String(s.tables.Orders),
		KeyConditionExpression:    aws.String("pk = :pk AND begins_with(sk, :prefix)"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":pk": text(pk), ":prefix": text(prefix)},
		ConsistentRead:            aws.Bool(true),
	})
	var all []T
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		var items []T
		if err := attributevalue.UnmarshalListOfMaps(page.Items, &items); err != nil {
			return nil, err
		}
		all = append(all, items...)
	}
	return all, nil
}

// AddTaken implements delivery.Counts.
func (s *Store) AddTaken(ctx context.Context, p pool.ID, n int) error {
	_, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:        aws.String(s.tables.Catalog),
		Key:              primary(merchantPrefix+p.Merchant, countSK(p)),
		UpdateExpression: aws.String("SET v = :v ADD taken :taken"),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":v": number(schema), ":taken": &types.AttributeValueMemberN{Value: strconv.Itoa(n)},
		},
	})
	return wrap(err, "count %d taken keys of %s", n, p)
}
