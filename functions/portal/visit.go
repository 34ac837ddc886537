package main

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/idempotency"
	"keypool/shared/settings"
	"keypool/shared/web"
)

// visit is a request of somebody who is signed in.
type visit struct {
	*http.Request
	access.Visitor
	merchant catalog.Merchant
	form     url.Values // of a POST
	now      time.Time
}

// may reports whether the visitor's role lets do an operation: what cannot be done is not
// offered. Whether it may be done is asked again when it is.
func (v *visit) may(operation string) bool { return v.Role.May(operation) }

// answer is what a screen answers: a page, or another address that shows it.
type answer struct {
	page   string // the file in pages, without .html
	with   string // a further file that the page is made with, such as platforms/stripe
	title  string // of the page and the window; it names no order and nobody
	status int    // 200 where 0
	data   any    // of the page
	band   *band  // above it
	see    string // the address to go to, with GET, in place of a page
	alone  string // HTML that is no page of the portal's, such as a mail in its frame
	policy string // the Content-Security-Policy of such HTML
	file   *file  // to be stored by the browser, in place of a page
	json   any    // what a script asked for, in place of a page
	sends  string // the origin that the page's forms and scripts send files to besides; "": none
	secret bool   // the page holds what is shown once, and kept nowhere

	cookies func(http.ResponseWriter) // sets cookies; nil: none
}

// file is what a browser stores.
type file struct{ name, media, content string }

// band is a sentence above a page: what was done, or what is wrong.
type band struct {
	Class string // good, calm, warn or stop
	Says  string
	// Does is the address of a form's POST that the band has a button for, such as undoing
	// what was done, Button the word on it, and Values what the form holds. Empty: none.
	Does   string
	Button string
	Values map[string]string
}

// maxForm is the most that a form may hold, in bytes: a file of keys goes into the bucket.
const maxForm = 1 << 20

// The names of cookies. A browser takes such a name over HTTPS alone, for this host, and for
// all of its paths.
const (
	sessionCookie = "__Host-keypool"
	signInCookie  = "__Host-keypool-signin"
	backCookie    = "__Host-keypool-back" // where to go once signed in
)

// maxPath is more than the longest path of anything, in bytes: the store has no key as long.
const maxPath = 1000

// signedIn returns the handler of a screen.
func (p *portal) signedIn(s screen) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		visitor, ok, err := p.visitor(r)
		switch {
		case err != nil:
			p.fail(w, r, nil, err)
			return
		case !ok:
			p.toSignIn(w, r)
			return
		}
		v := &visit{Visitor: visitor, now: p.now()}
		v.From = web.CallerAddress(r)
		v.Request = r.WithContext(access.With(r.Context(), v.Principal))
		var a answer
		if v.merchant, ok, err = p.merchants.Merchant(r.Context(), v.Merchant); err == nil && !ok {
			err = errNotFound
		}
		if err == nil && len(r.URL.Path) > maxPath {
			err = errNotFound
		}
		if err == nil && s.does != "" {
			err = v.May(s.does)
		}
		if err == nil && s.fresh && !v.Fresh(v.now) {
			err = errNotFresh
		}
		if err == nil && r.Method == http.MethodPost {
			v.form, err = readForm(r, s)
		}
		if err == nil {
			a, err = p.once(v, s)
		}
		if errors.Is(err, errNotFresh) {
			a, err = answer{see: againPath + "?to=" + url.QueryEscape(pageBehind(r))}, nil
		}
		if err != nil {
			p.fail(w, r, v, err)
			return
		}
		p.write(w, r, v, a)
	}
}

// errNotFresh means that something is for who signed in a moment ago: the visitor is asked to show
// to be there, and comes back to the page.
var errNotFresh = errors.New("signed in too long ago")

// readForm returns the form that a request sends to a screen.
func readForm(r *http.Request, s screen) (url.Values, error) {
	form, err := web.Form(r, cmp.Or(s.largest, maxForm))
	switch {
	case s.largest > 0 && errors.Is(err, web.ErrFormLarge):
		err = errDocumentLarge
	case err == nil && !settings.IsReason(form.Get("reason")):
		err = errReason
	}
	return form, err
}

// once serves a form. One with an id of its own (see frame.Once) does what it does once, however
// often its button is pressed: the second time leads to where the first one led.
func (p *portal) once(v *visit, s screen) (answer, error) {
	id := v.form.Get("once")
	if id == "" || len(id) > idempotency.MaxKey || s.reads {
		return s.serve(v)
	}
	caller := "portal#" + v.Merchant + "#" + v.Session.Person
	call, done, err := p.calls.Begin(v.Context(), idempotency.NewCall(caller, id, v.Pattern, v.URL.Path, v.form.Encode()))
	switch {
	case err != nil:
		return answer{}, err
	case done:
		return answer{see: call.Answer.Headers["Location"]}, nil
	}
	v.Request = v.WithContext(idempotency.With(v.Context(), call))
	a, err := s.serve(v)
	var made idempotency.Answer
	if err == nil && (a.see != "" || a.secret) {
		made = idempotency.Answer{Status: http.StatusOK, Headers: map[string]string{"Location": a.see}}
	}
	if failed := p.calls.End(v.Context(), call, made, a.secret); failed != nil {
		slog.WarnContext(v.Context(), "form.not_kept", "route", v.Pattern, "error", failed)
	}
	return a, err
}

// visitor returns whom the session of a request lets in.
func (p *portal) visitor(r *http.Request) (access.Visitor, bool, error) {
	return p.door.Visitor(r.Context(), cookie(r, sessionCookie))
}

// maxBack is the longest address that a browser comes back to: a longer cookie, it would not take.
const maxBack = 1000

// toSignIn sends a browser that is not signed in to the form, and has it come back.
func (p *portal) toSignIn(w http.ResponseWriter, r *http.Request) {
	if to := pageBehind(r); to != homePath && len(to) <= maxBack {
		setCookie(w, backCookie, url.QueryEscape(to), access.SignInGoodFor)
	}
	http.Redirect(w, r, signInPath, http.StatusSeeOther)
}

// pageBehind returns the address of the page that a request is for, or of the one whose form
// it sends.
func pageBehind(r *http.Request) string {
	if r.Method == http.MethodGet {
		return safePath(r.URL.RequestURI())
	}
	from, err := url.Parse(r.Header.Get("Referer"))
	if err != nil || from.Host != r.Host {
		return homePath
	}
	return safePath(from.RequestURI())
}

// safePath returns an address if it is one of the portal's, else that of its first page: an
// address that somebody else wrote must not lead away.
func safePath(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, homePath+"/") || u.Path != path.Clean(u.Path) || strings.ContainsAny(to, "\\\r\n") || strings.HasPrefix(u.Path, signInPath) {
		return homePath
	}
	return u.RequestURI()
}

// cookie returns the value of a cookie, empty if there is none.
func cookie(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// setCookie sets a cookie, or takes it away if it lasts no time. Links in mails must find
// the session: a cookie that is sent along with them is not SameSite=Strict.
func setCookie(w http.ResponseWriter, name, value string, lasts time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: cmp.Or(int(lasts/time.Second), -1), Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// fail answers by the page of an error. What is ours to mend is in the log alone.
func (p *portal) fail(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	a, known := failure(err)
	switch {
	case !known:
		slog.ErrorContext(r.Context(), "request.failed", "route", r.Pattern, "error", err)
	case a.status == http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "2")
		slog.WarnContext(r.Context(), "request.deferred", "route", r.Pattern, "error", err)
	}
	p.write(w, r, v, a)
}
