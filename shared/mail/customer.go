package mail

import (
	"fmt"
	"maps"
	"math/big"
	"net/mail"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // Lambda's system has no time zones
	"unicode"

	"keypool/shared/catalog"
	"keypool/shared/lazy"
	"keypool/shared/mail/frame"
	"keypool/shared/mail/text"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
)

// ForLine makes the mail that is due of a line: its keys, or the news that they will
// follow. The line must hold all its keys, those of its chunks too. Parents are the keys of
// the order that it renews, as far as they may be shown. Common are the merchant's texts, which
// are needed if FallsBack says so. Page is the address of the order's page; "": it has none.
func ForLine(f order.Fulfillment, parents []pool.Key, m catalog.Merchant, p catalog.Product, common map[string]catalog.Text, page string, sender mail.Address, now time.Time) (Message, error) {
	w := newCustomerWriter(f, parents, m, p, common, now)
	w.page = page
	return w.write(sender)
}

// write writes the mail.
func (w customerWriter) write(sender mail.Address) (Message, error) {
	f, m := w.f, w.m
	letter := w.frame()
	if f.Mail.Kind == outbox.Keys {
		w.keys(&letter)
	} else {
		delay := w.say.DelayText()
		letter.Subject = text.Subject(delay.Subject, w.values())
		letter.Preview = w.say.Delay.Preview
		letter.Words = text.Body(text.PlainText, delay.Body, w.values())
	}
	letter.Button = button{w.say.Page.SeeOrder, w.page}
	if f.Mail.Kind == outbox.Keys && !f.KeysOfParent { // the page of a renewal does not show those
		letter.Button.Says = w.say.Page.SeeKeys
	}
	made := letter.mail()
	made.From = named(w.senderName(), sender.Address)
	made.To = named(fullName(f.Customer), f.Customer.Email)
	made.ReplyTo = m.ReplyTo
	made.Tags = lineTags(f.ID, f.Mail.Number)
	if f.Mail.Kind == outbox.Keys && len(f.Keys) > manyKeys {
		made.Attached = []Attachment{w.attachment()}
	}
	return made, nil
}

// ForFormer makes the mail to an address that an order had before a person corrected it, as
// the notice says. It holds no key, not the new address, and nothing else of the customer: the
// former address may be a stranger's, by a typing error, or somebody may have taken it over.
func ForFormer(n notice.Notice, f order.Fulfillment, m catalog.Merchant, p catalog.Product, sender mail.Address, now time.Time) Message {
	to := f.Former[n.Facts.Former]
	f.Customer, f.Keys = order.Customer{}, nil
	w := newCustomerWriter(f, nil, m, p, nil, now)
	language, _ := text.ChooseLanguage(frame.Languages(), f.Language, m.Languages)
	w.say = frame.In(language)
	l := w.frame()
	l.Details = []details{{Title: w.say.Order.Title}}
	l.Details[0].add(w.say.Order.Number, f.Order)
	l.Details[0].add(w.say.Order.Product, w.title())
	words := w.say.ElsewhereText(w.m.Title, m.ReplyTo != "")
	l.Subject = text.Subject(words.Subject, w.values())
	l.Preview = text.Subject(w.say.Elsewhere.Preview, w.values())
	l.Words = text.Body(text.PlainText, words.Body, w.values())
	made := l.mail()
	made.From = named(w.senderName(), sender.Address)
	made.To = mail.Address{Address: to}
	made.ReplyTo = m.ReplyTo
	made.Tags = noticeTags(n.ID, n.Mail.Number)
	return made
}

// customerWriter writes one customer's mail.
type customerWriter struct {
	f   order.Fulfillment
	m   catalog.Merchant
	p   catalog.Product
	now time.Time

	common map[string]catalog.Text // the merchant's texts, of all products

	parents []pool.Key // of the order that f renews

	say frame.Frame
	own *catalog.Text // the merchant's words; nil: Keypool's

	source Source // of own

	page string // the address of the order's page; empty: it has none

	sample bool // it is marked as a sample
}

func newCustomerWriter(f order.Fulfillment, parents []pool.Key, m catalog.Merchant, p catalog.Product, common map[string]catalog.Text, now time.Time) customerWriter {
	w := customerWriter{f: f, parents: parents, m: m, p: p, common: common, now: now}
	if m.Title == "" {
		w.m.Title = m.Name
	}
	if f.Mail.Kind == outbox.Keys {
		w.chooseText()
	}
	if w.own == nil {
		language, _ := text.ChooseLanguage(frame.Languages(), f.Language, m.Languages)
		w.say = frame.In(language)
	}
	return w
}

// FallsBack reports whether the mail with a line's keys may need the merchant's texts: the
// product has none in the customer's language, or none that a frame fits.
func FallsBack(f order.Fulfillment, p catalog.Product) bool {
	language, ok := text.Match(slices.Sorted(maps.Keys(p.Texts)), f.Language)
	_, framed := text.Match(frame.Languages(), language)
	return f.Mail.Kind == outbox.Keys && !(ok && framed)
}

// chooseText sets the merchant's text that suits the customer, if the product has texts,
// and the frame in the same language. Where there is no such frame, text and frame are both
// in the merchant's first language: a mail speaks one language.
func (w *customerWriter) chooseText() {
	chosen, ok := w.textFor(w.f.Language)
	if !ok {
		return
	}
	around, there := text.Match(frame.Languages(), chosen.language)
	if !there && len(w.m.Languages) > 0 {
		chosen, _ = w.textFor(w.m.Languages[0])
		around, there = text.Match(frame.Languages(), chosen.language)
	}
	if !there {
		around, _ = text.ChooseLanguage(frame.Languages(), "", w.m.Languages) // nothing is better
	}
	w.say, w.own, w.source = frame.In(around), &chosen.Text, Source{chosen.from, chosen.language}
}

// Source is where the text of a mail comes from.
type Source struct {
	From     From
	Language string // of the text
}

// From is whose text it is.
type From string

// Whose a text may be.
const (
	OfProduct  From = "product"
	OfMerchant From = "merchant"
	OfKeypool  From = "keypool"
)

// SourceOf returns where the text of the mail with the keys of a product comes from, to a
// customer of a language.
func SourceOf(p catalog.Product, m catalog.Merchant, common map[string]catalog.Text, language string) Source {
	w := newCustomerWriter(order.Fulfillment{Language: language, Mail: outbox.Entry{Kind: outbox.Keys}}, nil, m, p, common, time.Time{})
	if w.own == nil {
		return Source{OfKeypool, w.say.Language}
	}
	return w.source
}

// ownText is a text of the merchant's or a product's, and in which language it is.
type ownText struct {
	catalog.Text
	language string
	from     From
}

// textFor returns the merchant's text for a customer of a language, and the text's own
// language: the product's in it, else the merchant's in it, else the product's in the first of
// the merchant's languages that there is one in, else the merchant's. It is false if there is
// none at all.
func (w *customerWriter) textFor(wanted string) (_ ownText, ok bool) {
	from := []From{OfProduct, OfMerchant}
	for i, texts := range []map[string]catalog.Text{w.p.Texts, w.common} {
		if found, ok := text.Match(slices.Sorted(maps.Keys(texts)), wanted); ok {
			return ownText{texts[found], found, from[i]}, true
		}
	}
	for i, texts := range []map[string]catalog.Text{w.p.Texts, w.common} {
		if language, own, ok := text.Choose(texts, wanted, w.m.Languages); ok {
			return ownText{own, language, from[i]}, true
		}
	}
	return ownText{}, false
}

// around is what the merchant has around a text in the frame's language.
func (w customerWriter) around() catalog.Frame {
	language, _ := text.Match(slices.Sorted(maps.Keys(w.m.Frames)), w.say.Language)
	return w.m.Frames[language]
}

// frame returns the letter of every customer's mail: greeting, order and contact
// details, signature. Subject and words are missing.
func (w customerWriter) frame() letter {
	l := letter{
		Language:    w.say.Language,
		RightToLeft: w.say.RightToLeft(),
		Colon:       w.say.Colon,
		From:        w.m.Title,
		Greeting:    w.say.Greet(text.OneLine(fullName(w.f.Customer))),
		Details:     []details{w.orderDetails()},
		Closing:     []string{w.say.Closing, w.m.Title},
	}
	l.Color = w.m.Color
	own, values := w.around(), w.values()
	unnamed := slices.ContainsFunc(text.Names(own.Greeting), func(tag text.Tag) bool { return len(values[tag]) == 0 })
	if own.Greeting != "" && !unnamed {
		l.Greeting = text.Subject(own.Greeting, values)
	}
	if own.Signature != "" {
		l.Closing = strings.Split(own.Signature, "\n")
	}
	if text.Link(w.m.Logo) {
		l.Logo = w.m.Logo
	}
	if contact := w.contactDetails(); len(contact.Rows) > 0 {
		l.Details = append(l.Details, contact)
	}
	if w.f.Side == pool.Test {
		l.Badge = warn(w.say.TestOrder)
	}
	if w.sample {
		l.Badge = calm("Sample: no real key")
	}
	if w.m.ReplyTo != "" {
		l.Footer = w.say.Questions
	}
	l.Footer = first(own.Footer, l.Footer)
	return l
}

// keys sets the merchant's own words or, if there are none, Keypool's.
func (w customerWriter) keys(l *letter) {
	words := w.say.KeysText(len(w.f.Keys), w.p.Instructions != "", w.p.Download != "")
	if w.own != nil {
		words = catalog.Text{Subject: first(w.own.Subject, words.Subject), Body: w.own.Body, Format: w.own.Format}
	}
	l.Subject = text.Subject(words.Subject, w.values())
	l.Preview = text.Subject(w.say.Preview, w.values())
	l.Words = text.Body(words.Format, words.Body, w.values())
	if day, ok := w.redeemBy(); ok {
		l.Words = w.belowKeys(l.Words, w.say.RedeemBy(len(w.f.Keys), day))
	}
	if len(w.f.Keys) > manyKeys {
		l.Attached = w.say.KeysAttached(len(w.f.Keys))
	}
}

// redeemBy returns the day until which the keys are to be redeemed. It is false if there is none,
// or it has passed: nobody can be asked to. Keys of the order that a line renews are old ones.
func (w customerWriter) redeemBy() (time.Time, bool) {
	day, ok := w.p.Redeem.Until(w.orderedAt(), w.m)
	return day, ok && !w.f.KeysOfParent && !day.Before(w.m.Day(w.now))
}

// belowKeys adds a paragraph below the first block with a key of the line, and below the list
// that the block stands in. Where there is none, since links alone have the keys, it is the last.
func (w customerWriter) belowKeys(words []text.Block, sentence string) []text.Block {
	keys := reveal(w.f.Keys)
	own := func(r text.Run) bool { return slices.Contains(keys, r.Text) }
	at := 1 + slices.IndexFunc(words, func(b text.Block) bool {
		return slices.ContainsFunc(b.Keys, own) || slices.ContainsFunc(b.Lines, func(line text.Line) bool { return slices.ContainsFunc(line, own) })
	})
	if at == 0 {
		at = len(words)
	}
	for at < len(words) && words[at].Depth > 0 {
		at++
	}
	return slices.Insert(words, at, text.Block{Lines: []text.Line{{{Text: sentence}}}})
}

// attachment is a text file with one key a line, for a customer who copies many.
func (w customerWriter) attachment() Attachment {
	var b strings.Builder
	for _, key := range w.f.Keys {
		b.WriteString(key.Text.Reveal())
		b.WriteByte('\n')
	}
	number := strings.Trim(notInNames().ReplaceAllString(w.f.Order, "-"), "-.")
	return Attachment{
		Name:    "license-keys-" + number[:min(len(number), 60)] + ".txt",
		Type:    "text/plain; charset=utf-8",
		Content: []byte(b.String()),
	}
}

var notInNames = lazy.Regexp(`[^A-Za-z0-9._-]+`)

// values returns the values of the tags.
func (w customerWriter) values() text.Values {
	c := w.f.Customer
	values := text.Values{text.Key: reveal(w.f.Keys), text.ParentKey: reveal(w.parents)}
	for tag, value := range map[text.Tag]string{
		text.OrderID:            w.f.Order,
		text.PricegroupID:       w.f.Product,
		text.Quantity:           w.say.Number(w.f.Quantity),
		text.ProgramName:        w.title(),
		text.ProgramShort:       first(w.p.ShortTitle, w.title()),
		text.PriceOneDuplicate:  w.say.Money(w.f.UnitPrice, w.f.Currency),
		text.PriceAllDuplicates: w.say.Money(times(w.f.UnitPrice, w.f.Quantity), w.f.Currency),
		text.FullName:           fullName(c),
		// "Dear {FNAME} {LNAME}" reads right too if only the whole name is known.
		text.FirstName:  first(nameOnly(c.FirstName), fullName(c)),
		text.LastName:   nameOnly(c.LastName),
		text.Email:      c.Email,
		text.Phone:      c.Phone,
		text.Company:    c.Company,
		text.Country:    c.Country,
		text.City:       c.City,
		text.Zip:        c.Zip,
		text.Address:    c.Address,
		text.LicenseFor: c.LicenseFor,
		text.AddInfo:    c.AddInfo,
		text.URL:        w.p.Instructions,
		text.URLFull:    w.p.Download,
		text.Date:       w.say.Date(w.now.In(w.m.Zone())),
	} {
		if value != "" {
			values[tag] = []string{value}
		}
	}
	return values
}

func reveal(keys []pool.Key) []string {
	texts := make([]string, len(keys))
	for i, key := range keys {
		texts[i] = key.Text.Reveal()
	}
	return texts
}

func (w customerWriter) orderDetails() details {
	d := details{Title: w.say.Order.Title}
	d.add(w.say.Order.Number, w.f.Order)
	d.add(w.say.Order.Date, w.say.Date(w.orderedAt().In(w.m.Zone())))
	d.add(w.say.Order.Product, w.title())
	d.add(w.say.Order.Quantity, w.say.Number(w.f.Quantity))
	one, all := w.say.Money(w.f.UnitPrice, w.f.Currency), w.say.Money(times(w.f.UnitPrice, w.f.Quantity), w.f.Currency)
	if w.f.Quantity > 1 && one != "" && all != "" {
		d.add(w.say.Order.Price, fmt.Sprintf("%s × %s = %s", w.say.Number(w.f.Quantity), one, all))
	} else {
		d.add(w.say.Order.Price, one)
	}
	return d
}

// orderedAt is when the order was paid, else when it came.
func (w customerWriter) orderedAt() time.Time {
	if w.f.PaidAt.IsZero() {
		return w.f.ReceivedAt
	}
	return w.f.PaidAt
}

func (w customerWriter) contactDetails() details {
	c := w.f.Customer
	d := details{Title: w.say.Contact.Title}
	d.add(w.say.Contact.Name, fullName(c))
	d.add(w.say.Contact.Company, c.Company)
	d.add(w.say.Contact.Email, c.Email)
	d.add(w.say.Contact.Phone, c.Phone)
	comma := ", "
	if strings.ContainsFunc(c.Address+c.City, func(r rune) bool { return unicode.Is(unicode.Arabic, r) }) {
		comma = "، "
	}
	d.add(w.say.Contact.Address, joined(comma, c.Address, joined(" ", c.Zip, c.City), c.Country))
	d.add(w.say.Contact.LicenseFor, c.LicenseFor)
	return d
}

// title is the product's name: the catalog's, else the platform's, else its id.
func (w customerWriter) title() string {
	return first(w.p.Title, w.f.Title, w.f.Product)
}

func (w customerWriter) senderName() string { return first(w.m.SenderName, w.m.Title) }

// fullName is the customer's name, "" if there is none. A name that holds a web address
// is none: with it, anybody could have the merchant mail a link to anybody.
func fullName(c order.Customer) string {
	return first(nameOnly(c.Name), nameOnly(joined(" ", c.FirstName, c.LastName)))
}

// nameOnly returns a name, "" if it holds a web address.
func nameOnly(name string) string {
	// Some shops send the mail address as the name, which leads nowhere.
	if webAddress().MatchString(addressInName().ReplaceAllString(text.OneLine(name), " ")) {
		return ""
	}
	return name
}

var addressInName = lazy.Regexp(`[\pL\pN._+-]+@[\pL\pN.-]+`)

// webAddress finds what mail programs make a link of: "https://x", "www.x", "x.example"
// and "x.example/y". A capital within, as in "Dr.Smith" or "J.R.R. Tolkien", is a name's.
var webAddress = lazy.Regexp(`(?i:[:\x{ff1a}]//|\bwww` + dot + `|[\pL\pN-]` + dot + `[\pL-]{2,}[/:?#])` +
	`|[\pL\pN-]{2,}` + dot + `(?:[\p{Ll}\p{Lo}]{2,}|\p{Lu}{2,}|xn--[a-z0-9-]+)(?:[^\pL\pN]|$)`)

// dot is the dot of a domain, also as it is written in East Asia.
const dot = `[.\x{3002}\x{ff0e}\x{ff61}]`

// named returns an address with a name. SES takes 320 characters for both together, as
// they are encoded. So a very long name is cut: a letter beyond ASCII takes up to a
// dozen characters.
func named(name, address string) mail.Address {
	const most, longest = 320, 60 // characters encoded, runes of a name
	// net/mail does not encode a backslash in an encoded word, where none is allowed
	// (RFC 2047, 5.3).
	runes := []rune(text.OneLine(strings.ReplaceAll(name, `\`, "/")))
	for runes = runes[:min(len(runes), longest)]; ; runes = runes[:len(runes)-1] {
		whole := mail.Address{Name: strings.TrimSpace(string(runes)), Address: address}
		if len(runes) == 0 || len(whole.String()) <= most {
			return whole
		}
	}
}

var decimal = lazy.Regexp(`^[0-9]{1,30}(?:\.([0-9]{1,10}))?$`)

// times multiplies an amount exactly, and keeps its number of digits after the dot. It
// returns "" if the amount is no decimal number.
func times(amount string, n int) string {
	match := decimal().FindStringSubmatch(amount)
	if match == nil {
		return ""
	}
	product, _ := new(big.Rat).SetString(amount)
	product.Mul(product, new(big.Rat).SetInt64(int64(n)))
	return product.FloatString(len(match[1]))
}

// first returns the first string that is not blank.
func first(values ...string) string {
	for _, value := range values {
		if strings.TrimSpace(value) != "" {
			return value
		}
	}
	return ""
}

// joined joins the strings that are not blank.
func joined(separator string, values ...string) string {
	var there []string
	for _, value := range values {
		if strings.TrimSpace(value) != "" {
			there = append(there, value)
		}
	}
	return strings.Join(there, separator)
}
