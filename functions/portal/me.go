package main

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/access"
)

const mePath = homePath + "/me"

func (p *portal) meScreens() []screen {
	return []screen{
		{pattern: "GET " + mePath, serve: p.me},
		{pattern: "POST " + mePath + "/end", serve: p.endSession},
		{pattern: "POST " + mePath + "/end-others", serve: p.endOthers},
		{pattern: "POST " + mePath + "/switch", serve: p.switchTo},
	}
}

// meData is what people see of themselves.
type meData struct {
	Visitor  access.Visitor
	Means    string
	Sessions []sessionRow
	Others   bool // there are other sessions than this one
	Shops    []otherShop
}

type sessionRow struct {
	access.Session
	ID   string // names it in a form; no secret
	This bool
}

// otherShop is another merchant where the same address works.
type otherShop struct{ Name, Title string }

var meDone = map[string]band{
	"ended":  {Says: "Ended: that browser is signed out."},
	"others": {Says: "Ended: all other browsers are signed out."},
}

func (p *portal) me(v *visit) (answer, error) {
	data := meData{Visitor: v.Visitor, Means: v.Role.Meaning(), Shops: make([]otherShop, len(v.Session.Also))}
	reading, ctx := errgroup.WithContext(v.Context())
	reading.Go(func() error {
		sessions, err := p.sessionsOf(v)
		for _, s := range sessions[:min(len(sessions), shownSessions)] {
			this := s.Hash == v.Session.Hash
			data.Others = data.Others || !this
			data.Sessions = append(data.Sessions, sessionRow{s, s.Hash[:access.IDLength], this})
		}
		return err
	})
	for i, also := range v.Session.Also {
		reading.Go(func() error {
			m, _, err := p.merchants.Merchant(ctx, also.Merchant)
			data.Shops[i] = otherShop{also.Merchant, cmp.Or(m.Title, also.Merchant)}
			return err
		})
	}
	return answer{page: "me", title: "You", data: data, band: done(v, meDone)}, reading.Wait()
}

// shownSessions is how many sessions the page lists: the last used ones.
const shownSessions = 50

// sessionsOf returns the visitor's sessions that are not over, the last used first.
func (p *portal) sessionsOf(v *visit) ([]access.Session, error) {
	sessions, err := p.sessions.SessionsOf(v.Context(), v.Session.Whom)
	return lasting(sessions, v.now), err
}

func lasting(sessions []access.Session, now time.Time) []access.Session {
	sessions = slices.DeleteFunc(sessions, func(s access.Session) bool { return !s.Good(now) })
	slices.SortFunc(sessions, func(a, b access.Session) int {
		return cmp.Or(b.SeenAt.Compare(a.SeenAt), cmp.Compare(a.Hash, b.Hash))
	})
	return sessions
}

func (p *portal) endSession(v *visit) (answer, error) {
	return p.end(v, "ended", func(s access.Session) bool { return s.Hash[:access.IDLength] == v.form.Get("session") })
}

func (p *portal) endOthers(v *visit) (answer, error) {
	return p.end(v, "others", func(s access.Session) bool { return s.Hash != v.Session.Hash })
}

// end ends those of the visitor's sessions that are meant.
func (p *portal) end(v *visit, word string, meant func(access.Session) bool) (answer, error) {
	sessions, err := p.sessionsOf(v)
	if err != nil {
		return answer{}, err
	}
	ending, ctx := errgroup.WithContext(v.Context())
	ending.SetLimit(8)
	for _, s := range sessions {
		if meant(s) {
			ending.Go(func() error { return p.sessions.EndSession(ctx, s.Whom, s.Hash) })
		}
	}
	return answer{see: mePath + "?done=" + word}, ending.Wait()
}

// switchTo leads to another merchant where the visitor's address works.
func (p *portal) switchTo(v *visit) (answer, error) {
	name, ok, err := p.door.Switch(v.Context(), v.Visitor, v.form.Get("merchant"))
	if err == nil && !ok {
		err = errNotFound
	}
	a := answer{see: homePath}
	if err == nil {
		lasts := v.Session.Ends().Sub(v.now)
		a.cookies = func(w http.ResponseWriter) { setCookie(w, sessionCookie, name, lasts) }
	}
	return a, err
}
