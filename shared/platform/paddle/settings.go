package paddle

import (
	"encoding/json"
	"errors"
	"strings"

	"keypool/shared/platform"
)

// settings are an account's settings.
type settings struct {
	// Product says what names a product of Keypool's: see productOf.
	Product string `json:"product,omitempty" enum:"auto,custom_data,price,product" doc:"What names a product of Keypool's: auto, the default, is keypool_product in the custom data of the price or of its product, else the price's id in Paddle."`
	// NoPaymentRequired says what becomes of transactions that cost nothing: "ignore", "deliver".
	NoPaymentRequired string `json:"no_payment_required,omitempty" enum:"ignore,deliver" doc:"What becomes of transactions that cost nothing, such as a trial's beginning; ignore where left out."`
	// Renewals says what becomes of a subscription's renewals: "deliver", "ignore".
	Renewals string `json:"renewals,omitempty" enum:"deliver,ignore" doc:"What becomes of the renewals of a subscription: they are delivered as each product says, or get nothing; deliver where left out."`
	// LicenseField is the key of the transaction's custom data that says who the license is
	// for.
	LicenseField string `json:"license_field,omitempty" maxLength:"200" doc:"The key of the custom data of a transaction that says who the license is for; licensee where left out."`
}

const (
	byAuto       = "auto"
	byCustomData = "custom_data"
	byPrice      = "price"
	byProduct    = "product"

	ignored   = "ignore"
	delivered = "deliver"
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
	if err := platform.ReadSettings(raw, &s, "Paddle"); err != nil {
		return settings{}, err
	}
	var mistakes platform.FieldErrors
	mistakes.OneOf("product", &s.Product, byAuto, byCustomData, byPrice, byProduct)
	mistakes.OneOf("no_payment_required", &s.NoPaymentRequired, ignored, delivered)
	mistakes.OneOf("renewals", &s.Renewals, delivered, ignored)
	mistakes.LicenseField(&s.LicenseField, "licensee")
	return s, mistakes.Err()
}

// The credentials of an account.
const (
	liveKey = "live_key"
	testKey = "test_key"
)

// legacyKey is the length of an API key that was made before 6 May 2025.
const legacyKey = 50

// CheckCredential implements platform.Fetcher.
func (Adapter) CheckCredential(name, text string) error {
	want, other := "pdl_live_apikey_", "pdl_sdbx_apikey_"
	switch name {
	case liveKey:
	case testKey:
		want, other = other, want
	default:
		return errors.New("is not a credential of Paddle accounts: there are live_key and test_key")
	}
	switch {
	case strings.HasPrefix(text, other):
		return errors.New("is the other side's key: pdl_live_apikey_… is the live_key, pdl_sdbx_apikey_… the test_key")
	case strings.HasPrefix(text, secretPrefix):
		return errors.New("is the secret key of a notification destination: enter it among the secrets, and here an API key, which begins with " + want)
	case strings.HasPrefix(text, "live_"), strings.HasPrefix(text, "test_"):
		return errors.New("is a client-side token: make an API key in Paddle under Developer tools, Authentication, API keys; it begins with " + want)
	case len(text) == legacyKey && !strings.Contains(text, "_"):
		return errors.New("is an API key of the old form, which may do anything: make one with permissions in Paddle under Developer tools, Authentication, API keys; it begins with " + want)
	case !strings.HasPrefix(text, want), len(text) < len(want)+16, len(text) > 255, strings.ContainsFunc(text, isNotOfTokens):
		return errors.New("is not an API key: copy it from Paddle, Developer tools, Authentication, API keys; it begins with " + want)
	}
	return nil
}
