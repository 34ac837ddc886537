package random_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"keypool/shared/random"
)

func throws(ctx context.Context) []uint64 {
	var thrown []uint64
	for range 10 {
		thrown = append(thrown, random.Uint64(ctx))
	}
	return thrown
}

func TestWith_sameSeedSameChance(t *testing.T) {
	one := throws(random.With(t.Context(), 1))
	if again := throws(random.With(t.Context(), 1)); !slices.Equal(one, again) {
		t.Error("the same seed threw otherwise")
	}
	if other := throws(random.With(t.Context(), 2)); slices.Equal(one, other) {
		t.Error("another seed threw the same")
	}
	if slices.Equal(throws(t.Context()), throws(t.Context())) {
		t.Error("without a seed the same was thrown twice")
	}
}

func TestSplit_doesNotDependOnWhatWasThrown(t *testing.T) {
	ctx := random.With(t.Context(), 1)
	one := throws(random.Split(ctx, "a"))
	random.Uint64(ctx)
	if again := throws(random.Split(ctx, "a")); !slices.Equal(one, again) {
		t.Error("the same name threw otherwise")
	}
	if other := throws(random.Split(ctx, "b")); slices.Equal(one, other) {
		t.Error("another name threw the same")
	}
	if path := random.Path(random.Split(random.Split(ctx, "a"), "b")); path != "/a/b" {
		t.Errorf("split by a and b: %q", path)
	}
	if ctx := t.Context(); random.Path(ctx) != "" || random.Split(ctx, "a") != ctx {
		t.Error("a context without a seed was split")
	}
}

func TestN_staysBelow(t *testing.T) {
	for _, ctx := range []context.Context{t.Context(), random.With(t.Context(), 1)} {
		seen := map[int]bool{}
		for range 1000 {
			if n := random.N(ctx, 4); n < 0 || n >= 4 {
				t.Fatalf("threw %d", n)
			} else {
				seen[n] = true
			}
			if d := random.N(ctx, time.Second); d < 0 || d >= time.Second {
				t.Fatalf("threw %s", d)
			}
		}
		if len(seen) != 4 {
			t.Errorf("only %d of 4 sides came up", len(seen))
		}
	}
}

func TestShuffle_keepsEveryElement(t *testing.T) {
	deck := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	shuffled := slices.Clone(deck)
	random.Shuffle(random.With(t.Context(), 1), len(deck), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	if slices.Equal(deck, shuffled) {
		t.Error("nothing moved")
	}
	if !slices.Equal(deck, slices.Sorted(slices.Values(shuffled))) {
		t.Errorf("%v is not a deck any more", shuffled)
	}
}
