//go:build deployment

package e2e

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"keypool/infra/apiclient"
	"keypool/infra/local/shop"
)

// A shop sells in two currencies and three languages, one product a key for each unit, the
// other one key for the line: each key comes from the pool of the order's currency, and each
// mail speaks the customer's language, in the shop's own words and around them.
func TestOrders_currenciesAndLanguages(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	greetings := map[string]string{"en": "Hello", "de": "Guten Tag", "ja": "様"}
	m.is(map[string]any{"title": "Shop of three languages", "notice_address": m.notices, "languages": []string{"en", "de", "ja"}})

	keys := map[string][]string{"EUR": nil, "USD": nil}
	pools := map[string]string{"EUR": m.pool, "USD": m.pool + "-usd"}
	if err := world.shop.AddPool(t.Context(), m.token, pools["USD"], new(int)); err != nil {
		t.Fatal(err)
	}
	for currency, pool := range pools {
		keys[currency] = newKeys(9)
		m.loaded(m.dropInto(pool+"/", strings.Join(keys[currency], "\n")))
	}
	texts := func(kind string) *map[string]apiclient.Text {
		by := map[string]apiclient.Text{}
		for language := range greetings {
			by[language] = apiclient.Text{Body: kind + " in " + language + ":\n\n{KEY}"}
		}
		return &by
	}
	c, title := m.client(), "A game"
	for kind, rule := range map[string]apiclient.KeyRule{
		"unit": {Mode: apiclient.KeyRuleModePerUnit, Count: new(int64(1))},
		"line": {Mode: apiclient.KeyRuleModePerLine, Count: new(int64(1))},
	} {
		answer, err := c.PutProductWithResponse(t.Context(), m.product+"-"+kind, nil, apiclient.Product{
			Title: &title, PoolsByCurrency: &pools, Keys: &rule, Texts: texts(kind),
		})
		if err != nil || answer.StatusCode() >= 300 {
			t.Fatalf("%v, %d %s", err, answer.StatusCode(), answer.Body)
		}
	}

	sold := map[string]bool{}
	for currency := range pools {
		for language, greeting := range greetings {
			o := m.order(1)
			o.Currency, o.Language = currency, language
			o.Lines = []shop.Line{{ID: "1", Product: m.product + "-unit", Quantity: 2}, {ID: "2", Product: m.product + "-line", Quantity: 3}}
			if _, _, err := world.shop.Pay(t.Context(), m.Account, o); err != nil {
				t.Fatal(err)
			}
			for kind, want := range map[string]int{"unit": 2, "line": 1} {
				mail := m.mailTo(o.Email, kind+" in "+language)
				if !strings.Contains(mail.Text, greeting) {
					t.Errorf("%s: the mail of a %s does not say %q", language, kind, greeting)
				}
				got := keysIn(mail)
				if len(got) != want {
					t.Errorf("%s, %s: a line by the %s has %d keys", currency, language, kind, len(got))
				}
				for _, key := range got {
					if sold[key] || !slices.Contains(keys[currency], key) {
						t.Errorf("%s, %s: a key was sold before, or is of another currency's pool", currency, language)
					}
					sold[key] = true
				}
			}
			if mails := m.mails(o.Email); len(mails) != 2 {
				t.Errorf("%s, %s: %d mails for two products", currency, language, len(mails))
			}
		}
	}
	for currency, pool := range pools {
		if live, _, err := world.shop.Stock(t.Context(), m.token, pool); err != nil || live != (shop.Stock{Claimed: 9}) {
			t.Errorf("the pool of %s: %+v, %v", currency, live, err)
		}
	}
}

// A product that the shop made for one customer takes pool, text and links from the product
// that it was made from, whether it is set up with its original or only the order names it.
func TestOrders_dynamicProduct(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	m.stock(2)
	c, title, page := m.client(), "The original", "https://shop.example/how-to"
	any := "*"
	changed, err := c.PutProductWithResponse(t.Context(), m.product, &apiclient.PutProductParams{IfMatch: &any}, apiclient.Product{
		Title: &title, Pool: &m.pool, Instructions: &page,
		Texts: &map[string]apiclient.Text{"en": {Body: "In the original's words, see {URL}:\n\n{KEY}"}},
	})
	if err != nil || changed.StatusCode() >= 300 {
		t.Fatalf("%v, %d %s", err, changed.StatusCode(), changed.Body)
	}
	own := "An offer for Ada"
	made, err := c.PutProductWithResponse(t.Context(), m.product+"-ada", nil, apiclient.Product{Title: &own, Original: &m.product})
	if err != nil || made.StatusCode() >= 300 {
		t.Fatalf("%v, %d %s", err, made.StatusCode(), made.Body)
	}
	for name, line := range map[string]shop.Line{
		"set up with its original": {ID: "1", Product: m.product + "-ada", Quantity: 1},
		"named by the order":       {ID: "1", Product: m.product + "-bob", Original: m.product, Title: own, Quantity: 1},
	} {
		o := m.order(1)
		o.Lines = []shop.Line{line}
		m.pay(o, "fulfilled", 1)
		mail := m.mailTo(o.Email, "In the original's words", page)
		if len(keysIn(mail)) != 1 || len(m.mails(o.Email)) != 1 {
			t.Errorf("%s: %d keys in %d mails", name, len(keysIn(mail)), len(m.mails(o.Email)))
		}
		if l := m.line(o); l.Product != line.Product {
			t.Errorf("%s: the line is of %s", name, l.Product)
		}
	}
}

// A key that does not work is replaced by another, which is mailed; the old one is sold to
// nobody. While the pool has none, nothing is changed, and the same call later replaces it.
func TestOrders_badKeyIsReplaced(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	bad := m.stock(1)
	o := m.order(1)
	m.pay(o, "fulfilled", 1)
	if got := m.keysOf(o); !slices.Equal(got, bad) {
		t.Fatalf("the first mail has %d keys", len(got))
	}
	replace := func(status int) {
		t.Helper()
		answer, err := m.client().ReplaceKeyWithResponse(t.Context(), o.ID, nil, apiclient.ReplaceAct{Line: "1", KeyId: m.line(o).KeyIDs[0]})
		if err != nil || answer.StatusCode() != status {
			t.Fatalf("%v, %d %s, want %d", err, answer.StatusCode(), answer.Body, status)
		}
	}
	replace(http.StatusConflict)
	if l := m.line(o); l.State != "fulfilled" || l.Allocated != 1 {
		t.Errorf("the line, where the pool has no key: %+v", l)
	}
	good := m.stock(1)
	replace(http.StatusOK)
	if got := keysIn(m.mailTo(o.Email, good[0])); !slices.Equal(got, good) {
		t.Errorf("the new mail has %d keys", len(got))
	}
	if n := len(m.mails(o.Email)); n != 2 {
		t.Errorf("%d mails for a key and the one that replaced it", n)
	}
	if live, _ := m.left(); live != (shop.Stock{Claimed: 1, Revoked: 1}) {
		t.Errorf("the pool: %+v", live)
	}
	var keys struct {
		Items []struct{ State string }
	}
	err := world.shop.Ask(t.Context(), m.token, http.MethodPost, "/v1/keys/find", map[string]any{"keys": slices.Concat(bad, good)}, &keys)
	if err != nil || len(keys.Items) != 2 || keys.Items[0].State != "revoked" || keys.Items[1].State != "claimed" {
		t.Errorf("the keys: %+v, %v", keys.Items, err)
	}
}

// A customer has mistyped the address, and the mail comes back. Its merchant corrects it: the
// keys go there, once, and nothing goes to the address that mail came back from.
func TestOrders_bouncedAddressIsCorrected(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	keys := m.stock(1)
	o := m.order(1)
	mistyped, right := "bounce+"+newAddress()[:10]+"@simulator.amazonses.com", newAddress()
	o.Email = mistyped
	m.pay(o, "fulfilled", 1)
	m.await("the mail coming back", func(context.Context) bool { return m.line(o).Delivery.State == "bounced" })
	why := "the customer told us the right one"
	answer, err := m.client().ResendOrderWithResponse(t.Context(), o.ID, nil, apiclient.ResendAct{Email: &right, Reason: &why})
	if err != nil || answer.StatusCode() != http.StatusOK {
		t.Fatalf("%v, %d %s", err, answer.StatusCode(), answer.Body)
	}
	if got := keysIn(m.mailTo(right, world.mark)); !slices.Equal(got, keys) {
		t.Errorf("the mail to the corrected address has %d keys", len(got))
	}
	notice := m.notice(o.ID, "was corrected", "came back from there")
	if strings.Contains(notice.Text, right) || strings.Contains(notice.Text, mistyped) {
		t.Error("the notice names an address")
	}
	m.pay(o, "fulfilled", 1) // its platform still tells the mistyped one
	if n, before := len(m.mails(right)), len(m.mails(mistyped)); n != 1 || before != 1 {
		t.Errorf("%d mails to the corrected address, %d to the former one", n, before)
	}
	if lines, err := world.shop.OrderLines(t.Context(), m.token, o.ID); err != nil || len(lines) != 1 || lines[0].Allocated != 1 {
		t.Errorf("the order afterwards: %+v, %v", lines, err)
	}
}

// A customer asks to be forgotten: nothing of them is left in the order, they are found no
// more, and their platform's repeat of the order brings nothing back. The key stays sold.
func TestOrders_erasedCustomer(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	m.stock(2)
	o := m.order(1)
	m.pay(o, "fulfilled", 1)
	m.mailTo(o.Email)
	m.await("the mail being marked as sent", func(context.Context) bool { return m.line(o).Delivery.State == "delivered" })
	read := func() (order, found string) {
		t.Helper()
		one, err := m.client().GetOrderWithResponse(t.Context(), o.ID, nil)
		if err != nil || one.StatusCode() != http.StatusOK {
			t.Fatalf("%v, %d %s", err, one.StatusCode(), one.Body)
		}
		all, err := m.client().ListOrdersWithResponse(t.Context(), &apiclient.ListOrdersParams{Email: &o.Email})
		if err != nil || all.StatusCode() != http.StatusOK {
			t.Fatalf("%v, %d %s", err, all.StatusCode(), all.Body)
		}
		return string(one.Body), string(all.Body)
	}
	if order, found := read(); !strings.Contains(order, o.Email) || !strings.Contains(order, o.Name) || !strings.Contains(found, o.ID) {
		t.Fatal("the customer is not known to begin with")
	}

	if err := world.shop.Ask(t.Context(), m.token, http.MethodPost, "/v1/customers/erase", map[string]any{"email": o.Email}, nil); err != nil {
		t.Fatal(err)
	}
	m.await("the customer being erased", func(context.Context) bool {
		order, _ := read()
		return !strings.Contains(order, o.Email)
	})
	m.pay(o, "fulfilled", 1)
	order, found := read()
	if strings.Contains(order, o.Email) || strings.Contains(order, o.Name) {
		t.Error("the order names its customer still")
	}
	if strings.Contains(found, o.ID) {
		t.Error("the customer's address finds the order still")
	}
	if n := len(m.mails(o.Email)); n != 1 {
		t.Errorf("the customer got %d mails", n)
	}
	if live, _ := m.left(); live != (shop.Stock{Available: 1, Claimed: 1}) {
		t.Errorf("the pool: %+v", live)
	}
}

// A product gives one code to everybody: it is not used up, test orders never get it, and once
// it is blocked orders wait for another.
func TestOrders_codeForEverybody(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	m.stock(1)
	c, title, any := m.client(), "A voucher", "*"
	changed, err := c.PutProductWithResponse(t.Context(), m.product, &apiclient.PutProductParams{IfMatch: &any}, apiclient.Product{
		Title: &title, Keys: &apiclient.KeyRule{Mode: apiclient.KeyRuleModeShared},
	})
	if err != nil || changed.StatusCode() != http.StatusOK {
		t.Fatalf("%v, %d %s", err, changed.StatusCode(), changed.Body)
	}
	codes := newKeys(2)
	set := func(code string) {
		t.Helper()
		answer, err := c.PutCodeWithResponse(t.Context(), m.product, &apiclient.PutCodeParams{IfMatch: &any}, apiclient.Codes{Code: &code})
		if err != nil || answer.StatusCode() != http.StatusOK {
			t.Fatalf("%v, %d %s", err, answer.StatusCode(), answer.Body)
		}
	}
	has := func(o shop.Order, code string) {
		t.Helper()
		if got := m.keysOf(o); !slices.Equal(got, []string{code}) || len(m.mails(o.Email)) != 1 {
			t.Errorf("order %s: %d keys in the first of %d mails", o.ID, len(got), len(m.mails(o.Email)))
		}
	}

	early := m.order(1)
	m.pay(early, "unconnected", 0)
	set(codes[0])
	has(early, codes[0])
	for _, quantity := range []int{1, 3} {
		o := m.order(quantity)
		m.pay(o, "fulfilled", 1)
		has(o, codes[0])
	}
	test := m.order(1)
	test.Test = true
	m.pay(test, "unconnected", 0)

	if u := m.loaded(m.drop(codes[0])); u.Accepted != 0 {
		t.Errorf("a file with the code: %+v", u)
	}
	blocked, err := c.BlockKeysWithResponse(t.Context(), apiclient.BlockKeys{Keys: codes[:1]})
	if err != nil || blocked.StatusCode() != http.StatusOK {
		t.Fatalf("%v, %d %s", err, blocked.StatusCode(), blocked.Body)
	}
	late := m.order(1)
	m.pay(late, "unconnected", 0)
	set(codes[1])
	has(late, codes[1])
	if live, _ := m.left(); live != (shop.Stock{Available: 1}) {
		t.Errorf("the pool, of which nothing was sold: %+v", live)
	}
	if mails := m.mails(test.Email, world.mark); len(mails) > 0 {
		t.Errorf("%d mails with keys for the test order", len(mails))
	}
}
