package order

import (
	"slices"
	"time"

	"keypool/shared/outbox"
)

// Step is something that comes to a line by itself, unless something else comes first.
type Step struct {
	At   time.Time // zero: at once
	What StepKind
}

// StepKind is the kind of a step.
type StepKind string

// The kinds of steps.
const (
	MailTried       StepKind = "mail-tried"      // its mail is sent, or tried again
	LeaseEnds       StepKind = "lease-ends"      // its mail is being sent; if that was cut off, it is sent again
	SweepLooks      StepKind = "sweep-looks"     // the sweep looks whether something stopped halfway
	AttentionBegins StepKind = "needs-attention" // it has waited long: somebody has to look at it
)

// Ahead returns what comes to the line by itself, the soonest first. None: nothing does until
// somebody acts, its platform reports something, or keys come.
func (f Fulfillment) Ahead(now time.Time) []Step {
	var steps []Step
	switch f.Mail.State {
	case outbox.Due:
		steps = append(steps, Step{f.Mail.TryAt, MailTried})
	case outbox.Sending:
		steps = append(steps, Step{f.Mail.LeaseEndsAt, LeaseEnds})
	default: // nothing is to be mailed
	}
	if !f.Mail.DueAt.IsZero() {
		steps = append(steps, Step{f.Mail.DueAt, SweepLooks})
	}
	if since, needed := f.Attention(); needed && since.After(now) {
		steps = append(steps, Step{since, AttentionBegins})
	}
	slices.SortStableFunc(steps, func(a, b Step) int { return a.At.Compare(b.At) })
	return steps
}
