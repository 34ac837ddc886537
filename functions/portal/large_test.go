package main

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"keypool/shared/access"
	"keypool/shared/settings"
)

// largestAnswer is what a function can answer, in bytes.
const largestAnswer = 6 << 20

// Whatever is typed into a field of a form, however long, is answered calmly, by a page that a
// function can send.
func TestForms_largeFields(t *testing.T) {
	t.Parallel()
	s, _, _ := twoShops(t)
	b := s.as(access.Owner)
	tried := 0
	for _, f := range formsOf(b.crawl()) {
		if strings.HasPrefix(f.to, mePath) || f.to == "/portal/sign-out" {
			continue
		}
		for name := range f.values {
			sent := maps.Clone(f.values)
			sent.Set(name, strings.Repeat(`"`, 100_000))
			if name != "once" {
				sent.Set("once", fmt.Sprint("form ", tried))
			}
			tried++
			if p := b.send("POST", f.to, sent); p.status >= http.StatusInternalServerError || len(p.body) > largestAnswer {
				t.Errorf("%s, %s: %d, with %d bytes", f.to, name, p.status, len(p.body))
			}
		}
	}
	if tried < 100 {
		t.Errorf("only %d fields were tried", tried)
	}
	many := b.get(shopPath).form()
	for i := range 300 {
		many.Add("frame", fmt.Sprint(strings.Repeat("x", 1000), i))
	}
	for i := range 3000 {
		many.Add("frame", fmt.Sprint("x", i))
	}
	if p := b.send("POST", shopPath, many); p.status >= http.StatusInternalServerError || len(p.body) > largestAnswer/10 {
		t.Errorf("many languages: %d, with %d bytes", p.status, len(p.body))
	}
}

// A name in a query that is longer than anything can be called is that of nothing.
func TestScreens_longQueries(t *testing.T) {
	t.Parallel()
	s, acme, _ := twoShops(t)
	b := s.as(access.Owner)
	for _, path := range []string{"/portal/pools/" + acme["pool"] + "/move?side=live&to=", "/portal/preview?product=", "/portal/products/new?id=", "/portal/pools?after=", "/portal/orders?product=", "/portal/test-purchase?account="} {
		if p := b.send("GET", path+strings.Repeat("a", 5000), nil); p.status >= http.StatusInternalServerError {
			t.Errorf("%s…: %d", path, p.status)
		}
	}
}

// A reason has one line of so many characters, whatever it is for: what is longer does nothing.
func TestReasons(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.stock("acme", several(8, "KEY-")...)
	line := s.sell("acme", "A-1", 1)
	b := s.as(access.Owner)
	before := s.stored()
	for _, reason := range []string{strings.Repeat("é", settings.MaxReason+1), "two\nlines", "a\x00b", "\xff"} {
		for _, path := range []string{pathOf(line) + "/hold", pathOf(line) + "/return", blockPath, "/portal/orders/brake/release"} {
			p := b.send("POST", path, url.Values{"reason": {reason}, "keys": {"X"}, "sure": {"yes"}})
			if p.has("A reason has up to 200 characters"); p.status != http.StatusUnprocessableEntity {
				t.Errorf("%.10q to %s: %d", reason, path, p.status)
			}
		}
	}
	s.wantStored("reasons that are none", before, true)
	b.post(pathOf(line)+"/hold", url.Values{"reason": {strings.Repeat("é", settings.MaxReason)}}).has("Held:", strings.Repeat("é", settings.MaxReason))
}
