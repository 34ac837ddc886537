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
	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/pool"
	"keypool/shared/random"
	"keypool/shared/review"
	"keypool/shared/stock"
	"keypool/shared/sweep"
	"keypool/shared/upload"
)

// world is the surroundings of Keypool's code: tables, queues, a bucket, SES, the
// schedule, the platform that calls it, and the processes that run it. Its time is that
// of its bubble.
//
// Nothing in it depends on the order of goroutines: every random choice follows from the
// seed and the name of the choosing call, and each call takes a number of nanoseconds of
// its own.
type world struct {
	plan   Plan
	began  time.Time
	db     *dynamosim.DB
	tables dynamo.Tables
	store  *dynamo.Store

	bucket       *bucket
	fillQueue    *queue
	rangeQueue   *queue
	jobQueue     *queue
	catchupQueue *queue
	api          *shopAPI
	unheard      []reportOrder // whose webhooks never came
	stream       *stream
	ses          *fakeSES
	ledger       *ledger
	answers      *answers

	instances []*instance
	spawned   sync.WaitGroup
	reliable  atomic.Bool  // no faults any more
	over      atomic.Bool  // the history: what comes is judged by itself
	sweeps    atomic.Int64 // in progress
	steps     atomic.Int64 // calls of all kinds
	claims    atomic.Int64 // transactions of claims

	mu        sync.Mutex
	delivers  time.Time // from when the merchant's account delivers
	processes map[string]*process
	tally     map[string]int // counts of events, by name
}

// instance is a warm execution environment of webhook, with a clock and a cache of the
// catalog.
type instance struct {
	skew   time.Duration
	cached catalog.Reader
}

// instanceCatalog reads the catalog for the cache of an instance. Several orders may wait
// for one read, so the instance is the caller, whichever order came first.
type instanceCatalog struct {
	store *dynamo.Store
	ctx   context.Context
}

func (s instanceCatalog) Merchant(_ context.Context, name string) (catalog.Merchant, bool, error) {
	return s.store.Merchant(s.ctx, name)
}

func (s instanceCatalog) Pool(_ context.Context, merchant, name string) (catalog.Pool, bool, error) {
	return s.store.Pool(s.ctx, merchant, name)
}

func (s instanceCatalog) Product(_ context.Context, merchant, id string) (catalog.Product, bool, error) {
	return s.store.Product(s.ctx, merchant, id)
}

func (s instanceCatalog) Review(_ context.Context, merchant string) (catalog.Review, error) {
	return s.store.Review(s.ctx, merchant)
}

var sender = mail.Address{Address: "keys@keypool.example"}

const operator = "operator@keypool.example"

func newWorld(plan Plan) *world {
	w := &world{
		plan:      plan,
		began:     time.Now(),
		delivers:  deliversFrom,
		tables:    dynamo.Tables{Catalog: "catalog", Keys: "keys", Orders: "orders", Sessions: "sessions"},
		processes: make(map[string]*process),
		tally:     make(map[string]int),
	}
	conditions := plan.Conditions
	w.ledger, w.answers, w.ses, w.stream = newLedger(w), newAnswers(w), &fakeSES{w: w}, &stream{w: w}
	w.db = dynamosim.New(dynamosim.Options{
		Seed: plan.Seed,
		Latency: func(chance uint64) time.Duration {
			slow := time.Duration(chance>>8) % conditions.Latency
			if chance%50 == 0 {
				slow *= 10
			}
			return 500*time.Microsecond + slow
		},
		IndexLag:        conditions.IndexLag,
		PartitionWrites: conditions.PartitionWrites,
		PartitionReads:  3 * conditions.PartitionWrites,
		TransactionTime: func(chance uint64) time.Duration {
			if conditions.TransactionTime == 0 {
				return 0
			}
			return time.Duration(chance>>1) % conditions.TransactionTime
		},
		ReadTime: func(chance uint64) time.Duration {
			if conditions.ReadTime == 0 {
				return 0
			}
			return time.Duration(chance>>1) % conditions.ReadTime
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
	w.fillQueue = &queue{w: w, name: "fill", batchSize: 10, concurrency: 10, visibilityTimeout: 70 * time.Second, maxReceives: 20, handle: w.handleFillRequests}
	w.rangeQueue = &queue{w: w, name: "range", batchSize: 1, concurrency: 4, visibilityTimeout: 130 * time.Second, maxReceives: 20, handle: w.handleRangeJob}
	w.jobQueue = &queue{w: w, name: "job", batchSize: 1, concurrency: 2, visibilityTimeout: 610 * time.Second, maxReceives: 20, handle: w.handleJob}
	w.catchupQueue = &queue{w: w, name: "catchup", batchSize: 1, concurrency: 2, visibilityTimeout: 6 * time.Minute, maxReceives: 3, handle: w.handleCatchup}
	w.api = &shopAPI{w: w, purchases: map[string]*platform.Purchase{}}
	w.reliable.Store(true) // an instance outlives its invocations
	for n := range 4 {
		name := fmt.Sprint("instance ", n)
		skew := w.skew(name)
		p := w.begin(name, 30*24*time.Hour, skew)
		w.instances = append(w.instances, &instance{skew: skew, cached: catalog.NewCached(instanceCatalog{w.store, p.ctx}, p.now)})
	}
	w.reliable.Store(false)
	return w
}

// setUp makes the merchant, its pools and products, without faults.
func (w *world) setUp() error {
	p := w.begin("set up", time.Hour, 0)
	defer p.end()
	err := w.store.PutMerchant(p.ctx, catalog.Merchant{Name: merchant, NoticeAddress: "ops@nova.example", Salt: salt, LinkKey: []byte("the key of links of a simulated one")})
	// Its largest orders are not looked at by a person.
	err = errors.Join(err, w.store.PutReview(p.ctx, catalog.Review{Merchant: merchant, Rules: catalog.Rules{MaxKeys: 100_000}}))
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

// lowStock is the number of keys below which the merchant gets a notice.
const lowStock = 5

func (w *world) poolOf(name string) catalog.Pool {
	return catalog.Pool{Merchant: merchant, Name: name, Shards: w.plan.Conditions.Shards, LowStock: lowStock, Reminder: 24 * time.Hour}
}

// process is one invocation of a function, or a call of the API. It may die at any
// moment; its later calls have no effect.
type process struct {
	w          *world
	name       string
	skew       time.Duration
	began      time.Time
	diesAt     time.Time
	ctx        context.Context
	cancel     context.CancelFunc
	deathTimer *time.Timer
	calls      atomic.Int64 // so far
	ended      atomic.Bool
	endedDead  atomic.Bool // it had died when its work ended
}

type processKey struct{}

var noProcess = &process{name: "nobody"}

func processOf(ctx context.Context) *process {
	if p, ok := ctx.Value(processKey{}).(*process); ok {
		return p
	}
	return noProcess
}

// callerOf names the caller: a process, and which of its goroutines.
func callerOf(ctx context.Context) string { return processOf(ctx).name + "/ " + random.Path(ctx) }

var errProcessDied = errors.New("the process has died")

// begin starts a process that is killed after the timeout, if it does not die earlier by
// a fault. No other process may have its name.
func (w *world) begin(name string, timeout, skew time.Duration) *process {
	p := &process{w: w, name: name, skew: skew, began: time.Now(), diesAt: time.Now().Add(timeout)}
	ctx := context.WithValue(context.Background(), processKey{}, p)
	ctx = random.With(ctx, w.chance(name))
	p.ctx, p.cancel = context.WithDeadline(ctx, p.diesAt)
	if !w.reliable.Load() && w.happens(name+" dies", w.plan.Conditions.ProcessDeaths) {
		p.diesAt = time.Now().Add(min(w.lifetime(name), timeout))
		p.deathTimer = time.AfterFunc(time.Until(p.diesAt), func() {
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

// lifetime returns how long a process lives that dies by a fault: usually a few calls,
// and sometimes up to 128 times as long, so that the last steps of long work are
// interrupted too.
func (w *world) lifetime(name string) time.Duration {
	return w.upTo(name+" lives", 10*w.plan.Conditions.Latency) << max(0, w.number(name+" longer", 12)-4)
}

func (p *process) end() {
	p.endedDead.Store(p.dead())
	p.ended.Store(true)
	p.cancel()
	if p.deathTimer != nil {
		p.deathTimer.Stop()
	}
}

// dead reports whether the process has died.
func (p *process) dead() bool { return p != noProcess && !time.Now().Before(p.diesAt) }

// died reports whether the process died before its work was done.
func (p *process) died() bool {
	if p.ended.Load() {
		return p.endedDead.Load()
	}
	return p.dead()
}

// now is the process's own clock.
func (p *process) now() time.Time { return time.Now().Add(p.skew).UTC() }

// skew returns the error of the clock of a process.
func (w *world) skew(name string) time.Duration {
	if w.plan.Conditions.ClockSkew == 0 {
		return 0
	}
	return w.upTo(name+" clock", w.plan.Conditions.ClockSkew) - w.plan.Conditions.ClockSkew/2
}

// chance returns a random number that follows from the seed and the name.
func (w *world) chance(name string) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s", w.plan.Seed, name)
	n := h.Sum64()
	n ^= n >> 32 // the low bits of FNV hardly depend on the name's last letters
	n *= 0x9e3779b97f4a7c15
	return n ^ n>>29
}

func (w *world) number(name string, n int) int { return int(w.chance(name) % uint64(n)) }

func (w *world) upTo(name string, most time.Duration) time.Duration {
	return time.Duration(w.chance(name) % uint64(most+1))
}

// happens reports whether an event of that rate happens. It follows from the name.
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

// drain waits for all work in progress and for calls that arrive late.
func (w *world) drain() {
	w.spawned.Wait()
	w.db.Wait()
	w.spawned.Wait()
}

// spawn starts a goroutine that the end of the history waits for.
func (w *world) spawn(do func()) { w.spawned.Go(do) }

const (
	// slowAnswer is the delay of a slow answer: more than a platform waits.
	slowAnswer = 40 * time.Second
	// lateCall is the largest delay of a call whose caller has given up.
	lateCall = 90 * time.Second
)

// fate chooses the fault of a call of DynamoDB.
func (w *world) fate(c dynamosim.Call) dynamosim.Fate {
	process := c.Caller[:strings.LastIndex(c.Caller, "/ ")]             // see callerOf
	if c.Operation != "Query" || !strings.HasPrefix(process, "sweep") { // most queries of a sweep find nothing
		w.steps.Add(1)
	}
	if c.Operation == "TransactWriteItems" && strings.HasPrefix(process, "order ") {
		w.claims.Add(1)
	}
	w.mu.Lock()
	p := w.processes[process]
	w.mu.Unlock()
	isQueue := func(text string) bool { return strings.HasPrefix(text, dynamo.QueuePrefix) }
	if c.Operation == "Query" && c.Table == w.tables.Orders && slices.ContainsFunc(c.Texts, isQueue) {
		w.ledger.noteRead(c.Caller)
	}
	if p != nil {
		p.calls.Add(1)
		if p.dead() {
			return dynamosim.NeverArrives
		}
	}
	if w.reliable.Load() || !below(c.Chance, w.plan.Conditions.CallFaults) {
		return dynamosim.Fine
	}
	late := dynamosim.Late(w.upTo(fmt.Sprint("late ", c.Chance), lateCall))
	fates := []dynamosim.Fate{
		dynamosim.NeverArrives, dynamosim.LostAnswer, dynamosim.LostAnswer, dynamosim.ServerError, dynamosim.ServerErrorAfter,
		dynamosim.Unavailable, dynamosim.Throttled, dynamosim.Throttled, dynamosim.Slow(slowAnswer), dynamosim.Partial, dynamosim.Conflict, dynamosim.InProgress, late,
	}
	fate := fates[w.number(fmt.Sprint("fate ", c.Chance), len(fates))]
	if fate == late {
		w.ledger.noteLateCall(c.Caller)
	}
	return fate
}

// observe gets every commit of the history, in order.
func (w *world) observe(c dynamosim.Commit) {
	if w.over.Load() {
		return
	}
	w.ledger.observe(c)
	w.stream.observe(c)
}

// untilDone repeats an operator's or a merchant's action until it succeeds. One that never does
// breaks the promise.
func (w *world) untilDone(name string, do func(ctx context.Context, now time.Time) error) {
	const tries = 200 // faults end an action seldom: so many in a row are none of chance
	var err error
	for try := range tries {
		p := w.begin(fmt.Sprintf("%s/%d", name, try), time.Minute, 0)
		err = do(p.ctx, p.now())
		dead := p.dead()
		p.end()
		if err == nil && !dead {
			return
		}
		time.Sleep(min(time.Second<<min(try, 6), time.Minute))
	}
	w.ledger.report("%s did not succeed in %d tries, the last of which ended with: %v", name, tries, err)
}

// handleFillRequests does what the function fill does with a batch of messages.
func (w *world) handleFillRequests(name string, messages []any) []error {
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
		if p.dead() {
			results[i] = errProcessDied
		}
	}
	return results
}

func (w *world) worker(p *process) *ingest.Worker {
	return &ingest.Worker{
		Catalog: w.store, Records: w.store, Ranges: w.store, Keys: w.store,
		Objects: w.bucket, Reports: w.bucket, RangeJobs: w.rangeQueue, Fill: w.fillQueue, Now: p.now,
	}
}

// handleRangeJob does what the function ingest does with a message.
func (w *world) handleRangeJob(name string, messages []any) []error {
	p := w.begin(name, 2*time.Minute, w.skew(name))
	defer p.end()
	err := w.worker(p).Handle(p.ctx, messages[0].(upload.Message))
	if p.dead() {
		err = errProcessDied
	}
	return []error{err}
}

// handleUploadEvent does what the function ingest does with an event of the bucket. The
// event is delivered three times at most.
func (w *world) handleUploadEvent(name string, o upload.Object) {
	for try := range 3 {
		p := w.begin(fmt.Sprintf("%s/%d", name, try), 2*time.Minute, w.skew(name))
		err := w.worker(p).Receive(p.ctx, o)
		dead := p.dead()
		p.end()
		if err == nil && !dead {
			return
		}
		time.Sleep(time.Minute << try)
	}
	w.count("event discarded after three deliveries")
	w.answers.noteEventLost(o)
}

func startUpload(id string) upload.Message { return upload.Resume(merchant, id) }

func (w *world) mailer(p *process) *delivery.Mailer {
	return &delivery.Mailer{
		Lines: w.store.LineMails(), Notices: w.store.NoticeMails(), Orders: w.store, History: w.store, Settings: w.store, Texts: w.store, Uploads: w.store, Counts: w.store,
		Held: w.store, Sales: &review.Sales{Store: w.store, Brakes: w.store, Notices: w.store, Now: p.now}, PublicURL: "https://api.keypool.example",
		MailSender: w.ses, Sender: sender, Operator: operator, Now: p.now,
	}
}

// delayMailAfter is the time that a customer waits before the delay mail.
const delayMailAfter = 5 * time.Minute

// lifecycle changes lines by a clock.
func (w *world) lifecycle(now func() time.Time) *lifecycle.Lifecycle {
	return &lifecycle.Lifecycle{Store: w.store, Wholes: w.store, Uploads: w.store, Notices: w.store, Keys: w.store, Corrections: w.store, Settings: w.store, Fill: w.fillQueue, By: "webhook", Now: now}
}

func (w *world) sweep(name string) {
	p := w.begin(name, time.Minute, w.skew(name))
	defer p.end()
	s := &sweep.Sweeper{Store: w.store, Jobs: w.store, JobQueue: w.jobQueue, Catalog: w.store, Orders: w.lifecycle(p.now), Fill: w.fillQueue, Ranges: w.rangeQueue, DelayMailAfter: delayMailAfter, Now: p.now}
	if w.sweeps.Add(1) > 1 {
		w.count("sweep beside another")
	}
	swept, _ := s.Sweep(p.ctx, p.now().Add(50*time.Second)) // the next sweep finds what failed
	w.sweeps.Add(-1)
	w.add("mail set due by the sweep", swept.Mails)
	w.add("line that waits, looked at by the sweep", swept.Waiting)
	w.add("delay mail set due by the sweep", swept.Told)
	w.add("upload taken up by the sweep", swept.Uploads)
	w.add("job taken up by the sweep", swept.Jobs)
}

// sweepTwice starts a sweep, sometimes two at once: a schedule may fire twice.
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

// schedule starts a sweep each minute and a stock check every five, until the plan has
// ended.
func (w *world) schedule(until time.Time) {
	for minute := 1; ; minute++ {
		time.Sleep(time.Minute)
		if !time.Now().Before(until) {
			return
		}
		w.sweepTwice(fmt.Sprint("sweep ", minute))
		if minute%5 == 0 {
			w.spawn(func() { w.checkStock(fmt.Sprint("stock ", minute)) })
			w.spawn(func() { w.askCatchup(fmt.Sprint("catchup ", minute)) })
		}
	}
}

// allPools returns the names of all pools, those that are made later included.
func allPools() []string { return slices.Concat(latePools, poolNames) }

// sides returns all sides of all pools.
func sides() []pool.ID {
	var all []pool.ID
	for _, name := range allPools() {
		for _, side := range pool.Sides {
			all = append(all, pool.ID{Merchant: merchant, Pool: name, Side: side})
		}
	}
	return all
}
