package main

import "keypool/shared/markup"

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

// html returns the page.
func (p linkPage) html() string {
	var w markup.Writer
	w.Raw(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>`).Text(p.Tab).Raw("</title>\n<style>").Raw(linkStyle).Raw("</style>\n</head>\n<body>\n<main>\n")
	w.Raw(`<p class="from">Keypool`)
	if p.Merchant != "" {
		w.Raw(" for ").Text(p.Merchant)
	}
	w.Raw("</p>\n")
	if p.Badge != nil {
		w.Raw(`<p class="badge `).Text(p.Badge.Class).Raw(`">`).Text(p.Badge.Text).Raw("</p>\n")
	}
	w.Raw("<h1>").Text(p.Title).Raw("</h1>\n")
	for _, words := range p.Words {
		w.Raw("<p>").Text(words).Raw("</p>\n")
	}
	if len(p.Facts) > 0 {
		w.Raw("<dl>\n")
		for _, fact := range p.Facts {
			w.Raw("<div><dt>").Text(fact.Name).Raw("</dt><dd>").Text(fact.Value).Raw("</dd></div>\n")
		}
		w.Raw("</dl>\n")
	}
	if len(p.Lines) > 0 {
		w.Raw("<ul>\n")
		for _, line := range p.Lines {
			w.Raw("<li><b>").Text(line.Name).Raw("</b><br>").Text(line.Value).Raw("</li>\n")
		}
		w.Raw("</ul>\n")
	}
	if p.After != "" {
		w.Raw("<p>").Text(p.After).Raw("</p>\n")
	}
	if len(p.Buttons) > 0 {
		p.form(&w)
	}
	if p.Foot != "" {
		w.Raw(`<p class="soft">`).Text(p.Foot).Raw("</p>\n")
	}
	w.Raw("</main>\n</body>\n</html>\n")
	return w.String()
}

func (p linkPage) form(w *markup.Writer) {
	w.Raw("<form method=\"post\">\n<input type=\"hidden\" name=\"seen\" value=\"").Text(p.Seen).Raw("\">\n")
	if p.Version != 0 {
		w.Raw(`<input type="hidden" name="version" value="`).Number(p.Version).Raw("\">\n")
	}
	for _, button := range p.Buttons {
		w.Raw(`<button name="do" value="`).Text(button.Does).Raw(`"`)
		if button.Class != "" {
			w.Raw(` class="`).Text(button.Class).Raw(`"`)
		}
		w.Raw(">").Text(button.Says).Raw("</button>\n")
	}
	w.Raw("</form>\n")
}
