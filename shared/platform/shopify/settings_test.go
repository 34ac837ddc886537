package shopify_test

import (
	"encoding/json"
	"strings"
	"testing"

	"keypool/shared/platform"
	"keypool/shared/platform/shopify"
)

func TestCheckSettings(t *testing.T) {
	t.Parallel()
	for settings, says := range map[string]string{
		`{"shop":"acme.myshopify.com"}`: "",
		`{"shop":"ACME.myshopify.com","product":"sku","shipped_lines":"deliver","fraud_risk":"ignore","webhooks":"by_hand","license_field":"for"}`: "",
		`{}`:                                                  "shop is missing",
		`{"shop":""}`:                                         "shop is missing",
		`{"shop":"shop.acme.com"}`:                            "the one that Shopify gave the shop",
		`{"shop":"https://acme.myshopify.com"}`:               "without https://",
		`{"shop":"acme.myshopify.com/admin"}`:                 "shop is not a domain",
		`{"shop":"acme.myshopify.com.evil.com"}`:              "shop is not a domain",
		`{"shop":".myshopify.com"}`:                           "shop is not a domain",
		`{"shop":"evil.com?.myshopify.com"}`:                  "shop is not a domain",
		`{"shop":5}`:                                          "shop is of another type",
		`{"shop":"acme.myshopify.com","product":"metafield"}`: "product is none of variant, product, sku",
		`{"shop":"acme.myshopify.com","shipped_lines":"x","fraud_risk":"x"}`:               "fraud_risk is none of read, ignore",
		`{"shop":"acme.myshopify.com","webhooks":"none"}`:                                  "webhooks is none of by_keypool, by_hand",
		`{"shop":"acme.myshopify.com","Shop":"acme.myshopify.com"}`:                        "Shop is not a setting",
		`{"shop":"acme.myshopify.com","license_field":"` + strings.Repeat("x", 201) + `"}`: "license_field is longer",
		`[]`: "is not a",
	} {
		err := shopify.Adapter{}.CheckSettings(json.RawMessage(settings))
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", settings, err, says)
		}
	}
}

// The shop's domain is the origin of its orders: two shops number theirs alike.
func TestShop(t *testing.T) {
	t.Parallel()
	for settings, want := range map[string]string{
		`{"shop":"Acme.MyShopify.com"}`: "acme.myshopify.com", `{"shop":"shop.acme.com"}`: "", `{}`: "",
	} {
		if got := (shopify.Adapter{}).Shop(json.RawMessage(settings)); got != want {
			t.Errorf("%s is of %q", settings, got)
		}
	}
}

func TestCheckCredential(t *testing.T) {
	t.Parallel()
	const token = "shpat_0123456789abcdef0123456789abcdef"
	for _, test := range []struct{ name, text, says string }{
		{"client_id", appID, ""},
		{"client_secret", appSecret, ""},
		{"client_secret", "0123456789abcdef0123456789abcdef", ""}, // of an app made years ago
		{"access_token", token, ""},
		{"client_id", appSecret, "not a client id"},
		{"client_id", "x", "not a client id"},
		{"client_secret", token, "begins with shpss_"},
		{"client_secret", "two words of a secret", "begins with shpss_"},
		{"access_token", appSecret, "client_id and client_secret instead"},
		{"access_token", "shpat_", "shpat_"},
		{"api_key", appID, "there are client_id with client_secret"},
	} {
		err := shopify.Adapter{}.CheckCredential(test.name, test.text)
		if (err == nil) != (test.says == "") || err != nil && (!strings.Contains(err.Error(), test.says) || len(test.text) > 8 && strings.Contains(err.Error(), test.text)) {
			t.Errorf("%s of %d characters: %v, want %q", test.name, len(test.text), err, test.says)
		}
	}
}

// A dry run says why a webhook is not taken whose secret is marked test.
func TestDryRun_markedTest(t *testing.T) {
	t.Parallel()
	a := account()
	for _, marked := range []bool{false, true} {
		a.Secrets[0].Test = marked
		trial, err := platform.DryRun(t.Context(), shopify.New(), webhook(t, "shopify_paid"), a, now, 10, nil)
		if err != nil {
			t.Fatal(err)
		}
		says := trial.Steps[1].Says
		if trial.OK() == marked || marked != strings.Contains(says, "says itself whether it is a test") || marked != strings.HasPrefix(says, "secrets are marked test") {
			t.Errorf("marked %t: %+v", marked, trial.Steps)
		}
	}
}
