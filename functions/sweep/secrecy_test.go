package main

import (
	"fmt"
	"testing"
	"time"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/dynamotest"
	"keypool/infra/proof/lambdatest"
	"keypool/shared/catalog"
	"keypool/shared/job"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// Whatever goes wrong while what stopped halfway is taken up, neither a key nor a
// customer stands in what the function returns or logs.
func TestSecrecy(t *testing.T) {
	s := lambdatest.Open(t, wire)
	lines := 0
	stopped := func() {
		lines++
		name := fmt.Sprintf("A-%d", lines)
		mail := outbox.Entry{}.Next(outbox.Keys, time.Now().Add(-time.Hour))
		err := s.Store.Commit(t.Context(), order.Change{After: order.Fulfillment{
			ID: order.Identity{Merchant: lambdatest.Merchant, Side: pool.Live, Origin: "standard", Order: name, Line: "1"}.ID(), Version: 1,
			Merchant: lambdatest.Merchant, Side: pool.Live, Account: "standard", Origin: "standard", Order: name, Line: "1", Product: lambdatest.Product, Pool: lambdatest.Pool,
			Quantity: 2, Wanted: 2, Allocated: 1, ReceivedAt: time.Now().Add(-time.Hour),
			Keys:     []pool.Key{{ID: pool.KeyID(name), Text: pool.Conceal(s.Canaries.New(canary.Key))}},
			Customer: order.Customer{Name: s.Canaries.New(canary.Customer), Email: s.Canaries.Address(canary.Customer)},
			Mail:     mail,
		}})
		if err != nil {
			t.Fatal(err)
		}
		refused := upload.Upload{
			Merchant: lambdatest.Merchant, ID: name, File: s.Canaries.New(canary.Key), Pool: lambdatest.Pool, Side: pool.Live, State: upload.Finished,
			Cause: upload.Binary, ReceivedAt: time.Now().Add(-2 * upload.RemindAfter), FinishedAt: time.Now().Add(-upload.RemindAfter), DueAt: time.Now().Add(-time.Minute),
		}
		waits := refused
		waits.ID, waits.State, waits.Cause, waits.Size, waits.FinishedAt = name+"-waits", upload.Parked, upload.OverLimit, 1, time.Time{}
		s.PlantSender(catalog.SenderPending)
		changedOrder(t, s, name+"-lost", order.DisputeLost)
		changedOrder(t, s, name+"-won", order.DisputeWon)
		for _, u := range []upload.Upload{refused, waits} {
			if _, err := s.Store.MoveUpload(t.Context(), "", u, nil); err != nil {
				t.Fatal(err)
			}
		}
		j := job.Job{Merchant: lambdatest.Merchant, ID: name, Kind: job.Withdraw, Upload: refused.ID, DueAt: time.Now().Add(-time.Minute)}
		if _, err := s.Store.StartWithdrawal(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	s.RefuseEachCall("a tick", func() []byte {
		stopped()
		return []byte(`{}`)
	})
	s.Invoke("a tick with something in it", []byte(`{"`+s.Canaries.New(canary.Key)+`":1}`))
}

// changedOrder stores an order whose dispute has ended, and three lines that do not show it
// yet: one that waits, one that no pool feeds, and one that holds keys in a chunk.
func changedOrder(t *testing.T, s *lambdatest.Sandbox, number string, ended order.Dispute) {
	t.Helper()
	now := time.Now()
	identity := order.Identity{Merchant: lambdatest.Merchant, Side: pool.Live, Origin: "standard", Order: number}
	w := order.Whole{
		ID: identity.OrderID(), Merchant: lambdatest.Merchant, Side: pool.Live, Account: "standard", Order: number,
		ChangedAt: now.Add(-time.Hour), DueAt: now.Add(-time.Minute),
	}
	w.AddDispute("D-1", ended)
	if err := s.Store.PutWhole(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	for i, feeds := range []string{lambdatest.Pool, "", lambdatest.Pool} {
		identity.Line = fmt.Sprint(i)
		f := order.Fulfillment{
			ID: identity.ID(), Merchant: identity.Merchant, Side: identity.Side, Account: "standard", Origin: "standard", Order: number, Line: identity.Line,
			Product: lambdatest.Product, Quantity: 30, ReceivedAt: now, Customer: order.Customer{Email: s.Canaries.Address(canary.Customer)},
		}
		if feeds != "" {
			f.Connect(feeds, 1, 30)
		}
		if ended == order.DisputeWon {
			f.Hold(order.DisputeHold("D-1"))
		}
		change := order.NewLine(f)
		if i == 2 {
			change.Allocate(dynamotest.Stock(t, s.Tables, pool.ID{Merchant: lambdatest.Merchant, Pool: lambdatest.Pool, Side: pool.Live}, pool.DefaultShards, s.Keys(30)...), now)
		}
		if err := s.Store.Commit(t.Context(), change); err != nil {
			t.Fatal(err)
		}
	}
}
