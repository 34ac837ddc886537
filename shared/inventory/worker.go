package inventory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
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
	Fill     Sender // the queue of order.FillRequests
	Lines    LinesOf
	Eraser   Eraser
	Kept     Retentions
	Test     TestSide
	Stored   Stored
	Files    Files
	Rests    Rests
	PartSize int // of files, in bytes at least; 0: as S3 takes them
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
	// WithdrawKeys takes keys of a pool side out of sale and counts them, there and in the
	// job: all or nothing. *order.KeysTakenError names those that are not for sale any more;
	// job.ErrFenced is as that of SaveJob.
	WithdrawKeys(ctx context.Context, j job.Job, p pool.ID, keys []pool.Key, now time.Time) error
	// MoveKeys moves keys to the pool that the job moves to, which has so many shards, and
	// counts them, in both pools and in the job: all or nothing. *order.KeysTakenError names
	// those that are not for sale any more, or of a withdrawn upload; job.ErrFenced is as that
	// of SaveJob.
	MoveKeys(ctx context.Context, j job.Job, shards int, keys []pool.Key, now time.Time) error
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
	fillAfter = 2 * time.Second  // for the index to show moved keys
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
	case job.Withdraw, job.Move:
		return w.onSale(ctx, progress)
	case job.Erase:
		return &erasure{progress}, nil
	case job.Retain:
		kept, err := w.Kept.Retention(ctx, j.Merchant)
		return &retention{progress, kept.Days}, err
	case job.Wipe:
		return &wiping{progress, map[string]verdict{}}, nil
	case job.Export:
		return w.export(ctx, progress)
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

// onSale returns the work of a job that withdraws or moves keys.
func (w *Worker) onSale(ctx context.Context, begun progress) (job.Work, error) {
	j, s := begun.job, &onSale{progress: begun}
	names := []string{j.Pool}
	if j.Kind == job.Withdraw {
		// No key of the upload is moved any more, and those that were are where it says.
		u, _, err := w.Uploads.Upload(ctx, j.Merchant, j.Upload)
		if err != nil {
			return nil, err
		}
		names = append(names, slices.DeleteFunc(u.MovedTo, func(name string) bool { return name == j.Pool })...)
	} else {
		to, err := w.side(ctx, j.ToID())
		if err != nil {
			return nil, err
		}
		s.to = to
	}
	for _, name := range names {
		in, err := w.side(ctx, pool.ID{Merchant: j.Merchant, Pool: name, Side: j.Side})
		if err != nil {
			return nil, err
		}
		s.in = append(s.in, in)
	}
	return s, nil
}

// side is a pool side, and the number of its shards.
type side struct {
	pool.ID
	shards int
}

func (w *Worker) side(ctx context.Context, id pool.ID) (side, error) {
	p, known, err := w.Pools.Pool(ctx, id.Merchant, id.Pool)
	if !known {
		p.Shards = pool.DefaultShards // the pool was deleted
	}
	return side{id, p.Shards}, err
}

// onSale is work on keys that are for sale: it withdraws those of an upload, or moves them to
// another pool. It looks at all keys for sale of some pool sides, until it can have missed none.
//
// An upload that is withdrawn was marked before, so that ranges that are still being loaded
// bring keys that are not for sale; but a worker may have loaded some before it saw the mark.
// So the last look is one that finds nothing, and that began when the upload was finished, and
// the last key found, for longer than the index lags.
//
// A move is of the keys that were for sale when it was asked for, and of an upload all that it
// brings. Its last look is the first that begins so long afterwards, whatever it finds: keys
// that come into the pool later may be moved, and need not be.
type onSale struct {
	progress
	in    []side // where the keys are
	to    side   // where they are moved
	asked int    // moved keys that fill was asked to look for
}

// Step looks at the next keys for sale, and changes those that the job is about.
func (s *onSale) Step(ctx context.Context) (last bool, err error) {
	if s.cut() {
		return true, nil
	}
	look := &s.job.Look
	if look.Began.IsZero() {
		look.Began = s.Now()
	}
	in := s.in[look.Pool]
	keys, place, err := s.Keys.OnSale(ctx, in.ID, look.Shard, look.After, pageSize)
	if err != nil {
		return false, err
	}
	if err := s.change(ctx, in, keys); err != nil {
		return false, err
	}
	if s.job.Most > 0 && s.job.Keys >= s.job.Most {
		return true, nil
	}
	look.After = place
	if place == "" {
		look.Shard++
	}
	if look.Shard >= in.shards {
		look.Pool, look.Shard = look.Pool+1, 0
	}
	if look.Pool < len(s.in) {
		return false, nil
	}
	return s.endLook(ctx)
}

// endLook ends a look at all shards, and reports whether it was the last that is needed.
func (s *onSale) endLook(ctx context.Context) (last bool, err error) {
	var u upload.Upload
	if s.job.Upload != "" {
		if u, _, err = s.Uploads.Upload(ctx, s.job.Merchant, s.job.Upload); err != nil {
			return false, err
		}
	}
	look := s.job.Look
	changed := []time.Time{s.job.CreatedAt, u.FinishedAt}
	found := 0
	if s.job.Kind == job.Withdraw {
		found, changed = look.Found, append(changed, look.FoundAt)
	}
	loads := u.State == upload.Loading || u.State == upload.Confirmed
	if found == 0 && !loads && look.Began.Sub(slices.MaxFunc(changed, time.Time.Compare)) >= IndexLag {
		return true, nil
	}
	return false, s.pause()
}

// change changes those of the keys that the job is about, and leaves those that a claim takes
// meanwhile.
func (s *onSale) change(ctx context.Context, in side, keys []pool.Key) error {
	var own []pool.Key
	for _, key := range keys {
		if s.job.Upload == "" || key.Upload == s.job.Upload {
			own = append(own, key)
		}
	}
	for len(own) > 0 {
		n := min(len(own), batchSize)
		if s.job.Most > 0 {
			n = min(n, s.job.Most-s.job.Keys)
		}
		if n == 0 {
			return nil
		}
		err := s.write(ctx, in, own[:n])
		if taken, is := errors.AsType[*order.KeysTakenError](err); is {
			own = without(own, taken.Keys)
			continue
		}
		if err != nil {
			return err
		}
		own = own[n:]
		s.job.Keys += n
		s.job.Look.Found += n
		s.job.Look.FoundAt = s.Now()
	}
	return nil
}

func (s *onSale) write(ctx context.Context, in side, keys []pool.Key) error {
	if s.job.Kind == job.Move {
		return s.Keys.MoveKeys(ctx, s.job, s.to.shards, keys, s.Now())
	}
	return s.Keys.WithdrawKeys(ctx, s.job, in.ID, keys, s.Now())
}

// Save saves the progress, and asks fill for what waits for the keys that were moved.
func (s *onSale) Save(ctx context.Context) error {
	err := s.progress.Save(ctx)
	if err == nil && s.job.Keys > s.asked {
		s.askForFill(ctx)
	}
	return err
}

// Finish saves the end of the job, and asks fill once more.
func (s *onSale) Finish(ctx context.Context) error {
	s.askForFill(ctx) // also for keys that another worker moved, and died
	return s.progress.Finish(ctx)
}

// askForFill asks fill to look at the pool that keys were moved to. If the message is lost, the
// sweep finds the lines that wait.
func (s *onSale) askForFill(ctx context.Context) {
	if s.job.Kind != job.Move || s.job.Keys == 0 {
		return
	}
	if err := s.Fill.Send(ctx, order.FillPool(s.to.ID), fillAfter); err != nil {
		slog.WarnContext(ctx, "fill.not_requested", "pool", s.to.String(), "error", err)
	}
	s.asked = s.job.Keys
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
