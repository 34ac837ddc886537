package catalog

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// CacheFor is how long a changed setting may stay unseen.
const CacheFor = 30 * time.Second

// Cache is a read-through cache of one kind of thing, by name, in the memory of
// one process. Callers that ask at once for the same name share one read. It is
// safe for concurrent use.
//
// What is not there is never remembered, nor is an error: a product is found by
// the first order after it was created.
type Cache[T any] struct {
	read func(ctx context.Context, name string) (T, bool, error)
	now  func() time.Time

	flight singleflight.Group
	mu     sync.Mutex
	known  map[string]remembered[T]
}

type remembered[T any] struct {
	value  T
	readAt time.Time
}

// cacheSize bounds the memory of a process that sees very many names.
const cacheSize = 10_000

// NewCache returns an empty cache over read, which says false of what is not there.
func NewCache[T any](now func() time.Time, read func(ctx context.Context, name string) (T, bool, error)) *Cache[T] {
	return &Cache[T]{read: read, now: now, known: map[string]remembered[T]{}}
}

// Get returns the named thing, at most CacheFor old, false if it is not there.
// The caller must not change what it is given.
func (c *Cache[T]) Get(ctx context.Context, name string) (T, bool, error) {
	c.mu.Lock()
	found, ok := c.known[name]
	c.mu.Unlock()
	if ok && c.now().Sub(found.readAt) < CacheFor {
		return found.value, true, nil
	}

	type answer struct {
		value T
		ok    bool
	}
	// The read is everybody's, so it outlives the first caller's giving up.
	shared := c.flight.DoChan(name, func() (any, error) {
		readAt := c.now()
		value, ok, err := c.read(context.WithoutCancel(ctx), name)
		if err == nil {
			c.remember(name, remembered[T]{value, readAt}, ok)
		}
		return answer{value, ok}, err
	})
	var none T
	select {
	case result := <-shared:
		if result.Err != nil {
			return none, false, result.Err
		}
		a := result.Val.(answer)
		return a.value, a.ok, nil
	case <-ctx.Done():
		return none, false, ctx.Err()
	}
}

func (c *Cache[T]) remember(name string, r remembered[T], ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !ok {
		delete(c.known, name)
		return
	}
	if len(c.known) >= cacheSize {
		clear(c.known)
	}
	c.known[name] = r
}
