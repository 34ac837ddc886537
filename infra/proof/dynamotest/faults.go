package dynamotest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"keypool/infra/proof/dynamosim"
)

// Faults is a transport between the real SDK client and the engine that does what
// engines of tests never do and DynamoDB sometimes does. A fault happens to one
// attempt of a call; the SDK's retries are part of the test.
//
//	faults := dynamotest.NewFaults(t, seed)
//	store, tables := dynamotest.Open(t, faults.Option)
//	faults.Next("TransactWriteItems", 1, dynamotest.LostAnswer)
//
// It is safe for concurrent use.
type Faults struct {
	t    testing.TB
	next http.RoundTripper

	mu       sync.Mutex
	rng      *rand.Rand
	rules    []*rule
	attempts map[string]int
	calls    map[string]int     // calls that reached the engine, by operation
	met      map[string]int     // faults, by name
	frozen   map[string]*frozen // indexes, by table
}

// Fault happens to one attempt of a call.
type Fault func(*attempt) (*http.Response, error)

// NewFaults returns a transport without faults. The seed decides the random faults,
// and is logged if the test fails.
func NewFaults(t testing.TB, seed uint64) *Faults {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("faults by seed %d", seed)
		}
	})
	return &Faults{
		t:        t,
		next:     Engine(),
		rng:      rand.New(rand.NewPCG(seed, seed)),
		attempts: make(map[string]int),
		calls:    make(map[string]int),
		met:      make(map[string]int),
		frozen:   make(map[string]*frozen),
	}
}

// Option puts the faults between a client and the engine. The client retries as often
// as always, but does not wait between attempts.
func (f *Faults) Option(o *dynamodb.Options) {
	o.HTTPClient = &http.Client{Transport: f}
	o.Retryer = retry.NewStandard(func(so *retry.StandardOptions) {
		so.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		so.RateLimiter = ratelimit.None
	})
}

// Next lets a fault happen to the next n attempts of an operation, such as "Query".
// SDKAttempts of them fail the call.
func (f *Faults) Next(operation string, n int, fault Fault) {
	f.add(&rule{operation: operation, left: n, chance: 1, faults: []Fault{fault}})
}

// After does the same after skip more attempts.
func (f *Faults) After(operation string, skip, n int, fault Fault) {
	f.add(&rule{operation: operation, skip: skip, left: n, chance: 1, faults: []Fault{fault}})
}

// Sometimes lets one of the faults happen to each attempt of an operation with that
// chance, from now on.
func (f *Faults) Sometimes(operation string, chance float64, faults ...Fault) {
	f.add(&rule{operation: operation, left: -1, chance: chance, faults: faults})
}

// Stop removes all faults that were added.
func (f *Faults) Stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

// Attempts returns the number of attempts of an operation.
func (f *Faults) Attempts(operation string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.attempts[operation]
}

// Calls returns the number of calls that reached the engine, by operation.
func (f *Faults) Calls() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.calls)
}

// Met returns how often each named fault happened.
func (f *Faults) Met() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.met)
}

// Named counts a fault under a name, for Met.
func Named(name string, fault Fault) Fault {
	return func(a *attempt) (*http.Response, error) {
		a.faults.count(a.faults.met, name)
		return fault(a)
	}
}

func (f *Faults) count(in map[string]int, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	in[name]++
}

// SDKAttempts is the number of attempts of the SDK for a call that fails temporarily.
const SDKAttempts = retry.DefaultMaxAttempts

type rule struct {
	operation string
	skip      int
	left      int // -1: no limit
	chance    float64
	faults    []Fault
}

func (f *Faults) add(r *rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, r)
}

// RoundTrip implements http.RoundTripper.
func (f *Faults) RoundTrip(req *http.Request) (*http.Response, error) {
	_, operation, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req.Body.Close()
	a := &attempt{faults: f, req: req, operation: operation, body: body}
	if fault := f.pick(operation); fault != nil {
		return fault(a)
	}
	return a.answer()
}

// pick returns the fault of the next attempt of an operation, nil for none.
func (f *Faults) pick(operation string) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.attempts[operation]++
	for _, r := range f.rules {
		switch {
		case r.operation != operation || r.left == 0:
		case r.skip > 0:
			r.skip--
		case f.rng.Float64() < r.chance:
			if r.left > 0 {
				r.left--
			}
			return r.faults[f.rng.IntN(len(r.faults))]
		}
	}
	return nil
}

// attempt is one attempt of a call.
type attempt struct {
	faults    *Faults
	req       *http.Request
	operation string
	body      []byte
}

// answer returns the answer of the engine, or that of a frozen index.
func (a *attempt) answer() (*http.Response, error) {
	if a.operation == "Query" {
		if db := a.faults.still(a.body); db != nil {
			a.faults.count(a.faults.met, LaggingIndex)
			return a.sendTo(db, a.body)
		}
	}
	return a.send(a.body)
}

func (a *attempt) send(body []byte) (*http.Response, error) {
	a.faults.count(a.faults.calls, a.operation)
	return a.sendTo(a.faults.next, body)
}

func (a *attempt) sendTo(engine http.RoundTripper, body []byte) (*http.Response, error) {
	req := a.req.Clone(a.req.Context())
	req.Body = io.NopCloser(bytes.NewReader(body))
	req.ContentLength = int64(len(body))
	return engine.RoundTrip(req)
}

// reply is an answer in DynamoDB's format.
func (a *attempt) reply(status int, body any) *http.Response {
	encoded, err := json.Marshal(body)
	if err != nil {
		a.faults.t.Errorf("encode an answer: %v", err)
	}
	return dynamosim.Answer(a.req, status, encoded)
}

// problem is a refusal in DynamoDB's format.
func (a *attempt) problem(status int, exception, message string, more map[string]any) *http.Response {
	body := map[string]any{"__type": "com.amazonaws.dynamodb.v20120810#" + exception, "message": message}
	for name, value := range more {
		body[name] = value
	}
	return a.reply(status, body)
}

// decode decodes the input of the call.
func (a *attempt) decode(into any) {
	if err := json.Unmarshal(a.body, into); err != nil {
		a.faults.t.Errorf("decode %s: %v", a.operation, err)
	}
}

var reset = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}

// LostAnswer does the call and cuts the connection before the answer arrives: the
// caller cannot know that the call was done.
func LostAnswer(a *attempt) (*http.Response, error) {
	answer, err := a.answer()
	if err != nil {
		return nil, err
	}
	io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	return nil, reset
}

// CutOff cuts the connection before the call reaches the engine.
func CutOff(*attempt) (*http.Response, error) { return nil, reset }

// SlowAnswer does the call and withholds the answer until the caller gives up. It
// calls giveUp, which cancels the caller's context.
func SlowAnswer(giveUp context.CancelFunc) Fault {
	return func(a *attempt) (*http.Response, error) {
		answer, err := a.answer()
		if err != nil {
			return nil, err
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		giveUp()
		<-a.req.Context().Done()
		return nil, a.req.Context().Err()
	}
}

// WithGiveUp returns a context for LateAnswer, which cancels it. Any other answer is
// waited for.
func WithGiveUp(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, giveUp := context.WithCancel(ctx)
	return context.WithValue(ctx, giveUpKey{}, giveUp), giveUp
}

type giveUpKey struct{}

// LateAnswer is SlowAnswer for a caller with a context of WithGiveUp. A caller without
// one gets the answer.
func LateAnswer(a *attempt) (*http.Response, error) {
	giveUp, ok := a.req.Context().Value(giveUpKey{}).(context.CancelFunc)
	if !ok || a.req.Context().Done() == nil {
		return a.answer()
	}
	return SlowAnswer(giveUp)(a)
}

// Absent answers a GetItem as if the item did not exist yet: the reader comes just
// before the write.
func Absent(a *attempt) (*http.Response, error) {
	return a.reply(http.StatusOK, map[string]any{}), nil
}

// ServerError is an internal error of DynamoDB. The call is not done.
func ServerError(a *attempt) (*http.Response, error) {
	return a.problem(http.StatusInternalServerError, "InternalServerError", "Internal server error", nil), nil
}

// Unavailable is an unavailable DynamoDB. The call is not done.
func Unavailable(a *attempt) (*http.Response, error) {
	return a.problem(http.StatusServiceUnavailable, "ServiceUnavailable", "The service cannot serve the request", nil), nil
}

// Throttled is a throttled partition of a table or an index. The call is not done. A
// transaction reports the throttle for its first write.
func Throttled(a *attempt) (*http.Response, error) {
	const message = "The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level with the UpdateTable API."
	if a.operation == "TransactWriteItems" {
		return a.canceled("ThrottlingError", "Throughput exceeds the current capacity for one or more global secondary indexes.", func(i int, _ string) bool { return i == 0 }), nil
	}
	return a.problem(http.StatusBadRequest, "ProvisionedThroughputExceededException", message, nil), nil
}

// ThrottledCall is a throttle of the whole call. The call is not done.
func ThrottledCall(a *attempt) (*http.Response, error) {
	return a.problem(http.StatusBadRequest, "ThrottlingException", "Throughput exceeds the current capacity of your table or index.", nil), nil
}

// Conflict is a conflict with another transaction on the first item of that table
// that the call writes. The call is not done.
func Conflict(table string) Fault {
	return func(a *attempt) (*http.Response, error) {
		if a.operation != "TransactWriteItems" {
			return a.problem(http.StatusBadRequest, "TransactionConflictException", "Transaction is ongoing for the item", nil), nil
		}
		seen := false
		return a.canceled("TransactionConflict", "Transaction is ongoing for the item", func(_ int, t string) bool {
			first := t == table && !seen
			seen = seen || t == table
			return first
		}), nil
	}
}

// Cancelled cancels a transaction, with the code as the reason of the write at a position.
func Cancelled(code string, position int) Fault {
	return func(a *attempt) (*http.Response, error) {
		return a.canceled(code, "", func(i int, _ string) bool { return i == position }), nil
	}
}

// Contended is Conflict on a random item that the call writes.
func Contended(a *attempt) (*http.Response, error) {
	if a.operation != "TransactWriteItems" {
		return Conflict("")(a)
	}
	var in struct{ TransactItems []json.RawMessage }
	a.decode(&in)
	hit := a.faults.some(len(in.TransactItems), 0)
	return a.canceled("TransactionConflict", "Transaction is ongoing for the item", func(i int, _ string) bool { return hit[i] }), nil
}

// InProgress is the answer to a transaction whose first attempt is still in progress.
func InProgress(a *attempt) (*http.Response, error) {
	return a.problem(http.StatusBadRequest, "TransactionInProgressException", "Transaction is already in progress", nil), nil
}

// canceled cancels a transaction, with the code as the reason of those writes that at
// selects.
func (a *attempt) canceled(code, message string, at func(i int, table string) bool) *http.Response {
	var in struct {
		TransactItems []map[string]struct{ TableName string }
	}
	a.decode(&in)
	reasons := make([]map[string]string, len(in.TransactItems))
	codes := make([]string, len(in.TransactItems))
	for i, write := range in.TransactItems {
		reasons[i], codes[i] = map[string]string{"Code": "None"}, "None"
		for _, w := range write {
			if at(i, w.TableName) {
				reasons[i], codes[i] = map[string]string{"Code": code, "Message": message}, code
			}
		}
	}
	return a.problem(http.StatusBadRequest, "TransactionCanceledException",
		fmt.Sprintf("Transaction cancelled, please refer cancellation reasons for specific reasons [%s]", strings.Join(codes, ", ")),
		map[string]any{"CancellationReasons": reasons})
}

// Partial refuses some statements of a batch with a code, such as "ThrottlingError",
// in an answer with status 200: each with that chance, and at least one. The other
// statements are done.
func Partial(code string, chance float64) Fault {
	return func(a *attempt) (*http.Response, error) {
		var in map[string]json.RawMessage
		a.decode(&in)
		var statements []json.RawMessage
		if err := json.Unmarshal(in["Statements"], &statements); err != nil || len(statements) == 0 {
			return nil, fmt.Errorf("%s is no batch of statements", a.operation)
		}
		refused := a.faults.some(len(statements), chance)
		var rest []json.RawMessage
		for i, statement := range statements {
			if !refused[i] {
				rest = append(rest, statement)
			}
		}
		var done []json.RawMessage
		out := map[string]json.RawMessage{}
		if len(rest) > 0 {
			in["Statements"] = mustEncode(rest)
			answer, err := a.send(mustEncode(in))
			if err != nil || answer.StatusCode != http.StatusOK {
				return answer, err
			}
			defer answer.Body.Close()
			if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
				return nil, err
			}
			if err := json.Unmarshal(out["Responses"], &done); err != nil {
				return nil, err
			}
		}
		responses := make([]json.RawMessage, len(statements))
		for i := range statements {
			if refused[i] {
				responses[i] = mustEncode(map[string]any{"Error": map[string]string{"Code": code, "Message": "refused for a test"}})
			} else {
				responses[i], done = done[0], done[1:]
			}
		}
		out["Responses"] = mustEncode(responses)
		return a.reply(http.StatusOK, out), nil
	}
}

// Unprocessed answers a BatchGetItem of one table for some of its items only: each is
// left out with that chance, and at least one. A call for a single item is refused,
// as DynamoDB does.
func Unprocessed(chance float64) Fault {
	return func(a *attempt) (*http.Response, error) {
		var in struct {
			RequestItems map[string]map[string]json.RawMessage
		}
		a.decode(&in)
		for table, request := range in.RequestItems {
			var keys, left, rest []json.RawMessage
			if err := json.Unmarshal(request["Keys"], &keys); err != nil {
				return nil, fmt.Errorf("%s is no batch of reads", a.operation)
			}
			for i, out := range a.faults.some(len(keys), chance) {
				if out {
					left = append(left, keys[i])
				} else {
					rest = append(rest, keys[i])
				}
			}
			if len(rest) == 0 {
				return Throttled(a)
			}
			request["Keys"] = mustEncode(rest)
			answer, err := a.send(mustEncode(in))
			if err != nil || answer.StatusCode != http.StatusOK {
				return answer, err
			}
			defer answer.Body.Close()
			var out map[string]any
			if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
				return nil, err
			}
			request["Keys"] = mustEncode(left)
			out["UnprocessedKeys"] = map[string]any{table: request}
			return a.reply(http.StatusOK, out), nil
		}
		return nil, fmt.Errorf("%s reads nothing", a.operation)
	}
}

// some selects random ones of n, at least one.
func (f *Faults) some(n int, chance float64) []bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	picked := make([]bool, n)
	for i := range picked {
		picked[i] = f.rng.Float64() < chance
	}
	picked[f.rng.IntN(n)] = true
	return picked
}

func mustEncode(v any) json.RawMessage {
	encoded, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode what was decoded: %v", err))
	}
	return encoded
}
