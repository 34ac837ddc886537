package main

import (
	"net/url"
	"strings"
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
	b.get(rulesPath).has("Orders that somebody looks at first", "The order page of customers", "How long data of customers is kept", "https://keypool.example/o/lost/acme")
	b.post(rulesPath+"/review", formOf("1", "rules.risk", "yes", "rules.above", "EUR = 500.00", "brakes_itself", "yes")).has("Saved.", "EUR = 500.00")
	review, _ := w.store.Review(t.Context(), "acme")
	if !review.Rules.Risk || review.Rules.Above["EUR"] != "500.00" || !review.BrakesItself {
		t.Errorf("stored is %+v", review)
	}
	b.post(rulesPath+"/order-page", formOf("1", "default", "on", "days", "30", "queue_place", "yes")).has("Saved.")
	if pages, _ := w.store.OrderPages(t.Context(), "acme"); pages.Default != catalog.OrderPageOn || pages.Days != 30 || !pages.QueuePlace {
		t.Errorf("stored is %+v", pages)
	}
	asked := b.post(rulesPath+"/retention", formOf("1", "retention", "90")).has("90 days after the last event of the order", "This cannot be undone.")
	if kept, _ := w.store.Retention(t.Context(), "acme"); kept.Days != 0 {
		t.Errorf("customers are erased before that was said: %+v", kept)
	}
	b.post(rulesPath+"/retention", asked.form()).has("Saved.")
	if kept, _ := w.store.Retention(t.Context(), "acme"); kept.Days != 90 {
		t.Errorf("stored is %+v", kept)
	}
	// Mistakes stand at their places, and a change meanwhile is shown beside one's own.
	b.post(rulesPath+"/review", formOf("2", "rules.above", "EUR = much")).has("is not a sum such as")
	b.post(rulesPath+"/retention", formOf("1", "retention", "7", "sure", "1")).has("Somebody else has saved here: 90")
	if p := b.post(rulesPath+"/retention", formOf("2", "retention", "99999")).has("Give a number from 1 to"); !strings.Contains(p.body, `href="#field-retention"`) {
		t.Error("the mistake stands at no field")
	}
	b.post(rulesPath+"/retention", formOf("2", "retention", "")).has("Saved.")
	if kept, _ := w.store.Retention(t.Context(), "acme"); kept.Days != 0 {
		t.Errorf("stored is %+v", kept)
	}
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
