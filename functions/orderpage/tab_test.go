//go:build browser

package main

import (
	"testing"

	"keypool/infra/browser"
	"keypool/shared/lifecycle"
	"keypool/shared/link"
	"keypool/shared/order"
)

func TestMain(m *testing.M) { browser.Main(m) }

// tab opens a tab of Chromium on the order page.
func (w *world) tab() *browser.Tab {
	w.Helper()
	return browser.Open(w.T, browser.Serve(w.T, w.serve))
}

// A customer finds the keys behind the button, and copies them; without script too.
func TestBrowser_keys(t *testing.T) {
	w := open(t)
	f := w.sold("A-1", "elden", 2, 2)
	w.sold("A-1", "ring", 1, 0)
	b := w.tab()
	b.Go(w.link(f))
	b.Has("Elden: The Long Night", "Ring")
	b.HasNot("KEY-")
	b.Look("ready")
	b.Press("Show the keys")
	b.Has("KEY-A-1-elden-0000", "KEY-A-1-elden-0001")
	b.Look("shown")
	b.Run(`navigator.clipboard.writeText = async t => { window.copied = t }`)
	b.PressHere("Copy all")
	b.Until("both keys are copied", `window.copied === "KEY-A-1-elden-0000\nKEY-A-1-elden-0001"`)

	b = w.tab()
	b.WithoutScript()
	b.Go(w.link(f))
	b.Press("Show the keys")
	b.Has("KEY-A-1-elden-0000", "Download as text")
	b.HasNot("Copy")
}

// Each state of an order has a page that everybody can read.
func TestBrowser_states(t *testing.T) {
	w := open(t)
	b := w.tab()
	see := func(name string, f order.Fulfillment, says string) {
		t.Helper()
		b.Go(w.link(f))
		b.Has(says)
		b.Look(name)
	}
	see("waiting", w.sold("A-1", "elden", 1, 0), "Your order is safe.")
	see("partly", w.sold("A-2", "elden", 2, 1), "Ready so far: 1 of 2 keys.")
	held := w.sold("A-3", "elden", 1, 1)
	if _, err := w.acts.Hold(t.Context(), held.ID, lifecycle.Act{By: "ada"}); err != nil {
		t.Fatal(err)
	}
	see("held", held, "The shop is looking at this order.")
	b.Go(link.PagePath + "nothing")
	b.Has("This link does not work.")
	b.Look("wrong")
}

// From right to left, where that is the customer's language.
func TestBrowser_rightToLeft(t *testing.T) {
	w := open(t)
	b := w.tab()
	b.Speaks("ar")
	b.Go(w.link(w.sold("A-1", "elden", 2, 2)))
	b.Until("it goes from right to left", `getComputedStyle(document.body).direction === "rtl"`)
	b.Look("ready")
	b.Press(browser.Value[string](b, `document.querySelector("form button").innerText`))
	b.Has("KEY-A-1-elden-0000")
	b.Look("shown")
}
