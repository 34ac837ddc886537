package main

import (
	"context"
	"encoding/json"
	"errors"
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
	queue  giver
	now    func() time.Time
}

type filler interface {
	Fill(ctx context.Context, r order.FillRequest, until time.Time) error
}

type giver interface {
	GiveBack(ctx context.Context, receiptHandle string) error
}

// spare is the part of the invocation's time in which messages are given back.
const spare = 5 * time.Second

// handle serves each request once, however often it is in the event. Each gets its
// share of the time, so that a long queue does not hold back the others.
//
// A request that ran out of time goes back to the message queue and is received again
// at once. One that failed is received again after its visibility timeout. After many
// receives its message goes to the dead-letter queue, and the sweep asks anew.
func (h *handler) handle(ctx context.Context, event events.SQSEvent) (events.SQSEventResponse, error) {
	until := h.now().Add(time.Minute)
	if deadline, ok := ctx.Deadline(); ok {
		until = deadline.Add(-spare)
	}
	var response events.SQSEventResponse
	results := map[order.FillRequest]error{}
	for i, message := range event.Records {
		request, err := decode(message.Body)
		if err == nil {
			var done bool
			if err, done = results[request]; !done {
				now := h.now()
				share := until.Sub(now) / time.Duration(len(event.Records)-i)
				err = h.filler.Fill(ctx, request, now.Add(share))
				results[request] = err
			}
		}
		if err == nil {
			continue
		}
		slog.WarnContext(ctx, "fill.failed", "merchant", request.Merchant, "pool", request.Pool, "error", err)
		response.BatchItemFailures = append(response.BatchItemFailures,
			events.SQSBatchItemFailure{ItemIdentifier: message.MessageId})
		if !errors.Is(err, job.ErrUnfinished) {
			continue
		}
		if err := h.queue.GiveBack(ctx, message.ReceiptHandle); err != nil {
			slog.WarnContext(ctx, "message.not_given_back", "error", err)
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
