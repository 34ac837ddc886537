package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keypool/infra/proof/dynamotest"
	"keypool/infra/proof/resttest"
	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/dynamo"
	"keypool/shared/idempotency"
	"keypool/shared/intake"
	"keypool/shared/inventory"
	"keypool/shared/lifecycle"
	"keypool/shared/orderpage"
	"keypool/shared/platform"
	"keypool/shared/platform/all"
	"keypool/shared/platform/standard"
	"keypool/shared/review"
	"keypool/shared/search"
	"keypool/shared/settings"
	"keypool/shared/upload"
	"keypool/shared/web"
)

// token is the API token that the events in ../../events carry.
const token = "kp_acme_m3TqYvB0sX9nK4rLwZ7cHd2PfJ6gU1aE8oViQtRyNbM"

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// document is shared by all tests. It needs no tables.
var document = &resttest.Document{
	Path:  "/openapi.json",
	Serve: func() resttest.Serve { return web.Server{Handler: (&api{}).serve()}.Serve },
}

// world is the API over tables of its own. The fakes stand for the systems beyond
// the tables: the key that seals secrets, the queues, the buckets.
type world struct {
	*testing.T
	serve     resttest.Serve
	store     *dynamo.Store
	tables    dynamo.Tables
	merchants *settings.Merchants
	gate      *access.Gate // without Uses: a call writes what it is about, and nothing else
	kms       *fakeSealer
	fill      *fakeQueue
	ranges    *fakeQueue
	catchup   *fakeQueue
	jobs      *fakeQueue
	files     *fakeFiles
	domains   *fakeIdentities

	mu    sync.Mutex
	clock time.Time

	posted []posted // webhooks of test orders
	front  func(posted) (platform.Response, error)
}

// posted is a webhook that was sent to the deployment's own address.
type posted struct {
	path string
	platform.Request
}

// Post implements settings.Front.
func (w *world) Post(_ context.Context, path string, r platform.Request) (platform.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.posted = append(w.posted, posted{path, r})
	if w.front == nil {
		return platform.Response{Status: http.StatusOK, Body: []byte(`{}`)}, nil
	}
	return w.front(w.posted[len(w.posted)-1])
}

func open(t *testing.T, options ...dynamotest.Option) *world {
	t.Helper()
	store, tables := dynamotest.Open(t, options...)
	return over(t, store, tables)
}

// over returns the API over tables that exist.
func over(t *testing.T, store *dynamo.Store, tables dynamo.Tables) *world {
	w := &world{
		T: t, store: store, tables: tables, kms: &fakeSealer{}, fill: &fakeQueue{}, ranges: &fakeQueue{}, catchup: &fakeQueue{}, jobs: &fakeQueue{}, files: &fakeFiles{}, domains: &fakeIdentities{}, clock: noon,
	}
	refill := &settings.Refill{Products: store, Queue: w.fill}
	w.merchants = &settings.Merchants{Store: store, Refill: refill, Now: w.now}
	w.gate = &access.Gate{Tokens: store, People: store, Now: w.now}
	accounts := &settings.Accounts{Store: store, Sealer: w.kms, Heard: store, Catchup: w.catchup, Adapters: all.Adapters, Now: w.now}
	acts := &lifecycle.Lifecycle{Store: store, Wholes: store, Uploads: store, Notices: store, Keys: store, Corrections: store, Settings: store, Fill: w.fill, By: "webhook", Now: w.now}
	desk := &review.Desk{Changes: acts, Held: store, Brakes: store, Now: w.now}
	merchants := catalog.NewCached(store, w.now)
	finder := &inventory.Finder{Merchants: merchants, Keys: store, Lines: store, Uploads: store}
	a := &api{
		calls:    &idempotency.Guard{Store: store, Now: w.now},
		gate:     w.gate,
		people:   &settings.People{Store: store, Now: w.now},
		tokens:   &settings.Tokens{Store: store, Now: w.now},
		pools:    &settings.Pools{Store: store, Uses: store, Stock: store, Refill: refill, Uploads: store, Ranges: w.ranges, Now: w.now},
		codes:    &settings.Codes{Store: store, Refill: refill, Now: w.now},
		texts:    &settings.Texts{Store: store, Merchants: store, Products: store, Now: w.now},
		previews: &settings.Previews{Store: store, Notices: store, Public: "https://keypool.example", Now: w.now},
		products: &settings.Products{Store: store, Related: store, Refill: refill, Now: w.now},
		senders:  newSenders(store, w.domains, "keys@keypool.example", "eu-central-1", w.now),
		accounts: accounts,
		trials:   &settings.Trials{Accounts: accounts, Opener: w.kms, Catalog: store, MaxQuantity: 1000},

		testOrders: &settings.TestOrders{Accounts: accounts, Opener: w.kms, Catalog: store, Webhook: standard.TestOrder, Front: w, Now: w.now},
		uploads:    &settings.Uploads{Store: store, Files: fakeBucket{}, Reports: fakeBucket{}, Ranges: w.ranges, Loaded: store, Answers: store, Now: w.now},
		keys:       &settings.Keys{Pools: store, Files: w.files},
		finder:     finder,
		blocker:    &inventory.Blocker{Merchants: store, Keys: store, Finder: finder, Now: w.now},
		jobs:       &inventory.Jobs{Store: store, Pools: store, Uploads: store, Merchants: store, Queue: w.jobs, Now: w.now},
		exports:    &inventory.Exports{Jobs: store, Files: fakeBucket{}, Now: w.now},
		orders:     store,
		numbers:    &search.Numbers{Accounts: store},
		search:     &search.Finder{Merchants: merchants, Lines: store, Now: w.now},
		refusals:   store,
		merchants:  w.merchants,
		changes:    acts, eraser: &lifecycle.Eraser{Lines: store, Words: store, Fill: w.fill, Now: w.now}, retention: &settings.Retentions{Store: store, Now: w.now}, orderPages: &settings.OrderPages{Store: store, Now: w.now},
		pages:     &orderpage.Pages{Settings: catalog.NewCached(store, w.now), Common: catalog.NewCachedOrderPages(store, w.now), Keys: &lifecycle.Shower{Store: store, Now: w.now}, Now: w.now},
		publicURL: "https://keypool.example",
		byHand: &intake.ByHand{
			Claims: &claim.Claimer{Store: store, Cached: store, Uncached: store, Fill: w.fill, Notices: store, By: "webhook", Now: w.now},
			Orders: store, Notices: store, MaxQuantity: 1000,
		},
		review: &settings.Reviews{Store: store, Now: w.now}, trail: &settings.Trail{Store: store}, notices: &settings.Notices{Store: store}, desk: desk,
	}
	w.serve = web.Server{Handler: a.serve()}.Serve
	return w
}

// merchant makes a merchant and an API token of every scope for them, as function
// operator does.
func (w *world) merchant(name string) (bearer string) {
	w.Helper()
	w.setMerchant(catalog.Merchant{Name: name, Title: name, NoticeAddress: name + "@example.com"})
	return w.token(name, access.Scopes...)
}

// token makes an API token of a merchant's.
func (w *world) token(merchant string, scopes ...access.Scope) (bearer string) {
	w.Helper()
	want := settings.NewToken{Merchant: merchant, Name: "test", By: access.Operator()}
	for _, scope := range scopes {
		want.Scopes = append(want.Scopes, string(scope))
	}
	_, bearer, err := (&settings.Tokens{Store: w.store, Now: w.now}).Create(context.Background(), want)
	if err != nil {
		w.Fatal(err)
	}
	return bearer
}

// setMerchant stores a merchant, whatever there was.
func (w *world) setMerchant(m catalog.Merchant) {
	w.Helper()
	ctx := context.Background()
	var any settings.Condition
	if _, err := w.merchants.Get(ctx, m.Name); err == nil {
		any.Version = func(int) bool { return true }
	}
	if _, _, err := w.merchants.Put(ctx, m, access.Operator(), any); err != nil {
		w.Fatal(err)
	}
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

// send sends an event as it is.
func (w *world) send(e events.APIGatewayV2HTTPRequest) resttest.Response {
	w.Helper()
	return resttest.Send(w.T, w.serve, document, e)
}

// shop calls with an API token.
func (w *world) shop(bearer, method, path string, body any, headers ...string) resttest.Response {
	w.Helper()
	e := resttest.Altered(w, resttest.Event(w, "good_api_pool"), method, path, body, headers...)
	e.Headers["authorization"] = "Bearer " + bearer
	return w.send(e)
}

type fakeSealer struct {
	mu     sync.Mutex
	sealed []string
	keys   [][]byte
	err    error
}

func (s *fakeSealer) Seal(_ context.Context, merchant, account string, secret []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	s.sealed = append(s.sealed, fmt.Sprintf("%s/%s:%x", merchant, account, secret))
	s.keys = append(s.keys, secret)
	return fmt.Appendf(nil, "sealed %d", len(s.sealed)), nil
}

// Unseal opens what Seal made for the same merchant and account.
func (s *fakeSealer) Unseal(_ context.Context, merchant, account string, sealed []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var n int
	if _, err := fmt.Sscanf(string(sealed), "sealed %d", &n); err != nil || n > len(s.keys) || !strings.HasPrefix(s.sealed[n-1], merchant+"/"+account+":") {
		return nil, fmt.Errorf("%s/%s did not seal %q", merchant, account, sealed)
	}
	return s.keys[n-1], s.err
}

func (s *fakeSealer) SealCredential(ctx context.Context, merchant, account, name string, credential []byte) ([]byte, error) {
	return s.Seal(ctx, merchant, account+" "+name, credential)
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
func (q *fakeQueue) drain() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	sent := q.sent
	q.sent = nil
	return sent
}

// fakeFiles keeps the files that keys became, by name.
type fakeFiles struct {
	mu      sync.Mutex
	files   map[string]string
	digests map[string]string
}

func (f *fakeFiles) PutNew(_ context.Context, name string, content []byte, digest string) (upload.Object, upload.Stat, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.files == nil {
		f.files, f.digests = map[string]string{}, map[string]string{}
	}
	if _, there := f.files[name]; !there {
		f.files[name], f.digests[name] = string(content), digest
	}
	return upload.Object{Bucket: "uploads", Name: name, Version: "1"}, upload.Stat{LastModified: noon}, f.digests[name], nil
}

type fakeBucket struct{}

func (fakeBucket) PresignUpload(_ context.Context, name string, size int64, lasts time.Duration) (string, map[string]string, error) {
	headers := map[string]string{"Content-Length": strconv.FormatInt(size, 10), "If-None-Match": "*"}
	return "https://uploads.example.com/" + ticketName.ReplaceAllString(name, "ticket-x/") + "?lasts=" + lasts.String(), headers, nil
}

var ticketName = regexp.MustCompile("ticket-[0-9a-f]{16}/")

func (fakeBucket) PresignFile(_ context.Context, object, file string, lasts time.Duration) (string, error) {
	return "https://reports.example.com/" + object + "?file=" + file + "&lasts=" + lasts.String(), nil
}

func (fakeBucket) PresignReport(_ context.Context, name string, lasts time.Duration) (string, error) {
	return "https://reports.example.com/" + name + "?lasts=" + lasts.String(), nil
}
