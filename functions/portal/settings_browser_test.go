//go:build browser

package main

import (
	"testing"

	"keypool/shared/access"
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
	other.Has("Somebody else has changed this meanwhile")
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
