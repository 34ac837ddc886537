package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"strings"
	"testing"

	chromium "keypool/infra/browser"
)

// most is how large all pictures may be together, in bytes: each change of a mail adds them to
// the repository again.
const most = 1_250_000

// Each picture shows the mail or page as it is now, and the page of pictures shows each.
func TestPictures(t *testing.T) {
	all, err := sheets()
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, s := range all {
		file, err := os.ReadFile(s.name + ".png")
		if err != nil || !bytes.Contains(file, []byte(s.madeFrom())) {
			t.Errorf("%s.png does not show what is made now (%v); run: make pictures", s.name, err)
		}
		if _, err := png.Decode(bytes.NewReader(file)); err != nil {
			t.Errorf("%s.png: %v", s.name, err)
		}
		total += len(file)
	}
	if total > most {
		t.Errorf("the pictures have %d bytes", total)
	}
	kept, err := os.ReadFile("README.md")
	if err != nil || string(kept) != page(all) {
		t.Errorf("README.md shows other pictures (%v); run: make pictures", err)
	}
}

// Another mail, or another page beside it, is another sum.
func TestMadeFrom(t *testing.T) {
	t.Parallel()
	sums := map[string]string{}
	for _, pages := range [][]string{{"a"}, {"b"}, {"a", "b"}, {"b", "a"}, {"ab"}, nil} {
		sum := sheet{name: "x", pages: pages}.madeFrom()
		if other, ok := sums[sum]; ok {
			t.Errorf("%q and %s have one sum", pages, other)
		}
		sums[sum] = fmt.Sprintf("%q", pages)
	}
}

// A sheet of many colors is kept in few, the rare one that looks like no other among them, and
// with its comment.
func TestEncode(t *testing.T) {
	t.Parallel()
	drawn := image.NewRGBA(image.Rect(0, 0, 256, 4))
	for x := range 256 {
		for y := range 4 {
			drawn.SetRGBA(x, y, color.RGBA{uint8(x), uint8(x) / 2, uint8(x) / 2, 0xff})
		}
	}
	star := color.RGBA{0xff, 0xd5, 0x4a, 0xff}
	drawn.SetRGBA(7, 3, star)
	file, err := chromium.SmallPNG(together([][]image.Image{{drawn, drawn}, {drawn}}), "made from nothing")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(file, []byte("Comment\x00made from nothing")) {
		t.Error("the comment is missing")
	}
	read, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if got := read.Bounds().Size(); got != image.Pt(2*256+3*gap, 2*4+3*gap) {
		t.Errorf("it is %v large", got)
	}
	if got := read.At(gap+7, gap+3); got != star {
		t.Errorf("the star is %v", got)
	}
	if n := len(read.(*image.Paletted).Palette); n > chromium.Colors {
		t.Errorf("it has %d colors", n)
	}
}

// A mail shows pictures that the browser gets from nowhere but this process.
func TestSheets_loadNothingElse(t *testing.T) {
	t.Parallel()
	all, err := sheets()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		for _, page := range s.pages {
			page = strings.ReplaceAll(page, `src="`+logoAddress, "")
			if strings.Contains(page, "src=") || strings.Contains(page, "url(") {
				t.Errorf("%s loads something", s.name)
			}
		}
	}
}
