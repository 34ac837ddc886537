// Package intake applies the events that payment platforms report. It is the same
// for all platforms, and for every way an event comes in.
//
// A paid order becomes a claim for each of its lines (paid.go). A signed request
// that cannot be taken is kept, without its content, and the merchant is told
// (refuse.go): somebody may have paid for it. One that its account did not sign is
// counted, and told if a shop may have sent it (calls.go). A refund gives back what it
// names, and a dispute puts its order on hold (returned.go), whether the order was paid
// yet or not.
//
// Every event and every line gets a platform.Result. Errors end here: they are
// logged, and the result says Failed.
package intake

import (
	"context"
	"slices"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/lifecycle"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/platform"
)

// Intake applies events. It is safe for concurrent use.
type Intake struct {
	Claims      Claimer
	Orders      Orders
	Records     Records
	Products    platform.Products // may be cached
	Pages       Pages             // nil: no account's answers name the page of an order
	PublicURL   string            // what the addresses of pages begin with
	MaxQuantity int               // units that one line may have
	By          string            // who acts in histories: a function
	Now         func() time.Time

	calls       calls
	unconnected unconnected
}

// Claimer gives a paid line its keys; see claim.Claimer.
type Claimer interface {
	Claim(ctx context.Context, paid order.Fulfillment, beside ...order.Fulfillment) (order.Fulfillment, error)
	// Repeat does the same for a line that was paid before. It is false for another one,
	// of which nothing is stored.
	Repeat(ctx context.Context, paid order.Fulfillment) (order.Fulfillment, bool, error)
}

// Orders changes orders; see lifecycle.Lifecycle.
type Orders interface {
	// ReturnLine gives units of a line back.
	ReturnLine(ctx context.Context, r lifecycle.LineReturn) (order.Fulfillment, error)
	// Return gives back all that is left of an order, or what an amount pays for. It is not
	// clear if nobody can tell what that is: then nothing is taken.
	Return(ctx context.Context, of order.Whole, r order.Return) (lines []order.Fulfillment, clear bool, err error)
	// RefundFailed notes that a refund failed, whether it was told of before or not, and
	// returns the order's lines, and when it was noted first.
	RefundFailed(ctx context.Context, of order.Whole, r order.Return) (lines []order.Fulfillment, at time.Time, err error)
	// Dispute applies a turn of a dispute to the lines of an order, and returns them.
	Dispute(ctx context.Context, of order.Whole, id string, state order.Dispute) ([]order.Fulfillment, error)
}

// Pages finds the pages of orders; see orderpage.Pages.
type Pages interface {
	// LinkOfPaid returns the address of the page of an order that is being paid, false if
	// nobody can open it.
	LinkOfPaid(ctx context.Context, public string, paid []order.Fulfillment) (string, bool, error)
}

// Records keeps refusals, notices, histories and counts of webhooks.
type Records interface {
	// KeepRefusal stores a refusal, its notice and entries of lines' histories, all or
	// nothing. The same order refused again for the same mistake changes nothing.
	KeepRefusal(ctx context.Context, r order.Refusal, tell notice.Notice, history ...order.History) error
	// RaiseNotice stores a notice, once: a notice with the same ID changes nothing.
	RaiseNotice(ctx context.Context, n notice.Notice) error
	// AddHistory adds an entry to the history of a line. The same entry again changes
	// nothing.
	AddHistory(ctx context.Context, h order.History) error
	// AddCalls adds to the webhooks of an account.
	AddCalls(ctx context.Context, merchant, account string, more catalog.Calls) error
}

// Apply applies the events of a request, each for itself, and returns what became of
// them: one result for each line of a paid order, one for any other event.
func (in *Intake) Apply(ctx context.Context, from platform.Account, r platform.Request, events []platform.Event) []platform.Result {
	ended := in.began(ctx, from, callOf(events))
	results := in.applyAll(ctx, from, r, events)
	ended(results)
	return results
}

// Take applies events that a platform's API told of, as Apply does those of a webhook. The
// account was not heard from by them.
func (in *Intake) Take(ctx context.Context, from platform.Account, events ...platform.Event) []platform.Result {
	return in.applyAll(ctx, from, platform.Request{}, events)
}

// applyAll applies events in their order: what was given back of an order, or is in dispute,
// stands before its payment. A payment is not claimed for if that was not applied: its
// customer, who was refunded, would get keys.
func (in *Intake) applyAll(ctx context.Context, from platform.Account, r platform.Request, events []platform.Event) []platform.Result {
	var results []platform.Result
	notApplied := map[string]platform.Result{} // by the order's number
	for _, event := range events {
		if paid, is := event.(platform.Paid); is {
			if before, is := notApplied[paid.Order]; is {
				results = append(results, platform.Result{Outcome: before.Outcome, Order: paid.Order, Field: before.Field})
				continue
			}
			if paid.GivenBack == nil {
				paid.GivenBack = returnsOf(paid.Order, events)
			}
			event = paid
		}
		if of, is := event.(platform.Recorded); is && slices.ContainsFunc(results, func(result platform.Result) bool {
			return result.Why != "" && result.Order == of.Order && result.Line == of.Line
		}) {
			continue // nothing is stored of a line that is passed over
		}
		now := in.applyOne(ctx, from, r, event)
		results = append(results, now...)
		i := slices.IndexFunc(now, func(result platform.Result) bool { return result.Outcome >= platform.Rejected })
		if i < 0 {
			continue
		}
		switch event := event.(type) {
		case platform.Returned:
			notApplied[event.Order] = now[i]
		case platform.Disputed:
			notApplied[event.Order] = now[i]
		}
	}
	return results
}

// returnsOf returns what events say was given back of an order.
func returnsOf(number string, events []platform.Event) (all []platform.Returned) {
	for _, event := range events {
		if returned, is := event.(platform.Returned); is && returned.Order == number {
			all = append(all, returned)
		}
	}
	return all
}

// applyOne has a case for each kind of event.
func (in *Intake) applyOne(ctx context.Context, from platform.Account, r platform.Request, event platform.Event) []platform.Result {
	switch event := event.(type) {
	case platform.Paid:
		return in.paid(ctx, from, r, event)
	case platform.Returned:
		return in.returned(ctx, from, r, event)
	case platform.Disputed:
		return in.disputed(ctx, from, r, event)
	case platform.Recorded:
		return []platform.Result{in.record(ctx, from, event)}
	case platform.Ignored:
		return []platform.Result{in.skip(ctx, from, event)}
	}
	panic("an event of a kind that intake does not know")
}
