package dynamo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/ingest"
	"keypool/shared/notice"
	"keypool/shared/pool"
	"keypool/shared/random"
	"keypool/shared/retry"
)

// uploadItem is an upload in the catalog.
type uploadItem struct {
	PK       string `dynamodbav:"pk"`
	SK       string `dynamodbav:"sk"`
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

// rangeItem is how far one range of an upload has come.
type rangeItem struct {
	PK      string         `dynamodbav:"pk"`
	SK      string         `dynamodbav:"sk"`
	V       int            `dynamodbav:"v"`
	Turn    int            `dynamodbav:"turn"`
	Done    bool           `dynamodbav:"done,omitempty"`
	Offset  int64          `dynamodbav:"offset"`
	Lines   int            `dynamodbav:"lines"`
	Counts  map[string]int `dynamodbav:"counts"`
	Parts   []int          `dynamodbav:"parts,omitempty"`
	SavedAt int64          `dynamodbav:"savedAt"`
}

func uploadsPK(merchant string) string { return "uploads#" + merchant }

func rangesPK(u ingest.Upload) string { return "ranges#" + u.Merchant + "#" + u.ID }

func rangeSK(n int) string { return fmt.Sprintf("%07d", n) }

func parkedPK(merchant, pool string) string { return "parked#" + merchant + "#" + pool }

// Upload implements ingest.Records: one consistent read.
func (s *Store) Upload(ctx context.Context, merchant, id string) (ingest.Upload, bool, error) {
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:      aws.String(s.tables.Catalog),
		Key:            primary(uploadsPK(merchant), id),
		ConsistentRead: aws.Bool(true),
	})
	if err != nil || out.Item == nil {
		return ingest.Upload{}, false, wrap(err, "read upload %s", id)
	}
	u, err := decodeUpload(out.Item)
	return u, err == nil, wrap(err, "decode upload %s", id)
}

// Uploads returns up to limit of a merchant's uploads, newest first, from before
// the one named on; "" begins with the newest.
func (s *Store) Uploads(ctx context.Context, merchant, before string, limit int) ([]ingest.Upload, error) {
	query := &dynamodb.QueryInput{
		TableName:                 aws.String(s.tables.Catalog),
		KeyConditionExpression:    aws.String("pk = :pk"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":pk": text(uploadsPK(merchant))},
		ScanIndexForward:          aws.Bool(false),
		Limit:                     aws.Int32(int32(limit)),
	}
	if before != "" {
		query.ExclusiveStartKey = primary(uploadsPK(merchant), before)
	}
	var uploads []ingest.Upload
	for len(uploads) < limit {
		out, err := s.db.Query(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("list the uploads of %s: %w", merchant, err)
		}
		for _, item := range out.Items {
			u, err := decodeUpload(item)
			if err != nil {
				return nil, fmt.Errorf("list the uploads of %s: %w", merchant, err)
			}
			uploads = append(uploads, u)
		}
		if out.LastEvaluatedKey == nil {
			break
		}
		query.ExclusiveStartKey = out.LastEvaluatedKey
	}
	return uploads[:min(len(uploads), limit)], nil
}

// Parked returns the uploads that wait for a pool, oldest first.
func (s *Store) Parked(ctx context.Context, merchant, pool string) ([]string, error) {
	var ids []string
	pages := dynamodb.NewQueryPaginator(s.db, &dynamodb.QueryInput{
		TableName:                 aws.String(s.tables.Catalog),
		KeyConditionExpression:    aws.String("pk = :pk"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":pk": text(parkedPK(merchant, pool))},
		ConsistentRead:            aws.Bool(true),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list what waits for pool %s of %s: %w", pool, merchant, err)
		}
		for _, item := range page.Items {
			ids = append(ids, item["sk"].(*types.AttributeValueMemberS).Value)
		}
	}
	return ids, nil
}

// MoveUpload implements ingest.Records: one transaction of the record, the mark
// that it waits for its pool, and the notice.
func (s *Store) MoveUpload(ctx context.Context, from ingest.State, u ingest.Upload, tell *notice.Notice) (bool, error) {
	var tx transaction
	record := tx.add(s.uploadWrite(from, u))
	if mark := s.parkedWrite(from, u); mark != nil {
		tx.add(*mark)
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
func (s *Store) uploadWrite(from ingest.State, u ingest.Upload) types.TransactWriteItem {
	item, err := attributevalue.MarshalMap(newUploadItem(u))
	if err != nil {
		panic(fmt.Sprintf("encode an upload: %v", err)) // strings and numbers only: cannot happen
	}
	if from == "" {
		return types.TransactWriteItem{Put: &types.Put{
			TableName:           aws.String(s.tables.Catalog),
			Item:                item,
			ConditionExpression: aws.String("attribute_not_exists(pk)"),
		}}
	}
	update := newUpdate("#state = :from")
	update.value(":from", text(string(from)))
	for _, name := range []string{"state", "cause", "encoding", "ranges", "kept", "finishedAt", "due", "dueAt"} {
		if value, ok := item[name]; ok {
			update.set(name, value)
		} else {
			update.remove(name)
		}
	}
	return update.write(s.tables.Catalog, primary(uploadsPK(u.Merchant), u.ID))
}

// parkedWrite marks an upload as waiting for its pool, or takes the mark away.
func (s *Store) parkedWrite(from ingest.State, u ingest.Upload) *types.TransactWriteItem {
	key := primary(parkedPK(u.Merchant, u.Pool), u.ID)
	switch {
	case u.State == ingest.Parked:
		key["v"] = number(schema)
		return &types.TransactWriteItem{Put: &types.Put{TableName: aws.String(s.tables.Catalog), Item: key}}
	case from == ingest.Parked:
		return &types.TransactWriteItem{Delete: &types.Delete{TableName: aws.String(s.tables.Catalog), Key: key}}
	default:
		return nil
	}
}

// PostponeUpload implements ingest.Records.
func (s *Store) PostponeUpload(ctx context.Context, u ingest.Upload, until time.Time) error {
	_, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                aws.String(s.tables.Catalog),
		Key:                      primary(uploadsPK(u.Merchant), u.ID),
		UpdateExpression:         aws.String("SET dueAt = :until"),
		ConditionExpression:      aws.String("#state = :state"),
		ExpressionAttributeNames: map[string]string{"#state": "state"},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":until": number(millis(until)), ":state": text(string(u.State)),
		},
	})
	var moved *types.ConditionalCheckFailedException
	if errors.As(err, &moved) {
		return nil
	}
	return wrap(err, "postpone upload %s", u.ID)
}

// TakeRange implements ingest.Ranges.
func (s *Store) TakeRange(ctx context.Context, u ingest.Upload, n int, now time.Time) (ingest.Range, error) {
	out, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                aws.String(s.tables.Catalog),
		Key:                      primary(rangesPK(u), rangeSK(n)),
		UpdateExpression:         aws.String("SET v = :v, savedAt = :now ADD turn :one"),
		ConditionExpression:      aws.String("attribute_not_exists(#done)"),
		ExpressionAttributeNames: map[string]string{"#done": "done"},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":v": number(schema), ":now": number(millis(now)), ":one": number(1),
		},
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	var done *types.ConditionalCheckFailedException
	if errors.As(err, &done) {
		return decodeRange(done.Item)
	}
	if err != nil {
		return ingest.Range{}, fmt.Errorf("take range %d of upload %s: %w", n, u.ID, err)
	}
	return decodeRange(out.Attributes)
}

// SaveRange implements ingest.Ranges.
func (s *Store) SaveRange(ctx context.Context, u ingest.Upload, r ingest.Range) error {
	save := s.rangeUpdate(u, r)
	_, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                 save.TableName,
		Key:                       save.Key,
		UpdateExpression:          save.UpdateExpression,
		ConditionExpression:       save.ConditionExpression,
		ExpressionAttributeNames:  save.ExpressionAttributeNames,
		ExpressionAttributeValues: save.ExpressionAttributeValues,
	})
	var overtaken *types.ConditionalCheckFailedException
	if errors.As(err, &overtaken) {
		return ingest.ErrOvertaken
	}
	return wrap(err, "save range %d of upload %s", r.Number, u.ID)
}

func (s *Store) rangeUpdate(u ingest.Upload, r ingest.Range) *types.Update {
	update := newUpdate("turn = :turn AND attribute_not_exists(#done)")
	update.name("#done", "done")
	update.value(":turn", number(r.Turn))
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
	return update.write(s.tables.Catalog, primary(rangesPK(u), rangeSK(r.Number))).Update
}

// EndRange implements ingest.Ranges: the range, the upload's counts and the
// pool's, in one transaction. Were the counts a write of their own, a worker that
// died in between would count its range twice, or never.
func (s *Store) EndRange(ctx context.Context, u ingest.Upload, r ingest.Range, dueAt time.Time) error {
	upload := newUpdate("#state = :loading")
	upload.name("#state", "state")
	upload.value(":loading", text(string(ingest.Loading)))
	upload.set("dueAt", number(millis(dueAt)))
	upload.add("done", 1)
	upload.add("lines", r.Lines)
	for _, outcome := range slices.Sorted(maps.Keys(r.Counts)) {
		upload.increase("counts", string(outcome), r.Counts[outcome])
	}
	var tx transaction
	tx.add(types.TransactWriteItem{Update: s.rangeUpdate(u, r)})
	tx.add(upload.write(s.tables.Catalog, primary(uploadsPK(u.Merchant), u.ID)))
	if accepted := r.Counts[ingest.Accepted]; accepted > 0 {
		shown := newUpdate("")
		shown.set("v", number(schema))
		shown.add("accepted", accepted)
		tx.add(shown.write(s.tables.Catalog, primary(merchantPrefix+u.Merchant, countSK(u.PoolID()))))
	}
	err := s.transactPatiently(ctx, &tx)
	if failed := (*writeError)(nil); errors.As(err, &failed) && failed.any(refused) {
		return ingest.ErrOvertaken
	}
	return wrap(err, "end range %d of upload %s", r.Number, u.ID)
}

// Ranges implements ingest.Ranges.
func (s *Store) Ranges(ctx context.Context, u ingest.Upload) ([]ingest.Range, error) {
	var ranges []ingest.Range
	pages := dynamodb.NewQueryPaginator(s.db, &dynamodb.QueryInput{
		TableName:                 aws.String(s.tables.Catalog),
		KeyConditionExpression:    aws.String("pk = :pk"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":pk": text(rangesPK(u))},
		ConsistentRead:            aws.Bool(true),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the ranges of upload %s: %w", u.ID, err)
		}
		for _, item := range page.Items {
			r, err := decodeRange(item)
			if err != nil {
				return nil, fmt.Errorf("read the ranges of upload %s: %w", u.ID, err)
			}
			ranges = append(ranges, r)
		}
	}
	return ranges, nil
}

// InsertKeys implements ingest.Keys: one BatchExecuteStatement. It answers 200
// whatever became of its statements, so each response is read.
func (s *Store) InsertKeys(ctx context.Context, p pool.ID, shards int, upload string, keys []ingest.NewKey) ([]ingest.Inserted, error) {
	statement := aws.String(`INSERT INTO "` + s.tables.Keys + `" VALUE {'pk':?,'v':?,'text':?,'upload':?,'offset':?,'pool':?,'state':?,'shard':?,'place':?}`)
	statements := make([]types.BatchStatementRequest, len(keys))
	for i, key := range keys {
		statements[i] = types.BatchStatementRequest{Statement: statement, Parameters: []types.AttributeValue{
			text(string(key.ID)), number(schema), text(key.Text.Reveal()), text(upload), number(key.Offset),
			text(p.Pool), text(stateAvailable), text(shardName(p, random.N(ctx, shards))), text(word(ctx)),
		}}
	}
	results := make([]ingest.Inserted, len(keys))
	out, err := s.db.BatchExecuteStatement(ctx, &dynamodb.BatchExecuteStatementInput{Statements: statements})
	if errors.Is(err, retry.ErrThrottled) {
		for i := range results {
			results[i] = ingest.PutOff
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
func inserted(err *types.BatchStatementError) (ingest.Inserted, error) {
	if err == nil {
		return ingest.Stored, nil
	}
	switch err.Code {
	case types.BatchStatementErrorCodeEnumDuplicateItem:
		return ingest.Exists, nil
	case types.BatchStatementErrorCodeEnumValidationError:
		return ingest.Rejected, nil
	case types.BatchStatementErrorCodeEnumAccessDenied, types.BatchStatementErrorCodeEnumResourceNotFound:
		return ingest.PutOff, errors.New(string(err.Code))
	default:
		return ingest.PutOff, nil
	}
}

// FindKeys implements ingest.Keys: consistent reads, in one call if the table
// has no more to do.
func (s *Store) FindKeys(ctx context.Context, ids []pool.KeyID) (map[pool.KeyID]ingest.Found, error) {
	keys := make([]map[string]types.AttributeValue, len(ids))
	for i, id := range ids {
		keys[i] = primaryOf(id)
	}
	items, err := s.batchGet(ctx, insistently, s.tables.Keys, keys, "pk", "upload", "offset", "pool", "state", "soldAt")
	if err != nil {
		return nil, fmt.Errorf("look %d keys up: %w", len(ids), err)
	}
	found := make(map[pool.KeyID]ingest.Found, len(ids))
	for _, item := range items {
		var key struct {
			PK     string `dynamodbav:"pk"`
			Upload string `dynamodbav:"upload"`
			Offset int64  `dynamodbav:"offset"`
			Pool   string `dynamodbav:"pool"`
			State  string `dynamodbav:"state"`
			SoldAt int64  `dynamodbav:"soldAt"`
		}
		if err := attributevalue.UnmarshalMap(item, &key); err != nil {
			return nil, fmt.Errorf("decode a key: %w", err)
		}
		found[pool.KeyID(key.PK)] = ingest.Found{
			Upload: key.Upload, Offset: key.Offset, Pool: key.Pool,
			State: ingest.KeyState(key.State), SoldAt: at(key.SoldAt),
		}
	}
	return found, nil
}

func newUploadItem(u ingest.Upload) uploadItem {
	item := uploadItem{
		PK: uploadsPK(u.Merchant), SK: u.ID, V: schema,
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
		item.Due = dueShard(item.PK + item.SK)
	}
	return item
}

func decodeUpload(item map[string]types.AttributeValue) (ingest.Upload, error) {
	var i uploadItem
	if err := attributevalue.UnmarshalMap(item, &i); err != nil {
		return ingest.Upload{}, err
	}
	if err := readable(i.V); err != nil {
		return ingest.Upload{}, err
	}
	u := ingest.Upload{
		Merchant: strings.TrimPrefix(i.PK, uploadsPK("")), ID: i.SK,
		Object: ingest.Object{Bucket: i.Bucket, Name: i.Name, Version: i.Version},
		File:   i.File, Pool: i.Pool, Side: pool.Side(i.Side), Size: i.Size, Encoding: ingest.Encoding(i.Encoding),
		State: ingest.State(i.State), Cause: ingest.Cause(i.Cause), Ranges: i.Ranges, Done: i.Done, Lines: i.Lines,
		Counts:     decodeCounts(i.Counts),
		ReceivedAt: at(i.ReceivedAt), FinishedAt: at(i.FinishedAt), DueAt: at(i.DueAt),
	}
	for _, line := range i.Kept {
		u.Kept = append(u.Kept, ingest.Refused{Line: line.Line, Reason: ingest.Outcome(line.Reason), SoldAt: at(line.SoldAt)})
	}
	return u, nil
}

func decodeRange(item map[string]types.AttributeValue) (ingest.Range, error) {
	var i rangeItem
	if err := attributevalue.UnmarshalMap(item, &i); err != nil {
		return ingest.Range{}, fmt.Errorf("decode a range: %w", err)
	}
	if err := readable(i.V); err != nil {
		return ingest.Range{}, fmt.Errorf("decode a range: %w", err)
	}
	n, err := strconv.Atoi(i.SK)
	if err != nil {
		return ingest.Range{}, fmt.Errorf("decode a range: %w", err)
	}
	return ingest.Range{
		Number: n, Done: i.Done, Turn: i.Turn, Offset: i.Offset, Lines: i.Lines,
		Counts: decodeCounts(i.Counts), Parts: i.Parts, SavedAt: at(i.SavedAt),
	}, nil
}

func counts(c ingest.Counts) types.AttributeValue {
	m := &types.AttributeValueMemberM{Value: make(map[string]types.AttributeValue, len(c))}
	for outcome, n := range c {
		m.Value[string(outcome)] = number(n)
	}
	return m
}

func decodeCounts(m map[string]int) ingest.Counts {
	c := make(ingest.Counts, len(m))
	for outcome, n := range m {
		c[ingest.Outcome(outcome)] = n
	}
	return c
}
