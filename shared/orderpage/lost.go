package orderpage

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/lifecycle"
	"keypool/shared/link"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// The limits of those who have lost a mail. Order numbers can be counted through, and addresses
// guessed.
var (
	lostOfNetwork = access.Limit{What: "lost-network", Most: 20, Span: time.Hour}
	lostOfAddress = access.Limit{What: "lost-address", Most: 5, Span: time.Hour}
	lostOfNobody  = access.Limit{What: "lost-nobody", Most: 0, Span: time.Hour}
)

// Shop returns a merchant, to whom a customer who has lost a mail comes. Its error is
// link.ErrInvalid if there is none of the name, or orders have no pages there.
func (p *Pages) Shop(ctx context.Context, merchant string) (catalog.Merchant, error) {
	if pool.CheckName(merchant) != nil {
		return catalog.Merchant{}, link.ErrInvalid
	}
	var m catalog.Merchant
	var there bool
	var common catalog.OrderPages
	var reading errgroup.Group
	reading.Go(func() (err error) { m, there, err = p.Settings.Merchant(ctx, merchant); return err })
	reading.Go(func() (err error) { common, err = p.Common.OrderPages(ctx, merchant); return err })
	err := reading.Wait()
	if err == nil && (!there || common.Default != catalog.OrderPageOn) {
		err = link.ErrInvalid
	}
	return m, err
}

// Lost has the mails of an order sent again, to the address of the order, if it has the number
// and the address, be there a page of its products or not. It does not tell whether it did: its error is ErrTooOften, or
// that of a store.
//
// Where it finds nothing to send, or a mail that is under way, it makes as many calls as it takes
// to send a mail, so that the time of the answer tells nothing either.
func (p *Pages) Lost(ctx context.Context, m catalog.Merchant, number, address, from string) error {
	attempts, err := access.CountAttempts(ctx, p.Counts, p.Now(), map[access.Limit]string{lostOfNetwork: access.Network(from), lostOfAddress: m.Name + " " + address})
	if err != nil {
		return err
	}
	if !attempts.Within() {
		return ErrTooOften
	}
	accounts, _, err := p.Shops.Get(ctx, m.Name)
	if err != nil {
		return err
	}
	var made atomic.Int32 // calls that had a mail sent, or found that it is under way
	var looking errgroup.Group
	for _, origin := range catalog.Origins(append(accounts[:len(accounts):len(accounts)], catalog.ByHand(m.Name))) {
		for _, side := range pool.Sides {
			looking.Go(func() error {
				calls, err := p.sendLost(ctx, order.Identity{Merchant: m.Name, Side: side, Origin: origin, Order: number}.OrderID(), address)
				made.Add(calls)
				return err
			})
		}
	}
	err = looking.Wait()
	for range callsOfMail - min(callsOfMail, made.Load()) {
		if err == nil {
			_, err = access.CountAttempts(ctx, p.Counts, p.Now(), map[access.Limit]string{lostOfNobody: access.Network(from)})
		}
	}
	return err
}

// callsOfMail is how many calls it takes to have a mail sent: the line is read, and written.
const callsOfMail int32 = 2

// sendLost has the mails of an order sent again if it has the address, side by side, and returns
// how many calls that took of the line that took most.
func (p *Pages) sendLost(ctx context.Context, orderID, address string) (calls int32, err error) {
	lines, whole, err := p.Orders.Order(ctx, orderID)
	if err != nil || len(lines) == 0 {
		return 0, err
	}
	var wrote atomic.Bool
	var sending errgroup.Group
	sending.SetLimit(linesAtOnce)
	for _, f := range lines {
		line := Line{Fulfillment: f, State: StateOf(f, whole)}
		if !line.sends() || !line.HasAddress(address) {
			continue
		}
		calls = 1
		sending.Go(func() error {
			now, err := p.Mails.Resend(ctx, line.ID, lifecycle.Act{By: By})
			if errors.Is(err, order.ErrState) {
				return nil
			}
			if now.Version != line.Version {
				wrote.Store(true)
			}
			return err
		})
	}
	if err = sending.Wait(); wrote.Load() {
		calls = callsOfMail
	}
	return calls, err
}

// linesAtOnce is how many lines of an order are mailed side by side.
const linesAtOnce = 16
