// Package markup writes HTML: pages and mails. What is no constant of the program is escaped for
// where it stands.
//
// # Decisions
//
// It is written by hand. Packages html/template and text/template call methods by their names:
// the linker then keeps every method of the AWS SDK, and the zip of a function is larger by half
// and more.
package markup

import (
	"html"
	"strconv"
	"strings"
)

// Writer collects HTML.
type Writer struct{ strings.Builder }

// Raw writes constants of the program.
func (w *Writer) Raw(constants ...string) *Writer {
	for _, constant := range constants {
		w.WriteString(constant)
	}
	return w
}

// Text writes a text between tags, or as the value of an attribute in double quotes.
func (w *Writer) Text(s string) *Writer { return w.Raw(html.EscapeString(s)) }

// Number writes a number.
func (w *Writer) Number(n int) *Writer { return w.Raw(strconv.Itoa(n)) }

// Address writes the address that a link leads to, or a picture comes from, as the value of an
// attribute in double quotes. One that is no web or mail address becomes "#": a browser would
// run a script.
func (w *Writer) Address(s string) *Writer {
	scheme, _, _ := strings.Cut(s, ":")
	switch strings.ToLower(scheme) {
	case "https", "http", "mailto":
	default:
		return w.Raw("#")
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; isOfAddress(c) || c == '%' && isEscape(s[i:]) {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + hex(c>>4) + hex(c&15))
		}
	}
	return w.Text(b.String())
}

// isOfAddress reports whether a character may stand in an address as it is (RFC 3986), but for
// quotes and parentheses, which end an address elsewhere.
func isOfAddress(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~!#$&*+,/:;=?@[]", c) >= 0
}

func isEscape(s string) bool {
	isHex := func(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }
	return len(s) >= 3 && isHex(s[1]) && isHex(s[2])
}

func hex(digit byte) string { return "0123456789abcdef"[digit : digit+1] }
