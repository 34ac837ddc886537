package simulate

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"keypool/infra/proof/dynamosim"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/delivery"
	"keypool/shared/dynamo"
	"keypool/shared/ingest"
	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/random"
	"keypool/shared/stock"
	"keypool/shared/sweep"
	"keypool/shared/upload"
)

// world is everything that is not Keypool: the tables, queues and buckets it
// keeps things in, the mail service, the schedule, the platform that calls it,
// and the processes that its code runs in. Its time is that of its bubble.
//
// Nothing in it depends on which goroutine runs first: whatever is left to chance
// follows from the seed and from who does what, and calls take a number of
// nanoseconds of their own.
type world struct {
	plan   Plan
	began  time.Time
	db     *dynamosim.DB
	tables dynamo.Tables
	store  *dynamo.Store

	bucket  *bucket
	fills   *queue
	ranges  *queue
	stream  *stream
	ses     *fakeSES
	ledger  *ledger
	answers *answers

	instances []*instance
	spawned   sync.WaitGroup
	calm      atomic.Bool  // faults have stopped
	sweeps    atomic.Int64 // under way
	steps     atomic.Int64 // calls, of whatever kind
	claims    atomic.Int64 // transactions that orders asked for

	mu        sync.Mutex
	processes map[string]*process
	tally     map[string]int // what happened, by name
}

// instance is a process of webhook that stays warm, with a clock and a cache of
// the catalog.
type instance struct {
	skew   time.Duration
	recent catalog.Reader
}

// settings reads the catalog in the name of an instance: a read that several
// orders wait for is the instance's own, whoever came first.
type settings struct {
	store *dynamo.Store
	ctx   context.Context
}

func (s settings) Merchant(_ context.Context, name string) (catalog.Merchant, bool, error) {
	return s.store.Merchant(s.ctx, name)
}

func (s settings) Pool(_ context.Context, merchant, name string) (catalog.Pool, bool, error) {
	return s.store.Pool(s.ctx, merchant, name)
}

func (s settings) Product(_ context.Context, merchant, id string) (catalog.Product, bool, error) {
	return s.store.Product(s.ctx, merchant, id)
}

var sender = mail.Address{Address: "keys@keypool.example"}

const operator = "operator@keypool.example"

func newWorld(plan Plan) *world {
	w := &world{
		plan:      plan,
		began:     time.Now(),
		tables:    dynamo.Tables{Catalog: "catalog", Keys: "keys", Orders: "orders"},
		processes: make(map[string]*process),
		tally:     make(map[string]int),
	}
	weather := plan.Weather
	w.ledger, w.answers, w.ses, w.stream = newLedger(w), newAnswers(w), &fakeSES{w: w}, &stream{w: w}
	w.db = dynamosim.New(dynamosim.Options{
		Seed: plan.Seed,
		Latency: func(chance uint64) time.Duration {
			slow := time.Duration(chance>>8) % weather.Slow
			if chance%50 == 0 {
				slow *= 10
			}
			return 500*time.Microsecond + slow
		},
		IndexLag:        weather.Lag,
		PartitionWrites: weather.Partition,
		PartitionReads:  3 * weather.Partition,
		TransactionTime: func(chance uint64) time.Duration {
			if weather.Hold == 0 {
				return 0
			}
			return time.Duration(chance>>1) % weather.Hold
		},
		ReadTime: func(chance uint64) time.Duration {
			if weather.Tear == 0 {
				return 0
			}
			return time.Duration(chance>>1) % weather.Tear
		},
		Fate:    w.fate,
		Caller:  callerOf,
		Observe: w.observe,
	})
	for _, schema := range dynamo.Schemas(w.tables) {
		if err := w.db.CreateTable(schema); err != nil {
			panic(err) // the schemas are ours
		}
	}
	w.store = dynamo.Open(w.db.Client(), w.tables)
	w.bucket = newBucket(w)
	w.fills = &queue{w: w, name: "fill", batch: 10, atOnce: 10, hidden: 70 * time.Second, receives: 20, handle: w.fill}
	w.ranges = &queue{w: w, name: "range", batch: 1, atOnce: 4, hidden: 130 * time.Second, receives: 20, handle: w.load}
	w.calm.Store(true) // what stays warm outlives the processes that come to it
	for n := range 4 {
		name := fmt.Sprint("instance ", n)
		skew := w.skew(name)
		p := w.begin(name, 30*24*time.Hour, skew)
		w.instances = append(w.instances, &instance{skew: skew, recent: catalog.NewCached(settings{w.store, p.ctx}, p.now)})
	}
	w.calm.Store(false)
	return w
}

// setUp makes the merchant, its pools and products, in good weather.
func (w *world) setUp() error {
	p := w.begin("set up", time.Hour, 0)
	defer p.end()
	err := w.store.PutMerchant(p.ctx, catalog.Merchant{Name: merchant, NoticeAddress: "ops@nova.example", Salt: []byte("the salt of a simulated merchant")})
	for _, name := range poolNames {
		err = errors.Join(err, w.store.PutPool(p.ctx, w.poolOf(name)))
	}
	for _, name := range slices.Sorted(maps.Keys(products)) {
		product := products[name]
		product.Merchant, product.ID = merchant, name
		err = errors.Join(err, w.store.PutProduct(p.ctx, product))
	}
	return err
}

// lowStock is below how many keys the merchant is told.
const lowStock = 5

func (w *world) poolOf(name string) catalog.Pool {
	return catalog.Pool{Merchant: merchant, Name: name, Shards: w.plan.Weather.Shards, LowStock: lowStock, Reminder: 24 * time.Hour}
}

// process is one invocation of a function, or somebody's script. It may die at
// any moment; whatever its code does after that reaches nobody.
type process struct {
	w      *world
	name   string
	skew   time.Duration
	diesAt time.Time
	ctx    context.Context
	cancel context.CancelFunc
	death  *time.Timer
	calls  atomic.Int64 // so far
	over   atomic.Bool
	cut    atomic.Bool // it was over since it had died
}

type processKey struct{}

var nobody = &process{name: "nobody"}

func processOf(ctx context.Context) *process {
	if p, ok := ctx.Value(processKey{}).(*process); ok {
		return p
	}
	return nobody
}

// callerOf names who calls: a process, and which of its goroutines.
func callerOf(ctx context.Context) string { return processOf(ctx).name + "/ " + random.Path(ctx) }

var errGone = errors.New("the process is gone")

// begin starts a process that is killed after the timeout, if it does not die by
// the weather before. Its name must be its own.
func (w *world) begin(name string, timeout, skew time.Duration) *process {
	p := &process{w: w, name: name, skew: skew, diesAt: time.Now().Add(timeout)}
	ctx := context.WithValue(context.Background(), processKey{}, p)
	ctx = random.With(ctx, w.chance(name))
	p.ctx, p.cancel = context.WithDeadline(ctx, p.diesAt)
	if !w.calm.Load() && w.happens(name+" dies", w.plan.Weather.Death) {
		p.diesAt = time.Now().Add(min(w.life(name), timeout))
		p.death = time.AfterFunc(time.Until(p.diesAt), func() {
			w.count("process died")
			if p.calls.Load() >= 20 {
				w.count("process died after twenty calls or more")
			}
			p.cancel()
		})
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.processes[name] != nil {
		panic("two processes are called " + name)
	}
	w.processes[name] = p
	return p
}

// life is how long a process lives that dies: as a rule a few calls, and now and
// then up to 128 times that, so that the last steps of long work are cut too.
func (w *world) life(name string) time.Duration {
	return w.upTo(name+" lives", 10*w.plan.Weather.Slow) << max(0, w.number(name+" longer", 12)-4)
}

func (p *process) end() {
	p.cut.Store(p.gone())
	p.over.Store(true)
	p.cancel()
	if p.death != nil {
		p.death.Stop()
	}
}

// gone reports whether the process has died.
func (p *process) gone() bool { return p != nobody && !time.Now().Before(p.diesAt) }

// died reports whether the process died before its work was done.
func (p *process) died() bool {
	if p.over.Load() {
		return p.cut.Load()
	}
	return p.gone()
}

// now is the process's own clock.
func (p *process) now() time.Time { return time.Now().Add(p.skew).UTC() }

// skew is how far the clock is off on which something runs.
func (w *world) skew(name string) time.Duration {
	if w.plan.Weather.Skew == 0 {
		return 0
	}
	return w.upTo(name+" clock", w.plan.Weather.Skew) - w.plan.Weather.Skew/2
}

// chance is a number that follows from the seed and the name.
func (w *world) chance(name string) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s", w.plan.Seed, name)
	n := h.Sum64()
	n ^= n >> 32 // the low bits of FNV know little of the name's last letters
	n *= 0x9e3779b97f4a7c15
	return n ^ n>>29
}

func (w *world) number(name string, n int) int { return int(w.chance(name) % uint64(n)) }

func (w *world) upTo(name string, most time.Duration) time.Duration {
	return time.Duration(w.chance(name) % uint64(most+1))
}

// happens reports whether something of that rate happens to the named.
func (w *world) happens(name string, rate float64) bool {
	return below(w.chance(name), rate)
}

func below(chance uint64, rate float64) bool { return float64(chance>>11)/(1<<53) < rate }

func (w *world) count(what string) { w.add(what, 1) }

func (w *world) add(what string, times int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tally[what] += times
}

// rest waits until all is done that has begun, calls that come late too.
func (w *world) rest() {
	w.spawned.Wait()
	w.db.Wait()
	w.spawned.Wait()
}

// spawn starts what the end of the history waits for.
func (w *world) spawn(do func()) { w.spawned.Go(do) }

const (
	// slowAnswer is by how much a slow answer is later: more than a platform waits.
	slowAnswer = 40 * time.Second
	// lateCall is by how much a call that nobody waits for any more may be later.
	lateCall = 90 * time.Second
)

// fate is what befalls a call of DynamoDB.
func (w *world) fate(c dynamosim.Call) dynamosim.Fate {
	process := c.Caller[:strings.LastIndex(c.Caller, "/ ")]             // see callerOf
	if c.Operation != "Query" || !strings.HasPrefix(process, "sweep") { // most of a sweep's looks find nothing
		w.steps.Add(1)
	}
	if c.Operation == "TransactWriteItems" && strings.HasPrefix(process, "order ") {
		w.claims.Add(1)
	}
	w.mu.Lock()
	p := w.processes[process]
	w.mu.Unlock()
	if c.Operation == "Query" && c.Table == w.tables.Orders {
		w.ledger.looks(c.Caller)
	}
	if p != nil {
		p.calls.Add(1)
		if p.gone() {
			return dynamosim.NeverArrives
		}
	}
	if w.calm.Load() || !below(c.Chance, w.plan.Weather.Trouble) {
		return dynamosim.Fine
	}
	late := dynamosim.Late(w.upTo(fmt.Sprint("late ", c.Chance), lateCall))
	fates := []dynamosim.Fate{
		dynamosim.NeverArrives, dynamosim.LostAnswer, dynamosim.LostAnswer, dynamosim.ServerError, dynamosim.ServerErrorAfter,
		dynamosim.Unavailable, dynamosim.Throttled, dynamosim.Throttled, dynamosim.Slow(slowAnswer), dynamosim.Partial, dynamosim.Conflict, dynamosim.InProgress, late,
	}
	fate := fates[w.number(fmt.Sprint("fate ", c.Chance), len(fates))]
	if fate == late {
		w.ledger.late(c.Caller)
	}
	return fate
}

// observe is told of every change of a table, in the order they are made.
func (w *world) observe(c dynamosim.Commit) {
	w.ledger.observe(c)
	w.stream.observe(c)
}

// untilDone repeats what somebody does by hand until it works.
func (w *world) untilDone(name string, do func(ctx context.Context, now time.Time) error) {
	for try := 0; ; try++ {
		p := w.begin(fmt.Sprintf("%s/%d", name, try), time.Minute, 0)
		err := do(p.ctx, p.now())
		gone := p.gone()
		p.end()
		if err == nil && !gone {
			return
		}
		time.Sleep(min(time.Second<<try, time.Minute))
	}
}

// fill does what the function fill does with a batch of messages.
func (w *world) fill(name string, messages []any) []error {
	p := w.begin(name, time.Minute, w.skew(name))
	defer p.end()
	filler := &claim.Filler{Store: w.store, Bypass: w.store, Catalog: w.store, Notices: w.store, Now: p.now}
	until := p.now().Add(55 * time.Second)
	done := map[order.FillRequest]error{}
	results := make([]error, len(messages))
	for i, message := range messages {
		request := message.(order.FillRequest)
		if _, known := done[request]; !known {
			done[request] = filler.Fill(p.ctx, request, until)
		}
		results[i] = done[request]
		if p.gone() {
			results[i] = errGone
		}
	}
	return results
}

func (w *world) worker(p *process) *ingest.Worker {
	return &ingest.Worker{
		Catalog: w.store, Records: w.store, Ranges: w.store, Keys: w.store,
		Objects: w.bucket, Reports: w.bucket, RangeJobs: w.ranges, Fill: w.fills, Now: p.now,
	}
}

// load does what the function ingest does with a message.
func (w *world) load(name string, messages []any) []error {
	p := w.begin(name, 2*time.Minute, w.skew(name))
	defer p.end()
	err := w.worker(p).Handle(p.ctx, messages[0].(upload.Message))
	if p.gone() {
		err = errGone
	}
	return []error{err}
}

// receive does what the function ingest does with an event of the bucket, which
// is delivered three times at most.
func (w *world) receive(name string, o upload.Object) {
	for try := range 3 {
		p := w.begin(fmt.Sprintf("%s/%d", name, try), 2*time.Minute, w.skew(name))
		err := w.worker(p).Receive(p.ctx, o)
		gone := p.gone()
		p.end()
		if err == nil && !gone {
			return
		}
		time.Sleep(time.Minute << try)
	}
	w.count("event given up")
	w.answers.eventLost(o)
}

func startUpload(id string) upload.Message { return upload.Resume(merchant, id) }

func (w *world) mailer(p *process) *delivery.Mailer {
	return &delivery.Mailer{
		Lines: w.store.LineMails(), Notices: w.store.NoticeMails(), History: w.store, Settings: w.store, Uploads: w.store, Counts: w.store,
		MailSender: w.ses, Sender: sender, Operator: operator, Now: p.now,
	}
}

// delayMailAfter is the time that a customer waits before the delay mail.
const delayMailAfter = 5 * time.Minute

func (w *world) sweep(name string) {
	p := w.begin(name, time.Minute, w.skew(name))
	defer p.end()
	s := &sweep.Sweeper{Store: w.store, Catalog: w.store, Fill: w.fills, Ranges: w.ranges, DelayMailAfter: delayMailAfter, Now: p.now}
	if w.sweeps.Add(1) > 1 {
		w.count("sweep beside another")
	}
	swept, _ := s.Sweep(p.ctx, p.now().Add(50*time.Second)) // what went wrong is looked at by the next
	w.sweeps.Add(-1)
	w.add("mail set due by the sweep", swept.Mails)
	w.add("line that waits, looked at by the sweep", swept.Waiting)
	w.add("delay mail set due by the sweep", swept.Told)
	w.add("upload taken up by the sweep", swept.Uploads)
}

// sweepTwice sweeps, now and then twice at once: a schedule may fire twice.
func (w *world) sweepTwice(name string) {
	w.spawn(func() { w.sweep(name) })
	if w.happens(name+" twice", 0.2) {
		w.spawn(func() { w.sweep(name + " again") })
	}
}

func (w *world) checkStock(name string) {
	p := w.begin(name, 5*time.Minute, w.skew(name))
	defer p.end()
	c := &stock.Checker{Pools: w.store, Keys: w.store, Alerts: w.store, Counts: w.store, Now: p.now}
	c.Check(p.ctx)
}

// schedule sweeps each minute and looks at the stock every five, until the plan
// is done.
func (w *world) schedule(until time.Time) {
	for minute := 1; ; minute++ {
		time.Sleep(time.Minute)
		if !time.Now().Before(until) {
			return
		}
		w.sweepTwice(fmt.Sprint("sweep ", minute))
		if minute%5 == 0 {
			w.spawn(func() { w.checkStock(fmt.Sprint("stock ", minute)) })
		}
	}
}

// sides are all pool sides there may be.
func sides() []pool.ID {
	var all []pool.ID
	for _, name := range slices.Concat(latePools, poolNames) {
		for _, side := range []pool.Side{pool.Live, pool.Test} {
			all = append(all, pool.ID{Merchant: merchant, Pool: name, Side: side})
		}
	}
	return all
}
