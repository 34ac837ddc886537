package settings

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxReason is how many characters somebody has to say why something is done.
const MaxReason = 200

// IsReason reports whether a text can be kept as the reason for which somebody did something: in
// the history of an order, in a job, in the audit trail. It may be empty.
func IsReason(why string) bool {
	return utf8.ValidString(why) && utf8.RuneCountInString(why) <= MaxReason && !strings.ContainsFunc(why, unicode.IsControl)
}
