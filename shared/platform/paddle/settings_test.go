package paddle_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"keypool/shared/platform"
	"keypool/shared/platform/paddle"
)

func TestCheckSettings(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		``, `{}`, `{"product":"auto","no_payment_required":"deliver","renewals":"ignore","license_field":"for"}`, `{"product":"custom_data"}`, `{"product":"price"}`, `{"product":"product"}`,
	} {
		if err := (paddle.Adapter{}).CheckSettings(json.RawMessage(good)); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, field := range map[string]string{
		`{"product":"sku"}`: "product", `{"product":1}`: "product", `{"no_payment_required":true}`: "no_payment_required", `{"no_payment_required":"yes"}`: "no_payment_required",
		`{"renewals":"new_key"}`: "renewals", `{"license_field":"` + strings.Repeat("x", 201) + `"}`: "license_field", `{"Product":"auto"}`: "Product", `{"sku":""}`: "sku",
	} {
		err := paddle.Adapter{}.CheckSettings(json.RawMessage(bad))
		var one *platform.FieldError
		var several platform.FieldErrors
		if errors.As(err, &several) {
			one = several[0]
		} else if !errors.As(err, &one) {
			t.Errorf("%s: %v", bad, err)
			continue
		}
		if one.Field != field {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestCheckCredential(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]string{"live_key": liveKey, "test_key": testKey} {
		if err := (paddle.Adapter{}).CheckCredential(name, key); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, test := range []struct{ name, key, says string }{
		{"key", liveKey, "live_key and test_key"},
		{"live_key", testKey, "other side's"},
		{"test_key", liveKey, "other side's"},
		{"live_key", liveSecret, "among the secrets"},
		{"live_key", "live_0123456789abcdef0123456789a", "client-side token"},
		{"test_key", "test_0123456789abcdef0123456789a", "client-side token"},
		{"live_key", strings.Repeat("0123456789", 5), "old form"},
		{"live_key", "sk_live_0123456789abcdef", "is not an API key"},
		{"live_key", "pdl_live_apikey_", "is not an API key"},
		{"live_key", liveKey + " ", "is not an API key"},
		{"live_key", "", "is not an API key"},
	} {
		err := paddle.Adapter{}.CheckCredential(test.name, test.key)
		if err == nil || !strings.Contains(err.Error(), test.says) || len(test.key) > 16 && strings.Contains(err.Error(), test.key) {
			t.Errorf("%s %s: %v", test.name, test.key, err)
		}
	}
}
