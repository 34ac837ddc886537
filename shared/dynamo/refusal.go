package dynamo

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"

	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// refusalItem is a signed webhook that could not be taken. It is stored twice in one
// transaction: once to be listed by its time, and once under its name, by which a
// repeat is known.
type refusalItem struct {
	primaryKey
	V         int    `dynamodbav:"v"`
	TestOf    string `dynamodbav:"testOf,omitempty"` // see wipe.go
	Account   string `dynamodbav:"account"`
	Order     string `dynamodbav:"order,omitempty"`
	Field     string `dynamodbav:"field,omitempty"`
	Problem   string `dynamodbav:"problem"`
	At        int64  `dynamodbav:"at"`
	ExpiresAt int64  `dynamodbav:"expiresAt"` // in seconds: see ExpiresAttribute
}

// ExpiresAttribute is the attribute of table Orders that says from when DynamoDB may
// delete an item, in seconds since 1970.
const ExpiresAttribute = "expiresAt"

// KeepRefusal stores a refusal, the notice of it, and what it means for the history of
// lines: one transaction. The same order refused again for the same mistake changes
// nothing, since platforms repeat what was refused. It is tried again if another
// refusal is added to the same notice meanwhile.
func (s *Store) KeepRefusal(ctx context.Context, r order.Refusal, tell notice.Notice, history ...order.History) error {
	name := refusalName(r)
	item := refusalItem{
		primaryKey: refusalNameKey(r.Merchant, name), V: schema, TestOf: testOf(r.Merchant, r.Side),
		Account: r.Account, Order: r.Order, Field: r.Field, Problem: r.Problem, At: millis(r.At),
		ExpiresAt: r.At.Add(order.RefusalsKept).Unix(),
	}
	const known = 0 // the position of the write under the refusal's name
	isKnown := func(err error) bool {
		_, is := failedCondition(err, known)
		return is
	}
	err := retryUnless(ctx, func() error {
		var tx transaction
		tx.add(put(s.tables.Orders, encode(item), absent))
		listed := item
		listed.primaryKey = refusalKey(r.Merchant, r.At, name)
		tx.add(put(s.tables.Orders, encode(listed), always))
		write, ok, err := s.noticeWrite(ctx, tell)
		if err != nil {
			return err
		}
		if ok {
			tx.add(write)
		}
		for _, h := range history[:min(len(history), order.MaxKeys)] {
			tx.add(s.historyPut(h))
		}
		return s.transact(ctx, &tx)
	}, func(err error) bool { return isKnown(err) || errors.Is(err, retry.ErrThrottled) })
	if isKnown(err) {
		return nil
	}
	return wrap(err, "keep a refusal of %s", r.Merchant)
}

// Refusals returns up to limit refusals of a merchant, newest first, those before the
// place that the last call returned as next: "" to begin with, and after the last one.
func (s *Store) Refusals(ctx context.Context, merchant, before string, limit int) (refusals []order.Refusal, next string, err error) {
	q := inPartition(s.tables.Orders, refusedPK(merchant))
	q.consistent, q.backwards, q.limit = false, true, limit+1
	if before != "" {
		q.after = primaryKey{refusedPK(merchant), before}
	}
	items, err := queryAs[refusalItem](ctx, s, q, oldestInOrders)
	if len(items) > limit {
		items = items[:limit]
		next = items[limit-1].SK
	}
	for _, i := range items {
		refusals = append(refusals, order.Refusal{
			Merchant: merchant, Account: i.Account, Order: i.Order, Field: i.Field, Problem: i.Problem, At: at(i.At),
		})
	}
	return refusals, next, wrap(err, "list the refusals of %s", merchant)
}

// refusalName tells refusals apart: by order, side and mistake, or by the body if no order
// could be read.
func refusalName(r order.Refusal) string {
	of := "order " + r.Order
	if r.Order == "" {
		of = "body " + r.Body
	}
	if r.Side == pool.Test {
		of = "test " + of
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{r.Account, of, r.Field, r.Problem, r.Customer}, "\n")))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
