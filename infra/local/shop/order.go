package shop

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"keypool/shared/platform"
	"keypool/shared/platform/standard"
)

// AccountName is the merchant's account with Keypool's own scheme.
const AccountName = "standard"

// Order is a paid order, as the payment platform sends it.
type Order struct {
	ID       string
	Email    string
	Name     string
	Currency string
	Language string
	Test     bool
	Lines    []Line
}

// Line is one product of an order.
type Line struct {
	ID        string `json:"line,omitempty"`
	Product   string `json:"product"`
	Original  string `json:"original,omitempty"` // what a dynamic product was made from
	Title     string `json:"title,omitempty"`
	Quantity  int    `json:"quantity"`
	UnitPrice string `json:"unit_price,omitempty"`
}

// Body returns the order as an order.paid event in JSON.
func (o Order) Body() []byte {
	type customer struct {
		Name  string `json:"name,omitempty"`
		Email string `json:"email"`
	}
	type data struct {
		Order    string   `json:"order"`
		Currency string   `json:"currency,omitempty"`
		Language string   `json:"language,omitempty"`
		Test     bool     `json:"test,omitempty"`
		Customer customer `json:"customer"`
		Lines    []Line   `json:"lines"`
	}
	body, err := json.Marshal(struct {
		Type string `json:"type"`
		Data data   `json:"data"`
	}{"order.paid", data{o.ID, o.Currency, o.Language, o.Test, customer{o.Name, o.Email}, o.Lines}})
	if err != nil {
		panic(err) // texts and numbers always encode
	}
	return body
}

// Account is a merchant's account with the payment platform.
type Account struct {
	Merchant string
	Secret   string // whsec_…
}

// Path returns the path of the account's webhook.
func (a Account) Path() string { return "/webhooks/" + a.Merchant + "/" + AccountName }

// Sign returns the request that the platform sends at a time.
func (a Account) Sign(body []byte, at time.Time) (Request, error) {
	secret, err := platform.ParseSecret(a.Secret)
	if err != nil {
		return Request{}, err
	}
	id := "msg_" + rand.Text()
	return Request{
		Method: http.MethodPost, Path: a.Path(), Body: body,
		Header: http.Header{
			"Content-Type":      {"application/json"},
			"Webhook-Id":        {id},
			"Webhook-Timestamp": {strconv.FormatInt(at.Unix(), 10)},
			"Webhook-Signature": {standard.Sign(secret, id, at, body)},
		},
	}, nil
}

// Reply is Keypool's response to a paid order.
type Reply struct {
	Order string      `json:"order"`
	Lines []ReplyLine `json:"lines"`
}

// ReplyLine is the state of one line.
type ReplyLine struct {
	Line      string `json:"line"`
	Product   string `json:"product"`
	State     string `json:"state"`
	Wanted    int    `json:"wanted"`
	Allocated int    `json:"allocated"`
}

// Pay sends the order once.
func (s *Shop) Pay(ctx context.Context, a Account, o Order) (Reply, Answer, error) {
	request, err := a.Sign(o.Body(), time.Now())
	if err != nil {
		return Reply{}, Answer{}, err
	}
	answer, err := s.Do(ctx, request)
	if err != nil {
		return Reply{}, answer, err
	}
	if err := answer.Refused(); err != nil {
		return Reply{}, answer, err
	}
	var reply Reply
	return reply, answer, answer.Decode(&reply)
}

// Curl returns a shell command that sends the body as Pay does, and signs it with
// openssl when it is run. The command takes its settings from .local/env.
func (a Account) Curl(address string, body []byte, secretVariable string) string {
	return fmt.Sprintf(`body=%s
id=msg_$(openssl rand -hex 12) at=$(date +%%s)
key=$(printf %%s "${%s#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
signature=$(printf '%%s.%%s.%%s' "$id" "$at" "$body" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A)
curl -sS -H 'content-type: application/json' -H "webhook-id: $id" -H "webhook-timestamp: $at" \
  -H "webhook-signature: v1,$signature" --data-binary "$body" %s`,
		Quote(string(body)), secretVariable, address+a.Path())
}

// ConnectCurl returns a shell command that sets up a product, fed by a pool. The command
// takes its settings from .local/env.
func ConnectCurl(product, pool string) string {
	body, err := json.Marshal(struct {
		Title string `json:"title"`
		Pool  string `json:"pool"`
	}{product, pool})
	if err != nil {
		panic(err) // texts always encode
	}
	return fmt.Sprintf(`curl -sS -X PUT -H "Authorization: Bearer $KEYPOOL_TOKEN" -H 'content-type: application/json' \
  -d %s "$KEYPOOL_URL"/v1/products/%s`, Quote(string(body)), Quote(url.PathEscape(product)))
}

// Quote quotes a text for the shell.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
