//go:build browser

package main

import (
	"fmt"
	"testing"
	"time"

	"keypool/shared/access"
	"keypool/shared/notice"
	"keypool/shared/outbox"
)

// What the merchant sets of itself, in each state of its page.
func TestBrowser_shopSettings(t *testing.T) {
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
}
