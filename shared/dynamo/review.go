package dynamo

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/audit"
	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// reviewItem is a merchant's rules of review, in the catalog. The brake stands beside it:
// it is set in a hurry, by people and by a function, under no version.
type reviewItem struct {
	primaryKey
	V            int       `dynamodbav:"v"`
	Version      int       `dynamodbav:"version"`
	Rules        rulesItem `dynamodbav:"rules"`
	BrakesItself bool      `dynamodbav:"brakesItself,omitempty"`
}

type rulesItem struct {
	Always    bool              `dynamodbav:"always,omitempty"`
	Risk      bool              `dynamodbav:"risk,omitempty"`
	Above     map[string]string `dynamodbav:"above,omitempty"`
	MaxKeys   int               `dynamodbav:"maxKeys,omitempty"`
	MaxOrders int               `dynamodbav:"maxOrders,omitempty"`
}

// brakeItem is the brake as it was last set, and who took it off, if somebody did. A brake
// that was never set is not there.
type brakeItem struct {
	primaryKey
	V          int    `dynamodbav:"v"`
	SetAt      int64  `dynamodbav:"setAt"`
	By         string `dynamodbav:"by"`
	ReleasedAt int64  `dynamodbav:"releasedAt,omitempty"`
	ReleasedBy string `dynamodbav:"releasedBy,omitempty"`
	Reason     string `dynamodbav:"reason,omitempty"`
}

func newBrakeItem(merchant string, b catalog.Brake) brakeItem {
	return brakeItem{
		primaryKey: brakeKey(merchant), V: schema, SetAt: millis(b.SetAt), By: b.By,
		ReleasedAt: millis(b.ReleasedAt), ReleasedBy: b.ReleasedBy, Reason: b.Reason,
	}
}

func (i brakeItem) brake() catalog.Brake {
	return catalog.Brake{SetAt: at(i.SetAt), By: i.By, ReleasedAt: at(i.ReleasedAt), ReleasedBy: i.ReleasedBy, Reason: i.Reason}
}

// heldItem is a line that a rule holds, as lists show it.
type heldItem struct {
	primaryKey
	V        int      `dynamodbav:"v"`
	Order    string   `dynamodbav:"order"`
	Account  string   `dynamodbav:"account"`
	Product  string   `dynamodbav:"product"`
	Title    string   `dynamodbav:"title,omitempty"`
	Quantity int      `dynamodbav:"quantity"`
	Holds    []string `dynamodbav:"holds"`
	HeldAt   int64    `dynamodbav:"heldAt"`
}

func newHeldItem(place primaryKey, f order.Fulfillment) heldItem {
	return heldItem{
		primaryKey: place, V: schema,
		Order: f.Order, Account: f.Account, Product: f.Product, Title: f.Title, Quantity: f.Quantity,
		Holds: textsOf(f.Holds), HeldAt: millis(f.HeldAt),
	}
}

// Review returns a merchant's rules and brake, the zero Review where none are set: one
// consistent query.
func (s *Store) Review(ctx context.Context, merchant string) (catalog.Review, error) {
	review := catalog.Review{Merchant: merchant}
	items, err := s.items(ctx, inPartition(s.tables.Catalog, reviewPK(merchant)))
	for _, item := range items {
		switch keyOf(item).SK {
		case rulesSort:
			var i reviewItem
			if i, err = decode[reviewItem](item, oldestInCatalog); err == nil {
				review.Version, review.Rules, review.BrakesItself = i.Version, catalog.Rules(i.Rules), i.BrakesItself
			}
		case brakeSort:
			var i brakeItem
			if i, err = decode[brakeItem](item, oldestInCatalog); err == nil {
				review.Brake = i.brake()
			}
		}
		if err != nil {
			break
		}
	}
	return review, wrap(err, "read the rules of review of %s", merchant)
}

// PutReview stores a merchant's rules. Its brake stays as it is.
func (s *Store) PutReview(ctx context.Context, r catalog.Review, with ...audit.Record) error {
	item := reviewItem{
		primaryKey: rulesKey(r.Merchant), V: schema, Version: r.Version + 1,
		Rules: rulesItem(r.Rules), BrakesItself: r.BrakesItself,
	}
	return wrap(s.putCatalog(ctx, item, locked(r.Version), with...), "store the rules of review of %s", r.Merchant)
}

// brakeOff holds for a brake that was taken off, or was never set.
var brakeOff = condition{expression: "attribute_not_exists(pk) OR attribute_exists(releasedAt)"}

// SetBrake sets a merchant's brake. One that is set stays as it is: the first to set it is
// told of.
func (s *Store) SetBrake(ctx context.Context, merchant string, b catalog.Brake) error {
	return wrap(s.putBrake(ctx, merchant, b, brakeOff), "set the brake of %s", merchant)
}

// ReleaseBrake takes off the brake that was set when b says. One that is off, or was set
// anew since, stays as it is: the first to take it off is told of.
func (s *Store) ReleaseBrake(ctx context.Context, merchant string, b catalog.Brake) error {
	asSeen := condition{"setAt = :setAt AND attribute_not_exists(releasedAt)", attrs{":setAt": number(millis(b.SetAt))}}
	return wrap(s.putBrake(ctx, merchant, b, asSeen), "release the brake of %s", merchant)
}

// putBrake stores a brake, and its entry in the audit trail. It is no error that the condition does not hold: it may not hold
// any more because the answer to the same write was lost.
func (s *Store) putBrake(ctx context.Context, merchant string, b catalog.Brake, c condition) error {
	err := s.writeAndTell(ctx, nil, put(s.tables.Catalog, encode(newBrakeItem(merchant, b)), c), s.entryWrite(audit.OfBrake(ctx, merchant, b)))
	if _, refused := failedCondition(err, 0); refused {
		return nil
	}
	return err
}

// Held returns up to limit lines of a merchant's that rules hold, oldest first, after the
// place that the last call returned as next: "" to begin with, and after the last one.
func (s *Store) Held(ctx context.Context, merchant string, side pool.Side, after string, limit int) (held []order.HeldLine, next string, err error) {
	q := inPartition(s.tables.Orders, heldPK(merchant, side))
	q.limit = limit + 1
	if after != "" {
		q.after = primaryKey{heldPK(merchant, side), after}
	}
	items, err := queryAs[heldItem](ctx, s, q, oldestInOrders)
	if err != nil {
		return nil, "", wrap(err, "list what is held of %s", merchant)
	}
	if len(items) > limit {
		items = items[:limit]
		next = items[limit-1].SK
	}
	for _, i := range items {
		id, receivedAt, err := i.queued()
		if err != nil {
			return nil, "", err
		}
		held = append(held, order.HeldLine{
			Line: id, Order: i.Order, Account: i.Account, Product: i.Product, Title: i.Title, Quantity: i.Quantity,
			Reasons: idsOf[order.Hold](i.Holds), ReceivedAt: receivedAt, HeldAt: at(i.HeldAt),
		})
	}
	return held, next, nil
}

// buyerKept is longer than a day lasts anywhere.
const buyerKept = 48 * time.Hour

// AdmitOrder reports whether an order is among the first of its address in its day, up to
// most. An order that was admitted once is admitted again.
//
// It writes an item of the address and the day, one write unit for each order: only
// merchants who have such a rule pay for it. DynamoDB deletes the item after two days.
func (s *Store) AdmitOrder(ctx context.Context, line order.Fulfillment, most int) (bool, error) {
	id := line.ID.OrderHalf()
	u := newUpdate(condition{"attribute_not_exists(#order) AND (attribute_not_exists(#admitted) OR #admitted < :most)", attrs{":most": number(most)}})
	u.name("#order", id)
	u.values[":here"] = number(1)
	u.sets = append(u.sets, "#order = :here") // each order is an attribute
	u.set("v", number(schema))
	u.set(ExpiresAttribute, number(line.ReceivedAt.Add(buyerKept).Unix()))
	u.add("admitted", 1)
	if of := testOf(line.Merchant, line.Side); of != "" {
		u.set("testOf", text(of))
	}
	err := s.write(ctx, u.write(s.tables.Orders, buyerKey(line)))
	if item, refused := failedCondition(err, 0); refused {
		_, admitted := item[id]
		return admitted, nil
	}
	return err == nil, wrap(err, "count the orders of an address")
}

// soldDayItem is what a merchant has sold in a day, in the catalog.
type soldDayItem struct {
	primaryKey
	V     int  `dynamodbav:"v"`
	Keys  int  `dynamodbav:"keys"`
	Limit int  `dynamodbav:"limit,omitempty"`
	Told  bool `dynamodbav:"told,omitempty"`
}

// AddSold adds keys to what a merchant has sold in the day of now, and returns the day.
func (s *Store) AddSold(ctx context.Context, merchant string, keys int, now time.Time) (catalog.Sold, error) {
	u := newUpdate(always)
	u.set("v", number(schema))
	u.add("keys", keys)
	item, err := s.writeAndRead(ctx, u.write(s.tables.Catalog, soldKey(merchant, now)))
	if err != nil {
		return catalog.Sold{}, wrap(err, "count what %s has sold", merchant)
	}
	day, err := decode[soldDayItem](item, oldestInCatalog)
	return catalog.Sold{Keys: day.Keys, Limit: day.Limit, Told: day.Told}, wrap(err, "count what %s has sold", merchant)
}

// SoldBefore returns the keys that a merchant has sold in each of the days before that of
// now, so many of them.
func (s *Store) SoldBefore(ctx context.Context, merchant string, now time.Time, days int) ([]int, error) {
	items, err := queryAs[soldDayItem](ctx, s, query{
		table: s.tables.Catalog, where: "pk = :pk AND sk BETWEEN :first AND :last",
		values: attrs{
			":pk":    text(CountsPrefix + merchant),
			":first": text(soldKey(merchant, now.AddDate(0, 0, -days)).SK),
			":last":  text(soldKey(merchant, now.AddDate(0, 0, -1)).SK),
		},
	}, oldestInCatalog)
	if err != nil {
		return nil, fmt.Errorf("read what %s has sold: %w", merchant, err)
	}
	var sold []int
	for _, item := range items {
		sold = append(sold, item.Keys)
	}
	return sold, nil
}

// SetSold stores the limit of a day, and whether the merchant was told of it.
func (s *Store) SetSold(ctx context.Context, merchant string, day catalog.Sold, now time.Time) error {
	u := newUpdate(always)
	u.set("limit", number(day.Limit))
	u.set("told", &types.AttributeValueMemberBOOL{Value: day.Told})
	return wrap(s.write(ctx, u.write(s.tables.Catalog, soldKey(merchant, now))), "store the limit of a day of %s", merchant)
}
