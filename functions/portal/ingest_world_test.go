package main

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"keypool/infra/proof/ingesttest"
	"keypool/shared/claim"
	"keypool/shared/ingest"
	"keypool/shared/order"
	"keypool/shared/upload"
)

// Stat implements ingest.Objects.
func (f *fakeFiles) Stat(ctx context.Context, o upload.Object) (upload.Stat, bool, error) {
	_, stat, there, err := f.Head(ctx, o.Name)
	f.mu.Lock()
	defer f.mu.Unlock()
	stat.Size = int64(len(f.files[o.Name]))
	return stat, there, err
}

// bucketOf is the bucket of key files, as ingest reads it.
type bucketOf struct{ *fakeFiles }

func (b bucketOf) Open(_ context.Context, o upload.Object, from, to int64) (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	content := b.files[o.Name]
	return io.NopCloser(strings.NewReader(content[min(from, int64(len(content))):min(to, int64(len(content)))])), nil
}

func (bucketOf) MarkDone(context.Context, upload.Object, bool) error { return nil }

// reportsOf is the bucket of reports, as ingest writes it.
type reportsOf struct{ *fakeFiles }

func (r reportsOf) Put(_ context.Context, name string, data []byte) error {
	r.put(name, string(data))
	return nil
}

func (r reportsOf) Get(_ context.Context, name string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return []byte(r.files[name]), nil
}

func (r reportsOf) Write(_ context.Context, name string, write func(io.Writer) error) error {
	var report bytes.Buffer
	err := write(&report)
	r.put(name, report.String())
	return err
}

// ingest has the key files read that lie in the bucket, and returns what is to be filled then.
func (w *world) ingest() (fills []any) {
	w.Helper()
	ranges, asked := &ingesttest.Queue{}, &ingesttest.Queue{}
	worker := &ingest.Worker{
		Catalog: w.store, Records: w.store, Ranges: w.store, Keys: w.store,
		Objects: bucketOf{w.files}, Reports: reportsOf{w.files}, RangeJobs: ranges, Fill: asked, Now: w.now,
	}
	w.files.mu.Lock()
	var names []string
	for name := range w.files.files {
		if strings.HasPrefix(name, "uploads/") {
			names = append(names, name)
		}
	}
	w.files.mu.Unlock()
	slices.Sort(names)
	for _, name := range names {
		object, _, _, _ := w.files.Head(w.Context(), name)
		if err := worker.Receive(w.Context(), object); err != nil {
			w.Fatal(err)
		}
	}
	for m, more := ranges.Next(); more; m, more = ranges.Next() {
		if err := worker.Handle(w.Context(), m.(upload.Message)); err != nil {
			w.Fatal(err)
		}
	}
	return asked.Drain()
}

// fill has orders filled that wait.
func (w *world) fill(asked []any) {
	w.Helper()
	filler := &claim.Filler{Store: w.store, Bypass: w.store, Catalog: w.store, Notices: w.store, Now: w.now}
	for _, request := range asked {
		if err := filler.Fill(w.Context(), request.(order.FillRequest), w.now().Add(time.Minute)); err != nil {
			w.Fatal(err)
		}
	}
}
