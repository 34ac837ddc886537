// Package sweep resumes, every minute, the work that stopped halfway.
//
// Everything that still needs work stands in a due index with the time of its next
// look. The fast path clears it within seconds, so the sweep meets only what the
// fast path lost. A message, a stream record or a process may be lost anywhere: no
// paid order and no uploaded file is.
//
// The sweep finds:
//
//   - a mail that is due, or whose mailer died. It touches the item, and the table's
//     stream hands it to the function deliver again;
//   - a line that waits. It asks fill to look at the line's queue and, if the
//     customer has waited long enough, sets one delay mail due;
//   - a return or a dispute of an order that lines may have missed. It is applied again;
//   - a line that holds keys which it gave back. They are taken from it;
//   - an upload without progress, parked, or confirmed. It asks ingest to resume it, one
//     that waits for the next day once there is room for it;
//   - a job without progress, or one that waits for its next look. It asks for it again;
//   - a merchant's own sender whose domain was not looked at for some time. It looks at it;
//   - a file that was rejected days ago. It reminds the file's owner.
//
// Every line in a queue is due at some time, so the sweep finds each queue with an
// old head by its lines.
//
// # Decisions
//
// A look ends with a write that moves the item's time, on condition that the item
// is as it was read: two sweeps at once are harmless. Requests to others are sent
// before that write, so a request may be sent twice and is never forgotten; fill
// and ingest accept a second request.
//
// The customer of a product that no pool feeds gets a delay mail only if the
// merchant has described the product. Keypool has never heard of another product:
// it may be a T-shirt, and no key can be promised for it.
package sweep

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/catalog"
	"keypool/shared/due"
	"keypool/shared/job"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/random"
	"keypool/shared/retry"
	"keypool/shared/upload"
)

// Store holds the items that are due.
type Store interface {
	// Due calls see with the items of a partition of the due index that are due by
	// now, those of a table with the longest due first, until see returns false. Items
	// that cannot be read are passed over and named in the error.
	Due(ctx context.Context, partition int, now time.Time, see func(due.Item) (more bool)) error

	// SetMail changes the outbox entry of an item. It fails with retry.ErrChanged if
	// the item is not at the version that was seen.
	SetMail(ctx context.Context, item outbox.Item, version int, to outbox.Entry) error

	// Usage returns what a merchant's files brought in the day of now.
	Usage(ctx context.Context, merchant string, now time.Time) (upload.Usage, error)

	// SetUploadDue changes the time of an upload's next look; zero: never. It fails
	// with retry.ErrChanged if that time was changed meanwhile.
	SetUploadDue(ctx context.Context, u upload.Upload, dueAt time.Time) error

	// RemindUpload does the same, marks the upload as one that its owner was reminded of,
	// and raises the notice: all or nothing.
	RemindUpload(ctx context.Context, u upload.Upload, dueAt time.Time, tell notice.Notice) error
}

// Jobs changes the time of a job's next look. It fails with retry.ErrChanged if that time was
// changed meanwhile.
type Jobs interface {
	SetJobDue(ctx context.Context, j job.Job, dueAt time.Time) error
}

// Senders looks at the domains that merchants' mails come from.
type Senders interface {
	// Look asks SES about a sender's domain, and stores what became of it.
	Look(ctx context.Context, s catalog.Sender) (catalog.Sender, error)
}

// Orders finishes what returns and disputes began; see lifecycle.Lifecycle.
type Orders interface {
	// Resume applies what is known of an order to its lines.
	Resume(ctx context.Context, w order.Whole) error
	// Drain takes the keys from a line that it is not due any more.
	Drain(ctx context.Context, id order.LineID) error
}

// Catalog reads the merchants' settings.
type Catalog interface {
	Merchant(ctx context.Context, name string) (catalog.Merchant, bool, error)
	Pool(ctx context.Context, merchant, name string) (catalog.Pool, bool, error)
	Product(ctx context.Context, merchant, id string) (catalog.Product, bool, error)
}

// Sender sends a message, to be received after the delay.
type Sender interface {
	Send(ctx context.Context, message any, delay time.Duration) error
}

// Sweeper looks at everything that is due.
type Sweeper struct {
	Store    Store
	Jobs     Jobs
	Senders  Senders
	Catalog  Catalog
	Orders   Orders
	Fill     Sender // the queue of fill
	Ranges   Sender // the queue of ingest
	JobQueue Sender // of job.Messages

	// DelayMailAfter is the time that a customer waits before the delay mail says that
	// the order is safe and the key follows; 0: no such mail.
	DelayMailAfter time.Duration
	Now            func() time.Time
}

// Swept counts the work of a sweep.
type Swept struct {
	Mails    int // set due again
	Waiting  int // lines that wait
	Told     int // customers who get a delay mail
	Uploads  int // handed to ingest again
	Jobs     int // asked for again
	Senders  int // looked at
	Orders   int // whose returns and disputes were applied again
	Drained  int // lines whose returned keys were taken
	Reminded int // owners of refused or parked files
}

// workers is the number of partitions that are swept side by side.
const workers = 8

// Sweep looks at everything that is due, until a time. An error of one item does not
// stop the others; all errors are returned together. The next sweep starts at another
// partition and looks at the items that this one had no time for.
func (s *Sweeper) Sweep(ctx context.Context, until time.Time) (Swept, error) {
	run := &run{Sweeper: s}
	var sweeps errgroup.Group
	sweeps.SetLimit(workers)
	start := random.N(ctx, due.Partitions)
	for i := range due.Partitions {
		partition := (start + i) % due.Partitions
		ctx := random.Split(ctx, strconv.Itoa(partition))
		sweeps.Go(func() error {
			if !s.Now().Before(until) {
				return nil
			}
			err := s.Store.Due(ctx, partition, s.Now(), func(item due.Item) bool {
				if err := run.item(ctx, item); err != nil && !errors.Is(err, retry.ErrChanged) {
					run.fail(err)
				}
				return s.Now().Before(until)
			})
			if err != nil {
				run.fail(err)
			}
			return nil
		})
	}
	sweeps.Wait()
	return run.swept, run.err()
}

func (r *run) item(ctx context.Context, item due.Item) error {
	switch {
	case item.Line != nil:
		if err := r.line(ctx, item); err != nil {
			return fmt.Errorf("line %s: %w", item.Line.ID, err)
		}
	case item.Order != nil:
		if err := r.Orders.Resume(ctx, *item.Order); err != nil {
			return fmt.Errorf("order %s: %w", item.Order.ID, err)
		}
		r.count(func(s *Swept) { s.Orders++ })
	case item.Notice != nil:
		if err := r.notice(ctx, item); err != nil {
			return fmt.Errorf("notice of %s: %w", item.Notice.Kind, err)
		}
	case item.Upload != nil:
		if err := r.upload(ctx, *item.Upload); err != nil {
			return fmt.Errorf("upload %s of %s: %w", item.Upload.ID, item.Upload.Merchant, err)
		}
	case item.Job != nil:
		if err := r.job(ctx, *item.Job); err != nil {
			return fmt.Errorf("job %s of %s: %w", item.Job.ID, item.Job.Merchant, err)
		}
	case item.Sender != nil:
		if _, err := r.Sweeper.Senders.Look(ctx, *item.Sender); err != nil {
			return fmt.Errorf("sender of %s: %w", item.Sender.Merchant, err)
		}
		r.count(func(s *Swept) { s.Senders++ })
	}
	return nil
}

func (r *run) notice(ctx context.Context, item due.Item) error {
	n := item.Notice
	return r.setMail(ctx, outbox.NoticeItem(n.ID), n.Version, dueAgain(n.Mail, r.Now()))
}

func (r *run) line(ctx context.Context, item due.Item) error {
	f, now := *item.Line, r.Now()
	if f.Surplus() > 0 {
		if err := r.Orders.Drain(ctx, f.ID); err != nil {
			return err
		}
		r.count(func(s *Swept) { s.Drained++ })
		return nil // the line is as it should be, or due again
	}
	mail := dueAgain(f.Mail, now)
	if !f.Waits() {
		return r.setMail(ctx, outbox.LineItem(string(f.ID)), f.Version, mail)
	}
	if err := r.askForFill(ctx, f); err != nil {
		return err
	}
	tell, err := r.delayMailDue(ctx, f)
	if err != nil {
		return err
	}
	if tell {
		mail = f.Mail.Next(outbox.Delay, now)
	}
	if next := r.nextLook(f, now); mail.DueAt.IsZero() || next.Before(mail.DueAt) {
		mail.DueAt = next
	}
	if err := r.setMail(ctx, outbox.LineItem(string(f.ID)), f.Version, mail); err != nil {
		return err
	}
	r.count(func(s *Swept) {
		s.Waiting++
		if tell {
			s.Told++
		}
	})
	return nil
}

func (r *run) setMail(ctx context.Context, item outbox.Item, version int, to outbox.Entry) error {
	if err := r.Store.SetMail(ctx, item, version, to); err != nil {
		return err
	}
	if to.State == outbox.Due {
		r.count(func(s *Swept) { s.Mails++ })
	}
	return nil
}

// dueAgain returns the next outbox entry of an item whose mail the fast path did not
// complete. A mail whose time has come is due at once: written again, it comes out of
// the stream again.
func dueAgain(e outbox.Entry, now time.Time) outbox.Entry {
	switch {
	case e.State == outbox.Due && e.TryAt.After(now):
		e.DueAt = e.TryAt
	case e.State == outbox.Sending && e.LeaseEndsAt.After(now):
		e.DueAt = e.LeaseEndsAt
	case e.State == outbox.Due, e.State == outbox.Sending:
		// LeaseEndsAt stays: it says that the mail may have gone out, so that the next
		// one is recorded as a repetition.
		e.State = outbox.Due
		e.TryAt = time.Time{}
		e.DueAt = now.Add(min(outbox.SweepAfter<<min(e.Tries, 10), longest))
	default:
		e.DueAt = time.Time{}
	}
	return e
}

// longest is the longest time between two looks at an item.
const longest = time.Hour

func (r *run) askForFill(ctx context.Context, f order.Fulfillment) error {
	if f.State() == order.Unconnected {
		return r.ask(ctx, order.FillProduct(f.Merchant, f.Side, f.ConnectedBy()))
	}
	return r.ask(ctx, order.FillPool(f.PoolID()))
}

// delayMailDue reports whether the customer of a waiting line is now to be told that
// the order is safe: once, and only if a key can be promised.
func (r *run) delayMailDue(ctx context.Context, f order.Fulfillment) (bool, error) {
	if !r.mayGetDelayMail(f) || r.Now().Before(f.ReceivedAt.Add(r.DelayMailAfter)) {
		return false, nil
	}
	if f.State() == order.Waiting {
		return true, nil
	}
	product, described, err := r.Catalog.Product(ctx, f.Merchant, f.ConnectedBy())
	return described && !product.Ignored, err
}

// mayGetDelayMail reports whether the customer has not been told yet, but may be.
func (r *run) mayGetDelayMail(f order.Fulfillment) bool {
	return r.DelayMailAfter > 0 && f.Mail.State == outbox.None && f.Mail.Kind != outbox.Delay
}

// nextLook returns the time of the next look at a waiting line: after as long as the
// line has waited so far, an hour at most.
func (r *run) nextLook(f order.Fulfillment, now time.Time) time.Time {
	next := now.Add(min(max(now.Sub(f.ReceivedAt), outbox.SweepAfter), longest))
	if told := f.ReceivedAt.Add(r.DelayMailAfter); r.mayGetDelayMail(f) && told.After(now) && told.Before(next) {
		return told
	}
	return next
}

func (r *run) upload(ctx context.Context, u upload.Upload) error {
	now := r.Now()
	switch {
	case u.State == upload.Loading, u.State == upload.Confirmed:
		return r.resume(ctx, u)
	case u.State == upload.Parked && u.Cause == upload.OverLimit:
		room, err := r.room(ctx, u)
		if err != nil {
			return err
		}
		if room {
			return r.resume(ctx, u)
		}
		return r.Store.SetUploadDue(ctx, u, upload.NextLook(now))
	case u.State == upload.Parked:
		_, known, err := r.Catalog.Pool(ctx, u.Merchant, u.Pool)
		if err != nil {
			return err
		}
		if known {
			return r.resume(ctx, u)
		}
		return r.waitsForOwner(ctx, u, u.ReceivedAt, now.Add(longest))
	case u.State != upload.Finished:
		return r.waitsForOwner(ctx, u, u.ReceivedAt, time.Time{})
	case u.Rejected():
		return r.waitsForOwner(ctx, u, u.FinishedAt, time.Time{})
	default:
		return r.Store.SetUploadDue(ctx, u, time.Time{})
	}
}

// room reports whether a file that waits for the next day fits into the day as it is,
// beside those that this sweep found room for. Ingest, which knows its keys, decides.
func (r *run) room(ctx context.Context, u upload.Upload) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	day, read := r.days[u.Merchant]
	if !read {
		merchant, _, err := r.Catalog.Merchant(ctx, u.Merchant)
		if err != nil {
			return false, err
		}
		if day.usage, err = r.Store.Usage(ctx, u.Merchant, r.Now()); err != nil {
			return false, err
		}
		day.limits = merchant.Uploads.OrDefault()
	}
	fits := day.limits.Check(day.usage, upload.Usage{Files: 1, Bytes: u.Size, Keys: 1}) == nil
	if fits {
		day.usage.Files++
		day.usage.Bytes += u.Size
	}
	if r.days == nil {
		r.days = map[string]usedDay{}
	}
	r.days[u.Merchant] = day
	return fits, nil
}

// usedDay is a merchant's day.
type usedDay struct {
	usage  upload.Usage
	limits upload.Limits
}

// waitsForOwner reminds the owner of a file that is not read, once, when it has lain
// there for some days since it was told. Next is the time of the next look.
func (r *run) waitsForOwner(ctx context.Context, u upload.Upload, told, next time.Time) error {
	now, remindAt := r.Now(), told.Add(upload.RemindAfter)
	switch {
	case u.Reminded, u.State == upload.Finished && !now.Before(u.ReceivedAt.Add(upload.RefusedKept)): // it is deleted
		return r.Store.SetUploadDue(ctx, u, next)
	case now.Before(remindAt) && (next.IsZero() || remindAt.Before(next)):
		return r.Store.SetUploadDue(ctx, u, remindAt)
	case now.Before(remindAt):
		return r.Store.SetUploadDue(ctx, u, next)
	}
	tell := notice.Gather(u.Merchant, notice.UploadReminder, notice.Uploaded(u), now)
	if err := r.Store.RemindUpload(ctx, u, next, tell); err != nil {
		return err
	}
	r.count(func(s *Swept) { s.Reminded++ })
	return nil
}

// job asks for a job to be resumed.
func (r *run) job(ctx context.Context, j job.Job) error {
	if err := r.JobQueue.Send(ctx, job.Resume(j.Merchant, j.ID), 0); err != nil {
		return err
	}
	r.count(func(s *Swept) { s.Jobs++ })
	return r.Sweeper.Jobs.SetJobDue(ctx, j, r.Now().Add(job.StalledAfter))
}

// resume asks ingest to resume an upload.
func (r *run) resume(ctx context.Context, u upload.Upload) error {
	if err := r.Ranges.Send(ctx, upload.Resume(u.Merchant, u.ID), 0); err != nil {
		return err
	}
	r.count(func(s *Swept) { s.Uploads++ })
	return r.Store.SetUploadDue(ctx, u, r.Now().Add(upload.StalledAfter))
}
