package standard

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"keypool/shared/platform"
)

// TestOrder returns the webhook by which a shop reports a paid order of the test side, signed by
// the key of its account. A live order is reported as a test all the same.
func TestOrder(key []byte, at time.Time, paid platform.Paid) platform.Request {
	type line struct {
		Line     string `json:"line"`
		Product  string `json:"product"`
		Title    string `json:"title,omitempty"`
		Quantity int    `json:"quantity"`
	}
	type customer struct {
		Name  string `json:"name,omitempty"`
		Email string `json:"email"`
	}
	type data struct {
		Order    string    `json:"order"`
		Currency string    `json:"currency,omitempty"`
		Language string    `json:"language,omitempty"`
		Test     bool      `json:"test"`
		PaidAt   time.Time `json:"paid_at"`
		Customer customer  `json:"customer"`
		Lines    []line    `json:"lines"`
	}
	order := data{
		Order: paid.Order, Currency: paid.Currency, Language: paid.Language, Test: true, PaidAt: at.UTC().Truncate(time.Millisecond),
		Customer: customer{paid.Customer.Name, paid.Customer.Email},
	}
	for _, l := range paid.Lines {
		order.Lines = append(order.Lines, line{l.ID, l.Product, l.Title, l.Quantity})
	}
	body, err := json.Marshal(struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      data      `json:"data"`
	}{typePaid, at.UTC().Truncate(time.Second), order})
	if err != nil {
		panic(err) // of texts, numbers and times of these centuries: it does not fail
	}
	r := platform.Request{Header: http.Header{}, Body: body}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("webhook-id", paid.Order)
	r.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	r.Header.Set("webhook-signature", Sign(key, paid.Order, at, body))
	return r
}
