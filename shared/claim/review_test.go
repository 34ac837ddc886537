package claim_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
)

// heldFor checks that a line is on hold for these reasons alone, has no key, owes no mail
// and stands among those held, and in no queue.
func (s *shop) heldFor(id order.LineID, reasons ...order.Hold) order.Fulfillment {
	s.t.Helper()
	line := s.stored(id)
	if line.State() != order.OnHold || line.Allocated > 0 || line.Mail.State == outbox.Due {
		s.t.Errorf("the line is %s with %d keys, its mail %q", line.State(), line.Allocated, line.Mail.State)
	}
	if diff := cmp.Diff(reasons, line.Holds); diff != "" {
		s.t.Errorf("held for other reasons (-want +got):\n%s", diff)
	}
	found := false
	for _, held := range s.held(line.Side) {
		if held.Line == id {
			found = cmp.Equal(held.Reasons, line.Holds)
		}
	}
	if !found {
		s.t.Error("the list of what is held does not show it, or shows other reasons")
	}
	dynamotest.Audit(s.t, s.tables)
	return line
}

func (s *shop) held(side pool.Side) []order.HeldLine {
	s.t.Helper()
	held, next, err := s.store.Held(s.t.Context(), "acme", side, "", 1000)
	s.must(err)
	if next != "" {
		s.t.Errorf("more are held than 1000: %s", next)
	}
	return held
}

// release lets a line go as lifecycle does.
func (s *shop) release(id order.LineID) {
	s.t.Helper()
	change := order.ChangeOf(s.stored(id))
	if !change.After.Release() {
		s.t.Fatal("nothing was lifted")
	}
	change.Settle(s.now())
	s.must(s.store.Commit(s.t.Context(), change))
}

func (s *shop) brake(set bool) {
	s.t.Helper()
	if set {
		s.must(s.store.SetBrake(s.t.Context(), "acme", catalog.Brake{SetAt: s.now(), By: "a test"}))
	} else {
		now, err := s.store.Review(s.t.Context(), "acme")
		s.must(err)
		off := now.Brake
		off.ReleasedAt, off.ReleasedBy = s.now(), "a test"
		s.must(s.store.ReleaseBrake(s.t.Context(), "acme", off))
	}
}

func TestReview_heldLineGetsKeysOnceItIsReleased(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "K", 5)
	s.rules(catalog.Rules{Always: true})
	line := s.claim(paid("1", "game", 2))
	before := s.heldFor(line.ID, order.HoldReview)

	if again := s.claim(paid("1", "game", 2)); again.State() != order.OnHold {
		t.Errorf("the repeat made it %s", again.State())
	}
	s.fill() // takes nothing for it
	s.heldFor(line.ID, order.HoldReview)

	s.release(line.ID)
	s.fill()
	after := s.stored(line.ID)
	if after.State() != order.Fulfilled || after.Allocated != 2 || after.Mail.State != outbox.Due || !after.ReceivedAt.Equal(before.ReceivedAt) {
		t.Errorf("released: %s with %d keys, its mail %s, received %s, before %s", after.State(), after.Allocated, after.Mail.State, after.ReceivedAt, before.ReceivedAt)
	}
	if len(s.held(pool.Live)) > 0 {
		t.Error("it still stands among those held")
	}
}

// The rule is that of the product, if it has any.
func TestReview_ofTheProduct(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "K", 5)
	s.rules(catalog.Rules{Always: true})
	s.product(catalog.Product{ID: "free", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}, Review: &catalog.Rules{Risk: true}})
	if got := s.claim(paid("1", "free", 1)); got.State() != order.Fulfilled {
		t.Errorf("a line of a product with rules of its own is %s", got.State())
	}
	risky := paid("2", "free", 1)
	risky.Risk = "highest"
	s.heldFor(s.claim(risky).ID, order.HoldReviewRisk)
}

// All keys of an order count: of the line itself, of lines paid before, of lines paid in the
// same webhook; not what was given back.
func TestCap_countsTheOrder(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "K", 500)
	s.product(catalog.Product{ID: "dlc", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}})

	s.heldFor(s.claim(paid("alone", "game", 101)).ID, order.HoldCap)
	if got := s.claim(paid("just", "game", 100)); !got.Active() {
		t.Errorf("100 keys are %s", got.State())
	}
	// A line paid later brings it over.
	s.heldFor(s.claim(paid("just", "dlc", 1)).ID, order.HoldCap)
	// A repeat of the first asks nothing again.
	if got := s.claim(paid("just", "game", 100)); !got.Active() {
		t.Errorf("the repeat is %s", got.State())
	}

	// Lines of one webhook know of each other, whichever is claimed first.
	together := []order.Fulfillment{paid("both", "game", 60), paid("both", "dlc", 60)}
	for i, line := range together {
		got, err := s.claims.Claim(t.Context(), line, together[1-i])
		s.must(err)
		s.heldFor(got.ID, order.HoldCap)
	}

	// What was given back does not count.
	back := s.claim(paid("back", "game", 80))
	change := order.ChangeOf(s.stored(back.ID))
	change.After.ReturnAll()
	change.Settle(s.now())
	s.must(s.store.Commit(t.Context(), change))
	if got := s.claim(paid("back", "dlc", 80)); got.State() != order.Fulfilled {
		t.Errorf("80 keys after 80 were given back are %s", got.State())
	}
}

// Lines of one order come by webhooks of their own, at once: whatever wins, no more than the
// cap leaves unasked.
func TestCap_linesAtOnce(t *testing.T) {
	t.Parallel()
	for round := range 5 {
		s := open(t)
		s.stock(live, "K", 300)
		var claims sync.WaitGroup
		const lines = 4
		for i := range lines {
			product := fmt.Sprint("p", i)
			s.product(catalog.Product{ID: product, Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}})
			claims.Go(func() {
				for range 20 { // as a platform repeats it
					if _, err := s.claims.Claim(t.Context(), paid("1", product, 45)); err == nil {
						return
					}
				}
				t.Errorf("%s is never answered", product)
			})
		}
		claims.Wait()
		keys, held := 0, 0
		for i := range lines {
			line := s.stored(paid("1", fmt.Sprint("p", i), 45).ID)
			keys += line.Allocated
			if line.State() == order.OnHold {
				held++
			}
		}
		if keys > 100 || held != 2 {
			t.Errorf("round %d: %d keys left unasked, %d lines are held; want 90 and 2", round, keys, held)
		}
		dynamotest.Audit(t, s.tables)
	}
}

// A line that is connected later is asked then, and keeps its place.
func TestReview_asksWhatIsConnectedLater(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "K", 300)
	s.rules(catalog.Rules{MaxOrders: 1})
	unknown := []order.Fulfillment{s.claim(paid("1", "later", 60)), s.claim(paid("2", "later", 101)), s.claim(paid("3", "later", 1))}
	if got := s.claim(paid("1", "game", 60)); got.State() != order.Fulfilled {
		t.Fatalf("the line beside one that nobody knows yet is %s", got.State())
	}
	s.product(catalog.Product{ID: "later", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}})
	s.must(s.filler.Fill(t.Context(), order.FillProduct("acme", pool.Live, "later"), s.now().Add(time.Minute)))
	s.heldFor(unknown[0].ID, order.HoldCap)
	s.heldFor(unknown[1].ID, order.HoldCap, order.HoldReviewOrders)
	s.heldFor(unknown[2].ID, order.HoldReviewOrders)
	if got := dynamotest.Partitions(t, s.tables.Orders, "notice#acme#held-for-review#"); len(got) != 2 {
		t.Errorf("the merchant is told by %v, want one now and one when the hour ends", got)
	}
}

// A mailer lists the lines that are on hold when it mails. So the notice that is mailed at once
// is raised when the lines are stored, and the one of the hour's end, which tells of those that
// a filler who dies leaves untold, before.
func TestReview_isToldOnceItIsStored(t *testing.T) {
	t.Parallel()
	s := open(t)
	line := s.claim(paid("1", "later", 60))
	s.rules(catalog.Rules{Always: true})
	s.product(catalog.Product{ID: "later", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}})
	told := map[bool][]bool{} // whether the line was on hold, by whether the notice waits for the end of the hour
	s.filler.Notices = listening{s.store, func(n notice.Notice) {
		_, rest := n.FirstHeld()
		told[rest] = append(told[rest], s.stored(line.ID).State() == order.OnHold)
	}}
	s.must(s.filler.Fill(t.Context(), order.FillProduct("acme", pool.Live, "later"), s.now().Add(time.Minute)))
	if !slices.Equal(told[false], []bool{true}) || len(told[true]) == 0 || told[true][0] {
		t.Errorf("the line was on hold when the first notice was raised: %v; when that of the hour's end was: %v", told[false], told[true])
	}
}

// listening hears of notices before they are stored.
type listening struct {
	claim.Notifier
	hear func(notice.Notice)
}

func (l listening) RaiseNotice(ctx context.Context, n notice.Notice) error {
	l.hear(n)
	return l.Notifier.RaiseNotice(ctx, n)
}

// Two lines of one order that are connected together count each other.
func TestCap_linesConnectedTogether(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "K", 300)
	var lines []order.Fulfillment
	for i := range 3 {
		line := paid("1", "later", 45)
		line.Line = fmt.Sprint(i)
		line.ID = order.Identity{Merchant: "acme", Side: pool.Live, Origin: "standard", Order: "1", Line: line.Line}.ID()
		lines = append(lines, s.claim(line))
	}
	s.product(catalog.Product{ID: "later", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}})
	s.must(s.filler.Fill(t.Context(), order.FillProduct("acme", pool.Live, "later"), s.now().Add(time.Minute)))
	keys := 0
	for _, line := range lines {
		keys += s.stored(line.ID).Allocated
	}
	if keys != 90 {
		t.Errorf("%d keys left unasked, want 90 of 135", keys)
	}
}

// The brake holds what is claimed while it is set, and what waits when fill comes to it.
// Taking it off releases nothing by itself.
func TestBrake(t *testing.T) {
	t.Parallel()
	s := open(t)
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	s.now = func() time.Time { return now }
	waiting := s.claim(paid("waits", "game", 2))
	other := paid("test", "game", 1)
	other.Side = pool.Test
	other.ID = order.Identity{Merchant: "acme", Side: pool.Test, Origin: "standard", Order: "test", Line: "game"}.ID()

	s.brake(true)
	s.brake(true) // twice is once
	s.stock(live, "K", 10)
	s.stock(testSide, "T", 1)
	now = now.Add(catalog.CacheFor)
	claimed := s.claim(paid("claimed", "game", 1))
	s.heldFor(claimed.ID, order.HoldBrake)
	if got := s.claim(other); got.State() != order.Fulfilled {
		t.Errorf("a test order is %s while the brake is set", got.State())
	}
	s.fill()
	held := s.heldFor(waiting.ID, order.HoldBrake)
	if !held.ReceivedAt.Equal(waiting.ReceivedAt) {
		t.Error("it lost its place")
	}

	s.brake(false)
	s.brake(false)
	now = now.Add(catalog.CacheFor)
	s.fill()
	s.heldFor(waiting.ID, order.HoldBrake)
	if got := s.claim(paid("later", "game", 1)); got.State() != order.Fulfilled {
		t.Errorf("an order after the brake is %s", got.State())
	}

	// Released, and the brake is set again before fill comes to it: not for the same reason.
	s.release(waiting.ID)
	s.brake(true)
	s.fill()
	if got := s.stored(waiting.ID); got.State() != order.Fulfilled {
		t.Errorf("a line that was released from the brake is %s", got.State())
	}
}

// A line that was released from one rule is held for another that came since.
func TestReview_releasedFromOneReason(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.rules(catalog.Rules{Always: true})
	line := s.claim(paid("1", "game", 1))
	s.release(line.ID)
	s.stock(live, "K", 1)
	s.brake(true)
	s.fill()
	s.heldFor(line.ID, order.HoldBrake)
	s.release(line.ID)
	s.fill()
	if got := s.stored(line.ID); got.State() != order.Fulfilled {
		t.Errorf("released twice, it is %s", got.State())
	}
}

// More waiting lines than one transaction can hold are put on hold.
func TestBrake_longQueue(t *testing.T) {
	t.Parallel()
	s := open(t)
	const lines = 70
	for i := range lines {
		s.claim(paid(fmt.Sprint(i), "game", 1))
	}
	s.brake(true)
	s.rules(catalog.Rules{Always: true})
	s.stock(live, "K", lines)
	s.fill()
	if got := len(s.held(pool.Live)); got != lines {
		t.Errorf("%d of %d lines are held", got, lines)
	}
	dynamotest.Audit(t, s.tables)
}

// The first orders of an address in a day pass, however often they are repeated; addresses
// that differ in letter case are one.
func TestReview_ordersOfAnAddress(t *testing.T) {
	t.Parallel()
	s := open(t)
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	s.now = func() time.Time { return now }
	s.stock(live, "K", 20)
	s.rules(catalog.Rules{MaxOrders: 2})
	by := func(number, address string) order.Fulfillment {
		line := paid(number, "game", 1)
		line.Customer.Email = address
		return s.claim(line)
	}
	for range 2 {
		for _, number := range []string{"1", "2"} {
			if got := by(number, "Ada@example.com"); got.State() != order.Fulfilled {
				t.Errorf("order %s is %s", number, got.State())
			}
		}
		if got := by("3", "ada@Example.com"); got.State() != order.OnHold {
			t.Errorf("the third order is %s", got.State())
		}
	}
	s.product(catalog.Product{ID: "dlc", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}})
	second := paid("2", "dlc", 1)
	if got := s.claim(second); got.State() != order.Fulfilled {
		t.Errorf("another line of the second order is %s", got.State())
	}
	for _, address := range []string{"grace@example.com", ""} {
		if got := by("of "+address, address); got.State() != order.Fulfilled {
			t.Errorf("an order of %q is %s", address, got.State())
		}
	}
	now = now.Add(24 * time.Hour)
	if got := by("4", "ada@example.com"); got.State() != order.Fulfilled {
		t.Errorf("an order of the next day is %s", got.State())
	}
}

// Orders that come without an address count as those of the address that they get later.
func TestReview_ordersOfAnAddressThatComesLater(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "K", 20)
	s.rules(catalog.Rules{MaxOrders: 1})
	for range 2 {
		for _, number := range []string{"1", "2"} {
			line := paid(number, "game", 1)
			line.ChangedAt = s.now()
			named := line
			line.Customer.Email, line.Holds = "", []order.Hold{order.HoldNoAddress}
			s.claim(line)
			s.claim(named)
		}
		s.fill()
		if first := s.stored(paid("1", "game", 1).ID); first.State() != order.Fulfilled {
			t.Errorf("the first order is %s", first.State())
		}
		s.heldFor(paid("2", "game", 1).ID, order.HoldReviewOrders)
	}
}
