// Package canary makes marked values that stand for secrets in tests. A canary must not
// appear in a log, an error or an answer. A test sends canaries through everything,
// failing calls above all, and then searches logs, errors and answers for them.
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

// Set is the canaries of one test. Its zero value is ready; it is safe for concurrent
// use.
type Set struct {
	mu       sync.Mutex
	prefixes map[string]string // by kind
	forms    []form
	count    int
}

// form is one way in which a secret may be written.
type form struct {
	kind string
	text string
	fold bool // upper and lower case are the same
}

// The kinds of secrets that Keypool handles.
const (
	Key      = "license key"
	Customer = "customer's name or address"
	Merchant = "merchant's address"
	Secret   = "signing secret"
	Token    = "API token"
	Salt     = "salt"
	Link     = "link that acts"
)

// New returns another canary of a kind: lower-case letters and digits, such as
// "q3xk7mvz5r2apl6ehwtn4bys".
func (c *Set) New(kind string) string {
	prefix := c.Prefix(kind)
	c.mu.Lock()
	c.count++
	c.mu.Unlock()
	return prefix + strings.ToLower(rand.Text()[:8])
}

// Prefix returns the first 16 letters of all canaries of a kind. Find looks for the
// prefix alone, so it also finds a canary that was cut short.
func (c *Set) Prefix(kind string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	prefix, ok := c.prefixes[kind]
	if !ok {
		prefix = strings.ToLower(rand.Text()[:16])
		if c.prefixes == nil {
			c.prefixes = map[string]string{}
		}
		c.prefixes[kind] = prefix
		c.add(kind, prefix)
	}
	return prefix
}

// Address returns another canary that is a mail address.
func (c *Set) Address(kind string) string { return c.New(kind) + "@canary.example" }

// Add makes a canary of a secret that was made elsewhere.
func (c *Set) Add(kind, secret string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(kind, secret)
	c.count++
}

// Len returns the number of canaries.
func (c *Set) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

func (c *Set) add(kind, secret string) {
	for _, text := range spellings(secret) {
		c.forms = append(c.forms, form{kind, strings.ToLower(text), true})
	}
	decimals := strings.Trim(fmt.Sprint([]byte(secret)), "[]")
	c.forms = append(
		c.forms,
		form{kind, hex.EncodeToString([]byte(secret)), true},
		form{kind, decimals, false},                               // as fmt writes bytes
		form{kind, strings.ReplaceAll(decimals, " ", ","), false}, // as JSON encoders of other languages do
	)
	// The base64 of a text depends on the number of bytes before it, modulo 3. The
	// letters at either end depend on the neighbouring bytes and are left out.
	for before := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("\x00", before) + secret))
		inner := encoded[(before*8+5)/6 : (before+len(secret))*8/6]
		c.forms = append(c.forms, form{kind, inner, false})
		if url := strings.NewReplacer("+", "-", "/", "_").Replace(inner); url != inner {
			c.forms = append(c.forms, form{kind, url, false})
		}
	}
}

// spellings returns the ways in which a text may be written inside another: as it
// is, escaped in a URL, quoted by Go or by JSON, and quoted twice: a JSON log quotes
// an error that has quoted the text.
func spellings(secret string) []string {
	texts := []string{secret, url.QueryEscape(secret), url.PathEscape(secret)}
	for _, quote := range []func(string) string{strconv.Quote, quoteHTML, quoteJSON} {
		once := unquoted(quote(secret))
		texts = append(texts, once, unquoted(quoteHTML(once)), unquoted(quoteJSON(once)))
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

func unquoted(quoted string) string { return quoted[1 : len(quoted)-1] }

// quoteHTML quotes as encoding/json does: <, > and & are escaped.
func quoteHTML(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string is always encoded
	}
	return string(quoted)
}

// quoteJSON quotes as log/slog does.
func quoteJSON(text string) string {
	var quoted strings.Builder
	e := json.NewEncoder(&quoted)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(quoted.String(), "\n")
}

// Find returns the kinds of secrets that a text holds in any form, without the kinds
// that are allowed there.
func (c *Set) Find(text string, allowed ...string) []string {
	c.mu.Lock()
	forms := c.forms // only ever grows
	c.mu.Unlock()
	folded := strings.ToLower(text)
	var found []string
	for _, form := range forms {
		in := text
		if form.fold {
			in = folded
		}
		if strings.Contains(in, form.text) && !slices.Contains(found, form.kind) && !slices.Contains(allowed, form.kind) {
			found = append(found, form.kind)
		}
	}
	return found
}
