package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// greetings begin a letter, in the languages of a mail's frame.
var greetings = []string{
	"hello", "hi", "hey", "dear", "good day", "good morning", "good afternoon", "good evening", "greetings",
	"guten tag", "guten morgen", "guten abend", "hallo", "liebe", "lieber", "liebes", "sehr geehrte", "sehr geehrter", "moin", "servus", "grüß gott",
	"bonjour", "bonsoir", "salut", "cher", "chère", "chers", "chères", "madame", "monsieur",
	"hola", "buenos días", "buenas tardes", "buenas noches", "buenas", "estimado", "estimada", "estimados", "estimadas", "querido", "querida",
}

// longestGreeting is the most characters of a line that is one, with tags.
const longestGreeting = 60

// Greets reports whether a body begins by greeting the customer, in any language of the
// frame. Every mail greets already, above the body.
func Greets(body string) bool {
	first, _, _ := strings.Cut(strings.ReplaceAll(strings.TrimSpace(body), "\r", "\n"), "\n")
	first = strings.TrimLeft(strings.ToLower(strings.TrimSpace(first)), "¡")
	if utf8.RuneCountInString(first) > longestGreeting {
		return false
	}
	for _, greeting := range greetings {
		rest, is := strings.CutPrefix(first, greeting)
		next, _ := utf8.DecodeRuneInString(rest)
		if is && (rest == "" || unicode.IsSpace(next) || strings.ContainsRune(",!:.", next)) {
			return true
		}
	}
	return false
}
