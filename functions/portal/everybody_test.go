package main

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"keypool/shared/access"
)

var (
	titleOf   = regexp.MustCompile(`<title>([^<]*) – Keypool</title>`)
	headerOf  = regexp.MustCompile(`(?s)<header.*</header>`)
	orderLink = regexp.MustCompile(`href="(/portal/orders/[^"/]+/[^"]+)"`)
)

// What WCAG 2.2 asks of pages together, which no checker of one page sees: titles that say which
// page it is (2.4.2), but for texts and platforms, whose pages follow one another, and ways to go
// and to find that stand at the same place on each (3.2.3). An order's page offers nothing twice.
func TestPages_areOfOneKind(t *testing.T) {
	t.Parallel()
	for name, world := range worlds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			screens, header := map[string]string{}, ""
			for _, p := range world(t).signIn("ada@acme.example").crawl() {
				if !strings.Contains(p.body, "</main>") {
					continue
				}
				path, _, _ := strings.Cut(p.at, "?")
				screen := screenOf("GET", path)
				title := titleOf.FindStringSubmatch(p.body)
				if title == nil || strings.Count(p.body, "<h1") != 1 {
					t.Errorf("%s has not one title and one heading", p.at)
					continue
				}
				if other, is := screens[title[1]]; is && other != screen && !strings.Contains(screen, "/texts/") && !strings.Contains(screen, "/platforms/") {
					t.Errorf("%s is called %q, as %s is", screen, title[1], other)
				}
				screens[title[1]] = screen
				if got := strings.ReplaceAll(headerOf.FindString(p.body), ` aria-current="page"`, ""); header == "" {
					header = got
				} else if got != header {
					t.Errorf("%s has another header:\n%s\nnot\n%s", p.at, got, header)
				}
				if screen == "GET /portal/orders/{order}" {
					offered := map[string]bool{}
					for _, m := range orderLink.FindAllStringSubmatch(p.body, -1) {
						if offered[m[1]] {
							t.Errorf("%s offers %s twice", p.at, m[1])
						}
						offered[m[1]] = true
					}
				}
			}
		})
	}
}

// Nobody types again what is known (3.3.7), and a code is filled in by the browser, or pasted as
// the mail has it (3.3.8).
func TestSignIn_asksForNothingTwice(t *testing.T) {
	t.Parallel()
	w := open(t)
	stranger := w.browser()
	if p := stranger.get("/portal/sign-in"); !strings.Contains(p.body, `autocomplete="email"`) {
		t.Error("the browser does not know the address's field")
	}
	p := stranger.post("/portal/sign-in/ask", url.Values{"email": {"ada@acme.example"}}).has("Check your mail")
	if !strings.Contains(p.body, `autocomplete="one-time-code"`) {
		t.Error("the browser does not know the code's field")
	}
	if strings.Contains(p.body, `type="email"`) {
		t.Error("the address is asked for again")
	}
	b := w.signIn("ada@acme.example")
	w.later(access.FreshFor + time.Minute)
	if p := b.get(againPath).has("Is it you?"); strings.Contains(p.body, `type="email"`) {
		t.Error("who is signed in is asked for the address again")
	}
}
