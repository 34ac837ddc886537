package order

import (
	"errors"
	"time"

	"keypool/shared/pool"
)

// WaitsLong is how long a line waits for keys before somebody has to look at it.
const WaitsLong = time.Hour

// Attention returns since when somebody has to look at the line, which may be a time to
// come; false if nobody has to. That is a line that is on hold, that no pool feeds, whose
// last mail reached nobody, or that waits long.
func (f Fulfillment) Attention() (since time.Time, needed bool) {
	switch state := f.State(); {
	case state == Expected || state == Returned:
		return time.Time{}, false
	case state == OnHold:
		return later(f.HeldAt, f.ReceivedAt), true
	case state == Unconnected:
		return f.ReceivedAt, true
	case f.Mail.ReachedNobody():
		return later(f.Mail.FailedAt, f.ReceivedAt), true
	case state == Waiting:
		return f.ReceivedAt.Add(WaitsLong), true
	default:
		return time.Time{}, false
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Search says which lines of a merchant's side are looked for: all that were received from
// From on and before Until, or fewer.
type Search struct {
	Merchant    string
	Side        pool.Side
	From, Until time.Time

	// CustomerHash means only the lines that have this address, or had it before a person
	// corrected it: see HashAddress; empty: of any.
	CustomerHash string
	// Attention means that only lines are looked for that somebody has to look at. From and
	// Until are about since when that is.
	Attention bool
	// OldestFirst turns the order of the places around.
	OldestFirst bool
}

// Place is the place of a line among those that a search finds: the latest come first, unless the
// search says otherwise, and of those of one moment the first partition's.
type Place struct {
	At        time.Time // of the line, as From and Until are about it
	Partition int       // in which the line stands; a search has one or several
	Line      LineID
	Former    int // of a line that is found by a former address: which one, counted from 1
}

// ErrPlace means that a search cannot go on after something that is no place of it.
var ErrPlace = errors.New("no place of this search")
