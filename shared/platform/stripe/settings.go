package stripe

import (
	"encoding/json"
	"errors"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

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
	if len(raw) > 0 {
		err := jsonv2.Unmarshal(raw, &s, jsonv2.RejectUnknownMembers(true))
		var wrong *jsonv2.SemanticError
		switch {
		case errors.As(err, &wrong) && errors.Is(err, jsonv2.ErrUnknownName):
			return settings{}, &platform.FieldError{Field: lastOf(wrong.JSONPointer), Problem: "is not a setting of Stripe accounts: there are product, no_payment_required and license_field"}
		case errors.As(err, &wrong):
			return settings{}, &platform.FieldError{Field: lastOf(wrong.JSONPointer), Problem: "is not a text in quotes"}
		case err != nil:
			return settings{}, &platform.FieldError{Problem: "is not a JSON object"}
		}
	}
	var mistakes platform.FieldErrors
	oneOf := func(field string, value *string, choices ...string) {
		if *value == "" {
			*value = choices[0]
		}
		for _, choice := range choices {
			if *value == choice {
				return
			}
		}
		mistakes = append(mistakes, &platform.FieldError{Field: field, Problem: "is none of " + strings.Join(choices, ", ")})
	}
	oneOf("product", &s.Product, byAuto, byMetadata, byLookupKey, byPrice, byProduct)
	oneOf("no_payment_required", &s.NoPaymentRequired, freeIgnored, freeDelivered)
	if s.LicenseField == "" {
		s.LicenseField = "licensee"
	}
	if len(s.LicenseField) > 200 {
		mistakes = append(mistakes, &platform.FieldError{Field: "license_field", Problem: "is longer than 200 characters"})
	}
	if mistakes != nil {
		return settings{}, mistakes
	}
	return s, nil
}

func lastOf(pointer jsontext.Pointer) string { return pointer.LastToken() }

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
