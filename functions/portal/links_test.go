package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/settings"
	"keypool/shared/upload"
	"keypool/shared/web"
)

// busy is a shop in the middle of its day: a pool that runs low, orders that wait, a file that
// was read and one that is held, a product without a pool, and people.
func busy(t *testing.T) (w *world, read, held string) {
	w = open(t)
	w.newPool("acme", "elden")
	w.newPool("acme", "nova")
	w.keysIn(pool.ID{Merchant: "acme", Pool: "nova", Side: pool.Live}, "N-1", "N-2")
	for _, number := range []string{"1", "2", "3"} {
		w.line(number, func(f *order.Fulfillment) { f.Pool = "elden" })
	}
	w.line("4", func(f *order.Fulfillment) { f.Product, f.Wanted = "4712", 0 })
	w.product(catalog.Product{Merchant: "acme", ID: "4711", Title: "Elden: The Long Night", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}})
	w.person("acme", "grace", "Grace Hopper", "grace@acme.example", access.Support)
	read = w.read("acme", "elden", nil)
	held = w.read("acme", "elden", func(u *upload.Upload) {
		u.ID = strings.Replace(u.ID, "T11", "T10", 1)
		u.State, u.Cause, u.Kept, u.Counts, u.Lines, u.FinishedAt = upload.NeedsConfirmation, upload.Unclear, nil, nil, 0, time.Time{}
		u.Seen = upload.Seen{Asked: []upload.Finding{{Trait: upload.Heading, Lines: 1, First: 1}}}
	})
	return w, read, held
}

// linkOf finds the addresses that a page leads to, and those that its forms send to.
var linkOf = regexp.MustCompile(`(?s)(<a|<form|<iframe|<button)[^>]*?\s(href|action|formaction|src)="([^"]*)"`)

// way is where a link or a form of a page leads.
type way struct {
	to   string
	form bool
}

// links returns those that lead to pages of the portal.
func (p page) links() []way {
	var all []way
	for _, found := range linkOf.FindAllStringSubmatch(p.body, -1) {
		to, _, _ := strings.Cut(unescape(found[3]), "#")
		if strings.HasPrefix(to, "/portal") && !strings.HasPrefix(to, assetsPath) {
			all = append(all, way{to, found[2] == "action" || found[2] == "formaction"})
		}
	}
	return all
}

// crawl returns every page that somebody finds by links, from Home on, each address once. An
// answer that leads to another address is followed; at is the address that led to the page.
func (b *browser) crawl() (all []page) {
	b.Helper()
	seen, left := map[string]bool{homePath: true}, []string{homePath}
	for len(left) > 0 {
		p := b.send("GET", left[0], nil)
		left = left[1:]
		for _, l := range p.links() {
			path, _, _ := strings.Cut(l.to, "?")
			if !l.form && !seen[path] {
				seen[path] = true
				left = append(left, l.to)
			}
		}
		if to := p.headers["Location"]; strings.HasPrefix(to, "/") && !seen[to] { // else it is a file in a bucket
			seen[to] = true
			left = append(left, to)
		}
		all = append(all, p)
	}
	return all
}

// screenOf returns the pattern of the screen that takes a request, "" if none does.
func screenOf(method, path string) (pattern string) {
	known := &web.Router{Free: []string{"rest"}}
	for _, s := range (&portal{}).screens() {
		known.HandleFunc(s.pattern, func(http.ResponseWriter, *http.Request) { pattern = s.pattern })
	}
	known.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, "https://keypool.example"+path, nil))
	if pattern == "GET /portal/{rest}" { // which says that nothing is there
		return ""
	}
	return pattern
}

// Every link and every form of every page that somebody finds by them, from Home on, leads
// somewhere: what a page offers is there.
func TestPages_everythingOfferedIsThere(t *testing.T) {
	t.Parallel()
	for name, world := range worlds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := world(t).signIn("ada@acme.example").crawl()
			for _, p := range all {
				// The last owner cannot be removed, and a page says so.
				if p.status != http.StatusOK && p.status != http.StatusSeeOther && p.status != http.StatusConflict {
					t.Errorf("%s is %d", p.at, p.status)
				}
				for _, l := range p.links() {
					path, _, _ := strings.Cut(l.to, "?")
					if l.form && screenOf("POST", path) == "" && screenOf("GET", path) == "" {
						t.Errorf("a form of %s sends to %s, which is not there", p.at, l.to)
					}
				}
			}
			if len(all) < 20 {
				t.Errorf("only %d addresses were found", len(all))
			}
		})
	}
}

// Every screen is found by links, but for those that lead on, and those of the script. So a new
// one is looked at by TestBrowser_pages.
func TestPages_everyScreenIsFound(t *testing.T) {
	t.Parallel()
	found := map[string]bool{"GET /portal/{rest}": true, "GET " + againPath: true, "GET /portal/arrived": true, "GET /portal/pools/{pool}/form": true}
	for _, world := range worlds {
		for _, p := range world(t).signIn("ada@acme.example").crawl() {
			path, _, _ := strings.Cut(p.at, "?")
			found[screenOf("GET", path)] = true
		}
	}
	for _, s := range (&portal{}).screens() {
		if strings.HasPrefix(s.pattern, "GET ") && !found[s.pattern] {
			t.Errorf("no link leads to %s in any of the shops: sell, or set up, what does", s.pattern)
		}
	}
}

// worlds are shops to look at: a new one, one in the middle of its day, and one that has all set up.
var worlds = map[string]func(*testing.T) *world{
	"empty":   func(t *testing.T) *world { return open(t) },
	"busy":    func(t *testing.T) *world { w, _, _ := busy(t); return w },
	"selling": func(t *testing.T) *world { return selling(t).world },
}

const (
	longName = "Donaudampfschifffahrtsgesellschaftskapitän Elden: the Long Night, Complete, 2026" // of 80 letters
	million  = 1_234_567
)

// selling is a shop with orders in every state, names as long as they may be, and large numbers.
func selling(t *testing.T, options ...dynamotest.Option) *seller {
	s := openSeller(t, options...)
	s.languages("en", "de", "ar")
	s.merchantIs(func(m *catalog.Merchant) { m.Title = longName })
	s.product(catalog.Product{Merchant: "acme", ID: "4713", Title: longName, Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}})
	s.world.account("shop")
	s.heard("shop", noon.Add(-2*time.Minute), noon.Add(-time.Hour))
	if _, _, err := s.portal.tokens.Create(t.Context(), settings.NewToken{Merchant: "acme", Name: longName[:64], Scopes: []string{"upload", "orders:read"}, By: access.Operator()}); err != nil {
		t.Fatal(err)
	}
	s.stock("acme", several(8, "KEY-")...)
	long := func(f *order.Fulfillment) {
		f.Product, f.Title, f.Customer.Name = "4713", longName, "Maximiliane Wolfeschlegelsteinhausenbergerdorff-Hohenzollern"
		f.Customer.Email = "maximiliane.wolfeschlegelsteinhausenbergerdorff-hohenzollern@mail.example.com"
	}
	s.sell("acme", "2026-11-23/ORDER/0123456789abcdef0123456789abcdef0123456789abcdef", 2, long)
	bounced, delivered := s.sell("acme", "A-bounced", 2), s.sell("acme", "A-delivered", 1)
	for line, news := range map[*order.Fulfillment]order.EventKind{&bounced: order.MailBounced, &delivered: order.MailDelivered} {
		s.mail(*line)
		s.news(*line, news, "Permanent/General")
	}
	s.sell("acme", "A-held", 1, func(f *order.Fulfillment) { f.Hold(order.HoldPaidBefore) })
	s.sell("acme", "A-to-judge", 1, func(f *order.Fulfillment) { f.Hold(order.HoldReview) })
	s.sell("acme", "A-test", 1, func(f *order.Fulfillment) { f.Side = pool.Test })
	s.hasPages()
	s.newPool("acme", "nova")
	ada := s.signIn("ada@acme.example")
	ada.post("/portal/pools/elden/move", url.Values{"once": {"one"}, "to": {"nova"}, "count": {"1"}, "side": {"live"}})
	ada.post("/portal/platforms/_add/stripe", ada.get("/portal/platforms/_add/stripe").form())
	ada.post("/portal/platforms/stripe/connect", ada.get("/portal/platforms/stripe/connect").with("secret.live", "whsec_live0123456789abcdef", "credential.live_key", "rk_live_0123456789abcdef"))
	returned := s.sell("acme", "A-returned", 1)
	ada.post(pathOf(returned)+"/return", ada.get(pathOf(returned)+"/return").actForm())
	ada.post(mailSettingsPath, ada.get(mailSettingsPath).with("address", "keys@shop.example"))
	s.sell("acme", "A-waiting", 3)
	s.read("acme", "elden", func(u *upload.Upload) {
		u.File, u.Lines = strings.ReplaceAll(longName, " ", "-")+".txt", million
		u.Counts = upload.Counts{upload.Accepted: million - 7, upload.Sold: 3, upload.SameFile: 4}
	})
	return s
}

// merchantIs changes the settings of acme.
func (w *world) merchantIs(change func(*catalog.Merchant)) {
	w.Helper()
	m, _, err := w.store.Merchant(w.Context(), "acme")
	if err != nil {
		w.Fatal(err)
	}
	change(&m)
	if err := w.store.PutMerchant(w.Context(), m); err != nil {
		w.Fatal(err)
	}
	w.later(catalog.CacheFor)
}
