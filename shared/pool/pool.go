// Package pool holds the identities of pools, their two sides, and keys.
//
// A pool is a merchant's named store of keys. Its two sides never mix: an order
// marked as a test can only ever reach keys that were uploaded as test keys.
package pool

import (
	"cmp"
	"fmt"
	"strings"
)

// Side is one of the two halves of a pool.
type Side string

// The sides of a pool.
const (
	Live Side = "live"
	Test Side = "test"
)

// Sides are both sides of a pool.
var Sides = [...]Side{Live, Test}

// SideOf returns the side that an order marked, or not marked, as a test uses.
func SideOf(test bool) Side {
	if test {
		return Test
	}
	return Live
}

// ID names one side of one merchant's pool.
type ID struct {
	Merchant string
	Pool     string
	Side     Side
}

// Compare orders pool sides by merchant, pool and side.
func (id ID) Compare(other ID) int {
	return cmp.Or(cmp.Compare(id.Merchant, other.Merchant), cmp.Compare(id.Pool, other.Pool), cmp.Compare(id.Side, other.Side))
}

func (id ID) String() string {
	return fmt.Sprintf("%s/%s (%s)", id.Merchant, id.Pool, id.Side)
}

// DefaultShards is the number of index partitions that the available keys of a
// new pool side are spread over. A partition lets 1,000 keys a second in or out,
// so four carry more than the 3,000 orders a second whose looks at its queue a
// pool side takes: more of them help only a load of keys beside such a sale, and
// cost a query each where few keys are left. infra/proof/RESULTS.md shows it.
const DefaultShards = 4

// MaxName is how many characters a name has at most: see CheckName.
const MaxName = 63

// NameRule says what CheckName asks for.
var NameRule = fmt.Sprintf("use 1 to %d lower-case letters, digits and hyphens, not starting with a hyphen", MaxName)

// CheckName returns an error if s cannot name a merchant, a pool or an account: see NameRule.
// Such names stand unescaped in bucket paths, table keys and addresses.
func CheckName(s string) error {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	if s == "" || len(s) > MaxName || strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune(letters+"-", r) }) >= 0 || s[0] == '-' {
		return fmt.Errorf("%q is not a name: %s", s, NameRule)
	}
	return nil
}
