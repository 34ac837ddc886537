package shopify

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"keypool/shared/lazy"
	"keypool/shared/platform"
)

// settings are an account's settings.
type settings struct {
	Shop         string `json:"shop" doc:"The domain that Shopify gave the shop, such as acme.myshopify.com. An account keeps it."`
	Product      string `json:"product,omitempty" enum:"variant,product,sku" doc:"What names a product of Keypool's: the variant's id, where left out; the product's id; or the SKU."`
	ShippedLines string `json:"shipped_lines,omitempty" enum:"ignore,deliver" doc:"What becomes of lines that ship; ignore where left out."`
	FraudRisk    string `json:"fraud_risk,omitempty" enum:"read,ignore" doc:"Whether an order's risk of fraud is read from Shopify's API, of an account with credentials; read where left out."`
	Webhooks     string `json:"webhooks,omitempty" enum:"by_keypool,by_hand" doc:"Who makes the webhooks in Shopify: Keypool with the account's credentials, where left out, or you under Settings, Notifications."`
	LicenseField string `json:"license_field,omitempty" maxLength:"200" doc:"The attribute of an order, or the property of a line, that says who the license is for; license_for where left out."`
}

// SettingsForm implements platform.SettingsForm.
func (Adapter) SettingsForm() any { return settings{} }

const (
	byVariant = "variant"
	byProduct = "product"
	bySKU     = "sku"

	shippedIgnored   = "ignore"
	shippedDelivered = "deliver"

	riskRead    = "read"
	riskIgnored = "ignore"

	webhooksByKeypool = "by_keypool"
	webhooksByHand    = "by_hand"
)

// CheckSettings implements platform.Configurer.
func (Adapter) CheckSettings(raw json.RawMessage) error {
	_, err := parseSettings(raw)
	return err
}

// Shop implements platform.ShopNamer.
func (Adapter) Shop(raw json.RawMessage) string {
	s, err := parseSettings(raw)
	if err != nil {
		return ""
	}
	return s.Shop
}

// shopDomain is the domain that Shopify gives to every shop, and that never changes.
var shopDomain = lazy.Regexp(`^[a-z0-9][a-z0-9-]{0,62}\.myshopify\.com$`)

// parseSettings returns an account's settings, with the defaults of what is not set.
func parseSettings(raw json.RawMessage) (settings, error) {
	s := settings{}
	if err := platform.ReadSettings(raw, &s, "Shopify"); err != nil {
		return settings{}, err
	}
	var mistakes platform.FieldErrors
	s.Shop = strings.ToLower(s.Shop)
	switch {
	case s.Shop == "":
		mistakes.Add("shop", "is missing: write the shop's domain at Shopify, such as acme.myshopify.com (Settings, Domains)")
	case !shopDomain().MatchString(s.Shop):
		mistakes.Add("shop", "is not a domain such as acme.myshopify.com: write the one that Shopify gave the shop (Settings, Domains), without https://, not the shop's own")
	}
	mistakes.OneOf("product", &s.Product, byVariant, byProduct, bySKU)
	mistakes.OneOf("shipped_lines", &s.ShippedLines, shippedIgnored, shippedDelivered)
	mistakes.OneOf("fraud_risk", &s.FraudRisk, riskRead, riskIgnored)
	mistakes.OneOf("webhooks", &s.Webhooks, webhooksByKeypool, webhooksByHand)
	mistakes.LicenseField(&s.LicenseField, "license_for")
	return s, mistakes.Err()
}

// TellsSide implements platform.SideTeller. Shopify signs the orders of a shop by one secret,
// live or test.
func (Adapter) TellsSide() string {
	return "each order of Shopify's says itself whether it is a test; leave test out, and such orders get test keys"
}

// CheckParts implements platform.PartsChecker: client id and secret are parts of one app, and
// what signs the webhooks that Keypool makes by it has to be a secret of the account. That of
// an access_token's app cannot be told from others.
func (Adapter) CheckParts(p platform.Parts) error {
	s, err := parseSettings(p.Settings)
	if err != nil {
		return err
	}
	var mistakes platform.FieldErrors
	p.Together(&mistakes, clientID, clientSecret)
	has := func(name string) bool { return slices.Contains(p.Credentials, name) }
	switch {
	case s.Webhooks == webhooksByHand || len(p.Credentials) == 0:
	case has(clientSecret) && !has(accessToken) && !slices.Contains(p.Signing, clientSecret):
		mistakes.Add("secrets", "do not hold the text of the credential client_secret, by which Shopify signs the webhooks that Keypool makes: give it in both places; if you make the webhooks by hand, set webhooks to by_hand in the settings")
	case len(p.Secrets) == 0:
		mistakes.Add("secrets", "are missing: give the secret of the app, by which Shopify signs the webhooks that Keypool makes; if you make none, set webhooks to by_hand in the settings")
	}
	return mistakes.Err()
}

// settingsOf returns the settings of an account as it is stored.
func settingsOf(a platform.Account) (settings, error) {
	s, err := parseSettings(a.Settings)
	if err != nil {
		return settings{}, &platform.SetupError{Field: "settings", Problem: "are not those of a Shopify account: " + err.Error()}
	}
	return s, nil
}

// The credentials of an account: an app's client id and secret, or the access token of an
// app that was made in the shop's admin before 2026.
const (
	clientID     = "client_id"
	clientSecret = "client_secret"
	accessToken  = "access_token"
)

// CheckCredential implements platform.Fetcher.
func (Adapter) CheckCredential(name, text string) error {
	isToken := strings.HasPrefix(text, "shpat_") || strings.HasPrefix(text, "shpca_")
	wellFormed := len(text) >= 16 && len(text) <= 255 && !strings.ContainsFunc(text, isNotOfTokens)
	switch name {
	case clientID:
		if !wellFormed || isToken || strings.HasPrefix(text, "shpss_") {
			return errors.New("is not a client id: copy it from the Dev Dashboard, your app, Settings; it has 32 letters and digits")
		}
	case clientSecret:
		if !wellFormed || isToken {
			return errors.New("is not a client secret: copy it from the Dev Dashboard, your app, Settings; it begins with shpss_")
		}
	case accessToken:
		if !wellFormed || !isToken {
			return errors.New("is not an access token of an app of the shop's: it begins with shpat_; of an app of the Dev Dashboard give client_id and client_secret instead")
		}
	default:
		return errors.New("is not a credential of Shopify accounts: there are client_id with client_secret, or access_token")
	}
	return nil
}
