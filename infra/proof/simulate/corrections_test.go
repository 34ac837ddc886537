package simulate

import (
	"slices"
	"testing"
	"testing/synctest"

	"keypool/shared/mail"
	"keypool/shared/outbox"
)

// addressed is a line whose mails go to an address.
func addressed(w write, email string, former ...string) write {
	w = with(w, "customer", attributes("email", email), "mail", "due")
	if len(former) > 0 {
		w = with(w, "former", former)
	}
	return w
}

// correctedWith are the notices of the first correction of line A, and its entry in the history.
func correctedWith(kinds ...string) (all []write) {
	for _, kind := range kinds {
		all = append(all, noticeItem("nova#"+kind+"#"+idA.OrderHalf()+"#1"))
	}
	return append(all, reason(idA, "address-corrected", ""))
}

func TestLedger_noticesWhatACorrectionMustNotDo(t *testing.T) {
	both := slices.Clip(correctedWith("address-mended", "keys-elsewhere"))
	line := outbox.LineItem(string(idA))
	sold := func(b *fixture) {
		b.write("ingest", keyItem("k", "available", ""))
		b.write("claim", keyItem("k", "claimed", string(idA)), addressed(lineItem(idA, 1, 1, "k"), "old@x.example"))
	}
	correct := func(b *fixture, with ...write) {
		b.write("x", append([]write{addressed(lineItem(idA, 2, 1, "k"), "new@x.example", "old@x.example")}, with...)...)
	}
	mailTo := func(b *fixture, number int, address string) {
		m := mail.Message{Text: textOf("k"), HTML: textOf("k")}
		m.To.Address = address
		b.ledger.noteAccepted(noProcess, line, number, m)
	}
	for name, test := range map[string]struct {
		happens func(b *fixture)
		problem string
	}{
		"all is well": {
			func(b *fixture) {
				sold(b)
				correct(b, both...)
				b.ledger.noteLease(line, 1, "keys")
				mailTo(b, 1, "new@x.example")
			}, "",
		},
		"a mail that was under way goes to the former address": {
			func(b *fixture) {
				sold(b)
				b.ledger.noteLease(line, 1, "keys")
				correct(b, both...)
				mailTo(b, 1, "old@x.example")
			}, "",
		},
		"keys go to the former address": {
			func(b *fixture) {
				sold(b)
				correct(b, both...)
				b.ledger.noteLease(line, 1, "keys")
				mailTo(b, 1, "old@x.example")
			}, "went to another address than its line had",
		},
		"nobody corrected it": {
			func(b *fixture) {
				sold(b)
				correct(b, both[:2]...)
			}, "has another address, which nobody corrected",
		},
		"the merchant is not told":       {func(b *fixture) { sold(b); correct(b, correctedWith("keys-elsewhere")...) }, "#address-mended#" + idA.OrderHalf() + "#1 was not written with it"},
		"the former address is not told": {func(b *fixture) { sold(b); correct(b, correctedWith("address-mended")...) }, "#keys-elsewhere#" + idA.OrderHalf() + "#1 was not written with it"},
		"the former address is not kept": {func(b *fixture) {
			sold(b)
			b.write("x", append(both, addressed(lineItem(idA, 2, 1, "k"), "new@x.example"))...)
		}, "had the addresses"},
		"the keys are not sent to it": {func(b *fixture) {
			sold(b)
			b.write("x", append(both, with(addressed(lineItem(idA, 2, 1, "k"), "new@x.example", "old@x.example"), "mail", "sent"))...)
		}, "its mail is \"sent\""},
		"a line on hold is corrected": {func(b *fixture) {
			b.write("claim", with(addressed(lineItem(idA, 1, 1), "old@x.example"), "holds", []string{"by hand"}), reason(idA, "held", ""))
			b.write("x", append(both, with(addressed(lineItem(idA, 2, 1), "new@x.example", "old@x.example"), "holds", []string{"by hand"}))...)
		}, "which is on hold or returned"},
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
