package order

import (
	"fmt"
	"slices"
	"time"

	"keypool/shared/outbox"
)

var (
	// ErrOwes means that a line still owes its customer something, so that their data is
	// needed: see Owes.
	ErrOwes = fmt.Errorf("the line still owes its customer something: %w", ErrState)
	// ErrMailing means that a mail of the line is being sent at this moment.
	ErrMailing = fmt.Errorf("a mail of the line is being sent: %w", ErrState)
	// ErrRecent means that something has happened to the line not long ago.
	ErrRecent = fmt.Errorf("something has happened to the line since: %w", ErrState)
	// ErrErased means that there is nobody to mail the line's keys to.
	ErrErased = fmt.Errorf("the line's customer was erased: %w", ErrState)
)

// Erase takes away all that the line knows of its customer. What was sold stays: order,
// product, units, keys, times, states and the price.
//
// A line that owes its customer something is on hold afterwards, since there is nobody to
// send it to: it keeps the keys that it has, takes none, and is not mailed, until a person
// gives it back.
func (f *Fulfillment) Erase(now time.Time) {
	if f.Owes() {
		f.Hold(HoldNoAddress)
		f.HeldAt = now
	}
	f.Customer, f.CustomerHash, f.Former, f.FormerHashes, f.ErasedAt = Customer{}, "", nil, nil, now
}

// Owes reports whether the line's customer is still to get something of it: keys, the mail
// with them, or another in the place of one that reached nobody.
func (f Fulfillment) Owes() bool {
	switch f.State() {
	case Waiting, Unconnected, OnHold:
		return true
	case Fulfilled:
		due := f.Mail.State == outbox.Due || f.Mail.State == outbox.Sending
		return due || f.Complete() && f.Mail.Owed() || f.Mail.ReachedNobody()
	default:
		return false
	}
}

// functions are those that write to histories; whoever else does is a person.
var functions = []string{"webhook", "catchup", "fill", "deliver", "sweep", "ses", "retention", "orderpage"}

// ByPerson reports whether a person did it, and no function on its own.
func (h History) ByPerson() bool { return !slices.Contains(functions, h.By) }

// Words reports whether the entry holds what a person wrote: the reason of what they did.
func (h History) Words() bool { return h.Code != "" && h.ByPerson() }

// WithoutWords returns what is known of the order without what persons wrote: the reasons of
// returns and of disputes that they dropped. It reports whether there were any.
func (w Whole) WithoutWords() (Whole, bool) {
	any := false
	returns := make([]Return, len(w.Returns))
	for i, r := range w.Returns {
		any = any || r.Why != ""
		r.Why = ""
		returns[i] = r
	}
	var drops map[string]Drop
	for id, d := range w.Drops {
		any = any || d.Why != ""
		d.Why = ""
		if drops == nil {
			drops = map[string]Drop{}
		}
		drops[id] = d
	}
	if any {
		w.Returns, w.Drops = returns, drops
	}
	return w, any
}
