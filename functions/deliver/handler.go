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

// handler turns records of the orders' stream into mails, and events of SES into
// feedback of mails.
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
		return nil, h.feedback(ctx, event)
	}
	return h.records(ctx, event)
}

// records mails the items that are due according to the records of the stream. It
// returns the numbers of the records that Lambda is to send again.
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
		about := []any{"item", string(items[i].Kind), "id", items[i].ID, "error", err}
		switch outcomeOf(err) {
		case done:
		case again:
			slog.WarnContext(ctx, "mail.deferred", about...)
			for _, number := range sequence[i] {
				response.BatchItemFailures = append(response.BatchItemFailures, events.DynamoDBBatchItemFailure{ItemIdentifier: number})
			}
		case parked:
			slog.ErrorContext(ctx, "mail.parked", about...)
		}
	}
	return response, nil
}

// outcome is what becomes of a record or an event.
type outcome string

const (
	done   outcome = "done"
	again  outcome = "again"  // Lambda sends it again: a record together with those after it
	parked outcome = "parked" // it would only hold up the others; the sweep comes back to the item
)

// outcomes sorts the errors of a mail. Every other error is temporary: again.
var outcomes = []struct {
	err error
	is  outcome
}{
	{nil, done},
	{outbox.ErrUnreadable, parked},
	{retry.ErrChanged, parked}, // another function is at work on the item
}

func outcomeOf(err error) outcome {
	for _, known := range outcomes {
		if errors.Is(err, known.err) {
			return known.is
		}
	}
	return again
}

// sesEvent is an event that SES puts on the bus, with the fields that are read here.
type sesEvent struct {
	Time   time.Time `json:"time"` // a whole second
	Detail struct {
		EventType string `json:"eventType"`
		Mail      struct {
			MessageID string              `json:"messageId"`
			SentAt    time.Time           `json:"timestamp"`
			Tags      map[string][]string `json:"tags"`
		} `json:"mail"`
		Delivery struct {
			At time.Time `json:"timestamp"`
		} `json:"delivery"`
		Bounce struct {
			At      time.Time `json:"timestamp"`
			Type    string    `json:"bounceType"`
			SubType string    `json:"bounceSubType"`
		} `json:"bounce"`
		Complaint struct {
			At       time.Time `json:"timestamp"`
			SubType  string    `json:"complaintSubType"`
			Feedback string    `json:"complaintFeedbackType"`
		} `json:"complaint"`
		Delay struct {
			At   time.Time `json:"timestamp"`
			Type string    `json:"delayType"`
		} `json:"deliveryDelay"`
	} `json:"detail"`
}

// at returns when it happened, to the millisecond where SES says so. By the time of the event
// a mail would have arrived before it was sent, or before its order was paid.
func (e sesEvent) at() time.Time {
	d := e.Detail
	said := map[string]time.Time{
		"Send": d.Mail.SentAt, "Delivery": d.Delivery.At, "DeliveryDelay": d.Delay.At, "Bounce": d.Bounce.At, "Complaint": d.Complaint.At,
	}[d.EventType]
	if said.IsZero() {
		return e.Time
	}
	return said
}

// feedback applies an event of SES. Mails of other programs may go through the same
// account: their events are ignored.
func (h *handler) feedback(ctx context.Context, event json.RawMessage) error {
	var e sesEvent
	if err := json.Unmarshal(event, &e); err != nil {
		return errors.New("an event of SES that cannot be read") // the cause quotes it
	}
	kind, code, ok := e.kind()
	if !ok {
		return nil
	}
	item, number, ok := mail.ItemOf(e.Detail.Mail.Tags)
	if !ok {
		slog.InfoContext(ctx, "feedback.ignored", "event_kind", string(kind))
		return nil
	}
	err := h.mailer.ApplyFeedback(ctx, delivery.Feedback{
		Item: item, Number: number, Event: kind, At: e.at(), MessageID: e.Detail.Mail.MessageID, Code: code,
	})
	about := []any{"item", string(item.Kind), "id", item.ID, "event_kind", string(kind), "error", err}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, outbox.ErrUnreadable):
		slog.ErrorContext(ctx, "feedback.dropped", about...)
		return nil
	default: // no sweep comes back to an event: Lambda repeats it, then it is a dead letter
		slog.WarnContext(ctx, "feedback.deferred", about...)
		return err
	}
}

// kind returns the kind of the event and SES's words for its reason. It is not ok
// for an event that changes nothing.
func (e sesEvent) kind() (kind order.EventKind, code string, ok bool) {
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
		// SES suppresses an address that once complained: it takes the mail and does not
		// send it. Nobody called this mail spam, and nobody has it.
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
