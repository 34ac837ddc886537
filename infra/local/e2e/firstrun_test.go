//go:build deployment

package e2e

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	chromium "keypool/infra/browser"
	"keypool/infra/local/shop"
	"keypool/infra/proof/canary"
)

// A new owner comes from the first mail to a delivered test mail by what the pages offer alone:
// the steps of Home, one after the other. A picture of each step is kept in .local/browser.
func TestPortal_firstRun(t *testing.T) {
	t.Parallel()
	name := "m" + strings.ToLower(rand.Text()[:8])
	if err := world.shop.AddMerchant(t.Context(), shop.Setup{Merchant: name, Title: "Shop " + name, Notices: world.canaries.New(canary.Merchant) + "@notices.example"}); err != nil {
		t.Fatal(err)
	}
	m := &merchant{t: t, product: name + "-product", Account: shop.Account{Merchant: name}}
	b := m.portal()
	home := func(count string) {
		t.Helper()
		b.Press("Home")
		b.Has(count)
	}
	b.Has("0 of 6")

	b.Press("Make it")
	b.Type("Title", "Elden: The Long Night")
	b.Type("Name", "elden")
	b.Press("Make the pool")
	home("1 of 6")

	add := func(keys []string) {
		t.Helper()
		b.Paste("Keys, one to a line", strings.Join(keys, "\n")+"\n")
		b.Press("Add these keys")
		b.Has(fmt.Sprintf("%d keys added", len(keys)))
	}
	b.Press("Add keys")
	add(newKeys(3))
	b.Press("Pools")
	b.Press("elden")
	b.Press("Add test keys")
	test := newKeys(2)
	add(test)
	home("2 of 6")

	b.Press("Set it up")
	b.Type("Product id", m.product)
	b.Type("Title", "Elden: The Long Night")
	b.Choose("Keys come from", "elden")
	b.Press("Add the product")
	home("3 of 6")

	b.Press("Connect one")
	b.Press("Connect Your own shop")
	b.Type("Name of the account", shop.AccountName)
	b.Press("Go on")
	b.Has("This is the only time that it is shown")
	m.Secret = chromium.Value[string](b, `document.body.innerText.match(/whsec_[A-Za-z0-9+\/=]+/)[0]`)
	keepSecret(t, m.Secret)
	b.Press("I have copied both")
	b.Press("account's page")
	b.Has("Nothing was heard from it yet")
	m.pay(m.order(1), "fulfilled", 1)
	b.Has("Heard from")
	home("4 of 6")

	b.Press("Make one")
	b.Type("Mail goes to", newAddress())
	b.Press("Buy")
	b.Has("Mail 1 was handed over")
	b.Has("Test")
	home("5 of 6")

	b.Press("Set it up")
	b.Type("Address that mails come from", "keys@"+name+".example")
	b.Press("Save, and see the records")
	b.Has("Records for your domain")
}

// portal opens the merchant's portal in Chromium, signed in as a new owner by the code of a mail.
func (m *merchant) portal() *chromium.Tab {
	m.t.Helper()
	address := m.owner()
	b := chromium.Open(m.t, world.shop.URL)
	b.Go("/portal")
	b.Type("Your mail address", address)
	b.Press("Mail me")
	_, code := signInMail(m.t, address)
	b.Type("Code, 7 digits", code)
	b.Press("Sign in")
	world.canaries.Add(canary.Token, b.Cookie("__Host-keypool"))
	return b
}
