package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Look looks at the page, in light and in the dark, on phones and at a desk, and in the colors of
// somebody's system: axe-core finds nothing, nothing is wider than the window, nothing moves by
// itself, the console is empty, and every element can be reached by the Tab key. Pictures are
// kept under a name, and the HTML for the Nu checker. A page is looked at once in each state that
// it has in a package's tests. Of one whose elements are all of kinds that were looked at together
// before, the words alone are new: axe-core reads them, and they have to fit. Look reports whether
// this is the first time.
func (b *Tab) Look(name string) bool {
	b.Helper()
	b.Quiet()
	seen := Value[shown](b, state)
	if !first(strings.Join(append(seen.Kinds, seen.Words...), "\n")) {
		b.step()
		return false
	}
	b.done, b.arrived = nil, false // what was done is seen in the pictures below
	path := b.journey.next(name)
	b.keepHTML(path + ".html")
	if !first(strings.Join(seen.Kinds, "\n")) {
		b.words(name, path)
		return true
	}
	for _, v := range Views {
		b.check(name, v, true)
		b.keep(path + "-" + v.String())
		if !v.Dark {
			b.Walk(fmt.Sprintf("%s, %s", name, v))
		}
	}
	b.usual(name, path)
	b.forced(name, path)
	b.Quiet()
	return true
}

// looked are the states of pages that were looked at, and the files of HTML that the pages were
// made of.
var looked = struct {
	sync.Mutex
	states map[string]bool
	files  []string
}{states: map[string]bool{}}

// first reports whether no page was looked at in a state yet.
func first(state string) bool {
	looked.Lock()
	defer looked.Unlock()
	first := !looked.states[state]
	looked.states[state] = true
	return first
}

// shown describes what a page shows: the kinds of its elements, and the words of its main part,
// each once, with any number as 0. So a list of three orders is in the state of one of thirty.
type shown struct{ Kinds, Words []string }

// state is JavaScript that returns it.
const state = `(() => {
	const words = s => s.replace(/https?:\/\/\S+/g, "https://").replace(/[0-9]+/g, "0").replace(/\s+/g, " ").trim();
	const main = document.querySelector("main");
	const kinds = new Set([document.documentElement.lang]), said = new Set([words(document.title)]);
	for (const e of document.querySelectorAll("style, body, body *")) {
		if (e.tagName !== "STYLE" && !e.checkVisibility({visibilityProperty: true})) continue;
		kinds.add([e.tagName, ...["class", "type", "role", "dir", "aria-current", "aria-invalid", "tabindex", "data-refresh", "style"].map(a => e.getAttribute(a)), e.disabled, e.open, e.checked].join(" "));
		if (e.tagName === "STYLE" || main?.contains(e)) for (const n of e.childNodes) if (n.nodeType === Node.TEXT_NODE) (e.tagName === "STYLE" ? kinds : said).add(words(n.data));
	}
	return {Kinds: [...kinds].sort(), Words: [...said].sort()};
})()`

// words looks at a page of which the words alone are new: on the narrowest phone, and on a usual one.
func (b *Tab) words(name, path string) {
	b.Helper()
	b.check(name, View{Width: narrowest}, true)
	b.usual(name, path)
	b.As(View{Width: wide})
	b.Quiet()
}

// usual looks at the page on a phone as most are, which is wider than the narrowest.
func (b *Tab) usual(name, path string) {
	b.Helper()
	v := View{Width: phone}
	b.check(name, v, false)
	b.keep(path + "-" + v.String())
}

// check has the page seen in a view, where it has to fit and, with axe, axe-core to find nothing.
func (b *Tab) check(name string, v View, axe bool) {
	b.Helper()
	b.As(v)
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := v.Fits(ctx); err != nil {
		b.Errorf("%s, %s: %v", name, v, err)
	}
	if axe {
		if err := v.Accessible(ctx); err != nil {
			b.Errorf("%s, %s:\n\t%v", name, v, err)
		}
	}
}

// plain is JavaScript that lists what is no more than its background: buttons and fields, which
// nobody sees where a system's colors are forced on the page, what moves by itself, and what
// changes by itself without a word for screen readers.
const plain = `[...document.querySelectorAll("button, .button, input:not([type=hidden]), select, textarea, .mark, .band")]
	.filter(e => e.checkVisibility({visibilityProperty: true}) && parseFloat(getComputedStyle(e).borderTopWidth) < 1 && getComputedStyle(e).textDecorationLine === "none" && !/checkbox|radio|file/.test(e.type))
	.map(e => "nothing surrounds " + e.outerHTML.slice(0, 80))
	.concat(document.getAnimations().map(a => "moves: " + a.effect.target.outerHTML.slice(0, 80)))
	.concat([...document.querySelectorAll("[data-refresh]")].filter(e => !e.querySelector("[role=status]")).map(e => "changes unsaid: " + e.outerHTML.slice(0, 80)))`

// forced looks at the page in the colors of somebody's system.
func (b *Tab) forced(name, path string) {
	b.Helper()
	b.see(View{Width: wide}, &emulation.MediaFeature{Name: "forced-colors", Value: "active"})
	for _, wrong := range Value[[]string](b, plain) {
		b.Errorf("%s: %s", name, wrong)
	}
	b.keep(path + "-forced")
	b.As(View{Width: wide})
}

// As has the page seen in a view.
func (b *Tab) As(v View) { b.Helper(); b.see(v) }

func (b *Tab) see(v View, more ...*emulation.MediaFeature) {
	b.Helper()
	height := int64(900)
	if v.mobile() {
		height = 700
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := v.See(ctx, height, append(more, &emulation.MediaFeature{Name: "prefers-reduced-motion", Value: "reduce"})...); err != nil {
		b.Fatal(err)
	}
}

// offers is JavaScript that lists what a page offers: links, fields that send something, and
// buttons, as far as they are seen.
const offers = `[...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, iframe")]
	.filter(e => e.type !== "button" && (e.tagName !== "INPUT" || e.name) && e.checkVisibility({visibilityProperty: true}))
	.map(e => [e.tagName, e.getAttribute("href") || e.name || "", e.formAction && e.form ? new URL(e.formAction).pathname : "", (e.innerText || e.value || "").trim()].join(" ").trim())`

// Offers fails the test unless another tab, which runs no script, has the same page offer all
// that it offers here, but buttons that copy.
func (b *Tab) Offers(without *Tab) {
	b.Helper()
	there := Value[[]string](without, offers)
	for _, offer := range Value[[]string](b, offers) {
		if !slices.Contains(there, offer) {
			b.Errorf("%s does not offer %q without script, only %q", b.Address(), offer, there)
		}
	}
}

// Picture keeps a picture of the whole page, under a name.
func (b *Tab) Picture(name string) {
	b.Helper()
	b.keep(b.journey.next(name))
}

// keep keeps a picture of the whole page.
func (b *Tab) keep(path string) {
	b.Helper()
	b.Run("scrollTo(0, 0)")
	b.capture(path+".png", page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatPng, CaptureBeyondViewport: &yes, OptimizeForSpeed: &yes})
}

var yes = true

func (b *Tab) capture(path string, how page.CaptureScreenshotParams) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	how.FromSurface = &yes
	got, err := chromedp.Call(ctx, page.CaptureScreenshot, how)
	if err == nil {
		err = os.WriteFile(path, got.Data, 0o644)
	}
	if err != nil {
		b.Errorf("the picture %s: %v", filepath.Base(path), err)
	}
}

// keepHTML keeps the page as it came from the server.
func (b *Tab) keepHTML(path string) {
	b.Helper()
	here := b.Address()
	var got network.GetResponseBodyResult
	var err error
	for began := time.Now(); time.Since(began) < patience; time.Sleep(30 * time.Millisecond) {
		b.mu.Lock()
		id, at := b.document, b.at
		b.mu.Unlock()
		// The news of this page may come late, and the browser has forgotten the one before.
		if path, _, _ := strings.Cut(here, "#"); at != b.Site+path {
			err = fmt.Errorf("%s is not there, only %s", here, at)
		} else if got, err = chromedp.Call(b.ctx, network.GetResponseBody, network.GetResponseBodyParams{RequestID: id}); err == nil {
			break
		}
	}
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(path, got.Body, 0o644); err != nil {
		b.Fatal(err)
	}
	looked.Lock()
	defer looked.Unlock()
	looked.files = append(looked.files, path)
}

// walk is JavaScript that begins a walk with the Tab key: it lists what can be reached.
const walk = `(() => {
	const shown = e => e.checkVisibility({visibilityProperty: true});
	let all = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, iframe, [tabindex]")]
		.filter(e => e.tabIndex >= 0 && !e.matches(":disabled") && shown(e) && !e.closest("[inert]"));
	// One radio button of a group is reached: the chosen one, else the first.
	all = all.filter(e => e.type !== "radio" || !e.name || e.checked || (!all.some(o => o.type === "radio" && o.name === e.name && o.form === e.form && o.checked) && all.find(o => o.type === "radio" && o.name === e.name && o.form === e.form) === e));
	window.keypoolAll = all;
	const begin = document.createElement("span");
	begin.tabIndex = -1;
	window.focus(); // a frame may have had it
	document.body.prepend(begin);
	begin.focus();
	begin.remove();
	return all.map(e => (e.getAttribute("aria-label") || e.innerText || e.name || e.id || e.tagName).trim().slice(0, 40));
})()`

// step is JavaScript that says where the focus is: its place in the list, -1 if it is in none,
// -2 if it is nowhere, and what is wrong with how it is seen.
const step = `(() => {
	const e = document.activeElement;
	if (!e || e === document.body || e === document.documentElement) return {at: -2, wrong: ""};
	const at = keypoolAll.indexOf(e), style = getComputedStyle(e);
	let wrong = "";
	if (e.tagName !== "IFRAME" && (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2)) wrong = "has no outline";
	const r = [...e.getClientRects()].find(r => r.bottom > 0 && r.top < innerHeight && r.width && r.height);
	if (!r) return {at, wrong: wrong || "is out of sight"};
	const x = Math.min(Math.max((r.left + r.right) / 2, 0), innerWidth - 1), y = (Math.max(r.top, 0) + Math.min(r.bottom, innerHeight)) / 2;
	const top = document.elementFromPoint(x, y);
	if (top && !e.contains(top) && !top.contains(e)) wrong = "is covered by " + top.outerHTML.slice(0, 80);
	return {at, wrong};
})()`

// Walk goes through the page by the Tab key: everything is reached, in the order in which it
// is read, and seen to be.
func (b *Tab) Walk(name string) {
	b.Helper()
	missed := b.walk(name)
	for range 3 {
		if len(missed) == 0 {
			break
		}
		time.Sleep(300 * time.Millisecond) // a frame that comes late is passed over, or takes the focus
		missed = b.walk(name)
	}
	for _, m := range missed {
		b.Errorf("%s: the Tab key does not reach %q", name, m)
	}
	b.Run("document.activeElement.blur()")
}

// walk walks once, and returns what was not reached.
func (b *Tab) walk(name string) (missed []string) {
	b.Helper()
	names := Value[[]string](b, walk)
	reached := make([]bool, len(names))
	last := -1
	for range 3*len(names) + 10 {
		b.keys("\t")
		s := Value[struct {
			At    int
			Wrong string
		}](b, step)
		if s.At == -2 && last >= 0 {
			break
		}
		if s.At < 0 || s.At == last {
			continue
		}
		if reached[s.At] {
			break // round
		}
		if s.Wrong != "" {
			b.Errorf("%s: with the focus, %q %s", name, names[s.At], s.Wrong)
		}
		if s.At < last {
			b.Errorf("%s: the Tab key goes from %q back to %q", name, names[last], names[s.At])
		}
		reached[s.At], last = true, s.At
	}
	for i, r := range reached {
		if !r {
			missed = append(missed, names[i])
		}
	}
	return missed
}
