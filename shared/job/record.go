package job

import (
	"context"
	"errors"
	"fmt"
	"time"

	"keypool/shared/pool"
	"keypool/shared/random"
)

var (
	// ErrPaused means that the worker saved its progress and that there is nothing to do for
	// a while: the sweep asks for the job again when it is due.
	ErrPaused = errors.New("to be continued later")

	// ErrNotFound means that the merchant has no such job, or nothing that it would be about.
	ErrNotFound = errors.New("no such job")

	// ErrNoAddress means that an address to erase is none.
	ErrNoAddress = errors.New("no mail address")

	// ErrSamePool means that keys are to be moved to the pool that they are in.
	ErrSamePool = errors.New("the keys are in that pool")

	// ErrNoPool means that there is no pool to move keys to.
	ErrNoPool = errors.New("no such pool to move keys to")

	// ErrWithdrawn means that an upload was withdrawn, so that its keys are not moved.
	ErrWithdrawn = errors.New("the upload was withdrawn")

	// ErrOfSetting means that a job is there because of a setting, and ends when that is changed.
	ErrOfSetting = errors.New("the job belongs to a setting")

	// ErrNotTest means that a row is none of the merchant's test side, whatever an index shows.
	ErrNotTest = errors.New("no row of the test side")

	// ErrNoKeys means that an upload brought no keys, and never will.
	ErrNoKeys = errors.New("the upload brought no keys")

	// ErrPeriod means that from and until choose no keys: they are about sold ones, and from
	// comes before until.
	ErrPeriod = errors.New("not a period of sold keys")

	// ErrExports means that as many exports of the merchant are running as may at once.
	ErrExports = errors.New("enough exports are running")

	// ErrNoFile means that a job has no file, or none yet.
	ErrNoFile = errors.New("the job has no file")

	// ErrFileGone means that the file of a job was deleted: it is kept for FileKept.
	ErrFileGone = errors.New("the file of the job was deleted")
)

// StalledAfter is how long a job may make no progress before the sweep asks for it to be
// resumed. It is longer than one worker may take.
const StalledAfter = 20 * time.Minute

// Kind is what a job does.
type Kind string

// The kinds of jobs. Tables carry these words.
const (
	Withdraw Kind = "withdraw" // the unsold keys of an upload
	Move     Kind = "move"     // unsold keys of a pool to another one
	Erase    Kind = "erase"    // what is kept of a customer
	Retain   Kind = "retain"   // erases customers, each day, whom nothing has happened to for long
	Wipe     Kind = "wipe"     // all of a merchant's test side
	Export   Kind = "export"   // writes keys of a pool to a file
)

// MostExports is how many exports of a merchant may run at once.
const MostExports = 2

// FileKept is how long the file of an export can be fetched once it is finished.
const FileKept = 24 * time.Hour

// RetentionID is the id of a merchant's job that retains.
const RetentionID = "retention"

// State is the state of a job. It follows from its record.
type State string

// The states of a job.
const (
	Queued     State = "queued"     // no worker has begun
	Running    State = "running"    // also while it waits for its next look
	Cancelling State = "cancelling" // the worker ends it at its next step
	Ended      State = "done"
	Cancelled  State = "cancelled" // it ended before its work was done
)

// Job is the record of work of one part that somebody asked for. Its work is done as that
// of every part is: see Run.
type Job struct {
	Merchant string
	ID       string
	Kind     Kind
	Upload   string    // whose keys it is about; empty: of any
	Pool     string    // that has them; of an upload that is withdrawn, the pool that it was for
	Side     pool.Side // of the pool
	To       string    // the pool that they are moved to
	Most     int       // keys that are moved; 0: all

	Choice Choice // of a job that exports

	Customer string // the keyed hash of the address of who is erased, until the job ends: see order.HashAddress
	Force    bool   // lines are erased too that owe their customer something

	By        string // who asked for it
	Why       string // in their words
	CreatedAt time.Time

	Part  // Done: it has ended
	Look  Look
	Seen  time.Time // of a job that retains: no line that was received before is looked at
	File  File      // of a job that exports
	Keys  int       // that it has changed, or that its file holds
	Lines int       // of orders that it has changed

	CancelledBy string // who asked for its end; empty: nobody
	Cut         bool   // it ended before its work was done
	FinishedAt  time.Time
	DueAt       time.Time // when the sweep looks at it; zero: never
}

// Look is how far a job has come with the things that an index shows: the keys that are for
// sale, the lines of an address. It looks at them pool by pool and shard by shard, from the
// beginning to the end, as often as it takes.
type Look struct {
	Pool    int // of those that it looks at, from 0; of a job that wipes, what it looks at
	Shard   int
	After   string    // the place in the shard of the last thing it has seen; empty: none
	Began   time.Time // when this look began; zero: none did
	Found   int       // things of its own, in this look
	Left    int       // those of them that stay as they are; of a job that wipes, that are to be looked at again
	LeftAt  time.Time // when the earliest of those was received
	Until   time.Time // of a job that retains: lines that were received before are looked at
	FoundAt time.Time // when it last found any that do not; zero: never
}

// Choice says which keys are exported, and how.
type Choice struct {
	Which  Which
	Format Format
	// From and Until choose sold keys by when their order came in: not before From, and before
	// Until. Zero: however early, or when the job was asked for.
	From, Until time.Time
}

// Check returns ErrPeriod if no keys can be chosen so.
func (c Choice) Check() error {
	if c.Which == Unsold && !(c.From.IsZero() && c.Until.IsZero()) || !c.Until.IsZero() && !c.From.Before(c.Until) {
		return ErrPeriod
	}
	return nil
}

// Which is a kind of keys.
type Which string

// The kinds of keys. Tables carry these words.
const (
	Unsold Which = "unsold" // for sale
	Sold   Which = "sold"   // an order has them, or had them last
)

// Format is the form of a file of keys.
type Format string

// The forms of a file. Tables carry these words.
const (
	CSV   Format = "csv"
	JSONL Format = "jsonl" // JSON Lines
)

// File is how far the file of an export has come. It is written in parts, each once: its number
// is that of no other, also if several workers have had the job.
type File struct {
	Upload  string     // by which its parts become one file; empty: there is none yet
	Parts   []FilePart // in their order
	Size    int64      // of the parts, in bytes
	Rest    string     // the object with what comes after the parts, and is too short for one; empty: nothing does
	Written bool       // the parts hold all of it
}

// FilePart is a part of a file, as the bucket names it.
type FilePart struct {
	Number   int
	Tag      string
	Checksum string
}

// NextPart returns the number of the next part of the job's file. It grows with each part that
// is saved, and with each worker that takes the job: a worker that was fenced, and writes
// nevertheless, writes a part that no other worker's file has.
func (j Job) NextPart() int { return len(j.File.Parts) + int(j.Token) }

// FilesPrefix is the beginning of the names of all objects of files.
const FilesPrefix = "exports/"

// Object is the name of the job's file in its bucket.
func (j Job) Object() string { return FilesPrefix + j.Merchant + "/" + j.ID }

// RestObject is the name of the object with what comes after the parts of the file, which holds
// so many keys with it. Another content has another name.
func (j Job) RestObject(keys int) string {
	return fmt.Sprintf("%s.rest-%d-%d", j.Object(), j.Token, keys)
}

// FileName is the name of the job's file, as its reader sees it.
func (j Job) FileName() string {
	return fmt.Sprintf("%s-%s-%s-%s.%s", j.Pool, j.Side, j.Choice.Which, j.CreatedAt.UTC().Format("20060102T150405Z"), j.Choice.Format)
}

// FileState returns the error with which the job's file cannot be fetched: ErrNoFile,
// ErrFileGone or nil.
func (j Job) FileState(now time.Time) error {
	switch {
	case j.Kind != Export || j.State() != Ended:
		return ErrNoFile
	case now.Sub(j.FinishedAt) >= FileKept:
		return ErrFileGone
	}
	return nil
}

// NewID returns the id of a new job. Those of a merchant list by age.
func NewID(ctx context.Context, now time.Time) string {
	return fmt.Sprintf("%s-%016x", now.UTC().Format("20060102T150405"), random.Uint64(ctx))
}

// State returns the job's state.
func (j Job) State() State {
	switch {
	case j.Done && j.Cut:
		return Cancelled
	case j.Done:
		return Ended
	case j.CancelledBy != "":
		return Cancelling
	case j.Token == 0:
		return Queued
	default:
		return Running
	}
}

// PoolID names the pool side that the job is about.
func (j Job) PoolID() pool.ID { return pool.ID{Merchant: j.Merchant, Pool: j.Pool, Side: j.Side} }

// ToID names the pool side that the job moves keys to.
func (j Job) ToID() pool.ID { return pool.ID{Merchant: j.Merchant, Pool: j.To, Side: j.Side} }

// Message asks for a job to be begun, or resumed. It may be sent twice.
type Message struct {
	V        int    `json:"v"` // 1
	Merchant string `json:"merchant"`
	Job      string `json:"job"`
}

// Resume asks for a job to be begun, or resumed.
func Resume(merchant, id string) Message { return Message{V: 1, Merchant: merchant, Job: id} }

// TestRow is a row of the test side, other than a key.
type TestRow struct {
	Place   string    // in the table
	Order   string    // that it tells of, if it is a line or what is known of an order as a whole
	Version int       // 0: it has none
	At      time.Time // when it was raised; zero: nobody says
	Mailing time.Time // until when a mailer has it; zero: none does
}
