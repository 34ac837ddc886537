package sweep_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/job"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// A job that nobody has begun, or that stands still, is asked for again, and one that has
// ended is not.
func TestSweep_jobs(t *testing.T) {
	t.Parallel()
	y := open(t)
	queue := new(outgoing)
	y.sweeper.Jobs, y.sweeper.JobQueue = y.store, queue
	u := upload.Upload{Merchant: "nova", ID: "wrong", Pool: "elden", Side: pool.Live, State: upload.Finished, Ranges: 1, ReceivedAt: noon}
	if _, err := y.store.MoveUpload(t.Context(), "", u, nil); err != nil {
		t.Fatal(err)
	}
	_, err := y.store.StartWithdrawal(t.Context(), job.Job{
		Merchant: "nova", ID: "j", Kind: job.Withdraw, Upload: u.ID, Pool: u.Pool, Side: u.Side, CreatedAt: noon, DueAt: noon.Add(2 * time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after time.Duration
		asked int
	}{
		{time.Minute, 0},
		{2 * time.Minute, 1},
		{3 * time.Minute, 0}, // it has its time
		{2*time.Minute + job.StalledAfter, 1},
	} {
		queue.sent = nil
		if swept := y.sweep(c.after); swept.Jobs != c.asked || len(queue.sent) != c.asked {
			t.Errorf("after %s: %d jobs, asked for %v", c.after, swept.Jobs, queue.sent)
		}
		if c.asked > 0 {
			if diff := cmp.Diff([]any{job.Resume("nova", "j")}, queue.sent); diff != "" {
				t.Error(diff)
			}
		}
	}
	taken, err := y.store.TakeJob(t.Context(), "nova", "j", y.now)
	if err != nil {
		t.Fatal(err)
	}
	taken.Done, taken.DueAt = true, time.Time{}
	if err := y.store.EndJob(t.Context(), taken); err != nil {
		t.Fatal(err)
	}
	if swept := y.sweep(24 * time.Hour); swept.Jobs != 0 {
		t.Error("a job that has ended is asked for")
	}
}
