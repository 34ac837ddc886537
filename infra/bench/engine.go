package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
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
	if err := m.FetchMiniStack(ctx); err != nil {
		return nil, err
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()
	cmd := exec.Command(filepath.Join(b.checkout, ".local/venv/bin/python"), "-m", "ministack")
	cmd.Dir = home
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "LANG=C.UTF-8",
		"BIND_HOST=127.0.0.1", "GATEWAY_PORT=" + strconv.Itoa(port), "LOG_LEVEL=ERROR",
		"SFTP_ENABLED=0", "IOT_MTLS_ENABLED=0", "DOCKER_HOST=unix://" + filepath.Join(home, "no-docker"),
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start MiniStack: %w", err)
	}
	b.closers = append(b.closers, func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	})
	e := &engine{endpoint: "http://127.0.0.1:" + strconv.Itoa(port)}
	for range 300 {
		if _, err := e.client().ListTables(ctx, &dynamodb.ListTablesInput{}); err == nil {
			b.ministackEngine = e
			return e, nil
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("MiniStack does not answer")
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

var transport = &http.Transport{MaxIdleConnsPerHost: 64}

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
