package simulate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/dynamo"
	"keypool/shared/intake"
	"keypool/shared/lifecycle"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/pool"
	"keypool/shared/random"
)

// What platforms report: orders that are paid, returned and disputed. It is taken by
// package intake, as the function webhook takes it.

// shopName is the name and the origin of the merchant's account.
const shopName = "standard"

// shop returns the merchant's account as it is now.
func (w *world) shop() platform.Account {
	return platform.Account{Merchant: merchant, Name: shopName, Platform: platform.Standard, Origin: shopName, DeliversFrom: w.deliversFrom()}
}

// intake takes the events of a webhook.
func (w *world) intake(p *process, i *instance, claims intake.Claimer) *intake.Intake {
	return &intake.Intake{
		Claims: claims, Orders: w.lifecycle(p.now), Records: apart{w.store}, Products: i.cached, MaxQuantity: 10_000, By: "webhook", Now: p.now,
	}
}

// apart is the store. What intake raises side by side for several lines has a caller of
// its own, named by the notice.
type apart struct{ *dynamo.Store }

func (s apart) KeepRefusal(ctx context.Context, r order.Refusal, tell notice.Notice, history ...order.History) error {
	return s.Store.KeepRefusal(random.Split(ctx, tell.ID), r, tell, history...)
}

func (s apart) RaiseNotice(ctx context.Context, n notice.Notice) error {
	return s.Store.RaiseNotice(random.Split(ctx, n.ID), n)
}

// AddCalls is best effort, and never in the way of an answer.
func (apart) AddCalls(context.Context, string, string, catalog.Calls) error { return nil }

// payOrder reports an order as paid, several times if a platform repeats the call.
type payOrder struct {
	order    string
	parent   string // the order that it renews
	side     pool.Side
	lines    []paidLine
	currency string
	times    int
	apart    time.Duration
	unheard  bool // its webhook never comes
	changed  bool // other content than in the first call
	customer string
	risk     string    // the platform's word
	assessed bool      // the platform says it after the payment
	early    bool      // it was paid before the account delivers
	nowhere  bool      // the platform tells no address of the customer
	split    bool      // each line has a webhook of its own
	hand     bool      // no platform knows it: a person fulfils it
	serial   int       // distinguishes repeats
	paidAt   time.Time // of a payment that is made now; zero: the platform does not say

	// changedAt is when the order last changed; zero: the platform does not say. It does for one
	// without an address.
	changedAt time.Time
}

type paidLine struct {
	id       string
	product  string
	quantity int
}

// unitPrices are what a unit costs, in cents of any currency.
var unitPrices = map[string]int{"game": 1000, "pack": 2500, "pass": 4000, "dlc": 500, "late": 1000, "abroad": 700, "club": 1200, "demo": 900}

// price is what a line costs, in cents.
func (l paidLine) price() int { return unitPrices[l.product] * l.quantity }

// cents writes an amount as platforms do: 19.90.
func cents(amount int) string { return fmt.Sprintf("%d.%02d", amount/100, amount%100) }

func (p payOrder) String() string {
	var lines []string
	for _, l := range p.lines {
		lines = append(lines, fmt.Sprintf("%d x %s", l.quantity, l.product))
	}
	says := fmt.Sprintf("order %s is paid in %s: %s", p.order, p.currency, strings.Join(lines, ", "))
	if p.side == pool.Test {
		says += ", as a test"
	}
	if p.unheard {
		says += ", of which no webhook tells"
	}
	if p.split {
		says += ", each line by a webhook of its own"
	}
	if p.early {
		says += ", long before the account delivers"
	}
	if p.nowhere {
		says += ", without an address"
	}
	if p.assessed {
		says += ", assessed now"
	}
	if p.risk != "" {
		says += ", risk " + p.risk
	}
	if p.customer != "ada" {
		says += ", by " + p.customer
	}
	if p.parent != "" {
		says += ", as a renewal of order " + p.parent
	}
	if p.serial > 0 {
		says += ", repeated"
	}
	if p.changed {
		says += ", with other content"
	}
	if p.times > 1 {
		says += fmt.Sprintf(", reported %d times within %s", p.times, p.apart)
	}
	return says
}

func (p payOrder) event() platform.Paid {
	paid := platform.Paid{
		Order: p.order, Parent: p.parent, Test: p.side == pool.Test, Currency: p.currency,
		Customer: order.Customer{Name: "Ada", Email: p.customer + "@customers.example"}, Risk: p.risk,
	}
	if paid.ChangedAt = p.changedAt; p.nowhere {
		paid.Customer.Email = ""
	}
	if p.early {
		paid.PaidAt = paidLongAgo
	} else {
		paid.PaidAt = p.paidAt
	}
	for _, line := range p.lines {
		paid.Lines = append(paid.Lines, platform.Line{
			ID: line.id, Product: line.product, Quantity: line.quantity, UnitPrice: cents(unitPrices[line.product]),
		})
	}
	return paid
}

// identity names a line of the order.
func (p payOrder) identity(line string) order.Identity {
	id := order.Identity{Merchant: merchant, Side: p.side, Origin: shopName, Order: p.order, Line: line}
	if p.hand {
		id.Origin = byHandOrigin
	}
	return id
}

func (p payOrder) lineID(line string) order.LineID { return p.identity(line).ID() }

func (p payOrder) orderID() string { return p.identity("").OrderID() }

func lineIDOf(side pool.Side, number, line string) order.LineID {
	return payOrder{side: side, order: number}.lineID(line)
}

func orderIDOf(side pool.Side, number string) string {
	return payOrder{side: side, order: number}.orderID()
}

func (p payOrder) do(w *world) {
	if p.serial > 0 && !p.changed {
		p.paidAt = time.Now().UTC() // the same, paid once more
	}
	if p.nowhere {
		p.changedAt = time.Now().UTC()
	}
	w.ledger.expectPaid(p)
	w.api.notePaid(p)
	if p.unheard {
		w.count("order whose webhook never came")
		return
	}
	webhooks := []payOrder{p}
	if p.split {
		webhooks = nil
		for _, line := range p.lines {
			one := p
			one.lines = []paidLine{line}
			webhooks = append(webhooks, one)
		}
	}
	for n := range p.times {
		for i, webhook := range webhooks {
			w.spawn(func() {
				name := fmt.Sprintf("order %s/%s/%d/%d", p.order, p.side, p.serial, n)
				if p.split {
					name += fmt.Sprintf("/line %d", i)
				}
				time.Sleep(w.upTo(name, p.apart))
				w.repeatUntilAnswered(name, webhook.handleWebhook)
			})
		}
	}
}

// repeatUntilAnswered repeats a webhook, with growing delays, until it is answered.
func (w *world) repeatUntilAnswered(name string, handle func(w *world, name string) (answered bool)) {
	for try := 0; ; try++ {
		if handle(w, fmt.Sprintf("%s/%d", name, try)) {
			return
		}
		time.Sleep(min(time.Second<<try, 5*time.Minute))
	}
}

// invocation is one call of the function webhook.
type invocation struct {
	*process
	*instance
}

func (w *world) webhook(name string) invocation {
	instance := w.instances[w.number(name, len(w.instances))]
	return invocation{w.begin(name, 29*time.Second, instance.skew), instance}
}

// handleWebhook does what the function webhook does with a call. It reports whether all
// lines were answered.
func (p payOrder) handleWebhook(w *world, name string) bool {
	in := w.webhook(name)
	defer in.end()
	claims := &watchedClaims{of: &claim.Claimer{Store: w.store, Cached: in.cached, Uncached: w.store, Fill: w.fillQueue, Notices: w.store, By: "webhook", Now: in.now}, seen: map[order.LineID]seenClaim{}}
	paid := p.event()
	results := w.intake(in.process, in.instance, claims).Apply(in.ctx, w.shop(), platform.Request{}, []platform.Event{paid})
	if p.early && len(results) < len(p.lines) && results[0].Outcome == platform.Failed {
		return false // its merchant was not told, or what is stored of it was not read
	}
	if len(results) != len(p.lines) {
		w.ledger.report("order %s of %d lines was answered with %d results", p.order, len(p.lines), len(results))
		return true
	}
	answered := true
	for i, line := range p.lines {
		id := p.lineID(line.id)
		claimed := claims.seen[id]
		err := claimed.err
		switch {
		case in.dead():
			err = errProcessDied
		case results[i].Outcome == platform.Failed && (err == nil || errors.As(err, new(*claim.MismatchError))):
			err = errNoAnswer // a notice was not stored
		case results[i].Outcome == platform.Rejected, results[i].Outcome == platform.Skipped:
			w.ledger.report("%s was answered as one that is not delivered", w.ledger.name(id))
		}
		err = w.answers.noteClaim(line, id, claimed.asked, claimed.got, w.noticeDue(claimed, paid), err)
		answered = answered && err == nil
	}
	return answered
}

// watchedClaims claims, and keeps what came of each claim.
type watchedClaims struct {
	of   *claim.Claimer
	mu   sync.Mutex
	seen map[order.LineID]seenClaim
}

type seenClaim struct {
	asked time.Time
	got   order.Fulfillment
	err   error
}

func (c *watchedClaims) Claim(ctx context.Context, paid order.Fulfillment, beside ...order.Fulfillment) (order.Fulfillment, error) {
	asked := time.Now()
	got, err := c.of.Claim(ctx, paid, beside...)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[paid.ID] = seenClaim{asked, got, err}
	return got, err
}

func (c *watchedClaims) Repeat(ctx context.Context, paid order.Fulfillment) (order.Fulfillment, bool, error) {
	asked := time.Now()
	got, known, err := c.of.Repeat(ctx, paid)
	c.mu.Lock()
	defer c.mu.Unlock()
	if known {
		c.seen[paid.ID] = seenClaim{asked, got, err}
	}
	return got, known, err
}

// paidAgainNotice stands in the ids of notices of orders that are paid again after a return.
const paidAgainNotice = "#paid-again#"

// noticeDue returns the ID of the notice that the merchant must get of a claim: a line has
// no pool, was paid again with other content, after its order was returned, or after it was
// returned itself; "" if none is due.
func (w *world) noticeDue(c seenClaim, paid platform.Paid) string {
	var changed *claim.MismatchError
	switch {
	case errors.As(c.err, &changed):
		return merchant + "#changed-repeat#" + string(changed.Line)
	case c.err != nil:
		return ""
	case c.got.State() == order.Unconnected:
		return unconnectedOf(string(c.got.Side), c.got.Product)
	case c.got.State() == order.OnHold && slices.Contains(c.got.Holds, order.HoldPaidAfterReturn):
		return merchant + "#paid-after-return#" + c.got.ID.OrderHalf()
	case c.got.State() == order.Returned && !c.got.ReturnedAt.IsZero() && paid.PaidAt.Truncate(time.Millisecond).After(c.got.ReturnedAt) && c.got.PaidAt.Before(paid.PaidAt.Truncate(time.Millisecond)):
		w.count("line paid again after its return")
		return merchant + paidAgainNotice + c.got.ID.OrderHalf() + "#" + c.got.LastReturn
	case c.got.LacksAddress() && !c.got.ErasedAt.IsZero(): // nobody is to tell one
		return ""
	case c.got.LacksAddress():
		return noAddressOf(c.got.Order)
	case c.got.HeldByRule():
		return merchant + "#held-for-review#" + string(c.got.Side) + "#" + c.got.HeldAt.UTC().Format("2006-01-02T15")
	}
	return ""
}

// reportOrder is what a platform reports of an order after it was paid, or before: it is
// returned, in whole, by some of its lines or by an amount; a refund of it failed; a
// dispute of it was opened, won or lost.
type reportOrder struct {
	kind     string
	order    string
	side     pool.Side
	unheard  bool           // its webhook never comes
	unknown  bool           // the platform does not say on which side
	id       string         // of the refund or the dispute
	units    map[string]int // by line, of those that are returned; 0: all of it
	amount   int            // in cents
	currency string
	times    int
	apart    time.Duration
	serial   int
}

// The kinds of reports beside those of a dispute, which are its states.
const (
	orderReturned = "returned"
	linesReturned = "returned by lines"
	amountBack    = "returned by an amount"
	refundFailed  = "not returned: the refund failed"
)

func (r reportOrder) String() string {
	says := fmt.Sprintf("order %s is %s (%s), reported %d times within %s", r.order, r.kind, r.id, r.times, r.apart)
	for _, line := range slices.Sorted(maps.Keys(r.units)) {
		says += fmt.Sprintf(", line %s: %d", line, r.units[line])
	}
	if r.amount > 0 {
		says += ", " + cents(r.amount) + " " + r.currency
	}
	if r.side == pool.Test {
		says += ", as a test"
	}
	if r.unheard {
		says += ", of which no webhook tells"
	}
	if r.unknown {
		says += ", the side is not said"
	}
	return says
}

func (r reportOrder) event() platform.Event {
	returned := platform.Returned{Order: r.order, Test: r.side == pool.Test, TestUnknown: r.unknown, ID: r.id}
	switch r.kind {
	case orderReturned:
		returned.All = true
	case linesReturned:
		for _, line := range slices.Sorted(maps.Keys(r.units)) {
			returned.Lines = append(returned.Lines, platform.ReturnedLine{ID: line, Quantity: r.units[line], All: r.units[line] == 0})
		}
	case amountBack:
		returned.Amount, returned.Currency = cents(r.amount), r.currency
	case refundFailed:
		returned.Failed = true
	default:
		return platform.Disputed{Order: r.order, Test: returned.Test, TestUnknown: r.unknown, ID: r.id, State: order.Dispute(r.kind)}
	}
	return returned
}

// sides are the sides that the report may be about.
func (r reportOrder) sides() []pool.Side {
	if r.unknown {
		return []pool.Side{pool.Live, pool.Test}
	}
	return []pool.Side{r.side}
}

func (r reportOrder) do(w *world) {
	for _, side := range r.sides() {
		for line, units := range r.units {
			w.ledger.expectReturn(lineIDOf(side, r.order, line), r.id, units, "")
		}
		if r.kind == amountBack {
			w.ledger.expectAmount(orderIDOf(side, r.order), r.id, r.amount, r.currency)
		}
	}
	w.api.noteReport(r)
	if r.unheard {
		w.unheard = append(w.unheard, r)
		return
	}
	for n := range r.times {
		w.spawn(func() {
			name := fmt.Sprintf("report %d/%d", r.serial, n)
			time.Sleep(w.upTo(name, r.apart))
			w.repeatUntilAnswered(name, r.handleWebhook)
		})
	}
}

func (r reportOrder) handleWebhook(w *world, name string) bool {
	in := w.webhook(name)
	defer in.end()
	results := w.intake(in.process, in.instance, nil).Apply(in.ctx, w.shop(), platform.Request{}, []platform.Event{r.event()})
	for _, result := range results {
		switch result.Outcome {
		case platform.Accepted:
		case platform.Failed:
			return false
		default:
			w.ledger.report("of order %s it was reported that it is %s, which was answered by outcome %d", r.order, r.kind, result.Outcome)
		}
	}
	if in.dead() {
		return false
	}
	for _, side := range r.sides() {
		w.ledger.reportAnswered(r, side)
	}
	return true
}

// changeLine is what the merchant does with a line, by the API: it is returned in whole or
// in part, put on hold, released, cancelled, mailed again, to another address too, cleared of
// its customer, or one of its keys is replaced.
type changeLine struct {
	kind   string
	of     payOrder
	line   string
	seen   bool              // by somebody who has seen the line, and acts on it as it was
	keysTo order.Disposition // what becomes of the returned keys; empty: what the settings say
	units  int               // returned in part
	times  int               // it is asked for so often
	cutOff bool              // the first who asks gives up while keys are taken back
	serial int
}

// The kinds of changes of one line.
const (
	returnedLine  = "returned"
	returnedUnits = "returned in part"
	held          = "held"
	released      = "released"
	replaced      = "replaced"
	sentAgain     = "sent again"
	corrected     = "sent to a corrected address"
	erased        = "cleared of its customer"
	cancelled     = "cancelled"
)

// returns reports whether units of the line are given back.
func (h changeLine) returns() bool { return h.kind == returnedLine || h.kind == returnedUnits }

// forced reports whether the customer is erased although the line owes them something.
func (h changeLine) forced() bool { return h.kind == erased && h.serial%3 != 0 }

// email is the address that the line is corrected to.
func (h changeLine) email() string {
	return fmt.Sprintf("%s-%d@customers.example", h.of.customer, h.serial%4)
}

func (h changeLine) String() string {
	says := fmt.Sprintf("line %s of order %s is %s", h.line, h.of.order, h.kind)
	if h.keysTo != "" {
		says += fmt.Sprintf(" (%s its keys)", h.keysTo)
	}
	if h.units > 0 {
		says += fmt.Sprintf(", %d units", h.units)
	}
	return says
}

func (h changeLine) do(w *world) {
	identity := h.of.identity(h.line)
	id, refund, act := identity.ID(), fmt.Sprint("refund ", h.serial), lifecycle.Act{By: "simulation", Why: h.kind}
	if h.returns() {
		w.ledger.expectReturn(id, refund, h.units, string(h.keysTo))
		w.ledger.expectByPerson(id, refund)
	}
	if h.forced() {
		w.ledger.expectForced(id)
	}
	for n := range max(h.times, 1) {
		w.spawn(func() {
			cutOff := h.cutOff
			w.untilDone(fmt.Sprintf("%s %d/%d", h.kind, h.serial, n), func(ctx context.Context, now time.Time) error {
				changes := w.lifecycle(func() time.Time { return now })
				if cutOff {
					limited, cancel := context.WithCancel(ctx)
					defer cancel()
					ctx, cutOff, changes.Store = limited, false, cutOffStore{changes.Store, cancel}
				}
				act := act
				var err error
				if h.seen {
					if act.Version, err = w.versionOf(ctx, id); err != nil {
						return err
					}
				}
				if h.kind == released {
					defer w.ledger.decides(decision{verdict: "release", line: id, version: act.Version})()
				}
				switch h.kind {
				case returnedLine, returnedUnits:
					_, err = changes.ReturnLine(ctx, lifecycle.LineReturn{
						Identity: identity, Account: shopName, Refund: refund, Units: h.units, Act: act, ByHand: true, KeysBack: h.keysTo,
					})
					if err == nil {
						w.ledger.returnAnswered(id, refund)
					}
				case held:
					_, err = changes.Hold(ctx, id, act)
				case released:
					_, err = changes.Release(ctx, id, act)
				case sentAgain:
					_, err = changes.Resend(ctx, id, act)
				case corrected:
					_, err = changes.ResendTo(ctx, id, h.email(), act)
				case erased:
					eraser := lifecycle.Eraser{Lines: w.store, Words: w.store, Fill: w.fillQueue, Now: func() time.Time { return now }}
					_, err = eraser.Erase(ctx, id, lifecycle.Erasure{Act: act, Force: h.forced()})
				case cancelled:
					_, err = changes.Cancel(ctx, id, act)
				case replaced:
					err = h.replace(ctx, w, changes, id, act)
				}
				if errors.As(err, new(*order.StaleError)) && !h.returns() { // who returns looks again
					w.count("act refused: its line had changed since it was seen")
					return nil
				}
				if errors.As(err, new(*order.CorrectionLimitError)) {
					w.count("address not corrected: too many were in the hour")
					return nil
				}
				if errors.Is(err, order.ErrState) || errors.Is(err, order.ErrNoKeys) || errors.Is(err, order.ErrNotHeld) {
					return nil
				}
				return err
			})
		})
	}
}

// versionOf returns the version of a line as somebody sees it, a moment before he acts; 0 if
// there is no such line.
func (w *world) versionOf(ctx context.Context, id order.LineID) (int, error) {
	line, _, err := w.store.Fulfillment(ctx, id)
	time.Sleep(w.upTo("look at "+callerOf(ctx), 100*time.Millisecond))
	return line.Version, err
}

// cutOffStore gives up once a line is stored that holds keys which it has given back.
type cutOffStore struct {
	lifecycle.Store
	giveUp func()
}

func (s cutOffStore) Commit(ctx context.Context, changes ...order.Change) error {
	err := s.Store.Commit(ctx, changes...)
	if err == nil && slices.ContainsFunc(changes, func(c order.Change) bool { return c.After.Surplus() > 0 }) {
		s.giveUp()
	}
	return err
}

// replace has one of the line's keys replaced, as its merchant does who reads the order
// first: any of its keys, be it in a chunk.
func (h changeLine) replace(ctx context.Context, w *world, changes *lifecycle.Lifecycle, id order.LineID, act lifecycle.Act) error {
	line, ok, err := w.store.Fulfillment(ctx, id)
	if err != nil || !ok {
		return err
	}
	chunks, err := w.store.Chunks(ctx, id)
	if err != nil {
		return err
	}
	held := line.Keys
	if n := w.number(fmt.Sprint("replaced chunk ", h.serial), len(chunks)+1); n > 0 || len(held) == 0 && len(chunks) > 0 {
		held = chunks[max(n-1, 0)].Keys
	}
	if len(held) == 0 {
		return nil
	}
	_, err = changes.Replace(ctx, id, held[w.number(fmt.Sprint("replaced ", h.serial), len(held))].ID, act)
	return err
}

// setReturnedKeys sets what becomes of the keys that orders of a product give back.
type setReturnedKeys struct {
	product string
	to      order.Disposition // empty: what the merchant's setting says
	serial  int
}

func (s setReturnedKeys) String() string {
	return fmt.Sprintf("returned keys of %s: %q", s.product, s.to)
}

func (s setReturnedKeys) do(w *world) {
	w.spawn(func() {
		w.untilDone(fmt.Sprintf("returned keys %d", s.serial), func(ctx context.Context, _ time.Time) error {
			product, _, err := w.store.Product(ctx, merchant, s.product)
			if err != nil || product.ReturnedKeys == s.to {
				return err
			}
			product.ReturnedKeys = s.to
			return w.store.PutProduct(ctx, product)
		})
	})
}
