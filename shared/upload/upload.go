// Package upload holds the record of a key file, and the words for what becomes
// of the file, of its ranges and of its lines.
package upload

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"keypool/shared/job"
	"keypool/shared/lazy"
	"keypool/shared/pool"
)

var (
	// ErrGone means that an object is not in its bucket any more.
	ErrGone = errors.New("the file is gone")

	// ErrEncrypted means that an object is encrypted with a key that Keypool may not use.
	ErrEncrypted = errors.New("the file is encrypted with a key that may not be used")

	// ErrArchived means that an object is in a storage class that it must be restored
	// from before it can be read.
	ErrArchived = errors.New("the file is archived")
)

// KeptRejected is the number of rejected lines that an upload's record keeps.
// Its report lists all of them.
const KeptRejected = 100

const (
	// StalledAfter is how long an upload may make no progress before the sweep asks
	// for it to be resumed.
	StalledAfter = 20 * time.Minute

	// RemindAfter is how long a rejected file lies in the bucket before its owner
	// is reminded of it.
	RemindAfter = 3 * 24 * time.Hour

	// LoadedKept and RefusedKept are how long a file is kept from the day it was dropped:
	// one that was loaded, and one that was not and never will be. A file that waits for
	// its pool or its merchant is kept until it has been read.
	LoadedKept  = 7 * 24 * time.Hour
	RefusedKept = 30 * 24 * time.Hour
)

// State is the state of an upload.
type State string

// The states of an upload.
const (
	Parked            State = "parked"             // its pool does not exist yet
	NeedsConfirmation State = "needs_confirmation" // it reads like something else than keys: its merchant is asked
	Confirmed         State = "confirmed"          // its merchant has said how to read it
	Loading           State = "loading"            // its ranges are being loaded
	Finished          State = "finished"           // its report is written
)

// Cause is the reason why a file was not read, or not to its end.
type Cause string

// The reasons why a file may not be read. Such a file stays in the bucket, and its
// owner is reminded of it.
const (
	Empty           Cause = "empty"            // it holds no line that is not blank
	Binary          Cause = "binary"           // it is no text in UTF-8 or UTF-16
	NoColumn        Cause = "no-column"        // it is a table, and no column is known to hold the keys
	NoKeys          Cause = "no-keys"          // every line was rejected
	Misplaced       Cause = "misplaced"        // its name names no pool
	UnknownMerchant Cause = "unknown-merchant" // its name names no known merchant
	UnknownPool     Cause = "unknown-pool"     // it waits for its pool
	OverLimit       Cause = "over-limit"       // it waits for the next day: its merchant's day is full
	Unclear         Cause = "unclear"          // it waits for its merchant's answer
	UsedTicket      Cause = "used-ticket"      // its ticket brought another file before
	Gone            Cause = "gone"             // it was removed before it was read
	Encrypted       Cause = "encrypted"        // with a key that Keypool may not use
	Archived        Cause = "archived"         // its storage class cannot be read
	Wiped           Cause = "wiped"            // it was a test, and all that came of it was taken away
)

// CauseOf returns the cause of a file whose bytes can never be read, by the error of
// reading them; "" if the error may pass.
func CauseOf(err error) Cause {
	switch {
	case errors.Is(err, ErrGone):
		return Gone
	case errors.Is(err, ErrEncrypted):
		return Encrypted
	case errors.Is(err, ErrArchived):
		return Archived
	default:
		return ""
	}
}

// Encoding is the encoding of a key file.
type Encoding string

// The encodings of key files. UTF-16 is told by its byte order mark or, without
// one, by its NULs.
const (
	UTF8    Encoding = "utf-8"
	UTF16LE Encoding = "utf-16le"
	UTF16BE Encoding = "utf-16be"
)

// Object is one version of an object in the upload bucket.
type Object struct {
	Bucket  string
	Name    string
	Version string
}

// Stat holds the properties of an object.
type Stat struct {
	Version      string
	Size         int64
	LastModified time.Time
}

// Upload is the record of one key file.
type Upload struct {
	Merchant string // empty: no known merchant; the operator is told
	ID       string
	Object   Object
	File     string // the object's name below the pool, as the merchant wrote it
	Pool     string
	Side     pool.Side
	Size     int64
	Encoding Encoding

	Seen        Seen      // in its first bytes
	Reading     Reading   // how its lines are read
	ConfirmedAt time.Time // when its merchant said so of this file; zero: never
	Remembered  bool      // its merchant said so of an earlier file

	State  State
	Cause  Cause
	Ranges int // that the file is cut into
	Done   int // of them

	Lines  int // of the ranges that are done, blank ones too
	Counts Counts
	Kept   []RejectedLine // the first KeptRejected, once finished

	ReceivedAt time.Time
	FinishedAt time.Time
	DueAt      time.Time // when the sweep looks at it; zero: never
	Counted    bool      // in the usage of its merchant's day
	Reminded   bool      // its owner was reminded of it in this state

	// Withdrawal is the job that withdraws its keys; empty: none. Ranges that are loaded from
	// then on bring keys that are not for sale.
	Withdrawal  string
	WithdrawnAt time.Time

	MovedTo []string // pools that have or had keys of it besides its own
}

// RejectedLine is a line that brought no key, because it is a duplicate or holds
// no key that could be mailed. It never holds the text.
type RejectedLine struct {
	Line   int       `json:"line"`
	Reason Outcome   `json:"reason"`
	SoldAt time.Time `json:"soldAt,omitzero"` // of a duplicate that is sold
}

// PoolID names the pool side that the upload feeds.
func (u Upload) PoolID() pool.ID {
	return pool.ID{Merchant: u.Merchant, Pool: u.Pool, Side: u.Side}
}

// Rejected reports whether nothing of the file could be used. Such a file is kept,
// and its owner is reminded of it.
func (u Upload) Rejected() bool { return u.State == Finished && u.Cause != "" }

// ReportName names the upload's report in the reports bucket. Those of the test side stand
// apart, so that a function may be let delete them alone.
func (u Upload) ReportName() string {
	if u.Side == pool.Test {
		return "reports/" + u.owner() + "/test/" + u.ID + ".json"
	}
	return "reports/" + u.owner() + "/" + u.ID + ".json"
}

// RejectedName names an object in the reports bucket that holds rejected lines of
// range n. Each worker writes objects of its own, numbered from 0: its fencing token
// tells them apart from those of a worker that was fenced.
func (u Upload) RejectedName(n int, token job.Token, object int) string {
	return fmt.Sprintf("rejected/%s/%s/%05d-%d-%d.json", u.owner(), u.ID, n, token, object)
}

// owner is the merchant as it stands in names of the reports bucket.
func (u Upload) owner() string {
	if u.Merchant == "" {
		return "-"
	}
	return u.Merchant
}

// NewID returns the identity of an object version: however often its event is
// delivered it is the same upload. It begins with the time the version was
// written, so that uploads list by age.
func NewID(o Object, writtenAt time.Time) string {
	h := sha256.New()
	for _, part := range []string{o.Bucket, o.Name, o.Version} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		io.WriteString(h, part)
	}
	return writtenAt.UTC().Format("20060102T150405") + "-" + hex.EncodeToString(h.Sum(nil)[:8])
}

// Place is the destination of a file's keys, as the object's name says.
type Place struct {
	Merchant string
	Pool     string
	Side     pool.Side
	File     string
	Ticket   string // that the file was put to; empty: none
}

// Name returns the object's name of a place.
func (p Place) Name() string {
	parts := []string{"uploads", p.Merchant, p.Pool}
	if p.Side == pool.Test {
		parts = append(parts, testFolder)
	}
	if p.Ticket != "" {
		parts = append(parts, ticketFolder+p.Ticket)
	}
	return strings.Join(append(parts, p.File), "/")
}

const (
	testFolder   = "test"
	ticketFolder = "ticket-" // and the ticket
)

// Locate reads an object's name: uploads/<merchant>/<pool>/<file>, or
// uploads/<merchant>/<pool>/test/<file>; in each, ticket-<ticket>/<file> may stand for the
// file. It returns false if the name has another form; the merchant is returned if the
// name is that clear. A file called "test" is not taken as live keys: it was most likely
// meant for the test side.
func Locate(name string) (Place, bool) {
	parts := strings.Split(name, "/")
	if len(parts) < 2 || parts[0] != "uploads" || pool.CheckName(parts[1]) != nil {
		return Place{File: name}, false
	}
	unclear := Place{Merchant: parts[1], File: name}
	if len(parts) < 4 || pool.CheckName(parts[2]) != nil {
		return unclear, false
	}
	place, rest := Place{Merchant: parts[1], Pool: parts[2], Side: pool.Live}, parts[3:]
	if rest[0] == testFolder {
		place.Side, rest = pool.Test, rest[1:]
	}
	if len(rest) == 2 && ticketName().MatchString(rest[0]) {
		place.Ticket, rest = strings.TrimPrefix(rest[0], ticketFolder), rest[1:]
	}
	if len(rest) != 1 || rest[0] == "" {
		return unclear, false
	}
	place.File = rest[0]
	return place, true
}

var ticketName = lazy.Regexp("^" + ticketFolder + "[0-9a-f]{16}$")

// Folder reports whether the object only makes a folder show in a console.
func Folder(o Object, s Stat) bool { return s.Size == 0 && strings.HasSuffix(o.Name, "/") }

// clutter are the names of files that desktops and their programs leave in every
// folder. They are part of whole folders that are uploaded.
var clutter = []string{
	".ds_store", ".localized", "icon\r", // macOS
	"thumbs.db", "ehthumbs.db", "desktop.ini", // Windows
	".directory", // KDE
}

// Clutter reports whether a file was left by a desktop or one of its programs, by the
// name of the object: nobody meant to upload it.
func Clutter(name string) bool {
	file := strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])
	return slices.Contains(clutter, file) ||
		strings.HasPrefix(file, "._") || // attributes of the file with the rest of the name, by macOS
		strings.HasPrefix(file, "~$") || // says that a document is open, by Office
		strings.HasPrefix(file, ".~lock.") || // the same, by LibreOffice
		strings.Contains(name, "/__MACOSX/")
}

// Message asks for work on an upload: to load one of its ranges, or to resume it
// wherever it stands (read it now that its pool exists or its merchant has answered,
// send its missing ranges again, finish its report). Any message may be sent twice.
type Message struct {
	V        int    `json:"v"` // 1
	Merchant string `json:"merchant,omitempty"`
	Upload   string `json:"upload"`
	Resume   bool   `json:"resume,omitempty"`
	Range    int    `json:"range,omitempty"` // from 0, where Resume is not set
}

// Resume asks for an upload to be resumed.
func Resume(merchant, upload string) Message {
	return Message{V: 1, Merchant: merchant, Upload: upload, Resume: true}
}

// LoadRange asks for a range of an upload to be loaded.
func LoadRange(merchant, upload string, n int) Message {
	return Message{V: 1, Merchant: merchant, Upload: upload, Range: n}
}
