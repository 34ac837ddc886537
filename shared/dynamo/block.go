package dynamo

import (
	"context"
	"time"

	"keypool/shared/audit"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// byBlock is what took a blocked key out of sale: nobody's job.
const byBlock = "block"

// notBlocked holds of a key that is neither blocked nor for sale, and of one that is not there.
var notBlocked = condition{expression: "attribute_not_exists(blockedAt) AND attribute_not_exists(#shard)"}

// BlockForSale blocks keys that are for sale, if each is still available in the shard that it
// was found in, and counts them in their pool: one transaction. A claim at the same moment
// takes the key, or this does. It fails with *order.KeysTakenError if some are gone.
func (s *Store) BlockForSale(ctx context.Context, p pool.ID, keys []pool.Key, by string, now time.Time) error {
	var tx transaction
	for _, key := range keys {
		u := offSale(key, byBlock, blocked(by, now))
		u.set("blockedAt", number(millis(now)))
		tx.add(u.write(s.tables.Keys, licenseKey(key.ID)))
	}
	tx.add(addToCount(always, "withdrawn", len(keys)).write(s.tables.Catalog, countKey(p)))
	err := s.transactWithRetry(ctx, &tx)
	return wrap(goneMeanwhile(err, keys), "block %d keys of %s", len(keys), p)
}

// BlockKey blocks a key that is not for sale, or that no upload has brought yet: an item
// without a text, which the insert of a key of this text then meets. A key that is blocked
// stays as it is. It fails with retry.ErrChanged if the key is for sale.
func (s *Store) BlockKey(ctx context.Context, id pool.KeyID, by string, now time.Time) error {
	u := newUpdate(notBlocked)
	u.name("#shard", "shard")
	u.set("blockedAt", number(millis(now)))
	u.setNew("state", text(string(pool.KeyWithdrawn)))
	u.setNew("v", number(schema))
	u.insert("history", blocked(by, now).String())
	if of := testOf(licenseKey(id).licenseMerchant(), licenseKey(id).side()); of != "" { // a wipe may have taken it away meanwhile
		u.set("testOf", text(of))
	}
	err := retryUnless(ctx, func() error { return s.write(ctx, u.write(s.tables.Keys, licenseKey(id))) }, anyConditionFailed)
	if there, failed := failedCondition(err, 0); failed {
		if there["blockedAt"] != nil {
			return nil
		}
		return retry.ErrChanged
	}
	return wrap(err, "block a key")
}

func blocked(by string, now time.Time) pool.KeyEvent {
	return pool.KeyEvent{At: now, What: pool.KeyBlocked, By: by}
}

// AddEntry stores an entry of the audit trail whose change takes more than one transaction.
func (s *Store) AddEntry(ctx context.Context, e audit.Entry) error {
	return wrap(s.write(ctx, s.entryWrite(e)), "add to the audit trail of %s", e.Merchant)
}
