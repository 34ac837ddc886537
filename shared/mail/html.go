package mail

import (
	"cmp"
	_ "embed"
	"slices"
	"unicode/utf8"

	"keypool/shared/mail/text"
	"keypool/shared/markup"
)

// letterStyle is what mail programs know that read a style sheet: narrow windows, and the dark.
// All others see the styles of the elements.
//
//go:embed letter.css
var letterStyle string

// Styles of elements.
const (
	font      = `font-family:-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;`
	mono      = `font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'Liberation Mono','Courier New',monospace;`
	name      = font + `font-size:17px;line-height:24px;font-weight:600;color:#1a202c;`
	paragraph = font + `margin:0 0 16px 0;font-size:16px;line-height:25px;color:#1a202c;word-break:break-word;overflow-wrap:anywhere;`
	quoted    = font + `margin:0;font-size:16px;line-height:25px;color:#1a202c;word-break:break-word;overflow-wrap:anywhere;`
	item      = font + `margin:0 0 8px 0;font-size:16px;line-height:25px;color:#1a202c;word-break:break-word;overflow-wrap:anywhere;`

	// pre keeps each space of a key. Outlook on Windows and Samsung's mail program know the
	// element and not white-space, so that both are needed; pre-wrap lets a long key wrap.
	// No-break spaces would be copied with the key, and it would be another one.
	pre = `margin:0;font:inherit;white-space:pre-wrap;word-break:break-all;`

	table = `<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"`
)

// fillers keep the words, with their keys, out of the preview.
const fillers = 80

// letterWriter writes a letter as HTML.
type letterWriter struct {
	markup.Writer
	letter
}

// html renders the letter as HTML that stands on its own: tables and inline
// styles for the mail programs that know nothing else.
func (l letter) html() string {
	w := &letterWriter{letter: l}
	dir := ""
	if l.RightToLeft {
		dir = ` dir="rtl"`
	}
	w.Raw(`<!DOCTYPE html>
<html lang="`).Text(l.Language).Raw(`"`, dir, ` xmlns="http://www.w3.org/1999/xhtml">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="x-apple-disable-message-reformatting">
<meta name="format-detection" content="telephone=no, date=no, address=no, email=no, url=no">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>`).Text(l.Subject).Raw("</title>\n<style>\n")
	if l.Color != "" {
		w.Raw(".link { color: ").Text(l.Color).Raw(" !important; }\n")
	}
	w.Raw(letterStyle, "</style>\n</head>\n", `<body class="page"`, dir, ` style="margin:0;padding:0;background:#f2f4f7;">
<div style="display:none;overflow:hidden;max-height:0;max-width:0;opacity:0;font-size:1px;line-height:1px;">`).Text(l.Preview)
	for range fillers {
		w.Raw("&#847;&zwnj;&nbsp;")
	}
	w.Raw(`</div>
<table role="presentation"`, dir, ` class="page" width="100%" cellpadding="0" cellspacing="0" border="0" style="background:#f2f4f7;">
<tr><td class="edge" role="main" align="center" style="padding:32px 16px;">
<table role="presentation" class="card" width="600" cellpadding="0" cellspacing="0" border="0" style="width:100%;max-width:600px;background:#ffffff;border:1px solid #e1e5ea;border-radius:12px;border-collapse:separate;">`)
	w.head()
	w.Raw("\n", `<tr><td class="pad" style="padding:24px 36px 0 36px;">`)
	if l.Title != "" {
		w.Raw("\n", `<h1 class="ink" style="`, font, `margin:0 0 16px 0;font-size:22px;line-height:30px;font-weight:700;color:#1a202c;">`).Text(l.Title).Raw("</h1>")
	}
	if l.Greeting != "" {
		w.Raw("\n", `<p class="ink" style="`, paragraph, `">`).Text(l.Greeting).Raw("</p>")
	}
	for _, b := range l.Words {
		w.block(b)
	}
	if l.Button.Link != "" {
		w.button()
	}
	for _, b := range l.More {
		w.block(b)
	}
	if l.Attached != "" {
		w.Raw("\n", `<p class="soft" style="`, font, `margin:0 0 16px 0;font-size:14px;line-height:21px;color:#5a6472;">`).Text(l.Attached).Raw("</p>")
	}
	w.Raw("\n</td></tr>")
	for _, d := range l.Details {
		w.details(d)
	}
	w.foot()
	return w.String()
}

// head writes the bar of the writer's color, the logo or name, and the badge. In a mail without
// a title, the name is its heading.
func (w *letterWriter) head() {
	if w.Color != "" {
		w.Raw("\n", `<tr><td class="bar" style="height:5px;background:`).Text(w.Color).Raw(`;border-radius:11px 11px 0 0;font-size:1px;line-height:5px;">&nbsp;</td></tr>`)
	}
	one, other := ` class="ink"`, ""
	if w.Logo != "" && w.Badge != nil { // a phone has no room for both in a row
		one, other = ` class="ink row"`, ` class="row"`
	}
	w.Raw("\n", `<tr><td class="pad" style="padding:32px 36px 0 36px;">`, "\n", table, "><tr>\n",
		`<td`, one, ` style="`, name, `">`)
	if w.Title == "" {
		w.Raw(`<h1 class="ink" style="margin:0;`, name, `">`)
	}
	if w.Logo != "" {
		w.Raw(`<img class="logo" src="`).Address(w.Logo).Raw(`" alt="`).Text(w.From).Raw(`" height="40" style="display:inline-block;height:40px;max-width:240px;border:0;">`)
	} else {
		w.Text(w.From)
	}
	if w.Title == "" {
		w.Raw("</h1>")
	}
	w.Raw("</td>")
	if b := w.Badge; b != nil {
		side := "right"
		if w.RightToLeft {
			side = "left"
		}
		w.Raw("\n", `<td`, other, ` align="`, side, `" style="`, font, `"><span class="mark-`).Text(b.Class).
			Raw(`" style="display:inline-block;padding:3px 10px;border-radius:999px;font-size:13px;line-height:20px;font-weight:600;white-space:nowrap;background:`).
			Text(b.Background).Raw(`;color:`).Text(b.Color).Raw(`;">`).Text(b.Text).Raw("</span></td>")
	}
	w.Raw("\n</tr></table>\n</td></tr>")
}

// The main button's colors in light mode, as in tokens.css.
const buttonColor, onButton = "#0b57c2", "#ffffff"

// button writes the main button: a table, since Outlook on Windows gives a link no padding. A
// brand's color is one in which links can be read on the ground of keys, so that white can be
// read on it.
func (w *letterWriter) button() {
	color := cmp.Or(w.Color, buttonColor)
	w.Raw("\n", `<table role="presentation" cellpadding="0" cellspacing="0" border="0" style="margin:4px 0 20px 0;border-collapse:separate;">
<tr><td class="main" align="center" style="padding:12px 22px;border-radius:8px;background:`).Text(color).
		Raw(`;"><a class="main" href="`).Address(w.Button.Link).Raw(`" style="`, font, `font-size:16px;line-height:24px;font-weight:600;color:`, onButton, `;text-decoration:none;">`).
		Text(w.Button.Says).Raw("</a></td></tr>\n</table>")
}

// details writes a titled table.
func (w *letterWriter) details(d details) {
	padding, aside := "3px 8px 3px 0", ""
	if w.RightToLeft {
		padding, aside = "3px 0 3px 8px", ` dir="auto" align="right"`
	}
	w.Raw("\n", `<tr><td class="pad" style="padding:12px 36px 0 36px;">`, "\n", table, ` class="rule" style="border-top:1px solid #e1e5ea;">
<tr><td colspan="2" class="ink" style="`, font, `padding:16px 0 6px 0;font-size:15px;line-height:22px;font-weight:600;color:#1a202c;">`).Text(d.Title).Raw("</td></tr>")
	for _, r := range d.Rows {
		w.Raw("\n<tr>\n", `<td class="soft" width="34%" valign="top" style="`, font, `padding:`, padding, `;font-size:15px;line-height:22px;color:#5a6472;">`).Text(r.Name).
			Raw("</td>\n", `<td class="ink" valign="top"`, aside, ` style="`, font, `padding:3px 0;font-size:15px;line-height:22px;color:#1a202c;word-break:break-word;overflow-wrap:anywhere;">`).
			Text(r.Value).Raw("</td>\n</tr>")
	}
	w.Raw("\n</table>\n</td></tr>")
}

// foot writes the closing and the footer.
func (w *letterWriter) foot() {
	w.Raw("\n", `<tr><td class="pad" style="padding:24px 36px 32px 36px;">`)
	if len(w.Closing) > 0 {
		w.Raw("\n", `<p class="ink" style="`, font, `margin:0;font-size:16px;line-height:25px;color:#1a202c;">`)
		for i, line := range w.Closing {
			if i > 0 {
				w.Raw("<br>")
			}
			w.Text(line)
		}
		w.Raw("</p>")
	}
	if w.Footer != "" {
		w.Raw("\n", `<p class="soft" style="`, font, `margin:16px 0 0 0;font-size:13px;line-height:20px;color:#5a6472;">`).Text(w.Footer).Raw("</p>")
	}
	w.Raw("\n</td></tr>\n</table>\n</td></tr>\n</table>\n</body>\n</html>\n")
}

// indent is how far an item of a list stands from what it belongs to, in pixels.
const indent = 24

// block writes words, or keys.
func (w *letterWriter) block(b text.Block) {
	if b.Rule {
		w.Raw("\n", table, `><tr><td class="rule" style="border-top:1px solid #e1e5ea;font-size:1px;line-height:1px;padding:0 0 16px 0;">&nbsp;</td></tr></table>`)
	}
	if len(b.Lines) > 0 && b.Depth > 0 {
		end := "right"
		if w.RightToLeft {
			end = "left"
		}
		w.Raw("\n", table, "><tr>\n", `<td class="ink" width="`).Number(indent*b.Depth).Raw(`" valign="top" align="`, end, `" style="`, font, `width:`).Number(indent*b.Depth).
			Raw(`px;padding:0 8px 8px 8px;font-size:16px;line-height:25px;color:#1a202c;white-space:nowrap;">`).Text(b.Marker).Raw("</td>\n", `<td valign="top">`)
		w.lines(b)
		w.Raw("</td>\n</tr></table>")
	} else if len(b.Lines) > 0 {
		w.Raw("\n")
		w.lines(b)
	}
	if len(b.Keys) > 0 {
		w.keys(b.Keys)
	}
}

// lines writes a paragraph, a heading, a quotation, an item's words or code.
func (w *letterWriter) lines(b text.Block) {
	if b.Quote {
		start := "left"
		if w.RightToLeft {
			start = "right"
		}
		w.Raw(table, ` style="margin:8px 0 16px 0;"><tr><td class="rule" style="border-`, start, `:3px solid #d3dae2;padding:2px 14px;">`)
	}
	opens, closes, ends := "", "", "<br>"
	switch {
	case b.Code:
		opens = `<pre dir="ltr" class="ink box" style="` + mono + `margin:0 0 16px 0;padding:12px 14px;background:#f6f8fa;border:1px solid #d3dae2;border-radius:8px;font-size:14px;line-height:21px;color:#1a202c;white-space:pre-wrap;word-break:break-word;overflow-wrap:anywhere;">`
		closes, ends = "</pre>", "\n"
	case b.Heading > 0:
		sizes := []string{"20", "18", "16"}
		opens = `<h2 class="ink" style="` + font + `margin:8px 0 12px 0;font-size:` + sizes[min(b.Heading, len(sizes))-1] + `px;line-height:26px;font-weight:700;color:#1a202c;word-break:break-word;overflow-wrap:anywhere;">`
		closes = "</h2>"
	case b.Quote:
		opens, closes = `<p class="ink" style="`+quoted+`">`, "</p>"
	case b.Depth > 0:
		opens, closes = `<p class="ink" style="`+item+`">`, "</p>"
	default:
		opens, closes = `<p class="ink" style="`+paragraph+`">`, "</p>"
	}
	w.Raw(opens)
	for i, line := range b.Lines {
		if i > 0 {
			w.Raw(ends)
		}
		for _, r := range line {
			w.run(r)
		}
	}
	w.Raw(closes)
	if b.Quote {
		w.Raw("</td></tr></table>")
	}
}

// run writes a part of a line.
func (w *letterWriter) run(r text.Run) {
	switch {
	case r.Key:
		w.Raw(`<span dir="ltr" class="ink" style="`, mono, `font-size:15px;color:#1a202c;word-break:break-all;">`)
		w.key(r)
		w.Raw("</span>")
	case r.Link != "":
		w.Raw(`<a class="link" href="`).Address(r.Link).Raw(`" style="color:#0b57c2;text-decoration:underline;">`)
		w.styled(r)
		w.Raw("</a>")
	default:
		w.styled(r)
	}
}

func (w *letterWriter) styled(r text.Run) {
	var closes []string
	element := func(is bool, opens, ends string) {
		if is {
			w.Raw(opens)
			closes = append(closes, ends)
		}
	}
	element(r.Strong, "<strong>", "</strong>")
	element(r.Emphasis, "<em>", "</em>")
	element(r.Code, `<code style="`+mono+`font-size:15px;">`, "</code>")
	w.Text(r.Text)
	slices.Reverse(closes)
	w.Raw(closes...)
}

// A key of more characters than broad has no room on a line of a phone in large letters, one of
// more than wraps where many are shown; one of more than fills would fill the window.
const broad, wraps, fills = 26, 32, 100

// keys writes a box of keys: each in a row of its own, or, of many, set closer.
func (w *letterWriter) keys(keys []text.Run) {
	w.Raw("\n", `<table role="presentation" dir="ltr" class="box" width="100%" cellpadding="0" cellspacing="0" border="0" style="margin:0 0 20px 0;background:#f6f8fa;border:1px solid #d3dae2;border-radius:8px;border-collapse:separate;">`)
	if len(keys) > manyKeys {
		w.Raw("\n", `<tr><td class="ink" style="`, mono, `padding:14px 18px;font-size:14px;line-height:24px;color:#1a202c;word-break:break-all;">`)
		w.below(keys)
		w.Raw("</td></tr>")
	} else {
		class := "ink rule"
		if slices.ContainsFunc(keys, func(key text.Run) bool { return longer(key, broad) }) {
			class = "ink rule broad"
		}
		for i, key := range keys {
			border, size := "", "font-size:18px;line-height:26px;font-weight:600;"
			if longer(key, fills) {
				size = "font-size:14px;line-height:21px;"
			}
			if i > 0 {
				border = "border-top:1px solid #e1e5ea;"
			}
			w.Raw("\n", `<tr><td class="`, class, `" style="`, mono, `padding:15px 18px;`, size, `color:#1a202c;word-break:break-all;`, border, `">`)
			w.spaced(key)
			w.Raw("</td></tr>")
		}
	}
	w.Raw("\n</table>")
}

// longer reports whether a key has more than n characters. A link does not count: it is set as
// links are, and nobody types it.
func longer(key text.Run, n int) bool { return key.Link == "" && utf8.RuneCountInString(key.Text) > n }

// below writes keys one below the other. Where one may wrap, what follows its first line is
// indented, so that a key is not taken for two.
func (w *letterWriter) below(keys []text.Run) {
	if slices.ContainsFunc(keys, func(key text.Run) bool { return utf8.RuneCountInString(key.Text) > wraps }) {
		for _, key := range keys {
			w.Raw(`<div style="margin:0 0 0 18px;text-indent:-18px;">`)
			w.spaced(key)
			w.Raw("</div>")
		}
		return
	}
	between, ends := "<br>", ""
	if slices.ContainsFunc(keys, text.Run.Spaced) { // some key has white space that must not collapse
		between, ends = "\n", "</pre>"
		w.Raw(`<pre style="`, pre, `">`)
	}
	for i, key := range keys {
		if i > 0 {
			w.Raw(between)
		}
		w.key(key)
	}
	w.Raw(ends)
}

// spaced writes a key whose white space must not collapse, if it has any.
func (w *letterWriter) spaced(key text.Run) {
	if !key.Spaced() {
		w.key(key)
		return
	}
	w.Raw(`<pre style="`, pre, `">`)
	w.key(key)
	w.Raw("</pre>")
}

func (w *letterWriter) key(r text.Run) {
	if r.Link != "" {
		w.Raw(`<a class="link" href="`).Address(r.Link).Raw(`" style="color:#0b57c2;text-decoration:underline;font-size:15px;font-weight:400;">`).Text(r.Text).Raw("</a>")
		return
	}
	w.Raw(`<span class="key">`).Text(r.Text).Raw("</span>")
}
