package simulate

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/order"
	"keypool/shared/pool"
)

// The ledger's checks of returns, disputes and holds.

// known is what the table says of an order as a whole.
type known struct {
	version  int
	returns  map[string]time.Time // of everything: id -> when it was written
	amounts  map[string]time.Time // id of a return of an amount -> when it was written
	failed   map[string]bool      // ids of refunds that failed
	disputes map[string]string    // id -> state
	opened   map[string]time.Time // id -> when its opening was written
	wordless map[string]bool      // ids of dropped disputes of which is forgotten what the person said: a customer was erased
}

// reported is what platforms and persons reported, whether it was stored or not.
type reported struct {
	units    map[order.LineID]map[string]int    // refund -> units; 0: all
	keysTo   map[order.LineID]map[string]string // refund -> what becomes of the keys; empty: what the settings say
	byPerson map[order.LineID]map[string]bool   // refunds of persons
	forced   map[order.LineID]bool              // lines whose customer may be erased whatever they owe
	amounts  map[string]map[string]amount       // by order and refund
	answered map[string][]string                // by order: the amounts that were answered
	paid     map[string]payOrder                // by order, as it was reported first
	variants map[string][]payOrder              // by order, each as it was reported
	byHand   map[string][]fulfilByHand          // by order: what people fulfil
}

// amount is a part of an order's price that was given back, in cents.
type amount struct {
	cents    int
	currency string
}

func newReported() reported {
	return reported{map[order.LineID]map[string]int{}, map[order.LineID]map[string]string{}, map[order.LineID]map[string]bool{}, map[order.LineID]bool{}, map[string]map[string]amount{}, map[string][]string{}, map[string]payOrder{}, map[string][]payOrder{}, map[string][]fulfilByHand{}}
}

// expectPaid records that a platform reports an order as paid.
func (l *ledger) expectPaid(p payOrder) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := p.orderID()
	if _, known := l.reported.paid[id]; !known {
		l.reported.paid[id] = p
	}
	l.reported.variants[id] = append(l.reported.variants[id], p)
}

// expectReturn records that a refund of a line is reported, and what is to become of its
// keys; empty: what the settings say.
func (l *ledger) expectReturn(id order.LineID, refund string, units int, to string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reported.units[id] == nil {
		l.reported.units[id] = map[string]int{}
	}
	l.reported.units[id][refund] = units
	if l.reported.keysTo[id] == nil {
		l.reported.keysTo[id] = map[string]string{}
	}
	l.reported.keysTo[id][refund] = to
}

// expectByPerson records that a refund of a line is a person's, who gave it an id of his own.
func (l *ledger) expectByPerson(id order.LineID, refund string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reported.byPerson[id] == nil {
		l.reported.byPerson[id] = map[string]bool{}
	}
	l.reported.byPerson[id][refund] = true
}

// expectForced records that a person has a line's customer erased whatever it owes them.
func (l *ledger) expectForced(id order.LineID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reported.forced[id] = true
}

// expectAmount records that a refund of an amount is reported.
func (l *ledger) expectAmount(orderID, refund string, cents int, currency string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reported.amounts[orderID] == nil {
		l.reported.amounts[orderID] = map[string]amount{}
	}
	l.reported.amounts[orderID][refund] = amount{cents, currency}
}

// returnAnswered checks a refund of a line that was answered as stored.
func (l *ledger) returnAnswered(id order.LineID, refund string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if there := l.lines[id]; there == nil || !there.refunds[refund] {
		l.problem("refund %s of %s was answered, and is not stored", refund, l.name(id))
	}
}

// reportAnswered checks that what was reported of an order is stored, now that the report
// was answered.
func (l *ledger) reportAnswered(r reportOrder, side pool.Side) {
	for line := range r.units {
		l.returnAnswered(lineIDOf(side, r.order, line), r.id)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	orderID := orderIDOf(side, r.order)
	there := l.wholes[orderID]
	if there == nil {
		there = &known{}
	}
	stored := true
	switch r.kind {
	case linesReturned: // checked above
	case orderReturned:
		_, stored = there.returns[r.id]
		stored = stored || there.failed[r.id]
	case amountBack:
		_, stored = there.amounts[r.id]
		stored = stored || there.failed[r.id]
		l.reported.answered[orderID] = append(l.reported.answered[orderID], r.id)
	case refundFailed:
		stored = there.failed[r.id] && l.notices[merchant+"#refund-failed#"+shopName+"#"+r.order+"#"+r.id]
		l.w.count("refund failed")
	case "open":
		if stored = there.disputes[r.id] != ""; there.disputes[r.id] == "dropped" {
			l.w.count("dispute reported as open that a person had dropped")
		}
	default:
		stored = there.disputes[r.id] == "won" || there.disputes[r.id] == "lost"
	}
	if !stored {
		l.problem("it was answered that order %s is %s (%s), and that is not stored", r.order, r.kind, r.id)
	}
}

// wholeChanged checks that what is known of an order is only added to: a return stays, a
// refund that failed stays so, and for disputes see checkDisputeTurn.
func (l *ledger) wholeChanged(orderID string, after map[string]types.AttributeValue) {
	if after == nil {
		l.problem("what is known of order %s was deleted", orderID)
		return
	}
	there := l.wholes[orderID]
	if there == nil {
		there = &known{returns: map[string]time.Time{}, amounts: map[string]time.Time{}, failed: map[string]bool{}, disputes: map[string]string{}, opened: map[string]time.Time{}}
		l.wholes[orderID] = there
	}
	there.version = num(after, "version")
	returns, amounts, failed := map[string]bool{}, map[string]bool{}, map[string]bool{}
	if list, ok := after["returns"].(*types.AttributeValueMemberL); ok {
		for _, element := range list.Value {
			one := element.(*types.AttributeValueMemberM).Value
			id := str(one, "id")
			_, returned := there.returns[id]
			switch failed[id] = num(one, "failedAt") > 0; {
			case str(one, "amount") != "":
				amounts[id] = true
			case returned || !failed[id]: // else it failed before it was told of
				returns[id] = true
			}
		}
	}
	for id := range there.failed {
		if there.failed[id] && !failed[id] {
			l.problem("it is forgotten that refund %s of order %s failed", id, orderID)
		}
	}
	there.failed = failed
	for id := range there.amounts {
		if !amounts[id] {
			l.problem("the amount %s of order %s is forgotten", id, orderID)
		}
	}
	for id := range amounts {
		if _, had := there.amounts[id]; !had {
			there.amounts[id] = time.Now()
		}
	}
	disputes := map[string]string{}
	if states, ok := after["disputes"].(*types.AttributeValueMemberM); ok {
		for id := range states.Value {
			disputes[id] = str(states.Value, id)
			if disputes[id] == "lost" {
				returns["dispute:"+id] = true
			}
		}
	}
	there.wordless = wordless(after)
	for id := range there.returns {
		if !returns[id] {
			l.problem("return %s of order %s is forgotten", id, orderID)
		}
	}
	for id := range returns {
		if _, had := there.returns[id]; !had {
			there.returns[id] = time.Now()
			if of, is := strings.CutSuffix(id, " and all before"); is {
				l.checkAllGivenBack(orderID, of)
			}
		}
	}
	for id := range there.disputes {
		if disputes[id] == "" {
			l.problem("dispute %s of order %s is forgotten", id, orderID)
		}
	}
	open := 0
	for id, state := range disputes {
		l.checkDisputeTurn(orderID, id, there.disputes[id], state)
		if state == "open" && there.disputes[id] == "" {
			there.opened[id] = time.Now()
		}
		if state == "open" {
			open++
		}
	}
	if there.disputes = disputes; open > 1 {
		l.w.count("several disputes open at once")
	}
}

// wordless returns the ids of the dropped disputes whose words are forgotten.
func wordless(whole map[string]types.AttributeValue) map[string]bool {
	ids := map[string]bool{}
	if drops, ok := whole["drops"].(*types.AttributeValueMemberM); ok {
		for id, drop := range drops.Value {
			ids[id] = str(drop.(*types.AttributeValueMemberM).Value, "why") == ""
		}
	}
	return ids
}

// checkMayLeave checks a mail with keys that leaves: what was known of the order when the
// mail was leased did not forbid it.
func (l *ledger) checkMayLeave(id order.LineID, leasedAt time.Time) {
	there, now := l.wholes[id.OrderHalf()], l.lines[id]
	if there == nil || now == nil {
		return
	}
	for _, ret := range slices.Sorted(maps.Keys(there.returns)) {
		if there.returns[ret].Before(leasedAt) && !now.paidAfter[ret] && !there.failed[ret] {
			l.problem("keys of %s left, whose order was returned (%s) before their mail was leased", l.name(id), ret)
		}
	}
	for _, dispute := range slices.Sorted(maps.Keys(there.opened)) {
		if there.disputes[dispute] == "open" && there.opened[dispute].Before(leasedAt) {
			l.problem("keys of %s left, whose order is in dispute (%s) since before their mail was leased", l.name(id), dispute)
		}
	}
}

// checkOrders checks, at the end, that each return and each dispute shows on its lines.
func (w *world) checkOrders() {
	l := w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(l.reported.units)) {
		l.checkReturned(id)
	}
	for _, orderID := range slices.Sorted(maps.Keys(l.reported.answered)) {
		for _, id := range l.reported.answered[orderID] {
			l.checkAmount(orderID, id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(l.lines)) {
		now, there := l.lines[id], l.wholes[id.OrderHalf()]
		if now.expected {
			continue
		}
		if now.returned() && now.held > 0 {
			l.problem("%s was returned and holds %d keys", l.name(id), now.held)
		}
		if now.held > now.wanted-now.returnedCount {
			l.problem("%s holds %d keys and is due %d", l.name(id), now.held, now.wanted-now.returnedCount)
		}
		if there == nil {
			there = &known{}
		}
		for ret := range there.returns {
			if !now.returnedAll && !now.paidAfter[ret] && !there.failed[ret] {
				l.problem("%s does not show the return %s of its order", l.name(id), ret)
			}
		}
		if len(there.returns) > 0 {
			l.w.count("line of an order that was returned")
		}
		if len(now.paidAfter) > 0 {
			l.w.count("line paid after its order was returned")
		}
		for dispute, state := range there.disputes {
			if open := state == "open"; open != slices.Contains(now.holds, "dispute:"+dispute) {
				l.problem("%s is held for dispute %s: %v, which is %s", l.name(id), dispute, !open, state)
			}
			l.w.count("dispute " + state)
		}
	}
}

// checkReturned checks that each refund of a line was applied: what each change made of
// the line is checked by checkReasons.
func (l *ledger) checkReturned(id order.LineID) {
	now := l.lines[id]
	if now == nil {
		l.problem("refunds of %s were reported, and nothing is stored", l.name(id))
		return
	}
	for _, refund := range slices.Sorted(maps.Keys(l.reported.units[id])) {
		if !now.refunds[refund] {
			l.problem("refund %s of %s was reported, and is not stored", refund, l.name(id))
		}
	}
	for _, refund := range slices.Sorted(maps.Keys(now.matched)) {
		if of := "#" + refund; now.matched[refund] && !slices.ContainsFunc(slices.Collect(maps.Keys(l.notices)), func(told string) bool {
			return strings.HasPrefix(told, merchant+"#refund-matched#"+shopName+"#") && strings.HasSuffix(told, of)
		}) {
			l.problem("refund %s of %s took nothing for units that a person had returned, and its merchant was not told", refund, l.name(id))
		}
	}
	switch {
	case now.expected:
		l.w.count("line returned and never paid")
	case !now.returnedAll:
		l.w.count("line returned in part")
	}
}

// returned reports whether nothing of the line is due any more.
func (l *line) returned() bool {
	return l.returnedAll || l.wanted > 0 && l.returnedCount >= l.wanted
}

// textsIn returns a list of texts.
func textsIn(item map[string]types.AttributeValue, name string) (texts []string) {
	list, _ := item[name].(*types.AttributeValueMemberL)
	if list == nil {
		return nil
	}
	for _, element := range list.Value {
		texts = append(texts, element.(*types.AttributeValueMemberS).Value)
	}
	return texts
}

// orderOf returns the order that an item tells of as a whole, false if it is none of those.
func orderOf(pk, sk string) (string, bool) {
	id, ok := strings.CutPrefix(pk, "order#")
	return id, ok && sk == "order"
}
