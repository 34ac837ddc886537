package faults

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/infra/proof/ingesttest"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/delivery"
	"keypool/shared/due"
	"keypool/shared/dynamo"
	"keypool/shared/ingest"
	"keypool/shared/job"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/review"
	"keypool/shared/stock"
	"keypool/shared/sweep"
	"keypool/shared/upload"
)

const (
	merchant  = "acme"
	keyPrefix = "KP-" // of every key

	shards      = 2  // of each pool side
	concurrency = 16 // processes
)

// The pools. The last is made halfway through the storm. Until then its files are
// parked, and its products are not connected.
var pools = []string{"main", "side", "late"}

// products are the products for sale, with the number of keys of a line. The last is
// connected halfway through the storm.
var products = []catalog.Product{
	{ID: "one", Pool: "main", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}},
	{ID: "three", Pool: "main", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 3}},
	{ID: "five", Pool: "side", Keys: catalog.KeyRule{Mode: catalog.PerLine, Count: 5}},
	{ID: "new", Pool: "late", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}},
	{ID: "idle", Pool: "side", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}},
}

// storm is one round.
type storm struct {
	t      *testing.T
	faults *dynamotest.Faults
	store  *dynamo.Store // with faults
	direct *dynamo.Store // without
	tables dynamo.Tables
	chance *chance
	clock  clock

	claims  *claim.Claimer
	filler  *claim.Filler
	worker  *ingest.Worker
	mailer  *delivery.Mailer
	changes *lifecycle.Lifecycle
	sweeper *sweep.Sweeper
	checker *stock.Checker

	queue  *queue
	bucket *ingesttest.Uploads
	ses    *fakeSES

	ledger  ledger
	halfway sync.Once
	tally   *tally
}

// ledger is the view from outside: the paid orders and the dropped keys.
type ledger struct {
	mu     sync.Mutex
	orders []*paid
	texts  []text

	unanswered []act
}

// paid is a line that was reported as paid.
type paid struct {
	line     order.Fulfillment
	wanted   int
	answers  [][]string // the keys of each answer that it is fulfilled
	answered bool       // a caller was answered

	// What was reported of it after it was paid, or before.
	refunds  []int   // units of the line; 0: all
	restocks bool    // a refund has the keys sold again
	returned bool    // its whole order
	disputed [3]bool // by the number of the dispute
	again    int     // mails that people may have asked for
}

// text is a key of a file.
type text struct {
	side pool.Side
	key  string
	gone bool // its file was deleted, perhaps before it was read
}

// newStorm begins a round.
func newStorm(t *testing.T, seed uint64) *storm {
	faults := dynamotest.NewFaults(t, seed)
	s := &storm{t: t, faults: faults, chance: newChance(seed, 1)}
	s.store, s.tables = dynamotest.Open(t, faults.Option)
	s.direct = dynamo.Open(dynamotest.Client(t), s.tables)
	s.queue = &queue{chance: newChance(seed, 2), faults: map[string]int{}}
	s.bucket = ingesttest.NewUploads(s.clock.now)
	s.ses = &fakeSES{chance: newChance(seed, 3), faults: map[string]int{}}
	s.tally = newTally()

	settings := catalog.NewCached(s.store, s.clock.now)
	s.claims = &claim.Claimer{Store: s.store, Cached: settings, Uncached: s.store, Fill: s.queue, Notices: s.store, By: "webhook", Now: s.clock.now}
	s.filler = &claim.Filler{Store: s.store, Bypass: s.store, Catalog: s.store, Notices: s.store, Now: s.clock.now}
	s.worker = &ingest.Worker{
		Catalog: s.store, Records: s.store, Ranges: s.store, Keys: s.store,
		Objects: s.bucket, Reports: &ingesttest.Reports{}, RangeJobs: s.queue, Fill: s.queue, Now: s.clock.now,
	}
	s.mailer = &delivery.Mailer{
		Lines: s.store.LineMails(), Notices: s.store.NoticeMails(), Orders: s.store, History: s.store, Settings: settings, Uploads: s.store, Counts: s.store,
		Held: s.store, Sales: &review.Sales{Store: s.store, Brakes: s.store, Notices: s.store, Now: s.clock.now}, PublicURL: "https://api.keypool.example", MailSender: s.ses,
		Sender: mail.Address{Address: "keys@acme.example"}, Operator: "operator@acme.example", Now: s.clock.now,
	}
	s.changes = &lifecycle.Lifecycle{Store: s.store, Wholes: s.store, Uploads: s.store, Notices: s.store, Keys: s.store, Corrections: s.store, Settings: s.store, Fill: s.queue, By: "webhook", Now: s.clock.now}
	s.sweeper = &sweep.Sweeper{Store: s.store, Catalog: s.store, Orders: s.changes, Fill: s.queue, Ranges: s.queue, DelayMailAfter: 5 * time.Minute, Now: s.clock.now}
	s.checker = &stock.Checker{Pools: s.store, Keys: s.store, Alerts: s.store, Counts: s.store, Now: s.clock.now}

	ctx := context.Background()
	s.noError(s.direct.PutMerchant(ctx, catalog.Merchant{Name: merchant, Title: "Acme", NoticeAddress: "notices@acme.example"}))
	for _, name := range pools[:len(pools)-1] {
		s.noError(s.direct.PutPool(ctx, catalog.Pool{Merchant: merchant, Name: name, LowStock: 10, Shards: shards}))
	}
	for i, p := range products {
		p.Merchant, p.Review = merchant, &catalog.Rules{MaxKeys: 1000}
		if i == len(products)-1 {
			p.Pool = ""
		}
		s.noError(s.direct.PutProduct(ctx, p))
	}
	return s
}

func (s *storm) noError(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Error(err) // callers are on other goroutines too
	}
}

// faultsByName is what calls may meet, by name.
var faultsByName = map[string]dynamotest.Fault{
	"lost answer":       dynamotest.LostAnswer,
	"connection reset":  dynamotest.CutOff,
	"answer too late":   dynamotest.LateAnswer,
	"server error":      dynamotest.ServerError,
	"unavailable":       dynamotest.Unavailable,
	"throttled table":   dynamotest.Throttled,
	"throttled call":    dynamotest.ThrottledCall,
	"conflict":          dynamotest.Contended,
	"being decided":     dynamotest.InProgress,
	"part of a read":    dynamotest.Unprocessed(0.3),
	"part throttled":    dynamotest.Partial("ThrottlingError", 0.2),
	"part in conflict":  dynamotest.Partial("TransactionConflict", 0.1),
	"part meets errors": dynamotest.Partial("InternalServerError", 0.1),
}

// startFaults lets calls of every kind meet their faults at random from now on, and
// each fault once for sure. At first the keys' index stands still.
func (s *storm) startFaults() {
	s.faults.Freeze(s.tables, s.tables.Keys, "available")
	for operation, meets := range map[string]struct {
		chance float64
		more   []string // beside those of every call; a fault named twice is twice as frequent
	}{
		"GetItem":               {0.04, nil},
		"Query":                 {0.03, nil},
		"BatchGetItem":          {0.10, []string{"part of a read", "part of a read", "part of a read"}},
		"PutItem":               {0.10, []string{"conflict"}},
		"UpdateItem":            {0.12, []string{"conflict", "conflict", "conflict"}},
		"TransactWriteItems":    {0.20, []string{"conflict", "conflict", "conflict", "conflict", "being decided"}},
		"BatchExecuteStatement": {0.15, []string{"part throttled", "part throttled", "part in conflict", "part meets errors"}},
	} {
		var faults []dynamotest.Fault
		for _, name := range append(meets.more, "lost answer", "connection reset", "answer too late",
			"server error", "unavailable", "throttled table", "throttled call") {
			fault := dynamotest.Named(name, faultsByName[name])
			s.faults.After(operation, s.chance.intN(8), 1, fault)
			faults = append(faults, fault)
		}
		s.faults.Sometimes(operation, meets.chance, faults...)
	}
}

// actions are the actions of a storm, each as often as it is to be tried. An action
// reports how often it took place: not every try finds something to do or succeeds.
func (s *storm) actions() []func(context.Context) {
	var all []func(context.Context)
	for _, action := range []struct {
		name  string
		often int
		do    func(context.Context) (happened int)
	}{
		{"orders", 40, s.pay},
		{"repeats", 8, s.repeat},
		{"changed repeats", 3, s.changedRepeat},
		{"refunds of lines", 4, s.refundLine},
		{"refunds of orders", 2, s.refundOrder},
		{"turns of disputes", 4, s.dispute},
		{"disputes dropped", 2, s.dropDisputes},
		{"holds and releases", 3, s.holdOrRelease},
		{"keys replaced or mailed again", 3, s.replaceOrResend},
		{"key files", 6, s.drop},
		{"messages", 34, s.message},
		{"fills", 3, s.fills},
		{"mailings", 5, s.mail},
		{"feedback of mails", 4, s.feedback},
		{"sweeps", 1, s.sweep},
		{"stock checks", 1, s.check},
		{"keys blocked or moved", 3, s.blockOrMove},
		{"indexes that stand still", 2, s.lag},
	} {
		do := func(ctx context.Context) { s.tally.add(action.name, action.do(ctx)) }
		for range action.often {
			all = append(all, do)
		}
	}
	return all
}

// run runs random actions in parallel until so many calls have reached the engine.
func (s *storm) run(calls int) {
	for range 4 {
		s.drop(context.Background())
	}
	s.startFaults()
	actions := s.actions()
	var processes sync.WaitGroup
	for range concurrency {
		processes.Go(func() {
			ctx := context.Background()
			for s.calls() < calls && !s.t.Failed() {
				actions[s.chance.intN(len(actions))](ctx)
				if s.calls() > calls/2 {
					s.halfway.Do(s.connect)
				}
				if s.chance.happens(0.003) {
					s.clock.advance(time.Duration(s.chance.between(1, 25)) * time.Minute)
				}
			}
		})
	}
	processes.Wait()
}

// calls returns the number of calls that reached the engine.
func (s *storm) calls() int {
	sum := 0
	for _, n := range s.faults.Calls() {
		sum += n
	}
	return sum
}

// connect makes the last pool and connects the last product, as the API does.
func (s *storm) connect() {
	ctx, name := context.Background(), pools[len(pools)-1]
	s.noError(s.direct.PutPool(ctx, catalog.Pool{Merchant: merchant, Name: name, LowStock: 10, Shards: shards}))
	parked, err := s.direct.Parked(ctx, merchant, name)
	s.noError(err)
	for _, id := range parked {
		_ = s.queue.Send(ctx, upload.Resume(merchant, id), 0) // the sweep finds what is lost
	}
	product, _, err := s.direct.Product(ctx, merchant, products[len(products)-1].ID)
	s.noError(err)
	product.Pool = products[len(products)-1].Pool
	s.noError(s.direct.PutProduct(ctx, product))
	_ = s.queue.Send(ctx, order.FillProduct(merchant, pool.Live, product.ID), 0)
}

// pay reports a new order, up to twenty times in parallel.
func (s *storm) pay(ctx context.Context) int {
	product := products[s.chance.intN(len(products))]
	quantity := 1
	switch size := s.chance.intN(100); {
	case size < 3:
		quantity = s.chance.between(98, 120) // more than one transaction holds
	case size < 8:
		quantity = s.chance.between(order.InlineKeys+1, order.MaxKeys)
	case size < 20:
		quantity = s.chance.between(2, order.InlineKeys)
	}
	side := pool.SideOf(s.chance.happens(0.1))
	p := &paid{wanted: product.Keys.Wanted(quantity)}
	s.ledger.mu.Lock()
	number := fmt.Sprint(len(s.ledger.orders) + 1)
	p.line = order.Fulfillment{
		ID:       order.Identity{Merchant: merchant, Side: side, Origin: "standard", Order: number, Line: product.ID}.ID(),
		Merchant: merchant, Side: side, Account: "standard", Origin: "standard", Order: number, Line: product.ID, Product: product.ID,
		Quantity: quantity, Currency: "EUR", Language: "en", UnitPrice: "29.90",
		Customer: order.Customer{Name: "Ada Byron", Email: "ada@example.com"},
	}
	s.ledger.orders = append(s.ledger.orders, p)
	s.ledger.mu.Unlock()

	times := 1
	switch repeats := s.chance.intN(100); {
	case repeats < 4:
		times = 20
	case repeats < 30:
		times = s.chance.between(2, 5)
	}
	var reports sync.WaitGroup
	for range times {
		reports.Go(func() { s.report(ctx, p) })
	}
	reports.Wait()
	return 1
}

// report reports a line as paid, once, and keeps the answer.
func (s *storm) report(ctx context.Context, p *paid) {
	ctx, done := dynamotest.WithGiveUp(ctx)
	defer done()
	got, err := s.claims.Claim(ctx, p.line)
	var changed *claim.MismatchError
	switch {
	case errors.As(err, &changed):
		s.t.Errorf("order %s was never changed: %v", p.line.Order, err)
		return
	case err != nil:
		s.tally.add("reports answered with an error", 1)
		return // the platform will repeat it
	}
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	p.answered = true
	if got.State() == order.Fulfilled {
		p.answers = append(p.answers, textsOf(got.Keys))
		_ = s.queue.Send(ctx, outbox.LineItem(string(got.ID)), 0) // as the stream does; the sweep finds what is lost
	}
}

func textsOf(keys []pool.Key) []string {
	texts := make([]string, len(keys))
	for i, key := range keys {
		texts[i] = key.Text.Reveal()
	}
	return texts
}

// some returns a random one of the orders that meet a condition, nil if none is found
// in twenty tries.
func (s *storm) some(holds func(*paid) bool) *paid {
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	for range min(20, len(s.ledger.orders)) {
		if p := s.ledger.orders[s.chance.intN(len(s.ledger.orders))]; holds(p) {
			return p
		}
	}
	return nil
}

// repeat reports an order once more.
func (s *storm) repeat(ctx context.Context) int {
	p := s.some(func(*paid) bool { return true })
	if p == nil {
		return 0
	}
	s.report(ctx, p)
	return 1
}

// changedRepeat reports an order with another quantity, which must be refused.
func (s *storm) changedRepeat(ctx context.Context) int {
	p := s.some(func(p *paid) bool { return p.answered })
	if p == nil {
		return 0
	}
	line := p.line
	line.Quantity++
	ctx, done := dynamotest.WithGiveUp(ctx)
	defer done()
	if _, err := s.claims.Claim(ctx, line); err == nil {
		s.t.Errorf("order %s was paid for %d, and reported for %d without an error", p.line.Order, p.line.Quantity, line.Quantity)
	}
	return 1
}

// drop drops a key file with duplicates and invalid lines. Its event is received up
// to three times. Four files of a hundred are deleted at once.
func (s *storm) drop(ctx context.Context) int {
	name, side := pools[s.chance.intN(len(pools))], pool.SideOf(s.chance.happens(0.15))
	removed := s.chance.happens(0.04)
	keys := s.chance.between(20, 180)
	lines := make([]string, 0, keys+10)
	s.ledger.mu.Lock()
	known := s.ledger.texts
	for range keys {
		key := fmt.Sprintf("%s%s-%06d", keyPrefix, side, len(s.ledger.texts))
		s.ledger.texts = append(s.ledger.texts, text{side, key, removed})
		lines = append(lines, key)
	}
	s.ledger.mu.Unlock()
	for range keys / 12 {
		lines = append(lines, lines[s.chance.intN(len(lines))], "no\x01key")
		if len(known) > 0 {
			if again := known[s.chance.intN(len(known))]; again.side == side && !removed && !again.gone {
				lines = append(lines, again.key)
			}
		}
	}
	if s.chance.happens(0.07) { // several ranges, because of invalid lines
		for range 2*upload.RangeSize>>18 + 1 {
			lines = append(lines, strings.Repeat("x", 1<<18))
		}
	}
	for i := range lines {
		j := s.chance.intN(i + 1)
		lines[i], lines[j] = lines[j], lines[i]
	}
	folder := "uploads/" + merchant + "/" + name + "/"
	if side == pool.Test {
		folder += "test/"
	}
	o := s.bucket.Put(fmt.Sprintf("%s%d.txt", folder, s.chance.intN(1<<60)), []byte(strings.Join(lines, "\n")))
	var events sync.WaitGroup
	for range s.chance.between(1, 3) {
		events.Go(func() { s.handle(ctx, message{body: o}) })
	}
	if removed {
		s.bucket.Remove(o)
	}
	events.Wait()
	return 1
}

// message handles a random message, five of a hundred twice in parallel.
func (s *storm) message(ctx context.Context) int {
	m, ok := s.queue.take()
	if !ok {
		return 0
	}
	if s.chance.happens(0.05) {
		var both sync.WaitGroup
		both.Go(func() { s.handle(ctx, m) })
		defer both.Wait()
	}
	s.handle(ctx, m)
	return 1
}

// handle does the work of a message. If that fails, the message is received again.
func (s *storm) handle(ctx context.Context, m message) {
	ctx, done := dynamotest.WithGiveUp(ctx)
	defer done()
	var err error
	switch body := m.body.(type) {
	case upload.Object:
		err = s.worker.Receive(ctx, body)
	case upload.Message:
		err = s.worker.Handle(ctx, body)
	case order.FillRequest:
		err = s.filler.Fill(ctx, body, s.clock.now().Add(time.Minute))
	case outbox.Item:
		err = s.mailItems(ctx, body)[0]
	}
	if err != nil {
		if s.queue.reliable {
			s.t.Errorf("%T failed without a fault: %v", m.body, err)
		}
		s.tally.add("messages redelivered after a failure", 1)
		s.queue.redeliver(m)
	}
}

// fills serves one queue, up to four times in parallel.
func (s *storm) fills(ctx context.Context) int {
	p := pool.ID{Merchant: merchant, Pool: pools[s.chance.intN(len(pools))], Side: pool.SideOf(s.chance.happens(0.1))}
	var fills sync.WaitGroup
	var served atomic.Int64
	for range s.chance.between(1, 4) {
		fills.Go(func() {
			ctx, done := dynamotest.WithGiveUp(ctx)
			defer done()
			if s.filler.Fill(ctx, order.FillPool(p), s.clock.now().Add(time.Minute)) == nil {
				served.Add(1)
			}
		})
	}
	fills.Wait()
	return int(served.Load())
}

// mail mails what is due in one partition, as the stream does.
func (s *storm) mail(ctx context.Context) int {
	ctx, done := dynamotest.WithGiveUp(ctx)
	defer done()
	var mails []outbox.Item
	for range 2 {
		s.store.Due(ctx, s.chance.intN(due.Partitions), s.clock.now().Add(24*time.Hour), func(item due.Item) bool {
			switch {
			case item.Line != nil && item.Line.Mail.State != "":
				mails = append(mails, outbox.LineItem(string(item.Line.ID)))
			case item.Notice != nil:
				mails = append(mails, outbox.NoticeItem(item.Notice.ID))
			}
			return len(mails) < 10
		})
	}
	for i, err := range s.mailItems(ctx, mails...) {
		if err != nil {
			s.queue.redeliver(message{body: mails[i]}) // the stream delivers the record again
		}
	}
	return min(len(mails), 1)
}

// mailItems mails while the clock is not advanced.
func (s *storm) mailItems(ctx context.Context, items ...outbox.Item) []error {
	s.clock.mailing.RLock()
	defer s.clock.mailing.RUnlock()
	return s.mailer.Mail(ctx, items)
}

// feedback applies an event of a random mail, up to three times in parallel.
func (s *storm) feedback(ctx context.Context) int {
	l, ok := s.ses.some()
	if !ok {
		return 0
	}
	what := []order.EventKind{order.MailSent, order.MailDelivered, order.MailDelivered, order.MailDelayed, order.MailBounced, order.MailComplained}
	news := delivery.Feedback{Item: l.Item, Number: l.number, Event: what[s.chance.intN(len(what))], At: s.clock.now(), MessageID: "id"}
	times := s.chance.between(1, 3)
	var events sync.WaitGroup
	for range times {
		events.Go(func() {
			ctx, done := dynamotest.WithGiveUp(ctx)
			defer done()
			_ = s.mailer.ApplyFeedback(ctx, news) // a lost event changes no key and no mail
		})
	}
	events.Wait()
	return times
}

func (s *storm) sweep(ctx context.Context) int {
	ctx, done := dynamotest.WithGiveUp(ctx)
	defer done()
	if _, err := s.sweeper.Sweep(ctx, s.clock.now().Add(time.Minute)); err != nil {
		return 0 // the next sweep does the rest
	}
	return 1
}

func (s *storm) check(ctx context.Context) int {
	ctx, done := dynamotest.WithGiveUp(ctx)
	defer done()
	if s.checker.Check(ctx) != nil {
		return 0 // the next check does
	}
	return 1
}

// blockOrMove blocks available keys, or moves them to another pool, as the API and its jobs do.
// The index may still show them at their old place.
func (s *storm) blockOrMove(ctx context.Context) int {
	from := pool.ID{Merchant: merchant, Pool: pools[s.chance.intN(len(pools))], Side: pool.Live}
	keys, err := s.direct.Candidates(ctx, from, shards, 1)
	s.noError(err)
	keys = keys[:min(len(keys), s.chance.intN(4))]
	to := pools[s.chance.intN(len(pools)-1)]
	switch {
	case len(keys) == 0:
		return 0
	case to == from.Pool || s.chance.happens(0.5):
		err = s.direct.BlockForSale(ctx, from, keys, "the storm", s.clock.now())
	default:
		err = s.move(ctx, from, to, keys)
	}
	if errors.As(err, new(*order.KeysTakenError)) { // sold meanwhile, or never there
		return 0
	}
	s.noError(err)
	return len(keys)
}

// move moves keys by a job of their own.
func (s *storm) move(ctx context.Context, from pool.ID, to string, keys []pool.Key) error {
	now := s.clock.now()
	j := job.Job{Merchant: merchant, ID: job.NewID(ctx, now), Kind: job.Move, Pool: from.Pool, Side: from.Side, To: to, By: "the storm", CreatedAt: now, DueAt: now.Add(24 * time.Hour)}
	if err := s.direct.StartJob(ctx, j); err != nil {
		return err
	}
	j, err := s.direct.TakeJob(ctx, merchant, j.ID, now)
	if err != nil {
		return err
	}
	moved := s.direct.MoveKeys(ctx, j, shards, keys, now)
	j.Done, j.FinishedAt, j.DueAt = true, now, time.Time{}
	return cmp.Or(moved, s.direct.EndJob(ctx, j))
}

// lag freezes an index, or lets it catch up.
func (s *storm) lag(context.Context) int {
	tables := []struct{ table, index string }{{s.tables.Keys, "available"}, {s.tables.Orders, "due"}, {s.tables.Catalog, "due"}}
	one := tables[s.chance.intN(len(tables))]
	if s.chance.happens(0.4) {
		s.faults.Freeze(s.tables, one.table, one.index)
		return 1
	}
	if s.faults.Met()[dynamotest.LaggingIndex] > 0 { // the first stands still until it was read
		s.faults.Unfreeze(one.table)
	}
	return 0
}
