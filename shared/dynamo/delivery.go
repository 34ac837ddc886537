package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/retry"
)

// Mails leases, reads and marks the mails of one kind of item.
type Mails[T any] struct {
	store  *Store
	of     func(id string) outbox.Item
	decode func(attrs) (T, error)

	// whole adds the parts of an item that are items of their own; nil: it has none.
	whole func(ctx context.Context, item T) (T, error)

	// update returns the change of an item to its outbox entry, if the item is still at
	// its version.
	update func(item T) (primaryKey, *update)
}

// LineMails are the mails of lines. A leased line has all its keys.
func (s *Store) LineMails() *Mails[order.Fulfillment] {
	return &Mails[order.Fulfillment]{
		store: s, of: outbox.LineItem, decode: decodeFulfillment, whole: s.wholeLine,
		update: func(f order.Fulfillment) (primaryKey, *update) {
			u := s.mailUpdate(lineKey(f.ID), f.Version, f.Mail)
			if partition, since := attentionPlace(f); partition != "" {
				u.set("attention", text(partition))
				u.set("since", number(since))
			} else {
				u.remove("attention")
				u.remove("since")
			}
			if len(f.Takes) == 0 {
				u.remove("takes")
			}
			return lineKey(f.ID), u
		},
	}
}

// NoticeMails are the mails of notices.
func (s *Store) NoticeMails() *Mails[notice.Notice] {
	return &Mails[notice.Notice]{
		store: s, of: outbox.NoticeItem, decode: decodeNotice,
		update: func(n notice.Notice) (primaryKey, *update) {
			return noticeKey(n.ID), s.mailUpdate(noticeKey(n.ID), n.Version, n.Mail)
		},
	}
}

// mailKey returns the primary key of an item that is mailed.
func mailKey(item outbox.Item) primaryKey {
	if item.Kind == outbox.Lines {
		return lineKey(order.LineID(item.ID))
	}
	return noticeKey(item.ID)
}

// Lease takes the mail of an item for one mailer and returns the item as it stands
// with the lease: one conditional write and, for keys that do not fit in a line's
// own item, a consistent query. Again says that another mailer's lease ended without
// a mark. Not ok: there is nothing to be mailed now.
func (m *Mails[T]) Lease(ctx context.Context, id string, now time.Time) (leased T, again, ok bool, err error) {
	var none T
	av, again, err := m.store.lease(ctx, mailKey(m.of(id)), now)
	if av == nil || err != nil {
		return none, false, false, err
	}
	item, err := m.decode(av)
	if err != nil {
		return none, false, false, err
	}
	if m.whole != nil {
		if item, err = m.whole(ctx, item); err != nil {
			return none, false, false, err
		}
	}
	return item, again, true, nil
}

// wholeLine adds the keys that do not fit in the line's own item. A chunk that was
// changed after the lease is left out, since it may not hold what the line held then:
// the line shows that it lacks keys.
func (s *Store) wholeLine(ctx context.Context, f order.Fulfillment) (order.Fulfillment, error) {
	if f.Chunks == 0 {
		return f, nil
	}
	chunks, err := s.Chunks(ctx, f.ID)
	if err != nil {
		return f, err
	}
	for _, chunk := range chunks {
		if chunk.Version <= f.Version {
			f.Keys = append(f.Keys, chunk.Keys...)
		}
	}
	return f, nil
}

// Read returns an item as it stands, a line with its first keys only: one
// consistent read.
func (m *Mails[T]) Read(ctx context.Context, id string) (item T, ok bool, err error) {
	av, err := m.store.get(ctx, m.store.tables.Orders, mailKey(m.of(id)))
	if err != nil || av == nil {
		return item, false, wrap(err, "read %s %s", m.of(id).Kind, id)
	}
	item, err = m.decode(av)
	return item, err == nil, err
}

// Mark stores the outbox entry of an item. It returns retry.ErrChanged if the item is
// not at its version any more. It is one write alone or, with history or a notice, a
// transaction. That is tried again if another mailer adds to the same notice meanwhile,
// and not if the tables are throttled.
func (m *Mails[T]) Mark(ctx context.Context, item T, history *order.History, tell *notice.Notice) error {
	s := m.store
	key, u := m.update(item)
	write := u.write(s.tables.Orders, key)
	if history == nil && tell == nil {
		return wrap(s.write(ctx, write), "mark a mail")
	}
	const marked = 0 // the position of the write
	err := retryUnless(ctx, func() error {
		var tx transaction
		tx.add(write)
		if tell != nil {
			noticed, ok, err := s.noticeWrite(ctx, *tell)
			if err != nil {
				return err
			}
			if ok {
				tx.add(noticed)
			}
		}
		if history != nil {
			tx.add(s.historyPut(*history))
		}
		return s.transact(ctx, &tx)
	}, func(err error) bool {
		_, changed := failedCondition(err, marked)
		return changed || errors.Is(err, retry.ErrThrottled)
	})
	return wrap(err, "mark a mail")
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
	leased, signed := outbox.Entry{}.Leased(now), randomHex(ctx)
	first := types.TransactWriteItem{Update: &types.Update{
		TableName:           aws.String(s.tables.Orders),
		Key:                 key.attrs(),
		UpdateExpression:    aws.String("SET mail = :sending, leaseEndsAt = :ends, leaseBy = :word, version = version + :one REMOVE tryAt, code"),
		ConditionExpression: aws.String("mail = :due AND attribute_not_exists(leaseEndsAt) AND (attribute_not_exists(tryAt) OR tryAt <= :now)"),
		ExpressionAttributeValues: attrs{
			":sending": text(string(leased.State)), ":ends": number(millis(leased.LeaseEndsAt)), ":word": text(signed), ":one": number(1),
			":due": text(string(outbox.Due)), ":now": number(millis(now)),
		},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}
	// A transaction on the item, such as fill's, is over in a moment. If its writer left
	// the mail due, no other record of the stream tells so.
	err = retryUnless(ctx, func() error {
		item, err = s.writeAndRead(ctx, first)
		return err
	}, anyConditionFailed)
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
	second := update.write(s.tables.Orders, key)
	err = retryUnless(ctx, func() error {
		item, err = s.writeAndRead(ctx, second)
		return err
	}, anyConditionFailed)
	if err == nil {
		return item, entry.LeaseExpired(), nil
	}
	there, item, err = leaseOf(err)
	if err != nil || there.LeaseBy != signed {
		return nil, false, err // another mailer was faster
	}
	return item, entry.LeaseExpired(), nil
}

// leaseItem is the part of an item that a lease is decided by.
type leaseItem struct {
	Version int    `dynamodbav:"version"`
	LeaseBy string `dynamodbav:"leaseBy"`
	outboxItem
}

// leaseOf reads the item that failed the condition of a lease, nil if there is none.
// Any other error is returned.
func leaseOf(err error) (leaseItem, attrs, error) {
	item, is := failedCondition(err, 0)
	if !is || item == nil {
		if is {
			err = nil
		}
		return leaseItem{}, nil, err
	}
	there, err := decode[leaseItem](item, oldestInOrders)
	return there, item, err
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
var outboxNames = []string{"mail", "mailKind", "mailNumber", "tries", "tryAt", "leaseEndsAt", "due", "dueAt", "messageId", "code", "failedAt", "keysOut"}

// mailName is the name that decides where an item stands in the index of what is
// due: see newOutboxItem.
func mailName(key primaryKey) string {
	if id, ok := key.line(); ok {
		return string(id)
	}
	id, _ := key.notice()
	return id
}

// noticeWrite returns the write that stores a notice, false if the notice is there. A
// notice that gathers events is merged with the one that is there: see notice.Gather.
func (s *Store) noticeWrite(ctx context.Context, n notice.Notice) (types.TransactWriteItem, bool, error) {
	there, ok, err := s.Notice(ctx, n.ID)
	switch {
	case err != nil:
		return types.TransactWriteItem{}, false, err
	case !ok:
		if before, depends := n.Before(); depends {
			_, rush, err := s.Notice(ctx, before)
			if err != nil {
				return types.TransactWriteItem{}, false, err
			}
			if rush {
				n = n.Held()
			}
		}
		return noticePut(s.tables.Orders, n), true, nil
	case !n.Kind.Gathered(), there.Tells(n):
		return types.TransactWriteItem{}, false, nil
	case !there.Open():
		return s.noticeWrite(ctx, n.Overflow())
	}
	return put(s.tables.Orders, encode(newNoticeItem(there.Merge(n))), atVersion(there.Version)), true, nil
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
		At: millis(h.At), What: string(h.Event), By: h.By, Mail: h.Mail, MessageID: h.MessageID, Code: h.Code,
	}), always)
}

// History returns a line's history, oldest first.
func (s *Store) History(ctx context.Context, id order.LineID) ([]order.History, error) {
	all, err := s.histories(ctx, id.OrderHalf(), historySK(id))
	return all[id], err
}

// OrderHistory returns the history of each line of an order, oldest first.
func (s *Store) OrderHistory(ctx context.Context, orderID string) (map[order.LineID][]order.History, error) {
	return s.histories(ctx, orderID, historySort)
}

func (s *Store) histories(ctx context.Context, orderID, prefix string) (map[order.LineID][]order.History, error) {
	items, err := s.historyItems(ctx, orderID, prefix)
	if err != nil {
		return nil, fmt.Errorf("read the history of order %s: %w", orderID, err)
	}
	all := map[order.LineID][]order.History{}
	for _, item := range items {
		id := item.ofLine()
		all[id] = append(all[id], order.History{
			Line: id, At: at(item.At), Event: order.EventKind(item.What), By: item.By,
			Mail: item.Mail, MessageID: item.MessageID, Code: item.Code,
		})
	}
	return all, nil
}

// historyItems returns the entries of an order whose sort keys begin so.
func (s *Store) historyItems(ctx context.Context, orderID, prefix string) ([]historyItem, error) {
	return queryAs[historyItem](ctx, s, withPrefix(s.tables.Orders, orderPK(orderID), prefix), oldestInOrders)
}

// EraseWords takes the codes of those entries of a line's history away that hold what a person
// wrote. An entry stays where it is, and is never stored again.
func (s *Store) EraseWords(ctx context.Context, id order.LineID) error {
	items, err := s.historyItems(ctx, id.OrderHalf(), historySK(id))
	for _, item := range items {
		if err == nil && (order.History{By: item.By, Code: item.Code}).Words() {
			item.Code = ""
			err = s.write(ctx, put(s.tables.Orders, encode(item), always))
		}
	}
	return wrap(err, "erase the history of line %s", id)
}
