package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/infra/proof/fuse"
	"keypool/shared/inventory"
	"keypool/shared/job"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
)

// ada is a customer of nova's, with a sign in each field that knows them.
var ada = order.Customer{
	Name: "Ada Adasname", FirstName: "Ada", LastName: "Adasname", Email: "Ada@Example.com", Phone: "+49 30 1234567", Company: "Adasfirm",
	Country: "DE", City: "Adastown", Zip: "10117", Address: "1 Adastreet", LicenseFor: "Adaspartner", AddInfo: "Adaswish",
}

// buy stores a line of a customer's that was filled and mailed, or as make makes it.
func (w *world) buy(number string, side pool.Side, who order.Customer, make func(*order.Fulfillment)) order.Fulfillment {
	w.Helper()
	m, _, err := w.store.Merchant(w.Context(), "nova")
	w.must(err)
	line := order.Fulfillment{
		ID:       order.Identity{Merchant: "nova", Side: side, Origin: "own", Order: number, Line: "1"}.ID(),
		Merchant: "nova", Side: side, Account: "own", Origin: "own", Order: number, Line: "1", Product: "4711", Pool: "elden", Title: "Elden",
		Quantity: 1, KeysPerUnit: 1, Wanted: 1, Allocated: 1, Keys: []pool.Key{{ID: pool.KeyID("k" + number), Text: pool.Conceal("TEXT-" + number)}},
		ReceivedAt: w.now, PaidAt: w.now, Currency: "EUR", Language: "de", UnitPrice: "5.00",
		Customer: who, Former: []string{"former@" + who.LastName + ".example"}, CustomerHash: order.HashAddress(m.Salt, who.Email),
		Mail: outbox.Entry{State: outbox.Delivered, Kind: outbox.Keys, Number: 1},
	}
	if make != nil {
		make(&line)
	}
	change := order.NewLine(line)
	change.History = []order.History{
		{Line: line.ID, At: w.now, Event: order.ByHand, By: "the token \"support\"", Code: who.LastName + " asked by phone"},
		{Line: line.ID, At: w.now, Event: order.UnitsReturned, By: "webhook", Code: "re_1"},
	}
	w.must(w.store.Commit(w.Context(), change))
	return change.After
}

func (w *world) line(id order.LineID) order.Fulfillment {
	w.Helper()
	line, _, err := w.store.Fulfillment(w.Context(), id)
	w.must(err)
	return line
}

func (w *world) eraseAda(force bool) job.Job {
	w.Helper()
	j, err := w.jobs.Erase(w.Context(), "nova", " ada@example.COM", force, "the token")
	w.must(err)
	return j
}

// correct stores another address of a line's customer.
func (w *world) correct(line order.Fulfillment, email string) order.Fulfillment {
	w.Helper()
	m, _, err := w.store.Merchant(w.Context(), "nova")
	w.must(err)
	change := order.ChangeOf(line)
	w.must(change.After.CorrectAddress(email, order.HashAddress(m.Salt, email)))
	w.must(w.store.Commit(w.Context(), change))
	return change.After
}

// A customer is erased by an address too that was corrected since, however often, and nothing
// is left by which it could be told that they had it.
func TestErase_byAFormerAddress(t *testing.T) {
	t.Parallel()
	w := open(t)
	var lines []order.Fulfillment
	for n := range 30 { // more than one step
		line := w.correct(w.buy(fmt.Sprint("A-", n), pool.Sides[n%2], ada, nil), "countess@example.com")
		if n%3 == 0 {
			line = w.correct(w.correct(line, "ADA@example.com"), "lovelace@example.com")
		}
		lines = append(lines, line)
	}
	bob := w.correct(w.buy("B-1", pool.Live, order.Customer{Name: "Bob", Email: "bob@example.com"}, nil), "robert@example.com")
	w.later(time.Hour)
	if ended := w.finish(w.eraseAda(false).ID); ended.Lines != 30 || ended.Look.Left != 0 {
		t.Errorf("%d lines were erased, %d left", ended.Lines, ended.Look.Left)
	}
	after := w.dump()
	for _, gone := range append([]string{"Adas", "ada@", "ADA@", "countess", "lovelace", lines[0].CustomerHash}, lines[0].FormerHashes...) {
		if gone != "" && strings.Contains(after, gone) {
			t.Errorf("%q is still stored", gone)
		}
	}
	if now := w.line(bob.ID); now.Customer.Name != "Bob" || !strings.Contains(after, bob.FormerHashes[0]) {
		t.Errorf("another customer is %+v", now.Customer)
	}
}

// waits makes a line that waits for its key.
func waits(line *order.Fulfillment) {
	line.Allocated, line.Keys, line.Mail = 0, nil, outbox.Entry{DueAt: noon.Add(outbox.SweepAfter)}
}

// dump returns all items of all tables, as text.
func (w *world) dump() string {
	w.Helper()
	var b strings.Builder
	for _, table := range []string{w.tables.Catalog, w.tables.Orders, w.tables.Keys} {
		for _, item := range dynamotest.Items(w.T, table, "") {
			fmt.Fprintf(&b, "%v\n", item)
		}
	}
	return b.String()
}

func TestErase(t *testing.T) {
	t.Parallel()
	w := open(t)
	var lines []order.Fulfillment
	for n := range 30 {
		lines = append(lines, w.buy(fmt.Sprint("A-", n), pool.Live, ada, nil))
	}
	lines = append(lines, w.buy("A-0", pool.Test, ada, nil))
	back := w.buy("A-back", pool.Live, ada, func(line *order.Fulfillment) { waits(line); line.ReturnAll(); line.Mail = outbox.Entry{} })
	lines = append(lines, back)
	bob := w.buy("B-1", pool.Live, order.Customer{Name: "Bob", Email: "bob@example.com"}, nil)
	if ok, err := w.store.AdmitOrder(t.Context(), lines[0], 5); err != nil || !ok {
		t.Fatal(ok, err)
	}
	w.must(w.store.PutWhole(t.Context(), order.Whole{
		ID: lines[0].ID.OrderHalf(), Merchant: "nova", Side: pool.Live, Account: "own", Order: "A-0",
		Returns:  []order.Return{{ID: "re_2", By: "the token", Why: "Adasname is angry", Amount: "1.00", Currency: "EUR"}},
		Disputes: map[string]order.Dispute{"dp_1": order.DisputeDropped}, Drops: map[string]order.Drop{"dp_1": {By: "the token", Why: "Adasname called"}},
	}))
	before := w.dump()
	for _, known := range []string{"Adasname", "Adastreet", lines[0].CustomerHash} {
		if !strings.Contains(before, known) {
			t.Fatalf("%s is nowhere", known)
		}
	}

	w.later(time.Hour)
	ended := w.finish(w.eraseAda(false).ID)
	if ended.State() != job.Ended || ended.Lines != 32 || ended.Look.Left != 0 {
		t.Errorf("the job is %s: %d lines erased, %d left", ended.State(), ended.Lines, ended.Look.Left)
	}
	after := w.dump()
	for _, gone := range []string{"Adas", "Ada@", "ada@", "+49 30", "10117", lines[0].CustomerHash} {
		if strings.Contains(after, gone) {
			t.Errorf("%q is still stored", gone)
		}
	}
	for _, before := range lines {
		now := w.line(before.ID)
		if now.ErasedAt.IsZero() {
			t.Errorf("order %s is not marked", before.Order)
		}
		before.Customer, before.CustomerHash, before.Former, before.ErasedAt, before.Version = order.Customer{}, "", nil, now.ErasedAt, now.Version
		if fmt.Sprintf("%+v", now) != fmt.Sprintf("%+v", before) {
			t.Errorf("more than the customer changed:\n%+v\n%+v", before, now)
		}
	}
	history, err := w.store.History(t.Context(), lines[0].ID)
	w.must(err)
	var told []string
	for _, h := range history {
		told = append(told, fmt.Sprintf("%s %q", h.Event, h.Code))
	}
	slices.Sort(told)
	if want := `[erased "" fulfilled-by-hand "" units-returned "re_1"]`; fmt.Sprint(told) != want {
		t.Errorf("the history is %v, want %s", told, want)
	}
	if now := w.line(bob.ID); now.Customer != bob.Customer {
		t.Error("another customer is erased")
	}
	trail, _, err := w.store.Entries(t.Context(), "nova", "", 10)
	w.must(err)
	if len(trail) != 2 || trail[0].Name != ended.ID || fmt.Sprint(trail[0].After["lines"]) != "32" || trail[1].After["kind"] != "erase" {
		t.Errorf("the audit trail has %+v", trail)
	}

	if again := w.finish(w.eraseAda(false).ID); again.Lines != 0 {
		t.Errorf("the second job erased %d lines", again.Lines)
	}
	if now := w.dump(); strings.Contains(now, lines[0].CustomerHash) {
		t.Error("the second job left the hash of the address")
	}
}

// A line that owes its customer something is left, and reported; with force it is erased and
// stays on hold, with what it has.
func TestErase_whatIsOwed(t *testing.T) {
	t.Parallel()
	w := open(t)
	owing := []order.Fulfillment{
		w.buy("waits", pool.Live, ada, waits),
		w.buy("held", pool.Live, ada, func(line *order.Fulfillment) { line.Hold(order.HoldReview) }),
		w.buy("due", pool.Live, ada, func(line *order.Fulfillment) { line.Mail = outbox.Entry{}.Next(outbox.Keys, w.now) }),
		w.buy("bounced", pool.Live, ada, func(line *order.Fulfillment) { line.Mail.State = outbox.Bounced }),
		w.buy("unconnected", pool.Live, ada, func(line *order.Fulfillment) { waits(line); line.Pool, line.Wanted, line.KeysPerUnit = "", 0, 0 }),
	}
	done := w.buy("done", pool.Live, ada, nil)
	if ended := w.finish(w.eraseAda(false).ID); ended.Lines != 1 || ended.Look.Left != len(owing) {
		t.Errorf("%d lines are erased, and %d are left", ended.Lines, ended.Look.Left)
	}
	for _, before := range owing {
		if now := w.line(before.ID); now.Customer != ada || now.Version != before.Version {
			t.Errorf("order %s, which owes something, was changed", before.Order)
		}
	}
	if w.line(done.ID).Customer != (order.Customer{}) {
		t.Error("a line that owes nothing is not erased")
	}

	if ended := w.finish(w.eraseAda(true).ID); ended.Lines != len(owing) || ended.Look.Left != 0 {
		t.Errorf("with force %d lines are erased, and %d are left", ended.Lines, ended.Look.Left)
	}
	for _, before := range owing {
		now := w.line(before.ID)
		if now.Customer != (order.Customer{}) || !now.LacksAddress() || now.Allocated != before.Allocated || now.Mail.State == outbox.Due {
			t.Errorf("with force, order %s is %s with %d keys, its mail %q", before.Order, now.State(), now.Allocated, now.Mail.State)
		}
		if change := order.ChangeOf(now); change.After.Release() && change.After.State() != order.OnHold {
			t.Errorf("order %s may be released, and there is nobody to mail it to", before.Order)
		}
	}
	queue, err := w.store.Queue(t.Context(), elden)
	w.must(err)
	if len(queue.Lines) != 0 {
		t.Errorf("%d erased lines wait for keys", len(queue.Lines))
	}
}

// While a mail is being sent, its line stays: the job looks again.
func TestErase_whileItIsMailed(t *testing.T) {
	t.Parallel()
	w := open(t)
	line := w.buy("A-1", pool.Live, ada, func(line *order.Fulfillment) {
		line.Mail = outbox.Entry{}.Next(outbox.Keys, w.now).Leased(w.now.Add(time.Minute))
	})
	j := w.eraseAda(true)
	for range 3 {
		if err := w.run(w.worker, j.ID); !errors.Is(err, job.ErrPaused) {
			t.Fatalf("while its mail is sent: %v", err)
		}
		if now := w.line(line.ID); now.Version != line.Version {
			t.Fatal("the line was changed")
		}
		w.later(inventory.IndexLag)
	}
	change := order.ChangeOf(line)
	change.After.Mail = line.Mail.Completed(outbox.Sent, "1", "", w.now)
	w.must(w.store.Commit(t.Context(), change))
	if ended := w.finish(j.ID); ended.Lines != 1 || w.line(line.ID).LacksAddress() {
		t.Errorf("%d lines are erased; the line is %s", ended.Lines, w.line(line.ID).State())
	}
}

// No address is nobody's, and not everybody's.
func TestErase_withoutAnAddress(t *testing.T) {
	t.Parallel()
	w := open(t)
	line := w.buy("A-1", pool.Live, ada, nil)
	if _, err := w.jobs.Erase(t.Context(), "nova", " ", true, "the token"); !errors.Is(err, job.ErrNoAddress) {
		t.Errorf("erased: %v", err)
	}
	j := job.Job{Merchant: "nova", ID: job.NewID(t.Context(), noon), Kind: job.Erase, Force: true, CreatedAt: noon, DueAt: noon}
	w.must(w.store.StartJob(t.Context(), j))
	if err := w.run(w.worker, j.ID); !errors.Is(err, job.ErrNoAddress) {
		t.Errorf("the job ended with %v", err)
	}
	if w.line(line.ID).Customer != ada {
		t.Error("the customer is erased")
	}
}

// What comes after the job was asked for is another order of the customer's.
func TestErase_ordersThatComeLater(t *testing.T) {
	t.Parallel()
	w := open(t)
	j := w.eraseAda(false)
	w.later(time.Second)
	line := w.buy("A-2", pool.Live, ada, nil)
	if ended := w.finish(j.ID); ended.Lines != 0 || w.line(line.ID).Customer != ada {
		t.Error("an order that came later is erased")
	}
}

// An index shows a line under an address that it has no more: it is another customer's.
func TestErase_lineOfAnother(t *testing.T) {
	t.Parallel()
	w := open(t)
	bob := w.buy("B-1", pool.Live, order.Customer{Email: "bob@example.com"}, nil)
	w.worker.Lines = staleIndex{w.worker.Lines, bob}
	if ended := w.finish(w.eraseAda(false).ID); ended.Lines != 0 || w.line(bob.ID).Customer != bob.Customer {
		t.Error("the line of another customer is erased")
	}
}

// staleIndex shows a line that is another's by now.
type staleIndex struct {
	inventory.LinesOf
	line order.Fulfillment
}

func (i staleIndex) Places(context.Context, order.Search, order.Place, int) ([]order.Place, error) {
	return []order.Place{{At: i.line.ReceivedAt, Line: i.line.ID}}, nil
}

// A job that is killed at any of its calls is resumed, and counts each line once.
func TestErase_killedAtAnyCall(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		for at := 1; ; at++ {
			w := open(t)
			for n := range 3 {
				w.buy(fmt.Sprint("A-", n), pool.Live, ada, nil)
			}
			j := w.eraseAda(false)
			f := &fuse.Fuse{Left: at, Late: late}
			err := w.run(fused(f, w.worker), j.ID)
			if f.Left > 0 {
				if !errors.Is(err, job.ErrPaused) {
					t.Fatal(err)
				}
				break
			}
			if ended := w.finish(j.ID); ended.Lines != 3 || strings.Contains(w.dump(), "Adas") {
				t.Errorf("killed at call %d (late %t): it counts %d lines", at, late, ended.Lines)
			}
		}
	}
}

// A worker whose job another has taken erases nothing.
func TestErase_fenced(t *testing.T) {
	t.Parallel()
	w := open(t)
	line := w.buy("A-1", pool.Live, ada, nil)
	j := w.eraseAda(false)
	stale, err := w.store.TakeJob(t.Context(), "nova", j.ID, noon)
	w.must(err)
	if _, err := w.store.TakeJob(t.Context(), "nova", j.ID, noon); err != nil {
		t.Fatal(err)
	}
	if _, err := w.eraser.Erase(t.Context(), line.ID, lifecycle.Erasure{Job: &stale}); !errors.Is(err, job.ErrFenced) {
		t.Errorf("it erases: %v", err)
	}
	if w.line(line.ID).Customer != ada {
		t.Error("the customer is gone")
	}
}
