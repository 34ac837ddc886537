package price

// Function is the runs of a function for one order.
type Function struct {
	Name        string
	Memory      float64 // GB, as Lambda counts
	Invocations float64 // for each order
	Waits       float64 // seconds of calls, one after the other
	Processor   float64 // seconds of a whole processor
}

// A function has one processor for each 1,769 MB of memory. Lambda counts 1,024 MB to
// the GB.
//
// Source: AWS Lambda Developer Guide, "Configure Lambda function memory".
const processorGB = 1769.0 / 1024

// Seconds is the duration of one run: the calls, and the function's own work at the
// share of a processor that its memory gives it.
func (f Function) Seconds() float64 {
	return f.Waits + f.Processor/min(1, f.Memory/processorGB)
}

// Order is the measurements of a one-key order, from the webhook to the customer's
// mail server.
type Order struct {
	ClaimWrites, ClaimReads       float64 // units
	MailWrites, MailReads         float64 // lease, sent, history, the pool's count
	FeedbackWrites, FeedbackReads float64 // SES's two events: sent, delivered
	Functions                     []Function
	OwnLog                        float64 // bytes, of the functions' own lines
	AccessLog                     float64 // bytes
}

// PlatformLog is the bytes that Lambda logs for each run: START, END and REPORT in
// plain text.
const PlatformLog = float64(len("START RequestId: 8f507cfc-xmpl-4697-b07a-ac58fc914c95 Version: $LATEST\n" +
	"END RequestId: 8f507cfc-xmpl-4697-b07a-ac58fc914c95\n" +
	"REPORT RequestId: 8f507cfc-xmpl-4697-b07a-ac58fc914c95\tDuration: 15.74 ms\tBilled Duration: 16 ms\tMemory Size: 1024 MB\tMax Memory Used: 32 MB\t\n"))

// Bill is the cost of the order without its mail, for which SES charges ten times as
// much, and without the mail's events: see EventsBill.
func (o Order) Bill() Bill {
	invocations, logs := 0.0, o.OwnLog+o.AccessLog
	for _, f := range o.Functions {
		invocations += f.Invocations
		logs += f.Invocations * PlatformLog
	}
	b := Bill{
		{"claim", o.ClaimWrites, WriteUnit},
		{"claim", o.ClaimReads, ReadUnit},
		{"mail", o.MailWrites, WriteUnit},
		{"mail", o.MailReads, ReadUnit},
		{"feedback of the mail", o.FeedbackWrites, WriteUnit},
		{"feedback of the mail", o.FeedbackReads, ReadUnit},
		{"webhook", 1, HTTPCall},
		{"functions", invocations, Invocation},
	}
	for _, f := range o.Functions {
		b = append(b, Item{f.Name, f.Invocations * f.Memory * f.Seconds(), GBSecond})
	}
	return append(
		b,
		Item{"logs", logs, LogByte},
		Item{"orders' stream", 1, StreamRead},
	)
}

// EventsBill is the cost of SES's two events about the order's mail, sent and
// delivered, if EventBridge counts them as opt-in data events. Its page names S3's
// events as an example, and leaves SES's open: a bill will show it.
func (Order) EventsBill() Bill { return Bill{{"SES's events", 2, OptInEvent}} }

// Key is the measurements of one key of a large file.
type Key struct {
	Writes     float64 // units, with its share of the progress
	Ranges     float64 // a key's share of a range
	Function   Function
	RangeCalls float64 // of SQS, for each range: sent, received, deleted
}

// Bill is the cost of loading the key.
func (k Key) Bill() Bill {
	return Bill{
		{"the key, and its entry in an index", k.Writes, WriteUnit},
		{"ranges of the file", k.Ranges, Get},
		{"ranges' messages", k.Ranges * k.RangeCalls, QueueCall},
		{"functions", k.Ranges, Invocation},
		{k.Function.Name, k.Function.Memory * k.Function.Seconds(), GBSecond},
		{"logs", k.Ranges * PlatformLog, LogByte},
	}
}

// Kept is the bytes that stay in the tables for a month: of items, and of their
// entries in indexes.
type Kept struct{ Items, Indexes float64 }

// Bill is the cost of a month. Point-in-time recovery is charged for items alone.
func (k Kept) Bill() Bill {
	return Bill{
		{"items, and their entries in indexes", k.Items + k.Indexes, Storage},
		{"items, to be recovered as they were at any second", k.Items, Recovery},
	}
}

// Idle is a deployment without any work, for a month of 30 days.
type Idle struct {
	Sweep, Stock, Catchup                Function
	SweepTicks, StockTicks, CatchupTicks float64 // a month
	SweepReads, StockReads, CatchupReads float64 // units a tick
	Alarms                               float64
	KMSCalls                             float64 // a month
	QueuePolls                           float64 // a month: Lambda polls all the time
}

// Bill is the cost of the month.
func (i Idle) Bill() Bill {
	ticks := i.SweepTicks + i.StockTicks + i.CatchupTicks
	return Bill{
		{"the key that all is encrypted with", 1, KMSKey},
		{"its use by tables and queues", i.KMSCalls, KMSCall},
		{"alarms", i.Alarms, Alarm},
		{"the clock of sweep, stock and catchup", ticks, Tick},
		{"functions", ticks, Invocation},
		{i.Sweep.Name, i.SweepTicks * i.Sweep.Memory * i.Sweep.Seconds(), GBSecond},
		{i.Stock.Name, i.StockTicks * i.Stock.Memory * i.Stock.Seconds(), GBSecond},
		{i.Catchup.Name, i.CatchupTicks * i.Catchup.Memory * i.Catchup.Seconds(), GBSecond},
		{"what they look at", i.SweepTicks*i.SweepReads + i.StockTicks*i.StockReads + i.CatchupTicks*i.CatchupReads, ReadUnit},
		{"queues, asked for messages", i.QueuePolls, QueueCall},
		{"logs", ticks * PlatformLog, LogByte},
	}
}

// CaughtUp is an account that is caught up with, for a month of 30 days.
type CaughtUp struct {
	Runs          float64 // a month
	Reads, Writes float64 // units of a run
	Known         float64 // orders that each run meets again
	KnownReads    float64 // units of each of them
	Function      Function
	QueueCalls    float64 // of SQS, for each run: sent, received, deleted
	OwnLog        float64 // bytes of a run
}

// Bill is the cost of the month, orders that are found aside: those cost what a webhook's do.
func (c CaughtUp) Bill() Bill {
	return Bill{
		{"how far it has come", c.Runs * c.Writes, WriteUnit},
		{"the account, and what is known", c.Runs * (c.Reads + c.Known*c.KnownReads), ReadUnit},
		{"messages", c.Runs * c.QueueCalls, QueueCall},
		{"functions", c.Runs, Invocation},
		{c.Function.Name, c.Runs * c.Function.Memory * c.Function.Seconds(), GBSecond},
		{"logs", c.Runs * (PlatformLog + c.OwnLog), LogByte},
	}
}
