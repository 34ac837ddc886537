package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/web/bodies"
)

// compared returns the page that says what a document would change.
func (b *browser) compared(document string) page {
	b.Helper()
	return b.post(importPath, url.Values{"document": {document}})
}

// exported returns the document of all settings.
func (b *browser) exported() bodies.Catalog {
	b.Helper()
	p := b.get(exportPath)
	if p.status != http.StatusOK || p.headers["Content-Type"] != "application/json" || !strings.Contains(p.headers["Content-Disposition"], `attachment; filename="catalog.json"`) {
		b.Errorf("the file is %d, %v", p.status, p.headers)
	}
	var c bodies.Catalog
	if err := json.Unmarshal([]byte(p.body), &c); err != nil {
		b.Fatal(err)
	}
	return c
}

func documentOf(t *testing.T, c bodies.Catalog) string {
	t.Helper()
	raw, err := bodies.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// What was exported changes nothing; a change is shown field by field, stored as it was shown, and
// made once however often the button is pressed.
func TestImport(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newPool("acme", "elden")
	w.product(catalog.Product{Merchant: "acme", ID: "4711", Title: "Elden", Pool: "elden"})
	w.product(catalog.Product{Merchant: "acme", ID: "old", Title: "Old", Pool: "elden"})
	b := w.signIn("ada@acme.example")
	b.get(importPath).has("Download catalog.json", "Show what would change")
	c := b.exported()
	b.compared(documentOf(t, c)).has("Nothing would change").hasNot("Change it so")
	b.compared(strings.ReplaceAll(documentOf(t, c), "\n", "\r\n")).has("Nothing would change")

	p := c.Products["4711"]
	p.Title = `Elden: <The "Long" Night>`
	c.Products["4711"] = p
	delete(c.Products, "old")
	c.Pools["nova"] = bodies.Pool{Title: "Nova"}
	before := w.stored()
	shown := b.compared(documentOf(t, c)).has("1 added, 1 changed, 1 removed", "Pool nova: added", "title – Nova", "Product 4711: changed", `title Elden Elden: <The "Long" Night>`, "Product old: removed")
	w.wantStored("showing what would change", before, true)
	sent := shown.form()
	b.post(applyPath, sent).has("Done. All settings are as the document says.")
	stored, _, _ := w.store.Product(t.Context(), "acme", "4711")
	_, old, _ := w.store.Product(t.Context(), "acme", "old")
	_, nova, _ := w.store.Pool(t.Context(), "acme", "nova")
	if stored.Title != p.Title || old || !nova {
		t.Errorf("stored are %q, old: %t, nova: %t", stored.Title, old, nova)
	}
	b.get(auditPath).has("Product 4711: changed", "Product old: removed", "Ada Byron")
	before = w.stored()
	b.post(applyPath, sent).has("Done. All settings are as the document says.")
	w.wantStored("the second press", before, true)
	b.compared(documentOf(t, c)).has("Nothing would change")
}

// A change meanwhile changes nothing, and shows the difference again.
func TestImport_changedMeanwhile(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	c := b.exported()
	c.Shop.Title = "Mine"
	shown := b.compared(documentOf(t, c)).has("Merchant: changed", "title Acme Games Mine")
	other := w.shopFields()
	other.Set("title", "Theirs")
	b.post(shopPath, other).has("Saved.")
	again := b.post(applyPath, shown.form())
	if again.has("somebody else has changed settings meanwhile", "title Theirs Mine"); again.status != http.StatusConflict || w.acme().Title != "Theirs" {
		t.Errorf("a change of what has changed is %d, and the shop is called %s", again.status, w.acme().Title)
	}
	sent := shown.form()
	sent.Del("tag")
	sent.Del("once")
	if p := b.post(applyPath, sent); p.status != http.StatusConflict {
		t.Errorf("a change without a version is %d", p.status)
	}
	b.post(applyPath, again.form()).has("Done.")
	if got := w.acme().Title; got != "Mine" {
		t.Errorf("the shop is called %s", got)
	}
}

// Mistakes of form and of meaning are told with their places and lines, and nothing is stored.
func TestImport_mistakes(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newPool("acme", "elden")
	w.keysIn(elden, "AAAA-1")
	b := w.signIn("ada@acme.example")
	before := w.stored()
	for document, want := range map[string][]string{
		"": {"is not JSON: it ends too early (line 1)"},
		"{\"pools\": {\"a\": {\"titel\": 1,\n\"title\": 2,\n\"title\": \"A\"}}}": {"pools.a.titel : unexpected property (line 1)", "pools.a.title : is there twice"},
		"{\"products\": {\n\"a\": {\"title\": \"A\", \"pool\": \"nowhere\"}}}":   {"products.a.pool : there is no pool of that name; create it first (line 2)"},
		"{\"pools\": {}}":                  {"pools.elden : it cannot be removed: its live side holds keys for sale (1); by force it is removed all the same (line 1)"},
		"{\"accounts\": {\n\"mine\": {}}}": {"accounts.mine : there is no account of that name; set it up first, with its secrets (line 2)"},
		"{\"shop\": {\"title\": \"A\"}}":   {"shop.notice_address : it is needed (line 1)"},
	} {
		p := b.compared(document).has("Nothing was changed.").has(want...)
		if p.status != http.StatusUnprocessableEntity || p.form().Get("document") != document {
			t.Errorf("%q is %d, and shown again as %q", document, p.status, p.form().Get("document"))
		}
		if p := b.post(applyPath, url.Values{"document": {document}, "tag": {"*"}}); p.status < 400 {
			t.Errorf("%q is applied: %d", document, p.status)
		}
	}
	w.wantStored("documents with mistakes", before, true)
	forced := b.post(importPath, url.Values{"document": {`{"pools": {}}`}, "force": {"yes"}}).has("Pool elden: removed")
	b.post(applyPath, forced.form()).has("Done.")
}

// A document of 1 MB is taken, and one that no form carries is refused in words.
func TestImport_large(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	blanks := strings.Repeat(" ", 1<<20)
	b.compared(`{"pools": {"large": {` + blanks + `}}}`).has("Pool large: added")
	p := b.compared(strings.Repeat(blanks, 5))
	if p.has("The document is larger than a form can carry, and nothing was changed."); p.status != http.StatusRequestEntityTooLarge {
		t.Errorf("5 MB are %d", p.status)
	}
}

// A change that ends on the way says how far it came, and goes on from there.
func TestImport_cutOff(t *testing.T) {
	t.Parallel()
	faults := dynamotest.NewFaults(t, 1)
	w := open(t, faults.Option)
	b := w.signIn("ada@acme.example")
	shown := b.compared(`{"pools": {"a": {}, "b": {}, "c": {}, "d": {}}}`).has("4 added")
	faults.After("TransactWriteItems", 2, 1000, dynamotest.Throttled)
	cut := b.post(applyPath, shown.form())
	faults.Stop()
	if cut.has("The change ended on the way, after 2 of 4 steps.", "2 added"); cut.status != http.StatusServiceUnavailable {
		t.Errorf("a change that ended on the way is %d", cut.status)
	}
	b.post(applyPath, cut.form()).has("Done.")
	if c := b.exported(); len(c.Pools) != 4 {
		t.Errorf("pools are %v", c.Pools)
	}
}

func TestImport_roles(t *testing.T) {
	t.Parallel()
	w := open(t)
	for role, status := range map[access.Role][2]int{access.Manager: {200, 200}, access.Read: {200, 403}, access.Support: {403, 403}, access.Stock: {403, 403}} {
		w.person("acme", string(role), "Bob", string(role)+"@acme.example", role)
		b := w.signIn(string(role) + "@acme.example")
		p := b.send("GET", importPath, nil)
		if p.status != status[0] || b.send("GET", exportPath, nil).status != status[0] {
			t.Errorf("%s sees it: %d", role, p.status)
		}
		if role == access.Read {
			p.has("Download catalog.json").hasNot("<textarea")
		}
		for _, path := range []string{importPath, applyPath} {
			if p := b.send("POST", path, url.Values{"document": {`{"pools": {"mine": {}}}`}}); p.status != status[1] && (path != applyPath || status[1] != 200) {
				t.Errorf("%s sends %s: %d", role, path, p.status)
			}
		}
	}
}

// What is imported and exported is the own merchant's, whatever a form says.
func TestImport_foreign(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newPool("acme", "elden")
	w.merchant("mallory", "Mallory")
	w.person("mallory", "eve", "Eve", "eve@mallory.example", access.Owner)
	b := w.signIn("eve@mallory.example")
	if c := b.exported(); len(c.Pools) > 0 || c.Shop.Title != "Mallory" {
		t.Errorf("mallory exports %+v", c)
	}
	sent := b.compared(`{"pools": {"mine": {}}}`).has("1 added").form()
	sent.Set("merchant", "acme")
	b.post(applyPath, sent).has("Done.")
	if _, there, _ := w.store.Pool(t.Context(), "acme", "elden"); !there {
		t.Error("acme's pool was removed")
	}
}

func TestImport_roundTrips(t *testing.T) {
	t.Parallel()
	var calls dynamotest.Trips
	w := open(t, calls.Option)
	for _, name := range []string{"elden", "nova", "gift"} {
		w.newPool("acme", name)
	}
	b := w.signIn("ada@acme.example")
	for _, path := range []string{importPath, exportPath} {
		b.wantTrips(&calls, path)
		b.wantSmall(path)
	}
}
