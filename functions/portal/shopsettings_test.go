package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/notice"
	"keypool/shared/outbox"
)

// shopFields are those of the form as the page shows it.
func (w *world) shopFields() url.Values {
	w.Helper()
	m := w.acme()
	values := shopForm(m).Values
	values.Set("version", numeral(m.Version))
	values["frame"] = []string{"en"}
	return values
}

func (w *world) acme() catalog.Merchant {
	w.Helper()
	m, _, err := w.store.Merchant(w.Context(), "acme")
	if err != nil {
		w.Fatal(err)
	}
	return m
}

func TestShopSettings(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newPool("acme", "elden")
	before := w.acme()
	b := w.signIn("ada@acme.example")
	b.get(settingsPath).has("Your shop", "500 files", "2,048 MiB", "100,000 calls", "500 notices")
	sent := w.shopFields()
	for name, value := range map[string]string{
		"title": "Acme", "languages": "en, de", "time_zone": "Europe/Berlin", "reply_to": "help@acme.example", "sender_name": "Acme Keys", "logo": "https://acme.example/logo.png",
		"color": "#0b57c2", "default_pool": "elden", "returned_keys": "keep", "frames.en.signature": "Yours,\r\nAcme\r\n",
	} {
		sent.Set(name, value)
	}
	b.post(shopPath, sent).has("Saved. All of Keypool knows it", "Around each text, in de").hasNot("Both addresses")
	got := w.acme()
	want := before
	want.Version, want.Title, want.Languages, want.TimeZone, want.ReplyTo, want.SenderName, want.Logo = 2, "Acme", []string{"en", "de"}, "Europe/Berlin", "help@acme.example", "Acme Keys", "https://acme.example/logo.png"
	want.Color, want.DefaultPool, want.ReturnedKeys, want.Frames = "#0b57c2", "elden", "keep", map[string]catalog.Frame{"en": {Signature: "Yours,\nAcme"}}
	if !same(want, got) {
		t.Errorf("stored is %+v, want %+v", got, want)
	}
	// The shown form, sent as it is, changes nothing.
	b.post(shopPath, w.shopFields()).has("Saved.")
	if got := w.acme(); got.Version != 2 {
		t.Errorf("the same again is version %d", got.Version)
	}
	// Mistakes stand at their places, and nothing is stored.
	for field, wrong := range map[string][2]string{
		"title": {"", "It is needed"}, "languages": {"en, klingonisch", "is not a language"}, "time_zone": {"Mars", "Not a time zone"}, "notice_address": {"nobody", "Not a mail address"},
		"logo": {"http://acme.example", "Not a link"}, "color": {"#ffffff", "hard to read"}, "default_pool": {"nowhere", "no pool of that name"}, "frames.en.greeting": {"Dear {KEY}", "cannot stand here"},
	} {
		sent := w.shopFields()
		sent.Set(field, wrong[0])
		p := b.post(shopPath, sent)
		if p.has("Nothing was changed.", wrong[1]); p.status != http.StatusUnprocessableEntity || !strings.Contains(p.body, `href="#field-`+field) {
			t.Errorf("a mistake in %s is %d, and has no link to the field", field, p.status)
		}
	}
	if got := w.acme(); got.Version != 2 {
		t.Errorf("a form with a mistake is stored as version %d", got.Version)
	}
}

func same(a, b catalog.Merchant) bool {
	return string(a.Salt) == string(b.Salt) && string(a.LinkKey) == string(b.LinkKey) && len(a.Shown().Differences(b.Shown())) == 0 && a.Version == b.Version
}

// Another notice address is told to both, what customers read to the new one; the trail says who.
func TestShopSettings_noticeAddress(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	sent := w.shopFields()
	sent.Set("notice_address", "desk@acme.example")
	sent.Set("reply_to", "thief@elsewhere.example")
	b.post(shopPath, sent).has("Both addresses, the new one and the former one, are told")
	told := map[string]string{}
	for _, id := range []string{"acme#changed-address#1#former", "acme#changed-address#1#new", notice.Gather("acme", notice.ChangedText, notice.Facts{}, w.now()).ID} {
		n, ok, err := w.store.Notice(t.Context(), id)
		if err != nil || !ok || n.Mail.State != outbox.Due && n.Mail.State != outbox.None {
			t.Errorf("%s: %v %v", id, ok, err)
		}
		told[id] = n.To
	}
	if told["acme#changed-address#1#former"] != "stock@acme.example" || told["acme#changed-address#1#new"] != "desk@acme.example" {
		t.Errorf("told are %v", told)
	}
	b.get(auditPath).has("Merchant: changed", "Ada Byron", "notice address stock@acme.example desk@acme.example", "reply to – thief@elsewhere.example")
}

// A change meanwhile shows both, and loses neither.
func TestShopSettings_changedMeanwhile(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	sent := w.shopFields()
	other := w.shopFields()
	other.Set("title", "Theirs")
	b.post(shopPath, other).has("Saved.")
	sent.Set("title", "Mine")
	p := b.post(shopPath, sent)
	if p.status != http.StatusConflict || !strings.Contains(p.body, `value="Mine"`) {
		t.Errorf("a change of what has changed is %d", p.status)
	}
	p.has("Not saved: somebody else has changed this meanwhile", "Somebody else has saved here: Theirs")
	sent.Set("version", p.hidden("version"))
	b.post(shopPath, sent).has("Saved.")
	if got := w.acme(); got.Title != "Mine" || got.Version != 3 {
		t.Errorf("stored is %s of version %d", got.Title, got.Version)
	}
}

func TestShopSettings_roles(t *testing.T) {
	t.Parallel()
	w := open(t)
	for role, status := range map[access.Role][2]int{access.Manager: {200, 303}, access.Read: {200, 403}, access.Support: {403, 403}, access.Stock: {403, 403}} {
		w.person("acme", string(role), "Bob", string(role)+"@acme.example", role)
		b := w.signIn(string(role) + "@acme.example")
		p := b.send("GET", shopPath, nil)
		if p.status != status[0] {
			t.Errorf("%s sees it: %d", role, p.status)
		}
		if role == access.Read {
			p.has("Your shop").hasNot(`<button class="main">Save`)
		}
		if p := b.send("POST", shopPath, w.shopFields()); p.status != status[1] {
			t.Errorf("%s sets it: %d", role, p.status)
		}
	}
}

// Who is of another merchant changes that one, whatever the form says.
func TestShopSettings_anotherMerchants(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.merchant("mallory", "Mallory")
	w.person("mallory", "eve", "Eve", "eve@mallory.example", access.Owner)
	sent := w.shopFields()
	sent.Set("name", "acme")
	sent.Set("merchant", "acme")
	sent.Set("title", "Taken")
	w.signIn("eve@mallory.example").post(shopPath, sent).has("Saved.")
	if got := w.acme(); got.Title != "Acme Games" {
		t.Errorf("acme is called %s", got.Title)
	}
}
