package simulate

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/catchup"
	"keypool/shared/claim"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/platform/standard"
	"keypool/shared/pool"
)

// shopAPI is the API of the merchant's platform, which function catchup reads: every order
// as it stands, whether its webhooks came or not.
type shopAPI struct {
	standard.Adapter
	w     *world
	calls callNames

	mu        sync.Mutex
	purchases map[string]*platform.Purchase // by side and order
}

// purchase returns the purchase of an order, and notes that it changes now.
func (a *shopAPI) purchase(side pool.Side, number string) *platform.Purchase {
	name := string(side) + " " + number
	if a.purchases[name] == nil {
		a.purchases[name] = &platform.Purchase{}
	}
	a.purchases[name].ChangedAt = time.Now().UTC()
	return a.purchases[name]
}

// notePaid notes an order that is paid. What a platform says of it first, it goes on saying,
// but for its risk, and an address that it did not tell.
func (a *shopAPI) notePaid(p payOrder) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := a.purchase(p.side, p.order); now.Paid == nil {
		paid := p.event()
		now.Paid = &paid
	} else {
		paid := *now.Paid
		if p.assessed {
			paid.Risk = p.risk
		}
		if paid.Customer.Email == "" {
			paid.Customer = p.event().Customer
		}
		now.Paid = &paid
	}
}

// noteReport notes what became of an order. A dispute stays as it ended. Once the platform
// does not say on which side it is, it goes on so.
func (a *shopAPI) noteReport(r reportOrder) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.purchase(r.side, r.order)
	switch event := r.event().(type) {
	case platform.Returned:
		now.Returned = append(slices.Clip(now.Returned), event)
	case platform.Disputed:
		for i, before := range now.Disputed {
			if before.ID == event.ID {
				now.Disputed = slices.Clone(now.Disputed)
				now.Disputed[i].TestUnknown = before.TestUnknown || event.TestUnknown
				if before.State == platform.DisputeOpen {
					now.Disputed[i].State = event.State
				}
				return
			}
		}
		now.Disputed = append(slices.Clip(now.Disputed), event)
	}
}

// CheckCredential implements platform.Fetcher.
func (*shopAPI) CheckCredential(string, string) error { return nil }

// Changed implements platform.Lister.
func (a *shopAPI) Changed(ctx context.Context, _ platform.Account, since time.Time) iter.Seq2[platform.Purchase, error] {
	return func(yield func(platform.Purchase, error) bool) {
		const page = 10
		for skip := 0; ; skip += page {
			var found []platform.Purchase
			err := a.w.callService(ctx, a.calls.name(fmt.Sprintf("%s lists from %d", callerOf(ctx), skip)), func() { found = a.since(since) })
			if err != nil {
				yield(platform.Purchase{}, platform.ErrTryAgain)
				return
			}
			found = found[min(skip, len(found)):]
			for _, p := range found[:min(page, len(found))] {
				if !yield(p, nil) {
					return
				}
			}
			if len(found) <= page {
				return
			}
		}
	}
}

// since returns what changed since then, the earliest first.
func (a *shopAPI) since(then time.Time) (found []platform.Purchase) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(a.purchases)) {
		p := *a.purchases[name]
		if p.ChangedAt.Before(then) {
			continue
		}
		if p.Paid != nil {
			paid := *p.Paid
			paid.Lines = slices.Clone(paid.Lines)
			p.Paid = &paid
		}
		found = append(found, p)
	}
	slices.SortStableFunc(found, func(a, b platform.Purchase) int { return a.ChangedAt.Compare(b.ChangedAt) })
	return found
}

// fetched is the merchant's account as catch-up knows it.
type fetched struct{ w *world }

func (f fetched) Account(context.Context, string, string) (catalog.Account, bool, error) {
	return catalog.Account{
		Merchant: merchant, Name: shopName, Platform: shopName, Origin: shopName, DeliversFrom: f.w.deliversFrom(),
		Credentials: []catalog.SealedCredential{{Name: "key"}},
	}, true, nil
}

func (fetched) FetchingAccounts(_ context.Context, see func(merchant, account string) error) error {
	return see(merchant, shopName)
}

func (fetched) UnsealCredential(context.Context, string, string, string, []byte) ([]byte, error) {
	return []byte("the key of an API"), nil
}

// catchupRun is how long a run may take, and catchupProcess the function that makes it.
const (
	catchupRun     = 4 * time.Minute
	catchupProcess = 5 * time.Minute
)

// askCatchup does what the function catchup does on its schedule.
func (w *world) askCatchup(name string) {
	p := w.begin(name, time.Minute, w.skew(name))
	defer p.end()
	_ = w.catchup(p).Tick(p.ctx) // the next tick asks again
}

func (w *world) catchup(p *process) *catchup.Catchup {
	instance := w.instances[w.number(p.name, len(w.instances))]
	claims := &notedClaims{w: w, p: p, of: &claim.Claimer{Store: w.store, Cached: instance.cached, Uncached: w.store, Fill: w.fillQueue, Notices: w.store, By: "catchup", Now: p.now}}
	return &catchup.Catchup{
		Accounts: fetched{w}, Store: w.store, Intake: w.intake(p, instance, claims), Adapters: map[string]platform.Adapter{shopName: w.api},
		Opener: fetched{w}, Queue: w.catchupQueue, PublicURL: "https://keypool.example", Now: p.now,
	}
}

// handleCatchup does what the function catchup does with a message.
func (w *world) handleCatchup(name string, messages []any) []error {
	p := w.begin(name, catchupProcess, w.skew(name))
	defer p.end()
	err := w.catchup(p).Run(p.ctx, messages[0].(platform.CatchupRequest), p.now().Add(catchupRun))
	if p.dead() {
		err = errProcessDied
	}
	return []error{err}
}

// notedClaims claims for catch-up, and notes each claim as a call of the platform.
type notedClaims struct {
	w  *world
	p  *process
	of *claim.Claimer
}

func (c *notedClaims) Claim(ctx context.Context, paid order.Fulfillment, beside ...order.Fulfillment) (order.Fulfillment, error) {
	asked := time.Now()
	got, err := c.of.Claim(ctx, paid, beside...)
	seen := err
	if c.p.dead() {
		seen = errProcessDied
	}
	_ = c.w.answers.noteClaim(paidLine{id: paid.Line, product: paid.Product, quantity: paid.Quantity}, paid.ID, asked, got, "", seen)
	return got, err
}

func (c *notedClaims) Repeat(ctx context.Context, paid order.Fulfillment) (order.Fulfillment, bool, error) {
	return c.of.Repeat(ctx, paid)
}

// checkFound checks that everything that the platform knows is known, also where its
// webhook never came.
func (w *world) checkFound() {
	for _, r := range w.unheard {
		for _, side := range r.sides() {
			w.ledger.reportAnswered(r, side)
		}
		w.count("report whose webhook never came")
	}
	l := w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range slices.SortedFunc(maps.Keys(w.api.purchases), func(a, b string) int { return cmp.Compare(a, b) }) {
		side, number, _ := strings.Cut(name, " ")
		paid := w.api.purchases[name].Paid
		if paid == nil {
			continue
		}
		for _, line := range paid.Lines {
			id := lineIDOf(pool.Side(side), number, line.ID)
			if there := l.lines[id]; there == nil || there.expected {
				l.problem("line %s of order %s was paid, and is not known", line.ID, number)
			}
		}
	}
}
