package main

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/idempotency"
	"keypool/shared/settings"
	"keypool/shared/web"
)

// portal holds the use cases that the pages call.
type portal struct {
	door      *access.Door
	signIns   *access.SignIns
	sessions  sessions
	merchants merchants
	calls     *idempotency.Guard
	people    *settings.People
	tokens    *settings.Tokens
	trail     *settings.Trail
	notices   *settings.Notices
	orders    *orderDesk
	now       func() time.Time
	stock
	overview
	shop
}

// sessions are the signed-in browsers of people.
type sessions interface {
	SessionsOf(ctx context.Context, of access.Whom) ([]access.Session, error)
	EndSession(ctx context.Context, of access.Whom, hash string) error
}

// merchants knows the settings of merchants, at most half a minute old.
type merchants interface {
	Merchant(ctx context.Context, name string) (catalog.Merchant, bool, error)
}

// screen is an address of the portal for who is signed in.
type screen struct {
	pattern string // "GET /portal/pools/{pool}": see web.Router
	// does is the operation of the API that the address is the face of: it is for the roles that
	// access.Needs gives that. Empty: for everybody who is signed in.
	does  string
	fresh bool // only within access.FreshFor of a sign-in
	reads bool // a POST that changes nothing, however often it is sent
	// largest is the most that its form may hold, in bytes: maxForm where 0.
	largest int64
	serve   func(*visit) (answer, error)
}

// screens returns every screen.
func (p *portal) screens() []screen {
	return slices.Concat(
		p.sessionScreens(),
		p.homeScreens(),
		p.shopScreens(),
		p.noticeScreens(),
		p.orderScreens(),
		p.refusedScreens(),
		p.productScreens(),
		p.poolScreens(),
		p.addKeyScreens(),
		p.uploadScreens(),
		p.stockJobScreens(),
		p.blockScreens(),
		p.jobScreens(),
		p.settingsScreens(),
		p.meScreens(),
		p.peopleScreens(),
		p.tokenScreens(),
		p.auditScreens(),
		p.importScreens(),
		p.textScreens(),
		p.platformScreens(),
		p.testPurchaseScreens(),
		p.ruleScreens(),
		p.mailScreens(),
	)
}

// serve returns the portal.
func (p *portal) serve() http.Handler {
	t := &web.Router{Free: []string{"rest"}}
	t.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, homePath, http.StatusSeeOther) })
	t.HandleFunc("GET /robots.txt", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Write([]byte("User-agent: *\nDisallow: /\n"))
	})
	t.HandleFunc("GET "+assetsPath+"{name}", serveAsset)
	p.addSignIn(t)
	for _, s := range p.screens() {
		t.HandleFunc(s.pattern, p.signedIn(s))
	}
	return web.Guard(t, policy, "same-origin")
}

// policy is what the portal's pages may load and do: see Content-Security-Policy.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-src 'self'; worker-src 'self'; " +
	"base-uri 'none'; object-src 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types keypool"

// policyFor is the policy of a page that sends files to another origin, and whose script judges
// them in a worker before.
func policyFor(origin string) string {
	return strings.NewReplacer("connect-src 'self'", "connect-src 'self' "+origin, "form-action 'self'", "form-action 'self' "+origin, "trusted-types keypool", "trusted-types keypool judge").Replace(policy)
}
