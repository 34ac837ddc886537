package inventory

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"keypool/shared/job"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/retry"
	"keypool/shared/upload"
)

// Wipe has a merchant's test side taken away as it is now: its orders, keys, uploads and counts.
// It returns the job that does it. Settings stay, and so does all of the live side.
func (s *Jobs) Wipe(ctx context.Context, merchant, by string) (job.Job, error) {
	return s.start(ctx, job.Job{Merchant: merchant, Kind: job.Wipe, Side: pool.Test, By: by})
}

// TestSide is a merchant's test side. What it deletes says for itself, in the condition of the
// write, that it is of that side: job.ErrNotTest if it is not, whatever an index shows.
type TestSide struct {
	Rows    WipedRows
	Orders  Orders
	Keys    WipedKeys
	Uploads WipedUploads
	Reports WipedReports
}

// WipedRows are the test side's rows in the table of orders. What deletes one fails with
// retry.ErrChanged if it is not as it was seen any more, and with job.ErrFenced as SaveJob does.
type WipedRows interface {
	// TestRows returns up to n rows, those after the place that the last call returned: "" to
	// begin with, and after the last one. It may lag behind by IndexLag.
	TestRows(ctx context.Context, merchant, after string, n int) (rows []job.TestRow, last string, err error)
	// WipeRow deletes a row that is no part of an order.
	WipeRow(ctx context.Context, j job.Job, row job.TestRow, now time.Time) error
	// WipeWhole deletes what is known of an order as a whole.
	WipeWhole(ctx context.Context, j job.Job, w order.Whole, now time.Time) error
	// WipeLine deletes a line with all that belongs to it, and counts it in the job. Once it
	// is gone, all of that is.
	WipeLine(ctx context.Context, j job.Job, line order.Fulfillment, now time.Time) error
}

// Orders reads orders.
type Orders interface {
	// Order returns the lines of an order, and what is known of it as a whole.
	Order(ctx context.Context, orderID string) ([]order.Fulfillment, order.Whole, error)
}

// WipedKeys are the test side's keys, in whatever state.
type WipedKeys interface {
	Records
	// TestKeys returns up to n keys, those after one of them: "" to begin with. It may lag
	// behind by IndexLag.
	TestKeys(ctx context.Context, merchant string, after pool.KeyID, n int) ([]pool.KeyID, error)
	// WipeKeys deletes keys that no line has, and counts them, in their pools and in the job:
	// all or nothing. *order.KeysTakenError names those that are not as they were seen, or
	// whose line is there; job.ErrFenced is as that of SaveJob.
	WipeKeys(ctx context.Context, j job.Job, keys []pool.Record, now time.Time) error
}

// WipedUploads are the merchant's uploads, and the counts of pools.
type WipedUploads interface {
	// Uploads returns up to limit uploads of both sides, newest first, from before one.
	Uploads(ctx context.Context, merchant, before string, limit int) ([]upload.Upload, error)
	// WipeUpload takes away what is kept of an upload but which file it was. It fails as what
	// deletes WipedRows does.
	WipeUpload(ctx context.Context, j job.Job, u upload.Upload, now time.Time) error
	// ResetTestCounts takes away what is counted of pools' test sides that have no key.
	ResetTestCounts(ctx context.Context, j job.Job) error
}

// WipedReports is the bucket of uploads' reports.
type WipedReports interface {
	// Delete removes a report; none there is no error.
	Delete(ctx context.Context, name string) error
}

// wiping takes a merchant's test side away: what was there when the job was asked for. What came
// later stays, with the keys and the upload that it needs.
//
// A look is at the orders first, then at the keys, of which no line has one any more, then at
// the uploads. What cannot go yet is left for the next look, a minute later: a line whose mail
// is being sent, what an upload brings that is being loaded, whatever changed meanwhile. The
// last look is one that left nothing, and that began when the indexes showed all.
type wiping struct {
	progress
	uploads map[string]verdict
}

// verdict is what becomes of something in this look.
type verdict int

const (
	goes  verdict = iota // it is wiped
	later                // it is left for the next look
	stays                // it came after the job was asked for
)

// What a look is at, one after the other.
const (
	lookAtOrders = iota
	lookAtKeys
	lookAtUploads
	looked
)

const (
	wipedRows    = 25 // that are looked at in one step
	wipedKeys    = 25 // of one transaction: with a check of the line of each
	wipedUploads = 100
)

// Step wipes the next rows.
func (w *wiping) Step(ctx context.Context) (last bool, err error) {
	if w.cut() {
		return true, nil
	}
	look := &w.job.Look
	if look.Began.IsZero() {
		look.Began = w.Now()
	}
	step := map[int]func(context.Context) error{lookAtOrders: w.orders, lookAtKeys: w.keys, lookAtUploads: w.files}[look.Pool]
	if err := step(ctx); err != nil {
		return false, err
	}
	if look.After != "" {
		return false, nil
	}
	if look.Pool++; look.Pool < looked {
		return false, nil
	}
	if look.Left > 0 || look.Began.Sub(w.job.CreatedAt) < IndexLag {
		return false, w.pause()
	}
	return true, w.Test.Uploads.ResetTestCounts(ctx, w.job)
}

// orders wipes the next rows of the table of orders.
func (w *wiping) orders(ctx context.Context) error {
	rows, last, err := w.Test.Rows.TestRows(ctx, w.job.Merchant, w.job.Look.After, wipedRows)
	if err != nil {
		return err
	}
	done := map[string]bool{"": true}
	for _, row := range rows {
		switch {
		case row.Order == "":
			err = w.row(ctx, row)
		case !done[row.Order]:
			done[row.Order] = true
			err = w.order(ctx, row.Order)
		}
		if err != nil {
			return err
		}
	}
	w.job.Look.After = last
	return nil
}

func (w *wiping) row(ctx context.Context, row job.TestRow) error {
	now := w.Now()
	switch {
	case row.At.After(w.job.CreatedAt):
		return nil
	case row.Mailing.After(now):
		w.job.Look.Left++
		return nil
	}
	_, err := w.wiped(ctx, w.Test.Rows.WipeRow(ctx, w.job, row, now))
	return err
}

// order wipes the lines of an order and, if none of them stays, what is known of it as a whole.
func (w *wiping) order(ctx context.Context, id string) error {
	lines, whole, err := w.Test.Orders.Order(ctx, id)
	if err != nil {
		return err
	}
	gone := true
	for _, line := range lines {
		now := w.Now()
		switch w.ofLine(line, now) {
		case stays:
			gone = false
		case later:
			w.job.Look.Left++
			gone = false
		case goes:
			was, err := w.wiped(ctx, w.Test.Rows.WipeLine(ctx, w.job, line, now))
			if err != nil {
				return err
			}
			gone = gone && was
			if was {
				w.job.Lines++
			}
		}
	}
	if !gone || whole.Version == 0 || whole.ChangedAt.After(w.job.CreatedAt) {
		return nil
	}
	_, err = w.wiped(ctx, w.Test.Rows.WipeWhole(ctx, w.job, whole, w.Now()))
	return err
}

// ofLine returns what becomes of a line. One whose mail is being sent is left to its mailer.
func (w *wiping) ofLine(line order.Fulfillment, now time.Time) verdict {
	switch {
	case line.ReceivedAt.After(w.job.CreatedAt):
		return stays
	case line.Mail.State == outbox.Sending && line.Mail.LeaseEndsAt.After(now):
		return later
	}
	return goes
}

// wiped reports whether something is gone, by the error of deleting it. What changed meanwhile
// is left for the next look.
func (w *wiping) wiped(ctx context.Context, err error) (bool, error) {
	switch {
	case errors.Is(err, job.ErrFenced):
		return false, err
	case errors.Is(err, job.ErrNotTest):
		slog.ErrorContext(ctx, "wipe.not_test", "job", w.job.ID)
		return false, nil
	case errors.Is(err, retry.ErrChanged):
		w.job.Look.Left++
		return false, nil
	}
	return err == nil, err
}

// keys wipes the next keys.
func (w *wiping) keys(ctx context.Context) error {
	look := &w.job.Look
	ids, err := w.Test.Keys.TestKeys(ctx, w.job.Merchant, pool.KeyID(look.After), pageSize)
	if err != nil {
		return err
	}
	records, err := w.Test.Keys.KeyRecords(ctx, ids)
	if err != nil {
		return err
	}
	var own []pool.Record
	for _, key := range records {
		verdict, err := w.ofKey(ctx, key)
		switch {
		case err != nil:
			return err
		case verdict == goes:
			own = append(own, key)
		case verdict == later:
			look.Left++
		}
	}
	for len(own) > 0 {
		n := min(len(own), wipedKeys)
		err := w.Test.Keys.WipeKeys(ctx, w.job, own[:n], w.Now())
		if taken, is := errors.AsType[*order.KeysTakenError](err); is {
			own = w.leave(ctx, own, taken.Keys)
			continue
		}
		if err != nil {
			return err
		}
		own = own[n:]
		w.job.Keys += n
	}
	look.After = ""
	if len(ids) == pageSize {
		look.After = string(ids[len(ids)-1])
	}
	return nil
}

// leave returns the keys but for those that are not as they were seen. They are left for the
// next look, but for one that a line has: it stays as long as the line does.
func (w *wiping) leave(ctx context.Context, keys []pool.Record, taken []pool.KeyID) (rest []pool.Record) {
	gone := make(map[pool.KeyID]bool, len(taken))
	for _, id := range taken {
		gone[id] = true
	}
	for _, key := range keys {
		switch {
		case !gone[key.ID]:
			rest = append(rest, key)
		case !strings.HasPrefix(string(key.ID), pool.Identities(w.job.Merchant, pool.Test)):
			slog.ErrorContext(ctx, "wipe.not_test", "job", w.job.ID)
		case key.Line == "":
			w.job.Look.Left++
		}
	}
	return rest
}

// ofKey returns what becomes of a key, which is what becomes of the upload that brought it. The
// code of a product, which stands among test keys once it is blocked, is a setting.
func (w *wiping) ofKey(ctx context.Context, key pool.Record) (verdict, error) {
	switch {
	case key.State == pool.KeyShared:
		return stays, nil
	case key.Upload == "":
		return goes, nil
	}
	if known, ok := w.uploads[key.Upload]; ok {
		return known, nil
	}
	u, there, err := w.Uploads.Upload(ctx, w.job.Merchant, key.Upload)
	if err != nil {
		return later, err
	}
	w.uploads[key.Upload] = goes
	if there {
		w.uploads[key.Upload] = w.ofUpload(u)
	}
	return w.uploads[key.Upload], nil
}

// ofUpload returns what becomes of an upload and its keys. One that is being loaded is left until
// all that it brought is counted, and the index shows it.
func (w *wiping) ofUpload(u upload.Upload) verdict {
	switch {
	case u.ReceivedAt.After(w.job.CreatedAt):
		return stays
	case u.State == upload.Loading, u.State == upload.Confirmed:
		return later
	case u.State == upload.Finished && u.Ranges > 0 && w.job.Look.Began.Sub(u.FinishedAt) < IndexLag:
		return later
	}
	return goes
}

// files wipes the records of the next uploads.
func (w *wiping) files(ctx context.Context) error {
	look := &w.job.Look
	uploads, err := w.Test.Uploads.Uploads(ctx, w.job.Merchant, look.After, wipedUploads)
	if err != nil {
		return err
	}
	for _, u := range uploads {
		if u.Side != pool.Test || u.Cause == upload.Wiped {
			continue
		}
		switch w.ofUpload(u) {
		case stays:
		case later:
			look.Left++
		case goes:
			if err := w.upload(ctx, u); err != nil {
				return err
			}
		}
	}
	look.After = ""
	if len(uploads) == wipedUploads {
		look.After = uploads[len(uploads)-1].ID
	}
	return nil
}

// upload wipes the report of an upload, and then its record, which names the report.
func (w *wiping) upload(ctx context.Context, u upload.Upload) error {
	if err := w.Test.Reports.Delete(ctx, u.ReportName()); err != nil {
		return err
	}
	_, err := w.wiped(ctx, w.Test.Uploads.WipeUpload(ctx, w.job, u, w.Now()))
	return err
}
