package main

import (
	"cmp"
	"errors"
	"html"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"keypool/shared/catalog"
	"keypool/shared/mail"
	"keypool/shared/mail/text"
	"keypool/shared/settings"
	"keypool/shared/web"
)

const (
	textsPath   = "/portal/texts"
	previewPath = "/portal/preview"
)

func (p *portal) textScreens() []screen {
	return []screen{
		{pattern: "GET /portal/products/{product}/texts/{language}", does: "get-product", serve: p.text},
		{pattern: "POST /portal/products/{product}/texts/{language}", does: "put-product", serve: p.saveText},
		{pattern: "GET /portal/texts", does: "get-texts", serve: p.commonTexts},
		{pattern: "GET /portal/texts/{language}", does: "get-texts", serve: p.text},
		{pattern: "POST /portal/texts/{language}", does: "put-texts", serve: p.saveText},
		{pattern: "GET /portal/preview", does: "preview-mail", serve: p.showStored},
		{pattern: "POST /portal/preview", does: "preview-mail", reads: true, serve: p.preview},
		{pattern: "POST /portal/preview/send", does: "send-sample", reads: true, serve: p.sendSample},
	}
}

// writings are the texts that one page writes one of: those of a product, or of the merchant.
type writings struct {
	product catalog.Product // of version 0: the merchant's
	texts   map[string]catalog.Text
	version int
}

// writingsOf reads the texts that an address names. Its language stands in the title of the page:
// one that is none, whatever it says, is errNotFound.
func (p *portal) writingsOf(v *visit) (writings, error) {
	if language := v.PathValue("language"); language != "" && !settings.IsLanguage(language) {
		return writings{}, errNotFound
	}
	if v.PathValue("product") == "" {
		t, err := p.texts.Get(v.Context(), v.Merchant)
		return writings{texts: t.Texts, version: t.Version}, err
	}
	product, err := p.goods.Get(v.Context(), v.Merchant, productOf(v))
	if err == nil && product.ID != productOf(v) {
		err = errNotFound // an alias
	}
	return writings{product, product.Texts, product.Version}, err
}

// path is the address of a text.
func (w writings) path(language string) string {
	if w.product.ID == "" {
		return textsPath + "/" + language
	}
	return textPath(w.product.ID, language)
}

// back is the address of the page that lists them.
func (w writings) back() string {
	if w.product.ID == "" {
		return textsPath
	}
	return productPath(w.product.ID)
}

// languages are the merchant's, and those that there is a text in.
func (w writings) languages(m catalog.Merchant) []string {
	all := slices.Clone(m.Languages)
	for _, language := range slices.Sorted(maps.Keys(w.texts)) {
		if !slices.Contains(all, language) {
			all = append(all, language)
		}
	}
	if len(all) == 0 {
		all = []string{"en"}
	}
	return all
}

type textsData struct{ Rows []textRow }

func (p *portal) commonTexts(v *visit) (answer, error) {
	w, err := p.writingsOf(v)
	var d textsData
	for _, language := range w.languages(v.merchant) {
		from := "Keypool's own words"
		if _, own := w.texts[language]; own {
			from = "your text"
		}
		d.Rows = append(d.Rows, textRow{language, from, w.path(language)})
	}
	return answer{page: "texts", title: "Texts for all products", data: d, band: textDone(v)}, err
}

func textDone(v *visit) *band {
	return done(v, map[string]band{
		"text":  {Says: "The text is saved. Mails that are written from now on have it."},
		"plain": {Says: "The text is gone. Mails have Keypool's own words, or your text for all products."},
	})
}

type textData struct {
	form
	Product   string // its title; "": of all products
	ID        string // of the product
	Language  string
	Languages []place
	Path      string
	Back      string
	Formats   []option
	Missing   []string // the merchant's languages that lack a text, beside this one
	There     bool     // there is a text in this language
	Tags      []tagRow
	Stored    string // address of the mail as it is now
	Readonly  bool
}

// tagRow is a tag that a text can hold.
type tagRow struct{ Tag, Means, Sample string }

func (p *portal) text(v *visit) (answer, error) {
	w, err := p.writingsOf(v)
	if err != nil {
		return answer{}, err
	}
	return p.textPage(v, w, textForm(w, v.PathValue("language")))
}

// textForm is what the editor holds: the text that there is, or one to begin with.
func textForm(w writings, language string) form {
	own, there := w.texts[language]
	if !there {
		own = catalog.Text{Subject: "Your key for {PROGRAM_NAME}", Body: "Thank you for your order. Here is your key:\n\n{KEY}"}
		if w.product.Instructions != "" {
			own.Body += "\n\nHow to use it: {URL}"
		}
	}
	return form{Version: w.version, Values: url.Values{
		"subject": {own.Subject}, "body": {own.Body}, "format": {cmp.Or(own.Format, text.PlainText)},
		"as": {"one"}, "width": {"desk"}, "look": {"light"},
	}}
}

func (p *portal) textPage(v *visit, w writings, f form) (answer, error) {
	language := v.PathValue("language")
	d := textData{
		form: f, Product: cmp.Or(w.product.Title, w.product.ID), ID: w.product.ID, Language: language, Path: w.path(language), Back: w.back(),
		Formats: []option{{text.PlainText, "plain: as you type it"}, {text.Markdown, "Markdown: **bold**, lists, links"}},
	}
	_, d.There = w.texts[language]
	d.Readonly = !v.may("put-texts") // as put-product
	d.Stored = previewPath + "?" + url.Values{"product": {w.product.ID}, "in": {language}}.Encode()
	for _, other := range w.languages(v.merchant) {
		d.Languages = append(d.Languages, place{other, w.path(other), other == language})
	}
	if len(w.texts) == 0 {
		for _, other := range v.merchant.Languages {
			if _, covered := text.Match([]string{language}, other); !covered {
				d.Missing = append(d.Missing, other)
			}
		}
	}
	samples := mail.SampleValues(v.now)
	for _, known := range text.Tags {
		d.Tags = append(d.Tags, tagRow{known.Tag.String(), known.Meaning, samples[known.Tag]})
	}
	a := answer{page: "text", title: "Text in " + language, data: d, band: textDone(v)}
	return a, nil
}

// written returns the text of a form.
func written(r *formReader) catalog.Text {
	t := catalog.Text{Subject: r.line("subject"), Body: strings.TrimRight(r.text("body"), " \t\n"), Format: r.line("format")}
	if t.Format == text.PlainText {
		t.Format = "" // as one that never said so
	}
	return t
}

func (p *portal) saveText(v *visit) (answer, error) {
	w, err := p.writingsOf(v)
	if err != nil {
		return answer{}, err
	}
	language, r := v.PathValue("language"), formReader{values: v.form}
	next := maps.Clone(w.texts)
	if next == nil {
		next = map[string]catalog.Text{}
	}
	word := "text"
	if v.form.Has("remove") {
		delete(next, language)
		word = "plain"
	} else {
		next[language] = written(&r)
		if r.ticked("also") {
			for _, other := range v.merchant.Languages {
				if _, there := text.Match(slices.Sorted(maps.Keys(next)), other); !there {
					next[other] = next[language]
				}
			}
		}
	}
	if w.product.ID == "" {
		_, err = p.texts.Put(v.Context(), catalog.Texts{Merchant: v.Merchant, Texts: next}, v.Principal, condition(v.form))
	} else {
		product := w.product
		product.Texts = next
		_, _, err = p.goods.Put(v.Context(), product, v.Principal, condition(v.form))
	}
	if errors.Is(err, catalog.ErrConflict) {
		if w, err = p.writingsOf(v); err != nil { // they may have saved after it was read
			return answer{}, err
		}
		now := textForm(w, language)
		for _, only := range []string{"as", "width", "look"} {
			now.Values.Set(only, v.form.Get(only))
		}
		a, err := p.textPage(v, w, besideTheirs(v.form, now))
		a.status = http.StatusConflict
		return a, err
	}
	var invalid *settings.InvalidError
	if errors.As(err, &invalid) {
		problems := slices.Clone(invalid.Problems)
		for i, problem := range problems {
			problems[i].Path = strings.TrimPrefix(problem.Path, "texts."+language+".")
		}
		err = mistaken(problems...)
	}
	if f, ok := again(v.form, err); ok {
		a, err := p.textPage(v, w, f)
		a.status = http.StatusUnprocessableEntity
		return a, err
	}
	return answer{see: w.back() + "?done=" + word}, err
}

// manyKeys is how many keys the preview of a mail with several has.
const manyKeys = 3

// previewed returns the mail that values ask to see: with the text that they have, else with the
// one that is stored.
func previewed(values url.Values) settings.Preview {
	r := formReader{values: values}
	shown := settings.Preview{Product: r.line("product"), Language: r.line("in"), Keys: 1}
	if values.Has("body") {
		own := written(&r)
		shown.Text = &own
	}
	switch r.line("as") {
	case "several":
		shown.Keys = manyKeys
	case "waiting":
		shown.Keys, shown.Text = 0, nil // it has words of its own
	}
	return shown
}

// showStored shows a mail with the text that is stored.
func (p *portal) showStored(v *visit) (answer, error) { return p.showMail(v, v.URL.Query()) }

// preview shows a mail with the text of a form.
func (p *portal) preview(v *visit) (answer, error) { return p.showMail(v, v.form) }

// showMail shows a mail as its customer would get it, in the frame beside the editor.
func (p *portal) showMail(v *visit, values url.Values) (answer, error) {
	made, err := p.previews.Show(v.Context(), v.Merchant, previewed(values))
	var invalid *settings.InvalidError
	if errors.As(err, &invalid) {
		var says []string
		for _, problem := range invalid.Problems {
			says = append(says, problem.Message)
		}
		return inFrame("The mail cannot be shown yet.", says...), nil
	}
	// A mail without a link is scrolled by the keyboard too.
	a := answer{alone: strings.Replace(made.HTML, "<body ", `<body tabindex="0" `, 1), policy: mailPolicy(v.merchant.Logo)}
	// The mail follows the customer's setting; here it follows the one that was chosen.
	if values.Get("look") == "dark" {
		a.alone = strings.NewReplacer("(prefers-color-scheme: dark)", "all", "color-scheme: light dark", "color-scheme: dark").Replace(a.alone)
	} else {
		a.alone = strings.NewReplacer("(prefers-color-scheme: dark)", "not all", "color-scheme: light dark", "color-scheme: light").Replace(a.alone)
	}
	return a, err
}

// mailPolicy is that of a mail in its frame: the style that it has within, the merchant's logo,
// and no script.
func mailPolicy(logo string) string {
	return "default-src 'none'; style-src 'unsafe-inline'; img-src " + cmp.Or(web.PicturesOf(logo), "'none'") + "; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox"
}

// inFrame is what the frame beside the editor says in place of a mail.
func inFrame(title string, says ...string) answer {
	body := `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Preview</title></head><body style="font: 16px/25px system-ui, sans-serif; margin: 24px"><p><b>` + html.EscapeString(title) + `</b></p>`
	for _, line := range says {
		body += "<p>" + html.EscapeString(line) + "</p>"
	}
	return answer{alone: body + "</body></html>", policy: mailPolicy("")}
}

// sendSample mails what the form shows to the shop's notice address. What becomes of it is said in
// the frame, so that what was written stays.
func (p *portal) sendSample(v *visit) (answer, error) {
	_, err := p.previews.Send(v.Context(), v.Merchant, previewed(v.form))
	var invalid *settings.InvalidError
	switch {
	case errors.Is(err, settings.ErrSampleSent):
		return inFrame("No sample was sent.", "One was sent in this minute. Send the next one in a minute."), nil
	case errors.As(err, &invalid):
		return inFrame("No sample was sent.", invalid.Problems[0].Message), nil
	}
	return inFrame("A sample is on its way.", "It goes to the address where Keypool writes to you, which stands under Settings. Its keys are made up."), err
}
