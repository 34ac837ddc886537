package woocommerce_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"keypool/shared/platform"
	"keypool/shared/platform/woocommerce"
)

func TestShop(t *testing.T) {
	t.Parallel()
	for settings, want := range map[string]string{
		`{"shop":"https://shop.example.com"}`:              "shop.example.com",
		`{"shop":" https://Shop.Example.com/ "}`:           "shop.example.com",
		`{"shop":"shop.example.com"}`:                      "shop.example.com",
		`{"shop":"https://example.com/Shop/"}`:             "example.com/Shop",
		`{"shop":"https://xn--mller-kva.example"}`:         "xn--mller-kva.example",
		`{"shop":"https://shop.example.com","test":true}`:  "shop.example.com (test)",
		`{"shop":"https://shop.example.com","test":false}`: "shop.example.com",
		`{}`:           "",
		`{"shop":"x"}`: "",
	} {
		if got := (woocommerce.Adapter{}).Shop(json.RawMessage(settings)); got != want {
			t.Errorf("%s is the shop %q, want %q", settings, got, want)
		}
	}
}

func TestCheckSettings(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		forUs,
		`{"shop":"https://shop.example.com","product":"sku","paid_statuses":["shipped","in-production"],"license_field":"_licensee","test":true}`,
	} {
		if err := (woocommerce.Adapter{}).CheckSettings(json.RawMessage(good)); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	const shop = `{"shop":"https://shop.example.com",`
	for _, test := range []struct{ settings, field, says string }{
		{`{}`, "shop", "is missing"},
		{`{"shop":"http://shop.example.com"}`, "shop", "by https alone"},
		{`{"shop":"https://shop.example.com:8443"}`, "shop", "port"},
		{`{"shop":"https://203.0.113.7"}`, "shop", "not a domain"},
		{`{"shop":"https://localhost"}`, "shop", "not a domain"},
		{`{"shop":"https://müller.example"}`, "shop", "xn--"},
		{`{"shop":"https://me:secret@shop.example.com"}`, "shop", "not an address"},
		{`{"shop":"https://shop.example.com/?page_id=7"}`, "shop", "not an address"},
		{`{"shop":"https://shop.example.com/wp-admin/"}`, "shop", "front page"},
		{`{"shop":"https://shop.example.com/wp-json/wc/v3"}`, "shop", "front page"},
		{`{"shop":"https://shop.example.com//shop"}`, "shop", "front page"},
		{`{"shop":"ftp://shop.example.com"}`, "shop", "not an address"},
		{`{"shop":5}`, "shop", "another type"},
		{shop + `"product":"title"}`, "product", "none of variation, product, sku"},
		{shop + `"paid_statuses":["shipped","wc-shipped"]}`, "paid_statuses[1]", "without wc-"},
		{shop + `"paid_statuses":["pending"]}`, "paid_statuses[0]", "means paid"},
		{shop + `"paid_statuses":["Shipped"]}`, "paid_statuses[0]", "means paid"},
		{shop + `"paid_statuses":["a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a"]}`, "paid_statuses", "more than 20"},
		{shop + `"license_field":"` + strings.Repeat("x", 201) + `"}`, "license_field", "200"},
		{shop + `"products":{}}`, "products", "is not a setting"},
		{`[]`, "", "is not a JSON object"},
	} {
		err := woocommerce.Adapter{}.CheckSettings(json.RawMessage(test.settings))
		var one *platform.FieldError
		var several platform.FieldErrors
		if errors.As(err, &several) {
			one = several[0]
		} else if !errors.As(err, &one) {
			t.Errorf("%s is taken: %v", test.settings, err)
			continue
		}
		if one.Field != test.field || !strings.Contains(one.Problem, test.says) {
			t.Errorf("%s: %v, want that %s %s", test.settings, one, test.field, test.says)
		}
	}
	var several platform.FieldErrors
	if err := (woocommerce.Adapter{}).CheckSettings(json.RawMessage(`{"product":"x"}`)); !errors.As(err, &several) || len(several) != 2 {
		t.Errorf("two mistakes are told as %v", err)
	}
}

func TestCheckCredential(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"consumer_key": key, "consumer_secret": keyKey} {
		if err := (woocommerce.Adapter{}).CheckCredential(name, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range []struct{ name, text, says string }{
		{"consumer_key", keyKey, "the other part"},
		{"consumer_secret", key, "the other part"},
		{"consumer_key", "ck_short", "begins with ck_"},
		{"consumer_secret", "", "begins with cs_"},
		{"consumer_key", key + "\n", "REST API"},
		{"consumer_key", "ck_" + strings.Repeat("x", 101), "REST API"},
		{"api_key", key, "consumer_secret"},
	} {
		err := woocommerce.Adapter{}.CheckCredential(bad.name, bad.text)
		if err == nil || !strings.Contains(err.Error(), bad.says) || bad.text != "" && strings.Contains(err.Error(), bad.text) {
			t.Errorf("%s %q: %v", bad.name, bad.text, err)
		}
	}
}
