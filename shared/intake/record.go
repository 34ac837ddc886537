package intake

import (
	"context"
	"log/slog"

	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/pool"
)

// record adds an event to the history of its line. The line may not be paid yet: it
// finds the entry when it is. Of money that was given back for nobody knows which keys the
// merchant is asked.
func (in *Intake) record(ctx context.Context, from platform.Account, event platform.Recorded) platform.Result {
	id := from.Identity(pool.SideOf(event.Test), event.Order, event.Line).ID()
	entry := order.History{Line: id, At: event.At, Event: order.Reported, By: in.By, Code: readable(event.Type)}
	if event.At.IsZero() {
		entry.At = in.Now()
	}
	if event.Refund == "" || event.Line != "" && !event.At.IsZero() { // else a repeat would not find it again
		if err := in.Records.AddHistory(ctx, entry); err != nil {
			slog.ErrorContext(ctx, "event.not_stored", "line", id, "error", err)
			return platform.Result{Outcome: platform.Failed, Order: event.Order}
		}
	}
	if event.Refund != "" {
		return in.ask(ctx, from, event.Order, []pool.Side{pool.SideOf(event.Test)}, notice.RefundUnclear, event.Refund)[0]
	}
	return platform.Result{Outcome: platform.Skipped, Order: event.Order, Line: event.Line, Type: event.Type}
}
