package dice_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"keypool/shared/dice"
)

func throws(ctx context.Context) []uint64 {
	var thrown []uint64
	for range 10 {
		thrown = append(thrown, dice.Uint64(ctx))
	}
	return thrown
}

func TestWith_sameSeedSameChance(t *testing.T) {
	one := throws(dice.With(t.Context(), 1))
	if again := throws(dice.With(t.Context(), 1)); !slices.Equal(one, again) {
		t.Error("the same seed threw otherwise")
	}
	if other := throws(dice.With(t.Context(), 2)); slices.Equal(one, other) {
		t.Error("another seed threw the same")
	}
	if slices.Equal(throws(t.Context()), throws(t.Context())) {
		t.Error("without a seed the same was thrown twice")
	}
}

func TestSplit_doesNotDependOnWhatWasThrown(t *testing.T) {
	ctx := dice.With(t.Context(), 1)
	one := throws(dice.Split(ctx, "a"))
	dice.Uint64(ctx)
	if again := throws(dice.Split(ctx, "a")); !slices.Equal(one, again) {
		t.Error("the same name threw otherwise")
	}
	if other := throws(dice.Split(ctx, "b")); slices.Equal(one, other) {
		t.Error("another name threw the same")
	}
	if path := dice.Path(dice.Split(dice.Split(ctx, "a"), "b")); path != "/a/b" {
		t.Errorf("split by a and b: %q", path)
	}
	if ctx := t.Context(); dice.Path(ctx) != "" || dice.Split(ctx, "a") != ctx {
		t.Error("a context without dice was split")
	}
}

func TestN_staysBelow(t *testing.T) {
	for _, ctx := range []context.Context{t.Context(), dice.With(t.Context(), 1)} {
		seen := map[int]bool{}
		for range 1000 {
			if n := dice.N(ctx, 4); n < 0 || n >= 4 {
				t.Fatalf("threw %d", n)
			} else {
				seen[n] = true
			}
			if d := dice.N(ctx, time.Second); d < 0 || d >= time.Second {
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
	dice.Shuffle(dice.With(t.Context(), 1), len(deck), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	if slices.Equal(deck, shuffled) {
		t.Error("nothing moved")
	}
	if !slices.Equal(deck, slices.Sorted(slices.Values(shuffled))) {
		t.Errorf("%v is not a deck any more", shuffled)
	}
}
