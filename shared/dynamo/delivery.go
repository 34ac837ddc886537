package dynamo

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// LeaseLine takes the line's mail for one mailer and returns the line as it stands
// with the lease: one conditional write, and a consistent query for the keys that
// do not fit in the line's own item. Again says that another mailer's lease ended
// without a mark. Not ok: there is nothing to be mailed now.
func (s *Store) LeaseLine(ctx context.Context, id order.LineID, now time.Time) (order.Fulfillment, bool, bool, error) {
	av, again, err := s.lease(ctx, lineKey(id), now)
	if av == nil || err != nil {
		return order.Fulfillment{}, false, false, err
	}
	f, err := decodeFulfillment(av)
	if err != nil {
		return order.Fulfillment{}, false, false, fmt.Errorf("%w: %w", outbox.ErrUnreadable, err)
	}
	if f.Chunks > 0 {
		chunks, err := s.Chunks(ctx, id)
		if err != nil {
			return order.Fulfillment{}, false, false, err
		}
		for _, chunk := range chunks {
			if chunk.Version > f.Version { // it may not hold what the line held when it was leased
				return order.Fulfillment{}, false, false, fmt.Errorf("read the keys of line %s: %w", id, retry.ErrChanged)
			}
			f.Keys = append(f.Keys, chunk.Keys...)
		}
	}
	return f, again, true, nil
}

// LeaseNotice takes the mail of a notice as LeaseLine takes that of a line.
func (s *Store) LeaseNotice(ctx context.Context, id string, now time.Time) (notice.Notice, bool, error) {
	av, _, err := s.lease(ctx, noticeKey(id), now)
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
// failed condition shows the item. If another mailer's lease ended there, that
// mail may have gone out, so this one is the next number.
//
// The lease is signed with a random word. If the answer to our own write is lost
// and the SDK repeats the write, the failed condition shows our word: the lease is ours.
func (s *Store) lease(ctx context.Context, key primaryKey, now time.Time) (item attrs, again bool, err error) {
	leased, signed := outbox.Entry{}.Leased(now), word(ctx)
	item, err = s.writeAndRead(ctx, types.TransactWriteItem{Update: &types.Update{
		TableName:           aws.String(s.tables.Orders),
		Key:                 key.attrs(),
		UpdateExpression:    aws.String("SET mail = :sending, leaseEndsAt = :ends, leaseBy = :word, version = version + :one REMOVE tryAt, code"),
		ConditionExpression: aws.String("mail = :due AND attribute_not_exists(leaseEndsAt) AND (attribute_not_exists(tryAt) OR tryAt <= :now)"),
		ExpressionAttributeValues: attrs{
			":sending": text(string(leased.State)), ":ends": number(millis(leased.LeaseEndsAt)), ":word": text(signed), ":one": number(1),
			":due": text(string(outbox.Due)), ":now": number(millis(now)),
		},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}})
	if err == nil {
		return item, false, nil
	}
	there, item, err := leaseOf(err)
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
	update := s.mailUpdate(key, there.Version, entry.Leased(now))
	update.set("leaseBy", text(signed))
	item, err = s.writeAndRead(ctx, update.write(s.tables.Orders, key))
	if err == nil {
		return item, entry.Lapsed(), nil
	}
	there, item, err = leaseOf(err)
	if err != nil || there.LeaseBy != signed {
		return nil, false, err // another mailer was faster
	}
	return item, entry.Lapsed(), nil
}

// leaseItem is the part of an item that a lease is decided by.
type leaseItem struct {
	Version int    `dynamodbav:"version"`
	LeaseBy string `dynamodbav:"leaseBy"`
	outboxItem
}

// leaseOf reads the item that a lease was refused for, nil if there is none. Any
// other error is returned.
func leaseOf(err error) (leaseItem, attrs, error) {
	item, is := refusedAt(err, 0)
	if !is || item == nil {
		if is {
			err = nil
		}
		return leaseItem{}, nil, err
	}
	there, err := decode[leaseItem](item, everyVersion)
	if err != nil {
		return leaseItem{}, nil, fmt.Errorf("%w: %w", outbox.ErrUnreadable, err)
	}
	return there, item, nil
}

// mailUpdate returns the change of an item's outbox entry, if the item is still at
// that version.
func (s *Store) mailUpdate(key primaryKey, version int, e outbox.Entry) *update {
	u := newUpdate(atVersion(version))
	u.set("version", number(version+1))
	entry := make(attrs, len(outboxNames))
	newOutboxItem(e, mailName(key)).addTo(entry)
	for _, name := range outboxNames {
		if value, ok := entry[name]; ok {
			u.set(name, value)
		} else {
			u.remove(name)
		}
	}
	return u
}

// outboxNames are the attributes of an outboxItem.
var outboxNames = []string{"mail", "mailKind", "mailNumber", "tries", "tryAt", "leaseEndsAt", "due", "dueAt", "messageId", "code"}

// mailName is the name that decides where an item stands in the index of what is
// due: see newOutboxItem.
func mailName(key primaryKey) string {
	if id, ok := key.line(); ok {
		return string(id)
	}
	id, _ := key.notice()
	return id
}

// MarkLine writes how far a line's mail has come. It returns retry.ErrChanged if
// the line is not at its version any more.
func (s *Store) MarkLine(ctx context.Context, f order.Fulfillment, history *order.History, tell *notice.Notice) error {
	u := s.mailUpdate(lineKey(f.ID), f.Version, f.Mail)
	u.set("counted", number(f.Counted))
	return wrap(s.mark(ctx, u.write(s.tables.Orders, lineKey(f.ID)), history, tell), "mark the mail of line %s", f.ID)
}

// MarkNotice writes how far a notice's mail has come, as MarkLine does of a line.
func (s *Store) MarkNotice(ctx context.Context, n notice.Notice, tell *notice.Notice) error {
	u := s.mailUpdate(noticeKey(n.ID), n.Version, n.Mail)
	return wrap(s.mark(ctx, u.write(s.tables.Orders, noticeKey(n.ID)), nil, tell), "mark the mail of a notice")
}

// mark makes a write alone or, with history or a notice, as a transaction. That is
// tried again if another mailer adds to the same notice meanwhile.
func (s *Store) mark(ctx context.Context, write types.TransactWriteItem, history *order.History, tell *notice.Notice) error {
	if history == nil && tell == nil {
		return s.write(ctx, write)
	}
	const marked = 0 // the position of the write
	return insist(ctx, func() error {
		var tx transaction
		tx.add(write)
		if tell != nil {
			told, ok, err := s.told(ctx, *tell)
			if err != nil {
				return err
			}
			if ok {
				tx.add(told)
			}
		}
		if history != nil {
			tx.add(s.historyPut(*history))
		}
		return s.transact(ctx, &tx)
	}, func(err error) bool {
		_, changed := refusedAt(err, marked)
		return changed
	})
}

// told returns the write that stores a notice, false if the notice is there. A
// notice of those that are told together is added to the one that is there.
func (s *Store) told(ctx context.Context, n notice.Notice) (types.TransactWriteItem, bool, error) {
	there, ok, err := s.Notice(ctx, n.ID)
	switch {
	case err != nil:
		return types.TransactWriteItem{}, false, err
	case !ok:
		return noticePut(s.tables.Orders, n), true, nil
	case !n.Kind.Together():
		return types.TransactWriteItem{}, false, nil
	case !there.TakesMore():
		return s.told(ctx, n.Rest())
	}
	return put(s.tables.Orders, encode(newNoticeItem(there.With(n))), atVersion(there.Version)), true, nil
}

// historyItem is one thing that happened to a line.
type historyItem struct {
	primaryKey
	V int `dynamodbav:"v"`

	At        int64  `dynamodbav:"at"`
	What      string `dynamodbav:"what"`
	By        string `dynamodbav:"by"`
	Mail      int    `dynamodbav:"mailOf,omitempty"` // not mail: the stream's filter is on that
	MessageID string `dynamodbav:"messageId,omitempty"`
	Code      string `dynamodbav:"code,omitempty"`
}

// AddHistory adds to a line's history. The same entry twice is stored once.
func (s *Store) AddHistory(ctx context.Context, h order.History) error {
	err := s.write(ctx, s.historyPut(h))
	return wrap(err, "add to the history of line %s", h.Line)
}

func (s *Store) historyPut(h order.History) types.TransactWriteItem {
	return put(s.tables.Orders, encode(historyItem{
		primaryKey: historyKey(h), V: schema,
		At: millis(h.At), What: string(h.What), By: h.By, Mail: h.Mail, MessageID: h.MessageID, Code: h.Code,
	}), always)
}

// History returns a line's history, oldest first.
func (s *Store) History(ctx context.Context, id order.LineID) ([]order.History, error) {
	items, err := queryAs[historyItem](ctx, s, withPrefix(s.tables.Orders, orderPK(id.Order()), historySK(id)), everyVersion)
	if err != nil {
		return nil, fmt.Errorf("read the history of line %s: %w", id, err)
	}
	history := make([]order.History, len(items))
	for i, item := range items {
		history[i] = order.History{
			Line: id, At: at(item.At), What: order.Happening(item.What), By: item.By,
			Mail: item.Mail, MessageID: item.MessageID, Code: item.Code,
		}
	}
	return history, nil
}

// AddTaken adds to the count of a pool side's taken keys that is shown.
func (s *Store) AddTaken(ctx context.Context, p pool.ID, n int) error {
	u := newUpdate(always)
	u.set("v", number(schema))
	u.add("taken", n)
	err := s.write(ctx, u.write(s.tables.Catalog, countKey(p)))
	return wrap(err, "count %d taken keys of %s", n, p)
}
