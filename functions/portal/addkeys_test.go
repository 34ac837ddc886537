package main

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"keypool/shared/access"
	"keypool/shared/settings"
	"keypool/shared/upload"
)

// A browser without script sends the file by the page's own form, and the bucket sends it back.
func TestAddKeys_bareForm(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newPool("acme", "elden")
	b := w.signIn("ada@acme.example")
	page := b.get("/portal/pools/elden/add?side=test").has("From a file", "Or paste them")
	for _, want := range []string{`action="https://uploads.example/"`, `name="success_action_redirect" value="https://keypool.example/portal/arrived"`} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the form lacks %s", want)
		}
	}
	csp := page.headers["Content-Security-Policy"]
	for _, want := range []string{"connect-src 'self' https://uploads.example;", "form-action 'self' https://uploads.example;"} {
		if !strings.Contains(csp, want) {
			t.Errorf("the policy lacks %q: %s", want, csp)
		}
	}
	if other := b.get("/portal/pools/elden").headers["Content-Security-Policy"]; strings.Contains(other, "uploads.example") {
		t.Errorf("another page may send to the bucket: %s", other)
	}
	key := unescape(regexp.MustCompile(`name="key" value="([^"]+)"`).FindStringSubmatch(page.body)[1])
	place, ok := upload.Locate(strings.Replace(key, upload.AnyFile, "mine.txt", 1))
	if !ok || place.Merchant != "acme" || place.Pool != "elden" || place.Side != "test" || place.Ticket == "" {
		t.Fatalf("the form sends to %s", key)
	}
	sent := strings.Replace(key, upload.AnyFile, "mine.txt", 1)
	if p := b.get("/portal/arrived?key=" + url.QueryEscape(sent)); p.status != 404 {
		t.Errorf("a file that did not arrive is answered %d", p.status)
	}
	w.files.files = map[string]string{sent: "A-1"}
	b.get("/portal/arrived?bucket=uploads&etag=x&key=" + url.QueryEscape(sent)).has("Your keys have arrived")
	if p := b.send("GET", "/portal/arrived?keys=3&repeats=1&refused=0&key="+url.QueryEscape(sent), nil); !strings.HasSuffix(p.headers["Location"], "?keys=3&refused=0&repeats=1") {
		t.Errorf("what the browser counted is lost: %s", p.headers["Location"])
	}
	// What is another merchant's is as what is not there.
	w.merchant("bravo", "Bravo")
	w.person("bravo", "bob", "Bob", "bob@bravo.example", access.Owner)
	if p := w.signIn("bob@bravo.example").get("/portal/arrived?key=" + url.QueryEscape(sent)); p.status != 404 {
		t.Errorf("another merchant's file is answered %d", p.status)
	}
}

// The page's script has a form signed for one file of one name and size.
func TestAddKeys_signedForOneFile(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newPool("acme", "elden")
	b := w.signIn("ada@acme.example")
	var got settings.SignedForm
	answer := b.get("/portal/pools/elden/form?side=live&name=mine.txt&size=42")
	if err := json.Unmarshal([]byte(answer.body), &got); err != nil {
		t.Fatal(err, answer.body)
	}
	if !strings.HasSuffix(got.Fields["key"], "/mine.txt") || got.Fields["policy"] != "42-42 for 15m0s" || got.Fields["success_action_status"] != "201" {
		t.Errorf("%+v", got)
	}
	for _, bad := range []string{"name=test&size=42", "name=a/b.txt&size=42", "size=42", "name=mine.txt&size=0", "name=mine.txt&size=99999999999", "name=.DS_Store&size=1"} {
		if p := b.get("/portal/pools/elden/form?side=live&" + bad); strings.Contains(p.body, "Address") || p.status != 200 {
			t.Errorf("%s is answered %d %s", bad, p.status, p.body)
		}
	}
	if p := b.get("/portal/pools/nova/form?side=live&name=mine.txt&size=42"); p.status != 404 {
		t.Errorf("a pool that is not there is answered %d", p.status)
	}
	w.person("acme", "rita", "Rita", "rita@acme.example", access.Read)
	if p := w.signIn("rita@acme.example").get("/portal/pools/elden/form?side=live&name=mine.txt&size=42"); p.status != 403 {
		t.Errorf("who may not add keys gets a form: %d", p.status)
	}
}

// Keys are added to an empty pool for which orders wait: the report says how these are served.
func TestAddKeys_fillsOrders(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.sell("acme", "1001", 1)
	s.sell("acme", "1002", 2)
	b := s.signIn("ada@acme.example")
	b.get("/portal/pools/elden").has("2 orders wait")
	report := b.post("/portal/pools/elden/paste", url.Values{"once": {"one"}, "text": {"ELDN-1\nELDN-2\nELDN-1\n"}}).has("Your keys have arrived").refreshes(true)
	asked := s.ingest()
	b.get(report.at).has("2 keys added, 1 line left out.", "2 orders that waited are being served").refreshes(true).hasNot("ELDN")
	s.fill(asked)
	served := b.get(report.at)
	served.has("1 order that waited is being served").refreshes(true)
	s.later(servedWithin)
	b.get(report.at).has("1 order still waits", "add more keys.").refreshes(false)
	b.post("/portal/pools/elden/paste", url.Values{"once": {"two"}, "text": {"ELDN-3\n"}})
	s.fill(s.ingest())
	b.get(report.at).has("Every order that waited for them has its keys.").refreshes(false)
	for _, number := range []string{"1001", "1002"} {
		b.post("/portal/find", url.Values{"find": {number}}).has("pasted.txt")
	}
}
