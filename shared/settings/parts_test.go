package settings_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"keypool/shared/platform"
	"keypool/shared/platform/noventiq"
	"keypool/shared/platform/paddle"
	"keypool/shared/platform/shopify"
	"keypool/shared/platform/stripe"
	"keypool/shared/platform/woocommerce"
	"keypool/shared/settings"
)

const (
	shopifySecret = "shpss_0123456789abcdef0123456789abcdef"
	shopifyID     = "0123456789abcdef0123456789abcdef"
	shopifyToken  = "shpat_0123456789abcdef0123456789abcdef"
	wooKey        = "ck_0123456789abcdef0123456789abcdef01234567"
	wooSecretKey  = "cs_0123456789abcdef0123456789abcdef01234567"
)

var (
	acmeShopify = json.RawMessage(`{"shop":"acme.myshopify.com"}`)
	byHand      = json.RawMessage(`{"shop":"acme.myshopify.com","webhooks":"by_hand"}`)
	acmeWoo     = json.RawMessage(`{"shop":"https://shop.example.com"}`)
)

// openPlatforms returns the desk with platforms as they are.
func openPlatforms(t *testing.T) *desk {
	d := openDesk(t)
	d.Adapters = map[string]platform.Adapter{
		shopify.Name: shopify.New(), woocommerce.Name: woocommerce.New(), stripe.Name: stripe.New(), paddle.Name: paddle.New(), noventiq.Name: noventiq.Adapter{},
	}
	return d
}

// wrong returns the place and the text of the only mistake of a change, "" if it is taken.
func (d *desk) wrong(change settings.AccountChange) (path, says string) {
	d.Helper()
	_, err := d.put(change)
	var invalid *settings.InvalidError
	switch {
	case err == nil:
		return "", ""
	case !errors.As(err, &invalid) || len(invalid.Problems) != 1:
		d.Fatalf("%+v: %v", change, err)
	}
	return invalid.Problems[0].Path, invalid.Problems[0].Message
}

// A secret is marked test where the platform has a secret for each side, and nowhere else.
func TestAccounts_testMark(t *testing.T) {
	t.Parallel()
	d := openPlatforms(t)
	marked := func(of string, raw json.RawMessage, text string) settings.AccountChange {
		return settings.AccountChange{Name: of, Platform: of, Settings: raw, Secrets: []settings.SecretChange{{Name: "live", Text: text + "_live"}, {Name: "test", Test: true, Text: text}}}
	}
	for says, change := range map[string]settings.AccountChange{
		"says itself whether it is a test": marked(shopify.Name, acmeShopify, shopifySecret),
		"live or a test site as a whole":   marked(woocommerce.Name, acmeWoo, "the secret of a webhook"),
	} {
		path, message := d.wrong(change)
		if path != "secrets[1].test" || !strings.Contains(message, says) || !strings.Contains(message, "leave test out") {
			t.Errorf("%s: %s %s", change.Platform, path, message)
		}
		change.Secrets[1].Test = false
		d.mustPut(change)
		// One that is there is not marked either.
		if path, _ := d.wrong(settings.AccountChange{Name: change.Name, Secrets: []settings.SecretChange{{Name: "live", Test: true}}}); path != "secrets[0].test" {
			t.Errorf("%s: a mark that comes later is refused at %q", change.Platform, path)
		}
	}
	for of, text := range map[string]string{stripe.Name: "whsec_0123456789abcdef", paddle.Name: "pdl_ntfset_0123_0123456789abcdef", noventiq.Name: "0123456789abcdef"} {
		change := marked(of, nil, text)
		change.Secrets[0].Text = strings.Replace(text, "0123", "3210", 1)
		if got := d.mustPut(change); !got.Secrets[1].Test {
			t.Errorf("%s: %+v", of, named(got))
		}
	}
}

// Half of a key to a platform's API is no key. What signs the webhooks that Keypool makes is
// a secret of the account. What the account holds counts, and not what a change names.
func TestAccounts_partsTogether(t *testing.T) {
	t.Parallel()
	credentials := func(nameText ...string) []settings.CredentialChange {
		all := []settings.CredentialChange{}
		for i := 0; i < len(nameText); i += 2 {
			all = append(all, settings.CredentialChange{Name: nameText[i], Text: nameText[i+1]})
		}
		return all
	}
	app := credentials("client_id", shopifyID, "client_secret", shopifySecret)
	ofApp := secretsOf("app", shopifySecret)
	shop := func(raw json.RawMessage, secrets []settings.SecretChange, with []settings.CredentialChange) settings.AccountChange {
		return settings.AccountChange{Platform: shopify.Name, Settings: raw, Secrets: secrets, Credentials: with}
	}
	woo := func(with []settings.CredentialChange) settings.AccountChange {
		return settings.AccountChange{Platform: woocommerce.Name, Settings: acmeWoo, Secrets: secretsOf("live", "the secret of a webhook"), Credentials: with}
	}
	for name, c := range map[string]struct {
		first, then settings.AccountChange // the first is taken
		at, says    string                 // of the last of them; at "": it is taken
	}{
		"both":                      {first: shop(acmeShopify, ofApp, app)},
		"no credentials":            {first: shop(acmeShopify, ofApp, nil)},
		"an access token":           {first: shop(acmeShopify, ofApp, credentials("access_token", shopifyToken))},
		"by hand":                   {first: shop(byHand, secretsOf("notifications", "0123456789abcdef0123"), app)},
		"by hand, catch-up alone":   {first: shop(byHand, nil, app)},
		"a key of WooCommerce":      {first: woo(credentials("consumer_key", wooKey, "consumer_secret", wooSecretKey))},
		"WooCommerce without":       {first: woo(nil)},
		"client id alone":           {then: shop(acmeShopify, ofApp, app[:1]), at: "credentials", says: "client_id and not client_secret"},
		"client secret alone":       {then: shop(acmeShopify, ofApp, app[1:]), at: "credentials", says: "client_secret and not client_id"},
		"beside an access token":    {then: shop(acmeShopify, ofApp, append(credentials("access_token", shopifyToken), app[0])), at: "credentials", says: "client_id"},
		"consumer key alone":        {then: woo(credentials("consumer_key", wooKey)), at: "credentials", says: "consumer_key and not consumer_secret"},
		"consumer secret alone":     {then: woo(credentials("consumer_secret", wooSecretKey)), at: "credentials", says: "consumer_secret and not consumer_key"},
		"another secret":            {then: shop(acmeShopify, secretsOf("notifications", "0123456789abcdef0123"), app), at: "secrets", says: "by_hand"},
		"no secret":                 {then: shop(acmeShopify, nil, app), at: "secrets", says: "client_secret"},
		"a token and no secret":     {then: shop(acmeShopify, nil, credentials("access_token", shopifyToken)), at: "secrets", says: "are missing"},
		"one is taken away":         {shop(acmeShopify, ofApp, app), settings.AccountChange{Credentials: credentials("client_id", "")}, "credentials", "client_id"},
		"both stay":                 {shop(acmeShopify, ofApp, app), settings.AccountChange{Credentials: credentials("client_id", "", "client_secret", ""), Secrets: secretsOf("app", "")}, "", ""},
		"the secret is taken away":  {shop(acmeShopify, ofApp, app), settings.AccountChange{Secrets: []settings.SecretChange{}}, "secrets", "client_secret"},
		"the secret is replaced":    {shop(acmeShopify, ofApp, app), settings.AccountChange{Secrets: secretsOf("app", shopifySecret+"2"), KeepPrevious: time.Hour}, "secrets", "client_secret"},
		"both are replaced":         {shop(acmeShopify, ofApp, app), settings.AccountChange{Secrets: secretsOf("app", shopifySecret+"2"), Credentials: credentials("client_id", "", "client_secret", shopifySecret+"2"), KeepPrevious: time.Hour}, "", ""},
		"no longer by hand":         {shop(byHand, nil, app), settings.AccountChange{Settings: acmeShopify}, "secrets", "by_hand"},
		"no longer by hand, signed": {shop(byHand, ofApp, app), settings.AccountChange{Settings: acmeShopify}, "", ""},
		"half a key later":          {woo(nil), settings.AccountChange{Credentials: credentials("consumer_key", wooKey)}, "credentials", "consumer_key"},
		"half a key is taken away":  {woo(credentials("consumer_key", wooKey, "consumer_secret", wooSecretKey)), settings.AccountChange{Credentials: credentials("consumer_key", "")}, "credentials", "consumer_secret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := openPlatforms(t)
			if c.first.Platform != "" {
				d.mustPut(c.first)
			}
			change := c.then
			if change.Platform == "" && c.first.Platform != "" && c.then.Credentials == nil && c.then.Secrets == nil && c.then.Settings == nil {
				change = c.first // again
			}
			path, says := d.wrong(change)
			if path != c.at || !strings.Contains(says, c.says) {
				t.Errorf("%q %s; want %q %s", path, says, c.at, c.says)
			}
		})
	}
}
