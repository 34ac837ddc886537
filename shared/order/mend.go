package order

// Mend is the kind of thing that somebody can do for a line that does not go on by itself, or
// whose mail reached nobody.
type Mend string

// The kinds, in the order in which one hides another.
const (
	MendNothing Mend = ""
	MendDispute Mend = "dispute" // wait for how it ends, or drop it
	MendAddress Mend = "address" // its platform is to report one: there is nowhere to send keys
	MendErased  Mend = "erased"  // give it back: its customer was erased, and it owes something
	MendHold    Mend = "hold"    // release it, or give it back
	MendConnect Mend = "connect" // connect its product to a pool, or set its code
	MendStock   Mend = "stock"   // bring keys: its pool is short
	MendMail    Mend = "mail"    // correct the address: its mail reached nobody
)

// Mend returns what somebody can do for the line.
func (f Fulfillment) Mend() Mend {
	erased := !f.ErasedAt.IsZero()
	switch state := f.State(); {
	case f.InDispute():
		return MendDispute
	case f.LacksAddress() && !erased:
		return MendAddress
	case state == OnHold && erased:
		return MendErased
	case state == OnHold:
		return MendHold
	case state == Unconnected:
		return MendConnect
	case state == Waiting:
		return MendStock
	case state == Fulfilled && f.Mail.ReachedNobody() && !erased:
		return MendMail
	}
	return MendNothing
}
