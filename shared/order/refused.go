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
