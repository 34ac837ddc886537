package claim_test

import (
	"context"
	"testing"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/claim"
	"keypool/shared/order"
)

// disconnects is a catalog whose products are disconnected once so many of them were read.
type disconnects struct {
	catalog.Reader
	after      int
	disconnect func()
}

func (d *disconnects) Product(ctx context.Context, merchant, id string) (catalog.Product, bool, error) {
	p, known, err := d.Reader.Product(ctx, merchant, id)
	if d.after--; d.after == 0 {
		d.disconnect()
	}
	return p, known, err
}

// An order by hand is claimed for as it was asked about. None of its lines is stored without
// a pool, of which nobody would be told, though its product is disconnected meanwhile.
func TestByHand_disconnectedMeanwhile(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.stock(live, "KEY", 5)
	s.product(catalog.Product{ID: "addon", Pool: "elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}})
	s.claims.Uncached = &disconnects{Reader: s.store, after: 2, disconnect: func() {
		for _, id := range []string{"game", "addon"} {
			p, _, err := s.store.Product(t.Context(), "acme", id)
			s.must(err)
			p.Pool = ""
			s.must(s.store.PutProduct(t.Context(), p))
		}
	}}
	h := claim.ByHand{Lines: []order.Fulfillment{paid("1", "game", 2), paid("1", "addon", 1)}, By: "support", Why: "for the press"}
	for i := range h.Lines {
		h.Lines[i].OrderLines = 2
	}
	for range 2 { // the same call again changes nothing
		lines, err := s.claims.ByHand(t.Context(), h)
		s.must(err)
		for _, line := range lines {
			if line.State() != order.Fulfilled || line.Pool != "elden" {
				t.Errorf("%s is %s, fed by %q", line.Product, line.State(), line.Pool)
			}
		}
	}
	h.Lines = []order.Fulfillment{paid("2", "game", 1)}
	h.Lines[0].OrderLines = 1
	if _, err := s.claims.ByHand(t.Context(), h); err == nil {
		t.Error("an order of a product that is disconnected is taken")
	}
	if books := dynamotest.Audit(t, s.tables); books.Claimed != 3 {
		t.Errorf("%d keys are claimed", books.Claimed)
	}
}
