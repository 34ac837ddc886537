package woocommerce

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"keypool/shared/outbound"
	"keypool/shared/platform"
)

// settings are an account's settings.
type settings struct {
	Shop         string   `json:"shop" maxLength:"300" doc:"The shop's address as its customers see it, with the folder if it stands in one: https://shop.example.com."`
	Test         bool     `json:"test,omitempty" doc:"The shop is a staging or test site: all its orders get test keys. An account keeps this."`
	Product      string   `json:"product,omitempty" enum:"variation,product,sku" doc:"What names a product of Keypool's: variation, the default, is the variation's id, or the product's where it has no variations; product the product's id for all its variations; sku the SKU, or the id where there is none."`
	PaidStatuses []string `json:"paid_statuses,omitempty" maxItems:"20" nullable:"false" doc:"Statuses of the shop's own that mean paid, beside processing and completed: as the REST API writes them, without wc-."`
	LicenseField string   `json:"license_field,omitempty" maxLength:"200" doc:"The key of the order's meta data that says who the license is for; none where left out."`
}

// What names a product.
const (
	byVariation = "variation"
	byProduct   = "product"
	bySKU       = "sku"
)

// SettingsForm implements platform.SettingsForm.
func (Adapter) SettingsForm() any { return settings{} }

// CheckSettings implements platform.Configurer.
func (Adapter) CheckSettings(raw json.RawMessage) error {
	_, err := parseSettings(raw)
	return err
}

// Shop implements platform.ShopNamer. A test site is another shop than the live one at
// the same address: an account that was one kind becomes the other never, since orders of
// the one would be sold again as the other's.
func (Adapter) Shop(raw json.RawMessage) string {
	s, err := parseSettings(raw)
	switch {
	case err != nil:
		return ""
	case s.Test:
		return s.Shop + " (test)"
	}
	return s.Shop
}

// TellsSide implements platform.SideTeller.
func (Adapter) TellsSide() string {
	return `a WooCommerce shop is live or a test site as a whole; leave test out, and give a test site an account of its own, with "test": true in its settings`
}

// CheckParts implements platform.PartsChecker: a REST API key has two parts.
func (Adapter) CheckParts(p platform.Parts) error {
	var mistakes platform.FieldErrors
	p.Together(&mistakes, consumerKey, consumerSecret)
	return mistakes.Err()
}

const maxStatuses = 20

// parseSettings returns an account's settings, with the defaults of what is not set. Shop
// is then as shopOf returns it.
func parseSettings(raw json.RawMessage) (settings, error) {
	s := settings{}
	if err := platform.ReadSettings(raw, &s, "WooCommerce"); err != nil {
		return settings{}, err
	}
	var mistakes platform.FieldErrors
	shop, problem := shopOf(s.Shop)
	if problem != "" {
		mistakes.Add("shop", problem)
	}
	s.Shop = shop
	mistakes.OneOf("product", &s.Product, byVariation, byProduct, bySKU)
	if len(s.PaidStatuses) > maxStatuses {
		mistakes.Add("paid_statuses", fmt.Sprintf("has more than %d entries", maxStatuses))
	}
	for i, status := range s.PaidStatuses {
		if status == "" || len(status) > 40 || strings.ContainsFunc(status, isNotOfStatuses) || strings.HasPrefix(status, "wc-") || unpaid[status] {
			mistakes.Add(fmt.Sprintf("paid_statuses[%d]", i), "is not a status of the shop's own that means paid: write it as the REST API does, without wc-, such as shipped")
		}
	}
	mistakes.LicenseField(&s.LicenseField, "")
	return s, mistakes.Err()
}

func isNotOfStatuses(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// shopOf returns a shop's address as accounts are named by it: the domain, and the folder
// if there is one, without https:// and a slash at the end: example.com/shop. Problem says
// what is wrong with it.
func shopOf(address string) (shop, problem string) {
	const example = ": write the shop's address, such as https://shop.example.com"
	address = strings.TrimSpace(address)
	if address == "" {
		return "", "is missing" + example
	}
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" || len(address) > 300:
		return "", "is not an address" + example
	case u.Scheme == "http":
		return "", "begins with http: Keypool calls a shop by https alone, so write https, and see that the shop answers there"
	case u.Scheme != "https":
		return "", "is not an address" + example
	case u.Port() != "":
		return "", "names a port: Keypool calls a shop at port 443, so leave it out"
	}
	if _, err := outbound.Shop(u.Hostname()); err != nil {
		return "", err.Error()
	}
	folder := strings.TrimRight(u.EscapedPath(), "/")
	if strings.Contains(folder, "//") || strings.HasSuffix(folder, "/wp-admin") || strings.Contains(folder, "/wp-json") {
		return "", "is the address of a page: write that of the shop's front page, such as https://shop.example.com"
	}
	return strings.ToLower(u.Hostname()) + folder, ""
}

// sourceOf returns the shop that a webhook's header names: the address of the front page,
// by http or https. It is empty if that is none.
func sourceOf(header string) string {
	u, err := url.Parse(strings.TrimSpace(header))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return strings.ToLower(u.Host) + strings.TrimRight(u.EscapedPath(), "/")
}

// The credentials of an account: both parts of one REST API key.
const (
	consumerKey    = "consumer_key"
	consumerSecret = "consumer_secret"
)

// CheckCredential implements platform.Fetcher.
func (Adapter) CheckCredential(name, text string) error {
	want, other := "ck_", "cs_"
	switch name {
	case consumerKey:
	case consumerSecret:
		want, other = other, want
	default:
		return errors.New("is not a credential of WooCommerce accounts: there are consumer_key and consumer_secret")
	}
	rest, ok := strings.CutPrefix(text, want)
	switch {
	case strings.HasPrefix(text, other):
		return errors.New("is the other part of the REST API key: ck_… is the consumer_key, cs_… the consumer_secret")
	case !ok || len(rest) < 20 || len(rest) > 100 || strings.ContainsFunc(rest, isNotOfKeys):
		return errors.New("is not a part of a REST API key: copy it from WooCommerce, Settings, Advanced, REST API; it begins with " + want)
	}
	return nil
}

func isNotOfKeys(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
}
