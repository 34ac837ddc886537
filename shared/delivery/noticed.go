package delivery

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/mail"
	"keypool/shared/notice"
	"keypool/shared/outbox"
	"keypool/shared/upload"
)

// mailNotice leases, mails and marks a notice.
func (m *Mailer) mailNotice(ctx context.Context, id string) error {
	n, ok, err := m.Notices.LeaseNotice(ctx, id, m.Now())
	if err != nil {
		return fmt.Errorf("lease the mail of a notice: %w", err)
	}
	if !ok {
		return nil
	}
	messageID, err := m.sendNotice(ctx, n)
	if err == nil {
		return m.markNotice(ctx, n, func(n notice.Notice) mark {
			return mark{Mail: n.Mail.Settled(outbox.Sent, messageID, "")}
		})
	}
	tellFault(ctx, err, n.Mail.Tries, "notice", string(n.Kind), "merchant", n.Merchant, "mail", n.Mail.Number)
	switch fault := faultOf(err); fault.Fault {
	case mail.Unknown:
		return nil
	case mail.Permanent:
		return m.markNotice(ctx, n, func(n notice.Notice) mark { return failedNotice(n, fault.Code, "", m.Now()) })
	default:
		return m.markNotice(ctx, n, func(n notice.Notice) mark { return mark{Mail: n.Mail.PutOff(fault.Code, m.Now())} })
	}
}

func (m *Mailer) sendNotice(ctx context.Context, n notice.Notice) (messageID string, err error) {
	var (
		merchant catalog.Merchant
		about    catalog.Pool
		upload   *upload.Upload
	)
	if n.Merchant != "" {
		if merchant, _, err = m.Settings.Merchant(ctx, n.Merchant); err != nil {
			return "", err
		}
	}
	if n.Facts.Pool != "" && n.Merchant != "" {
		if about, _, err = m.Settings.Pool(ctx, n.Merchant, n.Facts.Pool); err != nil {
			return "", err
		}
	}
	if n.Facts.Upload != "" {
		record, ok, err := m.Uploads.Upload(ctx, n.Merchant, n.Facts.Upload)
		if err != nil {
			return "", err
		}
		if ok {
			upload = &record
		}
	}
	made, err := mail.ForNotice(n, merchant, about, upload, m.Sender, m.Operator, m.Now())
	if err != nil {
		return "", err
	}
	return m.send(ctx, made)
}

// markNotice marks the mail that n was leased with, as markLine does.
func (m *Mailer) markNotice(ctx context.Context, n notice.Notice, change func(notice.Notice) mark) error {
	leased := n.Mail
	err := insist(ctx, func(ctx context.Context) (bool, error) {
		err := m.storeNotice(ctx, n, change(n))
		if err == nil {
			return true, nil
		}
		there, ok, unread := m.Notices.Notice(ctx, n.ID)
		if unread != nil {
			return false, err
		}
		if !ok || !ours(there.Mail, leased) {
			return true, nil
		}
		n = there
		return false, err
	})
	if err != nil {
		return fmt.Errorf("mark the mail of a notice of %s: %w", n.Kind, err)
	}
	return nil
}

func (m *Mailer) storeNotice(ctx context.Context, n notice.Notice, to mark) error {
	n.Mail = to.Mail
	return m.Notices.MarkNotice(ctx, n, to.Tell)
}

// failedNotice is the mark of a notice that will never arrive. The operator is
// told of a merchant's; of the operator's own only the log can tell.
func failedNotice(n notice.Notice, code, messageID string, now time.Time) mark {
	mark := mark{Mail: n.Mail.Settled(outbox.Failed, messageID, code)}
	if n.Merchant == "" {
		slog.Error("the operator cannot be told", "notice", string(n.Kind), "code", code)
		return mark
	}
	tell := notice.New("", notice.MailFailed, n.ID, notice.Facts{Orders: []string{n.Merchant}, Count: 1, Cause: code}, now)
	mark.Tell = &tell
	return mark
}
