package bench

import (
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"go.yaml.in/yaml/v3"

	"keypool/infra/proof/bench/price"
	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/delivery"
	"keypool/shared/dynamo"
	"keypool/shared/mail"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/review"
	"keypool/shared/stock"
	"keypool/shared/sweep"
	"keypool/shared/upload"
)

// units reads the capacity units and the round trips of a one-key order from its
// claim to the delivery of its mail, and the bytes that it leaves in the tables; the
// same of a loaded key; and the same of a scheduled run of sweep and of stock that
// finds nothing to do.
func units(ctx context.Context, b *bench) error {
	const orders = 50
	m, err := openMetered(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(setUp(ctx, m.store), m.stock(ctx, m.tables, live, "AAAAA-BBBBB-CCCCC", 400)); err != nil {
		return err
	}
	m.calls.latency = 5 * time.Millisecond
	claims, mails := claimer(m.store), mailer(m.store, instantSES{})
	if err := orderOnce(ctx, claims, mails, paid("the first reads the catalog")); err != nil {
		return err
	}
	measured := map[string][]float64{}
	for i := range orders {
		line := paid(fmt.Sprint(i))
		for _, step := range []struct {
			name string
			do   func() error
		}{
			{"claim", func() error { _, err := claims.Claim(ctx, line); return err }},
			{"mail", func() error { return mailOnce(ctx, mails, line.ID) }},
			{"feedback", func() error { return arrived(ctx, mails, line.ID) }},
		} {
			m.meter.Reset()
			m.calls.reset()
			if err := step.do(); err != nil {
				return err
			}
			reads, writes := m.meter.Units()
			for what, value := range map[string]float64{" reads": reads, " writes": writes, " trips": float64(m.calls.roundTrips())} {
				measured[step.name+what] = append(measured[step.name+what], value)
			}
		}
	}
	for name, values := range measured {
		b.fact(name, median(values))
	}
	facts := b.record.Facts
	more := 0
	for _, trips := range measured["claim trips"] {
		if trips > 2 {
			more++
		}
	}
	b.add(figure{
		Name: "round trips of a warm claim of one key", Bar: "2",
		Got: fmt.Sprintf("%.0f, more in %d of %d", facts["claim trips"], more, orders), Met: facts["claim trips"] == 2,
	})
	b.add(figure{
		Name: "consumed capacity of a one-key order", Bar: "<= 8 write, 3 read units",
		Got: fmt.Sprintf("%.1f write, %.1f read units", facts["claim writes"], facts["claim reads"]),
		Met: facts["claim writes"] <= 8 && facts["claim reads"] <= 3,
	})
	b.add(figure{
		Name: "the same, until its mail has arrived",
		Got: fmt.Sprintf("%.1f write, %.1f read units", facts["claim writes"]+facts["mail writes"]+facts["feedback writes"],
			facts["claim reads"]+facts["mail reads"]+facts["feedback reads"]),
	})
	stored := m.calls.db.Items(m.tables.Orders)
	items, entries := storedBytes(stored, "due", "dueAt")
	for _, found := range []string{"listed", "who"} {
		_, more := storedBytes(stored, found, "receivedAt")
		entries += more
	}
	var sold []map[string]types.AttributeValue
	for _, key := range m.calls.db.Items(m.tables.Keys) {
		if _, available := key["shard"]; !available {
			sold = append(sold, key)
		}
	}
	keyItems, keyEntries := storedBytes(sold, "shard", "place", "text", "upload")
	b.fact("order items", (items+keyItems)/(orders+1))
	b.fact("order entries", (entries+keyEntries)/(orders+1))
	b.add(figure{Name: "kept of a one-key order, its history and its key", Got: fmt.Sprintf("%.0f bytes", facts["order items"]+facts["order entries"])})
	if err := ticks(ctx, b, m); err != nil {
		return err
	}
	if err := keyUnits(ctx, b); err != nil {
		return err
	}
	b.note("Round trips", fmt.Sprintf("By the times at which each call began and ended, with a latency of %s: the longest chain of calls that may have waited for one another. The reads of a claim run in parallel and are one round trip; the transaction is the other. A claim whose random place is near the end of a shard makes a second query: one claim in some dozens, in a pool of hundreds of keys.", m.calls.latency))
	b.note("Units", "The units that the model of DynamoDB reports for each call, as AWS charges them: tests compare the model with DynamoDB Local, and with AWS's documentation where that differs. After its claim, an order takes: lease 1, sent 2 with the entry that leaves an index, delivered 1, two entries of history, the pool's count 1 unless several orders in a rush share it. Bytes are counted as DynamoDB counts them, with 100 more for each item and each entry of an index.")
	return nil
}

// keyUnits reads the units and the bytes of a key that ingest loads, from a file of
// one whole range.
func keyUnits(ctx context.Context, b *bench) error {
	m, err := openMetered(ctx)
	if err != nil {
		return err
	}
	if err := setUp(ctx, m.store); err != nil {
		return err
	}
	f := file{form: "AAAAA-BBBBB-CCCCC-%06d", at: time.Now()} // lines of 25 bytes
	f.lines = int(upload.RangeSize / f.line())
	m.meter.Reset()
	if err := load(ctx, m.store, f); err != nil {
		return err
	}
	_, writes := m.meter.Units()
	items, entries := storedBytes(m.calls.db.Items(m.tables.Keys), "shard", "place", "text", "upload")
	b.fact("key writes", writes/float64(f.lines))
	b.fact("key items", items/float64(f.lines))
	b.fact("key entries", entries/float64(f.lines))
	b.add(figure{
		Name: "consumed capacity of a key that is loaded, its share of the upload's record included",
		Got:  fmt.Sprintf("%.3f write units", b.record.Facts["key writes"]),
	})
	b.add(figure{Name: "kept of a key, while it is for sale", Got: fmt.Sprintf("%.0f bytes", b.record.Facts["key items"]+b.record.Facts["key entries"])})
	return nil
}

// storedBytes returns the bytes that AWS stores for items, and for their entries in
// an index that projects the named attributes.
//
// Source: Amazon DynamoDB Developer Guide, "Table size and conditional costs": 100
// bytes more for each item and each entry.
func storedBytes(all []map[string]types.AttributeValue, shown ...string) (items, entries float64) {
	const more = 100
	for _, item := range all {
		items += float64(dynamotest.Size(item)) + more
		if item[shown[0]] == nil {
			continue
		}
		entry := map[string]types.AttributeValue{}
		for _, name := range append([]string{"pk", "sk"}, shown...) {
			if item[name] != nil {
				entry[name] = item[name]
			}
		}
		entries += float64(dynamotest.Size(entry)) + more
	}
	return items, entries
}

// scheduled returns the use cases that EventBridge Scheduler starts.
func scheduled(store *dynamo.Store) (*sweep.Sweeper, *stock.Checker) {
	return &sweep.Sweeper{Store: store, Catalog: store, Fill: noQueue{}, Ranges: noQueue{}, Now: time.Now},
		&stock.Checker{Pools: store, Keys: store, Alerts: store, Counts: store, Now: time.Now}
}

// ticks reads the units and the round trips of scheduled runs that find nothing to
// do.
func ticks(ctx context.Context, b *bench, m *metered) error {
	sweeper, checker := scheduled(m.store)
	if err := errors.Join(putCaughtUp(ctx, m.store, 0), putCaughtUp(ctx, m.store, metAgain)); err != nil {
		return err
	}
	for _, tick := range []struct {
		name, says string
		do         func() error
	}{
		{"sweep", "a sweep that finds nothing", func() error { _, err := sweeper.Sweep(ctx, time.Now().Add(time.Minute)); return err }},
		{"stock", "a stock check of one pool that has enough", func() error { return checker.Check(ctx) }},
		{"catchup", "a look of catch-up at one account without news", func() error { return lookAt(ctx, m.store, 0) }},
		{"catchup tick", "a tick of catch-up, for two accounts", func() error { return caughtUp(m.store, 0).Tick(ctx) }},
		{"catchup known", fmt.Sprintf("a look of catch-up that meets %d orders again", metAgain), func() error { return lookAt(ctx, m.store, metAgain) }},
	} {
		if err := tick.do(); err != nil { // the first of stock counts for the day, that of catchup finds its orders
			return err
		}
		m.meter.Reset()
		m.calls.reset()
		if err := tick.do(); err != nil {
			return err
		}
		reads, writes := m.meter.Units()
		b.fact(tick.name+" reads", reads)
		b.fact(tick.name+" writes", writes)
		b.fact(tick.name+" trips", float64(m.calls.roundTrips()))
		got := fmt.Sprintf("%.1f read units, %d round trips", reads, m.calls.roundTrips())
		if writes > 0 {
			got = fmt.Sprintf("%.1f write units, %s", writes, got)
		}
		b.add(figure{Name: tick.says, Got: got})
	}
	return nil
}

// mailer returns a mailer over the settings that setUp makes.
func mailer(store *dynamo.Store, sender delivery.MailSender) *delivery.Mailer {
	return &delivery.Mailer{
		Lines: store.LineMails(), Notices: store.NoticeMails(), Orders: store, History: store, Settings: catalog.NewCached(store, time.Now), Texts: catalog.NewCachedTexts(store, time.Now), Uploads: store, Counts: store,
		Held: store, Sales: &review.Sales{Store: store, Brakes: store, Notices: store, Now: time.Now}, PublicURL: "https://api.keypool.example",
		MailSender: sender, Sender: netmail.Address{Address: "keys@example.com"}, Operator: "operator@example.com", Now: time.Now,
	}
}

// instantSES accepts every mail at once.
type instantSES struct{}

func (instantSES) Send(context.Context, mail.Message) (string, error) { return "ses-1", nil }

// orderOnce takes an order from its claim to the delivery of its mail.
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
	return errors.Join(mails.Mail(ctx, []outbox.Item{outbox.LineItem(string(id))})...)
}

// arrived applies SES's two events of a mail that is delivered.
func arrived(ctx context.Context, mails *delivery.Mailer, id order.LineID) error {
	for _, what := range []order.EventKind{order.MailSent, order.MailDelivered} {
		err := mails.ApplyFeedback(ctx, delivery.Feedback{Item: outbox.LineItem(string(id)), Number: 1, Event: what, At: time.Now(), MessageID: "ses-1"})
		if err != nil {
			return err
		}
	}
	return nil
}

// The latency of a call in us-east-1, in seconds. These are rules of thumb; none of
// them was measured here.
const (
	read        = 0.004
	write       = 0.006
	transaction = 0.012
	sending     = 0.080 // a mail, by SES
	batch       = 0.030 // of inserts
	apiCall     = 0.300 // of a platform's API, from abroad
)

const (
	callsOfRun = 3   // of the API, in a run of catch-up without news
	catchupLog = 300 // bytes that a run logs itself, by rule of thumb
	metAgain   = 20  // orders within two hours, which each run meets again: 240 a day
)

const (
	accessLog   = 240                            // bytes of the HTTP API's line for a call, by rule of thumb
	keysOfRange = float64(upload.RangeSize) / 25 // lines of 25 bytes
)

// billed are the parts whose results make up the bill.
var billed = []string{"units", "cpu", "waiting"}

// bill is the cost of orders, of keys and of a month without work.
type bill struct {
	order         price.Order
	key           price.Key
	idle          price.Idle
	caughtUp      price.CaughtUp // which meets no order again
	meets         price.CaughtUp // which meets metAgain orders in each run
	keptOrder     price.Kept
	keptKey       price.Kept
	feedbackReads float64
	ordersBill    price.Bill
}

// bill computes the costs from the results of other parts.
func (b *bench) bill(measured map[string]record) (bill, error) {
	var missing []string
	fact := func(part, name string) float64 {
		value, ok := measured[part].Facts[name]
		if !ok {
			missing = append(missing, part)
		}
		return value
	}
	memory, err := b.memories()
	if err != nil {
		return bill{}, err
	}
	function := func(name, part string, waits float64) price.Function {
		return price.Function{Name: name, Memory: memory[name] / 1024, Invocations: 1, Waits: waits, Processor: fact("cpu", part)}
	}
	const month = 30 * 24 * time.Hour
	made := bill{
		order: price.Order{
			ClaimWrites: fact("units", "claim writes"), ClaimReads: fact("units", "claim reads"),
			MailWrites: fact("units", "mail writes"), MailReads: fact("units", "mail reads"),
			FeedbackWrites: fact("units", "feedback writes"), FeedbackReads: fact("units", "feedback reads"),
			Functions: []price.Function{
				function("Webhook", "claim seconds", read+transaction),
				function("Deliver", "mail seconds", 4*write+sending),  // lease, mail, mark, history, count
				function("Deliver", "feedback seconds", read),         // "sent" is known by then
				function("Deliver", "feedback seconds", read+2*write), // "delivered"
			},
			OwnLog: fact("waiting", "log bytes of an order"), AccessLog: accessLog,
		},
		key: price.Key{
			Writes: fact("units", "key writes"), Ranges: 1 / keysOfRange, RangeCalls: 3,
			Function: function("Ingest", "insert seconds", batch/upload.BatchSize),
		},
		idle: price.Idle{
			Sweep:      function("Sweep", "sweep seconds", fact("units", "sweep trips")*read),
			Stock:      function("Stock", "stock seconds", fact("units", "stock trips")*read),
			Catchup:    price.Function{Name: "Catchup", Memory: memory["Catchup"] / 1024, Invocations: 1, Waits: fact("units", "catchup tick trips") * read},
			SweepTicks: float64(month / time.Minute), StockTicks: float64(month / (5 * time.Minute)), CatchupTicks: float64(month / (15 * time.Minute)),
			SweepReads: fact("units", "sweep reads"), StockReads: fact("units", "stock reads"), CatchupReads: fact("units", "catchup tick reads"),
			Alarms: fact("waiting", "alarms"),
			// A table's key is fetched anew every five minutes for whoever uses the table.
			KMSCalls: 5 * float64(month/(5*time.Minute)),
			// Lambda asks each of the three queues by five pollers that wait 20 seconds.
			QueuePolls: 3 * 5 * float64(month/(20*time.Second)),
		},
		keptOrder:     price.Kept{Items: fact("units", "order items"), Indexes: fact("units", "order entries")},
		keptKey:       price.Kept{Items: fact("units", "key items"), Indexes: fact("units", "key entries")},
		feedbackReads: fact("units", "feedback reads"),
	}
	made.caughtUp = price.CaughtUp{
		Runs: float64(month / (15 * time.Minute)), Reads: fact("units", "catchup reads"), Writes: fact("units", "catchup writes"),
		Function:   price.Function{Name: "Catchup", Memory: memory["Catchup"] / 1024, Invocations: 1, Waits: callsOfRun*apiCall + fact("units", "catchup trips")*write},
		QueueCalls: 3, OwnLog: catchupLog,
	}
	made.meets = made.caughtUp
	made.meets.Known, made.meets.KnownReads = metAgain, (fact("units", "catchup known reads")-made.caughtUp.Reads)/metAgain
	if len(missing) > 0 {
		slices.Sort(missing)
		missing = slices.Compact(missing)
		return bill{}, fmt.Errorf("nothing is written on the page: what was measured of %s before does not say all that the bill needs; try `make bench ONLY=%s`", strings.Join(missing, ", "), strings.Join(missing, ","))
	}
	made.ordersBill = made.order.Bill()
	return made, nil
}

// page is the bill as Markdown.
func (b bill) page() string {
	// The savings, for a million orders.
	sent := b.order.Functions[2]
	oneWrite := price.Bill{{Amount: 1, Of: price.WriteUnit}}.Dollars(1e6)
	oneFeedback := price.Bill{
		{Amount: b.feedbackReads / 2, Of: price.ReadUnit},
		{Amount: 1, Of: price.Invocation},
		{Amount: sent.Memory * sent.Seconds(), Of: price.GBSecond},
		{Amount: price.PlatformLog, Of: price.LogByte},
	}.Dollars(1e6)
	platform := price.Bill{{Amount: 3 * price.PlatformLog, Of: price.LogByte}}.Dollars(1e6) // the fourth is gone with the feedback
	const bar = 14.0
	verdict := "met"
	if b.ordersBill.Dollars(1e6) > bar {
		verdict = "**missed**"
	}
	return fmt.Sprintf(`| | $ | bar | |
|---|---:|---|---|
| a million one-key orders, one at a time, SES and its events aside | %.2f | <= %.0f | %s |
| their mails, by SES | %.2f | | |
| SES's events about them, if EventBridge counts them as opt-in events, until a bill shows it | %.2f | | |
| a million keys loaded | %.2f | | |
| a month of doing nothing | %.2f | | |
| a month of catch-up with an account, without orders | %.2f | | |
| a million orders kept, a month | %.2f | | |
| a million keys for sale kept, a month | %.2f | | |

### A million one-key orders

%s
### A million keys

%s
### A month of doing nothing

%s
### A month of catch-up with an account, which meets %d orders again in each run

%s
### A million orders kept, a month

%s
### A million keys for sale kept, a month

%s
### How, and why

List prices of us-east-1 as of %s, first tier, nothing free; each stands with its source in [price.go](price/price.go), and the arithmetic
is held by a test with sums done by hand. Units, round trips and bytes kept are measured on the model of DynamoDB, processor time with a DynamoDB in
the same process, log lines on a one-machine deployment, where the alarms are counted too. Assumed, by rule of thumb: what calls take on AWS, a read
4 ms, a write 6, a transaction 12, a batch of 25 inserts 30, SES 80; and %d bytes for the HTTP API's own line of log. A run of catch-up is every 15
minutes; it makes three calls of a platform's API, of 300 ms each, and meets the orders of the last two hours again: a read each, and no claim. An order
that it finds costs what a webhook's does. What a deployment that does
nothing looks at is one pool. Whether EventBridge charges SES's events, $1 a million as it does opt-in data events, or nothing as it does
management events, its price list leaves open: they have a row of their own until a bill shows it. KMS is asked for a table's key and for a secret at most
once in five minutes. Logs, key files and reports are kept too and not counted.

**What it could do without, and does not.** The write units are the most of it, and none is idle. Eight make the claim, a line that the sweep can find, and one that its merchant can: by when it came in, and by its customer's address.
A lease and a mark keep a mail from going out twice; leaving the sweep's index is one more. Two lines of history say when a mail was sent and when it
arrived ($%.2f each); a count shows what is sold, and orders in a rush share it ($%.2f at most). Feedback that a mail was sent, beside that it arrived, spares a
customer a second mail when a mailer dies just then ($%.2f). Lambda's own three lines of log for each invocation tell how long it took and how much
memory ($%.2f). Without all of these it would be %.2f.
`, b.ordersBill.Dollars(1e6), bar, verdict, price.Bill{{For: "mail", Amount: 1, Of: price.Mail}}.Dollars(1e6),
		b.order.EventsBill().Dollars(1e6),
		b.key.Bill().Dollars(1e6), b.idle.Bill().Dollars(1), b.caughtUp.Bill().Dollars(1), b.keptOrder.Bill().Dollars(1e6), b.keptKey.Bill().Dollars(1e6),
		b.ordersBill.Table(1e6), b.key.Bill().Table(1e6), b.idle.Bill().Table(1), metAgain, b.meets.Bill().Table(1), b.keptOrder.Bill().Table(1e6), b.keptKey.Bill().Table(1e6), price.AsOf,
		accessLog, oneWrite, oneWrite, oneFeedback, platform, b.ordersBill.Dollars(1e6)-3*oneWrite-oneFeedback-platform)
}

// summary is the bill in the few rows of the README, for the machine of one run.
func (b bill) summary() string {
	of := func(units ...price.Price) float64 {
		var some price.Bill
		for _, item := range b.ordersBill {
			if slices.Contains(units, item.Of) {
				some = append(some, item)
			}
		}
		return some.Dollars(1e6)
	}
	o := b.order
	return fmt.Sprintf(`| | $ |
|---|---:|
| a million orders of one key each, one at a time | %.2f |
| of that: %.0f M write units, from the claim to the mail's arrival | %.2f |
| the HTTP API | %.2f |
| %d invocations an order: claim, mail, and feedback that it was sent and that it arrived | %.2f |
| logs | %.2f |
| reads | %.2f |
| their mails, by SES | %.0f |
| SES's events about them, if EventBridge counts them as opt-in events, until a bill shows it | %.0f |
| a million keys loaded | %.2f |
| a month in which nothing happens: a KMS key, alarms, the sweep's look every minute | %.2f |
| a month of catch-up with an account, without orders and with %d within two hours | %.2f, %.2f |
| kept, a month: a million orders, and a million keys for sale | %.2f, %.2f |
`, b.ordersBill.Dollars(1e6), o.ClaimWrites+o.MailWrites+o.FeedbackWrites, of(price.WriteUnit), of(price.HTTPCall),
		len(o.Functions), of(price.Invocation, price.GBSecond), of(price.LogByte), of(price.ReadUnit),
		price.Bill{{For: "mail", Amount: 1, Of: price.Mail}}.Dollars(1e6), b.order.EventsBill().Dollars(1e6),
		b.key.Bill().Dollars(1e6), b.idle.Bill().Dollars(1), metAgain, b.caughtUp.Bill().Dollars(1), b.meets.Bill().Dollars(1),
		b.keptOrder.Bill().Dollars(1e6), b.keptKey.Bill().Dollars(1e6))
}

// memories reads each function's MiB from template.yaml, which make template writes
// from infra/deployment.
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
