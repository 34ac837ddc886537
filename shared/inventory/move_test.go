package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/fuse"
	"keypool/shared/audit"
	"keypool/shared/catalog"
	"keypool/shared/inventory"
	"keypool/shared/job"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

var ring = pool.ID{Merchant: "nova", Pool: "ring", Side: pool.Live}

// move asks for keys of elden to be moved to ring.
func (w *world) move(uploadID string, most int) job.Job {
	w.Helper()
	j, err := w.jobs.Move(w.Context(), inventory.Move{From: elden, To: "ring", Upload: uploadID, Most: most, By: "the token", Why: "the wrong pool"})
	w.must(err)
	return j
}

func TestMove(t *testing.T) {
	t.Parallel()
	w := open(t)
	wrong := w.load("uploads/nova/elden/wrong.txt", lines("WRONG", 60))
	w.load("uploads/nova/elden/right.txt", lines("RIGHT", 30))
	w.load("uploads/nova/elden/test/try.txt", "TRY-1\n")
	w.sell("A-1", elden, "WRONG-0000", "RIGHT-0000")
	w.fills.Drain()

	j := w.move(wrong.ID, 0)
	if message, _ := w.asked.Next(); message != job.Resume("nova", j.ID) || j.State() != job.Queued {
		t.Errorf("job %s, asked for %+v", j.State(), message)
	}
	if err := w.run(w.worker, j.ID); !errors.Is(err, job.ErrPaused) {
		t.Fatalf("the first look ended with %v", err)
	}
	if diff := cmp.Diff([]any{order.FillPool(ring)}, w.fills.Drain()); diff != "" {
		t.Errorf("after the first look fill is asked (-want +got):\n%s", diff)
	}
	if here, there := len(w.forSale(elden)), len(w.forSale(ring)); here != 29 || there != 59 {
		t.Errorf("%d and %d keys are for sale, want 29 and 59", here, there)
	}
	w.later(inventory.IndexLag)
	if ended := w.finish(j.ID); ended.State() != job.Ended || ended.Keys != 59 || !ended.DueAt.IsZero() {
		t.Errorf("it is %s with %d keys, due at %s", ended.State(), ended.Keys, ended.DueAt)
	}
	if diff := cmp.Diff([]any{order.FillPool(ring)}, w.fills.Drain()); diff != "" {
		t.Errorf("at its end fill is asked (-want +got):\n%s", diff)
	}
	w.wantCount(elden, 31, 0)
	w.wantCount(ring, 59, 0)
	w.later(time.Hour)
	w.sell("A-2", ring, "WRONG-0001")
	w.giveBack(w.sell("A-3", ring, "WRONG-0002"), order.Restock)
	if len(w.forSale(ring)) != 58 {
		t.Errorf("%d keys are for sale: one that comes back is in its new pool", len(w.forSale(ring)))
	}
	got := w.find("WRONG-0000", "WRONG-0001", "RIGHT-0001")
	for i, want := range []string{
		"0: claimed of elden (live), line 1 of wrong.txt, order A-1; 12:00 uploaded; 12:00 sold by a line",
		"1: claimed of ring (live), line 2 of wrong.txt, order A-2; 12:00 uploaded; 12:00 moved by a job; 13:01 sold by a line",
		"2: available of elden (live), line 2 of right.txt; 12:00 uploaded",
	} {
		if s := story(got[i]); s != want {
			t.Errorf("%s, want %s", s, want)
		}
	}
	if e := got[1].History[1]; e.About != j.ID || e.By != "the token" {
		t.Errorf("it was moved by %q, in %q", e.By, e.About)
	}
	if u := w.load("uploads/nova/elden/again.txt", "WRONG-0003\n"); u.Counts[upload.AnotherPool] != 1 {
		t.Errorf("a moved key that comes again: %v", u.Counts)
	}
	trail, _, err := w.store.Entries(t.Context(), "nova", "", 10)
	w.must(err)
	trail = slices.DeleteFunc(trail, func(e audit.Entry) bool { return e.Before != nil }) // its end
	if len(trail) != 1 || trail[0].Name != j.ID || trail[0].After["to"] != "ring" || trail[0].After["upload"] != wrong.ID || trail[0].By != "the token" {
		t.Errorf("the audit trail: %+v", trail)
	}
}

func TestMove_soManyOfAWholePool(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.load("uploads/nova/elden/first.txt", lines("FIRST", 40))
	w.load("uploads/nova/elden/second.txt", lines("SECOND", 40))
	if ended := w.finish(w.move("", 47).ID); ended.Keys != 47 || len(w.forSale(ring)) != 47 || len(w.forSale(elden)) != 33 {
		t.Errorf("%d keys, %d and %d for sale", ended.Keys, len(w.forSale(elden)), len(w.forSale(ring)))
	}
	w.wantCount(elden, 33, 0)
	w.wantCount(ring, 47, 0)
	if ended := w.finish(w.move("", 0).ID); ended.Keys != 33 {
		t.Errorf("the rest: %d keys", ended.Keys)
	}
}

func TestMove_refused(t *testing.T) {
	t.Parallel()
	w := open(t)
	withdrawn := w.load("uploads/nova/elden/wrong.txt", "A-1\n")
	w.withdraw(withdrawn)
	try := w.load("uploads/nova/elden/test/try.txt", "A-2\n")
	for name, c := range map[string]struct {
		move inventory.Move
		want error
	}{
		"to the same pool":           {inventory.Move{From: elden, To: "elden"}, job.ErrSamePool},
		"to no pool":                 {inventory.Move{From: elden, To: "nowhere"}, job.ErrNoPool},
		"from no pool":               {inventory.Move{From: pool.ID{Merchant: "nova", Pool: "nowhere", Side: pool.Live}, To: "ring"}, job.ErrNotFound},
		"of no upload":               {inventory.Move{From: elden, To: "ring", Upload: "nobody's"}, job.ErrNotFound},
		"of an upload of test keys":  {inventory.Move{From: elden, To: "ring", Upload: try.ID}, job.ErrNotFound},
		"of a withdrawn upload":      {inventory.Move{From: elden, To: "ring", Upload: withdrawn.ID}, job.ErrWithdrawn},
		"of another merchant's file": {inventory.Move{From: pool.ID{Merchant: "mallory", Pool: "elden", Side: pool.Live}, To: "ring", Upload: try.ID}, job.ErrNotFound},
		"of a merchant that is none": {inventory.Move{From: pool.ID{Merchant: "eve", Pool: "elden", Side: pool.Live}, To: "ring"}, job.ErrNotFound},
	} {
		if _, err := w.jobs.Move(t.Context(), c.move); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Of a key that a claim takes at the same moment, one of the two has it; a claim of the other
// pool may take it there.
func TestMove_whileItSells(t *testing.T) {
	t.Parallel()
	w := open(t)
	const keys = 200
	w.load("uploads/nova/elden/first.txt", lines("KEY", keys))
	j := w.move("", 0)
	var sales sync.WaitGroup
	var mu sync.Mutex
	sold := map[pool.KeyID]int{}
	for n := range 60 {
		sales.Go(func() {
			if key, ok := w.take(fmt.Sprint("R-", n)); ok {
				mu.Lock()
				defer mu.Unlock()
				sold[key]++
			}
		})
	}
	first := w.run(w.worker, j.ID)
	sales.Wait()
	if !errors.Is(first, job.ErrPaused) {
		t.Fatal(first)
	}
	w.later(inventory.IndexLag)
	ended := w.finish(j.ID)
	if ended.Keys+len(sold) != keys || len(w.forSale(ring)) != ended.Keys || len(w.forSale(elden)) != 0 {
		t.Errorf("%d moved and %d sold, of %d; %d and %d are for sale", ended.Keys, len(sold), keys, len(w.forSale(elden)), len(w.forSale(ring)))
	}
	w.wantCount(elden, keys-ended.Keys, 0)
	w.wantCount(ring, ended.Keys, 0)
}

// A stale index shows a moved key where it was. Nobody is sold it from there.
func TestMove_aClaimThatSawItBefore(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.load("uploads/nova/elden/first.txt", lines("KEY", 12)) // in either shard
	seen := w.forSale(elden)
	w.finish(w.move("", 0).ID)
	for i, key := range seen {
		change := order.NewLine(lineOf(fmt.Sprintf("A-%d", i), elden, 1, noon))
		change.Allocate([]pool.Key{key}, noon)
		if err := w.store.Commit(t.Context(), change); !errors.As(err, new(*order.KeysTakenError)) {
			t.Errorf("claim %d ends with %v", i, err)
		}
	}
}

// The keys of an upload that is withdrawn are not moved any more, and its withdrawal finds those
// that were, in each pool they are in.
func TestMove_thenWithdrawn(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.must(w.store.PutPool(t.Context(), catalog.Pool{Merchant: "nova", Name: "moon", Shards: 2}))
	u := w.load("uploads/nova/elden/wrong.txt", lines("WRONG", 90))
	w.load("uploads/nova/elden/right.txt", lines("RIGHT", 10))
	w.finish(w.move(u.ID, 60).ID)
	on, err := w.jobs.Move(t.Context(), inventory.Move{From: ring, To: "moon", Most: 30})
	w.must(err)
	w.finish(on.ID)
	back, err := w.jobs.Move(t.Context(), inventory.Move{From: ring, To: "elden", Most: 5})
	w.must(err)
	w.finish(back.ID)
	late := w.move("", 0)
	ended := w.finish(w.withdraw(u).ID)
	if moon := (pool.ID{Merchant: "nova", Pool: "moon", Side: pool.Live}); ended.Keys != 90 || w.forSaleOf(u) != 0 || len(w.forSale(ring)) != 0 || len(w.forSale(moon)) != 0 {
		t.Errorf("%d keys are withdrawn; %d, %d and %d for sale", ended.Keys, len(w.forSale(elden)), len(w.forSale(ring)), len(w.forSale(moon)))
	} else {
		w.wantCount(moon, 30, 30)
	}
	w.wantCount(elden, 45, 35)
	w.wantCount(ring, 25, 25)
	if moved := w.finish(late.ID); moved.Keys != 10 {
		t.Errorf("a move of the pool takes %d keys, want those of the other upload", moved.Keys)
	}
}

// withdraws has an upload withdrawn when its keys were looked at, and before they are moved.
type withdraws struct {
	inventory.Keys
	do func()
}

func (k *withdraws) OnSale(ctx context.Context, p pool.ID, shard int, after string, n int) ([]pool.Key, string, error) {
	keys, last, err := k.Keys.OnSale(ctx, p, shard, after, n)
	if k.do != nil {
		k.do()
		k.do = nil
	}
	return keys, last, err
}

func TestMove_ofAnUploadThatIsWithdrawnMeanwhile(t *testing.T) {
	t.Parallel()
	w := open(t)
	u := w.load("uploads/nova/elden/wrong.txt", lines("WRONG", 40))
	w.load("uploads/nova/elden/right.txt", lines("RIGHT", 10))
	j := w.move("", 0)
	var withdrawal job.Job
	late := *w.worker
	late.Keys = &withdraws{w.store, func() { withdrawal = w.withdraw(u) }}
	if err := w.run(&late, j.ID); !errors.Is(err, job.ErrPaused) {
		t.Fatal(err)
	}
	if ended := w.finish(j.ID); ended.Keys != 10 || len(w.forSale(ring)) != 10 {
		t.Errorf("%d keys are moved, and %d for sale there", ended.Keys, len(w.forSale(ring)))
	}
	if ended := w.finish(withdrawal.ID); ended.Keys != 40 {
		t.Errorf("%d keys are withdrawn", ended.Keys)
	}
	w.wantCount(elden, 40, 40)
}

// The keys of an upload that is still being loaded are moved once they come.
func TestMove_whileItLoads(t *testing.T) {
	t.Parallel()
	w := open(t)
	file := lines("FIRST", 40)
	for len(file) < upload.RangeSize {
		file += strings.Repeat("x", 2100) + "\n"
	}
	u := w.receive("uploads/nova/elden/large.txt", file+lines("SECOND", 50))
	j := w.move(u.ID, 0)
	for range 3 {
		if err := w.run(w.worker, j.ID); !errors.Is(err, job.ErrPaused) {
			t.Fatalf("while the upload loads, a look ended with %v", err)
		}
		w.later(inventory.IndexLag)
	}
	w.loadRest()
	if ended := w.finish(j.ID); ended.Keys != 90 || len(w.forSale(ring)) != 90 {
		t.Errorf("%d keys are moved", ended.Keys)
	}
	w.wantCount(elden, 0, 0)
	w.wantCount(ring, 90, 0)
}

// The last look of a move begins when the index shows all that was for sale.
func TestMove_looksUntilTheIndexShowsAll(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.load("uploads/nova/elden/first.txt", lines("KEY", 30))
	w.worker.Keys = &lateIndex{Keys: w.store, until: noon.Add(inventory.IndexLag - time.Second), now: w.jobs.Now}
	if ended := w.finish(w.move("", 0).ID); ended.Keys != 30 {
		t.Errorf("it moved %d keys", ended.Keys)
	}
}

// A job that is killed at any of its calls is resumed, and its counts are those of the keys.
func TestMove_killedAtAnyCall(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		for at := 1; ; at++ {
			w := open(t)
			w.load("uploads/nova/elden/first.txt", lines("KEY", 60))
			j := w.move("", 50)
			f := &fuse.Fuse{Left: at, Late: late}
			err := w.run(fused(f, w.worker), j.ID)
			if f.Left > 0 { // it outlived the job
				w.must(err)
				break
			}
			w.fills.Drain()
			was := w.job(j.ID)
			if ended := w.finish(j.ID); ended.Keys != 50 || len(w.forSale(ring)) != 50 || len(w.forSale(elden)) != 10 {
				t.Errorf("killed at call %d (late %t): it moved %d keys, and %d are there", at, late, ended.Keys, len(w.forSale(ring)))
			}
			if asked := w.fills.Drain(); len(asked) == 0 && !was.Done {
				t.Errorf("killed at call %d (late %t): nobody fills what waits", at, late)
			}
			w.wantCount(elden, 10, 0)
			w.wantCount(ring, 50, 0)
		}
	}
}

// A worker whose job another has taken moves no key, and one that was sold meanwhile is named.
func TestMoveKeys(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.load("uploads/nova/elden/first.txt", lines("KEY", 5))
	j := w.move("", 0)
	stale, err := w.store.TakeJob(t.Context(), "nova", j.ID, noon)
	w.must(err)
	taken, err := w.store.TakeJob(t.Context(), "nova", j.ID, noon)
	w.must(err)
	keys := w.forSale(elden)
	if err := w.store.MoveKeys(t.Context(), stale, shards, keys, noon); !errors.Is(err, job.ErrFenced) {
		t.Errorf("by a worker that was fenced: %v", err)
	}
	w.sell("A-1", elden, "KEY-0003")
	gone, is := errors.AsType[*order.KeysTakenError](w.store.MoveKeys(t.Context(), taken, shards, keys, noon))
	if !is || !slices.Equal(gone.Keys, []pool.KeyID{w.find("KEY-0003")[0].ID}) {
		t.Errorf("a key was sold meanwhile: %v", gone)
	}
	if len(w.forSale(ring)) != 0 || w.job(j.ID).Keys != 0 {
		t.Errorf("%d keys are moved, and %d counted", len(w.forSale(ring)), w.job(j.ID).Keys)
	}
	w.wantCount(elden, 5, 0)
	w.wantCount(ring, 0, 0)
}

func TestMove_cancelled(t *testing.T) {
	t.Parallel()
	w := open(t)
	u := w.load("uploads/nova/elden/first.txt", lines("KEY", 30))
	j := w.move(u.ID, 0)
	_, err := w.jobs.Cancel(t.Context(), "nova", j.ID, "another token")
	w.must(err)
	w.must(w.run(w.worker, j.ID))
	if now := w.job(j.ID); now.State() != job.Cancelled || now.Keys != 0 || len(w.forSale(elden)) != 30 {
		t.Errorf("it is %s with %d keys", now.State(), now.Keys)
	}
}
