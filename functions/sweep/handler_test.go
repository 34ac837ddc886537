package main

import (
	"context"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/due"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/sweep"
)

type queue chan any

func (q queue) Send(_ context.Context, message any, _ time.Duration) error {
	q <- message
	return nil
}

// TestHandler_takesUpWhatStopped sends the scheduler's event to the function as
// Lambda does, over a line that waits and a mail that the stream lost.
func TestHandler_takesUpWhatStopped(t *testing.T) {
	t.Parallel()
	store, _ := dynamotest.Open(t)
	received := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	now := received.Add(outbox.SweepAfter)
	line := func(name string, held int, mail outbox.Entry) order.LineID {
		t.Helper()
		mail.DueAt = now
		f := order.Fulfillment{
			ID: order.Identity{Merchant: "nova", Side: pool.Live, Origin: "shop", Order: name, Line: "1"}.ID(), Version: 1,
			Merchant: "nova", Side: pool.Live, Account: "shop", Origin: "shop", Order: name, Line: "1", Product: "game", Pool: "elden",
			Quantity: 1, Wanted: 1, Allocated: held, ReceivedAt: received, Mail: mail,
		}
		if err := store.Commit(t.Context(), order.Change{After: f}); err != nil {
			t.Fatal(err)
		}
		return f.ID
	}
	waits := line("waits", 0, outbox.Entry{})
	lost := line("lost", 1, outbox.Entry{State: outbox.Due, Kind: outbox.Keys, Number: 1})

	fill := make(queue, 1)
	clock := func() time.Time { return now }
	h := handler{now: clock, sweeper: &sweep.Sweeper{
		Store: store, Catalog: store, Fill: fill, Ranges: make(queue), DelayMailAfter: 5 * time.Minute, Now: clock,
	}}
	event, err := os.ReadFile("../../events/good_sweep_tick.json")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lambda.NewHandler(h.handle).Invoke(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	if got, want := <-fill, order.FillPool(pool.ID{Merchant: "nova", Pool: "elden", Side: pool.Live}); got != want {
		t.Errorf("asked %+v, want %+v", got, want)
	}
	for id, want := range map[order.LineID]outbox.Kind{waits: outbox.Delay, lost: outbox.Keys} {
		f, _, err := store.Fulfillment(t.Context(), id)
		if err != nil || f.Mail.State != outbox.Due || f.Mail.Kind != want || f.Version != 2 {
			t.Errorf("line %s: version %d, %+v, %v; want a mail of %s due again", f.Order, f.Version, f.Mail, err, want)
		}
	}
}

func TestHandler_endsBeforeLambdaEndsIt(t *testing.T) {
	t.Parallel()
	store, _ := dynamotest.Open(t)
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(time.Minute))
	defer cancel()
	var calls atomic.Int32
	late := func() time.Time { calls.Add(1); return time.Now().Add(2 * time.Minute) }
	h := handler{now: time.Now, sweeper: &sweep.Sweeper{Store: store, Catalog: store, Now: late}}
	if err := h.handle(ctx); err != nil {
		t.Error(err)
	}
	if calls.Load() > due.Partitions {
		t.Errorf("the clock was asked %d times: something was swept after the time was up", calls.Load())
	}
}

// TestHandler_errorRingsTheAlarm holds the only outcome of an error: it is returned,
// and the next tick looks at the items again.
func TestHandler_errorRingsTheAlarm(t *testing.T) {
	t.Parallel()
	faults := dynamotest.NewFaults(t, 1)
	store, _ := dynamotest.Open(t, faults.Option)
	h := handler{sweeper: &sweep.Sweeper{Store: store, Catalog: store, Now: time.Now}, now: time.Now}
	faults.Next("Query", 1000, dynamotest.ServerError)
	if err := h.handle(t.Context()); err == nil {
		t.Error("a sweep that read nothing is no error")
	}
	faults.Stop()
	if err := h.handle(t.Context()); err != nil {
		t.Errorf("the next tick: %v", err)
	}
}
