package browser

import (
	"bytes"
	"encoding/json"
	"flag"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

var keep = flag.Bool("draw", false, "keep the pictures of infra/pictures that tests draw")

// Drawn has the pages that are opened from now on written in the fonts of pictures, which are
// the same on every machine.
func (b *Tab) Drawn() {
	b.Helper()
	style, files, err := Fonts()
	if err != nil {
		b.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		files.ServeHTTP(w, r)
	}))
	b.Cleanup(s.Close)
	b.fonts = strings.ReplaceAll(style, "/fonts/", s.URL+"/fonts/")
	if _, err := chromedp.Call(b.ctx, page.SetBypassCSP, page.SetBypassCSPParams{Enabled: true}); err != nil {
		b.Fatal(err)
	}
}

// Draw draws the page as it is seen, from its top down to a height, and keeps the picture in
// infra/pictures if -draw is given.
func (b *Tab) Draw(name string, v View, height int64) {
	b.Helper()
	b.Run("const style = document.createElement('style'); style.textContent = " + quoted(b.fonts) + "; document.head.append(style); scrollTo(0, 0); document.activeElement.blur()")
	if err := v.See(b.ctx, height); err != nil {
		b.Fatal(err)
	}
	if err := v.Fits(b.ctx); err != nil {
		b.Error(err)
	}
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.Fatal(err)
	}
	drawn, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		b.Fatal(err)
	}
	file, err := SmallPNG(drawn, "made by make pictures")
	if err != nil {
		b.Fatal(err)
	}
	folder := b.journey.folder
	if *keep {
		folder = filepath.Join(checkout(), "infra/pictures")
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), file, 0o644); err != nil {
		b.Fatal(err)
	}
	b.Logf("%s has %d bytes", name, len(file))
}

// quoted is a text as JavaScript writes it.
func quoted(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // a text can be written
	}
	return string(quoted)
}
