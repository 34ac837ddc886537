package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/infra/proof/resttest"
)

// FuzzOperations holds that every operation of the document answers what the
// document tells, whatever it is sent, never 5xx; that a refused request changed
// nothing; and that an accepted change reads back as it was answered.
func FuzzOperations(f *testing.F) {
	for n := range document.Operations(f) {
		f.Add([]byte{byte(n)}, "")
		f.Add([]byte{byte(n), 1}, strings.Repeat("a", 3000))
		f.Add([]byte{byte(n), 1}, "%ff")
		f.Add([]byte{byte(n), 1}, "\x00")
		f.Add([]byte{byte(n), 1, 3, 3, 3, 2, 0, 1, 5, 7, 1, 2, 9, 4, 6, 3, 1, 8, 2}, "../{KEY}\r\n<b>?#")
		f.Add([]byte{byte(n), 0, 0, 1, 1, 3, 4, 2, 0, 3, 2, byte(n), 0, 0, 1, 1, 2, 6, 1, 4}, `"3"`)
	}
	log := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	f.Cleanup(func() { slog.SetDefault(log) })
	// All runs share one world. A run that changed its tables restores them.
	var calls dynamotest.Meter
	store, tables := dynamotest.Open(f, calls.Option)
	var o *owner
	var first map[string]kept
	f.Fuzz(func(t *testing.T, data []byte, free string) {
		if o == nil {
			o = newOwner(over(t, store, tables))
			first = o.items()
			o.restore(first)
		}
		o.T = t
		c := resttest.Choices{Document: document, Data: data, Free: strings.ToValidUTF8(free, "\uFFFD")}
		changed := false
		for range 8 {
			changed = o.tries(c.Attempt(), &calls) || changed
			if len(c.Data) == 0 {
				break
			}
		}
		if changed || t.Failed() {
			o.restore(first)
		}
	})
}

// restore brings the tables back to what they held.
func (o *owner) restore(want map[string]kept) {
	o.Helper()
	client := dynamotest.Client(o)
	have := o.items()
	for id, old := range want {
		if !reflect.DeepEqual(old.item, have[id].item) {
			if _, err := client.PutItem(context.Background(), &dynamodb.PutItemInput{TableName: &old.table, Item: old.item}); err != nil {
				o.Fatal(err)
			}
		}
	}
	for id, there := range have {
		if _, ok := want[id]; !ok {
			if _, err := client.DeleteItem(context.Background(), &dynamodb.DeleteItemInput{TableName: &there.table, Key: there.key()}); err != nil {
				o.Fatal(err)
			}
		}
	}
	o.fill.drain()
	o.ranges.drain()
}

// tries sends a request, holds the response and the tables to the promise, and
// reports whether the tables changed.
func (o *owner) tries(r resttest.Attempt, calls *dynamotest.Meter) bool {
	o.Helper()
	calls.Reset()
	e := resttest.Event(o, "good_api_pool")
	e.RequestContext.HTTP.Method, e.Body = r.Method, r.Body
	e.RawPath, e.RawQueryString, _ = strings.Cut(r.Path, "?")
	e.Headers["authorization"] = "Bearer " + o.token
	if r.Caller != "" {
		e.Headers["authorization"] = r.Caller
	}
	maps.Copy(e.Headers, r.Headers)
	got, err := o.serve(o.Context(), e)
	if err != nil {
		o.Fatalf("%+v: %v", r, err)
	}

	document.Answers(o, r, e, got)
	var sent struct{ Secret string }
	if json.Unmarshal([]byte(r.Body), &sent) == nil && len(sent.Secret) > 8 && strings.Contains(got.Body, sent.Secret) {
		o.Errorf("%+v: the answer tells the secret: %s", r, got.Body)
	}

	writes := slices.DeleteFunc(calls.Calls(), func(c dynamotest.Call) bool {
		return slices.Contains([]string{"GetItem", "BatchGetItem", "Query"}, c.Operation)
	})
	if n := len(writes); e.Headers["idempotency-key"] != "" && got.StatusCode >= 400 && n >= 2 && writes[0].Operation == "PutItem" && writes[n-1].Operation == "DeleteItem" {
		writes = writes[1 : n-1] // the record of a call that failed, which is forgotten
	}
	messages := append(o.fill.drain(), o.ranges.drain()...)
	if r.Method == http.MethodGet || r.Method == http.MethodHead || got.StatusCode >= 400 {
		if len(writes)+len(messages) > 0 {
			o.Errorf("%+v: answered %d, and wrote %+v, sent %v", r, got.StatusCode, writes, messages)
		}
		return len(writes) > 0
	}
	if r.Method == http.MethodPut && e.RawPath != "/v1/catalog" { // which answers what differed
		e.RequestContext.HTTP.Method, e.Body = http.MethodGet, ""
		again := o.send(e).Want(http.StatusOK)
		put, read := decoded(o, got.Body), decoded(o, again.Body)
		delete(put, "secret") // shown once
		if diff := cmp.Diff(put, read); diff != "" || again.ETag() != got.Headers["Etag"] {
			o.Errorf("%+v: it reads back otherwise, as %s (-put +read):\n%s", r, again.ETag(), diff)
		}
	}
	return len(writes) > 0
}

func decoded(t testing.TB, body string) map[string]any {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return all
}
