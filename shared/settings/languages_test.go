package settings

import (
	"strings"
	"testing"

	"keypool/shared/catalog"
)

func TestCheckLanguages(t *testing.T) {
	t.Parallel()
	m := catalog.Merchant{Languages: []string{"en", "de", "fr"}}
	text := catalog.Text{Body: "{KEY}"}
	for _, c := range []struct {
		texts map[string]catalog.Text
		says  string
	}{
		{nil, ""},
		{map[string]catalog.Text{"en": text, "de": text, "fr": text, "it": text}, ""},
		{map[string]catalog.Text{"en": text, "it": text}, "de, fr"},
		{map[string]catalog.Text{"en-GB": text, "de": text, "fr-CA": text}, ""},
	} {
		problems := checkLanguages(m, nil, catalog.Product{Texts: c.texts})
		if (c.says == "") != (len(problems) == 0) || c.says != "" && !strings.Contains(problems[0].Message, c.says) {
			t.Errorf("%v: %+v, want %q", c.texts, problems, c.says)
		}
	}
	common := map[string]catalog.Text{"de": text, "fr": text}
	if problems := checkLanguages(m, common, catalog.Product{Texts: map[string]catalog.Text{"en": text}}); len(problems) > 0 {
		t.Errorf("the merchant's texts have the languages that the product's lack: %+v", problems)
	}
	if problems := checkLanguages(catalog.Merchant{}, nil, catalog.Product{Texts: map[string]catalog.Text{"it": text}}); len(problems) > 0 {
		t.Errorf("a merchant without languages: %+v", problems)
	}
}
