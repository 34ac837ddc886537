package delivery

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/retry"
)

// Feedback is one event that SES reports of a mail.
type Feedback struct {
	Item      outbox.Item
	Number    int // of the item's mails
	Event     order.EventKind
	At        time.Time
	MessageID string
	Code      string // SES's word for the reason
}

// states are the states that events bring a mail to. A delay changes nothing.
var states = map[order.EventKind]outbox.State{
	order.MailSent:       outbox.Sent,
	order.MailDelivered:  outbox.Delivered,
	order.MailBounced:    outbox.Bounced,
	order.MailComplained: outbox.Complained,
	order.MailFailed:     outbox.Failed,
	order.MailWithdrawn:  outbox.None,
}

// hourly are the notices of events that are told together, once an hour.
var hourly = map[order.EventKind]notice.Kind{
	order.MailBounced:    notice.Bounced,
	order.MailComplained: notice.Complained,
}

// applyFeedback applies an event to the item that it is about. An event of an older
// mail, or of a delay, goes to the item's history only.
func (m mailing[T]) applyFeedback(ctx context.Context, f Feedback) error {
	e := order.History{At: f.At, Event: f.Event, By: bySES, Mail: f.Number, MessageID: f.MessageID, Code: f.Code}
	err := retry.Contention.Do(ctx, func() error {
		item, ok, err := m.store.Read(ctx, f.Item.ID)
		if err != nil {
			return err
		}
		if !ok {
			slog.WarnContext(ctx, "feedback.unmatched", "item", string(m.of), "id", f.Item.ID)
			return nil
		}
		entry := *m.entry(&item)
		if f.Number != entry.Number || f.Event == order.MailDelayed {
			if h := m.kind.history(item, e); h != nil {
				return m.History.AddHistory(ctx, *h)
			}
			return nil
		}
		if !moves(entry, states[f.Event]) {
			return nil // an event that was applied, or is older than one that was
		}
		c := m.kind.apply(item, e)
		if err := m.store.Mark(ctx, c.item, c.history, c.tell); err != nil {
			return err
		}
		m.after(ctx, c, true)
		return nil
	})
	if err != nil {
		return fmt.Errorf("feedback of mail %d of %s %s: %w", f.Number, m.of, f.Item.ID, err)
	}
	return nil
}

// moves reports whether an event brings a mail further.
func moves(e outbox.Entry, next outbox.State) bool {
	if next == outbox.Failed {
		// SES found something bad in a mail that it had taken.
		return e.State == outbox.Sending || e.State == outbox.Sent || e.State == outbox.Due
	}
	return e.State.Precedes(next)
}
