package text

import (
	"maps"
	"slices"
	"strings"
)

// Choose returns the entry for the customer's language or the nearest one: the language
// itself, without its region, or with another region; then the same for each of the
// merchant's languages, in their order; then English; then any. It returns false only
// if there is no entry.
func Choose[T any](texts map[string]T, wanted string, languages []string) (language string, chosen T, ok bool) {
	have := slices.Sorted(maps.Keys(texts))
	candidates := append([]string{wanted}, languages...)
	for _, candidate := range append(candidates, "en") {
		for short := normal(candidate); short != ""; {
			for _, language := range have {
				if normal(language) == short {
					return language, texts[language], true
				}
			}
			cut := strings.LastIndexByte(short, '-')
			short = short[:max(cut, 0)]
		}
		for _, language := range have {
			if Base(candidate) != "" && Base(language) == Base(candidate) {
				return language, texts[language], true
			}
		}
	}
	if len(have) == 0 {
		return "", chosen, false
	}
	return have[0], texts[have[0]], true
}

// Base returns the language of a BCP 47 tag without script and region, in lower
// case: "pt" for "pt-BR".
func Base(tag string) string {
	base, _, _ := strings.Cut(normal(tag), "-")
	return base
}

func normal(tag string) string {
	return strings.ToLower(strings.ReplaceAll(tag, "_", "-"))
}
