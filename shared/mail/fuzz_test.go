package mail

import (
	"net/mail"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/catalog"
	"keypool/shared/mail/text"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// FuzzMail holds that a mail is the same HTML whatever stands in it: a name, a
// product or a key that looks like HTML adds no tag and no attribute.
func FuzzMail(f *testing.F) {
	f.Add("Your {PROGRAM_NAME}", "Hello {FULLNAME},\n\n{KEY}\n\n{ADDINFO_TEXT}", "<script>alert(1)</script>", "AAAA-1", "de")
	f.Add("", "{KEY} https://shop.example/?n={FULLNAME}&k={KEY} {EMAIL}", `" onclick="x`, `'"><img src=x onerror=y>`, "")
	f.Add("{ORDER_ID}", "<b>{KEY}</b> <!-- {FULLNAME} -->", "--> <!", "</span>", "pt-BR")
	f.Add("", "{KEY}", strings.Repeat("ключ", 30), "AAAA-1", "ru")
	f.Add("{FNAME}", "{URL}?n={CITY}\n{KEY}{KEY}\njavascript:{FULLNAME}", "\u202e\x00\xff&amp;&#0;", "{FULLNAME}", "zz_ZZ")
	f.Add("", "## {FULLNAME}\n\n- **{KEY}** [{FULLNAME}](https://shop.example/?n={FULLNAME} \"{FULLNAME}\")\n\n> `{FULLNAME}` *{EMAIL}*\n\n```\n{FULLNAME} {KEY}\n```\n\n---", "*a* <b> `c`\n# x", "_K_ **", "en")
	f.Fuzz(func(t *testing.T, subject, body, customer, key, language string) {
		for _, format := range []string{text.PlainText, text.Markdown} {
			if text.Check(format, subject, body) == nil && !tagInHost.MatchString(body) {
				sameHTML(t, catalog.Text{Subject: subject, Body: body, Format: format}, customer, key, language)
			}
		}
	})
}

// sameHTML holds it for one text.
func sameHTML(t *testing.T, own catalog.Text, customer, key, language string) {
	t.Helper()
	written := func(value, key string) Message {
		l := line(3)
		l.Language, l.Order, l.UnitPrice, l.Title = language, value, value, value
		l.Customer = order.Customer{
			Name: value, FirstName: value, LastName: value, Email: "ada@example.com", Phone: value, Company: value, Country: value,
			City: value, Zip: value, Address: value, LicenseFor: value, AddInfo: value,
		}
		l.Keys[1].Text = pool.Conceal(key)
		p := elden
		p.Title, p.ShortTitle, p.Instructions = value, value, "https://shop.example/help"
		p.Texts = map[string]catalog.Text{"en": own}
		made, err := ForLine(l, line(1).Keys, nova, p, nil, "", sender, noon)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	// Neither is empty, a link, or too long: what a mail does then is no matter here.
	value, key := "Q"+text.OneLine(customer[:min(len(customer), 190)])+"Z", "K"+key[:min(len(key), fills-1)]
	plain, made := written("Plain", "PLAIN"), written(value, key)
	if diff := cmp.Diff(tags(plain.HTML), tags(made.HTML)); diff != "" {
		t.Errorf("%q and the key %q change the HTML (-plain +hostile):\n%s", value, key, diff)
	}
	for _, header := range []string{made.Subject, made.To.Name, made.From.Name} {
		if strings.ContainsAny(header, "\r\n\x00") {
			t.Errorf("%q is no header", header)
		}
	}
	for _, address := range []mail.Address{made.To, made.From} {
		if _, err := mail.ParseAddress(address.String()); err != nil || len(address.String()) > 320 {
			t.Errorf("SES does not take %s: %v", address.String(), err)
		}
	}
	if !strings.Contains(made.Text, value) {
		t.Errorf("the text does not show %q as it is", value)
	}
}

// tags are the tags of HTML, without the addresses in them, and without how a key's length is set.
func tags(html string) []string {
	html = strings.ReplaceAll(addresses.ReplaceAllString(html, ` href=""`), ` class="ink rule broad"`, ` class="ink rule"`)
	return regexp.MustCompile(`<[^>]*>?`).FindAllString(html, -1)
}

var (
	addresses = regexp.MustCompile(` href="[^"<>]*"`)

	// tagInHost finds an address that is one or is none by what stands for a tag in it.
	tagInHost = regexp.MustCompile(`(?i)https?://[^/?#\s]*\{`)
)
