package claim

import (
	"errors"
	"fmt"
	"time"

	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// Queue is the front of a pool side's queue, oldest first.
type Queue struct {
	Lines     []Queued // at most QueueFront
	PassUntil time.Time
}

// QueueFront is how many lines of a queue a claim looks at.
const QueueFront = 50

// Queued is a line that misses keys.
type Queued struct {
	Line       order.LineID
	ReceivedAt time.Time
	Missing    int // 0 while unconnected
}

// What a commit can answer besides success.
var (
	// ErrChanged means that a line was changed, or is being changed, by somebody else.
	ErrChanged = retry.ErrChanged
	// ErrThrottled means that the tables take no more just now.
	ErrThrottled = retry.ErrThrottled
)

// ErrBusy means that a claim was tried as often as it may be: try again later.
var ErrBusy = errors.New("too busy: try again")

// ExistsError holds the record that was there before a new line.
type ExistsError struct{ Fulfillment order.Fulfillment }

func (e *ExistsError) Error() string {
	return fmt.Sprintf("line %s is there already", e.Fulfillment.ID)
}

// KeysGoneError names candidates that somebody else took, or is taking.
type KeysGoneError struct{ Keys []pool.KeyID }

func (e *KeysGoneError) Error() string { return fmt.Sprintf("%d keys are gone", len(e.Keys)) }

// ChangedError means that a line was paid again with other content; nothing was changed.
type ChangedError struct{ Line order.LineID }

func (e *ChangedError) Error() string {
	return fmt.Sprintf("line %s is there already with another product or quantity", e.Line)
}
