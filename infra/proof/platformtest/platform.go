package platformtest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"keypool/shared/platform"
)

// Platform is an adapter and the webhooks that its platform sends.
type Platform struct {
	Name     string // as platform/all has it
	Adapter  platform.Adapter
	Settings json.RawMessage // of the account; nil: none

	// Credentials are those of the account, by name, as the merchant copies them.
	Credentials map[string]string

	// Secrets are three signing secrets, as the merchant copies them, and TestSecret one
	// of the platform's test mode: empty where the body says that an order is a test.
	Secrets    [3]string
	TestSecret string

	// Sign signs a webhook by the key of a secret, as of a time, as the platform does.
	Sign func(key []byte, w Webhook, at time.Time) Webhook
	// Signature is the header that holds the signature.
	Signature string
	// Covers returns the parts of a body that the signature covers. Nil: all of it.
	Covers func(body []byte) [][]byte
	// Replays says that a signature is good at any time: the platform signs none.
	Replays bool

	// Events makes the webhooks of an order, by their kinds. Paid must be there; of
	// others, those that the platform sends. A webhook without a body is not sent.
	Events map[Kind]func(Order) Webhook

	// Pad makes a body larger, to exactly size bytes, that means the same. Nil: of JSON, a
	// member that nobody knows.
	Pad func(body []byte, size int) []byte

	// Refused says that a body that can never be taken is answered by a 4xx, as in Keypool's
	// own scheme. A platform switches the endpoint off for one, so others answer 200.
	Refused bool
}

// Webhook is what a platform sends.
type Webhook struct {
	Header http.Header
	Body   []byte
}

// Order is the order that a webhook is about. Product is sold by one key a unit.
type Order struct {
	N        int // numbers the shop's orders
	Product  string
	Quantity int
	Email    string
	PaidAt   time.Time
	Test     bool
	Refund   int // numbers the refunds and disputes of the order
}

// Kind is a kind of event.
type Kind string

// The kinds.
const (
	Paid           Kind = "paid"
	Refunded       Kind = "refunded"        // all of the order
	PartlyRefunded Kind = "partly refunded" // as many units of the line as Quantity says
	AmountRefunded Kind = "amount refunded" // half of the price of the order's only unit: what for, nobody can tell
	RefundFailed   Kind = "refund failed"   // the refund of that number
	DisputeOpened  Kind = "dispute opened"  // of that number
	DisputeWon     Kind = "dispute won"
	DisputeLost    Kind = "dispute lost"
	Recorded       Kind = "recorded"           // an event that only stands in the history of the line
	Dynamic        Kind = "dynamic product"    // a paid order of a product that nobody knows, whose original is Game
	Concerns       Kind = "no concern of ours" // an event that is documented, and nothing is done for
	Unheard        Kind = "unheard of"         // an event of a type that is not documented
	Unreadable     Kind = "unreadable"         // a paid order that can never be taken
)

// The product that a pool feeds, and one that nobody knows.
const (
	Game  = "4711"
	Other = "4712"
)

// signed returns an order's webhook, signed by the n-th of the secrets.
func (p Platform) signed(t testing.TB, kind Kind, o Order, secret string, at time.Time) platform.Request {
	t.Helper()
	return p.request(p.Sign(p.key(t, secret), p.Events[kind](o), at))
}

func (Platform) request(w Webhook) platform.Request {
	r := platform.Request{Header: w.Header.Clone(), Body: bytes.Clone(w.Body)}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	return r
}

// key returns the key of a secret as the merchant copies it.
func (p Platform) key(t testing.TB, secret string) []byte {
	t.Helper()
	parse := platform.ParseSecret
	if form, ok := p.Adapter.(platform.SecretForm); ok {
		parse = form.ParseSecret
	}
	key, err := parse(secret)
	if err != nil {
		t.Fatalf("the sample's secret: %v", err)
	}
	return key
}

// pad returns the body, made larger.
func (p Platform) pad(body []byte, size int) []byte {
	if p.Pad != nil {
		return p.Pad(body, size)
	}
	const before, after = `{"zz_nobody_knows":"`, `",`
	filler := size - len(body) - len(before) - len(after) + 1
	padded := append([]byte(before), bytes.Repeat([]byte{'x'}, filler)...)
	padded = append(padded, after...)
	return append(padded, bytes.TrimSpace(body)[1:]...)
}
