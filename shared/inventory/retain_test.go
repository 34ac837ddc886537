package inventory_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/fuse"
	"keypool/shared/access"
	"keypool/shared/job"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/settings"
)

const day = 24 * time.Hour

// retain sets for how many days customers are kept.
func (w *world) retain(days int) {
	w.Helper()
	kept := &settings.Retentions{Store: w.store, Now: w.worker.Now}
	r, err := kept.Get(w.Context(), "nova")
	w.must(err)
	r.Days = days
	_, err = kept.Put(w.Context(), r, access.Principal{Name: "the token"}, settings.Condition{Version: func(int) bool { return true }})
	w.must(err)
}

// look has the job that retains look once, and returns it as it is then.
func (w *world) look() job.Job {
	w.Helper()
	if err := w.run(w.worker, job.RetentionID); !errors.Is(err, job.ErrPaused) {
		w.Fatalf("the look ended with %v", err)
	}
	return w.job(job.RetentionID)
}

func TestRetain(t *testing.T) {
	t.Parallel()
	w := open(t)
	old := w.buy("old", pool.Live, ada, nil)
	test := w.buy("old", pool.Test, ada, nil)
	owing := w.buy("owing", pool.Live, ada, waits)
	w.later(3 * day)
	recent := w.buy("recent", pool.Live, ada, nil)
	w.later(8 * day)
	w.retain(10)

	first := w.look()
	if first.State() != job.Running || first.Lines != 2 || !first.DueAt.Equal(noon.Add(12*day)) {
		t.Errorf("the job is %s, has erased %d lines, and is due at %s", first.State(), first.Lines, first.DueAt)
	}
	for _, line := range []order.Fulfillment{old, test} {
		if now := w.line(line.ID); now.Customer != (order.Customer{}) || now.Allocated != 1 {
			t.Errorf("order %s (%s) is not erased: %+v", line.Order, line.Side, now)
		}
	}
	for _, line := range []order.Fulfillment{owing, recent} {
		if now := w.line(line.ID); now.Customer != ada {
			t.Errorf("order %s is erased", line.Order)
		}
	}

	w.later(3 * day)
	if second := w.look(); second.Lines != 3 || w.line(recent.ID).ErasedAt.IsZero() {
		t.Errorf("three days later %d lines are erased", second.Lines)
	}
	delivered := order.ChangeOf(w.line(owing.ID))
	delivered.After.Wanted, delivered.After.Mail = 0, outbox.Entry{State: outbox.Sent, Kind: outbox.Keys, Number: 1}
	delivered.History = []order.History{{Line: owing.ID, At: w.now, Event: order.MailSent, By: "deliver", Mail: 1}}
	w.must(w.store.Commit(t.Context(), delivered))
	w.later(9 * day)
	if third := w.look(); third.Lines != 3 || w.line(owing.ID).Customer != ada {
		t.Errorf("nine days after its mail, the customer of a line that was left is erased")
	}
	w.later(2 * day)
	if fourth := w.look(); fourth.Lines != 4 || w.line(owing.ID).ErasedAt.IsZero() {
		t.Errorf("eleven days after its mail, %d lines are erased", fourth.Lines)
	}
	if stored := w.dump(); strings.Contains(stored, "Adas") {
		t.Error("something of the customer is left")
	}

	if _, err := w.jobs.Cancel(t.Context(), "nova", job.RetentionID, "somebody"); !errors.Is(err, job.ErrOfSetting) {
		t.Errorf("the job is cancelled: %v", err)
	}
	w.retain(0)
	w.must(w.run(w.worker, job.RetentionID))
	if ended := w.job(job.RetentionID); ended.State() != job.Ended || !ended.DueAt.IsZero() {
		t.Errorf("without the setting, the job is %s, due at %s", ended.State(), ended.DueAt)
	}
	again := w.buy("again", pool.Live, ada, nil)
	w.later(2 * day)
	w.retain(1)
	if now := w.look(); w.line(again.ID).ErasedAt.IsZero() {
		t.Errorf("set again, the job is %+v", now)
	}
}

// A look passes over what the looks before it have erased, and comes to all of the rest however
// many lines are left.
func TestRetain_manyLines(t *testing.T) {
	t.Parallel()
	w := open(t)
	for n := range 120 {
		w.buy(fmt.Sprint("A-", n), pool.Live, ada, map[bool]func(*order.Fulfillment){true: waits}[n%40 == 7])
	}
	w.later(2 * day)
	w.retain(1)
	for range 2 {
		if now := w.look(); now.Lines != 117 || !now.Seen.Equal(noon) {
			t.Errorf("%d lines are erased; the next look begins at %s", now.Lines, now.Seen)
		}
		w.later(day)
	}
}

// A job that is killed at any of its calls is resumed, and counts each line once.
func TestRetain_killedAtAnyCall(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		for at := 1; ; at++ {
			w := open(t)
			for n := range 3 {
				w.buy(fmt.Sprint("A-", n), pool.Live, ada, nil)
			}
			w.later(2 * day)
			w.retain(1)
			f := &fuse.Fuse{Left: at, Late: late}
			err := w.run(fused(f, w.worker), job.RetentionID)
			if f.Left > 0 {
				if !errors.Is(err, job.ErrPaused) {
					t.Fatal(err)
				}
				break
			}
			if now := w.look(); now.Lines != 3 || strings.Contains(w.dump(), "Adas") {
				t.Errorf("killed at call %d (late %t): it counts %d lines", at, late, now.Lines)
			}
		}
	}
}
