package catalog

import (
	"slices"
	"strings"
	"time"
)

// Sender is a merchant's own address that customers' mails come from. It is used once its
// domain is proven: the merchant set the records that SES looks for, among them one of a
// name that nobody else was given.
type Sender struct {
	Merchant string
	Version  int // of the address; what is seen of it changes no version

	Address  string
	MailFrom string // domain of the envelope's sender, below the address's: its first label is random, made with the address

	State         SenderState
	Tokens        []string  // of DKIM, which name its records; none: SES has not been asked yet
	Zone          string    // that the records of DKIM point into
	UnprovenSince time.Time // zero: it is verified
	LookedAt      time.Time // zero: never
	DueAt         time.Time // of the sweep's next look; zero: never
}

// SenderState is how far a sender is.
type SenderState string

// The states. Mails come from the merchant's address in SenderVerified alone, else from the operator's.
const (
	SenderPending  SenderState = "pending"  // its records were not found yet
	SenderVerified SenderState = "verified" // its domain is proven
	SenderFailed   SenderState = "failed"   // its records were not found for ProveWithin, or are gone
	SenderRefused  SenderState = "refused"  // SES refused a mail from it, and took the same from the operator
)

const (
	// ProveWithin is the time that a domain is kept for a merchant who has not proven it.
	ProveWithin = 72 * time.Hour

	lookWhilePending  = 10 * time.Minute
	lookWhileVerified = 24 * time.Hour
)

// Identity is a domain as SES knows it.
type Identity struct {
	Sends    bool     // SES sends mails from it: DKIM's records are there
	Lost     bool     // SES has given up looking for the records
	Tokens   []string // of DKIM
	Zone     string   // that the records of DKIM point into
	MailFrom string   // domain of the envelope's sender
	Found    bool     // the record of MailFrom is there
}

// Domain is the domain of the address.
func (s Sender) Domain() string { return s.Address[strings.LastIndexByte(s.Address, '@')+1:] }

// Proven says whether mails come from the address.
func (s Sender) Proven() bool { return s.State == SenderVerified }

// FreeAt is when another merchant may take the domain; zero: never.
func (s Sender) FreeAt() time.Time {
	if s.UnprovenSince.IsZero() {
		return time.Time{}
	}
	return s.UnprovenSince.Add(ProveWithin)
}

// Seen returns the sender as it is after a look at its domain, which SES may not know.
//
// DKIM's tokens are the same for whoever has the domain looked for, and records that a
// former owner left behind prove nothing. The record of MailFrom is of this sender alone.
func (s Sender) Seen(found Identity, known bool, now time.Time) Sender {
	s.LookedAt, s.DueAt = now, time.Time{}
	s.Tokens, s.Zone = slices.Clone(found.Tokens), found.Zone
	mine := known && found.MailFrom == s.MailFrom
	switch {
	case s.State == SenderRefused: // by a mail, which knows better: until the address is set anew
	case mine && found.Sends && (found.Found || s.State == SenderVerified):
		s.State, s.UnprovenSince, s.DueAt = SenderVerified, time.Time{}, now.Add(lookWhileVerified)
	case mine && s.State == SenderPending && !found.Lost && now.Before(s.FreeAt()):
		s.DueAt = now.Add(lookWhilePending)
	default:
		s = s.lose(SenderFailed, now)
	}
	return s
}

// Refused returns the sender after SES refused a mail from it that it took from the operator.
func (s Sender) Refused(now time.Time) Sender {
	s.LookedAt, s.DueAt = now, time.Time{}
	return s.lose(SenderRefused, now)
}

func (s Sender) lose(state SenderState, now time.Time) Sender {
	if s.UnprovenSince.IsZero() {
		s.UnprovenSince = now
	}
	s.State = state
	return s
}

// Record is one DNS record.
type Record struct {
	Type  string // CNAME, MX or TXT
	Name  string
	Value string
	For   string // what needs it: dkim, mail_from, spf, dmarc
}

// Records returns the records that a merchant sets for the sender, in a region of AWS. Without those of dkim and mail_from the
// domain is not proven; that of dmarc is a suggestion to a domain that has none.
func (s Sender) Records(region string) []Record {
	var all []Record
	for _, token := range s.Tokens {
		all = append(all, Record{"CNAME", token + "._domainkey." + s.Domain(), token + "." + s.Zone, "dkim"})
	}
	return append(
		all,
		Record{"MX", s.MailFrom, "10 feedback-smtp." + region + ".amazonses.com", "mail_from"},
		Record{"TXT", s.MailFrom, "v=spf1 include:amazonses.com ~all", "spf"},
		Record{"TXT", "_dmarc." + s.Domain(), "v=DMARC1; p=none;", "dmarc"},
	)
}

// Shown returns the fields of a sender that the merchant sets.
func (s Sender) Shown() Shown { return Shown{"address": s.Address, "mail_from": s.MailFrom} }
