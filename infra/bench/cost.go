package main

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"gopkg.in/yaml.v3"

	"keypool/infra/bench/price"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/delivery"
	"keypool/shared/dynamo"
	"keypool/shared/dynamo/dynamotest"
	"keypool/shared/ingest"
	"keypool/shared/order"
	"keypool/shared/stock"
	"keypool/shared/sweep"
)

// units reads what a one-key order consumes, from the claim to the news that its
// mail arrived, and in how many round trips it is claimed; and what a tick of
// sweep and of stock consumes where there is nothing to do.
func units(ctx context.Context, b *bench) error {
	const orders = 50
	e := local()
	var meter dynamotest.Meter
	var last []types.TransactWriteItem // of a claim: nothing else here writes a transaction
	store, tables, err := e.open(ctx, meter.Option, each(func(tx *dynamodb.TransactWriteItemsInput) error {
		last = tx.TransactItems
		return nil
	}))
	if err != nil {
		return err
	}
	defer e.drop(ctx, tables)
	if err := errors.Join(setUp(ctx, store), e.stock(ctx, tables, live, "AAAAA-BBBBB-CCCCC", 400)); err != nil {
		return err
	}
	claims, mails := claimer(store), mailer(store, obliging{})
	if err := orderOnce(ctx, claims, mails, paid("the first reads the catalog")); err != nil {
		return err
	}
	measured := map[string][]float64{}
	var trips []float64
	for i := range orders {
		line := paid(fmt.Sprint(i))
		for _, step := range []struct {
			name string
			do   func() error
		}{
			{"claim", func() error { _, err := claims.Claim(ctx, line); return err }},
			{"mail", func() error { return mailOnce(ctx, mails, line.ID) }},
			{"news", func() error { return arrived(ctx, mails, line.ID) }},
		} {
			meter.Reset()
			if err := step.do(); err != nil {
				return err
			}
			_, writes := meter.Units()
			reads := readUnits(meter.Calls())
			if step.name == "claim" {
				trips = append(trips, float64(roundTrips(meter.Calls())))
				writes = float64(writeUnits(last)) // the engine overstates a transaction's
			}
			measured[step.name+" reads"] = append(measured[step.name+" reads"], reads)
			measured[step.name+" writes"] = append(measured[step.name+" writes"], writes)
		}
	}
	for name, values := range measured {
		b.fact(name, median(values))
	}
	facts := b.record.Facts
	size := dynamotest.Size(last[0].Put.Item)
	b.add(figure{
		Name: "round trips of a warm claim of one key", Bar: "2",
		Got: fmt.Sprintf("%.0f", median(trips)), Met: median(trips) == 2,
		Note: "The reads go side by side and are one; the transaction is the other. A claim whose random place is near the end of a shard goes around once more: one in some dozens, in a pool of hundreds.",
	})
	b.add(figure{
		Name: "consumed capacity of a one-key order", Bar: "<= 6 write, 3 read units",
		Got:  fmt.Sprintf("%.0f write, %.1f read units", facts["claim writes"], facts["claim reads"]),
		Met:  facts["claim writes"] <= 6 && facts["claim reads"] <= 3,
		Note: fmt.Sprintf("The record of such an order has %d bytes. Units are what the engine reports, but for a read that finds nothing, for which it says 0 and AWS charges the least there is, and for a transaction's writes, which it overstates: those follow from the transaction by AWS's rule, two for each KB of each item and one for each entry that appears in or leaves an index.", size),
	})
	b.add(figure{
		Name: "the same, until its mail has arrived",
		Got: fmt.Sprintf("%.0f write, %.1f read units", facts["claim writes"]+facts["mail writes"]+facts["news writes"],
			facts["claim reads"]+facts["mail reads"]+facts["news reads"]),
		Note: "Lease 1, sent 2 with the entry that leaves an index, delivered 1, two lines of history, the pool's count 1 unless orders in a rush share it.",
	})
	return ticks(ctx, b, store, &meter)
}

// ticks reads what the clock consumes where there is nothing to do.
func ticks(ctx context.Context, b *bench, store *dynamo.Store, meter *dynamotest.Meter) error {
	sweeper := &sweep.Sweeper{Store: store, Catalog: store, Fill: nowhere{}, Ranges: nowhere{}, Now: time.Now}
	checker := &stock.Checker{Pools: store, Shelf: store, Alerts: store, Counts: store, Now: time.Now}
	for _, tick := range []struct {
		name string
		do   func() error
	}{
		{"sweep reads", func() error { _, err := sweeper.Sweep(ctx, time.Now().Add(time.Minute)); return err }},
		{"stock reads", func() error { return checker.Check(ctx) }},
	} {
		if err := tick.do(); err != nil { // the first of stock counts for the day
			return err
		}
		meter.Reset()
		if err := tick.do(); err != nil {
			return err
		}
		b.fact(tick.name, readUnits(meter.Calls()))
	}
	return nil
}

// readUnits adds up what AWS charges for the reads among the calls: the least
// there is for one that finds nothing, of which the engine says 0.
func readUnits(calls []dynamotest.Call) float64 {
	sum := 0.0
	for _, call := range calls {
		least := 0.0
		switch {
		case call.Operation != "GetItem" && call.Operation != "Query":
		case call.Consistent:
			least = 1
		default:
			least = 0.5
		}
		sum += max(call.Read, least)
	}
	return sum
}

// roundTrips counts the steps of a claim: all reads before the transaction that
// are not repeats of the same query go side by side.
func roundTrips(calls []dynamotest.Call) int {
	queries := 0
	for _, call := range calls {
		if call.Operation == "Query" {
			queries++
		}
	}
	return 2 + max(0, queries-2) // the queue and the keys
}

// writeUnits prices the transaction of a one-key order: its record enters the
// index due, its key leaves the index available.
func writeUnits(tx []types.TransactWriteItem) int {
	const key = 1 // a key's item is far below 1 KB
	return 2*((dynamotest.Size(tx[0].Put.Item)+1023)/1024) + 1 + 2*key + 1
}

// mailer mails by the post with the settings that setUp has made.
func mailer(store *dynamo.Store, post delivery.Post) *delivery.Mailer {
	return &delivery.Mailer{
		Lines: store, Notices: store, Settings: catalog.NewRecent(store, time.Now), Uploads: store, Counts: store,
		Post: post, Sender: mail.Address{Address: "keys@example.com"}, Operator: "operator@example.com", Now: time.Now,
	}
}

// obliging is an SES that takes every mail at once.
type obliging struct{}

func (obliging) Send(context.Context, delivery.Mail) (string, error) { return "ses-1", nil }

// orderOnce brings an order from its claim to the news that its mail arrived.
func orderOnce(ctx context.Context, claims *claim.Claimer, mails *delivery.Mailer, line order.Fulfillment) error {
	if _, err := claims.Claim(ctx, line); err != nil {
		return err
	}
	if err := mailOnce(ctx, mails, line.ID); err != nil {
		return err
	}
	return arrived(ctx, mails, line.ID)
}

func mailOnce(ctx context.Context, mails *delivery.Mailer, id order.LineID) error {
	return errors.Join(mails.Mail(ctx, []delivery.Item{{Line: id}})...)
}

// arrived tells what SES tells of a mail that arrives.
func arrived(ctx context.Context, mails *delivery.Mailer, id order.LineID) error {
	for _, what := range []order.Happening{order.MailSent, order.MailDelivered} {
		err := mails.Follow(ctx, delivery.News{Item: delivery.Item{Line: id}, Number: 1, What: what, At: time.Now(), MessageID: "ses-1"})
		if err != nil {
			return err
		}
	}
	return nil
}

// What the functions wait for in us-east-1, by rule of thumb: no figure of ours.
var (
	read        = price.Call{What: "read", Seconds: 0.004}
	write       = price.Call{What: "write", Seconds: 0.006}
	transaction = price.Call{What: "transaction", Seconds: 0.012}
	sending     = price.Call{What: "SES", Seconds: 0.080}
)

// bill reckons what orders, keys and a month cost, from what the other parts have
// measured; "" if one of those is missing.
func (b *bench) bill(measured map[string]record) (string, error) {
	fact := func(part, name string) float64 { return measured[part].Facts[name] }
	for _, needed := range []string{"units", "own", "waiting"} {
		if len(measured[needed].Facts) == 0 {
			return "", nil
		}
	}
	memory, err := b.memories()
	if err != nil {
		return "", err
	}
	function := func(name, part string, times float64, calls ...price.Call) price.Function {
		return price.Function{Name: name, Memory: memory[name] / 1024, Invocations: times, Calls: calls, Processor: fact("own", part)}
	}
	one := price.Order{
		ClaimWrites: fact("units", "claim writes"), ClaimReads: fact("units", "claim reads"),
		MailWrites: fact("units", "mail writes"), MailReads: fact("units", "mail reads"),
		NewsWrites: fact("units", "news writes"), NewsReads: fact("units", "news reads"),
		Functions: []price.Function{
			function("OrderPaid", "claim seconds", 1, read, transaction),
			function("Deliver", "mail seconds", 1, write, sending, write, write, write), // lease, mail, mark, history, count
			function("Deliver", "news seconds", 1, read),                                // "sent" is known by then
			function("Deliver", "news seconds", 1, read, write, write),                  // "delivered"
		},
		OwnLog: fact("waiting", "log bytes of an order"), AccessLog: accessLog,
	}
	keys := price.Key{
		Writes: 2, Ranges: 1.0 / keysOfRange, RangeCalls: 3,
		Function: function("Ingest", "insert seconds", 1, price.Call{What: "its share of a batch", Seconds: batchSeconds / ingest.BatchSize}),
	}
	const month = 30 * 24 * time.Hour
	idle := price.Idle{
		Sweep: function("Sweep", "claim seconds", 1, read), Stock: function("Stock", "claim seconds", 1, read, read),
		SweepTicks: float64(month / time.Minute), StockTicks: float64(month / (5 * time.Minute)),
		SweepReads: fact("units", "sweep reads"), StockReads: fact("units", "stock reads"),
		Alarms: alarms,
		// A table's key is fetched anew every five minutes for whoever uses the table.
		KMSCalls: 5 * float64(month/(5*time.Minute)),
		// Lambda asks each of the two queues by five pollers that wait 20 seconds.
		QueuePolls: 2 * 5 * float64(month/(20*time.Second)),
	}
	// What could be saved, in a million orders.
	sent := one.Functions[2]
	aWrite := price.Bill{{Amount: 1, Of: price.WriteUnit}}.Dollars(1e6)
	aNews := price.Bill{
		{Amount: fact("units", "news reads") / 2, Of: price.ReadUnit},
		{Amount: 1, Of: price.Invocation},
		{Amount: sent.Memory * sent.Seconds(), Of: price.GBSecond},
		{Amount: price.PlatformLog, Of: price.LogByte},
	}.Dollars(1e6)
	platform := price.Bill{{Amount: 3 * price.PlatformLog, Of: price.LogByte}}.Dollars(1e6) // the fourth is gone with the news
	const bar = 10.0
	verdict := "met"
	if one.Bill().Dollars(1e6) > bar {
		verdict = "**missed**"
	}
	return fmt.Sprintf(`| | $ | bar | |
|---|---:|---|---|
| a million one-key orders, one at a time, SES aside | %.2f | <= %.0f | %s |
| their mails, by SES | %.2f | | |
| a million keys loaded | %.2f | | |
| a month of doing nothing | %.2f | | |

### A million one-key orders

%s
### A million keys

%s
### A month of doing nothing

%s
### How, and why

List prices of us-east-1 as of %s, first tier, nothing free; each stands with its source in [price.go](price/price.go), and the arithmetic
is held by a test with sums done by hand. Units are measured on DynamoDB Local, processor time with a DynamoDB in the same process, log lines on a
one-machine deployment. What calls take on AWS is assumed: a read 4 ms, a write 6, a transaction 12, a batch of 25 inserts 30, SES 80.
What SES tells comes as events of an AWS service, which are free; KMS is asked for a table's key and for a secret at most once in five minutes.

**What it could do without, and does not.** The write units are the most of it, and none is idle. Six make the claim, and a line that the sweep can find.
A lease and a mark keep a mail from going out twice; leaving the sweep's index is one more. Two lines of history say when a mail was sent and when it
arrived ($%.2f each); a count shows what is sold, and orders in a rush share it ($%.2f at most). News that a mail was sent, beside that it arrived, spares a
customer a second mail when a mailer dies just then ($%.2f). Lambda's own three lines of log for each invocation tell how long it took and how much
memory ($%.2f). Without all of these it would be %.2f.
`, one.Bill().Dollars(1e6), bar, verdict, price.Bill{{For: "mail", Amount: 1, Of: price.Mail}}.Dollars(1e6),
		keys.Bill().Dollars(1e6), idle.Bill().Dollars(1),
		one.Bill().Table(1e6), keys.Bill().Table(1e6), idle.Bill().Table(1), price.AsOf,
		aWrite, aWrite, aNews, platform, one.Bill().Dollars(1e6)-3*aWrite-aNews-platform), nil
}

const (
	alarms       = 24                             // of infra/stack/alarms.go
	accessLog    = 240                            // bytes of the HTTP API's line for a call
	keysOfRange  = float64(ingest.RangeSize) / 25 // lines of 25 bytes
	batchSeconds = 0.030                          // of a BatchExecuteStatement
)

// memories reads from template.yaml, which a test holds equal to the CDK app, how
// many MiB each function is given.
func (b *bench) memories() (map[string]float64, error) {
	content, err := os.ReadFile(filepath.Join(b.checkout, "template.yaml"))
	if err != nil {
		return nil, err
	}
	var template struct {
		Resources map[string]struct {
			Properties yaml.Node `yaml:"Properties"`
			Type       string    `yaml:"Type"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(content, &template); err != nil {
		return nil, fmt.Errorf("template.yaml: %w", err)
	}
	memory := map[string]float64{}
	for name, r := range template.Resources {
		var function struct {
			MemorySize float64 `yaml:"MemorySize"`
		}
		if r.Type != "AWS::Serverless::Function" {
			continue
		}
		if err := r.Properties.Decode(&function); err != nil || function.MemorySize == 0 {
			return nil, fmt.Errorf("template.yaml: the memory of %s: %w", name, err)
		}
		memory[name] = function.MemorySize
	}
	return memory, nil
}
