package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// Store keeps lines.
type Store interface {
	// Fulfillment returns a line as it stands now, with the keys of its own item, and
	// false if there is none.
	Fulfillment(ctx context.Context, id order.LineID) (order.Fulfillment, bool, error)
	// Lines returns the lines of an order as they stand now, each as Fulfillment does.
	Lines(ctx context.Context, orderID string) ([]order.Fulfillment, error)
	// Chunks returns the chunks of a line as they stand now, oldest first.
	Chunks(ctx context.Context, id order.LineID) ([]order.Chunk, error)
	// Commit writes the changes, all or nothing. On retry.ErrChanged the lines, and what
	// is known of their orders, should be read again; *order.ExistsError means the same
	// of a new line. order.ErrRefunded means that the line has the refund already.
	Commit(ctx context.Context, changes ...order.Change) error
}

// Wholes keeps what is known of orders as a whole, and the refunds of lines.
type Wholes interface {
	// Whole returns what is known of an order now, of version 0 if that is nothing.
	Whole(ctx context.Context, orderID string) (order.Whole, error)
	// PutWhole stores it, unless more is known by now, or a line is not as it was seen: that
	// is retry.ErrChanged.
	PutWhole(ctx context.Context, w order.Whole, seen ...order.LineVersion) error
	// SetWholeDue changes when the sweep applies it; zero: never. It is retry.ErrChanged
	// if more is known than w says.
	SetWholeDue(ctx context.Context, w order.Whole, dueAt time.Time) error
	// Refunded reports whether a line has a refund, by the platform's id of it.
	Refunded(ctx context.Context, id order.LineID, refund string) (bool, error)
}

// Sender sends a message, to be received after the delay.
type Sender interface {
	Send(ctx context.Context, message any, delay time.Duration) error
}

// Lifecycle changes lines. It is safe for concurrent use.
type Lifecycle struct {
	Store       Store
	Wholes      Wholes
	Uploads     Uploads
	Notices     Notices
	Keys        Keys           // for Replace only
	Corrections Corrections    // for ResendTo only
	Settings    catalog.Reader // uncached
	Fill        Sender         // the queue of order.FillRequest
	By          string         // who acts in histories where no person does: a function
	Now         func() time.Time
}

// Uploads knows the uploads that keys came from.
type Uploads interface {
	// KeySources returns the upload of each of the keys as it stands now.
	KeySources(ctx context.Context, merchant string, ids []pool.KeyID) (map[pool.KeyID]pool.Source, error)
}

// Notices stores notices.
type Notices interface {
	// RaiseNotice stores a notice, once.
	RaiseNotice(ctx context.Context, n notice.Notice) error
}

// Act says who changes something, and why. Both are shown in the line's history.
type Act struct {
	By  string // a function, or a token's name
	Why string // the platform's id of a refund or a dispute, or a person's own words

	// Version is the version of the line that a person saw. An act on a line of another is
	// *order.StaleError, and nothing is done; 0: the line was not seen, and is as it may be.
	Version int
	// HeldUntil is when a person saw which lines are on hold: ReleaseHeld and Reject leave a
	// line that was held later. Zero: they leave none.
	HeldUntil time.Time
}

// indexLag is the time in which the index of available keys shows nearly every write.
const indexLag = 2 * time.Second

// decision makes a change of a line as it stands. No change is nil: the line is right as
// it is.
type decision func(line order.Fulfillment) (*order.Change, error)

// change reads a line, commits what decide makes of it, and takes the keys from it that it
// is not due any more. It starts again while others change the line. A line that is not
// stored is an empty one.
//
// The version that the act names is compared with that of the line as it is read, and the
// commit holds if the line is still at that: so nothing is done to a line that changed in
// between. It binds the decision, which is one transaction; the keys that further ones take
// follow from it.
func (l *Lifecycle) change(ctx context.Context, id order.LineID, act Act, decide decision) (order.Fulfillment, error) {
	return l.changeBy(ctx, id, act, decide, func(ctx context.Context, change order.Change) error { return l.Store.Commit(ctx, change) })
}

// changeBy is change with a store of its own.
func (l *Lifecycle) changeBy(ctx context.Context, id order.LineID, act Act, decide decision, store func(context.Context, order.Change) error) (order.Fulfillment, error) {
	var line order.Fulfillment
	var before *order.Fulfillment
	err := retry.Contention.Do(ctx, func() (err error) {
		if line, _, err = l.Store.Fulfillment(ctx, id); err != nil {
			return err
		}
		if act.Version != 0 && act.Version != line.Version {
			return &order.StaleError{Lines: []order.Fulfillment{line}}
		}
		change, err := decide(line)
		if err != nil || change == nil {
			return err
		}
		before = change.Before
		if err = l.complete(ctx, change); err == nil {
			err = stored(store(ctx, *change))
		}
		if err == nil {
			line = change.After
		}
		return err
	})
	if err != nil {
		return line, err
	}
	return l.drain(ctx, line, before)
}

// drain takes keys from the line until it holds no more than it is due. If that is cut
// off, the sweep goes on with it.
func (l *Lifecycle) drain(ctx context.Context, line order.Fulfillment, before *order.Fulfillment) (order.Fulfillment, error) {
	changed := before != nil
	for line.Surplus() > 0 {
		changed = true
		err := retry.Contention.Do(ctx, func() error {
			change := order.ChangeOf(line)
			err := l.commit(ctx, &change)
			if err == nil {
				line = change.After
				return nil
			}
			if there, ok, unread := l.Store.Fulfillment(ctx, line.ID); unread == nil && ok {
				line = there
				if line.Surplus() == 0 {
					return nil // somebody else took them
				}
			}
			return err
		})
		if err != nil {
			return line, err
		}
	}
	if changed {
		l.askForFill(ctx, line)
	}
	return line, nil
}

// Drain takes the keys from a line that it is not due any more.
func (l *Lifecycle) Drain(ctx context.Context, id order.LineID) error {
	_, err := l.change(ctx, id, Act{}, func(order.Fulfillment) (*order.Change, error) { return nil, nil })
	return wrap(err, "take keys from line %s", id)
}

// commit completes a change and stores it.
func (l *Lifecycle) commit(ctx context.Context, change *order.Change) error {
	if err := l.complete(ctx, change); err != nil {
		return err
	}
	return stored(l.Store.Commit(ctx, *change))
}

// complete takes surplus keys from the line of a change, and has its mail follow.
func (l *Lifecycle) complete(ctx context.Context, change *order.Change) error {
	if err := l.takeBack(ctx, change); err != nil {
		return err
	}
	change.Settle(l.Now())
	return nil
}

// stored turns the errors of a commit that others were faster than into one that has the
// caller look again.
func stored(err error) error {
	if errors.As(err, new(*order.ExistsError)) {
		return retry.ErrChanged // the line was paid meanwhile
	}
	return taken(err)
}

// takeBack takes keys from the line that it is not due any more, the newest first, as many
// as one change may: those of its newest chunk, or of its own item if it has none.
func (l *Lifecycle) takeBack(ctx context.Context, change *order.Change) error {
	if change.After.SharedCode {
		change.DropCode() // it is everybody's: nothing becomes of it
		return nil
	}
	change.GiveBack()
	line := &change.After
	surplus := min(line.Surplus(), order.MaxKeys)
	if surplus == 0 {
		return nil
	}
	held := line.Keys
	if line.Chunks > 0 {
		chunks, err := l.Store.Chunks(ctx, line.ID)
		if err != nil {
			return err
		}
		if len(chunks) > 0 {
			change.Chunk = chunks[len(chunks)-1]
			held = change.Chunk.Keys
		}
	}
	room := change.Room()
	for len(held) > 0 && surplus > 0 {
		back := line.KeysBack[0]
		to, shards, err := l.keysBack(ctx, *line, back.To)
		if err != nil {
			return err
		}
		each := 1 // items of the transaction
		if to == order.Restock {
			each = 2 // it may need a look at its upload
		}
		n := min(back.Keys, len(held), surplus, room/each)
		if n <= 0 {
			return nil // the rest takes another change
		}
		room -= n * each
		if err := l.giveBack(ctx, change, held[len(held)-n:], order.Release{To: to, Shards: shards, At: l.Now()}); err != nil {
			return err
		}
		held, surplus = held[:len(held)-n], surplus-n
	}
	return nil
}

// giveBack takes keys from the line of a change, all in the same way; but those that are
// blocked, or of an upload that is withdrawn, are not put on sale again.
func (l *Lifecycle) giveBack(ctx context.Context, change *order.Change, keys []pool.Key, how order.Release) error {
	var from map[pool.KeyID]pool.Source
	if how.To == order.Restock {
		ids := make([]pool.KeyID, len(keys))
		for i, key := range keys {
			ids[i] = key.ID
		}
		var err error
		if from, err = l.Uploads.KeySources(ctx, change.After.Merchant, ids); err != nil {
			return err
		}
	}
	for _, key := range keys {
		r := how
		r.Key, r.Upload = key.ID, from[key.ID].Upload
		if from[key.ID].Barred {
			r.To, r.Upload = order.Revoke, ""
		}
		if err := change.ReleaseBack(r); err != nil {
			return err
		}
	}
	return nil
}

// keysBack returns what becomes of keys that the line gives back, of which their return said
// so, and the number of shards of its pool. Keys are sold again only if no mailer ever held
// them, and no page showed them.
func (l *Lifecycle) keysBack(ctx context.Context, line order.Fulfillment, to order.Disposition) (order.Disposition, int, error) {
	if to == "" {
		var err error
		if to, err = l.policy(ctx, line); err != nil {
			return "", 0, err
		}
	}
	if to != order.Restock {
		return to, 0, nil
	}
	if line.KeysSeen() {
		return order.Revoke, 0, nil
	}
	feeder, _, err := l.Settings.Pool(ctx, line.Merchant, line.Pool)
	if feeder.Shards == 0 {
		feeder.Shards = pool.DefaultShards // the pool was deleted
	}
	return order.Restock, feeder.Shards, err
}

// policy returns what becomes of the keys of a returned line by the settings of its
// product, or else of its merchant.
func (l *Lifecycle) policy(ctx context.Context, line order.Fulfillment) (order.Disposition, error) {
	product, _, err := catalog.ReadProduct(ctx, l.Settings, line.Merchant, line.Product)
	if err != nil {
		return "", err
	}
	if product.ReturnedKeys != "" {
		return product.ReturnedKeys, nil
	}
	merchant, _, err := l.Settings.Merchant(ctx, line.Merchant)
	if err != nil || merchant.ReturnedKeys != "" {
		return merchant.ReturnedKeys, err
	}
	return order.Revoke, nil
}

// askForFill asks for a fill of the line's pool: the line waits, or its place and its keys
// are for others. If the message is lost, the sweep finds the lines that wait.
func (l *Lifecycle) askForFill(ctx context.Context, line order.Fulfillment) {
	request := order.FillPool(line.PoolID())
	switch {
	case line.State() == order.Unconnected:
		request = order.FillProduct(line.Merchant, line.Side, line.ConnectedBy())
	case line.Pool == "":
		return
	}
	if err := l.Fill.Send(ctx, request, indexLag); err != nil {
		slog.WarnContext(ctx, "fill.not_requested", "line", line.ID, "error", err)
	}
}

// note returns an entry of the line's history.
func (l *Lifecycle) note(id order.LineID, event order.EventKind, act Act) order.History {
	return order.History{Line: id, At: l.Now(), Event: event, By: act.By, Code: act.Why}
}

func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
}
