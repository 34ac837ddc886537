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

// What the ledger holds of what is told: mails, notices, alerts, and reports of
// uploads.

// mailed is what went out about a line or a notice.
type mailed struct {
	accepted map[string]int // by kind: keys, delay, notice
	refused  map[string]bool
	numbers  map[int]bool
	keys     []string // that the last mail about keys shows

	// Of the last that was accepted.
	unmarked bool     // it is not written down
	by       *process // who sent it
	unknown  bool     // its sender could not know or could not say that it went out
}

func (l *ledger) mailsOf(item outbox.Item) *mailed {
	if l.mails[item] == nil {
		l.mails[item] = &mailed{accepted: map[string]int{}, refused: map[string]bool{}, numbers: map[int]bool{}}
	}
	return l.mails[item]
}

// leased names a mail that was being sent.
type leased struct {
	item   outbox.Item
	number int
}

// lease is what that mail is about, and the keys that its line held when it was leased.
type lease struct {
	kind string
	keys map[string]string // id -> text
}

func (l *ledger) lease(item outbox.Item, number int, kind string) {
	taken := lease{kind: kind}
	if there := l.lines[order.LineID(item.ID)]; there != nil && kind == "keys" {
		taken.keys = there.keys
	}
	l.leases[leased{item, number}] = taken
}

// about says what a mail is about.
func (l *ledger) about(item outbox.Item) string {
	if item.Kind == outbox.Lines {
		return l.name(order.LineID(item.ID))
	}
	return "notice " + item.ID
}

// outboxChanged holds that a mail is one mailer's at a time: nobody takes it, or
// sets it due again, before the lease of whoever has it has ended.
func (l *ledger) outboxChanged(item outbox.Item, before, after map[string]types.AttributeValue) {
	was, now, number := str(before, "mail"), str(after, "mail"), num(after, "mailNumber")
	_, held := before["leaseEndsAt"]
	ends := time.UnixMilli(int64(num(before, "leaseEndsAt")))
	by := str(after, "leaseBy") // lost where the whole line is written anew, by fill
	lapsed := !time.Now().Add(l.w.plan.Weather.Skew).Before(ends)
	switch {
	case now == "sending" && (was != "sending" || by != "" && by != str(before, "leaseBy")):
		l.lease(item, number, str(after, "mailKind"))
		if !held {
			break
		}
		l.w.count("lease lapsed, and the next mailer took over")
		if !lapsed || number != num(before, "mailNumber")+1 {
			l.problem("mail %d of %s was leased while mail %d was another mailer's until %s", number, l.about(item), num(before, "mailNumber"), ends)
		}
	case now == "due" && was == "sending" && str(before, "mailKind") == str(after, "mailKind"):
		if _, still := after["leaseEndsAt"]; still && !lapsed {
			l.problem("mail %d of %s was set due while it was a mailer's until %s", number, l.about(item), ends)
		}
	case now != "due" && now != "sending" && l.mails[item] != nil:
		l.mails[item].unmarked = false
	}
}

// mailed notes that the mail service took a mail. It shows the keys that its line
// held when it was leased, or none if it is about something else; and it is the only
// one about that, unless nobody could know of the one before it or the line has got
// another key since. A key that it shows is not available again.
func (l *ledger) mailed(by *process, item outbox.Item, number int, m mail.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken, ok := l.leases[leased{item, number}]
	kind, keys := taken.kind, slices.Sorted(maps.Values(taken.keys))
	if !ok {
		l.problem("mail %d of %s went out, and nobody had leased it", number, l.about(item))
	}
	for id, text := range taken.keys {
		l.sent[text] = true
		if l.keys[id].state == "available" {
			l.problem("mail %d of %s shows key %s, which is available again", number, l.about(item), text)
		}
	}
	parts := []string{m.Subject + "\n" + m.Text, m.HTML}
	for _, a := range m.Attached {
		parts = append(parts, string(a.Content))
	}
	for _, part := range parts {
		if shown := slices.Compact(slices.Sorted(slices.Values(keyForm.FindAllString(part, -1)))); !slices.Equal(shown, keys) {
			l.problem("mail %d of %s, about its %s, shows keys %s, not %s", number, l.about(item), kind, shown, keys)
		}
	}

	went := l.mailsOf(item)
	switch {
	case went.numbers[number]:
		l.problem("mail %d of %s went out twice", number, l.about(item))
	case went.accepted[kind] == 0:
	case slices.ContainsFunc(keys, func(k string) bool { return !slices.Contains(went.keys, k) }):
		l.w.count("second mail about a key that was replaced")
	case !went.unmarked:
		l.problem("mail %d of %s is a second one about its %s, and the first was marked as sent", number, l.about(item), kind)
	case !went.unknown && !went.by.died():
		l.problem("mail %d of %s is a second one about its %s, and who sent the first was answered and lived", number, l.about(item), kind)
	default:
		l.w.count("second mail after an answer that nobody saw")
	}
	if kind == "delay" && went.accepted[kind] == 0 {
		l.w.count("delay mail accepted")
	}
	if kind == "keys" {
		went.keys = keys
	}
	went.accepted[kind]++
	went.numbers[number] = true
	went.unmarked, went.by, went.unknown = true, by, false
}

// unknown notes that the mail service took a mail and its sender was not answered.
func (l *ledger) unknown(item outbox.Item) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mailsOf(item).unknown = true
}

// unmarked notes that a mailer could not do all it had to for an item, such as
// write down that a mail went out.
func (l *ledger) unmarked(by *process, item outbox.Item) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if went := l.mailsOf(item); went.by == by {
		l.w.count("mailer could not mark")
		went.unknown = true
	}
}

// refused notes that the mail service will never take a mail.
func (l *ledger) refused(item outbox.Item, number int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mailsOf(item).refused[l.leases[leased{item, number}].kind] = true
}

func (l *ledger) noticeChanged(id string, before, after map[string]types.AttributeValue) {
	l.notices[id] = true
	if after == nil {
		l.problem("notice %s was deleted", id)
	}
	l.outboxChanged(outbox.NoticeItem(id), before, after)
}

// uploaded is an upload's record.
type uploaded struct {
	file, pool, state, cause string
	accepted                 int
	lines                    int
	outcomes                 int
}

// uploadChanged holds that an upload is finished once, and that its merchant is
// told in the same moment.
func (l *ledger) uploadChanged(name string, after map[string]types.AttributeValue, told *[]string) {
	u := &uploaded{file: str(after, "name"), pool: str(after, "pool"), state: str(after, "state"), cause: str(after, "cause"), lines: num(after, "lines")}
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
	if was != nil && was.state == "parked" && u.state == "loading" {
		l.w.count("parked file read")
	}
	if _, id, _ := strings.Cut(name, " "); u.state == "finished" && (was == nil || was.state != "finished") && !slices.Contains(*told, merchant+"#upload-report#"+id) {
		l.problem("upload %s was finished without a report", name)
	}
	l.uploads[name] = u
}

type alert struct {
	level    string
	sequence int
	told     time.Time // by the clock of who told
	at       time.Time // of the last notice
	anew     bool      // all that waited when it was told have been served since, and others waited
}

// alertChanged holds that a merchant is told exactly when an alert says so: a notice
// is written with its alert, and no alert is told twice.
func (l *ledger) alertChanged(c dynamosim.Commit, name string, after map[string]types.AttributeValue, told *[]string) {
	was := l.alerts[name]
	if was == nil {
		was = &alert{}
	}
	now := &alert{level: str(after, "level"), sequence: num(after, "sequence"), told: time.UnixMilli(int64(num(after, "toldAt")))}
	now.at, now.anew = was.at, was.anew
	if now.sequence != was.sequence {
		now.at, now.anew = time.Now(), false
	}
	l.alerts[name] = now
	side := strings.Replace(strings.TrimPrefix(name, "alert#"), "alert#", "#", 1)
	dedupKey := strings.TrimPrefix(side, merchant+"#") + "#" + strconv.Itoa(now.sequence)
	tells := slices.ContainsFunc(*told, func(id string) bool { return id == fmt.Sprintf("%s#%s#%s", merchant, kindOf(now.level), dedupKey) })
	if (now.sequence > was.sequence) != tells || now.sequence > was.sequence+1 || now.sequence < was.sequence {
		l.problem("alert %s went from notice %d to %d, its notice was written with it: %v", name, was.sequence, now.sequence, tells)
	}
	l.noteServed("queue#" + side) // clocks disagree: who waits may seem to have come since
	if !tells {
		return
	}
	if now.level == "" {
		l.problem("alert %s told that all is well", name)
	}
	// Again at the same level: after a day, or of lines that all came since; or by
	// one who looked at the queue (and again, to count it) before the first had told.
	seen := l.looked[c.Caller]
	if seen.before.IsZero() {
		seen.before = seen.at
	}
	if now.level == was.level && now.told.Before(was.told.Add(24*time.Hour)) && !was.anew && !seen.before.Before(was.at) {
		l.problem("alert %s told twice of what is %s, at %s and %s", name, now.level, was.told, now.told)
	}
}

// kindOf is the kind of notice that tells of an alert's level.
func kindOf(level string) string {
	if level == "low" {
		return "low-stock"
	}
	return "empty"
}

// noteServed notes, after a queue or its alert has changed, whether all in it came after its
// alert was told.
func (l *ledger) noteServed(queue string) {
	side := strings.TrimPrefix(queue, "queue#")
	pool, of := side[:strings.LastIndex(side, "#")], side[strings.LastIndex(side, "#")+1:]
	if told := l.alerts["alert#"+pool+"alert#"+of]; told != nil && l.firstWaiting(queue).After(told.told) {
		told.anew = true
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
