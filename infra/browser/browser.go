// Package browser opens pages in Chromium, and does there what people do. Its tests have the
// build tag "browser"; `make browser` runs them.
//
//	func TestMain(m *testing.M) { browser.Main(m) }
//
//	func TestOrders_findsOne(t *testing.T) {
//		tab := browser.Open(t, browser.Serve(t, web.Server{Handler: handler}.Serve))
//		tab.Go("/portal/orders")
//		tab.Type("Order number", "1001")
//		tab.Press("Find")
//		tab.Has("1 order")
//		tab.Look("found")
//	}
//
// Each tab has cookies of its own. Whatever the browser writes to its console fails the test:
// what the page's policy forbids, an exception, a file that is not there. A picture of each step
// is kept in .local/browser/<test>. Nothing is reached but this machine. What is missing for it,
// fonts and checkers from npm, Chromium too, is fetched by tools.sh, once.
package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// Main runs a package's tests, ends Chromium, and has the Nu checker judge the HTML of the
// pages that were looked at.
func Main(m *testing.M) {
	code := m.Run()
	Close()
	if err := Nu(context.Background(), looked.files...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// Close ends Chromium, if a test has started it.
func Close() {
	if end != nil {
		end()
	}
}

var end func()

// start starts Chromium, once for all tests of a package.
var start = sync.OnceValues(func() (tab context.Context, err error) {
	tab, end, err = Start(context.Background())
	return tab, err
})

// patience is how long a tab waits for what is to come.
const patience = 20 * time.Second

// Tab is a tab of a browser with cookies of its own.
type Tab struct {
	testing.TB
	Site string // the address that paths are below: https://127.0.0.1:1234

	ctx     context.Context
	journey *journey
	done    []string // since the last picture
	arrived bool     // at a page on which nothing was done yet
	fonts   string   // see Drawn

	mu       sync.Mutex
	opened   map[string]bool   // the addresses of pages
	document network.RequestID // of the page
	at       string            // its address
	console  []chromedp.ConsoleMessage
	forgiven []string
}

// Open opens a tab on a site, in a browser without cookies, until the test ends.
func Open(t testing.TB, site string) *Tab {
	t.Helper()
	parent, err := start()
	if err != nil {
		t.Fatal(err)
	}
	ctx, closeTab := chromedp.NewContext(parent, chromedp.WithNewBrowserContext())
	journey, err := journeyOf(t.Name())
	if err != nil {
		t.Fatal(err)
	}
	b := &Tab{TB: t, Site: site, ctx: ctx, opened: map[string]bool{}, journey: journey}
	t.Cleanup(func() {
		b.step()
		b.Quiet()
		closeTab()
	})
	if err := chromedp.Do(ctx); err != nil { // the tab lasts as long as the context of this call
		t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(wide, 900), func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		// Each of several tabs has the focus, and is in front.
		_, err := cdp.Call(ctx, t, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
		return chromedp.Void{}, err
	})
	tree, err := chromedp.Call(ctx, page.GetFrameTree, cdp.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	frame := tree.FrameTree.Frame.ID
	answers := chromedp.Events(ctx, network.ResponseReceived)
	go func() {
		for e, err := range answers {
			if err != nil {
				return
			}
			if e.Type == network.ResourceTypeDocument {
				b.mu.Lock()
				b.opened[e.Response.URL] = true
				if e.FrameID == frame {
					b.document, b.at = e.RequestID, e.Response.URL
				}
				b.mu.Unlock()
			}
		}
	}()
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			b.mu.Lock()
			b.console = append(b.console, m)
			b.mu.Unlock()
		}
	}()
	return b
}

// Forgive lets messages of the console pass that hold a text.
func (b *Tab) Forgive(text string) { b.forgiven = append(b.forgiven, text) }

// Quiet fails the test if the console has messages.
func (b *Tab) Quiet() {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.console {
		// That a page was answered by 404 or 422 is no mistake.
		if m.Source == "network" && b.opened[m.URL] || slices.ContainsFunc(b.forgiven, func(text string) bool { return strings.Contains(m.Text, text) }) {
			continue
		}
		b.Errorf("the console says: %s: %s (%s:%d)", m.Type, m.Text, m.URL, m.Line+1)
	}
	b.console = nil
}

func (b *Tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.Fatal(err)
	}
}

// Value evaluates JavaScript in the page, also where pages may run none.
func Value[T any](b *Tab, script string) T {
	b.Helper()
	v, err := evaluate[T](b, script)
	if err != nil {
		b.Fatalf("%v\n%s", err, script)
	}
	return v
}

func evaluate[T any](b *Tab, script string) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// Run runs JavaScript in the page.
func (b *Tab) Run(script string) {
	b.Helper()
	Value[bool](b, "(() => { "+script+"; return true })()")
}

// Until waits until JavaScript is true. It survives that another page is opened meanwhile.
func (b *Tab) Until(says, script string) {
	b.Helper()
	b.await(says, script, func() {
		b.step()
		b.did(says)
	})
	b.step()
}

// await waits until JavaScript is true. If it is not at once, it calls late first.
func (b *Tab) await(says, script string, late func()) {
	b.Helper()
	var last error
	for began := time.Now(); time.Since(began) < patience; time.Sleep(30 * time.Millisecond) {
		ok, err := evaluate[bool](b, script)
		if ok && err == nil {
			return
		}
		last = err
		late()
		late = func() {}
	}
	b.Picture("late")
	b.Fatalf("%s: not after %v (%v); the page at %s says:\n%s", says, patience, last, b.Address(), b.Words())
}

// Go opens an address of the site.
func (b *Tab) Go(path string) {
	b.Helper()
	b.step()
	b.do(chromedp.Navigate(b.Site + strings.TrimPrefix(path, b.Site)))
	b.reached("open " + Value[string](b, `document.title`))
}

// Address is that of the page, below the site.
func (b *Tab) Address() string {
	b.Helper()
	return strings.TrimPrefix(Value[string](b, `location.href`), b.Site)
}

// Words are what the page shows.
func (b *Tab) Words() string {
	b.Helper()
	return Value[string](b, `document.body.innerText.replace(/\s+/g, " ")`)
}

// Has waits until the page shows the texts.
func (b *Tab) Has(texts ...string) {
	b.Helper()
	for _, text := range texts {
		b.Until(fmt.Sprintf("%q is shown", text), fmt.Sprintf(`document.body.innerText.replace(/\s+/g, " ").includes(%q)`, text))
	}
}

// HasNot fails the test if the page shows one of the texts.
func (b *Tab) HasNot(texts ...string) {
	b.Helper()
	words := b.Words()
	for _, text := range texts {
		if strings.Contains(words, text) {
			b.Errorf("the page at %s says %q:\n%s", b.Address(), text, words)
		}
	}
}

// point is where an element is.
type point struct {
	X, Y  float64
	Found []string // the names of all, if there is none of that name
}

// find is JavaScript that shows an element, and says where. Names are what a screen reader says.
const find = `((kinds, name) => {
	const said = e => (e.getAttribute("aria-label") || (e.labels && e.labels.length && e.type !== "button" ? [...e.labels].map(l => l.innerText).join(" ") : "") || e.innerText || e.value || "").replace(/\s+/g, " ").trim();
	const all = [...document.querySelectorAll(kinds)].filter(e => e.checkVisibility({visibilityProperty: true}));
	const e = all.find(e => said(e) === name) || all.find(e => said(e).startsWith(name));
	if (!e) return {x: 0, y: 0, found: all.map(said)};
	e.scrollIntoView({block: "center", behavior: "instant"});
	const r = e.getClientRects()[0];
	window.keypoolFound = e;
	return {x: r.x + r.width / 2, y: r.y + r.height / 2};
})`

const pressed, fields = "button, a[href], summary, input[type=submit], input[type=checkbox], input[type=radio]", "input, textarea, select"

func (b *Tab) find(kinds, name string) point {
	b.Helper()
	p := Value[point](b, fmt.Sprintf("%s(%q, %q)", find, kinds, name))
	if p.X == 0 && p.Y == 0 {
		b.Picture("missing")
		b.Fatalf("%s has no %q, only %q", b.Address(), name, p.Found)
	}
	return p
}

// PressHere presses a button, a link or a box that stays on the page.
func (b *Tab) PressHere(name string) {
	b.Helper()
	b.act("press " + name)
	p := b.find(pressed, name)
	b.do(chromedp.MouseClickXY(p.X, p.Y))
}

// Press presses a button or a link, and waits for the page that it leads to.
func (b *Tab) Press(name string) {
	b.Helper()
	b.Leads(func() { b.PressHere(name) })
}

// Leads does something, and waits for the page that it leads to.
func (b *Tab) Leads(do func()) {
	b.Helper()
	b.step()
	before := Value[float64](b, `performance.timeOrigin`)
	do()
	b.await("another page", fmt.Sprintf(`performance.timeOrigin !== %f && document.readyState === "complete"`, before), func() {})
	b.reached(strings.Join(b.done, " "))
}

// Enter presses the key of that name, and waits for the page that it leads to.
func (b *Tab) Enter() {
	b.Helper()
	b.Leads(func() {
		b.act("press Enter")
		b.keys("\r")
	})
}

// keys presses keys, such as "\t".
func (b *Tab) keys(keys string) { b.Helper(); b.do(chromedp.KeyEvent(keys)) }

// Type fills a field, by its label.
func (b *Tab) Type(label, text string) {
	b.Helper()
	b.act("type " + label)
	b.find(fields, label)
	Value[bool](b, `(() => { keypoolFound.focus(); keypoolFound.select(); return true })()`)
	if text == "" {
		b.keys("\b")
		return
	}
	b.keys(text)
}

// Paste puts text into a field at once, by its label.
func (b *Tab) Paste(label, text string) {
	b.Helper()
	b.act("paste " + label)
	b.find(fields, label)
	Value[bool](b, fmt.Sprintf(`(() => { keypoolFound.focus(); keypoolFound.select(); return document.execCommand("insertText", false, %q) })()`, text))
}

// Choose chooses an entry of a list, by their labels.
func (b *Tab) Choose(label, option string) {
	b.Helper()
	b.act("choose " + label)
	b.find("select", label)
	if !Value[bool](b, fmt.Sprintf(`(() => {
		const o = [...keypoolFound.options].find(o => o.text.trim() === %q);
		if (!o) return false;
		keypoolFound.value = o.value;
		keypoolFound.dispatchEvent(new Event("input", {bubbles: true}));
		keypoolFound.dispatchEvent(new Event("change", {bubbles: true}));
		return true;
	})()`, option)) {
		b.Fatalf("%q has no entry %q", label, option)
	}
}

// Give gives files to a field, by its selector.
func (b *Tab) Give(selector string, files ...string) {
	b.Helper()
	b.act("give a file")
	b.do(chromedp.SetUploadFiles(chromedp.CSS(selector), files))
}

// Cookie returns the value of a cookie, empty if the browser has none.
func (b *Tab) Cookie(name string) string {
	b.Helper()
	got, err := chromedp.Call(b.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{b.Site + "/"}})
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range got.Cookies {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// Speaks has the browser ask for pages in a language, such as "ar".
func (b *Tab) Speaks(language string) {
	b.Helper()
	b.do(func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": language}})
		return chromedp.Void{}, err
	})
}

// WithoutScript has pages run none.
func (b *Tab) WithoutScript() {
	b.Helper()
	b.do(func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return chromedp.Void{}, err
	})
}

// Drop drops files on an element, by its selector.
func (b *Tab) Drop(selector string, files ...string) {
	b.Helper()
	b.act("drop a file")
	p := Value[point](b, fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.scrollIntoView({block: "center"}); const r = e.getBoundingClientRect(); return {x: r.x + r.width / 2, y: r.y + r.height / 2} })()`, selector))
	for _, kind := range []input.DispatchDragEventType{input.DispatchDragEventTypeDragEnter, input.DispatchDragEventTypeDragOver, input.DispatchDragEventTypeDrop} {
		b.do(func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
			_, err := cdp.Call(ctx, t, input.DispatchDragEvent, input.DispatchDragEventParams{
				Type: kind, X: p.X, Y: p.Y, Data: &input.DragData{Items: []*input.DragDataItem{}, Files: files, DragOperationsMask: 1},
			})
			return chromedp.Void{}, err
		})
	}
}

// Download does something that has the browser keep a file, and returns what it holds.
func (b *Tab) Download(do func()) string {
	b.Helper()
	info, err := chromedp.Call(b.ctx, target.GetTargetInfo, target.GetTargetInfoParams{})
	if err != nil {
		b.Fatal(err)
	}
	folder := b.TempDir()
	b.do(func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
			Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllow, BrowserContextID: info.TargetInfo.BrowserContextID, DownloadPath: folder,
		})
		return chromedp.Void{}, err
	})
	do()
	for began := time.Now(); time.Since(began) < patience; time.Sleep(30 * time.Millisecond) {
		files, err := filepath.Glob(filepath.Join(folder, "*"))
		if err == nil && len(files) == 1 && filepath.Ext(files[0]) != ".crdownload" {
			if content, err := os.ReadFile(files[0]); err == nil && len(content) > 0 {
				return string(content)
			}
		}
	}
	b.Fatalf("%s: no file was kept", b.Address())
	return ""
}
