package noventiq

import (
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"keypool/shared/platform"
	"keypool/shared/platform/payload"
)

// Name is the platform's name.
const Name = "noventiq"

// Adapter implements platform.Adapter.
type Adapter struct{}

const header = "signature"

// HasSignature implements platform.Adapter.
func (Adapter) HasSignature(h http.Header) bool { return h.Get(header) != "" }

// Verify implements platform.Adapter. What is signed stands in the body, so that Verify
// reads these members of it, and nothing else is done with it. There is no time: a webhook
// is good for ever.
func (Adapter) Verify(r platform.Request, a platform.Account, now time.Time) (platform.Signed, error) {
	signed, ok := signedText(r.Body)
	var given [][]byte
	if sum, err := hex.DecodeString(r.Header.Get(header)); ok && err == nil && len(sum) == sha512.Size {
		given = [][]byte{sum}
	}
	return platform.Signatures{Given: given, Sum: func(secret []byte) []byte { return digest(secret, signed) }}.Verify(a.Secrets, now)
}

// Sign returns the signature of a body, as the header holds it. It returns false for a
// body that lacks what is signed.
func Sign(secret, body []byte) (string, bool) {
	signed, ok := signedText(body)
	return hex.EncodeToString(digest(secret, signed)), ok
}

func digest(secret []byte, signed string) []byte {
	hash := sha512.New()
	hash.Write(secret)
	hash.Write([]byte(";" + signed))
	return hash.Sum(nil)
}

// separator stands between what is signed, and nothing tells it from one within. A body
// that has one within any but the last is refused: another body could have the same
// signature.
const separator = ";"

// signedText returns what is signed, without the secret:
// "order.created;5555555;2021-08-13T09:16:35+03:00;CreditCard;EUR;customer@gmail.com".
// It returns false for a body that cannot be signed.
func signedText(raw []byte) (string, bool) {
	if len(raw) > platform.MaxBody {
		return "", false // a stranger's: a webhook is of one product
	}
	body, err := payload.Parse(raw)
	if err != nil {
		return "", false
	}
	texts := make([]string, len(signedParts))
	for i, at := range signedParts {
		text, ok := textOf(body.Find(at))
		if !ok || i < len(signedParts)-1 && strings.Contains(text, separator) {
			return "", false
		}
		texts[i] = text
	}
	return strings.Join(texts, separator), texts[0] != "" && texts[1] != ""
}

// signedParts are the members that the signature covers, in their order.
var signedParts = []payload.Pointer{"/event", "/order_id", "/create_date", "/payment/payment_method", "/currency", "/customer/email"}

// textOf returns a value as it is signed and shown: a text, or a number as it was
// written. None is empty. It returns false for any other.
func textOf(v payload.Value) (string, bool) {
	return v.Text, v.Missing() || v.Kind == '"' || v.Kind == '0'
}

// The lengths of a secret, in characters. Plain SHA-512 is quick: a short secret would be
// found from one webhook by trying.
const (
	minSecret = 16
	maxSecret = 200
)

// ParseSecret implements platform.SecretForm. A secret is taken as it is.
func (Adapter) ParseSecret(text string) ([]byte, error) {
	n := utf8.RuneCountInString(text)
	switch {
	case n < minSecret || n > maxSecret:
		return nil, fmt.Errorf("is to have %d to %d characters: set such a secret key for the webhook in the Merchant Portal", minSecret, maxSecret)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) || strings.TrimSpace(text) != text:
		return nil, errors.New("begins or ends with white space, or holds control characters: copy the secret key as the Merchant Portal shows it")
	}
	return []byte(text), nil
}

// Settings are the settings of an account.
type Settings struct {
	// Products are the ids of products by the vendor code or SKU of products with dynamic
	// characteristics, where these are other than the ids.
	Products map[string]string `json:"products,omitempty" doc:"The ids of products by the vendor code or SKU of products with dynamic characteristics, where these are other than the ids."`
}

const maxProducts = 500

// SettingsForm implements platform.SettingsForm.
func (Adapter) SettingsForm() any { return Settings{} }

// CheckSettings implements platform.Configurer.
func (Adapter) CheckSettings(raw json.RawMessage) error {
	settings, err := parseSettings(raw)
	if err != nil {
		return err
	}
	if len(settings.Products) > maxProducts {
		return &platform.FieldError{Field: "products", Problem: fmt.Sprintf("has more than %d entries", maxProducts)}
	}
	for code, id := range settings.Products {
		if wrong := platform.CheckID(code); wrong != "" {
			return &platform.FieldError{Field: "products", Problem: "has a vendor code or SKU that " + wrong}
		}
		if wrong := platform.CheckID(id); wrong != "" {
			return &platform.FieldError{Field: "products", Problem: "has a product's id that " + wrong}
		}
	}
	return nil
}

// parseSettings reads the settings of an account; see Settings.
func parseSettings(raw json.RawMessage) (Settings, error) {
	var s Settings
	if platform.ReadSettings(raw, &s, "Noventiq") != nil {
		return Settings{}, &platform.FieldError{Problem: `has to be {"products": {"vendor code or SKU": "product id"}}, and nothing else`}
	}
	return s, nil
}

// Answer implements platform.Adapter. Noventiq sends a webhook again unless it is answered
// 200.
func (Adapter) Answer(results []platform.Result) platform.Response {
	return platform.Acknowledge(results)
}
