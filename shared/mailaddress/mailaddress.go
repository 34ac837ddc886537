// Package mailaddress decides which texts are mail addresses, in one place: of
// customers, in a merchant's settings, and in those of a deployment.
package mailaddress

import (
	"net/mail"
	"strings"
	"unicode"
)

// The longest address, in bytes, by RFC 5321: 64 for the part before the @, 255 for
// the domain.
const (
	maxLength = 320
	maxLocal  = 64
)

// Valid says whether s is one bare address, such as keys@example.com, that Amazon SES
// can send to. The part before the @ is ASCII, without quotes; the domain may be an
// international one (anna@bücher.example), without characters that show nothing or turn what
// follows round: two addresses would look the same. A name ("Anna <anna@example.com>"), a
// comment or a second address makes s invalid.
func Valid(s string) bool {
	at := strings.LastIndexByte(s, '@')
	if len(s) > maxLength || at < 1 || at > maxLocal {
		return false
	}
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) || hides(s) {
		return false
	}
	if strings.ContainsFunc(s[:at], func(r rune) bool { return r > unicode.MaxASCII }) {
		return false
	}
	parsed, err := mail.ParseAddress(s)
	return err == nil && parsed.Address == s && parsed.Name == ""
}

// hides reports whether a character of a text shows nothing itself: a direction mark, a
// zero-width space, a soft hyphen. Joiners stand between letters of scripts such as Persian,
// in domains too.
func hides(s string) bool {
	var before rune
	for _, r := range s {
		isJoiner := r == '\u200c' || r == '\u200d'
		if unicode.Is(unicode.Cf, r) && !(isJoiner && before > unicode.MaxASCII) {
			return true
		}
		before = r
	}
	return false
}
