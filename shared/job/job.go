// Package job holds the rules of work that may be cut off at any moment and is
// taken up again by another worker.
package job

import "errors"

// ErrFenced means that another worker has taken the part over. The worker that
// gets it stops: it may not save anything any more.
var ErrFenced = errors.New("another worker has taken over")
