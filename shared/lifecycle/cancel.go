package lifecycle

import (
	"context"

	"keypool/shared/order"
)

// Cancel gives back a line that waits for keys or for a pool: it becomes returned and
// leaves its queue, and the keys that it has got so far, which nobody was mailed, are
// for sale again. A line that does not wait, since it has been filled meanwhile or was
// returned before, stays as it is. Cancel returns the line as it stands.
func (l *Lifecycle) Cancel(ctx context.Context, id order.LineID, act Act) (order.Fulfillment, error) {
	line, err := l.change(ctx, id, act, func(line order.Fulfillment) (*order.Change, error) {
		if line.Version == 0 || !line.Waits() {
			return nil, nil
		}
		change := order.ChangeOf(line)
		change.After.ReturnAll()
		change.KeysBack = order.Restock
		change.History = []order.History{l.note(id, order.Cancelled, act)}
		return &change, nil
	})
	return line, wrap(err, "cancel line %s", id)
}
