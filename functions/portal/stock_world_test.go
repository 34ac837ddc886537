package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
	"time"

	"keypool/shared/inventory"
	"keypool/shared/settings"
	"keypool/shared/upload"
)

// stock are the use cases of pools and keys. The fakes stand for the buckets and the queues.
func (w *world) stock() stock {
	w.files, w.queue = &fakeFiles{now: w.now}, &fakeQueue{}
	refill := &settings.Refill{Products: w.store, Queue: w.queue}
	return stock{
		pools:        &settings.Pools{Store: w.store, Uses: w.store, Stock: w.store, Refill: refill, Uploads: w.store, Ranges: w.queue, Now: w.now},
		productPages: w.store,
		uploads:      &settings.Uploads{Store: w.store, Files: w.files, Reports: w.files, Ranges: w.queue, Loaded: w.store, Answers: w.store, Now: w.now},
		keys:         &settings.Keys{Pools: w.store, Files: w.files},
		forms:        &settings.Forms{Pools: w.store, Files: w.files},
		leftOut:      &settings.LeftOut{Store: w.store, Reports: w.files},
		exports:      &inventory.Exports{Jobs: w.store, Files: w.files, Now: w.now},
		blocker: &inventory.Blocker{
			Merchants: w.store, Keys: w.store, Finder: &inventory.Finder{Merchants: w.store, Keys: w.store, Lines: w.store, Uploads: w.store}, Now: w.now,
		},
		jobs: &inventory.Jobs{Store: w.store, Pools: w.store, Uploads: w.store, Merchants: w.store, Queue: w.queue, Now: w.now},
	}
}

// fakeFiles is the bucket of key files and that of reports.
type fakeFiles struct {
	now func() time.Time

	mu      sync.Mutex
	files   map[string]string
	digests map[string]string
	address string // of the bucket; "": of none
}

func (f *fakeFiles) PutNew(_ context.Context, name string, content []byte, digest string) (upload.Object, upload.Stat, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.files == nil {
		f.files, f.digests = map[string]string{}, map[string]string{}
	}
	if _, there := f.files[name]; !there {
		f.files[name], f.digests[name] = string(content), digest
	}
	return upload.Object{Bucket: "uploads", Name: name, Version: "1"}, upload.Stat{LastModified: f.now()}, f.digests[name], nil
}

func (f *fakeFiles) PresignUpload(context.Context, string, int64, time.Duration) (string, map[string]string, error) {
	return "", nil, fmt.Errorf("the portal signs forms")
}

func (f *fakeFiles) PresignReport(_ context.Context, name string, _ time.Duration) (string, error) {
	return "https://reports.example/" + name, nil
}

func (f *fakeFiles) PresignFile(_ context.Context, object, file string, _ time.Duration) (string, error) {
	return "https://reports.example/" + object + "?X-Amz-Signature=0&file=" + file, nil
}

func (f *fakeFiles) put(name, content string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.files == nil {
		f.files, f.digests = map[string]string{}, map[string]string{}
	}
	f.files[name] = content
}

// Open opens a report.
func (f *fakeFiles) Open(_ context.Context, name string) (io.ReadCloser, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	content, there := f.files[name]
	if !there {
		return nil, upload.ErrGone
	}
	return io.NopCloser(strings.NewReader(content)), nil
}

// fakeQueue counts messages.
type fakeQueue struct {
	mu   sync.Mutex
	sent []any
}

func (q *fakeQueue) Send(_ context.Context, message any, _ time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sent = append(q.sent, message)
	return nil
}

func (f *fakeFiles) PresignForm(_ context.Context, form upload.Form, lasts time.Duration) (string, map[string]string, error) {
	fields := map[string]string{"key": form.Name, "policy": fmt.Sprintf("%d-%d for %s", form.Least, form.Most, lasts)}
	maps.Copy(fields, form.Fields)
	return cmp.Or(f.address, "https://uploads.example/"), fields, nil
}

func (f *fakeFiles) Head(_ context.Context, name string) (upload.Object, upload.Stat, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, there := f.files[name]
	return upload.Object{Bucket: "uploads", Name: name, Version: "1"}, upload.Stat{Version: "1", LastModified: f.now()}, there, nil
}
