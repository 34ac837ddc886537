package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keypool/shared/access"
)

func TestSignIn_byTheLink(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.browser()
	b.get("/portal").has("Sign in", "Your mail address")
	b.post("/portal/sign-in/ask", url.Values{"email": {" Ada@ACME.example "}}).has("Check your mail")
	link, _ := b.mailed()
	b.get("/portal/sign-in/" + link).has("Press the button to sign in")
	if b.cookies[sessionCookie] != "" {
		t.Error("to open the link signs in")
	}
	b.post("/portal/sign-in/"+link, nil).has("Ada Byron", "Acme Games")
	b.get("/portal").has("Ada Byron")
	b.get("/portal/sign-in/" + link).has("This link does not sign in here")
	b.post("/portal/sign-out", nil).has("You are signed out")
	b.get("/portal").has("Your mail address")
}

func TestSignIn_byTheCode(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.browser()
	_, code := b.ask("ada@acme.example")
	b.post("/portal/sign-in/code", url.Values{"code": {wrong(code)}}).has("not the code of the last mail")
	b.post("/portal/sign-in/code", url.Values{"code": {" " + strings.ReplaceAll(code, " ", "-")}}).has("Ada Byron")
}

// A program that looks at mails opens the link, and presses the button behind it, in a browser
// of its own: nobody is signed in, and nothing is used up.
func TestSignIn_byAScanner(t *testing.T) {
	t.Parallel()
	w := open(t)
	b, scanner := w.browser(), w.browser()
	link, code := b.ask("ada@acme.example")
	for range 20 {
		scanner.get("/portal/sign-in/" + link).has("This link does not sign in here")
		scanner.post("/portal/sign-in/"+link, nil).has("This link does not sign in here")
		scanner.post("/portal/sign-in/code", url.Values{"code": {code}}).has("This sign-in is over")
	}
	// Nor with a request of its own.
	scanner.ask("eve@elsewhere.example")
	scanner.post("/portal/sign-in/"+link, nil).has("This link does not sign in here")
	scanner.post("/portal/sign-in/code", url.Values{"code": {code}}).has("not the code")
	if scanner.cookies[sessionCookie] != "" {
		t.Fatal("a scanner is signed in")
	}
	b.post("/portal/sign-in/"+link, nil).has("Ada Byron")
}

// What is answered tells nothing of whether somebody has an address, in content, in headers, and
// in the calls that it takes.
func TestSignIn_unknownAddressIsAnsweredAlike(t *testing.T) {
	t.Parallel()
	calls := &counter{}
	w := open(t, calls.option())
	var answers []page
	var made []int
	for _, address := range []string{"ada@acme.example", "bob@acme.example"} {
		b := w.browser()
		before := calls.n.Load()
		first := b.send("POST", "/portal/sign-in/ask", url.Values{"email": {address}})
		second := b.send("GET", first.headers["Location"], nil)
		made = append(made, int(calls.n.Load()-before))
		answers = append(answers, first, second)
		if len(b.cookies[signInCookie]) != len(access.NewName()) {
			t.Errorf("%s: the cookie is %q", address, b.cookies[signInCookie])
		}
	}
	for i := range 2 {
		known, unknown := answers[i], answers[i+2]
		if known.status != unknown.status || known.body != unknown.body || len(known.cookies) != len(unknown.cookies) || len(known.headers) != len(unknown.headers) {
			t.Errorf("the answers differ:\n%v\n%v", known, unknown)
		}
	}
	if made[0] != made[1] || made[0] == 0 {
		t.Errorf("%v calls", made)
	}
}

func TestSignIn_unknownAddressGetsNoMail(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.browser()
	if link, _ := b.ask("bob@acme.example"); link != "" {
		t.Error("somebody who works nowhere is mailed a link")
	}
	for _, code := range []string{"", "0000000", "000 0000"} {
		b.post("/portal/sign-in/code", url.Values{"code": {code}})
	}
	b.post("/portal/sign-in/", nil)
	if b.cookies[sessionCookie] != "" {
		t.Error("somebody is signed in who works nowhere")
	}
}

func TestSignIn_aSecondMailReplacesTheFirst(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.browser()
	link, code := b.ask("ada@acme.example")
	second, _ := b.ask("ada@acme.example")
	b.post("/portal/sign-in/"+link, nil).has("This link does not sign in here")
	b.post("/portal/sign-in/code", url.Values{"code": {code}}).has("not the code")
	b.post("/portal/sign-in/"+second, nil).has("Ada Byron")
}

func TestSignIn_endsAfterTenMinutes(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.browser()
	link, code := b.ask("ada@acme.example")
	w.later(access.SignInGoodFor)
	b.post("/portal/sign-in/"+link, nil).has("This link does not sign in here")
	b.post("/portal/sign-in/code", url.Values{"code": {code}}).has("This sign-in is over")
}

func TestSignIn_endsByFiveWrongCodes(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.browser()
	link, code := b.ask("ada@acme.example")
	for range access.MaxTries {
		b.post("/portal/sign-in/code", url.Values{"code": {wrong(code)}}).has("not the code")
	}
	for range 2 {
		kept := b.cookies[signInCookie]
		b.post("/portal/sign-in/code", url.Values{"code": {code}}).has("This sign-in is over")
		b.cookies[signInCookie] = kept
	}
	b.post("/portal/sign-in/"+link, nil).has("This link does not sign in here")
}

// Whoever asks for many mails gets the same page, and no further mail.
func TestSignIn_limits(t *testing.T) {
	t.Parallel()
	w := open(t)
	mails := 0
	for range 8 {
		b := w.browser()
		b.post("/portal/sign-in/ask", url.Values{"email": {"ada@acme.example"}}).has("Check your mail")
		if link, _ := b.mailed(); link != "" {
			mails++
		}
	}
	if mails != 5 {
		t.Errorf("%d mails from one place, not 5", mails)
	}
	for i := range 8 {
		b := w.browser()
		b.from = "198.51.100." + string(rune('1'+i))
		if link, _ := b.ask("ada@acme.example"); link != "" {
			mails++
		}
	}
	if mails != 10-3 {
		t.Errorf("%d mails to one address in an hour: 10 were asked for", mails)
	}
	w.later(time.Hour)
	if link, _ := w.browser().ask("ada@acme.example"); link == "" {
		t.Error("no mail in the next hour")
	}
}

func TestSession_ends(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(w *world, b *browser)
		ends   bool
	}{
		"idle":            {func(w *world, _ *browser) { w.later(access.SessionIdle) }, true},
		"used, 13 days":   {func(w *world, b *browser) { use(w, b, 13*24*time.Hour) }, false},
		"used, 14 days":   {func(w *world, b *browser) { use(w, b, access.SessionLasts) }, true},
		"another address": {func(w *world, _ *browser) { w.person("acme", "ada", "Ada Byron", "ada@new.example", access.Owner) }, true},
		"another role":    {func(w *world, _ *browser) { w.person("acme", "ada", "Ada Byron", "ada@acme.example", access.Read) }, false},
		"another case":    {func(w *world, _ *browser) { w.person("acme", "ada", "Ada Byron", "Ada@Acme.example", access.Owner) }, false},
		"cut":             {func(_ *world, b *browser) { b.cookies[sessionCookie] = b.cookies[sessionCookie][:50] }, true},
		"another name": {func(_ *world, b *browser) {
			b.cookies[sessionCookie] = access.NewSessionName(access.Whom{Merchant: "acme", Person: "ada"})
		}, true},
		"another person": {func(w *world, b *browser) {
			w.person("acme", "bob", "Bob", "bob@acme.example", access.Read)
			of, random := b.cookies[sessionCookie][:strings.LastIndexByte(b.cookies[sessionCookie], '.')], b.cookies[sessionCookie][strings.LastIndexByte(b.cookies[sessionCookie], '.'):]
			b.cookies[sessionCookie] = strings.Replace(of, "YWRh", "Ym9i", 1) + random
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			b := w.signIn("ada@acme.example")
			b.get("/portal").has("Ada Byron")
			c.change(w, b)
			if p := b.get("/portal"); c.ends {
				p.has("Your mail address").hasNot("Ada")
			} else {
				p.has("Ada Byron")
			}
		})
	}
}

// use clicks every two days.
func use(w *world, b *browser, d time.Duration) {
	for d > 0 {
		step := min(d, 48*time.Hour)
		w.later(step)
		b.get("/portal")
		d -= step
	}
}

func TestSignIn_leadsBack(t *testing.T) {
	t.Parallel()
	w := open(t)
	for to, want := range map[string]string{
		"//elsewhere.example":                "/portal",
		"/portal/sign-in":                    "/portal",
		"/\\elsewhere.example/":              "/portal",
		"https://elsewhere.example/portal/x": "/portal",
		"/portal/../o/x":                     "/portal",
		"/portal/%2e%2e/o/x":                 "/portal",
		"/portal/orders?a=b":                 "/portal/orders?a=b",
	} {
		if got := safePath(to); got != want {
			t.Errorf("%q leads to %q", to, got)
		}
	}
	b := w.browser()
	b.send("GET", "/portal/sign-in/again?to=/portal/x", nil)
	_, code := b.ask("ada@acme.example")
	first := b.send("POST", "/portal/sign-in/code", url.Values{"code": {code}})
	if first.headers["Location"] != "/portal" {
		t.Errorf("led to %q", first.headers["Location"])
	}
}

// A form of another site does nothing, whoever is signed in.
func TestPosts_ofOtherSites(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	for name, header := range map[string][2]string{
		"cross-site":     {"sec-fetch-site", "cross-site"},
		"same-site":      {"sec-fetch-site", "same-site"},
		"an old browser": {"origin", "https://elsewhere.example"},
	} {
		p := b.post("/portal/sign-out", nil, func(e *events.APIGatewayV2HTTPRequest) {
			delete(e.Headers, "sec-fetch-site")
			e.Headers[header[0]] = header[1]
		})
		if p.status != http.StatusForbidden {
			t.Errorf("%s: %d", name, p.status)
		}
	}
	b.get("/portal").has("Ada Byron")
}

// A form that cannot be read changes nothing, and says so; it is no empty one.
func TestPosts_thatCannotBeRead(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	json := func(e *events.APIGatewayV2HTTPRequest) {
		e.Headers["content-type"], e.Body = "application/json", "{}"
	}
	if p := b.post("/portal/sign-out", nil, json).has("could not be read"); p.status != http.StatusBadRequest {
		t.Errorf("JSON: %d", p.status)
	}
	if p := b.post("/portal/find", url.Values{"q": {strings.Repeat("x", maxForm)}}).has("more than 1 MB"); p.status != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: %d", p.status)
	}
	b.get("/portal").has("Ada Byron")
}

func TestAgain(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	if p := b.send("GET", "/portal/sign-in/again?to=/portal/x", nil); p.headers["Location"] != "/portal/x" {
		t.Errorf("somebody who has just signed in is asked again: %v", p)
	}
	w.later(access.FreshFor)
	former := b.cookies[sessionCookie]
	b.get("/portal/sign-in/again?to=/portal/x").has("Is it you?")
	b.post("/portal/sign-in/again", url.Values{"to": {"/portal/x"}}).has("Check your mail")
	_, code := b.mailed()
	p := b.send("POST", "/portal/sign-in/code", url.Values{"code": {wrong(code)}, "to": {"/portal/x"}})
	p.has("not the code")
	if p = b.send("POST", "/portal/sign-in/code", url.Values{"code": {code}, "to": {"/portal/x"}}); p.headers["Location"] != "/portal/x" {
		t.Errorf("led to %q", p.headers["Location"])
	}
	if b.cookies[sessionCookie] == former {
		t.Error("the session has its former name")
	}
	other := w.browser()
	other.cookies[sessionCookie] = former
	other.get("/portal").has("Your mail address")
}

// wrong returns a code that is not that one.
func wrong(code string) string {
	last := code[len(code)-1]
	return code[:len(code)-1] + string('0'+(last-'0'+1)%10)
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	for _, path := range []string{"/", "/robots.txt", "/portal", "/portal/sign-in", "/portal/nowhere", assetPath("portal.css"), "/portal/assets/none.css"} {
		p := b.send("GET", path, nil)
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'", "Strict-Transport-Security": "max-age=31536000", "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
			"Permissions-Policy": "clipboard-write", "X-Robots-Tag": "noindex",
		} {
			if !strings.Contains(p.headers[name], want) {
				t.Errorf("%s: %s: %q", path, name, p.headers[name])
			}
		}
		kept := "no-store"
		if path == assetPath("portal.css") {
			kept = "public, max-age=31536000, immutable"
		}
		if p.headers["Cache-Control"] != kept {
			t.Errorf("%s is kept: %q", path, p.headers["Cache-Control"])
		}
	}
}
