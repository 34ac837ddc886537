package stripe

import (
	"encoding/json"
	"errors"
	"strings"

	"keypool/shared/platform"
)

// settings are an account's settings.
type settings struct {
	// Product says what names a product of Keypool's: see productOf.
	Product string `json:"product,omitempty" enum:"auto,metadata,lookup_key,price,product" doc:"What names a product of Keypool's: auto, the default, is the metadata keypool_product, else the price's lookup key, else the product's id in Stripe."`
	// NoPaymentRequired says what becomes of orders that cost nothing: "ignore", "deliver".
	NoPaymentRequired string `json:"no_payment_required,omitempty" enum:"ignore,deliver" doc:"What becomes of orders that cost nothing, such as a trial's beginning; ignore where left out."`
	// LicenseField is the key of the custom field that says who the license is for.
	LicenseField string `json:"license_field,omitempty" maxLength:"200" doc:"The key of the custom field of a Checkout page that says who the license is for; licensee where left out."`
}

const (
	byAuto      = "auto"
	byMetadata  = "metadata"
	byLookupKey = "lookup_key"
	byPrice     = "price"
	byProduct   = "product"

	freeIgnored   = "ignore"
	freeDelivered = "deliver"
)

// SettingsForm implements platform.SettingsForm.
func (Adapter) SettingsForm() any { return settings{} }

// CheckSettings implements platform.Configurer.
func (Adapter) CheckSettings(raw json.RawMessage) error {
	_, err := parseSettings(raw)
	return err
}

// parseSettings returns an account's settings, with the defaults of what is not set.
func parseSettings(raw json.RawMessage) (settings, error) {
	s := settings{}
	if err := platform.ReadSettings(raw, &s, "Stripe"); err != nil {
		return settings{}, err
	}
	var mistakes platform.FieldErrors
	mistakes.OneOf("product", &s.Product, byAuto, byMetadata, byLookupKey, byPrice, byProduct)
	mistakes.OneOf("no_payment_required", &s.NoPaymentRequired, freeIgnored, freeDelivered)
	mistakes.LicenseField(&s.LicenseField, "licensee")
	return s, mistakes.Err()
}

// The credentials of an account.
const (
	liveKey = "live_key"
	testKey = "test_key"
)

// CheckCredential implements platform.Fetcher.
func (Adapter) CheckCredential(name, text string) error {
	want, other := "rk_live_", "rk_test_"
	switch name {
	case liveKey:
	case testKey:
		want, other = other, want
	default:
		return errors.New("is not a credential of Stripe accounts: there are live_key and test_key")
	}
	switch {
	case strings.HasPrefix(text, other):
		return errors.New("is the other side's key: rk_live_… is the live_key, rk_test_… the test_key")
	case strings.HasPrefix(text, "sk_"):
		return errors.New("is a secret key, which may do anything: make a restricted key (rk_…) in Stripe under Developers, API keys")
	case !strings.HasPrefix(text, want), len(text) < len(want)+8, len(text) > 255, strings.ContainsFunc(text, isNotOfTokens):
		return errors.New("is not a restricted key: copy it from Stripe, Developers, API keys; it begins with " + want)
	}
	return nil
}
