package main

import (
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"keypool/shared/access"
	"keypool/shared/catalog"
)

// pool plants a pool.
func (w *world) pool(merchant, name string) {
	w.Helper()
	if err := w.store.PutPool(w.Context(), catalog.Pool{Merchant: merchant, Name: name, Shards: 1}); err != nil {
		w.Fatal(err)
	}
}

// product plants a product.
func (w *world) product(p catalog.Product) {
	w.Helper()
	if p.Keys.Count == 0 {
		p.Keys = catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}
	}
	if err := w.store.PutProduct(w.Context(), p); err != nil {
		w.Fatal(err)
	}
}

var (
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)
	inputField  = regexp.MustCompile(`<input id="field-[^"]*" name="([^"]+)"[^>]*?value="([^"]*)"([^>]*)>`)
	tickField   = regexp.MustCompile(`<input type="checkbox" id="field-[^"]*" name="([^"]+)"[^>]*?value="([^"]*)"([^>]*)>`)
	areaField   = regexp.MustCompile(`(?s)<textarea id="field-[^"]*" name="([^"]+)"[^>]*>\n?(.*?)</textarea>`)
	selectField = regexp.MustCompile(`(?s)<select id="field-[^"]*" name="([^"]+)"[^>]*>(.*?)</select>`)
	selected    = regexp.MustCompile(`<option value="([^"]*)" selected>`)
)

// form returns what a browser sends of the forms of a page.
func (p page) form() url.Values {
	p.Helper()
	values := url.Values{}
	for _, f := range []*regexp.Regexp{hiddenField, inputField, areaField} {
		for _, m := range f.FindAllStringSubmatch(p.body, -1) {
			if _, there := values[m[1]]; !there {
				values.Set(m[1], html.UnescapeString(m[2]))
			}
		}
	}
	for _, m := range tickField.FindAllStringSubmatch(p.body, -1) {
		if strings.Contains(m[3], "checked") {
			values.Add(m[1], m[2])
		}
	}
	for _, m := range selectField.FindAllStringSubmatch(p.body, -1) {
		values.Set(m[1], "")
		if chosen := selected.FindStringSubmatch(m[2]); chosen != nil {
			values.Set(m[1], html.UnescapeString(chosen[1]))
		}
	}
	return values
}

// with returns the form of a page with other values in some fields.
func (p page) with(pairs ...string) url.Values {
	p.Helper()
	values := p.form()
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return values
}

func TestProducts_fromTheFirstOn(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	b.get("/portal/products").has("There is no product yet", "Add your first product")
	w.pool("acme", "elden")
	form := b.get("/portal/products/new").has("A new product", "Keys come from").with("id", "47/11 ä+", "title", "Elden", "pool", "elden", "keys.count", "2")
	if only := b.get("/portal/products/new").form().Get("pool"); only != "elden" {
		t.Errorf("a shop with one pool is offered %q", only)
	}
	made := b.post("/portal/products/new", form).has("Orders that waited for this get their keys now", "Elden")
	if len(w.fills.sent) == 0 {
		t.Error("nobody was asked to serve the lines that waited")
	}
	if made.at != productPath("47/11 ä+")+"?done=connected" || strings.Contains(made.words(), "for this product to get a pool") {
		t.Errorf("the product is at %s", made.at)
	}
	b.get("/portal/products").has("Elden", "47/11 ä+", "elden", "2 keys a unit", "Keypool's")
	// Each setting is stored as it was written, and shown again.
	set := made.with("short_title", "Eld", "download", "https://acme.example/dl", "redeem_within_days", "30", "order_page", "on", "renewal", "parent_key",
		"aliases", "price_1\r\nprice_2\r\n", "pools_by_currency", "BRL = elden", "returned_keys", "restock", "own_review", "yes", "review.risk", "yes", "review.above", "EUR = 500.00", "review.max_keys", "1,000")
	again := b.post(made.at[:strings.Index(made.at, "?")], set).has("Saved.", "price_1 price_2", "BRL = elden", "EUR = 500.00")
	stored, _, err := w.store.Product(t.Context(), "acme", "price_2")
	if err != nil || stored.ShortTitle != "Eld" || stored.Redeem.WithinDays != 30 || stored.Review == nil || !stored.Review.Risk || stored.Review.MaxKeys != 1000 || stored.OrderPage != catalog.OrderPageOn || stored.ReturnedKeys != "restock" || stored.Renewal != catalog.ParentKey {
		t.Errorf("stored is %+v, %v", stored, err)
	}
	b.get(productPath("price_1")).has("Elden") // by an alias
	// What the form shows can be sent again, and changes nothing.
	b.post(productPath(stored.ID), again.form()).has("Saved.")
	if same, _, _ := w.store.Product(t.Context(), "acme", stored.ID); same.Version != stored.Version {
		t.Errorf("a form that was not changed made version %d of %d", same.Version, stored.Version)
	}
}

func TestProducts_mistakesStandAtTheirPlaces(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	form := b.get("/portal/products/new?id=4711").with("title", "", "keys.count", "many", "aliases", "a\nb?", "pools_by_currency", "EUR elden", "instructions", "http://acme.example")
	p := b.post("/portal/products/new", form).has("Nothing was changed", "Use a whole number.", "with = between the two")
	for _, field := range []string{"keys.count", "pools_by_currency"} {
		if !strings.Contains(p.body, `href="#field-`+field+`"`) || !strings.Contains(p.body, `id="about-`+field+`"><span class="wrong">`) {
			t.Errorf("no mistake stands at %s", field)
		}
	}
	form.Set("keys.count", "1")
	form.Set("pools_by_currency", "")
	form.Del("once")
	p = b.post("/portal/products/new", form).has("It is needed.", "question mark", "starts with https://")
	for _, field := range []string{"title", "aliases", "instructions"} {
		if !strings.Contains(p.body, `id="about-`+field+`"><span class="wrong">`) {
			t.Errorf("no mistake stands at %s", field)
		}
	}
	form.Set("title", "Elden")
	w.product(catalog.Product{Merchant: "acme", ID: "4711", Title: "Old"})
	form.Set("aliases", "")
	form.Set("instructions", "")
	b.post("/portal/products/new", form).has("There is a product of that id already")
}

// Two people change a product: the second is shown what the first stored, beside what was
// written, and loses neither.
func TestProducts_changedMeanwhile(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.product(catalog.Product{Merchant: "acme", ID: "4711", Title: "Elden"})
	b := w.signIn("ada@acme.example")
	mine, theirs := b.get(productPath("4711")), b.get(productPath("4711"))
	b.post(productPath("4711"), theirs.with("title", "Elden: Theirs", "download", "https://theirs.example"))
	p := b.post(productPath("4711"), mine.with("title", "Elden: Mine"))
	if p.status != 409 {
		t.Errorf("status %d", p.status)
	}
	p.has("Not saved: somebody else has changed this meanwhile.", "Somebody else has saved here: Elden: Theirs", "Somebody else has saved here: https://theirs.example")
	if got := p.form().Get("title"); got != "Elden: Mine" {
		t.Errorf("the form holds %q", got)
	}
	b.post(productPath("4711"), p.form()).has("Saved.")
	if now, _, _ := w.store.Product(t.Context(), "acme", "4711"); now.Title != "Elden: Mine" {
		t.Errorf("stored is %q", now.Title)
	}
}

func TestProducts_pressedTwice(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	form := b.get("/portal/products/new").with("id", "4711", "title", "Elden")
	b.post("/portal/products/new", form).has("Saved.")
	b.post("/portal/products/new", form).has("Saved.")
}

func TestProducts_deleted(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.product(catalog.Product{Merchant: "acme", ID: "4711", Title: "Elden"})
	w.product(catalog.Product{Merchant: "acme", ID: "4712", Title: "Elden, boxed", Original: "4711"})
	b := w.signIn("ada@acme.example")
	b.post(productPath("4711")+"/delete", b.get(productPath("4711")+"/delete").has("are delivered all the same").form()).has("inherits from it")
	b.post(productPath("4712")+"/delete", b.get(productPath("4712")+"/delete").form()).has("The product is deleted").hasNot("boxed")
	b.get(productPath("4712")).has("There is nothing of that name here")
}

func TestProducts_ofAnotherMerchantAndForOtherRoles(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.merchant("other", "Other")
	w.product(catalog.Product{Merchant: "other", ID: "4711", Title: "Secret plans"})
	w.product(catalog.Product{Merchant: "acme", ID: "1", Title: "Elden"})
	w.person("acme", "rita", "Rita", "rita@acme.example", access.Read)
	w.person("acme", "sam", "Sam", "sam@acme.example", access.Stock)
	b := w.signIn("ada@acme.example")
	for _, path := range []string{productPath("4711"), productPath("4711") + "/delete"} {
		if p := b.get(path).hasNot("Secret"); p.status != 404 {
			t.Errorf("%s: %d", path, p.status)
		}
	}
	reader := w.signIn("rita@acme.example")
	reader.get(productPath("1")).has("Elden").hasNot("<button class=\"main\">Save", "/delete")
	if p := reader.post(productPath("1"), url.Values{"title": {"Mine"}, "version": {"1"}}); p.status != 403 {
		t.Errorf("who may read alone changes a product: %d", p.status)
	}
	if p := w.signIn("sam@acme.example").get("/portal/products"); p.status != 403 {
		t.Errorf("who brings keys alone lists products: %d", p.status)
	}
}

func TestProducts_code(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.product(catalog.Product{Merchant: "acme", ID: "demo", Title: "Demo", Keys: catalog.KeyRule{Mode: catalog.Shared, Count: 1}})
	b := w.signIn("ada@acme.example")
	p := b.get(productPath("demo")).has("No code is set: orders wait")
	form := p.form()
	form.Del("once")
	form.Set("code", "WELCOME-TO-THE-DEMO")
	form.Set("side", "live")
	b.post(productPath("demo")+"/code", form).has("The code is set", "The live code is set since").hasNot("WELCOME-TO-THE-DEMO")
	b.get("/portal/products").has("one code for everybody").hasNot("No code yet")
}
