package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// view is how somebody looks at a page.
type view struct {
	Name  string
	Width int
	Dark  bool
}

func (v view) String() string {
	return fmt.Sprintf("%s, %d pixels, %s", v.Name, v.Width, map[bool]string{false: "light", true: "dark"}[v.Dark])
}

// browser is a Chromium that reaches nothing but this process.
type browser struct {
	ctx    context.Context
	server *httptest.Server
	page   string
}

// open starts Chromium: the one that KEYPOOL_CHROMIUM names, else the system's.
func open(ctx context.Context, checkout string) (*browser, func(), error) {
	b := &browser{}
	fonts, err := readFonts(checkout)
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, b.page)
	})
	mux.HandleFunc("GET /logo", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/svg+xml")
		w.Write(logo)
	})
	mux.HandleFunc("GET /fonts.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css")
		io.WriteString(w, fonts)
	})
	mux.Handle("GET /fonts/", http.StripPrefix("/fonts/", http.FileServer(http.Dir(filepath.Join(checkout, fontFolder)))))
	b.server = httptest.NewServer(mux)

	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"), // nothing from elsewhere
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("font-render-hinting", "none"))
	if path := os.Getenv("KEYPOOL_CHROMIUM"); path != "" {
		options = append(options, chromedp.ExecPath(path))
	}
	ctx, stopBrowser := chromedp.NewExecAllocator(ctx, options...)
	ctx, closeTab := chromedp.NewContext(ctx)
	b.ctx = ctx
	stop := func() { closeTab(); stopBrowser(); b.server.Close() }
	if err := chromedp.Do(ctx); err != nil {
		stop()
		return nil, nil, fmt.Errorf("start Chromium: %w", err)
	}
	return b, stop, nil
}

// show opens a page as somebody sees it, once its fonts and pictures are there.
func (b *browser) show(html string, v view) error {
	if strings.Count(html, "</head>") != 1 {
		return errors.New("the page has no head")
	}
	html = strings.ReplaceAll(html, logoAddress, b.server.URL+"/logo")
	b.page = strings.Replace(html, "</head>", `<link rel="stylesheet" href="/fonts.css"></head>`, 1)
	scheme := &emulation.MediaFeature{Name: "prefers-color-scheme", Value: "light"}
	if v.Dark {
		scheme.Value = "dark"
	}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{scheme}}); err != nil {
		return err
	}
	const height = 240 // no page is shorter: a picture has nothing below its page
	size := chromedp.EmulateViewport(int64(v.Width), height)
	if v.Name == "phone" {
		size = chromedp.EmulateViewport(int64(v.Width), height, chromedp.EmulateMobile)
	}
	if err := chromedp.Do(b.ctx, size, chromedp.Navigate(b.server.URL+"/page")); err != nil {
		return err
	}
	width, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](`document.fonts.ready.then(() => document.documentElement.scrollWidth)`, chromedp.EvalAwaitPromise))
	if err != nil {
		return err
	}
	if width > v.Width {
		return fmt.Errorf("it is %d pixels wide", width)
	}
	return nil
}

// draw returns the picture of a page, the whole of it.
func (b *browser) draw(html string, v view) (image.Image, error) {
	if err := b.show(html, v); err != nil {
		return nil, err
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		return nil, err
	}
	return png.Decode(bytes.NewReader(picture))
}

// Mails name the fonts of their reader's system. So that a picture is the same on every
// machine, these stand in for two of them; the last one goes first.
const fontFolder = "infra/pictures/node_modules/@fontsource-variable"

var fonts = []struct{ folder, family, instead string }{
	{"noto-sans-jp", "Noto Sans JP Variable", "Roboto"},
	{"noto-sans-arabic", "Noto Sans Arabic Variable", "Roboto"},
	{"roboto", "Roboto Variable", "Roboto"},
	{"roboto-mono", "Roboto Mono Variable", "Menlo"},
}

func readFonts(checkout string) (string, error) {
	var all strings.Builder
	for _, f := range fonts {
		style, err := os.ReadFile(filepath.Join(checkout, fontFolder, f.folder, "index.css"))
		if err != nil {
			return "", err
		}
		all.WriteString(strings.NewReplacer("'"+f.family+"'", f.instead, "./files/", "/fonts/"+f.folder+"/files/").Replace(string(style)))
	}
	return all.String(), nil
}

//go:embed logo.svg
var logo []byte
