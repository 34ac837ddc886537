package claim_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/order"
	"keypool/shared/outbox"
)

// risk reports a line again, with the platform's verdict.
func (s *shop) risk(line order.Fulfillment, verdict string) order.Fulfillment {
	s.t.Helper()
	again := paid(line.Order, line.Product, line.Quantity)
	again.Risk, again.ChangedAt = verdict, line.ChangedAt
	return s.claim(again)
}

// lease has a mailer begin with the line's mail, and reports whether there was one to take.
func (s *shop) lease(id order.LineID) bool {
	s.t.Helper()
	_, _, ok, err := s.store.LineMails().Lease(s.t.Context(), string(id), s.now())
	s.must(err)
	return ok
}

func (s *shop) toldOfRisk() int {
	s.t.Helper()
	return len(dynamotest.Partitions(s.t, s.tables.Orders, "notice#acme#risk-after-keys#"))
}

func (s *shop) happened(id order.LineID) (events []order.EventKind) {
	s.t.Helper()
	history, err := s.store.History(s.t.Context(), id)
	s.must(err)
	for _, h := range history {
		events = append(events, h.Event)
	}
	return events
}

// meanwhile lets something happen once between what a claim reads and what it writes.
type meanwhile struct {
	claim.Store
	do func()
}

func (m *meanwhile) Commit(ctx context.Context, changes ...order.Change) error {
	if do := m.do; do != nil {
		m.do = nil
		do()
	}
	return m.Store.Commit(ctx, changes...)
}

// A verdict that comes after the payment holds the keys that have not left: their mail is
// taken back. Released, they go out; rejected, they are for sale again.
func TestLateRisk_beforeTheMail(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "K", 5)
	s.rules(catalog.Rules{Risk: true})
	for _, verdict := range []string{"", "low", "pending", "accept"} {
		if got := s.risk(s.claim(paid("fine", "game", 1)), verdict); got.Version != 1 {
			t.Errorf("the verdict %q changed the line", verdict)
		}
	}
	line := s.claim(paid("1", "game", 2))
	held := s.risk(line, "cancel")
	if held.State() != order.OnHold || !slices.Equal(held.Holds, []order.Hold{order.HoldReviewRisk}) || held.Allocated != 2 || held.Mail.State != outbox.None || held.Risk != "cancel" {
		t.Errorf("the line is %s for %v with %d keys, its mail %q", held.State(), held.Holds, held.Allocated, held.Mail.State)
	}
	if s.lease(line.ID) {
		t.Error("a mailer takes the keys of a line on hold")
	}
	if len(s.held(live.Side)) != 1 {
		t.Error("it is not listed among those held")
	}
	if again := s.risk(line, "cancel"); again.Version != held.Version {
		t.Error("the same verdict changed it again")
	}
	if want := []order.EventKind{order.Held, order.RiskReported}; !slices.Equal(s.happened(line.ID), want) {
		t.Errorf("its history is %v", s.happened(line.ID))
	}
	s.release(line.ID)
	if released := s.stored(line.ID); released.State() != order.Fulfilled || released.Mail.State != outbox.Due {
		t.Errorf("released, it is %s, its mail %q", released.State(), released.Mail.State)
	}
	if after := s.risk(line, "investigate"); after.State() != order.Fulfilled || after.Risk != "investigate" {
		t.Errorf("after a person has released it, it is %s", after.State())
	}
	if s.toldOfRisk() != 0 {
		t.Error("the merchant is told of keys that are gone")
	}
	dynamotest.Audit(t, s.tables)
}

// Keys that are gone stay the customer's: history, and one notice an order.
func TestLateRisk_afterTheMail(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "K", 5)
	s.rules(catalog.Rules{Risk: true})
	s.product(catalog.Product{ID: "dlc", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}})
	leased, sent := s.claim(paid("1", "game", 1)), s.claim(paid("1", "dlc", 1))
	if !s.lease(leased.ID) {
		t.Fatal("its mail cannot be leased")
	}
	change := order.ChangeOf(sent)
	change.After.Mail = sent.Mail.Leased(s.now()).Completed(outbox.Sent, "ses-1", "", s.now())
	s.must(s.store.Commit(t.Context(), change))
	for _, line := range []order.Fulfillment{leased, sent} {
		before := s.stored(line.ID)
		for range 2 {
			got := s.risk(line, "cancel")
			if got.State() != order.Fulfilled || got.Mail.State != before.Mail.State || got.Risk != "cancel" {
				t.Errorf("%s: the line is %s, its mail %s", line.Product, got.State(), got.Mail.State)
			}
		}
		if got := s.happened(line.ID); !slices.Equal(got, []order.EventKind{order.RiskReported}) {
			t.Errorf("%s: its history is %v", line.Product, got)
		}
	}
	if n := s.toldOfRisk(); n != 1 {
		t.Errorf("the merchant is told %d times", n)
	}
	dynamotest.Audit(t, s.tables)
}

// Who released a line from another rule of review did not know that its order is risky: what
// has not left is held again, and of what has the merchant is told.
func TestLateRisk_afterAReleaseFromAnotherRule(t *testing.T) {
	t.Parallel()
	for _, leased := range []bool{false, true} {
		s := open(t)
		s.stock(live, "K", 1)
		s.rules(catalog.Rules{Risk: true, Always: true})
		line := s.claim(paid("1", "game", 1))
		s.release(line.ID)
		s.fill()
		if leased && !s.lease(line.ID) {
			t.Fatal("its mail cannot be leased")
		}
		want, told := order.OnHold, 0
		if leased {
			want, told = order.Fulfilled, 1
		}
		if got := s.risk(line, "cancel"); got.State() != want || s.toldOfRisk() != told {
			t.Errorf("leased: %v: the line is %s, the merchant is told %d times", leased, got.State(), s.toldOfRisk())
		}
		dynamotest.Audit(t, s.tables)
	}
}

// A mailer may begin while the verdict is applied. Either the verdict comes first, and no
// mail goes out, or the mailer does, and the merchant is told.
func TestLateRisk_whileTheMailIsLeased(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"the mailer", "the verdict"} {
		s := open(t)
		s.stock(live, "K", 1)
		s.rules(catalog.Rules{Risk: true})
		line := s.claim(paid("1", "game", 1))
		between := &meanwhile{Store: s.store, do: func() { // what the claim read is old by then
			if first == "the mailer" && !s.lease(line.ID) {
				t.Error("the mailer finds no mail")
			}
		}}
		s.claims.Store = between
		got := s.risk(line, "cancel")
		if between.do != nil {
			t.Fatal("nothing was written")
		}
		leased := s.lease(line.ID)
		switch {
		case leased:
			t.Errorf("%s first: the mail is leased after the verdict", first)
		case first == "the mailer" && (got.State() != order.Fulfilled || got.Mail.State != outbox.Sending || s.toldOfRisk() != 1):
			t.Errorf("the mailer first: the line is %s, its mail %s, %d notices", got.State(), got.Mail.State, s.toldOfRisk())
		case first == "the verdict" && (got.State() != order.OnHold || s.toldOfRisk() != 0):
			t.Errorf("the verdict first: the line is %s, %d notices", got.State(), s.toldOfRisk())
		}
		dynamotest.Audit(t, s.tables)
	}
}

// A mail that a mailer tried, and could not send, is taken back as one that nobody tried.
func TestLateRisk_ofAMailThatIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "K", 1)
	s.rules(catalog.Rules{Risk: true})
	line := s.claim(paid("1", "game", 1))
	change := order.ChangeOf(line)
	change.After.Mail = line.Mail.Leased(s.now()).Retry("Throttling", s.now())
	s.must(s.store.Commit(t.Context(), change))
	s.now = func() time.Time { return time.Now().Add(time.Hour) }
	if got := s.risk(line, "cancel"); got.State() != order.OnHold || s.lease(line.ID) {
		t.Errorf("the line is %s, its mail %s", got.State(), got.Mail.State)
	}
}

// A line that waits leaves its place to others, and its queue is served.
func TestLateRisk_ofALineThatWaits(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.rules(catalog.Rules{Risk: true})
	first, second := s.claim(paid("1", "game", 2)), s.claim(paid("2", "game", 1))
	s.fills.drain()
	s.heldFor(s.risk(first, "cancel").ID, order.HoldReviewRisk)
	if got := s.fills.drain(); !slices.Equal(got, []order.FillRequest{order.FillPool(live)}) {
		t.Errorf("asked for %v", got)
	}
	s.stock(live, "K", 1)
	s.fill()
	if got := s.stored(second.ID); got.State() != order.Fulfilled {
		t.Errorf("the line behind is %s", got.State())
	}
}

// Where no rule asks for the risk, and of a line that no pool feeds, it is noted; the latter
// is asked about when it is connected.
func TestLateRisk_isNoted(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "K", 5)
	line := s.claim(paid("1", "game", 1))
	if got := s.risk(line, "cancel"); got.State() != order.Fulfilled || got.Risk != "cancel" || got.Mail.State != outbox.Due {
		t.Errorf("without a rule: %s, its mail %s", got.State(), got.Mail.State)
	}
	s.rules(catalog.Rules{Risk: true})
	waits := s.claim(paid("2", "film", 1))
	if got := s.risk(waits, "cancel"); got.State() != order.Unconnected || got.Risk != "cancel" {
		t.Errorf("unconnected: %s, %q", got.State(), got.Risk)
	}
	s.product(catalog.Product{ID: "film", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}})
	s.must(s.filler.Fill(t.Context(), order.FillProduct("acme", live.Side, "film"), s.now().Add(time.Minute)))
	s.heldFor(waits.ID, order.HoldReviewRisk)
}

// An older state of the order that comes late says nothing of its risk.
func TestLateRisk_olderState(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "K", 1)
	s.rules(catalog.Rules{Risk: true})
	line := paid("1", "game", 1)
	line.ChangedAt = s.now()
	stored := s.claim(line)
	stored.ChangedAt = line.ChangedAt.Add(-time.Hour)
	if got := s.risk(stored, "cancel"); got.State() != order.Fulfilled || got.Risk != "" {
		t.Errorf("an older state made it %s, %q", got.State(), got.Risk)
	}
	stored.ChangedAt = line.ChangedAt.Add(time.Hour)
	if got := s.risk(stored, "cancel"); got.State() != order.OnHold {
		t.Errorf("a newer state left it %s", got.State())
	}
}
