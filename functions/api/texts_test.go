package main

import (
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"keypool/shared/catalog"
	"keypool/shared/notice"
)

// bilingual makes a merchant of two languages, and returns its token.
func (w *world) bilingual(name string) string {
	w.Helper()
	bearer := w.merchant(name)
	w.setMerchant(catalog.Merchant{Name: name, Title: name, NoticeAddress: name + "@example.com", Languages: []string{"en", "de"}})
	return bearer
}

// The merchant's own texts are set under a lock, told, and shown where a product has none.
func TestTexts_areSetAndShown(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.bilingual("acme")
	var got Texts
	none := w.shop(bearer, "GET", "/v1/texts", nil).Want(200)
	none.Into(&got)
	if len(got.Texts) > 0 {
		t.Errorf("before any was set: %+v", got)
	}
	want := Texts{Texts: map[string]Text{"en": {Subject: "Yours", Body: "Common: {KEY}"}, "de": {Body: "**Gemeinsam**: {KEY}", Format: "markdown"}}}
	w.shop(bearer, "PUT", "/v1/texts", want).Want(428)
	w.shop(bearer, "PUT", "/v1/texts", want, "if-match", none.ETag()).Want(200)
	w.shop(bearer, "PUT", "/v1/texts", want).Want(200) // the same again, without a condition
	w.shop(bearer, "PUT", "/v1/texts", Texts{Texts: map[string]Text{}}, "if-match", none.ETag()).Want(412)
	w.shop(bearer, "GET", "/v1/texts", nil).Want(200).Into(&got)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	told := w.changed(notice.ChangedText)
	if told.Changed[0].Name != notice.AllProducts {
		t.Errorf("told of %s", told.Changed[0].Name)
	}
	if diff := gocmp.Diff([]string{"text de", "text en"}, told.Changed[0].Parts); diff != "" {
		t.Error(diff)
	}

	// A product has its own text in one language, and falls back on the merchant's in the other.
	w.shop(bearer, "PUT", "/v1/products/4711", Product{Title: "A", Texts: map[string]Text{"en": {Body: "Its own: {KEY}"}}}).Want(201)
	for language, want := range map[string]string{"en-GB": "Its own: SAMPLE", "de-AT": "Gemeinsam: SAMPLE", "fr": "Its own: SAMPLE"} {
		var shown Mail
		w.shop(bearer, "POST", "/v1/preview", Preview{Product: "4711", Language: language}).Want(200).Into(&shown)
		if !strings.Contains(shown.Text, want) {
			t.Errorf("a customer of %s does not read %q:\n%s", language, want, shown.Text)
		}
	}
	sources := func(product string) (told []TextSource) {
		var p Product
		w.shop(bearer, "GET", "/v1/products/"+product, nil).Want(200).Into(&p)
		return p.TextSources
	}
	w.shop(bearer, "PUT", "/v1/products/copy", Product{Original: "4711"}).Want(201)
	w.shop(bearer, "PUT", "/v1/products/plain", Product{Title: "A"}).Want(201)
	for product, want := range map[string][]TextSource{
		"4711":  {{Language: "en", From: "product", Text: "en"}, {Language: "de", From: "merchant", Text: "de"}},
		"copy":  {{Language: "en", From: "original", Text: "en"}, {Language: "de", From: "merchant", Text: "de"}},
		"plain": {{Language: "en", From: "merchant", Text: "en"}, {Language: "de", From: "merchant", Text: "de"}},
	} {
		if diff := gocmp.Diff(want, sources(product)); diff != "" {
			t.Errorf("where texts of %s come from: %s", product, diff)
		}
	}
	w.shop(bearer, "PUT", "/v1/products/4711", Product{Title: "A"}, "if-match", "*").Want(200)
	w.shop(bearer, "PUT", "/v1/texts", Texts{Texts: map[string]Text{}}, "if-match", "*").Want(200)
	if diff := gocmp.Diff([]TextSource{{Language: "en", From: "keypool", Text: "en"}, {Language: "de", From: "keypool", Text: "de"}}, sources("copy")); diff != "" {
		t.Errorf("without any: %s", diff)
	}
	stranger := w.bilingual("mallory")
	var others Texts
	w.shop(stranger, "GET", "/v1/texts", nil).Want(200).Into(&others)
	if len(others.Texts) > 0 {
		t.Errorf("another merchant has %+v", others)
	}
}

// Every mistake in a text is told with its place, and nothing that a product falls back on can
// be taken away.
func TestTexts_mistakes(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.bilingual("acme")
	put := func(texts map[string]Text) (status int, body string) {
		got := w.shop(bearer, "PUT", "/v1/texts", Texts{Texts: texts}, "if-match", "*")
		return got.StatusCode, got.Body
	}
	for _, c := range []struct {
		texts map[string]Text
		says  string
	}{
		{map[string]Text{"en": {Body: "Key:\n{KEI}"}, "de": {Body: "{KEY}"}}, "line 2, column 1: there is no tag {KEI}"},
		{map[string]Text{"en": {Body: "Key"}, "de": {Body: "{KEY}"}}, "body.texts.en.body"},
		{map[string]Text{"en": {Body: "**Key: {KEY}", Format: "markdown"}, "de": {Body: "{KEY}"}}, "line 1, column 1"},
		{map[string]Text{"en": {Body: "{KEY}"}}, "a text is missing in de"},
	} {
		if status, body := put(c.texts); status != 422 || !strings.Contains(body, c.says) {
			t.Errorf("%v: %d, no %q in %s", c.texts, status, c.says, body)
		}
	}
	both := map[string]Text{"en": {Body: "{KEY}"}, "de": {Body: "{KEY}"}}
	if status, body := put(both); status != 200 {
		t.Fatal(body)
	}
	w.shop(bearer, "PUT", "/v1/products/4711", Product{Title: "A", Texts: map[string]Text{"en": {Body: "{KEY}"}}}).Want(201)
	if status, body := put(map[string]Text{}); status != 422 || !strings.Contains(body, `the product \"4711\" has texts, and would have none in one of your languages`) {
		t.Errorf("taken away from under a product: %d %s", status, body)
	}
	w.shop(bearer, "PUT", "/v1/products/4711", Product{Title: "A"}, "if-match", "*").Want(200)
	if status, body := put(map[string]Text{}); status != 200 {
		t.Errorf("nothing falls back on them: %d %s", status, body)
	}
	w.shop(bearer, "PUT", "/v1/products/4711", Product{Title: "A", Texts: map[string]Text{"en": {Body: "{KEY}"}}}, "if-match", "*").Want(422)
}

// The catalog moves a language from the merchant's texts to a product's and back, each change
// allowed where it comes.
func TestCatalog_textsThatProductsFallBackOn(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.bilingual("acme")
	put := func(status int, body string) CatalogChanges {
		t.Helper()
		var changes CatalogChanges
		if got := w.shop(bearer, "PUT", "/v1/catalog", body, "content-type", yamlType, "if-match", "*").Want(status); status == 200 {
			got.Into(&changes)
		}
		return changes
	}
	const product = "products:\n  a:\n    title: A\n    texts:\n      "
	put(200, product+"en: {body: \"{KEY}\"}\n      de: {body: \"{KEY}\"}\n")
	put(422, "texts:\n  en: {body: \"{KEY}\"}\n")
	put(422, "texts:\n  en: {body: \"{KEI}\"}\n  de: {body: \"{KEY}\"}\n")
	added := put(200, product+"fr: {body: \"{KEY}\"}\ntexts:\n  en: {body: \"{KEY}\"}\n  de: {body: \"{KEY}\"}\n")
	if diff := gocmp.Diff([]string{"texts.de.body", "texts.en.body"}, added.Changes[len(added.Changes)-1].Fields); diff != "" || added.Changes[len(added.Changes)-1].Thing != "texts" {
		t.Errorf("%+v: %s", added, diff)
	}
	put(422, "texts: {}\n")                                                                                                                  // the product falls back on them
	put(200, product+"en: {body: \"{KEY}\"}\n      de: {body: \"{KEY}\"}\ntexts:\n  en-GB: {body: \"{KEY}\"}\n  de-AT: {body: \"{KEY}\"}\n") // other languages come, and go
	put(200, product+"en: {body: \"{KEY}\"}\n      de: {body: \"{KEY}\"}\ntexts: {}\n")
	w.shop(bearer, "GET", "/v1/texts", nil).Want(200)
}
