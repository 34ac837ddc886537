package order

import (
	"time"

	"keypool/shared/pool"
)

// Refusal is the record of a webhook that was signed, or of an order that catch-up found, and
// that Keypool could not take: the order and the mistake, nothing else of its content.
type Refusal struct {
	Merchant string
	Account  string
	Order    string    // empty if it could not be read
	Side     pool.Side // empty if it could not be told
	Body     string    // SHA-256 of the body, which tells orders without a number apart
	Field    string    // with the mistake, as the platform names it; empty: the body
	Problem  string
	At       time.Time

	// Customer is the keyed hash of the address, of an order whose number is another
	// customer's: it tells several such customers apart, and is not stored.
	Customer string
}

// RefusalsKept is how long a refusal can be read. It is deleted some days later at most.
const RefusalsKept = 90 * 24 * time.Hour
