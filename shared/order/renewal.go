package order

// RenewedIn returns the line among those of the parent order that the line renews: of the
// same line id and product, else of the same product, else of the same original, else the
// only one there is. It is false if none fits, or more than one does equally well.
func (f Fulfillment) RenewedIn(parent []Fulfillment) (Fulfillment, bool) {
	for _, fits := range []func(Fulfillment) bool{
		func(p Fulfillment) bool { return p.Line == f.Line && p.Product == f.Product },
		func(p Fulfillment) bool { return p.Product == f.Product },
		func(p Fulfillment) bool { return p.ConnectedBy() == f.ConnectedBy() },
		func(Fulfillment) bool { return true },
	} {
		var found []Fulfillment
		for _, p := range parent {
			if fits(p) {
				found = append(found, p)
			}
		}
		if len(found) > 0 {
			return found[0], len(found) == 1
		}
	}
	return Fulfillment{}, false
}

// ParentID returns the half of a LineID that the lines of the parent order share; see
// Identity.OrderID.
func (f Fulfillment) ParentID() string {
	return Identity{Merchant: f.Merchant, Side: f.Side, Origin: f.Origin, Order: f.Parent}.OrderID()
}
