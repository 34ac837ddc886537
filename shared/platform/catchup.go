package platform

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"
)

// Lister is a Fetcher whose platform's API lists what changed, for catch-up: a webhook that
// never came is made up for.
type Lister interface {
	// Changed yields every purchase of the account that changed at since or later, live and
	// test, as far as there are credentials: the earliest change first. It ends after the
	// first error: ErrTryAgain, or a *SetupError that says what the merchant is to mend.
	// Purchases before it are whole. One that cannot be read ends nothing: see Unreadable. An error of the test side alone comes after the live
	// side's purchases, so that a sandbox holds up nobody who paid.
	Changed(ctx context.Context, a Account, since time.Time) iter.Seq2[Purchase, error]
}

// Purchase is an order as the platform's API shows it now. The order and its lines have the
// IDs that webhooks give them, and so have its refunds and disputes. From one that holds nothing
// but ChangedAt nothing follows.
type Purchase struct {
	// ChangedAt is when it changed, by the platform's clock; catch-up goes on from here. Of
	// several changes that the API tells apart, it is the earliest at since or later: a run
	// that is cut off must find the payment again, and not its refund alone.
	ChangedAt time.Time
	// Behind means that a list of the account's test side failed for now: what changed there until
	// ChangedAt was not all yielded.
	Behind   bool
	Returned []Returned
	Disputed []Disputed
	Paid     *Paid      // nil: not paid, or only its refunds changed
	Recorded []Recorded // each the refund of money of a line: see Recorded
	Ignored  []Ignored  // each a payment that is no order: see Ignored

	// Unreadable is the mistake for which what the API shows of one purchase cannot be read.
	// Catch-up passes it over, and the merchant is told once, as of a webhook that cannot be
	// taken. ChangedAt alone is set beside it, zero where it is not known.
	Unreadable *FieldError
}

// PassOver returns the purchase that an error of reading it makes: one to be passed over. It is
// false for any error that is no *FieldError: the API cannot be read then, and the list ends.
func PassOver(err error, changedAt time.Time) (Purchase, bool) {
	var mistake *FieldError
	if !errors.As(err, &mistake) {
		return Purchase{}, false
	}
	return Purchase{ChangedAt: changedAt, Unreadable: mistake}, true
}

// Prober is a Fetcher whose platform's API tells whether its webhooks come to an address.
type Prober interface {
	// Probe looks for the platform's webhook to the address, such as
	// https://api.example.com/webhooks/acme/shop. Errors are those of Changed.
	Probe(ctx context.Context, a Account, address string) (WebhookStatus, error)
}

// Subscriber is a Prober whose platform's API makes webhooks. Catch-up subscribes an
// account whose webhook is missing.
type Subscriber interface {
	Prober
	// Subscribe makes the platform's webhooks to the address, and leaves those that are
	// there already. Errors are those of Changed.
	Subscribe(ctx context.Context, a Account, address string) error
}

// WebhookStatus is whether the platform sends webhooks to an account's address.
type WebhookStatus string

// The states of a platform's webhook.
const (
	WebhookUnknown  WebhookStatus = "" // the credentials do not allow to ask, which is no mistake
	WebhookActive   WebhookStatus = "active"
	WebhookInactive WebhookStatus = "inactive" // there, and switched off
	WebhookMissing  WebhookStatus = "missing"  // there is none to the address, or it lacks events that are needed
)

// CatchupRequest is the message that asks function catchup to look at one account. Sending
// it twice is harmless.
type CatchupRequest struct {
	V        int    `json:"v"` // CatchupVersion
	Merchant string `json:"merchant"`
	Account  string `json:"account"`

	// From is where a run goes on that an earlier one had no time for. Zero: at the
	// account's watermark, and somewhat before.
	From time.Time `json:"from,omitzero"`
}

// CatchupVersion is the version of a CatchupRequest written now. The version before is
// read too.
const CatchupVersion = 1

// AskCatchup asks for a look at an account.
func AskCatchup(merchant, account string) CatchupRequest {
	return CatchupRequest{V: CatchupVersion, Merchant: merchant, Account: account}
}

// CaughtUp reports whether catch-up does anything for accounts of the platform.
func CaughtUp(a Adapter) bool {
	_, lists := a.(Lister)
	_, probes := a.(Prober)
	return lists || probes
}

// WebhookPath is where the platform sends an account's webhooks, below the address of the
// API: /webhooks/acme/shop.
func WebhookPath(merchant, account string) string { return "/webhooks/" + merchant + "/" + account }

// SameAddress compares addresses of webhooks, with or without slashes at the end.
func SameAddress(a, b string) bool { return strings.TrimRight(a, "/") == strings.TrimRight(b, "/") }
