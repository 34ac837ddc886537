package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/platform"
	"keypool/shared/settings"
	"keypool/shared/web/rest"
)

// CapturedWebhook is a webhook that was captured.
type CapturedWebhook struct {
	Headers    map[string]string `json:"headers,omitempty" doc:"All headers that came, by their names; of one that came twice, the values with a comma between."`
	Body       string            `json:"body" maxLength:"1400000" doc:"The body as it came, byte by byte: the signature is over it."`
	Base64     bool              `json:"base64,omitempty" doc:"The body is written in base64."`
	ReceivedAt time.Time         `json:"received_at,omitzero" doc:"When it came, for a webhook whose signature is good for minutes; now where left out."`
	Settings   AccountSettings   `json:"settings,omitempty" doc:"Settings to try in the place of the account's. They are not stored."`
}

// Trial says what Keypool would make of a webhook.
type Trial struct {
	OK     bool         `json:"ok" doc:"Every step is right: sent to webhook_path, the webhook would be taken."`
	Steps  []TrialStep  `json:"steps" nullable:"false" doc:"In their order. Those after one that fails are tried as well."`
	Events []TrialEvent `json:"events" nullable:"false" doc:"What the webhook reports, as far as it can be read."`
}

// TrialStep is a step of taking a webhook.
type TrialStep struct {
	Step string `json:"step" example:"secret" doc:"Such as signature, time, secret, body, order."`
	OK   bool   `json:"ok"`
	Says string `json:"says" doc:"What was found; or what is wrong, and what to do."`
}

// TrialEvent is an event that a webhook reports.
type TrialEvent struct {
	Event         string      `json:"event" enum:"paid,returned,disputed,recorded,ignored" doc:"recorded: it only stands in the history of its line."`
	Type          string      `json:"type,omitempty" doc:"Of a recorded or an ignored event: its name, as the platform writes it."`
	Told          bool        `json:"told,omitempty" doc:"Of an ignored event: the merchant would be told of it."`
	Order         string      `json:"order,omitempty"`
	ID            string      `json:"id,omitempty" doc:"Of a refund or a dispute."`
	Test          bool        `json:"test,omitempty" doc:"Of a test order, which gets test keys."`
	State         string      `json:"state,omitempty" doc:"Of a dispute: open, won or lost."`
	All           bool        `json:"all,omitempty" doc:"Of a refund: of the whole order."`
	Failed        bool        `json:"failed,omitempty" doc:"Of a refund: it failed, and the money is not back."`
	Amount        string      `json:"amount,omitempty" doc:"Of a refund that names no lines."`
	Currency      string      `json:"currency,omitempty"`
	Language      string      `json:"language,omitempty"`
	PaidAt        time.Time   `json:"paid_at,omitzero"`
	Customer      *Customer   `json:"customer,omitempty"`
	Lines         []TrialLine `json:"lines,omitempty" nullable:"false"`
	IgnoredFields []string    `json:"ignored_fields,omitempty" nullable:"false" doc:"Fields that are only shown, and cannot be read."`
}

// TrialLine is a line of an order, and what it would get; or what is given back of it.
type TrialLine struct {
	Line      string `json:"line"`
	Product   string `json:"product,omitempty"`
	Title     string `json:"title,omitempty"`
	Quantity  int    `json:"quantity,omitempty" doc:"Of a refund: all units that are left, where left out."`
	UnitPrice string `json:"unit_price,omitempty"`
	Would     string `json:"would,omitempty" enum:"get_keys,get_code,mail_parent_keys,wait_unconnected,be_held,be_skipped" doc:"get_keys: keys of its pool, if there are enough; else it waits for them. get_code: the code of its product. mail_parent_keys: none of its own; it is mailed those of the order that it renews. wait_unconnected: no pool feeds its product. be_held: it was paid before the account delivers (delivers_from), and gets nothing until it is released; or it says no mail address, and gets nothing until the shop tells one. be_skipped: nothing is stored of it."`
	Parent    string `json:"parent,omitempty" doc:"The order whose keys it would be mailed."`
	Pool      string `json:"pool,omitempty" doc:"The pool that feeds it."`
	Keys      int    `json:"keys,omitempty" doc:"Keys that it would get."`
}

var (
	sampleCaptured = CapturedWebhook{
		Headers: map[string]string{
			"webhook-id": "msg_1", "webhook-timestamp": "1767366245", "webhook-signature": "v1,6zEnHMz3628h/pUrsnjOZzPqncnghOjuIDkjCeXgf8Q=",
		},
		Body:       `{"type":"order.paid","data":{"order":"10001","currency":"EUR","customer":{"email":"ada@example.com"},"lines":[{"line":"1","product":"4711","quantity":2}]}}`,
		ReceivedAt: time.Date(2026, 1, 2, 15, 4, 6, 0, time.UTC),
	}
	sampleTrial = Trial{
		Steps: []TrialStep{
			{Step: "signature", Says: "It has the form of this platform's signatures and is of this time, and none of the account's secrets signed it. Compare the secret with the platform's, and see that the body is what came, byte by byte."},
			{Step: "body", OK: true, Says: "It reports a paid order."},
			{Step: "order", OK: true, Says: "It can be taken."},
		},
		Events: []TrialEvent{{
			Event: "paid", Order: "10001", Currency: "EUR", Customer: &Customer{Email: "ada@example.com"},
			Lines: []TrialLine{{Line: "1", Product: "4711", Quantity: 2, Would: "get_keys", Pool: "elden", Keys: 2}},
		}},
	}
)

type dryRun struct {
	AccountPath
	Body CapturedWebhook
}

// request returns the webhook, and the mistake in it.
func (in *dryRun) request() (platform.Request, error) {
	r := platform.Request{Header: http.Header{}, Body: []byte(in.Body.Body)}
	for name, value := range in.Body.Headers {
		r.Header.Add(name, value)
	}
	if in.Body.Base64 {
		body, err := base64.StdEncoding.DecodeString(in.Body.Body)
		if err != nil {
			return r, fmt.Errorf("is not base64; leave base64 out if the body is text")
		}
		r.Body = body
	}
	if len(r.Body) > platform.MaxBody {
		return r, fmt.Errorf("is longer than the %d bytes of a webhook", platform.MaxBody)
	}
	return r, nil
}

// Resolve reports mistakes of meaning together with huma's own, of form.
func (in *dryRun) Resolve(huma.Context) []error {
	if _, err := in.request(); err != nil {
		return rest.Mistakes([]settings.Problem{{Path: "body", Message: err.Error()}}, nil)
	}
	return nil
}

func (a *api) addDryRun(to *rest.API) {
	rest.Register(to, huma.Operation{
		OperationID: "dry-run", Method: http.MethodPost, Path: "/v1/accounts/{account}/dry-run", Tags: []string{"Accounts"},
		MaxBodyBytes: 4 * platform.MaxBody, // a body in JSON, whose quotes are escaped
		Summary:      "Say what Keypool would make of a webhook",
		Description:  "Takes a webhook of the account's platform as it was captured, and says which step of taking it fails, and which events it reports. Nothing is stored and no key is taken, no secret is shown, and no API of the platform is called. Settings can be tried before they are set.",
		Errors:       []int{404},
		RequestBody:  rest.Request(sampleCaptured), Responses: to.Responses(sampleTrial, 200),
	}, a.dryRun)
}

func (a *api) dryRun(ctx context.Context, in *dryRun) (*rest.Body[Trial], error) {
	request, err := in.request()
	if err != nil {
		return nil, err
	}
	found, err := a.trials.Run(ctx, settings.Captured{
		Merchant: caller(ctx), Account: in.Account, Request: request, At: in.Body.ReceivedAt, Settings: json.RawMessage(in.Body.Settings),
	})
	return &rest.Body[Trial]{Body: newTrial(found)}, err
}

func newTrial(found settings.Trial) Trial {
	trial := Trial{OK: found.OK(), Steps: []TrialStep{}, Events: []TrialEvent{}}
	for _, step := range found.Steps {
		trial.Steps = append(trial.Steps, TrialStep{step.Name, step.OK, step.Says})
	}
	lines := found.Lines
	for _, event := range found.Events {
		switch event := event.(type) {
		case platform.Paid:
			trial.Events = append(trial.Events, newTrialPaid(event, lines[:len(event.Lines)]))
			lines = lines[len(event.Lines):]
		case platform.Returned:
			returned := TrialEvent{
				Event: "returned", Order: event.Order, ID: event.ID, Test: event.Test, All: event.All, Failed: event.Failed, Amount: event.Amount, Currency: event.Currency,
			}
			for _, line := range event.Lines {
				returned.Lines = append(returned.Lines, TrialLine{Line: line.ID, Quantity: line.Quantity})
			}
			trial.Events = append(trial.Events, returned)
		case platform.Disputed:
			trial.Events = append(trial.Events, TrialEvent{Event: "disputed", Order: event.Order, ID: event.ID, Test: event.Test, State: string(event.State)})
		case platform.Recorded:
			trial.Events = append(trial.Events, TrialEvent{
				Event: "recorded", Type: event.Type, Order: event.Order, Test: event.Test, Lines: []TrialLine{{Line: event.Line}},
			})
		case platform.Ignored:
			trial.Events = append(trial.Events, TrialEvent{Event: "ignored", Type: event.Type, Told: event.Unknown})
		}
	}
	return trial
}

func newTrialPaid(paid platform.Paid, would []settings.LineTrial) TrialEvent {
	c := paid.Customer
	event := TrialEvent{
		Event: "paid", Order: paid.Order, Test: paid.Test, Currency: paid.Currency, Language: paid.Language, PaidAt: paid.PaidAt, IgnoredFields: paid.IgnoredFields,
		Customer: &Customer{Name: c.Name, Email: c.Email, Phone: c.Phone, Company: c.Company, Country: c.Country},
	}
	for i, line := range paid.Lines {
		to := TrialLine{Line: line.ID, Product: line.Product, Title: line.Title, Quantity: line.Quantity, UnitPrice: line.UnitPrice, Parent: would[i].Parent, Pool: would[i].Pool, Keys: would[i].Keys}
		switch {
		case would[i].Skipped != "":
			to.Would = "be_skipped"
		case would[i].Held:
			to.Would = "be_held"
		case would[i].Parent != "":
			to.Would = "mail_parent_keys"
		case would[i].Code:
			to.Would = "get_code"
		case would[i].Pool == "":
			to.Would = "wait_unconnected"
		default:
			to.Would = "get_keys"
		}
		event.Lines = append(event.Lines, to)
	}
	for _, line := range paid.SkippedLines {
		event.Lines = append(event.Lines, TrialLine{Line: line, Would: "be_skipped"})
	}
	return event
}
