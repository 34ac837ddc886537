package inventory_test

import (
	"context"
	"time"

	"keypool/infra/proof/fuse"
	"keypool/shared/inventory"
	"keypool/shared/job"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// fused returns a worker whose calls that change something or look for keys go through the
// fuse.
func fused(f *fuse.Fuse, w *inventory.Worker) *inventory.Worker {
	dying := *w
	dying.Progress, dying.Keys = fusedProgress{w.Progress, f}, fusedKeys{w.Keys, f}
	dying.Lines, dying.Eraser = fusedLines{w.Lines, f}, fusedEraser{w.Eraser, f}
	dying.Test.Rows, dying.Test.Keys, dying.Test.Uploads = fusedRows{w.Test.Rows, f}, fusedTestKeys{w.Test.Keys, f}, fusedUploads{w.Test.Uploads, f}
	dying.Stored, dying.Files, dying.Rests = fusedStored{w.Stored, f}, fusedFiles{w.Files, f}, fusedRests{w.Rests, f}
	return &dying
}

type fusedProgress struct {
	inventory.Progress
	f *fuse.Fuse
}

func (p fusedProgress) TakeJob(ctx context.Context, merchant, id string, now time.Time) (j job.Job, err error) {
	err = p.f.Blow(func() (err error) { j, err = p.Progress.TakeJob(ctx, merchant, id, now); return err })
	return j, err
}

func (p fusedProgress) SaveJob(ctx context.Context, j job.Job) (saved job.Job, err error) {
	err = p.f.Blow(func() (err error) { saved, err = p.Progress.SaveJob(ctx, j); return err })
	return saved, err
}

func (p fusedProgress) EndJob(ctx context.Context, j job.Job) error {
	return p.f.Blow(func() error { return p.Progress.EndJob(ctx, j) })
}

type fusedKeys struct {
	inventory.Keys
	f *fuse.Fuse
}

func (k fusedKeys) OnSale(ctx context.Context, p pool.ID, shard int, after string, n int) (keys []pool.Key, last string, err error) {
	err = k.f.Blow(func() (err error) { keys, last, err = k.Keys.OnSale(ctx, p, shard, after, n); return err })
	return keys, last, err
}

func (k fusedKeys) WithdrawKeys(ctx context.Context, j job.Job, p pool.ID, keys []pool.Key, now time.Time) error {
	return k.f.Blow(func() error { return k.Keys.WithdrawKeys(ctx, j, p, keys, now) })
}

func (k fusedKeys) MoveKeys(ctx context.Context, j job.Job, shards int, keys []pool.Key, now time.Time) error {
	return k.f.Blow(func() error { return k.Keys.MoveKeys(ctx, j, shards, keys, now) })
}

type fusedLines struct {
	inventory.LinesOf
	f *fuse.Fuse
}

func (l fusedLines) Places(ctx context.Context, q order.Search, after order.Place, limit int) (places []order.Place, err error) {
	err = l.f.Blow(func() (err error) { places, err = l.LinesOf.Places(ctx, q, after, limit); return err })
	return places, err
}

type fusedEraser struct {
	inventory.Eraser
	f *fuse.Fuse
}

func (e fusedEraser) Erase(ctx context.Context, id order.LineID, how lifecycle.Erasure) (line order.Fulfillment, err error) {
	err = e.f.Blow(func() (err error) { line, err = e.Eraser.Erase(ctx, id, how); return err })
	return line, err
}

type fusedRows struct {
	inventory.WipedRows
	f *fuse.Fuse
}

func (r fusedRows) WipeRow(ctx context.Context, j job.Job, row job.TestRow, now time.Time) error {
	return r.f.Blow(func() error { return r.WipedRows.WipeRow(ctx, j, row, now) })
}

func (r fusedRows) WipeWhole(ctx context.Context, j job.Job, w order.Whole, now time.Time) error {
	return r.f.Blow(func() error { return r.WipedRows.WipeWhole(ctx, j, w, now) })
}

func (r fusedRows) WipeLine(ctx context.Context, j job.Job, line order.Fulfillment, now time.Time) error {
	return r.f.Blow(func() error { return r.WipedRows.WipeLine(ctx, j, line, now) })
}

type fusedTestKeys struct {
	inventory.WipedKeys
	f *fuse.Fuse
}

func (k fusedTestKeys) WipeKeys(ctx context.Context, j job.Job, keys []pool.Record, now time.Time) error {
	return k.f.Blow(func() error { return k.WipedKeys.WipeKeys(ctx, j, keys, now) })
}

type fusedUploads struct {
	inventory.WipedUploads
	f *fuse.Fuse
}

func (u fusedUploads) WipeUpload(ctx context.Context, j job.Job, up upload.Upload, now time.Time) error {
	return u.f.Blow(func() error { return u.WipedUploads.WipeUpload(ctx, j, up, now) })
}

func (u fusedUploads) ResetTestCounts(ctx context.Context, j job.Job) error {
	return u.f.Blow(func() error { return u.WipedUploads.ResetTestCounts(ctx, j) })
}

type fusedStored struct {
	inventory.Stored
	f *fuse.Fuse
}

func (s fusedStored) StoredKeys(ctx context.Context, ids []pool.KeyID) (keys []pool.StoredKey, err error) {
	err = s.f.Blow(func() (err error) { keys, err = s.Stored.StoredKeys(ctx, ids); return err })
	return keys, err
}

func (s fusedStored) ChunksAfter(ctx context.Context, id order.LineID, number, limit int) (chunks []order.Chunk, err error) {
	err = s.f.Blow(func() (err error) { chunks, err = s.Stored.ChunksAfter(ctx, id, number, limit); return err })
	return chunks, err
}

type fusedFiles struct {
	inventory.Files
	f *fuse.Fuse
}

func (b fusedFiles) BeginFile(ctx context.Context, object string, format job.Format) (upload string, err error) {
	err = b.f.Blow(func() (err error) { upload, err = b.Files.BeginFile(ctx, object, format); return err })
	return upload, err
}

func (b fusedFiles) WritePart(ctx context.Context, object, upload string, number int, content []byte) (part job.FilePart, err error) {
	err = b.f.Blow(func() (err error) { part, err = b.Files.WritePart(ctx, object, upload, number, content); return err })
	return part, err
}

func (b fusedFiles) FinishFile(ctx context.Context, object, upload string, parts []job.FilePart) error {
	return b.f.Blow(func() error { return b.Files.FinishFile(ctx, object, upload, parts) })
}

func (b fusedFiles) DropFile(ctx context.Context, object, upload string) error {
	return b.f.Blow(func() error { return b.Files.DropFile(ctx, object, upload) })
}

type fusedRests struct {
	inventory.Rests
	f *fuse.Fuse
}

func (r fusedRests) Put(ctx context.Context, object string, content []byte) error {
	return r.f.Blow(func() error { return r.Rests.Put(ctx, object, content) })
}

func (r fusedRests) Rest(ctx context.Context, object string) (content []byte, err error) {
	err = r.f.Blow(func() (err error) { content, err = r.Rests.Rest(ctx, object); return err })
	return content, err
}
