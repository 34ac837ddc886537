package main

import (
	"net/url"
	"testing"

	"keypool/shared/access"
	"keypool/shared/catalog"
)

// formOf returns what a browser sends of one of the forms of a page, with other values in some
// fields.
func formOf(version string, pairs ...string) url.Values {
	values := url.Values{"version": {version}}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return values
}

func TestRules(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	b.get(rulesPath).has("Orders that somebody looks at first", "The order page of customers", "How long data of customers is kept")
	b.post(rulesPath+"/review", formOf("1", "rules.risk", "yes", "rules.above", "EUR = 500.00", "brakes_itself", "yes")).has("Saved.", "EUR = 500.00")
	review, _ := w.store.Review(t.Context(), "acme")
	if !review.Rules.Risk || review.Rules.Above["EUR"] != "500.00" || !review.BrakesItself {
		t.Errorf("stored is %+v", review)
	}
	b.post(rulesPath+"/order-page", formOf("1", "default", "on", "days", "30", "queue_place", "yes")).has("Saved.")
	if pages, _ := w.store.OrderPages(t.Context(), "acme"); pages.Default != catalog.OrderPageOn || pages.Days != 30 || !pages.QueuePlace {
		t.Errorf("stored is %+v", pages)
	}
	b.post(rulesPath+"/retention", formOf("1", "retention", "90")).has("Saved.")
	if kept, _ := w.store.Retention(t.Context(), "acme"); kept.Days != 90 {
		t.Errorf("stored is %+v", kept)
	}
	// Mistakes stand at their places, and a change meanwhile is shown beside one's own.
	b.post(rulesPath+"/review", formOf("2", "rules.above", "EUR = much")).has("is not a sum such as")
	b.post(rulesPath+"/retention", formOf("1", "retention", "7")).has("Somebody else has saved here: 90")
	b.post(rulesPath+"/order-page", formOf("2", "default", "on", "days", "9999")).has("Use a number of days from 1 to 3650")
	w.person("acme", "rita", "Rita", "rita@acme.example", access.Read)
	reader := w.signIn("rita@acme.example")
	reader.get(rulesPath).has("How long data of customers is kept").hasNot(`<button class="main">Save`)
	for _, form := range []string{"/review", "/retention", "/order-page"} {
		if p := reader.post(rulesPath+form, formOf("2")); p.status != 403 {
			t.Errorf("who may only look changes %s: %d", form, p.status)
		}
	}
}
