package delivery

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/mail"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/upload"
)

// notices mails notices to merchants and the operator.
func (m *Mailer) notices() mailing[notice.Notice] {
	return mailing[notice.Notice]{
		Mailer: m, of: outbox.Notices, store: m.Notices, kind: noticeKind{m},
		entry: func(n *notice.Notice) *outbox.Entry { return &n.Mail },
	}
}

// noticeKind implements kind for notices.
type noticeKind struct{ *Mailer }

func (noticeKind) weight(notice.Notice) int64 { return 0 }

func (k noticeKind) compose(ctx context.Context, n notice.Notice) (mail.Message, bool, error) {
	var (
		merchant catalog.Merchant
		about    catalog.Pool
		records  []upload.Upload
		wiped    bool // an upload that it is about was a test, and nothing of it is left
		err      error
	)
	if n.Merchant != "" {
		if merchant, _, err = k.Settings.Merchant(ctx, n.Merchant); err != nil {
			return mail.Message{}, false, err
		}
	}
	if n.Kind == notice.KeysElsewhere {
		return k.toFormer(ctx, n, merchant)
	}
	if n.ToFurther() && strings.EqualFold(n.To, merchant.NoticeAddress) {
		return mail.Message{}, false, nil // it is warned already
	}
	if n.Facts.Pool != "" && n.Merchant != "" {
		if about, _, err = k.Settings.Pool(ctx, n.Merchant, n.Facts.Pool); err != nil {
			return mail.Message{}, false, err
		}
	}
	for _, id := range n.Facts.Uploads {
		u, ok, err := k.Uploads.Upload(ctx, n.Merchant, id)
		if err != nil {
			return mail.Message{}, false, err
		}
		switch {
		case ok && u.Cause == upload.Wiped:
			wiped = true
		case ok:
			records = append(records, u)
		}
	}
	if wiped && len(records) == 0 {
		return mail.Message{}, false, nil
	}
	if n.Kind == notice.HeldForReview {
		if ok, err := k.listHeld(ctx, &n); err != nil || !ok {
			return mail.Message{}, false, err
		}
	}
	if sample := n.Facts.Sample; sample != nil {
		n.Facts.Sold = mail.SampleProduct
		if sample.Product != "" { // one that is gone by now has no settings
			if n.Facts.Sold, _, err = catalog.ReadProduct(ctx, k.Settings, n.Merchant, sample.Product); err != nil {
				return mail.Message{}, false, err
			}
		}
		if k.Texts != nil {
			common, err := k.Texts.Texts(ctx, n.Merchant)
			if err != nil {
				return mail.Message{}, false, err
			}
			n.Facts.Common = common.Texts
		}
		if k.Pages != nil {
			pages, err := k.Pages.OrderPages(ctx, n.Merchant)
			if err != nil {
				return mail.Message{}, false, err
			}
			n.Facts.Page = mail.SamplePage(n.Facts.Sold, pages, k.PublicURL)
		}
	}
	if n.Kind == notice.SignIn {
		if ok, err := k.makeSignIn(ctx, &n); err != nil || !ok {
			return mail.Message{}, false, err
		}
	}
	n.Facts.Portal = k.PublicURL + access.PortalPath
	if n.Kind == notice.ExpiringToken {
		usedAt, ok, err := k.tokenUse(ctx, n)
		if err != nil || !ok {
			return mail.Message{}, false, err
		}
		n.Facts.Started = usedAt
	}
	m, err := mail.ForNotice(n, merchant, about, records, k.Sender, k.Operator, k.Now())
	if err == nil {
		err = k.checkDay(ctx, n, m.Subject, cmp.Or(merchant.Mails, catalog.DefaultMails))
	}
	return m, err == nil, err
}

// checkDay returns a *putOff of a notice whose merchant has got the mails of a day.
func (k noticeKind) checkDay(ctx context.Context, n notice.Notice, subject string, limit int) error {
	if k.Days == nil || !n.MayWait() {
		return nil
	}
	mailed, err := k.Days.Mailed(ctx, n.Merchant, k.Now())
	if err != nil || mailed < limit {
		return err
	}
	return &putOff{"OverDayLimit", new(notice.Unsent(n, subject, limit, k.Now()))}
}

// toFormer makes the mail to an address that an order had before it was corrected. It is not
// ok if the line has forgotten that address.
func (k noticeKind) toFormer(ctx context.Context, n notice.Notice, merchant catalog.Merchant) (mail.Message, bool, error) {
	line, ok, err := k.Lines.Read(ctx, n.Facts.Line)
	if err != nil || !ok || n.Facts.Former >= len(line.Former) {
		return mail.Message{}, false, err
	}
	product, _, err := catalog.LineProduct(ctx, k.Settings, line.Merchant, line.Product, line.Original)
	if err != nil {
		return mail.Message{}, false, err
	}
	m := mail.ForFormer(n, line, merchant, product, k.Sender, k.Now())
	return m, m.To.Address != "", nil
}

// listHeld adds the lines to a notice that rules hold now. It is false if there is nothing to tell: everything was decided, or told at
// once by the first notice of the hour. Of another line of that hour nobody knows whether it
// was told: a claim may take long, and store a line that was held before the first one.
func (k noticeKind) listHeld(ctx context.Context, n *notice.Notice) (ok bool, err error) {
	var told, hour time.Time
	if id, rest := n.FirstHeld(); rest {
		before, _, err := k.Notices.Read(ctx, id)
		if err != nil {
			return false, err
		}
		told, hour = before.RaisedAt, n.RaisedAt.Truncate(time.Hour)
	}
	side := n.Facts.Side
	for after := ""; n.Facts.Count == 0 || after != ""; {
		held, next, err := k.Held.Held(ctx, n.Merchant, side, after, heldAtOnce)
		if err != nil || len(held) == 0 {
			return false, err
		}
		for _, line := range held {
			n.Facts.Count++
			ok = ok || !line.HeldAt.Before(hour) && !line.HeldAt.Equal(told)
			if len(n.Facts.Held) == notice.KeptHeld {
				continue
			}
			shown := notice.HeldLine{Order: line.Order, OrderID: line.Line.OrderHalf(), Product: cmp.Or(line.Title, line.Product), Quantity: line.Quantity}
			for _, reason := range line.Reasons {
				shown.Why = append(shown.Why, reason.Says())
			}
			n.Facts.Held = append(n.Facts.Held, shown)
		}
		if after = next; n.Facts.Count >= mostHeld {
			break
		}
	}
	if n.Facts.Count == 1 {
		n.Facts.OrderID = n.Facts.Held[0].OrderID
	}
	return ok, nil
}

const (
	heldAtOnce = 100
	mostHeld   = 10_000 // are counted in a mail
)

// makeSignIn makes the link and the code of a mail by which somebody signs in, who has the
// address, and stores them as hashes: they stand in this mail alone, and those of earlier mails
// are void. It is false if nobody has the address, or the request is over.
func (k noticeKind) makeSignIn(ctx context.Context, n *notice.Notice) (bool, error) {
	r, err := k.SignIns.SignIn(ctx, n.Facts.SignIn)
	if err != nil || !r.Good(k.Now()) {
		return false, err
	}
	people, err := k.SignIns.Addressed(ctx, r.Address)
	if err != nil || len(people) == 0 {
		return false, err
	}
	link, code := access.NewName(), access.NewCode()
	if err = k.SignIns.PutSignIn(ctx, r.Mailed(link, code, people)); errors.Is(err, catalog.ErrConflict) {
		return false, nil // it was used, or ended by wrong codes, at this moment
	}
	n.Facts.Link, n.Facts.Code = k.PublicURL+access.SignInPath+link, access.FormatCode(code)
	n.Facts.Browser, n.Facts.Started = r.Browser, r.AskedAt
	return err == nil, err
}

// tokenUse returns when the token that a notice is about was last used, false if there is
// no such token any more: it was revoked.
func (k noticeKind) tokenUse(ctx context.Context, n notice.Notice) (usedAt time.Time, ok bool, err error) {
	tokens, err := k.Tokens.Tokens(ctx, n.Merchant)
	for _, t := range tokens {
		for _, about := range n.Facts.Changed {
			if t.ID() == about.ID {
				return t.UsedAt, true, nil
			}
		}
	}
	return time.Time{}, false, err
}

func (k noticeKind) send(ctx context.Context, made mail.Message) (string, error) {
	return k.sendNotice(ctx, made)
}

// apply tells the operator of a merchant's notice that does not arrive, and the merchant of
// one to a further address of a pool. That a notice to the operator does not arrive can only
// be told by the log.
func (k noticeKind) apply(n notice.Notice, e order.History) change[notice.Notice] {
	c := change[notice.Notice]{item: n}
	c.item.Mail = n.Mail.Completed(states[e.Event], e.MessageID, e.Code, k.Now())
	facts := notice.Facts{Orders: []string{n.Merchant}, Count: 1}
	var tell notice.Notice
	switch e.Event {
	case order.MailFailed:
		facts.Cause = e.Code
		tell = notice.New("", notice.MailFailed, n.ID, facts, k.Now())
	case order.MailBounced, order.MailComplained:
		tell = notice.Gather("", hourly[e.Event], facts, k.Now())
	case order.MailSent:
		c.then = func(ctx context.Context, stored bool) { k.countDay(ctx, n, stored) }
		return c
	default:
		return c
	}
	if n.Kind == notice.Invitation {
		about := notice.Facts{Address: n.To, Changed: n.Facts.Changed, Count: 1}
		if e.Event == order.MailComplained {
			about.Cause = notice.CauseUnwanted
		}
		c.tell = new(notice.New(n.Merchant, notice.LostInvitation, n.ID, about, k.Now()))
		return c
	}
	if n.ToFurther() {
		about := notice.Facts{Pool: n.Facts.Pool, Side: n.Facts.Side, Address: n.To, Cause: string(e.Event)}
		if e.Event == order.MailComplained {
			about.Cause = notice.CauseUnwanted
		}
		c.tell = new(notice.New(n.Merchant, notice.UnreadWarning, n.ID, about, k.Now()))
		return c
	}
	if n.Kind == notice.SignIn {
		return c // whoever typed an address that takes no mail sees that none comes
	}
	if n.Kind == notice.ChangedAddress && n.Facts.Address != "" || n.Kind == notice.KeysElsewhere || n.Kind == notice.OperatorHelp && n.To != "" {
		return c // to an address that the merchant, a customer or an owner has left, and that may be gone
	}
	if n.Merchant == "" {
		c.then = func(ctx context.Context, _ bool) {
			slog.ErrorContext(ctx, "operator.not_reached", "notice", string(n.Kind), "code", e.Code)
		}
		return c
	}
	c.tell = &tell
	return c
}

// countDay counts a notice that was mailed in its merchant's day. A lost count is one mail
// more.
func (k noticeKind) countDay(ctx context.Context, n notice.Notice, stored bool) {
	if k.Days == nil || !stored || !n.Counts() {
		return
	}
	if err := k.Days.AddMailed(ctx, n.Merchant, k.Now()); err != nil {
		slog.WarnContext(ctx, "mail.not_counted", "merchant", n.Merchant, "error", err)
	}
}

// putOff takes a notice back whose merchant has got the mails of a day, and adds it to the one
// that tells of all such.
func (k noticeKind) putOff(n notice.Notice, why *putOff) change[notice.Notice] {
	c := k.apply(n, order.History{At: k.Now(), By: byDeliver, Mail: n.Mail.Number, Event: order.MailWithdrawn})
	c.tell = why.tell
	return c
}

func (noticeKind) history(notice.Notice, order.History) *order.History { return nil }
