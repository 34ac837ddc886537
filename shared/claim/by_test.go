package claim_test

import (
	"slices"
	"testing"

	"keypool/shared/catalog"
	"keypool/shared/order"
)

// The history names the function that brought a payment, a correction or a verdict.
func TestClaim_historyTellsWhoBroughtIt(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "K", 1)
	s.claims.By = "catchup"
	s.rules(catalog.Rules{Risk: true, MaxKeys: 1})
	bought := paid("1", "game", 2)
	bought.Customer.Email = ""
	line := s.claim(bought)
	bought.Customer.Email, bought.Risk = "ada@example.com", "cancel"
	s.claim(bought)
	history, err := s.store.History(t.Context(), line.ID)
	s.must(err)
	var events []order.EventKind
	for _, h := range history {
		if events = append(events, h.Event); h.By != "catchup" {
			t.Errorf("%s by %s", h.Event, h.By)
		}
	}
	for _, want := range []order.EventKind{order.Held, order.AddressAdded, order.RiskReported} {
		if !slices.Contains(events, want) {
			t.Errorf("the history %q does not tell of %s", events, want)
		}
	}
}
