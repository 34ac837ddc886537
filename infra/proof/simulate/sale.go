package simulate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/claim"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/retry"
)

// Sale is a world of one pool and its orders, without faults. Its limits are the
// throughput of a partition and the lag of an index.
type Sale struct {
	w       *world
	stocked int
	orders  int

	mu      sync.Mutex
	results []claimedAt
}

type claimedAt struct {
	state order.State
	took  time.Duration
	busy  bool
}

// DocumentedLimits are the limits of a partition key that DynamoDB documents, 1,000 write
// units and 3,000 read units a second, with an index that lags up to half a second and
// transactions that hold their items up to ten milliseconds.
func DocumentedLimits(shards int) Conditions {
	return Conditions{
		IndexLag: 500 * time.Millisecond, Latency: 6 * time.Millisecond, TransactionTime: 10 * time.Millisecond,
		Shards: shards, PartitionWrites: 1000,
	}
}

var sold = pool.ID{Merchant: merchant, Pool: "elden", Side: pool.Live}

// NewSale opens a sale. It must be called in a bubble of testing/synctest.
func NewSale(seed uint64, conditions Conditions) (*Sale, error) {
	w := newWorld(Plan{Seed: seed, Conditions: conditions})
	w.reliable.Store(true)
	w.stream.disabled = true // no mails: they are not measured
	return &Sale{w: w}, w.setUp()
}

// Stock puts so many keys in the pool, as fast as its partitions allow.
func (s *Sale) Stock(n int) error {
	client := s.w.db.Client()
	var writes []types.WriteRequest
	for _, text := range dynamotest.Texts(fmt.Sprintf("K%d", s.stocked), n) {
		item := dynamotest.KeyItem(sold, s.w.plan.Conditions.Shards, len(writes), text)
		item["place"] = &types.AttributeValueMemberS{Value: fmt.Sprintf("%016x", s.w.chance(text))}
		writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: item}})
	}
	s.stocked += n
	for len(writes) > 0 {
		batch := writes[:min(25, len(writes))]
		out, err := client.BatchWriteItem(context.Background(), &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{s.w.tables.Keys: batch},
		})
		var throttled *types.ProvisionedThroughputExceededException
		if errors.As(err, &throttled) {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		if err != nil {
			return err
		}
		writes = append(writes[len(batch):], out.UnprocessedItems[s.w.tables.Keys]...)
	}
	return s.w.fillQueue.Send(context.Background(), order.FillPool(sold), 2*time.Second)
}

// Sell starts one-key orders at random times, so many a second on average, and returns
// without waiting for their answers.
func (s *Sale) Sell(rate float64, during time.Duration) {
	count := int(rate * during.Seconds())
	at := make([]time.Duration, count)
	for i := range at {
		at[i] = s.w.upTo(fmt.Sprintf("order %d comes", s.orders+i), during)
	}
	slices.Sort(at)
	began := time.Now()
	for _, when := range at {
		time.Sleep(time.Until(began.Add(when)))
		s.orders++
		name := fmt.Sprint("order ", s.orders)
		s.w.spawn(func() { s.order(name) })
	}
}

// order claims for one order, once.
func (s *Sale) order(name string) {
	w := s.w
	instance := w.instances[w.number(name, len(w.instances))]
	p := w.begin(name, 29*time.Second, 0)
	defer p.end()
	claims := &claim.Claimer{Store: w.store, Cached: instance.cached, Uncached: w.store, Fill: w.fillQueue, Notices: w.store, By: "webhook", Now: p.now}
	began := time.Now()
	got, err := claims.Claim(p.ctx, order.Fulfillment{
		ID: order.Identity{Merchant: merchant, Side: pool.Live, Origin: shopName, Order: name, Line: "1"}.ID(), Merchant: merchant, Side: pool.Live,
		Account: shopName, Origin: shopName, Order: name, Line: "1", Product: "game", Quantity: 1,
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results = append(s.results, claimedAt{state: got.State(), took: time.Since(began), busy: err != nil})
}

// Wait waits until all work in progress is done.
func (s *Sale) Wait() { s.w.spawned.Wait() }

// QueueAlthoughStocked queues so many orders although keys are available, as claims do when
// a lagging index shows no key.
func (s *Sale) QueueAlthoughStocked(n int) error {
	p := s.w.begin("queued although stocked", time.Hour, 0)
	defer p.end()
	for i := range n {
		name := fmt.Sprint("order queued although stocked ", i)
		line := order.Fulfillment{
			ID: order.Identity{Merchant: merchant, Side: pool.Live, Origin: shopName, Order: name, Line: "1"}.ID(), Version: 1, Merchant: merchant, Side: pool.Live,
			Account: shopName, Origin: shopName, Order: name, Line: "1", Product: "game", Pool: "elden", Quantity: 1, Wanted: 1, ReceivedAt: p.now(),
			Mail: outbox.Entry{DueAt: p.now().Add(outbox.SweepAfter)},
		}
		for {
			err := s.w.store.Commit(p.ctx, order.Change{After: line})
			if err == nil {
				break
			}
			if !errors.Is(err, retry.ErrThrottled) {
				return err
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	return s.w.fillQueue.Send(p.ctx, order.FillPool(sold), 2*time.Second)
}

// Waiting returns how many lines stand in the queue.
func (s *Sale) Waiting() int {
	l := s.w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queues[queueOf(sold)])
}

// Sold is the result of a sale.
type Sold struct {
	Orders    int
	Fulfilled int
	Waiting   int           // orders whose answer was that they wait
	Busy      int           // orders whose answer was to retry later
	Keys      int           // sold
	Attempts  float64       // transactions an order
	P99       time.Duration // the latency of 99 of 100 orders
	Problems  []string
}

// Sold sums up all orders so far. No work may be in progress.
func (s *Sale) Sold() Sold {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := Sold{Orders: len(s.results)}
	var took []time.Duration
	for _, r := range s.results {
		took = append(took, r.took)
		switch {
		case r.busy:
			sum.Busy++
		case r.state == order.Fulfilled:
			sum.Fulfilled++
		default:
			sum.Waiting++
		}
	}
	slices.Sort(took)
	if len(took) > 0 {
		sum.P99 = took[len(took)*99/100]
	}
	claims := s.w.claims.Load()
	sum.Attempts = float64(claims) / float64(max(sum.Orders, 1))
	s.w.ledger.mu.Lock()
	defer s.w.ledger.mu.Unlock()
	sum.Keys = s.stocked - len(s.w.ledger.available[sideOf(sold)])
	sum.Problems = append(slices.Clone(s.w.ledger.problems), s.w.auditTables()...)
	if waiting := len(s.w.ledger.queues[queueOf(sold)]); waiting > 0 && sum.Keys < s.stocked {
		sum.Problems = append(sum.Problems, fmt.Sprintf("%d lines wait beside %d keys", waiting, s.stocked-sum.Keys))
	}
	return sum
}
