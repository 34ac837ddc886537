// Package lambdatest runs a function as Lambda does, against a fake AWS that refuses
// one call of each run and quotes in its refusal all that it was sent and all that it
// stores. The function's answer, error and log must hold none of it.
package lambdatest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"keypool/infra/proof/canary"
	"keypool/infra/proof/dynamotest"
	"keypool/shared/boot"
	"keypool/shared/catalog"
	"keypool/shared/config"
	"keypool/shared/dynamo"
	"keypool/shared/pool"
)

// Sandbox is a function on tables of its own, with one merchant in them.
type Sandbox struct {
	testing.TB
	Canaries canary.Set
	Store    *dynamo.Store // for the test itself: its calls are never refused
	Tables   dynamo.Tables
	Secret   []byte            // that signs the account's webhooks
	Files    map[string][]byte // in the buckets, by path

	wire     func(*config.Env, aws.Config) any
	settings map[string]string
	cloud    *cloud
}

// Every sandbox has this merchant, with a pool and a product that is sold from it,
// and an empty pool and a product that is sold from that one.
const (
	Merchant, Pool, Product = "nova", "elden", "4711"
	DryPool, DryProduct     = "dry", "4712"
	Account                 = "standard" // at a payment platform; its secret is Sandbox.Secret
)

// Open makes a sandbox for the function that wire wires. The test must not be
// parallel: it replaces the process's logger.
func Open(t testing.TB, wire func(*config.Env, aws.Config) any) *Sandbox {
	t.Helper()
	store, tables := dynamotest.Open(t)
	s := &Sandbox{
		TB: t, Store: store, Tables: tables, Files: map[string][]byte{}, wire: wire,
		settings: map[string]string{
			"CATALOG_TABLE": tables.Catalog, "KEYS_TABLE": tables.Keys, "ORDERS_TABLE": tables.Orders, "SESSIONS_TABLE": tables.Sessions,
			"KMS_KEY": "arn:aws:kms:us-east-1:123456789012:key/1", "CONFIGURATION_SET": "mail",
			"FILL_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/fill", "RANGES_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/ranges",
			"CATCHUP_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/catchup",
			"JOBS_QUEUE_URL":    "https://sqs.us-east-1.amazonaws.com/1/jobs",
			"UPLOADS_BUCKET":    "uploads", "REPORTS_BUCKET": "reports",
			"SENDER": "keys@keypool.example", "OPERATOR": "operator@keypool.example", "MAX_QUANTITY": "1000", "DELAY_MAIL_AFTER": "5m", "PUBLIC_URL": "https://api.keypool.example",
		},
	}
	s.Secret = []byte(s.Canaries.New(canary.Secret) + s.Canaries.New(canary.Secret))
	s.cloud = newCloud(s)
	t.Cleanup(func() { canary.Figure("canaries", s.Canaries.Len()) })
	ctx := t.Context()
	put := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	put(store.PutMerchant(ctx, catalog.Merchant{Name: Merchant, Title: "Nova", NoticeAddress: s.Canaries.Address(canary.Merchant), ReplyTo: s.Canaries.Address(canary.Merchant)}))
	for _, name := range []string{Pool, DryPool} {
		put(store.PutPool(ctx, catalog.Pool{Merchant: Merchant, Name: name, LowStock: 10, Shards: 4}))
	}
	put(store.PutProduct(ctx, catalog.Product{Merchant: Merchant, ID: Product, Title: "Elden", Pool: Pool, Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}}))
	put(store.PutProduct(ctx, catalog.Product{Merchant: Merchant, ID: DryProduct, Title: "Dry", Pool: DryPool, Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}}))
	put(store.PutAccount(ctx, catalog.Account{Merchant: Merchant, Name: Account, Platform: "standard", Origin: "its own id", Secrets: []catalog.SealedSecret{{Blob: []byte("sealed"), CreatedAt: time.Now()}}}))
	m, ok, err := store.Merchant(ctx, Merchant)
	if put(err); !ok || len(m.Salt) == 0 {
		t.Fatal("the merchant has no salt")
	}
	s.Canaries.Add(canary.Salt, string(m.Salt))
	return s
}

// Keys returns n new license keys, which are canaries.
func (s *Sandbox) Keys(n int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = s.Canaries.New(canary.Key)
	}
	return texts
}

// Stock puts n new keys on sale in the live side of a pool.
func (s *Sandbox) Stock(name string, n int) {
	s.Helper()
	dynamotest.Stock(s, s.Tables, pool.ID{Merchant: Merchant, Pool: name, Side: pool.Live}, 4, s.Keys(n)...)
}

// RefuseEachCall runs the function many times. In each run one call fails in one of
// the ways of refusals; then the function's answer, error and log are searched for
// canaries. Prepare makes the event of a run and the data that the event names. The
// answer, but not the error or the log, may hold the allowed kinds of canaries.
func (s *Sandbox) RefuseEachCall(name string, prepare func() []byte, allowed ...string) {
	s.Helper()
	s.cloud.refuse(0, nil)
	if err := s.call(name, "nothing refused", prepare(), allowed); err != nil || s.cloud.calls() == 0 {
		s.Fatalf("%s: %v after %d calls, with nothing refused: it would test nothing", name, err, s.cloud.calls())
	}
	calls, runs := s.cloud.calls(), 0
	step := (calls + positions - 1) / positions
	for i, r := range refusals {
		before := runs
		for at := 1 + i%step; at <= calls; at += step {
			event := prepare()
			s.cloud.refuse(at, &r)
			s.call(name, fmt.Sprintf("%s of call %d", r.name, at), event, allowed)
			if s.cloud.refused() { // a function with parallel calls may make fewer of them
				runs++
			}
		}
		if runs == before {
			s.Errorf("%s: no run met %s", name, r.name)
		}
	}
	s.cloud.refuse(0, nil)
	canary.Figure("functions' runs with a refused call", runs)
}

// positions is how many different calls meet each refusal. They are spread over the
// calls of a run, and begin at another call for each refusal.
const positions = 6

// Invoke runs the function once, with no call refused, and searches its answer, error
// and log for canaries. It is for events that the function cannot read or accept.
func (s *Sandbox) Invoke(name string, event []byte, allowed ...string) {
	s.Helper()
	s.cloud.refuse(0, nil)
	s.call(name, "nothing refused", event, allowed)
	canary.Figure("functions' runs with a bad event", 1)
}

// call wires the function anew, as in a cold start, and runs it once.
func (s *Sandbox) call(name, circumstance string, event []byte, allowed []string) error {
	s.Helper()
	for variable, value := range map[string]string{"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"} {
		s.Setenv(variable, value)
	}
	cfg, err := boot.Config()
	if err != nil {
		s.Fatal(err)
	}
	cfg.HTTPClient = &http.Client{Transport: s.cloud}
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			o.RateLimiter = ratelimit.None
		})
	}
	env := config.From(func(variable string) (string, bool) {
		value, ok := s.settings[variable[len("KEYPOOL_"):]]
		return value, ok
	})
	handler := lambda.NewHandler(s.wire(env, cfg))
	if err := env.Err(); err != nil {
		s.Fatal(err)
	}

	var logged lockedBuffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{ReplaceAttr: timeless})))
	defer slog.SetDefault(before)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	answer, failure := handler.Invoke(ctx, event)
	for where, what := range map[string]struct {
		text    string
		allowed []string
	}{
		"its answer": {string(answer), allowed},
		"its error":  {fmt.Sprint(failure), nil}, // Lambda logs it and puts it into dead letters
		"its log":    {logged.String(), nil},
	} {
		if found := s.Canaries.Find(what.text, what.allowed...); found != nil {
			s.Errorf("%s, %s: %s holds %v: %s", name, circumstance, where, found, what.text)
		}
	}
	return failure
}

// timeless leaves out the time of a line: its nanoseconds could be those of a canary that is a
// code of seven digits, and its maker knows no secret.
func timeless(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// lockedBuffer is a buffer that several goroutines may write to.
type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}
