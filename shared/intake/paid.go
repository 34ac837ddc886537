package intake

import (
	"context"
	"errors"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"keypool/shared/claim"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/pool"
)

// linesAtOnce bounds the claims of one order that are in flight together.
const linesAtOnce = 16

// paid claims for each line of a paid order, side by side. The whole order is
// checked before the first claim. A line that fails does not undo the others: the
// platform repeats the order, and the repeat completes it.
func (in *Intake) paid(ctx context.Context, from platform.Account, r platform.Request, paid platform.Paid) []platform.Result {
	if err := paid.Check(in.MaxQuantity); err != nil {
		return in.Refuse(ctx, from, r, err)
	}
	results := make([]platform.Result, len(paid.Lines))
	var claims errgroup.Group
	claims.SetLimit(linesAtOnce)
	for i, line := range paid.Lines {
		claims.Go(func() error {
			results[i] = in.claim(ctx, fulfillment(from, paid, line))
			return nil
		})
	}
	claims.Wait()
	return results
}

// fulfillment returns the record of a line as far as the platform knows it.
func fulfillment(from platform.Account, paid platform.Paid, line platform.Line) order.Fulfillment {
	id := order.Identity{
		Merchant: from.Merchant, Side: pool.SideOf(paid.Test), Origin: from.Origin, Order: paid.Order, Line: line.ID,
	}
	return order.Fulfillment{
		ID:       id.ID(),
		Merchant: id.Merchant, Side: id.Side, Account: from.Name, Origin: id.Origin, Order: id.Order, Line: id.Line,
		Product: line.Product, Quantity: line.Quantity,
		PaidAt: paid.PaidAt, Currency: paid.Currency, Language: paid.Language,
		UnitPrice: line.UnitPrice, Title: line.Title,
		Customer: paid.Customer,
	}
}

// claim claims the keys of one line, and notifies the merchant if the line needs action.
func (in *Intake) claim(ctx context.Context, line order.Fulfillment) platform.Result {
	result := platform.Result{Outcome: platform.Accepted, Order: line.Order, Line: line.Line, Product: line.Product}
	got, err := in.Claims.Claim(ctx, line)
	var changed *claim.MismatchError
	switch {
	case errors.As(err, &changed):
		result.Outcome = platform.Changed
		err = in.notifyChanged(ctx, line)
	case err == nil:
		result.State, result.Wanted, result.Allocated = got.State(), got.Wanted, got.Allocated
		if result.State == order.Unconnected {
			err = in.notifyUnconnected(ctx, got)
		}
	}
	switch {
	case err != nil:
		result.Outcome = platform.Failed
		slog.ErrorContext(ctx, "order.not_stored", "line", line.ID, "error", err)
	case changed != nil:
		slog.WarnContext(ctx, "order.mismatched", "line", line.ID)
	default:
		slog.InfoContext(ctx, "order.claimed", "line", line.ID, "state", result.State)
	}
	return result
}

// notifyChanged tells the merchant, once a line, that the line was paid again with
// other content.
func (in *Intake) notifyChanged(ctx context.Context, line order.Fulfillment) error {
	facts := notice.Facts{Orders: []string{line.Order}, Count: 1}
	return in.Records.RaiseNotice(ctx, notice.New(line.Merchant, notice.ChangedRepeat, string(line.ID), facts, in.Now()))
}

// notifyUnconnected tells the merchant, once a product and day, that no pool feeds
// a product that was paid for. A product that the merchant ignores is not told of.
func (in *Intake) notifyUnconnected(ctx context.Context, line order.Fulfillment) error {
	product, known, err := in.Products.Product(ctx, line.Merchant, line.Product)
	if err != nil || known && product.Ignored {
		return err
	}
	now := in.Now()
	dedupKey := string(line.Side) + "#" + notice.Day(now) + "#" + line.Product
	facts := notice.Facts{Product: line.Product, Side: line.Side, Orders: []string{line.Order}, Count: 1}
	return in.Records.RaiseNotice(ctx, notice.New(line.Merchant, notice.Unconnected, dedupKey, facts, now))
}
