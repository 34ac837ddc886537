package main

import (
	"html"
	"strconv"
	"strings"
)

// linkPage is what a link's page shows.
type linkPage struct {
	Tab      string // the window's title: names no order
	Merchant string
	Badge    *linkBadge
	Title    string
	Words    []string
	Facts    []linkFact
	Lines    []linkFact
	After    string
	Buttons  []linkButton
	Seen     string // when this page was shown, in milliseconds
	Version  int    // of the one line that it shows; 0: it shows others
	Foot     string
}

type linkBadge struct{ Class, Text string }

type linkFact struct{ Name, Value string }

type linkButton struct{ Does, Says, Class string }

// html returns the page. It is written by hand, since package html/template calls methods
// by their names: the linker then keeps every method of the AWS SDK, and the function's zip
// is twice as large.
func (p linkPage) html() string {
	var w pageWriter
	w.raw(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>`).text(p.Tab).raw("</title>\n<style>").raw(linkStyle).raw("</style>\n</head>\n<body>\n<main>\n")
	w.raw(`<p class="from">Keypool`)
	if p.Merchant != "" {
		w.raw(" for ").text(p.Merchant)
	}
	w.raw("</p>\n")
	if p.Badge != nil {
		w.raw(`<p class="badge `).text(p.Badge.Class).raw(`">`).text(p.Badge.Text).raw("</p>\n")
	}
	w.raw("<h1>").text(p.Title).raw("</h1>\n")
	for _, words := range p.Words {
		w.raw("<p>").text(words).raw("</p>\n")
	}
	if len(p.Facts) > 0 {
		w.raw("<dl>\n")
		for _, fact := range p.Facts {
			w.raw("<div><dt>").text(fact.Name).raw("</dt><dd>").text(fact.Value).raw("</dd></div>\n")
		}
		w.raw("</dl>\n")
	}
	if len(p.Lines) > 0 {
		w.raw("<ul>\n")
		for _, line := range p.Lines {
			w.raw("<li><b>").text(line.Name).raw("</b><br>").text(line.Value).raw("</li>\n")
		}
		w.raw("</ul>\n")
	}
	if p.After != "" {
		w.raw("<p>").text(p.After).raw("</p>\n")
	}
	if len(p.Buttons) > 0 {
		p.form(&w)
	}
	if p.Foot != "" {
		w.raw(`<p class="soft">`).text(p.Foot).raw("</p>\n")
	}
	w.raw("</main>\n</body>\n</html>\n")
	return w.String()
}

func (p linkPage) form(w *pageWriter) {
	w.raw("<form method=\"post\">\n<input type=\"hidden\" name=\"seen\" value=\"").text(p.Seen).raw("\">\n")
	if p.Version != 0 {
		w.raw(`<input type="hidden" name="version" value="`).text(strconv.Itoa(p.Version)).raw("\">\n")
	}
	for _, button := range p.Buttons {
		w.raw(`<button name="do" value="`).text(button.Does).raw(`"`)
		if button.Class != "" {
			w.raw(` class="`).text(button.Class).raw(`"`)
		}
		w.raw(">").text(button.Says).raw("</button>\n")
	}
	w.raw("</form>\n")
}

// pageWriter writes HTML. What is no constant is written by text.
type pageWriter struct{ strings.Builder }

func (w *pageWriter) raw(constant string) *pageWriter {
	w.WriteString(constant)
	return w
}

// text writes a text between tags, or as the value of an attribute in double quotes.
func (w *pageWriter) text(s string) *pageWriter { return w.raw(html.EscapeString(s)) }
