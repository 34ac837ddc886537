package main

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keypool/shared/access"
	"keypool/shared/settings"
)

// Cookies are read as AWS hands them over, beside the headers, and as the one machine does, in a
// header.
func TestCookies_ofBothKinds(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	session := sessionCookie + "=" + b.cookies[sessionCookie]
	for name, c := range map[string]struct {
		alter  func(*events.APIGatewayV2HTTPRequest)
		status int
	}{
		"beside the headers": {func(e *events.APIGatewayV2HTTPRequest) { e.Cookies = []string{"a=b", session} }, 200},
		"in a header":        {func(e *events.APIGatewayV2HTTPRequest) { e.Headers["cookie"] = "a=b; " + session }, 200},
		"with others after":  {func(e *events.APIGatewayV2HTTPRequest) { e.Cookies = []string{session, sessionCookie + "=x", "b=c"} }, 200},
		"of another name":    {func(e *events.APIGatewayV2HTTPRequest) { e.Cookies = []string{"keypool=" + b.cookies[sessionCookie]} }, 303},
		"as the request's": {func(e *events.APIGatewayV2HTTPRequest) {
			e.Cookies = []string{signInCookie + "=" + b.cookies[sessionCookie]}
		}, 303},
		"as a token": {func(e *events.APIGatewayV2HTTPRequest) {
			e.Headers["authorization"] = "Bearer " + b.cookies[sessionCookie]
		}, 303},
		"in the query":         {func(e *events.APIGatewayV2HTTPRequest) { e.RawQueryString = session }, 303},
		"after one of nothing": {func(e *events.APIGatewayV2HTTPRequest) { e.Cookies = []string{sessionCookie + "=", session} }, 303},
	} {
		if p := w.browser().send("GET", "/portal", nil, c.alter); p.status != c.status {
			t.Errorf("%s: %d", name, p.status)
		}
	}
}

// The name of a session is made by the portal, anew at each sign-in: one that a stranger has
// chosen, or had before, is nothing afterwards.
func TestSession_isNotFixed(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.person("acme", "eve", "Eve", "eve@acme.example", access.Read)
	eve := w.signIn("eve@acme.example")
	for name, planted := range map[string]string{"made up": access.NewSessionName(access.Whom{Merchant: "acme", Person: "ada"}), "of a stranger": eve.cookies[sessionCookie]} {
		b := w.browser()
		b.cookies[sessionCookie] = planted
		_, code := b.ask("ada@acme.example")
		b.post("/portal/sign-in/code", url.Values{"code": {code}}).has("Ada Byron")
		if b.cookies[sessionCookie] == planted {
			t.Errorf("%s: the session has the name that was there before", name)
		}
		stranger := w.browser()
		stranger.cookies[sessionCookie] = planted
		stranger.get("/portal").has("Your mail address")
	}
	// What is left of a browser that was signed out is nothing.
	b := w.signIn("ada@acme.example")
	kept := b.cookies[sessionCookie]
	b.post("/portal/sign-out", nil)
	b.cookies[sessionCookie] = kept
	b.get("/portal").has("Your mail address")
	b.post("/portal/sign-out", nil).has("Your mail address")
}

// Another site can neither ask for a mail nor sign somebody in, as themselves or as a stranger.
func TestSignIn_ofOtherSites(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.person("acme", "eve", "Eve", "eve@acme.example", access.Read)
	eve, b := w.browser(), w.browser()
	link, code := eve.ask("eve@acme.example")
	help := w.helped()
	before := w.stored()
	for _, path := range []string{"/portal/sign-in/ask", "/portal/sign-in/code", "/portal/sign-in/" + link, "/portal/sign-in/again", help} {
		for _, who := range []*browser{b, eve} {
			p := who.send("POST", path, url.Values{"email": {"ada@acme.example"}, "code": {code}}, func(e *events.APIGatewayV2HTTPRequest) { e.Headers["sec-fetch-site"] = "cross-site" })
			if p.status != http.StatusForbidden || len(p.cookies) > 0 {
				t.Errorf("%s: %d, %v", path, p.status, p.cookies)
			}
		}
	}
	w.wantStored("forms of sign-in from other sites", before, true)
	// Nor by what a stranger's browser was given, in one that did not ask.
	b.post("/portal/sign-in/"+link, nil).has("This link does not sign in here")
	b.post("/portal/sign-in/code", url.Values{"code": {code}}).has("This sign-in is over")
	if b.cookies[sessionCookie] != "" {
		t.Error("somebody is signed in as a stranger")
	}
}

// A code that is guessed is answered alike, and with as many calls, whether somebody has the
// address or not, before the mail is written and after it.
func TestSignIn_guessesTellNothing(t *testing.T) {
	t.Parallel()
	calls := &counter{}
	w := open(t, calls.option())
	type told struct {
		status, calls, cookies int
		body                   string
	}
	answers := map[string][]told{}
	for _, address := range []string{"ada@acme.example", "bob@acme.example"} {
		b := w.browser()
		guess := func(path string) {
			kept := b.cookies[signInCookie]
			before := calls.n.Load()
			p := b.send("POST", path, url.Values{"code": {"0000000"}})
			answers[address] = append(answers[address], told{p.status, int(calls.n.Load() - before), len(p.cookies), p.body})
			b.cookies[signInCookie] = kept
		}
		b.send("POST", "/portal/sign-in/ask", url.Values{"email": {address}})
		guess("/portal/sign-in/code")
		guess("/portal/sign-in/" + access.NewName())
		b.mailed()
		for range access.MaxTries {
			guess("/portal/sign-in/code")
		}
	}
	for i, known := range answers["ada@acme.example"] {
		if unknown := answers["bob@acme.example"][i]; known != unknown {
			t.Errorf("guess %d is answered %+v, and %+v where nobody has the address", i+1, known, unknown)
		}
	}
}

// What is far too long, or none of its kind, is answered calmly by every form that a stranger
// can send, and in every cookie.
func TestStrangers_strangeFields(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.browser()
	b.ask("ada@acme.example")
	for _, value := range []string{"", strings.Repeat("9", 100_000), strings.Repeat("a", 64) + "@" + strings.Repeat("b", 100_000), "\x00", "\xff\xfe", "\r\nBcc: x@example.com", "ada@acme.example\x00", "ａda@acme.example", "ada@acme.example,eve@evil.example", "٠١٢٣٤٥٦"} {
		for _, path := range []string{"/portal/sign-in/ask", "/portal/sign-in/code"} {
			if p := b.send("POST", path, url.Values{"email": {value}, "code": {value}, "to": {value}, "extra": {value}}); p.status >= 500 || p.status == 400 {
				t.Errorf("%.20q to %s: %d", value, path, p.status)
			}
		}
	}
	for _, cookie := range []string{strings.Repeat("x", 100_000), "\xff", `"`, "a,b", "..", "acme." + base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("a", 3000))) + "." + access.NewName()} {
		for _, name := range []string{sessionCookie, signInCookie, backCookie} {
			odd := w.browser()
			odd.cookies[name] = cookie
			for _, path := range []string{"/portal", "/portal/sign-in", "/portal/sign-in/sent", "/portal/sign-in/x"} {
				if p := odd.send("GET", path, nil); p.status >= 500 {
					t.Errorf("the cookie %s %.20q at %s: %d", name, cookie, path, p.status)
				}
			}
		}
	}
	// A cookie that leads back elsewhere does not.
	for _, to := range []string{"https://evil.example/portal/x", "//evil.example/portal/x", "/\\evil.example", "javascript:alert(1)", "/portal/\r\nSet-Cookie: a=b", "/portal@evil.example/", "/o/x", "/v1/pools", "%2f%2fevil.example"} {
		b := w.browser()
		w.later(time.Hour) // within the limits
		_, code := b.ask("ada@acme.example")
		b.cookies[backCookie] = url.QueryEscape(to)
		p := b.send("POST", "/portal/sign-in/code", url.Values{"code": {code}})
		if at := p.headers["Location"]; at != homePath || safePath(to) != homePath {
			t.Errorf("%q leads to %q", to, at)
		}
	}
	// One that is longer than a cookie may be is left out.
	if p := w.browser().send("GET", "/portal/pools?x="+strings.Repeat("a", 5000), nil); len(p.cookies) > 0 || p.headers["Location"] != signInPath {
		t.Errorf("a cookie of %d", len(strings.Join(p.cookies, "")))
	}
}

// The operator's link is good once, in whichever browser comes first; an invitation makes no
// second person of an address.
func TestLinks_usedByAnother(t *testing.T) {
	t.Parallel()
	w := open(t)
	link := w.helped()
	first, another := w.browser(), w.signIn("ada@acme.example")
	for range 3 { // a program that looks at what it is sent
		w.browser().get(link).has("Help acme")
	}
	first.post(link, nil).has("as the operator")
	another.post(link, nil).has("This address is over")
	another.get("/portal").has("Ada Byron").hasNot("as the operator")
	people := &settings.People{Store: w.store, Now: w.now}
	if _, err := people.Invite(t.Context(), access.Person{Merchant: "acme", Name: "Grace", Address: "ADA@acme.example", Role: access.Owner}, access.Principal{Merchant: "acme"}); err == nil {
		t.Error("one address is two people's")
	}
}
