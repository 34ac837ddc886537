package claim_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"
	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/dynamo"
	"keypool/shared/job"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// shop is a merchant with a pool and products on tables of its own.
type shop struct {
	t      *testing.T
	store  *dynamo.Store
	tables dynamo.Tables
	claims *claim.Claimer
	filler *claim.Filler
	fills  *requests
	now    func() time.Time
}

// requests remembers what was asked of fill.
type requests struct {
	mu   sync.Mutex
	sent []order.FillRequest
}

func (r *requests) Send(_ context.Context, message any, delay time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if delay != 2*time.Second {
		return fmt.Errorf("delayed %s, which the index may need longer than", delay)
	}
	r.sent = append(r.sent, message.(order.FillRequest))
	return nil
}

func (r *requests) drain() []order.FillRequest {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() { r.sent = nil }()
	return r.sent
}

var (
	live     = pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}
	testSide = pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Test}
)

func open(t *testing.T, options ...dynamotest.Option) *shop {
	t.Helper()
	store, tables := dynamotest.Open(t, options...)
	s := &shop{t: t, store: store, tables: tables, fills: &requests{}, now: time.Now}
	clock := func() time.Time { return s.now() }
	s.claims = &claim.Claimer{Store: store, Cached: catalog.NewCached(store, clock), Uncached: store, Fill: s.fills, Notices: store, By: "webhook", Now: clock}
	s.filler = &claim.Filler{Store: store, Bypass: store, Catalog: store, Notices: store, Now: clock}

	s.must(store.PutMerchant(t.Context(), catalog.Merchant{Name: "acme", Title: "Acme", NoticeAddress: "notices@acme.example"}))
	s.must(store.PutPool(t.Context(), catalog.Pool{Merchant: "acme", Name: "elden", LowStock: 10, Shards: pool.DefaultShards}))
	s.product(catalog.Product{ID: "game", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}})
	return s
}

func (s *shop) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) product(p catalog.Product) {
	s.t.Helper()
	p.Merchant = "acme"
	s.must(s.store.PutProduct(s.t.Context(), p))
}

// rules has the merchant's lines looked at by these rules.
func (s *shop) rules(r catalog.Rules) {
	s.t.Helper()
	before, err := s.store.Review(s.t.Context(), "acme")
	s.must(err)
	before.Rules = r
	s.must(s.store.PutReview(s.t.Context(), before))
}

func (s *shop) stock(p pool.ID, prefix string, n int) {
	s.t.Helper()
	dynamotest.Stock(s.t, s.tables, p, pool.DefaultShards, dynamotest.Texts(prefix, n)...)
}

// paid is a line of one product as a platform tells it.
func paid(orderID, product string, quantity int) order.Fulfillment {
	return order.Fulfillment{
		ID:       order.Identity{Merchant: "acme", Side: pool.Live, Origin: "standard", Order: orderID, Line: product}.ID(),
		Merchant: "acme", Side: pool.Live, Account: "standard", Origin: "standard",
		Order: orderID, Line: product, Product: product, Quantity: quantity,
		Currency: "EUR", Language: "en", UnitPrice: "59.99",
		Customer: order.Customer{Name: "Ada Byron", Email: "ada@example.com", Country: "GB"},
	}
}

func (s *shop) claim(f order.Fulfillment) order.Fulfillment {
	s.t.Helper()
	got, err := s.claims.Claim(s.t.Context(), f)
	s.must(err)
	return got
}

func (s *shop) fill() {
	s.t.Helper()
	s.must(s.filler.Fill(s.t.Context(), order.FillPool(live), s.now().Add(time.Minute)))
}

// stored is a line as it stands in the table.
func (s *shop) stored(id order.LineID) order.Fulfillment {
	s.t.Helper()
	f, ok, err := s.store.Fulfillment(s.t.Context(), id)
	s.must(err)
	if !ok {
		s.t.Fatalf("line %s is not stored", id)
	}
	return f
}

func ids(keys []pool.Key) []pool.KeyID {
	var ids []pool.KeyID
	for _, k := range keys {
		ids = append(ids, k.ID)
	}
	return ids
}

func TestClaim_paidLineHoldsItsKeysAndIsDueForMail(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "K", 30)

	got := s.claim(paid("1", "game", 3))
	if got.State() != order.Fulfilled || got.Allocated != 3 || len(got.Keys) != 3 {
		t.Errorf("the line is %s and holds %d keys, listing %d", got.State(), got.Allocated, len(got.Keys))
	}
	stored := s.stored(got.ID)
	if stored.Mail.State != outbox.Due || stored.Mail.Kind != outbox.Keys || stored.Mail.Number != 1 {
		t.Errorf("the mail is %+v", stored.Mail)
	}
	if stored.CustomerHash == "" || stored.Customer.Email != "ada@example.com" || stored.UnitPrice != "59.99" {
		t.Errorf("what the platform told is not all stored")
	}
	books := dynamotest.Audit(t, s.tables)
	if books.Claimed != 3 || books.Available != 27 {
		t.Errorf("%d keys claimed, %d available", books.Claimed, books.Available)
	}
	if len(s.fills.drain()) != 0 {
		t.Error("fill was asked for a line that misses nothing")
	}
}

func TestClaim_repeatedOrderKeepsKey(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "K", 5)

	first := s.claim(paid("1", "game", 1))
	again := s.claim(paid("1", "game", 1))
	if diff := cmp.Diff(ids(first.Keys), ids(again.Keys)); diff != "" {
		t.Errorf("the repeat got other keys (-first +again):\n%s", diff)
	}
	if books := dynamotest.Audit(t, s.tables); books.Claimed != 1 {
		t.Errorf("%d keys claimed", books.Claimed)
	}
}

func TestClaim_repeatWithOtherContentChangesNothing(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.product(catalog.Product{ID: "other", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}})
	s.stock(live, "K", 5)
	before := s.claim(paid("1", "game", 1))

	more := paid("1", "game", 2)
	other := paid("1", "other", 1)
	other.ID = before.ID
	for name, repeat := range map[string]order.Fulfillment{"quantity": more, "product": other} {
		_, err := s.claims.Claim(t.Context(), repeat)
		var changed *claim.MismatchError
		if !errors.As(err, &changed) || changed.Line != before.ID {
			t.Errorf("another %s: %v", name, err)
		}
	}
	if after := s.stored(before.ID); after.Version != before.Version {
		t.Error("the record was changed")
	}
	if books := dynamotest.Audit(t, s.tables); books.Claimed != 1 {
		t.Errorf("%d keys claimed", books.Claimed)
	}
}

func TestClaim_emptyPoolWaitsAndFillServesIt(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "K", 2)

	got := s.claim(paid("1", "game", 3))
	if got.State() != order.Waiting || got.Missing() != 1 {
		t.Fatalf("the line is %s and misses %d", got.State(), got.Missing())
	}
	if diff := cmp.Diff([]order.FillRequest{order.FillPool(live)}, s.fills.drain()); diff != "" {
		t.Errorf("fill was asked (-want +got):\n%s", diff)
	}
	if stored := s.stored(got.ID); stored.Mail.State != outbox.None || stored.Mail.DueAt.IsZero() {
		t.Errorf("a waiting line's mail is %+v: it should be left to the sweep", stored.Mail)
	}
	dynamotest.Audit(t, s.tables)

	s.fill() // nothing there yet
	s.stock(live, "L", 1)
	s.fill()
	done := s.stored(got.ID)
	if done.State() != order.Fulfilled || done.Mail.State != outbox.Due || done.Mail.Kind != outbox.Keys {
		t.Errorf("after the fill the line is %s, its mail %+v", done.State(), done.Mail)
	}
	if diff := cmp.Diff(ids(got.Keys), ids(done.Keys[:2])); diff != "" {
		t.Errorf("the keys it had are not the keys it has (-before +after):\n%s", diff)
	}
	dynamotest.Audit(t, s.tables)
}

func TestClaim_testOrderNeverReachesLiveKeys(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "L", 5)

	trial := paid("1", "game", 1)
	trial.Side = pool.Test
	trial.ID = order.Identity{Merchant: "acme", Side: pool.Test, Origin: "standard", Order: "1", Line: "game"}.ID()
	if got := s.claim(trial); got.State() != order.Waiting {
		t.Errorf("a test order without test keys is %s", got.State())
	}
	s.stock(testSide, "T", 1)
	s.must(s.filler.Fill(t.Context(), order.FillPool(testSide), s.now().Add(time.Minute)))
	if got := s.stored(trial.ID); got.State() != order.Fulfilled || got.Keys[0].Text.Reveal() != "T-000000" {
		t.Errorf("a test order with a test key is %s", got.State())
	}
	if got := s.claim(paid("1", "game", 1)); got.State() != order.Fulfilled {
		t.Errorf("the live order of the same number is %s", got.State())
	}
	dynamotest.Audit(t, s.tables)
}

func TestClaim_poolByCurrency(t *testing.T) {
	t.Parallel()
	s := open(t)
	dollars := pool.ID{Merchant: "acme", Pool: "elden-us", Side: pool.Live}
	s.must(s.store.PutPool(t.Context(), catalog.Pool{Merchant: "acme", Name: dollars.Pool, Shards: pool.DefaultShards}))
	s.product(catalog.Product{
		ID: "by-currency", PoolsByCurrency: map[string]string{"EUR": "elden", "USD": "elden-us"},
		Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1},
	})
	s.stock(live, "EU", 1)
	s.stock(dollars, "US", 1)

	for currency, want := range map[string]string{"EUR": "EU-000000", "USD": "US-000000"} {
		line := paid("1-"+currency, "by-currency", 1)
		line.Currency = currency
		if got := s.claim(line); got.State() != order.Fulfilled || got.Keys[0].Text.Reveal() != want {
			t.Errorf("an order in %s is %s", currency, got.State())
		}
	}
	yen := paid("1-JPY", "by-currency", 1)
	yen.Currency = "JPY"
	if got := s.claim(yen); got.State() != order.Unconnected {
		t.Errorf("an order in a currency without a pool is %s", got.State())
	}
	dynamotest.Audit(t, s.tables)
}

// A product that names an original which does not exist has its own settings, for
// orders that come and for those that waited, as in the customer's mail.
func TestClaim_productWhoseOriginalIsMissingHasItsOwnSettings(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "K", 5)
	waited := s.claim(paid("1", "edition", 1))
	s.product(catalog.Product{ID: "edition", Original: "unheard-of", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 2}})
	if got := s.claim(paid("2", "edition", 1)); got.State() != order.Fulfilled || got.Allocated != 2 {
		t.Errorf("an order is %s and holds %d keys", got.State(), got.Allocated)
	}
	s.must(s.filler.Fill(t.Context(), order.FillProduct("acme", pool.Live, "edition"), s.now().Add(time.Minute)))
	if got := s.stored(waited.ID); got.State() != order.Fulfilled || got.Allocated != 2 {
		t.Errorf("an order that waited is %s and holds %d keys", got.State(), got.Allocated)
	}
	dynamotest.Audit(t, s.tables)
}

// A dynamic product, which the catalog does not know, takes the fulfillment of its
// original. While that is not known either, the line waits for it. Settings of its own come
// first.
func TestClaim_dynamicProduct(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "K", 10)
	dynamic := func(number, product, original string) order.Fulfillment {
		line := paid(number, product, 1)
		line.Original = original
		return line
	}
	s.product(catalog.Product{ID: "bundle", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 2}})
	if got := s.claim(dynamic("1", "made-up-1", "bundle")); got.State() != order.Fulfilled || got.Allocated != 2 || got.Product != "made-up-1" {
		t.Errorf("%s with %d keys", got.State(), got.Allocated)
	}
	waits := s.claim(dynamic("2", "made-up-2", "later"))
	if waits.State() != order.Unconnected {
		t.Errorf("%s", waits.State())
	}
	if got := s.claim(dynamic("2", "made-up-2", "later")); got.ID != waits.ID || got.State() != order.Unconnected {
		t.Errorf("a repeat: %s", got.State())
	}
	s.product(catalog.Product{ID: "later", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 3}})
	s.must(s.filler.Fill(t.Context(), order.FillProduct("acme", pool.Live, "later"), s.now().Add(time.Minute)))
	if got := s.stored(waits.ID); got.State() != order.Fulfilled || got.Allocated != 3 {
		t.Errorf("connected: %s with %d keys", got.State(), got.Allocated)
	}
	s.product(catalog.Product{ID: "made-up-3", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}})
	if got := s.claim(dynamic("3", "made-up-3", "bundle")); got.Allocated != 1 {
		t.Errorf("with settings of its own: %d keys", got.Allocated)
	}
	dynamotest.Audit(t, s.tables)
}

func TestClaim_perLineAndSeveralPerUnit(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.product(catalog.Product{ID: "per-line", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerLine, Count: 1}})
	s.product(catalog.Product{ID: "pairs", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 2}})
	s.stock(live, "K", 40)

	if got := s.claim(paid("1", "per-line", 5)); got.Allocated != 1 || got.State() != order.Fulfilled {
		t.Errorf("5 units at one key a line: %d keys, %s", got.Allocated, got.State())
	}
	if got := s.claim(paid("1", "pairs", 5)); got.Allocated != 10 || got.State() != order.Fulfilled {
		t.Errorf("5 units at two keys a unit: %d keys, %s", got.Allocated, got.State())
	}
}

func TestClaim_manyKeysComeInSeveralTransactions(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "K", 300)

	s.rules(catalog.Rules{MaxKeys: 1000})
	got := s.claim(paid("1", "game", 250))
	if got.State() != order.Waiting || got.Allocated != order.MaxKeys {
		t.Errorf("the first transaction allocates %d keys, the line is %s", got.Allocated, got.State())
	}
	dynamotest.Audit(t, s.tables)
	s.fill()
	if done := s.stored(got.ID); done.State() != order.Fulfilled || done.Chunks != 3 || done.Mail.Number != 1 {
		t.Errorf("the line is %s with %d keys in %d chunks, mail %d", done.State(), done.Allocated, done.Chunks, done.Mail.Number)
	}
	if books := dynamotest.Audit(t, s.tables); books.Claimed != 250 {
		t.Errorf("%d keys claimed", books.Claimed)
	}
}

func TestClaim_unconnectedProductIsFilledOnceConnected(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "K", 5)

	line := s.claim(paid("1", "unknown", 2))
	if line.State() != order.Unconnected {
		t.Fatalf("the line is %s", line.State())
	}
	dynamotest.Audit(t, s.tables)

	connect := order.FillProduct("acme", pool.Live, "unknown")
	s.must(s.filler.Fill(t.Context(), connect, s.now().Add(time.Minute)))
	if got := s.stored(line.ID); got.State() != order.Unconnected {
		t.Errorf("without a pool the line became %s", got.State())
	}
	s.product(catalog.Product{ID: "unknown", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 2}})
	s.must(s.filler.Fill(t.Context(), connect, s.now().Add(time.Minute)))
	if got := s.stored(line.ID); got.State() != order.Fulfilled || got.Allocated != 4 {
		t.Errorf("connected, the line is %s with %d keys", got.State(), got.Allocated)
	}
	dynamotest.Audit(t, s.tables)
}

// A shop may send orders of what is not sold here, and for ever: they must cost
// next to nothing each time somebody looks.
func TestFill_linesThatNobodyCanConnectCostNextToNothing(t *testing.T) {
	t.Parallel()
	var meter dynamotest.Meter
	s := open(t, meter.Option)
	const lines = 30
	for i := range lines {
		s.claim(paid(fmt.Sprint(i), "shirt", 1))
	}
	looks := func() map[string]int {
		meter.Reset()
		s.must(s.filler.Fill(t.Context(), order.FillProduct("acme", pool.Live, "shirt"), s.now().Add(time.Minute)))
		calls := map[string]int{}
		for _, call := range meter.Calls() {
			calls[call.Operation]++
		}
		return calls
	}
	if calls := looks(); calls["Query"]+calls["BatchGetItem"] > 0 {
		t.Errorf("lines of an unknown product were read: %v", calls)
	}
	s.product(catalog.Product{ID: "shirt", PoolsByCurrency: map[string]string{"USD": "elden"}, Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}})
	if calls := looks(); calls["BatchGetItem"] == 0 || calls["GetItem"] > 10 {
		t.Errorf("settings were read for each of %d lines: %v", lines, calls)
	}
}

func TestClaim_productConnectedAMomentAgoIsSeen(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "K", 5)
	s.product(catalog.Product{ID: "new", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}})
	if got := s.claim(paid("1", "new", 1)); got.State() != order.Unconnected {
		t.Fatalf("without a pool the line is %s", got.State())
	}
	s.product(catalog.Product{ID: "new", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}, Version: 1})
	if got := s.claim(paid("2", "new", 1)); got.State() != order.Fulfilled {
		t.Errorf("the product was connected before, yet the line is %s", got.State())
	}
}

func TestClaim_newcomerDoesNotOvertakeTheQueue(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.claim(paid("first", "game", 3))
	s.stock(live, "K", 3)

	if got := s.claim(paid("second", "game", 1)); got.State() != order.Waiting {
		t.Errorf("with as many keys as the queue misses, a newcomer is %s", got.State())
	}
	s.fill()
	if got := s.stored(paid("first", "game", 3).ID); got.State() != order.Fulfilled {
		t.Errorf("the first in the queue is %s", got.State())
	}
	if got := s.stored(paid("second", "game", 1).ID); got.State() != order.Waiting {
		t.Errorf("the second is %s", got.State())
	}
	s.stock(live, "L", 3)
	if got := s.claim(paid("third", "game", 1)); got.State() != order.Fulfilled {
		t.Errorf("with more keys than the queue misses, a newcomer is %s", got.State())
	}
	dynamotest.Audit(t, s.tables)
}

func TestClaim_bypassLetsNewcomersThrough(t *testing.T) {
	t.Parallel()
	s := open(t)
	for i := range order.QueueFront + 1 {
		s.claim(paid(fmt.Sprint(i), "game", 1))
	}
	s.stock(live, "K", 100)
	if got := s.claim(paid("no bypass", "game", 1)); got.State() != order.Waiting {
		t.Errorf("behind a long queue a newcomer is %s", got.State())
	}
	s.must(s.store.AllowBypass(t.Context(), live, s.now().Add(5*time.Second)))
	if got := s.claim(paid("bypass", "game", 1)); got.State() != order.Fulfilled {
		t.Errorf("with a bypass a newcomer is %s", got.State())
	}
	late := s.now().Add(5 * time.Second)
	s.now = func() time.Time { return late }
	if got := s.claim(paid("late", "game", 1)); got.State() != order.Waiting {
		t.Errorf("with a bypass that has expired a newcomer is %s", got.State())
	}
	dynamotest.Audit(t, s.tables)
}

func TestFill_strictlyOldestFirst(t *testing.T) {
	t.Parallel()
	s := open(t)
	moment := time.Now()
	s.now = func() time.Time { moment = moment.Add(time.Second); return moment }
	s.claim(paid("large", "game", 10))
	s.claim(paid("small", "game", 1))
	s.stock(live, "K", 8)
	s.fill()
	if got := s.stored(paid("large", "game", 10).ID); got.Allocated != 8 {
		t.Errorf("the head of the queue holds %d of 8 keys", got.Allocated)
	}
	if got := s.stored(paid("small", "game", 1).ID); got.Allocated != 0 {
		t.Error("a small line behind a large one was served before it")
	}
	dynamotest.Audit(t, s.tables)
}

func TestFill_manyLinesShareATransaction(t *testing.T) {
	t.Parallel()
	s := open(t)
	for i := range 70 {
		s.claim(paid(fmt.Sprint(i), "game", 1))
	}
	s.stock(live, "K", 100)
	s.fill()
	books := dynamotest.Audit(t, s.tables)
	if books.Claimed != 70 || len(books.Queue) != 0 {
		t.Errorf("%d keys claimed, %d lines still wait", books.Claimed, len(books.Queue))
	}
}

func TestFill_stopsWhenItsTimeIsUp(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.claim(paid("1", "game", 1))
	s.stock(live, "K", 1)
	err := s.filler.Fill(t.Context(), order.FillPool(live), s.now().Add(-time.Second))
	if !errors.Is(err, job.ErrUnfinished) {
		t.Errorf("with no time left: %v", err)
	}
	s.fill()
	if got := s.stored(paid("1", "game", 1).ID); got.State() != order.Fulfilled {
		t.Errorf("the next fill left the line %s", got.State())
	}
}

func TestFill_allowsABypassOnlyWhereKeysAbound(t *testing.T) {
	for keys, allowed := range map[int]bool{1005: false, 1006: true} {
		t.Run(fmt.Sprint(keys), func(t *testing.T) {
			t.Parallel()
			s := open(t)
			s.claim(paid("1", "game", 3)) // twice the three it misses, and a thousand
			s.stock(live, "K", keys)
			s.fill()
			queue, err := s.store.Queue(t.Context(), live)
			s.must(err)
			if got := !queue.BypassUntil.IsZero(); got != allowed {
				t.Errorf("with %d keys a bypass is allowed: %v", keys, got)
			}
			if allowed && queue.BypassUntil.Sub(s.now()) > 5*time.Second {
				t.Errorf("the bypass lasts until %s", queue.BypassUntil)
			}
		})
	}
}

func TestFill_emptyPoolIsToldOnceAnEdge(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.claim(paid("1", "game", 3))
	s.fill()
	s.claim(paid("2", "game", 1))
	s.fill()
	if got := dynamotest.Partitions(t, s.tables.Orders, "notice#acme#empty#"); len(got) != 1 {
		t.Errorf("notices: %v", got)
	}
}

func TestFill_lineChangedMeanwhileIsReadAgain(t *testing.T) {
	t.Parallel()
	s := open(t)
	line := s.claim(paid("1", "game", 2))
	s.stock(live, "K", 2)
	s.filler.Store = &interrupted{Store: s.store, once: func() {
		changed := line
		changed.Version++
		changed.UnitPrice = "49.99"
		s.must(s.store.Commit(t.Context(), order.Change{Before: &line, After: changed}))
	}}
	s.fill()
	if got := s.stored(line.ID); got.State() != order.Fulfilled || got.UnitPrice != "49.99" {
		t.Errorf("the line is %s; what was changed between fill's read and its write is lost: %v", got.State(), got.UnitPrice != "49.99")
	}
	dynamotest.Audit(t, s.tables)
}

// interrupted is a store in which something happens before the first commit.
type interrupted struct {
	*dynamo.Store
	once func()
}

func (i *interrupted) Commit(ctx context.Context, takes ...order.Change) error {
	if once := i.once; once != nil {
		i.once = nil
		once()
	}
	return i.Store.Commit(ctx, takes...)
}

// A fill that connected a line and did not live to fill it: the repeat of its
// message fills the line, though no line is unconnected any more.
func TestFill_repeatAfterACrashBetweenConnectingAndFilling(t *testing.T) {
	t.Parallel()
	s := open(t)
	line := s.claim(paid("1", "unknown", 1))
	s.product(catalog.Product{ID: "unknown", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}})
	connected := line
	connected.Version++
	connected.Pool, connected.Wanted = "elden", 1
	s.must(s.store.Commit(t.Context(), order.Change{Before: &line, After: connected}))
	s.stock(live, "K", 1)
	s.must(s.filler.Fill(t.Context(), order.FillProduct("acme", pool.Live, "unknown"), s.now().Add(time.Minute)))
	if got := s.stored(line.ID); got.State() != order.Fulfilled {
		t.Errorf("the line is %s", got.State())
	}
}

func TestFill_connectedLineKeepsThePlaceOfItsAge(t *testing.T) {
	t.Parallel()
	s := open(t)
	moment := time.Now()
	s.now = func() time.Time { moment = moment.Add(time.Second); return moment }
	old := s.claim(paid("old", "unknown", 1))
	young := s.claim(paid("young", "game", 1))
	s.product(catalog.Product{ID: "unknown", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}})
	s.must(s.filler.Fill(t.Context(), order.FillProduct("acme", pool.Live, "unknown"), s.now().Add(time.Minute)))
	books := dynamotest.Audit(t, s.tables)
	if diff := cmp.Diff([]string{string(old.ID), string(young.ID)}, books.Queue); diff != "" {
		t.Errorf("the queue (-want +got):\n%s", diff)
	}
}

func TestClaim_unconnectedLineAsksForAFill(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.claim(paid("1", "unknown", 1))
	if diff := cmp.Diff([]order.FillRequest{order.FillProduct("acme", pool.Live, "unknown")}, s.fills.drain()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestClaim_productWithoutARuleIsNotConnected(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.product(catalog.Product{ID: "ruleless", Pool: "elden"})
	s.stock(live, "K", 1)
	if got := s.claim(paid("1", "ruleless", 3)); got.State() != order.Unconnected {
		t.Errorf("a line that is due no key is %s", got.State())
	}
	dynamotest.Audit(t, s.tables)
}

func TestFill_goesOnWithoutABypass(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.claim(paid("1", "game", 1))
	s.stock(live, "K", 1)
	s.filler.Bypass = noBypass{s.store}
	s.fill()
	if got := s.stored(paid("1", "game", 1).ID); got.State() != order.Fulfilled {
		t.Errorf("the line is %s", got.State())
	}
}

// noBypass is a store that is throttled whenever a bypass is weighed.
type noBypass struct{ *dynamo.Store }

func (noBypass) Available(context.Context, pool.ID, int, int) (int, error) {
	return 0, retry.ErrThrottled
}

func TestFill_deletedPoolIsTold(t *testing.T) {
	t.Parallel()
	s := open(t)
	line := s.claim(paid("1", "game", 1))
	s.must(s.store.DeletePool(t.Context(), catalog.Pool{Merchant: "acme", Name: "elden", Version: 1}))
	s.fill()
	if got := dynamotest.Partitions(t, s.tables.Orders, "notice#acme#empty#"); len(got) != 1 {
		t.Errorf("notices: %v", got)
	}
	if got := s.stored(line.ID); got.State() != order.Waiting {
		t.Errorf("the line is %s", got.State())
	}
}

// What decides whether a line is new, or may bypass the queue, must not be an old copy.
func TestClaim_readsAreConsistent(t *testing.T) {
	t.Parallel()
	consistent := map[string]bool{}
	var mu sync.Mutex
	s := open(t, func(o *dynamodb.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Reads",
				func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
					mu.Lock()
					switch in := in.Parameters.(type) {
					case *dynamodb.GetItemInput:
						consistent["GetItem of "+*in.TableName] = in.ConsistentRead != nil && *in.ConsistentRead
					case *dynamodb.QueryInput:
						read := "Query of " + *in.TableName
						is := in.ConsistentRead != nil && *in.ConsistentRead
						if before, known := consistent[read]; known {
							is = is && before
						}
						consistent[read] = is
					}
					mu.Unlock()
					return next.HandleInitialize(ctx, in)
				}), middleware.Before)
		})
	})
	s.claim(paid("1", "game", 1))
	for _, read := range []string{"Query of " + s.tables.Orders, "Query of " + s.tables.Catalog, "GetItem of " + s.tables.Catalog} {
		if !consistent[read] {
			t.Errorf("%s is not a consistent read", read)
		}
	}
}

// Where no other order ever has the line's ids, another address is the customer's own,
// corrected: later mails go there, a mail that bounced is due again, and no key is taken. An
// older state of the order that comes late changes nothing.
func TestClaim_repeatCorrectsTheAddress(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "K", 5)
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	as := func(address string, changedAt time.Time) order.Fulfillment {
		line := paid("1", "game", 1)
		line.Customer.Email, line.ChangedAt = address, changedAt
		return line
	}
	line := s.claim(as("ada@exmaple.com", noon))
	s.claim(as("ada@example.com", noon.Add(time.Minute)))
	got := s.stored(line.ID)
	if got.Customer.Email != "ada@example.com" || got.CustomerHash == line.CustomerHash || got.Mail.State != outbox.Due || got.Mail.Number != 1 {
		t.Errorf("stored %+v", got)
	}
	version := got.Version
	for _, again := range []order.Fulfillment{as("ada@exmaple.com", noon), as("ada@example.com", noon.Add(time.Hour)), as("", noon.Add(time.Hour))} {
		if got := s.claim(again); got.Version != version || got.Customer.Email != "ada@example.com" {
			t.Errorf("after a repeat: %+v", got)
		}
	}
	var changed *claim.MismatchError
	if _, err := s.claims.Claim(t.Context(), as("eve@example.com", time.Time{})); !errors.As(err, &changed) || changed.Part != claim.Customer {
		t.Errorf("another customer: %v", err)
	}
	restored := as("eve@example.com", noon.Add(time.Hour))
	restored.PaidAt = noon
	if _, err := s.claims.Claim(t.Context(), restored); !errors.As(err, &changed) || changed.Part != claim.Customer {
		t.Errorf("another payment under the same ids: %v", err)
	}
	time.Sleep(2 * time.Millisecond)
	bounced := order.ChangeOf(got)
	bounced.After.Mail = got.Mail.Completed(outbox.Sent, "ses-1", "", s.now())
	bounced.After.Mail.State = outbox.Bounced
	s.must(s.store.Commit(t.Context(), bounced))
	s.claim(as("augusta@example.com", noon.Add(2*time.Minute)))
	if got := s.stored(line.ID); got.Customer.Email != "augusta@example.com" || got.Mail.State != outbox.Due || got.Mail.Number != 2 || !got.Mail.KeysOut {
		t.Errorf("after a bounce: %+v", got)
	}
	time.Sleep(2 * time.Millisecond) // the history tells corrections of one millisecond as one
	held := order.ChangeOf(s.stored(line.ID))
	held.After.Mail.State = outbox.Bounced
	held.After.Hold(order.HoldByHand)
	s.must(s.store.Commit(t.Context(), held))
	s.claim(as("ada@king.example", noon.Add(3*time.Minute)))
	if got := s.stored(line.ID); got.Mail.State != outbox.None || !got.Mail.KeysLeft() {
		t.Errorf("corrected on hold, its mail is %+v", got.Mail)
	}
	s.release(line.ID)
	if got := s.stored(line.ID); got.Customer.Email != "ada@king.example" || got.Mail.State != outbox.Due || got.Mail.Number != 3 {
		t.Errorf("released after its address was corrected, its mail is %+v", got.Mail)
	}
	history, err := s.store.History(t.Context(), line.ID)
	history = slices.DeleteFunc(history, func(h order.History) bool { return h.Event == order.Released })
	if err != nil || len(history) != 3 || history[0].Event != order.AddressCorrected {
		t.Errorf("history %+v, %v", history, err)
	}
	if books := dynamotest.Audit(t, s.tables); books.Claimed != 1 {
		t.Errorf("%d keys claimed", books.Claimed)
	}
}

// A repeat brings an address that the line lacked: its mail, which had nobody to go
// to, is due again.
func TestClaim_repeatFillsInTheAddress(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "K", 5)
	without := paid("1", "game", 1)
	without.Customer = order.Customer{}
	line := s.claim(without)
	if line.CustomerHash != "" {
		t.Error("no address has a hash")
	}
	failed := order.ChangeOf(line)
	failed.After.Mail = line.Mail.Completed(outbox.Failed, "", "BadRequestException", s.now())
	s.must(s.store.Commit(t.Context(), failed))

	for range 2 {
		s.claim(paid("1", "game", 1))
	}
	got := s.stored(line.ID)
	if got.Customer.Email != "ada@example.com" || got.CustomerHash == "" || got.Mail.State != outbox.Due || got.Mail.Number != 2 || got.Version != 3 {
		t.Errorf("stored %+v", got)
	}
	history, err := s.store.History(t.Context(), line.ID)
	if err != nil || len(history) != 1 || history[0].Event != order.AddressAdded {
		t.Errorf("history %+v, %v", history, err)
	}
	if books := dynamotest.Audit(t, s.tables); books.Claimed != 1 {
		t.Errorf("%d keys claimed", books.Claimed)
	}
}

// A line that waits for an address is not another payment's: a shop that was restored from a copy
// gave the number again. Nor is an older state of its order news.
func TestClaim_addressOfAnotherPayment(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "K", 5)
	line := paid("1", "game", 1)
	line.ChangedAt = s.now()
	named := line
	line.Customer, line.Holds = order.Customer{}, []order.Hold{order.HoldNoAddress}
	s.claim(line)

	other := named
	other.PaidAt, other.ChangedAt = named.PaidAt.Add(time.Hour), named.ChangedAt.Add(time.Hour)
	_, err := s.claims.Claim(t.Context(), other)
	var mismatch *claim.MismatchError
	if !errors.As(err, &mismatch) || mismatch.Part != claim.Customer {
		t.Errorf("another payment's address: %v", err)
	}
	older := named
	older.ChangedAt = named.ChangedAt.Add(-time.Hour)
	s.claim(older)
	if got := s.stored(line.ID); got.Customer.Email != "" || !slices.Contains(got.Holds, order.HoldNoAddress) {
		t.Errorf("after an older state it is %+v", got)
	}
	untimed := paid("2", "game", 1) // it does not say when its order changed
	second := untimed
	second.Customer, second.Holds, second.ChangedAt = order.Customer{}, []order.Hold{order.HoldNoAddress}, s.now()
	s.claim(second)
	for _, itsOwn := range []order.Fulfillment{named, untimed} {
		s.claim(itsOwn)
		if got := s.stored(itsOwn.ID); got.Customer.Email != "ada@example.com" || len(got.Holds) != 0 {
			t.Errorf("after its own payment's address it is %+v", got)
		}
	}
}
