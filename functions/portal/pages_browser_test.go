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

// Each page, empty and filled, can be read and used by everybody.
func TestBrowser_pages(t *testing.T) {
	t.Run("empty", func(t *testing.T) {
		w := open(t)
		b := w.tab().signIn("ada@acme.example")
		b.Look("home")
		for name, path := range map[string]string{"pools": "/portal/pools", "uploads": "/portal/uploads", "products": "/portal/products", "tokens": tokensPath, "audit": auditPath} {
			b.Go(path)
			b.Look(name)
		}
	})
	t.Run("filled", func(t *testing.T) {
		w, read, held := busy(t)
		b := w.tab().signIn("ada@acme.example")
		b.Look("home")
		for _, p := range []struct{ name, path string }{
			{"pools", "/portal/pools"},
			{"pool", "/portal/pools/elden"},
			{"pool-settings", "/portal/pools/elden/settings"},
			{"pool-delete", "/portal/pools/elden/delete"},
			{"pool-new", "/portal/pools/-/new"},
			{"add", "/portal/pools/elden/add"},
			{"uploads", "/portal/uploads"},
			{"upload", "/portal/uploads/" + read},
			{"upload-held", "/portal/uploads/" + held},
			{"upload-withdraw", "/portal/uploads/" + read + "/withdraw"},
			{"products", "/portal/products"},
			{"product", "/portal/products/4711"},
			{"product-new", "/portal/products/new"},
			{"people", peoplePath},
			{"person", peoplePath + "/grace"},
			{"person-remove", peoplePath + "/grace/remove"},
			{"invite", invitePath},
			{"tokens", tokensPath},
			{"audit", auditPath},
		} {
			b.Go(p.path)
			if at := b.Address(); at != p.path {
				t.Errorf("%s leads to %s", p.path, at)
			}
			b.Look(p.name)
		}
	})
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
	b.Press("Go on")
	b.Has("Invite")
}
