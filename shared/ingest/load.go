package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"keypool/shared/job"
	"keypool/shared/pool"
	"keypool/shared/random"
	"keypool/shared/upload"
)

const (
	// saveEvery is the number of lines between two saves. A worker that dies costs the
	// next one as many lookups at most.
	saveEvery = 5000
)

// loader loads one range: the job.Work of one worker.
type loader struct {
	*Worker
	upload upload.Upload
	pool   pool.ID
	shards int
	salt   []byte
	lines  lines
	pace   pace

	withdrawn bool      // its upload was, when that was last looked at
	lookedAt  time.Time // for that

	done     upload.Range          // every line before its Offset is in the table, or rejected
	rejected []upload.RejectedLine // of done, not yet saved
	saved    int                   // lines of done that are saved
}

// lines reads the lines of a range, or the rows of a table. Its methods are those of Reader.
type lines interface {
	Next() (Line, error)
	At() int64
	Lines() int
}

// loadRange loads a range from its saved progress. If it was the last one, the
// upload is finished.
func (w *Worker) loadRange(ctx context.Context, u upload.Upload, n int) error {
	if n < 0 || n >= u.Ranges {
		return fmt.Errorf("there are only %d ranges", u.Ranges)
	}
	err := w.takeRange(ctx, u, n)
	switch {
	case errors.Is(err, job.ErrFenced):
		return nil
	case upload.CauseOf(err) != "":
		return w.finishUnread(ctx, u, upload.CauseOf(err))
	case err != nil:
		return err
	}
	return w.finishIfDone(ctx, u)
}

// takeRange takes the range and loads it to its end.
func (w *Worker) takeRange(ctx context.Context, u upload.Upload, n int) error {
	r, err := w.Ranges.TakeRange(ctx, u, n, w.Now())
	if err != nil {
		return err
	}
	l := &loader{Worker: w, upload: u, pool: u.PoolID(), done: r, saved: r.Lines, withdrawn: u.Withdrawal != "", lookedAt: w.Now()}
	if !r.Done {
		err = l.load(ctx)
	}
	if l.done.Counts[upload.Accepted] > 0 && (err == nil || errors.Is(err, job.ErrFenced)) {
		// Fill is asked for a range that was done before, too: the worker that ended it
		// may have died before this line, and the sweep looks at old lines only once an
		// hour. It is asked for a fenced range, since the upload may have ended meanwhile.
		w.askForFill(ctx, l.pool, indexLag)
	}
	return err
}

func (l *loader) load(ctx context.Context) error {
	if err := l.prepare(ctx); err != nil {
		return err
	}
	if err := l.open(ctx); err != nil {
		return err
	}
	return job.Run(ctx, l)
}

// prepare reads the merchant's salt and the number of the pool's shards.
func (l *loader) prepare(ctx context.Context) error {
	m, known, err := l.Catalog.Merchant(ctx, l.pool.Merchant)
	if err == nil && !known {
		err = fmt.Errorf("merchant %s is not known any more", l.pool.Merchant)
	}
	if err != nil {
		return err
	}
	l.salt = m.Salt
	p, known, err := l.Catalog.Pool(ctx, l.pool.Merchant, l.pool.Pool)
	if l.shards = p.Shards; !known {
		l.shards = pool.DefaultShards // deleted meanwhile: its keys wait for a pool of its name
	}
	return err
}

// open opens the file at the saved progress of the range.
func (l *loader) open(ctx context.Context) error {
	u, from := l.upload, max(l.done.Offset, int64(l.done.Number)*upload.RangeSize)
	if u.Seen.Table.Is() {
		return l.openTable(ctx)
	}
	end := min(int64(l.done.Number+1)*upload.RangeSize, u.Size)
	if l.done.Number == u.Ranges-1 {
		end = u.Size
	}
	r, err := NewReader(&source{
		ctx: ctx, objects: l.Objects, object: u.Object,
		at: max(0, from-int64(encoding(u.Encoding).unit())), end: min(end+Overlap, u.Size),
	}, u.Encoding, from, end, l.done.Lines)
	if err != nil {
		return err
	}
	r.interpret = interpreter(u.Seen, u.Reading)
	l.lines = r
	return nil
}

// openTable opens a table at its beginning, and passes over what is loaded.
func (l *loader) openTable(ctx context.Context) error {
	u := l.upload
	r, err := newTableReader(&source{ctx: ctx, objects: l.Objects, object: u.Object, end: u.Size}, u.Encoding, u.Seen.Table)
	if err != nil {
		return err
	}
	r.interpret = interpreter(u.Seen, u.Reading)
	l.lines = r
	return r.skipTo(l.done.Offset)
}

// lookEvery is how often a worker looks whether its upload was withdrawn. What it has put on
// sale until then, the withdrawal finds: it ends after the upload does.
const lookEvery = time.Second

// look looks from time to time whether the upload was withdrawn.
func (l *loader) look(ctx context.Context) error {
	now := l.Now()
	if now.Sub(l.lookedAt) < lookEvery {
		return nil
	}
	u, _, err := l.Records.Upload(ctx, l.upload.Merchant, l.upload.ID)
	l.withdrawn, l.lookedAt = u.Withdrawal != "", now
	return err
}

// Step loads the next batch of lines.
func (l *loader) Step(ctx context.Context) (last bool, err error) {
	if err := l.look(ctx); err != nil {
		return false, err
	}
	b, err := l.read()
	if err != nil {
		return false, err
	}
	return b.last, l.store(ctx, b)
}

// SaveDue implements job.Work.
func (l *loader) SaveDue() bool { return l.done.Lines-l.saved >= saveEvery }

// batch is the next lines of a range, with their outcomes.
type batch struct {
	keys     []upload.NewKey
	numbers  map[int64]int                 // of a key's line, by its offset
	later    []upload.NewKey               // looked up once the others are stored
	absent   map[pool.KeyID]upload.Outcome // of those keys of later that the table does not have
	counts   upload.Counts
	rejected []upload.RejectedLine

	withdrawn int // of the accepted keys: not for sale

	at    int64 // where the next batch begins
	lines int   // begun before it
	last  bool
}

// read reads the next batch. Rejected lines do not fill it, but it stays small however
// many there are.
func (l *loader) read() (*batch, error) {
	b := &batch{counts: upload.Counts{}, numbers: make(map[int64]int, upload.BatchSize), absent: map[pool.KeyID]upload.Outcome{}}
	seen := make(map[pool.KeyID]bool, upload.BatchSize)
	for len(b.keys) < upload.BatchSize && len(b.rejected)+len(b.later) < 10*upload.BatchSize {
		line, err := l.lines.Next()
		if errors.Is(err, io.EOF) {
			b.last = true
			break
		}
		if err != nil {
			return nil, err
		}
		if line.Reason != "" {
			for n := range 1 + line.More {
				b.reject(line.Number+n, line.Reason, time.Time{})
			}
			continue
		}
		key := upload.NewKey{
			ID:   pool.Identify(l.salt, l.pool.Merchant, l.pool.Side, line.Text.Reveal()),
			Text: line.Text, Offset: line.Offset, Row: line.Number, Withdrawn: l.withdrawn,
		}
		if l.pool.Side == pool.Test {
			key.Live = pool.Identify(l.salt, l.pool.Merchant, pool.Live, line.Text.Reveal())
		}
		b.numbers[key.Offset] = line.Number
		if seen[key.ID] {
			b.later = append(b.later, key)
			continue
		}
		seen[key.ID] = true
		b.keys = append(b.keys, key)
	}
	b.at, b.lines = l.lines.At(), l.lines.Lines()
	return b, nil
}

// store stores every key of the batch, or finds the known key of its text.
func (l *loader) store(ctx context.Context, b *batch) error {
	if err := l.insert(ctx, b); err != nil {
		return err
	}
	if err := l.classify(ctx, b); err != nil {
		return err
	}
	counts := upload.Counts{}
	counts.Add(l.done.Counts)
	counts.Add(b.counts)
	l.done.Counts, l.done.Offset, l.done.Lines = counts, b.at, b.lines
	l.done.Withdrawn += b.withdrawn
	slices.SortFunc(b.rejected, func(x, y upload.RejectedLine) int { return x.Line - y.Line })
	l.rejected = append(l.rejected, b.rejected...)
	return nil
}

// maxTries is the number of calls in a row of which no key was stored, before a worker
// gives its message back.
const maxTries = 8

// insert stores the keys of the batch, again and again while the table throttles some
// of them. Keys that exist are left for classify.
func (l *loader) insert(ctx context.Context, b *batch) error {
	keys := b.keys
	for tries := 0; len(keys) > 0; {
		began := time.Now()
		results, err := l.Keys.InsertKeys(ctx, l.pool, l.shards, l.upload.ID, keys)
		if err != nil {
			return err
		}
		var throttled []upload.NewKey
		for i, result := range results {
			switch key := keys[i]; result {
			case upload.Stored:
				b.counts[upload.Accepted]++
				if key.Withdrawn {
					b.withdrawn++
				}
			case upload.Exists:
				b.later = append(b.later, key)
			case upload.Rejected:
				b.absent[key.ID] = upload.NotStorable
				b.later = append(b.later, key)
			case upload.OnLiveSide:
				b.absent[key.ID] = upload.OtherSide
				b.later = append(b.later, key) // it may be our own from before it came to the live side
			case upload.Throttled:
				throttled = append(throttled, key)
			}
		}
		if tries++; len(throttled) < len(keys) {
			tries = 0
		}
		if tries > maxTries {
			return errors.New("the table of keys takes none now")
		}
		keys = throttled
		wait := l.pace.next(ctx, time.Since(began), tries, len(throttled) > 0)
		if err := pause(ctx, min(wait, job.TimeLeft(ctx))); err != nil {
			return err
		}
		if len(keys) > 0 && job.TimeLeft(ctx) <= 0 {
			return job.ErrUnfinished // the stored part of the batch is found again
		}
	}
	return nil
}

// classify finds the outcome of the keys that were not stored: this very line, stored
// by an earlier try, or a duplicate.
func (l *loader) classify(ctx context.Context, b *batch) error {
	for keys := range slices.Chunk(b.later, 100) {
		ids := map[pool.KeyID]bool{}
		for _, key := range keys {
			ids[key.ID] = true
			if b.absent[key.ID] == upload.OtherSide {
				ids[key.Live] = true // it may be there for no more than that it is blocked
			}
		}
		found, err := l.Keys.FindKeys(ctx, slices.Sorted(maps.Keys(ids)))
		if err != nil {
			return err
		}
		for _, key := range keys {
			there, ok := found[key.ID]
			outcome := b.absent[key.ID]
			switch {
			case ok:
				outcome = l.outcome(key, there)
			case outcome == upload.OtherSide && found[key.Live].Blocked:
				outcome = upload.Blocked
			}
			switch outcome {
			case "":
				return fmt.Errorf("the key of line %d exists, and is not found", b.numbers[key.Offset])
			case upload.Accepted:
				b.counts[upload.Accepted]++
				if there.State == pool.KeyWithdrawn && there.WithdrawnBy == "" { // as an earlier try stored it
					b.withdrawn++
				}
			default:
				b.reject(b.numbers[key.Offset], outcome, there.SoldAt)
			}
		}
	}
	return nil
}

// outcome returns the outcome of a line whose key is there already.
func (l *loader) outcome(key upload.NewKey, there upload.KnownKey) upload.Outcome {
	switch {
	case there.Upload == l.upload.ID && there.Offset == key.Offset:
		return upload.Accepted // an earlier try stored it and could not save its progress
	case there.Upload == l.upload.ID:
		return upload.SameFile
	case there.Blocked:
		return upload.Blocked
	case !there.SoldAt.IsZero():
		return upload.Sold // whatever became of the key since
	case there.State == pool.KeyShared:
		return upload.SharedCode
	case there.State != pool.KeyAvailable:
		return upload.Withdrawn
	case there.Pool == l.pool.Pool:
		return upload.ThisPool
	default:
		return upload.AnotherPool
	}
}

func (b *batch) reject(line int, reason upload.Outcome, soldAt time.Time) {
	b.counts[reason]++
	b.rejected = append(b.rejected, upload.RejectedLine{Line: line, Reason: reason, SoldAt: soldAt})
}

// Save saves the progress: the rejected lines first, under a name that no other
// worker uses, then the record that counts them.
func (l *loader) Save(ctx context.Context) error {
	if l.done.Lines == l.saved {
		return nil
	}
	if err := l.saveRejected(ctx); err != nil {
		return err
	}
	l.done.SavedAt = l.Now()
	if err := l.Ranges.SaveRange(ctx, l.upload, l.done); err != nil {
		return err
	}
	l.saved = l.done.Lines
	return nil
}

// Finish saves the end of the range, and its counts on the upload.
func (l *loader) Finish(ctx context.Context) error {
	if err := l.saveRejected(ctx); err != nil {
		return err
	}
	l.done.Done, l.done.SavedAt = true, l.Now()
	return l.Ranges.EndRange(ctx, l.upload, l.done, l.Now().Add(upload.StalledAfter))
}

func (l *loader) saveRejected(ctx context.Context) error {
	if len(l.rejected) == 0 {
		return nil
	}
	for len(l.done.Objects) < int(l.done.Token) {
		l.done.Objects = append(l.done.Objects, 0)
	}
	written := &l.done.Objects[l.done.Token-1]
	data, err := json.Marshal(l.rejected)
	if err != nil {
		return err
	}
	if err := l.Reports.Put(ctx, l.upload.RejectedName(l.done.Number, l.done.Token, *written), data); err != nil {
		return err
	}
	*written++
	l.rejected = nil
	return nil
}

// pace keeps ingest out of the way of checkout. A throttled statement halves the
// worker's rate, and a hundred good batches bring it back.
type pace struct {
	idle float64 // waiting time per working time
}

// next returns the wait after a batch. Took is the time of the batch, tries the number
// of batches in a row of which nothing was stored.
func (p *pace) next(ctx context.Context, took time.Duration, tries int, throttled bool) time.Duration {
	share := 1 / (1 + p.idle) // of its own rate
	if throttled {
		share = max(share/2, 1.0/64)
	} else {
		share = min(share+0.005, 1)
	}
	p.idle = 1/share - 1
	wait := time.Duration(p.idle * float64(took))
	if throttled {
		wait += random.N(ctx, min(50*time.Millisecond<<tries, 5*time.Second))
	}
	return wait
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
