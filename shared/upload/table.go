package upload

import "strings"

// Table is how a file of separated values (CSV) is read: its keys stand in one column. The
// zero Table means that the file is none.
type Table struct {
	Separator string // a comma, semicolon, tab or bar
	Columns   int
	Column    int   // of the keys, from 1; 0: it cannot be told
	DataAt    int64 // offset of the first row that is no heading

	// Named are names of columns that the first row has, as lists of words know them. Other
	// texts of that row might be keys, and are not kept.
	Named []string
}

// Is reports whether the file is read as a table.
func (t Table) Is() bool { return t.Separator != "" }

// IsCSV reports whether a file holds separated values, by its name.
func IsCSV(file string) bool { return strings.HasSuffix(strings.ToLower(file), ".csv") }
