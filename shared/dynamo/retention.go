package dynamo

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/audit"
	"keypool/shared/catalog"
	"keypool/shared/job"
)

// retentionItem is how long a merchant keeps what is known of customers, in the catalog.
type retentionItem struct {
	primaryKey
	V       int `dynamodbav:"v"`
	Version int `dynamodbav:"version"`
	Days    int `dynamodbav:"days"`
}

// Retention returns a merchant's retention, of version 0 if it was never set: one consistent
// read.
func (s *Store) Retention(ctx context.Context, merchant string) (catalog.Retention, error) {
	item, _, err := getAs[retentionItem](ctx, s, s.tables.Catalog, retentionKey(merchant), oldestInCatalog)
	return catalog.Retention{Merchant: merchant, Version: item.Version, Days: item.Days}, wrap(err, "read the retention of %s", merchant)
}

// PutRetention stores a merchant's retention, and has the job due that keeps to it, which is
// made if it is not there: both or none.
func (s *Store) PutRetention(ctx context.Context, r catalog.Retention, now time.Time, with ...audit.Record) error {
	item := retentionItem{primaryKey: retentionKey(r.Merchant), V: schema, Version: r.Version + 1, Days: r.Days}
	key := jobKey(r.Merchant, job.RetentionID)
	u := newUpdate(always)
	u.set("v", number(schema))
	u.set("kindOfJob", text(string(job.Retain)))
	u.set("by", text(job.RetentionID))
	u.set("createdAt", number(millis(now)))
	u.set("savedAt", number(millis(now)))
	u.set("due", text(duePartition(key.PK+key.SK)))
	u.set("dueAt", number(millis(now)))
	for _, ended := range []string{"done", "finishedAt"} {
		u.remove(ended)
	}
	resumed := beside{writes: []types.TransactWriteItem{u.write(s.tables.Catalog, key)}, refused: catalog.ErrConflict}
	return wrap(s.putCatalogWith(ctx, item, locked(r.Version), resumed, with), "store the retention of %s", r.Merchant)
}
