package delivery

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"keypool/shared/catalog"
	"keypool/shared/mail/text"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// Why the keys of a parent cannot be mailed. A line that delivers them shows the reason as
// the code of its mail.
const (
	parentUnknown   = "ParentUnknown"   // it was not paid, as far as anybody knows
	parentUnclear   = "ParentUnclear"   // several of its lines may be meant, or none fits
	parentCircle    = "ParentCircle"    // the parents of its parents lead back, or nowhere
	parentOfAnother = "ParentOfAnother" // another customer's: a wrong number would give his keys away
	parentWaits     = "ParentWaits"     // it has not been mailed its own keys
	parentHeld      = "ParentHeld"      // it is on hold, or in dispute
	parentReturned  = "ParentReturned"
)

// maxParents bounds how many renewals in a row may each name the one before: eight years,
// month by month.
const maxParents = 100

// tellAfter is how often the keys of a parent are looked for before the merchant is told
// that they cannot be mailed: after some four minutes.
const tellAfter = 3

// parentKeys returns the keys of the line that a line renews, as they are now, or the
// reason why they must not be mailed. A parent that delivers its own parent's keys leads
// on to that one, whatever became of it: it never had keys of its own.
//
// It lets keys of another order leave. So, as for the line's own, what is known of that
// order is read here, after the lease of the mail. Only keys that the parent's own mail was
// leased with may leave: a return never puts such keys up for sale again.
func (k lineKind) parentKeys(ctx context.Context, f order.Fulfillment) (keys []pool.Key, reason string, err error) {
	parent, seen := f, []string{f.ID.OrderHalf()}
	for parent.ID == f.ID || parent.KeysOfParent {
		id := parent.ParentID()
		if slices.Contains(seen, id) || len(seen) > maxParents {
			return nil, parentCircle, nil
		}
		seen = append(seen, id)
		lines, err := k.Orders.Lines(ctx, id)
		if err != nil {
			return nil, "", err
		}
		lines = slices.DeleteFunc(lines, func(l order.Fulfillment) bool { return l.Expected })
		if len(lines) == 0 {
			return nil, parentUnknown, nil
		}
		var clear bool
		if parent, clear = f.RenewedIn(lines); !clear {
			return nil, parentUnclear, nil
		}
	}
	whole, err := k.Orders.Whole(ctx, parent.ID.OrderHalf())
	if err != nil {
		return nil, "", err
	}
	_, forbidden := whole.Forbids(parent)
	_, returned := whole.ReturnOf(parent)
	switch {
	case !f.SameCustomer(parent.Customer):
		return nil, parentOfAnother, nil
	case returned || parent.State() == order.Returned:
		return nil, parentReturned, nil
	case forbidden || parent.State() == order.OnHold:
		return nil, parentHeld, nil
	case !parent.Complete() || !parent.Mail.KeysLeft():
		return nil, parentWaits, nil
	}
	keys = parent.Keys
	if parent.Chunks > 0 {
		chunks, err := k.Orders.Chunks(ctx, parent.ID)
		if err != nil {
			return nil, "", err
		}
		for _, chunk := range chunks {
			keys = append(slices.Clip(keys), chunk.Keys...)
		}
	}
	if len(keys) != parent.Allocated {
		return nil, "", fmt.Errorf("%d of %d keys of the parent were read: they are being changed", len(keys), parent.Allocated)
	}
	return keys, "", nil
}

// renewed adds to a line what its mail needs of its parent. Of a line that delivers its
// parent's keys those are all; another line is mailed without them if they cannot be.
func (k lineKind) renewed(ctx context.Context, f *order.Fulfillment, own, common map[string]catalog.Text) (parents []pool.Key, err error) {
	if f.Parent == "" || !f.KeysOfParent && !showsParent(own) && !showsParent(common) {
		return nil, nil
	}
	parents, reason, err := k.parentKeys(ctx, *f)
	if err != nil {
		return nil, err
	}
	if f.KeysOfParent {
		if reason != "" {
			return nil, &putOff{reason: reason}
		}
		f.Keys, f.Allocated = parents, len(parents)
	}
	return parents, nil
}

// showsParent reports whether one of the texts shows the keys of a parent.
func showsParent(texts map[string]catalog.Text) bool {
	for _, own := range texts {
		if strings.Contains(own.Body, text.ParentKey.String()) {
			return true
		}
	}
	return false
}

// tellRenewal returns the notice that a renewal's keys cannot be mailed, nil if it is too
// early for that. It is told once a line.
func (k lineKind) tellRenewal(f order.Fulfillment, reason string) *notice.Notice {
	if !f.KeysOfParent || f.Mail.Tries < tellAfter {
		return nil
	}
	tell := notice.New(f.Merchant, notice.RenewalWaits, string(f.ID), notice.Facts{
		Orders: []string{f.Order, f.Parent}, OrderID: f.ID.OrderHalf(), Product: f.Product, Account: f.Account, Side: f.Side, Count: 1, Cause: reason,
	}, k.Now())
	return &tell
}
