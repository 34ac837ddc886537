package dynamo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/audit"
	"keypool/shared/job"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/random"
	"keypool/shared/retry"
)

// Commit implements claim.KeyStore: one TransactWriteItems. It is the only way in
// which a key gets to a line or away from it.
//
// For each change it writes
//   - the line: a new one only if it is not there, an old one only if it is at the
//     version it was read at;
//   - the line's place in a queue, which follows from the line's state;
//   - the change's entries of the line's history, and one of the audit trail if a person makes
//     the change;
//   - the change's refund, only if the line has none of that id;
//   - the line's place among those that a rule holds, which follows from its holds;
//   - a check that no more is known of the line's order than the change knows, or a write
//     there if the change counted the keys of the order, or says more of it;
//   - the count of the job that makes the change, only if no other worker has taken it;
//   - what counts the orders of the customer's address in its day goes, with the address;
//   - the line's places under its customer's former addresses, which follow from those;
//   - the change's chunk, only if that is at the version it was read at. The line's
//     version does not tell: a chunk may have been read before the line was;
//   - each allocated key, only if it is still available in the shard it was found
//     in: a lagging index must not sell a key that was moved to another pool;
//   - each released key, only if it is claimed by this line, and not blocked if it is to
//     be for sale again;
//   - a check of each upload whose keys are for sale again, that it is not withdrawn.
//
// Released keys change the count of their pool.
func (s *Store) Commit(ctx context.Context, changes ...order.Change) error {
	c, err := s.commitOf(ctx, changes)
	if err != nil || len(c.writes) == 0 {
		return err
	}
	return c.answer(s.transact(ctx, &c.transaction))
}

// commitOf returns the transaction of some changes.
func (s *Store) commitOf(ctx context.Context, changes []order.Change) (*commit, error) {
	var c commit
	for i := range changes {
		if err := s.addChange(ctx, &c, &changes[i]); err != nil {
			return nil, err
		}
	}
	return &c, s.addReleased(ctx, &c, changes)
}

// commit is the transaction of some changes, with the subject of each write.
type commit struct {
	transaction
	about []subject
}

// subject is the thing that a write of a commit changes.
type subject struct {
	kind subjectKind
	key  pool.KeyID // of an allocated key, or a released one
}

type subjectKind int

const (
	existingLine subjectKind = iota // or its place in a queue, or its chunk, or what is known of its order
	newLine
	newRefund
	allocatedKey
	releasedKey
	restockedKey // a released key that is for sale again
	fence        // of the job that makes the change
)

func (c *commit) add(write types.TransactWriteItem, about subject) {
	c.transaction.add(write)
	c.about = append(c.about, about)
}

func (s *Store) addChange(ctx context.Context, c *commit, change *order.Change) error {
	id := change.After.ID
	if n := max(len(change.Allocated)+len(change.Released), len(change.Chunk.Keys)); n > order.MaxKeys {
		return fmt.Errorf("change %d keys of line %s: %w", n, id, order.ErrTooManyKeys)
	}
	if n := len(change.After.Keys); n > order.InlineKeys {
		return fmt.Errorf("store line %s with %d keys in its own item: %d at most", id, n, order.InlineKeys)
	}
	kind, guard := newLine, absent
	if change.Before != nil {
		kind, guard = existingLine, atVersion(change.Before.Version)
	}
	c.add(put(s.tables.Orders, newFulfillmentItem(change.After).attrs(), guard), subject{kind: kind})
	s.addQueue(c, change)
	s.addHeld(c, change)
	s.addChunk(c, change)
	s.addFormer(c, change)
	if erased := change.After.CustomerHash == ""; change.Before != nil && erased && change.Before.CustomerHash != "" {
		c.add(remove(s.tables.Orders, buyerKey(*change.Before), always), subject{kind: existingLine})
	}
	if change.Job != nil {
		counted := saveJobPart(job.Part{Token: change.Job.Token, SavedAt: change.Job.SavedAt})
		counted.add("lines", 1)
		c.add(counted.write(s.tables.Catalog, jobKey(change.Job.Merchant, change.Job.ID)), subject{kind: fence})
	}
	for _, key := range change.Allocated {
		c.add(s.allocate(key, change.After), subject{allocatedKey, key.ID})
	}
	for _, h := range change.History {
		c.add(s.historyPut(h), subject{kind: existingLine})
	}
	if entry, ok := audit.OfAct(ctx, *change); ok {
		c.add(s.entryWrite(entry), subject{kind: existingLine})
	}
	if change.Refund != "" {
		key := refundKey(id, change.Refund)
		c.add(put(s.tables.Orders, encode(refundItem{key, schema, change.Refund}), absent), subject{kind: newRefund})
	}
	if change.Known != nil {
		c.add(check(s.tables.Orders, wholeKey(change.Known.ID), locked(change.Known.Version)), subject{kind: existingLine})
	}
	for _, whole := range []*order.Whole{change.Counts, change.Whole} {
		if whole == nil {
			continue
		}
		next := *whole
		next.Version++
		c.add(put(s.tables.Orders, encode(newWholeItem(next)), locked(whole.Version)), subject{kind: existingLine})
	}
	checked := map[string]bool{"": true}
	for _, release := range change.Released {
		if !checked[release.Upload] {
			checked[release.Upload] = true
			c.add(check(s.tables.Catalog, uploadKey(change.After.Merchant, release.Upload), notWithdrawn), subject{kind: existingLine})
		}
		kind := releasedKey
		if release.To == order.Restock {
			kind = restockedKey
		}
		c.add(s.release(ctx, release, change.After), subject{kind, release.Key})
	}
	return nil
}

// addFormer has the line found by each address that its customer had, as long as it keeps that.
func (s *Store) addFormer(c *commit, change *order.Change) {
	var before []string
	if change.Before != nil {
		before = change.Before.FormerHashes
	}
	after, line := change.After.FormerHashes, change.After
	for n := range max(len(before), len(after)) {
		var was, is string
		if n < len(before) {
			was = before[n]
		}
		if n < len(after) {
			is = after[n]
		}
		place := formerKey(line.ID, n+1)
		switch {
		case was == is:
		case is == "":
			c.add(remove(s.tables.Orders, place, always), subject{kind: existingLine})
		default:
			item := formerItem{place, schema, whoName(line.Merchant, line.Side, is), millis(line.ReceivedAt)}
			c.add(put(s.tables.Orders, encode(item), always), subject{kind: existingLine})
		}
	}
}

// formerItem has a line found by a former address of its customer.
type formerItem struct {
	primaryKey
	V          int    `dynamodbav:"v"`
	Who        string `dynamodbav:"who"`
	ReceivedAt int64  `dynamodbav:"receivedAt"`
}

// addReleased brings the counts of pools to where they stand after the released keys are
// taken from their lines. A key whose take is in the count is taken off if it is for sale
// again; one whose take is not is added if it is not, since its line no longer tells of it.
func (s *Store) addReleased(ctx context.Context, c *commit, changes []order.Change) error {
	released := map[pool.ID][]order.Release{}
	for _, change := range changes {
		if len(change.Released) > 0 {
			released[change.After.PoolID()] = append(released[change.After.PoolID()], change.Released...)
		}
	}
	for _, p := range slices.SortedFunc(maps.Keys(released), pool.ID.Compare) {
		count, err := s.Count(ctx, p)
		if err != nil {
			return err
		}
		taken, revoked := 0, 0
		for _, release := range released[p] {
			counted := millis(release.TakenAt) <= millis(count.SettledAt) // also if it is zero
			switch {
			case counted && release.To == order.Restock:
				taken--
			case !counted && release.To != order.Restock:
				taken++
			}
			if release.To == order.Revoke {
				revoked++
			}
		}
		u := addToCount(settledAt(count.SettledAt), "taken", taken)
		u.add("revoked", revoked)
		c.add(u.write(s.tables.Catalog, countKey(p)), subject{kind: existingLine})
	}
	return nil
}

// settledAt holds while that is the moment up to which a count includes all takes.
func settledAt(moment time.Time) condition {
	if moment.IsZero() {
		return condition{expression: "attribute_not_exists(settledAt)"}
	}
	return condition{"settledAt = :settled", attrs{":settled": number(millis(moment))}}
}

// addQueue keeps the invariant that a line stands in a queue if and only if it
// waits: in its pool's, or in its product's while no pool feeds that.
func (s *Store) addQueue(c *commit, change *order.Change) {
	place, waits := queueKey(change.After)
	if change.Before != nil {
		if before, waited := queueKey(*change.Before); waited && before != place {
			c.add(remove(s.tables.Orders, before, always), subject{kind: existingLine})
		}
	}
	if waits {
		item := queueItem{primaryKey: place, V: schema, Missing: change.After.Missing()}
		c.add(put(s.tables.Orders, encode(item), always), subject{kind: existingLine})
	}
}

// addHeld keeps the invariant that a line stands among those held if and only if a rule
// holds it.
func (s *Store) addHeld(c *commit, change *order.Change) {
	place, held := heldKey(change.After)
	if change.Before != nil {
		before, was := heldKey(*change.Before)
		if was && before != place {
			c.add(remove(s.tables.Orders, before, always), subject{kind: existingLine})
		}
		if was && before == place && slices.Equal(change.Before.Holds, change.After.Holds) {
			return
		}
	}
	if held {
		c.add(put(s.tables.Orders, encode(newHeldItem(place, change.After)), always), subject{kind: existingLine})
	}
}

// addChunk writes the change's chunk, or deletes it when no key is left in it.
func (s *Store) addChunk(c *commit, change *order.Change) {
	chunk := change.Chunk
	if chunk.Number == 0 {
		return
	}
	key := chunkKey(change.After.ID, chunk.Number)
	if len(chunk.Keys) == 0 {
		c.add(remove(s.tables.Orders, key, locked(chunk.Version)), subject{kind: existingLine})
		return
	}
	item := chunkItem{primaryKey: key, V: schema, Version: change.After.Version, Keys: newKeyItems(chunk.Keys)}
	c.add(put(s.tables.Orders, encode(item), locked(chunk.Version)), subject{kind: existingLine})
}

// allocate claims a key for the line.
func (s *Store) allocate(key pool.Key, line order.Fulfillment) types.TransactWriteItem {
	return types.TransactWriteItem{Update: &types.Update{
		TableName:                aws.String(s.tables.Keys),
		Key:                      licenseKey(key.ID).attrs(),
		UpdateExpression:         aws.String("SET #state = :claimed, #line = :line, soldAt = :soldAt REMOVE #shard, place"),
		ConditionExpression:      aws.String("#shard = :shard"),
		ExpressionAttributeNames: map[string]string{"#shard": "shard", "#state": "state", "#line": "line"},
		ExpressionAttributeValues: attrs{
			":claimed": text(string(pool.KeyClaimed)), ":line": text(string(line.ID)), ":shard": text(key.Shard),
			":soldAt": number(millis(line.ReceivedAt)),
		},
	}}
}

// release takes a key from the line. A revoked or kept key still names its line, so
// that its order is found by the key; the history of one that is sold again does.
func (s *Store) release(ctx context.Context, r order.Release, line order.Fulfillment) types.TransactWriteItem {
	held := condition{"#state = :claimed AND #line = :line", attrs{":claimed": text(string(pool.KeyClaimed)), ":line": text(string(line.ID))}}
	if r.To == order.Restock {
		held.expression += " AND attribute_not_exists(blockedAt)"
	}
	u := newUpdate(held)
	u.name("#line", "line")
	event := pool.KeyEvent{At: r.At, About: string(line.ID)}
	var history []string
	switch r.To {
	case order.Revoke:
		event.What = pool.KeyRevokedBy
		u.set("state", text(string(pool.KeyRevoked)))
	case order.Keep:
		event.What = pool.KeyKeptBy
		u.set("state", text(string(pool.KeyKept)))
	case order.Restock:
		event.What = pool.KeyRestockedBy
		u.set("state", text(string(pool.KeyAvailable)))
		u.set("shard", text(shardName(line.PoolID(), random.N(ctx, r.Shards))))
		u.set("place", text(randomHex(ctx)))
		u.remove("line")
		u.remove("soldAt")
		history = append(history, pool.KeyEvent{At: line.ReceivedAt, What: pool.KeySold, About: string(line.ID)}.String()) // its item tells of that sale no longer
	}
	u.insert("history", append(history, event.String())...)
	return u.write(s.tables.Keys, licenseKey(r.Key))
}

// refundItem is a refund that a line has. That it is there is all it says.
type refundItem struct {
	primaryKey
	V  int    `dynamodbav:"v"`
	ID string `dynamodbav:"id"` // the platform's
}

// answer returns the error that the use cases branch on. A line that exists decides
// before a job that another worker has taken, that before a refund that exists, that before a line that changed, that before a released key that is not the line's
// (unless another write was throttled, which may be the line's), that before allocated keys that are taken, and
// those before a throttle.
func (c *commit) answer(err error) error {
	var failed *writeError
	if !errors.As(err, &failed) {
		return wrap(err, "commit %d writes", len(c.writes))
	}
	var (
		taken            order.KeysTakenError
		notHeld          pool.KeyID
		changed, refuses bool
		refunded         bool
		fenced           bool
	)
	for i, write := range failed.writes {
		about := c.about[i]
		switch {
		case write.cause == "" || write.cause == throttled:
		case about.kind == allocatedKey:
			taken.Keys = append(taken.Keys, about.key)
		case about.kind == restockedKey && write.item["blockedAt"] != nil: // since it was looked at
			changed = true
		case (about.kind == releasedKey || about.kind == restockedKey) && write.cause == conditionFailed:
			notHeld, refuses = about.key, true
		case about.kind == newLine && write.item != nil:
			there, err := decodeFulfillment(write.item)
			if err != nil {
				return err
			}
			return &order.ExistsError{Fulfillment: there}
		case about.kind == fence && write.cause == conditionFailed:
			fenced = true
		case about.kind == newRefund && write.cause == conditionFailed:
			refunded = true
		default:
			changed = true
		}
	}
	switch {
	case fenced:
		return job.ErrFenced
	case refunded:
		return order.ErrRefunded
	case changed:
		return retry.ErrChanged
	case refuses && failed.any(throttled): // the line may have changed: nobody looked
		return retry.ErrThrottled
	case refuses:
		return fmt.Errorf("release key %s: %w", notHeld, order.ErrNotHeld)
	case len(taken.Keys) > 0:
		return &taken
	case failed.any(throttled):
		return retry.ErrThrottled
	default:
		return wrap(err, "commit %d writes", len(c.writes))
	}
}

// Chunks returns the chunks of a line, oldest first, by a consistent query.
func (s *Store) Chunks(ctx context.Context, id order.LineID) ([]order.Chunk, error) {
	return s.ChunksAfter(ctx, id, 0, 0)
}

// ChunksAfter returns up to limit chunks of a line, those with a higher number, oldest first,
// by a consistent query. 0 is no limit.
func (s *Store) ChunksAfter(ctx context.Context, id order.LineID, number, limit int) ([]order.Chunk, error) {
	q := withPrefix(s.tables.Orders, orderPK(id.OrderHalf()), chunksSK(id))
	if q.limit = limit; number > 0 {
		q.after = chunkKey(id, number)
	}
	items, err := queryAs[chunkItem](ctx, s, q, oldestInOrders)
	if err != nil {
		return nil, fmt.Errorf("read the keys of line %s: %w", id, err)
	}
	chunks := make([]order.Chunk, len(items))
	for i, item := range items {
		n, err := item.chunkNumber(id)
		if err != nil {
			return nil, fmt.Errorf("read the keys of line %s: %w", id, err)
		}
		chunks[i] = order.Chunk{Number: n, Version: item.Version, Keys: keysOf(item.Keys)}
	}
	return chunks, nil
}
