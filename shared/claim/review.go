package claim

import (
	"context"
	"fmt"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/notice"
	"keypool/shared/order"
)

// Every line is asked about by the merchant's rules (see catalog.Review) when it would get
// keys: by a claim; when it is connected, since only then the number of its keys is known;
// and by fill, since a rule or the brake may have been set while it waited.
//
// The keys of an order are counted by the one read that a claim makes anyway: all lines of
// an order stand side by side. Lines of one webhook are claimed at once, and know of each
// other from the webhook. Lines of one order that come by webhooks of their own at once do
// not see each other: one that brings more than a tenth of the cap writes to the item of
// its order, so that the later of two starts again and sees the earlier. Others cannot
// exceed the cap by more than what is claimed in the same moment.

// question is what is asked about one line.
type question struct {
	by     string // who acts, in the line's history
	byHand string // why a person fulfils the line, which no platform knows; empty: a platform reported it

	review catalog.Review
	rules  *catalog.Rules       // of its product's own; nil: the merchant's
	beside map[order.LineID]int // keys due to the lines that were paid with it

	admitted bool // its order is among the first of its address that day
	asked    bool
}

// prepare reads the merchant's rules, and the keys due to the lines that were paid beside
// the line.
func (c *Claimer) prepare(ctx context.Context, q *question, line order.Fulfillment, beside []order.Fulfillment) (err error) {
	if q.review, err = c.Cached.Review(ctx, line.Merchant); err != nil {
		return err
	}
	for _, other := range beside {
		if other, _, err = connect(ctx, c.Cached, other); err != nil {
			return err
		}
		if q.beside == nil {
			q.beside = make(map[order.LineID]int, len(beside))
		}
		q.beside[other.ID] = other.Wanted
	}
	return nil
}

// admit counts the line's order among those of its address, once, if there is a rule.
func (q *question) admit(ctx context.Context, orders OrderStore, line order.Fulfillment) (err error) {
	most := q.review.RulesFor(q.rules).MaxOrders
	if q.asked || most == 0 || !connected(line) || line.CustomerHash == "" || line.ReleasedFrom(order.HoldReviewOrders) {
		return nil
	}
	q.admitted, err = orders.AdmitOrder(ctx, line, most)
	q.asked = err == nil
	return err
}

// askOfAddress puts the line of a change on hold if the address that it has now has had too many
// orders. Whatever else its claim asks was asked without it.
func (c *Claimer) askOfAddress(ctx context.Context, change *order.Change) error {
	line := change.After
	if line.State() == order.Returned {
		return nil
	}
	review, err := c.Cached.Review(ctx, line.Merchant)
	if err != nil {
		return err
	}
	product, _, err := catalog.LineProduct(ctx, c.Cached, line.Merchant, line.Product, line.Original)
	if err != nil {
		return err
	}
	ask := question{review: review, rules: product.Review}
	if err := ask.admit(ctx, c.Store, line); err != nil {
		return err
	}
	if ask.asked && !ask.admitted {
		hold(change, []order.Hold{order.HoldReviewOrders}, c.By, c.Now())
	}
	return nil
}

// note tells in the history of a line that a person fulfils who it is, and why.
func (q *question) note(change *order.Change, now time.Time) {
	if q.byHand != "" {
		change.History = append(change.History, order.History{Line: change.After.ID, At: now, Event: order.ByHand, By: q.by, Code: q.byHand})
	}
}

// hold puts the line of a change on hold for the rules that hold it.
func (q *question) hold(change *order.Change, f *found, now time.Time) {
	line := &change.After
	if !connected(*line) || line.State() == order.Returned {
		return
	}
	rules := q.review.RulesFor(q.rules)
	keys := due(*line)
	beside := 0
	for _, n := range q.beside {
		beside += n
	}
	for _, other := range f.others {
		if n, is := q.beside[other.ID]; is && !other.Expected {
			beside -= n // it is stored, which says more
		}
		if !other.Expected {
			beside += due(other)
		}
	}
	hold(change, q.review.Holds(rules, catalog.Question{
		Line: *line, OrderKeys: keys + beside, ManyOrders: q.asked && !q.admitted,
	}), q.by, now)
	if len(q.beside) == 0 && line.Active() && keys*guarded > rules.Cap() {
		whole := f.whole
		whole.Merchant, whole.Side, whole.Account, whole.Order = line.Merchant, line.Side, line.Account, line.Order
		change.Counts = &whole
	}
}

// connected reports whether it is known what the line gets: only then it is asked about.
func connected(line order.Fulfillment) bool {
	return line.Pool != "" || line.KeysOfParent || line.SharedCode
}

// guarded: lines that bring more than this part of the cap count each other for sure.
const guarded = 10

// due returns the keys that a line has a right to, whether it has them or not.
func due(line order.Fulfillment) int { return line.Wanted - line.Returned }

// hold puts the line of a change on hold for reasons of rules.
func hold(change *order.Change, reasons []order.Hold, by string, now time.Time) {
	for _, reason := range change.After.HoldByRules(reasons, now) {
		change.History = append(change.History, order.History{
			Line: change.After.ID, At: now, Event: order.Held, By: by, Code: string(reason),
		})
	}
}

// askNew asks about a line that is connected now: all that a claim asks. It leaves to the
// caller to settle the change.
func (f *Filler) askNew(ctx context.Context, settings catalog.Reader, change *order.Change, rules *catalog.Rules) error {
	line := change.After
	review, err := settings.Review(ctx, line.Merchant)
	if err != nil {
		return err
	}
	lines, whole, err := f.Store.Order(ctx, line.ID.OrderHalf())
	if err != nil {
		return err
	}
	found := found{whole: whole}
	found.sort(lines, line.ID)
	ask := question{by: "fill", review: review, rules: rules}
	if err := ask.admit(ctx, f.Store, line); err != nil {
		return err
	}
	ask.hold(change, &found, f.Now())
	return nil
}

// askWaiting asks about lines that wait for keys: what may have been set since they were
// claimed. It reports whether any is on hold now. The keys of their orders were counted
// when they were claimed.
func (f *Filler) askWaiting(ctx context.Context, settings catalog.Reader, lines []order.Fulfillment) (held bool, err error) {
	review, err := settings.Review(ctx, lines[0].Merchant)
	if err != nil {
		return false, err
	}
	var changes []order.Change
	for _, line := range lines {
		product, _, err := catalog.LineProduct(ctx, settings, line.Merchant, line.Product, line.Original)
		if err != nil {
			return false, err
		}
		change := order.ChangeOf(line)
		hold(&change, review.Holds(review.RulesFor(product.Review), catalog.Question{Line: line, OrderKeys: due(line)}), "fill", f.Now())
		if change.After.HeldByRule() {
			change.Settle(f.Now())
			changes = append(changes, change)
		}
	}
	return len(changes) > 0, f.commitHeld(ctx, changes)
}

// commitHeld commits changes, and tells the merchant of lines that they put on hold. The
// notice that waits for the end of the hour is stored before, so that the merchant is told
// if this process dies, and the other one after: mailed before, it would not list them.
func (f *Filler) commitHeld(ctx context.Context, changes []order.Change) error {
	var after []notice.Notice
	for _, change := range changes {
		if line := change.After; line.HeldByRule() {
			first, rest := notice.Held(line.Merchant, line.Side, line.HeldAt)
			if err := tell(ctx, f.Notices, rest); err != nil {
				return err
			}
			after = append(after, first)
			break
		}
	}
	for len(changes) > 0 {
		n, room := 0, order.MaxItems
		for n < len(changes) && itemsOf(changes[n]) <= room {
			room -= itemsOf(changes[n])
			n++
		}
		if err := f.Store.Commit(ctx, changes[:n]...); err != nil {
			return err
		}
		changes = changes[n:]
	}
	return tell(ctx, f.Notices, after...)
}

// TellHeld tells the merchant of a line that is stored, and that a rule, or the brake, holds:
// see notice.Held. A repeat of what held the line, whose first try may have died before this,
// changes nothing.
func TellHeld(ctx context.Context, notices Notices, line order.Fulfillment) error {
	first, rest := notice.Held(line.Merchant, line.Side, line.HeldAt)
	return tell(ctx, notices, rest, first)
}

func tell(ctx context.Context, notices Notices, all ...notice.Notice) error {
	for _, n := range all {
		if err := notices.RaiseNotice(ctx, n); err != nil {
			return fmt.Errorf("tell of lines on hold: %w", err)
		}
	}
	return nil
}

// itemsOf returns how many items a change that allocates nothing writes: the line, its old
// and its new place, its history, and its order if the keys of that were counted.
func itemsOf(change order.Change) int {
	items := 3 + len(change.History)
	if change.Counts != nil {
		items++
	}
	return items
}
