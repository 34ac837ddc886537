package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"keypool/shared/inventory"
	"keypool/shared/mailaddress"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/phrase"
	"keypool/shared/pool"
)

// lineMark says in a few words how a line stands: its state or, where it has its keys, what
// became of its mail.
func lineMark(f order.Fulfillment) mark {
	switch f.State() {
	case order.Expected:
		return mark{"", "Not paid yet"}
	case order.Returned:
		return mark{"", "Given back"}
	case order.Unconnected:
		return mark{"warn", "No pool feeds it"}
	case order.Waiting:
		return waitingMark
	case order.OnHold:
		if f.InDispute() {
			return mark{"stop", "In dispute"}
		}
		return mark{"warn", "On hold"}
	case order.Fulfilled:
	}
	return mailMark(f.Mail)
}

// waitingMark is that of a line that waits for keys.
var waitingMark = mark{"warn", "Waits for keys"}

// mailMark says what became of the mail of a line that has its keys.
func mailMark(m outbox.Entry) mark {
	switch m.State {
	case outbox.Due, outbox.Sending:
		return mark{"calm", "Being mailed"}
	case outbox.Sent:
		return mark{"calm", "Mailed"}
	case outbox.Delivered:
		return mark{"good", "Delivered"}
	case outbox.Bounced:
		return mark{"stop", "Mail came back"}
	case outbox.Complained:
		return mark{"warn", "Marked as spam"}
	case outbox.Failed:
		return mark{"stop", "Mail failed"}
	case outbox.None:
	}
	return mark{"", "Has its keys"}
}

// markRanks puts the marks of an order's lines in the order of how much they ask for somebody.
var markRanks = []string{"stop", "warn", "calm", "", "good"}

// orderMark returns the mark of those of an order's lines that asks most for somebody.
func orderMark(lines []order.Fulfillment) mark {
	return slices.MinFunc(marksOf(lines), func(a, b mark) int {
		return cmp.Compare(slices.Index(markRanks, a.Class), slices.Index(markRanks, b.Class))
	})
}

func marksOf(lines []order.Fulfillment) []mark {
	marks := make([]mark, len(lines))
	for i, line := range lines {
		marks[i] = lineMark(line)
	}
	return marks
}

// standsAs says how a line stands, as a sentence that begins with its state.
func standsAs(state order.State, mailed outbox.State) string {
	switch state {
	case order.Expected:
		return "not paid yet"
	case order.Returned:
		return "given back"
	case order.Unconnected:
		return "waiting, since no pool feeds its product"
	case order.Waiting:
		return "waiting for keys"
	case order.OnHold:
		return "on hold"
	case order.Fulfilled:
		return "supplied with its keys; " + strings.ToLower(mailMark(outbox.Entry{State: mailed}).Text)
	}
	return "something else"
}

// productName is what people call a line's product.
func productName(f order.Fulfillment) string { return cmp.Or(f.Title, f.Product, f.Line) }

// moment is an entry of an order's timeline, in words.
type moment struct {
	At    time.Time // zero: at once, of what comes
	Class string    // good, warn, stop or ahead
	Says  string
	Small string // who did it, and why
	Line  string // the product, where the order has several lines
	Last  bool   // of what has happened, which is announced where the page shows it as it comes
}

// timeline tells what happened to an order's lines, oldest first, and what comes by itself.
func timeline(lines []order.Fulfillment, history map[order.LineID][]order.History, now time.Time) []moment {
	type told struct {
		ahead bool
		moment
	}
	var all []told
	for _, line := range lines {
		addresses := append(slices.Clone(line.Former), line.Customer.Email)
		corrected := 0
		for _, e := range line.Timeline(history[line.ID], now) {
			if e.What == string(order.SweepLooks) {
				continue // it concerns nobody: a second look at what goes by itself
			}
			says := entryWords(e, line, addresses[min(corrected, len(addresses)-1)])
			if e.What == string(order.AddressCorrected) {
				corrected++
			}
			if len(lines) > 1 {
				says.Line = productName(line)
			}
			all = append(all, told{e.Ahead, says})
		}
	}
	slices.SortStableFunc(all, func(a, b told) int {
		if a.ahead != b.ahead {
			if a.ahead {
				return 1
			}
			return -1
		}
		return a.At.Compare(b.At)
	})
	moments := make([]moment, len(all))
	for i, t := range all {
		moments[i] = t.moment
		moments[i].Last = !t.ahead && (i == len(all)-1 || all[i+1].ahead)
	}
	waits := slices.ContainsFunc(lines, order.Fulfillment.Waits)
	switch {
	case waits:
		moments = append(moments, moment{Class: "ahead", Says: "It gets its keys, and its mail, once there are keys for it."})
	case len(all) == 0 || !all[len(all)-1].ahead:
		moments = append(moments, moment{Class: "ahead", Says: "Nothing more happens by itself."})
	}
	return moments
}

// entryWords tells one entry of a line's timeline. Address is where the line's mails went at
// that time.
func entryWords(e order.Entry, f order.Fulfillment, address string) moment {
	m := moment{At: e.At}
	by := person(e.By)
	server := "the customer's mail server"
	if domain := mailaddress.Domain(address); domain != "" {
		server = "the mail server of " + domain
	}
	nth := fmt.Sprintf("Mail %d", e.Mail)
	switch e.What {
	case string(order.Received):
		m.Says = "Paid, as " + cmp.Or(f.Account, "its platform") + " reported."
		if e.By == "catchup" {
			m.Says = "Found to be paid at " + f.Account + ", which had not reported it."
		}
	case string(order.KeysTaken):
		m.Says = taken(e, f)
	case string(order.InQueue):
		m.Class = "warn"
		m.Says = "It began to wait: no pool feeds its product."
		if e.Pool != "" {
			m.Says = "It began to wait for " + phrase.Count(e.Keys, "key") + ": the pool " + e.Pool + " had too few."
		}
	case string(order.ByHand):
		m.Says, m.Small = "Fulfilled by hand"+by+".", why(e.Code)
	case string(order.PaidAgain):
		m.Class = "warn"
		m.Says = "Reported as paid once more, with another " + e.Code + ": nothing was changed."
		if e.Code == string(order.Returned) {
			m.Says = "Reported as paid once more, after it was given back: nothing was changed."
		}
	case string(order.Cancelled):
		m.Says, m.Small = "Cancelled"+by+": it does not wait any more.", why(e.Code)
	case string(order.AddressAdded):
		m.Says = "The platform reported the customer's mail address, which it had not told before."
	case string(order.AddressCorrected):
		m.Says, m.Small = "The address was corrected"+by+". It was "+address+".", why(e.Code)
	case string(order.RiskReported):
		m.Class, m.Says = "warn", "The platform calls the order risky: "+e.Code+"."
	case string(order.UnitsReturned):
		m.Says, m.Small = "Given back"+by+".", why(e.Code)
	case string(order.OrderReturned):
		m.Says, m.Small = "The whole order was given back"+by+".", why(e.Code)
	case string(order.RefundMatched):
		m.Says = "The platform's refund " + e.Code + " is of units that were given back here before: no more keys were taken."
	case string(order.RefundFailed):
		m.Class, m.Says = "warn", "The refund "+e.Code+" failed: the customer has no money back. Nothing was changed here."
	case string(order.Reported):
		m.Says = "The platform reported: " + e.Code + "."
	case string(order.Held):
		m.Class, m.Says = "warn", "Put on hold: "+order.Hold(e.Code).Says()+"."
		if by != "" {
			m.Says, m.Small = "Put on hold"+by+".", why(e.Code)
		}
	case string(order.Released):
		m.Says = "Released"
		reason := e.Code
		if hold, words, _ := strings.Cut(e.Code, ": "); order.Hold(hold).Dispute() {
			m.Says, reason = "Released from the dispute", words
		}
		m.Says += by + "."
		if by != "" {
			m.Small = why(reason)
		}
	case string(order.Replaced):
		_, words, _ := strings.Cut(e.Code, ": ")
		m.Says, m.Small = "A key was replaced by another one"+by+".", why(words)
	case string(order.Resent):
		m.Says, m.Small = "Its keys are mailed again, as asked for"+by+".", why(e.Code)
	case string(order.KeysShown):
		m.Says, m.Small = "Its keys were shown"+strings.Replace(by, " by ", " to ", 1)+".", why(e.Code)
		if by == "" {
			m.Class, m.Says = "good", "The customer opened the order's page and saw the keys."
		}
	case string(order.LinkReplaced):
		m.Says, m.Small = "Its page got another link"+by+".", why(e.Code)
	case string(order.LinkRevoked):
		m.Says, m.Small = "The link of its page was revoked"+by+".", why(e.Code)
	case string(order.Erased):
		m.Says = "All that was kept of the customer was erased" + by + "."
	case string(order.MailSent):
		m.Says = nth + " was handed over"
		if address != "" {
			m.Says += " for " + address
		}
		m.Says += "."
	case string(order.MailDelayed):
		m.Class, m.Says = "warn", phrase.Capital(server)+" has not taken "+strings.ToLower(nth)+" yet. It is tried for hours on."
	case string(order.MailDelivered):
		m.Class, m.Says = "good", nth+" was taken by "+server+"."
	case string(order.MailBounced):
		m.Class, m.Says, m.Small = "stop", nth+" came back from "+server+": "+bounce(e.Code)+".", e.Code
	case string(order.MailComplained):
		m.Class, m.Says = "warn", "The customer marked "+strings.ToLower(nth)+" as spam."
	case string(order.MailFailed):
		m.Class, m.Says, m.Small = "stop", nth+" could not be sent.", e.Code
	case string(order.MailUncertain):
		m.Class, m.Says = "warn", "Nobody knows whether "+strings.ToLower(nth)+" went out, so another one is sent."
	case string(order.MailWithdrawn):
		m.Says = nth + " was not sent: what it was to say is no longer so."
	case string(order.MailTried):
		m.Class, m.Says = "ahead", "Its mail is sent in a moment."
		if !e.At.IsZero() {
			m.Says = "Its mail is tried again."
		}
	case string(order.LeaseEnds):
		m.Class, m.Says = "ahead", "Its mail is being sent now. If that was cut off, it is sent again at this time."
	case string(order.AttentionBegins):
		m.Class, m.Says = "ahead", "If it waits still, it is listed among those that need somebody."
	default:
		m.Says, m.Small = phrase.Capital(strings.ReplaceAll(e.What, "-", " "))+by+".", e.Code
	}
	return m
}

// taken tells where a line's keys came from.
func taken(e order.Entry, f order.Fulfillment) string {
	switch {
	case f.SharedCode:
		return "It got the code of its product."
	case e.By == "fill":
		return phrase.Capital(phrase.Count(e.Keys, "key")) + " came from the pool " + e.Pool + " while it waited."
	}
	return phrase.Capital(phrase.Count(e.Keys, "key")) + " " + phrase.Plural(e.Keys, "was", "were") + " taken from the pool " + e.Pool + "."
}

// person returns " by " and who did something, "" if a function did.
func person(by string) string {
	if !(order.History{By: by}).ByPerson() || by == "" || by == "api" || by == "portal" {
		return ""
	}
	return " by " + by
}

func why(reason string) string {
	if reason == "" {
		return ""
	}
	return "Why: " + reason
}

// bounces are Amazon SES's words for why a mail came back, as the end of a sentence.
var bounces = map[string]string{
	"Permanent/NoEmail":                  "there is no such mailbox",
	"Permanent/General":                  "it takes no mail for this address",
	"Permanent/Suppressed":               "mails to this address came back before, so that none is sent there",
	"Permanent/OnAccountSuppressionList": "mails to this address came back before, so that none is sent there",
	"Transient/General":                  "it did not take the mail, and gave no lasting reason",
	"Transient/MailboxFull":              "the mailbox is full",
	"Transient/MessageTooLarge":          "the mail is too large for it",
	"Transient/ContentRejected":          "it does not like what the mail says",
	"Transient/AttachmentRejected":       "it does not like the mail's attachment",
}

func bounce(code string) string { return cmp.Or(bounces[code], "it did not take it") }

// fromFile is the keys of a line that came from one file.
type fromFile struct {
	Upload, Says string
}

// whereFrom says where keys came from: "elden.txt, lines 812 and 1,204".
func whereFrom(keys []pool.Key, origins map[pool.KeyID]inventory.Origin) []fromFile {
	type lines struct {
		inventory.Origin
		numbers []int
	}
	var files []*lines
	for _, key := range keys {
		from, ok := origins[key.ID]
		if !ok || from.Upload == "" {
			continue
		}
		i := slices.IndexFunc(files, func(l *lines) bool { return l.Upload == from.Upload })
		if i < 0 {
			i = len(files)
			files = append(files, &lines{Origin: from})
		}
		if from.Line > 0 {
			files[i].numbers = append(files[i].numbers, from.Line)
		}
	}
	var says []fromFile
	for _, l := range files {
		s := cmp.Or(l.File, "a file that is not known any more")
		if n := len(l.numbers); n > 0 {
			slices.Sort(l.numbers)
			numbers := make([]string, n)
			for i, number := range l.numbers {
				numbers[i] = phrase.Number(number)
			}
			s += ", " + phrase.Plural(n, "line", "lines") + " " + phrase.List(numbers)
		}
		says = append(says, fromFile{l.Upload, s})
	}
	return says
}
