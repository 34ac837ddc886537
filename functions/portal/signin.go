package main

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"keypool/shared/access"
	"keypool/shared/web"
)

// Somebody signs in by a mail, in five steps: the form that asks for an address, the page that
// says that a mail is on its way and takes its code, the page behind its link, which has a
// button, and what the two send. Answers are the same for addresses that may sign in and for all
// others. A GET changes nothing.

const (
	signInPath = homePath + "/sign-in"
	sentPath   = signInPath + "/sent"
	codePath   = signInPath + "/code"
	helpPath   = signInPath + "/help"
	againPath  = signInPath + "/again"
)

func (p *portal) addSignIn(t *web.Router) {
	for pattern, serve := range map[string]func(http.ResponseWriter, *http.Request) (answer, error){
		"GET " + signInPath:              p.signInForm,
		"POST " + signInPath + "/ask":    p.ask,
		"GET " + sentPath:                p.sent,
		"POST " + codePath:               p.byCode,
		"GET " + helpPath + "/{link}":    p.helpForm,
		"POST " + helpPath + "/{link}":   p.byHelp,
		"GET " + signInPath + "/{link}":  p.linkForm,
		"POST " + signInPath + "/{link}": p.byLink,
	} {
		t.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			a, err := serve(w, r)
			if err != nil {
				p.fail(w, r, nil, err)
				return
			}
			p.write(w, r, nil, a)
		})
	}
}

func (p *portal) sessionScreens() []screen {
	return []screen{
		{pattern: "POST /portal/sign-out", serve: p.signOut},
		{pattern: "GET " + againPath, serve: p.againForm},
		{pattern: "POST " + againPath, serve: p.again},
		{pattern: "GET /portal/{rest}", serve: func(*visit) (answer, error) { return answer{}, errNotFound }},
	}
}

// signInData is what the pages of signing in show.
type signInData struct {
	Wrong string // what is wrong with what was typed
	Again bool   // somebody who is signed in shows to be there
	To    string // where to go then
	Link  string // of a mail
}

func (p *portal) signInForm(_ http.ResponseWriter, r *http.Request) (answer, error) {
	if _, ok, err := p.visitor(r); err != nil || ok {
		return answer{see: homePath}, err
	}
	a := answer{page: "sign-in", title: "Sign in", data: signInData{}}
	if r.URL.Query().Has("out") {
		a.band = &band{Class: "good", Says: "You are signed out."}
	}
	return a, nil
}

// ask takes the address, and has a mail written to it if somebody has it.
func (p *portal) ask(w http.ResponseWriter, r *http.Request) (answer, error) {
	form, err := web.Form(r, maxForm)
	if err != nil {
		return answer{}, err
	}
	return answer{see: sentPath}, p.askFor(w, r, form.Get("email"))
}

// askFor begins a sign-in of the browser.
func (p *portal) askFor(w http.ResponseWriter, r *http.Request, address string) error {
	name, err := p.signIns.Ask(r.Context(), address, browserOf(r), web.CallerAddress(r))
	if err == nil {
		setCookie(w, signInCookie, name, access.SignInGoodFor)
	}
	return err
}

func (p *portal) sent(_ http.ResponseWriter, r *http.Request) (answer, error) {
	if cookie(r, signInCookie) == "" {
		return answer{see: signInPath}, nil
	}
	return answer{page: "code", title: "Check your mail", data: signInData{}}, nil
}

// byCode signs in by the code of a mail.
func (p *portal) byCode(w http.ResponseWriter, r *http.Request) (answer, error) {
	form, err := web.Form(r, maxForm)
	if err != nil {
		return answer{}, err
	}
	at, err := p.at(r)
	if err != nil {
		return answer{}, err
	}
	data := signInData{Again: at.Former.Hash != "", To: form.Get("to")}
	session, err := p.signIns.ByCode(r.Context(), cookie(r, signInCookie), form.Get("code"), at)
	switch {
	case errors.Is(err, access.ErrWrongCode):
		data.Wrong = "This is not the code of the last mail. Look again, or ask for a new one."
		return answer{page: "code", title: "Check your mail", status: http.StatusUnprocessableEntity, data: data}, nil
	case errors.Is(err, access.ErrSignInOver):
		return over(w, data), nil
	case err != nil:
		return answer{}, err
	}
	return p.begin(w, r, session, data.To), nil
}

// linkForm shows the button behind the link of a mail: programs that look at mails open the
// links in them. In another browser than the one that asked it says what to do there.
func (p *portal) linkForm(_ http.ResponseWriter, r *http.Request) (answer, error) {
	err := p.signIns.Look(r.Context(), cookie(r, signInCookie), r.PathValue("link"))
	switch {
	case errors.Is(err, access.ErrWrongCode), errors.Is(err, access.ErrSignInOver):
		return elsewhere(), nil
	case err != nil:
		return answer{}, err
	}
	return answer{page: "link", title: "Sign in", data: signInData{Link: r.PathValue("link")}}, nil
}

// byLink signs in by the link of a mail.
func (p *portal) byLink(w http.ResponseWriter, r *http.Request) (answer, error) {
	at, err := p.at(r)
	if err != nil {
		return answer{}, err
	}
	session, err := p.signIns.ByLink(r.Context(), cookie(r, signInCookie), r.PathValue("link"), at)
	switch {
	case errors.Is(err, access.ErrWrongCode), errors.Is(err, access.ErrSignInOver):
		return elsewhere(), nil
	case err != nil:
		return answer{}, err
	}
	return p.begin(w, r, session, ""), nil
}

// helpForm shows the button by which the operator opens a merchant's portal.
func (p *portal) helpForm(_ http.ResponseWriter, r *http.Request) (answer, error) {
	merchant, err := p.signIns.LookHelp(r.Context(), r.PathValue("link"))
	if err != nil {
		return answer{}, err
	}
	return answer{page: "help", title: "Help a shop", data: helpData{merchant, r.PathValue("link")}}, nil
}

// helpData is what that page shows.
type helpData struct{ Merchant, Link string }

// byHelp signs the operator in.
func (p *portal) byHelp(w http.ResponseWriter, r *http.Request) (answer, error) {
	at, err := p.at(r)
	if err != nil {
		return answer{}, err
	}
	session, err := p.signIns.ByHelp(r.Context(), r.PathValue("link"), at)
	if err != nil {
		return answer{}, err
	}
	return p.begin(w, r, session, homePath), nil
}

// at describes the browser of a request.
func (p *portal) at(r *http.Request) (access.At, error) {
	visitor, _, err := p.visitor(r)
	return access.At{Browser: browserOf(r), From: web.CallerAddress(r), Former: visitor.Session}, err
}

// elsewhere is shown for each link that does not sign in here, whatever the reason.
func elsewhere() answer {
	return answer{page: "elsewhere", title: "Sign in", status: http.StatusForbidden, data: signInData{}}
}

// over is shown when a request to sign in is of no use any more.
func over(w http.ResponseWriter, data signInData) answer {
	setCookie(w, signInCookie, "", 0)
	data.Wrong = "This sign-in is over: ten minutes have passed, or too many codes were wrong. Ask for a new mail."
	page, title := "sign-in", "Sign in"
	if data.Again {
		page, title = "again", "Is it you?"
	}
	return answer{page: page, title: title, status: http.StatusUnprocessableEntity, data: data}
}

// begin gives the browser its session, and leads to where it wanted to go.
func (p *portal) begin(w http.ResponseWriter, r *http.Request, session, to string) answer {
	setCookie(w, sessionCookie, session, access.SessionLasts)
	setCookie(w, signInCookie, "", 0)
	if back, err := url.QueryUnescape(cookie(r, backCookie)); err == nil && back != "" {
		setCookie(w, backCookie, "", 0)
		to = cmp.Or(to, back)
	}
	return answer{see: safePath(to)}
}

// againForm asks somebody who is signed in to show to be there, by another mail.
func (p *portal) againForm(v *visit) (answer, error) {
	to := safePath(v.URL.Query().Get("to"))
	if v.Fresh(v.now) {
		return answer{see: to}, nil
	}
	if v.Session.By != "" {
		return failurePage(http.StatusForbidden, "Open the portal once more", failed{
			"What comes next shows keys, or gives somebody power: it is done within a quarter of an hour of opening the portal.",
			"Have another address made by make sign-in, open it in this browser, and come back.",
		}), nil
	}
	data := signInData{Again: true, To: to}
	if v.URL.Query().Has("sent") && cookie(v.Request, signInCookie) != "" {
		return answer{page: "code", title: "Check your mail", data: data}, nil
	}
	return answer{page: "again", title: "Is it you?", data: data}, nil
}

// again sends the mail.
func (p *portal) again(v *visit) (answer, error) {
	to := safePath(v.form.Get("to"))
	a := answer{see: againPath + "?sent=1&to=" + url.QueryEscape(to)}
	name, err := p.signIns.Ask(v.Context(), v.Session.Address, browserOf(v.Request), v.From)
	a.cookies = func(w http.ResponseWriter) { setCookie(w, signInCookie, name, access.SignInGoodFor) }
	return a, err
}

// signOut ends the session.
func (p *portal) signOut(v *visit) (answer, error) {
	err := p.sessions.EndSession(v.Context(), v.Session.Whom, v.Session.Hash)
	return answer{see: signInPath + "?out=1", cookies: func(w http.ResponseWriter) { setCookie(w, sessionCookie, "", 0) }}, err
}

// browserOf says in a few words which browser a request comes from: "Firefox on Windows".
func browserOf(r *http.Request) string {
	agent := r.UserAgent()
	named := func(from [][2]string, otherwise string) string {
		for _, n := range from {
			if strings.Contains(agent, n[0]) {
				return n[1]
			}
		}
		return otherwise
	}
	// The first that fits: browsers name others that they are like.
	browser := named([][2]string{
		{"Edg", "Edge"},
		{"OPR/", "Opera"},
		{"SamsungBrowser", "Samsung Internet"},
		{"Firefox/", "Firefox"},
		{"FxiOS", "Firefox"},
		{"CriOS", "Chrome"},
		{"Chrome/", "Chrome"},
		{"Safari/", "Safari"},
	}, "a browser")
	system := named([][2]string{
		{"Windows", "Windows"}, {"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Mac OS X", "macOS"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"},
	}, "")
	if system == "" {
		return browser
	}
	return browser + " on " + system
}
