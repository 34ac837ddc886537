package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"keypool/infra/local/machine"
	"keypool/infra/proof/dynamosim"
	"keypool/infra/proof/dynamotest"
	"keypool/shared/dynamo"
	"keypool/shared/pool"
)

// engine is what stands for DynamoDB.
type engine struct {
	endpoint  string
	transport http.RoundTripper
}

// local is DynamoDB Local, one process that answers each call.
func local() *engine {
	return &engine{endpoint: os.Getenv("DYNAMODB_ENDPOINT"), transport: transport}
}

// modelled is the model of DynamoDB, in this process. It says of each call what AWS
// charges for it, of a transaction and of a read that finds nothing too.
func modelled() (*engine, *journal) {
	j := &journal{db: dynamosim.New(dynamosim.Options{})}
	return &engine{endpoint: "http://dynamosim", transport: j}, j
}

// journal keeps when each call to a model began and ended.
type journal struct {
	db    *dynamosim.DB
	takes time.Duration // that each call takes besides, so that those side by side are seen to be

	mu    sync.Mutex
	calls []span
}

type span struct{ from, to time.Time }

// RoundTrip implements http.RoundTripper.
func (j *journal) RoundTrip(r *http.Request) (*http.Response, error) {
	from := time.Now()
	time.Sleep(j.takes)
	out, err := j.db.RoundTrip(r)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.calls = append(j.calls, span{from, time.Now()})
	return out, err
}

func (j *journal) reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.calls = nil
}

// roundTrips is how many of the calls can at most have waited for one another: of
// those that overlap in time, none did.
func (j *journal) roundTrips() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	calls := slices.SortedFunc(slices.Values(j.calls), func(a, b span) int { return a.to.Compare(b.to) })
	trips := 0
	var last time.Time
	for _, c := range calls {
		if !c.from.Before(last) {
			trips++
			last = c.to
		}
	}
	return trips
}

// ministack starts MiniStack, once, without TLS and without checking rights: its
// bare store, at its fastest.
func (b *bench) ministack(ctx context.Context) (*engine, error) {
	if b.ministackEngine != nil {
		return b.ministackEngine, nil
	}
	home, err := os.MkdirTemp("", "keypool-bench-")
	if err != nil {
		return nil, err
	}
	b.closers = append(b.closers, func() { os.RemoveAll(home) })
	m, err := machine.Open(b.checkout, home)
	if err != nil {
		return nil, err
	}
	endpoint, stop, err := m.StartBare(ctx)
	if err != nil {
		return nil, err
	}
	b.closers = append(b.closers, stop)
	b.ministackEngine = &engine{endpoint, transport}
	return b.ministackEngine, nil
}

var transport = &http.Transport{MaxIdleConnsPerHost: 256}

func (e *engine) client(options ...func(*dynamodb.Options)) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:                          "us-east-1",
		Credentials:                     credentials.NewStaticCredentialsProvider("test", "test", ""),
		BaseEndpoint:                    aws.String(e.endpoint),
		DisableValidateResponseChecksum: true,
		HTTPClient:                      &http.Client{Timeout: 10 * time.Minute, Transport: e.transport},
	}, options...)
}

// newTables names tables that no other part has.
func newTables() dynamo.Tables {
	run := strconv.FormatUint(rand.Uint64(), 36)
	return dynamo.Tables{Catalog: "catalog-" + run, Keys: "keys-" + run, Orders: "orders-" + run}
}

// open makes the three tables and returns a store over them.
func (e *engine) open(ctx context.Context, tables dynamo.Tables, options ...func(*dynamodb.Options)) (*dynamo.Store, error) {
	admin := e.client()
	for _, schema := range dynamo.Schemas(tables) {
		if _, err := admin.CreateTable(ctx, schema); err != nil {
			return nil, fmt.Errorf("create a table: %w", err)
		}
	}
	return dynamo.Open(e.client(options...), tables), nil
}

// drop deletes the tables, so that one part does not slow down the next.
func (e *engine) drop(ctx context.Context, tables dynamo.Tables) {
	for _, table := range []string{tables.Catalog, tables.Keys, tables.Orders} {
		e.client().DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: aws.String(table)})
	}
}

// stock puts n available keys in a pool side, the fastest way there is.
func (e *engine) stock(ctx context.Context, tables dynamo.Tables, p pool.ID, prefix string, n int) error {
	client := e.client()
	loads, ctx := errgroup.WithContext(ctx)
	loads.SetLimit(4)
	for from := 0; from < n; from += 25 {
		loads.Go(func() error {
			var writes []types.WriteRequest
			for i := from; i < min(from+25, n); i++ {
				writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{
					Item: dynamotest.KeyItem(p, pool.DefaultShards, i, fmt.Sprintf("%s-%08d", prefix, i)),
				}})
			}
			for len(writes) > 0 {
				out, err := client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{tables.Keys: writes}})
				if err != nil {
					return fmt.Errorf("stock %s: %w", p, err)
				}
				writes = out.UnprocessedItems[tables.Keys]
			}
			return nil
		})
	}
	return loads.Wait()
}
