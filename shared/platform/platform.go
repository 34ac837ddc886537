// Package platform is the contract between Keypool and the payment platforms that
// report paid orders.
//
// Each platform has a package below this one with an Adapter: it verifies a
// webhook, decodes it into events, and answers it. What becomes of an event is the
// same for all platforms, and decided in package intake. Package platform/all lists
// the adapters; only functions import it.
//
//	webhook ─> Accounts.Verify ─> Sender.Decode ─> intake.Apply ─> Sender.Answer
package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/outbound"
	"keypool/shared/pool"
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
	// request that cannot be read is a *FieldError. ErrTryAgain says that it could not be
	// read now, a *LeftError that catch-up will read it, and a *SetupError that it cannot be
	// before the merchant mends the account.
	Decode(ctx context.Context, r Request, a Account) ([]Event, error)

	// Answer returns the response that tells the platform what it needs to know:
	// whether to send the request again.
	Answer(results []Result) Response
}

// Standard is the name of Keypool's own scheme, the platform of an account that
// names none.
const Standard = "standard"

// Request is a webhook as it was received. What is signed is the body's bytes.
type Request struct {
	Header http.Header
	Body   []byte
}

// MaxBody is the largest body that is parsed, in bytes: Shopify's orders of 100 lines pass
// 256 KiB. Sender.Decode refuses one that is larger.
const MaxBody = 1 << 20

// Configurer is an adapter whose accounts have settings of their own. Accounts of any
// other have none.
type Configurer interface {
	// CheckSettings returns the mistakes in the settings of an account: a *FieldError, or
	// FieldErrors, whose fields are paths in the settings. Raw is a JSON object, {} where
	// the merchant set nothing.
	CheckSettings(raw json.RawMessage) error
}

// Warner is a Configurer whose settings may leave open what a merchant should know.
type Warner interface {
	// Warnings says what settings that CheckSettings takes leave open.
	Warnings(raw json.RawMessage) []string
}

// SettingsForm is a Configurer that shows the form of its settings.
type SettingsForm interface {
	// SettingsForm returns a struct of the form that settings have, without structs in it.
	// The tags of its members are those of the API's document: json, doc, enum, maxLength.
	SettingsForm() any
}

// ShopNamer is a Configurer whose accounts say in their settings which shop they are of.
type ShopNamer interface {
	// Shop returns the shop that settings name, as the platform names it, such as
	// shop.example.com: it is the origin of the account's orders. It returns "" where
	// they name none.
	Shop(settings json.RawMessage) string
}

// PageAnswerer is a Configurer whose accounts say in their settings whether the answer to a
// paid order names the page that its customer has of it.
type PageAnswerer interface {
	AnswersPage(settings json.RawMessage) bool
}

// SecretForm is an adapter whose platform has another form of signing secret than
// whsec_<base64>. Such a secret is made by the platform, never by Keypool.
type SecretForm interface {
	// ParseSecret returns the key of a signing secret as the merchant copied it from the
	// platform. Its error says what to copy, and quotes nothing.
	ParseSecret(text string) ([]byte, error)
}

// SecretReader is a SecretForm whose accounts say in their settings how a secret is read.
type SecretReader interface {
	// CheckSecret returns the mistake in a secret that those settings cannot read. Its error
	// quotes nothing.
	CheckSecret(settings json.RawMessage, text string) error
}

// Fetcher is an adapter that calls its platform's API. Accounts of any other have no
// credentials.
type Fetcher interface {
	// CheckCredential returns the mistake in a credential, or in its name. Its error says
	// what to copy, and does not quote the credential.
	CheckCredential(name, text string) error
}

// Replier is an adapter whose answer depends on the settings of the account.
type Replier interface {
	// AnswerFor returns the response to a webhook of the account, as Answer does.
	AnswerFor(a Account, results []Result) Response
}

// Pinger is an adapter whose platform tries an address, by a request without a signature,
// before it sends webhooks there.
type Pinger interface {
	// Ping returns the answer to such a request, false if r is none.
	Ping(r Request) (Response, bool)
}

// ErrTryAgain is a passing failure of a call that Decode needs. Nothing is stored, the
// answer is 503, and the platform sends the webhook again; see LeftError of one that does not.
var ErrTryAgain = outbound.ErrTryAgain

// Account is a merchant's account with the platform; see catalog.Account.
type Account struct {
	Merchant string
	Name     string
	Platform string
	Origin   string
	Secrets  []SigningSecret // those that are valid now, the newest first
	Settings json.RawMessage // a JSON object that CheckSettings accepted; nil: none was set

	// Test says that the secret that signed the request is marked test. An adapter whose
	// webhooks have no flag of their own takes the side from it. Not known to Verify.
	Test bool

	// AnswersPage says that the answer to a paid order names its page: see PageAnswerer. Known
	// of the sender of a webhook only.
	AnswersPage bool

	// Credentials are those of the platform's API, by their names. They are opened for
	// Decode of a Fetcher, and nil in Verify.
	Credentials map[string]Secret

	DeliversFrom  time.Time // an order paid before claims nothing; zero: all are delivered
	OtherProducts catalog.OtherProducts
}

// PaidBefore says whether an order was paid before the account delivers. One that says no
// time was paid now.
func (a Account) PaidBefore(p Paid) bool {
	return !p.PaidAt.IsZero() && p.PaidAt.Before(a.DeliversFrom)
}

// Identity names a line of an order of the account's, or the order where line is empty. All
// that tells of one line names it so: that is how its events meet.
func (a Account) Identity(side pool.Side, number, line string) order.Identity {
	return order.Identity{Merchant: a.Merchant, Side: side, Origin: a.Origin, Order: number, Line: line}
}

// SigningSecret is one of an account's signing secrets.
type SigningSecret struct {
	Name   string // the merchant's own, such as the event that it signs
	Test   bool   // it signs webhooks of the platform's test mode
	Secret Secret
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
