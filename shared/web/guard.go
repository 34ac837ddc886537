package web

import (
	"net/http"
	"net/url"
	"strings"

	"keypool/shared/problem"
)

// guarded serves pages to people.
type guarded struct {
	http.Handler
	head func(http.Header)
}

// Guard lets a function serve pages to people. A form of another site is refused, 403, whoever
// is signed in. Every answer has the headers that pages need, that of a Server whose handler
// panics too; policy is its Content-Security-Policy and referrer its Referrer-Policy, unless the
// handler sets others.
func Guard(handler http.Handler, policy, referrer string) http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		problem.New(http.StatusForbidden, "This came from another site, and nothing was done. Open the page itself, and press the button there.").Write(w, r)
	}))
	return guarded{guard.Handler(handler), func(h http.Header) {
		h.Set("Content-Security-Policy", policy)
		h.Set("Strict-Transport-Security", "max-age=31536000")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", referrer)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "clipboard-write=(self), camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		h.Set("X-Robots-Tag", "noindex")
		h.Set("Cache-Control", "no-store")
	}}
}

func (g guarded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.head(w.Header())
	g.Handler.ServeHTTP(w, r)
}

// PicturesOf returns where a picture comes from, as a Content-Security-Policy names it:
// "https://cdn.example". It is "" for an address that it cannot name, so that nothing of the
// address becomes a rule of the policy.
func PicturesOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || strings.ContainsAny(u.Host, "*;,' ") {
		return ""
	}
	return "https://" + u.Host
}
