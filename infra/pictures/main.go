// Pictures draws mails and pages as people see them, in Chromium: on a phone and at a desk,
// in light and in the dark. What it draws is kept in this folder and shown on its README.md;
// a test says when a mail has changed since.
//
//	go run ./infra/pictures         draw them anew
//	go run ./infra/pictures check   look for what some people cannot read, by axe-core and the Nu checker
package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	chromium "keypool/infra/browser"
	"keypool/infra/proof/results"
)

// folder is that of the pictures and their page.
const folder = "infra/pictures"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	checkout, err := results.Checkout()
	if err != nil {
		return err
	}
	all, err := sheets()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute) // a browser may hang
	defer cancel()
	b, stop, err := open(ctx)
	if err != nil {
		return err
	}
	defer stop()
	switch strings.Join(args, " ") {
	case "":
		return drawAll(b, all, filepath.Join(checkout, folder))
	case "check":
		return check(ctx, b, all, checkout)
	}
	return fmt.Errorf("it takes check, or nothing")
}

// drawAll draws the sheets, and writes their page.
func drawAll(b *browser, all []sheet, folder string) error {
	var wrong []error
	for _, s := range all {
		var rows [][]image.Image
		for i, page := range s.pages {
			var row []image.Image
			for _, v := range s.views {
				picture, err := b.draw(page, v)
				if err != nil {
					wrong = append(wrong, fmt.Errorf("%s, page %d, %s: %w", s.name, i+1, v, err))
					continue
				}
				row = append(row, picture)
			}
			rows = append(rows, row)
		}
		file, err := chromium.SmallPNG(together(rows), s.madeFrom())
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, s.name+".png"), file, 0o644); err != nil {
			return err
		}
		fmt.Printf("%-12s %4d KB\n", s.name, len(file)>>10)
	}
	if err := os.WriteFile(filepath.Join(folder, "README.md"), []byte(page(all)), 0o644); err != nil {
		return err
	}
	return errors.Join(wrong...)
}

// page is the page that shows the sheets.
func page(all []sheet) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Mails and pages as people see them\n\n"+
		"Drawn by Chromium, on a phone (%d pixels wide) and at a desk (%d), in light and in the dark. `make pictures` draws them anew,\n"+
		"and writes this page; `TestPictures` fails while a picture shows a mail as it was before. `make html-lint` looks for what some people cannot\n"+
		"read.\n", phone, desk)
	for _, s := range all {
		fmt.Fprintf(&b, "\n## %s\n\n![%s](%s.png)\n", strings.TrimSuffix(s.says, "."), s.says, s.name)
	}
	b.WriteString("\n## The Merchant Portal\n\n" +
		"![Home, on an evening of a sale: what needs somebody comes first.](portal-home.png)\n\n" +
		"![Adding keys: the browser has judged the file before a byte of it leaves.](portal-add-keys.png)\n\n" +
		"![An order, from its payment over a mail that came back to the one that arrived.](portal-order.png)\n")
	return b.String()
}
