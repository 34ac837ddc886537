//go:build browser

package main

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"keypool/shared/access"
	"keypool/shared/upload"
)

// Each page, in a new shop, in one in the middle of its day and in one that has all set up, can
// be read and used by everybody, and offers the same without script.
func TestBrowser_pages(t *testing.T) {
	for name, world := range worlds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world(t)
			b := w.tab().signIn("ada@acme.example")
			without := w.tab()
			without.WithoutScript()
			without.signIn("ada@acme.example")
			looked := map[string]int{}
			for _, p := range w.signIn("ada@acme.example").crawl() {
				path, _, _ := strings.Cut(p.at, "?")
				screen := screenOf("GET", path)
				if !strings.Contains(p.body, "</main>") || looked[screen] == max(states[screen], 1) || !kinds.add(screen, p.body) {
					continue
				}
				looked[screen]++
				b.Go(p.at)
				b.Look(nameOf(screen, looked[screen]))
				without.Go(p.at)
				b.Offers(without.Tab)
			}
		})
	}
}

// kinds are the kinds of elements that were looked at of each screen, in any shop.
var kinds = elements{of: map[string]bool{}}

type elements struct {
	sync.Mutex
	of map[string]bool
}

var (
	element = regexp.MustCompile(`<([a-z0-9]+)([^>]*)`)
	kind    = regexp.MustCompile(` (?:class|type|role)="[^"]*"`)
)

// add reports whether a page has a kind of element that none of its screen had before.
func (k *elements) add(screen, body string) (brings bool) {
	k.Lock()
	defer k.Unlock()
	for _, e := range element.FindAllStringSubmatch(body, -1) {
		of := screen + " " + e[1] + strings.Join(kind.FindAllString(e[2], -1), "")
		brings = brings || !k.of[of]
		k.of[of] = true
	}
	return brings
}

// states are the screens that look different from one thing to the next.
var states = map[string]int{"GET /portal/orders/{order}": 9, "GET /portal/uploads/{upload}": 3, "GET /portal/platforms/{account}/connect": 9}

// nameOf is the name of a screen's pictures: portal-pools-pool of GET /portal/pools/{pool}.
func nameOf(screen string, number int) string {
	name := strings.Trim(strings.NewReplacer("GET /", "", "/", "-", "{", "", "}", "").Replace(screen), "-")
	if number > 1 {
		name += fmt.Sprint("-", number)
	}
	return name
}

// Keys are pasted, their report is followed by itself until it is done, and all of it works by
// a bare form.
func TestBrowser_pasteKeys(t *testing.T) {
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
