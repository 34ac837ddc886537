package catchup_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/catchup"
	"keypool/shared/claim"
	"keypool/shared/intake"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/platform/standard"
	"keypool/shared/pool"
)

// given is an adapter whose platform lists what the test gives it.
type given struct {
	standard.Adapter
	listed  *[]platform.Purchase
	status  *platform.WebhookStatus
	asked   *[]time.Time
	address *string
}

func (given) CheckCredential(string, string) error { return nil }

func (g given) Changed(_ context.Context, _ platform.Account, since time.Time) iter.Seq2[platform.Purchase, error] {
	*g.asked = append(*g.asked, since)
	return func(yield func(platform.Purchase, error) bool) {
		for _, p := range *g.listed {
			if !p.ChangedAt.Before(since) && !yield(p, nil) {
				return
			}
		}
	}
}

func (g given) Probe(_ context.Context, _ platform.Account, address string) (platform.WebhookStatus, error) {
	*g.address = address
	return *g.status, nil
}

// made is a given adapter whose platform lets webhooks be made.
type made struct{ given }

func (m made) Subscribe(context.Context, platform.Account, string) error {
	*m.status = platform.WebhookActive
	return nil
}

type quiet struct{}

func (quiet) Send(context.Context, any, time.Duration) error { return nil }

func (quiet) UnsealCredential(_ context.Context, _, _, _ string, sealed []byte) ([]byte, error) {
	return sealed, nil
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// shop is an account that is caught up with.
type shop struct {
	*testing.T
	*catchup.Catchup
	given
	meter dynamotest.Meter
	now   time.Time
	state func() catalog.Catchup
	told  func() int
}

func open(t *testing.T, wrap func(given) platform.Adapter) *shop {
	t.Helper()
	status := platform.WebhookActive
	s := &shop{T: t, now: noon, given: given{listed: &[]platform.Purchase{}, status: &status, asked: &[]time.Time{}, address: new("")}}
	store, tables := dynamotest.Open(t, s.meter.Option)
	for _, err := range []error{
		store.PutMerchant(t.Context(), catalog.Merchant{Name: "acme", Title: "Acme"}),
		store.PutPool(t.Context(), catalog.Pool{Merchant: "acme", Name: "elden", Shards: pool.DefaultShards}),
		store.PutProduct(t.Context(), catalog.Product{Merchant: "acme", ID: "game", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}}),
		store.PutAccount(t.Context(), catalog.Account{
			Merchant: "acme", Name: "shop", Platform: "given", Origin: "the shop", DeliversFrom: noon.AddDate(0, 0, -1),
			Credentials: []catalog.SealedCredential{{Name: "key", Blob: []byte("sealed")}},
		}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	dynamotest.Stock(t, tables, pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}, pool.DefaultShards, dynamotest.Texts("KEY", 100)...)
	clock := func() time.Time { return s.now }
	s.Catchup = &catchup.Catchup{
		Accounts: store, Store: store, Adapters: map[string]platform.Adapter{"given": wrap(s.given)}, Opener: quiet{}, Queue: quiet{},
		PublicURL: "https://api.example.com", Now: clock,
		Intake: &intake.Intake{
			Claims:  &claim.Claimer{Store: store, Cached: store, Uncached: store, Fill: quiet{}, Now: clock},
			Orders:  &lifecycle.Lifecycle{Store: store, Wholes: store, Settings: store, Fill: quiet{}, Now: clock},
			Records: store, Products: store, MaxQuantity: 10, By: "catchup", Now: clock,
		},
	}
	s.state = func() catalog.Catchup {
		state, err := store.Catchup(t.Context(), "acme", "shop")
		if err != nil {
			t.Fatal(err)
		}
		return state
	}
	s.told = func() int { return len(dynamotest.Partitions(t, tables.Orders, "notice#acme#webhook-inactive#")) }
	return s
}

func plain(g given) platform.Adapter { return g }

func (s *shop) run() {
	s.Helper()
	if err := s.Catchup.Run(s.Context(), platform.AskCatchup("acme", "shop"), s.now.Add(time.Minute)); err != nil {
		s.Fatal(err)
	}
}

func (s *shop) paid(number string, at time.Time) {
	*s.listed = append(*s.listed, platform.Purchase{ChangedAt: at, Paid: &platform.Paid{
		Order: number, PaidAt: at, Customer: order.Customer{Email: "ada@example.com"}, Lines: []platform.Line{{ID: "1", Product: "game", Quantity: 1}},
	}})
}

// The cost page counts by these figures: a run without news reads the account and writes
// its lease twice; each order that it meets again is one read unit, and no claim.
func TestRun_costs(t *testing.T) {
	t.Parallel()
	s := open(t, plain)
	units := func() (reads, writes float64) {
		s.meter.Reset()
		s.run()
		return s.meter.Units()
	}
	if reads, writes := units(); reads != 1 || writes != 2 {
		t.Errorf("a run without news takes %v read units and %v write units", reads, writes)
	}
	for n := range 20 {
		s.paid(string(rune('a'+n)), s.now.Add(time.Duration(n-30)*time.Minute))
	}
	units()
	if reads, writes := units(); reads != 21 || writes != 2 {
		t.Errorf("a run that meets 20 orders again takes %v read units and %v write units", reads, writes)
	}
	batches := 0
	for _, call := range s.meter.Calls() {
		if call.Operation == "BatchGetItem" {
			batches++
		}
	}
	if batches != 1 {
		t.Errorf("20 orders are read by %d calls", batches)
	}
}

// A change from the future would have a run pass over all that comes until then.
func TestRun_aClockThatIsWrong(t *testing.T) {
	t.Parallel()
	s := open(t, plain)
	s.paid("1", noon.AddDate(70, 0, 0))
	s.run()
	if watermark := s.state().Watermark; watermark.After(s.now) {
		t.Errorf("the watermark is %s", watermark)
	}
}

// An account that does not deliver yet is not looked at, and one that delivers from a time
// on never before it.
func TestRun_beginsWhenTheAccountDelivers(t *testing.T) {
	t.Parallel()
	s := open(t, plain)
	s.paid("1", noon.AddDate(0, 0, -1).Add(time.Minute))
	s.run()
	s.run()
	for _, since := range *s.asked {
		if want := noon.AddDate(0, 0, -1); !since.Equal(want) {
			t.Errorf("asked since %s, want %s", since, want)
		}
	}
	s.now = noon.AddDate(0, 0, -2)
	before := len(*s.asked)
	s.run()
	if len(*s.asked) != before {
		t.Error("asked before the account delivers")
	}
}

// A webhook that is not active is told once a day, and one that is missing is made where
// the platform lets us.
func TestRun_webhook(t *testing.T) {
	t.Parallel()
	s := open(t, plain)
	s.run()
	if got := s.state().Webhook; got != "active" || *s.address != "https://api.example.com/webhooks/acme/shop" || s.told() != 0 {
		t.Errorf("%q at %s, told %d times", got, *s.address, s.told())
	}
	for _, status := range []platform.WebhookStatus{platform.WebhookInactive, platform.WebhookMissing} {
		*s.status = status
		s.now = s.now.AddDate(0, 0, 1)
		before := s.told()
		for range 3 {
			s.run()
			s.now = s.now.Add(15 * time.Minute)
		}
		if got := s.state().Webhook; got != string(status) || s.told() != before+1 {
			t.Errorf("%q, told %d times in a day", got, s.told()-before)
		}
	}

	made := open(t, func(g given) platform.Adapter { return made{g} })
	*made.status = platform.WebhookMissing
	made.run()
	if got := made.state().Webhook; got != "active" || *made.status != platform.WebhookActive || made.told() != 0 {
		t.Errorf("a webhook that can be made is %q, told %d times", got, made.told())
	}
}
