package dynamo

import (
	"context"

	"keypool/shared/order"
)

// refusalItem is a signed webhook that could not be taken.
type refusalItem struct {
	primaryKey
	V       int    `dynamodbav:"v"`
	Account string `dynamodbav:"account"`
	Order   string `dynamodbav:"order,omitempty"`
	Field   string `dynamodbav:"field,omitempty"`
	Problem string `dynamodbav:"problem"`
	At      int64  `dynamodbav:"at"`
}

// KeepRefusal stores a refusal. The same order refused again for the same field
// replaces it: platforms repeat what was refused.
func (s *Store) KeepRefusal(ctx context.Context, r order.Refusal) error {
	name := r.Order
	if name == "" {
		name = "body " + r.Body
	}
	err := s.write(ctx, put(s.tables.Orders, encode(refusalItem{
		primaryKey: refusedKey(r.Merchant, r.Account, name, r.Field), V: schema,
		Account: r.Account, Order: r.Order, Field: r.Field, Problem: r.Problem, At: millis(r.At),
	}), always))
	return wrap(err, "keep a refusal of %s", r.Merchant)
}
