package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keypool/infra/local/shop"
)

// A mail may contain any HTML. In the inbox it must not run scripts, nor break out of
// its frame.
func TestMailbox(t *testing.T) {
	t.Parallel()
	machine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"messages":{"000000000000":[
			{"MessageId":"one","Source":"Keypool <keys@keypool.example>","To":["\"Ada\" <ada@shop.example>"],"Subject":"<script>1</script>","BodyText":"a <b> c","BodyHtml":"<html><head></head><p>hello</p>","Timestamp":1.5},
			{"MessageId":"two","Source":"Keypool <keys@keypool.example>","To":["ada@shop.example"],"Subject":"Later","BodyText":"x","BodyHtml":"","Timestamp":2.5}]}}`)
	}))
	defer machine.Close()
	page := httptest.NewServer(mailbox(&shop.Shop{HTTP: machine.Client(), Inbox: machine.URL}))
	defer page.Close()

	for path, want := range map[string]struct {
		status int
		policy string
		words  []string
	}{
		"/":         {200, "default-src 'none'", []string{"<h1>Later</h1>", "&lt;script&gt;", "2 mails"}},
		"/one":      {200, "default-src 'none'", []string{`<iframe sandbox="allow-popups allow-popups-to-escape-sandbox"`, `src="/one/html"`, "a &lt;b&gt; c", "ada@shop.example"}},
		"/one/html": {200, "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'", []string{"<p>hello</p>", `<head><base target="_blank">`}},
		"/three":    {404, "", nil},
	} {
		answer, err := page.Client().Get(page.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		body := string(content)
		if answer.StatusCode != want.status || !strings.HasPrefix(answer.Header.Get("Content-Security-Policy"), want.policy) {
			t.Errorf("%s: %d, %q", path, answer.StatusCode, answer.Header.Get("Content-Security-Policy"))
		}
		for _, words := range want.words {
			if !strings.Contains(body, words) {
				t.Errorf("%s does not show %q", path, words)
			}
		}
		if strings.Contains(body, "<script") {
			t.Errorf("%s holds a script", path)
		}
	}
}

// The file that up writes can be read by a shell and by every other command.
func TestEnvironment_isReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	checkout := t.TempDir()
	if err := os.Mkdir(filepath.Join(checkout, ".local"), 0o755); err != nil {
		t.Fatal(err)
	}
	odd := `it's = "odd" $HOME`
	if err := os.WriteFile(environmentFile(checkout), []byte("# a note\nexport KEYPOOL_SECRET="+shop.Quote(odd)+"\nexport B='x=y'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env, err := readEnvironment(checkout)
	if err != nil {
		t.Fatal(err)
	}
	if env["KEYPOOL_SECRET"] != odd || env["B"] != "x=y" {
		t.Errorf("read %q", env)
	}
}
