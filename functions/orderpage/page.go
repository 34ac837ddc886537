package main

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // Lambda's system has no time zones

	"keypool/shared/catalog"
	"keypool/shared/link"
	"keypool/shared/look"
	"keypool/shared/mail/frame"
	"keypool/shared/mail/text"
	"keypool/shared/markup"
	"keypool/shared/orderpage"
	"keypool/shared/web"
)

//go:embed page.css
var pageStyle string

//go:embed page.js
var script string

// style is what all pages have.
var style = look.Tokens + look.Base + pageStyle

// page is what is shown: the page of an order, or a title and a sentence.
type page struct {
	say   frame.Frame
	words frame.Page

	Title, Says string // where there is no order

	View   orderpage.View
	Token  string
	Opened bool // the button was pressed
	Sent   bool // the mail is on its way again

	Lost, Done bool // the form of who has lost the mail, and that it was sent
}

// shopPage returns a page of a merchant's that shows no order.
func shopPage(r *http.Request, m catalog.Merchant) page {
	say := wordsFor(r, m.Languages...)
	return page{say: say, words: say.Page, Title: say.Page.Lost.Title, View: orderpage.View{Merchant: m}}
}

// newPage returns the page of an order, in the language of the browser, else of the order, else
// of the merchant.
func newPage(r *http.Request, v orderpage.View) page {
	say := wordsFor(r, append([]string{v.Language}, v.Merchant.Languages...)...)
	return page{say: say, words: say.Page, View: v, Token: r.PathValue("token")}
}

// wordsFor returns the words in the first language that there are any in: of those that the
// browser wants, and then of others. If there are none, they are English.
func wordsFor(r *http.Request, others ...string) frame.Frame {
	for _, tag := range slices.Concat(languagesOf(r), others) {
		if found, ok := text.Match(frame.Languages(), tag); ok {
			return frame.In(found)
		}
	}
	return frame.In("en")
}

// html returns the page, and the policy that it needs.
func (p page) html() (body, policy string) {
	var w markup.Writer
	look, logo := style+brand(p.View.Merchant.Color), web.PicturesOf(p.View.Merchant.Logo)
	w.Raw("<!DOCTYPE html>\n<html lang=\"").Text(p.say.Language).Raw(`"`)
	if p.say.RightToLeft() {
		w.Raw(` dir="rtl"`)
	}
	w.Raw(">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"robots\" content=\"noindex\">\n<title>")
	shop := p.View.Merchant.Title
	if p.Title == "" {
		w.Text(strings.Join(slices.DeleteFunc([]string{p.words.Title, shop}, func(s string) bool { return s == "" }), " – "))
	} else {
		w.Text(p.Title)
	}
	w.Raw("</title>\n<style>").Raw(look).Raw("</style>\n</head>\n<body>\n<main>\n")
	if shop != "" {
		w.Raw(`<p class="shop">`)
		if logo != "" {
			w.Raw(`<img alt="" src="`).Address(p.View.Merchant.Logo).Raw(`">`)
		}
		w.Text(shop).Raw("</p>\n")
	}
	switch {
	case p.Lost:
		p.lost(&w)
	case p.Title == "":
		p.order(&w)
	default:
		w.Raw("<section class=\"card\">\n<h1>").Text(p.Title).Raw("</h1>\n<p>").Text(p.Says).Raw("</p>\n</section>\n")
	}
	w.Raw("</main>\n")
	policy = "default-src 'none'; style-src " + hash(look) + "; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
	if logo != "" {
		policy += "; img-src " + logo
	}
	if p.Opened {
		w.Raw("<script>").Raw(script).Raw("</script>\n")
		policy += "; script-src " + hash(script)
	}
	w.Raw("</body>\n</html>\n")
	return w.String(), policy
}

// lost writes the form of who has lost the mail.
func (p page) lost(w *markup.Writer) {
	if p.Done {
		w.Raw(`<p class="band good" role="status">`).Text(p.words.Lost.Done).Raw("</p>\n")
	}
	w.Raw("<section class=\"card\">\n<h1>").Text(p.words.Lost.Title).Raw("</h1>\n<p>").Text(p.words.Lost.Body).Raw("</p>\n")
	w.Raw(`<form method="post" action="`, link.LostPath).Text(p.View.Merchant.Name).Raw(`">`, "\n")
	w.Raw(`<p class="field"><label for="email">`).Text(p.say.Contact.Email).Raw(`</label><input id="email" name="email" type="email" autocomplete="email" required maxlength="320"></p>`, "\n")
	w.Raw(`<p class="field"><label for="order">`).Text(p.say.Order.Number).Raw(`</label><input id="order" name="order" required maxlength="128"></p>`, "\n")
	w.Raw(`<button class="main">`).Text(p.words.Lost.Send).Raw("</button>\n</form>\n</section>\n")
}

// hash is how a policy names a style or a script within the page.
func hash(of string) string {
	sum := sha256.Sum256([]byte(of))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// order writes the page of an order.
func (p page) order(w *markup.Writer) {
	if p.Sent {
		w.Raw(`<p class="band good" role="status">`).Text(strings.ReplaceAll(p.words.Sent, "{ADDRESS}", isolated(p.View.Address()))).Raw("</p>\n")
	}
	w.Raw("<section class=\"card\">\n<div class=\"head\"><h1>").Text(p.heading()).Raw("</h1>")
	if p.View.Test {
		w.Raw(`<span class="mark warn">`).Text(p.say.TestOrder).Raw("</span>")
	}
	w.Raw("</div>\n")
	ready := p.View.Any(orderpage.Ready)
	if ready && p.Opened {
		w.Raw("<p>").Text(p.words.Shown).Raw("</p>\n")
	} else if ready && !slices.ContainsFunc(p.View.Lines, func(line orderpage.Line) bool { return line.State != orderpage.Ready }) {
		w.Raw("<p>").Text(p.words.Ready).Raw("</p>\n")
	}
	keys := 0
	for _, line := range p.View.Lines {
		if line.State == orderpage.Ready {
			p.line(w, line)
			keys += len(line.Keys)
		}
	}
	if keys > 0 {
		p.copies(w, keys)
	} else if ready && !p.Opened {
		w.Raw(`<form method="post" action="`, link.PagePath).Text(p.Token).Raw(`/keys"><p class="buttons"><button class="main">`).Text(p.words.Show).Raw("</button></p></form>\n")
	}
	p.sends(w)
	for _, line := range p.View.Lines {
		if line.State != orderpage.Ready {
			p.line(w, line)
		}
	}
	w.Raw("</section>\n")
	p.facts(w)
	w.Raw("<small>").Text(p.words.Private).Raw("</small>\n")
	w.Raw(`<p id="said" class="only-read" role="status" data-copied="`).Text(p.words.Copied).Raw("\"></p>\n")
}

func (p page) heading() string { return p.words.Title + " " + isolated(p.View.Order) }

// isolated sets what may run in another direction than the text around it apart.
func isolated(s string) string { return "\u2068" + s + "\u2069" }

// line writes a product: its keys, or why there are none.
func (p page) line(w *markup.Writer, line orderpage.Line) {
	w.Raw("<h2>").Text(line.Title()).Raw("</h2>\n")
	says := map[orderpage.State]string{
		orderpage.Waiting: p.words.Waiting, orderpage.Held: p.words.Held, orderpage.Returned: p.words.Returned,
		orderpage.Renewed: p.words.Renewed, orderpage.Erased: p.words.Erased,
		orderpage.Partly: strings.NewReplacer("{THERE}", p.say.Number(line.Allocated), "{DUE}", p.say.Number(line.Allocated+line.Missing())).Replace(p.words.Partly),
	}[line.State]
	if says != "" {
		w.Raw("<p>").Text(says).Raw("</p>\n")
	}
	if line.Place > 0 {
		w.Raw("<p>").Text(strings.ReplaceAll(p.words.Place, "{COUNT}", p.say.Number(line.Place))).Raw("</p>\n")
	}
	if len(line.Keys) > 0 {
		w.Raw("<ul class=\"keys\">\n")
		for _, key := range line.Keys {
			w.Raw("<li>")
			p.key(w, key.Text.Reveal())
			w.Raw(`<button data-copy="" hidden>`).Text(p.words.Copy).Raw("</button></li>\n")
		}
		w.Raw("</ul>\n")
	}
	if download, instructions := line.Product.Download, line.Product.Instructions; line.State == orderpage.Ready && download+instructions != "" {
		w.Raw(`<p class="links">`)
		if download != "" {
			w.Raw(`<a rel="noreferrer" href="`).Address(download).Raw(`">`).Text(p.words.Download).Raw("</a>")
		}
		if instructions != "" {
			w.Raw(`<a rel="noreferrer" href="`).Address(instructions).Raw(`">`).Text(p.words.Instructs).Raw("</a>")
		}
		w.Raw("</p>\n")
	}
}

// key writes a key. One that is a link is a link.
func (p page) key(w *markup.Writer, key string) {
	if u, err := url.Parse(key); err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil {
		w.Raw(`<a class="key" dir="ltr" rel="noreferrer" href="`).Address(key).Raw(`">`).Text(key).Raw("</a>")
		return
	}
	w.Raw(`<code class="key" dir="ltr">`).Text(key).Raw("</code>")
}

// copies writes what is for all keys together.
func (p page) copies(w *markup.Writer, keys int) {
	w.Raw(`<form method="post" action="`, link.PagePath).Text(p.Token).Raw(`/keys"><p class="buttons copies">`)
	if keys > 1 {
		w.Raw(`<button type="button" data-copy="all" hidden>`).Text(p.words.CopyAll).Raw("</button>")
	}
	w.Raw(`<button name="as" value="text">`).Text(p.words.Text).Raw("</button></p></form>\n")
}

// sends writes the button that sends the mail again.
func (p page) sends(w *markup.Writer) {
	address := p.View.Address()
	if address == "" {
		return
	}
	w.Raw(`<form method="post" action="`, link.PagePath).Text(p.Token).Raw(`/send"><p class="sends small"><span>`)
	w.Text(strings.ReplaceAll(p.words.MailsTo, "{ADDRESS}", isolated(address))).Raw(`</span><button class="plain">`).Text(p.words.Send).Raw("</button></p></form>\n")
}

// facts writes the details of the order.
func (p page) facts(w *markup.Writer) {
	day := p.View.PaidAt
	if zone, err := time.LoadLocation(p.View.Merchant.TimeZone); err == nil {
		day = day.In(zone)
	}
	w.Raw("<section class=\"card\">\n<h2>").Text(p.say.Order.Title).Raw("</h2>\n<dl class=\"facts\">\n")
	fact := func(name, value string) {
		w.Raw("<div><dt>").Text(name).Raw("</dt><dd>").Text(isolated(value)).Raw("</dd></div>\n")
	}
	fact(p.say.Order.Number, p.View.Order)
	fact(p.say.Order.Date, p.say.Date(day))
	for i, line := range p.View.Lines {
		if i > 0 { // a list has each name once
			w.Raw("</dl>\n<dl class=\"facts\">\n")
		}
		fact(p.say.Order.Product, line.Title())
		fact(p.say.Order.Quantity, p.say.Number(line.Quantity))
	}
	if shop := p.View.Merchant; shop.Title != "" && shop.ReplyTo != "" {
		w.Raw("</dl>\n<dl class=\"facts\">\n<div><dt>").Text(shop.Title).Raw(`</dt><dd><a href="`).Address("mailto:" + shop.ReplyTo).Raw(`">`).Text(isolated(shop.ReplyTo)).Raw("</a></dd></div>\n")
	}
	w.Raw("</dl>\n</section>\n")
}

// text returns the keys as a text, each in a line; of several products, under their names.
func (p page) text() string {
	var b strings.Builder
	for _, line := range p.View.Lines {
		if len(line.Keys) == 0 {
			continue
		}
		if len(p.View.Lines) > 1 {
			b.WriteString(line.Title() + "\r\n")
		}
		for _, key := range line.Keys {
			b.WriteString(key.Text.Reveal() + "\r\n")
		}
	}
	return b.String()
}

// The grounds of the cards, and the least contrast of a button to them (WCAG 2.2, 1.4.11) and
// of the white words on it (1.4.3).
const (
	lightCard, darkCard     = "#ffffff", "#171b21"
	ofButton, ofButtonsText = 3, 4.5
)

// brand has the main button in the merchant's color, where that can be seen and read.
func brand(color string) string {
	if !look.IsColor(color) || look.Contrast(color, "#ffffff") < ofButtonsText {
		return ""
	}
	rule := "button.main { background: " + color + "; border-color: " + color + "; color: #ffffff; }\n"
	var b strings.Builder
	for _, scheme := range []struct{ name, card string }{{"light", lightCard}, {"dark", darkCard}} {
		if look.Contrast(color, scheme.card) >= ofButton {
			b.WriteString("@media (prefers-color-scheme: " + scheme.name + ") { " + rule + "}\n")
		}
	}
	return b.String()
}
