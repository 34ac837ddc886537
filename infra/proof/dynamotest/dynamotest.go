// Package dynamotest gives each test tables of its own.
//
// The engine is the in-process model of package dynamosim, so `go test ./...` needs
// nothing else. Where DYNAMODB_ENDPOINT names the address of a real engine, the
// tests run against that one: infra/local/with-dynamodb.sh starts DynamoDB Local.
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

// Endpoint returns the address of the engine. The model answers in this process,
// whatever the address; its own is a name that no resolver knows.
func Endpoint() string {
	if InProcess() {
		return "http://dynamosim.invalid"
	}
	return os.Getenv("DYNAMODB_ENDPOINT")
}

// InProcess reports whether the engine is the model. It is unless DYNAMODB_ENDPOINT
// names another; "sim" names the model.
func InProcess() bool {
	endpoint := os.Getenv("DYNAMODB_ENDPOINT")
	return endpoint == "" || endpoint == "sim"
}

// Option changes the client that a test's store speaks through.
type Option = func(*dynamodb.Options)

// Transport puts rt between the real SDK client and the engine, to inject what
// engines do not do: conflicts, throttles, lost answers, a lagging index.
func Transport(rt http.RoundTripper) Option {
	return func(o *dynamodb.Options) { o.HTTPClient = &http.Client{Transport: rt} }
}

// Open returns a store over fresh tables, dropped when the test ends, and the
// names of the tables.
func Open(t testing.TB, options ...Option) (*dynamo.Store, dynamo.Tables) {
	t.Helper()
	tables := dynamo.Tables{Catalog: name("catalog"), Keys: name("keys"), Orders: name("orders"), Sessions: name("sessions")}
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

// Client returns a client of the engine.
func Client(t testing.TB, options ...Option) *dynamodb.Client {
	t.Helper()
	return dynamodb.New(dynamodb.Options{
		Region:                          "us-east-1",
		Credentials:                     credentials.NewStaticCredentialsProvider("test", "test", ""),
		BaseEndpoint:                    aws.String(Endpoint()),
		DisableValidateResponseChecksum: true,
		HTTPClient:                      &http.Client{Timeout: 30 * time.Second, Transport: Engine()},
	}, options...)
}

// Engine is the transport of every test's client. It is shared, so that a race of a
// thousand orders keeps its connections.
var Engine = sync.OnceValue(func() http.RoundTripper {
	if InProcess() {
		return dynamosim.New(dynamosim.Options{})
	}
	return &http.Transport{MaxIdleConnsPerHost: 256}
})

func name(table string) string { return strings.ToLower(rand.Text()[:10]) + "-" + table }
