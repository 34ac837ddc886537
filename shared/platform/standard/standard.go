// Package standard is Keypool's own scheme, for shops and platforms that can send
// what Keypool documents: an order.paid event in JSON, signed as the Standard
// Webhooks specification says.
package standard

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"keypool/shared/order"
	"keypool/shared/platform"
)

// Adapter implements platform.Adapter. The signature is HMAC-SHA256 over
// id.timestamp.body; the header webhook-signature holds one or more, each as
// "v1,<base64>".
type Adapter struct{}

// tolerance is how far the sender's clock and ours may be apart.
const tolerance = 5 * time.Minute

// Sign returns the signature of a body, as the header holds it.
func Sign(key []byte, id string, at time.Time, body []byte) string {
	return "v1," + base64.StdEncoding.EncodeToString(digest(key, id, strconv.FormatInt(at.Unix(), 10), body))
}

func digest(key []byte, id, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return mac.Sum(nil)
}

// Verify implements platform.Adapter.
func (Adapter) Verify(r platform.Request, a platform.Account, now time.Time) (platform.Signed, error) {
	id, timestamp := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || id == "" {
		return platform.Signed{}, platform.ErrSignature
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > tolerance || age < -tolerance {
		return platform.Signed{}, platform.ErrSignature
	}
	// The body is hashed once for each secret, however many signatures a stranger
	// sends, and once where there is no secret: the time it takes does not tell
	// whether the account exists.
	if len(a.Secrets) == 0 {
		digest(make([]byte, sha256.Size), id, timestamp, r.Body)
		return platform.Signed{}, platform.ErrSignature
	}
	wanted := make([][]byte, len(a.Secrets))
	for i, secret := range a.Secrets {
		wanted[i] = digest(secret.Reveal(), id, timestamp, r.Body)
	}
	for _, signature := range strings.Fields(r.Header.Get("webhook-signature")) {
		given, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(signature, "v1,"))
		if err != nil || !strings.HasPrefix(signature, "v1,") {
			continue
		}
		for i, want := range wanted {
			if hmac.Equal(given, want) {
				return platform.Signed{Secret: i}, nil
			}
		}
	}
	return platform.Signed{}, platform.ErrSignature
}

// body is the body of the scheme's one event, order.paid. Unknown fields are ignored.
type body struct {
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

// Decode implements platform.Adapter. A body holds one event.
func (Adapter) Decode(_ context.Context, r platform.Request, _ platform.Account) ([]platform.Event, error) {
	event, err := decode(r.Body)
	if err != nil {
		return nil, err
	}
	return []platform.Event{event}, nil
}

func decode(raw []byte) (platform.Event, error) {
	var b body
	if err := json.Unmarshal(raw, &b); err != nil {
		field := &platform.FieldError{Problem: "is not the JSON object that the documentation shows", Order: orderIn(raw)}
		var mistyped *json.UnmarshalTypeError
		if errors.As(err, &mistyped) && mistyped.Field != "" {
			field.Field, field.Problem = mistyped.Field, "is not "+kinds[mistyped.Type.Kind().String()]
		}
		return nil, field
	}
	if b.Type == "" {
		return nil, &platform.FieldError{Field: "type", Problem: "is missing: it says what happened, such as order.paid", Order: orderIn(raw)}
	}
	paidAt := time.Time{}
	if b.Data.PaidAt != "" {
		var err error
		paidAt, err = time.Parse(time.RFC3339, b.Data.PaidAt)
		if year := paidAt.UTC().Year(); err != nil || year < 1 || year > 9999 { // JSON has no form for other years
			return nil, &platform.FieldError{Field: "data.paid_at", Problem: "is not a time such as 2026-01-02T15:04:05Z", Order: orderIn(raw)}
		}
	}
	if b.Type != "order.paid" {
		return platform.Ignored{Type: b.Type}, nil
	}
	paid := platform.Paid{
		Within: "data.",
		Order:  b.Data.Order, Test: b.Data.Test,
		Currency: strings.ToUpper(b.Data.Currency), Language: b.Data.Language, PaidAt: paidAt.UTC(),
		Customer: order.Customer(b.Data.Customer),
	}
	for _, line := range b.Data.Lines {
		paid.Lines = append(paid.Lines, platform.Line{
			ID: line.Line, Product: line.Product, Title: line.Title, Quantity: line.Quantity, UnitPrice: line.UnitPrice,
		})
	}
	return paid, nil
}

// orderIn finds the order's id in a body that cannot be decoded, so that the
// merchant can be told which order it is about. It returns "" if it finds none.
func orderIn(raw []byte) string {
	var b struct {
		Data struct {
			Order json.RawMessage `json:"order"`
		} `json:"data"`
	}
	if json.Unmarshal(raw, &b) != nil {
		return ""
	}
	id := strings.Trim(string(b.Data.Order), `"`)
	if platform.CheckID(id) != "" || strings.ContainsAny(id, "{[\\\"") {
		return ""
	}
	return id
}

// kinds are the types of JSON, in the words of a problem.
var kinds = map[string]string{
	"string": "a text in quotes", "int": "a whole number", "bool": "true or false",
	"struct": "an object", "slice": "a list",
}
