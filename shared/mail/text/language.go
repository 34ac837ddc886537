package text

import (
	"maps"
	"slices"

	"golang.org/x/text/language"
)

// Choose returns the entry that suits a reader of the wanted language, by
// ChooseLanguage. It returns false only if there is no entry.
func Choose[T any](texts map[string]T, wanted string, languages []string) (language string, chosen T, ok bool) {
	language, ok = ChooseLanguage(slices.Sorted(maps.Keys(texts)), wanted, languages)
	return language, texts[language], ok
}

// ChooseLanguage returns the one of the languages there are that suits a reader of the
// wanted one: see Match. If none does, it is that of the first of the merchant's languages
// that is there, then English, then any. It returns false only if there is none.
func ChooseLanguage(have []string, wanted string, languages []string) (string, bool) {
	for _, candidate := range slices.Concat([]string{wanted}, languages, []string{"en"}) {
		if found, ok := Match(have, candidate); ok {
			return found, true
		}
	}
	if len(have) == 0 {
		return "", false
	}
	return have[0], true
}

// Match returns the language that a reader of the wanted one reads best, by the tables of
// golang.org/x/text/language: Traditional Chinese for zh-TW, Brazilian Portuguese for
// pt-PT if there is no other. It returns false if that would be another language, which he
// may not know. Underscores are read as hyphens, and an unknown region is left out.
func Match(have []string, wanted string) (string, bool) {
	want := tagOf(wanted)
	if want == language.Und || len(have) == 0 {
		return "", false
	}
	tags := make([]language.Tag, len(have))
	for i, tag := range have {
		tags[i] = tagOf(tag)
	}
	_, i, confidence := language.NewMatcher(tags).Match(want)
	if confidence >= language.High {
		return have[i], true
	}
	// In another script it is still the same language.
	base, _ := want.Base()
	if i = slices.IndexFunc(tags, func(tag language.Tag) bool {
		other, _ := tag.Base()
		return tag != language.Und && other == base
	}); i < 0 {
		return "", false
	}
	return have[i], true
}

// tagOf reads a tag as far as it can be read: "en" of "en_EN".
func tagOf(tag string) language.Tag {
	parsed, _ := language.Parse(tag)
	return parsed
}
