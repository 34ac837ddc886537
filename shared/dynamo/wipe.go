package dynamo

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/job"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/retry"
	"keypool/shared/upload"
)

// Rows of the test side are found by the index test: those alone have the attribute testOf, so
// that a live row costs nothing. In the orders table they are lines, what is known of orders as
// a whole, and what stands by itself. What belongs to a line, such as its history, has none,
// and goes with the line.
//
// The index says where to look, and never what may be deleted. The condition of each delete
// says of the row itself, or of the line that it belongs to, that it is of the merchant's test
// side.

// testOf is the value of the attribute testOf; "" of a live row, which has none.
func testOf(merchant string, side pool.Side) string {
	if side != pool.Test {
		return ""
	}
	return merchant
}

// ofTest holds of a line, or of what is known of an order, that is of the merchant's test side
// and at the version that was seen.
func ofTest(merchant string, version int) condition {
	return condition{"side = :test AND merchant = :merchant AND version = :from", attrs{
		":test": text(string(pool.Test)), ":merchant": text(merchant), ":from": number(version),
	}}
}

// byTest reads the index test.
func byTest(table, merchant string) query {
	return query{table: table, index: testIndex, where: "testOf = :of", values: attrs{":of": text(merchant)}}
}

// TestKeys returns up to n keys of a merchant's test side, in whatever state, those after one of
// them: "" to begin with. The index lags.
func (s *Store) TestKeys(ctx context.Context, merchant string, after pool.KeyID, n int) ([]pool.KeyID, error) {
	q := byTest(s.tables.Keys, merchant)
	q.limit = n
	if after != "" {
		q.afterEntry = attrs{"testOf": text(merchant), "pk": text(string(after))}
	}
	items, err := s.items(ctx, q)
	ids := make([]pool.KeyID, len(items))
	for i, item := range items {
		ids[i] = pool.KeyID(keyOf(item).PK)
	}
	return ids, wrap(err, "look for test keys of %s", merchant)
}

// WipeKeys deletes keys of the merchant's test side, if each is in the state and the pool that
// it was seen in, and no line has it, and takes them off the counts of their pools: one
// transaction. It fails with *order.KeysTakenError if some are not so, and with job.ErrFenced if
// another worker has taken the job.
func (s *Store) WipeKeys(ctx context.Context, j job.Job, keys []pool.Record, now time.Time) error {
	var tx transaction
	for _, key := range keys {
		tx.add(s.wipedKey(j.Merchant, key))
	}
	lines := map[string]int{} // the position of its check, by line
	for _, key := range keys {
		if _, checked := lines[key.Line]; key.Line != "" && !checked {
			lines[key.Line] = tx.add(check(s.tables.Orders, lineKey(order.LineID(key.Line)), absent))
		}
	}
	for p, counted := range countedOf(j.Merchant, keys) {
		tx.add(counted.write(s.tables.Catalog, countKey(p)))
	}
	fence := tx.add(s.countInJob(j, len(keys), now))
	err := s.transactWithRetry(ctx, &tx)
	if _, fenced := failedCondition(err, fence); fenced {
		return job.ErrFenced
	}
	var stay order.KeysTakenError
	for i, key := range keys {
		_, changed := failedCondition(err, i)
		_, held := failedCondition(err, lines[key.Line])
		if changed || key.Line != "" && held {
			stay.Keys = append(stay.Keys, key.ID)
		}
	}
	if len(stay.Keys) > 0 {
		return &stay
	}
	return wrap(err, "wipe %d test keys of %s", len(keys), j.Merchant)
}

// wipedKey deletes a key of the merchant's test side, as it was seen. What side it is of is in its
// primary key, whatever its attributes say.
func (s *Store) wipedKey(merchant string, key pool.Record) types.TransactWriteItem {
	seen := condition{"begins_with(pk, :test) AND #state = :state AND attribute_not_exists(#pool)", attrs{
		":test": text(pool.Identities(merchant, pool.Test)), ":state": text(string(key.State)),
	}}
	if key.Pool != "" {
		seen.expression = "begins_with(pk, :test) AND #state = :state AND #pool = :pool"
		seen.values[":pool"] = text(key.Pool)
	}
	write := remove(s.tables.Keys, licenseKey(key.ID), seen)
	write.Delete.ExpressionAttributeNames = map[string]string{"#state": "state", "#pool": "pool"}
	return write
}

// countedOf returns the updates that take keys off the counts of their pools. A key that no
// upload brought was never counted.
func countedOf(merchant string, keys []pool.Record) map[pool.ID]*update {
	type sum struct{ accepted, taken, revoked, withdrawn int }
	sums := map[pool.ID]*sum{}
	for _, key := range keys {
		if key.Upload == "" {
			continue
		}
		p := pool.ID{Merchant: merchant, Pool: key.Pool, Side: pool.Test}
		if sums[p] == nil {
			sums[p] = &sum{}
		}
		sums[p].accepted--
		switch key.State {
		case pool.KeyWithdrawn:
			sums[p].withdrawn--
		case pool.KeyRevoked:
			sums[p].revoked--
			sums[p].taken--
		case pool.KeyClaimed, pool.KeyKept:
			sums[p].taken--
		case pool.KeyAvailable, pool.KeyShared:
		}
	}
	updates := map[pool.ID]*update{}
	for p, n := range sums {
		u := addToCount(always, "accepted", n.accepted)
		u.add("taken", n.taken)
		u.add("revoked", n.revoked)
		u.add("withdrawn", n.withdrawn)
		updates[p] = u
	}
	return updates
}

// placeBreak stands between the two parts of a row's place. No name has one.
const placeBreak = "\n"

// TestRows returns up to n rows of a merchant's test side in the orders table, those after the
// place that the last call returned: "" to begin with, and after the last one. A row that is
// gone by now is left out. The index lags.
func (s *Store) TestRows(ctx context.Context, merchant, after string, n int) (rows []job.TestRow, last string, err error) {
	q := byTest(s.tables.Orders, merchant)
	q.limit = n
	if after != "" {
		q.afterEntry = keyAt(after).attrs()
		q.afterEntry["testOf"] = text(merchant)
	}
	entries, err := s.items(ctx, q)
	if err != nil {
		return nil, "", wrap(err, "look for test rows of %s", merchant)
	}
	keys := make([]attrs, len(entries))
	for i, entry := range entries {
		keys[i] = keyOf(entry).attrs()
	}
	if len(entries) == n {
		last = placeOf(keyOf(entries[n-1]))
	}
	items, err := s.batchGet(ctx, retry.Throttling, s.tables.Orders, keys, "pk", "sk", "version", "raisedAt", "at", "mail", "leaseEndsAt")
	if err != nil {
		return nil, "", wrap(err, "look at %d test rows of %s", len(keys), merchant)
	}
	for _, item := range items {
		key := keyOf(item)
		row := job.TestRow{Place: placeOf(key), Version: int(numberOf(item["version"])), At: at(max(numberOf(item["raisedAt"]), numberOf(item["at"])))}
		if id, ofOrder := strings.CutPrefix(key.PK, OrderPrefix); ofOrder {
			row.Order = id
		}
		if stringOf(item["mail"]) == string(outbox.Sending) {
			row.Mailing = at(numberOf(item["leaseEndsAt"]))
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b job.TestRow) int { return strings.Compare(a.Place, b.Place) })
	return rows, last, nil
}

func placeOf(key primaryKey) string { return key.PK + placeBreak + key.SK }

func keyAt(place string) primaryKey {
	pk, sk, _ := strings.Cut(place, placeBreak)
	return primaryKey{pk, sk}
}

// WipeRow deletes a row that is no part of an order, if it is of the merchant's test side and at
// the version that was seen. Its error is job.ErrNotTest, retry.ErrChanged or job.ErrFenced.
func (s *Store) WipeRow(ctx context.Context, j job.Job, row job.TestRow, now time.Time) error {
	seen := condition{"testOf = :of", attrs{":of": text(j.Merchant)}}
	if row.Version > 0 {
		seen.expression += " AND version = :from"
		seen.values[":from"] = number(row.Version)
	}
	var tx transaction
	tx.add(remove(s.tables.Orders, keyAt(row.Place), seen))
	return wrap(s.wipe(ctx, &tx, j, 0, now, func(there attrs) bool { return stringOf(there["testOf"]) == j.Merchant }), "wipe a test row of %s", j.Merchant)
}

// WipeWhole deletes what is known of an order as a whole, if it is of the merchant's test side
// and no more is known than was seen. Its errors are those of WipeRow.
func (s *Store) WipeWhole(ctx context.Context, j job.Job, w order.Whole, now time.Time) error {
	var tx transaction
	tx.add(remove(s.tables.Orders, wholeKey(w.ID), ofTest(j.Merchant, w.Version)))
	return wrap(s.wipe(ctx, &tx, j, 0, now, isTestOf(j.Merchant)), "wipe what is known of a test order")
}

// wipedBeside is how many rows of a line are deleted in one transaction, beside the line, its
// places in queues and the job.
const wipedBeside = order.MaxItems - 4

// WipeLine deletes a line with all that belongs to it, if it is of the merchant's test side and
// at the version that was seen. The line goes last, in one transaction with its place in a
// queue, so that at no moment one is there without the other, and that what is left of a wipe
// that was cut off is found by the line. Its errors are those of WipeRow.
func (s *Store) WipeLine(ctx context.Context, j job.Job, line order.Fulfillment, now time.Time) error {
	rows, err := s.rowsOf(ctx, line.ID)
	if err != nil {
		return wrap(err, "look at what belongs to line %s", line.ID)
	}
	seen := ofTest(j.Merchant, line.Version)
	for len(rows) > wipedBeside {
		var tx transaction
		tx.add(guard(s.tables.Orders, lineKey(line.ID), seen))
		for _, row := range rows[:wipedBeside] {
			tx.add(remove(s.tables.Orders, row, always))
		}
		if err := s.wipe(ctx, &tx, j, 0, now, isTestOf(j.Merchant)); err != nil {
			return wrap(err, "wipe what belongs to line %s", line.ID)
		}
		rows = rows[wipedBeside:]
	}
	var tx transaction
	tx.add(remove(s.tables.Orders, lineKey(line.ID), seen))
	if place, waits := queueKey(line); waits {
		tx.add(remove(s.tables.Orders, place, always))
	}
	if place, held := heldKey(line); held {
		tx.add(remove(s.tables.Orders, place, always))
	}
	for _, row := range rows {
		tx.add(remove(s.tables.Orders, row, always))
	}
	return wrap(s.wipe(ctx, &tx, j, 1, now, isTestOf(j.Merchant)), "wipe line %s", line.ID)
}

// guard is check, and says how the item stands if the condition does not hold.
func guard(table string, key primaryKey, c condition) types.TransactWriteItem {
	write := check(table, key, c)
	write.ConditionCheck.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	return write
}

func isTestOf(merchant string) func(attrs) bool {
	return func(there attrs) bool {
		return stringOf(there["side"]) == string(pool.Test) && stringOf(there["merchant"]) == merchant
	}
}

// wipe makes a transaction whose first write has the condition on the side, while no other
// worker has taken the job, and counts lines in that.
func (s *Store) wipe(ctx context.Context, tx *transaction, j job.Job, lines int, now time.Time, isTest func(attrs) bool) error {
	counted := saveJobPart(job.Part{Token: j.Token, SavedAt: now})
	counted.add("lines", lines)
	fence := tx.add(counted.write(s.tables.Catalog, jobKey(j.Merchant, j.ID)))
	err := s.transactWithRetry(ctx, tx)
	if _, fenced := failedCondition(err, fence); fenced {
		return job.ErrFenced
	}
	there, failed := failedCondition(err, 0)
	switch {
	case failed && there == nil: // it is gone already
		return nil
	case failed && !isTest(there):
		return job.ErrNotTest
	}
	return err
}

// rowsOf returns the keys of what belongs to a line and is a row of its own: its history, its
// customer's former addresses, its refunds, and last its chunks, without which the line is not mailed.
func (s *Store) rowsOf(ctx context.Context, id order.LineID) ([]primaryKey, error) {
	q := inPartition(s.tables.Orders, orderPK(id.OrderHalf()))
	q.attributes = []string{"pk", "sk"}
	items, err := s.items(ctx, q)
	var rows []primaryKey
	for _, of := range []string{historySK(id), formerSK(id), refundSort + id.LineHalf() + "#", chunksSK(id)} {
		for _, item := range items {
			if key := keyOf(item); strings.HasPrefix(key.SK, of) {
				rows = append(rows, key)
			}
		}
	}
	return rows, err
}

// WipeUpload takes away what is kept of a test upload that is in the state that was seen: its
// ranges, and all of its record but which file it was, so that a repeat of the file's event does
// not load it again. Its errors are those of WipeRow.
func (s *Store) WipeUpload(ctx context.Context, j job.Job, u upload.Upload, now time.Time) error {
	items, err := s.items(ctx, inPartition(s.tables.Catalog, rangesPK(u.Merchant, u.ID)))
	if err != nil {
		return wrap(err, "look at the ranges of upload %s", u.ID)
	}
	seen := condition{"side = :test AND #state = :from", attrs{":test": text(string(pool.Test)), ":from": text(string(u.State))}}
	record := newUpdate(seen)
	record.name("#state", "state")
	wiped := encode(newUploadItem(u.Wiped(now)))
	for _, name := range []string{"state", "cause", "ranges", "done", "lines", "counts", "kept", "finishedAt", "due", "dueAt", "seen", "reading", "confirmedAt", "remembered", "reminded"} {
		if value, ok := wiped[name]; ok {
			record.set(name, value)
		} else {
			record.remove(name)
		}
	}
	isTest := func(there attrs) bool { return stringOf(there["side"]) == string(pool.Test) }
	for len(items) > 0 {
		n := min(len(items), wipedBeside)
		var tx transaction
		check := guard(s.tables.Catalog, uploadKey(u.Merchant, u.ID), seen)
		check.ConditionCheck.ExpressionAttributeNames = map[string]string{"#state": "state"}
		tx.add(check)
		for _, item := range items[:n] {
			tx.add(remove(s.tables.Catalog, keyOf(item), always))
		}
		if err := s.wipe(ctx, &tx, j, 0, now, isTest); err != nil {
			return wrap(err, "wipe the ranges of upload %s", u.ID)
		}
		items = items[n:]
	}
	var tx transaction
	tx.add(record.write(s.tables.Catalog, uploadKey(u.Merchant, u.ID)))
	if u.State == upload.Parked {
		tx.add(remove(s.tables.Catalog, parkedKey(u.PoolID(), u.ID), always))
	}
	return wrap(s.wipe(ctx, &tx, j, 0, now, isTest), "wipe upload %s", u.ID)
}

// ResetTestCounts takes away the sales by day that are counted of pools' test sides, and what
// is counted wrong, of each that has no key left.
func (s *Store) ResetTestCounts(ctx context.Context, j job.Job) error {
	items, err := s.items(ctx, withPrefix(s.tables.Catalog, CountsPrefix+j.Merchant, countSort))
	if err != nil {
		return wrap(err, "look at the counts of %s", j.Merchant)
	}
	for _, item := range items {
		key := keyOf(item)
		if !strings.HasSuffix(key.SK, "#"+string(pool.Test)) {
			continue
		}
		u := newUpdate(condition{
			"(attribute_not_exists(accepted) OR accepted <= :none) AND (attribute_not_exists(withdrawn) OR withdrawn <= :none)", attrs{":none": number(0)},
		})
		for _, name := range []string{"accepted", "taken", "revoked", "withdrawn"} {
			u.set(name, number(0))
		}
		u.remove("lookAt")
		u.remove("lookAvailable")
		for name := range item {
			if strings.HasPrefix(name, soldPrefix) {
				u.remove(name)
			}
		}
		err := retryUnless(ctx, func() error { return s.write(ctx, u.write(s.tables.Catalog, key)) }, anyConditionFailed)
		if err != nil && !anyConditionFailed(err) {
			return wrap(err, "reset a count of %s", j.Merchant)
		}
	}
	return nil
}
