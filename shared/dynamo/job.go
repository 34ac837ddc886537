package dynamo

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/audit"
	"keypool/shared/job"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/random"
)

// jobPartItem holds the attributes that every part of a job has.
type jobPartItem struct {
	FencingToken int   `dynamodbav:"fencingToken"`
	Done         bool  `dynamodbav:"done,omitempty"`
	SavedAt      int64 `dynamodbav:"savedAt"`
}

func (i jobPartItem) part(n int) job.Part {
	return job.Part{Number: n, Token: job.Token(i.FencingToken), Done: i.Done, SavedAt: at(i.SavedAt)}
}

// takeJobPart gives a part to a worker under a new fencing token, and returns the item
// with it. The item is made if it is not there. A part that is done is returned as
// it is.
func (s *Store) takeJobPart(ctx context.Context, table string, key primaryKey, now time.Time) (attrs, error) {
	update := newUpdate(condition{expression: "attribute_not_exists(#done)"})
	update.name("#done", "done")
	update.set("v", number(schema))
	update.set("savedAt", number(millis(now)))
	update.add("fencingToken", 1)
	item, err := s.writeAndRead(ctx, update.write(table, key))
	if there, done := failedCondition(err, 0); done {
		return there, nil
	}
	return item, err
}

// saveJobPart begins the update that saves a part. Its condition fails if another worker
// has taken the part meanwhile, or if the part is done.
func saveJobPart(p job.Part) *update {
	update := newUpdate(condition{"fencingToken = :token AND attribute_not_exists(#done)", attrs{":token": number(int(p.Token))}})
	update.name("#done", "done")
	update.set("savedAt", number(millis(p.SavedAt)))
	if p.Done {
		update.set("done", &types.AttributeValueMemberBOOL{Value: true})
	}
	return update
}

// jobItem is a job in the catalog.
type jobItem struct {
	primaryKey
	V      int    `dynamodbav:"v"`
	Kind   string `dynamodbav:"kindOfJob"` // kind is what the catalog's items are listed by
	Upload string `dynamodbav:"upload,omitempty"`
	Pool   string `dynamodbav:"pool,omitempty"`
	Side   string `dynamodbav:"side,omitempty"`
	To     string `dynamodbav:"moveTo,omitempty"`
	Most   int    `dynamodbav:"moveMost,omitempty"`

	Which  string   `dynamodbav:"exportWhich,omitempty"`
	Format string   `dynamodbav:"exportFormat,omitempty"`
	From   int64    `dynamodbav:"exportFrom,omitempty"`
	Before int64    `dynamodbav:"exportUntil,omitempty"`
	File   string   `dynamodbav:"fileUpload,omitempty"`
	Parts  []string `dynamodbav:"fileParts,omitempty"`
	Size   int64    `dynamodbav:"fileSize,omitempty"`
	Rest   string   `dynamodbav:"fileRest,omitempty"`
	Whole  bool     `dynamodbav:"fileWritten,omitempty"`

	Customer string `dynamodbav:"customer,omitempty"`
	Force    bool   `dynamodbav:"force,omitempty"`

	By        string `dynamodbav:"by"`
	Why       string `dynamodbav:"why,omitempty"`
	CreatedAt int64  `dynamodbav:"createdAt"`

	jobPartItem
	InPool  int    `dynamodbav:"lookPool"`
	Shard   int    `dynamodbav:"lookShard"`
	After   string `dynamodbav:"lookAfter,omitempty"`
	Began   int64  `dynamodbav:"lookBegan,omitempty"`
	Found   int    `dynamodbav:"lookFound"`
	Left    int    `dynamodbav:"lookLeft,omitempty"`
	LeftAt  int64  `dynamodbav:"lookLeftAt,omitempty"`
	Until   int64  `dynamodbav:"lookUntil,omitempty"`
	Seen    int64  `dynamodbav:"seen,omitempty"`
	FoundAt int64  `dynamodbav:"lookFoundAt,omitempty"`
	Keys    int    `dynamodbav:"keys"`
	Lines   int    `dynamodbav:"lines,omitempty"`

	CancelledBy string `dynamodbav:"cancelledBy,omitempty"`
	Cut         bool   `dynamodbav:"cut,omitempty"`
	FinishedAt  int64  `dynamodbav:"finishedAt,omitempty"`
	Due         string `dynamodbav:"due,omitempty"`
	DueAt       int64  `dynamodbav:"dueAt,omitempty"`
}

func newJobItem(j job.Job) jobItem {
	key := jobKey(j.Merchant, j.ID)
	return jobItem{
		primaryKey: key, V: schema, Kind: string(j.Kind), Upload: j.Upload, Pool: j.Pool, Side: string(j.Side), To: j.To, Most: j.Most,
		Customer: j.Customer, Force: j.Force,
		Which: string(j.Choice.Which), Format: string(j.Choice.Format), From: millis(j.Choice.From), Before: millis(j.Choice.Until),
		By: j.By, Why: j.Why, CreatedAt: millis(j.CreatedAt), jobPartItem: jobPartItem{SavedAt: millis(j.CreatedAt)},
		Due: duePartition(key.PK + key.SK), DueAt: millis(j.DueAt),
	}
}

func (i jobItem) job() job.Job {
	merchant, id, _ := i.primaryKey.job()
	return job.Job{
		Merchant: merchant, ID: id, Kind: job.Kind(i.Kind), Upload: i.Upload, Pool: i.Pool, Side: pool.Side(i.Side), To: i.To, Most: i.Most,
		Customer: i.Customer, Force: i.Force,
		Choice: job.Choice{Which: job.Which(i.Which), Format: job.Format(i.Format), From: at(i.From), Until: at(i.Before)},
		File:   job.File{Upload: i.File, Parts: filePartsOf(i.Parts), Size: i.Size, Rest: i.Rest, Written: i.Whole},
		By:     i.By, Why: i.Why, CreatedAt: at(i.CreatedAt), Part: i.part(0), Keys: i.Keys, Lines: i.Lines,
		Look:        job.Look{Pool: i.InPool, Shard: i.Shard, After: i.After, Began: at(i.Began), Found: i.Found, Left: i.Left, LeftAt: at(i.LeftAt), Until: at(i.Until), FoundAt: at(i.FoundAt)},
		Seen:        at(i.Seen),
		CancelledBy: i.CancelledBy, Cut: i.Cut, FinishedAt: at(i.FinishedAt), DueAt: at(i.DueAt),
	}
}

// notWithdrawn holds of an upload that is not withdrawn.
var notWithdrawn = condition{expression: "attribute_not_exists(withdrawal)"}

// StartWithdrawal marks an upload as withdrawn and stores the job that withdraws its keys:
// both or none. If the upload is marked already, it returns the id of the job that did so.
func (s *Store) StartWithdrawal(ctx context.Context, j job.Job) (id string, err error) {
	mark := newUpdate(condition{expression: "attribute_exists(pk) AND attribute_not_exists(withdrawal)"})
	mark.set("withdrawal", text(j.ID))
	mark.set("withdrawnAt", number(millis(j.CreatedAt)))
	var tx transaction
	marked := tx.add(mark.write(s.tables.Catalog, uploadKey(j.Merchant, j.Upload)))
	tx.add(put(s.tables.Catalog, encode(newJobItem(j)), absent))
	tx.add(s.entryWrite(audit.OfJob(ctx, j)))
	err = s.transactWithRetry(ctx, &tx)
	if there, before := failedCondition(err, marked); before && there != nil {
		return stringOf(there["withdrawal"]), nil
	}
	return j.ID, wrap(err, "start to withdraw upload %s", j.Upload)
}

// StartJob stores a new job, with its entry in the audit trail: one transaction. One that
// exports is counted among those of the merchant that are running, and is job.ErrExports if
// these are as many as may.
func (s *Store) StartJob(ctx context.Context, j job.Job) error {
	var tx transaction
	tx.add(put(s.tables.Catalog, encode(newJobItem(j)), absent))
	tx.add(s.entryWrite(audit.OfJob(ctx, j)))
	if j.Kind != job.Export {
		return wrap(s.transactWithRetry(ctx, &tx), "start job %s", j.ID)
	}
	counted := tx.add(s.countExports(j.Merchant, 1, condition{"attribute_not_exists(exports) OR exports < :most", attrs{":most": number(job.MostExports)}}))
	err := s.transactWithRetry(ctx, &tx)
	if _, most := failedCondition(err, counted); most {
		return job.ErrExports
	}
	return wrap(err, "start job %s", j.ID)
}

// countExports returns the write that counts exports of a merchant that are running.
func (s *Store) countExports(merchant string, n int, c condition) types.TransactWriteItem {
	u := newUpdate(c)
	u.set("v", number(schema))
	u.add("exports", n)
	return u.write(s.tables.Catalog, exportsKey(merchant))
}

// Job returns a job, false if there is none: one consistent read.
func (s *Store) Job(ctx context.Context, merchant, id string) (job.Job, bool, error) {
	item, ok, err := getAs[jobItem](ctx, s, s.tables.Catalog, jobKey(merchant, id), oldestInCatalog)
	if !ok {
		return job.Job{}, false, wrap(err, "read job %s", id)
	}
	return item.job(), true, nil
}

// Jobs returns up to limit of a merchant's jobs, newest first, from before the one named on;
// "" begins with the newest.
func (s *Store) Jobs(ctx context.Context, merchant, before string, limit int) ([]job.Job, error) {
	q := inPartition(s.tables.Catalog, JobsPrefix+merchant)
	q.backwards, q.limit = true, limit
	if before != "" {
		q.after = jobKey(merchant, before)
	}
	items, err := queryAs[jobItem](ctx, s, q, oldestInCatalog)
	jobs := make([]job.Job, len(items))
	for i, item := range items {
		jobs[i] = item.job()
	}
	return jobs, wrap(err, "list the jobs of %s", merchant)
}

// TakeJob gives a job to a worker under a new fencing token. A job that has ended is
// returned as it is.
func (s *Store) TakeJob(ctx context.Context, merchant, id string, now time.Time) (job.Job, error) {
	item, err := s.takeJobPart(ctx, s.tables.Catalog, jobKey(merchant, id), now)
	if err != nil {
		return job.Job{}, fmt.Errorf("take job %s: %w", id, err)
	}
	taken, err := decode[jobItem](item, oldestInCatalog)
	return taken.job(), wrap(err, "take job %s", id)
}

// SaveJob saves how far a job has come, and returns it as it is then: somebody may have
// cancelled it. It fails with job.ErrFenced if another worker has taken it or it has ended.
// Its count of keys is that of the transactions that changed them.
func (s *Store) SaveJob(ctx context.Context, j job.Job) (job.Job, error) {
	item, err := s.writeAndRead(ctx, jobSave(j).write(s.tables.Catalog, jobKey(j.Merchant, j.ID)))
	if anyConditionFailed(err) {
		return j, job.ErrFenced
	}
	if err != nil {
		return j, wrap(err, "save job %s", j.ID)
	}
	saved, err := decode[jobItem](item, oldestInCatalog)
	return saved.job(), wrap(err, "save job %s", j.ID)
}

func jobSave(j job.Job) *update {
	u := saveJobPart(j.Part)
	u.set("lookPool", number(j.Look.Pool))
	u.set("lookShard", number(j.Look.Shard))
	u.set("lookAfter", text(j.Look.After))
	u.set("lookBegan", number(millis(j.Look.Began)))
	u.set("lookFound", number(j.Look.Found))
	u.set("lookLeft", number(j.Look.Left))
	u.set("lookLeftAt", number(millis(j.Look.LeftAt)))
	u.set("lookUntil", number(millis(j.Look.Until)))
	u.set("seen", number(millis(j.Seen)))
	u.set("lookFoundAt", number(millis(j.Look.FoundAt)))
	if j.Kind == job.Export {
		u.set("keys", number(j.Keys))
		u.set("fileUpload", text(j.File.Upload))
		u.set("fileParts", &types.AttributeValueMemberL{Value: newFileParts(j.File.Parts)})
		u.set("fileSize", number(j.File.Size))
		u.set("fileRest", text(j.File.Rest))
		u.set("fileWritten", &types.AttributeValueMemberBOOL{Value: j.File.Written})
	}
	if j.DueAt.IsZero() {
		u.remove("due")
		u.remove("dueAt")
	} else {
		u.set("dueAt", number(millis(j.DueAt)))
	}
	return u
}

// newFileParts returns the parts of a file, each as one text: there may be hundreds.
func newFileParts(parts []job.FilePart) []types.AttributeValue {
	texts := make([]types.AttributeValue, len(parts))
	for i, p := range parts {
		texts[i] = text(fmt.Sprintf("%d %s %s", p.Number, p.Tag, p.Checksum))
	}
	return texts
}

func filePartsOf(texts []string) []job.FilePart {
	var parts []job.FilePart
	for _, text := range texts {
		var p job.FilePart
		fmt.Sscanf(text, "%d %s %s", &p.Number, &p.Tag, &p.Checksum) // some have no checksum
		parts = append(parts, p)
	}
	return parts
}

// EndJob saves the end of a job, with its entry in the audit trail and the notice that tells
// the merchant: one transaction. One that withdraws an upload and was cut short takes its mark
// off the upload, so that the rest may be withdrawn by another. One that erases a customer
// forgets whom; one that exports is not among those any more that are running. It fails with
// job.ErrFenced as SaveJob does.
func (s *Store) EndJob(ctx context.Context, j job.Job) error {
	u := jobSave(j)
	u.set("finishedAt", number(millis(j.FinishedAt)))
	var tx transaction
	u.remove("customer")
	if j.Cut {
		u.set("cut", &types.AttributeValueMemberBOOL{Value: true})
	}
	if j.Kind == job.Export {
		tx.add(s.countExports(j.Merchant, -1, always))
	}
	if j.Cut && j.Kind == job.Withdraw {
		mark := newUpdate(condition{"withdrawal = :job", attrs{":job": text(j.ID)}})
		mark.remove("withdrawal")
		mark.remove("withdrawnAt")
		tx.add(mark.write(s.tables.Catalog, uploadKey(j.Merchant, j.Upload)))
	}
	tx.add(u.write(s.tables.Catalog, jobKey(j.Merchant, j.ID)))
	tx.add(s.entryWrite(audit.OfEndedJob(ctx, j)))
	if j.Kind != job.Retain { // which nobody waits for
		tx.add(noticePut(s.tables.Orders, notice.OfJob(j)))
	}
	err := s.transactWithRetry(ctx, &tx)
	if anyConditionFailed(err) {
		return job.ErrFenced
	}
	return wrap(err, "end job %s", j.ID)
}

// CancelJob asks a job that has not ended to end, and returns it as it is then; false if it
// has ended.
func (s *Store) CancelJob(ctx context.Context, merchant, id, by string, now time.Time) (job.Job, bool, error) {
	u := newUpdate(condition{expression: "attribute_exists(pk) AND attribute_not_exists(#done)"})
	u.name("#done", "done")
	u.set("cancelledBy", text(by))
	u.set("dueAt", number(millis(now)))
	item, err := s.writeAndRead(ctx, u.write(s.tables.Catalog, jobKey(merchant, id)))
	if there, ended := failedCondition(err, 0); ended {
		item, err = there, nil
		if there == nil {
			return job.Job{}, false, nil
		}
	}
	if err != nil {
		return job.Job{}, false, wrap(err, "cancel job %s", id)
	}
	then, err := decode[jobItem](item, oldestInCatalog)
	return then.job(), !then.Done, wrap(err, "cancel job %s", id)
}

// SetJobDue changes when the sweep looks at a job again. It returns retry.ErrChanged if that
// was changed meanwhile.
func (s *Store) SetJobDue(ctx context.Context, j job.Job, dueAt time.Time) error {
	u := newUpdate(condition{"dueAt = :seen", attrs{":seen": number(millis(j.DueAt))}})
	u.set("dueAt", number(millis(dueAt)))
	return wrap(s.write(ctx, u.write(s.tables.Catalog, jobKey(j.Merchant, j.ID))), "set when job %s is due", j.ID)
}

// WithdrawKeys takes keys of a pool side out of sale, if each is still available in the shard
// that it was found in, and counts them in their pool and in the job: one transaction. A claim
// at the same moment takes the key, or this does. It fails with *order.KeysTakenError if some
// are gone, and with job.ErrFenced if another worker has taken the job.
func (s *Store) WithdrawKeys(ctx context.Context, j job.Job, p pool.ID, keys []pool.Key, now time.Time) error {
	event := pool.KeyEvent{At: now, What: pool.KeyTakenOffSale, About: j.ID, By: j.By}
	var tx transaction
	for _, key := range keys {
		tx.add(offSale(key, j.ID, event).write(s.tables.Keys, licenseKey(key.ID)))
	}
	tx.add(addToCount(always, "withdrawn", len(keys)).write(s.tables.Catalog, countKey(p)))
	fence := tx.add(s.countInJob(j, len(keys), now))
	err := s.transactWithRetry(ctx, &tx)
	if _, fenced := failedCondition(err, fence); fenced {
		return job.ErrFenced
	}
	return wrap(goneMeanwhile(err, keys), "withdraw %d keys", len(keys))
}

// countInJob returns the write that counts keys which a job has changed, while no other worker
// has taken it.
func (s *Store) countInJob(j job.Job, keys int, now time.Time) types.TransactWriteItem {
	u := saveJobPart(job.Part{Token: j.Token, SavedAt: now})
	u.add("keys", keys)
	return u.write(s.tables.Catalog, jobKey(j.Merchant, j.ID))
}

// MoveKeys moves keys to the pool that the job moves to, if each is still available in the
// shard that it was found in, and counts them in both pools and in the job: one transaction. A
// claim at the same moment takes the key where it was, or this does. Each upload that they came
// from is told of the pool, for its withdrawal to find them there. It fails with
// *order.KeysTakenError if some keys are gone or their upload was withdrawn, and with
// job.ErrFenced if another worker has taken the job.
func (s *Store) MoveKeys(ctx context.Context, j job.Job, shards int, keys []pool.Key, now time.Time) error {
	event := pool.KeyEvent{At: now, What: pool.KeyMoved, About: j.ID, By: j.By}.String()
	var tx transaction
	for _, key := range keys {
		u := newUpdate(foundIn(key))
		u.set("shard", text(shardName(j.ToID(), random.N(ctx, shards))))
		u.set("place", text(randomHex(ctx)))
		u.set("pool", text(j.To))
		u.insert("history", event)
		tx.add(u.write(s.tables.Keys, licenseKey(key.ID)))
	}
	told := map[string]int{} // the position of its write, by upload
	for _, key := range keys {
		if _, ok := told[key.Upload]; !ok {
			u := newUpdate(movable)
			u.insert("movedTo", j.To)
			told[key.Upload] = tx.add(u.write(s.tables.Catalog, uploadKey(j.Merchant, key.Upload)))
		}
	}
	tx.add(addToCount(always, "accepted", -len(keys)).write(s.tables.Catalog, countKey(j.PoolID())))
	tx.add(addToCount(always, "accepted", len(keys)).write(s.tables.Catalog, countKey(j.ToID())))
	fence := tx.add(s.countInJob(j, len(keys), now))
	err := s.transactWithRetry(ctx, &tx)
	if _, fenced := failedCondition(err, fence); fenced {
		return job.ErrFenced
	}
	var stay order.KeysTakenError
	for i, key := range keys {
		_, gone := failedCondition(err, i)
		_, withdrawn := failedCondition(err, told[key.Upload])
		if gone || withdrawn {
			stay.Keys = append(stay.Keys, key.ID)
		}
	}
	if len(stay.Keys) > 0 {
		return &stay
	}
	return wrap(err, "move %d keys of %s", len(keys), j.PoolID())
}

// movable holds of an upload whose keys may be moved.
var movable = condition{expression: "attribute_exists(pk) AND " + notWithdrawn.expression}

// offSale returns the update that takes a key out of sale, if it is still available in the
// shard that it was found in.
func offSale(key pool.Key, by string, event pool.KeyEvent) *update {
	u := newUpdate(foundIn(key))
	u.set("state", text(string(pool.KeyWithdrawn)))
	u.set("withdrawnBy", text(by))
	u.remove("shard")
	u.remove("place")
	u.insert("history", event.String())
	return u
}

// foundIn holds while a key is still available in the shard that it was found in.
func foundIn(key pool.Key) condition {
	return condition{"#shard = :from", attrs{":from": text(key.Shard)}}
}

// goneMeanwhile returns the error of a transaction whose first writes are of these keys: an
// *order.KeysTakenError that names those whose condition does not hold, if there are any.
func goneMeanwhile(err error, keys []pool.Key) error {
	var taken order.KeysTakenError
	for i, key := range keys {
		if _, gone := failedCondition(err, i); gone {
			taken.Keys = append(taken.Keys, key.ID)
		}
	}
	if len(taken.Keys) > 0 {
		return &taken
	}
	return err
}

// StoredKeys returns what is known of those of the keys that are in the table, in any order,
// with their texts: consistent reads, one call for each hundred.
func (s *Store) StoredKeys(ctx context.Context, ids []pool.KeyID) ([]pool.StoredKey, error) {
	items, err := s.keyItems(ctx, ids, "text")
	if err != nil {
		return nil, err
	}
	keys := make([]pool.StoredKey, len(items))
	for i, item := range items {
		if keys[i].Record, err = keyRecord(item); err != nil {
			return nil, fmt.Errorf("read %d keys: %w", len(ids), err)
		}
		keys[i].Text = pool.Conceal(stringOf(item["text"]))
	}
	return keys, nil
}

// OnSale returns up to n of the keys for sale in a shard of a pool side, those behind a place,
// without their texts, and the place of the last one; "" if there are no more. The index lags.
func (s *Store) OnSale(ctx context.Context, p pool.ID, shard int, after string, n int) (keys []pool.Key, last string, err error) {
	q := query{
		table: s.tables.Keys, index: availableIndex,
		where: inShard, values: attrs{":shard": text(shardName(p, shard))},
		limit: n, attributes: []string{"pk", "upload", "place"},
	}
	if after != "" {
		q.where += " AND place > :after"
		q.values[":after"] = text(after)
	}
	items, err := s.items(ctx, q)
	if err != nil {
		return nil, "", fmt.Errorf("look at the keys of %s: %w", p, err)
	}
	for _, item := range items {
		keys = append(keys, pool.Key{ID: pool.KeyID(stringOf(item["pk"])), Upload: stringOf(item["upload"]), Shard: shardName(p, shard)})
		last = stringOf(item["place"])
	}
	if len(items) < n {
		last = ""
	}
	return keys, last, nil
}
