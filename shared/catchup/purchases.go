package catchup

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/job"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/pool"
)

// itemsAtOnce is how many items are read together, as many as one BatchGetItem takes.
const itemsAtOnce = 100

// failuresAtMost ends a run: the store is down.
const failuresAtMost = 10

// errStore means that the store, or a queue, failed: the message should come again.
var errStore = errors.New("the store failed")

// list applies what the platform lists. It is job.ErrUnfinished if the time is up.
func (r *run) list(ctx context.Context, lister platform.Lister, since time.Time) error {
	// A quarter of the time is kept for what was listed last.
	lists := r.until.Sub(r.Now()) * 3 / 4
	until := r.Now().Add(lists)
	calls, cancel := context.WithTimeout(ctx, lists)
	defer cancel()
	var batch []platform.Purchase
	items := 0
	for purchase, err := range lister.Changed(calls, r.from, since) {
		late := !r.Now().Before(until) || calls.Err() != nil
		if err != nil {
			if failed := r.apply(ctx, batch); failed != nil {
				return failed
			}
			if late {
				return job.ErrUnfinished
			}
			return err
		}
		n := r.asks(purchase).items()
		if late || items+n > itemsAtOnce {
			if err := r.apply(ctx, batch); err != nil {
				return err
			}
			batch, items = nil, 0
		}
		if late {
			return job.ErrUnfinished
		}
		batch, items = append(batch, purchase), items+n
	}
	return r.apply(ctx, batch)
}

// apply applies purchases, in their order, but for what is known of them. It is
// job.ErrUnfinished if the time is up.
func (r *run) apply(ctx context.Context, batch []platform.Purchase) error {
	if len(batch) == 0 {
		return nil
	}
	var all asks
	for _, p := range batch {
		a := r.asks(p)
		all.lines = append(all.lines, a.lines...)
		all.orders = append(all.orders, a.orders...)
		all.refunds = append(all.refunds, a.refunds...)
	}
	known, err := r.Store.Known(ctx, all.lines, all.orders, all.refunds)
	if err != nil {
		return errors.Join(errStore, err)
	}
	for _, p := range batch {
		if !r.Now().Before(r.until) {
			return job.ErrUnfinished
		}
		r.seen++
		if !r.store(ctx, p, known) {
			if r.failed++; r.failed == failuresAtMost {
				return errors.Join(errStore, errNotStored)
			}
		}
		// The platform's clock may be wrong: a watermark in the future would miss what comes.
		at := p.ChangedAt
		if now := r.Now(); at.After(now) {
			at = now
		}
		if r.failed > 0 {
			continue
		}
		if at.After(r.reached) {
			r.reached = at
		}
		if at.After(r.state.Watermark) && !(p.Behind && r.waits()) {
			r.state.Watermark = at
		}
	}
	if r.Now().Sub(r.savedAt) < saveEvery {
		return nil
	}
	if err := r.save(ctx, false); err != nil {
		return errors.Join(errStore, err)
	}
	return nil
}

// store stores what is new of a purchase, or that it cannot be read. It is false if something
// was not stored.
func (r *run) store(ctx context.Context, p platform.Purchase, known order.Known) bool {
	if p.Unreadable != nil {
		r.passed++
		slog.WarnContext(ctx, "order.passed_over", "merchant", r.account.Merchant, "account", r.account.Name, "field", p.Unreadable.Field)
		return isStored(r.Intake.PassOver(ctx, r.from, p.ChangedAt, p.Unreadable))
	}
	before, paid := r.news(p, known)
	return r.take(ctx, before, paid, p)
}

// take applies what is new of a purchase: what was given back first, so that a customer
// who was refunded gets no key. What is recorded or ignored again changes nothing. It is
// false if something was not stored.
func (r *run) take(ctx context.Context, before []platform.Event, paid *platform.Paid, p platform.Purchase) bool {
	if len(before) > 0 || paid != nil {
		r.applied++
	}
	events := before
	if paid != nil {
		slog.InfoContext(ctx, "order.found", "merchant", r.account.Merchant, "account", r.account.Name)
		events = append(events, *paid)
	}
	for _, event := range p.Recorded {
		events = append(events, event)
	}
	for _, event := range p.Ignored {
		events = append(events, event)
	}
	return isStored(r.Intake.Take(ctx, r.from, events...))
}

func isStored(results []platform.Result) bool {
	return !slices.ContainsFunc(results, func(result platform.Result) bool { return result.Outcome == platform.Failed })
}

// asks are what is to be read of purchases.
type asks struct {
	lines   []order.LineID
	orders  []string
	refunds []order.LineRefund
}

func (a asks) items() int { return len(a.lines) + len(a.orders) + len(a.refunds) }

// asks returns what is to be read to know whether a purchase holds news.
func (r *run) asks(p platform.Purchase) asks {
	var a asks
	if p.Paid != nil {
		for _, line := range p.Paid.Lines {
			a.lines = append(a.lines, r.lineID(*p.Paid, line))
		}
	}
	for _, e := range p.Returned {
		for _, side := range e.Sides() {
			a.refunds = append(a.refunds, r.refundsOf(p, e, side)...)
			if len(e.Lines) == 0 {
				a.orders = append(a.orders, r.from.Identity(side, e.Order, "").OrderID())
			}
		}
	}
	for _, e := range p.Disputed {
		for _, side := range e.Sides() {
			a.orders = append(a.orders, r.from.Identity(side, e.Order, "").OrderID())
		}
	}
	return a
}

func (r *run) lineID(paid platform.Paid, line platform.Line) order.LineID {
	return r.from.Identity(pool.SideOf(paid.Test), paid.Order, cmp.Or(line.ID, line.Product)).ID()
}

// refundsOf returns the refunds of lines that a return leaves when it is applied: those of
// the lines that it names; of an amount, that of the order's only line.
func (r *run) refundsOf(p platform.Purchase, e platform.Returned, side pool.Side) []order.LineRefund {
	var refunds []order.LineRefund
	for _, line := range e.Lines {
		refunds = append(refunds, order.LineRefund{Line: r.from.Identity(side, e.Order, line.ID).ID(), Refund: e.ID})
	}
	if len(e.Lines) == 0 && !e.All && p.Paid != nil && len(p.Paid.Lines) == 1 {
		line := p.Paid.Lines[0]
		refunds = append(refunds, order.LineRefund{Line: r.from.Identity(side, e.Order, cmp.Or(line.ID, line.Product)).ID(), Refund: e.ID})
	}
	return refunds
}

// news returns what is not stored of a purchase: what was given back, and the order if any
// of its lines is not known as it is now.
func (r *run) news(p platform.Purchase, known order.Known) (before []platform.Event, paid *platform.Paid) {
	for _, e := range p.Returned {
		if !r.knows(p, e, known) {
			before = append(before, e)
		}
	}
	for _, e := range p.Disputed {
		if !r.knowsDispute(e, known) {
			before = append(before, e)
		}
	}
	if p.Paid == nil {
		return before, nil
	}
	now := *p.Paid
	now.GivenBack = p.Returned // also what is known, and is not taken again
	for _, line := range now.Lines {
		stored, ok := known.Lines[r.lineID(now, line)]
		if !ok || !same(stored, line, now) || r.untold(stored) {
			return before, &now
		}
	}
	return before, nil
}

// same reports whether a line is stored as it is paid. Any other is for the intake to
// judge.
func same(stored order.Fulfillment, line platform.Line, in platform.Paid) bool {
	c := in.Customer
	return !stored.Expected && stored.Product == line.Product && stored.Quantity == line.Quantity &&
		stored.SameCustomer(c) && (stored.Customer.Email != "" || c.Email == "" || !stored.ErasedAt.IsZero()) && !catalog.RiskNews(stored, in.Risk, in.ChangedAt) &&
		!in.PaysAgain(stored)
}

// untold reports whether the merchant may not have heard of a line that asks for him: what
// stored it since the last good run may have failed before it told. The intake tells of the
// same line once.
func (r *run) untold(stored order.Fulfillment) bool {
	since := r.state.SucceededAt.Add(-longestRun)
	return stored.AsksForSomebody() && (stored.ReceivedAt.After(since) || stored.HeldAt.After(since))
}

// knows reports whether a return was applied, all of it. An amount that was remembered for
// its order may have been cut off before it was taken from a line: that is known by what it
// leaves at the line, or once everything is back. An amount that is clear to nobody is
// applied again, which changes nothing.
func (r *run) knows(p platform.Purchase, e platform.Returned, known order.Known) bool {
	if e.Failed {
		return false
	}
	for _, side := range e.Sides() {
		w := known.Wholes[r.from.Identity(side, e.Order, "").OrderID()]
		refunds := r.refundsOf(p, e, side)
		atLines := len(refunds) > 0 && !slices.ContainsFunc(refunds, func(refund order.LineRefund) bool { return !known.Refunds[refund] })
		all := slices.ContainsFunc(w.Returns, func(ret order.Return) bool { return ret.All() && !w.Void(ret) })
		switch {
		case w.Void(order.Return{ID: e.ID, Refund: e.Refund}): // which changes nothing
		case len(e.Lines) > 0 && !atLines:
			return false
		case e.All && !w.Knows(e.ID):
			return false
		case len(e.Lines) == 0 && !e.All && !(w.Knows(e.ID) && (atLines || all)):
			return false
		}
	}
	return true
}

// knowsDispute reports whether a turn of a dispute was applied, or changes nothing.
func (r *run) knowsDispute(e platform.Disputed, known order.Known) bool {
	for _, side := range e.Sides() {
		if !known.Wholes[r.from.Identity(side, e.Order, "").OrderID()].Disputes[e.ID].Settles(e.State) {
			return false
		}
	}
	return true
}
