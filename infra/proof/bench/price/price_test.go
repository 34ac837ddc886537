package price

import (
	"math"
	"strings"
	"testing"
)

// The figures of these tests are made up; the sums were done by hand.

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-6*math.Max(1, math.Abs(want)) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// A function of 512 MB has 512/1,769 of a processor: 2 ms of work take 6.910 ms.
func TestFunction_seconds(t *testing.T) {
	f := Function{Memory: 0.5, Waits: 0.009, Processor: 0.002}
	near(t, "seconds", f.Seconds(), 0.009+0.00691015625)
	f.Memory = 4 // more than one processor is no use to what is done one after the other
	near(t, "seconds", f.Seconds(), 0.011)
}

// A million orders:
//
//	writes   6 + 5 + 4 = 15 M at 0.625       9.375
//	reads    3 + 1 + 2 =  6 M at 0.125       0.75
//	webhook               1 M at 1.00        1.00
//	functions 1 + 3     = 4 M at 0.20        0.80
//	claim    1 x 2 GB  x 0.020 s = 40,000 GB-s, 0.53334
//	deliver  3 x 0.5   x 0.100 s = 150,000 GB-s, 2.00001
//	logs     4 x 265 + 300 + 200 = 1,560 bytes: 1.56 GB at 0.50, 0.78
func TestOrder_bill(t *testing.T) {
	o := Order{
		ClaimWrites: 6, ClaimReads: 3, MailWrites: 5, MailReads: 1, FeedbackWrites: 4, FeedbackReads: 2,
		Functions: []Function{
			{Name: "claim", Memory: 2, Invocations: 1, Processor: 0.005, Waits: 0.015},
			{Name: "deliver", Memory: 0.5, Invocations: 3, Waits: 0.1},
		},
		OwnLog: 300, AccessLog: 200,
	}
	if PlatformLog != 265 {
		t.Errorf("Lambda logs %v bytes an invocation", PlatformLog)
	}
	near(t, "a million orders", o.Bill().Dollars(1e6), 9.375+0.75+1+0.8+40_000*0.0000133334+150_000*0.0000133334+0.78)
}

// Two million events at 1.00 are no part of the order's own bill.
func TestOrder_events(t *testing.T) {
	near(t, "events of a million mails", Order{}.EventsBill().Dollars(1e6), 2)
	for _, i := range (Order{}).Bill() {
		if strings.Contains(i.For, "event") {
			t.Errorf("%s are counted twice, or as free", i.For)
		}
	}
}

// A million keys in 100 ranges:
//
//	writes     2 M at 0.625                   1.25
//	ranges   100 GETs at 0.0004 / 1,000       0.00004
//	messages 300 calls at 0.40 / M            0.00012
//	functions 100 at 0.20 / M                 0.00002
//	time     1 GB for 0.0002 s each: 200 GB-s, 0.00266668
//	logs     100 x 265 bytes                  0.00001325
func TestKey_bill(t *testing.T) {
	k := Key{Writes: 2, Ranges: 1e-4, RangeCalls: 3, Function: Function{Memory: 1, Waits: 0.0002}}
	near(t, "a million keys", k.Bill().Dollars(1e6), 1.25+0.00004+0.00012+0.00002+0.00266668+0.00001325)
}

// A month of 50,000 ticks of 0.25 GB for 0.1 s each (1,250 GB-s, 0.01666675) that
// read 40,000 x 10 + 10,000 x 2 = 420,000 units (0.0525), with their clock (0.05),
// invocations (0.01) and logs (13.25 MB, 0.006625); a key (1.00) used 20,000 times
// (0.06), 20 alarms (2.00), a million polls (0.40).
func TestIdle_bill(t *testing.T) {
	f := Function{Memory: 0.25, Waits: 0.1}
	i := Idle{
		Sweep: f, Stock: f, SweepTicks: 40_000, StockTicks: 10_000, SweepReads: 10, StockReads: 2,
		Alarms: 20, KMSCalls: 20_000, QueuePolls: 1e6,
	}
	near(t, "a month", i.Bill().Dollars(1), 0.01666675+0.0525+0.05+0.01+0.006625+1+0.06+2+0.40)
}

// A thousand runs of 0.25 GB for 2 s each (500 GB-s, 0.0066667) that write 2 units
// (2,000, 0.00125) and read 1 and 20 x 1 (21,000, 0.002625), with three calls of SQS
// (3,000, 0.0012), invocations (0.0002) and logs (1,000 x 365 bytes, 0.0001825).
func TestCaughtUp_bill(t *testing.T) {
	c := CaughtUp{Runs: 1000, Reads: 1, Writes: 2, Known: 20, KnownReads: 1, Function: Function{Memory: 0.25, Waits: 2}, QueueCalls: 3, OwnLog: 100}
	near(t, "a month", c.Bill().Dollars(1), 0.0066667+0.00125+0.002625+0.0012+0.0002+0.0001825)
}

// A million items of 600 bytes with 100 bytes in indexes:
//
//	stored    0.7 GB at 0.25  0.175
//	recovered 0.6 GB at 0.20  0.12
func TestKept_bill(t *testing.T) {
	near(t, "a million items", Kept{Items: 600, Indexes: 100}.Bill().Dollars(1e6), 0.175+0.12)
}

func TestBill_table(t *testing.T) {
	const want = `| for | amount | of | at $ | $ |
|---|---:|---|---:|---:|
| claim | 6.5 M | write request unit | 0.625 / M | 4.06 |
| time | 12 k | second of a function of 1 GB, arm64 | 0.0000133334 | 0.16 |
| mail | 1 M | mail | 0.10 / 1000 | 100.00 |
| stream | 2 M | read of a stream by Lambda | free | 0.00 |
| **together** | | | | **104.22** |
`
	got := Bill{{"claim", 6.5, WriteUnit}, {"time", 0.012, GBSecond}, {"mail", 1, Mail}, {"stream", 2, StreamRead}}.Table(1e6)
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPrices_haveASource(t *testing.T) {
	for _, b := range []Bill{Order{}.Bill(), Order{}.EventsBill(), Key{}.Bill(), Kept{}.Bill(), Idle{}.Bill(), CaughtUp{}.Bill()} {
		for _, i := range b {
			if !strings.HasPrefix(i.Of.Source, "aws.amazon.com/") || i.Of.Per == 0 || i.Of.Unit == "" {
				t.Errorf("%s: a price of nothing, or from nowhere: %+v", i.For, i.Of)
			}
		}
	}
}
