package order

import (
	"fmt"

	"keypool/shared/pool"
)

// Match is one of several orders of the same number.
type Match struct {
	Account string
	Side    pool.Side
}

// AmbiguousError means that an act names an order by a number that several orders have:
// those of two accounts, or a paid one and a test.
type AmbiguousError struct{ Matches []Match }

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%d orders have this number", len(e.Matches))
}
