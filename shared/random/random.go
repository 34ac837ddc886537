// Package random returns the random numbers that Keypool spreads its work with:
// where a search for keys starts, how long a retry waits. No secret is made of
// them.
//
// A generator travels with the context, as a deadline does. A deployed function
// carries none and uses the runtime's generator. A simulation gives each process
// a seeded generator, so that the same seed is the same history.
package random

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
)

// generator is the seeded generator of one process. It is safe for concurrent use.
type generator struct {
	seed uint64
	path string // the names it was split by

	mu  sync.Mutex
	rng *rand.Rand
}

type contextKey struct{}

// With returns a context whose random numbers follow from the seed alone.
func With(ctx context.Context, seed uint64) context.Context {
	return with(ctx, seed, "")
}

func with(ctx context.Context, seed uint64, path string) context.Context {
	return context.WithValue(ctx, contextKey{}, &generator{seed: seed, path: path, rng: rand.New(rand.NewPCG(seed, seed))})
}

// Split returns a context for one of several goroutines. Its generator follows
// from the seed and the name, so its numbers do not depend on which goroutine runs
// first. A context without a seed is returned as it is.
func Split(ctx context.Context, name string) context.Context {
	g, ok := ctx.Value(contextKey{}).(*generator)
	if !ok {
		return ctx
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s", g.seed, name)
	return with(ctx, h.Sum64(), g.path+"/"+name)
}

// Path returns the names that a context's generator was split by, each after a
// slash. It is "" for a generator that was not split and for a context without one.
func Path(ctx context.Context) string {
	g, ok := ctx.Value(contextKey{}).(*generator)
	if !ok {
		return ""
	}
	return g.path
}

// Uint64 returns a random number.
func Uint64(ctx context.Context) uint64 {
	g, ok := ctx.Value(contextKey{}).(*generator)
	if !ok {
		return rand.Uint64()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.rng.Uint64()
}

// N returns a random number in [0, n). It panics if n <= 0.
func N[Int ~int | ~int64](ctx context.Context, n Int) Int {
	return Int(rand.New(source{ctx}).Int64N(int64(n)))
}

// Shuffle permutes n elements at random.
func Shuffle(ctx context.Context, n int, swap func(i, j int)) {
	rand.New(source{ctx}).Shuffle(n, swap)
}

// source makes a rand.Source of a context's generator.
type source struct{ ctx context.Context }

func (s source) Uint64() uint64 { return Uint64(s.ctx) }
