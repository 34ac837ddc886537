package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"keypool/infra/local/machine"
	"keypool/shared/dynamo"
	"keypool/shared/dynamo/dynamotest"
	"keypool/shared/pool"
)

// engine is what stands for DynamoDB.
type engine struct{ endpoint string }

// local is DynamoDB Local: slow, and exact in what it says of consumption.
func local() *engine {
	return &engine{endpoint: os.Getenv("DYNAMODB_ENDPOINT")}
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
	b.ministackEngine = &engine{endpoint: endpoint}
	return b.ministackEngine, nil
}

var transport = &http.Transport{MaxIdleConnsPerHost: 256}

func (e *engine) client(options ...func(*dynamodb.Options)) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:                          "us-east-1",
		Credentials:                     credentials.NewStaticCredentialsProvider("test", "test", ""),
		BaseEndpoint:                    aws.String(e.endpoint),
		DisableValidateResponseChecksum: true,
		HTTPClient:                      &http.Client{Timeout: 10 * time.Minute, Transport: transport},
	}, options...)
}

// open makes the three tables anew and returns them with a store.
func (e *engine) open(ctx context.Context, options ...func(*dynamodb.Options)) (*dynamo.Store, dynamo.Tables, error) {
	run := strconv.FormatUint(rand.Uint64(), 36)
	tables := dynamo.Tables{Catalog: "catalog-" + run, Keys: "keys-" + run, Orders: "orders-" + run}
	admin := e.client()
	for _, schema := range dynamo.Schemas(tables) {
		if _, err := admin.CreateTable(ctx, schema); err != nil {
			return nil, tables, fmt.Errorf("create a table: %w", err)
		}
	}
	return dynamo.Open(e.client(options...), tables), tables, nil
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
