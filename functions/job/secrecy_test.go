package main

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/lambdatest"
	"keypool/shared/job"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// Whatever goes wrong while keys are withdrawn, none of them stands in what the function
// answers, returns or logs.
func TestSecrecy(t *testing.T) {
	s := lambdatest.Open(t, wire)
	message := func(body string) []byte {
		event, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{{MessageId: "1", ReceiptHandle: "1", Body: body}}})
		if err != nil {
			t.Fatal(err)
		}
		return event
	}
	uploads := 0
	withdraws := func(keys int, began time.Time, cancelled bool) []byte {
		uploads++
		u := upload.Upload{Merchant: lambdatest.Merchant, ID: fmt.Sprint("upload ", uploads), Pool: lambdatest.Pool, Side: pool.Live, State: upload.Finished, Ranges: 1}
		if _, err := s.Store.MoveUpload(t.Context(), "", u, nil); err != nil {
			t.Fatal(err)
		}
		var brought []upload.NewKey
		for _, key := range s.Keys(keys) {
			brought = append(brought, upload.NewKey{ID: pool.Identify(nil, u.Merchant, u.Side, key), Text: pool.Conceal(key)})
		}
		if keys > 0 {
			if _, err := s.Store.InsertKeys(t.Context(), u.PoolID(), 4, u.ID, brought); err != nil {
				t.Fatal(err)
			}
		}
		j := job.Job{Merchant: u.Merchant, ID: fmt.Sprint("job ", uploads), Kind: job.Withdraw, Upload: u.ID, Pool: u.Pool, Side: u.Side, By: s.Canaries.New("setting"), CreatedAt: began, DueAt: began}
		if _, err := s.Store.StartWithdrawal(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		if cancelled {
			if _, _, err := s.Store.CancelJob(t.Context(), j.Merchant, j.ID, "somebody", time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		body, err := json.Marshal(job.Resume(j.Merchant, j.ID))
		if err != nil {
			t.Fatal(err)
		}
		return message(string(body))
	}
	s.RefuseEachCall("a look that finds keys", func() []byte { return withdraws(3, time.Now(), false) })
	s.RefuseEachCall("the last look", func() []byte { return withdraws(0, time.Now().Add(-time.Hour), false) })
	s.RefuseEachCall("a job that was cancelled", func() []byte { return withdraws(1, time.Now(), true) })
	key := s.Canaries.New(canary.Key)
	for _, body := range []string{key, `"` + key + `"`, `{"v":"` + key + `"}`} {
		s.Invoke("a message that cannot be read", message(body))
	}
	s.Invoke("an event that cannot be read", []byte(`{"Records":"`+key+`"}`))
}
