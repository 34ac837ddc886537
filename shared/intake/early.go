package intake

import (
	"context"
	"log/slog"
	"time"

	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/platform"
)

// early passes over an order that was paid before its account delivers. A shop that has
// sold for years reports old orders when somebody edits them, or when it is connected:
// they have their keys from elsewhere. Each is kept once among the refusals, so that one
// that is still owed is found, and the merchant is told: of the first of a day at once,
// of the others when the day ends.
func (in *Intake) early(ctx context.Context, from platform.Account, paid platform.Paid) []platform.Result {
	problem := "was paid " + paid.PaidAt.UTC().Format(time.RFC3339) + ", before this account delivers (delivers_from)"
	facts := notice.Facts{Count: 1, Refused: []notice.Refused{{Order: paid.Order, Account: from.Name, Cause: paid.PaidAt.UTC().Format(time.DateOnly)}}}
	now := in.Now()
	err := in.Records.KeepRefusal(ctx, order.Refusal{
		Merchant: from.Merchant, Account: from.Name, Order: paid.Order, Problem: problem, At: now,
	}, notice.Gather(from.Merchant, notice.PaidBefore, facts, now))
	if err != nil {
		slog.ErrorContext(ctx, "order.not_stored", "error", err)
		return []platform.Result{{Outcome: platform.Failed, Order: paid.Order}}
	}
	slog.InfoContext(ctx, "order.paid_before", "merchant", from.Merchant, "account", from.Name)
	var results []platform.Result
	for _, line := range paid.Lines {
		results = append(results, platform.Result{
			Outcome: platform.Skipped, Order: paid.Order, Line: line.ID, Product: line.Product, Why: platform.PaidBefore, IgnoredFields: paid.IgnoredFields,
		})
	}
	for _, line := range paid.SkippedLines {
		results = append(results, platform.Result{Outcome: platform.Skipped, Order: paid.Order, Line: line, Why: platform.NothingToDo})
	}
	return results
}
