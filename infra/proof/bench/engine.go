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

// engine is a stand-in for DynamoDB.
type engine struct {
	endpoint  string
	transport http.RoundTripper
}

// local is DynamoDB Local, a process of its own.
func local() *engine {
	return &engine{endpoint: os.Getenv("DYNAMODB_ENDPOINT"), transport: transport}
}

// inProcess is the model of DynamoDB in this process. It reports for each call the
// units that AWS charges, for transactions and for reads that find nothing too.
func inProcess() (*engine, *callLog) {
	l := &callLog{db: dynamosim.New(dynamosim.Options{})}
	return &engine{endpoint: "http://dynamosim", transport: l}, l
}

// metered is the engine in this process with tables of its own, whose store counts the
// units of its calls.
type metered struct {
	*engine
	calls  *callLog
	meter  dynamotest.Meter
	tables dynamo.Tables
	store  *dynamo.Store
}

func openMetered(ctx context.Context) (*metered, error) {
	m := &metered{tables: newTables()}
	m.engine, m.calls = inProcess()
	var err error
	m.store, err = m.open(ctx, m.tables, m.meter.Option)
	return m, err
}

// callLog records when each call to the model began and ended.
type callLog struct {
	db      *dynamosim.DB
	latency time.Duration // added to each call, so that parallel calls overlap

	mu    sync.Mutex
	calls []span
}

type span struct{ from, to time.Time }

// RoundTrip implements http.RoundTripper.
func (l *callLog) RoundTrip(r *http.Request) (*http.Response, error) {
	from := time.Now()
	time.Sleep(l.latency)
	out, err := l.db.RoundTrip(r)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, span{from, time.Now()})
	return out, err
}

func (l *callLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = nil
}

// roundTrips returns the longest chain of calls that may have waited for one another.
// Calls that overlap in time have not.
func (l *callLog) roundTrips() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	calls := slices.SortedFunc(slices.Values(l.calls), func(a, b span) int { return a.to.Compare(b.to) })
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

// ministack starts MiniStack once, without TLS and without a check of rights: at its
// fastest.
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

// newTables returns names that no other part uses.
func newTables() dynamo.Tables {
	run := strconv.FormatUint(rand.Uint64(), 36)
	return dynamo.Tables{Catalog: "catalog-" + run, Keys: "keys-" + run, Orders: "orders-" + run, Sessions: "sessions-" + run}
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

// stock puts n available keys into a pool side by the fastest calls there are.
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
