package main

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keypool/infra/proof/dynamotest"
	"keypool/infra/proof/figures"
	"keypool/shared/catalog"
	"keypool/shared/mail/frame"
	"keypool/shared/markup"
	"keypool/shared/order"
	"keypool/shared/orderpage"
)

// Every answer has the headers that keep it private, and a policy that lets nothing run or
// load but what stands in the page, by its hash, and the merchant's logo.
func TestHeaders(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.merchant(catalog.Merchant{Name: "nova", Title: "Nova Games", Logo: "https://cdn.nova.example/logo.png?x='*'", Color: "#8a1c5b"})
	at := w.link(w.sold("A-1", "elden", 2, 2))
	for _, a := range []answer{w.get(at), w.post(at+"/keys", nil), w.post(at+"/keys", map[string][]string{"as": {"text"}}), w.post(at+"/send", nil), w.get("/o/wrong"), w.get("/o"), w.send("PUT", at, nil)} {
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex", "X-Content-Type-Options": "nosniff",
			"Strict-Transport-Security": "max-age=31536000", "Cross-Origin-Opener-Policy": "same-origin",
		} {
			if a.headers[name] != want {
				t.Errorf("%s: %s is %q", a.at, name, a.headers[name])
			}
		}
		policy := a.headers["Content-Security-Policy"]
		if !strings.HasPrefix(policy, "default-src 'none'; ") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: its policy is %s", a.at, policy)
		}
		if a.headers["Content-Encoding"] != "" {
			t.Errorf("%s is compressed", a.at)
		}
		for _, kind := range []string{"style", "script"} {
			for _, part := range regexp.MustCompile(`(?s)<`+kind+`>(.*?)</`+kind+`>`).FindAllStringSubmatch(a.body, -1) {
				sum := sha256.Sum256([]byte(part[1]))
				if !strings.Contains(policy, kind+"-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
					t.Errorf("%s: its policy forbids its %s: %s", a.at, kind, policy)
				}
			}
		}
		if strings.Contains(a.body, " style=") || regexp.MustCompile(`<[^>]* on[a-z]+=`).MatchString(a.body) {
			t.Errorf("%s has style or script in attributes", a.at)
		}
	}
	page := w.get(at)
	if !strings.HasSuffix(page.headers["Content-Security-Policy"], "; img-src https://cdn.nova.example") || !strings.Contains(page.body, `src="https://cdn.nova.example/logo.png?x=%27*%27"`) {
		t.Errorf("the logo: %s\n%s", page.headers["Content-Security-Policy"], page.body)
	}
	if !strings.Contains(page.body, "background: #8a1c5b") {
		t.Error("the button has not the merchant's color")
	}
}

// Another site cannot show the keys, nor have the mail sent.
func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	w := open(t)
	f := w.sold("A-1", "elden", 1, 1)
	for _, path := range []string{"/keys", "/send"} {
		w.send("POST", w.link(f)+path, nil, func(e *events.APIGatewayV2HTTPRequest) { e.Headers["sec-fetch-site"] = "cross-site" }).want(403).hasNot("KEY-")
	}
	if got := w.line(f.ID); !got.ShownAt.IsZero() {
		t.Error("its keys were shown")
	}
}

// A form that is none of the page's shows no keys.
func TestForms_thatCannotBeRead(t *testing.T) {
	t.Parallel()
	w := open(t)
	f := w.sold("A-1", "elden", 1, 1)
	for _, path := range []string{w.link(f) + "/keys", "/o/lost/acme"} {
		w.send("POST", path, nil, func(e *events.APIGatewayV2HTTPRequest) {
			e.Headers["content-type"], e.Body = "application/json", `{"as":"text"}`
		}).want(400).hasNot("KEY-")
		w.post(path, url.Values{"order": {strings.Repeat("x", maxForm)}}).want(400).hasNot("KEY-")
	}
	if got := w.line(f.ID); !got.ShownAt.IsZero() {
		t.Error("its keys were shown")
	}
}

// The color of the button is the merchant's in each scheme where the button can be seen on it.
func TestBrand(t *testing.T) {
	t.Parallel()
	for color, want := range map[string][2]bool{
		"": {}, "#8a1c5b": {true, false}, "#0b57c2": {true, false}, "#000000": {true, false}, "#ffff00": {}, "#d6336c": {true, true},
	} {
		rules := brand(color)
		if got := [2]bool{strings.Contains(rules, "light"), strings.Contains(rules, "dark")}; got != want {
			t.Errorf("%s: %v, want %v", color, got, want)
		}
	}
}

// The browser's language comes first, then the order's, then the merchant's.
func TestLanguage(t *testing.T) {
	t.Parallel()
	for wants, c := range map[string]struct{ order, merchant, want string }{
		"de-AT,de;q=0.9,en;q=0.5": {"fr", "es", "de"},
		"en;q=0.5, pl ; q=0.85":   {"fr", "es", "pl"},
		"ko, *;q=0.5":             {"fr", "es", "fr"},
		"":                        {"ko", "es", "es"},
		"de;q=0":                  {"", "", "en"},
		",;q=,;;,":                {"", "ko", "en"},
		"ar":                      {"", "", "ar"},
	} {
		w := open(t)
		w.merchant(catalog.Merchant{Name: "nova", Title: "Nova Games", Languages: []string{c.merchant}})
		w.speaks = wants
		at := w.link(w.sold("A-2", "elden", 1, 1, func(f *order.Fulfillment) { f.Language = c.order }))
		page := w.get(at).want(200).has(frame.In(c.want).Page.Show)
		if rtl := strings.Contains(page.body, `<html lang="ar" dir="rtl">`); rtl != (c.want == "ar") || !strings.Contains(page.body, `<html lang="`+c.want+`"`) {
			t.Errorf("%q is answered %s", wants, page.body[:80])
		}
	}
}

// A page takes two round trips, and three the first time in an hour, which is noted.
func TestFigures(t *testing.T) {
	t.Parallel()
	var calls dynamotest.Trips
	w := open(t, calls.Option)
	f := w.sold("A-1", "elden", 2, 2)
	at := w.link(f)
	var measured []figures.Page
	for _, c := range []struct {
		name string
		most int
		do   func() answer
	}{
		{"the first look", 3, func() answer { return w.get(at) }},
		{"a look", 2, func() answer { w.now = w.now.Add(catalog.CacheFor); return w.get(at) }},
		{"a look of a warm function", 1, func() answer { return w.get(at) }},
		{"the keys, which is written", 3, func() answer { w.now = w.now.Add(catalog.CacheFor); return w.post(at+"/keys", nil) }},
		{"the keys again", 2, func() answer { w.now = w.now.Add(catalog.CacheFor); return w.post(at+"/keys", nil) }},
		{"a wrong link", 1, func() answer { return w.get("/o/wrong") }},
	} {
		calls.Reset(300 * time.Millisecond)
		page, got := figures.Page{Name: c.name}, c.do()
		page.Trips, page.Bytes, page.Zipped = calls.RoundTrips(), len(got.body), figures.Zipped(got.body)
		if page.Trips > c.most || page.Bytes > 20<<10 {
			t.Errorf("%s takes %d round trips, want %d, and has %d bytes", c.name, page.Trips, c.most, page.Bytes)
		}
		measured = append(measured, page)
	}
	figures.Keep(t, "order-page", measured)
}

// A customer who waits sees the place in the queue where the merchant wants it.
func TestQueuePlace(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.sold("A-1", "elden", 1, 0)
	f := w.sold("A-2", "elden", 1, 0)
	w.get(w.link(f)).want(200).has("Your order is safe.").hasNot("queue")
	w.pages(catalog.OrderPages{Default: catalog.OrderPageOff, QueuePlace: true})
	w.get(w.link(f)).want(200).has("Your place in the queue: 2")
}

// A key that is a link is one, and what is none, is not.
func TestKey_link(t *testing.T) {
	t.Parallel()
	for key, is := range map[string]bool{"https://play.example/redeem?k=1": true, "javascript:alert(1)": false, "ABCD-1": false, "http://plain.example/": false, "https://user@evil.example/": false} {
		var w markup.Writer
		page{}.key(&w, key)
		if got := strings.Contains(w.String(), "<a "); got != is {
			t.Errorf("%s is written %s", key, w.String())
		}
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{"mara@example.com": "m•••@example.com", "ö@example.com": "ö•••@example.com"} {
		if got := orderpage.Mask(address); got != want {
			t.Errorf("%s is shown as %s", address, got)
		}
	}
}
