package ingest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"keypool/shared/job"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

func TestPace_yieldsAtOnceAndComesBackSlowly(t *testing.T) {
	const took = 10 * time.Millisecond
	var p pace
	if wait := p.next(t.Context(), took, 0, false); wait != 0 {
		t.Errorf("waits %v at its own rate, want no wait", wait)
	}
	p.next(t.Context(), took, 0, true)
	if wait := p.next(t.Context(), took, 0, false); wait < 9*time.Millisecond || wait > 10*time.Millisecond {
		t.Errorf("throttled once, it waits %v after a batch of %v: want nearly as long", wait, took)
	}
	p.next(t.Context(), took, 0, true)
	if wait := p.next(t.Context(), took, 0, false); wait < 28*time.Millisecond || wait > 30*time.Millisecond {
		t.Errorf("throttled twice, it waits %v after a batch of %v: want nearly three times as long", wait, took)
	}
	for range 100 {
		p.next(t.Context(), took, 0, true)
	}
	if wait := p.next(t.Context(), took, 0, false); wait > 64*took {
		t.Errorf("throttled for ever, it waits %v after a batch of %v", wait, took)
	}
	batches := 0
	for p.next(t.Context(), took, 0, false) > 0 {
		batches++
	}
	if batches < 150 || batches > 250 {
		t.Errorf("back at its own rate after %d batches, want about 200", batches)
	}
}

// throttlingKeys throttles every key.
type throttlingKeys struct{ Keys }

func (throttlingKeys) InsertKeys(_ context.Context, _ pool.ID, _ int, _ string, keys []upload.NewKey) ([]upload.Inserted, error) {
	return slices.Repeat([]upload.Inserted{upload.Throttled}, len(keys)), nil
}

func TestInsert_givesUpOnATableThatTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		l := &loader{Worker: &Worker{Keys: throttlingKeys{}}}
		if err := l.insert(t.Context(), &batch{keys: make([]upload.NewKey, 2)}); err == nil {
			t.Error("inserted into a table that takes nothing")
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("gave up after %v: the message should be back sooner", took)
		}
	})
}

// sluggish throttles every key, slowly.
type sluggish struct{ Keys }

func (sluggish) InsertKeys(_ context.Context, _ pool.ID, _ int, _ string, keys []upload.NewKey) ([]upload.Inserted, error) {
	time.Sleep(3 * time.Second)
	return slices.Repeat([]upload.Inserted{upload.Throttled}, len(keys)), nil
}

func TestInsert_waitsNoLongerThanItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		l := &loader{Worker: &Worker{Keys: sluggish{}}}
		if err := l.insert(ctx, &batch{keys: make([]upload.NewKey, 2)}); !errors.Is(err, job.ErrUnfinished) {
			t.Errorf("throttled until its time is up: %v, want %v", err, job.ErrUnfinished)
		}
		if left := 2*time.Minute - time.Since(began); left < job.Reserve-3*time.Second {
			t.Errorf("%v left to save the progress, want some %v", left, job.Reserve)
		}
	})
}
