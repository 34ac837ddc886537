package faults

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"keypool/infra/bench/results"
	"keypool/infra/local/machine"
	"keypool/shared/dynamo/dynamotest"
)

var (
	local     = flag.Int("local", 2500, "calls to DynamoDB Local, at least")
	ministack = flag.Int("ministack", 0, "calls to MiniStack's DynamoDB, at least")
	seed      = flag.Uint64("seed", rand.Uint64()>>32, "of the first round; the next has the next")
	record    = flag.Bool("record", false, "write the counts into RESULTS.md")
)

// perRound is how many calls the storm of one round makes, and settling down half
// as many more: few enough for its tables to be read whole several times.
const (
	perRound     = 2_500
	roundsAtOnce = 4 // a storm often waits
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // in a storm everything is logged
	os.Exit(m.Run())
}

// TestStorm is the promise in bad weather.
func TestStorm(t *testing.T) {
	for _, engine := range []struct {
		name  string
		calls int
		start func(t *testing.T)
	}{
		{"DynamoDB Local", *local, func(*testing.T) {}},
		{"MiniStack", *ministack, startMiniStack},
	} {
		if engine.calls == 0 {
			continue
		}
		t.Run(engine.name, func(t *testing.T) {
			engine.start(t)
			total := newTotals()
			var rounds atomic.Uint64
			var storms sync.WaitGroup
			var page sync.Mutex
			for range min(roundsAtOnce, (engine.calls+perRound-1)/perRound) {
				storms.Go(func() {
					for total.sum() < engine.calls && !t.Failed() {
						round(t, engine.name, *seed+rounds.Add(1)-1, min(perRound, engine.calls), total)
						if *record && !t.Failed() { // a long run is on the page as far as it came
							page.Lock()
							write(t, engine.name, total.page(engine.name))
							page.Unlock()
						}
					}
				})
			}
			storms.Wait()
			total.check(t)
			t.Log("\n" + total.page(engine.name))
		})
	}
}

// write puts an engine's counts on the page, beside those of the other as they
// were counted last.
func write(t *testing.T, engine, text string) {
	checkout, err := results.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]string{}
	memory := filepath.Join(checkout, ".local", "faults.json")
	content, err := os.ReadFile(memory)
	if err == nil {
		err = json.Unmarshal(content, &counted)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	counted[engine] = text
	if content, err = json.Marshal(counted); err == nil {
		err = os.WriteFile(memory, content, 0o644)
	}
	if err == nil {
		err = results.Write("faults", "make faults", counted["DynamoDB Local"]+counted["MiniStack"])
	}
	if err != nil {
		t.Error(err)
	}
}

// round is one round, of tables of its own.
func round(t *testing.T, engine string, seed uint64, calls int, total *totals) {
	t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
		t.Cleanup(func() {
			if t.Failed() {
				size := "-local"
				if engine != "DynamoDB Local" {
					size = "-local 0 -ministack"
				}
				t.Logf("repeat with: infra/local/with-dynamodb.sh go test ./infra/faults -run TestStorm -args %s %d -seed %d", size, calls, seed)
			}
		})
		s := newStorm(t, seed)
		s.rage(calls)
		s.settle(context.Background())
		s.audit(false)
		s.refill(context.Background())
		s.settle(context.Background())
		s.audit(true)
		total.add(s)
	})
}

func startMiniStack(t *testing.T) {
	checkout, err := results.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	m, err := machine.Open(checkout, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	endpoint, stop, err := m.StartBare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	t.Setenv("DYNAMODB_ENDPOINT", endpoint)
}

// totals is what all rounds on an engine add up to.
type totals struct {
	mu                 sync.Mutex
	rounds             int
	calls, deeds, met  *tally
	edges              *tally // faults of what is not DynamoDB
	lines, keys, mails int
}

func newTotals() *totals {
	return &totals{calls: newTally(), deeds: newTally(), met: newTally(), edges: newTally()}
}

func (total *totals) add(s *storm) {
	total.mu.Lock()
	defer total.mu.Unlock()
	total.rounds++
	total.calls.addAll(s.faults.Calls())
	total.deeds.addAll(s.tally.counts)
	total.met.addAll(s.faults.Met())
	total.edges.addAll(s.post.met)
	total.edges.add("message of a queue not taken, or its answer lost", s.queue.lost)
	total.lines += len(s.ledger.orders)
	total.keys += len(s.ledger.texts)
	total.mails += len(s.post.took)
}

// sum counts the calls.
func (total *totals) sum() int {
	total.mu.Lock()
	defer total.mu.Unlock()
	return total.calls.sum()
}

// check fails if a kind of fault was never met: then nothing was tried.
func (total *totals) check(t *testing.T) {
	for _, kind := range append(slices.Sorted(maps.Keys(bad)), dynamotest.LaggingIndex) {
		if total.met.counts[kind] == 0 {
			t.Errorf("no call met this fault: %s", kind)
		}
	}
}

func (total *totals) page(engine string) string {
	return fmt.Sprintf(`**%s.** %s calls in %d rounds (seeds from %d on): %s order lines, %s keys uploaded, %s mails. The books of every round balance: no key twice, none lost, no line and no file stuck.

| | |
|---|---|
| what happened | %s |
| calls that reached the engine | %s |
| faults that calls met | %s |
| faults of queues and mails | %s |

`, engine, grouped(total.calls.sum()), total.rounds, *seed,
		grouped(total.lines), grouped(total.keys), grouped(total.mails), total.deeds, total.calls, total.met, total.edges)
}
