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
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// Whatever goes wrong while keys are withdrawn or moved, or a customer is erased, nothing of them stands in what the function
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
	begin := func(kind job.Kind, keys int, began time.Time, cancelled bool) []byte {
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
		j := job.Job{Merchant: u.Merchant, ID: fmt.Sprint("job ", uploads), Kind: kind, Upload: u.ID, Pool: u.Pool, Side: u.Side, By: s.Canaries.New("setting"), CreatedAt: began, DueAt: began}
		var err error
		if kind == job.Move {
			j.To = "another"
			err = s.Store.StartJob(t.Context(), j)
		} else {
			_, err = s.Store.StartWithdrawal(t.Context(), j)
		}
		if err != nil {
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
	for _, kind := range []job.Kind{job.Withdraw, job.Move} {
		s.RefuseEachCall(string(kind)+": a look that finds keys", func() []byte { return begin(kind, 3, time.Now(), false) })
		s.RefuseEachCall(string(kind)+": the last look", func() []byte { return begin(kind, 0, time.Now().Add(-time.Hour), false) })
		s.RefuseEachCall(string(kind)+": a job that was cancelled", func() []byte { return begin(kind, 1, time.Now(), true) })
	}
	erases := func(owes bool, make func(*order.Fulfillment)) []byte {
		uploads++
		number := fmt.Sprint("A-", uploads)
		line := order.Fulfillment{
			ID:       order.Identity{Merchant: lambdatest.Merchant, Side: pool.Live, Origin: "own", Order: number, Line: "1"}.ID(),
			Merchant: lambdatest.Merchant, Side: pool.Live, Account: "own", Origin: "own", Order: number, Line: "1", Product: "4711", Pool: lambdatest.Pool,
			Quantity: 1, Wanted: 1, ReceivedAt: time.Now().Add(-time.Hour),
			Customer: order.Customer{Name: s.Canaries.New(canary.Customer), Email: s.Canaries.Address(canary.Customer)}, CustomerHash: number,
		}
		make(&line)
		change := order.NewLine(line)
		change.History = []order.History{{Line: line.ID, At: line.ReceivedAt, Event: order.Held, By: "somebody", Code: s.Canaries.New(canary.Customer)}}
		if err := s.Store.Commit(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		j := job.Job{Merchant: line.Merchant, ID: fmt.Sprint("job ", uploads), Kind: job.Erase, Customer: number, Force: !owes, By: s.Canaries.New("setting"), CreatedAt: time.Now(), DueAt: time.Now()}
		if err := s.Store.StartJob(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(job.Resume(j.Merchant, j.ID))
		if err != nil {
			t.Fatal(err)
		}
		return message(string(body))
	}
	waits, held := func(*order.Fulfillment) {}, func(line *order.Fulfillment) { line.Hold(order.HoldReview) }
	unconnected := func(line *order.Fulfillment) { line.Pool, line.Wanted = "", 0 }
	for _, make := range []func(*order.Fulfillment){waits, held, unconnected} {
		s.RefuseEachCall("a customer who is erased", func() []byte { return erases(false, make) })
	}
	s.RefuseEachCall("a customer who was kept for long enough", func() []byte {
		erases(false, func(line *order.Fulfillment) { line.ReceivedAt = time.Now().AddDate(0, 0, -3); line.ReturnAll() })
		kept, err := s.Store.Retention(t.Context(), lambdatest.Merchant)
		if err != nil {
			t.Fatal(err)
		}
		kept.Days = 1
		if err := s.Store.PutRetention(t.Context(), kept, time.Now()); err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(job.Resume(lambdatest.Merchant, job.RetentionID))
		if err != nil {
			t.Fatal(err)
		}
		return message(string(body))
	})
	s.RefuseEachCall("a customer who is owed something", func() []byte { return erases(true, waits) })
	key := s.Canaries.New(canary.Key)
	for _, body := range []string{key, `"` + key + `"`, `{"v":"` + key + `"}`} {
		s.Invoke("a message that cannot be read", message(body))
	}
	s.Invoke("an event that cannot be read", []byte(`{"Records":"`+key+`"}`))
}
