package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keypool/shared/platform"
)

// handler takes ticks of the scheduler, and messages that each name an account.
type handler struct {
	catchup catcher
	now     func() time.Time
}

type catcher interface {
	Tick(ctx context.Context) error
	Run(ctx context.Context, r platform.CatchupRequest, until time.Time) error
}

// reserve is the part of an invocation's time that is kept for the purchase that is being
// stored, whose platform may be slow, and for what is said of the run.
const reserve = 15 * time.Second

// handle takes both kinds of event. A tick holds nothing to read. One that fails rings the
// alarm, and the next tick does the same work.
func (h *handler) handle(ctx context.Context, event json.RawMessage) (any, error) {
	var kind struct {
		Records json.RawMessage `json:"Records"`
	}
	if err := json.Unmarshal(event, &kind); err != nil {
		return nil, errors.New("an event that is no JSON object")
	}
	if kind.Records == nil {
		return nil, h.catchup.Tick(ctx)
	}
	var messages events.SQSEvent
	if err := json.Unmarshal(event, &messages); err != nil {
		return nil, errors.New("an event of a queue that cannot be read") // the cause quotes it
	}
	return h.messages(ctx, messages), nil
}

// messages runs each account that a message names. A message that fails comes again when
// its time is up, until the queue puts it in the dead-letter queue; the next tick asks anew.
func (h *handler) messages(ctx context.Context, event events.SQSEvent) events.SQSEventResponse {
	until := h.now().Add(time.Minute)
	if deadline, ok := ctx.Deadline(); ok {
		until = deadline.Add(-reserve)
	}
	var response events.SQSEventResponse
	for i, message := range event.Records {
		request, err := decode(message.Body)
		if err == nil {
			now := h.now()
			err = h.catchup.Run(ctx, request, now.Add(until.Sub(now)/time.Duration(len(event.Records)-i)))
		}
		if err == nil {
			continue
		}
		slog.ErrorContext(ctx, "catchup.failed", "merchant", request.Merchant, "account", request.Account, "error", err)
		response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: message.MessageId})
	}
	return response
}

// decode reads a request of this version or the one before.
func decode(body string) (platform.CatchupRequest, error) {
	var r platform.CatchupRequest
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return platform.CatchupRequest{}, errors.New("a message that is no request to catch up")
	}
	if r.V != platform.CatchupVersion && r.V != platform.CatchupVersion-1 {
		return platform.CatchupRequest{}, fmt.Errorf("a request to catch up of version %d: deploy the newer version", r.V)
	}
	return r, nil
}
