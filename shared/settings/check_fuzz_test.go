package settings_test

import (
	"context"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/delivery"
	"keypool/shared/dynamo"
	"keypool/shared/mail"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/review"
	"keypool/shared/settings"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// FuzzSettings holds that settings which pass the checks are stored and read back as
// they are, and that customers and merchant can be mailed with them.
func FuzzSettings(f *testing.F) {
	f.Add("acme", "Acme Games", "stock@acme.example", "Acme – Spiele", "help@acme.example", "https://acme.example/logo.png", "en pt-BR", "Europe/Berlin",
		"elden", 10, 24, 4, "4711", "Elden: The Long Night", "EUR", "Your key", "Hello {FULLNAME}\n\n{KEY}", "https://acme.example/help?a=1", "per_unit", 1)
	f.Add("a", "<b>", "o'neill+x@b", "\"; x=\"", "a@[::1]", "https://x", "zh-Hant x-a i-klingon", "UTC",
		"a-", 0, 0, 1, "gid://shop/Product/1", "Elden\u202e", "XTS", "{ORDER_ID}", "{KEY}{URL}", "HTTPS://[::1%25x]/", "per_line", 1000)
	f.Add(strings.Repeat("a", 63), strings.Repeat("ä", 200), "a@"+strings.Repeat("b", 60)+".example", strings.Repeat("\U0001F511", 200), "", "", "", "",
		strings.Repeat("0", 63), 10_000, 8760, 64, strings.Repeat("\U0001F511", 128), "x", "", "", "{KEY}"+strings.Repeat("x", 19_000), "", "per_unit", 1)
	f.Fuzz(func(t *testing.T, name, title, notices, sender, replyTo, logo, languages, zone string,
		poolName string, lowStock, hours, shards int, id, product, currency, subject, body, link, mode string, count int,
	) {
		m := catalog.Merchant{
			Name: name, Title: title, NoticeAddress: notices, SenderName: sender, ReplyTo: replyTo, Logo: logo,
			Languages: strings.Fields(languages), TimeZone: zone,
		}
		poolSettings := catalog.Pool{Merchant: name, Name: poolName, Title: sender, LowStock: lowStock, Reminder: time.Duration(hours) * time.Hour, Shards: shards}
		sold := catalog.Product{
			Merchant: name, ID: id, Title: product, ShortTitle: title, Pool: poolName, Keys: catalog.KeyRule{Mode: catalog.Mode(mode), Count: count},
			Texts: map[string]catalog.Text{"en": {Subject: subject, Body: body}}, Instructions: link, Download: logo,
		}
		if currency != "" {
			sold.PoolsByCurrency = map[string]string{currency: poolName}
		}
		for _, language := range m.Languages {
			sold.Texts[language] = sold.Texts["en"]
		}
		problems := append(append(settings.CheckMerchant(m), settings.CheckPool(poolSettings)...), settings.CheckProduct(sold)...)
		for _, p := range problems {
			if p.Path == "" || p.Message == "" || !utf8.ValidString(p.Message) || len(p.Message) > 1000 || strings.ContainsAny(p.Message, "\r\n") {
				t.Errorf("a problem that cannot be read: %+q", p)
			}
		}
		if len(problems) > 0 {
			return
		}
		store, _ := dynamotest.Open(t)
		readsBack(t, store, m, poolSettings, sold)
		mails(t, store, m, sold)
	})
}

func readsBack(t *testing.T, store *dynamo.Store, m catalog.Merchant, poolSettings catalog.Pool, sold catalog.Product) {
	t.Helper()
	ctx := t.Context()
	for _, err := range []error{store.PutMerchant(ctx, m), store.PutPool(ctx, poolSettings), store.PutProduct(ctx, sold)} {
		if err != nil {
			t.Fatalf("settings that pass the checks are not stored: %v", err)
		}
	}
	gotMerchant, _, err := store.Merchant(ctx, m.Name)
	if err != nil {
		t.Fatal(err)
	}
	gotPool, _, err := store.Pool(ctx, m.Name, poolSettings.Name)
	if err != nil {
		t.Fatal(err)
	}
	gotProduct, _, err := store.Product(ctx, m.Name, sold.ID)
	if err != nil {
		t.Fatal(err)
	}
	made := cmp.Options{
		cmpopts.IgnoreFields(catalog.Merchant{}, "Version", "Salt", "LinkKey"), cmpopts.IgnoreFields(catalog.Pool{}, "Version"),
		cmpopts.IgnoreFields(catalog.Product{}, "Version"), cmpopts.EquateEmpty(),
	}
	if diff := cmp.Diff([]any{m, poolSettings, sold}, []any{gotMerchant, gotPool, gotProduct}, made); diff != "" {
		t.Errorf("settings read back otherwise (-stored +read):\n%s", diff)
	}
}

// mails sends a customer's keys and a merchant's notice, and checks them as SES does.
func mails(t *testing.T, store *dynamo.Store, m catalog.Merchant, sold catalog.Product) {
	t.Helper()
	ses := &fakeSES{}
	clock := func() time.Time { return noon }
	mailer := &delivery.Mailer{
		Lines: store.LineMails(), Notices: store.NoticeMails(), Orders: store, History: store, Settings: catalog.NewCached(store, clock), Texts: catalog.NewCachedTexts(store, clock), Uploads: store, Counts: store,
		Held: store, Sales: &review.Sales{Store: store, Brakes: store, Notices: store, Now: clock}, PublicURL: "https://api.keypool.example",
		MailSender: ses, Sender: netmail.Address{Address: "keys@keypool.example"}, Operator: "operator@keypool.example", Now: clock,
	}
	line := order.Fulfillment{
		ID: order.Identity{Merchant: m.Name, Side: pool.Live, Origin: "standard", Order: "10001", Line: "1"}.ID(), Version: 1, Merchant: m.Name, Side: pool.Live, Account: "standard", Origin: "standard",
		Order: "10001", Line: "1", Product: sold.ID, Pool: sold.Pool, Quantity: 1, Wanted: 1, Allocated: 1, ReceivedAt: noon,
		Keys:     []pool.Key{{ID: "1", Text: pool.Conceal("KEY-7f3a")}},
		Customer: order.Customer{Name: "Ada", Email: "ada@example.com"},
		Mail:     outbox.Entry{}.Next(outbox.Keys, noon),
	}
	low := notice.New(m.Name, notice.LowStock, "alert", notice.Facts{Pool: sold.Pool, Side: pool.Live, Available: 1, Threshold: 10}, noon)
	for _, err := range []error{store.Commit(t.Context(), order.Change{After: line}), store.RaiseNotice(t.Context(), low)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range mailer.Mail(t.Context(), []outbox.Item{outbox.LineItem(string(line.ID)), outbox.NoticeItem(low.ID)}) {
		if err != nil {
			t.Errorf("not mailed: %v", err)
		}
	}
	if len(ses.mails) != 2 {
		t.Fatalf("%d mails, want one to the customer and one to the merchant", len(ses.mails))
	}
	for _, made := range ses.mails {
		if strings.ContainsAny(made.Subject, "\r\n") || made.Subject == "" || !utf8.ValidString(made.Subject+made.Text+made.HTML) {
			t.Errorf("the mail with subject %q cannot be sent", made.Subject)
		}
		addresses := []string{made.From.String(), made.To.String()}
		if made.ReplyTo != "" {
			addresses = append(addresses, made.ReplyTo)
		}
		for _, address := range addresses {
			if _, err := netmail.ParseAddress(address); err != nil || len(address) > 320 || strings.ContainsAny(address, "\r\n") {
				t.Errorf("%q is no address for SES: %v", address, err)
			}
		}
		if toCustomer := made.To.Address == "ada@example.com"; toCustomer && !strings.Contains(made.Text, "KEY-7f3a") || !toCustomer && made.To.Address != m.NoticeAddress {
			t.Errorf("a mail to %s without what it is for", made.To.Address)
		}
	}
}

// fakeSES keeps the mails that are sent.
type fakeSES struct {
	mu    sync.Mutex
	mails []mail.Message
}

func (f *fakeSES) Send(_ context.Context, m mail.Message) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mails = append(f.mails, m)
	return "ses-1", nil
}
