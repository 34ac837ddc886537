package platform

import (
	"context"
	"iter"
	"time"
)

// Lister is a Fetcher whose platform's API lists what changed, for catch-up: a webhook that
// never came is made up for.
type Lister interface {
	// Changed yields every purchase of the account that changed at since or later, the
	// earliest change first. It ends after the first error: ErrTryAgain, or a *SetupError
	// that says what the merchant is to mend. Purchases before it are whole.
	Changed(ctx context.Context, a Account, since time.Time) iter.Seq2[Purchase, error]
}

// Purchase is an order as the platform's API shows it now. The order and its lines have the
// IDs that webhooks give them, and so have its refunds and disputes.
type Purchase struct {
	ChangedAt time.Time // of the platform's clock; catch-up goes on from here
	Returned  []Returned
	Disputed  []Disputed
	Paid      *Paid // nil: not paid, or only its refunds changed
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
	WebhookActive   WebhookStatus = "active"
	WebhookInactive WebhookStatus = "inactive" // there, and switched off
	WebhookMissing  WebhookStatus = "missing"  // there is none to the address, or it lacks events that are needed
)
