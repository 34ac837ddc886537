package intake

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/pool"
)

// early prepares for an order that was paid before its account delivers. A shop that has
// sold for years reports old orders when somebody edits them, or when it is connected: they
// have their keys from elsewhere. Their lines are stored on hold, and delivered if a person
// releases them, and not because the account delivers from an earlier time by then.
//
// It sets the results of lines that are stored already, and says which those are; that
// costs one read a line. If there are others, the order is listed among the refusals first, and the
// merchant told: of the first of a day at once, of the others when the day ends. So one that
// is stored was told.
func (in *Intake) early(ctx context.Context, from platform.Account, paid platform.Paid, results []platform.Result, done []bool) error {
	failed := make([]error, len(done))
	eachLine(ctx, paid, func(ctx context.Context, i int, place string) {
		if done[i] {
			return
		}
		line := fulfillment(from, paid, paid.Lines[i])
		got, known, err := in.Claims.Repeat(ctx, line)
		if known {
			results[i], done[i] = in.result(ctx, line, got, err, place, paid), true
			return
		}
		failed[i] = err
	})
	if err := errors.Join(failed...); err != nil {
		return err
	}
	if !slices.Contains(done, false) {
		return nil
	}
	return in.tellEarly(ctx, from, paid)
}

// tellEarly lists the order among the refusals, and tells the merchant.
func (in *Intake) tellEarly(ctx context.Context, from platform.Account, paid platform.Paid) error {
	problem := "was paid " + paid.PaidAt.UTC().Format(time.RFC3339) + ", before this account delivers (delivers_from): it is on hold until it is released"
	facts := notice.Facts{Count: 1, OrderID: whole(from, pool.SideOf(paid.Test), paid.Order).ID, Refused: []notice.Refused{{Order: paid.Order, Account: from.Name, Cause: paid.PaidAt.UTC().Format(time.DateOnly)}}}
	now := in.Now()
	err := in.Records.KeepRefusal(ctx, order.Refusal{
		Merchant: from.Merchant, Account: from.Name, Order: paid.Order, Side: pool.SideOf(paid.Test), Problem: problem, At: now,
	}, notice.Gather(from.Merchant, notice.PaidBefore, facts, now))
	if err == nil {
		slog.InfoContext(ctx, "order.paid_before", "merchant", from.Merchant, "account", from.Name)
	}
	return err
}
