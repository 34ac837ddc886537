package order

import "time"

// History is one thing that happened to a line. Entries are only ever added; the
// same entry written twice is one.
type History struct {
	Line LineID
	At   time.Time
	What Happening
	By   string // who did it: a function, "ses", or later a person

	Mail      int    // which mail of the line it is about; 0: none
	MessageID string // SES's name for that mail
	Code      string // why, in one word: SES's code
}

// Happening is what can happen to a line.
type Happening string

// What can happen to the mails of a line.
const (
	MailSent       Happening = "mail-sent"       // SES took it
	MailDelayed    Happening = "mail-delayed"    // the customer's mail server has not taken it yet
	MailDelivered  Happening = "mail-delivered"  // it has
	MailBounced    Happening = "mail-bounced"    // it refused it
	MailComplained Happening = "mail-complained" // the customer called it spam
	MailFailed     Happening = "mail-failed"     // SES refuses it for good
	MailUncertain  Happening = "mail-uncertain"  // nobody knows whether it went out: the next number is sent
	MailWithdrawn  Happening = "mail-withdrawn"  // what it was to say is no longer so
)
