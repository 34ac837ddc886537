package dynamo

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/retry"

	"golang.org/x/sync/errgroup"
)

// queueItem is a line's place in the queue of a pool side, or of a product that no
// pool feeds. Its sort key orders the lines by age. A bypass is one too.
type queueItem struct {
	primaryKey
	V       int    `dynamodbav:"v"`
	Missing int    `dynamodbav:"missing,omitempty"`
	Until   int64  `dynamodbav:"until,omitempty"`  // of a bypass
	TestOf  string `dynamodbav:"testOf,omitempty"` // of a bypass: see wipe.go
}

// linesPerTransaction is how many waiting lines of one key each share a
// transaction: the line, its place in the queue and the key are three items.
const linesPerTransaction = order.MaxItems / 3

// Queue returns the front of a pool side's queue: one consistent query.
func (s *Store) Queue(ctx context.Context, p pool.ID) (order.Queue, error) {
	return s.queueFront(ctx, p, order.QueueFront)
}

// Head returns the first lines of a pool side's queue: one consistent query and one
// consistent batch read. A line that moved in between is a retry.ErrChanged.
func (s *Store) Head(ctx context.Context, p pool.ID) ([]order.Fulfillment, error) {
	queue, err := s.queueFront(ctx, p, linesPerTransaction)
	if err != nil {
		return nil, err
	}
	ids := make([]order.LineID, len(queue.Lines))
	for i, queued := range queue.Lines {
		ids[i] = queued.Line
	}
	return s.queuedLines(ctx, ids, order.Waiting)
}

func (s *Store) queueFront(ctx context.Context, p pool.ID, lines int) (order.Queue, error) {
	q := inPartition(s.tables.Orders, queuePK(p))
	q.limit = lines + 1 // and the bypass
	items, err := queryAs[queueItem](ctx, s, q, oldestInOrders)
	if err != nil {
		return order.Queue{}, fmt.Errorf("read the queue of %s: %w", p, err)
	}
	var queue order.Queue
	for _, item := range items {
		if item.SK == bypassSort {
			queue.BypassUntil = at(item.Until)
			continue
		}
		line, receivedAt, err := item.queued()
		if err != nil {
			return order.Queue{}, err
		}
		if len(queue.Lines) < lines {
			queue.Lines = append(queue.Lines, order.Queued{Line: line, ReceivedAt: receivedAt, Missing: item.Missing})
		}
	}
	return queue, nil
}

// Unconnected returns the next lines that wait for a product to get a pool, those
// after the sort key in after, and the sort key to go on with: "" at the end.
func (s *Store) Unconnected(ctx context.Context, r order.FillRequest, after string) ([]order.Fulfillment, string, error) {
	q := inPartition(s.tables.Orders, unconnectedPK(r.Merchant, r.Side, r.Product))
	q.limit = linesPerTransaction
	if after != "" {
		q.after = primaryKey{unconnectedPK(r.Merchant, r.Side, r.Product), after}
	}
	items, err := queryAs[queueItem](ctx, s, q, oldestInOrders)
	if err != nil {
		return nil, "", fmt.Errorf("read unconnected lines of %s: %w", r.Merchant, err)
	}
	ids := make([]order.LineID, len(items))
	for i, item := range items {
		if ids[i], _, err = item.queued(); err != nil {
			return nil, "", err
		}
	}
	next := ""
	if len(items) == linesPerTransaction {
		next = items[len(items)-1].SK
	}
	lines, err := s.queuedLines(ctx, ids, order.Unconnected)
	return lines, next, err
}

// queuedLines reads lines in the order of ids, all of which must be in the state.
func (s *Store) queuedLines(ctx context.Context, ids []order.LineID, state order.State) ([]order.Fulfillment, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	keys := make([]attrs, len(ids))
	for i, id := range ids {
		keys[i] = lineKey(id).attrs()
	}
	items, err := s.batchGet(ctx, retry.Throttling, s.tables.Orders, keys)
	if err != nil {
		return nil, fmt.Errorf("read %d lines of a queue: %w", len(ids), err)
	}
	found := make(map[order.LineID]order.Fulfillment, len(ids))
	for _, item := range items {
		f, err := decodeFulfillment(item)
		if err != nil {
			return nil, err
		}
		found[f.ID] = f
	}
	lines := make([]order.Fulfillment, len(ids))
	for i, id := range ids {
		f, ok := found[id]
		if !ok || f.State() != state {
			return nil, retry.ErrChanged
		}
		lines[i] = f
	}
	return lines, nil
}

// QueuePlace returns the place of a line in the queue that it waits in: 1 is the first, most the last that is counted;
// 0 if it does not wait: one consistent query that counts.
func (s *Store) QueuePlace(ctx context.Context, f order.Fulfillment, most int) (int, error) {
	place, waits := queueKey(f)
	if !waits {
		return 0, nil
	}
	n, err := s.count(ctx, query{
		table: s.tables.Orders, consistent: true, limit: most,
		where:  "pk = :pk AND sk BETWEEN :first AND :own", // behind the bypass
		values: attrs{":pk": text(place.PK), ":first": text("0"), ":own": text(place.SK)},
	})
	return n, wrap(err, "look for the place of line %s in its queue", f.ID)
}

// CountUnconnected returns how many lines wait for a product of these ids to get a pool,
// counted up to limit for each id and side.
func (s *Store) CountUnconnected(ctx context.Context, merchant string, products []string, limit int) (lines int, err error) {
	var all atomic.Int64
	reading, ctx := errgroup.WithContext(ctx)
	for _, product := range products {
		for _, side := range pool.Sides {
			q := inPartition(s.tables.Orders, unconnectedPK(merchant, side, product))
			q.limit = limit
			reading.Go(func() error {
				n, err := s.count(ctx, q)
				all.Add(int64(n))
				return err
			})
		}
	}
	err = reading.Wait()
	return int(all.Load()), wrap(err, "count the unconnected lines of %s", merchant)
}

// Missing returns how many keys the first lines of a pool side's queue miss, and
// how many lines those are, up to limit: consistent queries.
func (s *Store) Missing(ctx context.Context, p pool.ID, limit int) (keys, lines int, err error) {
	keys, lines, _, err = s.waiting(ctx, p, limit)
	return keys, lines, err
}

// waiting is Missing, and returns since when the first line waits; zero: none does.
func (s *Store) waiting(ctx context.Context, p pool.ID, limit int) (keys, lines int, since time.Time, err error) {
	items, err := s.items(ctx, query{
		table: s.tables.Orders, consistent: true,
		where: "pk = :pk AND sk > :bypass", values: attrs{":pk": text(queuePK(p)), ":bypass": text(bypassSort)},
		attributes: []string{"pk", "sk", "missing"}, limit: limit,
	})
	if err != nil {
		return 0, 0, since, fmt.Errorf("count the queue of %s: %w", p, err)
	}
	for i, item := range items {
		if i == 0 {
			if _, since, err = keyOf(item).queued(); err != nil {
				return 0, 0, since, err
			}
		}
		keys += int(numberOf(item["missing"]))
	}
	return keys, len(items), since, nil
}

// AllowBypass lets new lines bypass a pool side's queue until then. Of two writes
// the last counts.
func (s *Store) AllowBypass(ctx context.Context, p pool.ID, until time.Time) error {
	item := queueItem{primaryKey: bypassKey(p), V: schema, Until: millis(until), TestOf: testOf(p.Merchant, p.Side)}
	err := s.write(ctx, put(s.tables.Orders, encode(item), always))
	return wrap(err, "allow to bypass the queue of %s", p)
}
