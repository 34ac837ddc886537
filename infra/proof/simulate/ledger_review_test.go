package simulate

import (
	"testing"
	"testing/synctest"
	"time"

	"keypool/shared/mail"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
)

// rulesItem are the merchant's rules.
func rulesItem(pairs ...any) write {
	return write{"catalog", "review#nova", "rules", attributes("rules", attributes(pairs...))}
}

func brakeItem(by string) write {
	return write{"catalog", "review#nova", "brake", attributes("by", by)}
}

// offItem is a brake that ada set, and somebody took off.
func offItem(by string) write { return with(brakeItem("ada"), "releasedAt", 1, "releasedBy", by) }

// ownRules are rules of the product of lines A and B.
func ownRules(pairs ...any) write {
	return write{"catalog", "settings#nova", "product#game", attributes("pool", "elden", "review", attributes(pairs...))}
}

// listed is the place of a line among those that rules hold, none without a reason.
func listed(id order.LineID, holds ...string) write {
	w := placeItem(id, 0)
	w.pk = "held#nova#live"
	if len(holds) > 0 {
		w.set = attributes("holds", holds)
	}
	return w
}

// holdLine claims line A, of so many keys, which rules hold.
func (b *fixture) holdLine(keys int, holds ...string) {
	writes := []write{with(lineItem(idA, 1, keys), "holds", holds), listed(idA, holds...)}
	for _, hold := range holds {
		writes = append(writes, reason(idA, "held", hold))
	}
	b.write("claim", writes...)
}

// later is when no claim goes by settings any more that were changed before.
func (b *fixture) later() { time.Sleep(2 * time.Minute) }

// passLine claims line A, which no rule holds.
func (b *fixture) passLine(keys int) { b.write("claim", lineItem(idA, 1, keys), placeItem(idA, keys)) }

// paid has the order of line A reported.
func (b *fixture) paid(p payOrder) {
	b.ledger.reported.paid[idA.OrderHalf()] = p
}

// risky has the order of line A reported as one of that risk.
func (b *fixture) risky(word string) {
	b.ledger.reported.variants[idA.OrderHalf()] = []payOrder{{risk: word}}
}

// assess changes line A since its order is called risky.
func (b *fixture) assess(line write, beside ...write) {
	b.risky("elevated")
	b.write("claim", append(beside, with(line, "risk", "elevated"), reason(idA, "risk-reported", "elevated"))...)
}

// priced is line A with a currency.
func priced(w write, currency string) write { return with(w, "currency", currency) }

// release lets line A go, which rules held before.
func (b *fixture) release(version int) {
	b.write("x", lineItem(idA, version, 1), placeItem(idA, 1), listed(idA), reason(idA, "released", ""))
}

func (b *fixture) decides(d decision) { b.ledger.decides(d) }

// buyers are the orders of an address in a day.
func buyers(ids ...string) write {
	set := attributes("v", 1, "admitted", len(ids), "expiresAt", int(time.Now().Add(48*time.Hour).Unix()))
	for _, id := range ids {
		set[id] = attributes("n", 1)["n"]
	}
	return write{"orders", "buyer#nova#live#hash", "1970-01-01", set}
}

// passUnconnected claims line A, whose product no pool feeds.
func (b *fixture) passUnconnected() {
	place := placeItem(idA, 1)
	place.pk = "unconnected#nova#live#game"
	b.write("claim", without(with(lineItem(idA, 1, 1), "wanted", 0), "pool"), place)
}

func gone(w write) write { w.set = nil; return w }

func TestLedger_noticesWhatRulesOfReviewForbid(t *testing.T) {
	always := rulesItem("always", true)
	release := decision{verdict: "release", line: idA}
	sold := func(b *fixture) {
		b.write("x", write{"catalog", "counts#nova", "sold#2000-01-01", attributes("keys", 101)})
	}
	for name, test := range map[string]struct {
		happens func(b *fixture)
		problem string // "" if all is well
	}{
		"each line is looked at":    {func(b *fixture) { b.write("x", always); b.holdLine(1, "review") }, ""},
		"a line is not looked at":   {func(b *fixture) { b.write("x", always); b.passLine(1) }, "is not held (review), and gets keys"},
		"a line is held by no rule": {func(b *fixture) { b.holdLine(1, "review") }, "is held (review) for no reason"},
		"a line is held by the past": {func(b *fixture) {
			b.write("x", always)
			b.later()
			b.write("x", rulesItem())
			b.later()
			b.holdLine(1, "review")
		}, "is held (review) for no reason"},
		"a line passes by rules of just now": {func(b *fixture) {
			b.write("x", rulesItem())
			b.later()
			b.write("x", always)
			b.passLine(1)
		}, ""},
		"a line passes by rules of long ago": {func(b *fixture) {
			b.write("x", rulesItem())
			b.later()
			b.write("x", always)
			b.later()
			b.passLine(1)
		}, "is not held (review)"},
		"the product's rules hold a line": {func(b *fixture) { b.write("x", ownRules("always", true)); b.holdLine(1, "review") }, ""},
		"the product's rules let a line pass, and the merchant's hold it": {func(b *fixture) {
			b.write("x", always, ownRules("maxKeys", 5))
			b.holdLine(1, "review")
		}, "is held (review) for no reason"},
		"the product's rules hold a line, and it passes": {func(b *fixture) { b.write("x", ownRules("always", true)); b.passLine(1) }, "is not held (review)"},
		"the history does not tell of a hold": {func(b *fixture) {
			b.write("x", always)
			b.write("claim", with(lineItem(idA, 1, 1), "holds", []string{"review"}), listed(idA, "review"))
		}, "is held (review), and its history does not tell"},
		"a held line is not listed": {func(b *fixture) {
			b.write("x", always)
			b.write("claim", with(lineItem(idA, 1, 1), "holds", []string{"review"}), reason(idA, "held", "review"))
		}, "is held by a rule: true; it is listed as that: false"},
		"a held line is listed with other reasons": {func(b *fixture) {
			b.write("x", always)
			b.write("claim", with(lineItem(idA, 1, 1), "holds", []string{"review"}), listed(idA, "cap"), reason(idA, "held", "review"))
		}, "is held ([review]), and listed as held ([cap])"},
		"a line that was given back is listed as held": {func(b *fixture) {
			b.write("x", always)
			b.holdLine(1, "review")
			b.write("x", back(with(lineItem(idA, 2, 1), "holds", []string{"review"}), 1, true), b.refund(idA, 0, ""))
		}, "is held by a rule: false; it is listed as that: true"},

		"a risky line is looked at": {func(b *fixture) {
			b.write("x", rulesItem("risk", true))
			b.risky("a word that nobody knows")
			b.write("claim", with(lineItem(idA, 1, 1), "risk", "a word that nobody knows", "holds", []string{"review:risk"}), listed(idA, "review:risk"), reason(idA, "held", "review:risk"))
		}, ""},
		"a risky line is not looked at": {func(b *fixture) {
			b.write("x", rulesItem("risk", true))
			b.risky("elevated")
			b.write("claim", with(lineItem(idA, 1, 1), "risk", "elevated"), placeItem(idA, 1))
		}, "is not held (review:risk)"},
		"a harmless line is called risky": {func(b *fixture) {
			b.write("x", rulesItem("risk", true))
			b.risky("Low")
			b.write("claim", with(lineItem(idA, 1, 1), "risk", "Low", "holds", []string{"review:risk"}), listed(idA, "review:risk"), reason(idA, "held", "review:risk"))
		}, "is held (review:risk) for no reason"},
		"a line is called risky by nobody": {func(b *fixture) {
			b.write("claim", with(lineItem(idA, 1, 1), "risk", "elevated"), placeItem(idA, 1))
		}, `says that its order is "elevated", which nobody reported`},
		"a line that is called risky later is held": {func(b *fixture) {
			b.write("x", rulesItem("risk", true))
			b.passLine(1)
			b.assess(with(lineItem(idA, 2, 1), "holds", []string{"review:risk"}), listed(idA, "review:risk"), placeItem(idA, 0))
		}, ""},
		"a line that is called risky later passes": {func(b *fixture) {
			b.write("x", rulesItem("risk", true))
			b.passLine(1)
			b.assess(lineItem(idA, 2, 1))
		}, `is not held, and its order is "elevated"`},
		"a line that is called risky later is held by no rule": {func(b *fixture) {
			b.passLine(1)
			b.assess(with(lineItem(idA, 2, 1), "holds", []string{"review:risk"}), listed(idA, "review:risk"), placeItem(idA, 0))
		}, "for no reason"},
		"a line is held whose keys were mailed": {func(b *fixture) {
			b.write("x", rulesItem("risk", true))
			b.sellKey()
			b.mail(1, textOf("k"))
			b.assess(with(lineItem(idA, 2, 1, "k"), "holds", []string{"review:risk"}), listed(idA, "review:risk"))
		}, "and its keys were mailed"},
		"nobody is told of a risky order whose keys were mailed": {func(b *fixture) {
			b.write("x", rulesItem("risk", true))
			b.sellKey()
			b.mail(1, textOf("k"))
			b.assess(lineItem(idA, 2, 1, "k"))
		}, "and its merchant was not told"},
		"the merchant is told of a risky order whose keys were mailed": {func(b *fixture) {
			b.write("x", rulesItem("risk", true), noticeItem("nova#risk-after-keys#"+idA.OrderHalf()))
			b.sellKey()
			b.mail(1, textOf("k"))
			b.assess(lineItem(idA, 2, 1, "k"))
		}, ""},
		"the history does not tell of a risk": {func(b *fixture) {
			b.passLine(1)
			b.risky("elevated")
			b.write("claim", with(lineItem(idA, 2, 1), "risk", "elevated"))
		}, "and its history does not tell"},

		"a line costs as much as may pass": {func(b *fixture) {
			b.write("x", rulesItem("above", attributes("EUR", "10.00")))
			b.write("claim", priced(lineItem(idA, 1, 1), "EUR"), placeItem(idA, 1))
		}, ""},
		"a line costs more than may pass": {func(b *fixture) {
			b.write("x", rulesItem("above", attributes("EUR", "9.99")))
			b.write("claim", priced(lineItem(idA, 1, 1), "EUR"), placeItem(idA, 1))
		}, "is not held (review:amount)"},
		"a line is held for its price in another currency": {func(b *fixture) {
			b.write("x", rulesItem("above", attributes("EUR", "1")))
			b.write("claim", with(lineItem(idA, 1, 1), "currency", "USD", "holds", []string{"review:amount"}), listed(idA, "review:amount"), reason(idA, "held", "review:amount"))
		}, "is held (review:amount) for no reason"},

		"a line has as many keys as may pass":     {func(b *fixture) { b.passLine(100) }, ""},
		"a line has more keys than may pass":      {func(b *fixture) { b.passLine(101) }, "is not held (cap)"},
		"a line has fewer keys than the cap":      {func(b *fixture) { b.holdLine(100, "cap") }, "is held (cap) for no reason"},
		"the merchant's cap is another":           {func(b *fixture) { b.write("x", rulesItem("maxKeys", 5)); b.passLine(6) }, "is not held (cap)"},
		"the lines of an order exceed the cap":    {func(b *fixture) { b.passOrder(60, "pack", 21) }, "is not held (cap)"},
		"the lines of an order are the cap":       {func(b *fixture) { b.passOrder(60, "pack", 20) }, ""},
		"a line beside one that may have no pool": {func(b *fixture) { b.passOrder(60, "dlc", 60) }, ""},
		"a line beside a small one is held": {func(b *fixture) {
			id := b.order(60, "dlc", 40)
			b.write("claim", with(lineItem(id, 1, 60), "holds", []string{"cap"}), listed(id, "cap"), reason(id, "held", "cap"))
		}, "is held (cap) for no reason"},

		"an address orders twice in a day": {func(b *fixture) {
			b.write("x", rulesItem("maxOrders", 1), buyers("other"))
			b.write("claim", with(lineItem(idA, 1, 1), "who", "acme#live#hash"), placeItem(idA, 1))
		}, "is not held (review:orders)"},
		"an address orders for the first time in a day": {func(b *fixture) {
			b.write("x", rulesItem("maxOrders", 1), buyers(idA.OrderHalf()))
			b.write("claim", with(lineItem(idA, 1, 1), "who", "acme#live#hash"), placeItem(idA, 1))
		}, ""},
		"an address orders less often than rules let pass": {func(b *fixture) {
			b.write("x", rulesItem("maxOrders", 2), buyers("other"))
			b.write("claim", with(lineItem(idA, 1, 1), "who", "acme#live#hash", "holds", []string{"review:orders"}), listed(idA, "review:orders"), reason(idA, "held", "review:orders"))
		}, "is held (review:orders) for no reason"},
		"an address that comes later has had too many orders, and its line gets keys": {func(b *fixture) {
			b.write("claim", with(lineItem(idA, 1, 1), "holds", []string{noAddress}))
			b.write("x", rulesItem("maxOrders", 1), buyers("other"))
			b.write("claim", with(lineItem(idA, 2, 1), "who", "acme#live#hash"), placeItem(idA, 1), reason(idA, "address-added", ""))
		}, "is not held (review:orders)"},
		"an address that comes later has had too many orders, and its line is held": {func(b *fixture) {
			b.write("claim", with(lineItem(idA, 1, 1), "holds", []string{noAddress}))
			b.write("x", rulesItem("maxOrders", 1), buyers("other"))
			b.write("claim", with(lineItem(idA, 2, 1), "who", "acme#live#hash", "holds", []string{"review:orders"}), listed(idA, "review:orders"),
				reason(idA, "address-added", ""), reason(idA, "held", "review:orders"))
		}, ""},
		"a line that gets its address later is held by another rule": {func(b *fixture) {
			b.write("claim", with(lineItem(idA, 1, 1), "holds", []string{noAddress}))
			b.write("x", rulesItem("always", true))
			b.write("claim", with(lineItem(idA, 2, 1), "who", "acme#live#hash", "holds", []string{"review"}), listed(idA, "review"),
				reason(idA, "address-added", ""), reason(idA, "held", "review"))
		}, "is held (review) for no reason"},
		"more orders of an address are admitted than rules let pass": {func(b *fixture) { b.write("x", rulesItem("maxOrders", 1), buyers("one", "other")) }, "order 2 of an address was admitted in a day, and rules let 1 pass"},
		"orders of two addresses are counted together": {func(b *fixture) {
			b.ledger.reported.paid["one"], b.ledger.reported.paid["other"] = payOrder{customer: "ada"}, payOrder{customer: "bob"}
			b.write("x", rulesItem("maxOrders", 2), buyers("one"))
			b.write("x", buyers("one", "other"))
		}, "an order of bob was counted with those of ada"},
		"an order of an address is counted twice": {func(b *fixture) {
			b.write("x", rulesItem("maxOrders", 2), with(buyers("one"), "admitted", 2))
		}, "2 orders of an address were admitted in a day, and 1 stand there"},
		"orders of an address are forgotten": {func(b *fixture) {
			b.write("x", rulesItem("maxOrders", 2), with(buyers("one"), "expiresAt", 1))
		}, "are forgotten before that day ends"},

		"the brake holds a line": {func(b *fixture) {
			b.decides(decision{verdict: "set-brake"})
			b.write("x", brakeItem("ada"))
			b.holdLine(1, "brake")
		}, ""},
		"the brake holds nothing": {func(b *fixture) {
			b.decides(decision{verdict: "set-brake"})
			b.write("x", brakeItem("ada"))
			b.later()
			b.passLine(1)
		}, "is not held (brake)"},
		"the brake holds a test": {func(b *fixture) {
			b.decides(decision{verdict: "set-brake"})
			b.write("x", brakeItem("ada"))
			b.later()
			test := listed(idA, "brake")
			test.pk = "held#nova#test"
			b.write("claim", with(lineItem(idA, 1, 1), "side", "test", "holds", []string{"brake"}), test, reason(idA, "held", "brake"))
		}, "is held (brake) for no reason"},
		"the brake holds a line after it was taken off": {func(b *fixture) {
			b.decides(decision{verdict: "set-brake"})
			b.decides(decision{verdict: "release-brake"})
			b.write("x", brakeItem("ada"))
			b.later()
			b.write("x", offItem("bob"))
			b.later()
			b.holdLine(1, "brake")
		}, "is held (brake) for no reason"},
		"the brake is set by nobody": {func(b *fixture) { b.write("x", brakeItem("ada")) }, "the brake was set by ada"},
		"the brake is taken off by nobody": {func(b *fixture) {
			b.decides(decision{verdict: "set-brake"})
			b.write("x", brakeItem("ada"))
			b.write("x", offItem("bob"))
		}, "the brake was taken off by nobody"},
		"the brake is taken off, and nobody is named": {func(b *fixture) {
			b.decides(decision{verdict: "set-brake"})
			b.decides(decision{verdict: "release-brake"})
			b.write("x", brakeItem("ada"))
			b.write("x", offItem(""))
		}, "names nobody"},
		"the brake is taken off twice": {func(b *fixture) {
			b.decides(decision{verdict: "set-brake"})
			b.decides(decision{verdict: "release-brake"})
			b.write("x", brakeItem("ada"))
			b.write("x", offItem("bob"))
			b.write("x", offItem("eve"))
		}, "the brake was off, and was taken off again"},
		"another brake is taken off than was set": {func(b *fixture) {
			b.decides(decision{verdict: "set-brake"})
			b.decides(decision{verdict: "release-brake"})
			b.write("x", brakeItem("bob"))
			b.write("x", offItem("bob"))
		}, "was set by bob, and by ada once it was taken off"},
		"the brake is set again": {func(b *fixture) {
			b.decides(decision{verdict: "set-brake"})
			b.decides(decision{verdict: "release-brake"})
			b.write("x", brakeItem("ada"))
			b.write("x", offItem("bob"))
			b.write("x", brakeItem("bob"))
			b.later()
			b.holdLine(1, "brake")
		}, ""},
		"the brake is forgotten": {func(b *fixture) {
			b.decides(decision{verdict: "set-brake"})
			b.decides(decision{verdict: "release-brake"})
			b.write("x", brakeItem("ada"))
			b.write("x", gone(brakeItem("")))
		}, "the brake was deleted"},
		"the brake is set twice": {func(b *fixture) {
			b.decides(decision{verdict: "set-brake"})
			b.write("x", brakeItem("ada"))
			b.write("x", brakeItem("bob"))
		}, "the brake was set, and was set again"},
		"the brake sets itself": {func(b *fixture) {
			b.write("x", with(rulesItem(), "brakesItself", true))
			sold(b)
			b.write("x", brakeItem("the brake itself"))
		}, ""},
		"the brake sets itself unasked": {func(b *fixture) { sold(b); b.write("x", brakeItem("the brake itself")) }, "it sets itself: false"},
		"the brake sets itself on an ordinary day": {func(b *fixture) {
			b.write("x", with(rulesItem(), "brakesItself", true))
			b.write("x", brakeItem("the brake itself"))
		}, "a day sold over 100 keys: false"},

		"fill serves a line after a rule was set": {func(b *fixture) {
			b.write("x", rulesItem())
			b.passLine(1)
			b.write("ingest", keyItem("k", "available", ""))
			b.write("x", always)
			b.later()
			b.write("fill", keyItem("k", "claimed", string(idA)), lineItem(idA, 2, 1, "k"), placeItem(idA, 0))
		}, "is not held (review)"},
		"fill holds a line after a rule was set": {func(b *fixture) {
			b.write("x", rulesItem())
			b.passLine(1)
			b.write("x", always)
			b.later()
			b.write("fill", with(lineItem(idA, 2, 1), "holds", []string{"review"}), listed(idA, "review"), placeItem(idA, 0), reason(idA, "held", "review"))
		}, ""},
		"a line that is connected is not looked at": {func(b *fixture) {
			b.passUnconnected()
			b.write("x", always)
			b.later()
			old := placeItem(idA, 0)
			old.pk = "unconnected#nova#live#game"
			b.write("fill", lineItem(idA, 2, 1), placeItem(idA, 1), old)
		}, "is not held (review)"},
		"a line that has its keys is held by a rule": {func(b *fixture) {
			b.sellKey()
			b.write("x", always)
			b.write("x", with(lineItem(idA, 2, 1, "k"), "holds", []string{"review"}), listed(idA, "review"), reason(idA, "held", "review"))
		}, "is held (review), and was to get no keys"},

		"somebody releases a line": {func(b *fixture) { b.write("x", always); b.holdLine(1, "review"); b.decides(release); b.release(2) }, ""},
		"nobody releases a line":   {func(b *fixture) { b.write("x", always); b.holdLine(1, "review"); b.release(2) }, "and nobody released it"},
		"a line is released by a decision of long ago": {func(b *fixture) {
			b.write("x", always)
			b.ledger.decides(release)()
			b.later()
			b.holdLine(1, "review")
			b.release(2)
		}, "and nobody released it"},
		"a line is released with all that were held before": {func(b *fixture) {
			b.write("x", always)
			b.decides(decision{verdict: "release", side: "live", until: time.UnixMilli(99)})
			b.write("claim", with(lineItem(idA, 1, 1), "holds", []string{"review"}, "heldAt", 100), listed(idA, "review"), reason(idA, "held", "review"))
			b.release(2)
		}, "and nobody released it"},
		"a line that is held by hand is released with all that rules hold": {func(b *fixture) {
			b.passLine(1)
			b.decides(decision{verdict: "release", side: "live", until: time.Now()})
			b.write("x", with(lineItem(idA, 2, 1), "holds", []string{"by hand"}), placeItem(idA, 0), reason(idA, "held", ""))
			b.release(3)
		}, "and nobody released it"},
		"a rule holds a line again": {func(b *fixture) {
			b.write("x", always)
			b.holdLine(1, "review")
			b.decides(release)
			b.release(2)
			b.write("fill", with(lineItem(idA, 3, 1), "holds", []string{"review"}), listed(idA, "review"), placeItem(idA, 0), reason(idA, "held", "review"))
		}, "which somebody had released it from"},
		"somebody rejects a line": {func(b *fixture) {
			b.write("x", always)
			b.holdLine(1, "review")
			b.decides(decision{verdict: "reject", line: idA, ruled: true})
			b.write("x", back(with(lineItem(idA, 2, 1), "holds", []string{"review"}), 1, true), listed(idA), reason(idA, "units-returned", "rejected"))
		}, ""},
		"nobody rejects a line": {func(b *fixture) {
			b.write("x", always)
			b.holdLine(1, "review")
			b.write("x", back(with(lineItem(idA, 2, 1), "holds", []string{"review"}), 1, true), listed(idA), reason(idA, "units-returned", "rejected"))
		}, "was rejected by nobody"},
		"a line is rejected that no rule holds": {func(b *fixture) {
			b.passLine(1)
			b.decides(decision{verdict: "reject", line: idA})
			b.write("x", back(lineItem(idA, 2, 1), 1, true), placeItem(idA, 0), reason(idA, "units-returned", "rejected"))
		}, "was rejected, and no rule held it"},

		"an order of long ago is held": {func(b *fixture) {
			b.paid(payOrder{order: "7", early: true})
			b.ledger.told[paidBeforeOf("7")] = true
			b.write("claim", with(lineItem(idA, 1, 1), "holds", []string{"paid before"}))
		}, ""},
		"an order of long ago is held, and nobody is told": {func(b *fixture) {
			b.paid(payOrder{order: "7", early: true})
			b.write("claim", with(lineItem(idA, 1, 1), "holds", []string{"paid before"}))
		}, "and no notice tells of it"},
		"an order of long ago is not held": {func(b *fixture) { b.paid(payOrder{order: "7", early: true}); b.passLine(1) }, "was paid before its account delivers, and is not held"},
		"an order of today is held as one of long ago": {func(b *fixture) {
			b.write("claim", with(lineItem(idA, 1, 1), "holds", []string{"paid before"}))
		}, "and was not"},
		"an order of long ago is held later": {func(b *fixture) {
			b.paid(payOrder{order: "7", early: true})
			b.ledger.review.deliversFrom = []setting[time.Time]{{deliversEarlier, time.Now()}}
			b.passLine(1)
			b.write("x", with(lineItem(idA, 2, 1), "holds", []string{"paid before"}), placeItem(idA, 0))
		}, "is held (paid before) for no reason"},
		"nobody releases an order of long ago": {func(b *fixture) {
			b.paid(payOrder{order: "7", early: true})
			b.ledger.told[paidBeforeOf("7")] = true
			b.write("claim", with(lineItem(idA, 1, 1), "holds", []string{"paid before"}))
			b.release(2)
		}, "and nobody released it"},

		"a line that was seen is released": {func(b *fixture) {
			b.write("x", always)
			b.holdLine(1, "review")
			b.decides(decision{verdict: "release", line: idA, version: 1})
			b.release(2)
		}, ""},
		"a line is released that has changed since it was seen": {func(b *fixture) {
			b.write("x", always)
			b.holdLine(1, "review")
			b.decides(decision{verdict: "release", line: idA, version: 1})
			b.write("x", with(lineItem(idA, 2, 1), "holds", []string{"review"}))
			b.release(3)
		}, "and nobody released it"},

		"a person fulfils an order":                      {func(b *fixture) { b.byHand(2, 2, false, reason) }, ""},
		"a person fulfils an order, and says no number":  {func(b *fixture) { b.byHand(100, 0, false, reason) }, ""},
		"a person fulfils an order of many keys unasked": {func(b *fixture) { b.byHand(101, 0, false, reason) }, "with other keys than somebody meant"},
		"a person means other keys":                      {func(b *fixture) { b.byHand(2, 3, false, reason) }, "with other keys than somebody meant"},
		"the history does not tell who fulfils an order": {func(b *fixture) { b.byHand(2, 2, false, nil) }, "is fulfilled by hand: true; its history tells so: false"},
		"the history tells of a person, and a shop sold": {func(b *fixture) {
			b.write("claim", lineItem(idA, 1, 1), placeItem(idA, 1), reason(idA, "fulfilled-by-hand", "a person asked"))
		}, "is fulfilled by hand: false; its history tells so: true"},
		"a person fulfils an order that the shop knows": {func(b *fixture) { b.byHand(2, 2, true, reason) }, "and an account had an order of that number"},
		"a rule of review holds what a person fulfils": {func(b *fixture) {
			b.write("x", always)
			f := b.wish(1, 1)
			id := f.lineID("1")
			b.write("x", with(lineItem(id, 1, 1), "holds", []string{"review"}), listed(id, "review"), reason(id, "held", "review"), reason(id, "fulfilled-by-hand", "a person asked"))
		}, "which somebody had released it from"},

		"the merchant is told of what is held": {func(b *fixture) {
			b.write("x", always)
			b.holdLine(1, "review")
			b.tell(idA)
			b.ledger.checkAsked()
		}, ""},
		"the merchant is not told of what is held": {func(b *fixture) {
			b.write("x", always)
			b.holdLine(1, "review")
			b.tell(idB)
			b.ledger.checkAsked()
		}, "and its merchant was never told"},
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

// order has an order of two lines reported, and returns the first, of product game.
func (b *fixture) order(quantity int, other string, others int) order.LineID {
	p := payOrder{order: "7", side: pool.Live, lines: []paidLine{{"1", "game", quantity}, {"2", other, others}}}
	b.ledger.expectPaid(p)
	return p.lineID("1")
}

// passOrder claims the first line of an order of two lines.
func (b *fixture) passOrder(quantity int, other string, others int) {
	id := b.order(quantity, other, others)
	b.write("claim", lineItem(id, 1, quantity), placeItem(id, quantity))
}

// wish has somebody fulfil an order by hand, of so many units of the game.
func (b *fixture) wish(quantity, keys int) fulfilByHand {
	f := fulfilByHand{payOrder: payOrder{order: "7", side: pool.Live, hand: true, lines: []paidLine{{"1", "game", quantity}}}, keys: keys}
	b.ledger.expectByHand(f)
	return f
}

// byHand claims the line of an order that somebody fulfils by hand, whose history tells of
// it unless why is nil. The shop may have an order of that number.
func (b *fixture) byHand(quantity, keys int, known bool, why func(id order.LineID, what, code string) write) {
	if known {
		id := lineIDOf(pool.Live, "7", "1")
		b.write("claim", lineItem(id, 1, 1), placeItem(id, 1))
		time.Sleep(time.Second)
	}
	id := b.wish(quantity, keys).lineID("1")
	writes := []write{lineItem(id, 1, quantity), placeItem(id, quantity)}
	if why != nil {
		writes = append(writes, why(id, "fulfilled-by-hand", "a person asked"))
	}
	b.write("x", writes...)
}

// tell has the merchant get a mail that leads to the order of a line that is held.
func (b *fixture) tell(id order.LineID) {
	about := outbox.NoticeItem("nova#held-for-review#live#2000-01-01T00")
	b.ledger.noteLease(about, 1, "notice")
	text := "https://api.keypool.example/portal/orders/" + id.OrderHalf()
	b.ledger.noteAccepted(noProcess, about, 1, mail.Message{Text: text, HTML: text})
}
