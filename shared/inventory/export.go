package inventory

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"keypool/shared/audit"
	"keypool/shared/catalog"
	"keypool/shared/job"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// Export says which keys are exported.
type Export struct {
	Of     pool.ID
	Choice job.Choice
	By     string
	Why    string
}

// Export has keys of a pool side written to a file, and returns the job that does it. Its error
// is job.ErrNotFound if there is no such pool, job.ErrPeriod, or job.ErrExports.
func (s *Jobs) Export(ctx context.Context, e Export) (job.Job, error) {
	if err := e.Choice.Check(); err != nil {
		return job.Job{}, err
	}
	_, there, err := s.Pools.Pool(ctx, e.Of.Merchant, e.Of.Pool)
	if err != nil {
		return job.Job{}, err
	}
	if !there {
		return job.Job{}, job.ErrNotFound
	}
	return s.start(ctx, job.Job{
		Merchant: e.Of.Merchant, Kind: job.Export, Pool: e.Of.Pool, Side: e.Of.Side, Choice: e.Choice, By: e.By, Why: e.Why,
	})
}

// Exports gives away the files of jobs that export.
type Exports struct {
	Jobs  ExportStore
	Files Links
	Now   func() time.Time
}

// ExportStore keeps jobs, and the audit trail.
type ExportStore interface {
	// Job returns a job, false if there is none.
	Job(ctx context.Context, merchant, id string) (job.Job, bool, error)
	// AddEntry adds an entry to the audit trail.
	AddEntry(ctx context.Context, e audit.Entry) error
}

// Links makes addresses at which an object can be fetched.
type Links interface {
	// PresignFile returns an address that serves an object, as a file of that name, until it
	// expires.
	PresignFile(ctx context.Context, object, file string, expires time.Duration) (string, error)
}

// LinkGood is how long the link to a file is good.
const LinkGood = 10 * time.Minute

// Link is an address at which the file of an export can be fetched, by whoever has it.
type Link struct {
	URL       string
	ExpiresAt time.Time
	Job       job.Job
}

// Link returns a link to the file of an export. Each is in the audit trail before anybody has
// it. Its error is job.ErrNotFound, job.ErrNoFile or job.ErrFileGone.
func (e *Exports) Link(ctx context.Context, merchant, id, by string) (Link, error) {
	j, there, err := e.Jobs.Job(ctx, merchant, id)
	switch {
	case err != nil:
		return Link{}, err
	case !there:
		return Link{}, job.ErrNotFound
	}
	now := e.Now()
	if err := j.FileState(now); err != nil {
		return Link{}, err
	}
	link := Link{ExpiresAt: now.Add(LinkGood), Job: j}
	made := catalog.Shown{"pool": j.Pool, "side": string(j.Side), "which": string(j.Choice.Which), "keys": j.Keys, "expires_at": link.ExpiresAt.UTC().Format(time.RFC3339)}
	if err := e.Jobs.AddEntry(ctx, audit.New(ctx, audit.Entry{Merchant: merchant, By: by, Thing: audit.Link, Name: j.ID, After: made}, now)); err != nil {
		return Link{}, err
	}
	link.URL, err = e.Files.PresignFile(ctx, j.Object(), j.FileName(), LinkGood)
	return link, err
}

// Files is the bucket of files.
type Files interface {
	// BeginFile begins an object that is written in parts, and returns the upload by which the
	// parts become one.
	BeginFile(ctx context.Context, object string, format job.Format) (upload string, err error)
	// WritePart writes a part of an object, of 5 MiB or more unless it is the last. It is
	// upload.ErrGone if the upload has ended.
	WritePart(ctx context.Context, object, upload string, number int, content []byte) (job.FilePart, error)
	// FinishFile makes an object of the parts, in their order. An object that was finished
	// before is finished. It is upload.ErrGone if the upload has ended without an object.
	FinishFile(ctx context.Context, object, upload string, parts []job.FilePart) error
	// DropFile deletes the parts of an upload, if it has not ended.
	DropFile(ctx context.Context, object, upload string) error
}

// Rests keeps what comes after the parts of a file, and is too short for one.
type Rests interface {
	Put(ctx context.Context, object string, content []byte) error
	// Rest returns what was put. It is upload.ErrGone if it is not there any more.
	Rest(ctx context.Context, object string) ([]byte, error)
}

// Stored reads keys, and what lines hold of them.
type Stored interface {
	// StoredKeys returns those of the keys that are there, as they stand, in any order.
	StoredKeys(ctx context.Context, ids []pool.KeyID) ([]pool.StoredKey, error)
	// ChunksAfter returns up to limit chunks of a line, those with a higher number, in order.
	ChunksAfter(ctx context.Context, id order.LineID, number, limit int) ([]order.Chunk, error)
}

const (
	// partSize is what a part of a file holds at least, but for the last one. S3 takes 5 MiB and
	// more, 10,000 of them.
	partSize = 8 << 20

	// mostAtOnce is more than the rows of one step take: they are of so many keys for sale, lines
	// of up to 20 keys, or chunks of up to order.MaxKeys keys, each of up to 2 KiB, which escapes may double.
	mostAtOnce   = 5 << 20
	keysAtOnce   = 500
	linesAtOnce  = 50
	chunksAtOnce = 5

	// clockSkew is by how much the clocks of two functions may differ.
	clockSkew = 5 * time.Second

	filesKept = 1000 // uploads that are remembered, so that each is read once
)

// export writes keys of a pool side to a file.
//
// The file is written in parts, and what is saved is where the last one ends: a worker that is
// killed loses a part, and one that runs out of time puts what it has of the next one aside. A
// part has a number of its own (see job.Job.NextPart), so that the file is made of parts that
// follow one another whatever an earlier worker still writes.
//
// The keys change while it looks at them. A key that is for sale may be sold, given back, and
// then stand in another place that is still to be looked at; one that a line had may be sold to
// another line. So a key is passed over that came into the pool, or came back, since the job was
// asked for: no key is in the file twice.
type export struct {
	progress
	source source
	at     job.Look     // up to which the keys are in the file or in buffer
	keys   int          // so many
	buffer bytes.Buffer // comes after the parts
	moved  bool         // the job has a part that is not saved
	files  map[string]file
}

// source is where keys are looked for.
type source interface {
	// next returns the next keys behind a place, and the place that it has come to.
	next(ctx context.Context, after job.Look) (keys []soldKey, place job.Look, last bool, err error)
}

// soldKey is a key, and the line that has it, or had it last: nil while it is for sale.
type soldKey struct {
	pool.StoredKey
	line *order.Fulfillment
}

// export returns the work of a job that exports.
func (w *Worker) export(ctx context.Context, begun progress) (job.Work, error) {
	e := &export{progress: begun, at: begun.job.Look, keys: begun.job.Keys, files: map[string]file{}}
	if e.job.Choice.Which == job.Sold {
		e.source = &soldKeys{e}
	} else {
		in, err := w.side(ctx, e.job.PoolID())
		if err != nil {
			return nil, err
		}
		e.source = &unsoldKeys{e, in}
	}
	e.buffer.Grow(e.partSize() + mostAtOnce)
	if e.job.File.Rest == "" {
		return e, nil
	}
	rest, err := w.Rests.Rest(ctx, e.job.File.Rest)
	if errors.Is(err, upload.ErrGone) {
		e.startOver()
		return e, nil
	}
	e.buffer.Write(rest)
	return e, err
}

// Step reads the next keys and writes a part once it is full. The last step makes the file of the
// parts, which are all saved by then: so it is of these, whoever does it.
func (e *export) Step(ctx context.Context) (last bool, err error) {
	if e.cut() {
		return true, e.drop(ctx)
	}
	if e.job.File.Written {
		return e.finish(ctx)
	}
	if e.at.Began.IsZero() {
		e.at.Began = e.Now()
		e.buffer.WriteString(heading(e.job.Choice.Format))
	}
	keys, place, end, err := e.source.next(ctx, e.at)
	if err != nil {
		return false, err
	}
	if err := e.append(ctx, keys); err != nil {
		return false, err
	}
	e.at, e.keys = place, e.keys+len(keys)
	if e.buffer.Len() < e.partSize() && !end {
		return false, nil
	}
	err = e.writePart(ctx, end)
	if errors.Is(err, upload.ErrGone) {
		e.startOver()
		return false, nil
	}
	return false, err
}

func (e *export) partSize() int { return cmp.Or(e.PartSize, partSize) }

// append writes rows of keys to the buffer, all or none.
func (e *export) append(ctx context.Context, keys []soldKey) error {
	if len(e.files) > filesKept {
		clear(e.files)
	}
	var ids []string
	for _, key := range keys {
		if _, known := e.files[key.Upload]; !known {
			ids = append(ids, key.Upload)
		}
	}
	read, err := filesOf(ctx, e.Uploads, e.job.Merchant, ids)
	if err != nil {
		return err
	}
	maps.Copy(e.files, read)
	var rows bytes.Buffer
	for _, key := range keys {
		f := e.files[key.Upload]
		line, _ := f.upload.FileLine(f.ranges, key.Offset, key.Row)
		if err := writeRow(&rows, e.job.Choice.Format, newRow(key, f.upload.File, line)); err != nil {
			return err
		}
	}
	e.buffer.Write(rows.Bytes())
	return nil
}

// writePart writes the buffer as the next part of the file.
func (e *export) writePart(ctx context.Context, end bool) (err error) {
	f := e.job.File
	if f.Upload == "" {
		if f.Upload, err = e.Files.BeginFile(ctx, e.job.Object(), e.job.Choice.Format); err != nil {
			return err
		}
	}
	part, err := e.Files.WritePart(ctx, e.job.Object(), f.Upload, e.job.NextPart(), e.buffer.Bytes())
	if err != nil {
		return err
	}
	e.job.Look, e.job.Keys = e.at, e.keys
	e.job.File = job.File{Upload: f.Upload, Parts: append(slices.Clip(f.Parts), part), Size: f.Size + int64(e.buffer.Len()), Written: end}
	e.buffer.Reset()
	e.moved = true
	return nil
}

// finish makes the file of its parts.
func (e *export) finish(ctx context.Context) (last bool, err error) {
	f := e.job.File
	err = e.Files.FinishFile(ctx, e.job.Object(), f.Upload, f.Parts)
	if errors.Is(err, upload.ErrGone) {
		e.startOver()
		return false, nil
	}
	if err != nil {
		return false, err
	}
	e.job.File = job.File{Size: f.Size}
	return true, nil
}

// startOver begins the file anew: what there was of it was deleted, since nobody went on with it
// for a day.
func (e *export) startOver() {
	e.job.File, e.job.Look, e.job.Keys = job.File{}, job.Look{}, 0
	e.at, e.keys, e.moved = job.Look{}, 0, true
	e.buffer.Reset()
}

// drop deletes what there is of the file.
func (e *export) drop(ctx context.Context) error {
	if e.job.File.Upload != "" {
		if err := e.Files.DropFile(ctx, e.job.Object(), e.job.File.Upload); err != nil {
			return err
		}
	}
	e.job.File, e.job.Keys = job.File{}, 0
	return nil
}

// SaveDue implements job.Work.
func (e *export) SaveDue() bool { return e.moved }

// Save saves how far the file has come. What comes after its parts is put aside first: a worker
// that has some when it saves has no time left.
func (e *export) Save(ctx context.Context) error {
	if e.at != e.job.Look {
		if e.buffer.Len() > 0 {
			rest := e.job.RestObject(e.keys)
			if err := e.Rests.Put(ctx, rest, e.buffer.Bytes()); err != nil {
				return err
			}
			e.job.File.Rest = rest
		}
		e.job.Look, e.job.Keys = e.at, e.keys
	}
	err := e.progress.Save(ctx)
	if err == nil {
		e.moved = false
	}
	return err
}

// unsoldKeys are the keys of a pool side that are for sale.
type unsoldKeys struct {
	*export
	in side
}

func (s *unsoldKeys) next(ctx context.Context, after job.Look) (keys []soldKey, place job.Look, last bool, err error) {
	shown, on, err := s.Keys.OnSale(ctx, s.in.ID, after.Shard, after.After, keysAtOnce)
	if err != nil {
		return nil, after, false, err
	}
	ids := make([]pool.KeyID, len(shown))
	for i, key := range shown {
		ids[i] = key.ID
	}
	stored, err := s.stored(ctx, ids)
	if err != nil {
		return nil, after, false, err
	}
	for _, id := range ids {
		key := stored[id]
		if key.Shard == "" || key.Pool != s.in.Pool || s.cameSince(key) {
			continue // the index lags
		}
		keys = append(keys, soldKey{StoredKey: key})
	}
	if after.After = on; on == "" {
		after.Shard++
	}
	return keys, after, after.Shard >= s.in.shards, nil
}

// soldKeys are the keys that lines have of a pool, and those that were set aside for others, the
// lines that came last first.
type soldKeys struct{ *export }

func (s *soldKeys) next(ctx context.Context, after job.Look) (keys []soldKey, place job.Look, last bool, err error) {
	at, chunk, inside := parseInside(after.After)
	if inside {
		return s.inside(ctx, after, at, chunk)
	}
	choice, until := s.job.Choice, s.job.CreatedAt.Add(time.Millisecond)
	if !choice.Until.IsZero() && choice.Until.Before(until) {
		until = choice.Until
	}
	places, err := s.Lines.Places(ctx, order.Search{Merchant: s.job.Merchant, Side: s.job.Side, From: choice.From, Until: until}, at, linesAtOnce)
	if err != nil {
		return nil, after, false, err
	}
	ids := make([]order.LineID, len(places))
	for i, place := range places {
		ids[i] = place.Line
	}
	lines, err := s.Lines.LinesByID(ctx, ids)
	if err != nil {
		return nil, after, false, err
	}
	var holds []held
	last = len(places) < linesAtOnce
	for _, place := range places {
		after.After = formatPlace(place)
		line, there := lines[place.Line]
		if !there || line.Pool != s.job.Pool {
			continue
		}
		for _, key := range line.Keys {
			holds = append(holds, held{key.ID, &line})
		}
		for _, id := range line.Replaced {
			holds = append(holds, held{id, &line})
		}
		if line.Chunks > 0 {
			after.After, last = formatInside(place, 0), false
			break
		}
	}
	keys, err = s.of(ctx, holds)
	return keys, after, last, err
}

// inside returns the next keys of a line that are in chunks.
func (s *soldKeys) inside(ctx context.Context, after job.Look, at order.Place, chunk int) (keys []soldKey, place job.Look, last bool, err error) {
	lines, err := s.Lines.LinesByID(ctx, []order.LineID{at.Line})
	if err != nil {
		return nil, after, false, err
	}
	line, there := lines[at.Line]
	if !there { // it was wiped
		after.After = formatPlace(at)
		return nil, after, false, nil
	}
	chunks, err := s.Stored.ChunksAfter(ctx, at.Line, chunk, chunksAtOnce)
	if err != nil {
		return nil, after, false, err
	}
	var holds []held
	for _, c := range chunks {
		for _, key := range c.Keys {
			holds = append(holds, held{key.ID, &line})
		}
		after.After = formatInside(at, c.Number)
	}
	if len(chunks) < chunksAtOnce {
		after.After = formatPlace(at)
	}
	keys, err = s.of(ctx, holds)
	return keys, after, false, err
}

// held is a key as its line tells.
type held struct {
	key  pool.KeyID
	line *order.Fulfillment
}

// of returns the keys as they stand, but for those that have left their line for another, or for
// sale.
func (s *soldKeys) of(ctx context.Context, holds []held) (keys []soldKey, err error) {
	ids := make([]pool.KeyID, len(holds))
	for i, h := range holds {
		ids[i] = h.key
	}
	stored, err := s.stored(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, h := range holds {
		key := stored[h.key]
		if key.Line == string(h.line.ID) && !s.cameSince(key) {
			keys = append(keys, soldKey{key, h.line})
		}
	}
	return keys, nil
}

// stored returns the keys as they stand.
func (e *export) stored(ctx context.Context, ids []pool.KeyID) (map[pool.KeyID]pool.StoredKey, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	read, err := e.Stored.StoredKeys(ctx, ids)
	stored := make(map[pool.KeyID]pool.StoredKey, len(read))
	for _, key := range read {
		stored[key.ID] = key
	}
	return stored, err
}

// cameSince reports whether a key came into the pool, or came back, since the job was asked for.
func (e *export) cameSince(key pool.StoredKey) bool {
	return key.Since(e.job.CreatedAt.Add(-clockSkew), pool.KeyRestockedBy, pool.KeyMoved)
}

// A place inside a line names the chunk up to which the keys of the line have been seen.

func formatInside(p order.Place, chunk int) string {
	return fmt.Sprintf("%s in %d", formatPlace(p), chunk)
}

func parseInside(after string) (p order.Place, chunk int, inside bool) {
	place, in, inside := strings.Cut(after, " in ")
	if inside {
		chunk, _ = strconv.Atoi(in)
	}
	return parsePlace(place), chunk, inside
}
