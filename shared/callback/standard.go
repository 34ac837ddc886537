package callback

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"keypool/shared/order"
)

// Standard is Keypool's own scheme: signed as the Standard Webhooks
// specification says, HMAC-SHA256 over id.timestamp.body with the header
// webhook-signature holding one or more "v1,<base64>".
type Standard struct{}

// tolerance is how far the sender's clock and ours may be apart.
const tolerance = 5 * time.Minute

// secretPrefix marks a signing secret as people see it: whsec_<base64>.
const secretPrefix = "whsec_"

// FormatSecret returns a signing secret as the sender is given it.
func FormatSecret(secret []byte) string {
	return secretPrefix + base64.StdEncoding.EncodeToString(secret)
}

// ParseSecret reads a signing secret as FormatSecret writes it; it has 24 to 64 bytes.
func ParseSecret(s string) ([]byte, error) {
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, secretPrefix))
	if err != nil || len(secret) < 24 || len(secret) > 64 {
		return nil, errors.New("a signing secret is " + secretPrefix + " and 24 to 64 bytes in base64")
	}
	return secret, nil
}

// Sign returns the signature of a body by the scheme, as the header holds it.
func Sign(secret []byte, id string, at time.Time, body []byte) string {
	return "v1," + base64.StdEncoding.EncodeToString(digest(secret, id, strconv.FormatInt(at.Unix(), 10), body))
}

func digest(secret []byte, id, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return mac.Sum(nil)
}

// Verify implements Platform.
func (Standard) Verify(r Request, secrets [][]byte, now time.Time) error {
	id, timestamp := r.Header("webhook-id"), r.Header("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || id == "" {
		return ErrSignature
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > tolerance || age < -tolerance {
		return ErrSignature
	}
	// One pass over the body for each secret, however many signatures a stranger
	// sends, and one where there is no secret: time does not tell who exists.
	if len(secrets) == 0 {
		digest(make([]byte, sha256.Size), id, timestamp, r.Body)
		return ErrSignature
	}
	wanted := make([][]byte, len(secrets))
	for i, secret := range secrets {
		wanted[i] = digest(secret, id, timestamp, r.Body)
	}
	for _, signature := range strings.Fields(r.Header("webhook-signature")) {
		given, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(signature, "v1,"))
		if err != nil || !strings.HasPrefix(signature, "v1,") {
			continue
		}
		for _, want := range wanted {
			if hmac.Equal(given, want) {
				return nil
			}
		}
	}
	return ErrSignature
}

// standardBody is the body of the scheme's one event. Unknown fields are ignored.
type standardBody struct {
	Type string `json:"type"`
	Data struct {
		Order    string `json:"order"`
		Currency string `json:"currency"`
		Language string `json:"language"`
		Test     bool   `json:"test"`
		PaidAt   string `json:"paid_at"` // RFC 3339
		Customer struct {
			Name       string `json:"name"`
			FirstName  string `json:"first_name"`
			LastName   string `json:"last_name"`
			Email      string `json:"email"`
			Phone      string `json:"phone"`
			Company    string `json:"company"`
			Country    string `json:"country"`
			City       string `json:"city"`
			Zip        string `json:"zip"`
			Address    string `json:"address"`
			LicenseFor string `json:"license_for"`
			AddInfo    string `json:"add_info"`
		} `json:"customer"`
		Lines []struct {
			Line      string `json:"line"`
			Product   string `json:"product"`
			Title     string `json:"title"`
			Quantity  int    `json:"quantity"`
			UnitPrice string `json:"unit_price"`
		} `json:"lines"`
	} `json:"data"`
}

// Decode implements Platform.
func (Standard) Decode(body []byte) (Event, error) {
	var b standardBody
	if err := json.Unmarshal(body, &b); err != nil {
		field := &FieldError{Problem: "is not the JSON object that the documentation shows", Order: orderIn(body)}
		var mistyped *json.UnmarshalTypeError
		if errors.As(err, &mistyped) && mistyped.Field != "" {
			field.Field, field.Problem = mistyped.Field, "is not "+kinds[mistyped.Type.Kind().String()]
		}
		return Event{}, field
	}
	if b.Type == "" {
		return Event{}, &FieldError{Field: "type", Problem: "is missing: it says what happened, such as order.paid", Order: orderIn(body)}
	}
	paidAt := time.Time{}
	if b.Data.PaidAt != "" {
		var err error
		paidAt, err = time.Parse(time.RFC3339, b.Data.PaidAt)
		if year := paidAt.UTC().Year(); err != nil || year < 1 || year > 9999 { // no JSON could tell it
			return Event{}, &FieldError{Field: "data.paid_at", Problem: "is not a time such as 2026-01-02T15:04:05Z", Order: orderIn(body)}
		}
	}
	if b.Type != "order.paid" {
		return Event{Type: b.Type}, nil
	}
	event := Event{
		Type: b.Type, Paid: true, Within: "data.",
		Order: b.Data.Order, Test: b.Data.Test,
		Currency: strings.ToUpper(b.Data.Currency), Language: b.Data.Language, PaidAt: paidAt.UTC(),
		Customer: order.Customer(b.Data.Customer),
	}
	for _, line := range b.Data.Lines {
		event.Lines = append(event.Lines, Line{
			ID: line.Line, Product: line.Product, Title: line.Title, Quantity: line.Quantity, UnitPrice: line.UnitPrice,
		})
	}
	return event, nil
}

// orderIn finds the order's id in a body that could not be read whole, so that the
// merchant can be told which order it was; "" where there is none to be named.
func orderIn(body []byte) string {
	var b struct {
		Data struct {
			Order json.RawMessage `json:"order"`
		} `json:"data"`
	}
	if json.Unmarshal(body, &b) != nil {
		return ""
	}
	id := strings.Trim(string(b.Data.Order), `"`)
	if checkName(id) != "" || strings.ContainsAny(id, "{[\\\"") {
		return ""
	}
	return id
}

// kinds are the words for what a field should have been.
var kinds = map[string]string{
	"string": "a text in quotes", "int": "a whole number", "bool": "true or false",
	"struct": "an object", "slice": "a list",
}
