package platform

import (
	"time"

	"keypool/shared/order"
	"keypool/shared/pool"
)

// Event is one thing that a platform reports: Paid, Returned, Disputed, Recorded or
// Ignored.
type Event interface{ event() }

// Paid is an order that was paid, or one paid before that is reported again.
type Paid struct {
	Within string // where in the body the fields below stand, for a *FieldError: "data."

	Order    string // the platform's id, the same in all events of the order
	Test     bool   // no money was paid: the order gets test keys
	Currency string // three to five capital letters: EUR, USDT; may be empty
	Language string // BCP 47, may be empty
	PaidAt   time.Time
	Customer order.Customer
	Lines    []Line

	// ChangedAt is when the order last changed, of a platform whose orders and lines have
	// ids that no other ever has: a repeat of the same payment with another address is then
	// the customer's own, corrected, and an order without an address waits for one. Zero:
	// another address is another customer's, and an order without one is refused.
	ChangedAt time.Time
	Parent    string // the order that this one renews; empty: none
	Risk      string // the platform's verdict, in its own word, such as "elevated"; may be empty

	// SkippedLines are the ids of lines that hold nothing to deliver, such as gift cards
	// and what is shipped. They are answered as skipped, and nothing is stored of them.
	SkippedLines []string

	// Shipped are those of them that are skipped since the shop ships what they sell. If the
	// catalog knows the product, the merchant is told: it may be marked so by mistake.
	Shipped []Line

	// GivenBack is what the same report says was given back of the order, each refund once.
	// It is set by catch-up, else by intake.
	GivenBack []Returned

	// IgnoredFields are the fields of the body that are only shown, and could not be
	// read. They are left out, and never a reason to refuse the order.
	IgnoredFields []string
}

// Line is one product in a paid order.
type Line struct {
	ID       string // the platform's id; the product where the platform names no lines
	Product  string
	Original string // of a dynamic product: the product whose fulfillment it takes
	Title    string
	Quantity int // as first bought: refunds are events of their own

	// UnitPrice is what was paid for one unit, after all discounts and with taxes, rounded up:
	// a decimal. A refund that is an amount gives back the units that it pays for. It is
	// empty where the platform does not tell.
	UnitPrice string

	// PassedOver is set by intake: the account ignores the line's product, and nothing of
	// the line is checked or stored.
	PassedOver bool
}

// Returned is a refund of an order: of some of its lines, of all, or of an amount.
type Returned struct {
	Within      string // as in Paid
	Order       string
	Test        bool
	TestUnknown bool   // the platform names no side: it may be either
	ID          string // the platform's id of the refund: a repeat has the same
	Refund      string // that id, where ID is one that the adapter made of it, for All or an Amount: it fails with that refund
	Failed      bool   // the refund of this ID failed: the customer has no money back
	Lines       []ReturnedLine
	All         bool   // everything that is left of the order
	Amount      string // decimal, where the platform names no lines
	Currency    string // of Amount
	At          time.Time
}

// ReturnedLine is the part of a line that was refunded.
type ReturnedLine struct {
	ID       string
	Quantity int  // units, unless All
	All      bool // all units that are left
}

// Disputed is a chargeback of an order, or a later turn of it.
type Disputed struct {
	Within      string // as in Paid
	Order       string
	Test        bool
	TestUnknown bool   // the platform names no side: it may be either
	ID          string // the platform's id of the dispute
	State       DisputeState
	At          time.Time
}

// DisputeState is how far a dispute has come.
type DisputeState = order.Dispute

// The states of a dispute.
const (
	DisputeOpen = order.DisputeOpen
	DisputeWon  = order.DisputeWon  // by the merchant: the order stands
	DisputeLost = order.DisputeLost // the money went back
)

// Sides are the sides that the refunded order may be on.
func (r Returned) Sides() []pool.Side { return sides(r.Test, r.TestUnknown) }

// Sides are the sides that the disputed order may be on.
func (d Disputed) Sides() []pool.Side { return sides(d.Test, d.TestUnknown) }

func sides(test, unknown bool) []pool.Side {
	if unknown {
		return []pool.Side{pool.Live, pool.Test}
	}
	return []pool.Side{pool.SideOf(test)}
}

// Recorded is an event of a line that only stands in its history, such as
// subscription.cancelled.
type Recorded struct {
	Order string
	Test  bool
	Line  string
	Type  string    // as the platform writes it
	At    time.Time // zero: now

	// Refund is a refund of money of the line, without units: nobody can tell which keys it is
	// for, and the merchant is asked, once. Line is then empty where the refund names none, and
	// without a time nothing is written to the history.
	Refund string
}

// Ignored is an event that does not concern Keypool, such as order.created.
type Ignored struct {
	Type    string // as the platform writes it
	Unknown bool   // the adapter does not know the type: the merchant is told

	// Payment is a payment that is no order which Keypool delivers, by the platform's id, and
	// Why the reason, which reads on after it: "is an invoice without a Checkout session". The
	// merchant is told once.
	Payment, Why string
}

func (Paid) event()     {}
func (Returned) event() {}
func (Disputed) event() {}
func (Recorded) event() {}
func (Ignored) event()  {}
