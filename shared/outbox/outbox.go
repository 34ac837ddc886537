// Package outbox holds the state of the mails of an item.
//
// Every item that is mailed (a line, a notice) carries its own outbox entry. It is
// written in the same transaction as the fact that the mail tells, so no fact goes
// untold. The table's stream starts the mailing, and the sweep repeats what the
// stream lost: the state is the truth.
package outbox

import "time"

// State is the state of a mail:
//
//	(nothing) -> due -> sending -> sent -> delivered -> bounced -> complained
//	                            `-> failed
type State string

// The states of a mail.
const (
	None       State = ""           // nothing to mail
	Due        State = "due"        // to be mailed now, or from TryAt on
	Sending    State = "sending"    // a mailer holds the lease
	Sent       State = "sent"       // SES took it
	Delivered  State = "delivered"  // the customer's mail server took it
	Bounced    State = "bounced"    // the customer's mail server refused it
	Complained State = "complained" // the customer called it spam
	Failed     State = "failed"     // SES refuses this mail for good
)

var ranks = map[State]int{Sent: 1, Delivered: 2, Bounced: 3, Complained: 4}

// Precedes reports whether feedback of state next moves a mail forward from s.
// Feedback arrives in any order: a mail never goes back.
func (s State) Precedes(next State) bool {
	return ranks[next] > ranks[s]
}

// Kind is the kind of a mail.
type Kind string

// The kinds of mails.
const (
	Keys   Kind = "keys"   // the line's keys, all of them
	Delay  Kind = "delay"  // the delay mail: the order is safe, the key follows
	Notice Kind = "notice" // to the merchant or the operator
)

// Entry is the outbox entry of an item. Times are UTC, to the millisecond.
type Entry struct {
	State  State
	Kind   Kind
	Number int // counts the mails of the item from 1; 0 while there was none
	Tries  int // of this mail

	TryAt       time.Time // a due mail is not tried before; zero: at once
	LeaseEndsAt time.Time // of the mailer that is sending it
	DueAt       time.Time // when the sweep looks at the item; zero: never
	MessageID   string    // SES's id of the mail last sent
	FailedAt    time.Time // when the mail last sent was known to have reached nobody: see ReachedNobody
	Code        string    // of the last try's failure: SES's error code, never its text

	// KeysOut means that a mailer has leased a mail with keys before this mail. See KeysLeft.
	KeysOut bool
}

// SweepAfter is the time that the fast path has before the sweep looks.
const SweepAfter = 5 * time.Minute

// Lease is the time that one mailer has from its lease to its mark. A lease that ends
// unmarked leaves it open whether the mail went out: it is sent again, with the next
// number.
const Lease = 10 * time.Minute

// Next returns the entry for another mail of the item, due now.
func (e Entry) Next(kind Kind, now time.Time) Entry {
	return Entry{State: Due, Kind: kind, Number: e.Number + 1, DueAt: now.Add(SweepAfter), KeysOut: e.KeysLeft()}
}

// AtOnce returns the entry of a due mail that is tried now, whatever it was put off for.
func (e Entry) AtOnce(now time.Time) Entry {
	e.TryAt, e.DueAt = time.Time{}, now.Add(SweepAfter)
	return e
}

// KeysLeft reports whether a mailer has ever leased a mail with the item's keys: somebody
// may know them, whatever became of that mail.
func (e Entry) KeysLeft() bool { return e.KeysOut || e.Kind == Keys && !e.untouched() }

// KeysGone reports whether a mail with the item's keys went out, or may have. It is false of
// one that is only due, though a mailer may have tried it: that one can still be taken back.
func (e Entry) KeysGone() bool {
	return e.KeysOut || e.Kind == Keys && e.State != None && e.State != Due && e.State != Failed
}

// untouched reports whether no mailer has leased the mail.
func (e Entry) untouched() bool { return e.State == Due && e.Tries == 0 && !e.LeaseExpired() }

// Owed reports whether the item's keys are still to be mailed: no mail with them is due,
// under way or gone.
func (e Entry) Owed() bool { return e.Kind != Keys || e.State == None }

// ReachedNobody reports whether the mail has failed: SES refused it, or it came back.
func (e Entry) ReachedNobody() bool { return e.State == Failed || e.State == Bounced }

// OwedAgain returns the entry when a mail with the item's keys reached nobody, and another
// is to go out once it may: see Owed.
func (e Entry) OwedAgain() Entry { return Entry{Kind: e.Kind, Number: e.Number, KeysOut: e.KeysLeft()} }

// Dropped returns the entry when nothing is to be mailed. A mail that a mailer has leased
// stays with its mailer.
func (e Entry) Dropped() Entry {
	switch {
	case e.State == Sending:
		return e
	case e.State == Due && e.untouched():
		e = Entry{Number: e.Number - 1, KeysOut: e.KeysOut} // as if it had never been due
	case e.State == Due:
		e.State = None
	}
	e.TryAt, e.LeaseEndsAt, e.DueAt = time.Time{}, time.Time{}, time.Time{}
	return e
}
