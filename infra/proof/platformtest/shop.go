package platformtest

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/dynamo"
	"keypool/shared/intake"
	"keypool/shared/lifecycle"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/platform"
	"keypool/shared/platform/standard"
	"keypool/shared/pool"
	"keypool/shared/sweep"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const email = "ada@example.com"

// keysOfEachSide are the keys for sale, live and test.
const keysOfEachSide = 20

// shop is a merchant with one account of the platform, on tables of its own.
type shop struct {
	testing.TB
	p        Platform
	store    *dynamo.Store
	tables   dynamo.Tables
	meter    dynamotest.Meter
	accounts *platform.Accounts
	intake   *intake.Intake
	orders   *lifecycle.Lifecycle
	account  catalog.Account
	now      time.Time
	decoded  atomic.Int64 // calls of Decode
}

func openShop(t testing.TB, p Platform, change ...func(*catalog.Account)) *shop {
	t.Helper()
	s := &shop{TB: t, p: p, now: noon}
	s.store, s.tables = dynamotest.Open(t, s.meter.Option)
	s.account = catalog.Account{
		Merchant: "acme", Name: "shop", Platform: p.Name, Origin: "the shop", DeliversFrom: noon.AddDate(0, 0, -1), Settings: p.Settings,
	}
	for i, secret := range p.Secrets {
		s.account.Secrets = append(s.account.Secrets, catalog.SealedSecret{Name: string(rune('a' + i)), Blob: p.key(t, secret)})
	}
	if p.TestSecret != "" {
		s.account.Secrets = append(s.account.Secrets, catalog.SealedSecret{Name: "test", Test: true, Blob: p.key(t, p.TestSecret)})
	}
	for name, text := range p.Credentials {
		s.account.Credentials = append(s.account.Credentials, catalog.SealedCredential{Name: name, Blob: []byte(text)})
	}
	for _, c := range change {
		c(&s.account)
	}
	ctx := t.Context()
	for _, err := range []error{
		s.store.PutMerchant(ctx, catalog.Merchant{Name: "acme", Title: "Acme"}),
		s.store.PutPool(ctx, catalog.Pool{Merchant: "acme", Name: "elden", Shards: pool.DefaultShards}),
		s.store.PutProduct(ctx, catalog.Product{Merchant: "acme", ID: Game, Title: "Game", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}}),
		s.store.PutAccount(ctx, s.account),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, side := range pool.Sides {
		dynamotest.Stock(t, s.tables, pool.ID{Merchant: "acme", Pool: "elden", Side: side}, pool.DefaultShards, dynamotest.Texts("KEY-"+string(side), keysOfEachSide)...)
	}
	clock := func() time.Time { return s.now }
	adapters := map[string]platform.Adapter{platform.Standard: standard.Adapter{}, p.Name: s.counted()}
	s.accounts = platform.NewAccounts(adapters, s.store.Account, unsealed{}, clock)
	s.orders = &lifecycle.Lifecycle{Store: s.store, Wholes: s.store, Uploads: s.store, Notices: s.store, Settings: s.store, Fill: quiet{}, By: "webhook", Now: clock}
	s.intake = &intake.Intake{
		Claims:  &claim.Claimer{Store: s.store, Cached: s.store, Uncached: s.store, Fill: quiet{}, Notices: s.store, By: "webhook", Now: clock},
		Orders:  s.orders,
		Records: s.store, Products: s.store, MaxQuantity: 10, By: "webhook", Now: clock,
	}
	return s
}

// counted returns the adapter, whose calls of Decode are counted.
func (s *shop) counted() platform.Adapter {
	if _, fetches := s.p.Adapter.(platform.Fetcher); fetches {
		return fetching{counting{s.p.Adapter, s}}
	}
	return counting{s.p.Adapter, s}
}

type counting struct {
	platform.Adapter
	shop *shop
}

func (c counting) Decode(ctx context.Context, r platform.Request, a platform.Account) ([]platform.Event, error) {
	c.shop.decoded.Add(1)
	return c.Adapter.Decode(ctx, r, a)
}

// TellsSide implements platform.SideTeller, as far as the adapter does.
func (c counting) TellsSide() string { return platform.MarkProblem(c.Adapter) }

type fetching struct{ counting }

func (fetching) CheckCredential(string, string) error { return nil }

// unsealed opens what was never sealed.
type unsealed struct{}

func (unsealed) Unseal(_ context.Context, _, _ string, sealed []byte) ([]byte, error) {
	return sealed, nil
}

func (unsealed) UnsealCredential(_ context.Context, _, _, _ string, sealed []byte) ([]byte, error) {
	return sealed, nil
}

type quiet struct{}

func (quiet) Send(context.Context, any, time.Duration) error { return nil }

// refusedSignature is the answer to a webhook that the account did not sign.
const refusedSignature = 401

// receive takes a webhook as function webhook does, and returns what became of it.
func (s *shop) receive(r platform.Request) (platform.Response, []platform.Result) {
	s.Helper()
	ctx := context.Background() // calls run beside each other, and after the test's end none
	sender, err := s.accounts.Verify(ctx, "acme", "shop", r)
	if errors.Is(err, platform.ErrSignature) {
		return platform.Response{Status: refusedSignature}, nil
	}
	if err != nil {
		s.Errorf("verify: %v", err)
		return platform.Response{Status: 503}, nil
	}
	var results []platform.Result
	events, err := sender.Decode(ctx, r)
	if err == nil {
		results = s.intake.Apply(ctx, sender.Account, r, events)
	} else {
		results = s.intake.Refuse(ctx, sender.Account, r, err)
	}
	return sender.Answer(results), results
}

// send sends a webhook, signed now by the first secret, or that of the test mode.
func (s *shop) send(kind Kind, o Order) (platform.Response, []platform.Result) {
	s.Helper()
	return s.receive(s.p.signed(s, kind, o, s.secretOf(o), s.now))
}

func (s *shop) secretOf(o Order) string {
	if o.Test && s.p.TestSecret != "" {
		return s.p.TestSecret
	}
	return s.p.Secrets[0]
}

// received sends a webhook that the platform must count as received.
func (s *shop) received(kind Kind, o Order) []platform.Result {
	s.Helper()
	answer, results := s.send(kind, o)
	if answer.Status/100 != 2 {
		s.Fatalf("%s of %+v is answered %d: %s; %+v", kind, o, answer.Status, answer.Body, results)
	}
	return results
}

// game is an order of one unit, paid a minute ago.
func (s *shop) game(n int) Order {
	return Order{N: n, Product: Game, Quantity: 1, Email: email, PaidAt: s.now.Add(-time.Minute)}
}

// sold holds the books to the keys that were sold, and returns them.
func (s *shop) sold(want int, what string) dynamotest.Books {
	s.Helper()
	books := dynamotest.Audit(s, s.tables)
	if books.Claimed != want {
		s.Errorf("%s: %d keys are with customers, want %d", what, books.Claimed, want)
	}
	return books
}

// sweep lets the time pass that the fast path has, and sweeps what it left.
func (s *shop) sweep() {
	s.Helper()
	s.now = s.now.Add(outbox.SweepAfter)
	sweeper := &sweep.Sweeper{
		Store: s.store, Catalog: s.store, Orders: s.orders, Fill: quiet{}, Ranges: quiet{},
		Now: func() time.Time { return s.now },
	}
	if _, err := sweeper.Sweep(s.Context(), s.now.Add(time.Minute)); err != nil {
		s.Fatal(err)
	}
}

// soldOf returns how many of the keys of a side are sold.
func (s *shop) soldOf(side pool.Side) int {
	s.Helper()
	sold := 0
	for _, line := range dynamotest.Audit(s, s.tables).Lines {
		for _, key := range line.Keys {
			if strings.HasPrefix(key.Text, "KEY-"+string(side)) {
				sold++
			}
		}
	}
	return sold
}

// told returns the merchant's notices of a kind.
func (s *shop) told(kind notice.Kind) []notice.Notice {
	s.Helper()
	var all []notice.Notice
	for _, id := range dynamotest.Partitions(s, s.tables.Orders, "notice#acme#"+string(kind)+"#") {
		n, _, err := s.store.Notice(s.Context(), strings.TrimPrefix(id, "notice#"))
		if err != nil {
			s.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

// refused returns the merchant's refusals.
func (s *shop) refused() []order.Refusal {
	s.Helper()
	all, _, err := s.store.Refusals(s.Context(), "acme", "", 100)
	if err != nil {
		s.Fatal(err)
	}
	return all
}

// history returns the history of a live line, as its order's number was answered.
func (s *shop) history(number, line string) []order.History {
	s.Helper()
	id := order.Identity{Merchant: "acme", Side: pool.Live, Origin: s.account.Origin, Order: number, Line: line}.ID()
	all, err := s.store.History(s.Context(), id)
	if err != nil {
		s.Fatal(err)
	}
	return all
}
