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
	"strings"

	"github.com/chromedp/chromedp"

	chromium "keypool/infra/browser"
)

// browser shows mails in Chromium, which reaches nothing but this process.
type browser struct {
	tab    context.Context
	server *httptest.Server
	page   string
}

func open(ctx context.Context) (*browser, func(), error) {
	b := &browser{}
	fonts, files, err := chromium.Fonts()
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
	mux.Handle("GET /fonts/", files)
	tab, stop, err := chromium.Start(ctx)
	if err != nil {
		return nil, nil, err
	}
	b.tab, b.server = tab, httptest.NewServer(mux)
	return b, func() { stop(); b.server.Close() }, nil
}

// show opens a page as somebody sees it, once its fonts and pictures are there.
func (b *browser) show(html string, v chromium.View) error {
	if strings.Count(html, "</head>") != 1 {
		return errors.New("the page has no head")
	}
	html = strings.ReplaceAll(html, logoAddress, b.server.URL+"/logo")
	b.page = strings.Replace(html, "</head>", `<link rel="stylesheet" href="/fonts.css"></head>`, 1)
	const height = 240 // no page is shorter: a picture has nothing below its page
	if err := v.See(b.tab, height); err != nil {
		return err
	}
	if err := chromedp.Do(b.tab, chromedp.Navigate(b.server.URL+"/page")); err != nil {
		return err
	}
	return v.Fits(b.tab)
}

// draw returns the picture of a page, the whole of it.
func (b *browser) draw(html string, v chromium.View) (image.Image, error) {
	if err := b.show(html, v); err != nil {
		return nil, err
	}
	picture, err := chromedp.Run(b.tab, chromedp.FullScreenshot(100))
	if err != nil {
		return nil, fmt.Errorf("picture: %w", err)
	}
	return png.Decode(bytes.NewReader(picture))
}

//go:embed logo.svg
var logo []byte
