//go:build browser

package main

import (
	"fmt"
	"testing"
	"time"

	"keypool/shared/access"
	"keypool/shared/notice"
	"keypool/shared/outbox"
	"keypool/shared/pool"
)

// What the merchant sets of itself, in each state of its page.
func TestBrowser_shopSettings(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newPool("acme", "elden")
	w.person("acme", "rita", "Rita", "rita@acme.example", access.Read)
	b, other := w.tab().signIn("ada@acme.example"), w.tab().signIn("ada@acme.example")
	b.Go(settingsPath)
	b.Look("shop")
	other.Go(shopPath)
	b.Type("Languages of your customers", "en, de")
	b.Type("Where Keypool writes to you", "desk@acme.example")
	b.Press("Save")
	b.Has("Both addresses, the new one and the former one, are told")
	b.Look("shop-saved")
	other.Type("Name", "Acme, again")
	other.Press("Save")
	other.Has("somebody else has changed this meanwhile")
	other.Look("shop-changed-meanwhile")
	other.Go(shopPath)
	other.Type("Time zone", "Mars")
	other.Type("Color of links", "#ffffff")
	other.Press("Save")
	other.Has("Not a time zone")
	other.Look("shop-mistakes")
	reader := w.tab().signIn("rita@acme.example")
	reader.Go(shopPath)
	reader.Look("shop-read")
}

// The list of notices, empty and filled.
func TestBrowser_notices(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.tab().signIn("ada@acme.example")
	b.Go(noticesPath)
	b.Look("notices-empty")
	w.newPool("acme", "elden")
	for state, minutes := range map[outbox.State]int{outbox.Sent: 1, outbox.Bounced: 2, outbox.Delivered: 3, outbox.Complained: 4, outbox.Failed: 5, outbox.None: 6, outbox.Due: 7} {
		w.raise(w.low("acme", "elden", minutes), state)
	}
	for i := range 30 {
		w.raise(notice.New("acme", notice.RefundFailed, fmt.Sprint(i), notice.Facts{Account: "shop-eu", Orders: []string{fmt.Sprint("A-", 1000+i)}}, w.now().Add(-time.Duration(10+i)*time.Hour)), outbox.Delivered)
	}
	b.Go(noticesPath)
	b.Look("notices")
	b.Press("Show more")
	b.Look("notices-more")
	products := []notice.Product{{ID: "mug", Side: pool.Live, Count: 1}, {ID: "cap/1", Side: pool.Live, Count: 1}}
	w.raise(notice.New("acme", notice.Unconnected, "products", notice.Facts{Products: products}, w.now()), outbox.Delivered)
	b.Go(noticesPath)
	b.Look("notices-unconnected")
	b.Press("mug needs no keys")
	b.Has("Done: the product needs no keys.")
	b.Look("notices-ignored")
	b.Press("Undo")
	b.Has("Undone")
}

// All settings as one document: the form, what would change, and what is wrong.
func TestBrowser_import(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.newPool("acme", "elden")
	b := w.tab().signIn("ada@acme.example")
	b.Go(importPath)
	b.Look("import")
	b.Type("The document, as JSON", `{"shop": {"title": "Acme", "notice_address": "desk@acme.example"}, "pools": {"nova": {"title": "Nova"}}, "retention": {"days": 90}}`)
	b.Press("Show what would change")
	b.Has("1 added, 2 changed, 1 removed")
	b.Look("import-difference")
	w.newPool("acme", "gift")
	b.Press("Change it so")
	b.Has("somebody else has changed settings meanwhile")
	b.Look("import-changed-meanwhile")
	b.Press("Change it so")
	b.Has("Done. All settings are as the document says.")
	b.Look("import-done")
	b.Type("The document, as JSON", `{"pools": {"nova": {"titel": "Nova"}}, "products": {"a": {"title": 7}}}`)
	b.Press("Show what would change")
	b.Has("unexpected property")
	b.Look("import-mistakes")
	b.Type("The document, as JSON", `{}`)
	b.Press("Show what would change")
	b.Has("Nothing would change")
	b.Look("import-same")
}
