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
	"keypool/shared/mail"
	"keypool/shared/order"
	"keypool/shared/outbox"
)

// The ledger's checks of mails, notices, uploads and alerts.

// mailState is the state of the mails of a line or a notice.
type mailState struct {
	accepted map[string]int // by kind: keys, delay, notice
	refused  map[string]bool
	numbers  map[int]bool
	keys     []string // in the last mail that has keys

	// How often a person asked for another mail with the keys since the last, and when last.
	asked   int
	askedAt time.Time

	moved int // how often another mail is due, since the address was corrected

	replacedAt time.Time // when a key was replaced last: its line owes another mail, whatever becomes of the new key

	// Of the last mail that was accepted:
	leasedAt   time.Time
	notMarked  bool     // the table does not say yet that it was sent
	sender     *process // the process that sent it
	answerLost bool     // the sender got no answer, or could not mark the mail as sent
}

func (l *ledger) mailsOf(item outbox.Item) *mailState {
	if l.mails[item] == nil {
		l.mails[item] = &mailState{accepted: map[string]int{}, refused: map[string]bool{}, numbers: map[int]bool{}}
	}
	return l.mails[item]
}

// mailNumber identifies a mail: its item, and its number for that item.
type mailNumber struct {
	item   outbox.Item
	number int
}

// lease is the kind of a leased mail, and the keys of its line at the start of the lease.
type lease struct {
	kind string
	keys map[string]string // id -> text
	at   time.Time
	to   string // the address of the line; "" of a notice, and of a line whose platform told none

	// forbidden is why the line itself, as the lease shows it, lets no key leave; "" if it
	// does.
	forbidden string
}

func (l *ledger) noteLease(item outbox.Item, number int, kind string) {
	taken := lease{kind: kind, at: time.Now()}
	if there := l.lines[order.LineID(item.ID)]; there != nil {
		taken.to = there.address
		if there.erased {
			l.problem("mail %d of %s was leased after its customer was erased", number, l.subject(item))
		}
	}
	if there := l.lines[order.LineID(item.ID)]; there != nil && kind == "keys" {
		taken.keys, taken.forbidden = there.keys, there.keepsKeysIn()
		l.leasedLines[order.LineID(item.ID)] = true
		for k := range there.keys {
			l.leasedKeys[k] = true
		}
	}
	l.leases[mailNumber{item, number}] = taken
}

// subject names the line or the notice of a mail.
func (l *ledger) subject(item outbox.Item) string {
	if item.Kind == outbox.Lines {
		return l.name(order.LineID(item.ID))
	}
	return "notice " + item.ID
}

// outboxChanged checks that one mailer at a time has a mail: until the lease has ended, no
// other mailer leases the mail, and nothing sets it due again.
func (l *ledger) outboxChanged(item outbox.Item, before, after map[string]types.AttributeValue) {
	was, now, number := str(before, "mail"), str(after, "mail"), num(after, "mailNumber")
	_, held := before["leaseEndsAt"]
	ends := time.UnixMilli(int64(num(before, "leaseEndsAt")))
	by := str(after, "leaseBy") // absent after fill has written the whole line
	lapsed := !time.Now().Add(l.w.plan.Conditions.ClockSkew).Before(ends)
	switch {
	case now == "sending" && (was != "sending" || by != "" && by != str(before, "leaseBy")):
		l.noteLease(item, number, str(after, "mailKind"))
		if !held {
			break
		}
		l.w.count("lease lapsed, and the next mailer took over")
		if !lapsed || number != num(before, "mailNumber")+1 {
			l.problem("mail %d of %s was leased while mail %d was another mailer's until %s", number, l.subject(item), num(before, "mailNumber"), ends)
		}
	case now == "due" && was == "sending" && str(before, "mailKind") == str(after, "mailKind"):
		if _, still := after["leaseEndsAt"]; still && !lapsed {
			l.problem("mail %d of %s was set due while it was a mailer's until %s", number, l.subject(item), ends)
		}
	case now != "due" && now != "sending" && l.mails[item] != nil:
		l.mails[item].notMarked = false
	}
}

// noteAccepted checks a mail that SES accepted. It goes to the address that its line had when
// it was leased: after a correction, nothing but a mail that was under way goes to the former
// one. A mail of the kind "keys" has the keys that
// its line held when the mail was leased, any other mail has none. A second mail of a
// kind is allowed only if the first was not marked as sent because its sender died or got
// no answer, or if a key of the line was replaced since. A mailed key is never available again.
func (l *ledger) noteAccepted(by *process, item outbox.Item, number int, m mail.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken, ok := l.leases[mailNumber{item, number}]
	kind, keys := taken.kind, slices.Sorted(maps.Values(taken.keys))
	if !ok {
		l.problem("mail %d of %s went out, and nobody had leased it", number, l.subject(item))
	}
	if item.Kind == outbox.Notices {
		l.noteReview(item.ID, m.Text)
	}
	if item.Kind == outbox.Lines && m.To.Address != taken.to {
		l.problem("mail %d of %s went to another address than its line had when it was leased", number, l.subject(item))
	}
	if kind == "keys" {
		l.checkMayLeave(order.LineID(item.ID), taken.at)
		if taken.forbidden != "" {
			l.problem("keys of %s left, which %s when its mail was leased", l.subject(item), taken.forbidden)
		}
	}
	for id, text := range taken.keys {
		l.mailedKeys[id] = true
		if l.keys[id].state == "available" {
			l.problem("mail %d of %s shows key %s, which is available again", number, l.subject(item), text)
		}
	}
	if there := l.lines[order.LineID(item.ID)]; kind == "keys" && there != nil && there.ofParent {
		keys = slices.Compact(slices.Sorted(slices.Values(keyForm.FindAllString(m.Text, -1))))
		l.checkLent(there, taken.at, keys)
	}
	parts := []string{m.Subject + "\n" + m.Text, m.HTML}
	for _, a := range m.Attached {
		parts = append(parts, string(a.Content))
	}
	for _, part := range parts {
		if shown := slices.Compact(slices.Sorted(slices.Values(keyForm.FindAllString(part, -1)))); !slices.Equal(shown, keys) {
			l.problem("mail %d of %s, about its %s, shows keys %s, not %s", number, l.subject(item), kind, shown, keys)
		}
	}

	went := l.mailsOf(item)
	switch {
	case went.numbers[number]:
		l.problem("mail %d of %s went out twice", number, l.subject(item))
	case went.accepted[kind] == 0:
	case slices.ContainsFunc(keys, func(k string) bool { return !slices.Contains(went.keys, k) }):
		l.w.count("second mail about a key that was replaced")
	case kind == "keys" && went.replacedAt.After(went.leasedAt):
		l.w.count("second mail about a key that was replaced and given back")
	case kind == "keys" && !went.notMarked && went.asked > 0: // each wish is one mail
		went.asked--
		l.w.count("mail sent again as a person asked")
	case went.moved > 0: // the mail before it may be under way
		went.moved--
		l.w.count("mail sent again to a corrected address")
	case !went.notMarked:
		l.problem("mail %d of %s is a second one about its %s, and the first was marked as sent", number, l.subject(item), kind)
	case !went.answerLost && !went.sender.died():
		l.problem("mail %d of %s is a second one about its %s, and who sent the first was answered and lived", number, l.subject(item), kind)
	default:
		l.w.count("second mail after an answer that nobody saw")
	}
	if kind == "delay" && went.accepted[kind] == 0 {
		l.w.count("delay mail accepted")
	}
	if kind == "keys" {
		went.keys, went.leasedAt = keys, taken.at
	}
	went.accepted[kind]++
	went.numbers[number] = true
	went.notMarked, went.sender, went.answerLost = true, by, false
}

// noteAnswerLost records that SES accepted a mail and its sender got no answer.
func (l *ledger) noteAnswerLost(item outbox.Item) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mailsOf(item).answerLost = true
}

// noteNotMarked records that a mailer failed for an item, perhaps while it marked the mail
// as sent.
func (l *ledger) noteNotMarked(by *process, item outbox.Item) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if went := l.mailsOf(item); went.sender == by {
		l.w.count("mailer could not mark")
		went.answerLost = true
	}
}

// noteRefused records that SES refused a mail for ever.
func (l *ledger) noteRefused(item outbox.Item, number int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mailsOf(item).refused[l.leases[mailNumber{item, number}].kind] = true
	if side, is := strings.CutPrefix(item.ID, merchant+"#held-for-review#"); is {
		l.review.unread[side[:strings.Index(side, "#")]] = true
	}
}

func (l *ledger) noticeChanged(id string, before, after map[string]types.AttributeValue) {
	l.notices[id] = true
	if after == nil {
		l.problem("notice %s was deleted", id)
	}
	l.outboxChanged(outbox.NoticeItem(id), before, after)
	if strings.HasPrefix(id, merchant+"#paid-before#") {
		for _, r := range listIn(after, "facts", "refused") {
			l.told[paidBeforeOf(str(r, "order"))] = true
		}
	}
	if facts, is := after["facts"].(*types.AttributeValueMemberM); is && strings.HasPrefix(id, merchant+"#no-address#") {
		for _, number := range textsIn(facts.Value, "orders") {
			l.told[noAddressOf(number)] = true
		}
	}
	if of, is := strings.CutPrefix(id, merchant+paidAgainNotice); is {
		number, _, _ := strings.Cut(of, "#")
		if !slices.ContainsFunc(l.reported.variants[number], func(p payOrder) bool { return !p.paidAt.IsZero() || !p.changedAt.IsZero() }) {
			l.problem("notice %s tells of an order that was not paid again", id)
		}
	}
	if !strings.HasPrefix(id, merchant+"#unconnected#") {
		return
	}
	// A digest of a day tells of products, each with its side.
	for _, p := range listIn(after, "facts", "products") {
		l.told[unconnectedOf(str(p, "side"), str(p, "id"))] = true
	}
}

// unconnectedOf is what a digest tells of a product that no pool feeds.
func unconnectedOf(side, product string) string { return "unconnected: " + product + " (" + side + ")" }

// listIn returns the maps in a list of a map.
func listIn(item map[string]types.AttributeValue, of, name string) (all []map[string]types.AttributeValue) {
	within, _ := item[of].(*types.AttributeValueMemberM)
	if within == nil {
		return nil
	}
	list, _ := within.Value[name].(*types.AttributeValueMemberL)
	if list == nil {
		return nil
	}
	for _, element := range list.Value {
		all = append(all, element.(*types.AttributeValueMemberM).Value)
	}
	return all
}

// uploadRecord is an upload's record.
type uploadRecord struct {
	file, pool, state, cause string
	accepted                 int
	lines                    int
	outcomes                 int
}

// uploadsOf returns the uploads that a notice tells of.
func uploadsOf(item map[string]types.AttributeValue) (ids []string) {
	facts, _ := item["facts"].(*types.AttributeValueMemberM)
	if facts == nil {
		return nil
	}
	uploads, _ := facts.Value["uploads"].(*types.AttributeValueMemberL)
	if uploads == nil {
		return nil
	}
	for _, id := range uploads.Value {
		ids = append(ids, id.(*types.AttributeValueMemberS).Value)
	}
	return ids
}

// uploadChanged checks that an upload is finished once, and that the notice of its report
// is written in the same commit.
func (l *ledger) uploadChanged(name string, after map[string]types.AttributeValue, told *[]string) {
	u := &uploadRecord{file: str(after, "name"), pool: str(after, "pool"), state: str(after, "state"), cause: str(after, "cause"), lines: num(after, "lines")}
	if counts, ok := after["counts"].(*types.AttributeValueMemberM); ok {
		u.accepted = num(counts.Value, "accepted")
		for outcome := range counts.Value {
			u.outcomes += num(counts.Value, outcome)
		}
	}
	was := l.uploads[name]
	if was != nil && was.state == "finished" && *was != *u {
		l.problem("upload %s changed after it was finished: %+v, %+v", name, *was, *u)
	}
	_, id, _ := strings.Cut(name, " ")
	l.withdrawn[id] = str(after, "withdrawal") != ""
	if u.state == "needs_confirmation" && (was == nil || was.state != u.state) {
		l.w.answerHeld(id)
	}
	if u.state == "loading" && was != nil && was.state == "needs_confirmation" {
		l.problem("upload %s was loaded without an answer", name)
	}
	if was != nil && was.state == "confirmed" && u.state == "loading" {
		l.w.count("held file read")
	}
	if remembered, _ := after["remembered"].(*types.AttributeValueMemberBOOL); remembered != nil && remembered.Value && u.state == "loading" && (was == nil || was.state != "loading") {
		l.w.count("file read by the answer about an earlier one")
	}
	if counts, ok := after["counts"].(*types.AttributeValueMemberM); ok && num(counts.Value, "blocked") > 0 && u.state == "finished" {
		l.w.count("blocked line of a file refused")
	}
	if was != nil && was.state == "parked" && u.state == "loading" {
		l.w.count("parked file read")
	}
	if u.state == "finished" && (was == nil || was.state != "finished") && !slices.Contains(*told, id) {
		l.problem("upload %s was finished without a report", name)
	}
	l.uploads[name] = u
}

type alert struct {
	level      string
	sequence   int
	toldAt     time.Time // by the clock of the process that raised the notice
	noticeAt   time.Time // of the last notice
	newWaiters bool      // all lines that waited then have left the queue, and others wait or waited
}

// alertChanged checks that each notice about stock is written with its alert, and that no
// alert has two notices.
func (l *ledger) alertChanged(c dynamosim.Commit, name string, after map[string]types.AttributeValue, notices *[]string) {
	was := l.alerts[name]
	if was == nil {
		was = &alert{}
	}
	now := &alert{level: str(after, "level"), sequence: num(after, "sequence"), toldAt: time.UnixMilli(int64(num(after, "toldAt")))}
	now.noticeAt, now.newWaiters = was.noticeAt, was.newWaiters
	if now.sequence != was.sequence {
		now.noticeAt, now.newWaiters = time.Now(), false
	}
	l.alerts[name] = now
	side := strings.Replace(strings.TrimPrefix(name, "alert#"), "alert#", "#", 1)
	dedupKey := strings.TrimPrefix(side, merchant+"#") + "#" + strconv.Itoa(now.sequence)
	noticed := slices.ContainsFunc(*notices, func(id string) bool { return id == fmt.Sprintf("%s#%s#%s", merchant, kindOf(now.level), dedupKey) })
	if (now.sequence > was.sequence) != noticed || now.sequence > was.sequence+1 || now.sequence < was.sequence {
		l.problem("alert %s went from notice %d to %d, its notice was written with it: %v", name, was.sequence, now.sequence, noticed)
	}
	l.noteNewWaiters("queue#" + side) // clocks differ: a line may seem to have come later
	if !noticed {
		return
	}
	if now.level == "" {
		l.problem("alert %s has a notice at no level", name)
	}
	// A second notice at the same level is right after a day, if all waiting lines came
	// later, or if its process read the queue (and again, to count it) before the first.
	seen := l.reads[c.Caller]
	if seen.previous.IsZero() {
		seen.previous = seen.at
	}
	if now.level == was.level && now.toldAt.Before(was.toldAt.Add(24*time.Hour)) && !was.newWaiters && !seen.previous.Before(was.noticeAt) {
		l.problem("alert %s has two notices at level %s, of %s and %s", name, now.level, was.toldAt, now.toldAt)
	}
}

// kindOf returns the kind of notice for the level of an alert.
func kindOf(level string) string {
	if level == "low" {
		return "low-stock"
	}
	return "empty"
}

// noteNewWaiters records, after a change of a queue or its alert, whether all lines in the
// queue came after the last notice.
func (l *ledger) noteNewWaiters(queue string) {
	side := strings.TrimPrefix(queue, "queue#")
	pool, of := side[:strings.LastIndex(side, "#")], side[strings.LastIndex(side, "#")+1:]
	if existing := l.alerts["alert#"+pool+"alert#"+of]; existing != nil && l.firstWaiting(queue).After(existing.toldAt) {
		existing.newWaiters = true
	}
}

// firstWaiting returns when the first line of a queue was received; the zero time
// if none waits.
func (l *ledger) firstWaiting(queue string) time.Time {
	if len(l.queues[queue]) == 0 {
		return time.Time{}
	}
	first, _, _ := strings.Cut(slices.Min(slices.Collect(maps.Keys(l.queues[queue]))), "#")
	ms, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		l.problem("%s holds a place of %q", queue, first)
	}
	return time.UnixMilli(ms)
}
