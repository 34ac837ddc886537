package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/inventory"
	"keypool/shared/job"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/retry"
	"keypool/shared/upload"
)

// Whatever two merchants do on both sides while one of them wipes test data, no write of the
// wipe touches a row of a live side, or of the other merchant; what was there when it was asked
// for is gone; and once nothing else happens, nothing of the test side is left.
func TestWipe_touchesNoLiveRow(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			s := &shops{world: open(t), rng: rand.New(rand.NewPCG(seed, 0))}
			for range 40 {
				s.act()
			}
			asked := s.rows()
			s.later(time.Second)
			j := s.wipe()
			s.later(time.Second)
			whole := s.worker.Test
			s.worker.Test = inventory.TestSide{Rows: s, Orders: s.store, Keys: s, Uploads: s, Reports: s.reports}
			for tries := 0; !s.job(j.ID).Done; tries++ {
				if err := s.run(s.worker, j.ID); err != nil && !errors.Is(err, job.ErrPaused) {
					t.Fatal(err)
				}
				s.later(inventory.IndexLag)
				if tries == 20 {
					t.Fatalf("the job does not end: %+v", s.job(j.ID))
				}
			}
			s.wantGone(asked)
			s.worker.Test = whole
			s.later(time.Hour)
			before := s.rows()
			s.finish(s.wipe().ID)
			s.wantLiveUntouched(before)
			dynamotest.Audit(t, s.tables)
		})
	}
}

// shops are two merchants at work. Each write of a wipe goes through it: something happens
// before, and it looks at all live rows before and after.
type shops struct {
	*world
	rng    *rand.Rand
	n      int
	orders []order.Fulfillment
}

// act does something that a merchant, a customer or a function may do.
func (s *shops) act() {
	s.Helper()
	s.n++
	s.later(time.Millisecond)
	merchant := []string{"nova", "nova", "mallory"}[s.rng.IntN(3)]
	p := pool.ID{Merchant: merchant, Pool: []string{"elden", "ring"}[s.rng.IntN(2)], Side: pool.Sides[s.rng.IntN(2)]}
	switch s.rng.IntN(9) {
	case 0:
		s.drop(p)
	case 1, 2, 3:
		s.pay(p)
	case 4:
		s.change(func(line order.Fulfillment, change *order.Change) {
			change.After.ReturnAll()
			to := []order.Disposition{order.Revoke, order.Keep, order.Restock}[s.rng.IntN(3)]
			for _, key := range line.Keys {
				s.must(change.Release(order.Release{Key: key.ID, To: to, Shards: shards, At: s.now}))
			}
			change.Refund = fmt.Sprint("re_", s.n)
		})
	case 5:
		s.change(func(line order.Fulfillment, change *order.Change) {
			change.After.Hold(order.HoldReview)
			change.After.HeldAt = s.now
		})
	case 6:
		s.change(func(line order.Fulfillment, change *order.Change) {
			change.After.Mail = outbox.Entry{}.Next(outbox.Keys, s.now).Leased(s.now)
		})
	case 7:
		keys := s.forSale(p)
		if len(keys) > 0 {
			s.may(s.store.BlockForSale(s.Context(), p, keys[:1], "the token", s.now))
		}
	case 8:
		s.whole(p)
	}
}

// may expects that something was done, or that something else came first.
func (s *shops) may(err error) {
	s.Helper()
	var taken *order.KeysTakenError
	var exists *order.ExistsError
	if err != nil && !errors.Is(err, retry.ErrChanged) && !errors.As(err, &taken) && !errors.As(err, &exists) && !errors.Is(err, order.ErrNotHeld) {
		s.Fatal(err)
	}
}

// drop has a file loaded, now and then one that brings keys anew.
func (s *shops) drop(p pool.ID) {
	s.Helper()
	content := lines(fmt.Sprint("FILE-", s.rng.IntN(6), "-", p.Side), 6)
	folder := map[pool.Side]string{pool.Live: "/", pool.Test: "/test/"}[p.Side]
	o := s.bucket.Put(fmt.Sprint("uploads/", p.Merchant, "/", p.Pool, folder, s.n, ".txt"), []byte(content))
	s.must(s.loader.Receive(s.Context(), o))
	s.loadRest()
}

// pay stores a line that gets what keys there are, and waits for the rest.
func (s *shops) pay(p pool.ID) {
	s.Helper()
	line := lineOf(fmt.Sprint("O-", s.n), p, 1+s.rng.IntN(3), s.now)
	change := order.NewLine(line)
	keys := s.forSale(p)
	change.Allocate(keys[:min(len(keys), line.Wanted)], s.now)
	change.History = []order.History{{Line: line.ID, At: s.now, Event: order.Received, By: "webhook"}}
	err := s.store.Commit(s.Context(), change)
	s.may(err)
	if err == nil {
		s.orders = append(s.orders, change.After)
	}
}

// change changes a line of an order, if it is there.
func (s *shops) change(how func(order.Fulfillment, *order.Change)) {
	s.Helper()
	if len(s.orders) == 0 {
		return
	}
	line := s.line(s.orders[s.rng.IntN(len(s.orders))].ID)
	if line.Version == 0 || line.ReturnedAll {
		return
	}
	change := order.ChangeOf(line)
	how(line, &change)
	s.may(s.store.Commit(s.Context(), change))
}

// whole stores something that is known of an order, paid or not, and tells of it.
func (s *shops) whole(p pool.ID) {
	s.Helper()
	id := order.Identity{Merchant: p.Merchant, Side: p.Side, Origin: "own", Order: fmt.Sprint("O-", s.rng.IntN(s.n+1))}.OrderID()
	w, err := s.store.Whole(s.Context(), id)
	s.must(err)
	w.Merchant, w.Side, w.ChangedAt = p.Merchant, p.Side, s.now
	s.may(s.store.PutWhole(s.Context(), w))
	s.must(s.store.RaiseNotice(s.Context(), notice.New(p.Merchant, notice.MailFailed, fmt.Sprint(s.n), notice.Facts{Side: p.Side, Count: 1}, s.now)))
}

// write makes a write of the wipe after something else was done, and expects that it changes
// no row but of nova's test side, and the job.
func (s *shops) write(do func() error) error {
	s.Helper()
	s.act()
	before := s.rows()
	err := do()
	after := s.rows()
	ones := testOnes(before)
	for key, row := range before {
		if after[key] != row && !s.ofTest(key, row, ones) && !isOfJob(key) {
			s.Errorf("%s was\n%s\nand is\n%s", key, row, after[key])
		}
	}
	for key := range after {
		if before[key] == "" {
			s.Errorf("%s is new", key)
		}
	}
	return err
}

// wantGone expects that what was there of the test side is gone, but for keys that orders hold
// which came later, and what an upload was.
func (s *shops) wantGone(asked map[string]string) {
	s.Helper()
	ones, now := testOnes(asked), s.rows()
	for key, row := range asked {
		if s.ofTest(key, row, ones) && now[key] == row && !isCountOrUpload(key) {
			s.Errorf("%s is left: %s", key, row)
		}
	}
}

func (s *shops) TestRows(ctx context.Context, merchant, after string, n int) ([]job.TestRow, string, error) {
	return s.store.TestRows(ctx, merchant, after, n)
}

func (s *shops) WipeRow(ctx context.Context, j job.Job, row job.TestRow, now time.Time) error {
	return s.write(func() error { return s.store.WipeRow(ctx, j, row, now) })
}

func (s *shops) WipeWhole(ctx context.Context, j job.Job, w order.Whole, now time.Time) error {
	return s.write(func() error { return s.store.WipeWhole(ctx, j, w, now) })
}

func (s *shops) WipeLine(ctx context.Context, j job.Job, line order.Fulfillment, now time.Time) error {
	return s.write(func() error { return s.store.WipeLine(ctx, j, line, now) })
}

func (s *shops) TestKeys(ctx context.Context, merchant string, after pool.KeyID, n int) ([]pool.KeyID, error) {
	return s.store.TestKeys(ctx, merchant, after, n)
}

func (s *shops) KeyRecords(ctx context.Context, ids []pool.KeyID) ([]pool.Record, error) {
	return s.store.KeyRecords(ctx, ids)
}

func (s *shops) WipeKeys(ctx context.Context, j job.Job, keys []pool.Record, now time.Time) error {
	return s.write(func() error { return s.store.WipeKeys(ctx, j, keys, now) })
}

func (s *shops) Uploads(ctx context.Context, merchant, before string, limit int) ([]upload.Upload, error) {
	return s.store.Uploads(ctx, merchant, before, limit)
}

func (s *shops) WipeUpload(ctx context.Context, j job.Job, u upload.Upload, now time.Time) error {
	return s.write(func() error { return s.store.WipeUpload(ctx, j, u, now) })
}

func (s *shops) ResetTestCounts(ctx context.Context, j job.Job) error {
	return s.write(func() error { return s.store.ResetTestCounts(ctx, j) })
}
