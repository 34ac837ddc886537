package main

import (
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/settings"
)

// hostile is a text that would be markup or script wherever it stood as it is.
const hostile = `zq"'><img src=x onerror=zq()></title></textarea></script><script>zq()</script>{{.}}${zq}`

// escapes fails the test if a page holds the hostile text otherwise than as a text.
func (p page) escapes() {
	p.Helper()
	if strings.HasPrefix(p.headers["Content-Type"], "application/json") {
		return // which no browser shows as a page: see nosniff
	}
	for _, raw := range []string{`zq"`, `zq'`, "<img src=x", "<script>zq", "</title></textarea>", `href="javascript:`, "zq\r\n", "ZgotmplZ"} {
		if at := strings.Index(p.body, raw); at >= 0 {
			p.Errorf("%s (%d) holds %s as it is: %s", p.at, p.status, raw, p.body[max(0, at-200):min(len(p.body), at+100)])
		}
	}
	for name, value := range p.headers {
		if strings.ContainsAny(value, "\r\n") || strings.Contains(value, `zq"`) {
			p.Errorf("%s: the header %s is %q", p.at, name, value)
		}
	}
}

// Whatever a shop, its customers and its platforms call things, every page shows it as a text:
// what is stored, and what was typed into a form and comes back.
func TestPages_textIsText(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	m, _, err := s.store.Merchant(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	m.Title, m.Languages, m.Logo, m.Color = hostile, []string{"en"}, "javascript:zq()", hostile
	f := order.Fulfillment{
		Version: 1, Merchant: "acme", Side: pool.Live, Account: "shop-eu", Origin: "the shop of acme", Order: hostile, Line: hostile, Product: hostile, Title: hostile,
		Quantity: 1, ReceivedAt: noon.Add(-time.Hour), PaidAt: noon.Add(-time.Hour), OrderLines: 1, Currency: "EUR", UnitPrice: "1",
		Customer: order.Customer{Name: hostile, Email: "zq\"'><img src=x>@example.com", Country: "FR", Company: hostile},
	}
	f.ID = f.Identity().ID()
	for _, err := range []error{
		s.store.PutMerchant(t.Context(), m),
		s.store.Commit(t.Context(), order.Change{After: f}),
		s.store.PutProduct(t.Context(), catalog.Product{
			Merchant: "acme", ID: hostile, Title: hostile, Pool: "elden", Instructions: "javascript:zq()", Download: "javascript:zq()", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1},
			Texts: map[string]catalog.Text{"en": {Subject: hostile, Body: hostile + " {KEY}"}},
		}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s.furnish("acme", hostile)
	s.stock("acme", hostile)
	people := &settings.People{Store: s.store, Now: s.now}
	if _, err := people.Invite(t.Context(), access.Person{Merchant: "acme", Name: hostile, Address: "zq@acme.example", Role: access.Read}, access.Principal{Merchant: "acme", Name: hostile}); err != nil {
		t.Fatal(err)
	}
	line := s.sell("acme", "zq-2", 1, func(f *order.Fulfillment) { f.Customer.Name, f.Title = hostile, hostile })
	s.later(time.Hour) // what the portal knows of the merchant is read anew

	b := s.as(access.Owner)
	pages := b.crawl()
	shown := 0
	for _, p := range pages {
		p.escapes()
		if strings.Contains(p.words(), hostile[:20]) {
			shown++
		}
	}
	b.post(pathOf(line)+"/keys", url.Values{}).has("zq\"'><img src=x onerror=zq()>").escapes()
	for _, f := range formsOf(pages) {
		if f.to == "/portal/sign-out" || strings.HasPrefix(f.to, mePath) {
			continue
		}
		sent := maps.Clone(f.values)
		for name := range sent {
			if name != "once" && name != "version" && name != "seen" {
				sent.Set(name, hostile)
			}
		}
		s.as(access.Owner).post(f.to, sent).escapes()
	}
	for _, path := range []string{"/portal/orders?product=", "/portal/orders?after=", "/portal/products/new?id=", "/portal?done=", "/portal/sign-in/again?to=", "/portal/preview?product=", "/portal/uploads?after=", "/portal/settings/audit?after="} {
		b.get(path + url.QueryEscape(hostile)).escapes()
		b.get(path + url.QueryEscape("\r\nSet-Cookie: zq=1\r\n")).escapes()
	}
	for _, path := range []string{"/portal/", "/portal/products/", "/portal/pools/", "/portal/orders/", "/portal/sign-in/", "/portal/settings/people/", "/portal/assets/", "/portal/platforms/_add/", "/portal/texts/"} {
		b.get(path + url.PathEscape(hostile)).escapes()
		b.get(path + "%0d%0aSet-Cookie:zq=1").escapes()
		s.browser().get(path + "%0d%0aSet-Cookie:zq=1").escapes()
	}
	if len(pages) < 30 || shown < 10 {
		t.Errorf("only %d pages were seen, and %d hold such texts", len(pages), shown)
	}
}

// Paths that are not those of a page are none, whoever asks: nothing is decoded twice, and nothing
// leads elsewhere.
func TestPaths_tricks(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	for _, path := range []string{
		"//portal", "/portal//", "/portal/", "/portal/.", "/portal/..", "/portal/../portal/me", "/portal/./me", "/portal/%2e%2e/me", "/portal/%252e%252e/me", "/portal/me/", "/portal/me%2f", "/portal/me%00",
		"/PORTAL", "/portal/ME", "/portal\\me", "/portal/;me", "/portal/me;x", "/portal/м\u0435", "/portal/%6de%20", "/portal//evil.example", "/portal/sign-in/", "/portal/sign-in/help/", "/portal/sign-in//help/x", "//evil.example/portal", "/\\evil.example",
		"/portal/orders/..%2f..%2fo", "/portal/assets/../pages/me.html", "/portal/assets/..%2fpages%2fme.html", "/portal/assets/portal.css", "/portal/uploads/../../o", "*", "", "portal",
	} {
		for _, who := range []*browser{b, w.browser()} {
			p := who.send("GET", path, nil)
			location := p.headers["Location"]
			strangers := who != b && location == signInPath
			if p.status != 404 && !strangers && !(p.status == 403 && strings.HasPrefix(path, "/portal/sign-in/")) {
				t.Errorf("%q: %d, %s, to %q", path, p.status, p.words(), location)
			}
			back, err := url.QueryUnescape(who.cookies[backCookie])
			if u, parsed := url.Parse(back); err != nil || parsed != nil || u.Host != "" || back != "" && !strings.HasPrefix(back, "/portal/") {
				t.Errorf("%q leads back to %q", path, back)
			}
			p.escapes()
		}
	}
}

// Each method that no screen has is refused, with the headers of every answer, and does nothing.
func TestMethods(t *testing.T) {
	t.Parallel()
	s, acme, _ := twoShops(t)
	b := s.as(access.Owner)
	before := s.stored()
	for _, screen := range s.portal.screens() {
		method, path, _ := acme.fill(t, screen.pattern)
		for _, other := range []string{"HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "post", "PROPFIND", ""} {
			if other == "HEAD" && method == "GET" {
				p := b.send("HEAD", path, nil)
				if p.body != "" || p.status >= 500 {
					t.Errorf("HEAD %s: %d, %d bytes", path, p.status, len(p.body))
				}
				continue
			}
			p := b.send(other, path, nil)
			if p.status != 405 && p.status != 404 && !(other == "HEAD" && p.status < 400) {
				t.Errorf("%s %s: %d", other, path, p.status)
			}
			if p.headers["Content-Security-Policy"] == "" || p.headers["Cache-Control"] != "no-store" || p.headers["Access-Control-Allow-Origin"] != "" {
				t.Errorf("%s %s: %v", other, path, p.headers)
			}
		}
	}
	s.wantStored("other methods", before, true)
}

// A host that a request calls itself stands in no answer, and is no reason to lead anywhere.
func TestHost(t *testing.T) {
	t.Parallel()
	w := open(t)
	for _, b := range []*browser{w.signIn("ada@acme.example"), w.browser()} {
		for _, path := range []string{"/", "/portal", "/portal/me", "/portal/sign-in", "/portal/nowhere", "/portal/platforms", "/portal/platforms/_add/standard"} {
			p := b.send("GET", path, nil, func(e *events.APIGatewayV2HTTPRequest) {
				e.Headers["host"], e.Headers["x-forwarded-host"], e.Headers["forwarded"] = "evil.example", "evil.example", "host=evil.example;proto=http"
				e.Headers["referer"] = "https://evil.example/portal/x"
			})
			if strings.Contains(p.body+p.headers["Location"]+strings.Join(p.cookies, ""), "evil.example") {
				t.Errorf("%s names the host: %v\n%s", path, p.headers, p.words())
			}
		}
	}
	before := len(w.sent)
	b := w.browser()
	b.send("POST", "/portal/sign-in/ask", url.Values{"email": {"ada@acme.example"}}, func(e *events.APIGatewayV2HTTPRequest) { e.Headers["host"] = "evil.example" })
	b.mailed()
	if len(w.sent) != before+1 || strings.Contains(w.sent[before].Text+w.sent[before].HTML, "evil.example") {
		t.Errorf("%d mails, or a link to another host", len(w.sent)-before)
	}
}
