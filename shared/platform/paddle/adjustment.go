package paddle

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/platform"
)

// The actions of adjustments. A credit lowers what is due on an invoice, or is kept for the
// customer's next one: nothing goes back.
const (
	actionRefund         = "refund"
	actionChargeback     = "chargeback"
	actionWarning        = "chargeback_warning"
	actionReverse        = "chargeback_reverse"
	actionWarningReverse = "chargeback_warning_reverse"
	actionCredit         = "credit"
	actionCreditReverse  = "credit_reverse"
)

// The statuses of an adjustment that count. A refund is pending_approval first, and may be
// rejected; a chargeback that was won is reversed.
const (
	statusApproved = "approved"
	statusReversed = "reversed"
)

// adjustment decodes an adjustment that was made, or whose status changed.
func (in *webhook) adjustment(ctx context.Context) ([]platform.Event, error) {
	adjustment := in.at("/data")
	id, order := adjustment.id("/id", "adj_"), adjustment.id("/transaction_id", "txn_")
	action, status := adjustment.text("/action"), adjustment.text("/status")
	switch {
	case id == "":
		return nil, missing("id", "")
	case order == "":
		return nil, missing("transaction_id", "")
	case action == "":
		return nil, missing("action", order)
	case status == "":
		return nil, missing("status", order)
	}
	in.order = order
	var events []platform.Event
	switch action {
	case actionRefund:
		if !isDone(adjustment) {
			break
		}
		sold, err := in.sold(ctx, adjustment)
		if err != nil {
			return nil, err
		}
		for _, returned := range in.shop.refund(adjustment, sold) {
			returned.Within, returned.At = within, in.time("/occurred_at")
			events = append(events, returned)
		}
	case actionChargeback, actionWarning:
		if isDone(adjustment) {
			events = append(events, in.shop.dispute(adjustment, status == statusReversed, in.time("/occurred_at")))
		}
	case actionReverse, actionWarningReverse:
		// Which one is reversed, it does not say.
		all, err := in.shop.adjustments(ctx, order)
		if err != nil {
			return nil, err
		}
		for _, dispute := range in.shop.disputes(withNewest(all[order], adjustment)) {
			events = append(events, dispute)
		}
	case actionCredit, actionCreditReverse:
	default:
		return in.unknown("action " + action), nil
	}
	if events == nil {
		return in.ignored(), nil
	}
	return events, nil
}

// isDone says whether an adjustment counts, or did: a refund that waits for Paddle's approval
// may be rejected.
func isDone(adjustment node) bool {
	status := adjustment.text("/status")
	return status == statusApproved || status == statusReversed
}

// withNewest returns the adjustments of a transaction with the one that a webhook told of,
// which the list may not have yet.
func withNewest(all []node, adjustment node) []node {
	all = slices.DeleteFunc(slices.Clone(all), func(n node) bool { return n.text("/id") == adjustment.text("/id") })
	return append(all, adjustment)
}

// sold is what a transaction sold, and what of it was refunded.
type sold struct {
	lines   map[string]soldLine
	refunds []node // that are approved, the oldest first
}

type soldLine struct{ total, quantity int64 }

// soldOf reads what a transaction sold.
func soldOf(t node, adjustments []node) *sold {
	s := &sold{lines: map[string]soldLine{}}
	for _, item := range t.list("/details/line_items") {
		total, _ := item.amount("/totals/total")
		quantity, _ := item.Find("/quantity").Quantity()
		s.lines[item.text("/id")] = soldLine{total, int64(quantity)}
	}
	for _, adjustment := range byAge(adjustments) {
		if adjustment.text("/action") == actionRefund && adjustment.text("/status") == statusApproved {
			s.refunds = append(s.refunds, adjustment)
		}
	}
	return s
}

// byAge returns adjustments in the order in which they were made. Ids grow with the time.
func byAge(adjustments []node) []node {
	return slices.SortedStableFunc(slices.Values(adjustments), func(a, b node) int {
		return cmp.Or(a.time("/created_at").Compare(b.time("/created_at")), strings.Compare(a.text("/id"), b.text("/id")))
	})
}

// back returns how much of a line was refunded up to an adjustment, and with it.
func (s *sold) back(line string, until node) int64 {
	back := int64(0)
	for _, refund := range s.refunds {
		for _, item := range refund.list("/items") {
			if item.text("/item_id") == line {
				back += refunded(item)
			}
		}
		if refund.text("/id") == until.text("/id") {
			break
		}
	}
	return back
}

// refunded returns what an item of an adjustment gives back, with tax.
func refunded(item node) int64 {
	if total, ok := item.amount("/totals/total"); ok {
		return total
	}
	amount, _ := item.amount("/amount")
	return amount
}

// The types of an adjustment's items. Those of tax and of a proration give back no unit.
const (
	itemFull    = "full"
	itemPartial = "partial"
)

// sold reads what was sold, of a refund that says of a line only how much money went back.
// It is nil where that is not needed, and without a key: the amount says it then.
func (in *webhook) sold(ctx context.Context, refund node) (*sold, error) {
	isPartial := func(item node) bool { return item.text("/type") == itemPartial }
	if in.shop.key == "" || refund.text("/type") == itemFull || !slices.ContainsFunc(refund.list("/items"), isPartial) {
		return nil, nil
	}
	var calls errgroup.Group
	var t node
	var adjustments map[string][]node
	calls.Go(func() (err error) {
		t, err = in.shop.transaction(ctx, in.order)
		return err
	})
	calls.Go(func() (err error) {
		adjustments, err = in.shop.adjustments(ctx, in.order)
		return err
	})
	if err := calls.Wait(); err != nil {
		return nil, err
	}
	return soldOf(t, withNewest(adjustments[in.order], refund)), nil
}

// refund returns what a refund gives back: the order, units of lines, or an amount. Sold is
// nil if it is not known.
func (s shop) refund(adjustment node, sold *sold) []platform.Returned {
	currency := adjustment.text("/currency_code")
	returned := platform.Returned{
		Order: adjustment.text("/transaction_id"), Test: s.test, ID: adjustment.text("/id"), Currency: currency, At: changedAt(adjustment),
	}
	items := adjustment.list("/items")
	switch {
	case adjustment.text("/status") == statusReversed:
		returned.Failed = true
		return []platform.Returned{returned}
	case adjustment.text("/type") == itemFull:
		returned.All = true
		return []platform.Returned{returned}
	case len(items) == 0:
		if total, ok := adjustment.amount("/totals/total"); ok && total > 0 {
			returned.Amount = decimal(total, currency)
			return []platform.Returned{returned}
		}
		return nil
	}
	lines := map[string]*platform.ReturnedLine{}
	var all []platform.Returned
	amount, unclear := int64(0), ""
	for _, item := range items {
		id := item.id("/item_id", "txnitm_")
		line, clear := unitsOf(adjustment, item, sold)
		switch {
		case item.text("/type") != itemFull && item.text("/type") != itemPartial:
			continue
		case id == "" || !clear:
			amount += refunded(item)
			unclear = cmp.Or(unclear, item.id("/id", "adjitm_"), returned.ID+" in part")
		case lines[id] == nil:
			lines[id] = &line
		case line.All || lines[id].All:
			lines[id] = &platform.ReturnedLine{ID: id, All: true}
		default:
			lines[id].Quantity += line.Quantity
		}
	}
	rest := returned
	for _, item := range items {
		if line := lines[item.text("/item_id")]; line != nil {
			returned.Lines = append(returned.Lines, *line)
			delete(lines, line.ID)
		}
	}
	if returned.Lines != nil {
		all, rest.ID, rest.Refund = append(all, returned), unclear, returned.ID
	}
	if amount > 0 {
		rest.Amount = decimal(amount, currency)
		all = append(all, rest)
	}
	return all
}

// unitsOf returns what an item of a refund gives back of its line. It is false if the amount
// is the price of no whole number of units.
func unitsOf(refund, item node, sold *sold) (returned platform.ReturnedLine, clear bool) {
	returned.ID = item.id("/item_id", "txnitm_")
	if item.text("/type") == itemFull {
		returned.All = true
		return returned, true
	}
	if sold == nil {
		return returned, false
	}
	line := sold.lines[returned.ID]
	if line.total > 0 && sold.back(returned.ID, refund) >= line.total {
		returned.All = true // with what was refunded before
		return returned, true
	}
	returned.Quantity = platform.WholeUnits(refunded(item), line.total, line.quantity)
	return returned, returned.Quantity > 0
}

// dispute returns a dispute as it stands. A chargeback that was lost stays open: Paddle tells
// nothing further of it.
func (s shop) dispute(chargeback node, won bool, at time.Time) platform.Disputed {
	disputed := platform.Disputed{
		Within: within, Order: chargeback.text("/transaction_id"), Test: s.test, ID: chargeback.text("/id"), State: platform.DisputeOpen, At: at,
	}
	if won {
		disputed.State = platform.DisputeWon
	}
	return disputed
}

// disputes returns the disputes of a transaction as they stand now, the oldest first. One is
// won if Paddle marks it as reversed. For a reversal whose chargeback has no such mark yet,
// the oldest one of its kind that is open counts as reversed.
func (s shop) disputes(adjustments []node) []platform.Disputed {
	var all []platform.Disputed
	for kind, reversal := range map[string]string{actionChargeback: actionReverse, actionWarning: actionWarningReverse} {
		var of []platform.Disputed
		reversals := 0
		for _, adjustment := range byAge(adjustments) {
			switch {
			case !isDone(adjustment):
			case adjustment.text("/action") == reversal:
				reversals++
			case adjustment.text("/action") == kind:
				won := adjustment.text("/status") == statusReversed
				of = append(of, s.dispute(adjustment, won, changedAt(adjustment)))
				if won {
					reversals--
				}
			}
		}
		for i := range of {
			if reversals > 0 && of[i].State == platform.DisputeOpen {
				of[i].State = platform.DisputeWon
				reversals--
			}
		}
		all = append(all, of...)
	}
	slices.SortFunc(all, func(a, b platform.Disputed) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// changedAt returns when an entity changed last.
func changedAt(n node) time.Time {
	if at := n.time("/updated_at"); !at.IsZero() {
		return at
	}
	return n.time("/created_at")
}
