package intake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/claim"
	"keypool/shared/lifecycle"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/pool"
	"keypool/shared/random"
)

// linesAtOnce bounds the claims of one order that are in flight together.
const linesAtOnce = 16

// paid claims for each line of a paid order, side by side. The whole order is
// checked before the first claim. A line that fails does not undo the others: the
// platform repeats the order, and the repeat completes it.
func (in *Intake) paid(ctx context.Context, from platform.Account, r platform.Request, paid platform.Paid) []platform.Result {
	paid.Lines = slices.Clone(paid.Lines)
	results := make([]platform.Result, len(paid.Lines))
	done := make([]bool, len(paid.Lines))
	if err := in.passOver(ctx, from, paid, results, done); err != nil {
		slog.ErrorContext(ctx, "order.not_stored", "error", err)
		return []platform.Result{{Outcome: platform.Failed, Order: paid.Order}}
	}
	if err := paid.Check(in.MaxQuantity); err != nil {
		return in.refuse(ctx, from, pool.SideOf(paid.Test), r, err)
	}
	var together []order.Fulfillment
	for i, line := range paid.Lines {
		if !done[i] {
			together = append(together, fulfillment(from, paid, line))
		}
	}
	if from.PaidBefore(paid) {
		if err := in.early(ctx, from, paid, results, done); err != nil {
			slog.ErrorContext(ctx, "order.not_stored", "error", err)
			return []platform.Result{{Outcome: platform.Failed, Order: paid.Order}}
		}
	}
	page := in.findPage(ctx, from, together)
	eachLine(ctx, paid, func(ctx context.Context, i int, place string) {
		if !done[i] {
			line := fulfillment(from, paid, paid.Lines[i])
			beside := slices.DeleteFunc(slices.Clone(together), func(other order.Fulfillment) bool { return other.ID == line.ID })
			got, err := in.Claims.Claim(ctx, line, beside...)
			results[i] = in.result(ctx, line, got, err, place, paid)
		}
		results[i].IgnoredFields = paid.IgnoredFields
	})
	namePage(results, page())
	if err := in.keepAnotherCustomer(ctx, from, paid, results); err != nil {
		slog.ErrorContext(ctx, "order.not_stored", "error", err)
		for i := range results {
			if results[i].Outcome == platform.Changed {
				results[i] = platform.Result{Outcome: platform.Failed, Order: paid.Order}
			}
		}
	}
	if err := in.notifyShipped(ctx, from, paid); err != nil {
		slog.ErrorContext(ctx, "order.not_stored", "error", err)
		return append(results, platform.Result{Outcome: platform.Failed, Order: paid.Order})
	}
	for _, line := range paid.SkippedLines {
		results = append(results, platform.Result{Outcome: platform.Skipped, Order: paid.Order, Line: line, Why: platform.NothingToDo})
	}
	return results
}

// eachLine calls do for the lines of an order, side by side, with the place in the body
// where each stands.
func eachLine(ctx context.Context, paid platform.Paid, do func(ctx context.Context, i int, place string)) {
	var lines errgroup.Group
	lines.SetLimit(linesAtOnce)
	for i, line := range paid.Lines {
		lines.Go(func() error {
			do(random.Split(ctx, line.ID), i, fmt.Sprintf("%slines[%d].", paid.Within, i))
			return nil
		})
	}
	lines.Wait()
}

// keepAnotherCustomer keeps the refusal of an order whose number is another customer's,
// with a notice and an entry in the history of each of its lines.
func (in *Intake) keepAnotherCustomer(ctx context.Context, from platform.Account, paid platform.Paid, results []platform.Result) error {
	var history []order.History
	var field *platform.FieldError
	for i, result := range results {
		if result.Outcome == platform.Changed && result.Field.Field == paid.Within+customerField {
			field = result.Field
			history = append(history, in.paidAgain(fulfillment(from, paid, paid.Lines[i]).ID, string(claim.Customer)))
		}
	}
	if field == nil {
		return nil
	}
	return in.keep(ctx, from, order.Refusal{Side: pool.SideOf(paid.Test), Customer: order.HashAddress([]byte(from.Origin), paid.Customer.Email)}, field, history...)
}

// customerField is the field of an order that names the customer.
const customerField = "customer.email"

// paidAgain is the entry in a line's history of a repeat that changed nothing: of the part
// that differs, or of a line that was returned.
func (in *Intake) paidAgain(id order.LineID, why string) order.History {
	return order.History{Line: id, At: in.Now(), Event: order.PaidAgain, By: in.By, Code: why}
}

// fulfillment returns the record of a line as far as the platform knows it.
func fulfillment(from platform.Account, paid platform.Paid, line platform.Line) order.Fulfillment {
	id := from.Identity(pool.SideOf(paid.Test), paid.Order, line.ID)
	var holds []order.Hold
	if from.PaidBefore(paid) {
		holds = []order.Hold{order.HoldPaidBefore}
	}
	if paid.Customer.Email == "" {
		holds = append([]order.Hold{order.HoldNoAddress}, holds...) // sorted
	}
	return order.Fulfillment{
		ID: id.ID(), Holds: holds,
		Merchant: id.Merchant, Side: id.Side, Account: from.Name, Origin: id.Origin, Order: id.Order, Line: id.Line,
		Product: line.Product, Original: line.Original, Parent: paid.Parent, Risk: paid.Risk, Quantity: line.Quantity,
		PaidAt: paid.PaidAt, ChangedAt: paid.ChangedAt, Currency: paid.Currency, Language: paid.Language,
		UnitPrice: line.UnitPrice, Title: line.Title,
		Customer: paid.Customer, OrderLines: len(paid.Lines) + len(paid.SkippedLines),
	}
}

// passOver marks the lines that the account passes over, sets their results, and says which
// they are.
func (in *Intake) passOver(ctx context.Context, from platform.Account, paid platform.Paid, results []platform.Result, done []bool) error {
	failed := make([]error, len(done))
	eachLine(ctx, paid, func(ctx context.Context, i int, _ string) {
		line := &paid.Lines[i]
		if line.PassedOver, failed[i] = from.PassesOver(ctx, *line, in.Products); line.PassedOver {
			done[i] = true
			results[i] = platform.Result{Outcome: platform.Skipped, Order: paid.Order, Line: cmp.Or(line.ID, line.Product), Product: line.Product, Why: platform.OtherProduct}
		}
	})
	return errors.Join(failed...)
}

// result says what became of a line, by its record and the error of its claim, and notifies
// the merchant if the line needs action. Place says where in the body the line stands.
func (in *Intake) result(ctx context.Context, line, got order.Fulfillment, err error, place string, paid platform.Paid) platform.Result {
	result := platform.Result{Outcome: platform.Accepted, Order: line.Order, Line: line.Line, Product: line.Product}
	var changed *claim.MismatchError
	switch {
	case errors.As(err, &changed):
		result.Outcome = platform.Changed
		result.Field = &platform.FieldError{
			Field: place + string(changed.Part), Problem: "is another than this line was paid with before", Order: line.Order,
		}
		if changed.Part == claim.Customer {
			err = nil // told once for all lines of the order
			result.Field.Field = paid.Within + customerField
			result.Field.Problem = "is another customer's than the one who paid the order of this number: give this order a number of its own"
		} else {
			err = in.keepChanged(ctx, line, result.Field, changed.Part)
		}
	case err == nil:
		result.State, result.Wanted, result.Allocated = got.State(), got.Wanted, got.Allocated
		err = in.tell(ctx, line, got, paid)
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

// tell notifies the merchant of a stored line that needs action.
func (in *Intake) tell(ctx context.Context, line, got order.Fulfillment, paid platform.Paid) error {
	switch {
	case got.State() == order.Unconnected:
		return in.notifyUnconnected(ctx, got)
	case paid.PaysAgain(got):
		return in.keepPaidAgain(ctx, line, got)
	}
	if got.State() == order.OnHold && slices.Contains(got.Holds, order.HoldPaidAfterReturn) {
		if err := in.Records.RaiseNotice(ctx, lifecycle.PaidAfterReturn(got, in.Now())); err != nil {
			return err
		}
	}
	if got.LacksAddress() {
		if err := in.tellNoAddress(ctx, got); err != nil {
			return err
		}
	}
	if got.HeldByRule() {
		return claim.TellHeld(ctx, in.Records, got)
	}
	return nil
}

// tellNoAddress lists an order among the refusals that its platform told no address of, and
// tells the merchant, once an order: of the first of an hour and account at once, of the
// others when the hour ends. A line of a product that the merchant ignores, which gets no keys
// anyway, is not told of, nor is one whose customer was erased.
func (in *Intake) tellNoAddress(ctx context.Context, line order.Fulfillment) error {
	if !line.ErasedAt.IsZero() {
		return nil
	}
	if ignored, err := in.ignores(ctx, line); err != nil || ignored {
		return err
	}
	facts := notice.Facts{Orders: []string{line.Order}, OrderID: line.ID.OrderHalf(), Account: line.Account, Count: 1}
	return in.Records.KeepRefusal(ctx, order.Refusal{
		Merchant: line.Merchant, Account: line.Account, Order: line.Order, Side: line.Side, Field: customerField, At: in.Now(),
		Problem: "is missing: the order is on hold until the shop tells an address",
	}, notice.Gather(line.Merchant, notice.NoAddress, facts, in.Now()))
}

// keepChanged keeps the refusal of a line that was paid again with another product or
// quantity. The merchant is told once a line.
func (in *Intake) keepChanged(ctx context.Context, line order.Fulfillment, field *platform.FieldError, differs claim.Part) error {
	facts := notice.Facts{Orders: []string{line.Order}, OrderID: line.ID.OrderHalf(), Count: 1}
	return in.Records.KeepRefusal(ctx, order.Refusal{
		Merchant: line.Merchant, Account: line.Account, Order: line.Order, Side: line.Side, Field: field.Field, Problem: field.Problem, At: in.Now(),
	}, notice.New(line.Merchant, notice.ChangedRepeat, string(line.ID), facts, in.Now()), in.paidAgain(line.ID, string(differs)))
}

// keepPaidAgain keeps the refusal of a line that was returned, and that its shop reports as
// paid now: a return is final, so it gets no key by itself. The merchant is told once an
// order and return.
func (in *Intake) keepPaidAgain(ctx context.Context, line, got order.Fulfillment) error {
	problem := fmt.Sprintf("is paid again, and its line %s was returned %s: it gets no keys by itself; fulfil it by hand, or leave it", got.Line, got.ReturnedAt.UTC().Format(time.RFC3339))
	facts := notice.Facts{Orders: []string{got.Order}, OrderID: got.ID.OrderHalf(), Account: line.Account, Side: got.Side, Started: got.ReturnedAt, Count: 1}
	return in.Records.KeepRefusal(ctx, order.Refusal{
		Merchant: got.Merchant, Account: line.Account, Order: got.Order, Side: got.Side, Problem: problem, At: in.Now(),
	}, notice.New(got.Merchant, notice.PaidAgain, got.ID.OrderHalf()+"#"+got.LastReturn, facts, in.Now()), in.paidAgain(got.ID, string(order.Returned)))
}
