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

// handler turns the bucket's events and the messages of the ranges queue into
// work on uploads.
type handler struct {
	worker worker
	queue  giver
}

type worker interface {
	Receive(ctx context.Context, o upload.Object) error
	Handle(ctx context.Context, m upload.Message) error
}

type giver interface {
	GiveBack(ctx context.Context, receiptHandle string) error
}

// event is what both sources have in common. Other events, such as the bucket's
// test of its notification, have no records.
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

// dropped takes in the objects of an event. If one fails, Lambda repeats the
// event, and after its last try puts it in the dead-letter queue; the others are
// finished or go on where they stand.
func (h *handler) dropped(ctx context.Context, event events.S3Event) error {
	var failed []error
	for _, record := range event.Records {
		object := upload.Object{
			Bucket:  record.S3.Bucket.Name,
			Name:    record.S3.Object.URLDecodedKey,
			Version: record.S3.Object.VersionID,
		}
		if err := h.worker.Receive(ctx, object); err != nil {
			slog.ErrorContext(ctx, "not taken in, Lambda will repeat", "version", object.Version, "error", err)
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// messages does what each message asks for. One that ran out of time goes back
// to the queue, to be taken up at once; one that failed, when its time is up.
// After many tries the queue puts it aside, and the sweep asks anew.
func (h *handler) messages(ctx context.Context, event events.SQSEvent) events.SQSEventResponse {
	var response events.SQSEventResponse
	for _, record := range event.Records {
		var m upload.Message
		err := json.Unmarshal([]byte(record.Body), &m)
		if err != nil {
			m, err = upload.Message{}, errors.New("a message that cannot be read") // nor can what was read of it be trusted
		} else {
			err = h.worker.Handle(ctx, m)
		}
		if err == nil {
			continue
		}
		response.BatchItemFailures = append(response.BatchItemFailures,
			events.SQSBatchItemFailure{ItemIdentifier: record.MessageId})
		if !errors.Is(err, job.ErrUnfinished) {
			slog.ErrorContext(ctx, "not done, the queue will repeat", "upload", m.Upload, "range", m.Range, "error", err)
			continue
		}
		slog.InfoContext(ctx, "out of time, goes on in the next call", "upload", m.Upload, "range", m.Range)
		if err := h.queue.GiveBack(ctx, record.ReceiptHandle); err != nil {
			slog.WarnContext(ctx, "not given back, seen again when its time is up", "upload", m.Upload, "error", err)
		}
	}
	return response
}
