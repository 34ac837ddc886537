package notice

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/catalog"
	"keypool/shared/pool"
)

var (
	elden = pool.ID{Merchant: "nova", Pool: "elden", Side: pool.Live}
	noon  = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
)

func later(d time.Duration) time.Time { return noon.Add(d) }

// TestAlert_tellsEachWorseLevelOnce goes through the life of a pool, one view after
// the other, and holds what the merchant is told at each.
func TestAlert_tellsEachWorseLevelOnce(t *testing.T) {
	t.Parallel()
	settings := catalog.Pool{LowStock: 10, Reminder: 24 * time.Hour}
	type step struct {
		at    time.Duration
		view  StockView
		level StockLevel
		told  Kind // "": nothing
	}
	for name, steps := range map[string][]step{
		"threshold": {
			{0, StockView{Available: 11}, StockOK, ""},
			{1, StockView{Available: 10}, StockOK, ""},
			{2, StockView{Available: 9}, StockLow, LowStock},
			{3, StockView{Available: 8}, StockLow, ""},
		},
		"restocking arms it": {
			{0, StockView{Available: 9}, StockLow, LowStock},
			{1, StockView{Available: 10}, StockOK, ""},
			{2, StockView{Available: 9}, StockLow, LowStock},
		},
		"each level is worse": {
			{0, StockView{Available: 1}, StockLow, LowStock},
			{1, StockView{}, StockEmpty, Empty},
			{2, StockView{Waiting: 1}, StockBackordered, Empty},
			{3, StockView{Waiting: 2}, StockBackordered, ""},
		},
		"getting better is silent": {
			{0, StockView{Waiting: 1}, StockBackordered, Empty},
			{1, StockView{}, StockEmpty, ""},
			{2, StockView{Available: 3}, StockLow, ""},
			{3, StockView{}, StockEmpty, Empty},
		},
		"reminded after the cool-down": {
			{0, StockView{Available: 3}, StockLow, LowStock},
			{24*time.Hour - 1, StockView{Available: 2}, StockLow, ""},
			{24 * time.Hour, StockView{Available: 2}, StockLow, LowStock},
			{25 * time.Hour, StockView{Available: 2}, StockLow, ""},
			{48 * time.Hour, StockView{Available: 1}, StockLow, LowStock},
		},
		"everybody served and one waits anew": {
			{0, StockView{Waiting: 3, Since: later(-time.Hour)}, StockBackordered, Empty},
			{time.Minute, StockView{Waiting: 1, Since: later(-time.Minute)}, StockBackordered, ""},
			{time.Hour, StockView{Waiting: 1, Since: later(time.Minute)}, StockBackordered, Empty},
			{2 * time.Hour, StockView{Waiting: 2, Since: later(time.Minute)}, StockBackordered, ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alert := Alert{Pool: elden}
			notices := 0
			for i, s := range steps {
				next, n := alert.After(s.view, settings, later(s.at))
				if next.Level != s.level {
					t.Errorf("step %d: level %q, want %q", i, next.Level, s.level)
				}
				if got := kindOf(n); got != s.told {
					t.Errorf("step %d: told %q, want %q", i, got, s.told)
				}
				if n != nil {
					notices++
				}
				if next.Sequence != notices {
					t.Errorf("step %d: sequence %d after %d notices", i, next.Sequence, notices)
				}
				alert = next
			}
		})
	}
}

func TestAlert_thresholdZeroTellsOnlyOfOrdersThatWait(t *testing.T) {
	t.Parallel()
	never := catalog.Pool{LowStock: 0, Reminder: 24 * time.Hour}
	alert, n := Alert{Pool: elden}.After(StockView{}, never, noon)
	if alert.Level != StockOK || n != nil {
		t.Errorf("an empty pool: level %q, told %q; want nothing", alert.Level, kindOf(n))
	}
	alert, n = alert.After(StockView{Waiting: 1, Since: noon}, never, noon)
	if alert.Level != StockBackordered || kindOf(n) != Empty {
		t.Errorf("an order waits: level %q, told %q; want it told", alert.Level, kindOf(n))
	}
}

func TestAlert_reminderZeroTellsOnce(t *testing.T) {
	t.Parallel()
	once := catalog.Pool{LowStock: 10}
	alert, n := Alert{Pool: elden}.After(StockView{Available: 1}, once, noon)
	if n == nil {
		t.Fatal("the low stock is not told")
	}
	if _, n = alert.After(StockView{Available: 1}, once, later(365*24*time.Hour)); n != nil {
		t.Error("told again, though the merchant wants no reminders")
	}
}

func TestAlert_nothingFoundIsToldOnce(t *testing.T) {
	t.Parallel()
	facts := Facts{Waiting: 1, Missing: 2, HeadNeeds: 2, Started: later(-time.Second)}
	alert, n := Alert{Pool: elden, Level: StockLow, Sequence: 4, ToldAt: later(-time.Hour)}.AfterEmpty(facts, []string{"stock@nova.example", "ada@nova.example"}, noon)
	facts.Pool, facts.Side = "elden", pool.Live
	want := []Notice{New("nova", Empty, "elden#live#5", facts, noon), New("nova", Empty, "elden#live#5#1", facts, noon), New("nova", Empty, "elden#live#5#2", facts, noon)}
	want[1].To, want[2].To = "stock@nova.example", "ada@nova.example"
	if diff := cmp.Diff(want, n); diff != "" {
		t.Errorf("the notices (-want +got):\n%s", diff)
	}
	if again, n := alert.AfterEmpty(facts, nil, later(time.Minute)); n != nil || again != alert {
		t.Errorf("told again: %v", again)
	}
	facts.Started = later(time.Minute) // whoever waited at noon has been served
	if _, n := alert.AfterEmpty(facts, nil, later(time.Hour)); n == nil {
		t.Error("a new order waits after all others were served, and it is not told")
	}
}

// Low stock and its reminder go to each further address that the pool has at that moment.
func TestAlert_tellsFurtherAddresses(t *testing.T) {
	t.Parallel()
	settings := catalog.Pool{LowStock: 10, Reminder: time.Hour, NoticeAddresses: []string{"stock@nova.example"}}
	told := func(all []Notice) (to []string) {
		for _, n := range all {
			to = append(to, n.ID+" "+n.To)
		}
		return to
	}
	alert, first := Alert{Pool: elden}.After(StockView{Available: 1}, settings, noon)
	if diff := cmp.Diff([]string{"nova#low-stock#elden#live#1 ", "nova#low-stock#elden#live#1#1 stock@nova.example"}, told(first)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	settings.NoticeAddresses = []string{"ada@nova.example", "stock@nova.example"}
	alert, again := alert.After(StockView{Available: 1}, settings, later(time.Minute))
	if again != nil {
		t.Errorf("told again: %q", told(again))
	}
	_, again = alert.After(StockView{Available: 1}, settings, later(time.Hour))
	if diff := cmp.Diff([]string{"nova#low-stock#elden#live#2 ", "nova#low-stock#elden#live#2#1 ada@nova.example", "nova#low-stock#elden#live#2#2 stock@nova.example"}, told(again)); diff != "" {
		t.Errorf("the reminder (-want +got):\n%s", diff)
	}
}

func TestAlert_testSideIsNotTold(t *testing.T) {
	t.Parallel()
	test := pool.ID{Merchant: "nova", Pool: "elden", Side: pool.Test}
	if _, n := (Alert{Pool: test}).AfterEmpty(Facts{Waiting: 1}, []string{"stock@nova.example"}, noon); n != nil {
		t.Error("the merchant is told of a test order")
	}
}

func kindOf(told []Notice) Kind {
	if len(told) == 0 {
		return ""
	}
	return told[0].Kind
}
