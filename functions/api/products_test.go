package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/resttest"
	"keypool/shared/catalog"
	"keypool/shared/web/bodies"
)

// Each mail greets the customer above the text: a text that does so too is stored, and
// the answer says so. The example of the document does not.
func TestPutProduct_warnsOfASecondGreeting(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	w.shop(token, "PUT", "/v1/pools/elden", Pool{Title: "Elden"}).Want(201)
	product := Product{Title: "Elden", Pool: "elden", Texts: map[string]Text{
		"en": {Body: "Hello {FNAME},\n\nhere is your key: {KEY}"}, "de": {Body: "Hier ist Ihr Schlüssel: {KEY}"}, "fr": {Body: "Bonjour !\n{KEY}"},
	}}
	want := []string{
		"texts.en.body greets the customer, as each mail does above it: leave its first line out",
		"texts.fr.body greets the customer, as each mail does above it: leave its first line out",
	}
	var put, read Product
	w.shop(token, "PUT", "/v1/products/4711", product).Want(201).Into(&put)
	w.shop(token, "GET", "/v1/products/4711", nil).Want(200).Into(&read)
	for _, got := range []Product{put, read} {
		if diff := cmp.Diff(want, got.Warnings); diff != "" {
			t.Errorf("warnings (-want +got):\n%s", diff)
		}
	}
	sample := bodies.SampleProduct.Settable()
	sample.PoolsByCurrency = nil
	var shown Product
	w.shop(token, "PUT", "/v1/products/4712", sample).Want(201).Into(&shown)
	if len(shown.Warnings) > 0 {
		t.Errorf("the example of the document: %q", shown.Warnings)
	}
}

// Tags in doubled braces, as other programs have them, are refused when they are set.
func TestPutProduct_refusesDoubledBraces(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	w.shop(token, "PUT", "/v1/pools/elden", Pool{Title: "Elden"}).Want(201)
	refused := w.shop(token, "PUT", "/v1/products/4711", Product{Title: "Mustache", Pool: "elden", Texts: map[string]Text{"en": {Body: "Code: {{KEY}}"}}}).Want(422)
	const says = `{{KEY}} has doubled braces, which would stay in the mail; write {KEY}.`
	if !strings.Contains(string(refused.Body), says) || !slices.Contains(refused.Locations(), "body.texts.en.body") {
		t.Errorf("got %s, want body.texts.en.body: %s", string(refused.Body), says)
	}
}

// Customers are told until which day keys are to be redeemed: a preview shows it. A day that
// has passed for the merchant is refused when it is set, and no trouble once it has passed.
func TestPutProduct_redeem(t *testing.T) {
	t.Parallel()
	w := open(t) // it is noon in London, and 23 November
	token := w.merchant("acme")
	put := func(status int, p Product) resttest.Response {
		t.Helper()
		p.Title = "Elden"
		if got := w.shop(token, "PUT", "/v1/products/4711", p, "if-none-match", "*"); got.StatusCode != 412 {
			return got.Want(status)
		}
		return w.shop(token, "PUT", "/v1/products/4711", p, "if-match", "*").Want(status)
	}
	for name, c := range map[string]struct {
		product Product
		at      string
	}{
		"both":           {Product{RedeemWithin: 30, RedeemBy: "2026-12-23"}, "body.redeem_by"},
		"no day":         {Product{RedeemBy: "2026-02-29"}, "body.redeem_by"},
		"another form":   {Product{RedeemBy: "23.12.2026"}, "body.redeem_by"},
		"yesterday":      {Product{RedeemBy: "2026-11-22"}, "body.redeem_by"},
		"too many days":  {Product{RedeemWithin: 3651}, "body.redeem_within_days"},
		"days before it": {Product{RedeemWithin: -1}, "body.redeem_within_days"},
	} {
		if got := put(422, c.product).Locations(); !slices.Contains(got, c.at) {
			t.Errorf("%s: refused at %q, want %s", name, got, c.at)
		}
	}

	told := func(day string) {
		t.Helper()
		var shown Mail
		w.shop(token, "POST", "/v1/preview", Preview{Product: "4711"}).Want(200).Into(&shown)
		if says := strings.Contains(shown.Text, "Please redeem the key by "+day+"."); says == (day == "") || day == "" && strings.Contains(shown.Text, "redeem") {
			t.Errorf("want the day %q in\n%s", day, shown.Text)
		}
	}
	read := func(within int, by string) {
		t.Helper()
		var p Product
		w.shop(token, "GET", "/v1/products/4711", nil).Want(200).Into(&p)
		if p.RedeemWithin != within || p.RedeemBy != by {
			t.Errorf("read %d and %q, want %d and %q", p.RedeemWithin, p.RedeemBy, within, by)
		}
	}
	put(201, Product{RedeemWithin: 30})
	read(30, "")
	told("23 December 2026")
	put(200, Product{RedeemBy: "2026-11-23"}) // today
	read(0, "2026-11-23")
	told("23 November 2026")

	w.advance(24 * time.Hour)
	told("")
	put(200, Product{RedeemBy: "2026-11-23", ShortTitle: "E"}) // it was set before
	put(422, Product{RedeemBy: "2026-11-22"})
	put(200, Product{})
	put(422, Product{RedeemBy: "2026-11-23"})
	read(0, "")
}

// Today is the merchant's.
func TestPutProduct_redeemByTheMerchantsClock(t *testing.T) {
	t.Parallel()
	w := open(t)
	token := w.merchant("acme")
	w.setMerchant(catalog.Merchant{Name: "acme", Title: "Acme", NoticeAddress: "acme@example.com", TimeZone: "Pacific/Kiritimati"}) // it is 2 o'clock on 24 November
	w.shop(token, "PUT", "/v1/products/4711", Product{Title: "Elden", RedeemBy: "2026-11-23"}).Want(422)
	w.shop(token, "PUT", "/v1/products/4711", Product{Title: "Elden", RedeemBy: "2026-11-24"}).Want(201)
}
