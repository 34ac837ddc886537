package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/sync/errgroup"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/dynamo"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
)

var live = pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}

// setUp makes what a paid order needs to be claimed.
func setUp(ctx context.Context, store *dynamo.Store) error {
	return errors.Join(
		store.PutMerchant(ctx, catalog.Merchant{Name: "acme", Title: "Acme"}),
		store.PutPool(ctx, catalog.Pool{Merchant: "acme", Name: "elden", LowStock: 10, Shards: pool.DefaultShards}),
		store.PutProduct(ctx, catalog.Product{Merchant: "acme", ID: "game", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}}),
	)
}

func claimer(store *dynamo.Store) *claim.Claimer {
	return &claim.Claimer{Store: store, Recent: catalog.NewCached(store, time.Now), Fresh: store, Fill: nowhere{}, Now: time.Now}
}

// nowhere is a queue that nobody reads.
type nowhere struct{}

func (nowhere) Send(context.Context, any, time.Duration) error { return nil }

// paid is an order of one key, as a platform tells it, with all that a customer
// fills in.
func paid(name string) order.Fulfillment {
	return order.Fulfillment{
		ID:       order.NewLineID("acme", pool.Live, "standard", name, "1"),
		Merchant: "acme", Side: pool.Live, Platform: "standard", Order: name, Line: "1", Product: "game", Quantity: 1,
		Currency: "EUR", Language: "en", UnitPrice: "59.99", Title: "Elden, the game",
		Customer: order.Customer{
			Name: "Ada Byron", FirstName: "Ada", LastName: "Byron", Email: "ada.byron@example.com", Phone: "+44 20 7946 0000",
			Company: "Analytical Engines", Country: "GB", City: "London", Zip: "W1", Address: "12 St James's Square",
		},
	}
}

// each calls see with every transaction before it is sent; an error keeps it
// from being sent.
func each(see func(*dynamodb.TransactWriteItemsInput) error) func(*dynamodb.Options) {
	return func(o *dynamodb.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Each",
				func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
					if tx, ok := in.Parameters.(*dynamodb.TransactWriteItemsInput); ok {
						if err := see(tx); err != nil {
							return middleware.InitializeOutput{}, middleware.Metadata{}, err
						}
					}
					return next.HandleInitialize(ctx, in)
				}), middleware.After)
		})
	}
}

// claimThroughput holds claims against the bare transactions that they end in;
// against the least calls by which a line can be known not to overtake a queue,
// one read and the transaction; and against all the calls they make: prepared
// beforehand and sent without a look at the answers.
//
// DynamoDB Local alone is the engine: MiniStack answers a query of an index by
// looking at every key in the table, 160 ms in a pool of ten thousand.
func claimThroughput(ctx context.Context, b *bench) error {
	const orders, rounds = 128, 5
	flights := []int{1, 8, 64}
	e := local()
	store, tables, err := e.open(ctx)
	if err != nil {
		return err
	}
	defer e.drop(ctx, tables)
	sold := len(flights) * rounds * orders
	if err := errors.Join(setUp(ctx, store), e.stock(ctx, tables, live, "CLAIM", 2*sold)); err != nil {
		return err
	}
	client, claims := e.client(), claimer(store)
	if _, err := claims.Claim(ctx, paid("the first reads the catalog")); err != nil {
		return err
	}
	// Bare calls sell keys of pools of their own, so that nothing stands in the way
	// of anything.
	bare := func(name string, call func(context.Context, *dynamodb.TransactWriteItemsInput) error) (func(context.Context, int) error, error) {
		own := live
		own.Pool = name
		if err := e.stock(ctx, tables, own, name, sold); err != nil {
			return nil, err
		}
		transactions, err := bareTransactions(ctx, e, tables, own, name, sold)
		return func(ctx context.Context, i int) error { return call(ctx, transactions[i]) }, err
	}
	transaction, err1 := bare("alone", func(ctx context.Context, tx *dynamodb.TransactWriteItemsInput) error {
		return transact(ctx, client, tx)
	})
	least, err2 := bare("least", func(ctx context.Context, tx *dynamodb.TransactWriteItemsInput) error {
		return errors.Join(readQueue(ctx, client, tables), transact(ctx, client, tx))
	})
	four, err3 := bare("among", func(ctx context.Context, tx *dynamodb.TransactWriteItemsInput) error {
		return bareCalls(ctx, client, tables, tx)
	})
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
		fastest := make([]float64, 4) // orders a second: whatever else the machine does only ever slows a round down
		for round := range rounds {
			from := next
			next += orders
			var ways []func() error
			for _, way := range []func(context.Context, int) error{transaction, least, four, whole} {
				ways = append(ways, func() error {
					return sideBySide(ctx, orders, flight, func(ctx context.Context, i int) error { return way(ctx, from+i) })
				})
			}
			took, err := inTurn(round, ways...)
			if err != nil {
				return err
			}
			for i := range took {
				fastest[i] = max(fastest[i], orders/took[i].Seconds())
			}
		}
		against := func(name, bar string, i int) figure {
			ratio := fastest[3] / fastest[i]
			return figure{
				Name: fmt.Sprintf("claims / %s, %d in flight", name, flight), Bar: bar,
				Got: fmt.Sprintf("%.2f (%.0f / %.0f orders a second)", ratio, fastest[3], fastest[i]), Met: ratio >= 0.8,
			}
		}
		b.add(against("the bare transaction", ">= 0.8", 0))
		b.add(against("the transaction and the read of the queue", "", 1))
		b.add(against("the same four calls, bare", "", 2))
	}
	b.note("Claims", fmt.Sprintf("A claim is one transaction and three reads, side by side before it. In DynamoDB the reads go to other partitions and other machines than the writes, and take nothing from what the transactions can do; an engine in one process does all four on the same cores, so that the first ratio says what it charges for the reads. The second says how far the claim is from the least that keeps the promise that nobody overtakes a queue; the third, what Keypool's own work costs beside the calls. The fastest of %d rounds of each, the four in turn.", rounds))
	return nil
}

// bareCalls does what a claim does, without a look at what comes back.
func bareCalls(ctx context.Context, client *dynamodb.Client, tables dynamo.Tables, tx *dynamodb.TransactWriteItemsInput) error {
	put, update := tx.TransactItems[0].Put, tx.TransactItems[1].Update
	reads, readCtx := errgroup.WithContext(ctx)
	reads.Go(func() error {
		_, err := client.GetItem(readCtx, &dynamodb.GetItemInput{
			TableName: put.TableName, ConsistentRead: aws.Bool(true),
			Key: map[string]types.AttributeValue{"pk": put.Item["pk"], "sk": put.Item["sk"]},
		})
		return err
	})
	reads.Go(func() error { return readQueue(readCtx, client, tables) })
	reads.Go(func() error {
		_, err := client.Query(readCtx, &dynamodb.QueryInput{
			TableName: aws.String(tables.Keys), IndexName: aws.String("available"), Limit: aws.Int32(25),
			KeyConditionExpression:   aws.String("#shard = :shard AND place >= :from"),
			ExpressionAttributeNames: map[string]string{"#shard": "shard"},
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":shard": update.ExpressionAttributeValues[":shard"],
				":from":  &types.AttributeValueMemberS{Value: fmt.Sprintf("%016x", rand.Uint64())},
			},
		})
		return err
	})
	if err := reads.Wait(); err != nil {
		return err
	}
	return transact(ctx, client, tx)
}

// readQueue reads the front of a queue in which nobody waits.
func readQueue(ctx context.Context, client *dynamodb.Client, tables dynamo.Tables) error {
	_, err := client.Query(ctx, &dynamodb.QueryInput{
		TableName: aws.String(tables.Orders), ConsistentRead: aws.Bool(true), Limit: aws.Int32(order.QueueFront + 1),
		KeyConditionExpression:    aws.String("pk = :pk"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":pk": &types.AttributeValueMemberS{Value: "queue#nobody"}},
	})
	return err
}

func transact(ctx context.Context, client *dynamodb.Client, tx *dynamodb.TransactWriteItemsInput) error {
	_, err := client.TransactWriteItems(ctx, tx)
	return err
}

// errKept keeps a transaction from being sent.
var errKept = errors.New("kept for later")

// bareTransactions returns the transactions that sell n keys of a pool to n lines.
func bareTransactions(ctx context.Context, e *engine, tables dynamo.Tables, p pool.ID, prefix string, n int) ([]*dynamodb.TransactWriteItemsInput, error) {
	var kept []*dynamodb.TransactWriteItemsInput
	store := dynamo.Open(e.client(each(func(tx *dynamodb.TransactWriteItemsInput) error {
		kept = append(kept, tx)
		return errKept
	})), tables)
	for i := range n {
		item := dynamotest.KeyItem(p, pool.DefaultShards, i, fmt.Sprintf("%s-%08d", prefix, i))
		str := func(name string) string { return item[name].(*types.AttributeValueMemberS).Value }
		key := pool.Key{ID: pool.KeyID(str("pk")), Text: pool.Conceal(str("text")), Upload: str("upload"), Shard: str("shard")}
		f := paid(fmt.Sprint(prefix, i))
		now := time.Now()
		f.Version, f.Pool, f.Wanted, f.Allocated, f.Keys, f.ReceivedAt = 1, p.Pool, 1, 1, []pool.Key{key}, now
		f.Mail = f.Mail.Next(outbox.Keys, now)
		if err := store.Commit(ctx, order.Change{After: f, Allocated: f.Keys}); !errors.Is(err, errKept) {
			return nil, fmt.Errorf("a transaction was sent, or none was made: %w", err)
		}
	}
	return kept, nil
}

// sideBySide does n things, so many at a time.
func sideBySide(ctx context.Context, n, atOnce int, do func(ctx context.Context, i int) error) error {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(atOnce)
	for i := range n {
		work.Go(func() error { return do(ctx, i) })
	}
	return work.Wait()
}
