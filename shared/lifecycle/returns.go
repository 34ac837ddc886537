package lifecycle

import (
	"context"
	"errors"
	"slices"
	"time"

	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/retry"
)

// LineReturn is a return of units of one line.
type LineReturn struct {
	Identity order.Identity
	Account  string
	Refund   string // the id of the refund: the same id again changes nothing
	Units    int    // or AllUnits
	Act

	// ByHand means that a person returns them. The refund's id may be the platform's, or any
	// other: then units that the platform refunds later are most likely the same.
	ByHand bool

	// GivenBackAt is when the platform gave them back, by its clock where it says; zero: a
	// person does.
	GivenBackAt time.Time

	// KeysBack is what becomes of the keys; empty: what the settings say.
	KeysBack order.Disposition
}

// AllUnits stands for all units of a line that are left.
const AllUnits = 0

// ReturnLine gives units of a line back, and returns the line as it stands. Units of a
// line that was not paid yet are remembered for its payment. A refund that the line has is
// not applied again, also if the line has changed since the version that the act names. One
// that failed is not applied at all: of a person, that is order.ErrRefundFailed.
//
// A refund of the platform takes nothing for units that a person returned under another id,
// and that no refund has answered yet: see order.Fulfillment.Refund. Its id stands in the
// line's MatchedRefunds then. A person who names it says that it was another one.
func (l *Lifecycle) ReturnLine(ctx context.Context, r LineReturn) (order.Fulfillment, error) {
	id := r.Identity.ID()
	line, err := l.change(ctx, id, r.Act, func(line order.Fulfillment) (*order.Change, error) {
		if r.Refund == "" && r.Units == AllUnits && line.ReturnedAll {
			return nil, nil
		}
		change := order.ChangeOf(line)
		if r.Refund != "" {
			known, err := l.Wholes.Whole(ctx, id.OrderHalf())
			if err != nil {
				return nil, err
			}
			if known.Void(order.Return{ID: r.Refund}) {
				return nil, l.refuseFailed(ctx, id, r)
			}
			change.Known = &known
		}
		if line.Version == 0 {
			change = order.NewLine(order.Fulfillment{
				ID: id, Merchant: r.Identity.Merchant, Side: r.Identity.Side, Account: r.Account,
				Origin: r.Identity.Origin, Order: r.Identity.Order, Line: r.Identity.Line,
				Expected: true, ReceivedAt: l.Now(),
			})
		}
		change.KeysBack, change.Refund = r.KeysBack, r.Refund
		if event := r.apply(&change); event != "" {
			change.History = []order.History{l.note(id, event, r.Act)}
		}
		return &change, nil
	})
	if r.Refund != "" && errors.As(err, new(*order.StaleError)) {
		switch has, unread := l.Wholes.Refunded(ctx, id, r.Refund); {
		case unread != nil:
			err = unread
		case has:
			err = order.ErrRefunded
		}
	}
	if errors.Is(err, order.ErrRefunded) {
		line, err = l.change(ctx, id, Act{}, func(order.Fulfillment) (*order.Change, error) { return nil, nil })
	}
	return line, wrap(err, "return line %s", id)
}

// apply gives the units back, and returns what the line's history says of it, if anything.
func (r LineReturn) apply(change *order.Change) order.EventKind {
	after := &change.After
	event := order.UnitsReturned
	known := !r.ByHand && after.ConfirmOwn(r.Refund) || r.ByHand && after.Unmatch(r.Refund)
	if known {
		change.Refund = "" // the line has it
	}
	if known && !r.ByHand {
		return "" // a person has given its units back
	}
	if !after.ReturnedAll {
		after.NoteReturn(r.Refund, r.GivenBackAt)
	}
	switch {
	case r.Units == AllUnits:
		after.ReturnAll()
	case !r.ByHand:
		if after.Refund(r.Refund, r.Units) > 0 {
			event = order.RefundMatched
		}
	case known, change.Known != nil && change.Known.Knows(r.Refund):
		after.Return(r.Units) // the platform has told of it
	default:
		after.ReturnOwn(r.Refund, r.Units)
	}
	return event
}

// refuseFailed returns the error of a return by a refund that failed, nil where it is the
// platform's, or a repeat of one that was applied before it failed.
func (l *Lifecycle) refuseFailed(ctx context.Context, id order.LineID, r LineReturn) error {
	if !r.ByHand {
		return nil
	}
	has, err := l.Wholes.Refunded(ctx, id, r.Refund)
	if err == nil && !has {
		err = order.ErrRefundFailed
	}
	return err
}

// ReturnOrder gives back everything that is left of an order, and returns its lines as
// they stand. Of names the order. Lines that are paid later are put on hold.
func (l *Lifecycle) ReturnOrder(ctx context.Context, of order.Whole, r order.Return) ([]order.Fulfillment, error) {
	r.At = l.Now()
	return l.add(ctx, of, func(w *order.Whole) bool { return w.AddReturn(r) })
}

// ReturnSeen does as ReturnOrder on a person's word, if lines of the order are as they saw
// them. Its error is *order.StaleError if one is not; then nothing is done. A return that is
// known is not applied again, whatever has changed since. One by the id of an amount is of all
// that is left; one by the id of a refund that failed is order.ErrRefundFailed.
func (l *Lifecycle) ReturnSeen(ctx context.Context, of order.Whole, r order.Return, seen ...order.LineVersion) ([]order.Fulfillment, error) {
	r.At = l.Now()
	failed := false
	lines, err := l.add(ctx, of, func(w *order.Whole) bool {
		back := w.ByHand(r)
		failed = w.Void(back)
		return w.AddReturn(back)
	}, seen...)
	if err == nil && failed && slices.ContainsFunc(lines, func(f order.Fulfillment) bool { return !f.ReturnedAll }) {
		err = order.ErrRefundFailed // else it was applied before it failed
	}
	return lines, err
}

// Return gives back all that is left of an order, or what an amount pays for. It is not
// clear if nobody can tell what that is: see ReturnAmount.
func (l *Lifecycle) Return(ctx context.Context, of order.Whole, r order.Return) (lines []order.Fulfillment, clear bool, err error) {
	if !r.All() {
		return l.ReturnAmount(ctx, of, r)
	}
	lines, err = l.ReturnOrder(ctx, of, r)
	return lines, true, err
}

// ReturnAmount gives back what an amount pays for: everything, once the amounts of an
// order make up its price; units of its only line, if the amount is a multiple of their
// price. It is not clear if it is neither, and something is left of the order: then nothing
// is taken, and a person has to decide. What is paid later, after an amount was given back,
// is held for the same reason.
func (l *Lifecycle) ReturnAmount(ctx context.Context, of order.Whole, r order.Return) (lines []order.Fulfillment, clear bool, err error) {
	if lines, err = l.ReturnOrder(ctx, of, r); err != nil {
		return nil, true, err
	}
	if len(lines) == 0 {
		lines, err = l.add(ctx, of, func(w *order.Whole) bool { return w.KeepForPayment(r.ID) })
		return lines, true, err
	}
	w, err := l.Wholes.Whole(ctx, of.ID)
	if err != nil {
		return nil, false, wrap(err, "return an amount")
	}
	if w.Void(r) {
		return lines, true, nil
	}
	if after, asked := paidAfter(lines, r.ID); after {
		return lines, asked, nil
	}
	rest := order.Return{ID: r.ID + " and all before", Refund: r.ID, By: r.By, Why: r.Why, At: l.Now(), GivenBackAt: r.GivenBackAt}
	isAll := func(w *order.Whole) bool { return w.Knows(rest.ID) || w.AllGivenBack(lines, r.Currency) }
	if isAll(&w) {
		all := false // still: a refund may fail meanwhile
		after, err := l.add(ctx, of, func(w *order.Whole) bool {
			all = isAll(w)
			return all && w.AddReturn(rest)
		})
		if err != nil || all {
			return after, true, err
		}
	}
	units, clear := r.UnitsOf(lines)
	if !clear {
		return lines, nothingLeft(lines), nil
	}
	line := lines[0]
	line, err = l.ReturnLine(ctx, LineReturn{
		Identity: line.Identity(),
		Account:  line.Account, Refund: r.ID, Units: units, Act: Act{By: r.By, Why: r.Why}, GivenBackAt: r.GivenBackAt,
	})
	return []order.Fulfillment{line}, true, err
}

// nothingLeft reports whether all lines of an order are stored and given back: an amount has
// nothing to take.
func nothingLeft(lines []order.Fulfillment) bool {
	return !slices.ContainsFunc(lines, func(f order.Fulfillment) bool { return f.State() != order.Returned || f.OrderLines != len(lines) })
}

// paidAfter reports whether lines of an order were paid after an amount was given back, and
// whether nobody has to be asked about it any more: such a line was held, and asked about,
// when it was paid, unless it was returned itself.
func paidAfter(lines []order.Fulfillment, amount string) (after, asked bool) {
	asked = true
	for _, line := range lines {
		switch is := slices.Contains(line.PaidAfter, amount); {
		case is && line.State() != order.Returned:
			return true, true
		case is:
			after = true
		case line.State() != order.Returned:
			asked = false
		}
	}
	return after, asked
}

// RefundFailed notes that a refund failed, which its platform may have told of or will, and
// returns the order's lines as they stand, and when it failed: the same again changes
// nothing. What the refund returned stays returned, and it returns nothing any more.
func (l *Lifecycle) RefundFailed(ctx context.Context, of order.Whole, r order.Return) (lines []order.Fulfillment, at time.Time, err error) {
	r.At = l.Now()
	lines, err = l.add(ctx, of, func(w *order.Whole) bool {
		news := w.FailRefund(r, l.Now())
		at = w.FailedAt(r.ID)
		return news
	})
	return lines, at, err
}

// Dispute puts the lines of an order on hold, releases them, or returns them, as the
// dispute comes and ends. It returns the lines as they stand.
func (l *Lifecycle) Dispute(ctx context.Context, of order.Whole, id string, state order.Dispute) ([]order.Fulfillment, error) {
	return l.add(ctx, of, func(w *order.Whole) bool { return w.AddDispute(id, state) })
}

// ReleaseDisputed drops the disputes of an order, which its platform may never end, and
// releases its lines from whatever else holds them. It returns the lines as they stand. It is
// the disputes that are open when it begins: one that is opened meanwhile holds the lines.
//
// It is done if lines of the order are as a person saw them; else its error is
// *order.StaleError, and the disputes stand. Lines lose their other holds first, so that no
// key leaves before the disputes are dropped, which is one write for all of them.
func (l *Lifecycle) ReleaseDisputed(ctx context.Context, of order.Whole, act Act, seen ...order.LineVersion) ([]order.Fulfillment, error) {
	known, err := l.Wholes.Whole(ctx, of.ID)
	if err != nil {
		return nil, wrap(err, "read the disputes of an order")
	}
	lines, err := l.Store.Lines(ctx, of.ID)
	if err != nil {
		return nil, wrap(err, "read the lines of an order in dispute")
	}
	var stale *order.StaleError
	released, _, err := OnEach(lines, seen, act, func(line order.Fulfillment, act Act) (order.Fulfillment, error) {
		return l.Release(ctx, line.ID, act)
	})
	if errors.As(err, &stale) {
		stale.Disputes = true
	}
	if err != nil {
		return nil, err
	}
	var done []string
	seen = slices.Clone(seen)
	for i, line := range released {
		if line.Version != lines[i].Version {
			done = append(done, line.Line)
		}
		if at := slices.IndexFunc(seen, func(s order.LineVersion) bool { return s.Line == line.ID }); at >= 0 {
			seen[at].Version = line.Version
		}
	}
	drop := order.Drop{By: act.By, Why: act.Why, At: l.Now()}
	now, err := l.add(ctx, of, func(w *order.Whole) bool { return w.DropDisputes(known.OpenDisputes(), drop) }, seen...)
	if errors.As(err, &stale) {
		stale.Done, stale.Disputes = done, true
	}
	return now, err
}

// add adds to what is known of an order, if lines are as they were seen, and applies it to
// the lines, also if it was known: whoever brought it first may have died.
func (l *Lifecycle) add(ctx context.Context, of order.Whole, add func(*order.Whole) (news bool), seen ...order.LineVersion) ([]order.Fulfillment, error) {
	err := retry.Contention.Do(ctx, func() error {
		w, err := l.Wholes.Whole(ctx, of.ID)
		if err != nil {
			return err
		}
		w.Merchant, w.Side, w.Account, w.Order = of.Merchant, of.Side, of.Account, of.Order
		if !add(&w) {
			return nil
		}
		if err := l.unchanged(ctx, of.ID, seen); err != nil {
			return err
		}
		w.ChangedAt, w.DueAt = l.Now(), l.Now().Add(outbox.SweepAfter)
		return l.Wholes.PutWhole(ctx, w, seen...)
	})
	if err != nil {
		return nil, wrap(err, "store what is known of an order")
	}
	lines, err := l.apply(ctx, of.ID)
	return lines, wrap(err, "apply what is known of an order to its lines")
}

// unchanged returns *order.StaleError if lines of an order are not as they were seen.
func (l *Lifecycle) unchanged(ctx context.Context, orderID string, seen []order.LineVersion) error {
	if len(seen) == 0 {
		return nil
	}
	lines, err := l.Store.Lines(ctx, orderID)
	if err != nil {
		return err
	}
	return order.Stale(lines, seen)
}

// apply applies what is known of an order to each of its lines, and returns them as they
// stand. It starts over if more is known, or a line is changed, meanwhile.
func (l *Lifecycle) apply(ctx context.Context, orderID string) (lines []order.Fulfillment, err error) {
	err = retry.Contention.Do(ctx, func() error {
		w, err := l.Wholes.Whole(ctx, orderID)
		if err != nil {
			return err
		}
		if lines, err = l.Store.Lines(ctx, orderID); err != nil {
			return err
		}
		for i, line := range lines {
			if lines[i], err = l.applyTo(ctx, line, w); err != nil {
				return err
			}
		}
		return nil
	})
	return lines, err
}

// applyTo applies what is known of an order to one line.
func (l *Lifecycle) applyTo(ctx context.Context, line order.Fulfillment, w order.Whole) (order.Fulfillment, error) {
	change := order.ChangeOf(line)
	news, any := w.Apply(&change.After)
	if !any {
		return l.drain(ctx, line, nil)
	}
	change.Known, change.KeysBack = &w, news.KeysBack
	change.History = l.historyOf(line.ID, w, news)
	if slices.Contains(news.Held, order.HoldPaidAfterReturn) {
		if err := l.Notices.RaiseNotice(ctx, PaidAfterReturn(line, l.Now())); err != nil {
			return line, err
		}
	}
	if err := l.commit(ctx, &change); err != nil {
		return line, err
	}
	return l.drain(ctx, change.After, change.Before)
}

// PaidAfterReturn is the notice that asks the merchant, once an order, about a line that was
// paid after its order was given back, or an amount of it.
func PaidAfterReturn(line order.Fulfillment, now time.Time) notice.Notice {
	facts := notice.Facts{Orders: []string{line.Order}, OrderID: line.ID.OrderHalf(), Account: line.Account, Side: line.Side, Count: 1}
	return notice.New(line.Merchant, notice.PaidAfterReturn, line.ID.OrderHalf(), facts, now)
}

// historyOf returns what the news are in the line's history.
func (l *Lifecycle) historyOf(id order.LineID, w order.Whole, news order.News) []order.History {
	var history []order.History
	if news.Return != "" {
		by := news.By
		if by == "" {
			by = l.By // a dispute that was lost
		}
		why := news.Why
		if why == "" {
			why = news.Return
		}
		history = append(history, l.note(id, order.OrderReturned, Act{By: by, Why: why}))
	}
	for _, h := range news.Held {
		history = append(history, l.note(id, order.Held, Act{By: l.By, Why: string(h)}))
	}
	for _, h := range news.Lifted {
		act := Act{By: l.By, Why: string(h)}
		if drop, is := w.DropOf(h); is {
			act.By = drop.By
			if drop.Why != "" {
				act.Why += ": " + drop.Why
			}
		}
		history = append(history, l.note(id, order.Released, act))
	}
	return history
}

// Resume applies what is known of an order, for the sweep, which found it due. The order
// stays due until no claim can be under way that read less than is known now.
func (l *Lifecycle) Resume(ctx context.Context, found order.Whole) error {
	began := l.Now()
	if _, err := l.apply(ctx, found.ID); err != nil {
		return wrap(err, "apply what is known of an order to its lines")
	}
	settled := found.ChangedAt.Add(order.LongestClaim)
	if !began.Before(settled) {
		return l.Wholes.SetWholeDue(ctx, found, time.Time{})
	}
	return l.Wholes.SetWholeDue(ctx, found, settled)
}
