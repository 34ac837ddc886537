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
	"keypool/shared/upload"
)

// recorder notes what it is asked to do, and answers with err.
type recorder struct {
	err      error
	objects  []upload.Object
	messages []upload.Message
	returned []string
}

func (r *recorder) Receive(_ context.Context, o upload.Object) error {
	r.objects = append(r.objects, o)
	return r.err
}

func (r *recorder) Handle(_ context.Context, m upload.Message) error {
	r.messages = append(r.messages, m)
	return r.err
}

func (r *recorder) ReturnMessage(_ context.Context, receiptHandle string) error {
	r.returned = append(r.returned, receiptHandle)
	return nil
}

func TestHandle(t *testing.T) {
	const id = "20261123T093000-9f1c2a7be4d05836"
	failure := func(n string) events.SQSEventResponse {
		return events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{
			{ItemIdentifier: "059f36b4-87a3-44ab-83d2-66197504000" + n},
		}}
	}
	for _, test := range []struct {
		fixture string
		err     error // what the work ends with

		want   recorder
		answer any
		fails  bool
	}{
		{
			fixture: "good_key_file.json",
			want: recorder{objects: []upload.Object{{
				Bucket:  "keypool-uploads",
				Name:    "uploads/demo/elden/November keys (first).txt",
				Version: "096fKKXTRTtl3on89fVO.nfljtsv6qko",
			}}},
		},
		{
			fixture: "good_key_file.json",
			err:     errors.New("connection reset"), // Lambda repeats the event
			want: recorder{objects: []upload.Object{{
				Bucket:  "keypool-uploads",
				Name:    "uploads/demo/elden/November keys (first).txt",
				Version: "096fKKXTRTtl3on89fVO.nfljtsv6qko",
			}}},
			fails: true,
		},
		{fixture: "good_bucket_test.json"},
		{
			fixture: "good_range.json",
			want:    recorder{messages: []upload.Message{upload.LoadRange("demo", id, 3)}},
			answer:  events.SQSEventResponse{},
		},
		{
			fixture: "good_upload_resume.json",
			want:    recorder{messages: []upload.Message{upload.Resume("demo", id)}},
			answer:  events.SQSEventResponse{},
		},
		{
			fixture: "good_range.json",
			err:     job.ErrUnfinished, // goes on at once
			want: recorder{
				messages: []upload.Message{upload.LoadRange("demo", id, 3)},
				returned: []string{"AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a0"},
			},
			answer: failure("0"),
		},
		{
			fixture: "good_range.json",
			err:     errors.New("connection reset"), // seen again when its time is up
			want:    recorder{messages: []upload.Message{upload.LoadRange("demo", id, 3)}},
			answer:  failure("0"),
		},
		{fixture: "bad_range.json", answer: failure("0")},
		{fixture: "good_stock_tick.json"}, // has no records: nothing to do
		{fixture: "bad_ingest_source.json", fails: true},
	} {
		t.Run(test.fixture, func(t *testing.T) {
			payload, err := os.ReadFile("../../events/" + test.fixture)
			if err != nil {
				t.Fatal(err)
			}
			got := &recorder{err: test.err}
			h := &handler{worker: got, queue: got}
			answer, err := h.handle(context.Background(), payload)
			if (err != nil) != test.fails {
				t.Errorf("error %v, want one: %t", err, test.fails)
			}
			if diff := cmp.Diff(test.answer, answer); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			test.want.err, got.err = nil, nil
			if diff := cmp.Diff(&test.want, got, cmp.AllowUnexported(recorder{})); diff != "" {
				t.Errorf("what it did (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOutcomeOf(t *testing.T) {
	for _, test := range []struct {
		err  error
		want job.Outcome
	}{
		{nil, job.Done},
		{fmt.Errorf("load range 3: %w", job.ErrUnfinished), job.Waiting},
		{errors.Join(job.ErrUnfinished, errors.New("the queue is down")), job.Waiting},
		{errors.New("connection reset"), job.Again},
		{fmt.Errorf("load range 3: %w", context.DeadlineExceeded), job.Again},
		{fmt.Errorf("load range 3: %w", retry.ErrThrottled), job.Again},
		{errUnreadable, job.Again},
	} {
		if got := job.OutcomeOf(test.err); got != test.want {
			t.Errorf("%v: %s, want %s", test.err, got, test.want)
		}
	}
}

func TestHandle_payloadIsNotInTheError(t *testing.T) {
	h := &handler{}
	_, err := h.handle(context.Background(), json.RawMessage(`{"Records":"AAAA-BBBB-CCCC"}`))
	if err == nil || errors.Unwrap(err) != nil {
		t.Errorf("error %v, want a plain one of our own", err)
	}
}
