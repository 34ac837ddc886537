package platform

import (
	"cmp"
	"errors"
	"iter"
)

// List is one of several lists of an account's purchases, the earliest change first.
type List struct {
	Purchases iter.Seq2[Purchase, error]
	// ErrorLast means that its error comes after the purchases of all other lists: it holds up
	// none of them. Those that follow are marked Behind if it may pass. An error of any other list ends all.
	ErrorLast bool
}

// Merge yields the purchases of several lists in the order of their changes, as
// Lister.Changed does. A list is asked no further than its next purchase.
func Merge(lists ...List) iter.Seq2[Purchase, error] {
	return func(yield func(Purchase, error) bool) {
		all := make([]*merged, len(lists))
		for i, list := range lists {
			next, stop := iter.Pull2(list.Purchases)
			defer stop()
			all[i] = &merged{List: list, next: next}
		}
		var late error
		for {
			var first *merged
			for _, list := range all {
				switch err := list.look(); {
				case err != nil && !list.ErrorLast:
					yield(Purchase{}, err)
					return
				case err != nil:
					late = cmp.Or(late, err)
				case list.head != nil && (first == nil || list.head.ChangedAt.Before(first.head.ChangedAt)):
					first = list
				}
			}
			if first == nil {
				break
			}
			p := *first.head
			p.Behind = errors.Is(late, ErrTryAgain)
			if first.head = nil; !yield(p, nil) {
				return
			}
		}
		if late != nil {
			yield(Purchase{}, late)
		}
	}
}

// merged is a list that is being merged.
type merged struct {
	List
	next  func() (Purchase, error, bool)
	head  *Purchase // nil: it was not looked for, or there is none
	ended bool
}

// look looks for the next purchase of the list, and returns the error that ends it.
func (m *merged) look() error {
	if m.head != nil || m.ended {
		return nil
	}
	p, err, ok := m.next()
	if err != nil || !ok {
		m.ended = true
		return err
	}
	m.head = &p
	return nil
}
