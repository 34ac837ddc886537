package lifecycle

import (
	"context"

	"keypool/shared/order"
)

// ReleaseHeld releases a line from what a rule of the merchant's, or the brake, holds it for.
// It stays on hold where there is another reason, which takes an act of its own: see Release.
// Its error is order.ErrState if no rule holds it any more.
func (l *Lifecycle) ReleaseHeld(ctx context.Context, id order.LineID, act Act) (order.Fulfillment, error) {
	line, err := l.change(ctx, id, act, func(line order.Fulfillment) (*order.Change, error) {
		if !toDecide(line, act) {
			return nil, refused(line)
		}
		change := order.ChangeOf(line)
		change.After.ReleaseFromRules()
		change.History = []order.History{l.note(id, order.Released, act)}
		return &change, nil
	})
	return line, wrap(err, "release line %s", id)
}

// toDecide reports whether somebody is to decide about the line, who saw those on hold until
// then.
func toDecide(line order.Fulfillment, act Act) bool {
	return line.HeldByRule() && (act.HeldUntil.IsZero() || !line.HeldAt.After(act.HeldUntil))
}

// rejected is why a line was given back that somebody rejected; their own words follow.
const rejected = "rejected"

// Reject gives a line back that a rule of the merchant's, or the brake, holds: it gets no
// key. Keys that it has got before it was held, which nobody was mailed, are for sale
// again. Its error is order.ErrState if no rule holds it any more.
func (l *Lifecycle) Reject(ctx context.Context, id order.LineID, act Act) (order.Fulfillment, error) {
	if act.Why == "" {
		act.Why = rejected
	} else {
		act.Why = rejected + ": " + act.Why
	}
	line, err := l.change(ctx, id, act, func(line order.Fulfillment) (*order.Change, error) {
		if !toDecide(line, act) {
			return nil, refused(line)
		}
		change := order.ChangeOf(line)
		change.After.ReturnAll()
		change.KeysBack = order.Restock
		change.History = []order.History{l.note(id, order.UnitsReturned, act)}
		return &change, nil
	})
	return line, wrap(err, "reject line %s", id)
}
