package upload

import (
	"time"

	"keypool/shared/job"
	"keypool/shared/pool"
)

// RangeSize is the number of bytes of a file that one message stands for. It is
// even, so that no cut goes through a unit of UTF-16.
const RangeSize = 2 << 20

// BatchSize is the number of keys that the table takes in one call.
const BatchSize = 25

// Range is the progress of one range of an upload.
type Range struct {
	job.Part

	Offset int64 // in the file, where the next line begins; 0: nothing read
	Lines  int   // begun so far, blank ones too
	Counts Counts

	// Withdrawn counts those of its accepted keys that came after their upload was
	// withdrawn, and were not for sale.
	Withdrawn int

	// Objects counts, for each fencing token in order, the objects that its worker
	// wrote its rejected lines to. See Upload.RejectedName.
	Objects []int
}

// Progress is how much of an upload is read.
type Progress struct {
	Bytes  int64
	Lines  int // blank ones too
	Counts Counts
}

// Ended returns the progress by the record alone: that of the ranges that are done.
func (u Upload) Ended() Progress {
	p := Progress{Bytes: min(int64(u.Done)*RangeSize, u.Size), Lines: u.Lines, Counts: u.Counts}
	if u.Ranges > 0 && u.Done == u.Ranges {
		p.Bytes = u.Size
	}
	return p
}

// Progress returns the progress by the ranges that were ever taken, as their workers
// have saved it.
func (u Upload) Progress(ranges []Range) Progress {
	p := Progress{Counts: Counts{}}
	for _, r := range ranges {
		from, end := int64(r.Number)*RangeSize, int64(r.Number+1)*RangeSize
		if r.Number == u.Ranges-1 {
			end = u.Size
		}
		at := end
		if !r.Done {
			at = min(max(r.Offset, from), end) // its last line may end in the next range
		}
		p.Bytes += at - from
		p.Lines += r.Lines
		p.Counts.Add(r.Counts)
	}
	return p
}

// NewKey is a key to be stored.
type NewKey struct {
	ID     pool.KeyID
	Text   pool.Secret
	Offset int64 // of its line in the file
	Row    int   // of its line in the range, from 1

	Withdrawn bool // its upload was withdrawn: it is not for sale

	// Live is the identity that the text of a test key has on the live side, where it must not
	// stand. It is "" for a live key.
	Live pool.KeyID
}

// Inserted is the outcome of the insert of one key.
type Inserted int

// The outcomes of an insert.
const (
	Stored     Inserted = iota
	Exists              // the table has a key of this identity
	Rejected            // the table takes no such key
	Throttled           // the table could not do it now
	OnLiveSide          // the table has a key of the identity Live; it may have this one too
)

// KnownKey is a key that is in the table already.
type KnownKey struct {
	Upload  string // that brought it; empty: none did
	Offset  int64  // of its line there
	Pool    string
	State   pool.KeyState
	SoldAt  time.Time // zero: no line holds the key or gave it back for good
	Blocked bool

	WithdrawnBy string // what took it out of sale, a job or a block; empty: it never was for sale, or still is
}

// FileLine returns the line of the file that the row of a range is, from 1, by the ranges
// that were ever taken, in order: its offset tells the range. It is false while it cannot be
// told, because a range before it is not done.
func (u Upload) FileLine(ranges []Range, offset int64, row int) (int, bool) {
	in := min(int(offset/RangeSize), u.Ranges-1)
	if row == 0 || in < 0 || len(ranges) < in {
		return 0, false
	}
	line := row
	for n, r := range ranges[:in] {
		if r.Number != n || !r.Done {
			return 0, false
		}
		line += r.Lines
	}
	return line, true
}
