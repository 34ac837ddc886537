package callback

import "time"

// Refused is what is kept of a signed callback that could not be taken: which
// order and what stood in the way, none of its content.
type Refused struct {
	Merchant string
	Account  string
	Order    string // "" where it could not be read
	Body     string // hash of the body, which tells such orders apart
	Field    string
	Problem  string
	At       time.Time
}
