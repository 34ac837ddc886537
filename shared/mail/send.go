package mail

// Fault is the reason why a mail was not sent. It decides what becomes of the mail.
type Fault string

// The faults.
const (
	Permanent    Fault = "permanent" // of this mail alone: it fails for good
	AccountFault Fault = "account"   // of the account, the sender or a setting: it stays due, the operator must act
	Throttled    Fault = "throttled" // too many at once: it is offered again, or stays due
	Temporary    Fault = "temporary" // it stays due
	Unknown      Fault = "unknown"   // there was no answer: it may have gone out
)

// SendError says why a mail was not sent. It holds a code only: SES's text beside
// the code quotes addresses.
type SendError struct {
	Fault Fault
	Code  string
}

func (e *SendError) Error() string { return "not sent (" + string(e.Fault) + "): " + e.Code }
