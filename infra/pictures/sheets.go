package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	netmail "net/mail"
	"strings"
	"time"

	chromium "keypool/infra/browser"
	"keypool/shared/catalog"
	"keypool/shared/mail"
	"keypool/shared/mail/text"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// sheet is a picture of one page, or of several, each as several people see it.
type sheet struct {
	name  string // of its file
	says  string // what it shows
	pages []string
	views []chromium.View
}

// madeFrom is the sum of the pages that a sheet's file shows.
func (s sheet) madeFrom() string {
	sum := sha256.Sum256([]byte(strings.Join(s.pages, "\x00")))
	return "made from " + hex.EncodeToString(sum[:])
}

// The width of a phone's window, and of a mail program's at a desk.
const phone, desk = 375, 800

var (
	everyView = []chromium.View{{Width: phone}, {Width: phone, Dark: true}, {Width: desk}, {Width: desk, Dark: true}}
	twoViews  = []chromium.View{{Width: phone}, {Width: desk, Dark: true}}
)

// sheets returns all sheets, of the mails as they are now.
func sheets() ([]sheet, error) {
	var all []sheet
	for _, s := range customers {
		m, err := mail.ForLine(s.line, nil, s.merchant, s.product, nil, orderPage, sender, noon)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		all = append(all, sheet{s.name, s.says, []string{m.HTML}, s.views})
	}
	told := sheet{name: "notices", says: "Mails to a merchant: keys run low, none is left and customers wait, orders on hold, an upload with refused lines, changed settings, and a sign-in.", views: twoViews}
	for _, n := range notices {
		n.facts.Portal = "https://keypool.example/portal"
		m, err := mail.ForNotice(notice.New(nova.Name, n.kind, "x", n.facts, noon), nova, catalog.Pool{Name: "elden", Title: "Elden"}, n.uploads, sender, "", noon)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.kind, err)
		}
		told.pages = append(told.pages, m.HTML)
	}
	return append(all, told), nil
}

const (
	logoAddress = "https://nova.example/logo.png"
	orderPage   = "https://keypool.example/o/Zx0LJ3r8kqf1N2b7c4dP5QYvU9sA8eRtG3hJkL2nQwErTw"
)

var (
	noon   = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	sender = netmail.Address{Name: "Keypool", Address: "keys@keypool.example"}
	nova   = catalog.Merchant{
		Name: "nova", Title: "Nova Software", NoticeAddress: "ops@nova.example", ReplyTo: "help@nova.example",
		TimeZone: "Europe/Berlin", Languages: []string{"en", "de"},
	}
	branded = with(nova, func(m *catalog.Merchant) { m.Logo, m.Color = logoAddress, "#1d3a8a" })
	elden   = catalog.Product{
		Merchant: "nova", ID: "111111", Title: "Elden Pro 4: the complete edition", ShortTitle: "Elden Pro 4",
		Instructions: "https://nova.example/elden/help", Download: "https://nova.example/elden/get",
	}
)

func with[T any](v T, change func(*T)) T {
	change(&v)
	return v
}

// bought is a paid line that holds so many keys.
func bought(keys int, language string) order.Fulfillment {
	f := order.Fulfillment{
		ID:       order.Identity{Merchant: "nova", Side: pool.Live, Origin: "standard", Order: "A-5555555", Line: "1"}.ID(),
		Merchant: "nova", Side: pool.Live, Account: "standard", Origin: "standard", Order: "A-5555555", Line: "1", Product: "111111", Pool: "elden",
		Quantity: max(keys, 1), Wanted: max(keys, 1), Allocated: keys, ReceivedAt: noon, PaidAt: noon,
		Currency: "EUR", Language: language, UnitPrice: "19.90",
		Customer: order.Customer{
			Name: "Anna Berg", Email: "anna.berg@example.com", Phone: "+49 30 1234567", Company: "Berg & Töchter GmbH",
			Country: "DE", City: "Berlin", Zip: "10117", Address: "Hafenweg 7",
		},
		Mail: outbox.Entry{State: outbox.Sending, Kind: outbox.Keys, Number: 1},
	}
	if keys == 0 {
		f.Mail.Kind = outbox.Delay
	}
	for i := range keys {
		f.Keys = append(f.Keys, key(fmt.Sprintf("ELDEN-%04d-QX7M-2K9F-T4WZ", i+1)))
	}
	return f
}

func key(text string) pool.Key { return pool.Key{Text: pool.Conceal(text)} }

// says gives a product the merchant's own text.
func says(language string, own catalog.Text) catalog.Product {
	return with(elden, func(p *catalog.Product) { p.Texts = map[string]catalog.Text{language: own} })
}

var customers = []struct {
	name, says string
	views      []chromium.View
	line       order.Fulfillment
	merchant   catalog.Merchant
	product    catalog.Product
}{
	{"one-key", "One key, with the merchant's logo and color.", everyView, bought(1, "en"), branded, elden},
	{
		"long", "Long names, and a key of 2,048 characters, the most that one may have.", twoViews,
		with(bought(1, "en"), func(f *order.Fulfillment) {
			f.Keys = []pool.Key{key("-----BEGIN-LICENSE-----" + strings.Repeat("MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU", 43)[:pool.MaxKey-23])}
			f.Order = "2026-11-23/ORDER/0123456789abcdef0123456789abcdef0123456789abcdef"
			f.Customer.Name = "Maximiliane Wolfeschlegelsteinhausenbergerdorff-Hohenzollern"
			f.Customer.Email = "maximiliane.wolfeschlegelsteinhausenbergerdorff-hohenzollern@mail.example.com"
		}),
		with(nova, func(m *catalog.Merchant) {
			m.Title, m.Color = "The Nova Software and Interactive Entertainment Trading Company of Berlin, Hamburg and Munich", "#000000"
		}),
		with(elden, func(p *catalog.Product) {
			p.Title = "Elden Professional 4: the Complete and Unabridged Anniversary Edition, with all Nineteen Extensions, for Donaudampfschifffahrtsgesellschaftskapitäne"
		}),
	},
	{
		"fifty-keys", "Fifty keys, some of which are longer than a line, attached as a file too.", twoViews,
		with(bought(50, "es"), func(f *order.Fulfillment) {
			for i := range 8 {
				f.Keys[i] = key(fmt.Sprintf("ELDEN-%04d-QX7M-2K9F-T4WZ-B7XQ-99KD-LM2P-7HVC", i+1))
			}
		}), branded, elden,
	},
	{
		"link-keys", "Keys that are addresses, in the lightest color that a merchant may have.", everyView,
		with(bought(2, "fr"), func(f *order.Fulfillment) {
			f.Keys = []pool.Key{key("https://files.nova.example/licenses/elden?id=8f14e45fceea167a5a36dedd4bea2543&sig=b0f5a2d97c1e"), key("https://nova.example/r/Q7M2K9FT4WZ")}
		}),
		with(nova, func(m *catalog.Merchant) { m.Color = "#727272" }), elden,
	},
	{
		"markdown", "A merchant's own text in Markdown.", everyView,
		with(bought(3, "en"), func(f *order.Fulfillment) { f.Keys[2] = key("QX7M2-K9FT4-WZB7X-Q99KD-LM2P7") }), branded, says("en", catalog.Text{Format: text.Markdown, Subject: "{PROGRAM_SHORT}: your keys", Body: "# Welcome, {FULLNAME}\n\n" +
			"It is **great** to have you *with us*. Your keys for {PROGRAM_NAME}:\n\n{KEY}\n\n## How to activate\n\n" +
			"1. Open the [download page]({URL_FULL}).\n2. Choose `Help → Activate`:\n   - on Windows, in the menu\n   - on a Mac, in the bar\n3. Enter a key.\n\n" +
			"> Keep your keys to yourself.\n\n```\nelden  --activate --order {ORDER_ID} --accept-the-terms-of-use --quietly\n```\n\n---\n\n" +
			"Questions? [Write to us](mailto:help@nova.example), or see https://nova.example/faq_keys_1?o={ORDER_ID}."}),
	},
	{
		"arabic", "A test order in Arabic, set from right to left.", everyView,
		with(bought(2, "ar"), func(f *order.Fulfillment) {
			f.Side, f.Keys[1] = pool.Test, key("1234 5678 9012")
			f.Customer = order.Customer{
				Name: "ليلى حداد", Email: "layla@example.com", Phone: "+20 2 1234 5678", Country: "EG", City: "القاهرة", Address: "١٢ شارع النيل",
			}
		}), branded, elden,
	},
	{
		"arabic-own", "A merchant's own text in Arabic.", twoViews,
		bought(1, "ar"), nova, says("ar", catalog.Text{Format: text.Markdown, Subject: "مفتاحك", Body: "## مفتاحك لـ {PROGRAM_SHORT}\n\nمفتاحك هو {KEY}، فاحفظه.\n\n" +
			"- **مهم**: لا تشاركه مع أحد.\n- افتح [صفحة المساعدة]({URL}).\n\n1. ثبّت البرنامج.\n2. أدخل المفتاح.\n\n> شكرًا لك!"}),
	},
	{
		"japanese", "Japanese.", everyView, with(bought(3, "ja"), func(f *order.Fulfillment) {
			f.UnitPrice, f.Currency = "2980", "JPY"
			f.Customer = order.Customer{Name: "山田 花子", Email: "hanako@example.com", Company: "株式会社ノヴァ", Country: "JP", City: "東京都港区", Zip: "105-0011", Address: "芝公園4丁目2-8"}
		}), branded, with(elden, func(p *catalog.Product) { p.Title = "エルデン プロ 4：コンプリートエディション" }),
	},
	{"waiting", "A customer who waits for a key.", twoViews, bought(0, "de"), with(nova, func(m *catalog.Merchant) { m.Color = "#0f766e" }), elden},
}

var notices = []struct {
	kind    notice.Kind
	facts   notice.Facts
	uploads []upload.Upload
}{
	{notice.LowStock, notice.Facts{Pool: "elden", Side: pool.Live, Available: 7, Threshold: 10}, nil},
	{notice.Empty, notice.Facts{Pool: "elden", Side: pool.Live, Waiting: 12, Missing: 515, HeadNeeds: 500, Orders: []string{"A-55"}, Started: noon}, nil},
	{notice.HeldForReview, notice.Facts{Side: pool.Live, Count: 2, Held: []notice.HeldLine{
		{Order: "A-61", OrderID: "b0LJ3r8kqf1N2b7c4dP5QY", Product: elden.Title, Quantity: 3, Why: []string{order.HoldReviewRisk.Says(), order.HoldBrake.Says()}},
		{Order: "A-62", OrderID: "c0LJ3r8kqf1N2b7c4dP5QY", Product: elden.Title, Quantity: 1200, Why: []string{order.HoldCap.Says()}},
	}}, nil},
	{notice.UploadReport, notice.Facts{Pool: "elden", Side: pool.Live, Uploads: []string{reported.ID}, Count: 1, File: reported.File, Started: noon}, []upload.Upload{reported}},
	{notice.ChangedAccount, notice.Facts{Count: 1, Changed: []notice.Changed{
		{Name: "shop-eu", Parts: []string{"credential api_key", "delivers_from"}, By: `the token "back office" (5d41402abc4b2a76)`, At: noon},
	}}, nil},
	{notice.SignIn, notice.Facts{
		Link: "https://keypool.example/portal/sign-in/9kq3m2vXo0LJ3r8kqf1N2b7c4dP5QmT6wYvU9sA8eRt", Code: "123 4567", Browser: "Firefox on Windows", Started: noon,
	}, nil},
}

var reported = upload.Upload{
	Merchant: "nova", ID: "20261123T115800-0123456789abcdef", Object: upload.Object{Name: "uploads/nova/elden/november.txt"},
	File: "november.txt", Pool: "elden", Side: pool.Live, State: upload.Finished, Lines: 2003,
	Counts: upload.Counts{upload.Accepted: 1998, upload.Sold: 1, upload.SameFile: 2, upload.TooLong: 1, upload.ControlCharacter: 1},
	Kept: []upload.RejectedLine{
		{Line: 17, Reason: upload.Sold, SoldAt: time.Date(2026, 5, 3, 10, 0, 0, 0, time.UTC)},
		{Line: 204, Reason: upload.TooLong},
		{Line: 205, Reason: upload.ControlCharacter},
		{Line: 1204, Reason: upload.SameFile},
		{Line: 1205, Reason: upload.SameFile},
	},
	ReceivedAt: noon, FinishedAt: noon,
}
