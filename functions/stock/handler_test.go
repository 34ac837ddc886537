package main

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/pool"
	"keypool/shared/stock"
)

// TestHandler_tellsOfEachPoolOnce sends the scheduler's event to the function as
// Lambda does, twice, over a full pool, a low one, an empty one and one whose
// merchant wants to hear nothing.
func TestHandler_tellsOfEachPoolOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	store, tables := dynamotest.Open(t)
	for name, there := range map[string]struct{ live, test, threshold int }{
		"full":  {live: 10, threshold: 10},
		"low":   {live: 9, test: 20, threshold: 10},
		"empty": {test: 20, threshold: 10},
		"quiet": {threshold: 0},
	} {
		err := store.PutPool(ctx, catalog.Pool{Merchant: "nova", Name: name, Shards: 2, LowStock: there.threshold, Reminder: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		live := pool.ID{Merchant: "nova", Pool: name, Side: pool.Live}
		test := pool.ID{Merchant: "nova", Pool: name, Side: pool.Test}
		dynamotest.Stock(t, tables, live, 2, dynamotest.Texts(name, there.live)...)
		dynamotest.Stock(t, tables, test, 2, dynamotest.Texts(name, there.test)...)
	}
	_, err := dynamotest.Client(t).UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(tables.Catalog),
		Key: map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: "counts#nova"}, "sk": &types.AttributeValueMemberS{Value: "count#low#test"},
		},
		UpdateExpression:          aws.String("SET accepted = :n"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":n": &types.AttributeValueMemberN{Value: "25"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	h := handler{checker: &stock.Checker{
		Pools: store, Keys: store, Alerts: store, Counts: store,
		Now: func() time.Time { return now },
	}}
	event, err := os.ReadFile("../../events/good_stock_tick.json")
	if err != nil {
		t.Fatal(err)
	}
	tick := func(want ...string) {
		t.Helper()
		if _, err := lambda.NewHandler(h.handle).Invoke(ctx, event); err != nil {
			t.Fatal(err)
		}
		var got []string
		for pk := range items(t, tables.Orders, "notice") {
			got = append(got, pk)
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("at %s: notices (-want +got):\n%s", now.Format(time.TimeOnly), diff)
		}
	}
	first := []string{"notice#nova#empty#empty#live#1", "notice#nova#low-stock#low#live#1"}
	tick(first...)
	tick(first...) // the scheduler delivers at least once
	now = now.Add(time.Hour)
	tick(first[0], "notice#nova#empty#empty#live#2", first[1], "notice#nova#low-stock#low#live#2")

	// The checks of the day also put right the counts that are shown.
	for pk, item := range items(t, tables.Catalog, "count#low#test") {
		if taken := item["taken"].(*types.AttributeValueMemberN).Value; taken != "5" {
			t.Errorf("%s: taken %s, want 5: 25 keys were accepted and 20 are there", pk, taken)
		}
	}
}

// TestHandler_errorRingsTheAlarm holds the only outcome of an error: it is returned,
// and the next tick checks the pools again.
func TestHandler_errorRingsTheAlarm(t *testing.T) {
	t.Parallel()
	faults := dynamotest.NewFaults(t, 1)
	store, tables := dynamotest.Open(t, faults.Option)
	if err := store.PutPool(t.Context(), catalog.Pool{Merchant: "nova", Name: "elden", Shards: 2, LowStock: 10}); err != nil {
		t.Fatal(err)
	}
	h := handler{checker: &stock.Checker{Pools: store, Keys: store, Alerts: store, Counts: store, Now: time.Now}}
	faults.Next("Query", 100, dynamotest.ServerError)
	if err := h.handle(t.Context()); err == nil {
		t.Error("a check that read nothing is no error")
	}
	faults.Stop()
	if err := h.handle(t.Context()); err != nil {
		t.Errorf("the next tick: %v", err)
	}
	items(t, tables.Orders, "notice")
}

// items returns the items of a table with that sort key, by partition key.
func items(t *testing.T, table, sk string) map[string]map[string]types.AttributeValue {
	t.Helper()
	out, err := dynamotest.Client(t).Scan(context.Background(), &dynamodb.ScanInput{
		TableName:                 aws.String(table),
		FilterExpression:          aws.String("sk = :sk"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":sk": &types.AttributeValueMemberS{Value: sk}},
	})
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]map[string]types.AttributeValue)
	for _, item := range out.Items {
		found[item["pk"].(*types.AttributeValueMemberS).Value] = item
	}
	if len(found) == 0 {
		t.Fatalf("no item %s", sk)
	}
	return found
}
