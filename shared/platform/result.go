package platform

import "keypool/shared/order"

// Result is what became of an event, or of one line of a paid order.
type Result struct {
	Outcome Outcome

	Order   string
	Line    string
	Product string

	// How the line stands now; of Accepted only.
	State     order.State
	Wanted    int
	Allocated int

	IgnoredFields []string // of the order; see Paid
	OrderPage     string   // the address of the order's page, where the account's answers name it; of Accepted only

	Type  string      // of a Skipped event: its name, as the platform writes it
	Why   SkipReason  // of a Skipped line: nothing is stored of it
	Field *FieldError // of Rejected and Changed: the reason
}

// Outcome is the kind of a Result. The outcomes are ordered from the best to the
// worst: a platform that takes one answer for all it reported is answered by the
// last of them.
type Outcome int

// The outcomes of an event.
const (
	Skipped  Outcome = iota // it does not concern Keypool: nothing is stored
	Accepted                // the line is stored, by this event or an earlier one
	Changed                 // the line was paid before with other content or by another customer: nothing is changed
	Rejected                // it can never be taken as it is; it is kept, and the merchant told
	Left                    // nothing is stored of it, and it is not to be sent again: catch-up will find its order
	Failed                  // it may not be stored; the same event, sent again, will be
)

// SkipReason is why a line of a paid order is skipped.
type SkipReason string

// The reasons.
const (
	OtherProduct SkipReason = "other_product"      // the account passes over products that the catalog does not know
	NothingToDo  SkipReason = "nothing_to_deliver" // a gift card, or what is shipped
)
