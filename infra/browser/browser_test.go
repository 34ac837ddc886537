//go:build browser

package browser

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

func TestMain(m *testing.M) {
	code := m.Run()
	Close()
	os.Exit(code)
}

// noted is a test whose mistakes are noted, not reported.
type noted struct {
	testing.TB
	wrong []string
}

func (n *noted) Errorf(format string, args ...any) {
	n.wrong = append(n.wrong, fmt.Sprintf(format, args...))
}

// open opens a tab on a site that shows whatever content is.
func open(t *testing.T, content *string) *Tab {
	return Open(t, Serve(t, func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		return events.APIGatewayV2HTTPResponse{StatusCode: 200, Headers: map[string]string{"Content-Type": "text/html; charset=utf-8"}, Body: `<!DOCTYPE html><html lang="en"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><title>A page</title><link rel="icon" href="data:,"><style>:focus-visible { outline: 3px solid } a { color: LinkText; background: Canvas } @media (prefers-color-scheme: dark) { body { background: #111; color: #eee } a { color: #9cf; background: #111 } }</style><main><h1>A page</h1>` + *content + `</main></html>`}, nil
	}))
}

// What nobody shall meet on a page is found by looking at it.
func TestBrowser_lookFindsWhatIsWrong(t *testing.T) {
	var content string
	b := open(t, &content)
	for wrong, c := range map[string]struct{ content, says string }{
		"nothing":                   {`<p>All is well, <a href="/">everywhere</a>.</p>`, ""},
		"too wide":                  {`<div style="width: 350px">wide</div>`, "320-light: it is"},
		"too wide on usual phones":  {`<style>@media (min-width: 380px) and (max-width: 400px) { p { width: 450px } }</style><p>wide</p>`, "390-light: it is"},
		"unreadable in the dark":    {`<style>@media (prefers-color-scheme: dark) { p { background: #000; color: #333 } }</style><p>hardly seen</p>`, "1100-dark:\n\tcolor-contrast"},
		"a field without a label":   {`<input name="nameless">`, "label: "},
		"a small target":            {`<button style="font-size: 8px; padding: 0; border: 1px solid; height: 12px; width: 12px">x</button><button style="font-size: 8px; padding: 0; border: 1px solid; height: 12px; width: 12px">y</button>`, "target-size"},
		"movement":                  {`<style>@keyframes go { to { opacity: .5 } } p { animation: go 1s infinite }</style><p>moves</p>`, "moves: <p>"},
		"a button without an edge":  {`<button style="border: 0">Edgeless</button>`, "nothing surrounds <button"},
		"a focus that is not seen":  {`<style>a:focus { outline: none }</style><a href="/">Link</a>`, "\"Link\" has no outline"},
		"an order of its own":       {`<a href="/one">First</a> <a href="/two" tabindex="1">Second</a> <a href="/three">Third</a>`, "goes from"},
		"a cover":                   {`<a href="/">Link</a><div style="position: fixed; inset: 0; background: Canvas">Above all</div>`, "is covered by"},
		"changes that nobody hears": {`<div id="report" data-refresh="1000">1 line</div>`, "changes unsaid: <div"},
		"a message of the console":  {`<p>It says something</p><script>console.error("from the page")</script>`, "from the page"},
	} {
		content = c.content
		notes := &noted{TB: t}
		b.TB = notes
		b.Go("/")
		if !b.Look("wrong") {
			t.Errorf("%s: it is not looked at", wrong)
		}
		b.TB = t
		found := func(says string) bool { return c.says != "" && strings.Contains(says, c.says) }
		if c.says == "" && len(notes.wrong) > 0 || c.says != "" && !slices.ContainsFunc(notes.wrong, found) {
			t.Errorf("%s: looking at it finds %q", wrong, notes.wrong)
		}
	}
}

// A state that other words tell alone is looked at, and the same state again is not.
func TestBrowser_looksAtEachStateOnce(t *testing.T) {
	var content string
	b := open(t, &content)
	for _, c := range []struct {
		content string
		looks   bool
	}{
		{`<p>There are 2 orders.</p><ul><li>One</li></ul>`, true},
		{`<p>There are 31 orders.</p><ul><li>One</li><li>One</li></ul>`, false},
		{`<p>There is no order yet.</p><ul><li>One</li></ul>`, true},
		{`<p>There is no order yet.</p><ul><li class="stop">One</li></ul>`, true},
		{`<p>There is no order yet.</p><ul><li hidden class="stop">One</li><li>One</li></ul>`, false},
	} {
		content = c.content
		b.Go("/")
		if b.Look("state") != c.looks {
			t.Errorf("%s: looked at is %v", c.content, !c.looks)
		}
	}
}

// Each step leaves a picture, whose name says what was done.
func TestBrowser_eachStepIsKept(t *testing.T) {
	content := `<form action="/sent"><label for="name">Name</label> <input id="name" name="name"> <button>Save it</button></form>
<button type="button" onclick="setTimeout(() => document.body.append('It is late'), 300)">Wait</button>`
	b := open(t, &content)
	b.Go("/")
	b.Type("Name", "Ada")
	b.Press("Save it")
	b.Has("A page")
	b.PressHere("Wait")
	b.Has("It is late")
	var got []string
	files, err := os.ReadDir(b.journey.folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		got = append(got, file.Name())
		kept, err := os.Open(filepath.Join(b.journey.folder, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if begins, err := io.ReadAll(io.LimitReader(kept, 2)); err != nil || string(begins) != "\xff\xd8" {
			t.Errorf("%s is no JPEG: %x, %v", file.Name(), begins, err)
		}
		kept.Close()
	}
	want := []string{"01-open-a-page.jpg", "02-type-name.jpg", "03-press-save-it.jpg", "04-press-wait.jpg", "05-it-is-late-is-shown.jpg"}
	if !slices.Equal(got, want) {
		t.Errorf("kept were %q, want %q", got, want)
	}
}
