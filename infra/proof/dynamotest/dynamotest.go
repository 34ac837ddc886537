// Package dynamotest gives each test tables of its own on the engine at
// DYNAMODB_ENDPOINT: a real one, or the model of package dynamosim.
package dynamotest

import (
	"context"
	"crypto/rand"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"keypool/infra/proof/dynamosim"
	"keypool/shared/dynamo"
)

// Sim is the DYNAMODB_ENDPOINT of the model, one for the whole process: without an
// engine to start, `DYNAMODB_ENDPOINT=sim go test ./shared/...` runs in seconds.
const Sim = "sim"

// Option changes the client that a test's store speaks through.
type Option = func(*dynamodb.Options)

// Transport puts rt between the real SDK client and the engine, to inject what
// engines do not do: conflicts, throttles, lost answers, a lagging index.
func Transport(rt http.RoundTripper) Option {
	return func(o *dynamodb.Options) { o.HTTPClient = &http.Client{Transport: rt} }
}

// Open returns a store over fresh tables, dropped when the test ends, and the
// names of the tables. Without an engine the test fails.
func Open(t testing.TB, options ...Option) (*dynamo.Store, dynamo.Tables) {
	t.Helper()
	tables := dynamo.Tables{Catalog: name("catalog"), Keys: name("keys"), Orders: name("orders")}
	admin := Client(t)
	for _, schema := range dynamo.Schemas(tables) {
		if _, err := admin.CreateTable(context.Background(), schema); err != nil {
			t.Fatalf("create a table: %v", err)
		}
		t.Cleanup(func() {
			admin.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: schema.TableName})
		})
	}
	return dynamo.Open(Client(t, options...), tables), tables
}

// Client returns a client of the engine at DYNAMODB_ENDPOINT.
func Client(t testing.TB, options ...Option) *dynamodb.Client {
	t.Helper()
	endpoint := os.Getenv("DYNAMODB_ENDPOINT")
	if endpoint == "" {
		t.Fatal("no DynamoDB to test against: run `make test`, or `infra/local/with-dynamodb.sh go test ./...`")
	}
	if endpoint == Sim {
		endpoint = "http://" + Sim
	}
	return dynamodb.New(dynamodb.Options{
		Region:                          "us-east-1",
		Credentials:                     credentials.NewStaticCredentialsProvider("test", "test", ""),
		BaseEndpoint:                    aws.String(endpoint),
		DisableValidateResponseChecksum: true,
		HTTPClient:                      &http.Client{Timeout: 30 * time.Second, Transport: Engine()},
	}, options...)
}

// Engine is what the clients of all tests end at, shared so that a race of a thousand orders keeps its connections.
var Engine = sync.OnceValue(func() http.RoundTripper {
	if os.Getenv("DYNAMODB_ENDPOINT") == Sim {
		return dynamosim.New(dynamosim.Options{})
	}
	return &http.Transport{MaxIdleConnsPerHost: 256}
})

func name(table string) string { return strings.ToLower(rand.Text()[:10]) + "-" + table }
