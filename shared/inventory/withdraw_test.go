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
	"keypool/shared/inventory"
	"keypool/shared/job"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// lines returns a file of n keys.
func lines(name string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s-%04d\n", name, i)
	}
	return b.String()
}

// withdraw asks for an upload to be withdrawn.
func (w *world) withdraw(u upload.Upload) job.Job {
	w.Helper()
	j, err := w.jobs.Withdraw(w.Context(), u.Merchant, u.ID, "the token", "it was the wrong file")
	w.must(err)
	return j
}

// run has a job done until it pauses or ends.
func (w *world) run(worker *inventory.Worker, id string) error {
	for {
		err := worker.Handle(w.Context(), job.Resume("nova", id))
		if !errors.Is(err, job.ErrUnfinished) {
			return err
		}
	}
}

// finish has a job done to its end, as the sweep asks for it, and expects that the merchant is
// told what it has done.
func (w *world) finish(id string) job.Job {
	w.Helper()
	for range 20 {
		if err := w.run(w.worker, id); err != nil && !errors.Is(err, job.ErrPaused) {
			w.Fatal(err)
		}
		if j := w.job(id); j.Done {
			w.isTold(j)
			return j
		}
		w.later(inventory.IndexLag)
	}
	w.Fatalf("the job does not end: %+v", w.job(id))
	return job.Job{}
}

func (w *world) isTold(j job.Job) {
	w.Helper()
	want := notice.OfJob(j)
	told, _, err := w.store.Notice(w.Context(), want.ID)
	w.must(err)
	if diff := cmp.Diff(want.Facts, told.Facts); diff != "" || told.Mail.State != outbox.Due {
		w.Errorf("told of the end of %s, a mail that is %q: %s", j.Kind, told.Mail.State, diff)
	}
}

func (w *world) job(id string) job.Job {
	w.Helper()
	j, err := w.jobs.Get(w.Context(), "nova", id)
	w.must(err)
	return j
}

// forSaleOf returns the number of keys for sale that an upload brought.
func (w *world) forSaleOf(u upload.Upload) (n int) {
	w.Helper()
	for _, key := range w.forSale(u.PoolID()) {
		if key.Upload == u.ID {
			n++
		}
	}
	return n
}

// wantCount expects the count of keys that a pool side shows.
func (w *world) wantCount(p pool.ID, accepted, withdrawn int) {
	w.Helper()
	count, err := w.store.Count(w.Context(), p)
	w.must(err)
	if count.Accepted != accepted || count.Withdrawn != withdrawn {
		w.Errorf("%s counts %d keys accepted and %d withdrawn, want %d and %d", p, count.Accepted, count.Withdrawn, accepted, withdrawn)
	}
}

func TestWithdraw(t *testing.T) {
	t.Parallel()
	w := open(t)
	wrong := w.load("uploads/nova/elden/wrong.txt", lines("WRONG", 120))
	right := w.load("uploads/nova/elden/right.txt", lines("RIGHT", 30))
	w.sell("A-1", elden, "WRONG-0000", "WRONG-0001", "RIGHT-0000")

	j := w.withdraw(wrong)
	if again := w.withdraw(wrong); again.ID != j.ID || j.State() != job.Queued {
		t.Errorf("job %s is %s; asked again it is %s", j.ID, j.State(), again.ID)
	}
	if u := w.upload(wrong.ID); u.Withdrawal != j.ID || !u.WithdrawnAt.Equal(noon) {
		t.Errorf("the upload is withdrawn by %q at %s", u.Withdrawal, u.WithdrawnAt)
	}
	if message, _ := w.asked.Next(); message != job.Resume("nova", j.ID) {
		t.Errorf("asked for %+v", message)
	}
	if err := w.run(w.worker, j.ID); !errors.Is(err, job.ErrPaused) {
		t.Fatalf("the first look ended with %v", err)
	}
	if n := w.forSaleOf(wrong); n != 0 {
		t.Errorf("%d keys are still for sale after the first look", n)
	}
	if now := w.job(j.ID); now.State() != job.Running || now.Keys != 118 || !now.DueAt.Equal(noon.Add(inventory.IndexLag)) {
		t.Errorf("it is %s with %d keys, due at %s", now.State(), now.Keys, now.DueAt)
	}
	w.later(inventory.IndexLag)
	if ended := w.finish(j.ID); ended.State() != job.Ended || ended.Keys != 118 || !ended.DueAt.IsZero() {
		t.Errorf("it is %s with %d keys, due at %s", ended.State(), ended.Keys, ended.DueAt)
	}
	if n := w.forSaleOf(right); n != 29 {
		t.Errorf("%d keys of the other file are for sale, want 29", n)
	}
	w.wantCount(elden, 150, 118)
	got := w.find("WRONG-0001", "WRONG-0002", "RIGHT-0001")
	for i, want := range []string{
		"0: claimed of elden (live), line 2 of wrong.txt, order A-1; 12:00 uploaded; 12:00 sold by a line",
		"1: withdrawn of elden (live), line 3 of wrong.txt; 12:00 uploaded; 12:00 withdrawn by a job",
		"2: available of elden (live), line 2 of right.txt; 12:00 uploaded",
	} {
		if s := story(got[i]); s != want {
			t.Errorf("%s, want %s", s, want)
		}
	}
	if u := w.load("uploads/nova/elden/again.txt", "WRONG-0002\n"); u.Counts[upload.Withdrawn] != 1 {
		t.Errorf("a withdrawn key that comes again: %v", u.Counts)
	}
}

func TestWithdraw_refused(t *testing.T) {
	t.Parallel()
	w := open(t)
	misplaced := w.load("uploads/nova/keys.txt", "A-1\n")
	for id, want := range map[string]error{"nobody's": job.ErrNotFound, misplaced.ID: job.ErrNoKeys} {
		if _, err := w.jobs.Withdraw(t.Context(), "nova", id, "", ""); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", id, err, want)
		}
	}
	other := w.load("uploads/nova/elden/keys.txt", "A-1\n")
	if _, err := w.jobs.Withdraw(t.Context(), "mallory", other.ID, "", ""); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("another's upload: %v", err)
	}
	if err := w.worker.Handle(t.Context(), job.Resume("nova", "nobody's")); err != nil {
		t.Errorf("a message for no job: %v", err)
	}
}

// Ranges that are loaded after the mark bring keys that are not for sale, and the job waits
// for their end.
func TestWithdraw_whileItLoads(t *testing.T) {
	t.Parallel()
	w := open(t)
	file := lines("FIRST", 40)
	for len(file) < upload.RangeSize {
		file += strings.Repeat("x", 2100) + "\n"
	}
	file += lines("SECOND", 50)
	u := w.receive("uploads/nova/elden/large.txt", file)
	if n := w.forSaleOf(u); n != 40 || u.State != upload.Loading {
		t.Fatalf("%d keys are for sale, and the upload is %s", n, u.State)
	}
	j := w.withdraw(u)
	for range 3 {
		if err := w.run(w.worker, j.ID); !errors.Is(err, job.ErrPaused) {
			t.Fatalf("while the upload loads, a look ended with %v", err)
		}
		w.later(inventory.IndexLag)
	}
	w.loadRest()
	if n := w.forSaleOf(u); n != 0 {
		t.Errorf("%d keys that came after the mark are for sale", n)
	}
	ended := w.finish(j.ID)
	if ended.Keys != 40 {
		t.Errorf("the job withdrew %d keys, want 40", ended.Keys)
	}
	w.wantCount(elden, 90, 90)
	if k := w.find("SECOND-0007")[0]; k.State != pool.KeyWithdrawn {
		t.Errorf("a key that came after the mark is %s", k.State)
	}
}

// An index may show a key long after it was written. The job ends only after a look that
// began when the index shows it.
func TestWithdraw_looksUntilTheIndexShowsAll(t *testing.T) {
	t.Parallel()
	w := open(t)
	u := w.load("uploads/nova/elden/wrong.txt", lines("WRONG", 30))
	late := &lateIndex{Keys: w.store, until: noon.Add(inventory.IndexLag - time.Second), now: func() time.Time { return w.now }}
	w.worker.Keys = late
	j := w.withdraw(u)
	if err := w.run(w.worker, j.ID); !errors.Is(err, job.ErrPaused) {
		t.Fatalf("a look that began at once ended with %v", err)
	}
	if ended := w.finish(j.ID); ended.Keys != 30 || w.forSaleOf(u) != 0 {
		t.Errorf("it withdrew %d keys, and %d are for sale", ended.Keys, w.forSaleOf(u))
	}
}

// lateIndex shows nothing until a time.
type lateIndex struct {
	inventory.Keys
	until time.Time
	now   func() time.Time
}

func (k *lateIndex) OnSale(ctx context.Context, p pool.ID, shard int, after string, n int) ([]pool.Key, string, error) {
	if k.now().Before(k.until) {
		return nil, "", nil
	}
	return k.Keys.OnSale(ctx, p, shard, after, n)
}

// Of a key that a claim takes at the same moment, one of the two has it.
func TestWithdraw_whileItSells(t *testing.T) {
	t.Parallel()
	w := open(t)
	const keys = 200
	u := w.load("uploads/nova/elden/wrong.txt", lines("WRONG", keys))
	j := w.withdraw(u)
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
	if ended.Keys+len(sold) != keys {
		t.Errorf("%d withdrawn and %d sold, of %d", ended.Keys, len(sold), keys)
	}
	for i := range keys {
		k := w.find(fmt.Sprintf("WRONG-%04d", i))[0]
		if want := map[bool]pool.KeyState{true: pool.KeyClaimed, false: pool.KeyWithdrawn}[sold[k.ID] == 1]; k.State != want || sold[k.ID] > 1 {
			t.Errorf("key %d is %s, sold %d times", i, k.State, sold[k.ID])
		}
	}
	w.wantCount(elden, keys, ended.Keys)
}

// A job that is killed at any of its calls is resumed, and its counts are those of the keys.
func TestWithdraw_killedAtAnyCall(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		for at := 1; ; at++ {
			w := open(t)
			u := w.load("uploads/nova/elden/wrong.txt", lines("WRONG", 60))
			j := w.withdraw(u)
			f := &fuse.Fuse{Left: at, Late: late}
			dying := fused(f, w.worker)
			err := w.run(dying, j.ID)
			if f.Left > 0 { // it outlived the first look
				if !errors.Is(err, job.ErrPaused) {
					t.Fatal(err)
				}
				break
			}
			if ended := w.finish(j.ID); ended.Keys != 60 || w.forSaleOf(u) != 0 {
				t.Errorf("killed at call %d (late %t): it withdrew %d keys, and %d are for sale", at, late, ended.Keys, w.forSaleOf(u))
			}
			w.wantCount(elden, 60, 60)
		}
	}
}

// A worker whose job another has taken changes no key and saves nothing.
func TestWithdraw_fenced(t *testing.T) {
	t.Parallel()
	w := open(t)
	u := w.load("uploads/nova/elden/wrong.txt", lines("WRONG", 30))
	j := w.withdraw(u)
	stale, err := w.store.TakeJob(t.Context(), "nova", j.ID, noon)
	w.must(err)
	if _, err := w.store.TakeJob(t.Context(), "nova", j.ID, noon); err != nil {
		t.Fatal(err)
	}
	keys := w.forSale(elden)[:2]
	if err := w.store.WithdrawKeys(t.Context(), stale, elden, keys, noon); !errors.Is(err, job.ErrFenced) {
		t.Errorf("it withdraws keys: %v", err)
	}
	if _, err := w.store.SaveJob(t.Context(), stale); !errors.Is(err, job.ErrFenced) {
		t.Errorf("it saves: %v", err)
	}
	stale.Done = true
	if err := w.store.EndJob(t.Context(), stale); !errors.Is(err, job.ErrFenced) {
		t.Errorf("it ends the job: %v", err)
	}
	w.wantCount(elden, 30, 0)
	if n := w.forSaleOf(u); n != 30 {
		t.Errorf("%d keys are for sale", n)
	}
}

// The keys of a transaction that were sold meanwhile are named, and the others stay.
func TestWithdrawKeys_namesThoseThatAreGone(t *testing.T) {
	t.Parallel()
	w := open(t)
	u := w.load("uploads/nova/elden/wrong.txt", lines("WRONG", 5))
	j := w.withdraw(u)
	taken, err := w.store.TakeJob(t.Context(), "nova", j.ID, noon)
	w.must(err)
	keys := w.forSale(elden)
	w.sell("A-1", elden, "WRONG-0003")
	err = w.store.WithdrawKeys(t.Context(), taken, elden, keys, noon)
	gone, is := errors.AsType[*order.KeysTakenError](err)
	if !is || len(gone.Keys) != 1 || gone.Keys[0] != w.find("WRONG-0003")[0].ID {
		t.Errorf("%v", err)
	}
	w.wantCount(elden, 5, 0)
	if n := w.job(j.ID).Keys; n != 0 {
		t.Errorf("the job counts %d keys", n)
	}
}

func TestJobs_cancel(t *testing.T) {
	t.Parallel()
	w := open(t)
	u := w.load("uploads/nova/elden/wrong.txt", lines("WRONG", 30))
	j := w.withdraw(u)
	cancelled, err := w.jobs.Cancel(t.Context(), "nova", j.ID, "another token")
	w.must(err)
	if cancelled.State() != job.Cancelling {
		t.Errorf("it is %s", cancelled.State())
	}
	if err := w.run(w.worker, j.ID); err != nil {
		t.Fatal(err)
	}
	if now := w.job(j.ID); now.State() != job.Cancelled || now.Keys != 0 || now.CancelledBy != "another token" {
		t.Errorf("it is %s with %d keys, by %q", now.State(), now.Keys, now.CancelledBy)
	}
	if n := w.forSaleOf(u); n != 30 {
		t.Errorf("%d keys are for sale", n)
	}
	again := w.withdraw(w.upload(u.ID))
	if again.ID == j.ID {
		t.Error("an upload whose withdrawal was cancelled cannot be withdrawn again")
	}
	if ended := w.finish(again.ID); ended.Keys != 30 {
		t.Errorf("the second job withdrew %d keys", ended.Keys)
	}
	for _, id := range []string{j.ID, again.ID} {
		if late, err := w.jobs.Cancel(t.Context(), "nova", id, "too late"); err != nil || !late.Done || late.CancelledBy == "too late" {
			t.Errorf("a job that has ended is cancelled: %+v, %v", late, err)
		}
	}
	if _, err := w.jobs.Cancel(t.Context(), "mallory", again.ID, ""); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("another's job: %v", err)
	}
	all, next, err := w.jobs.List(t.Context(), "nova", "", 1)
	w.must(err)
	if len(all) != 1 || next != all[0].ID {
		t.Errorf("the first page has %d jobs, and goes on after %q", len(all), next)
	}
	rest, next, err := w.jobs.List(t.Context(), "nova", next, 1)
	w.must(err)
	if ids := []string{all[0].ID, rest[0].ID}; next != "" || !slices.Contains(ids, j.ID) || !slices.Contains(ids, again.ID) {
		t.Errorf("the jobs are %v, and go on after %q", ids, next)
	}
}
