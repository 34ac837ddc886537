package dynamo

import (
	"context"

	"keypool/shared/callback"
)

// refusedItem is a signed callback that could not be taken.
type refusedItem struct {
	primaryKey
	V       int    `dynamodbav:"v"`
	Account string `dynamodbav:"account"`
	Order   string `dynamodbav:"order,omitempty"`
	Field   string `dynamodbav:"field,omitempty"`
	Problem string `dynamodbav:"problem"`
	At      int64  `dynamodbav:"at"`
}

// KeepRefused stores a refused callback. The same order refused again for the
// same field, as platforms repeat what they could not deliver, replaces it.
func (s *Store) KeepRefused(ctx context.Context, r callback.Refused) error {
	name := r.Order
	if name == "" {
		name = "body " + r.Body
	}
	err := s.write(ctx, put(s.tables.Orders, encode(refusedItem{
		primaryKey: refusedKey(r.Merchant, r.Account, name, r.Field), V: schema,
		Account: r.Account, Order: r.Order, Field: r.Field, Problem: r.Problem, At: millis(r.At),
	}), always))
	return wrap(err, "keep a refused callback of %s", r.Merchant)
}
