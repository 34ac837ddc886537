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

	// Objects counts, for each fencing token in order, the objects that its worker
	// wrote its rejected lines to. See Upload.RejectedName.
	Objects []int
}

// NewKey is a key to be stored.
type NewKey struct {
	ID     pool.KeyID
	Text   pool.Secret
	Offset int64 // of its line in the file
}

// Inserted is the outcome of the insert of one key.
type Inserted int

// The outcomes of an insert.
const (
	Stored    Inserted = iota
	Exists             // the table has a key of this identity
	Rejected           // the table takes no such key
	Throttled          // the table could not do it now
)

// KnownKey is a key that is in the table already.
type KnownKey struct {
	Upload string // that brought it
	Offset int64  // of its line there
	Pool   string
	State  pool.KeyState
	SoldAt time.Time // zero: no line holds the key or gave it back for good
}
