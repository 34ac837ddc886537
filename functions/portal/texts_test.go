package main

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/pool"
	"keypool/shared/settings"
)

// languages sets the languages of acme's customers.
func (w *world) languages(all ...string) {
	w.Helper()
	m, _, err := w.store.Merchant(w.Context(), "acme")
	m.Languages = all
	if err == nil {
		err = w.store.PutMerchant(w.Context(), m)
	}
	if err != nil {
		w.Fatal(err)
	}
}

func TestTexts_ofAProduct(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.languages("en", "de")
	w.product(catalog.Product{Merchant: "acme", ID: "4711", Title: "Elden"})
	b := w.signIn("ada@acme.example")
	b.get(productPath("4711")).has("en : Keypool's own words", "de : Keypool's own words")
	editor := b.get(textPath("4711", "en")).has("Text in en", "No text is saved here yet", "{KEY}", "{PROGRAM_NAME}", "Use it for de too")
	if strings.Contains(editor.form().Get("body"), "{URL}") {
		t.Error("a product without instructions is offered a text with their address")
	}
	// What is wrong stands at its field, and what was typed stays.
	p := b.post(textPath("4711", "en"), editor.with("subject", "Your {KEYS}", "body", "No key here", "also", "yes"))
	if !strings.Contains(p.body, `href="#field-body"`) || !strings.Contains(p.body, `href="#field-subject"`) || p.form().Get("body") != "No key here" {
		t.Errorf("status %d:\n%s", p.status, p.words())
	}
	// Without the other language it is refused; with it both have the text.
	b.post(textPath("4711", "en"), p.with("subject", "Hi", "body", "Hello\r\n\r\n{KEY}")).has("A text is missing in de")
	b.post(textPath("4711", "en"), editor.with("subject", "Hi", "body", "Enjoy\r\n\r\n{KEY}", "also", "yes", "once", "another")).has("The text is saved", "en : its own text", "de : its own text")
	stored, _, _ := w.store.Product(t.Context(), "acme", "4711")
	if got := stored.Texts["de"]; got != (catalog.Text{Subject: "Hi", Body: "Enjoy\n\n{KEY}"}) {
		t.Errorf("stored is %+v", got)
	}
	// A change meanwhile is shown beside one's own.
	mine, theirs := b.get(textPath("4711", "de")).hasNot("No text is saved here yet"), b.get(textPath("4711", "de"))
	b.post(textPath("4711", "de"), theirs.with("subject", "Theirs"))
	b.post(textPath("4711", "de"), mine.with("subject", "Mine")).has("Somebody else has saved here: Theirs")
}

func TestTexts_ofAllProducts(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.languages("en")
	b := w.signIn("ada@acme.example")
	b.get("/portal/texts").has("Texts for all products", "en : Keypool's own words")
	b.post("/portal/texts/en", b.get("/portal/texts/en").with("body", "Here you are:\n\n{KEY}")).has("The text is saved", "en : your text")
	form := b.get("/portal/texts/en").has("Take the text away").form()
	form.Set("remove", "yes")
	b.post("/portal/texts/en", form).has("The text is gone", "en : Keypool's own words")
}

// The frame shows the mail as a customer gets it, by a policy of its own that lets no script run.
func TestPreview(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.product(catalog.Product{Merchant: "acme", ID: "4711", Title: "Elden"})
	b := w.signIn("ada@acme.example")
	form := b.get(textPath("4711", "en")).with("subject", "Hi", "body", "Mine <script>alert(1)</script>\n\n{KEY}")
	show := func(pairs ...string) page {
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		p := b.post("/portal/preview", form)
		if policy := p.headers["Content-Security-Policy"]; p.status != 200 || !strings.Contains(policy, "default-src 'none'") || !strings.HasSuffix(policy, "sandbox") || strings.Contains(policy, "script-src") {
			t.Errorf("%d, the policy is %q", p.status, policy)
		}
		return p
	}
	show("as", "one").has("Mine", "SAMPLE-0001").hasNot("SAMPLE-0002", "<script>alert", "prefers-color-scheme")
	show("as", "several").has("SAMPLE-0003")
	show("as", "waiting").hasNot("SAMPLE-0001", "Mine")
	light, dark := show("as", "one", "look", "light"), show("look", "dark")
	if light.body == dark.body || !strings.Contains(dark.body, "color-scheme: dark") {
		t.Error("light and dark are the same")
	}
	show("body", "no key").has("The mail cannot be shown yet.")
	b.get("/portal/preview?product=4711&in=en").has("Elden", "SAMPLE-0001").hasNot("Mine")
	// Nothing was stored, and the form can still be saved.
	if p, _, _ := w.store.Product(t.Context(), "acme", "4711"); len(p.Texts) > 0 {
		t.Error("a preview is stored")
	}
	form.Set("body", "Mine\n\n{KEY}")
	b.post("/portal/preview/send", form).has("A sample is on its way")
	b.post("/portal/preview/send", form).has("One was sent in this minute")
	b.post(textPath("4711", "en"), form).has("The text is saved")
	w.merchant("other", "Other")
	w.product(catalog.Product{Merchant: "other", ID: "secret", Title: "Secret plans"})
	if p := b.post("/portal/preview", url.Values{"product": {"secret"}}).hasNot("Secret plans"); p.status != 404 {
		t.Errorf("another merchant's product: %d", p.status)
	}
}

// A test purchase goes through the front door, and leads to its order's page.
func TestTestPurchase(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	b.get("/portal/test-purchase").has("There is no product yet that could be bought")
	w.product(catalog.Product{Merchant: "acme", ID: "4711", Title: "Elden"})
	form := b.get("/portal/test-purchase").has("Elden (4711)").with("product", "4711", "quantity", "2", "language", "de")
	if form.Get("email") != "ada@acme.example" {
		t.Errorf("the mail goes to %q", form.Get("email"))
	}
	sent := b.send("POST", "/portal/test-purchase", form)
	var webhook struct {
		Data struct {
			Order    string
			Test     bool
			Customer struct{ Email string }
			Lines    []struct {
				Product, Title string
				Quantity       int
			}
		}
	}
	if len(w.front.paths) != 1 || json.Unmarshal([]byte(w.front.bodies[0]), &webhook) != nil {
		t.Fatalf("%d, sent is %v %v", sent.status, w.front.paths, w.front.bodies)
	}
	d := webhook.Data
	if !d.Test || w.front.paths[0] != "/webhooks/acme/"+settings.TestAccount || d.Customer.Email != "ada@acme.example" || d.Lines[0].Product != "4711" || d.Lines[0].Title != "Elden" || d.Lines[0].Quantity != 2 {
		t.Errorf("sent is %s %+v", w.front.paths[0], d)
	}
	a, _, _ := w.store.Account(t.Context(), "acme", settings.TestAccount)
	id := order.Identity{Merchant: "acme", Side: pool.Test, Origin: a.Origin, Order: d.Order}.OrderID()
	if want := "/portal/orders/" + id + "?done=bought"; sent.headers["Location"] != want {
		t.Errorf("it leads to %q, want %q", sent.headers["Location"], want)
	}
	// It connects no platform.
	b.get("/portal/platforms").has("Keypool's test purchases", "No platform reports paid orders yet", "Connect one")
	// Pressed twice, it is one order.
	if twice := b.send("POST", "/portal/test-purchase", form); len(w.front.paths) != 1 || twice.headers["Location"] != sent.headers["Location"] {
		t.Errorf("%d webhooks, %s", len(w.front.paths), twice.headers["Location"])
	}
	// What was not taken is said, and why.
	w.front.answer = platform.Response{Status: 429, Body: []byte(`{"detail":"Too many webhooks in a minute."}`)}
	b.post("/portal/test-purchase", b.get("/portal/test-purchase").with("product", "4711")).has("The webhook was not taken: Too many webhooks in a minute.")
	w.front.err = settings.ErrUnanswered
	b.post("/portal/test-purchase", b.get("/portal/test-purchase").with("product", "4711")).has("did not answer in time")
	w.person("acme", "rita", "Rita", "rita@acme.example", access.Read)
	if p := w.signIn("rita@acme.example").post("/portal/test-purchase", url.Values{"product": {"4711"}}); p.status != 403 {
		t.Errorf("who may only look buys: %d", p.status)
	}
}

// The mail beside the editor has the button that leads to the order's page where orders have one,
// in the customer's language, and none where they have not.
func TestTexts_previewHasTheButton(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.product(catalog.Product{Merchant: "acme", ID: "4711", Title: "Elden"})
	w.product(catalog.Product{Merchant: "acme", ID: "4712", Title: "Nova", OrderPage: catalog.OrderPageOff})
	b := w.signIn("ada@acme.example")
	const button, shown = `<a class="main" href="https://keypool.example/o/sample"`, "/portal/preview?product=4711&in=de&show=one"
	b.get(shown).has("SAMPLE-0001").hasNot(button)
	if err := w.store.PutOrderPages(t.Context(), catalog.OrderPages{Merchant: "acme", Default: catalog.OrderPageOn}); err != nil {
		t.Fatal(err)
	}
	if p := b.get(shown).has("Schlüssel ansehen"); !strings.Contains(p.body, button) {
		t.Errorf("the mail has no button:\n%s", p.body)
	}
	b.get("/portal/preview?product=4712&in=de").has("SAMPLE-0001").hasNot(button)
}

// The policy of a mail in its frame has no rule that stands in the address of the logo.
func TestPreview_policyIsOurs(t *testing.T) {
	t.Parallel()
	for _, logo := range []string{
		"https://[::1%25;%20sandbox%20allow-scripts;%20script-src%20*]/x.png", "https://*/x.png", "https://a.example,b/x.png", "https://a.example;b/x.png", "http://a.example/x.png", "javascript:1", "",
	} {
		if got := mailPolicy(logo); got != mailPolicy("") {
			t.Errorf("%s: %s", logo, got)
		}
	}
	if got := mailPolicy("https://cdn.acme.example:8443/a/logo.png"); !strings.Contains(got, "img-src https://cdn.acme.example:8443;") {
		t.Error(got)
	}
}

// An address has no title of its own making.
func TestTexts_ofNoLanguage(t *testing.T) {
	t.Parallel()
	s, acme, _ := twoShops(t)
	b := s.as(access.Owner)
	for _, language := range []string{"mara@example.com", "AAAA-1111", "deutsch-und-so", "EN", "a b"} {
		for _, path := range []string{textsPath, productPath(acme["product"]) + "/texts"} {
			p := b.get(path + "/" + url.PathEscape(language)).hasNot(language)
			if p.status != 404 {
				t.Errorf("%s in %s: %d", path, language, p.status)
			}
			if p = b.post(path+"/"+url.PathEscape(language), url.Values{"body": {"{KEY}"}, "version": {"1"}}); p.status != 404 {
				t.Errorf("%s in %s is saved: %d", path, language, p.status)
			}
		}
	}
	b.get(textsPath + "/pt-BR").has("Text in pt-BR")
}
