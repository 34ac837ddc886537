package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"slices"
	"sync"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/delivery"
	"keypool/shared/dynamo"
	"keypool/shared/lifecycle"
	"keypool/shared/mail"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/review"
	"keypool/shared/sweep"
)

var (
	noon  = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	elden = pool.ID{Merchant: "acme", Pool: "elden", Side: pool.Live}
	ada   = lifecycle.Act{By: "ada", Why: "looks odd"}
)

// shop is a merchant with a pool, and all that works for him.
type shop struct {
	*testing.T
	store   *dynamo.Store
	tables  dynamo.Tables
	changes *lifecycle.Lifecycle
	claims  *claim.Claimer
	filler  *claim.Filler
	mailer  *delivery.Mailer
	sweeper *sweep.Sweeper
	ses     *fakeSES
	at      time.Time
	paused  func() // called once, between a mailer's lease and its look at the order

	orderLines int // of the orders that are paid; 0: one
}

type quiet struct{}

func (quiet) Send(context.Context, any, time.Duration) error { return nil }

// fakeSES is the only thing in these tests that is not real.
type fakeSES struct {
	mu    sync.Mutex
	mails []mail.Message
}

func (f *fakeSES) Send(_ context.Context, m mail.Message) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mails = append(f.mails, m)
	return fmt.Sprint("ses-", len(f.mails)), nil
}

// Whole lets something happen just before a mailer looks at an order.
func (s *shop) Whole(ctx context.Context, id string) (order.Whole, error) {
	if pause := s.paused; pause != nil {
		s.paused = nil
		pause()
	}
	return s.store.Whole(ctx, id)
}

func (s *shop) Lines(ctx context.Context, id string) ([]order.Fulfillment, error) {
	return s.store.Lines(ctx, id)
}

func (s *shop) Chunks(ctx context.Context, id order.LineID) ([]order.Chunk, error) {
	return s.store.Chunks(ctx, id)
}

func open(t *testing.T, keys int) *shop {
	t.Helper()
	t.Parallel()
	s := &shop{T: t, ses: &fakeSES{}, at: noon}
	s.store, s.tables = dynamotest.Open(t)
	now := func() time.Time { return s.at }
	s.changes = &lifecycle.Lifecycle{Store: s.store, Wholes: s.store, Uploads: s.store, Notices: s.store, Keys: s.store, Corrections: s.store, Settings: s.store, Fill: quiet{}, By: "webhook", Now: now}
	s.claims = &claim.Claimer{Store: s.store, Cached: s.store, Uncached: s.store, Fill: quiet{}, Notices: s.store, By: "webhook", Now: now}
	s.filler = &claim.Filler{Store: s.store, Bypass: s.store, Catalog: s.store, Notices: s.store, Now: now}
	s.mailer = &delivery.Mailer{
		Lines: s.store.LineMails(), Notices: s.store.NoticeMails(), Orders: s, History: s.store, Settings: s.store, Uploads: s.store, Counts: s.store,
		Held: s.store, Sales: &review.Sales{Store: s.store, Brakes: s.store, Notices: s.store, Now: now}, PublicURL: "https://api.keypool.example",
		MailSender: s.ses, Sender: netmail.Address{Address: "keys@keypool.example"}, Operator: "operator@keypool.example", Now: now,
	}
	s.sweeper = &sweep.Sweeper{Store: s.store, Catalog: s.store, Orders: s.changes, Fill: quiet{}, Ranges: quiet{}, Now: now}
	s.must(s.store.PutMerchant(t.Context(), catalog.Merchant{Name: "acme", Title: "Acme", NoticeAddress: "ops@acme.example"}))
	s.must(s.store.PutReview(t.Context(), catalog.Review{Merchant: "acme", Rules: catalog.Rules{MaxKeys: 1000}}))
	s.must(s.store.PutPool(t.Context(), catalog.Pool{Merchant: "acme", Name: "elden", Shards: pool.DefaultShards}))
	s.must(s.store.PutProduct(t.Context(), game("game", catalog.PerUnit)))
	s.must(s.store.PutProduct(t.Context(), game("pass", catalog.PerLine)))
	s.stock(keys)
	return s
}

func game(id string, mode catalog.Mode) catalog.Product {
	return catalog.Product{Merchant: "acme", ID: id, Title: "Elden", Pool: "elden", Keys: catalog.KeyRule{Mode: mode, Count: 1}}
}

func (s *shop) stock(keys int) {
	s.Helper()
	if keys > 0 {
		dynamotest.Stock(s.T, s.tables, elden, pool.DefaultShards, dynamotest.Texts(fmt.Sprintf("K%d", s.at.UnixMilli()), keys)...)
	}
}

func (s *shop) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func identity(number, line string) order.Identity {
	return order.Identity{Merchant: "acme", Side: pool.Live, Origin: "shop", Order: number, Line: line}
}

func whole(number string) order.Whole {
	return order.Whole{ID: identity(number, "").OrderID(), Merchant: "acme", Side: pool.Live, Account: "shop", Order: number}
}

// pay claims for a line of an order.
func (s *shop) pay(number, line, product string, quantity int) order.Fulfillment {
	s.Helper()
	f, err := s.claims.Claim(s.Context(), order.Fulfillment{
		ID: identity(number, line).ID(), Merchant: "acme", Side: pool.Live, Account: "shop", Origin: "shop", Order: number, Line: line,
		Product: product, Quantity: quantity, Currency: "EUR", UnitPrice: "19.90", Customer: order.Customer{Name: "Ada", Email: "ada@example.com"},
		OrderLines: max(s.orderLines, 1),
	})
	s.must(err)
	return f
}

func (s *shop) fill() {
	s.Helper()
	s.must(s.filler.Fill(s.Context(), order.FillPool(elden), s.at.Add(time.Minute)))
}

// mail offers a line to a mailer, as the stream does.
func (s *shop) mail(id order.LineID) {
	s.Helper()
	for _, err := range s.mailer.Mail(s.Context(), []outbox.Item{outbox.LineItem(string(id))}) {
		s.must(err)
	}
}

// settle sweeps, fills and mails for an hour: whatever was left halfway is done then.
func (s *shop) settle(ids ...order.LineID) {
	s.Helper()
	for range 12 {
		s.at = s.at.Add(6 * time.Minute)
		_, err := s.sweeper.Sweep(s.Context(), s.at.Add(time.Minute))
		s.must(err)
		s.fill()
		for _, id := range ids {
			s.mail(id)
		}
	}
	dynamotest.Audit(s.T, s.tables)
}

func (s *shop) line(id order.LineID) order.Fulfillment {
	s.Helper()
	f, ok, err := s.store.Fulfillment(s.Context(), id)
	s.must(err)
	if !ok {
		s.Fatalf("there is no line %s", id)
	}
	return f
}

func (s *shop) returnUnits(number, line, refund string, units int) order.Fulfillment {
	s.Helper()
	f, err := s.changes.ReturnLine(s.Context(), lifecycle.LineReturn{
		Identity: identity(number, line), Account: "shop", Refund: refund, Units: units, Act: lifecycle.Act{By: "webhook", Why: refund},
	})
	s.must(err)
	return f
}

func (s *shop) returnOrder(number, refund string) []order.Fulfillment {
	s.Helper()
	lines, err := s.changes.ReturnOrder(s.Context(), whole(number), order.Return{ID: refund, By: "webhook", Why: refund})
	s.must(err)
	return lines
}

func (s *shop) dispute(number, id string, state order.Dispute) {
	s.Helper()
	_, err := s.changes.Dispute(s.Context(), whole(number), id, state)
	s.must(err)
}

func (s *shop) is(f order.Fulfillment, state order.State, held, returned int) {
	s.Helper()
	if f.State() != state || f.Allocated != held || f.Returned != returned {
		s.Errorf("line %s is %s with %d keys, %d returned; want %s with %d, %d", f.Line, f.State(), f.Allocated, f.Returned, state, held, returned)
	}
}

func (s *shop) mails(want int) {
	s.Helper()
	if got := len(s.ses.mails); got != want {
		s.Errorf("%d mails went out, want %d", got, want)
	}
}

func (s *shop) available(want int) {
	s.Helper()
	n, err := s.store.Available(s.Context(), elden, pool.DefaultShards, 10_000)
	s.must(err)
	if n != want {
		s.Errorf("%d keys are for sale, want %d", n, want)
	}
}

// history returns what happened to a line, without the mails that went out.
func (s *shop) history(id order.LineID) []string {
	s.Helper()
	entries, err := s.store.History(s.Context(), id)
	s.must(err)
	var all []string
	for _, h := range entries {
		if h.Event != order.MailSent {
			all = append(all, fmt.Sprintf("%s by %s: %s", h.Event, h.By, h.Code))
		}
	}
	return all
}

// A whole order is returned after it was delivered: its keys are revoked, nothing is mailed
// again, and a repeat changes nothing.
func TestReturnOrder(t *testing.T) {
	s := open(t, 10)
	first, second := s.pay("1", "1", "game", 2), s.pay("1", "2", "game", 1)
	s.mail(first.ID)
	for range 3 {
		if lines := s.returnOrder("1", "R1"); len(lines) != 2 {
			t.Fatalf("lines %+v", lines)
		}
		s.is(s.line(first.ID), order.Returned, 0, 2)
		s.is(s.line(second.ID), order.Returned, 0, 1)
	}
	s.settle(first.ID, second.ID)
	s.mails(1)
	s.available(7)
	if got, want := s.history(first.ID), []string{"order-returned by webhook: R1"}; !slices.Equal(got, want) {
		t.Errorf("history %q", got)
	}
	s.is(s.pay("1", "1", "game", 2), order.Returned, 0, 2) // paid again
	if books := dynamotest.Audit(t, s.tables); books.Revoked != 3 {
		t.Errorf("%d keys are revoked", books.Revoked)
	}
	if w, err := s.store.Whole(t.Context(), first.ID.OrderHalf()); err != nil || !w.DueAt.IsZero() || w.Version != 1 {
		t.Errorf("the order is still due: %+v, %v", w, err)
	}
}

// An order is returned before it is paid: the payment takes no key, and waits for a person,
// whose release delivers it. Another return after that takes it back.
func TestReturnOrder_beforeThePayment(t *testing.T) {
	s := open(t, 10)
	if lines := s.returnOrder("1", "R1"); len(lines) != 0 {
		t.Fatalf("lines %+v", lines)
	}
	line := s.pay("1", "1", "game", 2)
	s.is(line, order.OnHold, 0, 0)
	if !slices.Equal(line.Holds, []order.Hold{order.HoldPaidAfterReturn}) || !slices.Equal(line.PaidAfter, []string{"R1"}) {
		t.Errorf("held for %q, paid after %q", line.Holds, line.PaidAfter)
	}
	s.returnOrder("1", "R1")
	s.settle(line.ID)
	s.mails(0)
	s.available(10)
	released, err := s.changes.Release(t.Context(), line.ID, ada)
	s.must(err)
	s.is(released, order.Waiting, 0, 0)
	s.settle(line.ID)
	s.is(s.line(line.ID), order.Fulfilled, 2, 0)
	s.mails(1)
	s.returnOrder("1", "R1") // known
	s.is(s.line(line.ID), order.Fulfilled, 2, 0)
	s.returnOrder("1", "R2")
	s.is(s.line(line.ID), order.Returned, 0, 2)
	if got, want := s.history(line.ID), []string{"released by ada: looks odd", "order-returned by webhook: R2"}; !slices.Equal(got, want) {
		t.Errorf("history %q", got)
	}
}

// onlyWritten is a return whose writer has not come to the lines yet, or has died.
func (s *shop) onlyWritten(number, refund string) {
	s.Helper()
	w := whole(number)
	w.AddReturn(order.Return{ID: refund, By: "webhook"})
	w.ChangedAt, w.DueAt = s.at, s.at.Add(outbox.SweepAfter)
	s.must(s.store.PutWhole(s.Context(), w))
}

// A return comes between a mailer's lease and its look at the order: nothing leaves.
func TestReturnOrder_whileTheMailIsUnderWay(t *testing.T) {
	s := open(t, 10)
	line := s.pay("1", "1", "game", 1)
	s.paused = func() { s.onlyWritten("1", "R1") }
	s.mail(line.ID)
	s.mails(0)
	if f := s.line(line.ID); f.Mail.State != outbox.Due || f.Mail.TryAt.IsZero() {
		t.Errorf("the mail is %+v", f.Mail)
	}
	s.settle(line.ID)
	s.is(s.line(line.ID), order.Returned, 0, 1)
	s.mails(0)
}

// The writer of a return dies before it comes to the lines, or a claim with an old read
// stores a line after it has been there: the sweep applies it.
func TestReturnOrder_theSweepFinishesIt(t *testing.T) {
	s := open(t, 10)
	s.claims.Store = blind{s.store}
	line := s.pay("1", "1", "game", 1)
	s.onlyWritten("1", "R1")
	s.at = s.at.Add(6 * time.Minute)
	_, err := s.sweeper.Sweep(t.Context(), s.at.Add(time.Minute))
	s.must(err)
	s.is(s.line(line.ID), order.Returned, 0, 1)
	late := s.pay("1", "2", "game", 1) // by a claim that read the order before the return
	s.is(late, order.Fulfilled, 1, 0)
	s.settle()
	s.is(s.line(late.ID), order.Returned, 0, 1)
	s.mails(0)
}

// blind is a store whose claims read nothing of the order, as if it had been written after.
type blind struct{ *dynamo.Store }

func (b blind) Order(ctx context.Context, orderID string) ([]order.Fulfillment, order.Whole, error) {
	lines, w, err := b.Store.Order(ctx, orderID)
	return lines, order.Whole{ID: w.ID}, err
}

// Units are given back: newest keys first, each refund once, and never more than there are.
func TestReturnLine(t *testing.T) {
	s := open(t, 10)
	line := s.pay("1", "1", "game", 3)
	s.mail(line.ID)
	for range 2 {
		got := s.returnUnits("1", "1", "R1", 1)
		s.is(got, order.Fulfilled, 2, 1)
		if got.Keys[0].ID != line.Keys[0].ID || got.Keys[1].ID != line.Keys[1].ID {
			t.Error("the newest key is not the one that went")
		}
	}
	s.is(s.returnUnits("1", "1", "R2", 1), order.Fulfilled, 1, 2)
	s.is(s.returnUnits("1", "1", "R3", 5), order.Returned, 0, 3)
	s.is(s.returnUnits("1", "1", "R4", 1), order.Returned, 0, 3)
	s.settle(line.ID)
	s.mails(1)
	s.available(7)
}

// Where the keys do not depend on the units, they are due until the last unit is returned.
func TestReturnLine_keysOfTheWholeLine(t *testing.T) {
	s := open(t, 10)
	s.pay("1", "1", "pass", 3)
	s.is(s.returnUnits("1", "1", "R1", 2), order.Fulfilled, 1, 0)
	s.is(s.returnUnits("1", "1", "R2", 1), order.Returned, 0, 1)
}

// Units are given back before they are paid: the payment gets the others, once.
func TestReturnLine_beforeThePayment(t *testing.T) {
	s := open(t, 10)
	for range 2 {
		s.is(s.returnUnits("1", "1", "R1", 1), order.Expected, 0, 0)
	}
	line := s.pay("1", "1", "game", 3)
	s.is(line, order.Fulfilled, 2, 1)
	s.is(s.pay("1", "1", "game", 3), order.Fulfilled, 2, 1)
	s.is(s.returnUnits("1", "1", "R1", 1), order.Fulfilled, 2, 1)
	s.settle(line.ID)
	s.mails(1)

	s.is(s.returnUnits("2", "1", "R1", 0), order.Expected, 0, 0)
	s.is(s.pay("2", "1", "game", 2), order.Returned, 0, 2)
	s.is(s.returnUnits("3", "1", "R1", 2), order.Expected, 0, 0)
	s.is(s.pay("3", "1", "game", 2), order.Returned, 0, 2)
	s.available(8)
	s.settle()
	s.mails(1)
}

// A return comes between a claim's read and its commit: the claim starts again.
func TestReturnLine_whileItIsClaimed(t *testing.T) {
	s := open(t, 10)
	store := &interrupted{Store: s.store, before: func() { s.returnUnits("1", "1", "R1", 1) }}
	s.claims.Store = store
	s.is(s.pay("1", "1", "game", 3), order.Fulfilled, 2, 1)
	if store.before != nil {
		t.Error("nothing came between")
	}
	s.settle()
}

// A line that no pool feeds is given back: connecting its product gets it no key. One that
// was given back in part gets the others.
func TestReturnLine_unconnected(t *testing.T) {
	s := open(t, 10)
	all, part := s.pay("1", "1", "dlc", 2), s.pay("2", "1", "dlc", 3)
	s.is(s.returnUnits("1", "1", "R1", 2), order.Returned, 0, 0)
	s.is(s.returnUnits("2", "1", "R1", 1), order.Unconnected, 0, 0)
	s.must(s.store.PutProduct(t.Context(), game("dlc", catalog.PerUnit)))
	s.must(s.filler.Fill(t.Context(), order.FillProduct("acme", pool.Live, "dlc"), s.at.Add(time.Minute)))
	s.is(s.line(all.ID), order.Returned, 0, 0)
	s.is(s.line(part.ID), order.Fulfilled, 2, 1)
	s.settle(all.ID, part.ID)
	s.mails(1)
}

// A line that waits is given back in part: what it misses shrinks, and the return of the
// last missing unit completes it.
func TestReturnLine_waiting(t *testing.T) {
	s := open(t, 2)
	line := s.pay("1", "1", "game", 4)
	s.is(line, order.Waiting, 2, 0)
	s.is(s.returnUnits("1", "1", "R1", 1), order.Waiting, 2, 1)
	queue, err := s.store.Queue(t.Context(), elden)
	s.must(err)
	if len(queue.Lines) != 1 || queue.Lines[0].Missing != 1 {
		t.Errorf("the queue is %+v", queue.Lines)
	}
	s.is(s.returnUnits("1", "1", "R2", 1), order.Fulfilled, 2, 2)
	s.settle(line.ID)
	s.mails(1)
}

// What becomes of the keys is the merchant's setting or the product's. Keys that a mailer
// had are never for sale again.
func TestReturn_whatBecomesOfTheKeys(t *testing.T) {
	for name, c := range map[string]struct {
		merchant, product        order.Disposition
		mailed                   bool
		revoked, kept, available int
	}{
		"revoked by default":             {revoked: 2, available: 3},
		"for sale again":                 {merchant: order.Restock, available: 5},
		"for sale again, but mailed":     {merchant: order.Restock, mailed: true, revoked: 2, available: 3},
		"kept":                           {merchant: order.Keep, mailed: true, kept: 2, available: 3},
		"the product's word comes first": {merchant: order.Restock, product: order.Keep, kept: 2, available: 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, 5)
			s.restockBy(c.merchant, c.product)
			line := s.pay("1", "1", "game", 2)
			if c.mailed {
				s.mail(line.ID)
			}
			s.returnOrder("1", "R1")
			s.available(c.available)
			if books := dynamotest.Audit(t, s.tables); books.Revoked != c.revoked || books.Kept != c.kept {
				t.Errorf("%d keys are revoked, %d kept", books.Revoked, books.Kept)
			}
		})
	}
}

func (s *shop) restockBy(merchant, product order.Disposition) {
	s.Helper()
	m, _, err := s.store.Merchant(s.Context(), "acme")
	s.must(err)
	m.ReturnedKeys = merchant
	s.must(s.store.PutMerchant(s.Context(), m))
	p, _, err := s.store.Product(s.Context(), "acme", "game")
	s.must(err)
	p.ReturnedKeys = product
	s.must(s.store.PutProduct(s.Context(), p))
}

// A withdrawn lease counts: whoever had the keys in his hands may have shown them. A mail
// that was only due does not, though a hold took it back meanwhile.
func TestReturn_aWithdrawnLeaseCounts(t *testing.T) {
	s := open(t, 5)
	s.restockBy(order.Restock, "")
	line, other := s.pay("1", "1", "game", 1), s.pay("2", "1", "game", 1)
	s.paused = func() { s.dispute("1", "D1", order.DisputeOpen) }
	s.mail(line.ID)
	s.mails(0)
	s.dispute("1", "D1", order.DisputeLost)
	s.is(s.line(line.ID), order.Returned, 0, 1)
	s.available(3)
	s.dispute("2", "D1", order.DisputeOpen)
	s.dispute("2", "D1", order.DisputeLost)
	s.is(s.line(other.ID), order.Returned, 0, 1)
	s.available(4)
}

// 250 keys are given back, and the process dies in the middle: the line shows at once what
// is returned, is not mailed, and the sweep takes the rest.
func TestReturn_ofManyKeysCutOff(t *testing.T) {
	s := open(t, 250)
	line := s.pay("1", "1", "game", 250)
	s.fill()
	s.is(s.line(line.ID), order.Fulfilled, 250, 0)
	s.changes.Store = &dying{Store: s.store, commits: 1}
	_, err := s.changes.ReturnLine(t.Context(), lifecycle.LineReturn{Identity: identity("1", "1"), Account: "shop", Refund: "R1", Units: 150, Act: ada})
	if !errors.Is(err, errDied) {
		t.Fatal(err)
	}
	if f := s.line(line.ID); f.Surplus() == 0 || f.Mail.DueAt.IsZero() {
		t.Fatalf("%d surplus keys, due at %s", f.Surplus(), f.Mail.DueAt)
	}
	s.mail(line.ID)
	s.mails(0)
	s.changes.Store = s.store
	s.settle(line.ID)
	s.is(s.line(line.ID), order.Fulfilled, 100, 150)
	s.mails(1)

	s.changes.Store = &dying{Store: s.store, commits: 1}
	if _, err := s.changes.ReturnOrder(t.Context(), whole("1"), order.Return{ID: "R2", By: "webhook"}); !errors.Is(err, errDied) {
		t.Fatal(err)
	}
	if f := s.line(line.ID); f.State() != order.Returned || f.Allocated == 0 {
		t.Errorf("%s with %d keys", f.State(), f.Allocated)
	}
	s.changes.Store = s.store
	s.settle(line.ID)
	s.is(s.line(line.ID), order.Returned, 0, 250)
	s.mails(1)
	if f := s.line(line.ID); !f.Mail.DueAt.IsZero() {
		t.Errorf("still due at %s", f.Mail.DueAt)
	}
}

var errDied = errors.New("the process died")

// dying is a store whose process dies after some commits.
type dying struct {
	*dynamo.Store
	commits int
}

func (d *dying) Commit(ctx context.Context, changes ...order.Change) error {
	if d.commits--; d.commits < 0 {
		return errDied
	}
	return d.Store.Commit(ctx, changes...)
}

// Disputes keep an order from being mailed, and come and go in any order.
func TestDispute(t *testing.T) {
	s := open(t, 10)
	line := s.pay("1", "1", "game", 1)
	s.dispute("1", "D1", order.DisputeOpen)
	s.is(s.line(line.ID), order.OnHold, 1, 0)
	s.dispute("1", "D2", order.DisputeOpen)
	s.settle(line.ID)
	s.mails(0)
	s.dispute("1", "D1", order.DisputeWon)
	s.is(s.line(line.ID), order.OnHold, 1, 0)
	if _, err := s.changes.Release(t.Context(), line.ID, ada); !errors.Is(err, order.ErrState) {
		t.Errorf("a person released a dispute: %v", err)
	}
	s.dispute("1", "D2", order.DisputeWon)
	s.dispute("1", "D2", order.DisputeOpen) // reported late
	s.is(s.line(line.ID), order.Fulfilled, 1, 0)
	s.settle(line.ID)
	s.mails(1)
	s.dispute("1", "D3", order.DisputeLost)
	s.is(s.line(line.ID), order.Returned, 0, 1)
	s.settle(line.ID)
	s.mails(1)
	if got, want := s.history(line.ID)[0], "held by webhook: dispute:D1"; got != want {
		t.Errorf("history %q", s.history(line.ID))
	}
}

// A dispute is opened, won or lost before the order is paid.
func TestDispute_beforeThePayment(t *testing.T) {
	s := open(t, 10)
	s.dispute("1", "D1", order.DisputeOpen)
	line := s.pay("1", "1", "game", 1)
	s.is(line, order.OnHold, 0, 0)
	s.settle(line.ID)
	s.mails(0)
	s.dispute("1", "D1", order.DisputeWon)
	s.is(s.line(line.ID), order.Waiting, 0, 0)
	s.settle(line.ID)
	s.is(s.line(line.ID), order.Fulfilled, 1, 0)
	s.mails(1)

	s.dispute("2", "D1", order.DisputeLost)
	s.is(s.pay("2", "1", "game", 1), order.OnHold, 0, 0)
	s.dispute("3", "D1", order.DisputeWon)
	s.dispute("3", "D1", order.DisputeOpen)
	s.is(s.pay("3", "1", "game", 1), order.Fulfilled, 1, 0)
}

// A dispute comes and ends while a mailer has the mail: it is put off, and goes out after.
func TestDispute_wonWhileTheMailIsUnderWay(t *testing.T) {
	s := open(t, 10)
	line := s.pay("1", "1", "game", 1)
	s.paused = func() { s.dispute("1", "D1", order.DisputeOpen) }
	s.mail(line.ID)
	s.mails(0)
	s.is(s.line(line.ID), order.OnHold, 1, 0)
	s.dispute("1", "D1", order.DisputeWon)
	s.settle(line.ID)
	s.mails(1)
}

// An application of what was known before a dispute ended starts over: it would hold the
// line for ever.
func TestDispute_anOldApplicationStartsOver(t *testing.T) {
	s := open(t, 10)
	line := s.pay("1", "1", "game", 1)
	between := &interrupted{Store: s.store, before: func() { s.dispute("1", "D1", order.DisputeWon) }}
	old := *s.changes
	old.Store = between
	_, err := old.Dispute(t.Context(), whole("1"), "D1", order.DisputeOpen)
	s.must(err)
	if between.before != nil {
		t.Fatal("nothing was committed")
	}
	s.is(s.line(line.ID), order.Fulfilled, 1, 0)
	s.settle(line.ID)
	s.mails(1)
}

// interrupted is a store at which something happens before its first commit.
type interrupted struct {
	*dynamo.Store
	before func()
}

func (i *interrupted) Commit(ctx context.Context, changes ...order.Change) error {
	if before := i.before; before != nil {
		i.before = nil
		before()
	}
	return i.Store.Commit(ctx, changes...)
}

// A held line leaves its queue and comes back to its place; two reasons are two.
func TestHold(t *testing.T) {
	s := open(t, 0)
	first := s.pay("1", "1", "game", 1)
	s.at = s.at.Add(time.Second)
	second := s.pay("2", "1", "game", 1)
	for range 2 {
		held, err := s.changes.Hold(t.Context(), first.ID, ada)
		s.must(err)
		s.is(held, order.OnHold, 0, 0)
	}
	s.stock(1)
	s.fill()
	s.is(s.line(second.ID), order.Fulfilled, 1, 0)
	third := s.pay("3", "1", "game", 1)
	s.dispute("1", "D1", order.DisputeOpen)
	released, err := s.changes.Release(t.Context(), first.ID, ada)
	s.must(err)
	s.is(released, order.OnHold, 0, 0)
	s.dispute("1", "D1", order.DisputeWon)
	s.at = s.at.Add(time.Second)
	s.stock(1)
	s.fill()
	s.is(s.line(first.ID), order.Fulfilled, 1, 0)
	s.is(s.line(third.ID), order.Waiting, 0, 0)
	s.settle(first.ID, second.ID)
	s.mails(2)
}

// A mail that is due is taken back by a hold, and due again by the release. One that went
// out is not sent again. What is returned beats what is held.
func TestHold_mail(t *testing.T) {
	s := open(t, 5)
	line := s.pay("1", "1", "game", 1)
	for _, mails := range []int{1, 1} {
		_, err := s.changes.Hold(t.Context(), line.ID, ada)
		s.must(err)
		s.settle(line.ID)
		_, err = s.changes.Release(t.Context(), line.ID, ada)
		s.must(err)
		s.settle(line.ID)
		s.mails(mails)
	}
	_, err := s.changes.Hold(t.Context(), line.ID, ada)
	s.must(err)
	s.returnOrder("1", "R1")
	s.is(s.line(line.ID), order.Returned, 0, 1)
}

// A key is replaced: the line gets another, the former is revoked for good, and the mail goes
// out again. The same key named again replaces nothing.
func TestReplace(t *testing.T) {
	for name, quantity := range map[string]int{"in the line's own item": 2, "in a chunk": 30} {
		t.Run(name, func(t *testing.T) {
			s := open(t, quantity+1)
			line := s.pay("1", "1", "game", quantity)
			s.mail(line.ID)
			bad := s.allKeys(line.ID)[quantity-1]
			for range 2 {
				got, err := s.changes.Replace(t.Context(), line.ID, bad, ada)
				s.must(err)
				s.is(got, order.Fulfilled, quantity, 0)
			}
			if keys := s.allKeys(line.ID); len(keys) != quantity || slices.Contains(keys, bad) {
				t.Errorf("the line holds %d keys, and the bad one: %v", len(keys), slices.Contains(keys, bad))
			}
			s.settle(line.ID)
			s.mails(2)
			s.available(0)
			if _, err := s.changes.Replace(t.Context(), line.ID, "acme#live#nobody's", ada); !errors.Is(err, order.ErrNotHeld) {
				t.Errorf("of a key that the line does not hold: %v", err)
			}
			if _, err := s.changes.Replace(t.Context(), line.ID, s.allKeys(line.ID)[0], ada); !errors.Is(err, order.ErrNoKeys) {
				t.Errorf("with no other key: %v", err)
			}
			if books := dynamotest.Audit(t, s.tables); books.Revoked != 1 {
				t.Errorf("%d keys are revoked", books.Revoked)
			}
		})
	}
}

func (s *shop) allKeys(id order.LineID) (keys []pool.KeyID) {
	s.Helper()
	chunks, err := s.store.Chunks(s.Context(), id)
	s.must(err)
	for _, key := range s.line(id).Keys {
		keys = append(keys, key.ID)
	}
	for _, chunk := range chunks {
		for _, key := range chunk.Keys {
			keys = append(keys, key.ID)
		}
	}
	return keys
}

// The keys are mailed again; while that is due, once is enough. A line on hold is not.
func TestResend(t *testing.T) {
	s := open(t, 5)
	line := s.pay("1", "1", "game", 1)
	s.mail(line.ID)
	for range 2 {
		_, err := s.changes.Resend(t.Context(), line.ID, ada)
		s.must(err)
	}
	s.settle(line.ID)
	s.mails(2)
	_, err := s.changes.Hold(t.Context(), line.ID, ada)
	s.must(err)
	if _, err := s.changes.Resend(t.Context(), line.ID, ada); !errors.Is(err, order.ErrState) {
		t.Errorf("a line on hold was mailed again: %v", err)
	}
}

// An amount gives back what it pays for, if that is clear.
func TestReturnAmount(t *testing.T) {
	for name, c := range map[string]struct {
		amounts  []string
		currency string
		lines    int
		clear    bool
		units    int // returned of the first line, of 3
	}{
		"all of it":                    {[]string{"59.70"}, "EUR", 1, true, 3},
		"one unit":                     {[]string{"19.9"}, "EUR", 1, true, 1},
		"two units, one by one":        {[]string{"19.90", "19.90"}, "EUR", 1, true, 2},
		"part of a unit":               {[]string{"10.00"}, "EUR", 1, false, 0},
		"parts that make up all of it": {[]string{"10.00", "49.70"}, "EUR", 1, true, 3},
		"of two lines":                 {[]string{"19.90"}, "EUR", 2, false, 0},
		"all of two lines":             {[]string{"79.60"}, "EUR", 2, true, 3},
		"one of three is not stored":   {[]string{"79.60"}, "EUR", 3, false, 0}, // or is not delivered by Keypool
		"another currency":             {[]string{"19.90"}, "USD", 1, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, 10)
			s.orderLines = c.lines
			line := s.pay("1", "1", "game", 3)
			if c.lines > 1 {
				s.pay("1", "2", "game", 1)
			}
			clear := false
			for i, amount := range c.amounts {
				for range 2 {
					var err error
					_, clear, err = s.changes.ReturnAmount(t.Context(), whole("1"), order.Return{ID: fmt.Sprint("R", i), By: "webhook", Amount: amount, Currency: c.currency})
					s.must(err)
				}
			}
			if f := s.line(line.ID); clear != c.clear || f.ReturnedUnits != c.units {
				t.Errorf("clear %v, %d units are returned; want %v, %d", clear, f.ReturnedUnits, c.clear, c.units)
			}
			s.settle()
		})
	}
}

// An order of two lines of which one is stored so far is no order of one line.
func TestReturnAmount_whileOneLineOfTwoIsStored(t *testing.T) {
	s := open(t, 10)
	s.orderLines = 2
	line := s.pay("1", "1", "game", 3)
	_, clear, err := s.changes.ReturnAmount(t.Context(), whole("1"), order.Return{ID: "R", By: "webhook", Amount: "59.70", Currency: "EUR"})
	s.must(err)
	if f := s.line(line.ID); clear || f.ReturnedUnits != 0 {
		t.Errorf("clear %v, %d units are returned", clear, f.ReturnedUnits)
	}
}

// Of an amount nobody is asked for what it is once all of the order is given back; while a line
// of it is not stored, it may be that one's.
func TestReturnAmount_ofWhatIsGivenBack(t *testing.T) {
	for lines, want := range map[int]bool{1: true, 2: false} {
		t.Run(fmt.Sprint(lines), func(t *testing.T) {
			s := open(t, 10)
			s.orderLines = lines
			s.pay("1", "1", "game", 3)
			_, err := s.changes.ReturnSeen(t.Context(), whole("1"), order.Return{ID: "mine", By: "ada"})
			s.must(err)
			_, clear, err := s.changes.ReturnAmount(t.Context(), whole("1"), order.Return{ID: "R", By: "webhook", Amount: "1.23", Currency: "EUR"})
			s.must(err)
			if clear != want {
				t.Errorf("of %d lines: clear %v", lines, clear)
			}
		})
	}
}

// A payment that read of no amount is stored when the amount has looked for lines: the
// sweep holds it.
func TestReturnAmount_besideThePayment(t *testing.T) {
	s := open(t, 10)
	back := order.Return{ID: "R", By: "webhook", Amount: "19.90", Currency: "EUR"}
	of := whole("1")
	lines, clear, err := s.changes.ReturnAmount(t.Context(), of, back)
	s.must(err)
	if len(lines) > 0 || !clear {
		t.Errorf("%d lines, clear %v", len(lines), clear)
	}
	s.claims.Store = blind{s.store}
	line := s.pay("1", "1", "game", 3)
	s.claims.Store = s.store
	if len(line.Holds) > 0 {
		t.Fatal("it read of the amount")
	}
	s.mail(line.ID)
	s.mails(0)
	s.settle()
	if told := dynamotest.Partitions(t, s.tables.Orders, "notice#acme#"+string(notice.PaidAfterReturn)+"#"); len(told) != 1 {
		t.Errorf("the merchant is asked %d times", len(told))
	}
	for range 2 {
		if f := s.line(line.ID); !slices.Equal(f.Holds, []order.Hold{order.HoldPaidAfterReturn}) {
			t.Errorf("it is held for %v", f.Holds)
		}
		_, _, err := s.changes.ReturnAmount(t.Context(), of, back)
		s.must(err)
	}
	_, err = s.changes.Release(t.Context(), line.ID, lifecycle.Act{By: "support", Why: "paid again"})
	s.must(err)
	_, _, err = s.changes.ReturnAmount(t.Context(), of, back)
	s.must(err)
	s.settle()
	if f := s.line(line.ID); f.State() != order.Fulfilled || f.ReturnedUnits > 0 {
		t.Errorf("it is %s, %d units are returned", f.State(), f.ReturnedUnits)
	}
}

// Who brought an amount died before anybody was asked about it. A line that was paid since is
// returned itself, so that nobody is asked when it is paid: somebody is for the other line.
func TestReturnAmount_besideALineThatIsReturned(t *testing.T) {
	s := open(t, 10)
	s.orderLines = 2
	first := s.pay("1", "1", "game", 1)
	s.returnUnits("1", "2", "r", 0)
	back := order.Return{ID: "R", By: "webhook", Amount: "5.00", Currency: "EUR"}
	w := whole("1")
	w.AddReturn(back)
	s.must(s.store.PutWhole(t.Context(), w))
	second := s.pay("1", "2", "game", 1)
	if f := s.line(second.ID); f.State() != order.Returned || !slices.Contains(f.PaidAfter, "R") {
		t.Fatalf("the second line is %s, paid after %v", f.State(), f.PaidAfter)
	}
	for _, returned := range []bool{false, true} {
		if returned {
			s.returnUnits("1", "1", "r", 0)
		}
		_, clear, err := s.changes.ReturnAmount(t.Context(), whole("1"), back)
		s.must(err)
		if clear != returned {
			t.Errorf("the first line is returned: %v; it is clear what the amount is for: %v", returned, clear)
		}
	}
	if f := s.line(first.ID); f.ReturnedUnits != 1 {
		t.Errorf("%d units of the first are returned", f.ReturnedUnits)
	}
}

// leasing is a store of mails that lets something happen just after a lease.
type leasing struct {
	delivery.Store[order.Fulfillment]
	after func()
}

func (l leasing) Lease(ctx context.Context, id string, now time.Time) (order.Fulfillment, bool, bool, error) {
	f, again, ok, err := l.Store.Lease(ctx, id, now)
	l.after()
	return f, again, ok, err
}

// A mailer leases a mail of a line on hold, whose former mailer died. The line is released
// before the mailer marks that there is nothing to say: its mail is due.
func TestHold_releasedWhileItsMailIsTakenBack(t *testing.T) {
	s := open(t, 10)
	line := s.pay("1", "1", "game", 1)
	_, _, _, err := s.store.LineMails().Lease(t.Context(), string(line.ID), s.at)
	s.must(err)
	_, err = s.changes.Hold(t.Context(), line.ID, lifecycle.Act{By: "support"})
	s.must(err)
	s.at = s.at.Add(time.Hour)
	_, err = s.sweeper.Sweep(t.Context(), s.at.Add(time.Minute))
	s.must(err)
	s.mailer.Lines = leasing{s.store.LineMails(), func() {
		_, err := s.changes.Release(t.Context(), line.ID, lifecycle.Act{By: "support"})
		s.must(err)
	}}
	s.mail(line.ID)
	s.mailer.Lines = s.store.LineMails()
	if len(s.ses.mails) > 0 {
		t.Fatal("it was on hold when its mail was leased")
	}
	s.settle(line.ID)
	if len(s.ses.mails) != 1 {
		t.Errorf("%d mails", len(s.ses.mails))
	}
}
