// Package sheet has the rule of tables that people open as spreadsheets.
package sheet

import "strings"

// Harmless returns a cell that no spreadsheet takes for a formula: names are anybody's choice.
func Harmless(cell string) string {
	if strings.ContainsAny(cell[:min(len(cell), 1)], "=+-@\t\r") {
		return "'" + cell
	}
	return cell
}
