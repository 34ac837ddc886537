// Package fuse kills a worker of a test at one of its calls.
package fuse

import "errors"

// Fuse kills a worker at one of its calls: before the call is made, or after, when its answer is
// lost. From then on every call fails, as of a dead process.
type Fuse struct {
	Left int // calls until it blows; above 0 the worker has survived
	Late bool
}

var errKilled = errors.New("killed")

// Blow makes the call unless the worker is dead.
func (f *Fuse) Blow(call func() error) error {
	if f.Left <= 0 {
		return errKilled
	}
	f.Left--
	if f.Left > 0 {
		return call()
	}
	if f.Late {
		call()
	}
	return errKilled
}
