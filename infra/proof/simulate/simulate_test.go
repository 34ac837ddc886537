package simulate

import (
	"cmp"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"keypool/infra/proof/results"
)

var (
	seed     = flag.Uint64("seed", 1, "seed of the first history; the next ones follow")
	steps    = flag.Int64("steps", 20_000, "histories are made up until they took so many steps together")
	recordIt = flag.Bool("record", false, "write what was counted and measured into the page of results")
)

// length is how many acts a plan has, rushes aside.
const length = 15

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // what goes wrong goes wrong on purpose
	debug.SetGCPercent(400)                        // a world is dropped whole
	os.Exit(m.Run())
}

// play lets a plan happen in a time of its own.
func play(t *testing.T, plan Plan) (o Outcome) {
	t.Helper()
	synctest.Test(t, func(*testing.T) { o = Run(plan) })
	return o
}

// TestHistories is the promise, in any weather.
func TestHistories(t *testing.T) {
	var next, taken atomic.Int64
	sum := summed{began: time.Now(), tally: map[string]int{}}
	t.Run("histories", func(t *testing.T) {
		for worker := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint("worker ", worker), func(t *testing.T) {
				t.Parallel()
				for taken.Load() < *steps && !t.Failed() {
					plan := NewPlan(*seed+uint64(next.Add(1))-1, length)
					t.Run(fmt.Sprint("seed ", plan.Seed), func(t *testing.T) {
						o := play(t, plan)
						sum.add(plan, o)
						taken.Add(o.Steps)
						if len(o.Problems) > 0 {
							tell(t, plan, o)
						}
					})
				}
			})
		}
	})
	if t.Failed() {
		return
	}
	t.Logf("%d histories from seed %d on, %d steps: nothing broke the promise\n%s", next.Load(), *seed, taken.Load(), sum.words())
	for _, what := range happenings {
		if sum.tally[what.name] == 0 && *steps >= what.steps {
			t.Errorf("it never happened: %s", what.name)
		}
	}
	if *recordIt && !t.Failed() {
		sum.record(t)
	}
}

// tell says how the promise was broken, in the fewest acts that break it.
func tell(t *testing.T, plan Plan, o Outcome) {
	t.Helper()
	short := shrink(plan, func(p Plan) bool {
		again := play(t, p).Problems
		return len(again) > 0 && shape(again[0]) == shape(o.Problems[0])
	}, time.Now().Add(20*time.Second))
	if len(short.Acts) < len(plan.Acts) || short.Weather != plan.Weather || short.Recoveries < plan.Recoveries {
		o = play(t, short)
	}
	var acts []string
	for _, act := range short.Acts {
		acts = append(acts, act.String())
	}
	t.Errorf("the promise is broken; see it again with: go test ./infra/proof/simulate -run TestHistories -seed %d -steps 1\n\n"+
		"the weather: %s\n\n%s\n\nafter %d rounds in which the sweep takes up what is due:\n%s",
		plan.Seed, short.Weather, strings.Join(acts, "\n"), short.Recoveries, strings.Join(o.Problems[:min(20, len(o.Problems))], "\n"))
}

// happenings are what must have come about in so many steps: a world in which
// they do not would prove little.
var happenings = []struct {
	name  string
	steps int64
}{
	{"process died", 1e5},
	{"process died after twenty calls or more", 1e5},
	{"message lost", 1e5},
	{"message delivered twice", 1e5},
	{"message taken, answer lost", 1e5},
	{"record lost", 1e5},
	{"record delivered twice", 1e5},
	{"records late by minutes", 1e6},
	{"mail accepted", 1e5},
	{"mail throttled", 1e5},
	{"mail put off by the mail service", 1e5},
	{"mail accepted, answer lost", 1e5},
	{"mail refused", 1e6},
	{"second mail after an answer that nobody saw", 1e6},
	{"newcomer bypassed the queue, nobody lost by it", 1e6},
	{"newcomer bypassed the queue while that was allowed", 1e6},
	{"bypass of a queue allowed", 1e6},
	{"second chunk of a line", 1e5},
	{"line connected", 1e5},
	{"key given back and revoked", 1e5},
	{"key given back and available", 1e5},
	{"key given back and kept", 1e5},
	{"key replaced", 1e5},
	{"restocked key sold again", 1e6},
	{"chunk written again", 1e6},
	{"chunk emptied and deleted", 1e6},
	{"second mail about a key that was replaced", 1e6},
	{"changed repeat refused", 1e5},
	{"delay mail accepted", 1e5},
	{"mail set due by the sweep", 1e5},
	{"line that waits, looked at by the sweep", 1e5},
	{"lease lapsed, and the next mailer took over", 1e5},
	{"sweep beside another", 1e5},
	{"upload taken up by the sweep", 1e6},
	{"parked file read", 1e6},
	{"parked file left to the sweep", 1e6},
	{"fill left to the sweep", 1e6},
	{"fate NeverArrives", 1e5},
	{"fate LostAnswer", 1e5},
	{"fate ServerError", 1e5},
	{"fate ServerErrorAfter", 1e5},
	{"fate Unavailable", 1e5},
	{"fate Throttled", 1e5},
	{"fate Slow", 1e5},
	{"fate Partial", 1e5},
	{"fate Late", 1e5},
	{"fate Conflict", 1e5},
	{"fate InProgress", 1e5},
	{"cancelled by ConditionalCheckFailed", 1e5},
	{"cancelled by TransactionConflict", 1e5},
	{"throttled by a partition", 1e5},
}

// summed is what many histories came to.
type summed struct {
	mu                       sync.Mutex
	began                    time.Time
	histories                int
	steps                    int64
	acts, orders, keys, sold int
	tally                    map[string]int
}

func (s *summed) add(plan Plan, o Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.histories++
	s.steps += o.Steps
	s.acts += len(plan.Acts)
	s.orders += o.Orders
	s.keys += o.Keys
	s.sold += o.Sold
	for what, n := range o.Tally {
		s.tally[what] += n
	}
}

// record writes what was counted into the page of results.
func (s *summed) record(t *testing.T) {
	took := time.Since(s.began).Round(time.Second)
	text := fmt.Sprintf("%d histories, seeds from %d on, %d steps in %s. A step is one call of a table, a queue, a bucket or the mail service; "+
		"the looks of sweeps at what is due are not counted. **Keys sold twice: 0. Keys lost: 0. Lines stuck: 0.**\n\n%s",
		s.histories, *seed, s.steps, took, s.table())
	if err := results.Write("simulate", "make simulate", text); err != nil {
		t.Error(err)
	}
}

func (s *summed) rows() [][2]string {
	rows := [][2]string{
		{"things that happened from outside", fmt.Sprint(s.acts)},
		{"order lines paid", fmt.Sprint(s.orders)},
		{"keys accepted", fmt.Sprint(s.keys)},
		{"keys sold", fmt.Sprint(s.sold)},
	}
	for _, what := range slices.SortedFunc(maps.Keys(s.tally), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.tally[b], s.tally[a]), cmp.Compare(a, b))
	}) {
		rows = append(rows, [2]string{what, fmt.Sprint(s.tally[what])})
	}
	return rows
}

func (s *summed) words() string {
	var b strings.Builder
	for _, row := range s.rows() {
		fmt.Fprintf(&b, "%10s  %s\n", row[1], row[0])
	}
	return b.String()
}

func (s *summed) table() string {
	var b strings.Builder
	b.WriteString("| what | times |\n|---|---|\n")
	for _, row := range s.rows() {
		fmt.Fprintf(&b, "| %s | %s |\n", row[0], row[1])
	}
	return b.String()
}

func TestRun_sameSeedSameHistory(t *testing.T) {
	for _, seed := range []uint64{2, 4, 6} {
		plan := NewPlan(seed, length)
		one, again := play(t, plan), play(t, plan)
		if one.History != again.History || one.Steps != again.Steps {
			t.Errorf("seed %d: %d steps, history %x, and then %d, %x", seed, one.Steps, one.History, again.Steps, again.History)
		}
	}
	if a, b := play(t, NewPlan(2, 10)), play(t, NewPlan(3, 10)); a.History == b.History {
		t.Error("two seeds, one history")
	}
}

func TestShrink_keepsWhatBreaks(t *testing.T) {
	plan := NewPlan(1, length)
	// It breaks as soon as two files are dropped while messages are lost.
	plan.Weather.Lost, plan.Weather.Death, plan.Recoveries = 0.1, 0.1, 11
	tries := 0
	short := shrink(plan, func(p Plan) bool {
		tries++
		files := 0
		for _, act := range p.Acts {
			if _, ok := act.Act.(dropped); ok {
				files++
			}
		}
		return files >= 2 && p.Weather.Lost > 0 && p.Recoveries >= 3
	}, time.Now().Add(20*time.Second))
	if len(short.Acts) != 2 || short.Recoveries != 3 || short.Weather.Lost == 0 || short.Weather.Death != 0 {
		t.Errorf("after %d tries %d of %d acts are left, and %d recoveries, in %s", tries, len(short.Acts), len(plan.Acts), short.Recoveries, short.Weather)
	}
}

func TestShape_isTheKindOfAProblem(t *testing.T) {
	one := "  51.533 s  order 3, line 1 holds 2 keys and paid for 1"
	if other := " 151.000 s  order 12, line 2 holds 9 keys and paid for 7"; shape(one) != shape(other) {
		t.Errorf("%q and %q", shape(one), shape(other))
	}
	if other := "  51.533 s  order 3, line 1 was deleted"; shape(one) == shape(other) {
		t.Errorf("both are %q", shape(one))
	}
}
