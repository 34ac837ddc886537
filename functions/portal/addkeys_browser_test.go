//go:build browser

package main

import (
	"os"
	"path/filepath"
	"testing"
)

// A file that is chosen, or dropped, is judged in the browser before anything of it is sent.
func TestBrowser_judgesAFile(t *testing.T) {
	w := open(t)
	w.newPool("acme", "elden")
	b := w.tab().signIn("ada@acme.example")
	folder := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	says := func(mark string) {
		t.Helper()
		b.Until("the file is judged: "+mark, `document.getElementById("judged-mark").textContent === "`+mark+`"`)
	}
	b.Go("/portal/pools/elden/add")
	b.Give("#file", file("good.txt", "ELDN-0001\nELDN-0002\n\nELDN-0001\n"))
	says("Looks good")
	b.Has("2 with a key, 1 blank", "AAAA-9999", "1 line, which will be skipped", "Upload 2 keys")
	b.HasNot("ELDN-0001")
	b.Look("add-judged")
	b.Drop(".drop", file("heading.txt", "License key\nELDN-0001\n"))
	says("Will ask you")
	b.Has("There is a heading. (line 1)")
	b.Give("#file", file("table.xlsx", "PK\x03\x04\x00\x00\x00\x00"))
	says("Cannot be read")
	b.Has("It is a spreadsheet or an archive")
}
