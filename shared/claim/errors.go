package claim

import (
	"fmt"

	"keypool/shared/order"
)

// MismatchError means that a line was paid again with another product or quantity.
// The stored line was not changed.
type MismatchError struct{ Line order.LineID }

func (e *MismatchError) Error() string {
	return fmt.Sprintf("line %s is stored with another product or quantity", e.Line)
}
