// Package settings holds the use cases by which the operator and the merchants set
// Keypool up: merchants, API tokens, pools, products, accounts, uploads. The API
// calls them, and so will the portal. It knows nothing of HTTP.
//
// Settings change under optimistic locks: see Condition. They are checked in two
// steps, and each step reports all the mistakes it finds as an InvalidError: first
// the settings by themselves, then the other settings that they name.
//
// A change that can let waiting order lines or parked uploads go on sends the
// messages for that after it is stored. The messages are best effort: the sweep
// sends a lost one again.
package settings

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"keypool/shared/catalog"
)

// Problem is one mistake in a setting.
type Problem struct {
	Path    string // of the setting, as the API writes it: "texts.de.body"
	Message string // what is wrong, and what would be right
}

// InvalidError reports settings that cannot be stored.
type InvalidError struct{ Problems []Problem }

func (e *InvalidError) Error() string {
	paths := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		paths[i] = p.Path
	}
	return "invalid settings: " + strings.Join(paths, ", ")
}

// invalid returns an InvalidError, nil if there are no problems.
func invalid(problems ...Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return &InvalidError{problems}
}

// InUseError reports a thing that cannot be deleted, and why.
type InUseError struct {
	Thing    string   // "pool", "product"
	Reasons  []string // for which nothing helps
	Forcible []string // for which it is deleted by force alone
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("the %s is in use: %s", e.Thing, strings.Join(e.All(), "; "))
}

// All returns all reasons.
func (e *InUseError) All() []string { return slices.Concat(e.Reasons, e.Forcible) }

// refuses says whether the reasons refuse the deletion, by force or not.
func (e *InUseError) refuses(force bool) bool {
	return len(e.Reasons) > 0 || len(e.Forcible) > 0 && !force
}

// The refusals of a change or a read, beside catalog.ErrConflict (the thing has
// another version) and catalog.ErrMissing (the thing to change does not exist).
var (
	// ErrNotFound means that the merchant has no such thing.
	ErrNotFound = errors.New("not found")
	// ErrExists means that a thing to create exists.
	ErrExists = errors.New("exists already")
	// ErrUnconditional means that a change of a thing that exists came without a Condition.
	ErrUnconditional = errors.New("exists already, and no condition is given")
)

// Condition says which version of a thing a change was made from. The zero
// Condition creates a thing that does not exist, and repeats a change that has
// been made already: a caller who lost the answer can send the same again.
type Condition struct {
	New     bool             // the thing must not exist
	Version func(v int) bool // the thing must exist, at a version for which this is true
}

// check returns an error unless the condition holds for a thing of the version, 0
// if it does not exist. Same means that the change would change nothing.
func (c Condition) check(version int, same bool) error {
	switch exists := version > 0; {
	case c.New && exists:
		return ErrExists
	case c.Version != nil && !exists:
		return catalog.ErrMissing
	case c.Version != nil && !c.Version(version):
		return catalog.ErrConflict
	case c.Version == nil && exists && !same:
		return ErrUnconditional
	}
	return nil
}

// page cuts a list that was read with a limit of one more than wanted. It returns
// the name after which the next page starts, "" on the last page.
func page[T any](items []T, limit int, name func(T) string) ([]T, string) {
	if len(items) <= limit {
		return items, ""
	}
	items = slices.Clip(items[:limit])
	return items, name(items[limit-1])
}
