package intake

import (
	"context"
	"log/slog"
	"slices"

	"keypool/shared/lifecycle"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/pool"
	"keypool/shared/random"
)

// returned gives back what was refunded, of an order that was paid before or will be. A
// refund that says too little to tell what it is for takes nothing: the merchant is asked.
func (in *Intake) returned(ctx context.Context, from platform.Account, r platform.Request, event platform.Returned) []platform.Result {
	if err := event.Check(in.MaxQuantity); err != nil {
		return in.refuse(ctx, from, "", r, err)
	}
	if event.Failed {
		return in.refundFailed(ctx, from, event)
	}
	if event.At.IsZero() {
		event.At = in.Now()
	}
	var results []platform.Result
	for _, side := range event.Sides() {
		if len(event.Lines) > 0 {
			results = append(results, in.returnLines(ctx, from, event, side)...)
			continue
		}
		back := order.Return{ID: event.ID, Refund: event.Refund, By: in.By, Why: event.ID, GivenBackAt: event.At}
		if !event.All {
			back.Amount, back.Currency = event.Amount, event.Currency
		}
		lines, clear, err := in.Orders.Return(ctx, whole(from, side, event.Order), back)
		if err == nil {
			err = in.tellMatched(ctx, from, event, lines...)
		}
		if err == nil && !clear {
			results = append(results, in.ask(ctx, from, event.Order, []pool.Side{side}, notice.RefundUnclear, event.ID)...)
			continue
		}
		results = append(results, in.changed(ctx, event.Order, lines, err)...)
	}
	return results
}

// refundFailed remembers a refund that failed, so that it gives nothing back if it is told
// of only later; it stands in the history of its lines, and the merchant is told. What it
// took stays taken: nobody knows whether the customer still has the keys.
func (in *Intake) refundFailed(ctx context.Context, from platform.Account, event platform.Returned) []platform.Result {
	for _, side := range event.Sides() {
		lines, at, err := in.Orders.RefundFailed(ctx, whole(from, side, event.Order), order.Return{ID: event.ID, By: in.By, Why: event.ID})
		for _, line := range lines {
			isMeant := func(r platform.ReturnedLine) bool { return r.ID == line.Line }
			if err != nil || len(event.Lines) > 0 && !slices.ContainsFunc(event.Lines, isMeant) {
				continue
			}
			err = in.Records.AddHistory(ctx, order.History{Line: line.ID, At: at, Event: order.RefundFailed, By: in.By, Code: event.ID})
		}
		if err != nil {
			return in.changed(ctx, event.Order, nil, err)
		}
	}
	return in.ask(ctx, from, event.Order, event.Sides(), notice.RefundFailed, event.ID)
}

// returnLines gives back units of lines, one after the other: each return checks the one
// item of their order, and two at once would conflict. A line that fails does not undo the
// others: the platform repeats the refund.
func (in *Intake) returnLines(ctx context.Context, from platform.Account, event platform.Returned, side pool.Side) []platform.Result {
	var results []platform.Result
	for _, line := range event.Lines {
		units := line.Quantity
		if line.All {
			units = lifecycle.AllUnits
		}
		got, err := in.Orders.ReturnLine(random.Split(ctx, line.ID), lifecycle.LineReturn{
			Identity: from.Identity(side, event.Order, line.ID),
			Account:  from.Name, Refund: event.ID, Units: units,
			Act: lifecycle.Act{By: in.By, Why: event.ID}, GivenBackAt: event.At,
		})
		if err == nil {
			err = in.tellMatched(ctx, from, event, got)
		}
		results = append(results, in.changed(ctx, event.Order, []order.Fulfillment{got}, err)...)
	}
	return results
}

// tellMatched tells the merchant of a refund of units that a person had returned before.
func (in *Intake) tellMatched(ctx context.Context, from platform.Account, event platform.Returned, lines ...order.Fulfillment) error {
	if !slices.ContainsFunc(lines, func(f order.Fulfillment) bool { return slices.Contains(f.MatchedRefunds, event.ID) }) {
		return nil
	}
	return in.Records.RaiseNotice(ctx, in.question(from, event.Order, lines[0].ID.OrderHalf(), notice.RefundMatched, event.ID))
}

// disputed puts an order on hold, releases it or gives it back, as its dispute comes and ends.
func (in *Intake) disputed(ctx context.Context, from platform.Account, r platform.Request, event platform.Disputed) []platform.Result {
	if err := event.Check(); err != nil {
		return in.refuse(ctx, from, "", r, err)
	}
	var results []platform.Result
	for _, side := range event.Sides() {
		lines, err := in.Orders.Dispute(ctx, whole(from, side, event.Order), event.ID, event.State)
		results = append(results, in.changed(ctx, event.Order, lines, err)...)
	}
	return results
}

// ask tells the merchant of something at an order that a person has to decide, once. The order
// is on one of the sides.
func (in *Intake) ask(ctx context.Context, from platform.Account, number string, sides []pool.Side, kind notice.Kind, id string) []platform.Result {
	result := platform.Result{Outcome: platform.Accepted, Order: number}
	orderID := ""
	if len(sides) == 1 {
		orderID = whole(from, sides[0], number).ID
	}
	if err := in.Records.RaiseNotice(ctx, in.question(from, number, orderID, kind, id)); err != nil {
		slog.ErrorContext(ctx, "order.not_changed", "merchant", from.Merchant, "account", from.Name, "error", err)
		result.Outcome = platform.Failed
	}
	return []platform.Result{result}
}

// question is the notice of something at an order that a person has to decide.
func (in *Intake) question(from platform.Account, number, orderID string, kind notice.Kind, id string) notice.Notice {
	facts := notice.Facts{Orders: []string{number}, OrderID: orderID, Account: from.Name, Cause: id, Count: 1}
	return notice.New(from.Merchant, kind, from.Name+"#"+number+"#"+id, facts, in.Now())
}

// changed returns the results of a change of an order. An order that is not known yet
// gives one result without a line: what was said of it is remembered.
func (in *Intake) changed(ctx context.Context, number string, lines []order.Fulfillment, err error) []platform.Result {
	if err != nil {
		slog.ErrorContext(ctx, "order.not_changed", "error", err)
		return []platform.Result{{Outcome: platform.Failed, Order: number}}
	}
	if len(lines) == 0 {
		slog.InfoContext(ctx, "order.remembered")
		return []platform.Result{{Outcome: platform.Accepted, Order: number}}
	}
	results := make([]platform.Result, len(lines))
	for i, line := range lines {
		slog.InfoContext(ctx, "order.changed", "line", line.ID, "state", line.State())
		results[i] = platform.Result{
			Outcome: platform.Accepted, Order: number, Line: line.Line, Product: line.Product,
			State: line.State(), Wanted: line.Wanted, Allocated: line.Allocated,
		}
	}
	return results
}

// whole names an order.
func whole(from platform.Account, side pool.Side, number string) order.Whole {
	return order.Whole{ID: from.Identity(side, number, "").OrderID(), Merchant: from.Merchant, Side: side, Account: from.Name, Order: number}
}
