package settings

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the list of time zones must not depend on the machine
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"

	"keypool/shared/catalog"
	"keypool/shared/lazy"
	"keypool/shared/look"
	"keypool/shared/mail/frame"
	"keypool/shared/mail/text"
	"keypool/shared/mailaddress"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// The limits of settings. Those of a text are in package text.
const (
	maxTitle         = 200 // characters
	maxLink          = 2048
	maxLanguages     = 50
	maxCurrencies    = 200
	maxTexts         = 50
	maxMerchantTexts = 60_000  // all texts of a merchant: each may be the text of any mail
	maxTextBytes     = 300_000 // all texts of a product: an item of the table holds 400 KB
	maxFrameText     = 500     // characters
	maxSignature     = 8       // lines
	minContrast      = 4.5     // of a link: WCAG 2.2, 1.4.3
	maxLowStock      = 10_000  // the stock check reads up to this many keys
	maxReminder      = 365 * 24 * time.Hour
	maxShards        = 64
	maxAddresses     = 5     // of a pool: each warning is a mail to each
	maxCount         = 1_000 // keys for a unit or a line
	maxRedeemDays    = 3_650
	maxProductID     = 128 // characters
	maxAliases       = 10  // a transaction holds 4 MB, and each has a copy of the texts
)

type problems []Problem

func (p *problems) add(path, format string, args ...any) {
	*p = append(*p, Problem{path, fmt.Sprintf(format, args...)})
}

// firstOf returns as many of a list as there may be: that there are more is told by itself.
func firstOf(list []string, most int) []string { return list[:min(len(list), most)] }

// CheckMerchant returns the mistakes in a merchant's settings.
func CheckMerchant(m catalog.Merchant) []Problem {
	var p problems
	p.name("name", m.Name)
	return append(p, CheckShop(m)...)
}

// CheckShop returns the mistakes in what is the merchant's own to set.
func CheckShop(m catalog.Merchant) []Problem {
	var p problems
	p.line("title", m.Title, true)
	p.address("notice_address", m.NoticeAddress, true)
	p.line("sender_name", m.SenderName, false)
	p.address("reply_to", m.ReplyTo, false)
	p.link("logo", m.Logo)
	if len(m.Languages) > maxLanguages {
		p.add("languages", "these are %d; the limit is %d", len(m.Languages), maxLanguages)
	}
	for i, tag := range firstOf(m.Languages, maxLanguages) {
		path := fmt.Sprintf("languages[%d]", i)
		p.language(path, tag)
		if slices.Contains(m.Languages[:i], tag) {
			p.add(path, "is named twice")
		}
	}
	if m.TimeZone != "" {
		if _, err := time.LoadLocation(m.TimeZone); err != nil || m.TimeZone == "Local" {
			p.add("time_zone", "not a time zone; use an IANA name such as Europe/Berlin")
		}
	}
	p.frames(m.Frames)
	p.color("color", m.Color)
	p.returnedKeys(m.ReturnedKeys)
	if m.DefaultPool != "" {
		p.name("default_pool", m.DefaultPool)
	}
	return p
}

// returnedKeys checks what becomes of keys that an order gives back.
func (p *problems) returnedKeys(to order.Disposition) {
	switch to {
	case "", order.Revoke, order.Restock, order.Keep:
	default:
		p.add("returned_keys", "use %s, %s or %s", order.Revoke, order.Restock, order.Keep)
	}
}

// orderPage checks whether customers have a page that shows their order.
func (p *problems) orderPage(path string, is catalog.OrderPage) {
	if is != catalog.OrderPageOn && is != catalog.OrderPageOff {
		p.add(path, "use %s or %s", catalog.OrderPageOn, catalog.OrderPageOff)
	}
}

// CheckReview returns the mistakes in a merchant's rules of review.
func CheckReview(r catalog.Review) []Problem {
	var p problems
	p.rules("rules", r.Rules)
	return p
}

// CheckPool returns the mistakes in a pool's settings.
func CheckPool(s catalog.Pool) []Problem {
	var p problems
	p.name("name", s.Name)
	p.line("title", s.Title, false)
	p.between("low_stock", s.LowStock, 0, maxLowStock)
	p.between("reminder_hours", int(s.Reminder/time.Hour), 0, int(maxReminder/time.Hour))
	p.between("shards", s.Shards, 1, maxShards)
	if len(s.NoticeAddresses) > maxAddresses {
		p.add("notice_addresses", "these are %d; the limit is %d", len(s.NoticeAddresses), maxAddresses)
	}
	for i, address := range firstOf(s.NoticeAddresses, maxAddresses) {
		path := fmt.Sprintf("notice_addresses[%d]", i)
		p.address(path, address, true)
		if slices.ContainsFunc(s.NoticeAddresses[:i], func(before string) bool { return strings.EqualFold(before, address) }) {
			p.add(path, "is named twice")
		}
	}
	return p
}

var currency = lazy.Regexp(`^[A-Z]{3}$`)

// CheckProduct returns the mistakes in a product. A product that names an original
// may leave empty the settings it inherits.
func CheckProduct(s catalog.Product) []Problem {
	var p problems
	if why := productID(s.ID); why != "" {
		p.add("id", "%s", why)
	}
	if len(s.Aliases) > maxAliases {
		p.add("aliases", "these are %d; the limit is %d", len(s.Aliases), maxAliases)
	}
	for i, alias := range firstOf(s.Aliases, maxAliases) {
		path := fmt.Sprintf("aliases[%d]", i)
		if why := productID(alias); why != "" {
			p.add(path, "%s", why)
		} else if slices.Contains(append([]string{s.ID}, s.Aliases[:i]...), alias) {
			p.add(path, "this is an id of the product already")
		}
	}
	p.line("title", s.Title, s.Original == "")
	p.line("short_title", s.ShortTitle, false)
	p.returnedKeys(s.ReturnedKeys)
	if s.OrderPage != "" {
		p.orderPage("order_page", s.OrderPage)
	}
	switch s.Renewal {
	case "", catalog.NewKey, catalog.ParentKey:
	default:
		p.add("renewal", "use %s or %s", catalog.NewKey, catalog.ParentKey)
	}
	if s.Pool != "" {
		p.name("pool", s.Pool)
	}
	if len(s.PoolsByCurrency) > maxCurrencies {
		p.add("pools_by_currency", "these are %d; the limit is %d", len(s.PoolsByCurrency), maxCurrencies)
	}
	for _, code := range slices.Sorted(maps.Keys(s.PoolsByCurrency)) {
		// The form only: a table of all currencies would soon be out of date.
		if !currency().MatchString(code) {
			p.add("pools_by_currency", "%s is not a currency; use three capital letters such as EUR", quoted(code))
		}
		p.name("pools_by_currency."+code, s.PoolsByCurrency[code])
	}
	if s.Keys.Count != 0 || s.Keys.Mode != "" || s.Original == "" {
		switch s.Keys.Mode {
		case catalog.PerUnit, catalog.PerLine:
			p.between("keys.count", s.Keys.Count, 1, maxCount)
		case catalog.Shared:
			if s.Keys.Count != 1 {
				p.add("keys.count", "a code is one for everybody: use 1, or leave it out")
			}
		default:
			p.add("keys.mode", "use %s, %s or %s", catalog.PerUnit, catalog.PerLine, catalog.Shared)
			p.between("keys.count", s.Keys.Count, 1, maxCount)
		}
	}
	if s.Review != nil {
		p.rules("review", *s.Review)
	}
	p.texts(s.Texts, maxTextBytes)
	p.link("instructions", s.Instructions)
	p.link("download", s.Download)
	p.redeem(s.Redeem)
	if s.Original != "" {
		if why := productID(s.Original); why != "" {
			p.add("original", "%s", why)
		} else if s.Original == s.ID {
			p.add("original", "a product cannot be its own original")
		}
	}
	return p
}

// redeem checks until when keys are to be redeemed. Whether that day has passed shows once it is
// known whether it is newly set: see checkRedeemBy.
func (p *problems) redeem(r catalog.Redeem) {
	if r.WithinDays != 0 {
		p.between("redeem_within_days", r.WithinDays, 1, maxRedeemDays)
	}
	if r.By == "" {
		return
	}
	if _, err := time.Parse(time.DateOnly, r.By); err != nil {
		p.add("redeem_by", "not a day; use one such as 2026-12-23")
	} else if r.WithinDays != 0 {
		p.add("redeem_by", "use this or redeem_within_days, not both")
	}
}

// Warnings returns what is probably not meant in a product that can be stored.
func Warnings(s catalog.Product) []string {
	var warnings []string
	for _, tag := range slices.Sorted(maps.Keys(s.Texts)) {
		if frame.Greets(s.Texts[tag].Body) {
			warnings = append(warnings, fmt.Sprintf("texts.%s.body greets the customer, as each mail does above it: leave its first line out", tag))
		}
	}
	if s.Renewal == catalog.ParentKey && usesBothKeys(s.Texts) {
		warnings = append(warnings, "texts hold {KEY} and {PARENT_KEY}: on a renewal by parent_key both are the keys of the order that it renews")
	}
	return warnings
}

func usesBothKeys(texts map[string]catalog.Text) bool {
	for _, t := range texts {
		if strings.Contains(t.Body, text.ParentKey.String()) {
			return true // each text has {KEY}
		}
	}
	return false
}

func (p *problems) texts(texts map[string]catalog.Text, most int) {
	if len(texts) > maxTexts {
		p.add("texts", "these are %d; the limit is %d", len(texts), maxTexts)
	}
	var size int
	for _, tag := range slices.Sorted(maps.Keys(texts)) {
		t := texts[tag]
		size += len(t.Subject) + len(t.Body)
		p.language("texts", tag)
		p.text("texts."+tag, t)
	}
	if size > most {
		p.add("texts", "together they hold %d bytes; the limit is %d", size, most)
	}
}

func (p *problems) text(path string, t catalog.Text) {
	var wrong *text.CheckError
	if errors.As(text.Check(t.Format, t.Subject, t.Body), &wrong) {
		for _, one := range wrong.Problems {
			p.add(path+"."+one.Field, "%s", one)
		}
	}
}

// productID returns the reason why s cannot be a product's id, "" if it can. The
// platform chooses the id, but it must pass through a URL: the gateway decodes the
// path, and cuts it at a question mark that was in the id.
func productID(s string) string {
	switch {
	case s == "":
		return "a product's id is needed"
	case !utf8.ValidString(s) || utf8.RuneCountInString(s) > maxProductID:
		return fmt.Sprintf("a product's id has up to %d characters", maxProductID)
	case strings.Contains(s, "?") || s == "." || s == "..":
		return "a product's id cannot hold a question mark, and cannot be . or .."
	case s != text.OneLine(s):
		return "a product's id has no control characters, and no spaces before, after or doubled"
	}
	return ""
}

func (p *problems) name(path, s string) {
	if pool.CheckName(s) != nil {
		p.add(path, "not a name; %s", pool.NameRule)
	}
}

func (p *problems) line(path, s string, needed bool) {
	switch {
	case s == "" && needed:
		p.add(path, "it is needed")
	case !utf8.ValidString(s) || utf8.RuneCountInString(s) > maxTitle:
		p.add(path, "it has more than %d characters", maxTitle)
	case s != text.OneLine(s):
		p.add(path, "use one line, without control characters and without spaces before, after or doubled")
	}
}

func (p *problems) address(path, s string, needed bool) {
	if s == "" {
		if needed {
			p.add(path, "a mail address is needed")
		}
		return
	}
	if !mailaddress.Valid(s) {
		p.add(path, "not a mail address; use one such as keys@example.com, without a name")
	}
}

func (p *problems) link(path, s string) {
	if s != "" && (!text.Link(s) || !utf8.ValidString(s) || len(s) > maxLink) {
		p.add(path, "not a link; use an address that starts with https://, of up to %d characters", maxLink)
	}
}

// IsLanguage reports whether a tag is that of a language, as settings have it: "en", "pt-BR".
func IsLanguage(tag string) bool {
	var p problems
	p.language("", tag)
	return len(p) == 0
}

func (p *problems) language(path, tag string) {
	parsed, err := language.Parse(tag)
	switch {
	case err != nil || parsed == language.Und:
		p.add(path, "%s is not a language; use a BCP 47 tag such as en or pt-BR", quoted(tag))
	case parsed.String() != tag:
		p.add(path, "write %s as %s", quoted(tag), parsed)
	}
}

func (p *problems) between(path string, n, low, high int) {
	if n < low || n > high {
		p.add(path, "use a whole number from %d to %d", low, high)
	}
}

// quoted returns a text of the caller's, cut short, for a message.
func quoted(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}

// checkLanguages reports the languages of the merchant in which a product has no
// text, if it has a text at all, and the merchant has none either. Then either all customers
// read the merchant's own words, or all read Keypool's.
func checkLanguages(m catalog.Merchant, common map[string]catalog.Text, s catalog.Product) []Problem {
	var p problems
	if len(s.Texts) > 0 {
		p.covered(m, s.Texts, common)
	}
	return p
}

// covered checks that there is a text in each of the merchant's languages, if there is any.
func (p *problems) covered(m catalog.Merchant, texts ...map[string]catalog.Text) {
	var have, without []string
	for _, some := range texts {
		have = append(have, slices.Sorted(maps.Keys(some))...)
	}
	for _, tag := range m.Languages {
		if _, ok := text.Match(have, tag); !ok {
			without = append(without, tag)
		}
	}
	if len(have) > 0 && len(without) > 0 {
		p.add("texts", "a text is missing in %s: with a text in one language, there must be one in each of yours", strings.Join(without, ", "))
	}
}

// frames checks what a merchant has around texts.
func (p *problems) frames(frames map[string]catalog.Frame) {
	if len(frames) > maxLanguages {
		p.add("frames", "these are %d; the limit is %d", len(frames), maxLanguages)
	}
	for _, tag := range slices.Sorted(maps.Keys(frames)) {
		p.language("frames", tag)
		f, path := frames[tag], "frames."+tag+"."
		p.line(path+"greeting", f.Greeting, false)
		var wrong *text.CheckError
		if errors.As(text.Check("", f.Greeting, text.Key.String()), &wrong) {
			for _, one := range wrong.Problems {
				p.add(path+"greeting", "%s", one)
			}
		}
		for _, name := range text.Names(f.Greeting) {
			if name != text.FullName && name != text.FirstName && name != text.LastName {
				p.add(path+"greeting", "%s cannot stand here; use %s, %s or %s", name, text.FullName, text.FirstName, text.LastName)
			}
		}
		lines := strings.Split(f.Signature, "\n")
		if len(lines) > maxSignature {
			p.add(path+"signature", "it has %d lines; the limit is %d", len(lines), maxSignature)
		}
		for _, line := range lines {
			if line != text.OneLine(line) {
				p.add(path+"signature", "its lines have no control characters, and no spaces before, after or doubled; up to 200 characters each")
				break
			}
		}
		p.footer(path+"footer", f.Footer)
		for name, written := range map[string]string{"signature": f.Signature, "footer": f.Footer} {
			if len(text.Names(written)) > 0 {
				p.add(path+name, "no tag can stand here")
			}
		}
	}
}

func (p *problems) footer(path, s string) {
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > maxFrameText || strings.ContainsFunc(s, unicode.IsControl) {
		p.add(path, "use one line of up to %d characters, without control characters", maxFrameText)
	}
}

// color checks that links in a color can be read.
func (p *problems) color(path, s string) {
	if s == "" {
		return
	}
	if !look.IsColor(s) {
		p.add(path, "not a color; use six hexadecimal digits such as #0b57c2, in lower case")
		return
	}
	if got := contrast(s); got < minContrast {
		p.add(path, "links in this color are hard to read: on %s, as keys are, the contrast is %.1f to 1, and %.1f is needed; use a darker one", keyGround, got, minContrast)
	}
}

// keyGround is what keys stand on in a mail, a little darker than what other links stand on.
const keyGround = "#f6f8fa"

// contrast is that of a color where keys stand.
func contrast(color string) float64 { return look.Contrast(keyGround, color) }

// rules checks rules of review.
func (p *problems) rules(path string, r catalog.Rules) {
	if len(r.Above) > maxCurrencies {
		p.add(path+".above", "these are %d; the limit is %d", len(r.Above), maxCurrencies)
	}
	for _, code := range slices.Sorted(maps.Keys(r.Above)) {
		if !currency().MatchString(code) {
			p.add(path+".above", "%s is not a currency; use three capital letters such as EUR", quoted(code))
		}
		if sum, ok := order.Decimal(r.Above[code]); !ok || sum.Sign() < 0 {
			p.add(path+".above."+code, "is not a sum such as \"500.00\"")
		}
	}
	if r.MaxKeys != 0 {
		p.between(path+".max_keys", r.MaxKeys, 1, 1_000_000)
	}
	if r.MaxOrders != 0 {
		p.between(path+".max_orders", r.MaxOrders, 1, 1000)
	}
}
