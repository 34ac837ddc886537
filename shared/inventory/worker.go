package inventory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/job"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// Worker does jobs.
type Worker struct {
	Progress Progress
	Keys     Keys
	Pools    Pools
	Uploads  Uploads
	Lines    LinesOf
	Eraser   Eraser
	Now      func() time.Time
}

// Progress keeps the progress of jobs.
type Progress interface {
	// Job returns a job, false if there is none.
	Job(ctx context.Context, merchant, id string) (job.Job, bool, error)
	// TakeJob gives a job to a worker under a new fencing token, and returns its saved
	// progress. A job that has ended is returned as it is.
	TakeJob(ctx context.Context, merchant, id string, now time.Time) (job.Job, error)
	// SaveJob saves the progress of a job, and returns the job as it is then. It fails with
	// job.ErrFenced if another worker has taken it, or it has ended.
	SaveJob(ctx context.Context, j job.Job) (job.Job, error)
	// EndJob saves the end of a job. It fails with job.ErrFenced as SaveJob does.
	EndJob(ctx context.Context, j job.Job) error
}

// Keys is the table of keys.
type Keys interface {
	// OnSale returns up to n keys for sale in a shard of a pool side, those behind a place,
	// without their texts, and the place of the last one; "" if there are no more. It may lag
	// behind by IndexLag.
	OnSale(ctx context.Context, p pool.ID, shard int, after string, n int) (keys []pool.Key, last string, err error)
	// WithdrawKeys takes keys out of sale and counts them, in their pool and in the job: all
	// or nothing. *order.KeysTakenError names those that are not for sale any more;
	// job.ErrFenced is as that of SaveJob.
	WithdrawKeys(ctx context.Context, j job.Job, keys []pool.Key, now time.Time) error
}

// Pools reads a pool, false if there is none of that name.
type Pools interface {
	Pool(ctx context.Context, merchant, name string) (catalog.Pool, bool, error)
}

const (
	// IndexLag is longer than the index of keys for sale lags behind the table.
	IndexLag = time.Minute

	pageSize  = 500              // keys that are looked at in one step
	batchSize = 25               // keys of one transaction: more meet more claims, and fail together
	saveEvery = 10 * time.Second // of steps that change nothing; the others save with their keys
)

// Handle does the work that a message asks for. job.ErrUnfinished asks for the message to be
// returned to its queue at once, job.ErrPaused says that the sweep will ask for the rest.
func (w *Worker) Handle(ctx context.Context, m job.Message) error {
	if m.V > 1 {
		return fmt.Errorf("a message of version %d is newer than this program", m.V)
	}
	j, ok, err := w.Progress.Job(ctx, m.Merchant, m.Job)
	if err != nil {
		return err
	}
	if !ok {
		slog.WarnContext(ctx, "job.not_found", "job", m.Job)
		return nil
	}
	if j, err = w.Progress.TakeJob(ctx, m.Merchant, m.Job, w.Now()); err != nil || j.Done {
		return err
	}
	work, err := w.work(ctx, j)
	if err != nil {
		return fmt.Errorf("begin job %s: %w", j.ID, err)
	}
	err = job.Run(ctx, work)
	if errors.Is(err, job.ErrFenced) {
		return nil
	}
	return wrap(err, "do job %s", j.ID)
}

// work returns the work of a job.
func (w *Worker) work(ctx context.Context, j job.Job) (job.Work, error) {
	progress := progress{Worker: w, job: j, savedAt: w.Now()}
	switch j.Kind {
	case job.Withdraw:
		return w.withdrawal(ctx, progress)
	case job.Erase:
		return &erasure{progress}, nil
	}
	return nil, fmt.Errorf("a job of the kind %q is newer than this program", j.Kind)
}

// progress is how far the worker of a job has come.
type progress struct {
	*Worker
	job     job.Job
	savedAt time.Time
	dueAt   time.Time // of the next look; zero: there is work left of this one
}

// cut reports whether the job was cancelled, and ends it if so.
func (p *progress) cut() bool {
	p.job.Cut = p.job.CancelledBy != ""
	return p.job.Cut
}

// pause has the next look begin when the index shows what this one changed.
func (p *progress) pause() error {
	p.job.Look = job.Look{FoundAt: p.job.Look.FoundAt}
	p.dueAt = p.Now().Add(IndexLag)
	return job.ErrPaused
}

// SaveDue implements job.Work.
func (p *progress) SaveDue() bool { return p.Now().Sub(p.savedAt) >= saveEvery }

// Save saves the progress, and hears whether the job was cancelled.
func (p *progress) Save(ctx context.Context) error {
	now := p.Now()
	p.job.SavedAt, p.job.DueAt = now, p.dueAt
	if p.dueAt.IsZero() {
		p.job.DueAt = now.Add(job.StalledAfter)
	}
	saved, err := p.Progress.SaveJob(ctx, p.job)
	if err != nil {
		return err
	}
	p.job, p.savedAt = saved, now
	return nil
}

// Finish saves the end of the job.
func (p *progress) Finish(ctx context.Context) error {
	now := p.Now()
	p.job.Done, p.job.SavedAt, p.job.FinishedAt, p.job.DueAt = true, now, now, time.Time{}
	err := p.Progress.EndJob(ctx, p.job)
	if err == nil {
		slog.InfoContext(ctx, "job.ended", "job", p.job.ID, "kind", string(p.job.Kind), "state", string(p.job.State()), "keys", p.job.Keys, "lines", p.job.Lines)
	}
	return err
}

// withdrawal returns the work of a job that withdraws.
func (w *Worker) withdrawal(ctx context.Context, begun progress) (job.Work, error) {
	j := begun.job
	p, known, err := w.Pools.Pool(ctx, j.Merchant, j.Pool)
	if err != nil {
		return nil, err
	}
	if !known {
		p.Shards = pool.DefaultShards // the pool was deleted
	}
	return &withdrawal{begun, p.Shards}, nil
}

// withdrawal takes the unsold keys of an upload out of sale.
//
// The upload was marked before, so that ranges that are still being loaded bring keys that
// are not for sale; but a worker may have loaded some before it saw the mark. So the
// withdrawal looks at all keys for sale of the pool side, again and again. The last look is
// one that finds nothing, and that began when the upload was finished, and the last key
// found, for longer than the index lags.
type withdrawal struct {
	progress
	shards int
}

// Step looks at the next keys for sale, and withdraws those of the upload.
func (w *withdrawal) Step(ctx context.Context) (last bool, err error) {
	if w.cut() {
		return true, nil
	}
	look := &w.job.Look
	if look.Began.IsZero() {
		look.Began = w.Now()
	}
	keys, place, err := w.Keys.OnSale(ctx, w.job.PoolID(), look.Shard, look.After, pageSize)
	if err != nil {
		return false, err
	}
	if err := w.withdraw(ctx, keys); err != nil {
		return false, err
	}
	look.After = place
	if place == "" {
		look.Shard++
	}
	if look.Shard < w.shards {
		return false, nil
	}
	return w.endLook(ctx)
}

// endLook ends a look at all shards, and reports whether it was the last that is needed.
func (w *withdrawal) endLook(ctx context.Context) (last bool, err error) {
	u, _, err := w.Uploads.Upload(ctx, w.job.Merchant, w.job.Upload)
	if err != nil {
		return false, err
	}
	look := w.job.Look
	changed := w.job.CreatedAt
	for _, at := range []time.Time{look.FoundAt, u.FinishedAt} {
		if at.After(changed) {
			changed = at
		}
	}
	loads := u.State == upload.Loading || u.State == upload.Confirmed
	if look.Found == 0 && !loads && look.Began.Sub(changed) >= IndexLag {
		return true, nil
	}
	return false, w.pause()
}

// withdraw withdraws those of the keys that the upload brought, and leaves those that a claim
// takes meanwhile.
func (w *withdrawal) withdraw(ctx context.Context, keys []pool.Key) error {
	var own []pool.Key
	for _, key := range keys {
		if key.Upload == w.job.Upload {
			own = append(own, key)
		}
	}
	for len(own) > 0 {
		batch := own[:min(len(own), batchSize)]
		err := w.Keys.WithdrawKeys(ctx, w.job, batch, w.Now())
		if taken, is := errors.AsType[*order.KeysTakenError](err); is {
			own = without(own, taken.Keys)
			continue
		}
		if err != nil {
			return err
		}
		own = own[len(batch):]
		w.job.Keys += len(batch)
		w.job.Look.Found += len(batch)
		w.job.Look.FoundAt = w.Now()
	}
	return nil
}

// without returns the keys but for those.
func without(keys []pool.Key, taken []pool.KeyID) []pool.Key {
	gone := make(map[pool.KeyID]bool, len(taken))
	for _, id := range taken {
		gone[id] = true
	}
	var rest []pool.Key
	for _, key := range keys {
		if !gone[key.ID] {
			rest = append(rest, key)
		}
	}
	return rest
}

func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
