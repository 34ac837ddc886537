// Package canary makes texts that stand for secrets in tests and can be told
// wherever they turn up: a test sends them through everything, above all through
// what fails, and then looks for them where they must not be.
package canary

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Cage knows the canaries of one test. It is safe for concurrent use.
type Cage struct {
	mu    sync.Mutex
	marks map[string]string // by kind
	coats []coat
	bred  int
}

// coat is one form that a secret may be written in.
type coat struct {
	kind string
	text string
	fold bool // the case of letters does not matter
}

// The kinds of secrets that Keypool handles.
const (
	Key      = "license key"
	Customer = "customer's name or address"
	Merchant = "merchant's address"
	Secret   = "signing secret"
	Token    = "API token"
	Salt     = "salt"
)

// New returns another canary of a kind: lower-case letters and digits.
func (c *Cage) New(kind string) string {
	mark := c.Mark(kind)
	c.mu.Lock()
	c.bred++
	c.mu.Unlock()
	return mark + strings.ToLower(rand.Text()[:8])
}

// Mark returns what all canaries of a kind begin with. By it alone they are known.
func (c *Cage) Mark(kind string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	mark, ok := c.marks[kind]
	if !ok {
		mark = strings.ToLower(rand.Text()[:16])
		if c.marks == nil {
			c.marks = map[string]string{}
		}
		c.marks[kind] = mark
		c.keep(kind, mark)
	}
	return mark
}

// Address returns a canary that is a mail address.
func (c *Cage) Address(kind string) string { return c.New(kind) + "@canary.example" }

// Keep makes a canary of a secret that was made elsewhere.
func (c *Cage) Keep(kind, secret string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(kind, secret)
	c.bred++
}

// Bred returns how many canaries there are.
func (c *Cage) Bred() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bred
}

func (c *Cage) keep(kind, secret string) {
	for _, text := range written(secret) {
		c.coats = append(c.coats, coat{kind, strings.ToLower(text), true})
	}
	decimals := strings.Trim(fmt.Sprint([]byte(secret)), "[]")
	c.coats = append(
		c.coats,
		coat{kind, hex.EncodeToString([]byte(secret)), true},
		coat{kind, decimals, false},                               // as fmt writes bytes
		coat{kind, strings.ReplaceAll(decimals, " ", ","), false}, // as JSON encoders of other languages do
	)
	// In base64 a text looks different after 0, 1 and 2 other bytes. The letters at
	// either end depend on its neighbours too.
	for before := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("\x00", before) + secret))
		inner := encoded[(before*8+5)/6 : (before+len(secret))*8/6]
		c.coats = append(c.coats, coat{kind, inner, false})
		if url := strings.NewReplacer("+", "-", "/", "_").Replace(inner); url != inner {
			c.coats = append(c.coats, coat{kind, url, false})
		}
	}
}

// written returns the ways in which a text may stand in another: as it is, in an
// address, quoted by Go or by JSON, and quoted so in a text that JSON quotes again,
// as a log does with an error.
func written(secret string) []string {
	texts := []string{secret, url.QueryEscape(secret), url.PathEscape(secret)}
	for _, quote := range []func(string) string{strconv.Quote, quoteHTML, quoteJSON} {
		once := unquoted(quote(secret))
		texts = append(texts, once, unquoted(quoteHTML(once)), unquoted(quoteJSON(once)))
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

func unquoted(quoted string) string { return quoted[1 : len(quoted)-1] }

// quoteHTML is how encoding/json writes a text, <, > and & escaped.
func quoteHTML(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string is always encoded
	}
	return string(quoted)
}

// quoteJSON is how log/slog writes it.
func quoteJSON(text string) string {
	var quoted strings.Builder
	e := json.NewEncoder(&quoted)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(quoted.String(), "\n")
}

// In returns the kinds of secrets that stand in a text, in whatever coat, but for
// those that may.
func (c *Cage) In(text string, may ...string) []string {
	c.mu.Lock()
	coats := c.coats // only ever grows
	c.mu.Unlock()
	folded := strings.ToLower(text)
	var found []string
	for _, coat := range coats {
		in := text
		if coat.fold {
			in = folded
		}
		if strings.Contains(in, coat.text) && !slices.Contains(found, coat.kind) && !slices.Contains(may, coat.kind) {
			found = append(found, coat.kind)
		}
	}
	return found
}
