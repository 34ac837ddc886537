package intake

import (
	"context"
	"log/slog"

	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/pool"
)

// record adds an event to the history of its line. The line may not be paid yet: it
// finds the entry when it is.
func (in *Intake) record(ctx context.Context, from platform.Account, event platform.Recorded) platform.Result {
	id := order.Identity{
		Merchant: from.Merchant, Side: pool.SideOf(event.Test), Origin: from.Origin, Order: event.Order, Line: event.Line,
	}.ID()
	at := event.At
	if at.IsZero() {
		at = in.Now()
	}
	entry := order.History{Line: id, At: at, Event: order.Reported, By: in.by(), Code: readable(event.Type)}
	if err := in.Records.AddHistory(ctx, entry); err != nil {
		slog.ErrorContext(ctx, "event.not_stored", "line", id, "error", err)
		return platform.Result{Outcome: platform.Failed, Order: event.Order}
	}
	return platform.Result{Outcome: platform.Skipped, Order: event.Order, Line: event.Line, Type: event.Type}
}
