package catalog

import "errors"

// The answers of the store to a change that it does not make.
var (
	// ErrConflict means that the setting has been changed, or created, since the
	// version that the change was made from.
	ErrConflict = errors.New("changed by somebody else meanwhile")
	// ErrMissing means that the setting to change does not exist.
	ErrMissing = errors.New("does not exist")
	// ErrRosterChanged means that another account of the merchant has been changed, or
	// created, since the roster that the change was checked against.
	ErrRosterChanged = errors.New("another account was changed meanwhile")
	// ErrTaken means that another merchant has the domain.
	ErrTaken = errors.New("another merchant has it")
)
