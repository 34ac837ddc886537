package order

import "time"

// Refusal is the record of a webhook that was signed and that Keypool could not
// take: the order and the mistake, nothing else of its content.
type Refusal struct {
	Merchant string
	Account  string
	Order    string // empty if it could not be read
	Body     string // SHA-256 of the body, which tells such orders apart
	Field    string // with the mistake, as the platform names it; empty: the body
	Problem  string
	At       time.Time
}
