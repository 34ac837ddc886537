package platform

import "strings"

// Guided is an adapter that says how a merchant connects a shop.
type Guided interface {
	// Guide is a page to follow, in plain text.
	Guide() string
}

// GuideOf returns the comment of a package as plain text, from the source of its doc.go.
func GuideOf(source string) string {
	comment, _, _ := strings.Cut(source, "\npackage ")
	lines := strings.Split(strings.TrimSpace(comment), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(strings.TrimPrefix(line, "//"), " ")
	}
	return strings.Join(lines, "\n")
}
