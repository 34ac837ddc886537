package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"keypool/shared/job"
	"keypool/shared/retry"
)

// recorder notes what it is asked to do, and answers with err.
type recorder struct {
	err      error
	messages []job.Message
	returned []string
}

func (r *recorder) Handle(_ context.Context, m job.Message) error {
	r.messages = append(r.messages, m)
	return r.err
}

func (r *recorder) ReturnMessage(_ context.Context, receiptHandle string) error {
	r.returned = append(r.returned, receiptHandle)
	return nil
}

func TestHandle(t *testing.T) {
	asked := []job.Message{job.Resume("demo", "20261123T101500-0f1e2d3c4b5a6978")}
	failure := []events.SQSBatchItemFailure{{ItemIdentifier: "059f36b4-87a3-44ab-83d2-661975040000"}}
	for name, c := range map[string]struct {
		fixture string
		err     error // what the work ends with
		want    recorder
		answer  []events.SQSBatchItemFailure
	}{
		"to its end":                 {"good_job", nil, recorder{messages: asked}, nil},
		"until the sweep asks again": {"good_job", fmt.Errorf("do job: %w", job.ErrPaused), recorder{messages: asked}, nil},
		"out of time":                {"good_job", job.ErrUnfinished, recorder{messages: asked, returned: []string{"AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a0"}}, failure},
		"throttled":                  {"good_job", retry.ErrThrottled, recorder{messages: asked}, failure},
		"a message that is none":     {"bad_job", nil, recorder{}, failure},
		"a tick":                     {"good_stock_tick", nil, recorder{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			payload, err := os.ReadFile("../../events/" + c.fixture + ".json")
			if err != nil {
				t.Fatal(err)
			}
			got := &recorder{err: c.err}
			answer, err := (&handler{worker: got, queue: got}).handle(t.Context(), payload)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.answer, answer.BatchItemFailures); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			got.err = nil
			if diff := cmp.Diff(&c.want, got, cmp.AllowUnexported(recorder{})); diff != "" {
				t.Errorf("what it did (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHandle_payloadIsNotInTheError(t *testing.T) {
	_, err := (&handler{}).handle(t.Context(), json.RawMessage(`{"Records":"AAAA-BBBB-CCCC"}`))
	if err == nil || errors.Unwrap(err) != nil {
		t.Errorf("error %v, want a plain one of our own", err)
	}
}
