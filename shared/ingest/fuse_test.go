package ingest_test

import (
	"context"
	"io"
	"time"

	"keypool/infra/proof/fuse"
	"keypool/shared/catalog"
	"keypool/shared/ingest"
	"keypool/shared/notice"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// fused returns a worker all of whose calls go through the fuse.
func fused(f *fuse.Fuse, w *ingest.Worker) *ingest.Worker {
	return &ingest.Worker{
		Catalog: fusedCatalog{w.Catalog, f}, Records: fusedRecords{w.Records, f}, Ranges: fusedRanges{w.Ranges, f},
		Keys: fusedKeys{w.Keys, f}, Objects: fusedObjects{w.Objects, f}, Reports: fusedReports{w.Reports, f},
		RangeJobs: fusedSender{w.RangeJobs, f}, Fill: fusedSender{w.Fill, f}, Now: w.Now,
	}
}

type fusedCatalog struct {
	ingest.Catalog
	f *fuse.Fuse
}

func (c fusedCatalog) Merchant(ctx context.Context, name string) (m catalog.Merchant, ok bool, err error) {
	err = c.f.Blow(func() (err error) { m, ok, err = c.Catalog.Merchant(ctx, name); return err })
	return m, ok, err
}

func (c fusedCatalog) Pool(ctx context.Context, merchant, name string) (p catalog.Pool, ok bool, err error) {
	err = c.f.Blow(func() (err error) { p, ok, err = c.Catalog.Pool(ctx, merchant, name); return err })
	return p, ok, err
}

type fusedRecords struct {
	ingest.Records
	f *fuse.Fuse
}

func (r fusedRecords) Upload(ctx context.Context, merchant, id string) (u upload.Upload, ok bool, err error) {
	err = r.f.Blow(func() (err error) { u, ok, err = r.Records.Upload(ctx, merchant, id); return err })
	return u, ok, err
}

func (r fusedRecords) MoveUpload(ctx context.Context, from upload.State, u upload.Upload, tell *notice.Notice) (ok bool, err error) {
	err = r.f.Blow(func() (err error) { ok, err = r.Records.MoveUpload(ctx, from, u, tell); return err })
	return ok, err
}

func (r fusedRecords) AdmitUpload(ctx context.Context, from upload.State, u upload.Upload, tell *notice.Notice, file upload.Usage, limits upload.Limits, now time.Time) (ok bool, err error) {
	err = r.f.Blow(func() (err error) {
		ok, err = r.Records.AdmitUpload(ctx, from, u, tell, file, limits, now)
		return err
	})
	return ok, err
}

func (r fusedRecords) Reading(ctx context.Context, merchant, pool, question string) (how upload.Reading, ok bool, err error) {
	err = r.f.Blow(func() (err error) { how, ok, err = r.Records.Reading(ctx, merchant, pool, question); return err })
	return how, ok, err
}

func (r fusedRecords) PostponeUpload(ctx context.Context, u upload.Upload, until time.Time) error {
	return r.f.Blow(func() error { return r.Records.PostponeUpload(ctx, u, until) })
}

type fusedRanges struct {
	inner ingest.Ranges
	f     *fuse.Fuse
}

func (r fusedRanges) TakeRange(ctx context.Context, u upload.Upload, n int, now time.Time) (taken upload.Range, err error) {
	err = r.f.Blow(func() (err error) { taken, err = r.inner.TakeRange(ctx, u, n, now); return err })
	return taken, err
}

func (r fusedRanges) SaveRange(ctx context.Context, u upload.Upload, saved upload.Range) error {
	return r.f.Blow(func() error { return r.inner.SaveRange(ctx, u, saved) })
}

func (r fusedRanges) EndRange(ctx context.Context, u upload.Upload, ended upload.Range, dueAt time.Time) error {
	return r.f.Blow(func() error { return r.inner.EndRange(ctx, u, ended, dueAt) })
}

func (r fusedRanges) Ranges(ctx context.Context, u upload.Upload) (all []upload.Range, err error) {
	err = r.f.Blow(func() (err error) { all, err = r.inner.Ranges(ctx, u); return err })
	return all, err
}

type fusedKeys struct {
	ingest.Keys
	f *fuse.Fuse
}

func (k fusedKeys) InsertKeys(ctx context.Context, p pool.ID, shards int, upload string, keys []upload.NewKey) (results []upload.Inserted, err error) {
	err = k.f.Blow(func() (err error) {
		results, err = k.Keys.InsertKeys(ctx, p, shards, upload, keys)
		return err
	})
	return results, err
}

func (k fusedKeys) FindKeys(ctx context.Context, ids []pool.KeyID) (found map[pool.KeyID]upload.KnownKey, err error) {
	err = k.f.Blow(func() (err error) { found, err = k.Keys.FindKeys(ctx, ids); return err })
	return found, err
}

type fusedObjects struct {
	ingest.Objects
	f *fuse.Fuse
}

func (o fusedObjects) Stat(ctx context.Context, object upload.Object) (s upload.Stat, ok bool, err error) {
	err = o.f.Blow(func() (err error) { s, ok, err = o.Objects.Stat(ctx, object); return err })
	return s, ok, err
}

func (o fusedObjects) Open(ctx context.Context, object upload.Object, from, to int64) (body io.ReadCloser, err error) {
	err = o.f.Blow(func() (err error) { body, err = o.Objects.Open(ctx, object, from, to); return err })
	return body, err
}

func (o fusedObjects) MarkDone(ctx context.Context, object upload.Object, loaded bool) error {
	return o.f.Blow(func() error { return o.Objects.MarkDone(ctx, object, loaded) })
}

type fusedReports struct {
	ingest.Reports
	f *fuse.Fuse
}

func (r fusedReports) Put(ctx context.Context, name string, data []byte) error {
	return r.f.Blow(func() error { return r.Reports.Put(ctx, name, data) })
}

func (r fusedReports) Get(ctx context.Context, name string) (data []byte, err error) {
	err = r.f.Blow(func() (err error) { data, err = r.Reports.Get(ctx, name); return err })
	return data, err
}

func (r fusedReports) Write(ctx context.Context, name string, write func(io.Writer) error) error {
	return r.f.Blow(func() error { return r.Reports.Write(ctx, name, write) })
}

type fusedSender struct {
	ingest.Sender
	f *fuse.Fuse
}

func (s fusedSender) Send(ctx context.Context, message any, delay time.Duration) error {
	return s.f.Blow(func() error { return s.Sender.Send(ctx, message, delay) })
}
