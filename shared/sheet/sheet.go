// Package sheet has the rule of tables that people open as spreadsheets.
package sheet

import (
	"strings"
	"unicode/utf8"
)

// signs are what formulas begin with, and white space that spreadsheets pass over before them.
// Where people write in Japanese, Chinese or Korean, a sign of full width is one too.
const signs = "=+-@\t\r\n＝＋－＠"

// Harmless returns a cell that no spreadsheet takes for a formula: names are anybody's choice.
func Harmless(cell string) string {
	if first, _ := utf8.DecodeRuneInString(cell); cell != "" && strings.ContainsRune(signs, first) {
		return "'" + cell
	}
	return cell
}
