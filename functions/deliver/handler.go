package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keypool/shared/delivery"
	"keypool/shared/dynamo"
	"keypool/shared/mail"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/retry"
)

// handler turns records of the orders' stream and events of SES into mails and
// news of them.
type handler struct {
	mailer mailer
	now    func() time.Time
}

type mailer interface {
	Mail(ctx context.Context, items []outbox.Item) []error
	ApplyFeedback(ctx context.Context, f delivery.Feedback) error
}

// handle takes both kinds of event that the function is called with.
func (h *handler) handle(ctx context.Context, event json.RawMessage) (any, error) {
	var kind struct {
		Records    json.RawMessage `json:"Records"`
		DetailType string          `json:"detail-type"`
	}
	if err := json.Unmarshal(event, &kind); err != nil {
		return nil, errors.New("an event that is no JSON object")
	}
	if kind.Records == nil {
		return nil, h.news(ctx, event)
	}
	return h.records(ctx, event)
}

// records mails what the records of the stream say is due, and names those that
// shall be seen again.
func (h *handler) records(ctx context.Context, event json.RawMessage) (events.DynamoDBEventResponse, error) {
	var response events.DynamoDBEventResponse
	var stream events.DynamoDBEvent
	if err := json.Unmarshal(event, &stream); err != nil {
		return response, errors.New("records of a stream that cannot be read") // the cause quotes them
	}
	var items []outbox.Item
	var sequence [][]string // of the records that name each item
	place := map[outbox.Item]int{}
	for _, record := range stream.Records {
		item, ok := dynamo.DueMail(record.Change, h.now())
		if !ok {
			continue
		}
		if _, known := place[item]; !known {
			place[item] = len(items)
			items, sequence = append(items, item), append(sequence, nil)
		}
		sequence[place[item]] = append(sequence[place[item]], record.Change.SequenceNumber)
	}
	for i, err := range h.mailer.Mail(ctx, items) {
		switch outcomeOf(err) {
		case done:
		case again:
			slog.WarnContext(ctx, "not mailed, tried again", "item", string(items[i].Kind), "id", items[i].ID, "error", err)
			for _, number := range sequence[i] {
				response.BatchItemFailures = append(response.BatchItemFailures, events.DynamoDBBatchItemFailure{ItemIdentifier: number})
			}
		case parked:
			slog.ErrorContext(ctx, "not mailed, left to the sweep", "item", string(items[i].Kind), "id", items[i].ID, "error", err)
		}
	}
	return response, nil
}

// outcome is what becomes of a record.
type outcome string

const (
	done   outcome = "done"
	again  outcome = "again"  // seen again with the records after it
	parked outcome = "parked" // it would only hold those up; the sweep comes back to it
)

// outcomes sorts errors; any other passes, and is tried again.
var outcomes = []struct {
	err error
	is  outcome
}{
	{nil, done},
	{outbox.ErrUnreadable, parked},
	{retry.ErrChanged, parked}, // whoever keeps changing it is at work on it
}

func outcomeOf(err error) outcome {
	for _, known := range outcomes {
		if errors.Is(err, known.err) {
			return known.is
		}
	}
	return again
}

// sesEvent is what SES puts on the bus, as far as we read it.
type sesEvent struct {
	Time   time.Time `json:"time"`
	Detail struct {
		EventType string `json:"eventType"`
		Mail      struct {
			MessageID string              `json:"messageId"`
			Tags      map[string][]string `json:"tags"`
		} `json:"mail"`
		Bounce struct {
			Type    string `json:"bounceType"`
			SubType string `json:"bounceSubType"`
		} `json:"bounce"`
		Complaint struct {
			SubType  string `json:"complaintSubType"`
			Feedback string `json:"complaintFeedbackType"`
		} `json:"complaint"`
		Delay struct {
			Type string `json:"delayType"`
		} `json:"deliveryDelay"`
	} `json:"detail"`
}

// news takes in an event of SES. One that is not about a mail of ours is no
// concern of ours: mails of others may go through the same account.
func (h *handler) news(ctx context.Context, event json.RawMessage) error {
	var said sesEvent
	if err := json.Unmarshal(event, &said); err != nil {
		return errors.New("an event of SES that cannot be read") // the cause quotes it
	}
	what, code, ok := said.what()
	if !ok {
		return nil
	}
	item, mail, ok := mail.ItemOf(said.Detail.Mail.Tags)
	if !ok {
		slog.InfoContext(ctx, "news of a mail that is not ours", "what", string(what))
		return nil
	}
	err := h.mailer.ApplyFeedback(ctx, delivery.Feedback{
		Item: item, Number: mail, Event: what, At: said.Time, MessageID: said.Detail.Mail.MessageID, Code: code,
	})
	switch outcomeOf(err) {
	case done:
		return nil
	case parked:
		slog.ErrorContext(ctx, "news of a mail not taken in", "item", string(item.Kind), "id", item.ID, "what", string(what), "error", err)
		return nil
	default:
		slog.WarnContext(ctx, "news of a mail not taken in, tried again", "item", string(item.Kind), "id", item.ID, "what", string(what), "error", err)
		return err
	}
}

// what says what happened and, in SES's words, why; not ok if it changes nothing.
func (e sesEvent) what() (what order.EventKind, code string, ok bool) {
	d := e.Detail
	switch d.EventType {
	case "Send":
		return order.MailSent, "", true
	case "Delivery":
		return order.MailDelivered, "", true
	case "DeliveryDelay":
		return order.MailDelayed, d.Delay.Type, true
	case "Bounce":
		return order.MailBounced, d.Bounce.Type + "/" + d.Bounce.SubType, true
	case "Complaint":
		// An address that once complained is suppressed: SES took the mail and did
		// not send it. Nobody called this one spam, and nobody has it.
		if d.Complaint.SubType != "" {
			return order.MailBounced, "Complaint/" + d.Complaint.SubType, true
		}
		return order.MailComplained, d.Complaint.Feedback, true
	case "Reject", "Rendering Failure":
		return order.MailFailed, d.EventType, true
	default:
		return "", "", false
	}
}
