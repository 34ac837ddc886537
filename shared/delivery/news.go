package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/retry"
)

// News is what SES tells of a mail.
type News struct {
	Item      outbox.Item
	Number    int
	What      order.Happening
	At        time.Time
	MessageID string
	Code      string // SES's words for why
}

// states are what news makes of a mail. A delay changes nothing.
var states = map[order.Happening]outbox.State{
	order.MailSent:       outbox.Sent,
	order.MailDelivered:  outbox.Delivered,
	order.MailBounced:    outbox.Bounced,
	order.MailComplained: outbox.Complained,
	order.MailFailed:     outbox.Failed,
}

// gathered are the notices that tell of it, those of an hour together.
var gathered = map[order.Happening]notice.Kind{
	order.MailBounced:    notice.Bounced,
	order.MailComplained: notice.Complained,
}

// Follow takes in what SES tells of a mail. The same news twice is taken in once.
func (m *Mailer) Follow(ctx context.Context, news News) error {
	if news.Item.Kind == outbox.Lines {
		return m.followLine(ctx, news, order.LineID(news.Item.ID))
	}
	return m.followNotice(ctx, news)
}

func (m *Mailer) followLine(ctx context.Context, news News, id order.LineID) error {
	history := order.History{
		Line: id, At: news.At, What: news.What, By: bySES,
		Mail: news.Number, MessageID: news.MessageID, Code: news.Code,
	}
	for range marks {
		f, ok, err := m.Lines.Fulfillment(ctx, id)
		if err != nil {
			return fmt.Errorf("news of mail %d of line %s: %w", news.Number, id, err)
		}
		if !ok {
			slog.WarnContext(ctx, "news of a line that is not there", "line", string(id))
			return nil
		}
		if news.Number != f.Mail.Number || news.What == order.MailDelayed {
			return m.Lines.AddHistory(ctx, history)
		}
		if !moves(f.Mail, states[news.What]) {
			return nil // told already, or by later news
		}
		err = m.storeLine(ctx, f, m.lineNews(f, news, history))
		if errors.Is(err, retry.ErrChanged) {
			continue
		}
		if err == nil && quiet(news.What) {
			m.remember(ctx, history)
		}
		return err
	}
	return fmt.Errorf("news of mail %d of line %s: %w", news.Number, id, retry.ErrChanged)
}

// moves reports whether news brings a mail further.
func moves(e outbox.Entry, next outbox.State) bool {
	if next == outbox.Failed {
		// SES found something bad in what it had taken.
		return e.State == outbox.Sending || e.State == outbox.Sent || e.State == outbox.Due
	}
	return e.State.Precedes(next)
}

// quiet reports whether nobody need be told.
func quiet(what order.Happening) bool {
	return what == order.MailSent || what == order.MailDelivered
}

// lineNews is the mark that news makes.
func (m *Mailer) lineNews(f order.Fulfillment, news News, history order.History) mark {
	if news.What == order.MailFailed {
		return failedLine(f, &history, m.Now())
	}
	mark := mark{Mail: settled(f, states[news.What], news.MessageID, news.Code, m.Now()), Counted: f.Counted}
	if kind, ok := gathered[news.What]; ok {
		tell := notice.Hourly(f.Merchant, kind, notice.Facts{Orders: []string{f.Order}, Count: 1}, m.Now())
		mark.History, mark.Tell = &history, &tell
	}
	return mark
}

func (m *Mailer) followNotice(ctx context.Context, news News) error {
	for range marks {
		n, ok, err := m.Notices.Notice(ctx, news.Item.ID)
		if err != nil {
			return fmt.Errorf("news of a notice: %w", err)
		}
		if !ok || news.Number != n.Mail.Number || news.What == order.MailDelayed || !moves(n.Mail, states[news.What]) {
			return nil
		}
		if err := m.storeNotice(ctx, n, m.noticeNews(n, news)); !errors.Is(err, retry.ErrChanged) {
			return err
		}
	}
	return fmt.Errorf("news of a notice: %w", retry.ErrChanged)
}

// noticeNews is the mark that news of a notice makes. A merchant who cannot be
// told is the operator's concern.
func (m *Mailer) noticeNews(n notice.Notice, news News) mark {
	if news.What == order.MailFailed {
		return failedNotice(n, news.Code, news.MessageID, m.Now())
	}
	mark := mark{Mail: n.Mail.Settled(states[news.What], news.MessageID, news.Code)}
	kind, ok := gathered[news.What]
	switch {
	case !ok:
	case n.Merchant == "":
		slog.Error("the operator cannot be told", "notice", string(n.Kind), "code", news.Code)
	default:
		tell := notice.Hourly("", kind, notice.Facts{Orders: []string{n.Merchant}, Count: 1}, m.Now())
		mark.Tell = &tell
	}
	return mark
}
