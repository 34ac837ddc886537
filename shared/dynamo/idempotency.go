package dynamo

import (
	"context"
	"time"

	"keypool/shared/idempotency"
)

// idempotentCallItem is a call of an API that had an Idempotency-Key.
type idempotentCallItem struct {
	primaryKey
	V         int               `dynamodbav:"v"`
	Request   string            `dynamodbav:"request"`
	Owner     string            `dynamodbav:"maker"`
	Until     int64             `dynamodbav:"leasedUntil,omitempty"` // while it is being made
	Status    int               `dynamodbav:"status,omitempty"`
	Headers   map[string]string `dynamodbav:"headers,omitempty"`
	Body      []byte            `dynamodbav:"body,omitempty"`
	ExpiresAt int64             `dynamodbav:"expiresAt"` // in seconds: see ExpiresAttribute
}

// BeginCall implements idempotency.Store. DynamoDB deletes late, so that an item that has
// expired is as good as none.
func (s *Store) BeginCall(ctx context.Context, c idempotency.Call, now time.Time) (there idempotency.Call, begun bool, err error) {
	item := idempotentCallItem{primaryKey: idempotentCallKey(c.ID), V: schema, Request: c.Request, Owner: c.Owner, Until: millis(c.Until), ExpiresAt: c.ExpiresAt.Unix()}
	free := condition{
		expression: "attribute_not_exists(pk) OR expiresAt <= :seconds OR leasedUntil <= :now",
		values:     attrs{":seconds": number(now.Unix()), ":now": number(millis(now))},
	}
	err = s.write(ctx, put(s.tables.Orders, encode(item), free))
	if old, taken := failedCondition(err, 0); taken {
		item, err := decode[idempotentCallItem](old, oldestInOrders)
		return idempotency.Call{
			ID: c.ID, Request: item.Request, Owner: item.Owner, Until: at(item.Until), ExpiresAt: time.Unix(item.ExpiresAt, 0).UTC(), Done: item.Until == 0,
			Answer: idempotency.Answer{Status: item.Status, Headers: item.Headers, Body: item.Body},
		}, false, wrap(err, "begin a call")
	}
	return idempotency.Call{}, err == nil, wrap(err, "begin a call")
}

// EndCall implements idempotency.Store.
func (s *Store) EndCall(ctx context.Context, c idempotency.Call) error {
	item := idempotentCallItem{
		primaryKey: idempotentCallKey(c.ID), V: schema, Request: c.Request, Owner: c.Owner,
		Status: c.Answer.Status, Headers: c.Answer.Headers, Body: c.Answer.Body, ExpiresAt: c.ExpiresAt.Unix(),
	}
	return ofCall(s.write(ctx, put(s.tables.Orders, encode(item), ownedCall(c))), "end a call")
}

// ForgetCall implements idempotency.Store.
func (s *Store) ForgetCall(ctx context.Context, c idempotency.Call) error {
	return ofCall(s.write(ctx, remove(s.tables.Orders, idempotentCallKey(c.ID), ownedCall(c))), "forget a call")
}

func ownedCall(c idempotency.Call) condition {
	return condition{expression: "maker = :maker", values: attrs{":maker": text(c.Owner)}}
}

// ofCall returns no error where another owner has the call.
func ofCall(err error, what string) error {
	if _, lost := failedCondition(err, 0); lost {
		return nil
	}
	return wrap(err, "%s", what)
}
