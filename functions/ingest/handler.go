package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/aws/aws-lambda-go/events"

	"keypool/shared/job"
	"keypool/shared/upload"
)

// handler turns events of the upload bucket and messages of the queue of ranges into
// work on uploads.
type handler struct {
	worker worker
	queue  messageReturner
}

type worker interface {
	Receive(ctx context.Context, o upload.Object) error
	Handle(ctx context.Context, m upload.Message) error
}

type messageReturner interface {
	ReturnMessage(ctx context.Context, receiptHandle string) error
}

// event holds the field that both sources have in common. Other events, such as the
// bucket's test of its notification, have no records.
type event struct {
	Records []struct {
		EventSource string `json:"eventSource"`
	}
}

func (h *handler) handle(ctx context.Context, payload json.RawMessage) (any, error) {
	var e event
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, errors.New("an event that is no event of a bucket or a queue")
	}
	if len(e.Records) == 0 {
		return nil, nil
	}
	switch e.Records[0].EventSource {
	case "aws:s3":
		var dropped events.S3Event
		if err := json.Unmarshal(payload, &dropped); err != nil {
			return nil, errors.New("an event of a bucket that cannot be read")
		}
		return nil, h.dropped(ctx, dropped)
	case "aws:sqs":
		var messages events.SQSEvent
		if err := json.Unmarshal(payload, &messages); err != nil {
			return nil, errors.New("an event of a queue that cannot be read")
		}
		return h.messages(ctx, messages), nil
	default:
		return nil, errors.New("an event of neither a bucket nor a queue")
	}
}

// dropped receives the objects of an event. If one of them fails, Lambda sends the
// event again and, after its last try, puts it in the dead-letter queue. The other
// objects are then done, or resumed.
func (h *handler) dropped(ctx context.Context, event events.S3Event) error {
	var failed []error
	for _, record := range event.Records {
		object := upload.Object{
			Bucket:  record.S3.Bucket.Name,
			Name:    record.S3.Object.URLDecodedKey,
			Version: record.S3.Object.VersionID,
		}
		if err := h.worker.Receive(ctx, object); err != nil {
			slog.ErrorContext(ctx, "upload.deferred", "version", object.Version, "error", err)
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// messages does the work that each message asks for.
func (h *handler) messages(ctx context.Context, event events.SQSEvent) events.SQSEventResponse {
	var response events.SQSEventResponse
	for _, record := range event.Records {
		m, err := h.message(ctx, record.Body)
		outcome := job.OutcomeOf(err)
		if outcome == job.Done {
			continue
		}
		response.BatchItemFailures = append(response.BatchItemFailures,
			events.SQSBatchItemFailure{ItemIdentifier: record.MessageId})
		switch outcome {
		case job.Waiting:
			slog.InfoContext(ctx, "range.interrupted", "upload", m.Upload, "range", m.Range)
			if err := h.queue.ReturnMessage(ctx, record.ReceiptHandle); err != nil {
				slog.WarnContext(ctx, "message.not_returned", "upload", m.Upload, "error", err) // it comes again when its time is up
			}
		default:
			slog.ErrorContext(ctx, "range.deferred", "upload", m.Upload, "range", m.Range, "error", err)
		}
	}
	return response
}

func (h *handler) message(ctx context.Context, body string) (upload.Message, error) {
	var m upload.Message
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		return upload.Message{}, errUnreadable // the fields that were read cannot be trusted either
	}
	return m, h.worker.Handle(ctx, m)
}

// errUnreadable hides the cause, which quotes the message.
var errUnreadable = errors.New("a message that cannot be read")
