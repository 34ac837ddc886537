package main

import (
	"net/http"
	"strings"
	"testing"

	"keypool/shared/access"
)

// Keys go to an address that somebody types only if that somebody signed in a moment ago: whoever
// finds a browser that is signed in could have them sent home. To send to the same address again
// is for everybody who may.
func TestSend_toAnotherAddressAsksForASignIn(t *testing.T) {
	t.Parallel()
	s := openSeller(t)
	s.stock("acme", several(8, "KEY-")...)
	line := s.sell("acme", "A-1", 1)
	s.mail(line)
	b := s.as(access.Owner)
	s.later(access.FreshFor)
	sent := b.get(pathOf(line)+"/send").actForm("email", "eve@evil.example")
	p := b.send("POST", pathOf(line)+"/send", sent)
	if p.status != http.StatusSeeOther || !strings.HasPrefix(p.headers["Location"], againPath) || s.line(line).Customer.Email != "marcel@gmial.com" {
		t.Errorf("%d to %s, and the address is %s", p.status, p.headers["Location"], s.line(line).Customer.Email)
	}
	b.post(pathOf(line)+"/send", b.get(pathOf(line)+"/send").actForm()).has("Its mail is on its way.")
	// The very form does it once the person has shown to be there.
	fresh := s.as(access.Owner)
	fresh.post(pathOf(line)+"/send", fresh.get(pathOf(line)+"/send").actForm("email", "marcel@gmail.com")).has("The address was corrected")
}

// What a document could do that is otherwise for who signed in a moment ago is so by it too.
func TestImport_asksForASignIn(t *testing.T) {
	t.Parallel()
	w := open(t)
	b := w.signIn("ada@acme.example")
	sent := b.compared(`{"retention": {"days": 1}}`).has("customers are kept").form()
	w.later(access.FreshFor)
	before := w.stored()
	for _, p := range []page{b.send("GET", importPath, nil), b.send("POST", importPath, sent), b.send("POST", applyPath, sent), b.send("POST", rulesPath+"/retention", formOf("1", "retention", "1", "sure", "1"))} {
		if p.status != http.StatusSeeOther || !strings.HasPrefix(p.headers["Location"], againPath) {
			t.Errorf("%s: %d to %s", p.at, p.status, p.headers["Location"])
		}
	}
	for key, is := range w.stored() {
		if before[key] != is && !strings.HasPrefix(key, "sessions#") {
			t.Errorf("%s is %s", key, is)
		}
	}
	if p := b.send("GET", exportPath, nil); p.status != http.StatusOK {
		t.Errorf("the export is %d", p.status)
	}
}
