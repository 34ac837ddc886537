package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	chromium "keypool/infra/browser"
)

// check looks for what some people cannot read, by axe-core: in the mails and pages of the
// sheets, and in the API's reference. The Nu checker judges the HTML of the pages; that of mails
// is older, for the mail programs that know nothing else.
func check(ctx context.Context, b *browser, all []sheet, checkout string) error {
	reference := filepath.Join(checkout, "functions/api/reference.html")
	page, err := os.ReadFile(reference)
	if err != nil {
		return err
	}
	var wrong []error
	pages := 0
	for _, s := range append(all, sheet{name: "reference", pages: []string{string(page)}}) {
		for i, page := range s.pages {
			pages++
			for _, v := range chromium.Views {
				err := b.show(page, v)
				if err == nil {
					err = v.Accessible(b.tab)
				}
				if err != nil {
					wrong = append(wrong, fmt.Errorf("%s, page %d, %s: %w", s.name, i+1, v, err))
				}
			}
		}
	}
	if err := chromium.Nu(ctx, reference); err != nil {
		wrong = append(wrong, err)
	}
	if len(wrong) == 0 {
		fmt.Printf("nothing is wrong with %d mails and pages\n", pages)
	}
	return errors.Join(wrong...)
}
