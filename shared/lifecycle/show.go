package lifecycle

import (
	"context"
	"slices"
	"time"

	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// Shower shows the keys of orders: on pages, and to programs. It is safe for concurrent use.
type Shower struct {
	Store ShowStore
	Now   func() time.Time
}

// ShowStore keeps orders; see Store.
type ShowStore interface {
	// Order returns the lines of an order, and what is known of it as a whole.
	Order(ctx context.Context, orderID string) ([]order.Fulfillment, order.Whole, error)
	Chunks(ctx context.Context, id order.LineID) ([]order.Chunk, error)
	Commit(ctx context.Context, changes ...order.Change) error
}

// Read is an order as it was read.
type Read struct {
	Lines []order.Fulfillment
	Whole order.Whole
}

// Shown is a line with its keys.
type Shown struct {
	Line order.Fulfillment
	Keys []pool.Key
}

// shownAtOnce is how many lines one transaction writes, each with an entry of its history and
// of the audit trail.
const shownAtOnce = order.MaxItems/3 - 1

// Show returns the keys of those lines of an order that may be shown (see
// order.Fulfillment.Showable) and that are wanted. First it writes that they are shown: the
// first time, and where tell says so each time, with an entry in the history. The write holds
// only while no more is known of the order, so that no key is shown after a return.
//
// Read is the order if it was read before, and is read anew if it has changed since; nil: it
// was not.
func (s *Shower) Show(ctx context.Context, orderID string, read *Read, wanted func(order.Fulfillment) bool, tell bool, act Act) ([]Shown, error) {
	var shown []Shown
	err := retry.Contention.Do(ctx, func() error {
		if read == nil {
			lines, whole, err := s.Store.Order(ctx, orderID)
			if err != nil {
				return err
			}
			read = &Read{lines, whole}
		}
		var err error
		shown, err = s.show(ctx, *read, wanted, tell, act)
		read = nil
		return err
	})
	return shown, wrap(err, "show the keys of order %s", orderID)
}

func (s *Shower) show(ctx context.Context, read Read, wanted func(order.Fulfillment) bool, tell bool, act Act) ([]Shown, error) {
	var shown []Shown
	var changes []order.Change
	for _, line := range read.Lines {
		if !line.Showable(read.Whole) || !wanted(line) {
			continue
		}
		keys, err := s.keys(ctx, line)
		if err != nil {
			return nil, err
		}
		if first := line.ShownAt.IsZero(); first || tell {
			change := order.ChangeOf(line)
			if first {
				change.After.ShownAt = s.Now()
			}
			change.History = []order.History{{Line: line.ID, At: s.Now(), Event: order.KeysShown, By: act.By, Code: act.Why}}
			changes = append(changes, change)
			line = change.After
		}
		shown = append(shown, Shown{line, keys})
	}
	for some := range slices.Chunk(changes, shownAtOnce) {
		some[0].Known = &read.Whole
		if err := stored(s.Store.Commit(ctx, some...)); err != nil {
			return nil, err
		}
	}
	return shown, nil
}

// keys returns all keys of a line, in the order they were taken. It is retry.ErrChanged if
// they are being changed.
func (s *Shower) keys(ctx context.Context, line order.Fulfillment) ([]pool.Key, error) {
	keys := line.Keys
	if line.Chunks > 0 {
		chunks, err := s.Store.Chunks(ctx, line.ID)
		if err != nil {
			return nil, err
		}
		for _, chunk := range chunks {
			keys = append(slices.Clip(keys), chunk.Keys...)
		}
	}
	if len(keys) != line.Allocated {
		return nil, retry.ErrChanged
	}
	return keys, nil
}
