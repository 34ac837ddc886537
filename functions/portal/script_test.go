//go:build browser

package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	chromium "keypool/infra/browser"
	"keypool/shared/web"
)

// stage is a page with the portal's script, style and headers, whose content a test changes.
type stage struct {
	*chromium.Tab
	mu      sync.Mutex
	content string
	status  int
	asked   int
	sent    []string // what forms sent
}

func newStage(t *testing.T, content string) *stage {
	s := &stage{content: content, status: http.StatusOK}
	w := open(t)
	portal := w.portal.serve()
	s.Tab = chromium.Open(t, chromium.Serve(t, web.Server{Handler: web.Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/portal/stage") {
			portal.ServeHTTP(w, r)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.Method == http.MethodPost {
			r.ParseForm()
			s.sent = append(s.sent, r.PostForm.Get("text"))
			if r.URL.Path == "/portal/stage/preview" {
				w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'self'; sandbox")
				fmt.Fprintf(w, "<title>Preview</title><p>It says %s</p>", r.PostForm.Get("text"))
				return
			}
			time.Sleep(300 * time.Millisecond)
			http.Redirect(w, r, "/portal/stage", http.StatusSeeOther)
			return
		}
		s.asked++
		w.WriteHeader(s.status)
		io.WriteString(w, `<!DOCTYPE html><html lang="en"><meta name="viewport" content="width=device-width"><title>Stage</title><link rel="icon" href="`+assetPath("icon.svg")+`"><link rel="stylesheet" href="`+assetPath("portal.css")+
			`"><script type="module" src="`+assetPath("portal.js")+`"></script><main id="main" tabindex="-1"><h1>Stage</h1>`+s.content+`</main></html>`)
	}), policy, "same-origin")}.Serve))
	s.Go("/portal/stage")
	return s
}

// becomes has the page be another one from now on.
func (s *stage) becomes(status int, content string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.content = status, content
}

// times is how often the page was asked for.
func (s *stage) times() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// A region is shown as it is now, keeps the focus and what was opened, and rests once it is done.
func TestBrowser_refresh(t *testing.T) {
	s := newStage(t, `<div id="report" data-refresh="100"><p role="status">1 line</p><details><summary>More</summary><p>inner</p></details><a href="/portal">First</a> <a href="/portal">Second</a></div><p>outside 1</p>`)
	s.PressHere("More")
	s.Has("inner")
	s.Run(`document.querySelectorAll("#report a")[1].focus()`)
	s.becomes(http.StatusOK, `<div id="report" data-refresh="100"><p role="status">2 lines</p><details><summary>More</summary><p>inner</p></details><a href="/portal">First</a> <a href="/portal">Second</a></div><p>outside 2</p>`)
	s.Has("2 lines", "inner", "outside 1")
	s.Until("the focus stays", `document.activeElement.textContent === "Second"`)
	s.Until("it is said", `document.body.lastElementChild.textContent === "2 lines"`)

	s.becomes(http.StatusServiceUnavailable, "")
	s.Forgive("503")
	before := s.times()
	time.Sleep(1500 * time.Millisecond) // after 100, 200, 400 and 800 ms
	if n := s.times() - before; n > 5 || n == 0 {
		t.Errorf("it asked %d times in 1.5 seconds of errors", n)
	}
	s.becomes(http.StatusOK, `<div id="report"><p role="status">3 lines, all</p></div>`)
	s.Has("3 lines, all")
	before = s.times()
	s.Until("the end is said too, after a pause", `document.body.lastElementChild.textContent === "3 lines, all"`)
	if s.times() != before {
		t.Error("it asks on although it is done")
	}
}

// What somebody types in a region is not taken away, and a tab that nobody sees rests.
func TestBrowser_refreshWaits(t *testing.T) {
	s := newStage(t, `<div id="report" data-refresh="100"><label for="text">Text</label><input id="text"> <p>one</p></div>`)
	s.Type("Text", "half a sent")
	s.becomes(http.StatusOK, `<div id="report" data-refresh="100"><label for="text">Text</label><input id="text"> <p>two</p></div>`)
	time.Sleep(500 * time.Millisecond)
	s.Has("one")
	if got := chromium.Value[string](s.Tab, `document.getElementById("text").value`); got != "half a sent" {
		t.Errorf("typed was %q", got)
	}
	s.Run(`document.activeElement.blur()`)
	s.Has("two")
	s.Run(`Object.defineProperty(document, "hidden", {value: true, configurable: true})`)
	time.Sleep(300 * time.Millisecond)
	before := s.times()
	time.Sleep(500 * time.Millisecond)
	if s.times() != before {
		t.Error("a tab that nobody sees asks on")
	}
	s.Run(`delete document.hidden; document.dispatchEvent(new Event("visibilitychange"))`)
	time.Sleep(500 * time.Millisecond)
	if s.times() == before {
		t.Error("a tab that is seen again asks no more")
	}
}

// Without script nothing offers what needs it.
func TestBrowser_copy(t *testing.T) {
	const content = `<code id="key" class="key"> AAAAA-11111 </code><button type="button" data-copy="key">Copy</button>`
	s := newStage(t, content)
	s.Run(`navigator.clipboard.writeText = async t => { window.copied = t }`)
	s.PressHere("Copy")
	s.Has("Copied")
	s.Until("the key was copied", `window.copied === "AAAAA-11111"`)
	s.Until("it is said", `document.body.lastElementChild.textContent === "Copied"`)
	s.Until("the button is as it was", `document.querySelector("[data-copy]").textContent === "Copy"`)
	s.Run(`navigator.clipboard.writeText = async () => { throw 1 }`)
	s.PressHere("Copy")
	s.Has("Copy it by hand")
	s.Until("it is marked", `getSelection().toString().trim() === "AAAAA-11111"`)

	s = newStage(t, content)
	s.WithoutScript()
	s.Go("/portal/stage")
	s.Has("AAAAA-11111")
	s.HasNot("Copy")
}

// A form is sent once, and one that goes to a frame as often as it likes.
func TestBrowser_sentOnce(t *testing.T) {
	s := newStage(t, `<form method="post" action="/portal/stage"><label for="text">Text</label><input id="text" name="text"><button>Send</button></form>`)
	s.Type("Text", "hello")
	s.Run(`const b = document.querySelector("button"); b.click(); b.click(); setTimeout(() => b.click(), 50)`)
	s.Until("it is there again", `performance.getEntriesByType("navigation")[0].redirectCount > 0 || document.getElementById("text").value === ""`)
	time.Sleep(500 * time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sent) != 1 {
		t.Errorf("it was sent %d times", len(s.sent))
	}
}

// A preview follows what is typed, and the browser's Back leads back from the page.
func TestBrowser_preview(t *testing.T) {
	s := newStage(t, `<form method="post" action="/portal/stage"><label for="text">Text</label><input id="text" name="text" required><button>Save</button>
		<button data-preview formaction="/portal/stage/preview" formtarget="shown" formnovalidate>Show it</button></form><iframe name="shown" title="Preview" sandbox></iframe>`)
	before := chromium.Value[int](s.Tab, `history.length`)
	for i, text := range []string{"one", "two", "three"} {
		s.Type("Text", text)
		for began := time.Now(); ; time.Sleep(30 * time.Millisecond) {
			s.mu.Lock()
			got := strings.Join(s.sent, " ")
			s.mu.Unlock()
			if got == strings.Join([]string{"one", "two", "three"}[:i+1], " ") {
				break
			}
			if time.Since(began) > 10*time.Second {
				t.Fatalf("sent was %q", got)
			}
		}
		s.Until("there is one frame, and it is seen", `document.querySelectorAll("iframe").length === 1 && document.querySelector("iframe").checkVisibility()`)
	}
	if after := chromium.Value[int](s.Tab, `history.length`); after != before {
		t.Errorf("the history has %d places more", after-before)
	}
}

// A dropped file is in the file field, as if it were chosen there.
func TestBrowser_drop(t *testing.T) {
	s := newStage(t, `<div class="drop" data-drop="file"><label for="file">Keys</label><input id="file" type="file"></div>`)
	file := filepath.Join(t.TempDir(), "keys.txt")
	if err := os.WriteFile(file, []byte("AAAAA-11111\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Run(`document.getElementById("file").addEventListener("change", e => { window.changed = e.target.files[0].name })`)
	s.Drop("[data-drop]", file)
	s.Until("the file is given", `window.changed === "keys.txt" && document.getElementById("file").files.length === 1 && !document.querySelector(".over")`)
}
