package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/retry"
)

// A write is a types.TransactWriteItem whether it is made alone (Store.write) or
// with others (Store.transact). Either way a write that cannot be made is named by
// a *writeError, by its position.

// condition is what must hold of the item for a write to be made.
type condition struct {
	expression string
	values     attrs
}

var (
	always = condition{}
	// absent holds while there is no such item.
	absent = condition{expression: "attribute_not_exists(pk)"}
)

// locked holds while the item has that version, for items whose first version is 1:
// version 0 is no item yet.
func locked(version int) condition {
	if version == 0 {
		return absent
	}
	return atVersion(version)
}

// atVersion holds while the item has that version.
func atVersion(version int) condition {
	return condition{expression: "version = :from", values: attrs{":from": number(version)}}
}

// put returns the write of a whole item.
func put(table string, item attrs, c condition) types.TransactWriteItem {
	write := &types.Put{TableName: aws.String(table), Item: item, ExpressionAttributeValues: c.values}
	if c.expression != "" {
		write.ConditionExpression = aws.String(c.expression)
		write.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	}
	return types.TransactWriteItem{Put: write}
}

// check returns the part of a transaction that writes nothing, and fails it unless the
// condition holds of the item.
func check(table string, key primaryKey, c condition) types.TransactWriteItem {
	return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
		TableName: aws.String(table), Key: key.attrs(),
		ConditionExpression: aws.String(c.expression), ExpressionAttributeValues: c.values,
	}}
}

// remove returns the write that deletes an item.
func remove(table string, key primaryKey, c condition) types.TransactWriteItem {
	write := &types.Delete{TableName: aws.String(table), Key: key.attrs(), ExpressionAttributeValues: c.values}
	if c.expression != "" {
		write.ConditionExpression = aws.String(c.expression)
		write.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	}
	return types.TransactWriteItem{Delete: write}
}

// write makes one write. The position of the write in a *writeError is 0.
func (s *Store) write(ctx context.Context, w types.TransactWriteItem) error {
	var err error
	switch {
	case w.Put != nil:
		_, err = s.db.PutItem(ctx, &dynamodb.PutItemInput{
			TableName:                           w.Put.TableName,
			Item:                                w.Put.Item,
			ConditionExpression:                 w.Put.ConditionExpression,
			ExpressionAttributeNames:            w.Put.ExpressionAttributeNames,
			ExpressionAttributeValues:           w.Put.ExpressionAttributeValues,
			ReturnValuesOnConditionCheckFailure: w.Put.ReturnValuesOnConditionCheckFailure,
		})
	case w.Delete != nil:
		_, err = s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName:                           w.Delete.TableName,
			Key:                                 w.Delete.Key,
			ConditionExpression:                 w.Delete.ConditionExpression,
			ExpressionAttributeNames:            w.Delete.ExpressionAttributeNames,
			ExpressionAttributeValues:           w.Delete.ExpressionAttributeValues,
			ReturnValuesOnConditionCheckFailure: w.Delete.ReturnValuesOnConditionCheckFailure,
		})
	default:
		_, err = s.update(ctx, w.Update, types.ReturnValueNone)
	}
	return err
}

// writeAndRead makes one update and returns the item as the update left it.
func (s *Store) writeAndRead(ctx context.Context, w types.TransactWriteItem) (attrs, error) {
	return s.update(ctx, w.Update, types.ReturnValueAllNew)
}

// addOnce makes an update that adds to a number, at most once. Where no answer came, it
// may have been made: the SDK would make it again. An answer that refuses it because of a
// throttle or another writer is sure, and followed by another try.
func (s *Store) addOnce(ctx context.Context, w types.TransactWriteItem) error {
	return retryUnless(ctx, func() error {
		_, err := s.update(ctx, w.Update, types.ReturnValueNone, func(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} })
		return err
	}, anyConditionFailed)
}

func (s *Store) update(ctx context.Context, u *types.Update, returned types.ReturnValue, options ...func(*dynamodb.Options)) (attrs, error) {
	out, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                           u.TableName,
		Key:                                 u.Key,
		UpdateExpression:                    u.UpdateExpression,
		ConditionExpression:                 u.ConditionExpression,
		ExpressionAttributeNames:            u.ExpressionAttributeNames,
		ExpressionAttributeValues:           u.ExpressionAttributeValues,
		ReturnValues:                        returned,
		ReturnValuesOnConditionCheckFailure: u.ReturnValuesOnConditionCheckFailure,
	}, options...)
	if err != nil {
		return nil, err
	}
	return out.Attributes, nil
}

// transaction collects writes that are made together or not at all.
type transaction struct {
	writes []types.TransactWriteItem

	// token makes calls with the same writes and the same token one transaction. Without
	// a token each call is one of its own.
	token string
}

// add returns the position of the write, by which a *writeError names it.
func (tx *transaction) add(write types.TransactWriteItem) int {
	tx.writes = append(tx.writes, write)
	return len(tx.writes) - 1
}

// transact makes all writes of the transaction, or none.
func (s *Store) transact(ctx context.Context, tx *transaction) error {
	in := &dynamodb.TransactWriteItemsInput{TransactItems: tx.writes}
	if tx.token != "" {
		in.ClientRequestToken = aws.String(tx.token)
	}
	_, err := s.db.TransactWriteItems(ctx, in)
	return err
}

// transactWithRetry is transact with retries for as long as nothing but a throttle
// or another writer stands in the way. A condition that does not hold is returned at
// once. An earlier try may be carried out though its answer was lost: all tries have
// one token, so that a later one does not fail on what the earlier one wrote.
func (s *Store) transactWithRetry(ctx context.Context, tx *transaction) error {
	tx.token = randomHex(ctx)
	return retryUnless(ctx, func() error { return s.transact(ctx, tx) }, anyConditionFailed)
}

// anyConditionFailed reports whether the condition of some write does not hold.
func anyConditionFailed(err error) bool {
	var failed *writeError
	return errors.As(err, &failed) && failed.any(conditionFailed)
}

// retryUnless calls once until it succeeds, fails with an error that is final or not
// temporary, or was called as often as the back-off for its error allows.
func retryUnless(ctx context.Context, once func() error, final func(error) bool) error {
	for try := 1; ; try++ {
		err := once()
		backOff := retry.For(err)
		if final(err) || !retry.Temporary(err) || try == backOff.Tries {
			return err
		}
		if err := backOff.Wait(ctx, try); err != nil {
			return err
		}
	}
}

// writeError says which writes of a call stood in the way of all of them, by
// position. It is a retry.ErrChanged if a condition does not hold or another
// writer was at an item, else a retry.ErrThrottled.
type writeError struct {
	writes []failedWrite
	err    error // of the SDK
}

// failedWrite is what DynamoDB says of one write. The cause is empty if the write
// could have been made.
type failedWrite struct {
	cause cause
	item  attrs // as it stands, where the condition does not hold and the write asked for it
}

// cause is why a write could not be made.
type cause string

const (
	conditionFailed cause = "its condition does not hold"
	conflict        cause = "another writer is at the item"
	throttled       cause = "throttled"
)

// newWriteError reads the reasons of a cancelled transaction. A reason that is not
// temporary and not a condition, such as AccessDenied, is returned as a plain error.
func newWriteError(reasons []types.CancellationReason, err error) error {
	e := &writeError{writes: make([]failedWrite, len(reasons)), err: err}
	for i, reason := range reasons {
		switch code := aws.ToString(reason.Code); code {
		case "", "None":
		case "ConditionalCheckFailed":
			e.writes[i] = failedWrite{cause: conditionFailed, item: reason.Item}
		case "TransactionConflict":
			e.writes[i].cause = conflict
		case "ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded":
			e.writes[i].cause = throttled
		default:
			return fmt.Errorf("write %d is not possible, %s: %w", i, code, err)
		}
	}
	return e
}

func (e *writeError) Error() string {
	var failed []string
	for i, write := range e.writes {
		if write.cause != "" {
			failed = append(failed, fmt.Sprintf("write %d: %s", i, write.cause))
		}
	}
	return fmt.Sprintf("not written (%s): %s", strings.Join(failed, "; "), e.err)
}

func (e *writeError) Unwrap() error { return e.err }

// Is makes retries of a whole use case possible without a look at positions.
func (e *writeError) Is(target error) bool {
	changed := e.any(conditionFailed) || e.any(conflict)
	return target == retry.ErrChanged && changed || target == retry.ErrThrottled && !changed && e.any(throttled)
}

func (e *writeError) any(c cause) bool {
	return slices.ContainsFunc(e.writes, func(w failedWrite) bool { return w.cause == c })
}

// failedCondition reports whether the condition of the write at that position does not
// hold, and returns the item as it stands: nil if there is none.
func failedCondition(err error, position int) (item attrs, is bool) {
	var failed *writeError
	if !errors.As(err, &failed) || position >= len(failed.writes) || failed.writes[position].cause != conditionFailed {
		return nil, false
	}
	return failed.writes[position].item, true
}
