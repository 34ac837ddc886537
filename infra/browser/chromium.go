package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"keypool/infra/proof/results"
)

var checkout = sync.OnceValue(func() string {
	folder, err := results.Checkout()
	if err != nil {
		panic(err)
	}
	return folder
})

// chromium is the path of Chromium. Finding it fetches the tools too.
var chromium = sync.OnceValues(func() (string, error) {
	fetch := exec.Command(filepath.Join(checkout(), "infra/browser/tools.sh"))
	fetch.Stderr = os.Stderr
	path, err := fetch.Output()
	if err != nil {
		return "", fmt.Errorf("infra/browser/tools.sh: %w", err)
	}
	return strings.TrimSpace(string(path)), nil
})

// tool is the path of a file that npm fetches: fonts, axe-core, the Nu checker.
func tool(name string) (string, error) {
	_, err := chromium()
	return filepath.Join(checkout(), "infra/browser/node_modules", name), err
}

// Start starts Chromium, and returns the context of its first tab. It reaches nothing but this
// machine.
func Start(ctx context.Context, more ...chromedp.ExecAllocatorOption) (tab context.Context, stop func(), err error) {
	path, err := chromium()
	if err != nil {
		return nil, nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE *.localhost"),
		chromedp.Flag("ignore-certificate-errors", true), chromedp.Flag("hide-scrollbars", true), chromedp.Flag("font-render-hinting", "none"))
	ctx, stopChromium := chromedp.NewExecAllocator(ctx, append(options, more...)...)
	tab, closeTab := chromedp.NewContext(ctx)
	stop = func() { closeTab(); stopChromium() }
	if err := chromedp.Do(tab); err != nil {
		stop()
		return nil, nil, fmt.Errorf("start Chromium: %w", err)
	}
	return tab, stop, nil
}

// View is how somebody looks at a page: on a phone, or at a desk.
type View struct {
	Width int
	Dark  bool
}

// A page must be read without scrolling aside in the narrowest window (WCAG 2.2, 1.4.10), which
// is also what a window of 1280 pixels has at 400 percent.
const narrowest, phone, wide = 320, 390, 1100

// Views are those in which each page is looked at.
var Views = []View{{narrowest, false}, {narrowest, true}, {wide, true}, {wide, false}}

func (v View) String() string {
	return fmt.Sprintf("%d-%s", v.Width, map[bool]string{false: "light", true: "dark"}[v.Dark])
}

func (v View) mobile() bool { return v.Width < 500 }

// See has the page of a tab seen in a view, with a window so high.
func (v View) See(tab context.Context, height int64, more ...*emulation.MediaFeature) error {
	scheme := &emulation.MediaFeature{Name: "prefers-color-scheme", Value: "light"}
	if v.Dark {
		scheme.Value = "dark"
	}
	size := chromedp.EmulateViewport(int64(v.Width), height)
	if v.mobile() {
		size = chromedp.EmulateViewport(int64(v.Width), height, chromedp.EmulateMobile)
	}
	return chromedp.Do(tab, size, func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: append(more, scheme)})
		return chromedp.Void{}, err
	})
}

// Fits returns an error if the page of a tab is wider than its window, once its fonts are there.
func (v View) Fits(tab context.Context) error {
	width, err := chromedp.Run(tab, chromedp.Evaluate[int](`document.fonts.ready.then(() => document.documentElement.scrollWidth)`, chromedp.EvalAwaitPromise))
	if err == nil && width > v.Width {
		err = fmt.Errorf("it is %d pixels wide", width)
	}
	return err
}

var axe = sync.OnceValues(func() (string, error) {
	path, err := tool("axe-core/axe.min.js")
	if err != nil {
		return "", err
	}
	script, err := os.ReadFile(path)
	return string(script), err
})

// colors are axe-core's rules about colors, which alone tell the dark from the light.
const colors = `{runOnly: ["color-contrast", "link-in-text-block"]}`

// Accessible returns what axe-core finds in the page of a tab. In the dark, that is what it finds
// about colors: all else is as in the light.
func (v View) Accessible(tab context.Context) error {
	script, err := axe()
	if err != nil {
		return err
	}
	if there, err := chromedp.Run(tab, chromedp.Evaluate[bool](`"axe" in window`)); err != nil {
		return err
	} else if !there {
		if err := chromedp.Do(tab, chromedp.Evaluate[chromedp.Void](script)); err != nil {
			return err
		}
	}
	rules := `{rules: {"target-size": {enabled: true}}}`
	if v.Dark {
		rules = colors
	}
	found, err := chromedp.Run(tab, chromedp.Evaluate[[]string](
		`axe.run({resultTypes: ["violations"], selectors: false, preload: false, ...`+rules+`}).then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.failureSummary.replace(/\s+/g, " ") + " " + n.html)))`,
		chromedp.EvalAwaitPromise))
	if err == nil && len(found) > 0 {
		err = errors.New(strings.Join(found, "\n\t"))
	}
	return err
}

// Nu has the Nu checker judge files of HTML.
func Nu(ctx context.Context, files ...string) error {
	if len(files) == 0 {
		return nil
	}
	checker, err := tool("vnu-jar/build/dist/vnu.jar")
	if err != nil {
		return err
	}
	nu := exec.CommandContext(ctx, "java", append([]string{"-jar", checker}, files...)...)
	if says, err := nu.CombinedOutput(); err != nil || len(says) > 0 {
		return fmt.Errorf("the Nu checker: %v\n%s", err, says)
	}
	return nil
}
