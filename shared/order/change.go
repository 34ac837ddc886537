package order

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"keypool/shared/job"
	"keypool/shared/outbox"
	"keypool/shared/pool"
)

// Change is what one transaction does to one line: its record before and after,
// the keys allocated to it, and the keys released from it. The line's place in a
// queue follows from the two records.
//
// Start with NewLine or ChangeOf, then set what else changes in After. Allocate and
// Release keep the counts and the lists of keys.
type Change struct {
	Before    *Fulfillment // nil: a new line
	After     Fulfillment
	Allocated []pool.Key
	Released  []Release

	// KeysBack is what becomes of the keys that the change gives back; empty: what the
	// settings say. It does not concern those of earlier returns.
	KeysBack Disposition

	// History is stored with the change.
	History []History

	// Refund is the platform's id of the refund that the change applies; empty: none. The
	// change fails with ErrRefunded if the line has that refund already.
	Refund string

	// Known is what was known of the line's order when the change was decided; nil if it
	// was not asked. The change fails with retry.ErrChanged if more is known by now.
	Known *Whole

	// Counts is what was known of the line's order when its keys were counted; nil: they
	// were not. The change fails with retry.ErrChanged if anything was written there since,
	// and writes there itself: of two lines that are paid at once, one counts the other.
	Counts *Whole

	// Whole is what is known of the line's order, to be stored with the change; nil: nothing
	// new. The change fails with retry.ErrChanged if anything was written there since it was
	// read.
	Whole *Whole

	// Job is the job that makes the change; nil: none does. The change counts in it, and
	// fails with job.ErrFenced if another worker has taken it.
	Job *job.Job

	// Chunk is the one chunk that the change may write: as it is stored until
	// Release or Allocate change it. Number 0: none.
	Chunk Chunk
}

// Chunk is an item that holds keys of a line beyond those in the line's own item.
// Numbers start at 1 and are never used again, not even after a chunk is empty
// and gone, so the numbers tell which keys are the newest.
type Chunk struct {
	Number  int
	Version int // the line's version that wrote it; 0: not stored yet
	Keys    []pool.Key
}

// Release is a key that leaves a line.
type Release struct {
	Key    pool.KeyID
	To     Disposition
	Shards int // of the pool side that a restocked key returns to
	At     time.Time

	// Upload is what brought a restocked key. The change fails with retry.ErrChanged if that
	// is withdrawn.
	Upload string

	// TakenAt is when the line took it; zero if that is in the count of the pool's keys.
	// Change.Release sets it.
	TakenAt time.Time
}

// Disposition is what becomes of a key that a line gave back.
type Disposition string

// The dispositions of a key.
const (
	Revoke  Disposition = "revoke"  // nobody may use it any more
	Restock Disposition = "restock" // it is for sale again
	Keep    Disposition = "keep"    // the customer may go on using it
)

// MaxItems is how many items one transaction may write.
const MaxItems = 100

// MaxKeys is how many keys one change may allocate and release together, and how
// many a chunk may hold. A transaction of MaxItems also writes the line, its old
// and its new place in a queue and among those that are held, a chunk, two entries of the
// line's history, a refund, a check of what is known of the order, the count of its pool, and
// an entry of the audit trail.
const MaxKeys = MaxItems - 12

// Room returns how many items the transaction of the change has left for its keys: less where
// the history says more, as of many disputes that end at once.
func (c Change) Room() int {
	return MaxKeys - len(c.Allocated) - len(c.Released) - max(0, len(c.History)-2)
}

// NewLine starts the change that stores a new line.
func NewLine(line Fulfillment) Change {
	line.Version = 1
	return Change{After: line}
}

// ChangeOf starts a change of a stored line.
func ChangeOf(line Fulfillment) Change {
	after := line
	after.Version++
	return Change{Before: &line, After: after}
}

// Allocate gives keys to the line. They go to the line's own item while all of its
// keys fit there, and otherwise to a chunk: the one that the change has, or a new one.
func (c *Change) Allocate(keys []pool.Key, now time.Time) {
	if len(keys) == 0 {
		return
	}
	c.Allocated = keys
	c.take(keys, now)
}

// GiveCode gives the line the code of its product. Nothing is allocated: the code is
// everybody's.
func (c *Change) GiveCode(code pool.Key, now time.Time) { c.take([]pool.Key{code}, now) }

// DropCode takes the code of its product from a line that is not due it any more. The code
// itself stays as it is.
func (c *Change) DropCode() {
	if line := &c.After; line.Surplus() > 0 {
		line.Keys, line.Allocated, line.Takes = nil, 0, nil
	}
}

// take adds keys to the line.
func (c *Change) take(keys []pool.Key, now time.Time) {
	line := &c.After
	line.Allocated += len(keys)
	line.Takes = pool.AddTake(line.Takes, pool.Take{Keys: len(keys), At: now})
	switch {
	case c.Before == nil || c.Before.Expected:
		line.Claimed += len(keys)
	case c.Before.State() != Fulfilled: // else one is replaced
		line.Filled, line.FilledAt = line.Filled+len(keys), now
	}
	switch {
	case c.Chunk.Number > 0:
		c.Chunk.Keys = append(slices.Clip(c.Chunk.Keys), keys...)
	case line.Chunks == 0 && len(line.Keys)+len(keys) <= InlineKeys:
		line.Keys = append(slices.Clip(line.Keys), keys...)
	default:
		line.Chunks++
		c.Chunk = Chunk{Number: line.Chunks, Keys: keys}
	}
}

// GiveBack notes what becomes of the keys that the line is due no more since this change.
func (c *Change) GiveBack() {
	line := &c.After
	more := line.Surplus()
	for _, back := range line.KeysBack {
		more -= back.Keys
	}
	if more > 0 {
		line.KeysBack = append(slices.Clip(line.KeysBack), KeysBack{more, c.KeysBack})
	}
}

// ReleaseBack takes a key from the line that the earliest return of those that are not done
// gave back.
func (c *Change) ReleaseBack(r Release) error {
	line := &c.After
	line.KeysBack = slices.Clone(line.KeysBack)
	if line.KeysBack[0].Keys--; line.KeysBack[0].Keys == 0 {
		line.KeysBack = line.KeysBack[1:]
	}
	return c.Release(r)
}

// Settle lets the line's mail follow from what the change made of it, and sees to it that
// the sweep looks at a line with work left. Call it last.
//
// The mail with the keys is due once the line is complete and free to go: when its last
// key came, when the last missing unit was returned, or when it was released before the
// mail had gone. A line that is held or returned takes back a mail that is only due; one
// that a mailer has leased is left to its mailer.
func (c *Change) Settle(now time.Time) {
	line := &c.After
	missed := c.Before == nil || c.Before.Missing() != 0 || c.Before.Expected || c.Before.State() == Unconnected
	released := c.Before != nil && len(c.Before.Holds) > 0 && len(line.Holds) == 0
	switch {
	case line.Complete() && (missed || released) && line.Mail.Owed():
		line.Mail = line.Mail.Next(outbox.Keys, now)
	case !line.Active():
		line.Mail = line.Mail.Dropped()
	}
	if line.Mail.DueAt.IsZero() && (line.Waits() || line.Surplus() > 0) {
		line.Mail.DueAt = now.Add(outbox.SweepAfter)
	}
}

// Release takes a key from the line, be it in the line's own item or in the chunk
// that the change has. It is ErrNotHeld if the key is in neither.
func (c *Change) Release(r Release) error {
	is := func(key pool.Key) bool { return key.ID == r.Key }
	line := &c.After
	switch {
	case slices.ContainsFunc(line.Keys, is):
		line.Keys = slices.DeleteFunc(slices.Clone(line.Keys), is)
	case slices.ContainsFunc(c.Chunk.Keys, is):
		c.Chunk.Keys = slices.DeleteFunc(slices.Clone(c.Chunk.Keys), is)
	default:
		return fmt.Errorf("release key %s of line %s: %w", r.Key, line.ID, ErrNotHeld)
	}
	line.Takes, r.TakenAt = pool.RemoveTake(line.Takes)
	c.Released = append(c.Released, r)
	line.Allocated--
	return nil
}

var (
	// ErrRefunded means that the line has the refund already.
	ErrRefunded = errors.New("the line has this refund already")
	// ErrNotHeld means that a key to be released is not the line's.
	ErrNotHeld = errors.New("the key is not the line's")
	// ErrTooManyKeys means that a change needs more than one transaction: see MaxKeys.
	ErrTooManyKeys = errors.New("more keys than one change may hold")
)

// ExistsError holds the record that was there before a new line.
type ExistsError struct{ Fulfillment Fulfillment }

func (e *ExistsError) Error() string {
	return fmt.Sprintf("line %s is there already", e.Fulfillment.ID)
}

// KeysTakenError names keys that another line took, or is taking now.
type KeysTakenError struct{ Keys []pool.KeyID }

func (e *KeysTakenError) Error() string { return fmt.Sprintf("%d keys are taken", len(e.Keys)) }
