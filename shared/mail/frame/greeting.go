package frame

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// longestGreeting is the most characters of a line that is one, with tags.
const longestGreeting = 60

// Greets reports whether a text begins by greeting the customer, in any language of a
// frame. Every mail greets already, above the text.
func Greets(body string) bool {
	first, _, _ := strings.Cut(strings.ReplaceAll(strings.TrimSpace(body), "\r", "\n"), "\n")
	first = strings.TrimLeft(strings.ToLower(strings.TrimSpace(first)), "¡")
	if utf8.RuneCountInString(first) > longestGreeting {
		return false
	}
	for _, read := range languages() {
		if read().greets(first) {
			return true
		}
	}
	return false
}

// greets reports whether a line in lower case is a greeting.
func (f Frame) greets(line string) bool {
	for _, greeting := range f.Greets {
		rest, is := strings.CutPrefix(line, greeting)
		next, _ := utf8.DecodeRuneInString(rest)
		if is && (rest == "" || unicode.IsSpace(next) || strings.ContainsRune(",!:.،。、！", next)) {
			return true
		}
	}
	for _, greeting := range f.GreetsAfterName {
		name, is := strings.CutSuffix(strings.TrimRight(line, ",!:.。、！"), greeting)
		// Of a name alone, or the tag of one: not of a sentence that ends like it.
		if is && strings.TrimSpace(name) != "" && len(strings.Fields(name)) <= 2 && !strings.ContainsAny(name, "。、") {
			return true
		}
	}
	return false
}
