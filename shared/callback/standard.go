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
	for _, signature := range strings.Fields(r.Header("webhook-signature")) {
		given, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(signature, "v1,"))
		if err != nil || !strings.HasPrefix(signature, "v1,") {
			continue
		}
		for _, secret := range secrets {
			if hmac.Equal(given, digest(secret, id, timestamp, r.Body)) {
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
		Order    string    `json:"order"`
		Currency string    `json:"currency"`
		Language string    `json:"language"`
		Test     bool      `json:"test"`
		PaidAt   time.Time `json:"paid_at"`
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
		var mistyped *json.UnmarshalTypeError
		if errors.As(err, &mistyped) && mistyped.Field != "" {
			return Event{}, &FieldError{Field: mistyped.Field, Problem: "is not " + kinds[mistyped.Type.Kind().String()], Order: b.Data.Order}
		}
		var badTime *time.ParseError
		if errors.As(err, &badTime) {
			return Event{}, &FieldError{Field: "data.paid_at", Problem: "is not a time such as 2026-01-02T15:04:05Z", Order: b.Data.Order}
		}
		return Event{}, &FieldError{Problem: "is not the JSON object that the documentation shows"}
	}
	if b.Type == "" {
		return Event{}, &FieldError{Field: "type", Problem: "is missing: it says what happened, such as order.paid", Order: b.Data.Order}
	}
	if b.Type != "order.paid" {
		return Event{Type: b.Type}, nil
	}
	event := Event{
		Type: b.Type, Paid: true, Within: "data.",
		Order: b.Data.Order, Test: b.Data.Test,
		Currency: strings.ToUpper(b.Data.Currency), Language: b.Data.Language, PaidAt: b.Data.PaidAt.UTC(),
		Customer: order.Customer(b.Data.Customer),
	}
	for _, line := range b.Data.Lines {
		event.Lines = append(event.Lines, Line{
			ID: line.Line, Product: line.Product, Title: line.Title, Quantity: line.Quantity, UnitPrice: line.UnitPrice,
		})
	}
	return event, nil
}

// kinds are the words for what a field should have been.
var kinds = map[string]string{
	"string": "a text in quotes", "int": "a whole number", "bool": "true or false",
	"struct": "an object", "slice": "a list",
}
