package dynamo

import (
	"context"
	"strings"
	"time"

	"keypool/shared/notice"
	"keypool/shared/upload"
)

// usageItem is what a merchant's files brought in a day.
type usageItem struct {
	primaryKey
	V     int   `dynamodbav:"v"`
	Files int   `dynamodbav:"files"`
	Bytes int64 `dynamodbav:"bytes"`
	Keys  int   `dynamodbav:"keys"`
}

func (i usageItem) usage() upload.Usage {
	return upload.Usage{Files: i.Files, Bytes: i.Bytes, Keys: i.Keys}
}

// Usage returns what a merchant's files brought in the day of now: one consistent read.
func (s *Store) Usage(ctx context.Context, merchant string, now time.Time) (upload.Usage, error) {
	item, _, err := getAs[usageItem](ctx, s, s.tables.Catalog, usageKey(merchant, now), oldestInCatalog)
	return item.usage(), wrap(err, "read the usage of %s", merchant)
}

// AdmitUpload is MoveUpload of an upload that counts in the usage of a day: the usage
// grows in the same transaction, so that an upload counts once. It fails with
// *upload.OverLimitError if the file brings more than the limits leave.
func (s *Store) AdmitUpload(ctx context.Context, from upload.State, u upload.Upload, tell *notice.Notice, file upload.Usage, limits upload.Limits, now time.Time) (bool, error) {
	if err := limits.Check(upload.Usage{}, file); err != nil {
		return false, err
	}
	grown := newUpdate(always)
	var room []string
	for _, count := range []struct {
		name       string
		by, atMost int
	}{
		{"files", file.Files, limits.Files},
		{"bytes", int(file.Bytes), int(limits.Bytes)},
		{"keys", file.Keys, limits.Keys},
	} {
		grown.add(count.name, count.by)
		grown.values[":most_"+count.name] = number(count.atMost - count.by)
		room = append(room, "(attribute_not_exists(#"+count.name+") OR #"+count.name+" <= :most_"+count.name+")")
	}
	grown.set("v", number(schema))
	grown.condition = strings.Join(room, " AND ")
	const usage = 1 // the position of the write
	moved, err := s.moveUpload(ctx, from, u, tell, grown.write(s.tables.Catalog, usageKey(u.Merchant, now)))
	if item, full := failedCondition(err, usage); full {
		day, err := decode[usageItem](item, oldestInCatalog)
		if err == nil {
			err = limits.Check(day.usage(), file)
		}
		return false, wrap(err, "count upload %s", u.ID)
	}
	return moved, wrap(err, "admit upload %s", u.ID)
}
