package catchup_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/catchup"
	"keypool/shared/claim"
	"keypool/shared/dynamo"
	"keypool/shared/intake"
	"keypool/shared/lifecycle"
	"keypool/shared/notice"
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
	store *dynamo.Store
	meter dynamotest.Meter
	now   time.Time
	state func() catalog.Catchup
	told  func(notice.Kind) int
}

func open(t *testing.T, wrap func(given) platform.Adapter) *shop {
	t.Helper()
	status := platform.WebhookActive
	s := &shop{T: t, now: noon, given: given{listed: &[]platform.Purchase{}, status: &status, asked: &[]time.Time{}, address: new("")}}
	store, tables := dynamotest.Open(t, s.meter.Option)
	s.store = store
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
			Claims:  &claim.Claimer{Store: store, Cached: store, Uncached: store, Fill: quiet{}, Notices: store, By: "catchup", Now: clock},
			Orders:  &lifecycle.Lifecycle{Store: store, Wholes: store, Uploads: store, Notices: store, Settings: store, Fill: quiet{}, By: "catchup", Now: clock},
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
	s.told = func(kind notice.Kind) int {
		return len(dynamotest.Partitions(t, tables.Orders, "notice#acme#"+string(kind)+"#"))
	}
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

// An order that is known is claimed again if the platform has come to call it risky.
func TestRun_lateRisk(t *testing.T) {
	t.Parallel()
	s := open(t, plain)
	review, err := s.store.Review(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	review.Rules.Risk = true
	if err := s.store.PutReview(t.Context(), review); err != nil {
		t.Fatal(err)
	}
	s.paid("1", s.now.Add(-time.Minute))
	s.run()
	id := order.Identity{Merchant: "acme", Side: pool.Live, Origin: "the shop", Order: "1", Line: "1"}.ID()
	for _, step := range []struct {
		risk string
		want order.State
	}{{"accept", order.Fulfilled}, {"cancel", order.OnHold}} {
		(*s.listed)[0].Paid.Risk = step.risk
		s.run()
		if line, _, err := s.store.Fulfillment(t.Context(), id); err != nil || line.State() != step.want {
			t.Errorf("called %q, the line is %s, %v", step.risk, line.State(), err)
		}
	}
}

// An order that was returned and is paid again is found, though its lines are known, and told
// once. One that is edited, and shows the refund of its line still, is not.
func TestRun_paidAgain(t *testing.T) {
	t.Parallel()
	s := open(t, plain)
	back := s.now.Add(-50 * time.Minute)
	for _, number := range []string{"cancelled", "refunded"} {
		s.paid(number, s.now.Add(-time.Hour))
	}
	s.run()
	cancelled, refunded := &(*s.listed)[0], &(*s.listed)[1]
	asPaid := cancelled.Paid
	cancelled.ChangedAt, cancelled.Paid = back, nil
	cancelled.Returned = []platform.Returned{{Order: "cancelled", ID: "cancelled", All: true, At: back}}
	refunded.ChangedAt, refunded.Paid.ChangedAt = back, back
	refunded.Returned = []platform.Returned{{Order: "refunded", ID: "R1", Lines: []platform.ReturnedLine{{ID: "1", Quantity: 1}}, At: back}}
	s.run()
	for n := range 3 {
		at := back.Add(time.Duration(n+1) * time.Minute)
		cancelled.Paid, cancelled.Returned = asPaid, nil
		for _, p := range []*platform.Purchase{cancelled, refunded} {
			p.ChangedAt, p.Paid.ChangedAt = at, at
		}
		s.run()
		for _, number := range []string{"cancelled", "refunded"} {
			if line, _ := s.fulfillment(number); line.State() != order.Returned || line.Allocated != 0 {
				t.Errorf("order %s is %s with %d keys", number, line.State(), line.Allocated)
			}
		}
		refusals, _, err := s.store.Refusals(t.Context(), "acme", "", 10)
		if err != nil || len(refusals) != 1 || refusals[0].Order != "cancelled" || refusals[0].Account != "shop" {
			t.Errorf("listed %+v, %v", refusals, err)
		}
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

// failing is an adapter whose platform's API fails.
type failing struct {
	given
	err *error // nil: it answers
}

func (f failing) Changed(context.Context, platform.Account, time.Time) iter.Seq2[platform.Purchase, error] {
	return func(yield func(platform.Purchase, error) bool) {
		if *f.err != nil {
			yield(platform.Purchase{}, *f.err)
		}
	}
}

// A platform's API that has not answered for a day is told, once a day, also where it never did:
// orders may be left to catch-up. The day is that of the runs, however long the account delivers
// or was not asked.
func TestRun_doesNotAnswerForADay(t *testing.T) {
	t.Parallel()
	away, unreadable, refused := platform.ErrTryAgain, errors.New("a page of the shop's"), error(&platform.SetupError{Field: "credentials.key", Problem: "is refused"})
	var failure error
	s := open(t, func(g given) platform.Adapter { return failing{g, &failure} })
	account, _, err := s.store.Account(t.Context(), "acme", "shop")
	if err != nil {
		t.Fatal(err)
	}
	account.DeliversFrom = noon.AddDate(-1, 0, 0)
	if err := s.store.PutAccount(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	for _, run := range []struct {
		at      time.Duration
		failure error
		told    int
	}{
		{0, away, 0},
		{13 * time.Hour, unreadable, 0},
		{24 * time.Hour, away, 0},
		{26 * time.Hour, away, 1},
		{39 * time.Hour, away, 2},
		{40 * time.Hour, away, 2},
		{41 * time.Hour, nil, 2},
		{100 * time.Hour, away, 2},
		{123 * time.Hour, away, 2},
		{125 * time.Hour, away, 3},
		{150 * time.Hour, refused, 4},
		{200 * time.Hour, away, 4},
		{223 * time.Hour, away, 4},
		{225 * time.Hour, away, 5},
	} {
		s.now, failure = noon.Add(run.at), run.failure
		s.run()
		if told := s.told(notice.CatchupFailed); told != run.told || (s.state().Error == "") != (run.failure == nil) {
			t.Errorf("after %s: told %d times, want %d; %+v", run.at, told, run.told, s.state())
		}
	}
}

// halfAway is an adapter of a platform whose test side is away: what it lists is behind that.
type halfAway struct {
	given
	away  *bool
	until func() // of one that is cut off
}

func (h halfAway) Changed(ctx context.Context, account platform.Account, since time.Time) iter.Seq2[platform.Purchase, error] {
	return func(yield func(platform.Purchase, error) bool) {
		for p, err := range h.given.Changed(ctx, account, since) {
			p.Behind = *h.away
			if !yield(p, err) {
				return
			}
		}
		switch {
		case h.until != nil:
			h.until()
			yield(platform.Purchase{}, context.DeadlineExceeded)
		case *h.away:
			yield(platform.Purchase{}, platform.ErrTryAgain)
		}
	}
}

// Live orders do not wait for a test side that is away, and the watermark waits for it a day: its
// orders of that time are found when it is back.
func TestRun_theTestSideIsAway(t *testing.T) {
	t.Parallel()
	away := true
	s := open(t, func(g given) platform.Adapter { return halfAway{given: g, away: &away} })
	s.paid("live", noon.Add(-time.Minute))
	s.run()
	if line, ok := s.fulfillment("live"); !ok || line.State() != order.Fulfilled || !s.state().Watermark.IsZero() {
		t.Errorf("it is %v, %s; %+v", ok, line.State(), s.state())
	}
	s.now = noon.Add(5 * time.Hour)
	s.paid("live2", s.now.Add(-time.Minute))
	s.run()
	away = false
	s.paid("test", noon.Add(time.Hour))
	s.run()
	if _, ok := s.fulfillment("test"); !ok || !s.state().Watermark.Equal(s.now.Add(-time.Minute)) {
		t.Errorf("an order of the side that was away: found %v; %+v", ok, s.state())
	}
	away = true
	s.now = s.now.Add(time.Hour)
	s.run()
	s.now = s.now.Add(25 * time.Hour)
	s.paid("live3", s.now.Add(-time.Minute))
	if s.run(); !s.state().Watermark.Equal(s.now.Add(-time.Minute)) {
		t.Errorf("after a day: %+v", s.state())
	}
}

// A run that has no time left goes on with the live side where it stopped.
func TestRun_theTestSideIsAwayAndTimeIsUp(t *testing.T) {
	t.Parallel()
	away := true
	var s *shop
	s = open(t, func(g given) platform.Adapter {
		return halfAway{given: g, away: &away, until: func() { s.now = s.now.Add(50 * time.Second) }}
	})
	s.paid("live", noon.Add(-time.Minute))
	if s.run(); !s.state().Watermark.Equal(noon.Add(-time.Minute)) {
		t.Errorf("%+v", s.state())
	}
}

// An account that delivers from an earlier time by now is read again from there.
func TestRun_accountThatDeliversFromEarlier(t *testing.T) {
	t.Parallel()
	s := open(t, plain)
	early := noon.AddDate(0, 0, -3)
	s.paid("1", early.Add(time.Hour))
	s.paid("2", noon.Add(-time.Minute))
	s.run()
	if _, ok := s.fulfillment("1"); ok {
		t.Error("an order was found from before the account delivers")
	}
	account, _, err := s.Accounts.Account(t.Context(), "acme", "shop")
	if err != nil {
		t.Fatal(err)
	}
	account.DeliversFrom = early
	if err := s.Accounts.(*dynamo.Store).PutAccount(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	s.run()
	if since := (*s.asked)[len(*s.asked)-1]; !since.Equal(early) {
		t.Errorf("asked since %s", since)
	}
	if line, ok := s.fulfillment("1"); !ok || line.State() != order.Fulfilled {
		t.Errorf("it is %v, %s", ok, line.State())
	}
}

// A webhook that is not active is told once a day, and one that is missing is made where
// the platform lets us.
func TestRun_webhook(t *testing.T) {
	t.Parallel()
	s := open(t, plain)
	s.run()
	if got := s.state().Webhook; got != "active" || *s.address != "https://api.example.com/webhooks/acme/shop" || s.told(notice.WebhookInactive) != 0 {
		t.Errorf("%q at %s, told %d times", got, *s.address, s.told(notice.WebhookInactive))
	}
	for _, status := range []platform.WebhookStatus{platform.WebhookInactive, platform.WebhookMissing} {
		*s.status = status
		s.now = s.now.AddDate(0, 0, 1)
		before := s.told(notice.WebhookInactive)
		for range 3 {
			s.run()
			s.now = s.now.Add(15 * time.Minute)
		}
		if got := s.state().Webhook; got != string(status) || s.told(notice.WebhookInactive) != before+1 {
			t.Errorf("%q, told %d times in a day", got, s.told(notice.WebhookInactive)-before)
		}
	}

	made := open(t, func(g given) platform.Adapter { return made{g} })
	*made.status = platform.WebhookMissing
	made.run()
	if got := made.state().Webhook; got != "active" || *made.status != platform.WebhookActive || made.told(notice.WebhookInactive) != 0 {
		t.Errorf("a webhook that can be made is %q, told %d times", got, made.told(notice.WebhookInactive))
	}
}

// watched is an intake that stores nothing of some events, and keeps what it was given.
type watched struct {
	of    catchup.Intake
	fails func(platform.Event) bool
	given *[]platform.Event
}

func (w watched) Take(ctx context.Context, from platform.Account, events ...platform.Event) []platform.Result {
	*w.given = append(*w.given, events...)
	for _, e := range events {
		if w.fails(e) {
			return []platform.Result{{Outcome: platform.Failed}}
		}
	}
	return w.of.Take(ctx, from, events...)
}

func (w watched) PassOver(ctx context.Context, from platform.Account, changedAt time.Time, mistake *platform.FieldError) []platform.Result {
	return w.of.PassOver(ctx, from, changedAt, mistake)
}

func (s *shop) fulfillment(number string) (order.Fulfillment, bool) {
	s.Helper()
	id := order.Identity{Merchant: "acme", Side: pool.Live, Origin: "the shop", Order: number, Line: "1"}.ID()
	line, ok, err := s.Accounts.(*dynamo.Store).Fulfillment(s.Context(), id)
	if err != nil {
		s.Fatal(err)
	}
	return line, ok
}

// What cannot be stored holds up nothing after it but the watermark, so that the next run
// meets it again. An order whose refund cannot be stored is not claimed.
func TestRun_whatFailsIsMetAgain(t *testing.T) {
	t.Parallel()
	s := open(t, plain)
	s.paid("1", noon.Add(-20*time.Hour))
	s.paid("2", noon.Add(-time.Hour))
	(*s.listed)[0].Returned = []platform.Returned{{Order: "1", ID: "r", All: true}}
	var given []platform.Event
	down := true
	s.Intake = watched{s.Intake, func(e platform.Event) bool { _, is := e.(platform.Returned); return is && down }, &given}
	s.run()
	if line, ok := s.fulfillment("1"); ok {
		t.Errorf("an order was claimed whose refund was not stored: %s", line.State())
	}
	if line, ok := s.fulfillment("2"); !ok || line.State() != order.Fulfilled {
		t.Errorf("the order after it is %v, %s", ok, line.State())
	}
	if at := s.state().Watermark; !at.Before(noon.Add(-20 * time.Hour)) {
		t.Errorf("the watermark is %s, beyond what was not stored", at)
	}
	down = false
	s.run()
	if line, ok := s.fulfillment("1"); !ok || line.Allocated > 0 || line.State() == order.Fulfilled {
		t.Errorf("the refunded order is %v, %s with %d keys", ok, line.State(), line.Allocated)
	}
	if at := s.state().Watermark; !at.Equal(noon.Add(-time.Hour)) {
		t.Errorf("the watermark is %s", at)
	}
}

// A dispute that a person dropped is no news while the platform lists it as open, and costs
// no more than any other order; it is, once the platform says that it was lost.
func TestRun_disputeThatWasDropped(t *testing.T) {
	t.Parallel()
	s := open(t, plain)
	s.paid("1", noon.Add(-time.Hour))
	(*s.listed)[0].Disputed = []platform.Disputed{{Order: "1", ID: "d", State: platform.DisputeOpen}}
	s.run()
	line, _ := s.fulfillment("1")
	if line.State() != order.OnHold {
		t.Fatalf("it is %s", line.State())
	}
	changes := &lifecycle.Lifecycle{Store: s.store, Wholes: s.store, Uploads: s.store, Notices: s.store, Settings: s.store, Fill: quiet{}, By: "webhook", Now: func() time.Time { return s.now }}
	if _, err := changes.ReleaseDisputed(t.Context(), order.Whole{ID: line.ID.OrderHalf(), Merchant: "acme", Side: line.Side, Account: "shop", Order: "1"}, lifecycle.Act{By: "ada"}); err != nil {
		t.Fatal(err)
	}
	s.meter.Reset()
	s.run()
	if reads, writes := s.meter.Units(); reads != 3 || writes != 2 { // of the account, the line and its order
		t.Errorf("a run that meets the order again takes %v read units and %v write units", reads, writes)
	}
	if line, _ = s.fulfillment("1"); line.State() != order.Waiting {
		t.Errorf("dropped, it is %s (%q)", line.State(), line.Holds)
	}
	(*s.listed)[0].Disputed[0].State = platform.DisputeLost
	s.run()
	if line, _ = s.fulfillment("1"); line.State() != order.Returned {
		t.Errorf("lost, it is %s", line.State())
	}
}

// A line that asks for somebody may be stored by a run, or a webhook, that failed before it
// told. The next run tells, and those after it have nothing to do.
func TestRun_whatFailedIsTold(t *testing.T) {
	t.Parallel()
	s := open(t, plain)
	if err := s.store.PutReview(t.Context(), catalog.Review{Merchant: "acme", Rules: catalog.Rules{Always: true}}); err != nil {
		t.Fatal(err)
	}
	s.paid("1", noon.Add(-2*time.Minute))
	s.paid("2", noon.Add(-time.Minute))
	(*s.listed)[1].Paid.Lines[0].Product = "poster"
	taking := s.Intake.(*intake.Intake)
	taking.Records = deaf{s.store}
	s.run()
	for number, want := range map[string]order.State{"1": order.OnHold, "2": order.Unconnected} {
		if line, _ := s.fulfillment(number); line.State() != want {
			t.Fatalf("order %s is %s, want %s", number, line.State(), want)
		}
	}
	if n := s.told(notice.HeldForReview) + s.told(notice.Unconnected); n > 0 {
		t.Fatalf("told %d times by a run that cannot tell", n)
	}
	taking.Records = s.store
	var given []platform.Event
	s.Intake = watched{taking, func(platform.Event) bool { return false }, &given}
	for range 5 {
		s.now = s.now.Add(15 * time.Minute)
		s.run()
	}
	if held, others := s.told(notice.HeldForReview), s.told(notice.Unconnected); held != 2 || others != 1 {
		t.Errorf("told %d times of what a rule holds, want at once and at the end of the hour; %d times of what no pool feeds", held, others)
	}
	if len(given) != 2 {
		t.Errorf("two orders were taken %d times", len(given))
	}
}

// deaf stores no notice.
type deaf struct{ *dynamo.Store }

func (deaf) RaiseNotice(context.Context, notice.Notice) error { return errors.New("throttled") }

// keepsNothing is an intake that keeps nothing of what cannot be read, while it is down.
type keepsNothing struct {
	catchup.Intake
	down *bool
}

func (k keepsNothing) PassOver(ctx context.Context, from platform.Account, changedAt time.Time, mistake *platform.FieldError) []platform.Result {
	if *k.down {
		return []platform.Result{{Outcome: platform.Failed}}
	}
	return k.Intake.PassOver(ctx, from, changedAt, mistake)
}

// What cannot be read is met again until the merchant can be told of it, each of several that
// have no number.
func TestRun_whatIsPassedOverAndNotKept(t *testing.T) {
	t.Parallel()
	s := open(t, plain)
	down := true
	s.Intake = keepsNothing{s.Intake, &down}
	for n := range 2 {
		at := noon.Add(time.Duration(n-20) * time.Hour)
		*s.listed = append(*s.listed, platform.Purchase{ChangedAt: at, Unreadable: &platform.FieldError{Field: "id", Problem: "is missing"}})
	}
	s.paid("2", noon.Add(-time.Hour))
	refused := func() int {
		found, _, err := s.store.Refusals(t.Context(), "acme", "", 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	s.run()
	if at := s.state().Watermark; !at.Before(noon.Add(-20*time.Hour)) || refused() != 0 {
		t.Errorf("the watermark is %s, with %d refusals", at, refused())
	}
	if line, ok := s.fulfillment("2"); !ok || line.State() != order.Fulfilled {
		t.Errorf("the order after it is %v, %s", ok, line.State())
	}
	down = false
	for range 2 {
		s.run()
		if at := s.state().Watermark; !at.Equal(noon.Add(-time.Hour)) || refused() != 2 {
			t.Errorf("the watermark is %s, with %d refusals", at, refused())
		}
	}
}

// An order without an address is on hold, costs no claim when it is met again, and gets its
// keys when the platform lists it with one.
func TestRun_addressThatComesLater(t *testing.T) {
	t.Parallel()
	s := open(t, plain)
	bought := func(address string, changedAt time.Time) {
		*s.listed = []platform.Purchase{{ChangedAt: changedAt, Paid: &platform.Paid{
			Order: "1", PaidAt: noon.Add(-time.Hour), ChangedAt: changedAt, Customer: order.Customer{Email: address}, Lines: []platform.Line{{ID: "1", Product: "game", Quantity: 1}},
		}}}
	}
	bought("", noon.Add(-time.Hour))
	for range 2 {
		s.run()
		if line, ok := s.fulfillment("1"); !ok || !line.LacksAddress() || line.Allocated != 0 || line.Version != 1 {
			t.Errorf("it is %+v, %v", line, ok)
		}
	}
	if n := s.told(notice.NoAddress); n != 1 {
		t.Errorf("told %d times", n)
	}
	bought("ada@example.com", noon.Add(-time.Minute))
	s.run()
	if line, _ := s.fulfillment("1"); line.State() != order.Waiting || line.Customer.Email != "ada@example.com" {
		t.Errorf("with its address, it is %+v", line)
	}
}

// An order whose customer was erased costs no claim when it is met again.
func TestRun_erasedCustomer(t *testing.T) {
	t.Parallel()
	s := open(t, plain)
	s.paid("1", noon.Add(-time.Hour))
	s.run()
	line, _ := s.fulfillment("1")
	eraser := &lifecycle.Eraser{Lines: s.store, Words: s.store, Fill: quiet{}, Now: func() time.Time { return noon }}
	if _, err := eraser.Erase(t.Context(), line.ID, lifecycle.Erasure{Act: lifecycle.Act{By: "the token"}, Force: true}); err != nil {
		t.Fatal(err)
	}
	s.Intake = refusesAll{s.Intake, t}
	s.run()
	if now, _ := s.fulfillment("1"); now.Customer != (order.Customer{}) || now.Version != line.Version+1 {
		t.Errorf("it is %+v", now)
	}
}

// refusesAll is an intake that nothing is brought to.
type refusesAll struct {
	catchup.Intake
	t *testing.T
}

func (r refusesAll) Apply(_ context.Context, _ platform.Account, _ platform.Request, events []platform.Event) []platform.Result {
	r.t.Errorf("the intake is asked about %+v", events)
	return nil
}

// A payment that is no order is told once, whatever number of runs finds it.
func TestRun_paymentThatIsNoOrder(t *testing.T) {
	t.Parallel()
	s := open(t, plain)
	*s.listed = append(*s.listed, platform.Purchase{ChangedAt: noon.Add(-time.Hour), Ignored: []platform.Ignored{
		{Type: "invoice.paid", Payment: "in_9", Why: "is an invoice by hand"}, {Type: "order.created"},
	}})
	for range 2 {
		s.run()
	}
	found, _, err := s.store.Refusals(t.Context(), "acme", "", 10)
	if err != nil || len(found) != 1 || found[0].Order != "in_9" || found[0].Problem != "is an invoice by hand" {
		t.Errorf("listed %+v, %v", found, err)
	}
	if at := s.state().Watermark; !at.Equal(noon.Add(-time.Hour)) {
		t.Errorf("the watermark is %s", at)
	}
}

// A line is not known yet if only a refund of it was heard of.
func TestRun_refundBeforeTheOrder(t *testing.T) {
	t.Parallel()
	s := open(t, plain)
	s.paid("1", noon.Add(-time.Hour))
	(*s.listed)[0].Paid.Lines[0].Quantity = 2
	if got := s.Intake.Take(t.Context(), platform.Account{Merchant: "acme", Name: "shop", Origin: "the shop"},
		platform.Returned{Order: "1", ID: "r", Lines: []platform.ReturnedLine{{ID: "1", Quantity: 1}}}); got[0].Outcome != platform.Accepted {
		t.Fatalf("%+v", got)
	}
	stub, _ := s.fulfillment("1")
	if !stub.Expected {
		t.Fatalf("%+v", stub)
	}
	s.run()
	if line, _ := s.fulfillment("1"); line.Expected || line.Allocated != 1 {
		t.Errorf("it is %s with %d keys", line.State(), line.Allocated)
	}
}

// A list may show a change two hours late.
func TestRun_listThatLags(t *testing.T) {
	t.Parallel()
	s := open(t, plain)
	s.paid("2", noon.Add(-time.Hour))
	s.run()
	s.paid("1", noon.Add(-2*time.Hour))
	s.run()
	if _, ok := s.fulfillment("1"); !ok {
		t.Error("an order that was listed late was never found")
	}
}

// midway is a given adapter whose list lets something happen while it is read.
type midway struct {
	given
	happens *func()
}

func (m midway) Changed(ctx context.Context, a platform.Account, since time.Time) iter.Seq2[platform.Purchase, error] {
	if happens := *m.happens; happens != nil {
		*m.happens = nil
		happens()
	}
	return m.given.Changed(ctx, a, since)
}

// One run at a time looks at an account. One that took longer than its lease stores nothing
// of how far it has come.
func TestRun_oneAtATime(t *testing.T) {
	t.Parallel()
	var happens func()
	s := open(t, func(g given) platform.Adapter { return midway{g, &happens} })
	s.paid("1", noon.Add(-time.Hour))
	happens = func() {
		s.run()
		if n := len(*s.asked); n != 0 {
			t.Errorf("%d runs list beside the first", n)
		}
		s.now = noon.Add(time.Hour)
		s.paid("2", noon.Add(30*time.Minute))
		s.run()
		if at := s.state().Watermark; !at.Equal(noon.Add(30 * time.Minute)) {
			t.Errorf("the watermark is %s", at)
		}
		s.now = noon.Add(time.Second) // the clock of the first
	}
	s.run()
	if n := len(*s.asked); n != 2 {
		t.Errorf("%d runs listed", n)
	}
	if at := s.state().Watermark; !at.Equal(noon.Add(30 * time.Minute)) {
		t.Errorf("a run without a lease has set the watermark back to %s", at)
	}
}
