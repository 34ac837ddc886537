package simulate

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"keypool/infra/proof/dynamosim"
	"keypool/shared/order"
	"keypool/shared/outbox"
)

// The ledger's checks of rules of review. A line is asked about when it would get keys: it
// is held for what the rules of that time say, and for nothing else. Nobody but a person
// lets it go, and then the same rule does not hold it again.
//
// A process may have read older rules than those that are set when it commits. So a line
// must be held for a reason for which all rules hold it that the process may have read, and
// may be for one for which any of them does.

// setting is the value of a setting from a time on.
type setting[T any] struct {
	is    T
	since time.Time
}

// inForce returns the values of a setting that were in force at some time since then: the
// zero value if nobody ever set it.
func inForce[T any](of []setting[T], since time.Time) (all []T) {
	for i := len(of) - 1; i >= 0; i-- {
		all = append(all, of[i].is)
		if of[i].since.Before(since) {
			return all
		}
	}
	if len(of) == 0 {
		all = append(all, *new(T))
	}
	return all
}

// rules say which lines are held.
type rules struct {
	always, risk       bool
	above              map[string]int // in cents, by currency
	maxKeys, maxOrders int
}

// cap is the number of keys that an order gets without being looked at: 100, unless the
// merchant says otherwise.
func (r rules) cap() int {
	if r.maxKeys == 0 {
		return 100
	}
	return r.maxKeys
}

// merchantRules are the rules for products without rules of their own, and whether the
// brake sets itself.
type merchantRules struct {
	rules
	brakesItself bool
}

func rulesIn(item map[string]types.AttributeValue) rules {
	r := rules{always: yes(item, "always"), risk: yes(item, "risk"), maxKeys: num(item, "maxKeys"), maxOrders: num(item, "maxOrders")}
	for currency := range within(item, "above") {
		if r.above == nil {
			r.above = map[string]int{}
		}
		r.above[currency] = centsOf(str(within(item, "above"), currency))
	}
	return r
}

// centsOf reads an amount such as 19.90 or 20.
func centsOf(decimal string) int {
	whole, part, _ := strings.Cut(decimal, ".")
	n, err := strconv.Atoi(whole + (part + "00")[:2])
	if err != nil {
		panic(err) // the simulation set it
	}
	return n
}

// within returns a map in an item, nil if it is absent.
func within(item map[string]types.AttributeValue, name string) map[string]types.AttributeValue {
	if m, ok := item[name].(*types.AttributeValueMemberM); ok {
		return m.Value
	}
	return nil
}

// yes returns whether an attribute is true.
func yes(item map[string]types.AttributeValue, name string) bool {
	is, _ := item[name].(*types.AttributeValueMemberBOOL)
	return is != nil && is.Value
}

// reviewState is what the tables say of rules, of the brake, and of what they stand on.
type reviewState struct {
	merchant     []setting[merchantRules]
	products     map[string][]setting[*rules] // nil: the merchant's
	brake        []setting[bool]
	deliversFrom []setting[time.Time]
	sold         map[string]int                  // by day: keys
	buyers       map[string]map[string]time.Time // address and day -> its orders, and when each was admitted
	customers    map[string]string               // address as the table has it -> as its orders were reported
	forgotten    map[string]bool                 // addresses and days whose orders went with a customer who was erased
	held         map[string]map[string][]string  // partition -> sort key -> why it is held
	decisions    []*decision
	told         map[order.LineID]bool // a mail to the merchant led to its order
	unread       map[string]bool       // sides whose notices were refused: nobody read them
}

func newReviewState() reviewState {
	return reviewState{
		brake: []setting[bool]{{}}, deliversFrom: []setting[time.Time]{{is: deliversFrom}},
		products: map[string][]setting[*rules]{}, sold: map[string]int{}, buyers: map[string]map[string]time.Time{}, customers: map[string]string{}, forgotten: map[string]bool{},
		held: map[string]map[string][]string{}, told: map[order.LineID]bool{}, unread: map[string]bool{},
	}
}

func (s *reviewState) setProduct(name string, after map[string]types.AttributeValue) {
	own := setting[*rules]{since: time.Now()}
	if after["review"] != nil {
		r := rulesIn(within(after, "review"))
		own.is = &r
	}
	s.products[name] = append(s.products[name], own)
}

// rulesFor returns the rules that were in force for a product at some time since then.
func (s *reviewState) rulesFor(product string, since time.Time) (all []rules) {
	for _, own := range inForce(s.products[product], since) {
		if own != nil {
			all = append(all, *own)
			continue
		}
		for _, merchants := range inForce(s.merchant, since) {
			all = append(all, merchants.rules)
		}
	}
	return all
}

// decision is what a person decided of lines that are on hold, or of the brake.
type decision struct {
	verdict string       // release, reject, set-brake, release-brake
	line    order.LineID // empty: all lines of a side that rules held until then, or all of an order
	version int          // of the line that was seen; 0: it was not
	ruled   bool         // only if a rule holds it
	side    string       // of all lines
	until   time.Time    // of all lines
	over    time.Time    // when it had been done; zero: not yet

	order    string               // whose disputes are dropped
	disputes []string             // of that order, which were open when it was looked at
	versions map[order.LineID]int // of the order's lines that were seen
}

// decides records that a person decides something. Done is called when it has been done:
// then it is no reason for anything that a later process does.
func (l *ledger) decides(d decision) (done func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.review.decisions = append(l.review.decisions, &d)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		d.over = time.Now()
	}
}

// inTime reports whether a commit of now may still be of the decision: its last call may
// arrive late.
func (d *decision) inTime() bool { return d.over.IsZero() || time.Since(d.over) <= lateCall }

// decided reports whether a person decided so of a line.
func (l *ledger) decided(verdict string, before *line) bool {
	return slices.ContainsFunc(l.review.decisions, func(d *decision) bool {
		if d.order != "" {
			return d.verdict == verdict && d.inTime() && d.order == before.id.OrderHalf() && d.asSeen(before.id, before.version)
		}
		all := d.line == "" && d.side == before.side && !before.heldAt.After(d.until)
		return d.verdict == verdict && d.inTime() && (d.version == 0 || d.version == before.version) && (d.line == before.id || all) && (!d.ruled && d.line != "" || before.ruled())
	})
}

// decidedBrake reports whether a person decided so of the brake.
func (l *ledger) decidedBrake(verdict string) bool {
	return slices.ContainsFunc(l.review.decisions, func(d *decision) bool { return d.verdict == verdict && d.inTime() })
}

// byRule reports whether a rule, or the brake, makes such a hold.
func byRule(hold string) bool {
	return ruleOf(hold) == "review" || hold == "cap" || hold == "brake"
}

// ruleOf is the rule of a hold, without its details.
func ruleOf(hold string) string {
	rule, _, _ := strings.Cut(hold, ":")
	return rule
}

// release notes that a person released the line from a hold.
func (l *line) release(hold string) { l.released[ruleOf(hold)], l.released[hold] = true, true }

// releasedFrom reports whether a person has released the line from a rule: from any rule of
// review, or the cap, or the brake; that an order is called risky is news to whoever released
// it from others.
func (l *line) releasedFrom(hold string) bool {
	if hold == "review:risk" {
		return l.released[hold]
	}
	return l.released[ruleOf(hold)]
}

// ruled reports whether the line is on hold for a rule.
func (l *line) ruled() bool {
	return !l.expected && !l.returned() && slices.ContainsFunc(l.holds, byRule)
}

// connected reports whether it is known what the line gets.
func (l *line) connected() bool {
	return l.ofParent || strings.HasPrefix(l.queue, "queue#") || l.shared && !l.waits()
}

// reviewChanged records a change of the merchant's rules or the brake. Only a person sets
// the brake, unless he chose that it sets itself, and only a person takes it off, who is named
// beside whoever set it.
func (l *ledger) reviewChanged(c dynamosim.Commit, sk string, before, after map[string]types.AttributeValue) {
	s, now := &l.review, time.Now()
	if sk == "rules" {
		s.merchant = append(s.merchant, setting[merchantRules]{merchantRules{rulesIn(within(after, "rules")), yes(after, "brakesItself")}, now})
		return
	}
	set := func(brake map[string]types.AttributeValue) bool { return brake != nil && brake["releasedAt"] == nil }
	s.brake = append(s.brake, setting[bool]{set(after), now})
	itself := slices.ContainsFunc(inForce(s.merchant, l.beganAt(c)), func(r merchantRules) bool { return r.brakesItself })
	busy := slices.ContainsFunc(slices.Collect(maps.Values(s.sold)), func(keys int) bool { return keys > 100 })
	switch {
	case after == nil:
		l.problem("the brake was deleted, and who took it off is forgotten")
	case set(before) && set(after):
		l.problem("the brake was set, and was set again")
	case !set(before) && !set(after):
		l.problem("the brake was off, and was taken off again")
	case !set(after) && !l.decidedBrake("release-brake"):
		l.problem("the brake was taken off by nobody")
	case !set(after) && str(after, "releasedBy") == "":
		l.problem("the brake was taken off, and it names nobody")
	case !set(after) && (str(after, "by") != str(before, "by") || num(after, "setAt") != num(before, "setAt")):
		l.problem("the brake was set by %s, and by %s once it was taken off", str(before, "by"), str(after, "by"))
	case !set(after):
		l.w.count("brake taken off")
	case str(after, "by") != "the brake itself" && l.decidedBrake("set-brake"):
		l.w.count("brake set by a person")
	case str(after, "by") == "the brake itself" && itself && busy:
		l.w.count("brake set by itself")
	default:
		l.problem("the brake was set by %s: it sets itself: %v, a day sold over 100 keys: %v", str(after, "by"), itself, busy)
	}
}

// buyerChanged checks the orders of an address in a day: each is admitted once, and only
// while a rule lets another pass.
func (l *ledger) buyerChanged(c dynamosim.Commit, pk, sk string, after map[string]types.AttributeValue) {
	s, began := &l.review, l.beganAt(c)
	name := pk + " " + sk
	if after == nil {
		if !erases(c) {
			l.problem("the orders of an address on %s are forgotten, and nobody was erased", sk)
		}
		s.forgotten[name] = true
		delete(s.buyers, name)
		return
	}
	if s.buyers[name] == nil {
		s.buyers[name] = map[string]time.Time{}
	}
	orders := s.buyers[name]
	most := 0
	for _, product := range append(slices.Collect(maps.Keys(s.products)), "") {
		for _, r := range s.rulesFor(product, began.Add(-cachedFor)) {
			most = max(most, r.maxOrders)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(after)) {
		if slices.Contains([]string{"pk", "sk", "v", "expiresAt", "admitted", "testOf"}, id) {
			continue
		}
		if _, there := orders[id]; there {
			continue
		}
		if len(orders) >= most {
			l.problem("order %d of an address was admitted in a day, and rules let %d pass", len(orders)+1, most)
		}
		orders[id] = time.Now()
		if of := l.reported.paid[id].customer; s.customers[pk] == "" {
			s.customers[pk] = of
		} else if of != s.customers[pk] {
			l.problem("an order of %s was counted with those of %s", of, s.customers[pk])
		}
	}
	if admitted := num(after, "admitted"); admitted != len(orders) {
		l.problem("%d orders of an address were admitted in a day, and %d stand there", admitted, len(orders))
	}
	if day, err := time.Parse(time.DateOnly, sk); err != nil || time.Unix(int64(num(after, "expiresAt")), 0).Before(day.AddDate(0, 0, 1)) {
		l.problem("the orders of an address on %s are forgotten before that day ends", sk)
	}
}

// erases reports whether a commit clears a line of its customer.
func erases(c dynamosim.Commit) bool {
	return slices.ContainsFunc(c.Changes, func(change dynamosim.Change) bool {
		return change.After["erasedAt"] != nil && change.Before["erasedAt"] == nil
	})
}

func (l *ledger) heldChanged(pk, sk string, after map[string]types.AttributeValue) {
	if after == nil {
		delete(l.review.held[pk], sk)
		return
	}
	if l.review.held[pk] == nil {
		l.review.held[pk] = map[string][]string{}
	}
	l.review.held[pk][sk] = textsIn(after, "holds")
}

// checkListed checks that a line stands among those held if, and only if, a rule holds it,
// with its reasons.
func (l *ledger) checkListed(now *line) {
	listed, is := l.review.held["held#"+merchant+"#"+now.side][now.sort]
	if is != now.ruled() {
		l.problem("%s is held by a rule: %v; it is listed as that: %v", l.name(now.id), now.ruled(), is)
	}
	if is && !slices.Equal(listed, now.holds) {
		l.problem("%s is held (%v), and listed as held (%v)", l.name(now.id), now.holds, listed)
	}
}

// cachedFor is how old the settings are at most that a claim goes by: 30 seconds in a
// cache, and as long as a slow answer takes.
const cachedFor = 30*time.Second + slowAnswer + 5*time.Second

// beganAt returns when the process of a commit began; now if it is none of the world's.
func (l *ledger) beganAt(c dynamosim.Commit) time.Time {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	if i := strings.LastIndex(c.Caller, "/ "); i >= 0 {
		if p := l.w.processes[c.Caller[:i]]; p != nil {
			return p.began
		}
	}
	return time.Now()
}

// claims reports whether a commit is that of a claim, which knows settings from a cache.
func claims(c dynamosim.Commit) bool {
	return !strings.HasPrefix(c.Caller, "fill")
}

// checkRules checks a line that would get keys: it was paid, or connected, or fill got to
// it. Lines that get others for keys that a person replaced are not asked about.
func (l *ledger) checkRules(c dynamosim.Commit, before, now *line, gained, lost int) {
	paid := !now.expected && (before.version == 0 || before.expected)
	addressed := slices.Contains(before.holds, noAddress) && !slices.Contains(now.holds, noAddress)
	all := now.connected() && !now.expected && (paid || addressed || !before.connected()) // asked about all that a claim is
	waited := !paid && before.version > 0 && before.waits() && before.connected()
	l.checkRisk(c, before, now, paid)
	var added []string
	for _, hold := range now.holds {
		if hold == "review:risk" && l.reasons[now.id].has("risk-reported") {
			continue // see checkRisk
		}
		if byRule(hold) && (paid || !slices.Contains(before.holds, hold)) {
			added = append(added, hold)
		}
	}
	switch {
	case now.returned() || !all && !waited:
		for _, hold := range added {
			l.problem("%s is held (%s), and was to get no keys", l.name(now.id), hold)
		}
		return
	case !all && len(added) == 0 && (gained == 0 || lost > 0):
		return
	}
	began := l.beganAt(c)
	since := began
	if claims(c) {
		since = since.Add(-cachedFor)
	}
	sets := l.review.rulesFor(now.product, since)
	least, most := now.due(), now.due()
	if all {
		least, most = l.keysOfOrder(c, now, sets, began)
	}
	admitted, others := l.admitted(now)
	brakes := inForce(l.review.brake, since)
	for _, reason := range []struct {
		hold  string
		holds func(r rules, surely bool) bool
	}{
		{"review", func(r rules, _ bool) bool { return r.always }},
		{"review:risk", func(r rules, _ bool) bool { return r.risk && risks[now.risk] }},
		{"review:amount", func(r rules, _ bool) bool {
			most, limited := r.above[now.currency]
			return limited && unitPrices[now.product]*now.quantity > most
		}},
		{"review:orders", func(r rules, surely bool) bool {
			if !all || r.maxOrders == 0 || now.customer == "" {
				return false
			}
			if l.review.forgotten[buyerOf(now)] { // who knew of them before, and who did not
				return !surely
			}
			if surely {
				return admitted.IsZero()
			}
			return (admitted.IsZero() || admitted.After(began)) && others >= r.maxOrders
		}},
		{"cap", func(r rules, surely bool) bool {
			if surely {
				return least > r.cap()
			}
			return most > r.cap()
		}},
		{"brake", func(_ rules, surely bool) bool {
			return now.side == "live" && slices.Contains(brakes, true) && !(surely && slices.Contains(brakes, false))
		}},
	} {
		may := slices.ContainsFunc(sets, func(r rules) bool { return reason.holds(r, false) })
		must := !slices.ContainsFunc(sets, func(r rules) bool { return !reason.holds(r, true) })
		if addressed && reason.hold != "review:orders" { // asked when it was paid
			may, must = false, false
		}
		released := now.releasedFrom(reason.hold)
		switch is := slices.Contains(added, reason.hold); {
		case is && released:
			l.problem("%s is held (%s), which somebody had released it from", l.name(now.id), reason.hold)
		case is && !may:
			l.problem("%s is held (%s) for no reason: %s", l.name(now.id), reason.hold, l.facts(now, sets, least, most, others))
		case is && !l.reasons[now.id].tells("held", reason.hold):
			l.problem("%s is held (%s), and its history does not tell", l.name(now.id), reason.hold)
		case is:
			l.noteHeld(before, now, reason.hold, paid, all)
		case must && released:
			l.w.count("line that a person released passed the same rule")
		case must && !slices.Contains(now.holds, reason.hold):
			l.problem("%s is not held (%s), and gets keys: %s", l.name(now.id), reason.hold, l.facts(now, sets, least, most, others))
		}
	}
	if all && !addressed && !now.onHold && l.alone(c, now) {
		now.counted = !slices.ContainsFunc(sets, func(r rules) bool { return now.due()*10 <= r.cap() })
	}
}

// checkRisk checks what a line says of its order's risk: what the platform reported, with the
// payment or later. A line whose order is called risky later is held, if a rule holds it,
// unless its keys may be gone: then the merchant is told.
func (l *ledger) checkRisk(c dynamosim.Commit, before, now *line, paid bool) {
	reported := slices.ContainsFunc(l.reported.variants[now.id.OrderHalf()], func(p payOrder) bool { return p.risk == now.risk })
	if now.risk != "" && (paid || now.risk != before.risk) && !reported {
		l.problem("%s says that its order is %q, which nobody reported", l.name(now.id), now.risk)
	}
	late := l.reasons[now.id].tells("risk-reported", now.risk)
	if !paid && now.risk != before.risk && !now.expected && !late {
		l.problem("the risk of %s was %q and is %q, and its history does not tell", l.name(now.id), before.risk, now.risk)
	}
	if !late {
		return
	}
	is := slices.Contains(now.holds, "review:risk") && !slices.Contains(before.holds, "review:risk")
	sets := l.review.rulesFor(now.product, l.beganAt(c).Add(-cachedFor))
	may := slices.ContainsFunc(sets, func(r rules) bool { return r.risk }) && risks[now.risk] && now.connected() && !now.returned() && !now.releasedFrom("review:risk")
	must := may && !slices.ContainsFunc(sets, func(r rules) bool { return !r.risk }) && !slices.Contains(before.holds, "review:risk")
	went := l.mailsOf(outbox.LineItem(string(now.id))).accepted["keys"] > 0
	told := l.notices[merchant+"#risk-after-keys#"+now.id.OrderHalf()]
	switch {
	case is && !may:
		l.problem("%s is held since its order is %q, for no reason", l.name(now.id), now.risk)
	case is && went:
		l.problem("%s is held since its order is %q, and its keys were mailed", l.name(now.id), now.risk)
	case is:
		l.w.count("line held since its order was called risky later")
	case must && !l.leasedLines[now.id] && !l.shownLines[now.id]:
		l.problem("%s is not held, and its order is %q", l.name(now.id), now.risk)
	case must && !told:
		l.problem("%s has its keys, its order is %q, and its merchant was not told", l.name(now.id), now.risk)
	case must:
		l.w.count("line whose order was called risky after its keys had gone")
	}
}

func (l *ledger) noteHeld(before, now *line, hold string, paid, all bool) {
	l.w.count("line held: " + hold)
	switch {
	case paid:
	case slices.Contains(before.holds, noAddress):
		l.w.count("line held since the address that it got later has had too many orders")
	case all:
		l.w.count("line held when it was connected")
	default:
		l.w.count("line held by a rule that was set while it waited")
		if before.held > 0 {
			l.w.count("line held by a rule between its keys")
		}
	}
}

// facts are what the rules are about, in words.
func (l *ledger) facts(now *line, sets []rules, least, most, others int) string {
	return fmt.Sprintf("rules %+v, its order has %d to %d keys, its address %d other orders that day", sets, least, most, others)
}

// due returns the keys that the line has a right to.
func (l *line) due() int { return l.wanted - l.returnedCount }

// admitted returns when the line's order was admitted among those of its address in its
// day, zero if it was not, and how many others are.
func (l *ledger) admitted(now *line) (at time.Time, others int) {
	orders := l.review.buyers[buyerOf(now)]
	at, is := orders[now.id.OrderHalf()]
	if is {
		return at, len(orders) - 1
	}
	return at, len(orders)
}

// buyerOf names the orders of the line's address in its day.
func buyerOf(now *line) string {
	return "buyer#" + merchant + "#" + now.side + "#" + now.customer + " " + now.receivedAt.UTC().Format(time.DateOnly)
}

// alone reports whether the line was claimed by a process that knew of no other line of its
// order but from the table.
func (l *ledger) alone(c dynamosim.Commit, now *line) bool {
	of := l.reported.paid[now.id.OrderHalf()]
	return !claims(c) || strings.HasPrefix(c.Caller, "order ") && (of.split || len(of.lines) == 1)
}

// surelyFed are the products that always have a pool.
var surelyFed = []string{"game", "pack", "pass"}

// keysOfOrder returns the least and the most keys that a process may have counted in the
// line's order, which began then. What its webhook told of is counted, and what is stored.
//
// Lines that are claimed at once, each by a webhook of its own, see each other if each
// brings more than a tenth of the cap.
func (l *ledger) keysOfOrder(c dynamosim.Commit, now *line, sets []rules, began time.Time) (least, most int) {
	least, most = now.due(), now.due()
	alone := l.alone(c, now)
	counted := alone && !now.onHold && !slices.ContainsFunc(sets, func(r rules) bool { return now.due()*10 <= r.cap() })
	told := map[order.LineID][]int{} // keys, as webhooks told
	for _, p := range l.reported.variants[now.id.OrderHalf()] {
		for _, line := range p.lines {
			told[p.lineID(line.id)] = append(told[p.lineID(line.id)], keysFor(line.product, line.quantity))
			if !slices.Contains(surelyFed, line.product) {
				told[p.lineID(line.id)] = append(told[p.lineID(line.id)], 0)
			}
		}
	}
	for _, id := range l.linesOf[now.id.OrderHalf()] {
		if told[id] == nil {
			told[id] = []int{0}
		}
	}
	delete(told, now.id)
	for id, keys := range told {
		may := []int{}
		there := l.lines[id]
		switch {
		case there != nil && !there.paidSince.IsZero() && there.paidSince.Before(began):
		case counted && there != nil && there.counted:
			l.w.count("line that counted one claimed at once")
		case alone:
			may = append(may, 0, slices.Max(keys))
		default:
			may = append(may, keys...)
		}
		if there != nil {
			for i, was := range there.past {
				over := i+1 < len(there.past) && there.past[i+1].since.Before(began)
				if !over && was.paid {
					may = append(may, was.due)
				}
			}
		}
		least, most = least+slices.Min(may), most+slices.Max(may)
	}
	return least, most
}

// checkEarly checks a line that is paid now: it is held if it was paid before its account
// delivers, and the merchant knows of its order.
func (l *ledger) checkEarly(c dynamosim.Commit, now *line) {
	p := l.reported.paid[now.id.OrderHalf()]
	var early, late bool
	for _, from := range inForce(l.review.deliversFrom, l.beganAt(c)) {
		if p.early && paidLongAgo.Before(from) {
			early = true
		} else {
			late = true
		}
	}
	switch held := slices.Contains(now.holds, paidBefore); {
	case held && !early:
		l.problem("%s is held as paid before its account delivers, and was not", l.name(now.id))
	case !held && !late:
		l.problem("%s was paid before its account delivers, and is not held", l.name(now.id))
	case held && !l.told[paidBeforeOf(p.order)]:
		l.problem("%s is held as paid before its account delivers, and no notice tells of it", l.name(now.id))
	case held:
		l.w.count("line paid before its account delivers")
	case p.early:
		l.w.count("line delivered since its account delivers from earlier")
	}
}

// paidBefore is the hold of a line that was paid before its account delivers.
const paidBefore = "paid before"

// paidBeforeOf is what a digest tells of an order that was paid before its account delivers.
func paidBeforeOf(number string) string { return "paid before: " + number }

// noteReview records what a mail to the merchant shows of lines that rules hold. A mail
// names 20 of them by their orders' pages, and leads to a list of all.
func (l *ledger) noteReview(id, text string) {
	orders := ordersIn(text)
	for _, now := range l.lines {
		if now.ruled() && strings.Contains(id, "#"+now.side+"#") && (strings.Contains(text, moreHeld) || slices.Contains(orders, now.id.OrderHalf())) {
			l.review.told[now.id] = true
		}
	}
}

// moreHeld begins what a mail says that does not name all lines on hold.
const moreHeld = "\n\nAnd "

// checkAsked checks, at the end, that the merchant was told of each line that a rule holds.
func (l *ledger) checkAsked() {
	for _, id := range slices.Sorted(maps.Keys(l.lines)) {
		if now := l.lines[id]; now.ruled() && !l.review.told[id] && !l.review.unread[now.side] {
			l.problem("%s is held by a rule (%v), and its merchant was never told", l.name(id), now.holds)
		}
	}
}
