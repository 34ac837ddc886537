package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each mail greets the customer above the text: a text that does so too is stored, and
// the answer says so. The example of the document does not.
func TestPutProduct_warnsOfASecondGreeting(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	w.shop(token, "PUT", "/v1/pools/elden", Pool{Title: "Elden"}).Want(201)
	product := Product{Title: "Elden", Pool: "elden", Texts: map[string]Text{
		"en": {Body: "Hello {FNAME},\n\nhere is your key: {KEY}"}, "de": {Body: "Hier ist Ihr Schlüssel: {KEY}"}, "fr": {Body: "Bonjour !\n{KEY}"},
	}}
	want := []string{
		"texts.en.body greets the customer, as each mail does above it: leave its first line out",
		"texts.fr.body greets the customer, as each mail does above it: leave its first line out",
	}
	var put, read Product
	w.shop(token, "PUT", "/v1/products/4711", product).Want(201).Into(&put)
	w.shop(token, "GET", "/v1/products/4711", nil).Want(200).Into(&read)
	for _, got := range []Product{put, read} {
		if diff := cmp.Diff(want, got.Warnings); diff != "" {
			t.Errorf("warnings (-want +got):\n%s", diff)
		}
	}
	sample := sampleProduct.settable()
	sample.PoolsByCurrency = nil
	var shown Product
	w.shop(token, "PUT", "/v1/products/4712", sample).Want(201).Into(&shown)
	if len(shown.Warnings) > 0 {
		t.Errorf("the example of the document: %q", shown.Warnings)
	}
}

// Tags in doubled braces, as other programs have them, are refused when they are set.
func TestPutProduct_refusesDoubledBraces(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	w.shop(token, "PUT", "/v1/pools/elden", Pool{Title: "Elden"}).Want(201)
	refused := w.shop(token, "PUT", "/v1/products/4711", Product{Title: "Mustache", Pool: "elden", Texts: map[string]Text{"en": {Body: "Code: {{KEY}}"}}}).Want(422)
	const says = `{{KEY}} has doubled braces, which would stay in the mail; write {KEY}.`
	if !strings.Contains(string(refused.Body), says) || !slices.Contains(refused.Locations(), "body.texts.en.body") {
		t.Errorf("got %s, want body.texts.en.body: %s", string(refused.Body), says)
	}
}
