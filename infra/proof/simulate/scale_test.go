package simulate

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"keypool/infra/proof/plot"
	"keypool/infra/proof/results"
)

// sale runs a sale in a bubble of its own.
func sale(t *testing.T, seed uint64, conditions Conditions, happens func(s *Sale)) (sum Sold) {
	t.Helper()
	var err error
	synctest.Test(t, func(*testing.T) {
		var s *Sale
		if s, err = NewSale(seed, conditions); err != nil {
			return
		}
		happens(s)
		s.Wait()
		sum = s.Sold()
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(sum.Problems) > 0 {
		t.Errorf("seed %d: %d problems, the first: %s", seed, len(sum.Problems), sum.Problems[0])
	}
	return sum
}

// stocked stocks a pool and lets its index catch up.
func stocked(t *testing.T, s *Sale, keys int) {
	if err := s.Stock(keys); err != nil {
		t.Error(err)
	}
	time.Sleep(3 * time.Second)
}

func TestSale_falseEmptyEndsByItself(t *testing.T) {
	for _, test := range []struct {
		queued int // fewer than a claim reads of the queue, or more
		rate   float64
	}{{20, 1000}, {200, 300}} {
		t.Run(fmt.Sprint(test.queued, " lines"), func(t *testing.T) {
			t.Parallel()
			var after []int
			sum := sale(t, *seed, DocumentedLimits(4), func(s *Sale) {
				stocked(t, s, 20_000)
				s.w.spawn(func() {
					if err := s.QueueAlthoughStocked(test.queued); err != nil {
						t.Error(err)
					}
				})
				for len(after) < 3 || after[len(after)-1] > 0 && len(after) < 15 {
					s.Sell(test.rate, time.Second)
					after = append(after, s.Waiting())
				}
			})
			t.Logf("%d orders are queued although there are 20,000 keys and %.0f orders come each second; the queue each second: %v; %+v", test.queued, test.rate, after, sum)
			if sum.Busy > 0 || after[len(after)-1] > 0 {
				t.Errorf("%d orders were asked to retry, %d wait at the end", sum.Busy, after[len(after)-1])
			}
		})
	}
}

// TestScale measures the limits of throughput. With -record it takes minutes and writes
// RESULTS.md; otherwise it sells from one pool at a moderate rate.
func TestScale(t *testing.T) {
	page := scalePage{rates: rates[:2], attempts: map[int][]plot.Point{}}
	pools, coming := []int{4}, []float64{100}
	if *recordIt {
		page.rates, pools, coming = rates, []int{64, 4, 1}, []float64{0, 100, 1000}
	}
	t.Run("sales", func(t *testing.T) {
		for _, shards := range pools {
			t.Run(fmt.Sprint(shards, " shards"), func(t *testing.T) {
				t.Parallel()
				page.orders(t, shards)
			})
		}
		t.Run("last keys", page.lastKeys)
		for _, rate := range coming {
			t.Run(fmt.Sprint("queue at ", rate), func(t *testing.T) {
				t.Parallel()
				page.queue(t, rate)
			})
		}
	})
	if t.Failed() || !*recordIt {
		return
	}
	if err := page.write(); err != nil {
		t.Error(err)
	}
}

// scalePage collects the measurements for RESULTS.md.
type scalePage struct {
	rates []float64

	mu       sync.Mutex
	attempts map[int][]plot.Point // transactions an order, by orders a second, by shards
	limits   []string             // rows
	fought   string
	drained  []plot.Series
	drains   []string // rows
}

var rates = []float64{100, 300, 1000, 2000, 3000, 5000}

// moderate is a rate that every pool must serve.
const moderate = 300

// keysOnSale are in the pool while rates are measured.
const keysOnSale = 20_000

const (
	attemptsOfOne = 1.02                   // transactions an order that count as one
	answerWithin  = 200 * time.Millisecond // the time within which 99 of 100 orders are answered
)

// saleLasts returns how long orders come at a rate: at high rates longer than the second
// of burst capacity of a partition.
func saleLasts(rate float64) time.Duration {
	return time.Duration(min(3, max(1, rate/1000))) * time.Second
}

func (p *scalePage) orders(t *testing.T, shards int) {
	var points []plot.Point
	once, fine, row := 0.0, 0.0, fmt.Sprintf("| %2d |", shards)
	for _, rate := range p.rates {
		sum := sale(t, *seed, DocumentedLimits(shards), func(s *Sale) {
			stocked(t, s, keysOnSale)
			s.Sell(rate, saleLasts(rate))
		})
		served := sum.Busy == 0 && sum.Waiting == 0 && sum.P99 <= answerWithin
		if sum.Attempts <= attemptsOfOne {
			once = rate
		}
		if served {
			fine = rate
		}
		if rate <= moderate && (!served || sum.Attempts > attemptsOfOne) {
			t.Errorf("%.0f orders a second: %+v", rate, sum)
		}
		points = append(points, plot.Point{X: rate, Y: sum.Attempts})
		row += fmt.Sprintf(" %.3f", sum.Attempts)
		if sum.Waiting+sum.Busy > 0 {
			row += fmt.Sprintf(" (%.1f %% wait, %.1f %% retry)", 100*float64(sum.Waiting)/float64(sum.Orders), 100*float64(sum.Busy)/float64(sum.Orders))
		}
		row += fmt.Sprintf(", %d ms |", sum.P99.Milliseconds())
		if sum.Busy > sum.Orders/200 {
			break // higher rates are worse
		}
	}
	row += strings.Repeat(" |", len(p.rates)-len(points))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.attempts[shards] = points
	p.limits = append(p.limits, row+fmt.Sprintf(" %.0f | %.0f |", once, fine))
}

// lastKeys has a thousand orders fight for the last hundred keys.
func (p *scalePage) lastKeys(t *testing.T) {
	t.Parallel()
	sum := sale(t, *seed, DocumentedLimits(4), func(s *Sale) {
		stocked(t, s, 100)
		s.Sell(1000, time.Second)
	})
	if sum.Fulfilled+sum.Waiting+sum.Busy != 1000 || sum.Keys != 100 || sum.Busy > 10 || sum.Attempts > 5 {
		t.Errorf("1,000 orders for 100 keys: %+v", sum)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fought = fmt.Sprintf("**The last 100 keys, fought over by %d orders within a second:** %d sold, none twice, %d orders wait, %d were asked to retry, %.2f transactions an order.",
		sum.Orders, sum.Keys, sum.Waiting, sum.Busy, sum.Attempts)
}

// queue fills 2,000 waiting lines while orders keep coming.
func (p *scalePage) queue(t *testing.T, rate float64) {
	var points []plot.Point
	sum := sale(t, *seed, DocumentedLimits(4), func(s *Sale) {
		s.Sell(200, 10*time.Second)
		time.Sleep(5 * time.Second)
		if err := s.Stock(2000 + 4000 + int(30*rate)); err != nil {
			t.Error(err)
		}
		for second := range 30 {
			points = append(points, plot.Point{X: float64(second), Y: float64(s.Waiting())})
			if s.Waiting() == 0 {
				break
			}
			began := time.Now()
			s.Sell(rate, time.Second)
			time.Sleep(time.Until(began.Add(time.Second)))
		}
	})
	last := points[len(points)-1]
	if last.Y > 0 {
		t.Errorf("with %.0f orders a second %.0f lines wait after %.0f s", rate, last.Y, last.X)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drained = append(p.drained, plot.Series{Name: fmt.Sprintf("%4.0f orders a second", rate), Points: points})
	p.drains = append(p.drains, fmt.Sprintf("| %4.0f | %.0f s | %d | %d |", rate, last.X, sum.Busy, sum.Orders))
}

func (p *scalePage) write() error {
	checkout, err := results.Checkout()
	if err != nil {
		return err
	}
	attempts := plot.Chart{
		Title: "Transactions of a claim", X: plot.Axis{Title: "orders a second, one pool side", Log: true},
		Y: plot.Axis{Title: "transactions an order", From: 0.98, To: 1.5},
	}
	slices.Sort(p.limits)
	slices.Sort(p.drains)
	slices.SortFunc(p.drained, func(a, b plot.Series) int { return strings.Compare(a.Name, b.Name) })
	for _, shards := range []int{1, 4, 64} {
		name := fmt.Sprintf("S = %d", shards)
		attempts.Series = append(attempts.Series, plot.Series{Name: name, Points: p.attempts[shards]})
	}
	// An index still shows a key that was claimed, on average for half of the largest lag.
	// A claim that chooses such a key needs another transaction.
	stale := plot.Series{Name: "1 + rate x lag / 2 / keys", Dashed: true}
	for _, rate := range rates {
		// Fewer keys are left as the sale goes on.
		lasts := saleLasts(rate).Seconds()
		stale.Points = append(stale.Points, plot.Point{
			X: rate, Y: 1 + DocumentedLimits(1).IndexLag.Seconds()/2/lasts*math.Log(keysOnSale/(keysOnSale-rate*lasts)),
		})
	}
	attempts.Series = append(attempts.Series, stale)
	drain := plot.Chart{
		Title: "2,000 waiting lines are filled", X: plot.Axis{Title: "seconds since keys came"},
		Y: plot.Axis{Title: "lines that wait"}, Series: p.drained,
	}
	for name, chart := range map[string]plot.Chart{"claims.svg": attempts, "queue.svg": drain} {
		if err := chart.Write(filepath.Join(checkout, "infra/proof", name)); err != nil {
			return err
		}
	}
	header, line := "| S |", "|---|"
	for _, rate := range rates {
		header += fmt.Sprintf(" %.0f/s |", rate)
		line += "---|"
	}
	return results.Write("scale", "make simulate", fmt.Sprintf("Transactions an order, and the time in which 99 of 100 are answered, by orders a second on one side of one pool of %d keys. S is the pool's number of shards. ", keysOnSale)+
		"The last two columns are the most at which a claim needs 1.02 transactions, and at which no order waits or retries and 99 of 100 are answered within 200 ms.\n\n"+
		header+" 1.02 up to | served up to |\n"+line+"---|---|\n"+strings.Join(p.limits, "\n")+
		"\n\n![transactions of a claim](claims.svg)\n\n"+p.fought+"\n\n"+
		"2,000 lines wait, then keys for all come, while orders go on coming.\n\n"+
		"| orders a second | queue empty after | asked to retry | orders |\n|---|---|---|---|\n"+strings.Join(p.drains, "\n")+
		"\n\n![the queue](queue.svg)\n")
}
