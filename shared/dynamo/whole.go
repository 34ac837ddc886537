package dynamo

import (
	"context"
	"maps"
	"time"

	"keypool/shared/order"
	"keypool/shared/pool"
)

// wholeItem is what is known of an order as a whole: see order.Whole.
type wholeItem struct {
	primaryKey
	V       int `dynamodbav:"v"`
	Version int `dynamodbav:"version"`

	Merchant string `dynamodbav:"merchant"`
	Side     string `dynamodbav:"side"`
	TestOf   string `dynamodbav:"testOf,omitempty"` // see wipe.go
	Account  string `dynamodbav:"account"`
	Order    string `dynamodbav:"order"`

	Returns  []returnItem             `dynamodbav:"returns,omitempty"`
	Disputes map[string]order.Dispute `dynamodbav:"disputes,omitempty"`
	Drops    map[string]dropItem      `dynamodbav:"drops,omitempty"`

	LinkNumber  int   `dynamodbav:"linkNumber,omitempty"`
	LinkMadeAt  int64 `dynamodbav:"linkMadeAt,omitempty"`
	LinkRevoked bool  `dynamodbav:"linkRevoked,omitempty"`

	ChangedAt int64  `dynamodbav:"changedAt"`
	Due       string `dynamodbav:"due,omitempty"`
	DueAt     int64  `dynamodbav:"dueAt,omitempty"`
}

type returnItem struct {
	ID       string `dynamodbav:"id"`
	By       string `dynamodbav:"by"`
	Why      string `dynamodbav:"why,omitempty"`
	At       int64  `dynamodbav:"at"`
	Amount   string `dynamodbav:"amount,omitempty"`
	Currency string `dynamodbav:"currency,omitempty"`
	Before   bool   `dynamodbav:"beforePayment,omitempty"`
	KeysBack string `dynamodbav:"keysBack,omitempty"`
	Refund   string `dynamodbav:"refund,omitempty"`
	FailedAt int64  `dynamodbav:"failedAt,omitempty"`
	BackAt   int64  `dynamodbav:"givenBackAt,omitempty"`
}

type dropItem struct {
	By  string `dynamodbav:"by"`
	Why string `dynamodbav:"why,omitempty"`
	At  int64  `dynamodbav:"at"`
}

func newWholeItem(w order.Whole) wholeItem {
	item := wholeItem{
		primaryKey: wholeKey(w.ID), V: schema, Version: w.Version,
		Merchant: w.Merchant, Side: string(w.Side), TestOf: testOf(w.Merchant, w.Side), Account: w.Account, Order: w.Order,
		Disputes: maps.Clone(w.Disputes), ChangedAt: millis(w.ChangedAt), DueAt: millis(w.DueAt),
		LinkNumber: w.Link.Number, LinkMadeAt: millis(w.Link.MadeAt), LinkRevoked: w.Link.Revoked,
	}
	for _, r := range w.Returns {
		item.Returns = append(item.Returns, returnItem{
			ID: r.ID, By: r.By, Why: r.Why, At: millis(r.At), Amount: r.Amount, Currency: r.Currency, Before: r.BeforePayment,
			KeysBack: string(r.KeysBack), Refund: r.Refund, FailedAt: millis(r.FailedAt), BackAt: millis(r.GivenBackAt),
		})
	}
	for id, d := range w.Drops {
		if item.Drops == nil {
			item.Drops = map[string]dropItem{}
		}
		item.Drops[id] = dropItem{d.By, d.Why, millis(d.At)}
	}
	if !w.DueAt.IsZero() {
		item.Due = duePartition(w.ID)
	}
	return item
}

func decodeWhole(item attrs) (order.Whole, error) {
	i, err := decode[wholeItem](item, oldestInOrders)
	if err != nil {
		return order.Whole{}, err
	}
	id, _ := i.whole()
	w := order.Whole{
		ID: id, Version: i.Version,
		Merchant: i.Merchant, Side: pool.Side(i.Side), Account: i.Account, Order: i.Order,
		Disputes: i.Disputes, ChangedAt: at(i.ChangedAt), DueAt: at(i.DueAt),
		Link: order.PageLink{Number: i.LinkNumber, MadeAt: at(i.LinkMadeAt), Revoked: i.LinkRevoked},
	}
	for _, r := range i.Returns {
		w.Returns = append(w.Returns, order.Return{
			ID: r.ID, By: r.By, Why: r.Why, At: at(r.At), Amount: r.Amount, Currency: r.Currency, BeforePayment: r.Before,
			KeysBack: order.Disposition(r.KeysBack), Refund: r.Refund, FailedAt: at(r.FailedAt), GivenBackAt: at(r.BackAt),
		})
	}
	for id, d := range i.Drops {
		if w.Drops == nil {
			w.Drops = map[string]order.Drop{}
		}
		w.Drops[id] = order.Drop{By: d.By, Why: d.Why, At: at(d.At)}
	}
	return w, nil
}

// Whole returns what is known of an order as a whole, of version 0 if that is nothing:
// one consistent read.
func (s *Store) Whole(ctx context.Context, orderID string) (order.Whole, error) {
	item, err := s.get(ctx, s.tables.Orders, wholeKey(orderID))
	if err != nil || item == nil {
		return order.Whole{ID: orderID}, wrap(err, "read what is known of an order")
	}
	w, err := decodeWhole(item)
	return w, wrap(err, "read what is known of an order")
}

// PutWhole stores what is known of an order, if no more is known than w was made of, and if
// lines are as they were seen. Its error is retry.ErrChanged otherwise. It is one write or,
// with lines, a transaction: of up to order.MaxItems-1 of them.
func (s *Store) PutWhole(ctx context.Context, w order.Whole, seen ...order.LineVersion) error {
	before := w.Version
	w.Version++
	write := put(s.tables.Orders, encode(newWholeItem(w)), locked(before))
	if len(seen) == 0 {
		return wrap(s.write(ctx, write), "store what is known of an order")
	}
	var tx transaction
	tx.add(write)
	for _, line := range seen {
		tx.add(check(s.tables.Orders, lineKey(line.Line), atVersion(line.Version)))
	}
	return wrap(s.transact(ctx, &tx), "store what is known of an order")
}

// Refunded reports whether a line has a refund, by the platform's id of it.
func (s *Store) Refunded(ctx context.Context, id order.LineID, refund string) (bool, error) {
	item, err := s.get(ctx, s.tables.Orders, refundKey(id, refund))
	return item != nil, wrap(err, "look for a refund of line %s", id)
}

// SetWholeDue changes the time at which the sweep applies what is known of an order;
// zero: never. Nothing else changes, not even the version: whoever reads what is known
// reads the same. Its error is retry.ErrChanged if more is known than was seen.
func (s *Store) SetWholeDue(ctx context.Context, w order.Whole, dueAt time.Time) error {
	u := newUpdate(atVersion(w.Version))
	if dueAt.IsZero() {
		u.remove("due")
		u.remove("dueAt")
	} else {
		u.set("due", text(duePartition(w.ID)))
		u.set("dueAt", number(millis(dueAt)))
	}
	return wrap(s.write(ctx, u.write(s.tables.Orders, wholeKey(w.ID))), "set when an order is due")
}

// Order returns the lines of an order, each with its first keys only, and what is known of
// it as a whole: one consistent query, since they stand side by side.
func (s *Store) Order(ctx context.Context, orderID string) (lines []order.Fulfillment, w order.Whole, err error) {
	w = order.Whole{ID: orderID}
	items, err := s.items(ctx, query{
		table: s.tables.Orders, consistent: true, where: "pk = :pk AND sk BETWEEN :lines AND :whole",
		values: attrs{":pk": text(orderPK(orderID)), ":lines": text(lineSort), ":whole": text(orderSort)},
	})
	if err != nil {
		return nil, w, wrap(err, "read an order")
	}
	for _, item := range items {
		key := keyOf(item)
		if _, is := key.whole(); is {
			w, err = decodeWhole(item)
		} else if _, is := key.line(); is {
			var line order.Fulfillment
			line, err = decodeFulfillment(item)
			lines = append(lines, line)
		}
		if err != nil {
			return nil, w, wrap(err, "read an order")
		}
	}
	return lines, w, nil
}
