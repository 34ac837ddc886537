package settings

import (
	"context"
	"time"
	"unicode/utf8"

	"keypool/shared/catalog"
	"keypool/shared/mail/text"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// Uploads gives out addresses that key files are put to, and shows the files'
// reports.
type Uploads struct {
	Store   UploadStore
	Files   Files
	Reports Reports
	Now     func() time.Time
}

// UploadStore reads uploads, and the pools that they are for.
type UploadStore interface {
	Pool(ctx context.Context, merchant, name string) (catalog.Pool, bool, error)
	Upload(ctx context.Context, merchant, id string) (upload.Upload, bool, error)
	// Uploads returns up to limit uploads, newest first, from before the one with that id.
	Uploads(ctx context.Context, merchant, before string, limit int) ([]upload.Upload, error)
}

// Files signs an address that an object can be put to.
type Files interface {
	PresignUpload(ctx context.Context, object string, expires time.Duration) (string, error)
}

// Reports signs an address that a report can be read from.
type Reports interface {
	PresignReport(ctx context.Context, object string, expires time.Duration) (string, error)
}

const (
	signedFor   = 15 * time.Minute
	maxFileName = 200 // characters
)

// Ticket is an address that takes one key file.
type Ticket struct {
	URL       string
	ExpiresAt time.Time
}

// CheckFileName returns the mistake in the name of a key file for a side. By a name
// with a slash, or "test", ingest would take the file for another side's, or for
// misplaced.
func CheckFileName(side pool.Side, name string) []Problem {
	_, ok := upload.Locate(objectName(pool.ID{Merchant: "merchant", Pool: "pool", Side: side}, name))
	if name == "" || name == "." || name == ".." || utf8.RuneCountInString(name) > maxFileName || text.OneLine(name) != name || !ok {
		return []Problem{{Path: "name", Message: "use the name of a file of up to 200 characters, without slashes, and another than test"}}
	}
	if upload.Clutter("/" + name) {
		return []Problem{{Path: "name", Message: "use another name: files of this name are left behind by desktops, and are not read"}}
	}
	return nil
}

// Create returns an address for a key file of that name. Its error is an
// *InvalidError, or ErrNotFound if there is no such pool.
func (s *Uploads) Create(ctx context.Context, to pool.ID, fileName string) (Ticket, error) {
	if err := invalid(CheckFileName(to.Side, fileName)...); err != nil {
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
	url, err := s.Files.PresignUpload(ctx, objectName(to, fileName), signedFor)
	return Ticket{url, expires}, err
}

// List returns up to limit of a merchant's uploads, newest first, from before the
// one with that id. Next is the id to go on after, "" on the last page.
func (s *Uploads) List(ctx context.Context, merchant, before string, limit int) (uploads []upload.Upload, next string, err error) {
	uploads, err = s.Store.Uploads(ctx, merchant, before, limit+1)
	uploads, next = page(uploads, limit, func(u upload.Upload) string { return u.ID })
	return uploads, next, err
}

// Get returns an upload and, once it is finished, an address that its whole report
// can be read from for 15 minutes. Its error is ErrNotFound if there is none.
func (s *Uploads) Get(ctx context.Context, merchant, id string) (u upload.Upload, reportURL string, err error) {
	u, ok, err := s.Store.Upload(ctx, merchant, id)
	switch {
	case err != nil:
		return u, "", err
	case !ok:
		return u, "", ErrNotFound
	case u.State == upload.Finished:
		reportURL, err = s.Reports.PresignReport(ctx, u.ReportName(), signedFor)
	}
	return u, reportURL, err
}

// objectName is the name that a key file has in the bucket.
func objectName(to pool.ID, fileName string) string {
	folder := "uploads/" + to.Merchant + "/" + to.Pool + "/"
	if to.Side == pool.Test {
		folder += "test/"
	}
	return folder + fileName
}
