// Package lazy puts work off until it is needed. What a package computes while the
// program starts is paid by every cold start of each function that links it, whether
// the event needs it or not.
package lazy

import (
	"regexp"
	"sync"
)

// Regexp returns a function that compiles a regular expression by its first call, and
// returns the same one from then on. A wrong expression panics by that call.
func Regexp(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
