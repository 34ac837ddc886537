package dynamosim_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/infra/proof/dynamosim"
	"keypool/shared/dynamo"
)

// Each call is measured through the SDK, and at the transport alone: the rest is
// the SDK's own work.
func BenchmarkCall(b *testing.B) {
	key := func(n int) item {
		return item{
			"pk": fmt.Sprintf("acme#live#%032d", n), "v": 1, "text": "AAAAA-BBBBB-CCCCC", "upload": "01J0000000", "pool": "game",
			"state": "available", "shard": fmt.Sprintf("acme#game#live#%d", n%8), "place": fmt.Sprintf("%016x", n*7919%100_000),
		}
	}
	line := item{
		"pk": "order#acme#live#standard#10001", "sk": "line#elden", "v": 1, "version": 2, "merchant": "acme", "side": "live", "order": "10001",
		"product": "elden", "pool": "game", "quantity": 1, "wanted": 1, "allocated": 1, "receivedAt": 1700000000000, "currency": "EUR", "mail": "due",
		"due": "due#1", "dueAt": 1700000000000, "customer": item{"name": "Ada Byron", "email": "ada@example.com"},
		"keys": []any{item{"id": "acme#live#1", "text": "AAAAA-BBBBB-CCCCC"}},
	}
	db := dynamosim.New(dynamosim.Options{})
	for _, schema := range dynamo.Schemas(dynamo.Tables{Catalog: "catalog", Keys: "keys", Orders: "orders", Sessions: "sessions"}) {
		if err := db.CreateTable(schema); err != nil {
			b.Fatal(err)
		}
	}
	load := db.Client()
	for n := 0; n < 20_000; n += 25 {
		var writes []types.WriteRequest
		for i := range 25 {
			writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: key(n + i).av()}})
		}
		if _, err := load.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"keys": writes}}); err != nil {
			b.Fatal(err)
		}
	}
	n := 0
	for _, c := range []struct {
		name string
		do   func(client *dynamodb.Client) error
	}{
		{"GetItem", func(client *dynamodb.Client) error {
			_, err := client.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("keys"), Key: item{"pk": fmt.Sprintf("acme#live#%032d", n%20_000)}.av()})
			return err
		}},
		{"Query25", func(client *dynamodb.Client) error {
			_, err := client.Query(ctx, &dynamodb.QueryInput{
				TableName: aws.String("keys"), IndexName: aws.String("available"), KeyConditionExpression: aws.String("#shard = :shard AND place >= :from"),
				ExpressionAttributeNames:  map[string]string{"#shard": "shard"},
				ExpressionAttributeValues: item{":shard": fmt.Sprintf("acme#game#live#%d", n%8), ":from": fmt.Sprintf("%016x", n%50_000)}.av(), Limit: aws.Int32(25),
			})
			return err
		}},
		{"Claim", func(client *dynamodb.Client) error {
			_, err := client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
				{Put: &types.Put{TableName: aws.String("orders"), Item: line.av(), ConditionExpression: aws.String("attribute_not_exists(nowhere)")}},
				{Update: &types.Update{
					TableName: aws.String("keys"), Key: item{"pk": fmt.Sprintf("acme#live#%032d", n%20_000)}.av(),
					UpdateExpression:          aws.String("SET #state = :claimed, #line = :line, soldAt = :soldAt, #shard = :other"),
					ConditionExpression:       aws.String("attribute_exists(#shard)"),
					ExpressionAttributeNames:  map[string]string{"#shard": "shard", "#state": "state", "#line": "line"},
					ExpressionAttributeValues: item{":claimed": "claimed", ":line": "l", ":soldAt": n, ":other": fmt.Sprint("s", n%8)}.av(),
				}},
			}})
			return err
		}},
	} {
		b.Run(c.name+"/client", func(b *testing.B) {
			client := db.Client()
			defer cpu(b)()
			for b.Loop() {
				n++
				if err := c.do(client); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/model", func(b *testing.B) {
			var kept *http.Request
			var body []byte
			client := db.Client(func(o *dynamodb.Options) {
				o.HTTPClient = &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
					body, _ = io.ReadAll(r.Body)
					r.Body = io.NopCloser(bytes.NewReader(body))
					kept = r
					return db.RoundTrip(r)
				})}
			})
			if err := c.do(client); err != nil {
				b.Fatal(err)
			}
			defer cpu(b)()
			token := []byte(`"ClientRequestToken":"`)
			for b.Loop() {
				n++
				// Another token each time: the model would remember it.
				if i := bytes.Index(body, token); i >= 0 {
					copy(body[i+len(token):], fmt.Sprintf("%012d", n))
				}
				kept.Body = io.NopCloser(bytes.NewReader(body))
				answer, err := db.RoundTrip(kept)
				if err != nil || answer.StatusCode != http.StatusOK {
					b.Fatal(answer, err)
				}
			}
		})
	}
}

// cpu reports the process's time on processors, which other processes do not
// lengthen as they do the time on the clock.
func cpu(b *testing.B) func() {
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/1000/float64(b.N), "cpu-µs/op") }
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }
