package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/google/go-cmp/cmp"

	"keypool/shared/platform"
)

// runs stands in for the use case.
type runs struct {
	ticks int
	asked []platform.CatchupRequest
	until []time.Time
	fails error
}

func (r *runs) Tick(context.Context) error {
	r.ticks++
	return r.fails
}

func (r *runs) Run(_ context.Context, request platform.CatchupRequest, until time.Time) error {
	r.asked, r.until = append(r.asked, request), append(r.until, until)
	return r.fails
}

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// invoke sends an event to the function as Lambda does.
func invoke(t *testing.T, r *runs, name string) (events.SQSEventResponse, error) {
	t.Helper()
	event, err := os.ReadFile("../../events/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	h := handler{catchup: r, now: func() time.Time { return now }}
	ctx, cancel := context.WithDeadline(t.Context(), now.AddDate(10, 0, 0))
	defer cancel()
	answer, err := lambda.NewHandler(h.handle).Invoke(ctx, event)
	var response events.SQSEventResponse
	if err == nil && string(answer) != "null" {
		if err := json.Unmarshal(answer, &response); err != nil {
			t.Fatal(err)
		}
	}
	return response, err
}

func TestHandle_tick(t *testing.T) {
	r := &runs{}
	if _, err := invoke(t, r, "good_catchup_tick"); err != nil || r.ticks != 1 || r.asked != nil {
		t.Errorf("%d ticks, asked %v, %v", r.ticks, r.asked, err)
	}
	r.fails = errors.New("the table is away")
	if _, err := invoke(t, r, "good_catchup_tick"); err == nil {
		t.Error("a tick that asked nobody is no error: no alarm rings")
	}
}

func TestHandle_message(t *testing.T) {
	for name, want := range map[string]platform.CatchupRequest{
		"good_catchup":         platform.AskCatchup("acme", "shop-eu"),
		"good_catchup_goes_on": {V: platform.CatchupVersion, Merchant: "acme", Account: "shop-eu", From: time.Date(2026, 11, 23, 11, 42, 0, 0, time.UTC)},
	} {
		r := &runs{}
		response, err := invoke(t, r, name)
		if err != nil || len(response.BatchItemFailures) != 0 || r.ticks != 0 {
			t.Errorf("%s: %+v, %d ticks, %v", name, response, r.ticks, err)
		}
		if diff := cmp.Diff([]platform.CatchupRequest{want}, r.asked); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if deadline := now.AddDate(10, 0, 0); len(r.until) != 1 || !r.until[0].Equal(deadline.Add(-reserve)) {
			t.Errorf("%s may run until %v of %v", name, r.until, deadline)
		}
	}
}

func TestHandle_failedMessageComesAgain(t *testing.T) {
	response, err := invoke(t, &runs{fails: errors.New("the table is away")}, "good_catchup")
	if want := []events.SQSBatchItemFailure{{ItemIdentifier: "message-1"}}; err != nil || cmp.Diff(want, response.BatchItemFailures) != "" {
		t.Errorf("%+v, %v", response, err)
	}
}

func TestHandle_whatIsNoRequestIsPutAside(t *testing.T) {
	r := &runs{}
	response, err := invoke(t, r, "bad_catchup")
	if err != nil || len(response.BatchItemFailures) != 2 || r.asked != nil {
		t.Errorf("%+v, asked %v, %v", response, r.asked, err)
	}
}
