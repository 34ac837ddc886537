package main

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/phrase"
)

const shopPath = settingsPath + "/shop"

func (p *portal) shopScreens() []screen {
	return []screen{
		{pattern: "GET " + shopPath, does: "get-shop", serve: p.shopSettings},
		{pattern: "POST " + shopPath, does: "put-shop", serve: p.saveShop},
	}
}

// shopData is what the page of the shop as a whole shows.
type shopData struct {
	Form     form
	Frames   []frameFields
	Pools    []option // nil: there are too many to choose from
	Returned []option
	Limits   []fact
	Readonly bool
}

// frameFields are the fields of what stands around texts in a language.
type frameFields struct{ Language, Path string }

// fact is something that is only shown.
type fact struct{ Name, Value string }

func (p *portal) shopSettings(v *visit) (answer, error) { return p.shopPage(v, nil) }

// shopPage is the page, with a form that was sent; nil: none was.
func (p *portal) shopPage(v *visit, sent func(now form) form) (answer, error) {
	var (
		m       catalog.Merchant
		pools   []string
		reading errgroup.Group
	)
	// The visit's own copy may be half a minute old.
	reading.Go(func() (err error) { m, err = p.own.Get(v.Context(), v.Merchant); return err })
	reading.Go(func() (err error) { pools, err = p.pools.Names(v.Context(), v.Merchant, poolsToChoose+1); return err })
	if err := reading.Wait(); err != nil {
		return answer{}, err
	}
	d := shopData{
		Form:     shopForm(m),
		Returned: []option{{"", "nobody gets them again"}, {string(order.Restock), "for sale again, unless mailed or shown"}, {string(order.Keep), "the customer keeps them"}},
		Limits:   shopLimits(m),
		Readonly: !v.may("put-shop"),
	}
	a := answer{page: "shop", title: "Shop", band: done(v, map[string]band{
		"saved": {Says: "Saved. All of Keypool knows it within half a minute."},
		"told":  {Says: "Saved. Both addresses, the new one and the former one, are told of the change by mail."},
	})}
	if sent != nil {
		d.Form = sent(d.Form)
		a.status = http.StatusUnprocessableEntity
	}
	languages := append(slices.Clone(m.Languages), slices.Sorted(maps.Keys(m.Frames))...)
	for i, language := range append(languages, d.Form.Values["frame"]...) {
		f := frameFields{language, "frames." + language}
		if language != "" && !slices.Contains(languages[:min(i, len(languages))], language) && !slices.Contains(d.Frames, f) {
			d.Frames = append(d.Frames, f)
		}
	}
	if len(d.Frames) == 0 {
		d.Frames = []frameFields{{"en", "frames.en"}}
	}
	if len(pools) <= poolsToChoose {
		d.Pools = []option{{"", "none: each product names its own"}}
		if chosen := d.Form.Value("default_pool"); chosen != "" && !slices.Contains(pools, chosen) {
			pools = append(pools, chosen)
		}
		for _, name := range pools {
			d.Pools = append(d.Pools, option{name, name})
		}
	}
	a.data = d
	return a, nil
}

// shopForm is what the form of a shop holds.
func shopForm(m catalog.Merchant) form {
	returned := m.ReturnedKeys
	if returned == order.Revoke {
		returned = "" // the same
	}
	f := form{Version: m.Version, Values: url.Values{
		"title": {m.Title}, "notice_address": {m.NoticeAddress}, "sender_name": {m.SenderName}, "reply_to": {m.ReplyTo}, "logo": {m.Logo}, "color": {m.Color},
		"languages": {strings.Join(m.Languages, ", ")}, "time_zone": {m.TimeZone}, "default_pool": {m.DefaultPool}, "returned_keys": {string(returned)},
	}}
	for language, frame := range m.Frames {
		path := "frames." + language
		f.Values[path+".greeting"], f.Values[path+".signature"], f.Values[path+".footer"] = []string{frame.Greeting}, []string{frame.Signature}, []string{frame.Footer}
	}
	return f
}

// shopLimits are what the operator has set.
func shopLimits(m catalog.Merchant) []fact {
	files := m.Uploads.OrDefault()
	return []fact{
		{"Key files", phrase.Count(files.Files, "file")},
		{"Their size", phrase.Number(int(files.Bytes>>20)) + " MiB"},
		{"Keys in them", phrase.Count(files.Keys, "key")},
		{"Calls of the API", phrase.Count(cmp.Or(m.Calls, catalog.DefaultCalls), "call")},
		{"Notices by mail", phrase.Count(cmp.Or(m.Mails, catalog.DefaultMails), "notice")},
	}
}

// readShop returns the merchant that a form describes.
func readShop(name string, sent url.Values) catalog.Merchant {
	r := formReader{values: sent}
	m := catalog.Merchant{
		Name: name, Title: r.line("title"), NoticeAddress: r.line("notice_address"), SenderName: r.line("sender_name"), ReplyTo: r.line("reply_to"), Logo: r.line("logo"),
		Color: r.line("color"), TimeZone: r.line("time_zone"), DefaultPool: r.line("default_pool"), ReturnedKeys: order.Disposition(r.line("returned_keys")),
	}
	m.Languages = strings.FieldsFunc(r.text("languages"), func(c rune) bool { return strings.ContainsRune(", ;\n\t", c) })
	if len(m.Languages) == 0 {
		m.Languages = nil
	}
	for _, language := range sent["frame"] {
		path := "frames." + language
		f := catalog.Frame{Greeting: r.line(path + ".greeting"), Signature: strings.Join(r.lines(path+".signature"), "\n"), Footer: r.line(path + ".footer")}
		if f == (catalog.Frame{}) {
			continue
		}
		if m.Frames == nil {
			m.Frames = map[string]catalog.Frame{}
		}
		m.Frames[language] = f
	}
	return m
}

// longestLanguage is more than the longest tag of a language (BCP 47), mostFrames than the
// languages that a merchant has.
const longestLanguage, mostFrames = 64, 100

func (p *portal) saveShop(v *visit) (answer, error) {
	frames := slices.DeleteFunc(v.form["frame"], func(language string) bool { return len(language) > longestLanguage })
	v.form["frame"] = frames[:min(len(frames), mostFrames)]
	next := readShop(v.Merchant, v.form)
	_, err := p.own.PutOwn(v.Context(), next, v.Principal, condition(v.form))
	if errors.Is(err, catalog.ErrConflict) {
		a, err := p.shopPage(v, func(now form) form { return besideTheirs(v.form, now) })
		a.status = http.StatusConflict
		return a, err
	}
	if f, wrong := again(v.form, err); wrong {
		return p.shopPage(v, func(form) form { return f })
	}
	if next.NoticeAddress != v.merchant.NoticeAddress {
		return answer{see: shopPath + "?done=told"}, err
	}
	return answer{see: shopPath + "?done=saved"}, err
}
