// Package phrase writes numbers and lists as English sentences do, for mails and pages.
package phrase

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Count is a number with its noun: "1 key", "2 keys", "no keys"; the plural is given where it
// is not the singular with an s.
func Count(n int, one string, many ...string) string {
	if len(many) == 0 {
		many = []string{one + "s"}
	}
	if n == 0 {
		return "no " + many[0]
	}
	return Number(n) + " " + Plural(n, one, many[0])
}

// Plural returns the word for so many.
func Plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// Number writes n with its thousands apart: 1,998.
func Number(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Capital begins a sentence.
func Capital(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return strings.ToUpper(s[:n]) + s[n:]
}

// Sentence makes a sentence of what is wrong with a field, as the API tells it: "This is missing."
// of "is missing", "Not a day; use one such as 2026-12-23."
func Sentence(s string) string {
	if strings.HasPrefix(s, "is ") {
		s = "this " + s
	}
	if s == "" || strings.HasSuffix(s, ".") || strings.HasSuffix(s, "?") {
		return Capital(s)
	}
	return Capital(s) + "."
}

// List joins names: "a, b and c".
func List(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}
