package order

import (
	"slices"
	"strings"
	"time"
)

// Hold is a reason for which a line is on hold. A line is on hold while it has any.
type Hold string

// The reasons of holds. That of a dispute is DisputeHold.
const (
	HoldByHand          Hold = "by hand"             // somebody of the merchant's holds it
	HoldReview          Hold = "review"              // the merchant's rule has every line looked at first
	HoldReviewRisk      Hold = "review:risk"         // the platform calls the order risky
	HoldReviewAmount    Hold = "review:amount"       // it costs more than the merchant's rule lets pass
	HoldReviewOrders    Hold = "review:orders"       // its customer has ordered too often that day
	HoldCap             Hold = "cap"                 // its order has more keys than the merchant's rule lets pass
	HoldBrake           Hold = "brake"               // the merchant's brake was set
	HoldPaidBefore      Hold = "paid before"         // it was paid before its account delivers
	HoldPaidAfterReturn Hold = "paid after a return" // its order was returned before it was paid
	HoldNoAddress       Hold = "no address"          // there is nowhere to send keys, until its platform tells
)

// disputeHold begins the hold of a dispute; the dispute's id follows.
const disputeHold = "dispute:"

// DisputeHold is the reason of a line whose order is in dispute. It ends with the dispute,
// or when a person drops that: see Whole.DropDisputes.
func DisputeHold(id string) Hold { return Hold(disputeHold + id) }

// Dispute reports whether the hold is that of a dispute. It follows what is known of the
// order as a whole.
func (h Hold) Dispute() bool { return strings.HasPrefix(string(h), disputeHold) }

// kind is the reason without its details: review, dispute, cap.
func (h Hold) kind() string {
	kind, _, _ := strings.Cut(string(h), ":")
	return kind
}

// ByRule reports whether a rule of the merchant's, or the brake, made the hold. A person
// decides what becomes of the line.
func (h Hold) ByRule() bool {
	return h.kind() == string(HoldReview) || h == HoldCap || h == HoldBrake
}

// Says returns the reason in words, as the end of a sentence.
func (h Hold) Says() string {
	switch {
	case h == HoldReview:
		return "your rules have every order looked at"
	case h == HoldReviewRisk:
		return "the platform calls the order risky"
	case h == HoldReviewAmount:
		return "it costs more than your rules let pass"
	case h == HoldReviewOrders:
		return "its customer has ordered more often that day than your rules let pass"
	case h == HoldCap:
		return "its order has more keys than your rules let pass"
	case h == HoldBrake:
		return "the brake was set"
	case h.Dispute():
		return "the order is in dispute"
	case h == HoldPaidBefore:
		return "it was paid before its account delivers"
	case h == HoldPaidAfterReturn:
		return "its order was refunded before it was paid"
	case h == HoldNoAddress:
		return "it has no mail address"
	case h == HoldByHand:
		return "somebody put it on hold"
	}
	return string(h)
}

// InDispute reports whether the line is on hold for a dispute of its order.
func (f Fulfillment) InDispute() bool {
	return f.State() == OnHold && slices.ContainsFunc(f.Holds, Hold.Dispute)
}

// HeldByRule reports whether the line is on hold for a rule of the merchant's.
func (f Fulfillment) HeldByRule() bool {
	return f.State() == OnHold && slices.ContainsFunc(f.Holds, Hold.ByRule)
}

// AsksForSomebody reports whether the merchant is told of the line once it is stored, since
// it stays as it is until somebody does something: no pool feeds it, a rule holds it, it
// was paid after it was returned, or has no address.
func (f Fulfillment) AsksForSomebody() bool {
	held := func(h Hold) bool { return h.ByRule() || h == HoldPaidAfterReturn || h == HoldNoAddress }
	return f.State() == Unconnected || f.State() == OnHold && slices.ContainsFunc(f.Holds, held)
}

// HoldByRules puts the line on hold for the reasons of rules, but for those that a person
// has released it from before. It returns those that were added.
func (f *Fulfillment) HoldByRules(reasons []Hold, now time.Time) (added []Hold) {
	for _, reason := range reasons {
		if f.ReleasedFrom(reason) || slices.Contains(f.Holds, reason) {
			continue
		}
		f.Hold(reason)
		f.HeldAt = now
		added = append(added, reason)
	}
	return added
}

// ReleasedFrom reports whether a person has released the line from holds of the reason's
// kind: from all rules of review, the cap, or the brake. Who released it from other rules of
// review may not have known that its platform calls the order risky: that is told later.
func (f Fulfillment) ReleasedFrom(reason Hold) bool {
	if reason == HoldReviewRisk {
		return slices.Contains(f.Released, HoldReviewRisk)
	}
	return slices.ContainsFunc(f.Released, func(h Hold) bool { return h.kind() == reason.kind() })
}

// LacksAddress reports whether the line is on hold since there is nowhere to send its keys.
func (f Fulfillment) LacksAddress() bool {
	return f.State() == OnHold && slices.Contains(f.Holds, HoldNoAddress)
}

// Release takes every reason away but disputes, which are of the whole order, and a missing
// address, without which no keys can be sent. The line is not held for the same rules again.
// It reports whether there were any.
func (f *Fulfillment) Release() bool { return f.release(Hold.released) }

// Releasable reports whether Release takes a reason away.
func (f Fulfillment) Releasable() bool {
	return f.State() == OnHold && slices.ContainsFunc(f.Holds, Hold.released)
}

// released reports whether Release takes the reason away.
func (h Hold) released() bool { return !h.Dispute() && h != HoldNoAddress }

// ReleaseFromRules does as Release, but takes away only what rules and the brake hold the
// line for: an order that was paid before its account delivers, or after it was returned, or
// that somebody put on hold, stays so.
func (f *Fulfillment) ReleaseFromRules() bool { return f.release(Hold.ByRule) }

func (f *Fulfillment) release(lift func(Hold) bool) bool {
	released := slices.Clone(f.Released)
	for _, h := range f.Holds {
		if h.ByRule() && !slices.Contains(released, h) {
			released = append(released, h)
		}
	}
	lifted := f.Lift(lift)
	if f.Released = released; len(released) == 0 {
		f.Released = nil
	}
	return lifted
}

// HeldLine is a line that waits for a person's decision, as lists and mails show it: no key,
// no customer.
type HeldLine struct {
	Line       LineID
	Order      string
	Account    string
	Product    string
	Title      string
	Quantity   int
	Reasons    []Hold
	ReceivedAt time.Time
	HeldAt     time.Time
}

// Hold puts the line on hold for a reason, in addition to those that it has.
func (f *Fulfillment) Hold(reason Hold) {
	if i, has := slices.BinarySearch(f.Holds, reason); !has {
		f.Holds = slices.Insert(slices.Clone(f.Holds), i, reason)
	}
}

// Lift takes the reasons away for which lift is true. It reports whether there were any.
func (f *Fulfillment) Lift(lift func(Hold) bool) bool {
	left := slices.DeleteFunc(slices.Clone(f.Holds), lift)
	lifted := len(left) < len(f.Holds)
	if f.Holds = left; len(left) == 0 {
		f.Holds = nil
	}
	return lifted
}
