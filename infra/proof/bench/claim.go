package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/dynamo"
	"keypool/shared/order"
	"keypool/shared/pool"
)

var live = pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}

// setUp makes the merchant, the pool and the product that orders of this package
// need.
func setUp(ctx context.Context, store *dynamo.Store) error {
	return errors.Join(
		store.PutMerchant(ctx, catalog.Merchant{Name: "acme", Title: "Acme"}),
		putPool(ctx, store, live.Pool, product),
	)
}

// product is sold from the pool live, one key for each unit.
const product = "game"

// putPool makes a pool, and the product that is sold from it.
func putPool(ctx context.Context, store *dynamo.Store, name, product string) error {
	return errors.Join(
		store.PutPool(ctx, catalog.Pool{Merchant: "acme", Name: name, LowStock: 10, Shards: pool.DefaultShards}),
		store.PutProduct(ctx, catalog.Product{Merchant: "acme", ID: product, Pool: name, Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}}),
	)
}

func claimer(store *dynamo.Store) *claim.Claimer {
	return &claim.Claimer{Store: store, Cached: catalog.NewCached(store, time.Now), Uncached: store, Fill: noQueue{}, By: "webhook", Now: time.Now}
}

// noQueue is a queue that discards its messages.
type noQueue struct{}

func (noQueue) Send(context.Context, any, time.Duration) error { return nil }

// paid is an order of one key with all fields that a customer fills in.
func paid(name string) order.Fulfillment {
	return order.Fulfillment{
		ID:       order.Identity{Merchant: "acme", Side: pool.Live, Origin: "GQ5AJ7ZNPKT3VXWBH4M2ECLSDY", Order: name, Line: "1"}.ID(),
		Merchant: "acme", Side: pool.Live, Account: "standard", Origin: "GQ5AJ7ZNPKT3VXWBH4M2ECLSDY", Order: name, Line: "1", Product: product, Quantity: 1,
		Currency: "EUR", Language: "en", UnitPrice: "59.99", Title: "Elden, the game",
		Customer: order.Customer{
			Name: "Ada Byron", FirstName: "Ada", LastName: "Byron", Email: "ada.byron@example.com", Phone: "+44 20 7946 0000",
			Company: "Analytical Engines", Country: "GB", City: "London", Zip: "W1", Address: "12 St James's Square",
		},
	}
}

// claimThroughput compares claims with three kinds of bare calls: all calls of a
// claim; the transaction and the read of the queue; and the transaction alone. The
// bare calls are recorded from claims on the model of DynamoDB and made again on the
// engine, which holds the same keys.
//
// The engine is DynamoDB Local. MiniStack scans the table for each query of an index,
// which takes 160 ms in a pool of ten thousand keys.
func claimThroughput(ctx context.Context, b *bench) error {
	const rounds = 7
	// The more in flight, the more orders a round has: the last ones, which have few
	// others beside them, must not decide how long a round takes.
	flights := []struct{ atOnce, orders int }{{1, 128}, {8, 128}, {64, 384}}
	sold := 0
	for _, flight := range flights {
		sold += rounds * flight.orders
	}
	e, tables := local(), newTables()
	store, err := e.open(ctx, tables)
	if err != nil {
		return err
	}
	defer e.drop(ctx, tables)
	client, claims := e.client(), claimer(store)
	if err := errors.Join(setUp(ctx, store), e.stock(ctx, tables, live, "CLAIM", 2*sold)); err != nil {
		return err
	}
	if _, err := claims.Claim(ctx, paid("the first reads the catalog")); err != nil {
		return err
	}
	model, _ := inProcess()
	var calls recorder
	modelStore, err := model.open(ctx, tables, calls.option)
	if err != nil {
		return err
	}
	if err := setUp(ctx, modelStore); err != nil {
		return err
	}
	// bare returns a way to make recorded calls, with the keys of a pool of its own.
	bare := func(name string, call func(bareClaim, context.Context, *dynamodb.Client) error) (func(context.Context, int) error, error) {
		own := live
		own.Pool = name
		for engine, store := range map[*engine]*dynamo.Store{e: store, model: modelStore} {
			if err := errors.Join(putPool(ctx, store, name, name), engine.stock(ctx, tables, own, name, 2*sold)); err != nil {
				return nil, err
			}
		}
		modelClaims := claimer(modelStore)
		recorded, err := calls.record(sold, func(i int) (order.Fulfillment, error) {
			line := paid(fmt.Sprint(name, i))
			line.Product = name
			return modelClaims.Claim(ctx, line)
		})
		return func(ctx context.Context, i int) error { return call(recorded[i], ctx, client) }, err
	}
	all, err1 := bare("all", bareClaim.make)
	least, err2 := bare("least", bareClaim.least)
	transaction, err3 := bare("transaction", bareClaim.transact)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	whole := func(ctx context.Context, i int) error {
		got, err := claims.Claim(ctx, paid(fmt.Sprint("claimed ", i)))
		if err == nil && got.State() != order.Fulfilled {
			err = fmt.Errorf("order %s is %s", got.Order, got.State())
		}
		return err
	}

	next := 0
	for _, flight := range flights {
		took := make([][]time.Duration, 4) // by way, then by round
		for round := range rounds {
			from := next
			next += flight.orders
			var ways []func() error
			for _, way := range []func(context.Context, int) error{whole, all, least, transaction} {
				ways = append(ways, func() error {
					return sideBySide(ctx, flight.orders, flight.atOnce, func(ctx context.Context, i int) error { return way(ctx, from+i) })
				})
			}
			each, err := inTurn(round, ways...)
			if err != nil {
				return err
			}
			for way := range took {
				took[way] = append(took[way], each[way])
			}
		}
		against := func(name string, bar float64, way int) figure {
			ratio := median(ratios(took[way], took[0]))
			orders := float64(flight.orders)
			f := figure{
				Name: fmt.Sprintf("claims / %s, %d in flight", name, flight.atOnce),
				Got:  fmt.Sprintf("%.2f (%.0f / %.0f orders a second)", ratio, orders/median(took[0]).Seconds(), orders/median(took[way]).Seconds()),
				Met:  ratio >= bar,
			}
			if bar > 0 {
				f.Bar = fmt.Sprintf(">= %.2f", bar)
			}
			return f
		}
		b.add(against("the same four calls, bare", 0.95, 1))
		b.add(against("the transaction and the read of the queue", 0, 2))
		b.add(against("the bare transaction", 0, 3))
	}
	b.note("Claims", fmt.Sprintf("A claim is one transaction and three reads, side by side before it. The first ratio shows the cost of Keypool's own work beside its calls: the same calls with the same content, recorded and made again without a look at the answers. With 64 in flight, one or two claims of a hundred lose their key to another claim and take a further transaction, which the recorded calls never do. The second shows how far a claim is from the least that keeps the promise that nobody overtakes a queue. In DynamoDB the reads go to other partitions and other machines than the writes, and take nothing from what the transactions can do; an engine in one process does all four on the same cores, and the third ratio shows its charge for the reads. The median of %d rounds, in each of which the four ways run one after the other, each round beginning with another.", rounds))
	return nil
}

// ratios divides the durations of one thing by those of another, round by round. What
// slows down a round of one slows down the same round of the other.
func ratios(of, by []time.Duration) []float64 {
	all := make([]float64, len(of))
	for i := range of {
		all[i] = float64(of[i]) / float64(by[i])
	}
	return all
}

// sideBySide does n things, atOnce of them at a time.
func sideBySide(ctx context.Context, n, atOnce int, do func(ctx context.Context, i int) error) error {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(atOnce)
	for i := range n {
		work.Go(func() error { return do(ctx, i) })
	}
	return work.Wait()
}
