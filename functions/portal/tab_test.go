//go:build browser

package main

import (
	"fmt"
	"testing"

	chromium "keypool/infra/browser"
)

func TestMain(m *testing.M) { chromium.Main(m) }

// tab is a tab of Chromium on the portal.
type tab struct {
	*chromium.Tab
	world *world
}

// tab opens one, in which nobody is signed in.
func (w *world) tab() *tab {
	w.Helper()
	return &tab{chromium.Open(w.T, chromium.Serve(w.T, w.serve)), w}
}

// announces waits until screen readers are told a text.
func (b *tab) announces(text string) {
	b.Helper()
	b.Until("screen readers are told: "+text, fmt.Sprintf(`document.body.lastElementChild.textContent.includes(%q)`, text))
}

// mailed has the mail written that the tab asked for, and returns its link and code.
func (b *tab) mailed() (link, code string) {
	b.Helper()
	asked := b.world.browser()
	asked.cookies[signInCookie] = b.Cookie(signInCookie)
	return asked.mailed()
}

// signIn signs somebody in, as people do.
func (b *tab) signIn(address string) *tab {
	b.Helper()
	b.Go("/portal/sign-in")
	b.Type("Your mail address", address)
	b.Press("Mail me")
	_, code := b.mailed()
	b.Type("Code, 7 digits", code)
	b.Press("Sign in")
	return b
}

// Somebody signs in by the code of the mail, and by its link; each page is looked at.
func TestBrowser_signIn(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.tab()
	b.Go("/")
	b.Has("Sign in")
	b.Look("sign-in")
	b.Type("Your mail address", "ada@acme.example")
	b.Enter()
	b.Has("Check your mail")
	b.Look("code")
	link, _ := b.mailed()
	b.Type("Code, 7 digits", "000 0000")
	b.Press("Sign in")
	b.Has("This is not the code")
	b.Look("code-wrong")
	b.Go("/portal/sign-in/" + link)
	b.Look("link")
	b.Press("Sign in")
	b.Has("Good day, Ada")
	b.Look("home")
	b.Go("/portal/sign-in/" + link)
	b.Has("does not sign in here")
	b.Look("elsewhere")
	b.Go("/portal/nothing")
	b.PressHere("Ada")
	b.Look("nothing")
}

// All of it works without script.
func TestBrowser_withoutScript(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.tab()
	b.WithoutScript()
	b.signIn("ada@acme.example")
	b.Has("Good day, Ada")
	b.PressHere("Ada")
	b.Press("Sign out")
	b.Has("You are signed out.")
}
