// Package plot draws line charts as SVG for the page of results. A chart is readable
// on light and on dark ground, and without colours: each series has a mark of its
// own.
package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"math"
	"os"
)

// Chart is lines over one pair of axes.
type Chart struct {
	Title  string
	X, Y   Axis
	Series []Series
}

// Axis is one axis. Its title names the unit.
type Axis struct {
	Title string
	Log   bool
	// From and To bound the axis. If both are 0, it spans all points; a linear axis
	// then starts at 0 or below.
	From, To float64
}

// Series is one line through its points, in their order.
type Series struct {
	Name   string
	Points []Point
	Dashed bool // a bar or a model: not measured
}

// Point is one point of a series.
type Point struct{ X, Y float64 }

// Write draws the chart into a file.
func (c Chart) Write(path string) error {
	svg, err := c.SVG()
	if err != nil {
		return fmt.Errorf("draw %s: %w", path, err)
	}
	return os.WriteFile(path, svg, 0o644)
}

// The layout, in pixels.
const (
	plotWidth, plotHeight = 520, 300
	left, top, bottom     = 78, 52, 58
	letter                = 6.6 // of the legend, on average
	legendGap             = 46
)

// style gives the lines colours that are visible on white and on black. Text and grid
// follow the reader's colour scheme.
const style = `text{font:12px system-ui,sans-serif;fill:#333}.title{font-size:15px;font-weight:600}` +
	`.grid{stroke:#ddd}.axis{stroke:#777}path{fill:none;stroke-width:2}` +
	`@media(prefers-color-scheme:dark){text{fill:#ddd}.grid{stroke:#444}.axis{stroke:#999}}`

var colours = []string{"#2f7ed8", "#d9622b", "#2a9d5c", "#a05cc8", "#c2385a", "#8a7a1e"}

// SVG draws the chart. The same chart gives the same bytes.
func (c Chart) SVG() ([]byte, error) {
	x, y, err := c.scales()
	if err != nil {
		return nil, err
	}
	longest := 0
	for _, s := range c.Series {
		longest = max(longest, len([]rune(s.Name)))
	}
	width := left + plotWidth + legendGap + int(letter*float64(longest)) + 10
	height := top + plotHeight + bottom

	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n<style>%s</style>\n", escaped(c.Title), style)
	words(&b, left, top-26, "start", "title", c.Title)
	for _, t := range x.ticks() {
		at := left + x.at(t)*plotWidth
		line(&b, "grid", at, top, at, top+plotHeight)
		words(&b, at, top+plotHeight+18, "middle", "", number(t))
	}
	for _, t := range y.ticks() {
		at := top + (1-y.at(t))*plotHeight
		line(&b, "grid", left, at, left+plotWidth, at)
		words(&b, left-8, at+4, "end", "", number(t))
	}
	line(&b, "axis", left, top+plotHeight, left+plotWidth, top+plotHeight)
	line(&b, "axis", left, top, left, top+plotHeight)
	words(&b, left+plotWidth/2, float64(top+plotHeight+42), "middle", "", c.X.Title)
	fmt.Fprintf(&b, `<text transform="translate(18 %d) rotate(-90)" text-anchor="middle">%s</text>`+"\n", top+plotHeight/2, escaped(c.Y.Title))
	fmt.Fprintf(&b, `<clipPath id="bounds"><rect x="%d" y="%d" width="%d" height="%d"/></clipPath>`+"\n", left-6, top-6, plotWidth+12, plotHeight+12)
	for i, s := range c.Series {
		drawSeries(&b, i, s, x, y)
	}
	b.WriteString("</svg>\n")
	return b.Bytes(), nil
}

// drawSeries draws a line with its marks, and its entry in the legend.
func drawSeries(b *bytes.Buffer, i int, s Series, x, y scale) {
	colour, dashes := colours[i%len(colours)], ""
	if s.Dashed {
		dashes = ` stroke-dasharray="6 5"`
	}
	var way bytes.Buffer
	for j, p := range s.Points {
		verb := "L"
		if j == 0 {
			verb = "M"
		}
		fmt.Fprintf(&way, "%s%.1f %.1f", verb, left+x.at(p.X)*plotWidth, top+(1-y.at(p.Y))*plotHeight)
	}
	fmt.Fprintf(b, `<g clip-path="url(#bounds)"><path d="%s" stroke="%s"%s/>`+"\n", way.String(), colour, dashes) // what is beyond an axis's end is cut
	if !s.Dashed {
		for _, p := range s.Points {
			mark(b, i, colour, left+x.at(p.X)*plotWidth, top+(1-y.at(p.Y))*plotHeight)
		}
	}
	b.WriteString("</g>\n")
	legend, at := float64(left+plotWidth+14), float64(top+10+22*i)
	fmt.Fprintf(b, `<path d="M%.1f %.1fh24" stroke="%s"%s/>`+"\n", legend, at, colour, dashes)
	if !s.Dashed {
		mark(b, i, colour, legend+12, at)
	}
	words(b, legend+31, at+4, "start", "", s.Name)
}

// mark draws the i-th series' mark: a circle, a square, a triangle or a diamond.
func mark(b *bytes.Buffer, i int, colour string, x, y float64) {
	switch i % 4 {
	case 0:
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`+"\n", x, y, colour)
	case 1:
		fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="7" height="7" fill="%s"/>`+"\n", x-3.5, y-3.5, colour)
	case 2:
		fmt.Fprintf(b, `<polygon points="%.1f,%.1f %.1f,%.1f %.1f,%.1f" fill="%s"/>`+"\n", x, y-4.5, x-4.5, y+3.5, x+4.5, y+3.5, colour)
	default:
		fmt.Fprintf(b, `<polygon points="%.1f,%.1f %.1f,%.1f %.1f,%.1f %.1f,%.1f" fill="%s"/>`+"\n", x, y-5, x-5, y, x, y+5, x+5, y, colour)
	}
}

func line(b *bytes.Buffer, class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(b, `<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`+"\n", class, x1, y1, x2, y2)
}

func words(b *bytes.Buffer, x, y float64, anchor, class, text string) {
	if class != "" {
		class = ` class="` + class + `"`
	}
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s"%s>%s</text>`+"\n", x, y, anchor, class, escaped(text))
}

func escaped(text string) string {
	var b bytes.Buffer
	xml.EscapeText(&b, []byte(text))
	return b.String()
}

// number formats a tick in short: 20k, 1.5M.
func number(v float64) string {
	for _, unit := range []struct {
		of   float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e4, "k"}} {
		if math.Abs(v) >= unit.of {
			if unit.of == 1e4 {
				unit.of = 1e3
			}
			return fmt.Sprintf("%.4g%s", v/unit.of, unit.name)
		}
	}
	return fmt.Sprintf("%.4g", v)
}

// scales returns the two axes with their bounds, and an error for a chart that cannot
// be drawn.
func (c Chart) scales() (x, y scale, err error) {
	if len(c.Series) == 0 {
		return x, y, errors.New("a chart without a series")
	}
	var xs, ys []float64
	for _, s := range c.Series {
		if len(s.Points) == 0 {
			return x, y, fmt.Errorf("%q has no points", s.Name)
		}
		for _, p := range s.Points {
			xs, ys = append(xs, p.X), append(ys, p.Y)
		}
	}
	if x, err = newScale(c.X, xs); err != nil {
		return x, y, err
	}
	y, err = newScale(c.Y, ys)
	return x, y, err
}
