package dynamo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"keypool/shared/job"
	"keypool/shared/pool"
	"keypool/shared/random"
	"keypool/shared/retry"
	"keypool/shared/upload"
)

// rangeItem is the progress of one range of an upload.
type rangeItem struct {
	primaryKey
	V int `dynamodbav:"v"`
	jobPartItem
	Offset    int64          `dynamodbav:"offset"`
	Lines     int            `dynamodbav:"lines"`
	Counts    map[string]int `dynamodbav:"counts"`
	Withdrawn int            `dynamodbav:"withdrawn,omitempty"`
	Objects   []int          `dynamodbav:"objects,omitempty"`
}

// TakeRange gives a range to a worker under a new fencing token, and returns the
// range with its saved progress. A range that is done is returned as it is.
func (s *Store) TakeRange(ctx context.Context, u upload.Upload, n int, now time.Time) (upload.Range, error) {
	item, err := s.takeJobPart(ctx, s.tables.Catalog, rangeKey(u.Merchant, u.ID, n), now)
	if err != nil {
		return upload.Range{}, fmt.Errorf("take range %d of upload %s: %w", n, u.ID, err)
	}
	r, err := decode[rangeItem](item, oldestInCatalog)
	if err != nil {
		return upload.Range{}, fmt.Errorf("take range %d of upload %s: %w", n, u.ID, err)
	}
	return r.progress()
}

// SaveRange saves the progress of a range, or fails with job.ErrFenced.
func (s *Store) SaveRange(ctx context.Context, u upload.Upload, r upload.Range) error {
	err := s.write(ctx, s.rangeUpdate(u, r))
	if anyConditionFailed(err) {
		return job.ErrFenced
	}
	return wrap(err, "save range %d of upload %s", r.Number, u.ID)
}

func (s *Store) rangeUpdate(u upload.Upload, r upload.Range) types.TransactWriteItem {
	update := saveJobPart(r.Part)
	update.set("offset", number(r.Offset))
	update.set("lines", number(r.Lines))
	update.set("counts", counts(r.Counts))
	update.set("withdrawn", number(r.Withdrawn))
	if len(r.Objects) > 0 {
		objects := &types.AttributeValueMemberL{}
		for _, n := range r.Objects {
			objects.Value = append(objects.Value, number(n))
		}
		update.set("objects", objects)
	}
	return update.write(s.tables.Catalog, rangeKey(u.Merchant, u.ID, r.Number))
}

// EndRange ends a range, and adds its counts to those of the upload and of the
// pool, in one transaction. Were the counts a write of their own, a worker that
// died in between would count its range twice, or never.
func (s *Store) EndRange(ctx context.Context, u upload.Upload, r upload.Range, dueAt time.Time) error {
	record := newUpdate(condition{"#state = :loading", attrs{":loading": text(string(upload.Loading))}})
	record.name("#state", "state")
	record.set("dueAt", number(millis(dueAt)))
	record.add("done", 1)
	record.add("lines", r.Lines)
	for _, outcome := range slices.Sorted(maps.Keys(r.Counts)) {
		record.increase("counts", string(outcome), r.Counts[outcome])
	}
	var tx transaction
	tx.add(s.rangeUpdate(u, r))
	tx.add(record.write(s.tables.Catalog, uploadKey(u.Merchant, u.ID)))
	if accepted := r.Counts[upload.Accepted]; accepted > 0 {
		count := addToCount(always, "accepted", accepted)
		if r.Withdrawn > 0 {
			count.add("withdrawn", r.Withdrawn)
		}
		tx.add(count.write(s.tables.Catalog, countKey(u.PoolID())))
	}
	err := s.transactWithRetry(ctx, &tx)
	if anyConditionFailed(err) {
		return job.ErrFenced
	}
	return wrap(err, "end range %d of upload %s", r.Number, u.ID)
}

// Ranges returns the ranges of an upload that were ever begun, in order.
func (s *Store) Ranges(ctx context.Context, u upload.Upload) ([]upload.Range, error) {
	items, err := queryAs[rangeItem](ctx, s, inPartition(s.tables.Catalog, rangesPK(u.Merchant, u.ID)), oldestInCatalog)
	var ranges []upload.Range
	for _, item := range items {
		var r upload.Range
		if r, err = item.progress(); err != nil {
			break
		}
		ranges = append(ranges, r)
	}
	return ranges, wrap(err, "read the ranges of upload %s", u.ID)
}

// InsertKeys stores keys as available, each in a random shard, or as withdrawn, and returns
// for each key by itself whether it is stored. A throttled call is an answer for its keys, and no
// error.
func (s *Store) InsertKeys(ctx context.Context, p pool.ID, shards int, uploadID string, keys []upload.NewKey) ([]upload.Inserted, error) {
	items := make([]attrs, len(keys))
	for i, key := range keys {
		items[i] = attrs{
			"pk": text(string(key.ID)), "v": number(schema), "text": text(key.Text.Reveal()), "upload": text(uploadID), "offset": number(key.Offset), "row": number(key.Row),
			"pool": text(p.Pool),
		}
		if key.Withdrawn {
			items[i]["state"] = text(string(pool.KeyWithdrawn))
			continue
		}
		items[i]["state"], items[i]["shard"], items[i]["place"] = text(string(pool.KeyAvailable)), text(shardName(p, random.N(ctx, shards))), text(randomHex(ctx))
	}
	insert := s.insertLive
	if p.Side == pool.Test {
		insert = s.insertTest
		for _, item := range items {
			item["testOf"] = text(testOf(p.Merchant, p.Side))
		}
	}
	results, err := insert(ctx, keys, items)
	return results, wrap(err, "insert %d keys into %s", len(keys), p)
}

// newKeyAttributes are the attributes of a key that is new; the last two of one for sale.
var newKeyAttributes = []string{"pk", "v", "text", "upload", "offset", "row", "pool", "state", "shard", "place"}

// insertStatement inserts an item of these attributes.
func (s *Store) insertStatement(attributes []string) *string {
	return aws.String(`INSERT INTO "` + s.tables.Keys + `" VALUE {'` + strings.Join(attributes, "':?,'") + `':?}`)
}

// insertLive makes one BatchExecuteStatement. DynamoDB answers 200 even if every statement
// failed, so each response is read.
func (s *Store) insertLive(ctx context.Context, keys []upload.NewKey, items []attrs) ([]upload.Inserted, error) {
	withdrawn := newKeyAttributes[:len(newKeyAttributes)-2]
	forSale := s.insertStatement(newKeyAttributes)
	statements := make([]types.BatchStatementRequest, len(keys))
	for i, item := range items {
		statements[i].Statement = forSale
		of := newKeyAttributes
		if keys[i].Withdrawn {
			of = withdrawn
			statements[i].Statement = s.insertStatement(of)
		}
		for _, name := range of {
			statements[i].Parameters = append(statements[i].Parameters, item[name])
		}
	}
	results := make([]upload.Inserted, len(keys))
	out, err := s.db.BatchExecuteStatement(ctx, &dynamodb.BatchExecuteStatementInput{Statements: statements})
	if errors.Is(err, retry.ErrThrottled) {
		for i := range results {
			results[i] = upload.Throttled
		}
		return results, nil
	}
	if err != nil {
		return nil, err
	}
	if len(out.Responses) != len(keys) {
		return nil, fmt.Errorf("%d answers", len(out.Responses))
	}
	for i, response := range out.Responses {
		if results[i], err = inserted(response.Error); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// insertTest makes one transaction for each key, all at once: it holds only while the text does
// not stand on the live side. A look before the insert would not do: of two workers on one
// range, one may look before a live file brings the text, and insert after the other has
// reported the line as a duplicate.
func (s *Store) insertTest(ctx context.Context, keys []upload.NewKey, items []attrs) ([]upload.Inserted, error) {
	results, failures := make([]upload.Inserted, len(keys)), make([]error, len(keys))
	var calls sync.WaitGroup
	for i, key := range keys {
		calls.Go(func() {
			var tx transaction
			onLive := tx.add(check(s.tables.Keys, licenseKey(key.Live), absent))
			own := tx.add(put(s.tables.Keys, items[i], absent))
			err := s.transact(ctx, &tx)
			_, isOnLive := failedCondition(err, onLive)
			_, exists := failedCondition(err, own)
			switch {
			case isOnLive:
				results[i] = upload.OnLiveSide
			case exists:
				results[i] = upload.Exists
			case errors.Is(err, retry.ErrThrottled), errors.Is(err, retry.ErrChanged): // another writer is at one of the two
				results[i] = upload.Throttled
			case isInvalid(err):
				results[i] = upload.Rejected
			default:
				failures[i] = err
			}
		})
	}
	calls.Wait()
	return results, errors.Join(failures...)
}

// isInvalid reports whether DynamoDB takes no such item, however often it is written.
func isInvalid(err error) bool {
	var canceled *types.TransactionCanceledException
	var refused smithy.APIError
	switch {
	case errors.As(err, &canceled):
		return slices.ContainsFunc(canceled.CancellationReasons, func(r types.CancellationReason) bool { return aws.ToString(r.Code) == "ValidationError" })
	case errors.As(err, &refused):
		return refused.ErrorCode() == "ValidationException"
	}
	return false
}

// inserted returns what the answer to a statement means. An unknown code is tried
// again. A missing right or table is an error, because waiting does not mend it.
func inserted(err *types.BatchStatementError) (upload.Inserted, error) {
	if err == nil {
		return upload.Stored, nil
	}
	switch err.Code {
	case types.BatchStatementErrorCodeEnumDuplicateItem:
		return upload.Exists, nil
	case types.BatchStatementErrorCodeEnumValidationError:
		return upload.Rejected, nil
	case types.BatchStatementErrorCodeEnumAccessDenied, types.BatchStatementErrorCodeEnumResourceNotFound:
		return upload.Throttled, errors.New(string(err.Code))
	default:
		return upload.Throttled, nil
	}
}

// FindKeys returns those of the keys that are in the table: consistent reads, one
// call for each hundred.
func (s *Store) FindKeys(ctx context.Context, ids []pool.KeyID) (map[pool.KeyID]upload.KnownKey, error) {
	keys := make([]attrs, len(ids))
	for i, id := range ids {
		keys[i] = licenseKey(id).attrs()
	}
	items, err := s.batchGet(ctx, retry.Throttling, s.tables.Keys, keys, "pk", "upload", "offset", "pool", "state", "soldAt", "withdrawnBy", "blockedAt")
	if err != nil {
		return nil, fmt.Errorf("look %d keys up: %w", len(ids), err)
	}
	found := make(map[pool.KeyID]upload.KnownKey, len(ids))
	for _, item := range items {
		found[pool.KeyID(stringOf(item["pk"]))] = upload.KnownKey{
			Upload: stringOf(item["upload"]), Offset: numberOf(item["offset"]), Pool: stringOf(item["pool"]),
			State: pool.KeyState(stringOf(item["state"])), SoldAt: at(numberOf(item["soldAt"])), WithdrawnBy: stringOf(item["withdrawnBy"]),
			Blocked: item["blockedAt"] != nil,
		}
	}
	return found, nil
}

func (i rangeItem) progress() (upload.Range, error) {
	n, err := i.rangeNumber()
	if err != nil {
		return upload.Range{}, errors.New("an item whose sort key is the number of no range")
	}
	return upload.Range{
		Part: i.part(n), Offset: i.Offset, Lines: i.Lines,
		Counts: decodeCounts(i.Counts), Withdrawn: i.Withdrawn, Objects: i.Objects,
	}, nil
}

func counts(c upload.Counts) types.AttributeValue {
	m := &types.AttributeValueMemberM{Value: make(map[string]types.AttributeValue, len(c))}
	for outcome, n := range c {
		m.Value[string(outcome)] = number(n)
	}
	return m
}

func decodeCounts(m map[string]int) upload.Counts {
	c := make(upload.Counts, len(m))
	for outcome, n := range m {
		c[upload.Outcome(outcome)] = n
	}
	return c
}
