package simulate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/infra/proof/dynamosim"
	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/outbox"
)

// The ledger's checks of why a line changes: nothing is returned, held, released or
// replaced but for a reason that was reported, and that the line's history tells.

// reasons are what a commit says beside the change of a line.
type reasons struct {
	history []entry
	refunds []string
}

// entry is an entry of a line's history.
type entry struct{ what, code string }

func (r reasons) has(what string) bool {
	return slices.ContainsFunc(r.history, func(e entry) bool { return e.what == what })
}

// tells reports whether the history tells of an event, with that reason.
func (r reasons) tells(what, code string) bool {
	return slices.Contains(r.history, entry{what, code})
}

// rejected reports whether somebody rejects the line.
func (r reasons) rejected() bool {
	return slices.ContainsFunc(r.history, func(e entry) bool { return e.what == "units-returned" && strings.HasPrefix(e.code, "rejected") })
}

// lineOf returns the line of an item that stands beside it: history#<line>#…
func lineOf(pk, sk string) order.LineID {
	_, rest, _ := strings.Cut(sk, "#")
	half, _, _ := strings.Cut(rest, "#")
	return order.LineID(strings.TrimPrefix(pk, "order#") + half)
}

func (l *ledger) historyAdded(pk, sk string, after map[string]types.AttributeValue) {
	id := lineOf(pk, sk)
	if after == nil {
		l.problem("an entry of the history of %s was deleted", l.name(id))
		return
	}
	r := l.reasons[id]
	r.history = append(r.history, entry{str(after, "what"), str(after, "code")})
	l.reasons[id] = r
}

func (l *ledger) refundAdded(pk, sk string, before, after map[string]types.AttributeValue) {
	id, refund := lineOf(pk, sk), str(after, "id")
	if before != nil {
		l.problem("refund %s of %s was applied twice", refund, l.name(id))
	}
	r := l.reasons[id]
	r.refunds = append(r.refunds, refund)
	l.reasons[id] = r
}

// checkReasons checks a change of a line against what was reported.
func (l *ledger) checkReasons(c dynamosim.Commit, id order.LineID, before line) {
	now, why := l.lines[id], l.reasons[id]
	for _, refund := range why.refunds {
		now.refunds[refund] = true
	}
	l.checkUnits(id, before, why)
	l.checkHolds(c, id, before, why)
	if before.customer != "" && now.customer == "" && !why.has("erased") {
		l.problem("%s forgot its address", l.name(id))
	}
	l.checkErased(id, before, why)
	l.checkShown(id, before, why)
	l.checkCorrected(id, before, why)
	if due := keysReturned(now); now.returnedCount != due {
		l.problem("of %s %d of %d units are returned, all: %v, and %d keys are not due any more, not %d", l.name(id), now.returnedUnits, now.quantity, now.returnedAll, now.returnedCount, due)
	}
	if why.has("replaced") {
		l.mailsOf(outbox.LineItem(string(id))).replacedAt = time.Now()
	}
	if why.has("resent") {
		went := l.mailsOf(outbox.LineItem(string(id)))
		went.asked, went.askedAt = went.asked+1, time.Now()
		if now.mail != "due" {
			l.problem("the keys of %s are to be sent again, and its mail is %q", l.name(id), now.mail)
		}
	}
	if there := l.wholes[id.OrderHalf()]; before.version > 0 && !before.expected {
		for ret := range before.paidAfter {
			if !now.paidAfter[ret] {
				l.problem("%s forgot that it was paid after return %s", l.name(id), ret)
			}
		}
		// An amount beside its payment may be found later, and then holds it. A return of
		// everything may not: that is applied.
		for ret := range now.paidAfter {
			if !before.paidAfter[ret] && (there == nil || there.amounts[ret].IsZero() || !slices.Contains(now.holds, paidAfterReturn)) {
				l.problem("%s was paid, and later says that it was after return %s", l.name(id), ret)
			}
		}
	}
	if now.surplus() > 0 {
		l.w.count("keys left with a line that gave them back")
		if now.onHold && !before.onHold {
			l.w.count("line held while its keys are taken back")
		}
	}
	if before.version > 0 && before.wanted == 0 && now.wanted > 0 && !before.expected && now.returnedUnits > 0 {
		l.w.count("line connected that was returned in part")
	}
}

// checkCorrected checks that the address of a line changes only as a person corrects it, with
// the notices that tell of it and another mail; of a line that may be mailed, and the former
// address is kept.
func (l *ledger) checkCorrected(id order.LineID, before line, why reasons) {
	now := l.lines[id]
	if before.address == "" || before.address == now.address || why.has("erased") {
		return
	}
	if !why.has("address-corrected") {
		l.problem("%s has another address, which nobody corrected", l.name(id))
	}
	if before.onHold || before.returned() {
		l.problem("the address of %s was corrected, which is on hold or returned", l.name(id))
	}
	if want := append(slices.Clip(before.former), before.address); !slices.Equal(now.former, want) {
		l.problem("%s had the addresses %q, and keeps %q", l.name(id), want, now.former)
	}
	for _, kind := range []string{"address-mended", "keys-elsewhere"} {
		notice := fmt.Sprintf("%s#%s#%s#%d", merchant, kind, id.OrderHalf(), len(now.former))
		if told := l.notices[notice]; !told && (kind == "address-mended" || !slices.Contains([]string{"failed", "bounced"}, before.mail)) {
			l.problem("the address of %s was corrected, and notice %s was not written with it", l.name(id), notice)
		}
	}
	went := l.mailsOf(outbox.LineItem(string(id)))
	if before.mail != "" && before.mail != "due" {
		went.moved++
		went.askedAt = time.Now()
	}
	if now.waits() {
		l.w.count("address of a line corrected that waits")
		return
	}
	l.w.count("address corrected, and the keys sent there")
	if before.mail == "sending" {
		l.w.count("address corrected while a mail was under way")
	}
	if now.mail != "due" {
		l.problem("the keys of %s are to be sent to a corrected address, and its mail is %q", l.name(id), now.mail)
	}
}

// checkErased checks that a line is cleared of its customer with all that it has sold left as it
// was: unasked only where it owes them nothing, else it is on hold from then on. Nothing of
// the customer comes back.
func (l *ledger) checkErased(id order.LineID, before line, why reasons) {
	now := l.lines[id]
	if now.erased && (now.customer != "" || now.address != "" || len(now.former) > 0) || before.erased && !now.erased {
		l.problem("the customer of %s was erased, and is known", l.name(id))
	}
	if !why.has("erased") {
		return
	}
	owes := !before.returned() && (before.onHold || before.waits() || slices.Contains([]string{"due", "failed", "bounced"}, before.mail))
	switch {
	case now.held != before.held || now.wanted != before.wanted || now.returnedUnits != before.returnedUnits:
		l.problem("%s lost keys or units when its customer was erased", l.name(id))
	case before.erased:
		l.problem("the customer of %s was erased twice", l.name(id))
	case owes && !l.reported.forced[id]:
		l.problem("the customer of %s was erased unasked, whom it owes something", l.name(id))
	case owes && !slices.Contains(now.holds, noAddress):
		l.problem("the customer of %s was erased, whom it owes something, and it is not held", l.name(id))
	case owes:
		l.w.count("customer erased whom a line owes something")
	default:
		l.w.count("customer erased")
	}
}

// checkUnits checks that exactly those units are returned that were reported.
func (l *ledger) checkUnits(id order.LineID, before line, why reasons) {
	now := l.lines[id]
	units, all := before.returnedUnits, before.returnedAll
	for _, refund := range why.refunds {
		n, reported := l.unitsOf(id, refund)
		if there := l.wholes[id.OrderHalf()]; there != nil && there.failed[refund] {
			l.problem("%s has refund %s, which had failed", l.name(id), refund)
		}
		switch {
		case !reported:
			l.problem("%s has refund %s, which nobody reported", l.name(id), refund)
		case n == 0:
			all = true
		case l.reported.byPerson[id][refund]:
			units += n
			now.own += n
		case before.returnedAll:
		default:
			answered := min(now.own, n)
			now.own -= answered
			units += n - answered
			if answered == 0 {
				continue
			}
			l.w.count("refund of units that a person had returned")
			now.matched[refund] = now.expected || units < now.quantity
			if !why.tells("refund-matched", refund) {
				l.problem("%s does not tell that refund %s is of units that a person had returned", l.name(id), refund)
			}
		}
	}
	if why.has("cancelled") {
		if !before.waits() {
			l.problem("%s was cancelled and did not wait", l.name(id))
		}
		l.w.count("line cancelled")
		all = true
	}
	if why.rejected() {
		if !before.ruled() {
			l.problem("%s was rejected, and no rule held it", l.name(id))
		}
		if !l.decided("reject", &before) {
			l.problem("%s was rejected by nobody", l.name(id))
		}
		l.w.count("line rejected")
		all = true
	}
	if why.has("order-returned") {
		if l.returnOf(now) == "" {
			l.problem("%s was returned with its order, which was not since it was paid", l.name(id))
		}
		all = true
	}
	if !now.expected && (all || units >= now.quantity && units > 0) {
		units, all = now.quantity, true
	}
	if now.returnedUnits != units || now.returnedAll != all {
		l.problem("%d units of %s are returned, all: %v; by what was reported it is %d, all: %v", now.returnedUnits, l.name(id), now.returnedAll, units, all)
	}
}

// unitsOf returns the units that a refund gives back of a line, 0 for all; false if nobody
// reported it. An amount gives units of the only line of its order back whose price it is.
func (l *ledger) unitsOf(id order.LineID, refund string) (units int, reported bool) {
	if units, reported = l.reported.units[id][refund]; reported {
		return units, true
	}
	back, reported := l.reported.amounts[id.OrderHalf()][refund]
	if !reported {
		return 0, false
	}
	of, price := l.reported.paid[id.OrderHalf()], unitPrices[l.lines[id].product]
	if len(of.lines) != 1 || of.currency != back.currency || back.cents%price != 0 {
		l.problem("an amount of order %s, %s %s of %d lines in %s, was taken for units of %s", of.order, cents(back.cents), back.currency, len(of.lines), of.currency, l.name(id))
		return 0, true
	}
	l.w.count("amount that pays for units")
	return back.cents / price, true
}

// checkAllGivenBack checks that amounts make up all that an order cost.
func (l *ledger) checkAllGivenBack(orderID, last string) {
	of, currency := l.reported.paid[orderID], l.reported.amounts[orderID][last].currency
	costs, back := 0, 0
	for _, line := range of.lines {
		if now := l.lines[of.lineID(line.id)]; now != nil && !now.expected { // a repeat with other content may have come first
			line.product, line.quantity = now.product, now.quantity
		}
		costs += line.price()
	}
	for id, is := range l.reported.amounts[orderID] {
		if _, stored := l.wholes[orderID].amounts[id]; stored && is.currency == currency && !l.wholes[orderID].failed[id] {
			back += is.cents
		}
	}
	if back < costs || of.currency != currency {
		l.problem("order %s cost %s %s, and is returned whole by amounts of %s %s", of.order, cents(costs), of.currency, cents(back), currency)
	}
	l.w.count("amounts that make up an order")
}

// checkAmount checks, at the end, that an amount that was given back did something: units
// or the whole order were returned, a person was asked, or its lines are paid later.
func (l *ledger) checkAmount(orderID, refund string) {
	there, of := l.wholes[orderID], l.reported.paid[orderID]
	for id := range l.reported.amounts[orderID] {
		if _, all := there.returns[id+" and all before"]; all {
			return
		}
	}
	if l.notices[merchant+"#refund-unclear#"+shopName+"#"+of.order+"#"+refund] {
		l.w.count("amount that nobody can tell for what")
		return
	}
	for _, line := range of.lines {
		now := l.lines[of.lineID(line.id)]
		switch {
		case now == nil, now.expected, now.refunds[refund], now.returned():
		case now.paidAfter[refund]:
			l.w.count("line held since an amount came before its payment")
		default:
			l.problem("an amount of order %s was given back (%s), and %s knows nothing of it", of.order, refund, l.name(of.lineID(line.id)))
		}
	}
}

// returnOf returns a return of everything that came after the line was paid, "" if there
// is none.
func (l *ledger) returnOf(now *line) string {
	there := l.wholes[now.id.OrderHalf()]
	if there == nil {
		return ""
	}
	for ret := range there.returns {
		if !now.paidAfter[ret] && !there.failed[ret] {
			return ret
		}
	}
	return ""
}

// paidAfterReturn is the hold of a line that was paid after its order was returned.
const paidAfterReturn = "paid after a return"

// checkHolds checks that each hold comes and goes for its reason.
func (l *ledger) checkHolds(c dynamosim.Commit, id order.LineID, before line, why reasons) {
	now, there := l.lines[id], l.wholes[id.OrderHalf()]
	if there == nil {
		there = &known{}
	}
	isPaid := !now.expected && (before.version == 0 || before.expected)
	for ret := range now.paidAfter {
		if isPaid && there.returns[ret].IsZero() && there.amounts[ret].IsZero() {
			l.problem("%s was paid after return %s, which nobody reported", l.name(id), ret)
		}
	}
	if isPaid && len(now.paidAfter) > 0 && !slices.Contains(now.holds, paidAfterReturn) {
		l.problem("%s was paid after its order was returned, and is not held", l.name(id))
	}
	if isPaid {
		l.checkAddress(now)
		l.checkEarly(c, now)
		l.checkByHand(c, now, why)
	}
	for _, hold := range now.holds {
		if slices.Contains(before.holds, hold) {
			continue
		}
		dispute, disputed := strings.CutPrefix(hold, "dispute:")
		switch {
		case isPaid && disputed: // the payment may have read less than is known by now
			if there.disputes[dispute] == "" {
				l.problem("%s is held for dispute %s, which nobody reported", l.name(id), dispute)
			}
		case disputed:
			if there.disputes[dispute] != "open" {
				l.problem("%s is held for dispute %s, which is %q", l.name(id), dispute, there.disputes[dispute])
			}
		case hold == paidAfterReturn:
			if len(now.paidAfter) == 0 {
				l.problem("%s is held as one paid after a return, and there was none", l.name(id))
			}
		case hold == noAddress && why.has("erased"): // see checkErased
		case hold == noAddress && isPaid && now.customer == "":
			l.w.count("line held since nobody told an address")
		case hold == "by hand" && why.has("held"):
			l.w.count("line held by hand")
		case hold == paidBefore && isPaid, byRule(hold): // see checkEarly and checkRules
		default:
			l.problem("%s is held (%s) for no reason", l.name(id), hold)
		}
	}
	for _, hold := range before.holds {
		if slices.Contains(now.holds, hold) {
			continue
		}
		dispute, disputed := strings.CutPrefix(hold, "dispute:")
		switch {
		case disputed && there.disputes[dispute] == "open":
			l.problem("%s is not held any more for dispute %s, which is open", l.name(id), dispute)
		case hold == noAddress:
			if now.customer == "" || !why.has("address-added") {
				l.problem("%s is not held any more for want of an address, and nobody told one", l.name(id))
			}
			l.w.count("line that was told its address later")
		case !why.has("released"):
			l.problem("%s is not held any more (%s) for no reason", l.name(id), hold)
		case disputed:
			l.checkLifted(now, hold, there.disputes[dispute], there.wordless[dispute], why)
		case !l.decided("release", &before):
			l.problem("%s is not held any more (%s), and nobody released it", l.name(id), hold)
		case byRule(hold):
			now.release(hold)
			l.w.count("line released that a rule held")
		case hold == paidBefore:
			l.w.count("line released that was paid before its account delivers")
		}
	}
	if why.has("released") {
		l.noteReleased(id, before.version)
	}
}

// checkAddress checks a line that is paid now: without an address it is held.
func (l *ledger) checkAddress(now *line) {
	of, reported := l.reported.paid[now.id.OrderHalf()]
	if reported && of.customer != "" && now.customer == "" && !slices.Contains(now.holds, noAddress) {
		l.problem("%s has no address that keys could be sent to, and is not held", l.name(now.id))
	}
}

// noAddress is the hold of a line of which nobody told an address.
const noAddress = "no address"

// noAddressOf is what a notice tells of an order without an address.
func noAddressOf(number string) string { return noAddress + ": " + number }

// keysReturned returns the keys of the line that are not due any more by its units.
func keysReturned(l *line) int {
	if l.returnedAll {
		return l.wanted
	}
	if rule := products[l.product].Keys; rule.Mode == catalog.PerUnit {
		return min(l.returnedUnits*rule.Count, l.wanted)
	}
	return 0
}

// keepsKeysIn is why no key of the line may leave by what the line itself says, "" if
// they may.
func (l *line) keepsKeysIn() string {
	switch {
	case l.returned():
		return "was returned"
	case l.onHold:
		return "was on hold"
	case l.surplus() > 0:
		return "held keys that it had given back"
	}
	return ""
}

func (s *catalogState) setReturned(product string, after map[string]types.AttributeValue) {
	s.returned[product] = append(s.returned[product], setting[string]{str(after, "returnedKeys"), time.Now()})
}

// longestProcess is longer than any process lives, and its late calls take.
const longestProcess = catchupProcess + lateCall

// policies returns what may become of keys that a line of the product gives back, by the
// settings since a process began that still writes.
func (s catalogState) policies(product string) (all []string) {
	since := time.Now().Add(-longestProcess)
	for _, to := range inForce(s.returned[product], since) {
		if to != "" {
			all = append(all, to)
			continue
		}
		for _, to := range inForce(s.returned[""], since) {
			if to == "" {
				to = "revoke"
			}
			all = append(all, to)
		}
	}
	return all
}

// givenBack is keys that one return took from what its line is due, and what was to become
// of them; empty: what the settings say.
type givenBack struct {
	keys int
	to   string
}

// askedOf returns what was to become of the keys that a change takes from its line, by what
// each return said: those of earlier returns leave first.
func (l *ledger) askedOf(id order.LineID, before line) (asked []string) {
	now, why := l.lines[id], l.reasons[id]
	left := 0
	for k := range before.keys {
		if _, holds := now.keys[k]; !holds && !slices.Contains(now.replaced, k) {
			left++
		}
	}
	more := now.surplus() + left
	for _, back := range now.backs {
		more -= back.keys
	}
	if more > 0 {
		to := ""
		for _, refund := range why.refunds {
			to = l.reported.keysTo[id][refund]
		}
		if why.has("cancelled") || why.rejected() {
			to = "restock"
		}
		now.backs = append(slices.Clip(now.backs), givenBack{more, to})
	}
	for left > 0 && len(now.backs) > 0 {
		first := now.backs[0]
		n := min(left, first.keys)
		left -= n
		now.backs = slices.Clone(now.backs)
		if now.backs[0].keys -= n; now.backs[0].keys == 0 {
			now.backs = now.backs[1:]
			if len(now.backs) > 0 && now.backs[0].to != first.to {
				l.w.count("keys of two returns that said otherwise")
			}
		}
		if first.to == "" {
			asked = append(asked, l.catalog.policies(now.product)...)
		} else {
			asked = append(asked, first.to)
		}
	}
	return asked
}

// checkGivenBack checks what became of a key that a line gave back: what was asked for, or
// what the settings say. A key is for sale again only if no mailer ever had it, no page
// showed it, and its upload was not withdrawn, nor the key blocked, and then it is.
func (l *ledger) checkGivenBack(id order.LineID, k string, asked []string) {
	now, is := l.lines[id], l.keys[k].state
	if slices.Contains(now.replaced, k) {
		if is != "revoked" || !l.reasons[id].has("replaced") {
			l.problem("key %s of %s was replaced, and is %s", l.text(k), l.name(id), is)
		}
		return
	}
	if now.returnedUnits == 0 && !now.returnedAll {
		l.problem("%s gave key %s back, and nothing of it was returned", l.name(id), l.text(k))
	}
	may := map[string]bool{}
	for _, to := range asked {
		switch to {
		case "keep":
			may["kept"] = true
		case "restock":
			barred := l.withdrawn[l.keys[k].upload] || l.keys[k].blocked
			may["available"] = !l.leasedKeys[k] && !l.shownKeys[k] && !barred
			may["revoked"] = may["revoked"] || l.leasedLines[id] || l.shownLines[id] || barred
		default:
			may["revoked"] = true
		}
	}
	if !may[is] {
		l.problem("key %s that %s gave back is %s; it was to become one of %v", l.text(k), l.name(id), is, asked)
	}
}
