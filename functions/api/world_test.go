package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/dynamo"
)

// token is the API token that the events in ../../events carry.
const token = "kp_m3TqYvB0sX9nK4rLwZ7cHd2PfJ6gU1aE8oViQtRyNbM"

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// world is the API over tables of its own. Nothing is faked but what lies beyond
// the tables: the key that secrets are sealed under, the queues, the buckets.
type world struct {
	*testing.T
	handler handler
	store   *dynamo.Store
	tables  dynamo.Tables
	kms     *fakeSealer
	fill    *fakeQueue
	ranges  *fakeQueue

	mu    sync.Mutex
	clock time.Time
}

func open(t *testing.T, options ...dynamotest.Option) *world {
	t.Helper()
	store, tables := dynamotest.Open(t, options...)
	return over(t, store, tables)
}

// over returns the API over tables that are there.
func over(t *testing.T, store *dynamo.Store, tables dynamo.Tables) *world {
	w := &world{
		T: t, store: store, tables: tables, kms: &fakeSealer{}, fill: &fakeQueue{}, ranges: &fakeQueue{}, clock: noon,
	}
	a := &api{
		store: store, secrets: w.kms, fill: w.fill, ranges: w.ranges,
		keyFiles: fakeBucket{}, reports: fakeBucket{}, now: w.now,
	}
	w.handler = handler{api: a.serve()}
	return w
}

// merchant makes a merchant and an API token for them, by the operator.
func (w *world) merchant(name string) (bearer string) {
	w.Helper()
	w.operator("PUT", "/v1/merchants/"+name, Merchant{Title: name, NoticeAddress: name + "@example.com"}).want(201)
	var made Token
	w.operator("POST", "/v1/merchants/"+name+"/tokens", nil).want(201).into(&made)
	return made.Token
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

// event reads an event that a gateway would send.
func event(t testing.TB, name string) events.APIGatewayV2HTTPRequest {
	t.Helper()
	raw, err := os.ReadFile("../../events/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var e events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return e
}

// answer is what came back.
type answer struct {
	t       testing.TB
	request string
	events.APIGatewayV2HTTPResponse
}

// send sends an event as it is, and holds the answer against the document.
func (w *world) send(e events.APIGatewayV2HTTPRequest) answer {
	w.Helper()
	response, err := w.handler.Handle(context.Background(), e)
	if err != nil {
		w.Fatalf("%s %s: %v", e.RequestContext.HTTP.Method, e.RawPath, err)
	}
	document.holds(w.T, e, response)
	return answer{w.T, e.RequestContext.HTTP.Method + " " + e.RawPath, response}
}

// operator calls as the operator, by a signature that the gateway checked.
func (w *world) operator(method, path string, body any, headers ...string) answer {
	w.Helper()
	return w.send(altered(w, event(w, "good_api_merchant"), method, path, body, headers))
}

// shop calls with an API token.
func (w *world) shop(bearer, method, path string, body any, headers ...string) answer {
	w.Helper()
	e := altered(w, event(w, "good_api_pool"), method, path, body, headers)
	e.Headers["authorization"] = "Bearer " + bearer
	return w.send(e)
}

// altered makes of an event one with another request in it.
func altered(w *world, e events.APIGatewayV2HTTPRequest, method, path string, body any, headers []string) events.APIGatewayV2HTTPRequest {
	w.Helper()
	e.RequestContext.HTTP.Method = method
	e.RawPath, e.RawQueryString, _ = strings.Cut(path, "?")
	e.Body = ""
	switch body := body.(type) {
	case nil:
	case string:
		e.Body = body
	default:
		raw, err := json.Marshal(body)
		if err != nil {
			w.Fatal(err)
		}
		e.Body = string(raw)
	}
	for i := 0; i < len(headers); i += 2 {
		e.Headers[headers[i]] = headers[i+1]
	}
	return e
}

// want ends the test if the status is another.
func (a answer) want(status int) answer {
	a.t.Helper()
	if a.StatusCode != status {
		a.t.Fatalf("%s: status %d, want %d\n%s", a.request, a.StatusCode, status, a.Body)
	}
	return a
}

func (a answer) into(v any) answer {
	a.t.Helper()
	d := json.NewDecoder(bytes.NewReader([]byte(a.Body)))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		a.t.Fatalf("%s: %v\n%s", a.request, err, a.Body)
	}
	return a
}

func (a answer) etag() string { return a.Headers["Etag"] }

// locations are the places in the request that the problem names.
func (a answer) locations() []string {
	a.t.Helper()
	var p struct {
		Errors []struct{ Location, Message string }
	}
	if err := json.Unmarshal([]byte(a.Body), &p); err != nil {
		a.t.Fatalf("%s: %v\n%s", a.request, err, a.Body)
	}
	var all []string
	for _, e := range p.Errors {
		all = append(all, e.Location)
	}
	return all
}

type fakeSealer struct {
	mu     sync.Mutex
	sealed []string
	err    error
}

func (s *fakeSealer) Seal(_ context.Context, merchant, account string, secret []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	s.sealed = append(s.sealed, fmt.Sprintf("%s/%s:%x", merchant, account, secret))
	return fmt.Appendf(nil, "sealed %d", len(s.sealed)), nil
}

// fakeQueue keeps messages as the JSON they would be sent as.
type fakeQueue struct {
	mu   sync.Mutex
	sent []string
	err  error
}

func (q *fakeQueue) Send(_ context.Context, message any, delay time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return q.err
	}
	raw, err := json.Marshal(message)
	q.sent = append(q.sent, fmt.Sprintf("%s after %s", raw, delay))
	return err
}

// take returns what was sent since it was last asked.
func (q *fakeQueue) take() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	sent := q.sent
	q.sent = nil
	return sent
}

type fakeBucket struct{}

func (fakeBucket) PresignUpload(_ context.Context, name string, lasts time.Duration) (string, error) {
	return "https://uploads.example.com/" + name + "?lasts=" + lasts.String(), nil
}

func (fakeBucket) PresignReport(_ context.Context, name string, lasts time.Duration) (string, error) {
	return "https://reports.example.com/" + name + "?lasts=" + lasts.String(), nil
}
