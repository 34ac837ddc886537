package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/job"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// Catalog knows merchants and their pools.
type Catalog interface {
	Merchant(ctx context.Context, name string) (catalog.Merchant, bool, error)
	Pool(ctx context.Context, merchant, name string) (catalog.Pool, bool, error)
}

// Records keeps the records of uploads.
type Records interface {
	// Upload returns a record as it stands now, false if there is none.
	Upload(ctx context.Context, merchant, id string) (upload.Upload, bool, error)

	// MoveUpload changes a record from a state to u, and raises the notice, if any, in
	// the same transaction. It is false if the record is not in that state. From ""
	// it creates the record. It does not change counts.
	MoveUpload(ctx context.Context, from upload.State, u upload.Upload, tell *notice.Notice) (bool, error)

	// Reading returns the merchant's answer to a question about a file of the pool, see
	// upload.Seen.Question; false if it was never asked or answered.
	Reading(ctx context.Context, merchant, pool, question string) (upload.Reading, bool, error)

	// AdmitUpload is MoveUpload for an upload that counts from now on in its merchant's
	// usage of the day of now. It changes nothing and fails with *upload.OverLimitError if
	// the file brings more than the limits leave.
	AdmitUpload(ctx context.Context, from upload.State, u upload.Upload, tell *notice.Notice, file upload.Usage, limits upload.Limits, now time.Time) (bool, error)

	// UseTicket gives a ticket to the version of an object that was put to it. It is false
	// if another version has it.
	UseTicket(ctx context.Context, merchant, ticket string, o upload.Object) (bool, error)

	// PostponeUpload sets the time of the sweep's next look at an unfinished upload.
	PostponeUpload(ctx context.Context, u upload.Upload, until time.Time) error
}

// Ranges keeps the progress of the ranges of an upload: the parts of a job.
type Ranges interface {
	// TakeRange gives a range to a worker under a new fencing token, and returns its
	// saved progress. A range that is done is returned as it is.
	TakeRange(ctx context.Context, u upload.Upload, n int, now time.Time) (upload.Range, error)

	// SaveRange saves the progress of a range, or fails with job.ErrFenced.
	SaveRange(ctx context.Context, u upload.Upload, r upload.Range) error

	// EndRange saves the end of a range and adds its counts to the upload and, as
	// accepted keys, to the pool: all or nothing. It fails with job.ErrFenced if
	// another worker has taken the range or the upload is finished.
	EndRange(ctx context.Context, u upload.Upload, r upload.Range, dueAt time.Time) error

	// Ranges returns the ranges that were ever taken, in order.
	Ranges(ctx context.Context, u upload.Upload) ([]upload.Range, error)
}

// Keys is the table of keys.
type Keys interface {
	// InsertKeys stores up to upload.BatchSize keys of different identities, each by
	// itself, and returns the outcome of each.
	InsertKeys(ctx context.Context, p pool.ID, shards int, upload string, keys []upload.NewKey) ([]upload.Inserted, error)

	// FindKeys returns the keys of these identities, consistently; those that are not
	// there are left out.
	FindKeys(ctx context.Context, ids []pool.KeyID) (map[pool.KeyID]upload.KnownKey, error)
}

// Objects is the bucket of key files.
type Objects interface {
	// Stat returns the properties of an object, of its current version if it names none;
	// false if it is gone.
	Stat(ctx context.Context, o upload.Object) (upload.Stat, bool, error)

	// Open returns the object's bytes in [from, to), or fails with upload.ErrGone,
	// upload.ErrEncrypted or upload.ErrArchived.
	Open(ctx context.Context, o upload.Object, from, to int64) (io.ReadCloser, error)

	// MarkDone tags the object as one that may expire, after upload.LoadedKept or
	// upload.RefusedKept.
	MarkDone(ctx context.Context, o upload.Object, loaded bool) error
}

// Reports is the bucket of reports.
type Reports interface {
	Put(ctx context.Context, name string, data []byte) error
	Get(ctx context.Context, name string) ([]byte, error)

	// Write stores what write writes, of any size. If that fails, nothing is stored.
	Write(ctx context.Context, name string, write func(io.Writer) error) error
}

// Sender sends a message, to be received after the delay.
type Sender interface {
	Send(ctx context.Context, message any, delay time.Duration) error
}

const (
	// indexLag is the time that an index has to show new keys before fill looks.
	indexLag = 2 * time.Second
	// slowIndex is the delay of a second request at the end of a file. Without it, the
	// lines that wait would wait for the sweep if the index were slow for a moment.
	slowIndex = time.Minute
)

// Worker receives uploads and loads their ranges.
type Worker struct {
	Catalog   Catalog
	Records   Records
	Ranges    Ranges
	Keys      Keys
	Objects   Objects
	Reports   Reports
	RangeJobs Sender // the queue of Messages
	Fill      Sender // the queue of order.FillRequests
	Now       func() time.Time
}

// Receive begins the upload of an object that came into the bucket. The same object
// again is the same upload, and resumes it. Folders and what desktops leave in them are
// no uploads.
func (w *Worker) Receive(ctx context.Context, o upload.Object) error {
	if upload.Clutter(o.Name) {
		return w.markDone(ctx, o, false)
	}
	stat, ok, err := w.Objects.Stat(ctx, o)
	if err != nil || !ok || upload.Folder(o, stat) {
		return wrap(err, "look at version %s of an object", o.Version)
	}
	o.Version = stat.Version
	u, err := w.identify(ctx, o, stat)
	if err != nil {
		return wrap(err, "identify version %s of an object", o.Version)
	}
	there, ok, err := w.Records.Upload(ctx, u.Merchant, u.ID)
	if err != nil {
		return wrap(err, "receive upload %s", u.ID)
	}
	if ok {
		return w.resume(ctx, there)
	}
	u, err = w.admit(ctx, "", u)
	if err != nil || u.State != upload.Loading {
		return wrap(err, "admit upload %s", u.ID)
	}
	for n := 1; n < u.Ranges; n++ {
		if err := w.RangeJobs.Send(ctx, upload.LoadRange(u.Merchant, u.ID, n), 0); err != nil {
			return wrap(err, "send range %d of upload %s", n, u.ID)
		}
	}
	err = w.loadRange(ctx, u, 0)
	if errors.Is(err, job.ErrUnfinished) {
		err = w.RangeJobs.Send(ctx, upload.LoadRange(u.Merchant, u.ID, 0), 0)
	}
	return wrap(err, "load upload %s", u.ID)
}

// Handle does the work that a message asks for. job.ErrUnfinished asks for the message
// to be returned to its queue at once.
func (w *Worker) Handle(ctx context.Context, m upload.Message) error {
	if m.V > 1 {
		return fmt.Errorf("a message of version %d is newer than this program", m.V)
	}
	u, ok, err := w.Records.Upload(ctx, m.Merchant, m.Upload)
	if err != nil {
		return wrap(err, "resume upload %s", m.Upload)
	}
	if !ok {
		slog.WarnContext(ctx, "upload.not_found", "upload", m.Upload)
		return nil
	}
	if m.Resume {
		return wrap(w.resume(ctx, u), "resume upload %s", u.ID)
	}
	if u.State != upload.Loading {
		return nil
	}
	return wrap(w.loadRange(ctx, u, m.Range), "load range %d of upload %s", m.Range, u.ID)
}

// identify returns the record of a new upload, with the fields that the object's name
// tells.
func (w *Worker) identify(ctx context.Context, o upload.Object, stat upload.Stat) (upload.Upload, error) {
	place, ok := upload.Locate(o.Name)
	u := upload.Upload{
		Merchant: place.Merchant, ID: upload.NewID(o, stat.LastModified), Object: o,
		File: place.File, Pool: place.Pool, Side: place.Side, Size: stat.Size,
		Encoding: upload.UTF8, Counts: upload.Counts{}, ReceivedAt: w.Now(),
	}
	if !ok {
		u.Cause = upload.Misplaced
	}
	if place.Merchant == "" {
		return u, nil
	}
	_, known, err := w.Catalog.Merchant(ctx, place.Merchant)
	if !known {
		u.Merchant, u.File, u.Cause = "", o.Name, upload.UnknownMerchant
	}
	if err != nil || !known || place.Ticket == "" {
		return u, err
	}
	first, err := w.Records.UseTicket(ctx, u.Merchant, place.Ticket, o)
	if !first {
		u.Cause = upload.UsedTicket
	}
	return u, err
}

// admit stores the next state of an upload that is new, was parked, or is confirmed, and
// returns the record as it is then.
func (w *Worker) admit(ctx context.Context, from upload.State, u upload.Upload) (upload.Upload, error) {
	before := u
	u, file, err := w.inspect(ctx, u)
	if err != nil {
		return u, err
	}
	if from == upload.Parked && u.State == upload.Parked && u.Cause == before.Cause {
		return u, nil
	}
	var tell *notice.Notice
	if u.State != upload.Loading {
		if err := w.writeReport(ctx, &u, nil); err != nil {
			return u, err
		}
		tell = noticeOf(u, w.Now())
	}
	if u.Rejected() {
		if err := w.markDone(ctx, u.Object, false); err != nil {
			return u, err
		}
	}
	moved, err := w.move(ctx, from, u, tell, file)
	if over, is := errors.AsType[*upload.OverLimitError](err); is {
		return w.park(ctx, from, before, over)
	}
	if err != nil {
		return u, err
	}
	if !moved { // the same event came twice at once
		there, _, err := w.Records.Upload(ctx, u.Merchant, u.ID)
		return there, err
	}
	if u.State == upload.Parked && from == "" {
		// The pool may have been made between the look at it and this record. Its maker
		// lists the parked uploads after that, so one of the two sees the other.
		return w.admit(ctx, upload.Parked, u)
	}
	return u, nil
}

// move stores the state of an upload that was inspected. One that is to be read counts
// from then on in its merchant's day.
func (w *Worker) move(ctx context.Context, from upload.State, u upload.Upload, tell *notice.Notice, file upload.Usage) (bool, error) {
	if u.Counted || u.State != upload.Loading && u.State != upload.NeedsConfirmation {
		return w.Records.MoveUpload(ctx, from, u, tell)
	}
	merchant, _, err := w.Catalog.Merchant(ctx, u.Merchant)
	if err != nil {
		return false, err
	}
	u.Counted = true
	return w.Records.AdmitUpload(ctx, from, u, tell, file, merchant.Uploads.OrDefault(), w.Now())
}

// park lets a file wait whose merchant's day is full. The merchant is told once a day.
func (w *Worker) park(ctx context.Context, from upload.State, u upload.Upload, over *upload.OverLimitError) (upload.Upload, error) {
	if from == upload.Parked && u.Cause == upload.OverLimit {
		return u, nil
	}
	now := w.Now()
	u.State, u.Cause, u.DueAt = upload.Parked, upload.OverLimit, upload.NextLook(now)
	if err := w.writeReport(ctx, &u, nil); err != nil {
		return u, err
	}
	facts := notice.Uploaded(u)
	facts.Cause, facts.Limit = over.Limit, over.Most
	tell := notice.New(u.Merchant, notice.UploadLimit, notice.Day(now), facts, now)
	_, err := w.Records.MoveUpload(ctx, from, u, &tell)
	return u, err
}

// inspect sets the state of an upload by its name, its pool and the head of its file. It
// returns what the file brings, if it is to be read.
func (w *Worker) inspect(ctx context.Context, u upload.Upload) (_ upload.Upload, brings upload.Usage, _ error) {
	u, head, err := w.assess(ctx, u)
	return u, u.Usage(head), err
}

func (w *Worker) assess(ctx context.Context, u upload.Upload) (_ upload.Upload, head []byte, _ error) {
	now := w.Now()
	reject := func(cause upload.Cause) (upload.Upload, []byte, error) {
		u.State, u.Cause, u.FinishedAt, u.DueAt = upload.Finished, cause, now, now.Add(upload.RemindAfter)
		return u, head, nil
	}
	switch {
	case u.Cause == upload.Misplaced, u.Cause == upload.UnknownMerchant, u.Cause == upload.UsedTicket:
		return reject(u.Cause)
	case u.Size == 0:
		return reject(upload.Empty)
	}
	_, known, err := w.Catalog.Pool(ctx, u.Merchant, u.Pool)
	if err != nil {
		return u, nil, err
	}
	if !known {
		u.State, u.Cause, u.DueAt = upload.Parked, upload.UnknownPool, now.Add(upload.StalledAfter)
		return u, head, nil
	}
	head, err = w.head(ctx, u)
	if err == nil && u.State != "" {
		err = w.checkNotDeleted(ctx, u.Object)
	}
	if cause := upload.CauseOf(err); cause != "" {
		u, _, _ = reject(cause)
		if cause == upload.Gone {
			u.DueAt = time.Time{}
		}
		return u, head, nil
	}
	if err != nil {
		return u, nil, err
	}
	text := false
	if u.Encoding, text = examine(head[:min(len(head), headSize)]); !text {
		return reject(upload.Binary)
	}
	if u.ConfirmedAt.IsZero() {
		clear, err := w.question(ctx, &u, head)
		if err != nil {
			return u, nil, err
		}
		if !clear {
			if u.Seen.Table.Is() && u.Seen.Table.Column == 0 {
				return reject(upload.NoColumn)
			}
			u.State, u.Cause, u.DueAt = upload.NeedsConfirmation, upload.Unclear, now.Add(upload.RemindAfter)
			return u, head, nil
		}
	}
	u.State, u.Cause, u.DueAt = upload.Loading, "", now.Add(upload.StalledAfter)
	u.Ranges = int((u.Size + upload.RangeSize - 1) / upload.RangeSize)
	if u.Seen.Table.Is() {
		u.Ranges = 1 // a quote in one range would change what the next one holds
	}
	return u, head, nil
}

// question looks at the head of a file, and reports whether it is clear how to read it:
// since its lines are keys, or its table has a column of them, or its merchant has
// answered for the like of it before, or its name asks for no question.
func (w *Worker) question(ctx context.Context, u *upload.Upload, head []byte) (clear bool, err error) {
	u.Seen, err = look(u.File, head, u.Encoding, int64(len(head)) == u.Size)
	if err != nil || u.Seen.Table.Is() && u.Seen.Table.Column == 0 {
		return false, err
	}
	if upload.AsIs(u.File) {
		u.Seen.Asked = nil
	}
	if len(u.Seen.Asked) == 0 {
		return true, nil
	}
	u.Reading, u.Remembered, err = w.Records.Reading(ctx, u.Merchant, u.Pool, u.Seen.Question())
	return u.Remembered, err
}

// checkNotDeleted returns upload.ErrGone if the object was deleted. The bucket keeps
// its version for some days. But a merchant who mistyped the pool's name, or mended a
// held file, and was told to delete the file must not find its keys on sale later. An object that was replaced
// is read all the same, as it would have been without the wait.
func (w *Worker) checkNotDeleted(ctx context.Context, o upload.Object) error {
	_, there, err := w.Objects.Stat(ctx, upload.Object{Bucket: o.Bucket, Name: o.Name})
	if err == nil && !there {
		err = upload.ErrGone
	}
	return err
}

func (w *Worker) head(ctx context.Context, u upload.Upload) ([]byte, error) {
	body, err := w.Objects.Open(ctx, u.Object, 0, min(inspectedSize, u.Size))
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, inspectedSize))
}

// resume goes on with an upload in any state.
func (w *Worker) resume(ctx context.Context, u upload.Upload) error {
	var err error
	if u.State == upload.Parked || u.State == upload.Confirmed {
		if u, err = w.admit(ctx, u.State, u); err != nil {
			return err
		}
	}
	if u.State != upload.Loading {
		return nil
	}
	if u.Done == u.Ranges {
		return w.finish(ctx, u)
	}
	ranges, err := w.Ranges.Ranges(ctx, u)
	if err != nil {
		return err
	}
	done := map[int]bool{}
	for _, r := range ranges {
		done[r.Number] = r.Done
	}
	for n := range u.Ranges {
		if done[n] {
			continue
		}
		if err := w.RangeJobs.Send(ctx, upload.LoadRange(u.Merchant, u.ID, n), 0); err != nil {
			return err
		}
	}
	return w.Records.PostponeUpload(ctx, u, w.Now().Add(upload.StalledAfter))
}

// finishIfDone finishes the upload if all of its ranges are done.
func (w *Worker) finishIfDone(ctx context.Context, u upload.Upload) error {
	u, ok, err := w.Records.Upload(ctx, u.Merchant, u.ID)
	if err != nil || !ok || u.State != upload.Loading || u.Done < u.Ranges {
		return err
	}
	return w.finish(ctx, u)
}

// finish writes the report of an upload whose ranges are all done, and tells its
// merchant. Two workers may do so at once: their reports are the same, and one of
// them tells.
func (w *Worker) finish(ctx context.Context, u upload.Upload) error {
	ranges, err := w.Ranges.Ranges(ctx, u)
	if err != nil {
		return err
	}
	u.State, u.FinishedAt, u.DueAt = upload.Finished, w.Now(), time.Time{}
	switch usable := u.Counts[upload.Accepted] + u.Counts.Duplicates(); {
	case usable == 0 && u.Counts.Rejected()+u.Counts.Skipped() == 0:
		u.Cause = upload.Empty
	case usable == 0:
		u.Cause = upload.NoKeys
	}
	if u.Rejected() {
		u.DueAt = u.FinishedAt.Add(upload.RemindAfter)
	}
	if err := w.writeReport(ctx, &u, ranges); err != nil {
		return err
	}
	if err := w.markDone(ctx, u.Object, !u.Rejected()); err != nil {
		return err
	}
	if u.Counts[upload.Accepted] > 0 {
		w.askForFill(ctx, u.PoolID(), slowIndex)
	}
	_, err = w.Records.MoveUpload(ctx, upload.Loading, u, noticeOf(u, u.FinishedAt))
	return err
}

// finishUnread finishes an upload whose file was removed, archived or encrypted anew
// before it was read to its end. The keys that were loaded stay. The report leaves out
// ranges that were under way; the nightly count finds their keys.
func (w *Worker) finishUnread(ctx context.Context, u upload.Upload, cause upload.Cause) error {
	u, _, err := w.Records.Upload(ctx, u.Merchant, u.ID)
	if err != nil || u.State != upload.Loading {
		return err
	}
	ranges, err := w.Ranges.Ranges(ctx, u)
	if err != nil {
		return err
	}
	u.State, u.Cause, u.FinishedAt, u.DueAt = upload.Finished, cause, w.Now(), time.Time{}
	if cause != upload.Gone {
		u.DueAt = u.FinishedAt.Add(upload.RemindAfter)
	}
	if err := w.writeReport(ctx, &u, ranges); err != nil {
		return err
	}
	if err := w.markDone(ctx, u.Object, false); err != nil {
		return err
	}
	_, err = w.Records.MoveUpload(ctx, upload.Loading, u, noticeOf(u, u.FinishedAt))
	return err
}

// markDone tags an object as one that may expire. The tag comes before the record: a
// finished upload is never resumed.
func (w *Worker) markDone(ctx context.Context, o upload.Object, loaded bool) error {
	if err := w.Objects.MarkDone(ctx, o, loaded); err != nil && !errors.Is(err, upload.ErrGone) {
		return wrap(err, "mark version %s of an object as done", o.Version)
	}
	return nil
}

// askForFill asks fill to look at a pool side with new keys. If the message is lost,
// the sweep finds the lines that wait.
func (w *Worker) askForFill(ctx context.Context, p pool.ID, delay time.Duration) {
	if err := w.Fill.Send(ctx, order.FillPool(p), delay); err != nil {
		slog.WarnContext(ctx, "fill.not_requested", "pool", p.String(), "error", err)
	}
}

// noticeOf returns the notice of an upload that was finished, parked or held.
func noticeOf(u upload.Upload, now time.Time) *notice.Notice {
	facts := notice.Uploaded(u)
	n := notice.Gather(u.Merchant, notice.UploadReport, facts, now)
	switch {
	case u.Merchant == "":
		n = notice.Gather("", notice.Misplaced, facts, now)
	case u.Ranges > 1:
		n = notice.New(u.Merchant, notice.LargeUpload, u.ID, facts, now)
	}
	return &n
}

func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
