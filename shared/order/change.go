package order

import (
	"fmt"

	"keypool/shared/pool"
)

// Change is one line's share of a transaction: the line's record before and
// after, and the keys allocated to the line in between. The line's place in a
// queue follows from the two records.
type Change struct {
	Before    *Fulfillment // nil: a new line
	After     Fulfillment
	Allocated []pool.Key
}

// NewChunk reports whether the allocated keys go to an item of their own, the
// last of the line's chunks.
func (c Change) NewChunk() bool {
	return c.After.Chunks > 0 && (c.Before == nil || c.After.Chunks > c.Before.Chunks)
}

// MaxItems is how many items one transaction may write.
const MaxItems = 100

// MaxKeys is how many keys one change may allocate: a transaction of MaxItems
// also holds the line, its old and its new place in a queue, the chunk with the
// keys, an entry of the line's history, and a refund.
const MaxKeys = MaxItems - 6

// ExistsError holds the record that was there before a new line.
type ExistsError struct{ Fulfillment Fulfillment }

func (e *ExistsError) Error() string {
	return fmt.Sprintf("line %s is there already", e.Fulfillment.ID)
}

// KeysTakenError names keys that another line took, or is taking now.
type KeysTakenError struct{ Keys []pool.KeyID }

func (e *KeysTakenError) Error() string { return fmt.Sprintf("%d keys are taken", len(e.Keys)) }
