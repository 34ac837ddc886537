package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/chromedp/chromedp"
)

// A page must be read without scrolling aside in the narrowest window (WCAG 2.2, 1.4.10).
const narrowest, wide = 320, 1100

var checkedViews = []view{{"phone", narrowest, false}, {"phone", narrowest, true}, {"desk", wide, false}, {"desk", wide, true}}

// check looks for what some people cannot read, by axe-core: in the mails and pages of the
// sheets, and in the API's reference. The Nu checker judges the HTML of the pages; that of mails
// is older, for the mail programs that know nothing else.
func check(ctx context.Context, b *browser, all []sheet, checkout string) error {
	reference := filepath.Join(checkout, "functions/api/reference.html")
	page, err := os.ReadFile(reference)
	if err != nil {
		return err
	}
	axe, err := os.ReadFile(filepath.Join(checkout, folder, "node_modules/axe-core/axe.min.js"))
	if err != nil {
		return err
	}
	var wrong []error
	pages := 0
	for _, s := range append(all, sheet{name: "reference", pages: []string{string(page)}}) {
		for i, page := range s.pages {
			pages++
			for _, v := range checkedViews {
				if err := b.accessible(page, v, string(axe)); err != nil {
					wrong = append(wrong, fmt.Errorf("%s, page %d, %s: %w", s.name, i+1, v, err))
				}
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(checkout, linkPageFiles))
	if err != nil {
		return err
	}
	nu := exec.CommandContext(ctx, "java", append([]string{"-jar", filepath.Join(checkout, folder, "node_modules/vnu-jar/build/dist/vnu.jar"), reference}, files...)...)
	if says, err := nu.CombinedOutput(); err != nil || len(says) > 0 {
		wrong = append(wrong, fmt.Errorf("the Nu checker: %v\n%s", err, says))
	}
	if len(wrong) == 0 {
		fmt.Printf("nothing is wrong with %d mails and pages\n", pages)
	}
	return errors.Join(wrong...)
}

// accessible returns what axe-core finds in a page.
func (b *browser) accessible(html string, v view, axe string) error {
	if err := b.show(html, v); err != nil {
		return err
	}
	if err := chromedp.Do(b.ctx, chromedp.Evaluate[chromedp.Void](axe)); err != nil {
		return err
	}
	found, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](
		`axe.run({resultTypes: ["violations"]}).then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.failureSummary.replace(/\s+/g, " ") + " " + n.html)))`,
		chromedp.EvalAwaitPromise))
	if err == nil && len(found) > 0 {
		err = errors.New(strings.Join(found, "\n\t"))
	}
	return err
}
