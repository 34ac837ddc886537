package dynamo

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/notice"
	"keypool/shared/pool"
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

	Seen        *seenItem       `dynamodbav:"seen,omitempty"`
	Reading     *readingOptions `dynamodbav:"reading,omitempty"`
	ConfirmedAt int64           `dynamodbav:"confirmedAt,omitempty"`
	Remembered  bool            `dynamodbav:"remembered,omitempty"`

	State  string         `dynamodbav:"state"`
	Cause  string         `dynamodbav:"cause,omitempty"`
	Ranges int            `dynamodbav:"ranges"`
	Done   int            `dynamodbav:"done"`
	Lines  int            `dynamodbav:"lines"`
	Counts map[string]int `dynamodbav:"counts"` // by outcome
	Kept   []keptItem     `dynamodbav:"kept,omitempty"`

	ReceivedAt int64  `dynamodbav:"receivedAt"`
	FinishedAt int64  `dynamodbav:"finishedAt,omitempty"`
	Counted    bool   `dynamodbav:"counted,omitempty"`
	Reminded   bool   `dynamodbav:"reminded,omitempty"`
	Due        string `dynamodbav:"due,omitempty"`
	DueAt      int64  `dynamodbav:"dueAt,omitempty"`

	// No change of state writes these: see StartWithdrawal and MoveKeys.
	Withdrawal  string   `dynamodbav:"withdrawal,omitempty"`
	WithdrawnAt int64    `dynamodbav:"withdrawnAt,omitempty"`
	MovedTo     []string `dynamodbav:"movedTo,stringset,omitempty"`
}

// seenItem is what a look at the first bytes of a file found.
type seenItem struct {
	Asked     []findingItem `dynamodbav:"asked,omitempty"`
	Warned    []findingItem `dynamodbav:"warned,omitempty"`
	HeadingAt int64         `dynamodbav:"headingAt,omitempty"`
	Numbering string        `dynamodbav:"numbering,omitempty"`
	Table     *tableItem    `dynamodbav:"table,omitempty"`
}

// tableItem is how a table is read.
type tableItem struct {
	Separator string   `dynamodbav:"separator"`
	Columns   int      `dynamodbav:"columns"`
	Column    int      `dynamodbav:"column,omitempty"`
	DataAt    int64    `dynamodbav:"dataAt,omitempty"`
	Named     []string `dynamodbav:"named,omitempty"`
}

type findingItem struct {
	Trait string `dynamodbav:"trait"`
	Lines int    `dynamodbav:"lines"`
	First int    `dynamodbav:"first"`
}

// readingOptions say how the lines of a file are read.
type readingOptions struct {
	SkipHeading  bool `dynamodbav:"skipHeading,omitempty"`
	SkipComments bool `dynamodbav:"skipComments,omitempty"`
	StripNumbers bool `dynamodbav:"stripNumbers,omitempty"`
	StripQuotes  bool `dynamodbav:"stripQuotes,omitempty"`
}

// readingItem is an answer that is remembered for a pool.
type readingItem struct {
	primaryKey
	V int `dynamodbav:"v"`
	readingOptions
	Upload string `dynamodbav:"upload"` // that it was given for
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

// Upload returns the record of an upload, false if there is none: one consistent read.
func (s *Store) Upload(ctx context.Context, merchant, id string) (upload.Upload, bool, error) {
	item, ok, err := getAs[uploadItem](ctx, s, s.tables.Catalog, uploadKey(merchant, id), oldestInCatalog)
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
	items, err := queryAs[uploadItem](ctx, s, q, oldestInCatalog)
	var uploads []upload.Upload
	for _, item := range items {
		uploads = append(uploads, item.upload())
	}
	return uploads, wrap(err, "list the uploads of %s", merchant)
}

// ticketItem is a ticket that was used: an address that takes one file.
type ticketItem struct {
	primaryKey
	V       int    `dynamodbav:"v"`
	Version string `dynamodbav:"objectVersion"` // that has it
}

// UseTicket gives a ticket to the version of an object that was put to it, the first that
// comes. It is false if another version has it.
func (s *Store) UseTicket(ctx context.Context, merchant, ticket string, o upload.Object) (bool, error) {
	free := condition{"attribute_not_exists(pk) OR objectVersion = :version", attrs{":version": text(o.Version)}}
	err := s.write(ctx, put(s.tables.Catalog, encode(ticketItem{ticketKey(merchant, ticket), schema, o.Version}), free))
	if _, used := failedCondition(err, 0); used {
		return false, nil
	}
	return err == nil, wrap(err, "use a ticket of %s", merchant)
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

// MoveUpload brings an upload from one state to another, "" before there is a
// record, and reports whether it was in the first: one transaction of the record,
// the mark that the upload waits for its pool, and the notice. It is tried again if
// another upload is added to the same notice meanwhile.
func (s *Store) MoveUpload(ctx context.Context, from upload.State, u upload.Upload, tell *notice.Notice) (bool, error) {
	moved, err := s.moveUpload(ctx, from, u, tell)
	return moved, wrap(err, "bring upload %s to %s", u.ID, u.State)
}

// moveUpload makes the further writes in the same transaction, after the record's.
func (s *Store) moveUpload(ctx context.Context, from upload.State, u upload.Upload, tell *notice.Notice, further ...types.TransactWriteItem) (bool, error) {
	writes := append([]types.TransactWriteItem{s.uploadWrite(from, u)}, further...)
	switch parked := parkedKey(u.PoolID(), u.ID); {
	case u.State == upload.Parked:
		writes = append(writes, put(s.tables.Catalog, encode(parkedItem{parked, schema}), always))
	case from == upload.Parked:
		writes = append(writes, remove(s.tables.Catalog, parked, always))
	}
	var told []notice.Notice
	if tell != nil {
		told = append(told, *tell)
	}
	err := s.writeAndTell(ctx, told, writes...)
	if _, moved := failedCondition(err, 0); moved {
		return false, nil
	}
	return err == nil, err
}

// uploadWrite creates the record, or changes the attributes that a change of state may change.
func (s *Store) uploadWrite(from upload.State, u upload.Upload) types.TransactWriteItem {
	item := encode(newUploadItem(u))
	if from == "" {
		return put(s.tables.Catalog, item, absent)
	}
	update := newUpdate(condition{"#state = :from", attrs{":from": text(string(from))}})
	update.remove("reminded") // of the state that it is in no longer
	for _, name := range []string{"state", "cause", "encoding", "ranges", "kept", "finishedAt", "due", "dueAt", "seen", "reading", "remembered", "counted"} {
		if value, ok := item[name]; ok {
			update.set(name, value)
		} else {
			update.remove(name)
		}
	}
	return update.write(s.tables.Catalog, uploadKey(u.Merchant, u.ID))
}

// ConfirmUpload stores the merchant's answer to the question about a held upload, for it
// and for later files of its pool that raise the same question: one transaction. It is
// false if the upload is not held.
func (s *Store) ConfirmUpload(ctx context.Context, u upload.Upload) (bool, error) {
	item := newUploadItem(u)
	record := newUpdate(condition{"#state = :from", attrs{":from": text(string(upload.NeedsConfirmation))}})
	all := encode(item)
	for _, name := range []string{"state", "reading", "confirmedAt", "due", "dueAt"} {
		if value, ok := all[name]; ok {
			record.set(name, value)
		} else {
			record.remove(name)
		}
	}
	record.remove("cause")
	var tx transaction
	held := tx.add(record.write(s.tables.Catalog, uploadKey(u.Merchant, u.ID)))
	tx.add(put(s.tables.Catalog, encode(readingItem{
		readingKey(u.Merchant, u.Pool, u.Seen.Question()), schema, readingOptions(u.Reading), u.ID,
	}), always))
	err := s.transactWithRetry(ctx, &tx)
	if _, moved := failedCondition(err, held); moved {
		return false, nil
	}
	return err == nil, wrap(err, "confirm upload %s", u.ID)
}

// Reading returns the merchant's answer to a question about files of a pool, false if
// there is none: one consistent read.
func (s *Store) Reading(ctx context.Context, merchant, pool, question string) (upload.Reading, bool, error) {
	item, ok, err := getAs[readingItem](ctx, s, s.tables.Catalog, readingKey(merchant, pool, question), oldestInCatalog)
	return item.reading(), ok, wrap(err, "read an answer about files of pool %s of %s", pool, merchant)
}

// Readings returns the answers about files of a pool, by their question.
func (s *Store) Readings(ctx context.Context, merchant, pool string) ([]upload.Remembered, error) {
	first := readingKey(merchant, pool, "")
	items, err := queryAs[readingItem](ctx, s, withPrefix(s.tables.Catalog, first.PK, first.SK), oldestInCatalog)
	var all []upload.Remembered
	for _, item := range items {
		all = append(all, upload.Remembered{Question: item.after(first.SK), Reading: item.reading(), Upload: item.Upload})
	}
	return all, wrap(err, "list the answers about files of pool %s of %s", pool, merchant)
}

// ForgetReading forgets an answer, if there is one.
func (s *Store) ForgetReading(ctx context.Context, merchant, pool, question string) error {
	err := s.write(ctx, remove(s.tables.Catalog, readingKey(merchant, pool, question), always))
	return wrap(err, "forget an answer about files of pool %s of %s", pool, merchant)
}

// PostponeUpload sets when the sweep looks at an upload again, unless its state has
// changed meanwhile.
func (s *Store) PostponeUpload(ctx context.Context, u upload.Upload, until time.Time) error {
	update := newUpdate(condition{"#state = :state", attrs{":state": text(string(u.State))}})
	update.name("#state", "state")
	update.set("dueAt", number(millis(until)))
	err := s.write(ctx, update.write(s.tables.Catalog, uploadKey(u.Merchant, u.ID)))
	if _, moved := failedCondition(err, 0); moved {
		return nil
	}
	return wrap(err, "postpone upload %s", u.ID)
}

// SetUploadDue changes when an upload is looked at again, never for the zero time.
// It returns retry.ErrChanged if that was changed meanwhile.
func (s *Store) SetUploadDue(ctx context.Context, u upload.Upload, dueAt time.Time) error {
	return wrap(s.write(ctx, s.uploadDue(u, dueAt).write(s.tables.Catalog, uploadKey(u.Merchant, u.ID))), "set when upload %s is due", u.ID)
}

// RemindUpload reminds the owner of an upload that was not read, and sets when the upload
// is looked at again, never for the zero time: one transaction. It returns
// retry.ErrChanged if that was changed meanwhile.
func (s *Store) RemindUpload(ctx context.Context, u upload.Upload, dueAt time.Time, tell notice.Notice) error {
	due := s.uploadDue(u, dueAt)
	due.set("reminded", &types.AttributeValueMemberBOOL{Value: true})
	err := s.writeAndTell(ctx, []notice.Notice{tell}, due.write(s.tables.Catalog, uploadKey(u.Merchant, u.ID)))
	return wrap(err, "remind of upload %s", u.ID)
}

// uploadDue returns the change of when an upload is looked at again, if that is as it was
// read.
func (s *Store) uploadDue(u upload.Upload, dueAt time.Time) *update {
	update := newUpdate(condition{"dueAt = :seen", attrs{":seen": number(millis(u.DueAt))}})
	if dueAt.IsZero() {
		update.remove("due")
		update.remove("dueAt")
	} else {
		update.set("dueAt", number(millis(dueAt)))
	}
	return update
}

func newUploadItem(u upload.Upload) uploadItem {
	item := uploadItem{
		primaryKey: uploadKey(u.Merchant, u.ID), V: schema,
		Bucket: u.Object.Bucket, Name: u.Object.Name, Version: u.Object.Version,
		File: u.File, Pool: u.Pool, Side: string(u.Side), Size: u.Size, Encoding: string(u.Encoding),
		State: string(u.State), Cause: string(u.Cause), Ranges: u.Ranges, Done: u.Done, Lines: u.Lines,
		ConfirmedAt: millis(u.ConfirmedAt), Remembered: u.Remembered,
		Counts:     make(map[string]int, len(u.Counts)), // there even if empty: its entries are increased
		ReceivedAt: millis(u.ReceivedAt), FinishedAt: millis(u.FinishedAt), DueAt: millis(u.DueAt), Counted: u.Counted, Reminded: u.Reminded,
	}
	for outcome, n := range u.Counts {
		item.Counts[string(outcome)] = n
	}
	item.Seen = newSeenItem(u.Seen)
	if u.Reading != (upload.Reading{}) {
		item.Reading = new(readingOptions(u.Reading))
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
		Seen: i.Seen.seen(), ConfirmedAt: at(i.ConfirmedAt), Remembered: i.Remembered,
		Counts:     decodeCounts(i.Counts),
		ReceivedAt: at(i.ReceivedAt), FinishedAt: at(i.FinishedAt), DueAt: at(i.DueAt), Counted: i.Counted, Reminded: i.Reminded,
		Withdrawal: i.Withdrawal, WithdrawnAt: at(i.WithdrawnAt), MovedTo: slices.Sorted(slices.Values(i.MovedTo)),
	}
	if i.Reading != nil {
		u.Reading = i.Reading.reading()
	}
	for _, line := range i.Kept {
		u.Kept = append(u.Kept, upload.RejectedLine{Line: line.Line, Reason: upload.Outcome(line.Reason), SoldAt: at(line.SoldAt)})
	}
	return u
}

// newSeenItem returns nil if there is nothing to keep.
func newSeenItem(s upload.Seen) *seenItem {
	item := &seenItem{Asked: newFindingItems(s.Asked), Warned: newFindingItems(s.Warned), HeadingAt: s.HeadingAt, Numbering: s.Numbering}
	if s.Table.Is() {
		item.Table = new(tableItem(s.Table))
	}
	if len(s.Asked)+len(s.Warned) == 0 && item.Table == nil {
		return nil
	}
	return item
}

func newFindingItems(findings []upload.Finding) (items []findingItem) {
	for _, f := range findings {
		items = append(items, findingItem{string(f.Trait), f.Lines, f.First})
	}
	return items
}

func (i *seenItem) seen() upload.Seen {
	if i == nil {
		return upload.Seen{}
	}
	seen := upload.Seen{Asked: findings(i.Asked), Warned: findings(i.Warned), HeadingAt: i.HeadingAt, Numbering: i.Numbering}
	if i.Table != nil {
		seen.Table = upload.Table(*i.Table)
	}
	return seen
}

func findings(items []findingItem) (findings []upload.Finding) {
	for _, i := range items {
		findings = append(findings, upload.Finding{Trait: upload.Trait(i.Trait), Lines: i.Lines, First: i.First})
	}
	return findings
}

func (o readingOptions) reading() upload.Reading { return upload.Reading(o) }
