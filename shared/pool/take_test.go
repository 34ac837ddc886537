package pool_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/pool"
)

func TestTakes(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	take := func(keys int, after time.Duration) pool.Take { return pool.Take{Keys: keys, At: noon.Add(after)} }
	var takes []pool.Take
	for _, step := range []struct {
		more pool.Take // zero: one key less
		want []pool.Take
		at   time.Time
	}{
		{more: take(2, 0), want: []pool.Take{take(2, 0)}},
		{more: take(3, 59*time.Second), want: []pool.Take{take(5, 0)}},
		{more: take(1, time.Minute), want: []pool.Take{take(5, 0), take(1, time.Minute)}},
		{want: []pool.Take{take(5, 0)}, at: noon.Add(time.Minute)},
		{want: []pool.Take{take(4, 0)}, at: noon},
		{more: take(7, time.Hour), want: []pool.Take{take(4, 0), take(7, time.Hour)}},
	} {
		before := append([]pool.Take(nil), takes...)
		after, at := takes, time.Time{}
		if step.more.Keys > 0 {
			after = pool.AddTake(takes, step.more)
		} else {
			after, at = pool.RemoveTake(takes)
		}
		if diff := cmp.Diff(step.want, after); diff != "" || !at.Equal(step.at) {
			t.Errorf("of %v, at %v, want %v (-want +got):\n%s", takes, at, step.at, diff)
		}
		if diff := cmp.Diff(before, append([]pool.Take(nil), takes...)); diff != "" {
			t.Errorf("the takes before were written to (-want +got):\n%s", diff)
		}
		takes = after
	}
	if after, at := pool.RemoveTake(nil); len(after) > 0 || !at.IsZero() {
		t.Errorf("of none: %v, at %v", after, at)
	}
}
