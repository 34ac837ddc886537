package faults

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
)

// What becomes of orders in a storm after they were paid, or before: refunds, disputes and
// what people do. Each is reported up to three times at once, and again after the storm
// if nobody was answered.

// act is a report or what a person does.
type act func(ctx context.Context) error

var by = lifecycle.Act{By: "storm", Why: "storm"}

// whole names the order of a line.
func (p *paid) whole() order.Whole {
	l := p.line
	return order.Whole{ID: l.ID.OrderHalf(), Merchant: l.Merchant, Side: l.Side, Account: l.Account, Order: l.Order}
}

func (p *paid) identity() order.Identity {
	l := p.line
	return order.Identity{Merchant: l.Merchant, Side: l.Side, Origin: l.Origin, Order: l.Order, Line: l.Line}
}

// happen lets something happen to an order.
func (s *storm) happen(ctx context.Context, what act) int {
	var all sync.WaitGroup
	for range s.chance.between(1, 3) {
		all.Go(func() {
			ctx, done := dynamotest.WithGiveUp(ctx)
			defer done()
			if !s.acted(what(ctx)) {
				s.tally.add("acts answered with an error", 1)
				s.ledger.mu.Lock()
				defer s.ledger.mu.Unlock()
				s.ledger.unanswered = append(s.ledger.unanswered, what)
			}
		})
	}
	all.Wait()
	return 1
}

// acted reports whether an act is done: it changed the line, or the line is not one that
// it changes.
func (s *storm) acted(err error) bool {
	return err == nil || errors.As(err, new(*order.CorrectionLimitError)) || errors.Is(err, order.ErrState) || errors.Is(err, order.ErrNoKeys) || errors.Is(err, order.ErrNotHeld)
}

// anyOrder returns a random order, nil while there is none.
func (s *storm) anyOrder() *paid { return s.some(func(*paid) bool { return true }) }

// refundLine gives units of a line back.
func (s *storm) refundLine(ctx context.Context) int {
	p := s.anyOrder()
	if p == nil {
		return 0
	}
	s.ledger.mu.Lock()
	r := lifecycle.LineReturn{
		Identity: p.identity(), Account: p.line.Account, Refund: fmt.Sprint("R", len(p.refunds)), Act: by,
		KeysBack: []order.Disposition{order.Revoke, order.Keep, order.Restock}[s.chance.intN(3)],
	}
	if s.chance.happens(0.7) {
		r.Units = s.chance.between(1, p.line.Quantity)
	}
	p.refunds, p.restocks = append(p.refunds, r.Units), p.restocks || r.KeysBack == order.Restock
	s.ledger.mu.Unlock()
	return s.happen(ctx, func(ctx context.Context) error {
		_, err := s.changes.ReturnLine(ctx, r)
		return err
	})
}

// refundOrder gives an order back. Few are, so that the others go on.
func (s *storm) refundOrder(ctx context.Context) int {
	p := s.anyOrder()
	if p == nil || s.chance.happens(0.5) {
		return 0
	}
	s.ledger.mu.Lock()
	p.returned = true
	s.ledger.mu.Unlock()
	return s.happen(ctx, func(ctx context.Context) error {
		_, err := s.changes.ReturnOrder(ctx, p.whole(), order.Return{ID: "all", By: by.By, Why: by.Why})
		return err
	})
}

// dispute reports a turn of one of an order's three disputes, in any order. The first is won,
// the third is lost. The second never ends, unless a person drops it.
func (s *storm) dispute(ctx context.Context) int {
	p, n := s.anyOrder(), s.chance.intN(7)/3
	if p == nil {
		return 0
	}
	state := order.DisputeOpen
	if end := p.end(n); end != "" && s.chance.happens(0.5) {
		state = end
	}
	s.ledger.mu.Lock()
	p.disputed[n] = true
	s.ledger.mu.Unlock()
	return s.happen(ctx, func(ctx context.Context) error {
		_, err := s.changes.Dispute(ctx, p.whole(), fmt.Sprint("D", n), state)
		return err
	})
}

// end is how a dispute of the order ends; "": its platform never says.
func (p *paid) end(dispute int) order.Dispute {
	return [...]order.Dispute{order.DisputeWon, "", order.DisputeLost}[dispute]
}

// dropDisputes drops the disputes of an order that are open, and releases its lines.
func (s *storm) dropDisputes(ctx context.Context) int {
	p := s.some(func(p *paid) bool { return p.disputed != [3]bool{} })
	if p == nil {
		return 0
	}
	return s.happen(ctx, func(ctx context.Context) error {
		_, err := s.changes.ReleaseDisputed(ctx, p.whole(), by)
		return err
	})
}

// holdOrRelease holds a line by hand, or releases it.
func (s *storm) holdOrRelease(ctx context.Context) int {
	p := s.anyOrder()
	if p == nil {
		return 0
	}
	do := s.changes.Release
	if s.chance.happens(0.4) {
		do = s.changes.Hold
	}
	return s.happen(ctx, func(ctx context.Context) error {
		_, err := do(ctx, p.line.ID, by)
		return err
	})
}

// replaceOrResend replaces a key of a line, or has its keys mailed again, to another address
// too.
func (s *storm) replaceOrResend(ctx context.Context) int {
	p := s.anyOrder()
	if p == nil {
		return 0
	}
	s.ledger.mu.Lock()
	p.again += 3 // it may happen three times
	s.ledger.mu.Unlock()
	switch {
	case s.chance.happens(0.25):
		email := fmt.Sprintf("corrected-%d@customers.example", s.chance.intN(100))
		return s.happen(ctx, func(ctx context.Context) error {
			_, err := s.changes.ResendTo(ctx, p.line.ID, email, by)
			return err
		})
	case s.chance.happens(0.5):
		return s.happen(ctx, func(ctx context.Context) error {
			_, err := s.changes.Resend(ctx, p.line.ID, by)
			return err
		})
	}
	line, ok, err := s.direct.Fulfillment(ctx, p.line.ID)
	s.noError(err)
	if !ok || len(line.Keys) == 0 {
		return 0
	}
	key := line.Keys[s.chance.intN(len(line.Keys))].ID
	return s.happen(ctx, func(ctx context.Context) error {
		_, err := s.changes.Replace(ctx, p.line.ID, key, by)
		return err
	})
}

// settleActs repeats what nobody was answered, lets disputes end, drops those that do not, and
// releases what is held.
func (s *storm) settleActs(ctx context.Context) {
	for _, do := range s.ledger.unanswered {
		if err := do(ctx); !s.acted(err) {
			s.noError(err)
		}
	}
	s.ledger.unanswered = nil
	for _, p := range s.ledger.orders {
		for n, disputed := range p.disputed {
			if end := p.end(n); disputed && end != "" {
				_, err := s.changes.Dispute(ctx, p.whole(), fmt.Sprint("D", n), end)
				s.noError(err)
			}
		}
		if p.disputed[1] {
			_, err := s.changes.ReleaseDisputed(ctx, p.whole(), by)
			s.noError(err)
		}
		_, err := s.changes.Release(ctx, p.line.ID, by)
		s.noError(err)
	}
}

// due returns how many keys the line is due by what was reported: those of the units that
// were not given back.
func (s *storm) due(p *paid, paidAfter []string) int {
	if p.returned && !slices.Contains(paidAfter, "all") || p.disputed[2] && !slices.Contains(paidAfter, "dispute:D2") {
		return 0
	}
	units := 0
	for _, n := range p.refunds {
		if n == 0 {
			return 0
		}
		units += n
	}
	product := products[slices.IndexFunc(products, func(c catalog.Product) bool { return c.ID == p.line.Product })]
	switch {
	case units >= p.line.Quantity:
		return 0
	case product.Keys.Mode == catalog.PerLine:
		return p.wanted
	}
	return p.wanted - units*product.Keys.Count
}
