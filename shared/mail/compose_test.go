package mail

import (
	"flag"
	"fmt"
	"html"
	"maps"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/job"
	"keypool/shared/mail/frame"
	"keypool/shared/mail/text"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

var (
	noon   = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	sender = mail.Address{Name: "Keypool", Address: "keys@keypool.example"}

	nova = catalog.Merchant{
		Name: "nova", Title: "Nova Software", NoticeAddress: "ops@nova.example",
		SenderName: "Nova Software Shop", ReplyTo: "help@nova.example", TimeZone: "Europe/Berlin", Languages: []string{"en", "de"},
	}
	elden = catalog.Product{Merchant: "nova", ID: "111111", Title: "Elden Pro 4: the complete edition", ShortTitle: "Elden Pro 4"}
)

// line is a paid line that holds so many keys, its mail being sent.
func line(keys int) order.Fulfillment {
	f := order.Fulfillment{
		ID:       order.Identity{Merchant: "nova", Side: pool.Live, Origin: "standard", Order: "A-5555555", Line: "1"}.ID(),
		Merchant: "nova", Side: pool.Live, Account: "standard", Origin: "standard", Order: "A-5555555", Line: "1", Product: "111111", Pool: "elden",
		Quantity: keys, Wanted: keys, Allocated: keys,
		ReceivedAt: noon.Add(-time.Minute), PaidAt: noon.Add(-2 * time.Minute),
		Currency: "EUR", Language: "en", UnitPrice: "19.90",
		Customer: order.Customer{Name: "Anna Berg", Email: "anna.berg@example.com"},
		Mail:     outbox.Entry{State: outbox.Sending, Kind: outbox.Keys, Number: 1},
	}
	for i := range keys {
		f.Keys = append(f.Keys, pool.Key{Text: pool.Conceal(fmt.Sprintf("ELDEN-%04d-QX7M-2K9F-T4WZ", i+1))})
	}
	return f
}

func with[T any](v T, change func(*T)) T {
	change(&v)
	return v
}

func TestCustomerMail_golden(t *testing.T) {
	own := with(elden, func(p *catalog.Product) {
		p.Instructions, p.Download = "https://nova.example/elden/help", "https://nova.example/elden/get"
		p.Texts = map[string]catalog.Text{
			"en": {
				Subject: "{PROGRAM_SHORT}: your key, {FNAME}",
				Body: "It is great to have you with us.\n\nYour key for {PROGRAM_NAME}:\n\n{KEY}\n\n" +
					"Activate it here: https://nova.example/activate?order={ORDER_ID}&who={EMAIL}\n" +
					"Help is at {URL}. The download is at {URL_FULL}.\n\n" +
					"You paid {PRICE_ALL_DUPLICATES} for {QUANTITY} on {DATE}.",
			},
			"de": {
				Subject: "Dein Schlüssel für {PROGRAM_SHORT}",
				Body:    "Schön, dass du da bist, {FNAME}.\n\nHier ist dein Schlüssel:\n\n{KEY}\n\nAnleitung: {URL}",
			},
		}
	})
	for name, c := range map[string]struct {
		f order.Fulfillment
		m catalog.Merchant
		p catalog.Product
	}{
		"one_key":  {line(1), nova, elden},
		"own_text": {line(1), nova, own},
		"three_keys": {with(line(3), func(f *order.Fulfillment) {
			f.Customer = order.Customer{
				FirstName: "Marcel", LastName: "Laporte", Email: "marcel@example.com", Phone: "+33 1 23 45 67 89", Company: "Laporte & Fils <SARL>",
				Country: "FR", City: "Lyon", Zip: "69001", Address: "1 rue de la République", LicenseFor: "Chloé Laporte",
			}
		}), with(nova, func(m *catalog.Merchant) { m.Logo = "https://nova.example/logo.png" }), with(elden, func(p *catalog.Product) {
			p.Instructions, p.Download = "https://nova.example/elden/help", "https://nova.example/elden/get"
		})},
		"many_keys": {line(25), nova, elden},
		"link_key": {with(line(1), func(f *order.Fulfillment) {
			f.Keys[0].Text = pool.Conceal("https://files.nova.example/licenses/elden?id=8f14e45f&sig=b0f5a2")
		}), nova, elden},
		"spaces_in_key": {with(line(2), func(f *order.Fulfillment) {
			f.Keys[0].Text, f.Keys[1].Text = pool.Conceal("ELDEN  0001   QX7M"), pool.Conceal("ELDEN 0002 QX7M")
		}), nova, elden},
		"spaces_in_many_keys": {with(line(21), func(f *order.Fulfillment) { f.Keys[3].Text = pool.Conceal("ELDEN  0004   QX7M") }), nova, elden},
		"long_key": {with(line(3), func(f *order.Fulfillment) {
			f.Keys[1].Text, f.Keys[2].Text = pool.Conceal(strings.Repeat("0123456789", 25)), pool.Conceal("QX7M2-K9FT4-WZB7X-Q99KD-LM2P7")
		}), nova, elden},
		"many_long_keys": {with(line(21), func(f *order.Fulfillment) {
			f.Keys[3].Text, f.Keys[4].Text = pool.Conceal(strings.Repeat("ELDEN-", 8)+"0004"), pool.Conceal("ELDEN  0005   QX7M")
		}), nova, elden},
		"tab_in_name": {with(line(1), func(f *order.Fulfillment) { f.Customer.Name = "Ada\tByron" }), nova, elden},
		"italian": {with(line(1), func(f *order.Fulfillment) { f.Language = "it" }), nova, with(own, func(p *catalog.Product) {
			p.Texts = maps.Clone(p.Texts)
			p.Texts["it"] = catalog.Text{Subject: "La tua chiave", Body: "Ecco la tua chiave:\n\n{KEY}"}
		})},
		"german":         {with(line(1), func(f *order.Fulfillment) { f.Language = "de-AT" }), nova, own},
		"german_default": {with(line(2), func(f *order.Fulfillment) { f.Language = "de-AT" }), nova, elden},
		"french_delay": {with(line(1), func(f *order.Fulfillment) {
			f.Language, f.Keys, f.Allocated, f.Mail.Kind = "fr", nil, 0, outbox.Delay
		}), nova, own},
		"spanish_many": {with(line(21), func(f *order.Fulfillment) { f.Language = "es_MX" }), nova, elden},
		"markdown": {with(line(3), func(f *order.Fulfillment) { f.Customer.Name = "Ada **Byron** <b>" }), nova, with(own, func(p *catalog.Product) {
			p.Texts = map[string]catalog.Text{"en": {Format: text.Markdown, Subject: "{PROGRAM_SHORT}: your keys", Body: "# Welcome, {FNAME}\n\n" +
				"It is **great** to have you *with us*. Your keys for {PROGRAM_NAME}:\n\n{KEY}\n\n## How to activate\n\n" +
				"1. Open the [download page]({URL_FULL}).\n2. Choose `Help → Activate`:\n   - on Windows, in the menu\n   - on a Mac, in the bar\n3. Enter a key.\n\n" +
				"> Keep your keys to yourself.\n\n```\nelden  --activate --order {ORDER_ID}\n```\n\n---\n\n" +
				"Questions? [Write to us](mailto:help@nova.example?subject=Order%20{ORDER_ID}), or see https://nova.example/faq_keys_1?o={ORDER_ID}."}}
		})},
		"arabic_markdown": {with(line(1), func(f *order.Fulfillment) { f.Language = "ar" }), nova, with(own, func(p *catalog.Product) {
			p.Texts = map[string]catalog.Text{"ar": {Format: text.Markdown, Body: "## مفتاحك\n\n- **مهم**: {KEY}\n- [المساعدة]({URL})\n\n> شكرًا"}, "en": {Body: "{KEY}"}}
		})},
		"own_frame": {with(line(1), func(f *order.Fulfillment) { f.Customer.Name = "Ada {KEY}" }), with(nova, func(m *catalog.Merchant) {
			m.Color = "#8a1c5b"
			m.Frames = map[string]catalog.Frame{
				"en": {Greeting: "Welcome aboard, {FULLNAME}!", Signature: "Fair winds,\nthe crew of Nova", Footer: "Nova Software GmbH, Unter den Linden 1, 10117 Berlin"}, "de": {Footer: "Nova"},
			}
		}), with(elden, func(p *catalog.Product) { p.Instructions = "https://nova.example/elden/help" })},
		"own_frame_no_name": {with(line(1), func(f *order.Fulfillment) { f.Customer = order.Customer{Email: "someone@example.com"} }), with(nova, func(m *catalog.Merchant) {
			m.Frames = map[string]catalog.Frame{"en": {Greeting: "Welcome aboard, {FULLNAME}!"}}
		}), elden},
		"own_frame_half_name": {with(line(1), func(f *order.Fulfillment) {
			f.Customer = order.Customer{Name: "Ada Byron", Email: "someone@example.com"}
		}), with(nova, func(m *catalog.Merchant) {
			m.Frames = map[string]catalog.Frame{"en": {Greeting: "Dear captain {LNAME},"}}
		}), elden},
		"polish_many":  {with(line(22), func(f *order.Fulfillment) { f.Language, f.UnitPrice, f.Currency = "pl", "1200.50", "PLN" }), nova, elden},
		"russian_many": {with(line(21), func(f *order.Fulfillment) { f.Language, f.UnitPrice, f.Currency = "ru-RU", "1500", "RUB" }), nova, elden},
		"japanese":     {with(line(1), func(f *order.Fulfillment) { f.Language, f.UnitPrice, f.Currency = "ja", "2980", "JPY" }), nova, elden},
		"portuguese":   {with(line(3), func(f *order.Fulfillment) { f.Language, f.UnitPrice, f.Currency = "pt-BR", "1999.90", "BRL" }), nova, elden},
		"arabic": {with(line(2), func(f *order.Fulfillment) {
			f.Language, f.Side, f.Customer.Phone = "ar-EG", pool.Test, "+20 2 1234 5678"
			f.Keys[0].Text = pool.Conceal("1234 5678 9012")
			f.Customer.Address, f.Customer.City, f.Customer.Country = "١٢ شارع النيل", "القاهرة", "EG"
		}), nova, with(elden, func(p *catalog.Product) {
			p.Instructions, p.Download = "https://nova.example/elden/help", "https://nova.example/elden/get"
		})},
		"arabic_own": {
			with(line(1), func(f *order.Fulfillment) { f.Language, f.Keys[0].Text = "ar", pool.Conceal("1234 5678 9012") }), nova,
			with(elden, func(p *catalog.Product) {
				p.Texts = map[string]catalog.Text{"ar": {Subject: "مفتاحك", Body: "مفتاحك هو {KEY}."}, "en": {Body: "{KEY}"}}
			}),
		},
		"arabic_delay": {with(line(1), func(f *order.Fulfillment) {
			f.Language, f.Keys, f.Allocated, f.Mail.Kind = "ar", nil, 0, outbox.Delay
		}), nova, elden},
		"test_order": {with(line(1), func(f *order.Fulfillment) { f.Side = pool.Test }), nova, elden},
		"delay": {with(line(1), func(f *order.Fulfillment) {
			f.Keys, f.Allocated, f.Mail.Kind = nil, 0, outbox.Delay
		}), nova, own},
		"bare": {with(line(1), func(f *order.Fulfillment) {
			f.UnitPrice, f.Currency, f.Language, f.PaidAt = "", "", "", time.Time{}
			f.Customer = order.Customer{Email: "someone@example.com"}
		}), catalog.Merchant{Name: "nova"}, catalog.Product{}},
		"name_with_link": {with(line(1), func(f *order.Fulfillment) {
			f.Customer.Name = "You won! https://evil.example/claim"
		}), nova, with(elden, func(p *catalog.Product) {
			p.Texts = map[string]catalog.Text{"en": {Body: "Dear {FNAME} {LNAME}, {FULLNAME}\n\n{KEY}"}}
		})},
		"hostile": {with(line(1), func(f *order.Fulfillment) {
			f.Order = "55\r\nBcc: x@example.com"
			f.Keys[0].Text = pool.Conceal(`<img src=x onerror=alert(1)>{FULLNAME}&amp;`)
			f.Customer.Name = `<script>alert("{KEY}")</script>` + "\r\nBcc: victim@example.com"
			f.Customer.Company = "https://evil.example/{KEY}"
		}), with(nova, func(m *catalog.Merchant) { m.Logo = "javascript:alert(1)" }), with(elden, func(p *catalog.Product) {
			p.Texts = map[string]catalog.Text{"en": {Subject: "Hi {FULLNAME}", Body: "<b>{FULLNAME}</b> {COMPANY}\n{KEY}"}}
		})},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := ForLine(c.f, nil, c.m, c.p, nil, "", sender, noon)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "customer_"+name, m)
		})
	}
}

// A customer whose order has a page is told where it is, in each language.
func TestCustomerMail_page(t *testing.T) {
	own := with(elden, func(p *catalog.Product) { p.Texts = map[string]catalog.Text{"en": {Body: "Your key is {KEY}."}} })
	const page = "https://keypool.example/o/Zx0LJ3r8kqf1N2b7c4dP5QYvU9sA8eRtG3hJkL2nQwErTw"
	for _, language := range frame.Languages() {
		m, err := ForLine(with(line(1), func(f *order.Fulfillment) { f.Language = language }), nil, nova, elden, nil, page, sender, noon)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "customer_page_"+language, m)
	}
	waits := func(f *order.Fulfillment) { f.Keys, f.Allocated, f.Mail.Kind = nil, 0, outbox.Delay }
	for name, f := range map[string]order.Fulfillment{
		"own_text":     line(1),
		"delay":        with(line(1), waits),
		"delay_arabic": with(with(line(1), waits), func(f *order.Fulfillment) { f.Language = "ar" }),
		"partly":       with(line(3), func(f *order.Fulfillment) { f.Keys, f.Allocated, f.Mail.Kind = f.Keys[:1], 1, outbox.Delay }),
		"replaced":     with(line(2), func(f *order.Fulfillment) { f.Mail.Number = 2 }),
		"many":         line(50),
		"renewal":      with(line(1), func(f *order.Fulfillment) { f.Parent, f.KeysOfParent, f.Keys, f.Allocated = "A-54", true, nil, 0 }),
		"test":         with(line(1), func(f *order.Fulfillment) { f.Side = pool.Test }),
	} {
		m, err := ForLine(f, nil, nova, own, nil, page, sender, noon)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "customer_page_"+name, m)
		says := "See your keys"
		switch name {
		case "delay", "partly", "renewal":
			says = "See your order"
		case "delay_arabic":
			says = "عرض الطلب"
		}
		if links := mainButton.FindAllStringSubmatch(m.HTML, -1); len(links) != 1 || links[0][1] != page || links[0][2] != says {
			t.Errorf("%s: the buttons are %q", name, links)
		}
		if !strings.Contains(m.Text, says+":\n"+page+"\n") {
			t.Errorf("%s: the text has no line with the page:\n%s", name, m.Text)
		}
		without, err := ForLine(f, nil, nova, own, nil, "", sender, noon)
		if err != nil || mainButton.MatchString(without.HTML) || strings.Contains(without.Text, says) {
			t.Errorf("%s: without a page it has a button (%v)", name, err)
		}
	}
}

// A renewal shows the keys of the order that it renews: beside its own, instead of its
// own, or where there are none to show, nothing.
func TestCustomerMail_renewals(t *testing.T) {
	renews := with(elden, func(p *catalog.Product) {
		p.Texts = map[string]catalog.Text{"en": {
			Subject: "{PROGRAM_SHORT}: one more year",
			Body:    "Your new key:\n\n{KEY}\n\nIt takes the place of the key that you have had so far: {PARENT_KEY}\n\nSee https://nova.example/renewed?of={PARENT_KEY}",
		}}
	})
	parents := []pool.Key{{Text: pool.Conceal("ELDEN-OLD1-QX7M")}}
	for name, c := range map[string]struct {
		keys    int
		parents []pool.Key
		p       catalog.Product
	}{
		"new_key":      {1, parents, renews},
		"two_parents":  {1, append(parents, pool.Key{Text: pool.Conceal("ELDEN-OLD2-QX7M")}), renews},
		"no_parent":    {1, nil, renews},
		"parent_key":   {0, parents, elden},
		"parents_keys": {0, line(21).Keys, elden},
	} {
		t.Run(name, func(t *testing.T) {
			f := with(line(c.keys), func(f *order.Fulfillment) { f.Parent = "A-54" })
			if c.keys == 0 {
				f.KeysOfParent, f.Quantity, f.Keys = true, len(c.parents), c.parents
			}
			m, err := ForLine(f, c.parents, nova, c.p, nil, "", sender, noon)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "customer_renewal_"+name, m)
		})
	}
}

// Until which day keys are to be redeemed stands below them, whoever wrote the text.
func TestCustomerMail_redeem(t *testing.T) {
	within := with(elden, func(p *catalog.Product) {
		p.Redeem.WithinDays = 30
		p.Instructions, p.Download = "https://nova.example/elden/help", "https://nova.example/elden/get"
	})
	own := func(t catalog.Text) catalog.Product {
		return with(within, func(p *catalog.Product) { p.Texts = map[string]catalog.Text{"en": t} })
	}
	for name, c := range map[string]struct {
		keys     int
		language string
		p        catalog.Product
	}{
		"english":    {1, "en", within},
		"german":     {25, "de", within},
		"french":     {1, "fr", within},
		"spanish":    {3, "es", within},
		"polish":     {1, "pl", within},
		"portuguese": {1, "pt", within},
		"russian":    {2, "ru", within},
		"japanese":   {1, "ja", within},
		"arabic":     {2, "ar", within},
		"own_text":   {1, "en", own(catalog.Text{Body: "Your key is {KEY}, enjoy it.\n\nHelp is at {URL}."})},
		"own_link":   {1, "en", own(catalog.Text{Body: "Get it: https://nova.example/redeem?key={KEY}\n\nHelp is at {URL}."})},
		"own_list":   {1, "en", own(catalog.Text{Format: text.Markdown, Body: "1. Open the [shop]({URL}).\n2. Enter {KEY}.\n3. Play.\n\nHave fun!"})},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := ForLine(with(line(c.keys), func(f *order.Fulfillment) { f.Language = c.language }), nil, nova, c.p, nil, "", sender, noon)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "customer_redeem_"+name, m)
		})
	}
}

// No day is named where there is none to keep to: in a mail without keys, of keys that the
// customer had before, once the day has passed.
func TestCustomerMail_redeemNamesTheDay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		redeem catalog.Redeem
		change func(*order.Fulfillment)
		want   string
	}{
		"days from the payment":    {catalog.Redeem{WithinDays: 30}, func(*order.Fulfillment) {}, "23 December 2026"},
		"by the merchant's clock":  {catalog.Redeem{WithinDays: 30}, func(f *order.Fulfillment) { f.PaidAt = time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC) }, "23 December 2026"},
		"a second before midnight": {catalog.Redeem{WithinDays: 30}, func(f *order.Fulfillment) { f.PaidAt = time.Date(2026, 11, 22, 22, 59, 59, 0, time.UTC) }, "22 December 2026"},
		"paid at no time that is known": {
			catalog.Redeem{WithinDays: 30}, func(f *order.Fulfillment) { f.PaidAt, f.ReceivedAt = time.Time{}, noon.AddDate(0, 0, -10) }, "13 December 2026",
		},
		"a fixed day":           {catalog.Redeem{By: "2027-01-31"}, func(*order.Fulfillment) {}, "31 January 2027"},
		"today":                 {catalog.Redeem{By: "2026-11-23"}, func(*order.Fulfillment) {}, "23 November 2026"},
		"yesterday":             {catalog.Redeem{By: "2026-11-22"}, func(*order.Fulfillment) {}, ""},
		"days that have passed": {catalog.Redeem{WithinDays: 2}, func(f *order.Fulfillment) { f.PaidAt = noon.AddDate(0, 0, -3) }, ""},
		"keys of the parent":    {catalog.Redeem{WithinDays: 30}, func(f *order.Fulfillment) { f.Parent, f.KeysOfParent = "A-54", true }, ""},
		"a renewal's own key":   {catalog.Redeem{WithinDays: 30}, func(f *order.Fulfillment) { f.Parent = "A-54" }, "23 December 2026"},
		"keys that follow":      {catalog.Redeem{WithinDays: 30}, func(f *order.Fulfillment) { f.Keys, f.Allocated, f.Mail.Kind = nil, 0, outbox.Delay }, ""},
		"nothing set":           {catalog.Redeem{}, func(*order.Fulfillment) {}, ""},
	} {
		m, err := ForLine(with(line(1), c.change), nil, nova, with(elden, func(p *catalog.Product) { p.Redeem = c.redeem }), nil, "", sender, noon)
		if err != nil {
			t.Fatal(err)
		}
		for _, written := range []string{m.Text, m.HTML} {
			if c.want == "" {
				if strings.Contains(written, "redeem") {
					t.Errorf("%s: a day is named in\n%s", name, written)
				}
			} else if strings.Count(written, "Please redeem the key by "+c.want+".") != 1 {
				t.Errorf("%s: not once the day %s in\n%s", name, c.want, written)
			}
		}
	}
}

// The words and what is around them are in one language: the customer's, where there is
// both a text and a frame in it, else the merchant's first one.
func TestForLine_speaksOneLanguage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		customer  string
		texts     []string
		languages []string
		wantText  string
		wantFrame string
	}{
		{"de-AT", []string{"de", "en"}, []string{"en", "de"}, "de", "de"},
		{"fr", []string{"de", "en"}, []string{"de", "en"}, "de", "de"}, // a French frame around a German text is none
		{"it", []string{"de", "en", "it"}, []string{"de", "en", "it"}, "de", "de"},
		{"it", []string{"de", "en", "it"}, nil, "it", "en"},            // he named no language
		{"it", []string{"de", "it"}, []string{"it", "de"}, "it", "de"}, // his first language has no frame, his second has
		{"zh-TW", []string{"en", "zh-Hans", "zh-Hant"}, []string{"zh-Hant", "en"}, "zh-Hant", "en"},
		{"zh-HK", []string{"en", "zh-Hant"}, []string{"en"}, "en", "en"},
		{"es_MX", []string{"en", "es"}, []string{"en"}, "es", "es"},
		{"fr-CA", nil, []string{"de"}, "", "fr"},
		{"ko", nil, []string{"it", "de"}, "", "de"},
		{"ja-JP", nil, []string{"en"}, "", "ja"},
	} {
		p := with(elden, func(p *catalog.Product) {
			for _, language := range c.texts {
				if p.Texts == nil {
					p.Texts = map[string]catalog.Text{}
				}
				p.Texts[language] = catalog.Text{Body: "text in <" + language + ">\n{KEY}"}
			}
		})
		f := with(line(1), func(f *order.Fulfillment) { f.Language = c.customer })
		m, err := ForLine(f, nil, with(nova, func(m *catalog.Merchant) { m.Languages = c.languages }), p, nil, "", sender, noon)
		if err != nil {
			t.Fatal(err)
		}
		if c.wantText != "" && !strings.Contains(m.Text, "text in <"+c.wantText+">") || !strings.Contains(m.Text, frame.In(c.wantFrame).Closing) ||
			!strings.Contains(m.HTML, `<html lang="`+c.wantFrame+`"`) {
			t.Errorf("a customer of %s, texts in %q, merchant of %q: want text %q in frame %q\n%s", c.customer, c.texts, c.languages, c.wantText, c.wantFrame, m.Text)
		}
	}
}

// A product's own text in the customer's language comes first, then the merchant's in it, then
// a text in the merchant's first language: the product's before the merchant's.
func TestForLine_textsFallBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		customer        string
		product, common []string
		want            string
	}{
		{"de-AT", []string{"de", "en"}, []string{"de"}, "product de"},
		{"de-AT", []string{"en"}, []string{"de", "en"}, "common de"},
		{"fr", []string{"en"}, []string{"de", "fr"}, "common fr"},
		{"fr", []string{"de"}, []string{"de", "en"}, "product de"},
		{"fr", nil, []string{"de", "en"}, "common en"},
		{"", []string{"en"}, []string{"de"}, "product en"},
	} {
		named := func(of string, languages []string) map[string]catalog.Text {
			texts := map[string]catalog.Text{}
			for _, language := range languages {
				texts[language] = catalog.Text{Body: "<" + of + " " + language + ">\n{KEY}"}
			}
			return texts
		}
		f := with(line(1), func(f *order.Fulfillment) { f.Language = c.customer })
		p := with(elden, func(p *catalog.Product) { p.Texts = named("product", c.product) })
		made, err := ForLine(f, nil, nova, p, named("common", c.common), "", sender, noon)
		if err != nil || !strings.Contains(made.Text, "<"+c.want+">") {
			t.Errorf("a customer of %q, product in %q, merchant in %q: want %s, got (%v)\n%s", c.customer, c.product, c.common, c.want, err, made.Text)
		}
		if without, _ := ForLine(f, nil, nova, p, nil, "", sender, noon); !FallsBack(f, p) && without.Text != made.Text {
			t.Errorf("a customer of %q, product in %q: the mail needs the merchant's texts, and is made without", c.customer, c.product)
		}
	}
}

// A name that a mail program would make a link of is not used; names that only look
// odd are.
func TestFullName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"Ada Byron": true, "J.R.R. Tolkien": true, "Dr.Smith": true, "St. John": true, "Byron, Ada; \"The Countess\"": true, "A.B.C.": true,
		"Martin Luther King Jr.": true, "ada@example.com": true, "Größe GmbH & Co. KG": true, "1/2": true, "No. 5": true,
		"{KEY} <b>&\" https://evil.example": false, "evil.example": false, "Go to evil.example!": false, "EVIL.COM": false, "www.Evil.Example": false,
		"Visit Evil.Example/claim": false, "http://1.2.3.4": false, "hxxp://x": false, "evil。example": false, "бяка.рф": false, "例え.テスト": false,
		"a@b https://evil.example": false, "https://evil.example/a@b": false, "x.xn--p1ai": true, "evil.xn--p1ai": false, "ev\u200eil.example": false,
	} {
		if got := fullName(order.Customer{Name: name}) == name; got != want {
			t.Errorf("%q: used %v, want %v", name, got, want)
		}
		if got := fullName(order.Customer{FirstName: "Ada", LastName: name}) == "Ada "+name; got != want {
			t.Errorf("%q as the last name: used %v, want %v", name, got, want)
		}
	}
	if got := fullName(order.Customer{Name: "evil.example", FirstName: "Ada"}); got != "Ada" {
		t.Errorf("beside a web address, the first name is %q", got)
	}
}

// The mail about a new token says what it may do, whole.
func TestNoticeMail_scopesAreToldWhole(t *testing.T) {
	t.Parallel()
	for _, scope := range access.Scopes {
		if says := scope.Meaning(); text.OneLine(says) != says {
			t.Errorf("%s: %q is cut off", scope, text.OneLine(says))
		}
	}
}

func TestNoticeMail_golden(t *testing.T) {
	counts := upload.Counts{upload.Accepted: 1998, upload.Sold: 1, upload.SameFile: 1}
	record := upload.Upload{
		Merchant: "nova", ID: "20261123T115800-0123456789abcdef", Object: upload.Object{Name: "uploads/nova/elden/november.txt"},
		File: "november.txt", Pool: "elden", Side: pool.Live, State: upload.Finished, Lines: 2000, Counts: counts,
		Kept: []upload.RejectedLine{
			{Line: 17, Reason: upload.Sold, SoldAt: time.Date(2026, 5, 3, 10, 0, 0, 0, time.UTC)},
			{Line: 1204, Reason: upload.SameFile},
		},
		ReceivedAt: noon.Add(-2 * time.Minute), FinishedAt: noon,
	}
	refused := with(record, func(u *upload.Upload) {
		u.Counts = upload.Counts{upload.TooLong: 1, upload.ControlCharacter: 30}
		u.Lines, u.Kept, u.Cause = 31, nil, upload.NoKeys
		for i := range 31 {
			u.Kept = append(u.Kept, upload.RejectedLine{Line: i + 1, Reason: upload.ControlCharacter})
		}
		u.Kept[0].Reason = upload.TooLong
	})
	file := notice.Facts{Pool: "elden", Side: pool.Live, Uploads: []string{record.ID}, Count: 1, File: "november.txt", Started: record.ReceivedAt}
	ended := func(j notice.Job) notice.Facts {
		j.ID, j.By = "20261123T101500-0f1e2d3c4b5a6978", "the token warehouse"
		f := notice.Facts{Started: noon.Add(-time.Hour), Job: &j}
		if j.Kind != job.Erase && j.Kind != job.Wipe {
			f.Pool, f.Side = "elden", pool.Live
		}
		return f
	}
	caused := func(cause upload.Cause) notice.Facts {
		return with(file, func(f *notice.Facts) { f.Cause = string(cause) })
	}
	unread := func(cause upload.Cause) *upload.Upload {
		u := with(record, func(u *upload.Upload) { u.Cause, u.Counts, u.Kept, u.Lines = cause, upload.Counts{}, nil, 0 })
		return &u
	}
	for name, c := range map[string]struct {
		kind     notice.Kind
		merchant string
		facts    notice.Facts
		upload   *upload.Upload
	}{
		"low_stock":         {notice.LowStock, "nova", notice.Facts{Pool: "elden", Side: pool.Live, Available: 7, Threshold: 10}, nil},
		"low_stock_one":     {notice.LowStock, "nova", notice.Facts{Pool: "elden", Side: pool.Live, Available: 1, Threshold: 2000}, nil},
		"low_stock_further": {notice.LowStock, "nova", notice.Facts{Pool: "elden", Side: pool.Live, Available: 7, Threshold: 10}, nil},
		"empty":             {notice.Empty, "nova", notice.Facts{Pool: "elden", Side: pool.Live, Threshold: 10}, nil},
		"empty_waiting":     {notice.Empty, "nova", notice.Facts{Pool: "elden", Side: pool.Live, Waiting: 12, Missing: 515, HeadNeeds: 500, Orders: []string{"A-55"}, Started: noon.Add(-time.Minute)}, nil},
		"empty_one_waits":   {notice.Empty, "nova", notice.Facts{Pool: "elden", Side: pool.Live, Waiting: 1, Missing: 3, HeadNeeds: 3, Orders: []string{"A-55"}, Started: noon.Add(-time.Minute)}, nil},
		"unconnected": {notice.Unconnected, "nova", notice.Facts{Account: "shop-eu", Count: 1, Products: []notice.Product{
			{ID: "222222", Side: pool.Live, Orders: []string{"A-56"}, Count: 1},
		}}, nil},
		"unconnected_many": {notice.Unconnected, "nova", notice.Facts{Account: "shop-eu", Count: 9, Products: []notice.Product{
			{ID: "222222", Side: pool.Live, Orders: []string{"A-56", "A-58"}, Count: 2},
			{ID: "t-shirt", Side: pool.Live, Orders: []string{"A-57", "A-59", "A-60", "A-61", "A-62"}, Count: 6},
			{ID: "222222", Side: pool.Test, Orders: []string{"T-1"}, Count: 1},
		}}, nil},
		"unconnected_ships": {notice.Unconnected, "nova", notice.Facts{Account: "shop-eu", Count: 1, Products: []notice.Product{
			{ID: "222222", Side: pool.Live, Ships: true, Orders: []string{"A-56"}, Count: 1},
		}}, nil},
		"unconnected_and_ships": {notice.Unconnected, "nova", notice.Facts{Account: "shop-eu", Count: 3, Products: []notice.Product{
			{ID: "222222", Side: pool.Live, Ships: true, Orders: []string{"A-56"}, Count: 1},
			{ID: "t-shirt", Side: pool.Live, Orders: []string{"A-57"}, Count: 1},
			{ID: "222222", Side: pool.Test, Ships: true, Orders: []string{"T-1"}, Count: 1},
		}}, nil},
		"upload_report": {notice.UploadReport, "nova", file, &record},
		"upload_all_good": {notice.UploadReport, "nova", file, func() *upload.Upload {
			u := with(record, func(u *upload.Upload) { u.Counts, u.Kept, u.Lines = upload.Counts{upload.Accepted: 1}, nil, 1 })
			return &u
		}()},
		"upload_all_known": {notice.UploadReport, "nova", file, func() *upload.Upload {
			u := with(record, func(u *upload.Upload) { u.Counts, u.Lines = upload.Counts{upload.ThisPool: 3000}, 3000 })
			return &u
		}()},
		"upload_no_keys": {notice.UploadReport, "nova", caused(upload.NoKeys), &refused},
		"upload_empty":   {notice.UploadReport, "nova", caused(upload.Empty), unread(upload.Empty)},
		"upload_binary":  {notice.UploadReport, "nova", caused(upload.Binary), unread(upload.Binary)},
		"upload_no_pool": {notice.UploadReport, "nova", caused(upload.UnknownPool), unread(upload.UnknownPool)},
		"upload_limit": {notice.UploadLimit, "nova", with(file, func(f *notice.Facts) { f.Cause, f.Limit = "bytes", 2<<30 }), func() *upload.Upload {
			u := with(*unread(upload.OverLimit), func(u *upload.Upload) { u.State = upload.Parked })
			return &u
		}()},
		"call_limit": {notice.CallLimit, "nova", notice.Facts{Limit: 100_000}, nil},
		"mail_limit": {notice.MailLimit, "nova", notice.Facts{Limit: 500, Count: 1, Mails: []string{"The mail for order A-1001 cannot be sent"}}, nil},
		"mail_limit_many": {notice.MailLimit, "nova", notice.Facts{Limit: 500, Count: 1234, Mails: []string{
			"The mail for order A-1001 cannot be sent", "Order A-1002 was paid again, and not as before",
		}}, nil},
		"job_withdrawn":      {notice.JobEnded, "nova", ended(notice.Job{Kind: job.Withdraw, Keys: 1412}), nil},
		"job_moved":          {notice.JobEnded, "nova", ended(notice.Job{Kind: job.Move, Keys: 1, To: "ring"}), nil},
		"job_cancelled":      {notice.JobEnded, "nova", ended(notice.Job{Kind: job.Move, To: "ring", Cut: true, CancelledBy: "the token back office"}), nil},
		"job_exported":       {notice.JobEnded, "nova", ended(notice.Job{Kind: job.Export, Keys: 1412}), nil},
		"job_no_file":        {notice.JobEnded, "nova", ended(notice.Job{Kind: job.Export, Cut: true, CancelledBy: "the token back office"}), nil},
		"job_erased":         {notice.JobEnded, "nova", ended(notice.Job{Kind: job.Erase, Lines: 3, Left: 1}), nil},
		"job_cut":            {notice.JobEnded, "nova", ended(notice.Job{Kind: job.Erase, Lines: 1, Cut: true, CancelledBy: "the token back office"}), nil},
		"job_wiped":          {notice.JobEnded, "nova", ended(notice.Job{Kind: job.Wipe, Keys: 20, Lines: 1}), nil},
		"upload_used_ticket": {notice.UploadReport, "nova", caused(upload.UsedTicket), unread(upload.UsedTicket)},
		"upload_gone":        {notice.UploadReport, "nova", caused(upload.Gone), unread(upload.Gone)},
		"upload_encrypted":   {notice.UploadReport, "nova", caused(upload.Encrypted), unread(upload.Encrypted)},
		"upload_archived": {notice.UploadReport, "nova", caused(upload.Archived), func() *upload.Upload {
			u := with(record, func(u *upload.Upload) { u.Cause = upload.Archived })
			return &u
		}()},
		"upload_held": {notice.UploadReport, "nova", caused(upload.Unclear), func() *upload.Upload {
			u := with(*unread(upload.Unclear), func(u *upload.Upload) {
				u.State = upload.NeedsConfirmation
				u.Seen.Asked = []upload.Finding{{Trait: upload.Heading, Lines: 1, First: 1}, {Trait: upload.Quotes, Lines: 1999, First: 2}}
			})
			return &u
		}()},
		"upload_held_json": {notice.UploadReport, "nova", caused(upload.Unclear), func() *upload.Upload {
			u := with(*unread(upload.Unclear), func(u *upload.Upload) {
				u.State = upload.NeedsConfirmation
				u.Seen.Asked = []upload.Finding{{Trait: upload.JSON, Lines: 1, First: 1}}
			})
			return &u
		}()},
		"upload_no_column": {notice.UploadReport, "nova", caused(upload.NoColumn), func() *upload.Upload {
			u := with(*unread(upload.NoColumn), func(u *upload.Upload) {
				u.File = "november.csv"
				u.Seen.Table = upload.Table{Separator: ",", Columns: 4, Named: []string{"name", "e mail", "status"}}
			})
			return &u
		}()},
		"upload_only_heading": {notice.UploadReport, "nova", caused(upload.NoKeys), func() *upload.Upload {
			u := with(*unread(upload.NoKeys), func(u *upload.Upload) { u.Counts, u.Lines = upload.Counts{upload.SkippedHeading: 1}, 1 })
			return &u
		}()},
		"upload_warned": {notice.UploadReport, "nova", file, func() *upload.Upload {
			u := with(record, func(u *upload.Upload) {
				u.Counts, u.Kept, u.Lines = upload.Counts{upload.Accepted: 2, upload.SkippedHeading: 1, upload.SkippedComment: 2}, nil, 5
				u.Remembered, u.Reading = true, upload.Reading{SkipHeading: true, SkipComments: true}
				u.Seen.Warned = []upload.Finding{{Trait: upload.Separators, Lines: 2, First: 4}, {Trait: upload.Typography, Lines: 1, First: 5}}
			})
			return &u
		}()},
		"upload_confirmed": {notice.UploadReport, "nova", file, func() *upload.Upload {
			u := with(record, func(u *upload.Upload) {
				u.Counts, u.Lines = upload.Counts{upload.Accepted: 2, upload.SkippedHeading: 1, upload.UnpairedQuotes: 1}, 4
				u.Kept = []upload.RejectedLine{{Line: 1, Reason: upload.SkippedHeading}, {Line: 3, Reason: upload.UnpairedQuotes}}
			})
			return &u
		}()},
		"upload_reminder_held": {notice.UploadReminder, "nova", caused(upload.Unclear), func() *upload.Upload {
			u := with(*unread(upload.Unclear), func(u *upload.Upload) {
				u.State, u.ReceivedAt = upload.NeedsConfirmation, noon.Add(-upload.RemindAfter)
				u.Seen.Asked = []upload.Finding{{Trait: upload.Heading, Lines: 1, First: 1}}
			})
			return &u
		}()},
		"upload_reminder":  {notice.UploadReminder, "nova", caused(upload.Binary), unread(upload.Binary)},
		"misplaced":        {notice.Misplaced, "nova", notice.Facts{Uploads: []string{record.ID}, Count: 1, File: "uploads/nova/keys.txt", Cause: string(upload.Misplaced)}, nil},
		"misplaced_nobody": {notice.Misplaced, "", notice.Facts{Uploads: []string{record.ID}, Count: 1, File: "uploads/nowa/elden/keys.txt", Cause: string(upload.UnknownMerchant)}, nil},
		"order_refused": {notice.OrderRefused, "nova", notice.Facts{Count: 1, Refused: []notice.Refused{
			{Order: "A-57", Account: "shop-eu", Cause: "data.lines[0].quantity is over 1000, the most that one line may have"},
		}}, nil},
		"order_refused_many": {notice.OrderRefused, "nova", notice.Facts{Count: 1005, Refused: []notice.Refused{
			{Order: "A-57", Account: "shop-eu", Cause: "data.lines[0].quantity is over 1000, the most that one line may have"},
			{Account: "shop-us", Cause: "the body is not the JSON object that the documentation shows"},
			{Order: "A-58", Account: "shop-eu", Cause: "data.customer.email is not a mail address"},
		}}, nil},
		"paid_before": {notice.PaidBefore, "nova", notice.Facts{Count: 1, Refused: []notice.Refused{
			{Order: "A-57", Account: "shop-eu", Cause: "2020-01-01"},
		}}, nil},
		"paid_before_many": {notice.PaidBefore, "nova", notice.Facts{Count: 500, Refused: []notice.Refused{
			{Order: "A-57", Account: "shop-eu", Cause: "2020-01-01"},
			{Order: "A-58", Account: "shop-us", Cause: "2020-01-02"},
		}}, nil},
		"no_address":      {notice.NoAddress, "nova", notice.Facts{Orders: []string{"5501234567890"}, OrderID: ordered, Account: "shop-eu", Count: 1}, nil},
		"no_address_many": {notice.NoAddress, "nova", notice.Facts{Orders: []string{"5501234567890", "5501234567891"}, Account: "shop-eu", Count: 1204}, nil},
		"payment_ignored": {notice.PaymentIgnored, "nova", notice.Facts{Count: 1, Refused: []notice.Refused{
			{Order: "in_9", Account: "stripe", Cause: "is an invoice that no Checkout session belongs to"},
		}}, nil},
		"payment_ignored_many": {notice.PaymentIgnored, "nova", notice.Facts{Count: 1204, Refused: []notice.Refused{
			{Order: "in_9", Account: "stripe", Cause: "is an invoice that no Checkout session belongs to"},
			{Order: "in_10", Account: "stripe", Cause: "is an invoice that no Checkout session belongs to"},
		}}, nil},
		"mail_failed":          {notice.MailFailed, "nova", notice.Facts{Orders: []string{"A-58"}, OrderID: ordered, Product: "111111", Count: 1, Cause: "MessageRejected"}, nil},
		"mail_failed_operator": {notice.MailFailed, "", notice.Facts{Orders: []string{"nova"}, Count: 1, Cause: "BadRequestException"}, nil},
		"bounced":              {notice.Bounced, "nova", notice.Facts{Orders: []string{"A-58", "A-59"}, Count: 2}, nil},
		"bounced_many":         {notice.Bounced, "nova", notice.Facts{Orders: []string{"A-58", "A-59"}, Count: 1002}, nil},
		"bounced_operator":     {notice.Bounced, "", notice.Facts{Orders: []string{"nova", "stella"}, Count: 3}, nil},
		"complained":           {notice.Complained, "nova", notice.Facts{Orders: []string{"A-60"}, OrderID: ordered, Count: 1}, nil},
		"complained_operator":  {notice.Complained, "", notice.Facts{Orders: []string{"nova"}, Count: 1}, nil},
		"held":                 {notice.HeldForReview, "nova", heldFacts(pool.Live, 1, 1), nil},
		"held_many":            {notice.HeldForReview, "nova", heldFacts(pool.Live, 3, 26), nil},
		"held_test":            {notice.HeldForReview, "nova", heldFacts(pool.Test, 2, 2), nil},
		"big_day":              {notice.BigDay, "nova", notice.Facts{Count: 1204, Threshold: 97}, nil},
		"big_day_first":        {notice.BigDay, "nova", notice.Facts{Count: 101}, nil},
		"big_day_braked":       {notice.BigDay, "nova", notice.Facts{Count: 1204, Threshold: 97, Cause: notice.BrakeSet}, nil},
		"unknown_event":        {notice.UnknownEvent, "nova", notice.Facts{Count: 1, Cause: "order.shipped"}, nil},
		"not_signed_secret":    {notice.NotSigned, "nova", notice.Facts{Count: 1, Account: "shop-eu", Cause: notice.CauseSecret}, nil},
		"not_signed_clock":     {notice.NotSigned, "nova", notice.Facts{Count: 1, Account: "shop-eu", Cause: notice.CauseClock}, nil},
		"catch_up_failed":      {notice.CatchupFailed, "nova", notice.Facts{Count: 1, Account: "shop-eu", Cause: "credentials.live_key does not serve: api.stripe.com answered 401: it does not know the API key: it was revoked, has expired, or is another side's; enter one that is valid"}, nil},
		"webhook_inactive":     {notice.WebhookInactive, "nova", notice.Facts{Count: 1, Account: "shop-eu", Cause: notice.CauseInactive}, nil},
		"webhook_missing":      {notice.WebhookInactive, "nova", notice.Facts{Count: 1, Account: "shop-eu", Cause: notice.CauseMissing}, nil},
		"refund_failed":        {notice.RefundFailed, "nova", notice.Facts{Orders: []string{"A-61"}, OrderID: ordered, Account: "shop-eu", Cause: "re_17", Count: 1}, nil},
		"refund_matched":       {notice.RefundMatched, "nova", notice.Facts{Orders: []string{"A-61"}, OrderID: ordered, Account: "shop-eu", Cause: "re_19", Count: 1}, nil},
		"refund_unclear":       {notice.RefundUnclear, "nova", notice.Facts{Orders: []string{"A-61"}, OrderID: ordered, Account: "shop-eu", Cause: "re_18", Count: 1}, nil},
		"renewal_waits":        {notice.RenewalWaits, "nova", notice.Facts{Orders: []string{"A-62", "A-54"}, OrderID: ordered, Product: "111111", Account: "shop-eu", Side: pool.Live, Cause: "ParentUnknown", Count: 1}, nil},
		"paid_after_return":    {notice.PaidAfterReturn, "nova", notice.Facts{Orders: []string{"A-61"}, OrderID: ordered, Account: "shop-eu", Count: 1}, nil},
		"paid_again":           {notice.PaidAgain, "nova", notice.Facts{Orders: []string{"A-61"}, OrderID: ordered, Account: "shop-eu", Started: noon.AddDate(0, 0, -2), Count: 1}, nil},
		"risk_after_keys":      {notice.RiskAfterKeys, "nova", notice.Facts{Orders: []string{"A-61"}, OrderID: ordered, Account: "shop-eu", Cause: "cancel", Count: 1}, nil},
		"changed_repeat":       {notice.ChangedRepeat, "nova", notice.Facts{Orders: []string{"A-61"}, OrderID: ordered, Count: 1}, nil},
		"changed_account": {notice.ChangedAccount, "nova", notice.Facts{Count: 1, Changed: []notice.Changed{
			{Name: "shop-eu", Parts: []string{"credential api_key", "delivers_from"}, By: "the token back office", At: noon},
		}}, nil},
		"changed_account_many": {notice.ChangedAccount, "nova", notice.Facts{Count: 102, Changed: []notice.Changed{
			{Name: "shop-eu", Parts: []string{"other_products"}, By: "the operator", At: noon},
			{Name: "shop-us", Parts: []string{"settings"}, By: "the operator", At: noon.Add(time.Minute)},
		}}, nil},
		"new_secret_named": {notice.NewSecret, "nova", notice.Facts{Count: 1, Changed: []notice.Changed{
			{Name: "shop-eu", Parts: []string{"live", "test"}, By: "the token back office", At: noon},
		}}, nil},
		"new_token": {notice.NewToken, "nova", notice.Facts{Count: 1, Changed: []notice.Changed{
			{Name: "nightly upload", ID: "5d41402abc4b2a76", Parts: []string{"upload"}, Until: noon.AddDate(0, 0, 90), By: "the operator", At: noon},
		}}, nil},
		"new_token_many": {notice.NewToken, "nova", notice.Facts{Count: 102, Changed: []notice.Changed{
			{Name: "back office", ID: "5d41402abc4b2a76", Parts: []string{"orders:read", "settings", "secrets"}, By: "the operator", At: noon},
			{Name: "<b>&\u202e", ID: "7d793037a0760186", Parts: []string{"upload"}, Until: noon.AddDate(0, 0, 1), By: "the operator", At: noon.Add(time.Minute)},
		}}, nil},
		"new_token_person": {notice.NewToken, "nova", notice.Facts{Count: 1, Changed: []notice.Changed{
			{Name: "Ada's scripts", ID: "5d41402abc4b2a76", Parts: []string{"person ada"}, Until: noon.AddDate(0, 0, 90), By: "the operator", At: noon},
		}}, nil},
		"changed_person": {notice.ChangedPerson, "nova", notice.Facts{Count: 1, Changed: []notice.Changed{
			{Name: "Ada Byron", ID: "ada", Parts: []string{"role manager"}, By: "Grace Hopper (grace), by the token \"desk\" (7d793037a0760186)", At: noon},
		}}, nil},
		"changed_person_many": {notice.ChangedPerson, "nova", notice.Facts{Count: 102, Changed: []notice.Changed{
			{Name: "Ada Byron", ID: "ada", Parts: []string{"role owner", "mail address"}, By: "the operator", At: noon},
			{Name: "Grace Hopper", ID: "grace", Parts: []string{"role read"}, By: "the operator", At: noon.Add(time.Minute)},
		}}, nil},
		"sender_verified": {notice.SenderState, "nova", notice.Facts{Address: "keys@nova.example", Cause: "verified"}, nil},
		"sender_failed":   {notice.SenderState, "nova", notice.Facts{Address: "keys@nova.example", Cause: "failed"}, nil},
		"sender_refused":  {notice.SenderState, "nova", notice.Facts{Address: "keys@nova.example", Cause: "refused"}, nil},
		"expiring_token": {notice.ExpiringToken, "nova", notice.Facts{
			Started: noon.Add(-time.Hour),
			Changed: []notice.Changed{{Name: "nightly upload", ID: "5d41402abc4b2a76", Until: noon.AddDate(0, 0, 7)}},
		}, nil},
		"expiring_token_unused": {notice.ExpiringToken, "nova", notice.Facts{
			Changed: []notice.Changed{{Name: "nightly upload", ID: "5d41402abc4b2a76", Until: noon.AddDate(0, 2, 0)}},
		}, nil},
		"new_secret": {notice.NewSecret, "nova", notice.Facts{Count: 1, Changed: []notice.Changed{
			{Name: "shop-eu", Until: noon.AddDate(0, 0, 1), By: `the token "back office" (5d41402abc4b2a76)`, At: noon},
		}}, nil},
		"new_secret_many": {notice.NewSecret, "nova", notice.Facts{Count: 2, Changed: []notice.Changed{
			{Name: "shop-eu", Ended: 2, By: `the token "back office" (5d41402abc4b2a76)`, At: noon},
			{Name: "shop-us", By: `the token "back office" (5d41402abc4b2a76)`, At: noon.Add(time.Minute)},
		}}, nil},
		"changed_text": {notice.ChangedText, "nova", notice.Facts{Count: 1, Changed: []notice.Changed{
			{Name: "111111", Parts: []string{"text de", "download"}, By: `the token "back office" (5d41402abc4b2a76)`, At: noon},
		}}, nil},
		"changed_warnings": {notice.ChangedWarnings, "nova", notice.Facts{Count: 1, Changed: []notice.Changed{
			{Name: "elden", Parts: []string{"added stock@nova.example", "removed ada@nova.example"}, By: `the token "back office" (5d41402abc4b2a76)`, At: noon},
		}}, nil},
		"changed_warnings_many": {notice.ChangedWarnings, "nova", notice.Facts{Count: 101, Changed: []notice.Changed{
			{Name: "elden", Parts: []string{"added stock@nova.example"}, By: `the token "back office" (5d41402abc4b2a76)`, At: noon},
			{Name: "elden-latam", Parts: []string{"removed ada@nova.example"}, By: "Grace", At: noon},
		}}, nil},
		"unread_warning":          {notice.UnreadWarning, "nova", notice.Facts{Pool: "elden", Side: pool.Live, Address: "stock@nova.example", Cause: "mail-bounced"}, nil},
		"unread_warning_unwanted": {notice.UnreadWarning, "nova", notice.Facts{Pool: "elden", Side: pool.Live, Address: "stock@nova.example", Cause: notice.CauseUnwanted}, nil},
		"changed_text_many": {notice.ChangedText, "nova", notice.Facts{Count: 500, Changed: []notice.Changed{
			{Name: "111111", Parts: []string{"text de", "text en", "instructions", "redeem", "original", "title"}, By: `the token "back office" (5d41402abc4b2a76)`, At: noon},
			{Name: "222222", Parts: []string{"title"}, By: `the token "back office" (5d41402abc4b2a76)`, At: noon.Add(time.Minute)},
		}}, nil},
		"sample": {notice.SampleMail, "nova", notice.Facts{Sample: &notice.Sample{Language: "de", Keys: 2}, Sold: elden}, nil},
		"sample_own": {notice.SampleMail, "nova", notice.Facts{
			Sample: &notice.Sample{Test: true, Text: &catalog.Text{Subject: "For {FULLNAME}", Body: "**Yours**: {KEY}", Format: text.Markdown}, Keys: 1}, Sold: elden,
		}, nil},
		"sample_waiting":         {notice.SampleMail, "nova", notice.Facts{Sample: &notice.Sample{Language: "ja"}, Sold: SampleProduct}, nil},
		"changed_text_all":       {notice.ChangedText, "nova", notice.Facts{Count: 1, Changed: []notice.Changed{{Name: notice.AllProducts, Parts: []string{"text de", "frame en"}, By: "the operator", At: noon}}}, nil},
		"address_mended":         {notice.AddressMended, "nova", notice.Facts{Orders: []string{"A-61"}, OrderID: ordered, Account: "shop-eu", Side: pool.Live, Count: 1, Changed: []notice.Changed{{Name: "A-61", By: "support", At: noon}}}, nil},
		"address_mended_bounced": {notice.AddressMended, "nova", notice.Facts{Orders: []string{"A-61"}, OrderID: ordered, Account: "shop-eu", Side: pool.Test, Cause: notice.CauseBounced, Count: 1, Changed: []notice.Changed{{Name: "A-61", By: "support", At: noon}}}, nil},
		"sign_in": {notice.SignIn, "", notice.Facts{
			Link: "https://keypool.example/portal/sign-in/9kq3m2vXo0LJ3r8kqf1N2b7c4dP5QmT6wYvU9sA8eRt", Code: "123 4567", Browser: "Firefox on Windows", Started: noon,
		}, nil},
		"invitation": {notice.Invitation, "nova", notice.Facts{Count: 1, Changed: []notice.Changed{
			{Name: "Grace Hopper", ID: "grace-hopper", Parts: []string{"role stock"}, By: "Ada Byron (ada)", At: noon},
		}}, nil},
		"lost_invitation": {notice.LostInvitation, "nova", notice.Facts{Address: "grace@nova.example", Count: 1, Changed: []notice.Changed{
			{Name: "Grace Hopper", ID: "grace-hopper", Parts: []string{"role stock"}, By: "Ada Byron (ada)", At: noon},
		}}, nil},
		"lost_invitation_unwanted": {notice.LostInvitation, "nova", notice.Facts{Address: "grace@nova.example", Cause: notice.CauseUnwanted, Count: 1, Changed: []notice.Changed{
			{Name: "Grace Hopper", ID: "grace-hopper", Parts: []string{"role stock"}, By: "Ada Byron (ada)", At: noon},
		}}, nil},
		"operator_help": {notice.OperatorHelp, "nova", notice.Facts{Count: 1, Changed: []notice.Changed{
			{Name: "You asked us to load keys.", Until: noon.Add(time.Hour), By: "the operator", At: noon},
		}}, nil},
		"operator_help_owner": {notice.OperatorHelp, "nova", notice.Facts{Count: 1, Changed: []notice.Changed{
			{Until: noon.Add(time.Hour), By: "the operator", At: noon},
		}}, nil},
		"changed_address":        {notice.ChangedAddress, "nova", notice.Facts{Changed: []notice.Changed{{Name: "nova", By: "the operator", At: noon}}}, nil},
		"changed_address_former": {notice.ChangedAddress, "nova", notice.Facts{Address: "stock@nova.example", Changed: []notice.Changed{{Name: "nova", By: "the operator", At: noon}}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c.facts.Portal = "https://keypool.example/portal"
			n := notice.New(c.merchant, c.kind, "x", c.facts, noon)
			if c.kind == notice.SignIn || c.kind == notice.Invitation || strings.HasSuffix(name, "_owner") {
				n.To = "ada@shop.example"
			}
			if c.kind == notice.ChangedAddress && c.facts.Address != "" {
				n.To = "former@nova.example"
			}
			if strings.HasSuffix(name, "_further") {
				n.To = "stock@nova.example"
			}
			merchant := nova
			if c.merchant == "" {
				merchant = catalog.Merchant{}
			}
			var uploads []upload.Upload
			if c.upload != nil {
				uploads = []upload.Upload{*c.upload}
			}
			m, err := composeNotice(n, merchant, catalog.Pool{Name: "elden", Title: "Elden"}, uploads, sender, "operator@keypool.example", noon)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "notice_"+name, m)
		})
	}
}

// The mail to a former address says that the order's mails go elsewhere, in the order's
// language, and holds no key, no address but the one it goes to, and no name.
func TestForFormer(t *testing.T) {
	f := with(line(2), func(f *order.Fulfillment) {
		f.Former = []string{"ana.berg@example.com", "anna@berg.example"}
		f.Customer.Phone, f.Customer.Address = "+49 30 1234", "Hafenweg 7"
	})
	n := notice.New("nova", notice.KeysElsewhere, "x", notice.Facts{Line: string(f.ID)}, noon)
	for name, m := range map[string]catalog.Merchant{"former": nova, "former_no_replies": with(nova, func(m *catalog.Merchant) { m.ReplyTo = "" })} {
		golden(t, name, ForFormer(n, f, m, elden, sender, noon))
	}
	for _, language := range frame.Languages() {
		f.Language = language
		made := ForFormer(n, f, nova, elden, sender, noon)
		if language != "en" {
			golden(t, "former_"+language, made)
		}
		if made.To.String() != "<ana.berg@example.com>" {
			t.Errorf("%s: it goes to %s", language, made.To.String())
		}
		for _, hidden := range []string{"ELDEN-", "Anna", "anna", "berg", "30 1234", "Hafenweg", "{"} {
			if strings.Contains(made.Subject+made.Text, hidden) {
				t.Errorf("%s: the mail says %q:\n%s", language, hidden, made.Text)
			}
		}
	}
}

// ordered is our name of an order.
const ordered = "b0LJ3r8kqf1N2b7c4dP5QY"

// heldFacts are those of a mail that shows some lines on hold, of so many.
func heldFacts(side pool.Side, shown, all int) notice.Facts {
	held := []notice.HeldLine{
		{Order: "A-61", Product: elden.Title, Quantity: 3, Why: []string{order.HoldReviewRisk.Says(), order.HoldBrake.Says()}, OrderID: ordered},
		{Order: "A-62", Product: "<b>&", Quantity: 1200, Why: []string{order.HoldCap.Says()}, OrderID: ordered},
		{Order: "A-63", Product: elden.Title, Quantity: 1, Why: []string{order.HoldReviewOrders.Says()}, OrderID: ordered},
	}
	facts := notice.Facts{Side: side, Count: all, Held: held[:shown]}
	if all == 1 {
		facts.OrderID = held[0].OrderID
	}
	return facts
}

// A notice has one main button, which leads into the portal. Its address names no order as a
// platform does, and nobody; in plain text it has a line of its own.
func TestNotices_haveOneButton(t *testing.T) {
	facts := notice.Facts{
		Portal: "https://keypool.example/portal", Pool: "elden & co", Side: pool.Live, Product: "111111", Orders: []string{"A-61"}, OrderID: ordered,
		Account: "shop-eu", Uploads: []string{"20261123T115800-0123456789abcdef"}, Count: 1, Cause: "a cause", Address: "stock@nova.example",
		Products: []notice.Product{{ID: "222/222", Side: pool.Live, Orders: []string{"A-61"}, Count: 1}},
		Refused:  []notice.Refused{{Order: "A-61", Account: "shop-eu", Cause: "lines"}},
		Changed:  []notice.Changed{{Name: "shop-eu", ID: "ada", Parts: []string{"role owner"}, By: "ada", At: noon}},
		Held:     []notice.HeldLine{{Order: "A-61", OrderID: ordered, Product: "Elden", Quantity: 1, Why: []string{"risk"}}},
		Job:      &notice.Job{ID: "20261123T101500-0f1e2d3c4b5a6978", Kind: job.Withdraw, Keys: 2},
	}
	none := []notice.Kind{notice.SignIn, notice.SampleMail, notice.KeysElsewhere, notice.Misplaced, notice.ChangedAddress} // the last one goes to the former address
	for _, kind := range notice.Kinds {
		if slices.Contains(none, kind) && kind != notice.ChangedAddress {
			continue
		}
		f := facts
		if kind == notice.RenewalWaits {
			f.Cause = "ParentWaits"
		}
		for _, merchant := range []string{"nova", ""} {
			m, err := ForNotice(notice.New(merchant, kind, "x", f, noon), nova, catalog.Pool{Name: "elden & co"}, nil, sender, "operator@keypool.example", noon)
			if err != nil {
				t.Fatal(kind, err)
			}
			links := mainButton.FindAllStringSubmatch(m.HTML, -1)
			if merchant == "" || slices.Contains(none, kind) {
				if len(links) != 0 {
					t.Errorf("%s to %q has the button %s", kind, merchant, links[0])
				}
				continue
			}
			if len(links) != 1 {
				t.Errorf("%s has %d buttons", kind, len(links))
				continue
			}
			link, says := html.UnescapeString(links[0][1]), html.UnescapeString(links[0][2])
			if !strings.Contains(m.Text, "\n"+says+":\n"+link+"\n") {
				t.Errorf("%s: the text has no line with %s\n%s", kind, link, m.Text)
			}
			if !strings.HasPrefix(link, f.Portal) || strings.ContainsAny(link, " @") || strings.Contains(link, "A-61") || strings.Contains(link, "links/") {
				t.Errorf("%s leads to %s", kind, link)
			}
		}
	}
}

var mainButton = regexp.MustCompile(`<a class="main" href="([^"]*)"[^>]*>([^<]*)</a>`)

func TestNotices_everyKindHasWords(t *testing.T) {
	for _, kind := range notice.Kinds {
		if notices[kind] == nil && kind != notice.SampleMail && kind != notice.KeysElsewhere { // those are customers' mails
			t.Errorf("no words for a notice of %s", kind)
		}
	}
}

func TestTimes(t *testing.T) {
	for _, c := range []struct {
		amount string
		n      int
		want   string
	}{
		{"19.90", 3, "59.70"},
		{"100", 25, "2500"},
		{"0.1", 3, "0.3"},
		{"99999999999999999999.99", 1000, "99999999999999999999990.00"},
		{"1.999", 1, "1.999"},
		{"", 2, ""},
		{"19,90", 2, ""},
		{"-5.00", 2, ""},
		{"1e9", 2, ""},
		{".5", 2, ""},
	} {
		if got := times(c.amount, c.n); got != c.want {
			t.Errorf("%d times %q is %q, want %q", c.n, c.amount, got, c.want)
		}
	}
}

// golden compares a mail with the file of that name in testdata; its HTML stands
// beside it, to be opened in a browser.
func golden(t *testing.T, name string, m Message) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "From: %s\nTo: %s\nReply-To: %s\nSubject: %s\n", &m.From, &m.To, m.ReplyTo, m.Subject)
	for _, tag := range []string{tagLine, tagNumber} {
		if m.Tags[tag] != "" {
			fmt.Fprintf(&b, "Tag %s: %s\n", tag, m.Tags[tag])
		}
	}
	for _, file := range m.Attached {
		fmt.Fprintf(&b, "Attached: %s (%s)\n%s", file.Name, file.Type, file.Content)
	}
	fmt.Fprintf(&b, "\n%s", m.Text)
	for file, got := range map[string]string{name + ".txt": b.String(), name + ".html": m.HTML} {
		path := filepath.Join("testdata", file)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got), `go test ./shared/mail -update` if it is meant so:\n%s", path, diff)
		}
	}
}
