package lifecycle_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/outbox"
)

// renews has the product's renewals deliver the keys of their parents.
func (s *shop) renews() {
	s.Helper()
	product, _, err := s.store.Product(s.Context(), "acme", "game")
	s.must(err)
	product.Renewal = catalog.ParentKey
	s.must(s.store.PutProduct(s.Context(), product))
}

// renew claims for an order that renews another.
func (s *shop) renew(number, parent string, change ...func(*order.Fulfillment)) order.Fulfillment {
	s.Helper()
	paid := order.Fulfillment{
		ID: identity(number, "1").ID(), Merchant: "acme", Side: "live", Account: "shop", Origin: "shop", Order: number, Line: "1",
		Product: "game", Quantity: 1, Parent: parent, Customer: order.Customer{Name: "Ada", Email: "Ada@Example.com"},
	}
	for _, c := range change {
		c(&paid)
	}
	f, err := s.claims.Claim(s.Context(), paid)
	s.must(err)
	return f
}

// shown returns which of the keys a mail shows, by the places of the keys.
func (s *shop) shown(mail int, keys ...order.Fulfillment) (shown []int) {
	s.Helper()
	if len(s.ses.mails) <= mail {
		s.Fatalf("there are %d mails", len(s.ses.mails))
	}
	for i, f := range keys {
		for _, key := range f.Keys {
			if strings.Contains(s.ses.mails[mail].Text, key.Text.Reveal()) {
				shown = append(shown, i)
			}
		}
	}
	return shown
}

// A renewal takes no key, and mails its parent's as they are then. The renewal of a renewal
// does the same, whichever of the two it names. What is returned of a renewal is none of its
// parent's.
func TestRenewal_parentsKeys(t *testing.T) {
	s := open(t, 3)
	s.renews()
	parent := s.pay("1", "1", "game", 1)
	s.mail(parent.ID)
	year2 := s.renew("2", "1")
	s.is(year2, order.Fulfilled, 0, 0)
	again := s.renew("2", "1")
	if again.Version != year2.Version {
		t.Error("a repeat changed the renewal")
	}
	_, err := s.changes.Replace(t.Context(), parent.ID, parent.Keys[0].ID, ada)
	s.must(err)
	now := s.line(parent.ID)
	s.mail(year2.ID)
	if got := s.shown(1, parent, now); !slices.Equal(got, []int{1}) {
		t.Errorf("the renewal shows %v, want the key that took the other's place", got)
	}
	year3, year4 := s.renew("3", "2"), s.renew("4", "1")
	s.returnOrder("2", "R2")
	s.is(s.line(year2.ID), order.Returned, 0, 0)
	s.is(s.line(parent.ID), order.Fulfilled, 1, 0)
	s.mail(year3.ID)
	s.mail(year4.ID)
	for _, mail := range []int{2, 3} {
		if got := s.shown(mail, parent, now); !slices.Equal(got, []int{1}) {
			t.Errorf("mail %d shows %v", mail, got)
		}
	}
	s.settle(parent.ID, year2.ID, year3.ID, year4.ID)
	s.mails(5) // and the replaced key's
	s.available(1)
	_, err = s.changes.Resend(t.Context(), year3.ID, ada)
	s.must(err)
	s.settle(year3.ID)
	s.mails(6)
}

// The parent may be paid later than its renewal, and wait for keys: the renewal goes out
// after it. The merchant is told once if that takes more than some minutes.
func TestRenewal_beforeItsParent(t *testing.T) {
	s := open(t, 0)
	s.renews()
	renewal := s.renew("2", "1")
	s.mail(renewal.ID)
	if got := s.line(renewal.ID).Mail; got.State != outbox.Due || got.Code != "ParentUnknown" {
		t.Fatalf("the mail is %+v", got)
	}
	s.told(0)
	s.settle(renewal.ID)
	s.told(1)
	parent := s.pay("1", "1", "game", 1)
	s.settle(renewal.ID, parent.ID)
	s.mails(0)
	if got := s.line(renewal.ID).Mail; got.Code != "ParentWaits" {
		t.Errorf("the mail is %+v", got)
	}
	s.stock(1)
	s.fill()
	s.mail(renewal.ID) // the parent's mail goes first, or its key might yet be sold again
	s.mails(0)
	for range 3 {
		s.settle(renewal.ID, parent.ID)
	}
	s.mails(2)
	s.told(1)
	if got := s.shown(1, s.line(parent.ID)); len(got) != 1 {
		t.Error("the renewal does not show the parent's key")
	}
}

// told holds how many renewals the merchant was told of, by notices that were not mailed.
func (s *shop) told(want int) {
	s.Helper()
	if got := dynamotest.Partitions(s.T, s.tables.Orders, "notice#acme#renewal-waits#"); len(got) != want {
		s.Errorf("%d notices, want %d", len(got), want)
	}
}

// The keys of a parent that must not leave do not leave by a renewal, and go out once they
// may.
func TestRenewal_keysThatMustNotLeave(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(s *shop, parent order.Fulfillment)
		renew func(*order.Fulfillment)
		code  string
		mend  func(s *shop, parent order.Fulfillment) // nil: it never goes out
	}{
		"returned":          {func(s *shop, _ order.Fulfillment) { s.returnOrder("1", "R1") }, nil, "ParentReturned", nil},
		"returned, a line":  {func(s *shop, _ order.Fulfillment) { s.returnUnits("1", "1", "R1", 1) }, nil, "ParentReturned", nil},
		"a dispute is lost": {func(s *shop, _ order.Fulfillment) { s.dispute("1", "D1", order.DisputeLost) }, nil, "ParentReturned", nil},
		"in dispute": {
			func(s *shop, _ order.Fulfillment) { s.dispute("1", "D1", order.DisputeOpen) }, nil, "ParentHeld",
			func(s *shop, _ order.Fulfillment) { s.dispute("1", "D1", order.DisputeWon) },
		},
		"on hold": {
			func(s *shop, parent order.Fulfillment) {
				_, err := s.changes.Hold(s.Context(), parent.ID, ada)
				s.must(err)
			}, nil, "ParentHeld",
			func(s *shop, parent order.Fulfillment) {
				_, err := s.changes.Release(s.Context(), parent.ID, ada)
				s.must(err)
			},
		},
		"a return that no line shows yet": {func(s *shop, _ order.Fulfillment) {
			of := whole("1")
			of.AddReturn(order.Return{ID: "R1"})
			s.must(s.store.PutWhole(s.Context(), of))
		}, nil, "ParentReturned", nil},
		"a dispute that no line shows yet": {func(s *shop, _ order.Fulfillment) {
			of := whole("1")
			of.AddDispute("D1", order.DisputeOpen)
			s.must(s.store.PutWhole(s.Context(), of))
		}, nil, "ParentHeld", nil},
		"of another customer": {nil, func(f *order.Fulfillment) { f.Customer.Email = "eve@example.com" }, "ParentOfAnother", nil},
		"of another shop":     {nil, func(f *order.Fulfillment) { f.Origin = "shop-us" }, "ParentUnknown", nil},
		"of the other side":   {nil, func(f *order.Fulfillment) { f.Side = "test" }, "ParentUnknown", nil},
		"one of several lines": {
			func(s *shop, _ order.Fulfillment) { s.mail(s.pay("1", "2", "pass", 1).ID) },
			func(f *order.Fulfillment) { f.Parent, f.Line, f.Product = "1", "3", "another" }, "ParentUnclear", nil,
		},
		"that renews its own renewal": {
			func(s *shop, _ order.Fulfillment) { s.renew("0", "2") }, func(f *order.Fulfillment) { f.Parent = "0" }, "ParentCircle", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, 5)
			parent := s.pay("1", "1", "game", 1)
			s.mail(parent.ID)
			s.renews()
			another := game("another", catalog.PerUnit)
			another.Renewal = catalog.ParentKey
			s.must(s.store.PutProduct(t.Context(), another))
			if c.spoil != nil {
				c.spoil(s, parent)
			}
			before := len(s.ses.mails)
			renewal := s.renew("2", "1", func(f *order.Fulfillment) {
				if c.renew != nil {
					c.renew(f)
				}
				f.ID = order.Identity{Merchant: f.Merchant, Side: f.Side, Origin: f.Origin, Order: f.Order, Line: f.Line}.ID()
			})
			s.settle(renewal.ID)
			s.mails(before)
			if got := s.line(renewal.ID).Mail; got.State != outbox.Due || got.Code != c.code {
				t.Fatalf("the mail is %+v, want %s", got, c.code)
			}
			s.told(1)
			if c.mend != nil {
				c.mend(s, parent)
				s.settle(renewal.ID)
				s.settle(renewal.ID)
				s.mails(before + 1)
			}
		})
	}
}

// A key that nobody has seen is for sale again when its order is returned. So it leaves by
// no renewal before its own order's mail.
func TestRenewal_keyThatMayBeSoldAgain(t *testing.T) {
	s := open(t, 1)
	s.renews()
	parent := s.pay("1", "1", "game", 1)
	renewal := s.renew("2", "1")
	s.mail(renewal.ID)
	s.mails(0)
	_, err := s.changes.ReturnLine(t.Context(), lifecycle.LineReturn{Identity: identity("1", "1"), KeysBack: order.Restock, Act: ada})
	s.must(err)
	s.available(1)
	s.settle(renewal.ID, parent.ID)
	s.mails(0)
}

// A parent of many keys is mailed whole, and a renewal as any mail: it is held, released and
// sent once.
func TestRenewal_ofManyKeys(t *testing.T) {
	s := open(t, 30)
	s.renews()
	parent := s.pay("1", "1", "game", 30)
	s.mail(parent.ID)
	renewal := s.renew("2", "1")
	_, err := s.changes.Hold(t.Context(), renewal.ID, ada)
	s.must(err)
	s.settle(renewal.ID)
	s.mails(1)
	_, err = s.changes.Release(t.Context(), renewal.ID, ada)
	s.must(err)
	s.settle(renewal.ID)
	s.mails(2)
	if got := strings.Count(string(s.ses.mails[1].Attached[0].Content), "\n"); got != 30 {
		t.Errorf("%d keys are attached", got)
	}
	if got := s.line(renewal.ID); got.Allocated != 0 || len(got.Keys) != 0 || got.Mail.State != outbox.Sent {
		t.Errorf("the renewal is %+v", got)
	}
}

// A product that is set up after its renewal was paid needs no pool for it.
func TestRenewal_ofAProductThatIsConnectedLater(t *testing.T) {
	s := open(t, 1)
	parent := s.pay("1", "1", "game", 1)
	s.mail(parent.ID)
	renewal := s.renew("2", "1", func(f *order.Fulfillment) { f.Product = "game-again" })
	s.is(renewal, order.Unconnected, 0, 0)
	s.must(s.store.PutProduct(t.Context(), catalog.Product{
		Merchant: "acme", ID: "game-again", Title: "Elden", Renewal: catalog.ParentKey, Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1},
	}))
	s.must(s.filler.Fill(t.Context(), order.FillProduct("acme", "live", "game-again"), s.at.Add(time.Minute)))
	s.is(s.line(renewal.ID), order.Fulfilled, 0, 0)
	s.settle(renewal.ID)
	s.mails(2)
	if got := s.shown(1, parent); len(got) != 1 {
		t.Error("the renewal does not show the parent's key")
	}
	plain := s.pay("3", "1", "game-again", 1) // renews nothing, and no pool feeds it
	s.is(plain, order.Unconnected, 0, 0)
}

// By default a renewal gets a key of its own, at once, and its text may show its parent's.
func TestRenewal_newKey(t *testing.T) {
	s := open(t, 3)
	product, _, err := s.store.Product(t.Context(), "acme", "game")
	s.must(err)
	product.Texts = map[string]catalog.Text{"en": {Body: "{KEY} instead of {PARENT_KEY}."}}
	s.must(s.store.PutProduct(t.Context(), product))
	parent := s.pay("1", "1", "game", 1)
	early := s.renew("2", "1")
	s.is(early, order.Fulfilled, 1, 0)
	s.mail(early.ID)
	s.mail(parent.ID)
	late := s.renew("3", "1")
	s.mail(late.ID)
	if got := s.shown(0, parent, early); !slices.Equal(got, []int{1}) {
		t.Errorf("before its parent's mail, the renewal shows %v", got)
	}
	if got := s.shown(2, parent, early, late); !slices.Equal(got, []int{0, 2}) {
		t.Errorf("after it, the renewal shows %v", got)
	}
	s.told(0)
}
