package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/link"
	"keypool/shared/mail"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
)

// lines mails lines: their keys, or the news that a key will follow.
func (m *Mailer) lines(taken *takings) mailing[order.Fulfillment] {
	return mailing[order.Fulfillment]{
		Mailer: m, of: outbox.Lines, store: m.Lines, kind: lineKind{m, taken},
		entry: func(f *order.Fulfillment) *outbox.Entry { return &f.Mail },
	}
}

// lineKind implements kind for lines.
type lineKind struct {
	*Mailer
	taken *takings
}

func (lineKind) weight(f order.Fulfillment) int64 {
	bytes := 0
	for _, key := range f.Keys {
		bytes += len(key.Text.Reveal())
	}
	if f.KeysOfParent {
		bytes = f.Quantity * keyOfParent
	}
	return int64(bytes)
}

// keyOfParent is what a key that is still to be read is taken to weigh.
const keyOfParent = 128

func (k lineKind) compose(ctx context.Context, f order.Fulfillment) (mail.Message, bool, error) {
	if nothingToSay(f) {
		return mail.Message{}, false, nil
	}
	// After the lease, never before it: see order.Whole.
	whole, err := k.Orders.Whole(ctx, f.ID.OrderHalf())
	if err != nil {
		return mail.Message{}, false, err
	}
	if reason, forbidden := whole.Forbids(f); forbidden {
		return mail.Message{}, false, &putOff{reason: reason}
	}
	if f.Mail.Kind == outbox.Keys && len(f.Keys) != f.Allocated {
		return mail.Message{}, false, fmt.Errorf("%d of %d keys were read: they are being changed", len(f.Keys), f.Allocated)
	}
	if f.Surplus() > 0 {
		return mail.Message{}, false, &putOff{reason: "BeingReturned"}
	}
	merchant, ok, err := k.Settings.Merchant(ctx, f.Merchant)
	if err != nil {
		return mail.Message{}, false, err
	}
	if !ok {
		merchant = catalog.Merchant{Name: f.Merchant} // a paid line is mailed even so
	}
	product, _, err := catalog.LineProduct(ctx, k.Settings, f.Merchant, f.Product, f.Original) // empty for an unknown product
	if err != nil {
		return mail.Message{}, false, err
	}
	var common catalog.Texts
	if k.Texts != nil && mail.FallsBack(f, product) {
		if common, err = k.Texts.Texts(ctx, f.Merchant); err != nil {
			return mail.Message{}, false, err
		}
	}
	var parents []pool.Key
	if f.Mail.Kind == outbox.Keys {
		if parents, err = k.renewed(ctx, &f, product.Texts, common.Texts); err != nil {
			return mail.Message{}, false, err
		}
	}
	page, err := k.page(ctx, f, whole, merchant, product)
	if err != nil {
		return mail.Message{}, false, err
	}
	m, err := mail.ForLine(f, parents, merchant, product, common.Texts, page, k.Sender, k.Now())
	if err != nil || k.Senders == nil {
		return m, err == nil, err
	}
	own, err := k.Senders.Sender(ctx, f.Merchant)
	if own.Proven() {
		m.From.Address, m.Merchant = own.Address, f.Merchant
	}
	return m, err == nil, err
}

// page returns the address of the page of the line's order, "" if it has none.
func (k lineKind) page(ctx context.Context, f order.Fulfillment, whole order.Whole, m catalog.Merchant, p catalog.Product) (string, error) {
	if k.Pages == nil || whole.Link.Revoked || p.OrderPage == catalog.OrderPageOff || len(m.LinkKey) == 0 {
		return "", nil
	}
	common, err := k.Pages.OrderPages(ctx, f.Merchant)
	if err != nil || !p.HasOrderPage(common) || !k.Now().Before(common.Ends(whole.Link.Since(f))) {
		return "", err
	}
	return link.Page{Merchant: f.Merchant, Order: f.ID.OrderHalf(), Number: whole.Link.Number}.URL(k.PublicURL, m.LinkKey)
}

// send implements kind. A mail from the merchant's own address that SES refuses, and not for
// the mail's own sake, goes from the operator's. Whether the address was the reason shows
// when SES takes that one.
func (k lineKind) send(ctx context.Context, made mail.Message) (string, error) {
	messageID, err := k.Mailer.send(ctx, made)
	if refused, is := errors.AsType[*mail.SendError](err); made.Merchant == "" || !is || refused.Fault != mail.AccountFault {
		return messageID, err
	}
	merchant := made.Merchant
	made.From.Address, made.Merchant = k.Sender.Address, ""
	if messageID, err = k.Mailer.send(ctx, made); err != nil {
		return "", err
	}
	// The mail is gone: a note that is lost is made by the next one.
	if err := k.Senders.Refused(context.WithoutCancel(ctx), merchant); err != nil {
		slog.WarnContext(ctx, "sender.refusal_not_noted", "merchant", merchant, "error", err)
	}
	return messageID, nil
}

// putOff is the reason for which a mail is not sent now, though its item does not forbid it: a
// line is about to, and the merchant of a notice has got the mails of a day.
type putOff struct {
	reason string
	tell   *notice.Notice // in place of a notice
}

func (e *putOff) Error() string { return "the mail is put off: " + e.reason }

// nothingToSay reports whether the mail is out of date: its keys were given back or
// are on hold, or the customer of a waiting line has got the keys by now.
func nothingToSay(f order.Fulfillment) bool {
	if f.Mail.Kind == outbox.Keys {
		return f.Allocated == 0 && !f.KeysOfParent || f.State() == order.OnHold || f.State() == order.Returned
	}
	return !f.Waits()
}

func (k lineKind) apply(f order.Fulfillment, e order.History) change[order.Fulfillment] {
	h, c := k.history(f, e), change[order.Fulfillment]{item: f}
	c.item.Mail = completed(f, states[e.Event], e.MessageID, e.Code, k.Now())
	if e.Event == order.MailWithdrawn && !nothingToSay(f) {
		// It was held or returned when the mail was leased, and is not any more.
		c.item.Mail = f.Mail.Retry("", k.Now())
		return c
	}
	switch e.Event {
	case order.MailSent, order.MailDelivered:
		c.note = h
	default:
		c.history = h
	}
	if f.Mail.Kind == outbox.Keys && len(f.Takes) > 0 {
		c.item.Takes = nil
		c.then = func(_ context.Context, stored bool) {
			if stored { // else they may still be the line's, for its next mail to count
				k.taken.add(f.PoolID(), f.Takes)
			}
		}
	}
	switch e.Event {
	case order.MailFailed:
		tell := notice.New(f.Merchant, notice.MailFailed, fmt.Sprintf("%s#%d", f.ID, f.Mail.Number),
			notice.Facts{Orders: []string{f.Order}, OrderID: f.ID.OrderHalf(), Product: f.Product, Side: f.Side, Count: 1, Cause: e.Code}, k.Now())
		c.tell = &tell
	case order.MailBounced, order.MailComplained:
		tell := notice.Gather(f.Merchant, hourly[e.Event], notice.Facts{Orders: []string{f.Order}, OrderID: f.ID.OrderHalf(), Count: 1}, k.Now())
		c.tell = &tell
	default: // nobody is told
	}
	return c
}

func (k lineKind) putOff(f order.Fulfillment, why *putOff) change[order.Fulfillment] {
	if nothingToSay(f) {
		return k.apply(f, order.History{At: k.Now(), By: byDeliver, Mail: f.Mail.Number, Event: order.MailWithdrawn})
	}
	f.Mail = f.Mail.Retry(why.reason, k.Now())
	return change[order.Fulfillment]{item: f, tell: k.tellRenewal(f, why.reason)}
}

// completed is the entry of a line whose mail has come to the state. A line that
// waits stays due: its mail was the news that a key will follow.
func completed(f order.Fulfillment, state outbox.State, messageID, code string, now time.Time) outbox.Entry {
	e := f.Mail.Completed(state, messageID, code, now)
	if f.Waits() {
		e.DueAt = f.Mail.DueAt
		if e.DueAt.IsZero() {
			e.DueAt = now.Add(outbox.SweepAfter)
		}
	}
	return e
}

func (lineKind) history(f order.Fulfillment, e order.History) *order.History {
	e.Line = f.ID
	return &e
}
