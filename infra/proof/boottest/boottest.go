// Package boottest runs a function as Lambda would, against an AWS that refuses
// its calls, one after the other, and quotes back whatever it was sent and holds.
// What the function then says must hold none of it.
package boottest

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

// Stage is a function on tables of its own, with one merchant in them.
type Stage struct {
	testing.TB
	Cage   canary.Cage
	Store  *dynamo.Store // for the test itself: nothing that it does is refused
	Tables dynamo.Tables
	Secret []byte            // that the account's webhooks are signed with
	Files  map[string][]byte // what the buckets hold, by path

	wire     func(*config.Env, aws.Config) any
	settings map[string]string
	cloud    *cloud
}

// The merchant on every stage, with a pool, a product that it feeds, another
// pool that is always empty, and a product that it feeds.
const (
	Merchant, Pool, Product = "nova", "elden", "4711"
	DryPool, DryProduct     = "dry", "4712"
	Account                 = "standard" // with a payment platform; its secret is Stage.Secret
)

// Open sets a stage. The test must not be parallel: the log is everybody's.
func Open(t testing.TB, wire func(*config.Env, aws.Config) any) *Stage {
	t.Helper()
	store, tables := dynamotest.Open(t)
	s := &Stage{
		TB: t, Store: store, Tables: tables, Files: map[string][]byte{}, wire: wire,
		settings: map[string]string{
			"CATALOG_TABLE": tables.Catalog, "KEYS_TABLE": tables.Keys, "ORDERS_TABLE": tables.Orders,
			"KMS_KEY": "arn:aws:kms:us-east-1:123456789012:key/1", "CONFIGURATION_SET": "mail",
			"FILL_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/fill", "RANGES_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/ranges",
			"UPLOADS_BUCKET": "uploads", "REPORTS_BUCKET": "reports",
			"SENDER": "keys@keypool.example", "OPERATOR": "operator@keypool.example", "MAX_QUANTITY": "1000", "PATIENCE": "5m",
		},
	}
	s.Secret = []byte(s.Cage.New(canary.Secret) + s.Cage.New(canary.Secret))
	s.cloud = newCloud(s)
	t.Cleanup(func() { canary.Figure("canaries", s.Cage.Bred()) })
	ctx := t.Context()
	put := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	put(store.PutMerchant(ctx, catalog.Merchant{Name: Merchant, Title: "Nova", NoticeAddress: s.Cage.Address(canary.Merchant), ReplyTo: s.Cage.Address(canary.Merchant)}))
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
	s.Cage.Keep(canary.Salt, string(m.Salt))
	return s
}

// Keys makes n canaries that are license keys.
func (s *Stage) Keys(n int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = s.Cage.New(canary.Key)
	}
	return texts
}

// Stock puts n new keys on sale in the live side of a pool.
func (s *Stage) Stock(name string, n int) {
	s.Helper()
	dynamotest.Stock(s, s.Tables, pool.ID{Merchant: Merchant, Pool: name, Side: pool.Live}, 4, s.Keys(n)...)
}

// Fails lets calls that the function makes fail in every way, one at a time,
// and searches what it answers, returns and logs. Prepare makes the event, and
// whatever it speaks of, anew; the answer may hold those kinds of canaries.
func (s *Stage) Fails(name string, prepare func() []byte, may ...string) {
	s.Helper()
	s.cloud.refuse(0, nil)
	if err := s.call(name, "nothing refused", prepare(), may); err != nil || s.cloud.calls() == 0 {
		s.Fatalf("%s: %v after %d calls, with nothing refused: it would test nothing", name, err, s.cloud.calls())
	}
	calls, runs := s.cloud.calls(), 0
	step := (calls + positions - 1) / positions
	for i, r := range refusals {
		before := runs
		for at := 1 + i%step; at <= calls; at += step {
			event := prepare()
			s.cloud.refuse(at, &r)
			s.call(name, fmt.Sprintf("%s of call %d", r.name, at), event, may)
			if s.cloud.refused() { // who makes calls side by side may make fewer of them
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

// positions is how many calls of a run meet the same refusal in turn, if it makes
// as many: spread over all of them, and other ones for each refusal.
const positions = 6

// Says calls the function once with an event that nobody should send.
func (s *Stage) Says(name string, event []byte, may ...string) {
	s.Helper()
	s.cloud.refuse(0, nil)
	s.call(name, "nothing refused", event, may)
	canary.Figure("functions' runs with a bad event", 1)
}

// call calls the function in a process that has just started.
func (s *Stage) call(name, circumstance string, event []byte, may []string) error {
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
	slog.SetDefault(slog.New(slog.NewJSONHandler(&logged, nil)))
	defer slog.SetDefault(before)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	answer, failure := handler.Invoke(ctx, event)
	for where, what := range map[string]struct {
		text string
		may  []string
	}{
		"its answer": {string(answer), may},
		"its error":  {fmt.Sprint(failure), nil}, // logged by Lambda, and put into dead letters
		"its log":    {logged.String(), nil},
	} {
		if found := s.Cage.In(what.text, what.may...); found != nil {
			s.Errorf("%s, %s: %s holds %v: %s", name, circumstance, where, found, what.text)
		}
	}
	return failure
}

// lockedBuffer takes the lines of several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}
