package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/sync/semaphore"

	"keypool/shared/mail"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/retry"
)

// The actors in the history that this package writes.
const (
	byDeliver = "deliver"
	bySES     = "ses"
)

// mailing mails the items of one kind: it leases, composes, sends and marks.
type mailing[T any] struct {
	*Mailer
	of    outbox.ItemKind
	store Store[T]
	kind  kind[T]
	entry func(*T) *outbox.Entry // of the item
}

// kind is what differs between the kinds of items. Events are those of the item's
// mail: At, Event, By, Mail, MessageID and Code are set.
type kind[T any] interface {
	// weight returns the bytes of the keys in an item's mail.
	weight(item T) int64

	// compose makes the mail that is due, with its tags. It is not ok if nothing is
	// left to say.
	compose(ctx context.Context, item T) (m mail.Message, ok bool, err error)

	// send hands a mail to SES.
	send(ctx context.Context, made mail.Message) (messageID string, err error)

	// apply returns the change that an event makes of an item.
	apply(item T, e order.History) change[T]

	// putOff returns the change that has the mail of an item tried later; of an item that
	// has nothing to say by now, or that is told otherwise, it takes the mail back.
	putOff(item T, why *putOff) change[T]

	// history returns an event as an entry of the item's history, nil if items of the
	// kind have none.
	history(item T, e order.History) *order.History
}

// change is a change of an item by an event of its mail.
type change[T any] struct {
	item    T
	history *order.History // stored with the item
	tell    *notice.Notice // stored with the item

	// then is called at the end; nil: nothing. Stored says that the item surely is:
	// otherwise it was, but the answer was lost, or it was changed meanwhile.
	then func(ctx context.Context, stored bool)

	// note is added to the history once the item is stored. It is best effort: the
	// item itself says the same.
	note *order.History
}

// mail leases, sends and marks the mail of one item that is due.
func (m mailing[T]) mail(ctx context.Context, id string, room *semaphore.Weighted) error {
	item, again, ok, err := m.store.Lease(ctx, id, m.Now())
	if err != nil {
		return fmt.Errorf("lease the mail of %s %s: %w", m.of, id, err)
	}
	if !ok {
		return nil
	}
	leased := *m.entry(&item)
	if again {
		m.noteUncertain(ctx, id, item)
	}
	messageID, sent, err := m.composeAndSend(ctx, item, room)
	e := order.History{At: m.Now(), By: byDeliver, Mail: leased.Number}
	var later *putOff
	switch {
	case err == nil && sent:
		e.Event, e.MessageID = order.MailSent, messageID
	case err == nil:
		e.Event = order.MailWithdrawn
	case errors.As(err, &later):
		slog.InfoContext(ctx, "mail.put_off", "item", string(m.of), "id", id, "mail", leased.Number, "reason", err.Error())
		return m.mark(ctx, id, item, func(item T) change[T] { return m.kind.putOff(item, later) })
	default:
		logFault(ctx, err, leased.Tries, "item", string(m.of), "id", id, "mail", leased.Number)
		fault := faultOf(err)
		switch fault.Fault {
		case mail.Unknown:
			return nil // the lease runs out; by then SES has reported the mail, or it is sent again
		case mail.Permanent:
			e.Event, e.Code = order.MailFailed, fault.Code
		default:
			return m.mark(ctx, id, item, func(item T) change[T] {
				entry := m.entry(&item)
				*entry = entry.Retry(fault.Code, m.Now())
				return change[T]{item: item}
			})
		}
	}
	return m.mark(ctx, id, item, func(item T) change[T] { return m.kind.apply(item, e) })
}

// composeAndSend sends the item's mail. It sends nothing if nothing is left to say. It
// waits until there is room for the mail's keys; a mail without keys needs none.
func (m mailing[T]) composeAndSend(ctx context.Context, item T, room *semaphore.Weighted) (messageID string, sent bool, err error) {
	if weight := min(m.kind.weight(item), keyBytes); weight > 0 {
		if err := room.Acquire(ctx, weight); err != nil {
			return "", false, fmt.Errorf("wait for room: %w", err)
		}
		defer room.Release(weight)
	}
	message, ok, err := m.kind.compose(ctx, item)
	if err != nil || !ok {
		return "", false, err
	}
	messageID, err = m.kind.send(ctx, message)
	return messageID, err == nil, err
}

// noteUncertain records that nobody knows whether the mail before this one went out.
func (m mailing[T]) noteUncertain(ctx context.Context, id string, item T) {
	number := m.entry(&item).Number
	level := slog.LevelWarn
	if number >= alarmTries {
		level = slog.LevelError // something kills every mailer of this item
	}
	slog.Log(ctx, level, "mail.repeated", "item", string(m.of), "id", id, "mail", number-1)
	m.addNote(ctx, m.kind.history(item, order.History{At: m.Now(), Event: order.MailUncertain, By: byDeliver, Mail: number - 1}))
}

// mark stores the change of an item whose mail was leased. It goes on trying after
// the end of the invocation's time, since a mail that is not marked is sent again.
//
// If a try fails, the item is read again: it may have been changed, or be marked
// although the answer was lost.
func (m mailing[T]) mark(ctx context.Context, id string, item T, apply func(T) change[T]) error {
	ctx = context.WithoutCancel(ctx)
	leased := *m.entry(&item)
	for try := 1; ; try++ {
		c := apply(item)
		err := m.store.Mark(ctx, c.item, c.history, c.tell)
		stored := err == nil
		if err != nil {
			there, ok, unread := m.store.Read(ctx, id)
			switch {
			case unread != nil:
			case !ok || !sameLease(*m.entry(&there), leased):
				err = nil // nothing is left to mark
			default:
				item = there
			}
		}
		if err == nil {
			m.after(ctx, c, stored)
			return nil
		}
		if try == markTries {
			return fmt.Errorf("mark the mail of %s %s: %w", m.of, id, err)
		}
		if err := retry.For(err).Wait(ctx, try); err != nil {
			return err
		}
	}
}

// sameLease reports whether an item's mail is still leased as before. It is not if
// SES's feedback came first, or if the item has another mail due by now.
func sameLease(there, before outbox.Entry) bool {
	return there.State == outbox.Sending && there.Number == before.Number && there.LeaseEndsAt.Equal(before.LeaseEndsAt)
}

// after does what follows a change.
func (m mailing[T]) after(ctx context.Context, c change[T], stored bool) {
	if c.then != nil {
		c.then(ctx, stored)
	}
	m.addNote(ctx, c.note)
}

// addNote adds to a history, if there is anything to add. History is best effort: a
// lost entry does not affect delivery.
func (m *Mailer) addNote(ctx context.Context, h *order.History) {
	if h == nil {
		return
	}
	if err := m.History.AddHistory(ctx, *h); err != nil {
		slog.WarnContext(ctx, "history.lost", "line", string(h.Line), "mail", h.Mail, "event_kind", string(h.Event), "error", err)
	}
}
