package simulate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/inventory"
	"keypool/shared/job"
	"keypool/shared/pool"
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
		w.startJob(fmt.Sprintf("withdraw %d", u.serial), u.cancels, func(ctx context.Context, jobs *inventory.Jobs) (job.Job, error) {
			ids := w.ledger.uploadsOf(u.pool)
			if len(ids) == 0 {
				return job.Job{}, nil
			}
			j, err := jobs.Withdraw(ctx, merchant, ids[u.chance%uint64(len(ids))], "a token", "")
			if errors.Is(err, job.ErrNoKeys) {
				return job.Job{}, nil
			}
			if err == nil {
				w.count("upload withdrawn")
			}
			return j, err
		})
	})
}

// startJob has a job started by the API, unless start starts none, and may have it cancelled.
func (w *world) startJob(name string, cancels bool, start func(ctx context.Context, jobs *inventory.Jobs) (job.Job, error)) {
	var started job.Job
	w.untilDone(name, func(ctx context.Context, now time.Time) (err error) {
		started, err = start(ctx, w.jobs(now))
		return err
	})
	if started.ID == "" || !cancels {
		return
	}
	time.Sleep(w.upTo("cancel of "+name, 2*time.Minute))
	w.untilDone("cancel of "+name, func(ctx context.Context, now time.Time) error {
		_, err := w.jobs(now).Cancel(ctx, merchant, started.ID, "a token")
		return err
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
func (l *ledger) uploadsOf(name string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []string
	for _, k := range l.keys {
		if strings.HasPrefix(k.side, merchant+"#"+name+"#") {
			ids = append(ids, k.upload)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// checkJobs checks that no key of a withdrawn upload is for sale, in whichever pool, and that
// each job counts the keys that it withdrew or moved.
func (w *world) checkJobs() {
	l := w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	by := map[string]int{}
	for _, item := range w.db.Items(w.tables.Keys) {
		by[str(item, "withdrawnBy")]++
		history, _ := item["history"].(*types.AttributeValueMemberSS)
		if history == nil {
			continue
		}
		for _, entry := range history.Value {
			if e, err := pool.ParseKeyEvent(entry); err == nil && e.What == pool.KeyMoved {
				by[e.About]++
			}
		}
	}
	for _, k := range l.keys {
		if k.state == "available" && l.withdrawn[k.upload] {
			l.problem("key %s is for sale, and its upload is withdrawn", l.text(k.id))
		}
	}
	for _, item := range w.db.Items(w.tables.Catalog) {
		if id := str(item, "sk"); str(item, "pk") == "jobs#"+merchant && num(item, "keys") != by[id] {
			l.problem("job %s counts %d keys and changed %d", id, num(item, "keys"), by[id])
		}
	}
}
