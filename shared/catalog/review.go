package catalog

import (
	"math/big"
	"slices"
	"strings"
	"time"

	"keypool/shared/order"
	"keypool/shared/pool"
)

// Review is what keeps paid lines of a merchant's from getting keys until a person has
// looked at them: rules, and the brake.
type Review struct {
	Merchant string
	Version  int // of the rules

	Rules Rules
	// BrakesItself means that the brake sets itself on a day that sells far more than
	// others do: see BrakeLimit.
	BrakesItself bool

	Brake Brake
}

// Brake keeps every new live line from getting keys while it is set. One that was taken off
// says who did it, until it is set again.
type Brake struct {
	SetAt time.Time // zero: it was never set
	By    string    // who set it

	ReleasedAt time.Time // zero: it was not taken off since
	ReleasedBy string
	Reason     string // why it was taken off, empty if nobody said
}

// Set reports whether the brake is set.
func (b Brake) Set() bool { return !b.SetAt.IsZero() && b.ReleasedAt.IsZero() }

// Rules say which lines are put on hold when they would get keys.
type Rules struct {
	Always    bool              // every line
	Risk      bool              // lines of orders that the platform calls risky
	Above     map[string]string // lines that cost more than this, a decimal by currency
	MaxKeys   int               // lines that bring their order over so many keys; 0: DefaultMaxKeys
	MaxOrders int               // lines of further orders of one address in a day; 0: any number
}

// DefaultMaxKeys is the number of keys that an order gets without being looked at.
const DefaultMaxKeys = 100

// Cap returns the number of keys that an order gets without being looked at.
func (r Rules) Cap() int {
	if r.MaxKeys == 0 {
		return DefaultMaxKeys
	}
	return r.MaxKeys
}

// RulesFor returns the rules that a product's lines follow: its own alone, if it has any,
// else the merchant's.
func (r Review) RulesFor(own *Rules) Rules {
	if own != nil {
		return *own
	}
	return r.Rules
}

// Question is a line that would get keys, and what stands beside it.
type Question struct {
	Line       order.Fulfillment
	OrderKeys  int  // keys due to all lines of its order, this one's included
	ManyOrders bool // its address has had MaxOrders other orders that day
}

// Holds returns the reasons for which the rules and the brake hold a line.
func (r Review) Holds(rules Rules, q Question) []order.Hold {
	var reasons []order.Hold
	add := func(holds bool, reason order.Hold) {
		if holds {
			reasons = append(reasons, reason)
		}
	}
	add(rules.Always, order.HoldReview)
	add(rules.Risk && Risky(q.Line.Risk), order.HoldReviewRisk)
	add(rules.above(q.Line), order.HoldReviewAmount)
	add(rules.MaxOrders > 0 && q.ManyOrders, order.HoldReviewOrders)
	add(q.OrderKeys > rules.Cap(), order.HoldCap)
	add(r.Brake.Set() && q.Line.Side == pool.Live, order.HoldBrake)
	return reasons
}

// harmless are the words by which platforms say that an order is not risky, or that they
// do not know.
var harmless = []string{"", "low", "normal", "none", "accept", "not_assessed", "unknown", "pending"}

// Risky reports whether a platform's verdict asks for a look. A word that is not known
// does.
func Risky(verdict string) bool {
	return !slices.Contains(harmless, strings.ToLower(strings.TrimSpace(verdict)))
}

// RiskNews reports whether the platform's verdict on a line's order, of a state of the order
// that was changed then, is news: risky, another than the line shows, and of no older state.
// One that is not risky takes no earlier one away: a person decides.
func RiskNews(line order.Fulfillment, verdict string, changedAt time.Time) bool {
	return Risky(verdict) && verdict != line.Risk && !changedAt.Before(line.ChangedAt)
}

// above reports whether the line costs more than the rule of its currency lets pass. A
// line whose price is not known does not.
func (r Rules) above(line order.Fulfillment) bool {
	most, ok := order.Decimal(r.Above[line.Currency])
	if !ok {
		return false
	}
	price, ok := order.Decimal(line.UnitPrice)
	return ok && price.Mul(price, big.NewRat(int64(line.Quantity), 1)).Cmp(most) > 0
}

// A day is out of the ordinary if it has sold more than brakeTimes the keys of the best of
// the last BrakeDays days, and more than BrakeKeys.
const (
	BrakeDays  = 14
	BrakeKeys  = 100
	brakeTimes = 5
)

// BrakeLimit returns the number of keys beyond which a day is out of the ordinary, given
// what the days before it have sold.
func BrakeLimit(before []int) int {
	best := 0
	for _, keys := range before {
		best = max(best, keys)
	}
	return max(BrakeKeys, brakeTimes*best)
}

// Sold is what a merchant has sold in a day, on the live side.
type Sold struct {
	Keys  int
	Limit int  // see BrakeLimit; 0: not known yet
	Told  bool // the merchant was told that the day is out of the ordinary
}
