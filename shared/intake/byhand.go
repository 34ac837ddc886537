package intake

import (
	"context"

	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/pool"
)

// ByHand takes orders that people fulfil, and that no platform knows: a key for the press,
// an order that was paid by bank transfer. It is safe for concurrent use.
type ByHand struct {
	Claims      ByHandClaimer
	Orders      KnownOrders
	Notices     Notices
	MaxQuantity int // units that one line may have
}

// ByHandClaimer gives the lines of such an order their keys; see claim.Claimer.
type ByHandClaimer interface {
	ByHand(ctx context.Context, h claim.ByHand) ([]order.Fulfillment, error)
	AskByHand(ctx context.Context, h claim.ByHand) ([]order.Fulfillment, error)
}

// KnownOrders reads the orders of a merchant's accounts.
type KnownOrders interface {
	Accounts(ctx context.Context, merchant string) ([]catalog.Account, error)
	// Lines returns the lines of an order, none if there is no such order.
	Lines(ctx context.Context, orderID string) ([]order.Fulfillment, error)
}

// Notices stores notices.
type Notices interface {
	// RaiseNotice stores a notice, once: a notice with the same ID changes nothing.
	RaiseNotice(ctx context.Context, n notice.Notice) error
}

// Wish is an order that a person wants to be fulfilled.
type Wish struct {
	Merchant string
	Order    platform.Paid // as a platform would tell it
	By       string        // who fulfils it
	Why      string        // never empty
	Keys     int           // see claim.ByHand
}

// Fulfil gives the lines of an order their keys, or their places in the queue, and returns
// them as they stand: see claim.Claimer. The same wish again changes nothing.
//
// Its error is *platform.FieldError for an order that cannot be taken, whose fields are
// those of platform.Paid, *order.NumberUsedError for a number that is another order's, also
// one that an account knows: a customer whose webhook is late would get keys twice. One
// that comes at the same moment is not seen.
func (b *ByHand) Fulfil(ctx context.Context, w Wish) ([]order.Fulfillment, error) {
	h, err := b.check(ctx, w)
	if err != nil {
		return nil, err
	}
	lines, err := b.Claims.ByHand(ctx, h)
	if err != nil {
		return nil, err
	}
	for _, line := range lines {
		if line.HeldByRule() {
			if err := claim.TellHeld(ctx, b.Notices, line); err != nil {
				return lines, err
			}
		}
	}
	return lines, nil
}

// Ask returns the lines of an order as Fulfil would have them, with the pools that feed them and
// the keys that they are due. Nothing is stored. Its errors are those of Fulfil.
func (b *ByHand) Ask(ctx context.Context, w Wish) ([]order.Fulfillment, error) {
	h, err := b.check(ctx, w)
	if err != nil {
		return nil, err
	}
	return b.Claims.AskByHand(ctx, h)
}

// check returns the order that a wish is for, if it can be taken.
func (b *ByHand) check(ctx context.Context, w Wish) (claim.ByHand, error) {
	h := claim.ByHand{By: w.By, Why: w.Why, Keys: w.Keys}
	if err := w.Order.Check(b.MaxQuantity); err != nil {
		return h, err
	}
	account := catalog.ByHand(w.Merchant)
	from := platform.Account{Merchant: account.Merchant, Name: account.Name, Origin: account.Origin}
	for _, line := range w.Order.Lines {
		h.Lines = append(h.Lines, fulfillment(from, w.Order, line))
	}
	lines, err := b.Orders.Lines(ctx, h.Lines[0].ID.OrderHalf())
	if err == nil && len(lines) == 0 {
		err = b.known(ctx, w)
	}
	return h, err
}

// known returns *order.NumberUsedError if an account has an order of that number and side.
func (b *ByHand) known(ctx context.Context, w Wish) error {
	accounts, err := b.Orders.Accounts(ctx, w.Merchant)
	if err != nil {
		return err
	}
	for _, origin := range catalog.Origins(accounts) {
		id := order.Identity{Merchant: w.Merchant, Side: pool.SideOf(w.Order.Test), Origin: origin, Order: w.Order.Order}
		lines, err := b.Orders.Lines(ctx, id.OrderID())
		if err != nil {
			return err
		}
		if len(lines) > 0 {
			return &order.NumberUsedError{Account: lines[0].Account}
		}
	}
	return nil
}
