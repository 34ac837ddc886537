package platformtest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/catchup"
	"keypool/shared/claim"
	"keypool/shared/intake"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/pool"
)

// World is a stand-in of a platform's API, with the orders of one shop.
type World struct {
	// Adapter makes its calls to the stand-in.
	Adapter platform.Adapter

	// Put shows an order in the API, or shows it anew: paid at o.PaidAt, given back in whole
	// if it is refunded, and last changed at a time. A change without news, such as an
	// edited note, changes nothing where the platform's API lists no such changes.
	Put func(o Order, changedAt time.Time, refunded bool)

	// Spoil shows an order as Put does, paid and not given back, but for a member that is not as
	// the platform documents it: the order can never be read, only its number.
	Spoil func(o Order, changedAt time.Time)

	// Partly shows an order as Put does, one unit of which was given back, and returns its
	// webhook, which is read by a call of the API. Nil: a webhook that cannot be read is sent
	// again.
	Partly func(o Order, changedAt time.Time) Webhook
}

// Network is between an adapter and the stand-in: it counts the calls, and fails as a case
// has it.
type Network struct {
	mu    sync.Mutex
	calls int
	fails func(call int) int // the status of the n-th call from 1; 0: it is answered, hangs: never, garbles: by something else
	each  func(call int)     // called before a call is answered
}

// hangs is a call that gets no answer, garbles one that gets another than the API's.
const (
	hangs   = -1
	garbles = -2
)

// Before returns the stand-in with the network before it.
func (n *Network) Before(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		n.calls++
		status, call, each := 0, n.calls, n.each
		if n.fails != nil {
			status = n.fails(call)
		}
		n.mu.Unlock()
		if each != nil {
			each(call)
		}
		switch status {
		case 0:
			api.ServeHTTP(w, r)
		case hangs:
			_, _ = io.Copy(io.Discard, r.Body) // a server sees that its caller is gone only after the body
			<-r.Context().Done()
		case garbles:
			_, _ = io.WriteString(w, "<html>Under maintenance</html>")
		default:
			w.WriteHeader(status)
		}
	})
}

// now has the calls from now on fail, and counts them from 1.
func (n *Network) now(fails func(call int) int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls, n.fails = 0, fails
}

func (n *Network) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.calls
}

// RunCatchup runs all cases of catch-up on a platform. Open returns a new stand-in of its
// API for each of them, served behind the network:
//
//	platformtest.RunCatchup(t, p, func(t testing.TB, n *platformtest.Network) platformtest.World {
//		w := newWorld(t)
//		return platformtest.World{Adapter: acme.Adapter{API: apitest.Serve(t, n.Before(w))}, Put: w.put}
//	})
//
// P is the platform as in Run, with webhooks that tell of the same orders as the stand-in:
// Paid is needed, and p.Adapter is not. Its Credentials are those of the live side. A
// stand-in that is asked for webhooks has an active one to
// https://api.example.com/webhooks/acme/shop.
func RunCatchup(t *testing.T, p Platform, open func(t testing.TB, n *Network) World) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, func(...func(*catalog.Account)) *behind){
		"webhooks that never came":      neverCame,
		"an outage of three days":       outage,
		"several runs":                  severalRuns,
		"a bulk edit of old orders":     bulkEdit,
		"a webhook at the same time":    sameTime,
		"the API limits its callers":    failsInTheMiddle(http.StatusTooManyRequests),
		"the API fails":                 failsInTheMiddle(http.StatusInternalServerError),
		"the API hangs":                 failsInTheMiddle(hangs),
		"an answer cannot be read":      failsInTheMiddle(garbles),
		"no answer can be read":         garbled,
		"one order cannot be read":      oneUnreadable,
		"the API refuses the key":       refusesTheKey,
		"killed in the middle":          killed,
		"delivers from a later time on": deliversLater,
		"a secret marked test":          markedInTheList,
		"a webhook left to catch-up":    leftToCatchup,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, func(change ...func(*catalog.Account)) *behind {
				n := &Network{}
				world := open(t, n)
				mine := p
				mine.Adapter = world.Adapter
				return catchesUp(openShop(t, mine, change...), world, n)
			})
		})
	}
}

// behind is a shop that catches up with its platform.
type behind struct {
	*shop
	world    World
	network  *Network
	clock    atomic.Int64 // of catch-up, beside the shop's own
	catchup  *catchup.Catchup
	messages []any
}

func catchesUp(s *shop, world World, n *Network) *behind {
	b := &behind{shop: s, world: world, network: n}
	clock := func() time.Time { return time.Unix(0, b.clock.Load()).UTC() }
	taken := &intake.Intake{
		Claims:  &claim.Claimer{Store: s.store, Cached: s.store, Uncached: s.store, Fill: quiet{}, Notices: s.store, By: "catchup", Now: clock},
		Orders:  s.orders,
		Records: s.store, Products: s.store, MaxQuantity: 10, By: "catchup", Now: clock,
	}
	b.catchup = &catchup.Catchup{
		Accounts: s.store, Store: s.store, Intake: taken, Adapters: map[string]platform.Adapter{s.p.Name: world.Adapter}, Opener: unsealed{},
		Queue: b, PublicURL: "https://api.example.com", Now: clock,
	}
	return b
}

// Send implements catchup.Sender.
func (b *behind) Send(_ context.Context, message any, _ time.Duration) error {
	b.messages = append(b.messages, message)
	return nil
}

// timeOfRun is the time that a run has.
const timeOfRun = 4 * time.Minute

// run lets one tick of the clock come, and all messages that follow from it. It returns
// how many runs those were.
func (b *behind) run() int {
	b.Helper()
	b.clock.Store(b.now.UnixNano())
	if err := b.catchup.Tick(b.Context()); err != nil {
		b.Fatal(err)
	}
	runs := 0
	for ; len(b.messages) > 0; runs++ {
		request := b.messages[0].(platform.CatchupRequest)
		b.messages = b.messages[1:]
		now := time.Unix(0, b.clock.Load()).UTC()
		if err := b.catchup.Run(b.Context(), request, now.Add(timeOfRun)); err != nil {
			b.Errorf("run %d: %v", runs, err)
		}
		if runs > 50 {
			b.Fatal("it never ends")
		}
	}
	if now := time.Unix(0, b.clock.Load()).UTC(); now.After(b.now) {
		b.now = now
	}
	return runs
}

// state returns how far catch-up is.
func (b *behind) state() catalog.Catchup {
	b.Helper()
	state, err := b.store.Catchup(b.Context(), "acme", "shop")
	if err != nil {
		b.Fatal(err)
	}
	return state
}

// caughtUp holds a run to have left nothing out.
func (b *behind) caughtUp(keys int, what string) {
	b.Helper()
	b.run()
	if state := b.state(); state.Error != "" || !state.SucceededAt.Equal(b.now) {
		b.Errorf("%s: catch-up stands at %+v", what, state)
	}
	b.sold(keys, what)
}

// paid puts an order in the API that was paid at a time, and returns it.
func (b *behind) paid(n int, at time.Time) Order {
	o := b.game(n)
	o.PaidAt = at.Truncate(time.Second)
	b.world.Put(o, o.PaidAt, false)
	return o
}

// stock adds keys for sale.
func (b *behind) stock(n int) {
	b.Helper()
	dynamotest.Stock(b, b.tables, pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}, pool.DefaultShards, dynamotest.Texts("MORE", n)...)
}

// Of 20 orders, the webhooks of 7 never came, and 2 of those were refunded meanwhile: 18
// are delivered once, 2 never.
func neverCame(t *testing.T, open func(...func(*catalog.Account)) *behind) {
	b := open()
	b.caughtUp(0, "before anything is sold")
	refunded := map[int]bool{3: true, 9: true}
	for n := range 20 {
		o := b.paid(n, b.now.Add(time.Duration(n-20)*time.Minute))
		if n%3 != 0 {
			b.received(Paid, o)
		}
	}
	b.sold(13, "by webhooks")
	b.now = b.now.Add(10 * time.Minute)
	for n := range refunded {
		o := b.game(n)
		o.PaidAt = b.now.Add(time.Duration(n-30) * time.Minute)
		b.world.Put(o, b.now.Add(-time.Minute), true)
	}
	heard, err := b.store.Calls(t.Context(), "acme", "shop")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		b.caughtUp(18, fmt.Sprintf("after run %d", i+1))
		b.now = b.now.Add(15 * time.Minute)
	}
	mails := 0
	for id := range dynamotest.Audit(t, b.tables).Lines {
		f, _, err := b.store.Fulfillment(t.Context(), order.LineID(id))
		if err != nil {
			t.Fatal(err)
		}
		if f.Allocated > 0 && f.Mail.Number == 1 {
			mails++
		}
	}
	if mails != 18 {
		t.Errorf("%d lines are to be mailed once, want 18", mails)
	}
	if again, err := b.store.Calls(t.Context(), "acme", "shop"); err != nil || !again.LastSeenAt.Equal(heard.LastSeenAt) || len(again.Last) != len(heard.Last) {
		t.Errorf("catch-up counts as a webhook: %+v, before %+v, %v", again, heard, err)
	}
}

// While the platform's API is away for three days, and no webhook comes, shops sell on.
func outage(t *testing.T, open func(...func(*catalog.Account)) *behind) {
	b := open()
	b.stock(20)
	b.paid(0, b.now.Add(-time.Hour))
	b.caughtUp(1, "before the outage")
	watermark := b.state().Watermark
	b.network.now(func(int) int { return http.StatusServiceUnavailable })
	began := b.now
	for n := range 36 {
		b.now = began.Add(time.Duration(n+1) * 2 * time.Hour)
		b.paid(n+1, b.now.Add(-time.Minute))
		if n%6 == 0 {
			b.run()
			if state := b.state(); state.Error == "" || !state.Watermark.Equal(watermark) {
				t.Errorf("while the API is away: %+v", state)
			}
		}
	}
	b.sold(1, "during the outage")
	if told := b.told(notice.CatchupFailed); len(told) < 2 || len(told) > 3 {
		t.Errorf("told %d times of an API that was away for three days", len(told))
	}
	b.network.now(nil)
	b.caughtUp(37, "after the outage")
}

// The API is away when a webhook comes that it has to be asked for, and for longer than a run
// looks back. The webhook claims nothing, and catch-up leaves out what was given back.
func leftToCatchup(t *testing.T, open func(...func(*catalog.Account)) *behind) {
	b := open()
	if b.world.Partly == nil {
		return
	}
	b.paid(0, b.now.Add(-time.Hour))
	b.caughtUp(1, "before the API is away")
	watermark := b.state().Watermark
	b.now = b.now.Add(15 * time.Minute)
	b.network.now(func(int) int { return http.StatusServiceUnavailable })
	o := b.game(1)
	o.Quantity = 3
	r := b.p.request(b.p.Sign(b.p.key(t, b.p.Secrets[0]), b.world.Partly(o, b.now), b.now))
	answer, results := b.receive(r)
	if answer.Status != http.StatusOK || len(results) != 1 || results[0].Outcome != platform.Left || results[0].Order == "" {
		t.Fatalf("answered %d: %s; %+v", answer.Status, answer.Body, results)
	}
	b.sold(1, "by a webhook whose refunds could not be read")
	heard, err := b.store.Calls(t.Context(), "acme", "shop")
	if err != nil || len(heard.Last) == 0 || heard.Last[0].Order != results[0].Order || heard.Last[0].Became != "left_to_catchup" {
		t.Errorf("shown is %+v, %v", heard.Last, err)
	}
	for range 2 {
		b.now = b.now.Add(5 * time.Hour)
		b.run()
		if state := b.state(); state.Error == "" || !state.Watermark.Equal(watermark) {
			t.Errorf("while the API is away: %+v", state)
		}
		b.sold(1, "by catch-up while the API is away")
	}
	b.network.now(nil)
	for range 2 {
		b.now = b.now.Add(15 * time.Minute)
		b.caughtUp(3, "when the API answers again")
	}
	if again, results := b.receive(r); again.Status != http.StatusOK || len(results) != 2 || results[1].Outcome != platform.Accepted {
		t.Errorf("once more it is answered %d: %s", again.Status, again.Body)
	}
	for id, line := range b.sold(3, "by the same webhook once more").Lines {
		f, _, err := b.store.Fulfillment(t.Context(), order.LineID(id))
		if err != nil || f.Mail.Number != 1 || len(line.Keys) > 2 {
			t.Errorf("a line of %d keys has mail %d, %v", len(line.Keys), f.Mail.Number, err)
		}
	}
	if refused := b.refused(); len(refused) != 0 {
		t.Errorf("refused are %+v", refused)
	}
}

// A run that has no time left goes on with another message, from where it stopped.
func severalRuns(t *testing.T, open func(...func(*catalog.Account)) *behind) {
	b := open()
	for n := range 20 {
		b.paid(n, b.now.Add(time.Duration(n-20)*3*time.Minute))
	}
	b.caughtUp(20, "at once")
	calls := b.network.count()

	slow := open()
	for n := range 20 {
		slow.paid(n, slow.now.Add(time.Duration(n-20)*3*time.Minute))
	}
	if calls < 10 {
		// The API lists whole orders: the time goes by while they are stored.
		slow.catchup.Intake = slowly{slow.catchup.Intake, &slow.clock}
	} else {
		slow.network.each = func(int) { slow.clock.Add(int64(2 * timeOfRun / time.Duration(calls))) }
	}
	runs := slow.run()
	if state := slow.state(); runs < 2 || state.Error != "" {
		t.Errorf("%d runs; %+v", runs, state)
	}
	slow.sold(20, "in several runs")
}

// slowly is an intake that takes its time.
type slowly struct {
	catchup.Intake
	clock *atomic.Int64
}

func (s slowly) Take(ctx context.Context, from platform.Account, events ...platform.Event) []platform.Result {
	s.clock.Add(int64(timeOfRun / 8))
	return s.Intake.Take(ctx, from, events...)
}

// Somebody edits 500 old orders: of 250 the keys were sold long ago, and 250 were paid
// before the account delivers. Nothing is sold again.
func bulkEdit(t *testing.T, open func(...func(*catalog.Account)) *behind) {
	const each = 250
	b := open(func(a *catalog.Account) { a.DeliversFrom = noon.AddDate(0, 0, -20) })
	b.stock(each)
	var known, old []Order
	for n := range each {
		o := b.paid(n, b.now.Add(-time.Duration(n+1)*time.Minute).AddDate(0, 0, -10))
		known = append(known, o)
		b.received(Paid, o)
		o = b.game(each + n)
		o.PaidAt = b.now.Add(-time.Duration(n+1)*time.Minute).AddDate(0, 0, -40)
		old = append(old, o)
	}
	b.caughtUp(each, "before the edit")
	b.now = b.now.AddDate(0, 0, 5)
	for _, o := range known {
		b.world.Put(o, b.now.Add(-time.Minute), false)
	}
	b.meter.Reset()
	b.caughtUp(each, "after an edit of orders that are known")
	b.readsOnly(each, "an edit of orders that are known")
	for _, o := range old {
		b.world.Put(o, b.now.Add(-30*time.Second), false)
	}
	b.caughtUp(each, "after an edit of orders paid before the account delivers")
}

// Orders of an account whose secret is marked test, where the platform's orders tell that
// otherwise, are not sold, and its merchant is told what to mend.
func markedInTheList(t *testing.T, open func(...func(*catalog.Account)) *behind) {
	b := open(func(a *catalog.Account) { a.Secrets[0].Test = true })
	b.paid(1, b.now.Add(-time.Minute))
	problem := platform.MarkProblem(b.p.Adapter)
	if problem == "" {
		b.caughtUp(1, "with a secret of the test mode")
		return
	}
	b.run()
	b.sold(0, "with a secret that is marked test")
	if told := b.told(notice.CatchupFailed); len(told) != 1 || !strings.Contains(told[0].Facts.Cause, problem) {
		t.Errorf("told %+v", told)
	}
}

// readsOnly holds the calls of a run to one batch read for each hundred lines, and to the
// two writes of its lease.
func (b *behind) readsOnly(lines int, what string) {
	b.Helper()
	calls, units := map[string]int{}, 0.0
	for _, call := range b.meter.Calls() {
		calls[call.Operation]++
		if call.Operation == "BatchGetItem" {
			units += call.Read
		}
	}
	if batches := lines/100 + 2; calls["BatchGetItem"] > batches || calls["TransactWriteItems"] > 0 || calls["PutItem"] > 0 || calls["UpdateItem"] > 4 || calls["Query"] > 1 || units > 1.1*float64(lines)+1 {
		b.Errorf("%s takes %v, and %.0f units of batch reads", what, calls, units)
	}
}

// The webhook of a purchase comes while catch-up finds it.
func sameTime(t *testing.T, open func(...func(*catalog.Account)) *behind) {
	b := open()
	var orders []Order
	for n := range 15 {
		orders = append(orders, b.paid(n, b.now.Add(time.Duration(n-20)*time.Minute)))
	}
	var calls sync.WaitGroup
	for _, o := range orders {
		for range 2 {
			r := b.p.signed(t, Paid, o, b.p.Secrets[0], b.now)
			calls.Go(func() {
				if answer, results := b.receive(r); answer.Status/100 != 2 {
					b.Errorf("answered %d: %+v", answer.Status, results)
				}
			})
		}
	}
	b.run()
	calls.Wait()
	b.sold(15, "by catch-up and webhooks at once")
	b.caughtUp(15, "once more")
}

// failsInTheMiddle fails each call of a run once. Nothing is lost, and the next run
// completes what the failed one left.
func failsInTheMiddle(status int) func(*testing.T, func(...func(*catalog.Account)) *behind) {
	return func(t *testing.T, open func(...func(*catalog.Account)) *behind) {
		const orders = 6
		sell := func(b *behind) {
			for n := range orders {
				b.paid(n, b.now.Add(time.Duration(n-20)*time.Minute))
			}
		}
		whole := open()
		sell(whole)
		whole.caughtUp(orders, "without a failure")
		calls := whole.network.count()
		step := 1
		if status == hangs {
			step = max(1, calls-1) // each takes as long as a call may
		}
		for failing := 1; failing <= calls; failing += step {
			b := open()
			sell(b)
			b.network.now(func(call int) int {
				if call == failing {
					return status
				}
				return 0
			})
			b.run()
			b.now = b.now.Add(15 * time.Minute)
			b.network.now(nil)
			b.caughtUp(orders, fmt.Sprintf("after call %d of %d failed", failing, calls))
		}
	}
}

// What the merchant has to mend is told once a day, and shown.
func refusesTheKey(t *testing.T, open func(...func(*catalog.Account)) *behind) {
	b := open()
	b.paid(1, b.now.Add(-time.Hour))
	b.network.now(func(int) int { return http.StatusUnauthorized })
	for range 3 {
		b.run()
		b.now = b.now.Add(15 * time.Minute)
	}
	if told := b.told(notice.CatchupFailed); len(told) != 1 || told[0].Facts.Cause == "" || told[0].Facts.Account != "shop" {
		t.Errorf("told %+v", told)
	}
	if state := b.state(); state.Error == "" || state.RanAt.IsZero() || !state.SucceededAt.IsZero() {
		t.Errorf("it shows %+v", state)
	}
	b.network.now(nil)
	b.caughtUp(1, "with a key that serves")
}

// What the API shows of one order can never be read. It is told once, and holds up no other.
func oneUnreadable(t *testing.T, open func(...func(*catalog.Account)) *behind) {
	b := open()
	const bad = 2
	for n := range 6 {
		if n != bad {
			b.paid(n, b.now.Add(time.Duration(n-20)*time.Minute))
			continue
		}
		o := b.game(n)
		o.PaidAt = b.now.Add(time.Duration(n-20) * time.Minute).Truncate(time.Second)
		b.world.Spoil(o, o.PaidAt)
	}
	b.caughtUp(5, "of six orders, one of which cannot be read")
	last := b.state().Watermark
	if want := b.now.Add(-15 * time.Minute); last.Before(want) {
		t.Errorf("the watermark is %s, and the last order changed at %s", last, want)
	}
	for range 3 {
		b.now = b.now.Add(15 * time.Minute)
		b.caughtUp(5, "once more")
	}
	refused, _, err := b.store.Refusals(t.Context(), "acme", "", 10)
	if err != nil || len(refused) != 1 || refused[0].Order == "" || refused[0].Account != "shop" || refused[0].Field == "" {
		t.Errorf("refusals: %+v, %v", refused, err)
	}
	if told := b.told(notice.OrderRefused); len(told) != 1 || told[0].Facts.Count != 1 {
		t.Errorf("told %+v", told)
	}
	b.paid(6, b.now.Add(-time.Minute))
	b.caughtUp(6, "of an order after it")
}

// An answer that cannot be read at all says nothing of any order: the run ends, and the next
// begins where it began.
func garbled(t *testing.T, open func(...func(*catalog.Account)) *behind) {
	b := open()
	b.paid(0, b.now.Add(-time.Hour))
	b.caughtUp(1, "before")
	watermark := b.state().Watermark
	b.now = b.now.Add(15 * time.Minute)
	b.paid(1, b.now.Add(-5*time.Minute))
	b.network.now(func(int) int { return garbles })
	b.run()
	if state := b.state(); state.Error == "" || !state.Watermark.Equal(watermark) {
		t.Errorf("no answer can be read: %+v", state)
	}
	if told := b.told(notice.OrderRefused); len(told) != 0 {
		t.Errorf("told of an order: %+v", told)
	}
	b.network.now(nil)
	b.now = b.now.Add(15 * time.Minute)
	b.caughtUp(2, "when answers can be read again")
}

// A run that dies in the middle loses nothing: when its lease has ended, another goes on.
func killed(t *testing.T, open func(...func(*catalog.Account)) *behind) {
	b := open()
	for n := range 20 {
		b.paid(n, b.now.Add(time.Duration(n-20)*time.Minute))
	}
	b.clock.Store(b.now.UnixNano())
	dying, kill := context.WithCancel(t.Context())
	taken := b.catchup.Intake
	b.catchup.Intake = &dies{Intake: taken, after: 7, kill: kill}
	if err := b.catchup.Run(dying, platform.AskCatchup("acme", "shop"), b.now.Add(timeOfRun)); err == nil {
		t.Error("a run that was killed says that it is done")
	}
	b.catchup.Intake = taken
	before := b.network.count()
	b.run()
	if b.network.count() != before {
		t.Error("two runs at once")
	}
	b.now = b.now.Add(15 * time.Minute)
	b.caughtUp(20, "after a run was killed")
}

// dies kills its run after some events.
type dies struct {
	catchup.Intake
	after int
	kill  func()
}

func (d *dies) Take(ctx context.Context, from platform.Account, events ...platform.Event) []platform.Result {
	if d.after--; d.after < 0 {
		d.kill()
	}
	return d.Intake.Take(ctx, from, events...)
}

// A merchant who wants older orders delivered after all sets an earlier time: catch-up
// begins there.
func deliversLater(t *testing.T, open func(...func(*catalog.Account)) *behind) {
	b := open(func(a *catalog.Account) { a.DeliversFrom = noon.Add(-time.Hour) })
	b.paid(2, noon.Add(-30*time.Minute))
	b.caughtUp(1, "of an order paid after that")
	b.paid(1, noon.Add(-90*time.Minute))
	b.caughtUp(1, "of an order paid before")
	b.account.Version, b.account.DeliversFrom = 1, noon.Add(-2*time.Hour)
	if err := b.store.PutAccount(t.Context(), b.account); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(15 * time.Minute)
	b.run()
	if watermark := b.state(); !watermark.From.Equal(noon.Add(-2 * time.Hour)) {
		t.Errorf("it began at %+v", watermark)
	}
	b.sold(2, "after the account delivers from an earlier time")
}
