package claim_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// Lines are cancelled while fill gives them keys: each is complete or has none, and no
// key is lost between the two.
func TestCancel_besideFill(t *testing.T) {
	t.Parallel()
	s := open(t)
	canceller := &lifecycle.Lifecycle{Store: s.store, Wholes: s.store, Uploads: s.store, Notices: s.store, Settings: s.store, Fill: s.fills, By: "webhook", Now: s.now}
	const orders, wanted, keys = 12, 30, 200 // 20 in a line's own item, the others in a chunk
	var lines []order.LineID
	for n := range orders {
		lines = append(lines, s.claim(paid(fmt.Sprint(n), "game", wanted)).ID)
	}
	s.stock(live, "KEY", keys)

	var racing sync.WaitGroup
	for range 2 {
		racing.Go(func() {
			if err := s.filler.Fill(t.Context(), order.FillPool(live), s.now().Add(time.Minute)); err != nil && !retry.Temporary(err) {
				t.Error(err)
			}
		})
	}
	for _, id := range lines[:orders/2] {
		racing.Go(func() {
			for {
				_, err := canceller.Cancel(t.Context(), id, lifecycle.Act{By: "api"})
				if err == nil {
					return
				}
				if !errors.Is(err, retry.ErrChanged) { // as the caller of the API repeats it
					t.Error(err)
					return
				}
			}
		})
	}
	racing.Wait()
	s.fill()

	returned, fulfilled := 0, 0
	for _, id := range lines {
		switch line := s.stored(id); line.State() {
		case order.Returned:
			returned++
			if line.Allocated != 0 || len(line.Keys) != 0 {
				t.Errorf("a cancelled line has %d keys", line.Allocated)
			}
		case order.Fulfilled:
			fulfilled++
		case order.Waiting:
		default:
			t.Errorf("a line is %s", line.State())
		}
	}
	if returned == 0 || fulfilled == 0 {
		t.Errorf("%d lines are cancelled and %d filled: they did not race", returned, fulfilled)
	}
	books := dynamotest.Audit(t, s.tables)
	left, err := s.store.Available(t.Context(), live, pool.DefaultShards, keys+1)
	s.must(err)
	if books.Claimed+left != keys {
		t.Errorf("%d keys are claimed and %d left of %d", books.Claimed, left, keys)
	}
}
