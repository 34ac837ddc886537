package order

import "time"

// History is one thing that happened to a line. Entries are only ever added; the
// same entry written twice is one.
type History struct {
	Line  LineID
	At    time.Time
	Event EventKind
	By    string // who did it: a function, "ses", or later a person

	Mail      int    // which mail of the line it is about; 0: none
	MessageID string // SES's name for that mail
	Code      string // why, in one word: SES's code, the part that differs
}

// EventKind is the kind of an event in the history of a line.
type EventKind string

// The events that a line's own record tells, which no entry is written for: see Timeline.
const (
	Received  EventKind = "received"   // the payment came
	KeysTaken EventKind = "keys-taken" // when it was paid, or while it waited
	InQueue   EventKind = "queued"     // it waits in the queue of its pool, or of its product
)

// The events of a line itself.
const (
	ByHand       EventKind = "fulfilled-by-hand" // a person fulfils the line, which no platform knows; Code is their reason
	PaidAgain    EventKind = "paid-again"        // with another product, quantity or customer, or after it was returned, as Code says: nothing was changed
	Cancelled    EventKind = "cancelled"         // the line waited, and shall not any longer
	Reported     EventKind = "reported"          // the platform reported what Code names, such as subscription.cancelled: nothing was changed
	AddressAdded EventKind = "address-added"     // the line had no customer's address; a repeat brought it

	AddressCorrected EventKind = "address-corrected" // the shop, or a person, corrected the customer's address; later mails go there

	RiskReported EventKind = "risk-reported" // the platform calls the order risky, after it was paid; Code is its word

	UnitsReturned EventKind = "units-returned" // units of the line, Code is the refund or the reason
	OrderReturned EventKind = "order-returned" // the whole order, Code is the refund, the dispute or the reason
	RefundMatched EventKind = "refund-matched" // the platform's refund, Code, of units that a person had returned: nothing was taken for those
	RefundFailed  EventKind = "refund-failed"  // the customer has no money back, Code is the refund; nothing was changed
	Held          EventKind = "held"           // Code is the reason
	Released      EventKind = "released"       // from a hold, Code is its reason
	Replaced      EventKind = "replaced"       // a key was set aside for a new one, Code names both, by their IDs, and why
	Resent        EventKind = "resent"         // the mail with the keys is sent again
	Erased        EventKind = "erased"         // nothing of the customer is kept since
	PageOpened    EventKind = "page-opened"    // somebody who has its link opened the order's page; at most once an hour
	KeysShown     EventKind = "keys-shown"     // the line's keys were shown; by its customer at most once an hour
	LinkReplaced  EventKind = "link-replaced"  // the order's page has another link
	LinkRevoked   EventKind = "link-revoked"   // the order's page has no link
)

// The events of a line's mails.
const (
	MailSent       EventKind = "mail-sent"       // SES took it
	MailDelayed    EventKind = "mail-delayed"    // the customer's mail server has not taken it yet
	MailDelivered  EventKind = "mail-delivered"  // it has
	MailBounced    EventKind = "mail-bounced"    // it refused it
	MailComplained EventKind = "mail-complained" // the customer called it spam
	MailFailed     EventKind = "mail-failed"     // SES refuses it for good
	MailUncertain  EventKind = "mail-uncertain"  // nobody knows whether it went out: the next number is sent
	MailWithdrawn  EventKind = "mail-withdrawn"  // what it was to say is no longer so
)
