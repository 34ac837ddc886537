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
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// Whatever goes wrong while keys are withdrawn, moved or exported, a customer is erased, or the test
// side is wiped, nothing of them stands in what the function answers, returns or logs.
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
	var before job.Job // that exports
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
	exports := func(which job.Which, format job.Format, taken, cancelled bool) []byte {
		begin(job.Move, 3, time.Now(), false) // for the keys that it loads
		keys := s.Keys(2)
		number := fmt.Sprint("E-", uploads)
		line := order.Fulfillment{
			ID:       order.Identity{Merchant: lambdatest.Merchant, Side: pool.Live, Origin: "own", Order: number, Line: "1"}.ID(),
			Merchant: lambdatest.Merchant, Side: pool.Live, Account: "own", Origin: "own", Order: number, Line: "1", Product: "4711", Pool: lambdatest.Pool,
			Quantity: 1, Wanted: 1, ReceivedAt: time.Now().Add(-time.Hour),
			Customer: order.Customer{Name: s.Canaries.New(canary.Customer), Email: s.Canaries.Address(canary.Customer)},
		}
		change := order.NewLine(line)
		found, err := s.Store.Candidates(t.Context(), line.PoolID(), 4, len(keys))
		if err != nil {
			t.Fatal(err)
		}
		change.Allocate(found[:1], time.Now())
		if err := s.Store.Commit(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		uploads++
		j := job.Job{
			Merchant: line.Merchant, ID: fmt.Sprint("job ", uploads), Kind: job.Export, Pool: line.Pool, Side: line.Side, Choice: job.Choice{Which: which, Format: format},
			By: s.Canaries.New("setting"), CreatedAt: time.Now(), DueAt: time.Now(),
		}
		if before.ID != "" { // it may have been refused halfway
			if before, _, err = s.Store.Job(t.Context(), before.Merchant, before.ID); err == nil && !before.Done {
				before.Done = true
				err = s.Store.EndJob(t.Context(), before)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Store.StartJob(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		before = j
		if taken { // by a worker that wrote something
			if j, err = s.Store.TakeJob(t.Context(), j.Merchant, j.ID, time.Now()); err != nil {
				t.Fatal(err)
			}
			j.File = job.File{Upload: "u1", Parts: []job.FilePart{{Number: 1, Tag: `"1"`}}, Rest: j.RestObject(1)}
			s.Files["/reports/"+j.File.Rest] = []byte(s.Canaries.New(canary.Key))
			if _, err := s.Store.SaveJob(t.Context(), j); err != nil {
				t.Fatal(err)
			}
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
	s.RefuseEachCall("sold keys that are exported", func() []byte { return exports(job.Sold, job.CSV, false, false) })
	s.RefuseEachCall("unsold keys whose export goes on", func() []byte { return exports(job.Unsold, job.JSONL, true, false) })
	s.RefuseEachCall("an export that was cancelled", func() []byte { return exports(job.Sold, job.CSV, true, true) })
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
	wipes := func() []byte {
		uploads++
		p := pool.ID{Merchant: lambdatest.Merchant, Pool: lambdatest.Pool, Side: pool.Test}
		began, number := time.Now().Add(-time.Hour), fmt.Sprint("test-", uploads)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		loaded := upload.Upload{Merchant: p.Merchant, ID: fmt.Sprint("test ", uploads), Pool: p.Pool, Side: p.Side, State: upload.Loading, Ranges: 1, Counts: upload.Counts{}, ReceivedAt: began}
		parked := loaded
		parked.ID, parked.State = parked.ID+" parked", upload.Parked
		for _, u := range []upload.Upload{loaded, parked} {
			_, err := s.Store.MoveUpload(t.Context(), "", u, nil)
			must(err)
		}
		r, err := s.Store.TakeRange(t.Context(), loaded, 0, began)
		must(err)
		text := s.Keys(1)[0]
		_, err = s.Store.InsertKeys(t.Context(), p, 4, loaded.ID, []upload.NewKey{{ID: pool.Identify(nil, p.Merchant, p.Side, text), Live: pool.Identify(nil, p.Merchant, pool.Live, text), Text: pool.Conceal(text)}})
		must(err)
		r.Done, r.Counts = true, upload.Counts{upload.Accepted: 1}
		must(s.Store.EndRange(t.Context(), loaded, r, began))
		loaded.State, loaded.FinishedAt = upload.Finished, began
		_, err = s.Store.MoveUpload(t.Context(), upload.Loading, loaded, nil)
		must(err)

		line := order.Fulfillment{
			ID:       order.Identity{Merchant: p.Merchant, Side: p.Side, Origin: "own", Order: number, Line: "1"}.ID(),
			Merchant: p.Merchant, Side: p.Side, Account: "own", Origin: "own", Order: number, Line: "1", Product: "4711", Pool: p.Pool, Quantity: 1, Wanted: 1, ReceivedAt: began,
			Customer: order.Customer{Name: s.Canaries.New(canary.Customer)}, CustomerHash: "hash",
		}
		line.Hold(order.HoldReview)
		change := order.NewLine(line)
		for n := range 120 { // more than one transaction deletes
			change.History = []order.History{{Line: line.ID, At: began.Add(time.Duration(n) * time.Second), Event: order.Held, By: "somebody"}}
			if n == 0 {
				must(s.Store.Commit(t.Context(), change))
			} else {
				must(s.Store.AddHistory(t.Context(), change.History[0]))
			}
		}
		_, err = s.Store.AdmitOrder(t.Context(), line, 5)
		must(err)
		must(s.Store.PutWhole(t.Context(), order.Whole{ID: line.ID.OrderHalf(), Merchant: p.Merchant, Side: p.Side, Order: number, ChangedAt: began}))
		must(s.Store.AllowBypass(t.Context(), p, began))
		alert, err := s.Store.Alert(t.Context(), p)
		must(err)
		must(s.Store.ChangeAlert(t.Context(), alert, nil))
		tell := notice.New(p.Merchant, notice.MailFailed, fmt.Sprint(uploads), notice.Facts{Orders: []string{"A-1"}, Side: p.Side, Count: 1}, began)
		must(s.Store.KeepRefusal(t.Context(), order.Refusal{Merchant: p.Merchant, Account: "own", Order: number, Side: p.Side, Problem: "is wrong", At: began}, tell))

		j := job.Job{Merchant: p.Merchant, ID: fmt.Sprint("job ", uploads), Kind: job.Wipe, Side: p.Side, By: s.Canaries.New("setting"), CreatedAt: began.Add(time.Minute), DueAt: began}
		must(s.Store.StartJob(t.Context(), j))
		body, err := json.Marshal(job.Resume(j.Merchant, j.ID))
		must(err)
		return message(string(body))
	}
	s.RefuseEachCall("a test side that is wiped", wipes)
	s.RefuseEachCall("a customer who is owed something", func() []byte { return erases(true, waits) })
	key := s.Canaries.New(canary.Key)
	for _, body := range []string{key, `"` + key + `"`, `{"v":"` + key + `"}`} {
		s.Invoke("a message that cannot be read", message(body))
	}
	s.Invoke("an event that cannot be read", []byte(`{"Records":"`+key+`"}`))
}
