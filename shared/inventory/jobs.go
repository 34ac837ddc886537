package inventory

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/job"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// Jobs starts, shows and cancels a merchant's jobs.
type Jobs struct {
	Store     JobStore
	Pools     Pools // for Move
	Uploads   Uploads
	Merchants Merchants // for Erase
	Queue     Sender    // of job.Messages
	Now       func() time.Time
}

// JobStore keeps jobs.
type JobStore interface {
	// StartJob stores a job.
	StartJob(ctx context.Context, j job.Job) error
	// StartWithdrawal marks an upload as withdrawn, and stores the job that does it: both or
	// none. If the upload is marked already, it returns the id of the job that did so.
	StartWithdrawal(ctx context.Context, j job.Job) (id string, err error)
	// Job returns a job, false if there is none.
	Job(ctx context.Context, merchant, id string) (job.Job, bool, error)
	// Jobs returns up to limit jobs, newest first, from before the one with that id.
	Jobs(ctx context.Context, merchant, before string, limit int) ([]job.Job, error)
	// CancelJob asks a job that has not ended to end, and returns it as it is then; false if
	// it has ended, or there is none.
	CancelJob(ctx context.Context, merchant, id, by string, now time.Time) (job.Job, bool, error)
}

// Sender sends a message, to be received after the delay.
type Sender interface {
	Send(ctx context.Context, message any, delay time.Duration) error
}

// startedWithin is when the sweep looks at a job that nobody has begun: its message was lost.
const startedWithin = 2 * time.Minute

// Withdraw has the unsold keys of an upload taken out of sale, and returns the job that does
// it: the same one, however often it is asked for. Its error is job.ErrNotFound if there is no
// such upload, or job.ErrNoKeys if it brought no key and never will.
func (s *Jobs) Withdraw(ctx context.Context, merchant, uploadID, by, why string) (job.Job, error) {
	u, ok, err := s.Uploads.Upload(ctx, merchant, uploadID)
	if err != nil {
		return job.Job{}, err
	}
	if !ok {
		return job.Job{}, job.ErrNotFound
	}
	if u.Pool == "" || u.State == upload.Finished && u.Ranges == 0 {
		return job.Job{}, job.ErrNoKeys
	}
	now := s.Now()
	id := u.Withdrawal
	if id == "" {
		id, err = s.Store.StartWithdrawal(ctx, job.Job{
			Merchant: merchant, ID: job.NewID(ctx, now), Kind: job.Withdraw, Upload: u.ID, Pool: u.Pool, Side: u.Side,
			By: by, Why: why, CreatedAt: now, DueAt: now.Add(startedWithin),
		})
		if err != nil {
			return job.Job{}, err
		}
	}
	j, err := s.Get(ctx, merchant, id)
	if err == nil && j.State() == job.Queued { // another message would only take a running one over
		s.ask(ctx, j)
	}
	return j, err
}

// Move says which keys are moved.
type Move struct {
	From   pool.ID
	To     string // a pool of the same merchant
	Upload string // that brought them; empty: any
	Most   int    // keys; 0: all
	By     string
	Why    string
}

// Move has unsold keys of a pool side moved to that side of another pool, and returns the job
// that does it. Its error is job.ErrSamePool, job.ErrNoPool if there is no pool to move them
// to, job.ErrWithdrawn, or job.ErrNotFound if there is no pool or upload that they would be of.
func (s *Jobs) Move(ctx context.Context, m Move) (job.Job, error) {
	if err := s.Movable(ctx, m); err != nil {
		return job.Job{}, err
	}
	return s.start(ctx, job.Job{
		Merchant: m.From.Merchant, Kind: job.Move, Upload: m.Upload, Pool: m.From.Pool, Side: m.From.Side, To: m.To, Most: m.Most, By: m.By, Why: m.Why,
	})
}

// Movable returns the error that Move would have, nil if it would have none.
func (s *Jobs) Movable(ctx context.Context, m Move) error {
	if m.From.Pool == m.To {
		return job.ErrSamePool
	}
	var from, to, known bool
	var u upload.Upload
	var reading errgroup.Group
	reading.Go(func() (err error) { _, from, err = s.Pools.Pool(ctx, m.From.Merchant, m.From.Pool); return err })
	reading.Go(func() (err error) { _, to, err = s.Pools.Pool(ctx, m.From.Merchant, m.To); return err })
	if m.Upload != "" {
		reading.Go(func() (err error) { u, known, err = s.Uploads.Upload(ctx, m.From.Merchant, m.Upload); return err })
	}
	err := reading.Wait()
	switch {
	case err != nil:
		return err
	case !from:
		return job.ErrNotFound
	case !to:
		return job.ErrNoPool
	case m.Upload == "":
		return nil
	case !known || u.Side != m.From.Side:
		return job.ErrNotFound
	case u.Withdrawal != "":
		return job.ErrWithdrawn
	}
	return nil
}

// start stores a job and asks for it.
func (s *Jobs) start(ctx context.Context, j job.Job) (job.Job, error) {
	j.CreatedAt = s.Now()
	j.ID, j.DueAt = job.NewID(ctx, j.CreatedAt), j.CreatedAt.Add(startedWithin)
	if err := s.Store.StartJob(ctx, j); err != nil {
		return job.Job{}, err
	}
	s.ask(ctx, j)
	return s.Get(ctx, j.Merchant, j.ID)
}

// ask asks for a job. If the message is lost, the sweep sends another.
func (s *Jobs) ask(ctx context.Context, j job.Job) {
	if err := s.Queue.Send(ctx, job.Resume(j.Merchant, j.ID), 0); err != nil {
		slog.WarnContext(ctx, "job.not_requested", "job", j.ID, "error", err)
	}
}

// Get returns a job. Its error is job.ErrNotFound if there is none.
func (s *Jobs) Get(ctx context.Context, merchant, id string) (job.Job, error) {
	j, ok, err := s.Store.Job(ctx, merchant, id)
	if err == nil && !ok {
		err = job.ErrNotFound
	}
	return j, err
}

// List returns up to limit of a merchant's jobs, newest first, from before the one with that
// id. Next is the id to go on after, "" on the last page.
func (s *Jobs) List(ctx context.Context, merchant, before string, limit int) (jobs []job.Job, next string, err error) {
	jobs, err = s.Store.Jobs(ctx, merchant, before, limit+1)
	if len(jobs) > limit {
		jobs = jobs[:limit]
		next = jobs[limit-1].ID
	}
	return jobs, next, err
}

// Cancel ends a job at its next step: what it has done stays done. A job that has ended stays
// as it is. Its error is job.ErrNotFound if there is none, job.ErrOfSetting of the job that
// retains.
func (s *Jobs) Cancel(ctx context.Context, merchant, id, by string) (job.Job, error) {
	if id == job.RetentionID {
		return job.Job{}, job.ErrOfSetting
	}
	j, ok, err := s.Store.CancelJob(ctx, merchant, id, by, s.Now())
	if err != nil {
		return j, err
	}
	if !ok {
		return s.Get(ctx, merchant, id)
	}
	s.ask(ctx, j)
	return j, nil
}
