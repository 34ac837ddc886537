package claim

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"keypool/shared/order"
	"keypool/shared/random"
)

// ByHand is an order that a person fulfils, and that no platform knows.
type ByHand struct {
	Lines []order.Fulfillment // all of the order, without what the catalog says
	By    string              // who fulfils it
	Why   string              // never empty
	Keys  int                 // how many the person means it to get; 0: not said, see KeysError
}

// UnconnectedError means that no pool feeds the products of some lines, and that they have no
// code for everybody that may be given.
type UnconnectedError struct{ Lines []int } // by their places in ByHand.Lines

func (e *UnconnectedError) Error() string {
	return fmt.Sprintf("no pool feeds the products of %d lines", len(e.Lines))
}

// KeysError means that an order would get another number of keys than the person says, or
// more than the cap while they say none.
type KeysError struct{ Keys, Cap int }

func (e *KeysError) Error() string {
	return fmt.Sprintf("the order gets %d keys, and %d without being asked about", e.Keys, e.Cap)
}

// ByHand gives the lines of an order that a person fulfils their keys, or their places in
// the queue, as Claim does, and returns them as they stand.
//
// The same call again allocates nothing, and completes one that was cut off between two
// lines. One with other lines, or for another customer, is *order.NumberUsedError. Nothing
// is stored on *UnconnectedError and *KeysError.
//
// The rules of review do not hold what a person fulfils: whoever may do that may release
// it, too. The cap is asked before anything is stored, since it finds a typing error. The
// brake holds every line, whoever brings it.
func (c *Claimer) ByHand(ctx context.Context, h ByHand) ([]order.Fulfillment, error) {
	lines, _, err := c.Store.Order(ctx, h.Lines[0].ID.OrderHalf())
	if err == nil {
		lines, err = h.stored(lines)
	}
	if err == nil && slices.ContainsFunc(lines, isNew) {
		err = c.byHand(ctx, h, lines)
	}
	if err != nil {
		return nil, fmt.Errorf("fulfil an order by hand: %w", err)
	}
	return lines, nil
}

// AskByHand returns the lines of an order as ByHand would claim for them, with the pools that
// feed them and the keys that they are due, and those that are stored as they stand. Nothing is
// stored. Its errors are those of ByHand; it says how many keys the lines get, so that Keys of h
// does not count.
func (c *Claimer) AskByHand(ctx context.Context, h ByHand) ([]order.Fulfillment, error) {
	lines, _, err := c.Store.Order(ctx, h.Lines[0].ID.OrderHalf())
	if err == nil {
		lines, err = h.stored(lines)
	}
	var checked []checkedLine
	if err == nil {
		checked, _, err = c.checkByHand(ctx, lines)
	}
	if err != nil {
		return nil, fmt.Errorf("ask about an order by hand: %w", err)
	}
	for i := range lines {
		if isNew(lines[i]) {
			lines[i] = checked[i].line
		}
	}
	return lines, nil
}

// isNew reports whether a line is not stored yet.
func isNew(line order.Fulfillment) bool { return line.Version == 0 }

// stored returns the order's lines, those that are stored as they stand. Its error is
// *order.NumberUsedError if they were stored as another order's.
func (h ByHand) stored(stored []order.Fulfillment) ([]order.Fulfillment, error) {
	lines := slices.Clone(h.Lines)
	for _, line := range stored {
		i := slices.IndexFunc(lines, func(f order.Fulfillment) bool { return f.ID == line.ID })
		if i < 0 || line.OrderLines != len(lines) || !sameByHand(line, lines[i]) {
			return nil, &order.NumberUsedError{Account: line.Account}
		}
		lines[i] = line
	}
	return lines, nil
}

func sameByHand(stored, given order.Fulfillment) bool {
	return stored.Product == given.Product && stored.Quantity == given.Quantity && stored.SameCustomer(given.Customer)
}

// byHand claims for the lines that are not stored yet, side by side, and writes them to
// lines as they stand then. Each is claimed for as it was asked about: a product that is
// disconnected meanwhile has its keys, and no line of the order is left without a pool, of
// which nobody would be told.
func (c *Claimer) byHand(ctx context.Context, h ByHand, lines []order.Fulfillment) error {
	checked, asked, err := c.checkByHand(ctx, lines)
	if err != nil {
		return err
	}
	if h.Keys != asked.Keys && (h.Keys != 0 || asked.Keys > asked.Cap) {
		return &asked
	}
	var claims errgroup.Group
	claims.SetLimit(byHandAtOnce)
	for i, line := range lines {
		if !isNew(line) {
			continue
		}
		beside := slices.Delete(slices.Clone(h.Lines), i, i+1)
		checked[i].line.Released = []order.Hold{order.HoldReview, order.HoldCap}
		claims.Go(func() (err error) {
			lines[i], err = c.claimFrom(random.Split(ctx, line.Line), checked[i].line, checked[i].from, question{by: h.By, byHand: h.Why}, beside)
			if errors.As(err, new(*MismatchError)) {
				return &order.NumberUsedError{Account: line.Account} // another call was faster
			}
			return err
		})
	}
	return claims.Wait()
}

// byHandAtOnce bounds the claims of one order that are in flight together.
const byHandAtOnce = 16

// checkedLine is a new line as the catalog had it when it was asked about.
type checkedLine struct {
	line order.Fulfillment
	from feeder
}

// checkByHand asks about an order before anything of it is stored: whether there is something
// that feeds each of its new lines, and how many keys they get. It returns what it saw of each line.
func (c *Claimer) checkByHand(ctx context.Context, lines []order.Fulfillment) ([]checkedLine, KeysError, error) {
	var unconnected UnconnectedError
	var asked KeysError
	review, err := c.Uncached.Review(ctx, lines[0].Merchant)
	if err != nil {
		return nil, asked, err
	}
	checked := make([]checkedLine, len(lines))
	for i, line := range lines {
		with, from, err := connect(ctx, c.Uncached, line)
		if err != nil {
			return nil, asked, err
		}
		checked[i] = checkedLine{with, from}
		fed := connected(with)
		if fed && with.SharedCode {
			if _, fed, err = c.Store.Code(ctx, from.code); err != nil {
				return nil, asked, err
			}
		}
		if isNew(line) && !fed {
			unconnected.Lines = append(unconnected.Lines, i)
		}
		if isNew(line) {
			line = with
		}
		asked.Keys += line.Wanted
		if most := review.RulesFor(from.rules).Cap(); i == 0 || most < asked.Cap {
			asked.Cap = most
		}
	}
	if len(unconnected.Lines) > 0 {
		return nil, asked, &unconnected
	}
	return checked, asked, nil
}
