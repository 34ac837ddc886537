package ingest_test

import (
	"fmt"
	"testing"
	"time"

	"keypool/shared/notice"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// TestIngest_fileBeyondTheDayWaits: a file that passes a limit of its merchant's day is
// kept and not read, whatever the limit, and is read once there is room.
func TestIngest_fileBeyondTheDayWaits(t *testing.T) {
	t.Parallel()
	for limit, limits := range map[string]upload.Limits{"files": {Files: 2}, "bytes": {Bytes: 16}, "keys": {Keys: 4}} {
		t.Run(limit, func(t *testing.T) {
			t.Parallel()
			d := newFixture(t)
			d.limit(limits)
			now := noon
			d.worker.Now = func() time.Time { return now }
			var waiting []upload.Upload
			for n := range 4 { // of 8 bytes and 2 keys each
				u := d.drop(fmt.Sprintf("uploads/nova/elden/%d.txt", n), fmt.Sprintf("A-%d\nB-%d\n", n, n))
				for range 3 { // the event again counts no second time
					if err := d.worker.Receive(t.Context(), u.Object); err != nil {
						t.Fatal(err)
					}
				}
				if n < 2 && (u.State != upload.Finished || u.Counts[upload.Accepted] != 2) {
					t.Fatalf("file %d: %s because %q", n, u.State, u.Cause)
				}
				if n >= 2 {
					if u.State != upload.Parked || u.Cause != upload.OverLimit || !u.DueAt.Equal(noon.Add(time.Hour)) || d.bucket.Kept(u.Object) != 0 {
						t.Fatalf("file %d: %s because %q, looked at %s: want it to wait", n, u.State, u.Cause, u.DueAt)
					}
					waiting = append(waiting, u)
				}
			}
			told, ok, err := d.store.Notice(t.Context(), notice.New("nova", notice.UploadLimit, notice.Day(noon), notice.Facts{}, noon).ID)
			if err != nil || !ok || told.Facts.Cause != limit || told.Facts.Uploads[0] != waiting[0].ID || len(d.noticed(waiting[1])) != 0 {
				t.Errorf("told of %s, %v: want %s, once", told.Facts.Cause, err, limit)
			}
			d.resume(waiting[0]) // too early
			if u := d.upload(waiting[0].Object); u.State != upload.Parked {
				t.Errorf("read on the same day: %s", u.State)
			}

			now = noon.Add(12 * time.Hour) // the next day begins
			for _, u := range waiting {
				d.resume(u)
				d.resume(u)
			}
			for _, u := range waiting {
				if u = d.upload(u.Object); u.State != upload.Finished || u.Counts[upload.Accepted] != 2 {
					t.Errorf("on the next day: %s because %q", u.State, u.Cause)
				}
			}
			if n := len(d.keys("nova", pool.Live)); n != 8 {
				t.Errorf("%d keys are on sale, want 8", n)
			}

			// The operator raises the limit.
			u := d.drop("uploads/nova/elden/more.txt", "C-1\n")
			if u.Cause != upload.OverLimit {
				t.Fatalf("a third file of that day: %s because %q", u.State, u.Cause)
			}
			d.limit(upload.Limits{Files: 10, Bytes: 100, Keys: 100})
			d.resume(u)
			if u = d.upload(u.Object); u.State != upload.Finished || u.Counts[upload.Accepted] != 1 {
				t.Errorf("with a higher limit: %s because %q", u.State, u.Cause)
			}
		})
	}
}

// A file that is refused brings nothing, and counts for nothing.
func TestIngest_refusedFilesDoNotCount(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	d.limit(upload.Limits{Files: 1})
	for n := range 3 {
		if u := d.drop(fmt.Sprintf("uploads/nova/elden/%d.txt", n), ""); u.Cause != upload.Empty {
			t.Errorf("an empty file: %s because %q", u.State, u.Cause)
		}
	}
	if u := d.drop("uploads/nova/elden/keys.txt", "A-1\n"); u.State != upload.Finished || u.Cause != "" {
		t.Errorf("the first file with a key: %s because %q", u.State, u.Cause)
	}
}

// limit sets the limits of merchant nova.
func (d *fixture) limit(l upload.Limits) {
	d.t.Helper()
	m, _, err := d.store.Merchant(d.t.Context(), "nova")
	if err != nil {
		d.t.Fatal(err)
	}
	m.Uploads = l
	if err := d.store.PutMerchant(d.t.Context(), m); err != nil {
		d.t.Fatal(err)
	}
}

func (d *fixture) resume(u upload.Upload) {
	d.t.Helper()
	d.jobs.Send(d.t.Context(), upload.Resume(u.Merchant, u.ID), 0)
	d.work()
}
