package stripe

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"time"

	"keypool/shared/platform"
)

// given is what was given back and disputed since a time, by payment. Webhooks name the payment,
// and not the order.
type given struct {
	listing
	waiting []back          // the earliest first
	unread  map[string]bool // payments of which a refund or dispute cannot be read
}

// back is what was given back of one payment: events that were not read yet, or a purchase.
type back struct {
	at       time.Time
	payment  string // "" of an event that names none that can be read
	events   []listed
	purchase platform.Purchase
}

// given lists the events of what was given back. Nothing else is asked of the API yet.
func (l listing) given(ctx context.Context) (*given, error) {
	all := &given{listing: l, unread: map[string]bool{}}
	byPayment := map[string]int{}
	for event, err := range l.events(ctx, givenTypes) {
		if err != nil {
			return nil, err
		}
		payment := event.payment()
		i, known := byPayment[payment]
		if !known || payment == "" {
			i = len(all.waiting)
			byPayment[payment] = i
			all.waiting = append(all.waiting, back{at: at(event.Created), payment: payment})
		}
		all.waiting[i].events = append(all.waiting[i].events, event)
	}
	return all, nil
}

// until yields what was given back until then of orders that did not come before. It is false if
// the list ends.
func (g *given) until(ctx context.Context, until time.Time, yield func(platform.Purchase, error) bool) bool {
	for len(g.waiting) > 0 && !g.waiting[0].at.After(until) {
		first := g.waiting[0]
		if len(first.events) > 0 {
			if err := g.read(ctx, 0); err != nil {
				yield(platform.Purchase{}, err)
				return false
			}
			continue
		}
		g.waiting = g.waiting[1:]
		if !yield(first.purchase, nil) {
			return false
		}
	}
	return true
}

// of moves to a purchase what was given back of its order, which an event tells to be paid. It is
// true if something of it cannot be read.
func (g *given) of(ctx context.Context, paid listed, order string, p *platform.Purchase) (held bool, err error) {
	if !slices.ContainsFunc(g.waiting, func(b back) bool { return b.payment != "" }) && len(g.unread) == 0 {
		return false, nil
	}
	payments, err := g.payments(ctx, paid)
	if err != nil {
		return false, err
	}
	ofOrder := func(b back) bool { return b.payment != "" && slices.Contains(payments, b.payment) }
	for {
		i := slices.IndexFunc(g.waiting, func(b back) bool { return len(b.events) > 0 && ofOrder(b) })
		if i < 0 {
			break
		}
		if err := g.read(ctx, i); err != nil {
			return false, err
		}
	}
	held = slices.ContainsFunc(payments, func(payment string) bool { return g.unread[payment] })
	g.waiting = slices.DeleteFunc(g.waiting, func(b back) bool {
		switch {
		case !ofOrder(b):
			return false
		case b.purchase.Unreadable != nil:
			b.purchase.Unreadable.Order = order
			return false
		case held || orderGiven(b.purchase) != order:
			return false
		}
		p.Returned, p.Disputed = append(p.Returned, b.purchase.Returned...), append(p.Disputed, b.purchase.Disputed...)
		return true
	})
	return held, nil
}

// orderGiven returns the order of a purchase that holds only what was given back.
func orderGiven(p platform.Purchase) string {
	for _, r := range p.Returned {
		return r.Order
	}
	for _, d := range p.Disputed {
		return d.Order
	}
	return ""
}

// payments returns the payments of an order that an event tells to be paid. A session of a
// subscription, and an invoice, do not name them.
func (g *given) payments(ctx context.Context, paid listed) ([]string, error) {
	if payment := paid.payment(); payment != "" {
		return []string{payment}, nil
	}
	invoice := paid.invoice()
	if invoice == "" {
		return nil, nil
	}
	all, err := list[invoicePayment[id]](ctx, g.api, "/v1/invoice_payments", url.Values{"invoice": {invoice}})
	if err != nil {
		return nil, paid.unreadable(err, "")
	}
	var payments []string
	for _, one := range all {
		if string(one.Invoice) != invoice {
			return nil, errOther
		}
		payments = append(payments, string(one.Payment.Intent))
	}
	return payments, nil
}

// heldBack is added to the mistake of a refund or dispute that names its payment. Most of their
// orders were delivered long before.
const heldBack = "; unless its order was delivered before, catch-up does not deliver it: fulfil it by hand if the customer is to have keys"

// read puts purchases in the place of the events of a payment. The refunds of a charge are read
// once, whatever number of events tells of them.
func (g *given) read(ctx context.Context, i int) error {
	events := g.waiting[i].events
	together := platform.Purchase{ChangedAt: g.waiting[i].at} // also if none of it is an order's: the list came that far
	var passed []back
	var charges []string // of those
	read := map[string]bool{}
	for _, event := range events {
		charge := event.charge()
		if read[charge] {
			continue
		}
		decoded, err := g.decode(ctx, event)
		if one, ok := platform.PassOver(err, at(event.Created)); ok {
			if err := g.name(ctx, event, one.Unreadable); err != nil {
				return err
			}
			passed, charges = append(passed, back{at: at(event.Created), payment: event.payment(), purchase: one}), append(charges, charge)
			continue // another event may tell of the charge
		}
		if err != nil {
			return err
		}
		read[charge] = charge != ""
		for _, d := range decoded {
			switch d := d.(type) {
			case platform.Returned:
				together.Returned = append(together.Returned, d)
			case platform.Disputed:
				together.Disputed = append(together.Disputed, d)
			}
		}
	}
	for n, one := range passed {
		if one.payment != "" && !read[charges[n]] {
			one.purchase.Unreadable.Problem += heldBack
			g.unread[one.payment] = true
		}
	}
	g.waiting[i].events, g.waiting[i].purchase = nil, together
	if len(passed) == len(events) {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	}
	g.waiting = append(g.waiting, passed...)
	slices.SortStableFunc(g.waiting, func(a, b back) int { return a.at.Compare(b.at) })
	return nil
}

// name adds the order to the mistake of a refund or dispute. It is looked for by the payment,
// which may be readable where something else is not.
func (g *given) name(ctx context.Context, e listed, mistake *platform.FieldError) error {
	in := reading{api: g.api}
	order, _, err := in.orderOf(ctx, e.payment())
	if err = e.unreadable(err, ""); err != nil && !errors.As(err, new(*platform.FieldError)) {
		return err
	}
	mistake.Order = order
	return nil
}
