package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/aws/aws-lambda-go/events"

	"keypool/shared/job"
)

// handler turns messages into work on jobs.
type handler struct {
	worker worker
	queue  messageReturner
}

type worker interface {
	Handle(ctx context.Context, m job.Message) error
}

type messageReturner interface {
	ReturnMessage(ctx context.Context, receiptHandle string) error
}

// handle does the work that each message asks for.
func (h *handler) handle(ctx context.Context, payload json.RawMessage) (events.SQSEventResponse, error) {
	var response events.SQSEventResponse
	var event events.SQSEvent
	if err := json.Unmarshal(payload, &event); err != nil {
		return response, errors.New("an event of a queue that cannot be read") // the cause quotes it
	}
	for _, record := range event.Records {
		m, err := h.message(ctx, record.Body)
		outcome := job.OutcomeOf(err)
		if outcome == job.Done {
			continue
		}
		response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: record.MessageId})
		if outcome != job.Waiting {
			slog.ErrorContext(ctx, "job.deferred", "job", m.Job, "error", err)
			continue
		}
		slog.InfoContext(ctx, "job.interrupted", "job", m.Job)
		if err := h.queue.ReturnMessage(ctx, record.ReceiptHandle); err != nil {
			slog.WarnContext(ctx, "message.not_returned", "job", m.Job, "error", err) // it comes again when its time is up
		}
	}
	return response, nil
}

func (h *handler) message(ctx context.Context, body string) (job.Message, error) {
	var m job.Message
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		return job.Message{}, errUnreadable // the fields that were read cannot be trusted either
	}
	return m, h.worker.Handle(ctx, m)
}

// errUnreadable hides the cause, which quotes the message.
var errUnreadable = errors.New("a message that cannot be read")
