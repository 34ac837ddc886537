package inventory_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"keypool/shared/job"
	"keypool/shared/upload"
)

// bucket is a bucket in memory, as S3 makes objects of parts: those that are named, in the order
// of their numbers, if each is as it was when it was written.
type bucket struct {
	mu      sync.Mutex
	began   int
	uploads map[string]map[int][]byte // those that have not ended
	objects map[string][]byte
	sizes   []int // of the parts that were written
}

func newBucket() *bucket {
	return &bucket{uploads: map[string]map[int][]byte{}, objects: map[string][]byte{}}
}

func (b *bucket) BeginFile(_ context.Context, object string, _ job.Format) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.began++
	id := fmt.Sprint(object, "?", b.began)
	b.uploads[id] = map[int][]byte{}
	return id, nil
}

func (b *bucket) WritePart(_ context.Context, _, id string, number int, content []byte) (job.FilePart, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.uploads[id] == nil {
		return job.FilePart{}, upload.ErrGone
	}
	b.uploads[id][number] = bytes.Clone(content)
	b.sizes = append(b.sizes, len(content))
	return job.FilePart{Number: number, Tag: tag(content)}, nil
}

func tag(content []byte) string {
	return fmt.Sprintf("%q", fmt.Sprint(len(content), "-", sum(content)))
}

func sum(content []byte) (n uint32) {
	for _, c := range content {
		n = n*31 + uint32(c)
	}
	return n
}

func (b *bucket) FinishFile(_ context.Context, object, id string, parts []job.FilePart) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.uploads[id] == nil {
		if b.objects[object] != nil {
			return nil
		}
		return upload.ErrGone
	}
	var whole []byte
	for i, p := range parts {
		content, there := b.uploads[id][p.Number]
		if !there || tag(content) != p.Tag || i > 0 && p.Number <= parts[i-1].Number {
			return fmt.Errorf("InvalidPart %d", p.Number)
		}
		whole = append(whole, content...)
	}
	b.objects[object] = whole
	delete(b.uploads, id)
	return nil
}

func (b *bucket) DropFile(_ context.Context, _, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.uploads, id)
	return nil
}

func (b *bucket) Put(_ context.Context, object string, content []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.objects[object] = bytes.Clone(content)
	return nil
}

func (b *bucket) Rest(_ context.Context, object string) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	content, there := b.objects[object]
	if !there {
		return nil, upload.ErrGone
	}
	return bytes.Clone(content), nil
}

func (b *bucket) PresignFile(_ context.Context, object, file string, expires time.Duration) (string, error) {
	return fmt.Sprintf("https://bucket.example/%s?file=%s&for=%s", object, file, expires), nil
}

// forget deletes everything, as the bucket's rules do after a day.
func (b *bucket) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.uploads)
	clear(b.objects)
}

// open returns the names of the uploads that have not ended.
func (b *bucket) open() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Keys(b.uploads))
}

// file returns the file of a job, "" if there is none.
func (b *bucket) file(j job.Job) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.objects[j.Object()])
}
