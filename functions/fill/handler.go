package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keypool/shared/job"
	"keypool/shared/order"
)

// handler fills the queues that the messages of an event name.
type handler struct {
	filler filler
	queue  messageReturner
	now    func() time.Time
}

type filler interface {
	Fill(ctx context.Context, r order.FillRequest, until time.Time) error
}

type messageReturner interface {
	ReturnMessage(ctx context.Context, receiptHandle string) error
}

// reserve is the part of an invocation's time that is kept for returning messages.
const reserve = 5 * time.Second

// handle serves each request once, however often it is in the event. Each gets its
// share of the time, so that a long queue does not hold back the others.
func (h *handler) handle(ctx context.Context, event events.SQSEvent) (events.SQSEventResponse, error) {
	until := h.now().Add(time.Minute)
	if deadline, ok := ctx.Deadline(); ok {
		until = deadline.Add(-reserve)
	}
	var response events.SQSEventResponse
	results := map[order.FillRequest]error{}
	for i, message := range event.Records {
		request, err := decode(message.Body)
		if err == nil {
			var tried bool
			if err, tried = results[request]; !tried {
				now := h.now()
				share := until.Sub(now) / time.Duration(len(event.Records)-i)
				err = h.filler.Fill(ctx, request, now.Add(share))
				results[request] = err
			}
		}
		outcome := job.OutcomeOf(err)
		if outcome == job.Done {
			continue
		}
		slog.WarnContext(ctx, "fill.failed", "merchant", request.Merchant, "pool", request.Pool, "error", err)
		response.BatchItemFailures = append(response.BatchItemFailures,
			events.SQSBatchItemFailure{ItemIdentifier: message.MessageId})
		if outcome != job.Waiting {
			continue
		}
		if err := h.queue.ReturnMessage(ctx, message.ReceiptHandle); err != nil {
			slog.WarnContext(ctx, "message.not_returned", "error", err) // it comes again when its time is up
		}
	}
	return response, nil
}

// decode reads a request of this schema version or the one before.
func decode(body string) (order.FillRequest, error) {
	var r order.FillRequest
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return order.FillRequest{}, fmt.Errorf("a message that is no fill request: %w", err)
	}
	if r.V != order.FillVersion && r.V != order.FillVersion-1 {
		return order.FillRequest{}, fmt.Errorf("a fill request of version %d: deploy the newer version", r.V)
	}
	return r, nil
}
