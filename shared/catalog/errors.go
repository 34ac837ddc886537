package catalog

import "errors"

// What may stand in the way of a change.
var (
	// ErrConflict says that the thing has been changed, or created, since the
	// version that the change was made from.
	ErrConflict = errors.New("changed by somebody else meanwhile")
	// ErrMissing says that the thing to change is not there.
	ErrMissing = errors.New("not there")
)
