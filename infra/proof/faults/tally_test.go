package faults

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"keypool/infra/proof/results"
)

// tally counts what happened, by name. It is safe for concurrent use.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func newTally() *tally { return &tally{counts: map[string]int{}} }

func (t *tally) add(name string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[name] += n
}

func (t *tally) addAll(counts map[string]int) {
	for name, n := range counts {
		t.add(name, n)
	}
}

func (t *tally) sum() int {
	sum := 0
	for _, n := range t.counts {
		sum += n
	}
	return sum
}

// String lists the counts: "12,345 GetItem, 678 Query".
func (t *tally) String() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(t.counts)) {
		all = append(all, results.Grouped(t.counts[name])+" "+name)
	}
	return strings.Join(all, ", ")
}
