package catalog

// Retention is how long a merchant keeps what is known of customers.
type Retention struct {
	Merchant string
	Version  int
	Days     int // after the last thing that happened to a line; 0: for ever
}

// MaxRetention is the most days of a retention.
const MaxRetention = 3650

// Shown returns the fields of a retention.
func (r Retention) Shown() Shown {
	s := Shown{}
	s.set("days", r.Days)
	return s
}
