package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"keypool/shared/due"
	"keypool/shared/outbox"
	"keypool/shared/retry"
)

// Due calls see with each item of a partition that is due, those of orders first
// and the longest due first, until see returns false. The index lags: each item is
// read from its table, consistently, and passed over if it is not due there. Items
// that cannot be read are told in the error and stop no other.
func (s *Store) Due(ctx context.Context, partition int, now time.Time, see func(due.Item) bool) error {
	more, ordersErr := s.dueIn(ctx, s.tables.Orders, partition, now, decodeDueOrder, see)
	if !more {
		return ordersErr
	}
	_, catalogErr := s.dueIn(ctx, s.tables.Catalog, partition, now, decodeDueInCatalog, see)
	return errors.Join(ordersErr, catalogErr)
}

// dueItem decodes an item of a table, and returns when it is due according to itself.
type dueItem func(attrs) (due.Item, time.Time, error)

func (s *Store) dueIn(ctx context.Context, table string, partition int, now time.Time, decode dueItem, see func(due.Item) bool) (more bool, err error) {
	var unreadable []error
	for page, err := range s.pages(ctx, query{
		table: table, index: dueIndex, pageSize: batchGetKeys,
		where: "due = :due AND dueAt <= :now", values: attrs{":due": text(dueName(partition)), ":now": number(millis(now))},
	}) {
		if err != nil {
			return true, errors.Join(append(unreadable, fmt.Errorf("look for what is due in partition %d: %w", partition, err))...)
		}
		found, err := s.readAll(ctx, table, page.Items)
		if err != nil {
			return true, errors.Join(append(unreadable, fmt.Errorf("read what is due in partition %d: %w", partition, err))...)
		}
		for _, av := range found {
			item, dueAt, err := decode(av)
			if err != nil {
				unreadable = append(unreadable, err)
				continue
			}
			if dueAt.IsZero() || dueAt.After(now) {
				continue
			}
			if !see(item) {
				return false, errors.Join(unreadable...)
			}
		}
	}
	return true, errors.Join(unreadable...)
}

// readAll reads the items that an index showed, consistently and in the index's
// order; those that are there no more are left out.
func (s *Store) readAll(ctx context.Context, table string, shown []attrs) ([]attrs, error) {
	var keys []attrs
	for _, item := range shown {
		keys = append(keys, keyOf(item).attrs())
	}
	there, err := s.batchGet(ctx, retry.Throttling, table, keys)
	if err != nil {
		return nil, err
	}
	found := make(map[primaryKey]attrs, len(there))
	for _, item := range there {
		found[keyOf(item)] = item
	}
	var items []attrs
	for _, item := range shown {
		if now, ok := found[keyOf(item)]; ok {
			items = append(items, now)
		}
	}
	return items, nil
}

func decodeDueOrder(item attrs) (due.Item, time.Time, error) {
	if _, ok := keyOf(item).notice(); ok {
		n, err := decodeNotice(item)
		return due.Item{Notice: &n}, n.Mail.DueAt, err
	}
	if _, ok := keyOf(item).whole(); ok {
		w, err := decodeWhole(item)
		return due.Item{Order: &w}, w.DueAt, err
	}
	f, err := decodeFulfillment(item)
	return due.Item{Line: &f}, f.Mail.DueAt, err
}

func decodeDueInCatalog(item attrs) (due.Item, time.Time, error) {
	if _, _, ok := keyOf(item).job(); ok {
		i, err := decode[jobItem](item, oldestInCatalog)
		j := i.job()
		return due.Item{Job: &j}, j.DueAt, err
	}
	if keyOf(item).sender() {
		i, err := decode[senderItem](item, oldestInCatalog)
		s := i.sender()
		return due.Item{Sender: &s}, s.DueAt, err
	}
	i, err := decode[uploadItem](item, oldestInCatalog)
	u := i.upload()
	return due.Item{Upload: &u}, u.DueAt, err
}

// SetMail changes the outbox entry of an item, and nothing else of it. It returns
// retry.ErrChanged if the item is not at the version that was seen.
func (s *Store) SetMail(ctx context.Context, item outbox.Item, version int, to outbox.Entry) error {
	key := mailKey(item)
	return wrap(s.write(ctx, s.mailUpdate(key, version, to).write(s.tables.Orders, key)), "set a mail")
}
