package dynamo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/job"
	"keypool/shared/notice"
	"keypool/shared/pool"
	"keypool/shared/random"
	"keypool/shared/retry"
	"keypool/shared/upload"
)

// uploadItem is an upload in the catalog.
type uploadItem struct {
	primaryKey
	V        int    `dynamodbav:"v"`
	Bucket   string `dynamodbav:"bucket"`
	Name     string `dynamodbav:"name"`
	Version  string `dynamodbav:"objectVersion,omitempty"`
	File     string `dynamodbav:"file"`
	Pool     string `dynamodbav:"pool,omitempty"`
	Side     string `dynamodbav:"side,omitempty"`
	Size     int64  `dynamodbav:"size"`
	Encoding string `dynamodbav:"encoding"`

	State  string         `dynamodbav:"state"`
	Cause  string         `dynamodbav:"cause,omitempty"`
	Ranges int            `dynamodbav:"ranges"`
	Done   int            `dynamodbav:"done"`
	Lines  int            `dynamodbav:"lines"`
	Counts map[string]int `dynamodbav:"counts"` // by outcome
	Kept   []keptItem     `dynamodbav:"kept,omitempty"`

	ReceivedAt int64  `dynamodbav:"receivedAt"`
	FinishedAt int64  `dynamodbav:"finishedAt,omitempty"`
	Due        string `dynamodbav:"due,omitempty"`
	DueAt      int64  `dynamodbav:"dueAt,omitempty"`
}

// keptItem is a line that brought no key, as the upload's record keeps it.
type keptItem struct {
	Line   int    `dynamodbav:"line"`
	Reason string `dynamodbav:"reason"`
	SoldAt int64  `dynamodbav:"soldAt,omitempty"`
}

// parkedItem marks an upload that waits for its pool.
type parkedItem struct {
	primaryKey
	V int `dynamodbav:"v"`
}

// rangeItem is how far one range of an upload has come.
type rangeItem struct {
	primaryKey
	V       int            `dynamodbav:"v"`
	Turn    int            `dynamodbav:"turn"`
	Done    bool           `dynamodbav:"done,omitempty"`
	Offset  int64          `dynamodbav:"offset"`
	Lines   int            `dynamodbav:"lines"`
	Counts  map[string]int `dynamodbav:"counts"`
	Parts   []int          `dynamodbav:"parts,omitempty"`
	SavedAt int64          `dynamodbav:"savedAt"`
}

// Upload returns the record of an upload, false if there is none: one consistent read.
func (s *Store) Upload(ctx context.Context, merchant, id string) (upload.Upload, bool, error) {
	item, ok, err := getAs[uploadItem](ctx, s, s.tables.Catalog, uploadKey(merchant, id), lastVersions)
	if !ok {
		return upload.Upload{}, false, wrap(err, "read upload %s", id)
	}
	return item.upload(), true, nil
}

// Uploads returns up to limit of a merchant's uploads, newest first, from before
// the one named on; "" begins with the newest. A new upload may be missing yet.
func (s *Store) Uploads(ctx context.Context, merchant, before string, limit int) ([]upload.Upload, error) {
	q := inPartition(s.tables.Catalog, UploadsPrefix+merchant)
	q.consistent, q.backwards, q.limit = false, true, limit
	if before != "" {
		q.after = uploadKey(merchant, before)
	}
	items, err := queryAs[uploadItem](ctx, s, q, lastVersions)
	var uploads []upload.Upload
	for _, item := range items {
		uploads = append(uploads, item.upload())
	}
	return uploads, wrap(err, "list the uploads of %s", merchant)
}

// Parked returns the ids of the uploads that wait for a pool, oldest first.
func (s *Store) Parked(ctx context.Context, merchant, pool string) ([]string, error) {
	items, err := s.items(ctx, inPartition(s.tables.Catalog, parkedPK(merchant, pool)))
	var ids []string
	for _, item := range items {
		ids = append(ids, keyOf(item).SK)
	}
	return ids, wrap(err, "list what waits for pool %s of %s", pool, merchant)
}

// MoveUpload implements ingest.Records: one transaction of the record, the mark
// that it waits for its pool, and the notice.
func (s *Store) MoveUpload(ctx context.Context, from upload.State, u upload.Upload, tell *notice.Notice) (bool, error) {
	var tx transaction
	record := tx.add(s.uploadWrite(from, u))
	switch parked := parkedKey(u.PoolID(), u.ID); {
	case u.State == upload.Parked:
		tx.add(put(s.tables.Catalog, encode(parkedItem{parked, schema}), always))
	case from == upload.Parked:
		tx.add(remove(s.tables.Catalog, parked, always))
	}
	if tell != nil {
		tx.add(noticePut(s.tables.Orders, *tell))
	}
	for {
		err := s.transactPatiently(ctx, &tx)
		if _, moved := refusedAt(err, record); moved {
			return false, nil
		}
		if _, told := refusedAt(err, len(tx.writes)-1); told {
			tx.writes = tx.writes[:len(tx.writes)-1]
			continue
		}
		return err == nil, wrap(err, "bring upload %s to %s", u.ID, u.State)
	}
}

// uploadWrite creates the record, or changes what a change of state may change.
func (s *Store) uploadWrite(from upload.State, u upload.Upload) types.TransactWriteItem {
	item := encode(newUploadItem(u))
	if from == "" {
		return put(s.tables.Catalog, item, absent)
	}
	update := newUpdate(condition{"#state = :from", attrs{":from": text(string(from))}})
	for _, name := range []string{"state", "cause", "encoding", "ranges", "kept", "finishedAt", "due", "dueAt"} {
		if value, ok := item[name]; ok {
			update.set(name, value)
		} else {
			update.remove(name)
		}
	}
	return update.write(s.tables.Catalog, uploadKey(u.Merchant, u.ID))
}

// PostponeUpload sets when the sweep looks at an upload again, unless its state has
// changed meanwhile.
func (s *Store) PostponeUpload(ctx context.Context, u upload.Upload, until time.Time) error {
	update := newUpdate(condition{"#state = :state", attrs{":state": text(string(u.State))}})
	update.name("#state", "state")
	update.set("dueAt", number(millis(until)))
	_, err := s.write(ctx, update.write(s.tables.Catalog, uploadKey(u.Merchant, u.ID)))
	if _, moved := refusedAt(err, 0); moved {
		return nil
	}
	return wrap(err, "postpone upload %s", u.ID)
}

// TakeRange begins a turn at a range and returns the range as it stands: with the
// turn's number or, if it is done, as it was left.
func (s *Store) TakeRange(ctx context.Context, u upload.Upload, n int, now time.Time) (upload.Range, error) {
	update := newUpdate(condition{expression: "attribute_not_exists(#done)"})
	update.name("#done", "done")
	update.set("v", number(schema))
	update.set("savedAt", number(millis(now)))
	update.add("turn", 1)
	item, err := s.write(ctx, update.write(s.tables.Catalog, rangeKey(u.Merchant, u.ID, n)))
	if there, done := refusedAt(err, 0); done {
		item, err = there, nil
	}
	if err != nil {
		return upload.Range{}, fmt.Errorf("take range %d of upload %s: %w", n, u.ID, err)
	}
	r, err := decode[rangeItem](item, lastVersions)
	if err != nil {
		return upload.Range{}, fmt.Errorf("take range %d of upload %s: %w", n, u.ID, err)
	}
	return r.progress()
}

// SaveRange saves how far a turn has come, or fails with job.ErrFenced.
func (s *Store) SaveRange(ctx context.Context, u upload.Upload, r upload.Range) error {
	_, err := s.write(ctx, s.rangeUpdate(u, r))
	if anyRefused(err) {
		return job.ErrFenced
	}
	return wrap(err, "save range %d of upload %s", r.Number, u.ID)
}

func (s *Store) rangeUpdate(u upload.Upload, r upload.Range) types.TransactWriteItem {
	update := newUpdate(condition{"turn = :turn AND attribute_not_exists(#done)", attrs{":turn": number(r.Turn)}})
	update.name("#done", "done")
	update.set("offset", number(r.Offset))
	update.set("lines", number(r.Lines))
	update.set("savedAt", number(millis(r.SavedAt)))
	update.set("counts", counts(r.Counts))
	if len(r.Parts) > 0 {
		parts := &types.AttributeValueMemberL{}
		for _, n := range r.Parts {
			parts.Value = append(parts.Value, number(n))
		}
		update.set("parts", parts)
	}
	if r.Done {
		update.set("done", &types.AttributeValueMemberBOOL{Value: true})
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
		shown := newUpdate(always)
		shown.set("v", number(schema))
		shown.add("accepted", accepted)
		tx.add(shown.write(s.tables.Catalog, countKey(u.PoolID())))
	}
	err := s.transactPatiently(ctx, &tx)
	if anyRefused(err) {
		return job.ErrFenced
	}
	return wrap(err, "end range %d of upload %s", r.Number, u.ID)
}

// Ranges returns the ranges of an upload that were ever begun, in order.
func (s *Store) Ranges(ctx context.Context, u upload.Upload) ([]upload.Range, error) {
	items, err := queryAs[rangeItem](ctx, s, inPartition(s.tables.Catalog, rangesPK(u.Merchant, u.ID)), lastVersions)
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

// InsertKeys implements ingest.Keys: one BatchExecuteStatement. It answers 200
// whatever became of its statements, so each response is read.
func (s *Store) InsertKeys(ctx context.Context, p pool.ID, shards int, uploadID string, keys []upload.NewKey) ([]upload.Inserted, error) {
	statement := aws.String(`INSERT INTO "` + s.tables.Keys + `" VALUE {'pk':?,'v':?,'text':?,'upload':?,'offset':?,'pool':?,'state':?,'shard':?,'place':?}`)
	statements := make([]types.BatchStatementRequest, len(keys))
	for i, key := range keys {
		statements[i] = types.BatchStatementRequest{Statement: statement, Parameters: []types.AttributeValue{
			text(string(key.ID)), number(schema), text(key.Text.Reveal()), text(uploadID), number(key.Offset),
			text(p.Pool), text(stateAvailable), text(shardName(p, random.N(ctx, shards))), text(word(ctx)),
		}}
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
		return nil, fmt.Errorf("insert %d keys into %s: %w", len(keys), p, err)
	}
	if len(out.Responses) != len(keys) {
		return nil, fmt.Errorf("insert %d keys into %s: %d answers", len(keys), p, len(out.Responses))
	}
	for i, response := range out.Responses {
		if results[i], err = inserted(response.Error); err != nil {
			return nil, fmt.Errorf("insert %d keys into %s: %w", len(keys), p, err)
		}
	}
	return results, nil
}

// inserted says what a statement's answer means. Whatever is not known to be for
// good is tried again, but for what waiting does not mend: that is told.
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

// FindKeys implements ingest.Keys: consistent reads, in one call if the table
// has no more to do.
func (s *Store) FindKeys(ctx context.Context, ids []pool.KeyID) (map[pool.KeyID]upload.KnownKey, error) {
	keys := make([]attrs, len(ids))
	for i, id := range ids {
		keys[i] = licenseKey(id)
	}
	items, err := s.batchGet(ctx, retry.Throttling, s.tables.Keys, keys, "pk", "upload", "offset", "pool", "state", "soldAt")
	if err != nil {
		return nil, fmt.Errorf("look %d keys up: %w", len(ids), err)
	}
	found := make(map[pool.KeyID]upload.KnownKey, len(ids))
	for _, item := range items {
		found[pool.KeyID(stringOf(item["pk"]))] = upload.KnownKey{
			Upload: stringOf(item["upload"]), Offset: numberOf(item["offset"]), Pool: stringOf(item["pool"]),
			State: upload.KeyState(stringOf(item["state"])), SoldAt: at(numberOf(item["soldAt"])),
		}
	}
	return found, nil
}

func newUploadItem(u upload.Upload) uploadItem {
	item := uploadItem{
		primaryKey: uploadKey(u.Merchant, u.ID), V: schema,
		Bucket: u.Object.Bucket, Name: u.Object.Name, Version: u.Object.Version,
		File: u.File, Pool: u.Pool, Side: string(u.Side), Size: u.Size, Encoding: string(u.Encoding),
		State: string(u.State), Cause: string(u.Cause), Ranges: u.Ranges, Done: u.Done, Lines: u.Lines,
		Counts:     make(map[string]int, len(u.Counts)), // there even if empty: its entries are increased
		ReceivedAt: millis(u.ReceivedAt), FinishedAt: millis(u.FinishedAt), DueAt: millis(u.DueAt),
	}
	for outcome, n := range u.Counts {
		item.Counts[string(outcome)] = n
	}
	for _, line := range u.Kept {
		item.Kept = append(item.Kept, keptItem{Line: line.Line, Reason: string(line.Reason), SoldAt: millis(line.SoldAt)})
	}
	if item.DueAt != 0 {
		item.Due = duePartition(item.PK + item.SK)
	}
	return item
}

func (i uploadItem) upload() upload.Upload {
	merchant, id := i.primaryKey.upload()
	u := upload.Upload{
		Merchant: merchant, ID: id,
		Object: upload.Object{Bucket: i.Bucket, Name: i.Name, Version: i.Version},
		File:   i.File, Pool: i.Pool, Side: pool.Side(i.Side), Size: i.Size, Encoding: upload.Encoding(i.Encoding),
		State: upload.State(i.State), Cause: upload.Cause(i.Cause), Ranges: i.Ranges, Done: i.Done, Lines: i.Lines,
		Counts:     decodeCounts(i.Counts),
		ReceivedAt: at(i.ReceivedAt), FinishedAt: at(i.FinishedAt), DueAt: at(i.DueAt),
	}
	for _, line := range i.Kept {
		u.Kept = append(u.Kept, upload.RejectedLine{Line: line.Line, Reason: upload.Outcome(line.Reason), SoldAt: at(line.SoldAt)})
	}
	return u
}

func (i rangeItem) progress() (upload.Range, error) {
	n, err := i.rangeNumber()
	if err != nil {
		return upload.Range{}, fmt.Errorf("%s %s is no range: %w", i.PK, i.SK, err)
	}
	return upload.Range{
		Number: n, Done: i.Done, Turn: i.Turn, Offset: i.Offset, Lines: i.Lines,
		Counts: decodeCounts(i.Counts), Parts: i.Parts, SavedAt: at(i.SavedAt),
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
