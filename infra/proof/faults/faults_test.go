package faults

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"keypool/infra/local/machine"
	"keypool/infra/proof/dynamotest"
	"keypool/infra/proof/results"
)

var (
	local     = flag.Int("local", 2500, "calls to DynamoDB Local, or to the in-process model where DYNAMODB_ENDPOINT is not set, at least")
	ministack = flag.Int("ministack", 0, "calls to MiniStack's DynamoDB, at least")
	seed      = flag.Uint64("seed", rand.Uint64()>>32, "of the first round; the next has the next")
	record    = flag.Bool("record", false, "write the counts into RESULTS.md")
)

// perRound is the number of calls in the storm of a round; the recovery makes half as
// many more. The tables stay small enough to be read whole several times.
const (
	callsPerRound  = 2_500
	parallelRounds = 4 // a round often waits
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the faults are logged
	os.Exit(m.Run())
}

// engines are the engines of the storms, in the order of the page.
var engines = []struct {
	name  string
	calls *int
	start func(t *testing.T)
}{
	{"DynamoDB Local", local, func(t *testing.T) {
		if *record && dynamotest.InProcess() {
			t.Fatal("only a storm on a real engine is recorded: run `make faults`")
		}
	}},
	{"MiniStack", ministack, startMiniStack},
}

// TestStorm is the promise in a storm of faults. Ctrl-C ends it after the rounds in
// progress and records them.
func TestStorm(t *testing.T) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	for _, engine := range engines {
		calls := *engine.calls
		if calls == 0 || ctx.Err() != nil {
			continue
		}
		t.Run(engine.name, func(t *testing.T) {
			engine.start(t)
			total := newTotals()
			var rounds atomic.Uint64
			var storms sync.WaitGroup
			for range min(parallelRounds, (calls+callsPerRound-1)/callsPerRound) {
				storms.Go(func() {
					for total.sum() < calls && !t.Failed() && ctx.Err() == nil {
						round(t, engine.name, *seed+rounds.Add(1)-1, min(callsPerRound, calls), total)
						fmt.Printf("%s: %d calls\n", engine.name, total.sum())
					}
				})
			}
			storms.Wait()
			total.check(t)
			t.Log("\n" + total.text(engine.name))
			if *record && !t.Failed() {
				write(t, engine.name, total.text(engine.name))
			}
		})
	}
}

// counted is the result of the storms on an engine.
type counted struct {
	Text string
	results.Stamp
}

// write puts the result of an engine on the page, beside the last result of the other
// engine.
func write(t *testing.T, engine, text string) {
	const memory = "storms.json"
	all := map[string]counted{}
	if err := results.Recall(memory, &all); err != nil {
		t.Fatal(err)
	}
	all[engine] = counted{text, results.Now(command())}
	if err := results.Keep(memory, all); err != nil {
		t.Fatal(err)
	}
	page := ""
	var stamps []results.Stamped
	for _, e := range engines {
		c, ok := all[e.name]
		if !ok {
			t.Logf("not on the page yet: nothing was counted on %s", e.name)
			return
		}
		page += c.Text
		stamps = append(stamps, results.Stamped{What: e.name, Stamp: c.Stamp})
	}
	if err := results.WriteStamped("faults", page, stamps...); err != nil {
		t.Error(err)
	}
}

// command is the command that repeats this run. A storm is repeated only as far as
// its order is not up to the engine.
func command() string {
	if *local == 50_000 && *ministack == 500_000 { // as the Makefile has it
		return fmt.Sprintf("make faults SEED=%d", *seed)
	}
	return fmt.Sprintf("go run ./infra/proof faults -local %d -ministack %d -seed %d", *local, *ministack, *seed)
}

// round runs one round on tables of its own.
func round(t *testing.T, engine string, seed uint64, calls int, total *totals) {
	t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
		t.Cleanup(func() {
			if t.Failed() {
				size := "-local"
				if engine != "DynamoDB Local" {
					size = "-local 0 -ministack"
				}
				t.Logf("repeat with: infra/local/with-dynamodb.sh go test ./infra/proof/faults -run TestStorm -args %s %d -seed %d", size, calls, seed)
			}
		})
		s := newStorm(t, seed)
		s.run(calls)
		s.recover(context.Background())
		s.audit(false)
		s.refill(context.Background())
		s.recover(context.Background())
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

// totals is the sum of all rounds on an engine.
type totals struct {
	mu                     sync.Mutex
	rounds                 int
	calls, actions, faults *tally
	services               *tally // faults of queues and SES
	lines, keys, mails     int
}

func newTotals() *totals {
	return &totals{calls: newTally(), actions: newTally(), faults: newTally(), services: newTally()}
}

func (total *totals) add(s *storm) {
	total.mu.Lock()
	defer total.mu.Unlock()
	total.rounds++
	total.calls.addAll(s.faults.Calls())
	total.actions.addAll(s.tally.counts)
	total.faults.addAll(s.faults.Met())
	total.services.addAll(s.ses.faults)
	total.services.addAll(s.queue.faults)
	total.lines += len(s.ledger.orders)
	total.keys += len(s.ledger.texts)
	total.mails += len(s.ses.accepted)
}

// sum returns the number of calls.
func (total *totals) sum() int {
	total.mu.Lock()
	defer total.mu.Unlock()
	return total.calls.sum()
}

// check fails if a kind of fault never happened: the storm would prove nothing about
// it.
func (total *totals) check(t *testing.T) {
	for _, kind := range append(slices.Sorted(maps.Keys(faultsByName)), dynamotest.LaggingIndex) {
		if total.faults.counts[kind] == 0 {
			t.Errorf("no call met this fault: %s", kind)
		}
	}
	for _, kind := range serviceFaults {
		if total.services.counts[kind] == 0 {
			t.Errorf("no mail and no message met this fault: %s", kind)
		}
	}
}

func (total *totals) text(engine string) string {
	return fmt.Sprintf(`**%s.** %s calls in %d rounds (seeds from %d on): %s order lines, %s keys uploaded, %s mails. The books of every round balance: no key twice, none lost, no line and no file stuck.

| | |
|---|---|
| actions | %s |
| calls that reached the engine | %s |
| faults that calls met | %s |
| faults of queues and mails | %s |

`, engine, results.Grouped(total.calls.sum()), total.rounds, *seed,
		results.Grouped(total.lines), results.Grouped(total.keys), results.Grouped(total.mails), total.actions, total.calls, total.faults, total.services)
}
