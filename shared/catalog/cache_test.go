package catalog_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"keypool/shared/catalog"
)

// source is where a cache reads from. It counts the reads.
type source struct {
	mu    sync.Mutex
	value string
	err   error
	reads int
}

func (s *source) read(ctx context.Context, name string) (string, bool, error) {
	time.Sleep(time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	return s.value, s.value != "", s.err
}

func (s *source) set(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.value = value
}

func TestCache_keepsAValueForThirtySeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{value: "old"}
		c := catalog.NewCache(time.Now, s.read)
		want := func(want string, reads int) {
			t.Helper()
			got, ok, err := c.Get(t.Context(), "a")
			if err != nil || !ok || got != want || s.reads != reads {
				t.Errorf("got %q, %v, %v after %d reads; want %q after %d", got, ok, err, s.reads, want, reads)
			}
		}
		want("old", 1)
		s.set("new")
		time.Sleep(29 * time.Second)
		want("old", 1)
		time.Sleep(2 * time.Second)
		want("new", 2)
	})
}

func TestCache_keepsNeitherAbsenceNorErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{}
		c := catalog.NewCache(time.Now, s.read)
		if _, ok, err := c.Get(t.Context(), "a"); ok || err != nil {
			t.Errorf("got %v, %v; want nothing", ok, err)
		}
		s.err = errors.New("throttled")
		if _, ok, err := c.Get(t.Context(), "a"); ok || !errors.Is(err, s.err) {
			t.Errorf("got %v, %v; want the error", ok, err)
		}
		s.err = nil
		s.set("here")
		if got, ok, err := c.Get(t.Context(), "a"); got != "here" || !ok || err != nil {
			t.Errorf("got %q, %v, %v; want it found at once", got, ok, err)
		}
	})
}

func TestCache_concurrentCallsShareOneRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{value: "it"}
		c := catalog.NewCache(time.Now, s.read)
		hurried, giveUp := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if _, _, err := c.Get(hurried, "a"); !errors.Is(err, context.Canceled) {
				t.Errorf("the caller who gave up got %v", err)
			}
		})
		synctest.Wait()
		for range 50 {
			all.Go(func() {
				if got, ok, err := c.Get(t.Context(), "a"); got != "it" || !ok || err != nil {
					t.Errorf("got %q, %v, %v", got, ok, err)
				}
			})
		}
		giveUp()
		all.Wait()
		if s.reads != 1 {
			t.Errorf("%d reads; want 1", s.reads)
		}
	})
}
