//go:build browser

package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keypool/shared/upload"
)

// A file that is chosen, or dropped, is judged in the browser before anything of it is sent.
func TestBrowser_judgesAFile(t *testing.T) {
	t.Parallel()
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
	b.Give("#file", file("odd.txt", strings.Repeat("\n", 3)+"AAAA-0001\nAAAA-0002\nAAAA-0003\nAAAA-0004\nAAAA-0005\nAAAA-0006\nAAAA-0007\nAAAA-0008\nAAAA-0009\nAAAA-0010\nAAAA-0011\nAAA-012\n"))
	says("Please look")
	b.Has("Look different", "1 line: 15", "Upload 12 keys")
	b.Drop(".drop", file("heading.txt", "License key\nELDN-0001\n"))
	says("Will ask you")
	b.Has("There is a heading. (line 1)")
	b.Give("#file", file("table.csv", "no,license key\n1,ELDN-0001\n2,ELDN-0002\n3,\n"))
	says("Please look")
	b.Has("2 with a key, and a heading", "1 line without a key in its column", "Upload 2 keys")
	b.Look("add-judged-table")
	b.Give("#file", file("columns.csv", "a,b\nc,d\n"))
	says("Cannot be read")
	b.Has("Which of its columns has the keys cannot be told.")
	b.Give("#file", file("table.xlsx", "PK\x03\x04\x00\x00\x00\x00"))
	says("Cannot be read")
	b.Has("It is a spreadsheet or an archive")
}

// bucket is a bucket that takes files by forms, as S3 does, on an origin of its own.
func (w *world) bucket() {
	w.Helper()
	site := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		rw.Header().Set("Access-Control-Allow-Methods", "POST")
		file, header, err := r.FormFile("file")
		if r.Method == http.MethodOptions || err != nil {
			return
		}
		content, err := io.ReadAll(file)
		if err != nil {
			w.Error(err)
		}
		name := strings.Replace(r.FormValue("key"), upload.AnyFile, header.Filename, 1)
		w.files.put(name, string(content))
		if to := r.FormValue("success_action_redirect"); to != "" {
			http.Redirect(rw, r, to+"?"+url.Values{"bucket": {"uploads"}, "key": {name}}.Encode(), http.StatusSeeOther)
			return
		}
		rw.WriteHeader(http.StatusCreated)
	}))
	w.Cleanup(site.Close)
	w.files.address = site.URL + "/"
}

// Keys come into an empty pool for which orders wait: by a file that is chosen, dropped, or sent by
// a bare form, and the report is followed to its end, with the orders that get them.
func TestBrowser_addKeys(t *testing.T) {
	t.Parallel()
	for name, way := range map[string]struct {
		script bool
		send   func(b *tab, file string)
	}{
		"chosen":  {true, func(b *tab, file string) { b.Give("#file", file); b.Has("Upload 2 keys"); b.Press("Upload 2 keys") }},
		"dropped": {true, func(b *tab, file string) { b.Drop(".drop", file); b.Has("Upload 2 keys"); b.Press("Upload 2 keys") }},
		"bare":    {false, func(b *tab, file string) { b.Give("#file", file); b.Press("Upload the file") }},
	} {
		t.Run(name, func(t *testing.T) {
			s := openSeller(t)
			s.bucket()
			s.sell("acme", "1001", 1)
			s.sell("acme", "1002", 1)
			b := s.tab()
			s.portal.publicURL = b.Site
			look, again := b.Look, func() {}
			if !way.script {
				b.WithoutScript()
				look, again = func(string) bool { return false }, func() { b.Press("Look again") }
			}
			b.signIn("ada@acme.example")
			b.Go("/portal/pools/elden")
			b.Has("2 orders wait")
			b.Press("Add keys")
			file := filepath.Join(t.TempDir(), "elden.txt")
			if err := os.WriteFile(file, []byte("ELDN-0001\nELDN-0002\n\nELDN-0001\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			way.send(b, file)
			b.Has("Your keys have arrived")
			look("report-arrived")
			asked := s.ingest()
			again()
			b.Has("2 keys added, 1 line left out.", "2 orders that waited are being served")
			look("report-serving")
			s.fill(asked)
			again()
			b.Has("Every order that waited for them has its keys.")
			if way.script {
				b.Has("Your browser saw", "2 keys, 1 line twice in the file")
				b.HasNot("not what was read")
				b.announces("Every order that waited for them has its keys.")
			}
			look("report-served")
			b.Type("Order number, mail address or key", "1001")
			b.Enter()
			b.Has("elden.txt")
			b.HasNot("ELDN-")
		})
	}
}
