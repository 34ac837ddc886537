package order

import (
	"errors"
	"fmt"
)

var (
	// ErrState means that a line's state does not allow what somebody wants of it.
	ErrState = errors.New("the line's state does not allow it")
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
