//go:build browser

package main

import (
	"path"
	"strings"
	"testing"
	"time"

	"keypool/shared/access"
	"keypool/shared/upload"
)

// Each page, in each state that it has in a new shop, in one in the middle of its day and in one
// that has all set up, can be read and used by everybody, and offers the same without script.
func TestBrowser_pages(t *testing.T) {
	t.Parallel()
	for name, world := range worlds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world(t)
			b := w.tab().signIn("ada@acme.example")
			without := w.tab()
			without.WithoutScript()
			without.signIn("ada@acme.example")
			for _, p := range w.signIn("ada@acme.example").crawl() {
				if !strings.Contains(p.body, "</main>") {
					continue
				}
				b.Go(p.at)
				path, _, _ := strings.Cut(p.at, "?")
				if b.Look(nameOf(screenOf("GET", path))) {
					without.Go(p.at)
					b.Offers(without.Tab)
				}
			}
		})
	}
}

// nameOf is the name of a screen's pictures: portal-pools-pool of GET /portal/pools/{pool}.
func nameOf(screen string) string {
	return strings.Trim(strings.NewReplacer("GET /", "", "/", "-", "{", "", "}", "").Replace(screen), "-")
}

// Keys are pasted, their report is followed by itself until it is done, and all of it works by
// a bare form.
func TestBrowser_pasteKeys(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]bool{"with script": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			w.newPool("acme", "elden")
			b := w.tab()
			if !script {
				b.WithoutScript()
			}
			b.signIn("ada@acme.example")
			b.Press("Add keys")
			b.Paste("Keys, one to a line", "AAAAA-11111\nAAAAA-22222\n")
			b.Press("Add these keys")
			b.Has("Your keys have arrived")
			at, _, _ := strings.Cut(b.Address(), "?")
			w.read("acme", "elden", func(u *upload.Upload) { u.ID = path.Base(at) })
			if !script {
				b.Press("Look again")
			}
			b.Has("1 key added", "Already sold 1 line")
		})
	}
}

// What somebody else changed meanwhile is not lost, and neither is what was typed.
func TestBrowser_twoBrowsersOnOneSetting(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newPool("acme", "elden")
	w.person("acme", "max", "Max", "max@acme.example", access.Owner)
	one, other := w.tab().signIn("ada@acme.example"), w.tab().signIn("max@acme.example")
	for _, b := range []*tab{one, other} {
		b.Go("/portal/pools/elden/settings")
	}
	one.Type("Title", "Elden, the first")
	one.Press("Save")
	one.Has("Elden, the first")
	other.Type("Title", "Elden, the second")
	other.Press("Save")
	other.Look("changed-meanwhile")
	other.Go("/portal/pools/elden/settings")
	other.Until("the first name stands", `[...document.querySelectorAll("input")].some(i => i.value === "Elden, the first")`)
}

// A program that opens and submits each link of a mail signs nobody in, and uses nothing up.
func TestBrowser_scanner(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.tab()
	b.Go("/portal/sign-in")
	b.Type("Your mail address", "ada@acme.example")
	b.Press("Mail me")
	link, code := b.mailed()
	scanner := w.tab()
	scanner.Go("/portal/sign-in/" + link)
	scanner.Has("This link does not sign in here")
	scanner.Leads(func() {
		scanner.Run(`const f = document.createElement("form"); f.method = "post"; f.action = "/portal/sign-in/` + link + `"; document.body.append(f); f.submit()`)
	})
	if scanner.Cookie(sessionCookie) != "" {
		t.Error("the scanner is signed in")
	}
	elsewhere := w.tab()
	elsewhere.Go("/portal/sign-in/" + link)
	elsewhere.Has("Type the code of the mail there")
	b.Type("Code, 7 digits", code)
	b.Press("Sign in")
	b.Has("Good day, Ada")
	w.later(access.FreshFor + time.Minute)
	b.Go(invitePath)
	b.Has("Is it you?")
	b.Look("again")
	b.Press("Mail me a code")
	_, code = b.mailed()
	b.Type("Code, 7 digits", code)
	b.Press("Continue")
	b.Has("Invite")
}
