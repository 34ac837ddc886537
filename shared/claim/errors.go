package claim

import (
	"fmt"

	"keypool/shared/order"
)

// MismatchError means that a line was paid again with another product or quantity, or
// by another customer. The stored line was not changed.
type MismatchError struct {
	Line order.LineID
	Part Part // the first that differs
}

// Part is a part of a line by which a repeat is known.
type Part string

// The parts of a line by which a repeat is known.
const (
	Product  Part = "product"
	Quantity Part = "quantity"
	Customer Part = "customer"
)

func (e *MismatchError) Error() string {
	return fmt.Sprintf("line %s is stored with another %s", e.Line, e.Part)
}
