package simulate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"keypool/shared/inventory"
	"keypool/shared/job"
)

// withdrawUpload withdraws an upload of a pool, as its merchant does by the API, perhaps while it
// is still being loaded, and may cancel that.
type withdrawUpload struct {
	pool    string
	cancels bool
	chance  uint64
	serial  int
}

func (u withdrawUpload) String() string {
	says := "an upload of " + u.pool + " is withdrawn"
	if u.cancels {
		says += ", and that is cancelled"
	}
	return says
}

func (u withdrawUpload) do(w *world) {
	w.spawn(func() {
		var started job.Job
		w.untilDone(fmt.Sprintf("withdraw %d", u.serial), func(ctx context.Context, now time.Time) error {
			ids := w.ledger.uploadsOf(u.pool)
			if len(ids) == 0 {
				return nil
			}
			var err error
			started, err = w.jobs(now).Withdraw(ctx, merchant, ids[u.chance%uint64(len(ids))], "a token", "")
			if errors.Is(err, job.ErrNoKeys) {
				return nil
			}
			return err
		})
		if started.ID == "" {
			return
		}
		w.count("upload withdrawn")
		if !u.cancels {
			return
		}
		time.Sleep(w.upTo(fmt.Sprintf("cancel %d", u.serial), 2*time.Minute))
		w.untilDone(fmt.Sprintf("cancel %d", u.serial), func(ctx context.Context, now time.Time) error {
			_, err := w.jobs(now).Cancel(ctx, merchant, started.ID, "a token")
			return err
		})
	})
}

func (w *world) jobs(now time.Time) *inventory.Jobs {
	return &inventory.Jobs{Store: w.store, Pools: w.store, Uploads: w.store, Queue: w.jobQueue, Now: func() time.Time { return now }}
}

// handleJob does what the function job does with a message.
func (w *world) handleJob(name string, messages []any) []error {
	p := w.begin(name, 10*time.Minute, w.skew(name))
	defer p.end()
	worker := &inventory.Worker{Progress: w.store, Keys: w.store, Pools: w.store, Uploads: w.store, Fill: w.fillQueue, Now: p.now}
	err := worker.Handle(p.ctx, messages[0].(job.Message))
	if errors.Is(err, job.ErrPaused) { // the sweep asks for the rest
		err = nil
	}
	if p.dead() {
		err = errProcessDied
	}
	return []error{err}
}

// uploadsOf returns the ids of the uploads of a pool that keys came from.
func (l *ledger) uploadsOf(pool string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []string
	for _, k := range l.keys {
		if strings.HasPrefix(k.side, merchant+"#"+pool+"#") {
			ids = append(ids, k.upload)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// checkWithdrawn checks that no key of a withdrawn upload is for sale in its pool, and that
// each job counts the keys that it withdrew.
func (w *world) checkWithdrawn() {
	l := w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	withdrawn, by := map[string]string{}, map[string]int{}
	for _, item := range w.db.Items(w.tables.Catalog) {
		if str(item, "pk") == "uploads#"+merchant && str(item, "withdrawal") != "" {
			withdrawn[str(item, "sk")] = merchant + "#" + str(item, "pool") + "#" + str(item, "side")
		}
	}
	for _, item := range w.db.Items(w.tables.Keys) {
		by[str(item, "withdrawnBy")]++
	}
	for _, k := range l.keys {
		if k.state == "available" && withdrawn[k.upload] == k.side {
			l.problem("key %s is for sale, and its upload is withdrawn", l.text(k.id))
		}
	}
	for _, item := range w.db.Items(w.tables.Catalog) {
		if id := str(item, "sk"); str(item, "pk") == "jobs#"+merchant && num(item, "keys") != by[id] {
			l.problem("job %s counts %d keys and withdrew %d", id, num(item, "keys"), by[id])
		}
	}
}
