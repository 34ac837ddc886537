package claim_test

import (
	"errors"
	"testing"
	"time"

	"keypool/shared/claim"
	"keypool/shared/order"
)

// A person has corrected an address. The platform goes on telling the former one, also of an
// order that changed since: nothing comes of it. Another address that the shop corrects it to
// takes its place, and then the former ones are anybody's again.
func TestRepeat_ofAnAddressThatAPersonCorrected(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "KEY", 2)
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	as := func(email string, changedAt time.Time) order.Fulfillment {
		f := paid("1", "game", 1)
		f.PaidAt, f.ChangedAt, f.Customer.Email = noon.Add(-time.Hour), changedAt, email
		return f
	}
	line := s.claim(as("ada@example.com", noon))
	change := order.ChangeOf(line)
	s.must(change.After.CorrectAddress("ada@right.example", "hash"))
	s.must(s.store.Commit(t.Context(), change))
	for _, changedAt := range []time.Time{noon, noon.Add(time.Minute), noon.Add(-time.Minute)} {
		s.claim(as("Ada@example.com", changedAt))
		if got := s.stored(line.ID); got.Customer.Email != "ada@right.example" || got.Version != change.After.Version {
			t.Errorf("as of %s: it goes to %q, at version %d", changedAt, got.Customer.Email, got.Version)
		}
	}
	s.claim(as("augusta@example.com", noon.Add(2*time.Minute)))
	if got := s.stored(line.ID); got.Customer.Email != "augusta@example.com" || len(got.Former)+len(got.FormerHashes) > 0 {
		t.Errorf("the shop corrected it: it goes to %q, and keeps %q", got.Customer.Email, got.Former)
	}
	other := as("ada@right.example", noon.Add(3*time.Minute))
	other.PaidAt = noon
	var changed *claim.MismatchError
	if _, err := s.claims.Claim(t.Context(), other); !errors.As(err, &changed) || changed.Part != claim.Customer {
		t.Errorf("another payment under the same ids: %v", err)
	}
}
