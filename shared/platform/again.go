package platform

import "keypool/shared/order"

// PaysAgain reports whether the payment says of a line that was given back in full that it
// is paid now: it is later than the return, and its report does not tell of the return any
// more. An order that is edited after a refund is reported with that refund.
func (p Paid) PaysAgain(line order.Fulfillment) bool {
	return line.PaidSince(p.ChangedAt, p.PaidAt) && !p.givesBack(line)
}

// givesBack reports whether the payment's report tells of the return that last gave
// something of the line back, or of refunds of all its units.
func (p Paid) givesBack(line order.Fulfillment) bool {
	units := 0
	for _, r := range p.GivenBack {
		if r.ID == line.LastReturn || r.Refund == line.LastReturn {
			return true
		}
		for _, l := range r.Lines {
			switch {
			case l.ID != line.Line:
			case l.All:
				return true
			default:
				units += l.Quantity
			}
		}
	}
	return units >= line.Quantity
}
