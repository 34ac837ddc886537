package stripe

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"keypool/shared/platform"
)

// errOther means that Stripe's answer is about something else than what was asked for.
var errOther = fmt.Errorf("api.stripe.com answered about another object than was asked for: %w", platform.ErrTryAgain)

// orderOf returns the order that a payment belongs to, false if it is none of Keypool's: a
// payment without Checkout, for example. A session that is not delivered is an order all
// the same: it may be paid later.
//
// Checkout's payments name no session. A session of the mode payment is found by its
// payment; that of a subscription by its first invoice, whose payment it was.
func (in *reading) orderOf(ctx context.Context, payment string) (string, bool, error) {
	if !isID(payment, "pi_") {
		return "", false, nil
	}
	found, ok, err := in.api.sessionOf(ctx, "payment_intent", payment)
	if err != nil || ok {
		return found.ID, ok, err
	}
	paid, ok, err := first[invoicePayment[*invoice]](ctx, in.api, "/v1/invoice_payments", url.Values{
		"payment[type]": {"payment_intent"}, "payment[payment_intent]": {payment}, "expand[]": {"data.invoice"},
	})
	switch {
	case err != nil || !ok || paid.Invoice == nil:
		return "", false, err
	case string(paid.Payment.Intent) != payment || paid.Invoice.Livemode == in.api.test:
		return "", false, errOther
	case paid.Invoice.BillingReason == reasonCycle:
		return paid.Invoice.ID, isID(paid.Invoice.ID, "in_"), nil
	case paid.Invoice.subscription() == "" || paid.Invoice.BillingReason != reasonCreate:
		return "", false, nil
	}
	found, ok, err = in.api.sessionOf(ctx, "subscription", paid.Invoice.subscription())
	return found.ID, ok, err
}

// invoicePayment is a payment of an invoice, which the answer names by its id or, expanded, holds.
type invoicePayment[Invoice id | *invoice] struct {
	ID      string  `json:"id"`
	Invoice Invoice `json:"invoice"`
	Payment struct {
		Intent id `json:"payment_intent"`
	} `json:"payment"`
}

func (p invoicePayment[Invoice]) name() string { return p.ID }

// invoicesAtOnce is how many invoices are read at once: each takes some ten kilobytes.
const invoicesAtOnce = "50"

// reasonCreate is the billing reason of a subscription's first invoice, which is paid
// with its session.
const reasonCreate = "subscription_create"

// sessionOf returns the session of a payment or a subscription.
func (a api) sessionOf(ctx context.Context, member, of string) (session, bool, error) {
	found, ok, err := first[session](ctx, a, "/v1/checkout/sessions", url.Values{member: {of}})
	if err != nil || !ok {
		return session{}, false, err
	}
	named := found.PaymentIntent
	if member == "subscription" {
		named = found.Subscription
	}
	if string(named) != of || found.Livemode == a.test || !isID(found.ID, "cs_") {
		return session{}, false, errOther
	}
	return found, true, nil
}

// longestSession is how long before the invoice of its purchase a session began at most: it is
// open for a day, and the slowest ways to pay take weeks.
const longestSession = 60 * 24 * time.Hour

// ofCheckout says whether an invoice that is no renewal belongs to a session: by its
// subscription; or of a purchase, whose session names its customer and the invoice. One that
// names neither may.
func (in *reading) ofCheckout(ctx context.Context, i invoice) (bool, error) {
	if subscription := i.subscription(); isID(subscription, "sub_") {
		_, ok, err := in.api.sessionOf(ctx, "subscription", subscription)
		return ok, err
	}
	if !isID(string(i.Customer), "cus_") {
		return true, nil
	}
	since := at(i.Created).Add(-longestSession).Unix()
	all, err := list[session](ctx, in.api, "/v1/checkout/sessions", url.Values{"customer": {string(i.Customer)}, "created[gte]": {strconv.FormatInt(max(since, 0), 10)}})
	if err != nil {
		return false, err
	}
	for _, s := range all {
		if s.Customer != i.Customer || s.Livemode == in.api.test {
			return false, errOther
		}
	}
	return slices.ContainsFunc(all, func(s session) bool { return string(s.Invoice) == i.ID }), nil
}

// firstOrder returns the order that a renewal renews: the subscription's session, or the
// first of its renewals where no session was delivered: the subscription began with a free
// trial, before the account delivered, or without Checkout. It returns "" for that first
// renewal itself.
func (in *reading) firstOrder(ctx context.Context, renewal invoice) (string, error) {
	subscription := renewal.subscription()
	if !isID(subscription, "sub_") {
		return "", nil
	}
	began, ok, err := in.api.sessionOf(ctx, "subscription", subscription)
	if err != nil {
		return "", err
	}
	if ok && in.delivers(began) && !at(began.Created).Before(in.from) {
		return began.ID, nil
	}
	all, err := list[invoice](ctx, in.api, "/v1/invoices", url.Values{"subscription": {subscription}, "status": {paid}, "limit": {invoicesAtOnce}})
	if err != nil {
		return "", err
	}
	oldest := renewal
	for _, one := range all {
		if one.Livemode == in.api.test || one.subscription() != subscription {
			return "", errOther
		}
		paidAt := one.Transitions.PaidAt
		if isID(one.ID, "in_") && in.renews(one) && !at(paidAt).Before(in.from) && paidAt < oldest.Transitions.PaidAt {
			oldest = one
		}
	}
	if oldest.ID == renewal.ID {
		return "", nil
	}
	return oldest.ID, nil
}
