// Package platform is the contract between Keypool and the payment platforms that
// report paid orders.
//
// Each platform has a package below this one with an Adapter: it verifies a
// webhook, decodes it into events, and answers it. What becomes of an event is the
// same for all platforms, and decided in package intake. Package platform/all lists
// the adapters; only functions import it.
//
//	webhook ─> Accounts.Verify ─> Adapter.Decode ─> intake.Apply ─> Adapter.Answer
package platform

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Adapter is one payment platform.
type Adapter interface {
	// HasSignature reports whether a request has the headers that a signature of the
	// platform takes. Without them nothing is looked up.
	HasSignature(h http.Header) bool

	// Verify says which of the account's secrets signed the request, ErrSignature
	// if none did: ErrSecret or ErrClock if the request is well-formed, so that the
	// sender seems to mean it. It reads nothing of the body but its bytes, and takes as
	// long for an account without secrets as for one with them.
	Verify(r Request, a Account, now time.Time) (Signed, error)

	// Decode returns the events that a verified request reports, in their order. A
	// request that cannot be read is a *FieldError.
	Decode(ctx context.Context, r Request, a Account) ([]Event, error)

	// Answer returns the response that tells the platform what it needs to know:
	// whether to send the request again.
	Answer(results []Result) Response
}

// Standard is the name of Keypool's own scheme, the platform of an account that
// names none.
const Standard = "standard"

// Names are the names of the platforms that an account can be of, sorted. Package all
// has an adapter for each.
var Names = []string{Standard}

// Request is a webhook as it was received. What is signed is the body's bytes.
type Request struct {
	Header http.Header
	Body   []byte
}

// MaxBody is the largest body of a request, in bytes.
const MaxBody = 256 << 10

// Account is a merchant's account with the platform; see catalog.Account.
type Account struct {
	Merchant string
	Name     string
	Origin   string
	Secrets  []Secret // those that are valid now, the newest first
}

// Signed says how a request was signed.
type Signed struct {
	Secret int // the index in Account.Secrets of the secret that fits
}

// ErrSignature means that a request is not known to come from the account. The
// sender is told no reason, so that a stranger learns none.
var ErrSignature = errors.New("the signature does not match")

// The reasons of an ErrSignature that a merchant is told: a shop that signs with
// another secret, or by a wrong clock, has its paid orders refused.
var (
	ErrSecret = fmt.Errorf("%w: well-formed and of this time, by none of the account's secrets", ErrSignature)
	ErrClock  = fmt.Errorf("%w: by a secret of the account, at a time too far from now", ErrSignature)
)

// SignatureError is the ErrSignature of an account that exists.
type SignatureError struct {
	Merchant, Account string
	Cause             error // ErrSecret, ErrClock, or ErrSignature for any other reason
}

func (e *SignatureError) Error() string { return e.Cause.Error() }

func (e *SignatureError) Unwrap() error { return e.Cause }

// Response is what the platform is answered.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}
