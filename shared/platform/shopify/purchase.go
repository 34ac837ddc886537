package shopify

import (
	"cmp"
	"math/big"
	"slices"
	"strings"
	"time"

	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/platform/payload"
)

// purchase is an order, as a webhook's body or the API shows it.
type purchase struct {
	id         string
	test       bool
	status     string // of the payment, in small letters: paid, partially_refunded, …
	createdAt  time.Time
	processed  time.Time // when it was placed; of an imported order, long before it was created
	firstPaid  time.Time // of its first payment; zero: not known, or there was none
	changedAt  time.Time
	cancelled  time.Time // zero: it stands
	currency   string
	taxed      bool // prices are with taxes
	language   string
	customer   order.Customer
	risk       string
	lines      []line
	refunds    []refund
	disputes   []dispute
	unreadable []string // fields that are only shown
}

// line is a line of an order.
type line struct {
	id                    string
	variant, product, sku string // "" where there is none
	title                 string
	price                 string // of one unit, as it was paid; "" where that cannot be read
	bought                int    // units, as first bought
	ships, giftCard, tip  bool
	licenseFor            string
}

// refund is a refund of an order, or units that were taken from it without one.
type refund struct {
	id    string
	at    time.Time
	lines []refundedLine
	money []payment

	// adjusted are corrections of what the refund comes to by its lines, by which the order is
	// worth less, or more: shipping that is given back is one of -10.00.
	adjusted []adjustment
}

type adjustment struct{ amount, tax, currency string }

type refundedLine struct {
	id              string
	quantity        int
	ships, giftCard bool
}

// payment is a transaction of an order or of a refund.
type payment struct {
	kind, status     string // in small letters: refund, success
	amount, currency string
	test             bool
	at               time.Time
}

type dispute struct{ id, status string }

// The states of an order's payment that matter. Of any other nothing was paid: pending,
// authorized, expired, voided.
const (
	statusPaid           = "paid"
	statusPartlyPaid     = "partially_paid"
	statusPartlyRefunded = "partially_refunded"
	statusRefunded       = "refunded"
)

// delivers says whether the order is paid in full and stands. Refunds of a part are told
// apart from it, by their ids.
func (p *purchase) delivers() bool {
	return (p.status == statusPaid || p.status == statusPartlyRefunded) && p.cancelled.IsZero()
}

// wasPaid says whether money came: what is returned of any other order was never sold. An
// order that was edited after it was paid may be paid in part.
func (p *purchase) wasPaid() bool {
	return slices.Contains([]string{statusPaid, statusPartlyPaid, statusPartlyRefunded, statusRefunded}, p.status)
}

// The ids, within an order, of the returns that are no refund of Shopify's.
const (
	cancelled   = "cancelled"
	allRefunded = "refunded"
)

// returned returns the refunds of the order. One that was cancelled, or all of whose money
// went back, is returned as a whole, whatever units its refunds name.
func (p *purchase) returned(s settings) []platform.Returned {
	if !p.wasPaid() {
		return nil
	}
	var all []platform.Returned
	for _, r := range p.refunds {
		event, ok := r.event(s, p.id)
		if ok && (event.Failed || len(event.Lines) > 0 || p.status != statusRefunded) {
			event.Test, event.TestUnknown = p.test, false
			all = append(all, event)
		}
	}
	if !p.cancelled.IsZero() {
		all = append(all, platform.Returned{Order: p.id, Test: p.test, ID: cancelled, All: true, At: p.cancelled})
	}
	if p.status == statusRefunded {
		all = append(all, platform.Returned{Order: p.id, Test: p.test, ID: allRefunded, All: true, At: p.changedAt})
	}
	return all
}

// event returns what a refund gives back, false if it is nothing of ours: of lines that
// ship, or of no money and no line. The refund itself does not name the side, unless a
// payment of it is a test.
func (r refund) event(s settings, of string) (platform.Returned, bool) {
	event := platform.Returned{Order: of, TestUnknown: true, ID: r.id, At: r.at}
	back := map[string]*big.Rat{} // by currency
	tried, failed := 0, 0
	for _, p := range r.money {
		if p.kind != "refund" {
			continue
		}
		tried++
		if p.test {
			event.Test, event.TestUnknown = true, false
		}
		amount, ok := order.Decimal(p.amount)
		switch {
		case p.status == "failure" || p.status == "error":
			failed++
		case ok && back[p.currency] == nil:
			back[p.currency] = amount
		case ok:
			back[p.currency].Add(back[p.currency], amount)
		}
	}
	if tried > 0 && failed == tried {
		event.Failed = true
		return event, true
	}
	if tried == 0 {
		back = r.adjustedBy()
	}
	for _, l := range r.lines {
		if l.giftCard || l.ships && s.ShippedLines == shippedIgnored || l.quantity < 1 {
			continue
		}
		at := slices.IndexFunc(event.Lines, func(other platform.ReturnedLine) bool { return other.ID == l.id })
		if at < 0 {
			event.Lines = append(event.Lines, platform.ReturnedLine{ID: l.id, Quantity: l.quantity})
			continue
		}
		event.Lines[at].Quantity += l.quantity // more than a line may have is refused later
	}
	switch {
	case event.Lines != nil:
		return event, true
	case len(r.lines) > 0 || len(back) != 1:
		return event, false
	}
	for currency, amount := range back {
		event.Amount, event.Currency = trimmed(amount), currency
		return event, amount.Sign() > 0
	}
	return event, false
}

// adjustedBy returns what a refund without payments gives back by its adjustments, by
// currency. What they take from an order and add to it again is nothing.
func (r refund) adjustedBy() map[string]*big.Rat {
	back := map[string]*big.Rat{}
	for _, a := range r.adjusted {
		if back[a.currency] == nil {
			back[a.currency] = new(big.Rat)
		}
		for _, text := range []string{a.amount, a.tax} {
			if part, ok := order.Decimal(text); ok {
				back[a.currency].Sub(back[a.currency], part)
			}
		}
	}
	return back
}

// trimmed writes an amount with two decimal places, or as many as it has: 59.99, 0.125.
func trimmed(amount *big.Rat) string {
	text := strings.TrimRight(amount.FloatString(6), "0")
	if at := strings.IndexByte(text, '.'); len(text)-at < 3 {
		text += "00"[:3-(len(text)-at)]
	}
	return text
}

// disputeStates are the states of a dispute. One that was prevented never became a
// chargeback, and whether the money went back is not told: its order stays on hold until
// a person releases or returns it.
var disputeStates = map[string]platform.DisputeState{
	"needs_response":  platform.DisputeOpen,
	"under_review":    platform.DisputeOpen,
	"prevented":       platform.DisputeOpen,
	"won":             platform.DisputeWon,
	"lost":            platform.DisputeLost,
	"accepted":        platform.DisputeLost,
	"charge_refunded": platform.DisputeLost,
}

// disputed returns the disputes of the order, as far as their state is one we know.
func (p *purchase) disputed() []platform.Disputed {
	var all []platform.Disputed
	for _, d := range p.disputes {
		if state, ok := disputeStates[d.status]; ok {
			all = append(all, platform.Disputed{Order: p.id, Test: p.test, ID: d.id, State: state, At: p.changedAt})
		}
	}
	return all
}

// paid returns the order that is delivered, nil if none is.
func (p *purchase) paid(s settings) *platform.Paid {
	if !p.delivers() {
		return nil
	}
	paid := platform.Paid{
		Order: p.id, Test: p.test, Currency: p.currency, Language: p.language, PaidAt: p.paidAt(), Customer: p.customer, Risk: p.risk,
		ChangedAt: p.changedAt, IgnoredFields: p.unreadable,
	}
	for _, l := range p.lines {
		switch {
		case l.giftCard || l.tip || l.bought < 1:
			paid.SkippedLines = append(paid.SkippedLines, l.id)
			continue
		case l.ships && s.ShippedLines == shippedIgnored:
			paid.SkippedLines = append(paid.SkippedLines, l.id)
			paid.Shipped = append(paid.Shipped, platform.Line{ID: l.id, Product: s.productOf(l)})
			continue
		}
		paid.Customer.LicenseFor = cmp.Or(paid.Customer.LicenseFor, l.licenseFor)
		paid.Lines = append(paid.Lines, platform.Line{ID: l.id, Product: s.productOf(l), Title: l.title, Quantity: l.bought, UnitPrice: l.price})
	}
	return &paid
}

// imported is how long before it was created an order was placed that was brought from
// another shop.
const imported = time.Hour

// paidAt returns when the order was first paid, as far as it is known; else when it was
// placed. That of an imported order is its time in the other shop.
func (p *purchase) paidAt() time.Time {
	placed := p.processed
	if placed.IsZero() {
		placed = p.createdAt
	}
	if !p.createdAt.IsZero() && placed.Before(p.createdAt.Add(-imported)) || p.firstPaid.IsZero() {
		return placed
	}
	return p.firstPaid
}

// productOf returns what a line sells, by the id that Keypool knows the product by. A line
// that has no such id, such as one made by hand in a draft order, goes by what it has.
func (s settings) productOf(l line) string {
	choices := []string{l.variant, l.sku}
	switch s.Product {
	case byProduct:
		choices = []string{l.product, l.sku}
	case bySKU:
		choices = []string{l.sku, l.variant}
	}
	for _, id := range append(choices, strings.TrimSpace(l.title)) {
		if platform.CheckID(id) == "" {
			return id
		}
	}
	return l.id
}

// charged is what was charged for all units of a line as first bought, also for those that
// were refunded or removed since.
type charged struct {
	price     payload.Value // of one unit, before discounts
	discounts []payload.Value
	taxes     []payload.Value
}

// all returns a member of each object of a list.
func all(list payload.Value, at payload.Pointer) []payload.Value {
	found := make([]payload.Value, len(list.List))
	for i, v := range list.List {
		found[i] = v.Find(at)
	}
	return found
}

// perUnit returns what was paid for one of so many units: after all discounts, with taxes. It
// is "" where an amount cannot be read: what a refund's amount pays for is for a person to
// decide then.
func (c charged) perUnit(quantity int, p *purchase) string {
	total, ok := order.Decimal(textOf(c.price))
	if !ok || quantity < 1 {
		return ""
	}
	total.Mul(total, big.NewRat(int64(quantity), 1))
	for _, v := range c.discounts {
		amount, ok := order.Decimal(textOf(v))
		if !ok {
			return ""
		}
		total.Sub(total, amount)
	}
	for _, v := range c.taxes {
		amount, ok := order.Decimal(textOf(v))
		switch {
		case p.taxed: // the price holds it
		case !ok:
			return ""
		default:
			total.Add(total, amount)
		}
	}
	return platform.UnitPrice(total, int64(quantity), p.currency)
}

// isTip says whether a line is a tip: Shopify gives it that title, and no product.
func (l line) isTip() bool {
	return l.variant == "" && l.product == "" && l.sku == "" && strings.EqualFold(l.title, "tip")
}

// firstPayment returns when the first payment of an order came.
func firstPayment(all []payment) time.Time {
	var first time.Time
	for _, p := range all {
		if (p.kind == "sale" || p.kind == "capture") && p.status == "success" && !p.at.IsZero() && (first.IsZero() || p.at.Before(first)) {
			first = p.at
		}
	}
	return first
}

// setBought sets the units of a line as first bought: those that are there now, and
// those that refunds took. What was removed before it was paid for is in neither.
func (l *line) setBought(quantity, current int, refunds []refund) {
	l.bought = current
	for _, r := range refunds {
		for _, back := range r.lines {
			if back.id == l.id {
				l.bought = min(l.bought+max(back.quantity, 0), platform.MaxUnits)
			}
		}
	}
	l.bought = min(l.bought, quantity)
}
