package main

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"keypool/shared/access"
	"keypool/shared/audit"
	"keypool/shared/notice"
	"keypool/shared/settings"
)

func TestMe_sessions(t *testing.T) {
	t.Parallel()
	calls := &counter{}
	w := open(t, calls.option())
	w.person("acme", "grace", "Grace Hopper", "grace@acme.example", access.Owner)
	grace := w.signIn("grace@acme.example")
	desk := w.signIn("ada@acme.example")
	desk.get("/portal/me").has("Ada Byron", "ada@acme.example", "owner: everything", "this one", "There is no other browser").hasNot("End all others")
	w.later(time.Minute)
	phone := w.browser()
	phone.agent, phone.from = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1", "198.51.100.7"
	_, code := phone.ask("ada@acme.example")
	phone.post("/portal/sign-in/code", url.Values{"code": {code}})
	before := calls.n.Load()
	p := desk.get("/portal/me").has("Safari on iPhone", "198.51.100.7", "Firefox on Linux", "192.0.2.1", "End all others")
	if made := calls.n.Load() - before; made > 4 {
		t.Errorf("%d calls, of which two find the visitor", made)
	}
	if strings.Contains(p.body, phone.cookies[sessionCookie]) || strings.Contains(p.body, access.HashName(phone.cookies[sessionCookie])) {
		t.Error("the page names a session")
	}
	id := p.hidden("session")
	grace.post("/portal/me/end", url.Values{"session": {id}}).has("Grace Hopper") // nobody ends another's
	phone.get("/portal").has("Ada Byron")
	desk.post("/portal/me/end", url.Values{"session": {id}}).has("that browser is signed out", "There is no other browser")
	phone.get("/portal").has("Your mail address")

	third, fourth := w.signIn("ada@acme.example"), w.signIn("ada@acme.example")
	desk.post("/portal/me/end-others", nil).has("all other browsers are signed out")
	third.get("/portal").has("Your mail address")
	fourth.get("/portal").has("Your mail address")
	grace.get("/portal").has("Grace Hopper")
	w.later(access.SessionIdle)
	if sessions, err := w.store.SessionsOf(t.Context(), access.Whom{Merchant: "acme", Person: "ada"}); err != nil || len(lasting(sessions, w.now())) != 0 {
		t.Errorf("%v, %v", sessions, err)
	}
}

func TestMe_switch(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.merchant("nova", "Nova Software")
	w.person("nova", "a-byron", "A. Byron", "Ada@acme.example", access.Read)
	w.merchant("other", "Other")
	b := w.signIn("ada@acme.example")
	begun := b.cookies[sessionCookie]
	b.get("/portal/me").has("Your other shops", "Go to Nova Software").hasNot("Other<")
	for _, merchant := range []string{"other", "acme", "", "nobody"} {
		if p := b.post("/portal/me/switch", url.Values{"merchant": {merchant}}); p.status != http.StatusNotFound {
			t.Errorf("to %q: %d", merchant, p.status)
		}
	}
	w.later(2 * 24 * time.Hour)
	b.post("/portal/me/switch", url.Values{"merchant": {"nova"}}).has("Nova Software", "A. Byron").hasNot("Acme Games")
	b.get("/portal/me").has("read: look at settings and orders", "Go to Acme Games")
	if p := b.send("GET", "/portal/settings/people", nil); p.status != http.StatusForbidden {
		t.Errorf("the former shop's role counts: %d", p.status)
	}
	former := w.browser()
	former.cookies[sessionCookie] = begun
	former.get("/portal").has("Your mail address")

	// To switch does not make a session last longer, or fresh.
	b.get("/portal/sign-in/again?to=/portal/me").has("Is it you?")
	use(w, b, 12*24*time.Hour)
	b.get("/portal").has("Your mail address")
}

// Whoever has another address at the other shop by now, or works there no more, does not get in.
func TestMe_switchIsChecked(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(w *world){
		"another address": func(w *world) { w.person("nova", "ada", "Ada", "ada@nova.example", access.Read) },
		"gone": func(w *world) {
			people := &settings.People{Store: w.store, Now: w.now}
			w.person("nova", "eve", "Eve", "eve@nova.example", access.Owner)
			if err := people.Delete(w.Context(), access.Principal{Merchant: "nova"}, "ada", settings.Condition{Version: func(int) bool { return true }}); err != nil {
				w.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			w.merchant("nova", "Nova Software")
			w.person("nova", "ada", "Ada", "ada@acme.example", access.Read)
			b := w.signIn("ada@acme.example")
			change(w)
			if p := b.post("/portal/me/switch", url.Values{"merchant": {"nova"}}); p.status != http.StatusNotFound {
				t.Errorf("%d", p.status)
			}
			b.get("/portal").has("Ada Byron", "Acme Games")
		})
	}
}

// helped opens acme's portal for the operator, and returns the link's path.
func (w *world) helped() string {
	w.Helper()
	help := &settings.Help{Store: w.store, PublicURL: publicURL, Now: w.now}
	opened, err := help.Open(access.With(w.Context(), access.Operator()), access.Operator(), "acme", "You asked us to load keys.")
	if err != nil {
		w.Fatal(err)
	}
	return strings.TrimPrefix(opened.Address, publicURL)
}

func TestHelp(t *testing.T) {
	t.Parallel()
	w := open(t)
	owner := w.signIn("ada@acme.example")
	link := w.helped()
	operator, again := w.browser(), w.browser()
	operator.get(link).has("Help acme")
	if operator.cookies[sessionCookie] != "" {
		t.Error("to open the link signs in")
	}
	operator.post(link, nil).has("You look after this shop as the operator", "Acme Games")
	again.get(link).has("This address is over")
	again.post(link, nil).has("This address is over")

	operator.get("/portal/me").has("the operator", "today, 13:00").hasNot("Your other shops")
	operator.post("/portal/settings/invite", url.Values{"name": {"Grace"}, "email": {"grace@acme.example"}, "role": {"stock"}}).has("Grace")
	owner.get("/portal/settings/audit").has("Operator help: added", "You asked us to load keys.", "Person grace: added", "the operator")
	owner.get("/portal/settings/people").has("looks after this shop until today, 13:00")

	// Power ends a quarter of an hour after the portal was opened, the rest with the hour.
	w.later(access.FreshFor)
	operator.get("/portal/settings/invite").has("Open the portal once more", "make sign-in")
	w.later(access.HelpLasts - access.FreshFor)
	operator.get("/portal").has("Your mail address")
	owner.get("/portal/settings/people").hasNot("looks after this shop")
}

func TestHelp_anOwnerEndsIt(t *testing.T) {
	t.Parallel()
	w := open(t)
	owner, operator := w.signIn("ada@acme.example"), w.browser()
	operator.post(w.helped(), nil).has("as the operator")
	owner.post("/portal/settings/help/end", nil).has("the operator is signed out here").hasNot("looks after this shop")
	operator.get("/portal").has("Your mail address")
}

// The link is good for ten minutes, and no link or code of a mail is one of it, or the other way
// round.
func TestHelp_linkIsItsOwn(t *testing.T) {
	t.Parallel()
	w := open(t)
	late := w.helped()
	w.later(access.SignInGoodFor)
	b := w.browser()
	b.get(late).has("This address is over")
	b.post(late, nil).has("This address is over")

	name := strings.TrimPrefix(w.helped(), access.HelpPath)
	b.cookies[signInCookie] = name
	b.post("/portal/sign-in/"+name, nil).has("This link does not sign in here")
	b.post("/portal/sign-in/code", url.Values{"code": {"0000000"}})
	link, _ := b.ask("ada@acme.example")
	b.post("/portal/sign-in/help/"+link, nil).has("This address is over")
	b.post("/portal/sign-in/help/"+b.cookies[signInCookie], nil).has("This address is over")
	b.post("/portal/sign-in/help/", nil)
	if b.cookies[sessionCookie] != "" {
		t.Error("somebody is signed in")
	}
}

// The notice address and each owner are told, once each, and nothing in the mails opens a door.
func TestHelp_isTold(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.person("acme", "grace", "Grace", "grace@acme.example", access.Owner)
	w.person("acme", "stock", "Stock", "STOCK@acme.example", access.Owner) // the notice address
	w.person("acme", "eve", "Eve", "eve@acme.example", access.Manager)
	link := w.helped()
	hash := access.HashName(strings.TrimPrefix(link, access.HelpPath))
	var told []string
	for _, key := range []string{"", "#ada", "#grace", "#stock", "#eve"} {
		before := len(w.sent)
		w.mail(notice.New("acme", notice.OperatorHelp, hash[:access.IDLength]+key, notice.Facts{}, w.now()).ID)
		for _, m := range w.sent[before:] {
			told = append(told, m.To.Address)
			if !strings.Contains(m.Text, "You asked us to load keys.") || !strings.Contains(m.Text, "23 November 2026, 13:00") || regexp.MustCompile(`sign-in`).MatchString(m.Text) {
				t.Error(m.Text)
			}
		}
	}
	if got := strings.Join(told, " "); got != "stock@acme.example ada@acme.example grace@acme.example" {
		t.Errorf("told: %s", got)
	}
	entries, _, err := w.store.Entries(t.Context(), "acme", "", 1)
	if err != nil || len(entries) != 1 || entries[0].Thing != audit.OperatorHelp || entries[0].By != "the operator" {
		t.Errorf("%+v, %v", entries, err)
	}
}

// Whoever guesses codes over many requests is told the same as before when the limit of the
// network bites, and nothing is right any more. Another network, and links, are not touched.
func TestSignIn_guessesOfANetworkAreLimited(t *testing.T) {
	t.Parallel()
	w := open(t)
	for i := range 20 {
		b := w.browser()
		b.from = "203.0.113.9"
		b.post("/portal/sign-in/ask", url.Values{"email": {fmt.Sprintf("nobody-%d@elsewhere.example", i)}})
		for range access.MaxTries {
			b.post("/portal/sign-in/code", url.Values{"code": {"0000000"}}).has("not the code of the last mail")
		}
	}
	b := w.browser()
	b.from = "203.0.113.9"
	_, code := b.ask("ada@acme.example")
	b.post("/portal/sign-in/code", url.Values{"code": {code}}).has("not the code of the last mail")
	if b.cookies[sessionCookie] != "" {
		t.Fatal("the right code signs in")
	}
	b.from = "203.0.113.10"
	b.post("/portal/sign-in/code", url.Values{"code": {code}}).has("Ada Byron")
	b = w.browser()
	b.from = "203.0.113.9"
	link, _ := b.ask("ada@acme.example")
	b.post("/portal/sign-in/"+link, nil).has("Ada Byron")
	w.later(time.Hour)
	b = w.browser()
	b.from = "203.0.113.9"
	_, code = b.ask("ada@acme.example")
	b.post("/portal/sign-in/code", url.Values{"code": {code}}).has("Ada Byron")
}

// A program that looks at mails has no request: what it tries counts for nobody.
func TestSignIn_scannersUseUpNoLimit(t *testing.T) {
	t.Parallel()
	w := open(t)
	b, scanner := w.browser(), w.browser()
	link, _ := b.ask("ada@acme.example")
	for range 350 {
		scanner.send("POST", "/portal/sign-in/"+link, nil)
	}
	b.post("/portal/sign-in/"+link, nil).has("Ada Byron")
}
