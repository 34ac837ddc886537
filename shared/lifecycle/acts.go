package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// Keys finds available keys; see claim.KeyStore.
type Keys interface {
	Candidates(ctx context.Context, p pool.ID, shards, n int) ([]pool.Key, error)
}

func refused(line order.Fulfillment) error { return &order.StateError{State: line.State()} }

// Hold puts a line on hold by hand: it gets no keys and no mail until it is released. A
// mail that is under way goes out. A line that is held by hand already stays as it is.
func (l *Lifecycle) Hold(ctx context.Context, id order.LineID, act Act) (order.Fulfillment, error) {
	line, err := l.change(ctx, id, act, func(line order.Fulfillment) (*order.Change, error) {
		if slices.Contains(line.Holds, order.HoldByHand) {
			return nil, nil
		}
		if line.Version == 0 || !line.Active() && line.State() != order.OnHold {
			return nil, refused(line)
		}
		change := order.ChangeOf(line)
		change.After.Hold(order.HoldByHand)
		change.After.HeldAt = l.Now()
		change.History = []order.History{l.note(id, order.Held, act)}
		return &change, nil
	})
	return line, wrap(err, "hold line %s", id)
}

// Release lifts every hold but those of disputes, which are of the whole order: see
// ReleaseDisputed. The line gets its keys, in its old place of the queue, or its mail. Its
// error is order.ErrState if disputes alone hold it.
func (l *Lifecycle) Release(ctx context.Context, id order.LineID, act Act) (order.Fulfillment, error) {
	line, err := l.change(ctx, id, act, func(line order.Fulfillment) (*order.Change, error) {
		change := order.ChangeOf(line)
		if !change.After.Release() {
			if line.State() == order.OnHold {
				return nil, refused(line)
			}
			return nil, nil
		}
		change.History = []order.History{l.note(id, order.Released, act)}
		return &change, nil
	})
	return line, wrap(err, "release line %s", id)
}

// Resend mails the line's keys once more, to the address that its mails go to. A mail that
// is due or under way is enough.
func (l *Lifecycle) Resend(ctx context.Context, id order.LineID, act Act) (order.Fulfillment, error) {
	line, err := l.change(ctx, id, act, func(line order.Fulfillment) (*order.Change, error) { return l.resend(line, act) })
	return line, wrap(err, "send the keys of line %s again", id)
}

func (l *Lifecycle) resend(line order.Fulfillment, act Act) (*order.Change, error) {
	switch {
	case !line.ErasedAt.IsZero():
		return nil, order.ErrErased
	case !line.Complete():
		return nil, refused(line)
	}
	if line.Mail.Kind == outbox.Keys && (line.Mail.State == outbox.Due || line.Mail.State == outbox.Sending) {
		return nil, nil
	}
	change := order.ChangeOf(line)
	change.After.Mail = line.Mail.Next(outbox.Keys, l.Now())
	change.History = []order.History{l.note(line.ID, order.Resent, act)}
	return &change, nil
}

// Replace gives the line another key for one that it holds, which is set aside for good,
// and mails its keys again. The same key named again changes nothing. Its error is
// order.ErrNotHeld if the line never held the key, order.ErrNoKeys if there is no other, and
// order.ErrSharedCode of a line that has the code of its product.
func (l *Lifecycle) Replace(ctx context.Context, id order.LineID, key pool.KeyID, act Act) (order.Fulfillment, error) {
	line, err := l.change(ctx, id, act, func(line order.Fulfillment) (*order.Change, error) {
		if slices.Contains(line.Replaced, key) {
			return nil, nil
		}
		switch {
		case !line.ErasedAt.IsZero():
			return nil, order.ErrErased
		case !line.Complete():
			return nil, refused(line)
		case line.SharedCode:
			return nil, order.ErrSharedCode
		}
		change := order.ChangeOf(line)
		if err := l.setAside(ctx, &change, key); err != nil {
			return nil, err
		}
		feeder, _, err := l.Settings.Pool(ctx, line.Merchant, line.Pool)
		if err != nil {
			return nil, err
		}
		if feeder.Shards == 0 {
			feeder.Shards = pool.DefaultShards
		}
		found, err := l.Keys.Candidates(ctx, line.PoolID(), feeder.Shards, 1)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, order.ErrNoKeys
		}
		change.Allocate(found[:1], l.Now())
		change.After.Mail = line.Mail.Next(outbox.Keys, l.Now())
		which := fmt.Sprintf("%s by %s", key, found[0].ID)
		if act.Why != "" {
			which += ": " + act.Why
		}
		change.History = []order.History{l.note(id, order.Replaced, Act{By: act.By, Why: which})}
		return &change, nil
	})
	return line, wrap(err, "replace a key of line %s", id)
}

// setAside takes a key from the line for good.
func (l *Lifecycle) setAside(ctx context.Context, change *order.Change, key pool.KeyID) error {
	line := &change.After
	holds := func(keys []pool.Key) bool {
		return slices.ContainsFunc(keys, func(k pool.Key) bool { return k.ID == key })
	}
	if !holds(line.Keys) && line.Chunks > 0 {
		chunks, err := l.Store.Chunks(ctx, line.ID)
		if err != nil {
			return err
		}
		for _, chunk := range chunks {
			if holds(chunk.Keys) {
				change.Chunk = chunk
			}
		}
	}
	line.Replaced = append(slices.Clip(line.Replaced), key)
	return change.Release(order.Release{Key: key, To: order.Revoke, At: l.Now()})
}

// taken turns the error of a key that another line took meanwhile into one that has the
// caller look again.
func taken(err error) error {
	if errors.As(err, new(*order.KeysTakenError)) {
		return retry.ErrChanged
	}
	return err
}
