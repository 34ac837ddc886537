package lifecycle_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/settings"
)

// asked remembers what fill was asked for.
type asked struct{ requests []order.FillRequest }

func (a *asked) Send(_ context.Context, message any, _ time.Duration) error {
	a.requests = append(a.requests, message.(order.FillRequest))
	return nil
}

// share sets the code that all orders of the product demo get.
func (s *shop) share(text string) {
	s.Helper()
	codes := settings.Codes{Store: s.store, Refill: &settings.Refill{Products: s.store, Queue: quiet{}}, Now: func() time.Time { return s.at }}
	_, err := codes.Set(s.Context(), access.Principal{Merchant: "acme", Name: "ada"}, "demo", map[pool.Side]string{pool.Live: text}, settings.Condition{Version: func(int) bool { return true }})
	s.must(err)
}

// openSharing returns a shop whose product demo has a code, and three keys for sale.
func openSharing(t *testing.T) *shop {
	t.Helper()
	s := open(t, 3)
	s.must(s.store.PutProduct(t.Context(), game("demo", catalog.Shared)))
	s.share("EVERYBODY")
	return s
}

// fillDemo has fill serve the lines of the product demo.
func (s *shop) fillDemo() {
	s.Helper()
	s.must(s.filler.Fill(s.Context(), order.FillProduct("acme", pool.Live, "demo"), s.at.Add(time.Minute)))
}

// The code is mailed as keys are, and the same one again after another took its place.
func TestCode_isMailed(t *testing.T) {
	s := openSharing(t)
	line := s.pay("1", "1", "demo", 2)
	s.mail(line.ID)
	s.share("OTHER")
	s.at = s.at.Add(time.Hour)
	_, err := s.changes.Resend(t.Context(), line.ID, ada)
	s.must(err)
	s.settle(line.ID)
	s.mails(2)
	for i, m := range s.ses.mails {
		if !strings.Contains(m.Text, "EVERYBODY") || strings.Contains(m.Text, "OTHER") {
			t.Errorf("mail %d shows another code", i)
		}
	}
	s.available(3)
	count, err := s.store.Count(t.Context(), elden)
	s.must(err)
	day, err := s.store.SoldBefore(t.Context(), "acme", s.at.Add(24*time.Hour), 1)
	s.must(err)
	if count.Taken != 0 || len(count.Sold) != 0 {
		t.Errorf("the pool counts %+v", count)
	}
	if len(day) != 1 || day[0] != 1 {
		t.Errorf("the day sold %v, of which the brake would hear", day)
	}
}

// A return takes the code from its line, and from nobody else. It stays the product's code.
func TestCode_isReturned(t *testing.T) {
	s := openSharing(t)
	sold, other := s.pay("1", "1", "demo", 3), s.pay("2", "1", "demo", 1)
	s.mail(sold.ID)
	s.is(s.returnUnits("1", "1", "r-1", 2), order.Fulfilled, 1, 0)
	s.is(s.returnUnits("1", "1", "r-2", 1), order.Returned, 0, 1)
	s.is(s.returnUnits("1", "1", "r-2", 1), order.Returned, 0, 1)
	unmailed := s.pay("3", "1", "demo", 1)
	s.is(s.returnOrder("3", "r-3")[0], order.Returned, 0, 1)
	s.settle(sold.ID, other.ID, unmailed.ID)
	s.is(s.line(other.ID), order.Fulfilled, 1, 0)
	s.is(s.pay("4", "1", "demo", 1), order.Fulfilled, 1, 0)
	s.mails(2)
	s.available(3)
	if books := dynamotest.Audit(t, s.tables); books.Shared != 1 || books.Revoked != 0 {
		t.Errorf("%d codes, %d revoked keys", books.Shared, books.Revoked)
	}
}

// Holds and disputes keep the code from being mailed, as any key; who releases a line that has
// none yet asks for a fill of its product.
func TestCode_onHold(t *testing.T) {
	s := openSharing(t)
	fills := &asked{}
	s.changes.Fill = fills
	s.must(s.store.PutReview(t.Context(), catalog.Review{Merchant: "acme", Version: 1, Rules: catalog.Rules{Always: true}}))
	reviewed := s.pay("1", "1", "demo", 1)
	s.is(reviewed, order.OnHold, 0, 0)
	released, err := s.changes.Release(t.Context(), reviewed.ID, ada)
	s.must(err)
	s.is(released, order.Unconnected, 0, 0)
	if len(fills.requests) != 1 || fills.requests[0] != order.FillProduct("acme", pool.Live, "demo") {
		t.Errorf("fill was asked for %v", fills.requests)
	}
	dynamotest.Audit(t, s.tables)
	s.fillDemo()
	s.is(s.line(reviewed.ID), order.Fulfilled, 1, 0)

	s.dispute("1", "d-1", order.DisputeOpen)
	s.settle(reviewed.ID)
	s.mails(0)
	s.is(s.line(reviewed.ID), order.OnHold, 1, 0)
	s.dispute("1", "d-1", order.DisputeWon)
	s.settle(reviewed.ID)
	s.mails(1)
	s.dispute("1", "d-2", order.DisputeOpen)
	s.dispute("1", "d-2", order.DisputeLost)
	s.is(s.line(reviewed.ID), order.Returned, 0, 1)
	s.settle(reviewed.ID)

	held, err := s.changes.Reject(t.Context(), s.pay("2", "1", "demo", 1).ID, ada)
	s.must(err)
	s.is(held, order.Returned, 0, 1)
	s.settle(held.ID)
}

// A line that has a code is given no key in its place.
func TestCode_isNotReplaced(t *testing.T) {
	s := openSharing(t)
	line := s.pay("1", "1", "demo", 1)
	s.mail(line.ID)
	if _, err := s.changes.Replace(t.Context(), line.ID, line.Keys[0].ID, ada); !errors.Is(err, order.ErrSharedCode) {
		t.Errorf("it is %v", err)
	}
	s.is(s.line(line.ID), order.Fulfilled, 1, 0)
	s.available(3)
}

// A renewal that delivers its parent's keys delivers the parent's code, though the product has
// another by now.
func TestCode_ofAParent(t *testing.T) {
	s := openSharing(t)
	s.renews()
	parent := s.pay("1", "1", "demo", 1)
	s.mail(parent.ID)
	s.share("OTHER")
	s.settle(s.renew("2", "1").ID)
	s.mails(2)
	if m := s.ses.mails[1]; !strings.Contains(m.Text, "EVERYBODY") || strings.Contains(m.Text, "OTHER") {
		t.Error("the renewal shows another code than its parent's")
	}
}

// Who is erased leaves a line with its code, and nobody gets what was still owed.
func TestCode_ofAnErasedCustomer(t *testing.T) {
	s := openSharing(t)
	eraser := lifecycle.Eraser{Lines: s.store, Words: s.store, Fill: quiet{}, Now: func() time.Time { return s.at }}
	sold := s.pay("1", "1", "demo", 1)
	s.mail(sold.ID)
	got, err := eraser.Erase(t.Context(), sold.ID, lifecycle.Erasure{Act: ada})
	s.must(err)
	s.is(got, order.Fulfilled, 1, 0)
	owed := s.pay("2", "1", "demo", 1)
	if _, err := eraser.Erase(t.Context(), owed.ID, lifecycle.Erasure{Act: ada}); !errors.Is(err, order.ErrOwes) {
		t.Errorf("a line that owes a mail: %v", err)
	}
	got, err = eraser.Erase(t.Context(), owed.ID, lifecycle.Erasure{Act: ada, Force: true})
	s.must(err)
	s.is(got, order.OnHold, 1, 0)
	s.settle(sold.ID, owed.ID)
	s.mails(1)
	if s.line(owed.ID).Mail.State == outbox.Due {
		t.Error("the mail of an erased customer is due")
	}
}
