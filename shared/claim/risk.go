package claim

import (
	"context"
	"fmt"

	"keypool/shared/catalog"
	"keypool/shared/notice"
	"keypool/shared/order"
)

// Notices stores notices.
type Notices interface {
	// RaiseNotice stores a notice, once.
	RaiseNotice(ctx context.Context, n notice.Notice) error
}

// lateRisk applies the platform's verdict on an order that comes after its line was stored:
// fraud checks take longer than payments. Where a rule holds risky orders, the line is put
// on hold as it would have been by its claim, with the keys that it has by now: nobody was
// mailed them. It is not if its keys are gone, or may be: then the merchant is told, once an
// order, before the line is changed.
//
// The change holds if the line is as it was read. So of this and the lease of its mail, one
// comes first, and the other sees it.
func (c *Claimer) lateRisk(ctx context.Context, stored, paid order.Fulfillment) (order.Fulfillment, error) {
	if !catalog.RiskNews(stored, paid.Risk, paid.ChangedAt) {
		return stored, nil
	}
	asked, err := c.asksForRisk(ctx, stored)
	if err != nil {
		return paid, err
	}
	now := c.Now()
	change := order.ChangeOf(stored)
	line := &change.After
	line.Risk, line.ChangedAt = paid.Risk, paid.ChangedAt
	change.History = []order.History{{Line: line.ID, At: now, Event: order.RiskReported, By: c.By, Code: paid.Risk}}
	switch {
	case !asked:
	case line.Mail.KeysGone() || !line.ShownAt.IsZero():
		if err := c.tellRisk(ctx, *line); err != nil {
			return paid, err
		}
	default:
		hold(&change, []order.Hold{order.HoldReviewRisk}, c.By, now)
	}
	change.Settle(now)
	if err := c.Store.Commit(ctx, change); err != nil {
		return paid, err
	}
	if stored.Waits() && !line.Waits() {
		c.askForFill(ctx, stored) // its place is for others
	}
	return change.After, nil
}

// asksForRisk reports whether a rule holds the line if its order is risky. A line that no
// pool feeds is asked about when it is connected.
func (c *Claimer) asksForRisk(ctx context.Context, line order.Fulfillment) (bool, error) {
	if !connected(line) || line.State() == order.Returned || line.ReleasedFrom(order.HoldReviewRisk) {
		return false, nil
	}
	review, err := c.Cached.Review(ctx, line.Merchant)
	if err != nil {
		return false, err
	}
	product, _, err := catalog.LineProduct(ctx, c.Cached, line.Merchant, line.Product, line.Original)
	return review.RulesFor(product.Review).Risk, err
}

// tellRisk tells the merchant of a risky order whose keys are gone.
func (c *Claimer) tellRisk(ctx context.Context, line order.Fulfillment) error {
	facts := notice.Facts{Orders: []string{line.Order}, OrderID: line.ID.OrderHalf(), Account: line.Account, Side: line.Side, Cause: line.Risk, Count: 1}
	if err := c.Notices.RaiseNotice(ctx, notice.New(line.Merchant, notice.RiskAfterKeys, line.ID.OrderHalf(), facts, c.Now())); err != nil {
		return fmt.Errorf("tell of a risky order: %w", err)
	}
	return nil
}
