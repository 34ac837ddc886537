package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/semaphore"

	"keypool/shared/catalog"
	"keypool/shared/mail"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/retry"
)

// Who writes history here.
const (
	byDeliver = "deliver"
	bySES     = "ses"
)

// mailLine leases, mails and marks what is due of a line, once there is room for its keys.
func (m *Mailer) mailLine(ctx context.Context, id order.LineID, room *semaphore.Weighted, taken *takings) error {
	f, again, ok, err := m.Lines.LeaseLine(ctx, id, m.Now())
	if err != nil {
		return fmt.Errorf("lease the mail of line %s: %w", id, err)
	}
	if !ok {
		return nil
	}
	if again {
		level := slog.LevelWarn
		if f.Mail.Number >= stubborn {
			level = slog.LevelError // something kills every mailer of this line
		}
		slog.Log(ctx, level, "nobody knows whether a mail went out, sent again", "line", string(id), "mail", f.Mail.Number-1)
		m.remember(ctx, order.History{Line: id, At: m.Now(), What: order.MailUncertain, By: byDeliver, Mail: f.Mail.Number - 1})
	}
	if nothingToSay(f) {
		return m.markLine(ctx, f, func(f order.Fulfillment) mark {
			return mark{
				Mail:    settled(f, outbox.None, "", "", m.Now()),
				Counted: f.Counted,
				History: happened(f, order.MailWithdrawn, "", m.Now()),
			}
		})
	}

	weight := int64(0)
	for _, key := range f.Keys {
		weight += int64(len(key.Text.Reveal()))
	}
	weight = min(weight, keyBytes)
	if err := room.Acquire(ctx, weight); err != nil {
		return fmt.Errorf("mail line %s: %w", id, err)
	}
	messageID, err := m.sendLine(ctx, f)
	room.Release(weight)
	if err == nil {
		return m.sentLine(ctx, f, messageID, taken)
	}
	tellFault(ctx, err, f.Mail.Tries, "line", string(id), "mail", f.Mail.Number)
	switch fault := faultOf(err); fault.Fault {
	case mail.Unknown:
		return nil // the lease runs out: by then SES has told, or it is sent again
	case mail.Permanent:
		return m.markLine(ctx, f, func(f order.Fulfillment) mark {
			return failedLine(f, happened(f, order.MailFailed, fault.Code, m.Now()), m.Now())
		})
	default:
		return m.markLine(ctx, f, func(f order.Fulfillment) mark {
			return mark{Mail: f.Mail.PutOff(fault.Code, m.Now()), Counted: f.Counted}
		})
	}
}

// nothingToSay reports whether what was due has been overtaken: keys that were
// given back or are held for review, patience for what has come.
func nothingToSay(f order.Fulfillment) bool {
	if f.Mail.Kind == outbox.Keys {
		return f.Allocated == 0 || f.State() == order.OnHold || f.State() == order.Returned
	}
	return !waits(f)
}

func waits(f order.Fulfillment) bool {
	return f.State() == order.Waiting || f.State() == order.Unconnected
}

func (m *Mailer) sendLine(ctx context.Context, f order.Fulfillment) (messageID string, err error) {
	if f.Mail.Kind == outbox.Keys && len(f.Keys) != f.Allocated {
		return "", fmt.Errorf("%d of %d keys were read: they are being changed", len(f.Keys), f.Allocated)
	}
	merchant, ok, err := m.Settings.Merchant(ctx, f.Merchant)
	if err != nil {
		return "", err
	}
	if !ok {
		merchant = catalog.Merchant{Name: f.Merchant} // what was paid for is owed even so
	}
	product, _, err := catalog.ReadProduct(ctx, m.Settings, f.Merchant, f.Product) // empty if nobody knows it
	if err != nil {
		return "", err
	}
	made, err := mail.ForLine(f, merchant, product, m.Sender, m.Now())
	if err != nil {
		return "", err
	}
	return m.send(ctx, made)
}

// sentLine marks a mail that SES took.
func (m *Mailer) sentLine(ctx context.Context, f order.Fulfillment, messageID string, taken *takings) error {
	now, fresh := m.Now(), 0
	err := m.markLine(ctx, f, func(f order.Fulfillment) mark {
		mark := mark{Mail: settled(f, outbox.Sent, messageID, "", now), Counted: f.Counted}
		if f.Mail.Kind == outbox.Keys {
			fresh, mark.Counted = f.Allocated-f.Counted, max(f.Allocated, f.Counted)
		}
		return mark
	})
	if err != nil {
		return err
	}
	taken.add(f.PoolID(), fresh)
	sent := happened(f, order.MailSent, "", now)
	sent.MessageID = messageID
	m.remember(ctx, *sent)
	return nil
}

// marks is how often a mark is tried: others change the item, or the table has a
// bad moment.
const marks = 5

// insist tries a mark until it is written, or nothing is left to mark. It is not
// given up lightly, and not with the invocation: what is not marked is sent again.
func insist(ctx context.Context, mark func(context.Context) (done bool, err error)) error {
	ctx = context.WithoutCancel(ctx)
	for tries := 1; ; tries++ {
		done, err := mark(ctx)
		if done || tries == marks {
			return err
		}
		if !errors.Is(err, retry.ErrChanged) {
			time.Sleep(100 * time.Millisecond << tries)
		}
	}
}

// ours reports whether an item's mail is still the one that was leased as before.
// It is not if SES's event came first, or the item is owed another mail by now.
func ours(there, before outbox.Entry) bool {
	return there.State == outbox.Sending && there.Number == before.Number && there.LeaseEndsAt.Equal(before.LeaseEndsAt)
}

// markLine marks the mail that f was leased with. If that fails the line is read
// again: it may have been changed, or be marked with the answer lost.
func (m *Mailer) markLine(ctx context.Context, f order.Fulfillment, change func(order.Fulfillment) mark) error {
	leased := f.Mail
	err := insist(ctx, func(ctx context.Context) (bool, error) {
		err := m.storeLine(ctx, f, change(f))
		if err == nil {
			return true, nil
		}
		there, ok, unread := m.Lines.Fulfillment(ctx, f.ID)
		if unread != nil {
			return false, err
		}
		if !ok || !ours(there.Mail, leased) {
			return true, nil
		}
		f = there
		return false, err
	})
	if err != nil {
		return fmt.Errorf("mark the mail of line %s: %w", f.ID, err)
	}
	return nil
}

func (m *Mailer) storeLine(ctx context.Context, f order.Fulfillment, to mark) error {
	f.Mail, f.Counted = to.Mail, to.Counted
	return m.Lines.MarkLine(ctx, f, to.History, to.Tell)
}

// settled is the entry of a line whose mail has come to the state. A line that
// waits stays due: its mail was to ask for patience.
func settled(f order.Fulfillment, state outbox.State, messageID, code string, now time.Time) outbox.Entry {
	dueAt := f.Mail.DueAt
	e := f.Mail.Settled(state, messageID, code)
	if waits(f) {
		e.DueAt = dueAt
		if dueAt.IsZero() {
			e.DueAt = now.Add(outbox.SweepAfter)
		}
	}
	return e
}

// failedLine is the mark of a mail that will never arrive, with the notice that
// tells its merchant, once a mail.
func failedLine(f order.Fulfillment, h *order.History, now time.Time) mark {
	tell := notice.New(f.Merchant, notice.MailFailed, fmt.Sprintf("%s#%d", f.ID, f.Mail.Number),
		notice.Facts{Orders: []string{f.Order}, Product: f.Product, Side: f.Side, Count: 1, Cause: h.Code}, now)
	return mark{
		Mail:    settled(f, outbox.Failed, h.MessageID, h.Code, now),
		Counted: f.Counted,
		History: h,
		Tell:    &tell,
	}
}

func happened(f order.Fulfillment, what order.Happening, code string, now time.Time) *order.History {
	return &order.History{Line: f.ID, At: now, What: what, By: byDeliver, Mail: f.Mail.Number, Code: code}
}

// remember adds to a line's history what is in its record too: losing it loses
// a line of a list.
func (m *Mailer) remember(ctx context.Context, h order.History) {
	if err := m.Lines.AddHistory(ctx, h); err != nil {
		slog.WarnContext(ctx, "not in the history", "line", string(h.Line), "mail", h.Mail, "what", string(h.What), "error", err)
	}
}
