//go:build browser

package main

import (
	"strings"
	"testing"

	"keypool/infra/browser"
	"keypool/shared/catalog"
	"keypool/shared/link"
	"keypool/shared/mail/frame"
	"keypool/shared/order"
)

func TestMain(m *testing.M) { browser.Main(m) }

// tab opens a tab of Chromium on the order page.
func (w *world) tab() *browser.Tab {
	w.Helper()
	return browser.Open(w.T, browser.Serve(w.T, w.serve))
}

// A customer finds the keys behind the button, copies them, keeps them as a file, and has the
// mail sent again; without script too.
func TestBrowser_keys(t *testing.T) {
	t.Parallel()
	w := open(t)
	f := w.sold("A-1", "elden", 2, 2)
	w.sold("A-1", "ring", 1, 0)
	change := order.ChangeOf(w.line(f.ID))
	change.After.Mail = sent
	w.must(w.store.Commit(t.Context(), change))
	keep := func(b *browser.Tab) {
		t.Helper()
		file := b.Download(func() { b.PressHere("Download as text") })
		if !strings.Contains(file, "KEY-A-1-elden-0000\r\nKEY-A-1-elden-0001\r\n") {
			t.Errorf("the file holds %q", file)
		}
	}
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
	b.PressHere("Copy")
	b.Until("one key is copied, and that is said", `window.copied === "KEY-A-1-elden-0000" && document.getElementById("said").textContent === "Copied"`)
	keep(b)
	b.Press("Send the mail again")
	b.Has("The mail is on its way to")
	b.Look("sent")

	without := w.tab()
	without.WithoutScript()
	without.Go(w.link(f))
	without.Press("Show the keys")
	without.Has("KEY-A-1-elden-0000")
	without.HasNot("Copy")
	keep(without)
	without.Press("Send the mail again")
	without.Has("The mail is on its way to")
}

// Each state of an order has a page that everybody can read.
func TestBrowser_states(t *testing.T) {
	t.Parallel()
	for name, state := range states {
		w := open(t)
		f := w.sold("A-1", "elden", 2, state.held)
		if state.do != nil {
			w.must(state.do(w, f))
		}
		b := w.tab()
		b.Go(w.link(f))
		b.Has(state.says)
		b.Look(name)
	}
	w := open(t)
	w.sold("A-1", "elden", 1, 0)
	f := w.sold("A-2", "elden", 1, 0)
	w.pages(catalog.OrderPages{Default: catalog.OrderPageOn, QueuePlace: true})
	b := w.tab()
	b.Go(w.link(f))
	b.Has("Your place in the queue: 2")
	b.Look("queue")
	b.Go(link.PagePath + "nothing")
	b.Has("This link does not work.")
	b.Look("wrong")
	b.Go("/o/lost/nova")
	b.Look("lost")
	b.Type("Email", "mara@example.com")
	b.Type("Order", "A-1")
	b.Press("Send the mail")
	b.Has("its mail is on its way")
	b.Look("lost-sent")
}

// Everybody can read the page in every language, from right to left too, with a logo that does
// not come, keys that are links, and names as long as they may be.
func TestBrowser_languages(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.product(catalog.Product{ID: "long", Title: "Elden Professional 4: the Complete and Unabridged Anniversary Edition, with all Nineteen Extensions", OrderPage: catalog.OrderPageOn, Download: "https://nova.example/elden.zip", Instructions: "https://nova.example/how"})
	w.merchant(catalog.Merchant{Name: "nova", Title: "The Nova Software and Interactive Entertainment Trading Company of Berlin, Hamburg and Munich", Color: "#1d3a8a"})
	f := w.sold("2026-11-23/ORDER/0123456789abcdef0123456789abcdef", "long", 2, 2)
	w.sold(f.Order, "ring", 2, 1)
	b := w.tab()
	for _, language := range frame.Languages() {
		b.Speaks(language)
		b.Go(w.link(f))
		b.Until("it is in "+language, `document.documentElement.lang === "`+language+`"`)
		if language == "ar" {
			b.Until("it goes from right to left", `getComputedStyle(document.body).direction === "rtl"`)
			b.Look("ready-" + language)
		}
		b.Press(browser.Value[string](b, `document.querySelector("form button.main").innerText`))
		b.Has("long-0000")
		b.Look("shown-" + language)
	}
}
