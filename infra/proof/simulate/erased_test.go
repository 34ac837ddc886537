package simulate

import (
	"testing"
	"testing/synctest"

	"keypool/shared/outbox"
)

func TestLedger_noticesWhatErasingMustNotDo(t *testing.T) {
	line := outbox.LineItem(string(idA))
	sold := func(b *fixture, mail string) {
		b.write("ingest", keyItem("k", "available", ""))
		b.write("claim", keyItem("k", "claimed", string(idA)), with(addressed(lineItem(idA, 1, 1, "k"), "ada@x.example"), "mail", mail))
	}
	erased := func(version int) write {
		return with(with(lineItem(idA, version, 1, "k"), "mail", "sent"), "erasedAt", 1)
	}
	asked := reason(idA, "erased", "")
	for name, test := range map[string]struct {
		happens func(b *fixture)
		problem string
	}{
		"all is well": {func(b *fixture) {
			sold(b, "sent")
			b.write("x", erased(2), asked)
		}, ""},
		"forced, and held from then on": {func(b *fixture) {
			sold(b, "due")
			b.ledger.reported.forced[idA] = true
			b.write("x", with(erased(2), "holds", []string{noAddress}), asked)
		}, ""},
		"unasked, with its mail due": {func(b *fixture) {
			sold(b, "due")
			b.write("x", with(erased(2), "holds", []string{noAddress}), asked)
		}, "was erased unasked, whom it owes something"},
		"forced, and not held": {func(b *fixture) {
			sold(b, "due")
			b.ledger.reported.forced[idA] = true
			b.write("x", erased(2), asked)
		}, "and it is not held"},
		"twice": {func(b *fixture) {
			sold(b, "sent")
			b.write("x", erased(2), asked)
			b.write("x", erased(3), reason(idA, "erased", "2"))
		}, "was erased twice"},
		"something is kept": {func(b *fixture) {
			sold(b, "sent")
			b.write("x", addressed(erased(2), "ada@x.example"), asked)
		}, "was erased, and is known"},
		"a repeat brings it back": {func(b *fixture) {
			sold(b, "sent")
			b.write("x", erased(2), asked)
			b.write("x", addressed(erased(3), "ada@x.example"))
		}, "was erased, and is known"},
		"a mail is leased afterwards": {func(b *fixture) {
			sold(b, "sent")
			b.write("x", erased(2), asked)
			b.ledger.noteLease(line, 2, "keys")
		}, "was leased after its customer was erased"},
		"the orders of an address are forgotten without it": {func(b *fixture) {
			b.write("x", rulesItem("maxOrders", 1), buyers(idA.OrderHalf()))
			gone := buyers(idA.OrderHalf())
			gone.set = nil
			b.write("x", gone)
		}, "are forgotten, and nobody was erased"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newFixture()
				test.happens(b)
				b.says(t, test.problem)
			})
		})
	}
}
