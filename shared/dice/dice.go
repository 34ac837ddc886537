// Package dice is where chance comes from in the protocols: the jitter that
// keeps those who met once from meeting again, the place where a search begins,
// the word a lease is signed with. Nothing secret is made of it.
//
// Chance travels with the context, as a deadline does. A deployed function
// carries none and asks the system's generator; a simulation hands each process
// dice of its own and sees the same history again.
package dice

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
)

// dice are one process's. They are safe for concurrent use.
type dice struct {
	seed uint64
	path string // the names it was split by

	mu  sync.Mutex
	rng *rand.Rand
}

type contextKey struct{}

// With returns a context whose chance follows from the seed alone.
func With(ctx context.Context, seed uint64) context.Context {
	return with(ctx, seed, "")
}

func with(ctx context.Context, seed uint64, path string) context.Context {
	return context.WithValue(ctx, contextKey{}, &dice{seed: seed, path: path, rng: rand.New(rand.NewPCG(seed, seed))})
}

// Split returns a context for one of several goroutines, with dice that follow
// from the seed and the name: what it throws does not depend on who is scheduled
// first. Without dice of its own to split, the context is returned as it is.
func Split(ctx context.Context, name string) context.Context {
	d, ok := ctx.Value(contextKey{}).(*dice)
	if !ok {
		return ctx
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s", d.seed, name)
	return with(ctx, h.Sum64(), d.path+"/"+name)
}

// Path returns the names by which a context's dice were split, each after a
// slash; "" if they were not, or there are none.
func Path(ctx context.Context) string {
	d, ok := ctx.Value(contextKey{}).(*dice)
	if !ok {
		return ""
	}
	return d.path
}

// Uint64 returns any number.
func Uint64(ctx context.Context) uint64 {
	d, ok := ctx.Value(contextKey{}).(*dice)
	if !ok {
		return rand.Uint64()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rng.Uint64()
}

// N returns a number from 0 to before n, which must be positive.
func N[Int ~int | ~int64](ctx context.Context, n Int) Int {
	return Int(rand.New(source{ctx}).Int64N(int64(n)))
}

// Shuffle brings n elements into any order.
func Shuffle(ctx context.Context, n int, swap func(i, j int)) {
	rand.New(source{ctx}).Shuffle(n, swap)
}

// source makes a rand.Source of a context's chance.
type source struct{ ctx context.Context }

func (s source) Uint64() uint64 { return Uint64(s.ctx) }
