//go:build browser

package main

import "testing"

// A preview takes the place of the frame beside the text. What becomes of a sample is said in the
// new one, and in no other tab.
func TestBrowser_sampleBesideItsText(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	b := s.tab().signIn("ada@acme.example")
	b.Go(textPath("4711", "en"))
	b.Type("Text", "Enjoy: {KEY}")
	b.Until("the mail with the new text is shown", `document.querySelector("iframe[name^='mail-']:not([hidden])") !== null`)
	b.Until("a sample is sent to the frame that is there", `document.querySelector("button[formaction$='/send']").formTarget === document.querySelector("iframe").name`)
	b.Until("the page ends below its cards", `document.documentElement.scrollHeight - document.querySelector("main").getBoundingClientRect().bottom - scrollY < 100`)
}
