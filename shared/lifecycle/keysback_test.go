package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/lifecycle"
	"keypool/shared/order"
	"keypool/shared/pool"
)

// returnAs has a person give units back, and say what becomes of their keys.
func (s *shop) returnAs(refund string, units int, keys order.Disposition) {
	s.Helper()
	_, err := s.changes.ReturnLine(s.Context(), lifecycle.LineReturn{
		Identity: identity("1", "1"), Account: "shop", Refund: refund, Units: units, Act: ada, KeysBack: keys,
	})
	s.must(err)
}

// became checks what became of the keys that were given back.
func (s *shop) became(revoked, kept int) {
	s.Helper()
	if books := dynamotest.Audit(s.T, s.tables); books.Revoked != revoked || books.Kept != kept {
		s.Errorf("%d keys are revoked and %d kept; want %d, %d", books.Revoked, books.Kept, revoked, kept)
	}
}

// What a person says of the keys of one return does not hold for those of a later one, whoever
// brings it and whatever it is of.
func TestReturn_eachSaysWhatBecomesOfItsKeys(t *testing.T) {
	for name, later := range map[string]func(s *shop){
		"units":               func(s *shop) { s.returnUnits("1", "1", "R1", 1) },
		"the whole order":     func(s *shop) { s.returnOrder("1", "R1") },
		"a dispute":           func(s *shop) { s.dispute("1", "D1", order.DisputeLost) },
		"an amount":           func(s *shop) { s.returnAmount("R1", "19.90") },
		"another of a person": func(s *shop) { s.returnAs("RMA-2", 1, "") },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, 5)
			s.pay("1", "1", "game", 2)
			s.mail(identity("1", "1").ID())
			s.returnAs("RMA-1", 1, order.Keep)
			s.became(0, 1)
			later(s)
			s.is(s.line(identity("1", "1").ID()), order.Returned, 0, 2)
			s.became(1, 1)
		})
	}
}

func (s *shop) returnAmount(refund, amount string) {
	s.Helper()
	_, _, err := s.changes.ReturnAmount(s.Context(), whole("1"), order.Return{ID: refund, By: "webhook", Why: refund, Amount: amount, Currency: "EUR"})
	s.must(err)
}

// Two returns are cut off, one after the other: the sweep takes the keys of each as that
// return said.
func TestReturn_cutOffKnowsWhatBecomesOfItsKeys(t *testing.T) {
	s := open(t, 250)
	line := s.pay("1", "1", "game", 250)
	s.fill()
	s.is(s.line(line.ID), order.Fulfilled, 250, 0)
	for _, r := range []lifecycle.LineReturn{
		{Refund: "RMA-1", Units: 120, KeysBack: order.Keep},
		{Refund: "R1", Units: 110},
	} {
		s.changes.Store = &dying{Store: s.store, commits: 1}
		r.Identity, r.Account, r.Act = identity("1", "1"), "shop", ada
		if _, err := s.changes.ReturnLine(t.Context(), r); !errors.Is(err, errDied) {
			t.Fatal(err)
		}
	}
	if now := s.line(line.ID); now.Surplus() == 0 {
		t.Fatal("nothing is left to take")
	}
	s.changes.Store = s.store
	s.settle(line.ID)
	s.is(s.line(line.ID), order.Fulfilled, 20, 230)
	s.became(110, 120)
	if now := s.line(line.ID); len(now.KeysBack) != 0 {
		t.Errorf("the line still says: %v", now.KeysBack)
	}
}

// ownUploads has each key come from an upload of its own, which has to be looked at before the
// key is for sale again.
type ownUploads struct{}

func (ownUploads) KeySources(_ context.Context, _ string, ids []pool.KeyID) (map[pool.KeyID]pool.Source, error) {
	sources := map[pool.KeyID]pool.Source{}
	for i, id := range ids {
		sources[id] = pool.Source{Upload: fmt.Sprintf("20261123T120000-%016x", i)}
	}
	return sources, nil
}

// Keys of one return that are for sale again, and those of another that are not, fit into one
// transaction.
func TestReturn_bothKindsInOneTransaction(t *testing.T) {
	s := open(t, 300)
	line := s.pay("1", "1", "game", 300)
	s.fill()
	s.changes.Uploads = ownUploads{}
	back := order.MaxKeys/2 + 20
	for i, r := range []lifecycle.LineReturn{
		{Refund: "RMA-1", Units: back, KeysBack: order.Restock},
		{Refund: "R1", Units: 100},
	} {
		s.changes.Store = &dying{Store: s.store, commits: 1 + 100*i}
		r.Identity, r.Account, r.Act = identity("1", "1"), "shop", ada
		if _, err := s.changes.ReturnLine(t.Context(), r); err != nil && !errors.Is(err, errDied) {
			t.Fatal(err)
		}
	}
	s.changes.Store = s.store
	s.settle(line.ID)
	s.is(s.line(line.ID), order.Fulfilled, 300-back-100, back+100)
	s.became(100, 0)
}

// Keys that a return left on the line go back with a change of which the history says much: of
// many disputes that a person drops at once.
func TestReturn_beneathManyDisputes(t *testing.T) {
	s := open(t, 300)
	line := s.pay("1", "1", "game", 300)
	s.fill()
	s.changes.Uploads = ownUploads{}
	for i := range 12 {
		s.dispute("1", fmt.Sprint("D", i), order.DisputeOpen)
	}
	s.changes.Store = &dying{Store: s.store, commits: 1}
	if _, err := s.changes.ReturnLine(t.Context(), lifecycle.LineReturn{
		Identity: identity("1", "1"), Account: "shop", Act: ada, Refund: "RMA-1", Units: 200, KeysBack: order.Restock,
	}); !errors.Is(err, errDied) {
		t.Fatal(err)
	}
	s.changes.Store = s.store
	s.drop("1", ada)
	s.settle(line.ID)
	s.is(s.line(line.ID), order.Fulfilled, 100, 200)
	s.available(200)
}
