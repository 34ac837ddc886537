package main

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/pool"
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
var linkOf = regexp.MustCompile(`(?s)(<a|<form|<iframe|<button)[^>]*?\s(href|action|formaction)="([^"]*)"`)

// Every link and every form of every page that somebody finds by them, from Home on, leads
// somewhere: what a page offers is there.
func TestPages_everythingOfferedIsThere(t *testing.T) {
	t.Parallel()
	known := &web.Router{}
	for _, s := range (&portal{}).screens() {
		known.HandleFunc(s.pattern, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	}
	takes := func(method, path string) bool {
		w := httptest.NewRecorder()
		known.ServeHTTP(w, httptest.NewRequest(method, "https://keypool.example"+path, nil))
		return w.Code == http.StatusOK
	}
	for name, world := range map[string]func(*testing.T) *world{
		"empty": func(t *testing.T) *world { return open(t) },
		"busy":  func(t *testing.T) *world { w, _, _ := busy(t); return w },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := world(t).signIn("ada@acme.example")
			seen, left := map[string]bool{}, []string{"/portal"}
			for len(left) > 0 {
				at := left[0]
				left = left[1:]
				p := b.send("GET", at, nil)
				if p.status == http.StatusSeeOther && strings.HasPrefix(p.headers["Location"], "/") { // else it is a file in a bucket
					p = b.follow(p)
				}
				// The last owner cannot be removed, and a page says so.
				if p.status != http.StatusOK && p.status != http.StatusSeeOther && p.status != http.StatusConflict {
					t.Errorf("%s is %d", at, p.status)
				}
				for _, found := range linkOf.FindAllStringSubmatch(p.body, -1) {
					to, _, _ := strings.Cut(unescape(found[3]), "#")
					if to == "" || !strings.HasPrefix(to, "/portal") || strings.HasPrefix(to, assetsPath) {
						continue
					}
					path, _, _ := strings.Cut(to, "?")
					if found[2] != "href" {
						if !takes("POST", path) && !takes("GET", path) {
							t.Errorf("a form of %s sends to %s, which is not there", at, to)
						}
						continue
					}
					if !seen[path] {
						seen[path] = true
						left = append(left, to)
					}
				}
			}
			if len(seen) < 20 {
				t.Errorf("only %d addresses were found", len(seen))
			}
		})
	}
}
