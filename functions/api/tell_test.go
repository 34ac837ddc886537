package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/notice"
	"keypool/shared/settings"
)

// notices returns the notices of a kind, the first of an hour before the rest.
func (w *world) notices(kind notice.Kind) []notice.Notice {
	w.Helper()
	var found []notice.Notice
	all := w.items()
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range all {
			if !yield(name) {
				return
			}
		}
	}) {
		id, ok := strings.CutPrefix(name, "orders notice#")
		if !ok || !strings.Contains(id, "#"+string(kind)+"#") {
			continue
		}
		n, ok, err := w.store.Notice(w.Context(), strings.TrimSuffix(id, " notice"))
		if !ok || err != nil {
			w.Fatalf("notice %s: %v, %v", id, ok, err)
		}
		found = append(found, n)
	}
	return found
}

// changed returns what the only notice of a kind tells.
func (w *world) changed(kind notice.Kind) notice.Facts {
	w.Helper()
	all := w.notices(kind)
	if len(all) != 1 || all[0].Merchant != "acme" || all[0].Mail.State != "due" {
		w.Fatalf("notices %+v, want one", all)
	}
	return all[0].Facts
}

// Whoever sets a secret of their own can have keys sent: the merchant is told of it, of
// who did it, and of the secrets that ended.
func TestNewSecret_isTold(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	by := fmt.Sprintf("the token %q (%s)", "test", access.Token{Hash: access.HashToken(bearer)}.ID())
	w.shop(bearer, "PUT", "/v1/accounts/shop-eu", Account{}).Want(201)
	told := notice.Changed{Name: "shop-eu", By: by, At: noon}
	if diff := gocmp.Diff(notice.Facts{Count: 1, Changed: []notice.Changed{told}}, w.changed(notice.NewSecret)); diff != "" {
		t.Error(diff)
	}

	w.advance(2 * time.Hour)
	later := noon.Add(2 * time.Hour)
	w.shop(bearer, "PUT", "/v1/accounts/shop-eu", Account{KeepPreviousHours: new(48)}, "if-match", "*").Want(200)
	w.shop(bearer, "PUT", "/v1/accounts/shop-eu", Account{KeepPreviousHours: new(0)}, "if-match", "*").Want(200)
	all := w.notices(notice.NewSecret)
	if len(all) != 2 {
		t.Fatalf("%d notices, want one for each hour", len(all))
	}
	want := notice.Facts{Count: 2, Changed: []notice.Changed{
		{Name: "shop-eu", By: by, At: later, Until: later.Add(48 * time.Hour)},
		{Name: "shop-eu", By: by, At: later, Ended: 2},
	}}
	if diff := gocmp.Diff(want, all[1].Facts); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(fmt.Sprint(w.notices(notice.NewSecret)), "whsec_") {
		t.Error("a notice holds a secret")
	}
}

// A new token is told at once, and a week before it expires.
func TestNewToken_isTold(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.setMerchant(catalog.Merchant{Name: "acme", Title: "Acme", NoticeAddress: "acme@example.com"})
	bearer := w.token("acme", access.Upload, access.OrdersRead)
	id, expires := access.Token{Hash: access.HashToken(bearer)}.ID(), noon.AddDate(0, 0, 90)
	if diff := gocmp.Diff(notice.Facts{Count: 1, Changed: []notice.Changed{
		{Name: "test", ID: id, Parts: []string{"upload", "orders:read"}, Until: expires, By: "the operator", At: noon},
	}}, w.changed(notice.NewToken)); diff != "" {
		t.Error(diff)
	}
	if diff := gocmp.Diff(notice.Facts{Changed: []notice.Changed{{Name: "test", ID: id, Until: expires}}}, w.changed(notice.ExpiringToken)); diff != "" {
		t.Error(diff)
	}
	if n := w.notices(notice.ExpiringToken)[0]; !n.Mail.TryAt.Equal(noon.AddDate(0, 0, 83)) {
		t.Errorf("it is mailed at %s", n.Mail.TryAt)
	}
	for _, notices := range [][]notice.Notice{w.notices(notice.NewToken), w.notices(notice.ExpiringToken)} {
		if strings.Contains(fmt.Sprint(notices), access.TokenPrefix) {
			t.Error("a notice holds a token")
		}
	}

	tokens := settings.Tokens{Store: w.store, Now: w.now}
	for _, short := range []settings.NewToken{{Days: 13}, {Forever: true}} {
		short.Merchant, short.Name, short.Scopes = "acme", "short", []string{"upload"}
		if _, _, err := tokens.Create(t.Context(), short); err != nil {
			t.Fatal(err)
		}
	}
	w.changed(notice.ExpiringToken)
}

// What a customer reads is told, and nothing else of a product.
func TestChangedText_isTold(t *testing.T) {
	t.Parallel()
	text := func(body string) Text { return Text{Subject: "Your key", Body: body + " {KEY}"} }
	plain := Product{Title: "Elden"}
	for name, c := range map[string]struct {
		before, after Product
		parts         []string
	}{
		"a new product without texts": {Product{}, plain, nil},
		"a pool":                      {plain, Product{Title: "Elden", Pool: "elden"}, nil},
		"how many keys":               {plain, Product{Title: "Elden", Keys: &KeyRule{Mode: "per_unit", Count: 2}}, nil},
		"a new product with a text":   {Product{}, Product{Title: "Elden", Texts: map[string]Text{"en": text("A")}}, []string{"text en"}},
		"a first text":                {plain, Product{Title: "Elden", Texts: map[string]Text{"en": text("A")}}, []string{"text en"}},
		"a text taken away":           {Product{Title: "Elden", Texts: map[string]Text{"en": text("A")}}, plain, []string{"text en"}},
		"one of two texts": {
			Product{Title: "Elden", Texts: map[string]Text{"de": text("A"), "en": text("A")}},
			Product{Title: "Elden", Texts: map[string]Text{"de": text("B"), "en": text("A")}},
			[]string{"text de"},
		},
		"links":           {plain, Product{Title: "Elden", Download: "https://a.example/", Instructions: "https://b.example/"}, []string{"instructions", "download"}},
		"the title":       {plain, Product{Title: "Ring"}, []string{"title"}},
		"the short title": {plain, Product{Title: "Elden", ShortTitle: "E"}, []string{"title"}},
		"days to redeem":  {plain, Product{Title: "Elden", RedeemWithin: 30}, []string{"redeem"}},
		"another day": {
			Product{Title: "Elden", RedeemBy: "2026-12-23"}, Product{Title: "Elden", RedeemBy: "2026-12-24"}, []string{"redeem"},
		},
		"another original": {plain, Product{Title: "Elden", Original: "first"}, []string{"original"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			bearer := w.merchant("acme")
			w.shop(bearer, "PUT", "/v1/pools/elden", Pool{}).Want(201)
			w.shop(bearer, "PUT", "/v1/products/first", Product{Title: "First"}).Want(201)
			if c.before.Title != "" {
				w.shop(bearer, "PUT", "/v1/products/4711", c.before).Want(201)
			}
			w.advance(2 * time.Hour) // what was told before is another notice
			before := len(w.notices(notice.ChangedText))
			if got := w.shop(bearer, "PUT", "/v1/products/4711", c.after, "if-match", "*"); got.StatusCode == 412 {
				w.shop(bearer, "PUT", "/v1/products/4711", c.after).Want(201)
			}
			w.shop(bearer, "PUT", "/v1/products/4711", c.after) // the same again changes nothing
			all := w.notices(notice.ChangedText)[before:]
			if c.parts == nil {
				if len(all) > 0 {
					t.Errorf("told: %+v", all[0].Facts)
				}
				return
			}
			want := []notice.Changed{{Name: "4711", Parts: c.parts, At: w.now()}}
			if len(all) != 1 || all[0].Facts.Count != 1 || !gocmp.Equal(want, all[0].Facts.Changed, cmpopts.IgnoreFields(notice.Changed{}, "By")) {
				t.Errorf("told %+v, want %+v", all, want)
			}
		})
	}
}

// With a product its texts and links go, and lines that it sold before are mailed without.
func TestChangedText_ofADeletedProductIsTold(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	w.shop(bearer, "PUT", "/v1/products/plain", Product{Title: "Plain"}).Want(201)
	w.shop(bearer, "DELETE", "/v1/products/plain", nil, "if-match", "*").Want(204)
	if told := w.notices(notice.ChangedText); len(told) > 0 {
		t.Errorf("told of a product without texts: %+v", told)
	}
	w.shop(bearer, "PUT", "/v1/products/4711", Product{Title: "Elden", Download: "https://a.example/"}).Want(201)
	w.advance(2 * time.Hour)
	w.shop(bearer, "DELETE", "/v1/products/4711", nil, "if-match", "*").Want(204)
	all := w.notices(notice.ChangedText)
	want := []notice.Changed{{Name: "4711", Parts: []string{"download"}, At: w.now()}}
	if len(all) != 2 || !gocmp.Equal(want, all[1].Facts.Changed, cmpopts.IgnoreFields(notice.Changed{}, "By")) {
		t.Errorf("told %+v", all)
	}
}

// A bulk edit is two mails: the first product at once, all others when the hour ends.
func TestChangedText_bulkEditIsTwoMails(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	edit := func(n int) {
		product := Product{Title: "Elden", Download: "https://a.example/"}
		w.shop(bearer, "PUT", fmt.Sprintf("/v1/products/%d", n), product).Want(201)
	}
	edit(0)
	first := w.notices(notice.ChangedText)
	if len(first) != 1 || !first[0].Mail.TryAt.IsZero() {
		t.Fatalf("the first is not told at once: %+v", first)
	}
	if _, _, ok, err := w.store.NoticeMails().Lease(t.Context(), first[0].ID, noon); !ok || err != nil { // its mail goes out
		t.Fatal(ok, err)
	}
	for n := 1; n <= 130; n++ {
		edit(n)
	}
	all := w.notices(notice.ChangedText)
	if len(all) != 2 {
		t.Fatalf("131 edits are %d mails, want 2", len(all))
	}
	rest := all[1]
	if rest.Facts.Count != 130 || len(rest.Facts.Changed) != notice.KeptChanged || !rest.Mail.TryAt.Equal(noon.Add(time.Hour)) {
		t.Errorf("it counts %d, names %d, and is mailed at %s", rest.Facts.Count, len(rest.Facts.Changed), rest.Mail.TryAt)
	}
}

// Whoever reads a pool's warnings knows how well it sells: who is added, or taken out, is told.
func TestChangedWarnings_isTold(t *testing.T) {
	t.Parallel()
	w := open(t)
	bearer := w.merchant("acme")
	by := fmt.Sprintf("the token %q (%s)", "test", access.Token{Hash: access.HashToken(bearer)}.ID())
	w.shop(bearer, "PUT", "/v1/pools/plain", Pool{}).Want(201)
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{NoticeAddresses: []string{"stock@acme.example", "ada@acme.example"}}).Want(201)
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{NoticeAddresses: []string{"stock@acme.example", "ada@acme.example"}}).Want(200)
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{NoticeAddresses: []string{"ada@acme.example"}}).Want(428)
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{NoticeAddresses: []string{"ada@acme.example"}}, "if-match", "*").Want(200)
	w.shop(bearer, "PUT", "/v1/pools/elden", Pool{NoticeAddresses: []string{"ada"}}, "if-match", "*").Want(422)
	var stored Pool
	w.shop(bearer, "GET", "/v1/pools/elden", nil).Want(200).Into(&stored)
	if diff := gocmp.Diff([]string{"ada@acme.example"}, stored.NoticeAddresses); diff != "" {
		t.Error(diff)
	}
	var told []notice.Changed
	for _, n := range w.notices(notice.ChangedWarnings) {
		told = append(told, n.Facts.Changed...)
	}
	if diff := gocmp.Diff([]notice.Changed{
		{Name: "elden", Parts: []string{"added stock@acme.example", "added ada@acme.example"}, By: by, At: noon},
		{Name: "elden", Parts: []string{"removed stock@acme.example"}, By: by, At: noon},
	}, told); diff != "" {
		t.Error(diff)
	}
}

// The notice address is changed by the operator, and told to the former address too.
func TestChangedAddress_isToldToBoth(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.merchant("acme")
	w.setMerchant(catalog.Merchant{Name: "acme", Title: "Acme", NoticeAddress: "acme@example.com"}) // the title alone
	if all := w.notices(notice.ChangedAddress); len(all) > 0 {
		t.Fatalf("told: %+v", all)
	}
	w.setMerchant(catalog.Merchant{Name: "acme", Title: "Acme", NoticeAddress: "new@example.com"})
	got := map[string]notice.Facts{}
	for _, n := range w.notices(notice.ChangedAddress) {
		got[n.To] = n.Facts
	}
	told := []notice.Changed{{Name: "acme", By: "the operator", At: noon}}
	if diff := gocmp.Diff(map[string]notice.Facts{
		"acme@example.com": {Address: "new@example.com", Changed: told},
		"new@example.com":  {Changed: told},
	}, got); diff != "" {
		t.Error(diff)
	}
}
