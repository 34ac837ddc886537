package settings

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"keypool/shared/catalog"
	"keypool/shared/mail/text"
	"keypool/shared/pool"
	"keypool/shared/random"
	"keypool/shared/upload"
)

// Uploads gives out addresses that key files are put to, shows the files' reports, and
// takes the merchant's answer about a held file.
type Uploads struct {
	Store   UploadStore
	Files   Files
	Reports Reports
	Ranges  Queue // of upload.Message
	Loaded  RangeReader
	Answers Answers
	Now     func() time.Time
}

// UploadStore reads uploads, and the pools that they are for.
type UploadStore interface {
	Pool(ctx context.Context, merchant, name string) (catalog.Pool, bool, error)
	Upload(ctx context.Context, merchant, id string) (upload.Upload, bool, error)
	// Uploads returns up to limit uploads, newest first, from before the one with that id.
	Uploads(ctx context.Context, merchant, before string, limit int) ([]upload.Upload, error)
	// ConfirmUpload stores the answer of a held upload, for it and for later files of its
	// pool that raise the same question. It is false if the upload is not held.
	ConfirmUpload(ctx context.Context, u upload.Upload) (bool, error)
}

// RangeReader returns the ranges of an upload that were ever taken, in order.
type RangeReader interface {
	Ranges(ctx context.Context, u upload.Upload) ([]upload.Range, error)
}

// Answers keeps the answers that are remembered for a pool.
type Answers interface {
	Readings(ctx context.Context, merchant, pool string) ([]upload.Remembered, error)
	// ForgetReading forgets an answer, if there is one.
	ForgetReading(ctx context.Context, merchant, pool, question string) error
}

// Files signs an address that an object of that size can be put to, while there is none
// of its name. The request must have the headers.
type Files interface {
	PresignUpload(ctx context.Context, object string, size int64, expires time.Duration) (url string, headers map[string]string, err error)
}

// Reports signs an address that a report can be read from.
type Reports interface {
	PresignReport(ctx context.Context, object string, expires time.Duration) (string, error)
}

const (
	signedFor   = 15 * time.Minute
	maxFileName = 200 // characters

	// MaxFileSize is what S3 takes in one PUT, in bytes.
	MaxFileSize = 5 << 30
)

// Ticket is an address that takes one key file of one size, once.
type Ticket struct {
	URL       string
	Headers   map[string]string // that the PUT must have
	ExpiresAt time.Time
}

// CheckFileName returns the mistake in the name of a key file for a side. By a name
// with a slash, or "test", ingest would take the file for another side's, or for
// misplaced.
func CheckFileName(side pool.Side, name string) []Problem {
	_, ok := upload.Locate(upload.Place{Merchant: "merchant", Pool: "pool", Side: side, File: name}.Name())
	if name == "" || name == "." || name == ".." || utf8.RuneCountInString(name) > maxFileName || text.OneLine(name) != name || !ok {
		return []Problem{{Path: "name", Message: "use the name of a file of up to 200 characters, without slashes, and another than test"}}
	}
	if upload.Clutter("/" + name) {
		return []Problem{{Path: "name", Message: "use another name: files of this name are left behind by desktops, and are not read"}}
	}
	return nil
}

// CheckFileSize returns the mistake in the size of a key file, in bytes.
func CheckFileSize(size int64) []Problem {
	if size < 1 || size > MaxFileSize {
		return []Problem{{Path: "size", Message: "use the file's size in bytes, from 1 to 5,368,709,120; cut a larger file in parts"}}
	}
	return nil
}

// Create returns an address for a key file of that name and size, in bytes. Its error is
// an *InvalidError, or ErrNotFound if there is no such pool.
func (s *Uploads) Create(ctx context.Context, to pool.ID, fileName string, size int64) (Ticket, error) {
	if err := invalid(append(CheckFileName(to.Side, fileName), CheckFileSize(size)...)...); err != nil {
		return Ticket{}, err
	}
	_, ok, err := s.Store.Pool(ctx, to.Merchant, to.Pool)
	if err != nil {
		return Ticket{}, err
	}
	if !ok {
		return Ticket{}, ErrNotFound
	}
	expires := s.Now().UTC().Add(signedFor).Truncate(time.Second)
	place := upload.Place{
		Merchant: to.Merchant, Pool: to.Pool, Side: to.Side, File: fileName,
		Ticket: fmt.Sprintf("%016x", random.Uint64(ctx)),
	}
	url, headers, err := s.Files.PresignUpload(ctx, place.Name(), size, signedFor)
	return Ticket{url, headers, expires}, err
}

// List returns up to limit of a merchant's uploads, newest first, from before the
// one with that id. Next is the id to go on after, "" on the last page.
func (s *Uploads) List(ctx context.Context, merchant, before string, limit int) (uploads []upload.Upload, next string, err error) {
	uploads, err = s.Store.Uploads(ctx, merchant, before, limit+1)
	uploads, next = page(uploads, limit, func(u upload.Upload) string { return u.ID })
	return uploads, next, err
}

// Get returns an upload, how much of it is read by now and, once it is finished or held,
// an address that its whole report can be read from for 15 minutes. Its error is
// ErrNotFound if there is none.
func (s *Uploads) Get(ctx context.Context, merchant, id string) (u upload.Upload, read upload.Progress, reportURL string, err error) {
	u, ok, err := s.Store.Upload(ctx, merchant, id)
	if err == nil && !ok {
		err = ErrNotFound
	}
	if err != nil {
		return u, read, "", err
	}
	read = u.Ended()
	switch u.State {
	case upload.Loading:
		var ranges []upload.Range
		ranges, err = s.Loaded.Ranges(ctx, u)
		read = u.Progress(ranges)
	case upload.Parked, upload.Confirmed:
		// Nothing of it is read, and its report is still to come.
	case upload.Finished, upload.NeedsConfirmation:
		if u.Cause == upload.Wiped {
			break
		}
		reportURL, err = s.Reports.PresignReport(ctx, u.ReportName(), signedFor)
	}
	return u, read, reportURL, err
}

// NotHeldError means that an upload does not wait for an answer.
type NotHeldError struct {
	State upload.State
	Asked bool // it did, and got another answer
}

func (e *NotHeldError) Error() string { return "the upload is " + string(e.State) + ", and not held" }

// Load has a held upload loaded as its merchant says. Its error is an *InvalidError if an
// option does not fit what was found in the file, a *NotHeldError if the upload is not
// held, or ErrNotFound. The same answer again changes nothing.
func (s *Uploads) Load(ctx context.Context, merchant, id string, how upload.Reading) (upload.Upload, error) {
	u, ok, err := s.Store.Upload(ctx, merchant, id)
	if err != nil {
		return u, err
	}
	if !ok {
		return u, ErrNotFound
	}
	if u.State == upload.NeedsConfirmation {
		if err := invalid(checkReading(u.Seen, how)...); err != nil {
			return u, err
		}
		held := u
		held.Reading, held.ConfirmedAt = how, s.Now()
		held.State, held.Cause, held.DueAt = upload.Confirmed, "", held.ConfirmedAt.Add(upload.StalledAfter)
		confirmed, err := s.Store.ConfirmUpload(ctx, held)
		if err != nil {
			return u, err
		}
		if u = held; !confirmed { // somebody else was faster
			if u, _, err = s.Store.Upload(ctx, merchant, id); err != nil {
				return u, err
			}
		}
	}
	if u.ConfirmedAt.IsZero() || u.Reading != how {
		return u, &NotHeldError{u.State, !u.ConfirmedAt.IsZero()}
	}
	if u.State == upload.Confirmed {
		// If the message is lost, the same call again or the sweep sends another.
		err = s.Ranges.Send(ctx, upload.Resume(merchant, id), 0)
	}
	return u, err
}

// Remembered returns the answers that hold for the next files of a pool. Its error is
// ErrNotFound if there is no such pool.
func (s *Uploads) Remembered(ctx context.Context, merchant, pool string) ([]upload.Remembered, error) {
	_, ok, err := s.Store.Pool(ctx, merchant, pool)
	if err == nil && !ok {
		err = ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return s.Answers.Readings(ctx, merchant, pool)
}

// Forget forgets all answers about files of a pool, so that the next one that raises a
// question is held again. Its error is as that of Remembered.
func (s *Uploads) Forget(ctx context.Context, merchant, pool string) error {
	all, err := s.Remembered(ctx, merchant, pool)
	for _, answer := range all {
		if err == nil {
			err = s.Answers.ForgetReading(ctx, merchant, pool, answer.Question)
		}
	}
	return err
}

// checkReading returns the options that do not fit what was found.
func checkReading(seen upload.Seen, how upload.Reading) (problems []Problem) {
	for _, option := range upload.Options {
		if !option.In(how) || seen.Has(option.For) {
			continue
		}
		message := "nothing in the file is for this; leave it out"
		if offered := seen.Offered(); len(offered) > 0 {
			message += ", or use " + strings.Join(offered, ", ")
		}
		problems = append(problems, Problem{Path: option.Name, Message: message})
	}
	return problems
}
