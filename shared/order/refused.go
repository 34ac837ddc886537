package order

import (
	"errors"
	"fmt"
	"slices"
)

var (
	// ErrNoPage means that an order has no page: its products have none, or its link was revoked
	// or has ended.
	ErrNoPage = errors.New("the order has no page")
	// ErrNoOrder means that the merchant has no such order.
	ErrNoOrder = errors.New("there is no such order")
	// ErrNoLine means that an order has no line of a name.
	ErrNoLine = errors.New("the order has no such line")
	// ErrState means that a line's state does not allow what somebody wants of it.
	ErrState = errors.New("the line's state does not allow it")
	// ErrRefundFailed means that a person names a refund that failed: it gives nothing back.
	ErrRefundFailed = errors.New("the refund failed")
	// ErrSharedCode means that a line has the code of its product, which is everybody's.
	ErrSharedCode = fmt.Errorf("the line has the code of its product: %w", ErrState)
	// ErrNoKeys means that a pool has no key to give.
	ErrNoKeys = errors.New("the pool has no key left")
)

// StateError is the ErrState of a line.
type StateError struct{ State State }

func (e *StateError) Error() string { return fmt.Sprintf("the line is %s: %s", e.State, ErrState) }

// Is reports whether target is ErrState.
func (e *StateError) Is(target error) bool { return target == ErrState }

// NumberUsedError means that an order was to be fulfilled by hand under the number of
// another: of one that was fulfilled by hand with other lines or for another customer, or
// of one that a platform knows.
type NumberUsedError struct{ Account string }

func (e *NumberUsedError) Error() string {
	return fmt.Sprintf("the account %s has another order of this number", e.Account)
}

// LineVersion is a line as somebody saw it.
type LineVersion struct {
	Line    LineID
	Version int
}

// StaleError means that lines have changed since somebody saw them. What was to be done to
// them was not.
type StaleError struct {
	Lines []Fulfillment // as they are now
	Done  []string      // the lines of the same act that had not changed, and to which it was done before
	// Disputes means that the disputes of the order were to be dropped, and were not: what was
	// done is that lines lost their other holds.
	Disputes bool
}

func (e *StaleError) Error() string {
	return fmt.Sprintf("%d lines have changed since they were seen", len(e.Lines))
}

// Stale returns *StaleError if any of the lines is not as it was seen.
func Stale(lines []Fulfillment, seen []LineVersion) error {
	var changed []Fulfillment
	for _, line := range lines {
		if slices.ContainsFunc(seen, func(s LineVersion) bool { return s.Line == line.ID && s.Version != line.Version }) {
			changed = append(changed, line)
		}
	}
	if len(changed) > 0 {
		return &StaleError{Lines: changed}
	}
	return nil
}
