package order

import (
	"slices"
	"strings"
)

// Hold is a reason for which a line is on hold. A line is on hold while it has any.
type Hold string

// The reasons of holds. That of a dispute is DisputeHold.
const (
	HoldByHand          Hold = "by hand"             // somebody of the merchant's holds it
	HoldReview          Hold = "review"              // the merchant's rule has it looked at first
	HoldPaidBefore      Hold = "paid before"         // it was paid before its account delivers
	HoldPaidAfterReturn Hold = "paid after a return" // its order was returned before it was paid
)

// disputeHold begins the hold of a dispute; the dispute's id follows.
const disputeHold = "dispute:"

// DisputeHold is the reason of a line whose order is in dispute. It ends with the dispute.
func DisputeHold(id string) Hold { return Hold(disputeHold + id) }

// Dispute reports whether the hold is that of a dispute. Nobody but the platform lifts it.
func (h Hold) Dispute() bool { return strings.HasPrefix(string(h), disputeHold) }

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
