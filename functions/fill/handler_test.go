package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"keypool/shared/job"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

type fills struct {
	asked    []order.FillRequest
	until    []time.Time
	answer   map[string]error // by pool
	returned []string
}

func (f *fills) Fill(_ context.Context, r order.FillRequest, until time.Time) error {
	f.asked = append(f.asked, r)
	f.until = append(f.until, until)
	return f.answer[r.Pool]
}

func (f *fills) ReturnMessage(_ context.Context, receiptHandle string) error {
	f.returned = append(f.returned, receiptHandle)
	return nil
}

func fixture(t *testing.T, name string) events.SQSEvent {
	t.Helper()
	raw, err := os.ReadFile("../../events/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var event events.SQSEvent
	if err := json.Unmarshal(raw, &event); err != nil {
		t.Fatal(err)
	}
	return event
}

var now = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

func run(t *testing.T, f *fills, event events.SQSEvent) []events.SQSBatchItemFailure {
	t.Helper()
	h := handler{filler: f, queue: f, now: func() time.Time { return now }}
	ctx, cancel := context.WithDeadline(t.Context(), now.Add(time.Hour*24*365*10))
	defer cancel()
	response, err := h.handle(ctx, event)
	if err != nil {
		t.Fatal(err)
	}
	return response.BatchItemFailures
}

func TestHandle_servesEachQueueOnce(t *testing.T) {
	f := &fills{}
	if failed := run(t, f, fixture(t, "good_fill")); len(failed) != 0 {
		t.Errorf("failed: %v", failed)
	}
	want := []order.FillRequest{
		order.FillPool(pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}),
		order.FillProduct("acme", pool.Test, "game"),
	}
	if diff := cmp.Diff(want, f.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// A request that has all the time taken away from it leaves the next its share.
func TestHandle_eachRequestHasItsShareOfTheTime(t *testing.T) {
	f := &fills{}
	run(t, f, fixture(t, "good_fill"))
	if len(f.until) != 2 || !f.until[0].Before(f.until[1]) || f.until[0].Sub(now) < f.until[1].Sub(now)/4 {
		t.Errorf("two requests may take until %v", f.until)
	}
}

func TestHandle_unfinishedGoesBackAtOnce(t *testing.T) {
	f := &fills{answer: map[string]error{"elden": job.ErrUnfinished}}
	failed := run(t, f, fixture(t, "good_fill"))
	if diff := cmp.Diff([]events.SQSBatchItemFailure{{ItemIdentifier: "message-1"}, {ItemIdentifier: "message-2"}}, failed); diff != "" {
		t.Errorf("failed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"receipt-1", "receipt-2"}, f.returned); diff != "" {
		t.Errorf("returned (-want +got):\n%s", diff)
	}
}

func TestHandle_failureWaitsForItsTurn(t *testing.T) {
	f := &fills{answer: map[string]error{"elden": errors.New("throttled")}}
	if failed := run(t, f, fixture(t, "good_fill")); len(failed) != 2 {
		t.Errorf("failed: %v", failed)
	}
	if len(f.returned) != 0 {
		t.Errorf("returned at once: %v", f.returned)
	}
}

func TestHandle_whatIsNoRequestIsPutAside(t *testing.T) {
	f := &fills{}
	failed := run(t, f, fixture(t, "bad_fill"))
	if len(failed) != 2 || len(f.asked) != 0 {
		t.Errorf("%d failed, %d were tried", len(failed), len(f.asked))
	}
}

func TestOutcomeOf(t *testing.T) {
	_, noRequest := decode(`[]`)
	_, newer := decode(fmt.Sprintf(`{"v":%d}`, order.FillVersion+1))
	for _, test := range []struct {
		err  error
		want job.Outcome
	}{
		{nil, job.Done},
		{fmt.Errorf("fill pool elden: %w", job.ErrUnfinished), job.Waiting},
		{errors.Join(job.ErrUnfinished, errors.New("the queue is down")), job.Waiting},
		{errors.New("connection reset"), job.Again},
		{fmt.Errorf("fill pool elden: %w", context.DeadlineExceeded), job.Again},
		{fmt.Errorf("fill pool elden: %w", retry.ErrThrottled), job.Again},
		{noRequest, job.Again},
		{newer, job.Again},
	} {
		if got := job.OutcomeOf(test.err); got != test.want {
			t.Errorf("%v: %s, want %s", test.err, got, test.want)
		}
	}
}
