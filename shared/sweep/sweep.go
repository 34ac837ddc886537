// Package sweep takes up, every minute, whatever stopped halfway.
//
// Everything that still needs work stands in a due index with the time at which
// somebody should look: the fast path clears it within seconds, and the sweep
// meets only what the fast path lost. So a message, a stream record or a process
// may be lost anywhere, and what was paid for or uploaded is not.
//
// What it finds, and does:
//
//   - a mail that is due, or whose mailer died: it touches the item, and the
//     table's stream hands it to deliver again;
//   - a line that waits: it asks fill to look at its queue, and when the customer
//     has waited long enough, sets one mail due that says so;
//   - an upload without progress, or parked: it asks ingest to take it up;
//   - a file that was refused days ago: it reminds its owner.
//
// Every line in a queue is due at some time, so a queue with an old head has a
// line that the sweep finds: queues need no watch of their own.
//
// # Decisions
//
// A look is followed by a write that moves the item's time, on condition that
// nobody changed it since it was read: two sweeps at once are harmless. What it
// asks of others is asked before that write, so it may be asked twice and is
// never forgotten; fill and ingest take a second asking lightly.
//
// A customer whose product is not connected is told to be patient only when the
// merchant has described the product: for what Keypool has never heard of, which
// may be a T-shirt, no key can be promised.
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
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/random"
	"keypool/shared/retry"
	"keypool/shared/upload"
)

// Store is what the sweep needs of the tables.
type Store interface {
	// Due calls see with what is due by now in one of due.Partitions, the longest due
	// first in its table, until see returns false. What cannot be read is passed
	// over and told in the error.
	Due(ctx context.Context, partition int, now time.Time, see func(due.Item) (more bool)) error

	// SetMail changes the outbox entry of an item. It fails with retry.ErrChanged if
	// the item is not at the version that was seen.
	SetMail(ctx context.Context, item outbox.Item, version int, to outbox.Entry) error

	// SetUploadDue changes when an upload is looked at again; zero: never.
	// retry.ErrChanged if that was changed meanwhile.
	SetUploadDue(ctx context.Context, u upload.Upload, dueAt time.Time) error

	// RaiseNotice stores a notice, once for its ID.
	RaiseNotice(ctx context.Context, n notice.Notice) error
}

// Catalog is what the sweep needs to know of the merchants' settings.
type Catalog interface {
	Pool(ctx context.Context, merchant, name string) (catalog.Pool, bool, error)
	Product(ctx context.Context, merchant, id string) (catalog.Product, bool, error)
}

// Sender sends a message, to be received after the delay.
type Sender interface {
	Send(ctx context.Context, message any, delay time.Duration) error
}

// Sweeper looks at everything that is due.
type Sweeper struct {
	Store   Store
	Catalog Catalog
	Fill    Sender // the queue of fill
	Ranges  Sender // the queue of ingest

	// Patience is how long a customer waits before a mail says that the order is
	// safe; 0: for ever.
	Patience time.Duration
	Now      func() time.Time
}

// Swept counts what a sweep did.
type Swept struct {
	Mails    int // set due again
	Waiting  int // lines that wait, looked at
	Told     int // customers who are told to be patient
	Uploads  int // handed to ingest again
	Reminded int // owners of refused or parked files
}

// workers is how many partitions are swept side by side.
const workers = 8

// Sweep looks at everything that is due, until then. What goes wrong with one
// item keeps no other from being looked at; all of it is returned together. What
// it has no time for is left for the next sweep, which starts elsewhere.
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
	case item.Notice != nil:
		if err := r.notice(ctx, item); err != nil {
			return fmt.Errorf("notice of %s: %w", item.Notice.Kind, err)
		}
	case item.Upload != nil:
		if err := r.upload(ctx, *item.Upload); err != nil {
			return fmt.Errorf("upload %s of %s: %w", item.Upload.ID, item.Upload.Merchant, err)
		}
	}
	return nil
}

func (r *run) notice(ctx context.Context, item due.Item) error {
	n := item.Notice
	return r.setMail(ctx, outbox.NoticeItem(n.ID), n.Version, redrive(n.Mail, r.Now()))
}

func (r *run) line(ctx context.Context, item due.Item) error {
	f, now := *item.Line, r.Now()
	mail := redrive(f.Mail, now)
	if !waits(f) {
		return r.setMail(ctx, outbox.LineItem(string(f.ID)), f.Version, mail)
	}
	if err := r.askForFill(ctx, f); err != nil {
		return err
	}
	tell, err := r.outOfPatience(ctx, f)
	if err != nil {
		return err
	}
	if tell {
		mail = f.Mail.Next(outbox.Patience, now)
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

// redrive returns what is to become of an outbox entry that the fast path did not
// bring to an end. One that is due is due at once, from now on: written again, it
// comes out of the stream again.
func redrive(e outbox.Entry, now time.Time) outbox.Entry {
	switch {
	case e.State == outbox.Due && e.TryAt.After(now):
		e.DueAt = e.TryAt
	case e.State == outbox.Sending && e.LeaseEndsAt.After(now):
		e.DueAt = e.LeaseEndsAt
	case e.State == outbox.Due, e.State == outbox.Sending:
		// LeaseEndsAt stays: it says of a mail that was being sent that it may have
		// gone out, so that the second one is recorded as such.
		e.State = outbox.Due
		e.TryAt = time.Time{}
		e.DueAt = now.Add(min(outbox.SweepAfter<<min(e.Tries, 10), longest))
	default:
		e.DueAt = time.Time{}
	}
	return e
}

// longest is the most that anything waits for its next look.
const longest = time.Hour

func waits(f order.Fulfillment) bool {
	return f.State() == order.Waiting || f.State() == order.Unconnected
}

func (r *run) askForFill(ctx context.Context, f order.Fulfillment) error {
	if f.State() == order.Unconnected {
		return r.ask(ctx, order.FillProduct(f.Merchant, f.Side, f.Product))
	}
	return r.ask(ctx, order.FillPool(f.PoolID()))
}

// outOfPatience reports whether the customer is to be told, now, that the order
// is safe: once, and only if a key can be promised.
func (r *run) outOfPatience(ctx context.Context, f order.Fulfillment) (bool, error) {
	if !r.patient(f) || r.Now().Before(f.ReceivedAt.Add(r.Patience)) {
		return false, nil
	}
	if f.State() == order.Waiting {
		return true, nil
	}
	product, described, err := r.Catalog.Product(ctx, f.Merchant, f.Product)
	return described && !product.Ignored, err
}

// patient reports whether the customer has not been told yet, but may be.
func (r *run) patient(f order.Fulfillment) bool {
	return r.Patience > 0 && f.Mail.State == outbox.None && f.Mail.Kind != outbox.Patience
}

// nextLook returns when a waiting line is looked at again: after as long as it
// has waited so far, an hour at most.
func (r *run) nextLook(f order.Fulfillment, now time.Time) time.Time {
	next := now.Add(min(max(now.Sub(f.ReceivedAt), outbox.SweepAfter), longest))
	if told := f.ReceivedAt.Add(r.Patience); r.patient(f) && told.After(now) && told.Before(next) {
		return told
	}
	return next
}

func (r *run) upload(ctx context.Context, u upload.Upload) error {
	now := r.Now()
	switch {
	case u.State == upload.Loading:
		return r.takeUp(ctx, u)
	case u.State == upload.Parked:
		_, known, err := r.Catalog.Pool(ctx, u.Merchant, u.Pool)
		if err != nil {
			return err
		}
		if known {
			return r.takeUp(ctx, u)
		}
		remindAt := u.ReceivedAt.Add(upload.RemindAfter)
		if now.Before(remindAt) {
			return r.Store.SetUploadDue(ctx, u, earlier(now.Add(longest), remindAt))
		}
		return r.remind(ctx, u, now.Add(longest))
	case u.Rejected() && now.Before(u.FinishedAt.Add(upload.RemindAfter)):
		return r.Store.SetUploadDue(ctx, u, u.FinishedAt.Add(upload.RemindAfter))
	case u.Rejected():
		return r.remind(ctx, u, time.Time{})
	default:
		return r.Store.SetUploadDue(ctx, u, time.Time{})
	}
}

// takeUp asks ingest to go on with an upload.
func (r *run) takeUp(ctx context.Context, u upload.Upload) error {
	if err := r.Ranges.Send(ctx, upload.Resume(u.Merchant, u.ID), 0); err != nil {
		return err
	}
	r.count(func(s *Swept) { s.Uploads++ })
	return r.Store.SetUploadDue(ctx, u, r.Now().Add(upload.StalledAfter))
}

// remind tells the owner of a file that was not read: once, however often it is
// looked at afterwards.
func (r *run) remind(ctx context.Context, u upload.Upload, next time.Time) error {
	n := notice.New(u.Merchant, notice.UploadReminder, u.ID, notice.Facts{
		Pool:    u.Pool,
		Side:    u.Side,
		Upload:  u.ID,
		File:    u.File,
		Cause:   string(u.Cause),
		Started: u.ReceivedAt,
	}, r.Now())
	if err := r.Store.RaiseNotice(ctx, n); err != nil {
		return err
	}
	r.count(func(s *Swept) { s.Reminded++ })
	return r.Store.SetUploadDue(ctx, u, next)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
