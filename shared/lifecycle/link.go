package lifecycle

import (
	"context"

	"keypool/shared/order"
)

// ReplaceLink gives the page of an order another link. The one before is good no more. It
// returns what is known of the order then.
func (l *Lifecycle) ReplaceLink(ctx context.Context, of order.Fulfillment, act Act) (order.Whole, error) {
	return l.changeLink(ctx, of, order.LinkReplaced, act, func(link *order.PageLink) { link.Replace(l.Now()) })
}

// RevokeLink leaves the page of an order without a link until it gets another. It is harmless
// to revoke it twice.
func (l *Lifecycle) RevokeLink(ctx context.Context, of order.Fulfillment, act Act) (order.Whole, error) {
	return l.changeLink(ctx, of, order.LinkRevoked, act, (*order.PageLink).Revoke)
}

// changeLink changes the link of a line's order, and tells it in the line's history.
func (l *Lifecycle) changeLink(ctx context.Context, of order.Fulfillment, event order.EventKind, act Act, change func(*order.PageLink)) (order.Whole, error) {
	var whole order.Whole
	_, err := l.change(ctx, of.ID, act, func(line order.Fulfillment) (*order.Change, error) {
		var err error
		if whole, err = l.Wholes.Whole(ctx, line.ID.OrderHalf()); err != nil {
			return nil, err
		}
		if event == order.LinkRevoked && whole.Link.Revoked {
			return nil, nil
		}
		if whole.Version == 0 {
			whole = order.Whole{ID: line.ID.OrderHalf(), Merchant: line.Merchant, Side: line.Side, Account: line.Account, Order: line.Order, ChangedAt: l.Now()}
		}
		change(&whole.Link)
		stored := order.ChangeOf(line)
		known := whole
		stored.Whole = &known
		stored.History = []order.History{l.note(line.ID, event, act)}
		return &stored, nil
	})
	return whole, wrap(err, "change the link of the page of order %s", of.ID.OrderHalf())
}
