// Package ingesttest has ingest's two buckets and its queues in memory, for tests.
package ingesttest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"sync"
	"time"

	"keypool/shared/upload"
)

// Uploads is a versioned bucket of uploads: ingest.Objects. It is safe for
// concurrent use.
type Uploads struct {
	now func() time.Time

	mu      sync.Mutex
	objects map[upload.Object]object
	current map[string]upload.Object // by name
	puts    int
}

type object struct {
	content []byte
	written time.Time
	kept    time.Duration // once it is done
	err     error         // of reading it
}

// NewUploads returns an empty bucket.
func NewUploads(now func() time.Time) *Uploads {
	return &Uploads{now: now, objects: map[upload.Object]object{}, current: map[string]upload.Object{}}
}

// Put stores a new version of an object.
func (u *Uploads) Put(name string, content []byte) upload.Object {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.puts++
	o := upload.Object{Bucket: "uploads", Name: name, Version: "v" + strconv.Itoa(u.puts)}
	u.objects[o], u.current[name] = object{content: content, written: u.now()}, o
	return o
}

// Remove deletes a version for good.
func (u *Uploads) Remove(o upload.Object) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.objects, o)
	if u.current[o.Name] == o {
		delete(u.current, o.Name)
	}
}

// Break makes every reading of a version fail.
func (u *Uploads) Break(o upload.Object, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	there := u.objects[o]
	there.err = err
	u.objects[o] = there
}

// Hide deletes an object as merchants do: its versions remain.
func (u *Uploads) Hide(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.current, name)
}

// Done reports whether a version has the tag of a loaded file.
func (u *Uploads) Done(o upload.Object) bool { return u.Kept(o) == upload.LoadedKept }

// Kept returns how long a version is kept from the day it was dropped; 0: as long as
// nobody deletes it.
func (u *Uploads) Kept(o upload.Object) time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.objects[o].kept
}

// Stat implements ingest.Objects.
func (u *Uploads) Stat(_ context.Context, o upload.Object) (upload.Stat, bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if o.Version == "" {
		o = u.current[o.Name]
	}
	there, ok := u.objects[o]
	return upload.Stat{Version: o.Version, Size: int64(len(there.content)), LastModified: there.written}, ok, nil
}

// Open implements ingest.Objects.
func (u *Uploads) Open(_ context.Context, o upload.Object, from, to int64) (io.ReadCloser, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	there, ok := u.objects[o]
	if !ok {
		return nil, upload.ErrGone
	}
	if there.err != nil {
		return nil, there.err
	}
	return io.NopCloser(bytes.NewReader(there.content[from:to])), nil
}

// MarkDone implements ingest.Objects.
func (u *Uploads) MarkDone(_ context.Context, o upload.Object, loaded bool) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	there, ok := u.objects[o]
	if !ok {
		return upload.ErrGone
	}
	if there.kept = upload.RefusedKept; loaded {
		there.kept = upload.LoadedKept
	}
	u.objects[o] = there
	return nil
}

// Reports is a bucket of reports: ingest.Reports. Its zero value is ready and
// safe for concurrent use.
type Reports struct{ objects sync.Map }

// Put implements ingest.Reports.
func (r *Reports) Put(_ context.Context, name string, data []byte) error {
	r.objects.Store(name, bytes.Clone(data))
	return nil
}

// Delete implements inventory.WipedReports.
func (r *Reports) Delete(_ context.Context, name string) error {
	r.objects.Delete(name)
	return nil
}

// Get implements ingest.Reports.
func (r *Reports) Get(_ context.Context, name string) ([]byte, error) {
	data, ok := r.objects.Load(name)
	if !ok {
		return nil, fmt.Errorf("report %s: %w", name, fs.ErrNotExist)
	}
	return data.([]byte), nil
}

// Write implements ingest.Reports.
func (r *Reports) Write(ctx context.Context, name string, write func(io.Writer) error) error {
	var data bytes.Buffer
	if err := write(&data); err != nil {
		return err
	}
	return r.Put(ctx, name, data.Bytes())
}
