package simulate

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/shared/order"
)

// The ledger's checks of returns, disputes and holds.

// known is what the table says of an order as a whole.
type known struct {
	version  int
	returns  map[string]time.Time // id -> when it was written
	disputes map[string]string    // id -> state
	opened   map[string]time.Time // id -> when its opening was written
}

// reported is what platforms reported, whether it was stored or not.
type reported struct {
	units    map[order.LineID]map[string]int // refund -> units; 0: all
	answered map[order.LineID]map[string]bool
}

// expectReturn records that a platform reports a refund of a line.
func (l *ledger) expectReturn(id order.LineID, refund string, units int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reported.units[id] == nil {
		l.reported.units[id], l.reported.answered[id] = map[string]int{}, map[string]bool{}
	}
	l.reported.units[id][refund] = units
}

// returnAnswered records that a refund of a line was answered as stored.
func (l *ledger) returnAnswered(id order.LineID, refund string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reported.answered[id][refund] = true
	if l.lines[id] == nil {
		l.problem("a refund of %s was answered, and nothing is stored", l.name(id))
	}
}

// wholeChanged checks that what is known of an order is only added to: a return stays, a
// dispute that ended stays as it ended.
func (l *ledger) wholeChanged(orderID string, after map[string]types.AttributeValue) {
	if after == nil {
		l.problem("what is known of order %s was deleted", orderID)
		return
	}
	there := l.wholes[orderID]
	if there == nil {
		there = &known{returns: map[string]time.Time{}, disputes: map[string]string{}, opened: map[string]time.Time{}}
		l.wholes[orderID] = there
	}
	there.version = num(after, "version")
	returns := map[string]bool{}
	if list, ok := after["returns"].(*types.AttributeValueMemberL); ok {
		for _, element := range list.Value {
			returns[str(element.(*types.AttributeValueMemberM).Value, "id")] = true
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
	for id := range there.returns {
		if !returns[id] {
			l.problem("return %s of order %s is forgotten", id, orderID)
		}
	}
	for id := range returns {
		if _, had := there.returns[id]; !had {
			there.returns[id] = time.Now()
		}
	}
	for id, before := range there.disputes {
		if now := disputes[id]; now != before && before != "open" {
			l.problem("dispute %s of order %s was %s and is %s", id, orderID, before, now)
		}
	}
	for id, state := range disputes {
		if state == "open" && there.disputes[id] == "" {
			there.opened[id] = time.Now()
		}
	}
	there.disputes = disputes
}

// checkMayLeave checks a mail with keys that leaves: what was known of the order when the
// mail was leased did not forbid it.
func (l *ledger) checkMayLeave(id order.LineID, leasedAt time.Time) {
	there, now := l.wholes[id.OrderHalf()], l.lines[id]
	if there == nil || now == nil {
		return
	}
	for _, ret := range slices.Sorted(maps.Keys(there.returns)) {
		if there.returns[ret].Before(leasedAt) && !now.paidAfter[ret] {
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
			if !now.returnedAll && !now.paidAfter[ret] {
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

// checkReturned checks that each refund of a line was applied once.
func (l *ledger) checkReturned(id order.LineID) {
	now := l.lines[id]
	if now == nil {
		l.problem("refunds of %s were reported, and nothing is stored", l.name(id))
		return
	}
	units, all := 0, now.returnedAll && l.wholes[id.OrderHalf()] != nil // whether by its order: see checkOrders
	for _, n := range l.reported.units[id] {
		units += n
		all = all || n == 0
	}
	if now.expected {
		if now.returnedUnits != units || now.returnedAll != all {
			l.problem("%s is expected, and %d units of it are returned, all: %v; reported were %d, all: %v", l.name(id), now.returnedUnits, now.returnedAll, units, all)
		}
		l.w.count("line returned and never paid")
		return
	}
	if all || units >= now.quantity {
		if !now.returnedAll || now.returnedUnits != now.quantity {
			l.problem("%s was returned whole, and %d of %d units are", l.name(id), now.returnedUnits, now.quantity)
		}
		return
	}
	if now.returnedUnits != units || now.returnedAll {
		l.problem("%d units of %s were returned, it says %d, all: %v", units, l.name(id), now.returnedUnits, now.returnedAll)
	}
	l.w.count("line returned in part")
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
