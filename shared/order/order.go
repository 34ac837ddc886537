// Package order holds the lines of paid orders, Keypool's record of each line (the
// fulfillment), the changes that one transaction makes to it, and the record of a
// webhook that was refused.
package order

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"time"

	"keypool/shared/outbox"
	"keypool/shared/pool"
)

// LineID names one paid line of one order for ever: a webhook that is delivered
// twice names the same line twice. It tells nothing about the order, so logs and
// mail tags may carry it.
//
// Its first half names the order, so that the lines of an order stand together
// in the table and are found by the order's own name without an index, which
// would cost every order one more write unit.
type LineID string

// half is the length of each half of a LineID: 22 characters of base64url, 132
// bits of SHA-256. Two orders with the same half are to be expected after some
// 2^66 orders.
const half = 22

// Identity is all that makes a line the line it is. Two lines are one if, and
// only if, every field is the same.
type Identity struct {
	Merchant string
	Side     pool.Side
	Origin   string // the shop it was paid in; see catalog.Account
	Order    string // as the platform names it
	Line     string // as the platform names it; the product where it names no line
	Part     string // of a bundle; empty: the whole line
}

// ID returns the line's identity as one text: for its order and then for the
// line, the truncated base64url SHA-256 of the length-prefixed fields.
func (i Identity) ID() LineID {
	return LineID(i.OrderID() + digest(i.Merchant, string(i.Side), i.Origin, i.Order, i.Line, i.Part))
}

// OrderID returns the half of a LineID that all lines of the order share.
func (i Identity) OrderID() string {
	return digest(i.Merchant, string(i.Side), i.Origin, i.Order)
}

// OrderHalf returns the half of the identity that all lines of the order share.
func (id LineID) OrderHalf() string { return string(id[:half]) }

// LineHalf returns the half of the identity that tells the lines of an order apart.
func (id LineID) LineHalf() string { return string(id[half:]) }

// Valid says whether id has the form of a LineID. Identities from outside, such as the
// tag of a mail event, are checked by it.
func (id LineID) Valid() bool {
	if len(id) != 2*half {
		return false
	}
	_, err := base64.RawURLEncoding.DecodeString(string(id))
	return err == nil
}

func digest(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		io.WriteString(h, part)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))[:half]
}

// State is how a fulfillment stands. It follows from its numbers.
type State string

// The states of a fulfillment.
const (
	Fulfilled   State = "fulfilled"   // holds every key it paid for
	Waiting     State = "waiting"     // keys are missing; it stands in its pool's queue
	Unconnected State = "unconnected" // no pool feeds its product, or it has no code; it stands in its product's queue
	OnHold      State = "on_hold"     // held for a reason: gets no keys, stands in no queue, is not mailed
	Returned    State = "returned"    // given back in full
	Expected    State = "expected"    // returned, in whole or in part, before it was paid; stands in no queue
)

// Customer is who paid. A platform that does not know a field leaves it empty.
type Customer struct {
	Name       string
	FirstName  string
	LastName   string
	Email      string
	Phone      string
	Company    string
	Country    string // ISO 3166-1 alpha-2
	City       string
	Zip        string
	Address    string
	LicenseFor string // the product's owner, if not the customer
	AddInfo    string // free text the customer added
}

// Fulfillment is the record of one paid line: order record, idempotency record
// and outbox entry in one. Every write to it is conditional on its Version.
type Fulfillment struct {
	ID      LineID
	Version int

	Merchant string
	Side     pool.Side
	Account  string // the merchant's account it was paid through, as he named it then
	Origin   string // that account's shop; part of the line's identity
	Order    string
	Line     string
	Product  string
	Original string // of a dynamic product: the product whose fulfillment it takes; empty: its own
	Risk     string // the platform's verdict on the order, in its own word; empty: none
	Parent   string // the order that its order renews, of the same shop; empty: none
	// KeysOfParent means that the line takes no keys: its mail holds those of its parent.
	KeysOfParent bool
	// SharedCode means that the line takes no key of a pool: it gets the code of its product,
	// which is everybody's.
	SharedCode bool
	Pool       string // empty while no pool feeds the product, and of KeysOfParent and SharedCode

	Quantity    int // units paid for
	KeysPerUnit int // keys due for each of them; 0: their number does not depend on the units
	Wanted      int // keys due for all units; 0 while unconnected, and of KeysOfParent
	Allocated   int // good keys it holds, Keys and chunks together

	// What was given back. Returned follows from the others: see Connect and Return.
	ReturnedUnits int
	ReturnedAll   bool // all units, also of a line whose units or keys are not known yet
	Returned      int  // keys that are not due any more, though the line may hold them still
	// KeysBack are the keys that the line holds beyond those it is due (see Surplus), and
	// what becomes of them, in the order of the returns: each return decides for its own.
	KeysBack []KeysBack
	// OwnReturns are units that persons returned under ids of their own, and that no refund of
	// the platform has answered yet: see Refund.
	OwnReturns []OwnReturn
	// MatchedRefunds are the refunds of the platform that were taken for those, by their ids. A
	// person who names one says that it was another, and what it is of.
	MatchedRefunds []string
	// LastReturn is the refund, or the return of the order, by which its platform last gave
	// something of it back, and ReturnedAt when, by the platform's clock where it says. Both
	// are empty if a person or a dispute did.
	LastReturn string
	ReturnedAt time.Time

	// Holds are the reasons for which the line is on hold, sorted.
	Holds []Hold
	// Released are the reasons of rules that a person has released it from.
	Released []Hold
	HeldAt   time.Time // when a rule, or somebody by hand, last held it
	// PaidAfter are the returns of its whole order that came before the line was paid, by
	// their ids. They hold it once (see HoldPaidAfterReturn), and forbid nothing after a
	// person has released it.
	PaidAfter []string

	// Expected means that the line was not paid yet: the record keeps what was returned
	// of it. The payment fills in the rest.
	Expected bool

	// OrderLines is how many lines its order was paid with, those too that are not stored
	// yet, or that Keypool does not deliver: an amount that is given back may be theirs.
	OrderLines int

	// Keys are the keys it holds, in the order they were taken. A record read
	// without its chunks holds the first InlineKeys at most.
	Keys   []pool.Key
	Chunks int // items that hold the keys beyond InlineKeys

	// Replaced are keys that were set aside for others: naming one again replaces nothing.
	Replaced []pool.KeyID

	// Takes are those of its keys that are not in the count of its pool's keys yet, in
	// the order they were taken. The mailer of the keys counts them.
	Takes []pool.Take

	// How it got its keys: Claimed are those that it took when it was paid, and Filled those
	// that came while it waited, the last at FilledAt. Given back or replaced, they count still.
	BroughtBy string // the function that the payment came by
	Claimed   int
	Filled    int
	FilledAt  time.Time

	ReceivedAt time.Time
	PaidAt     time.Time
	ChangedAt  time.Time // when its order last changed, of a platform whose later changes correct the customer; else zero
	Currency   string    // ISO 4217
	Language   string    // BCP 47
	UnitPrice  string    // decimal, as the platform wrote it
	Title      string    // the product's name as the platform wrote it; the catalog's comes first
	Customer   Customer
	// CustomerHash is the keyed hash of the customer's address: see HashAddress.
	CustomerHash string
	// Former are the customer's addresses before persons corrected them, the one that the
	// order was paid with first: see CorrectAddress.
	Former []string
	// FormerHashes are their keyed hashes, by which the line is found too. That of an address
	// that the line has again is empty: it is found by that already.
	FormerHashes []string
	ErasedAt     time.Time // since when nothing of the customer is kept; zero: it is. See Erase

	// ShownAt is when its keys were first shown on a page; zero: never. See KeysSeen.
	ShownAt time.Time

	Mail outbox.Entry
}

// KeysBack are keys that one return took from what its line is due.
type KeysBack struct {
	Keys int
	To   Disposition // empty: what the settings say
}

// OwnReturn is a return of units under an id that a person gave it, such as a ticket's number.
type OwnReturn struct {
	ID    string
	Units int // without those that a refund has answered
}

// InlineKeys is how many keys a fulfillment holds in its own item.
const InlineKeys = 20

// Missing returns how many keys the line still has a right to.
func (f Fulfillment) Missing() int { return f.Wanted - f.Returned - f.Allocated }

// Surplus returns how many keys the line holds beyond those it is due, after a return
// that takes more than one change.
func (f Fulfillment) Surplus() int { return max(0, -f.Missing()) }

// State returns the state that follows from the numbers. What is returned stays
// returned, whatever else holds it.
func (f Fulfillment) State() State {
	switch {
	case f.Expected:
		return Expected
	case f.ReturnedAll || f.Wanted > 0 && f.Returned >= f.Wanted:
		return Returned
	case len(f.Holds) > 0:
		return OnHold
	case !f.fed():
		return Unconnected
	case f.Missing() > 0:
		return Waiting
	default:
		return Fulfilled
	}
}

// fed reports whether the keys of the line come from somewhere: a pool, its parent, or its
// product, whose code it holds.
func (f Fulfillment) fed() bool {
	return f.Pool != "" || f.KeysOfParent || f.SharedCode && f.Missing() <= 0
}

// ConnectedBy returns the product that connects the line to a pool: the original of a
// dynamic product, else its own.
func (f Fulfillment) ConnectedBy() string { return cmp.Or(f.Original, f.Product) }

// Waits reports whether the line stands in a queue, that of its pool or of its product.
func (f Fulfillment) Waits() bool {
	state := f.State()
	return state == Waiting || state == Unconnected
}

// Active reports whether the line may get keys and be mailed.
func (f Fulfillment) Active() bool {
	return f.Waits() || f.State() == Fulfilled
}

// Connect names the pool that feeds the line, and the keys due for its units. Units that
// were returned before get none.
func (f *Fulfillment) Connect(pool string, perUnit, wanted int) {
	f.Pool, f.KeysPerUnit, f.Wanted = pool, perUnit, wanted
	f.countReturned()
}

// ShareCode has the line get the code of its product, one for all of its units.
func (f *Fulfillment) ShareCode() {
	f.SharedCode = true
	f.Connect("", 0, 1)
}

// Disconnect has the line wait until its product is connected.
func (f *Fulfillment) Disconnect() {
	f.SharedCode = false
	f.Connect("", 0, 0)
}

// RenewParent has the line take no keys, and deliver those of its parent.
func (f *Fulfillment) RenewParent() {
	f.KeysOfParent, f.Wanted, f.KeysPerUnit = true, 0, 0
	f.countReturned()
}

// Complete reports whether the line is free to be mailed, and holds all keys that it is
// due and no other; or it owes a mail with the keys of its parent.
func (f Fulfillment) Complete() bool {
	return f.State() == Fulfilled && f.Missing() == 0 && (f.Allocated > 0 || f.KeysOfParent)
}

// Mailable reports whether the keys of the line can be mailed, once more too.
func (f Fulfillment) Mailable() bool { return f.ErasedAt.IsZero() && f.Complete() }

// Replaceable reports whether the line can get another key for one that it holds.
func (f Fulfillment) Replaceable() bool { return f.Mailable() && !f.SharedCode && !f.KeysOfParent }

// Showable reports whether the keys of the line may be shown to its customer: those that a
// mail could bring. W is what is known of its order.
func (f Fulfillment) Showable(w Whole) bool {
	_, forbidden := w.Forbids(f)
	return !forbidden && f.Complete() && !f.KeysOfParent
}

// KeysSeen reports whether somebody may know keys that the line has or had: a mailer leased a
// mail with them, or a page showed them.
func (f Fulfillment) KeysSeen() bool { return f.Mail.KeysLeft() || !f.ShownAt.IsZero() }

// Paid returns the line of an expected record once it is paid: what was returned of it
// stays returned.
func (f Fulfillment) Paid(line Fulfillment) Fulfillment {
	line.ID, line.Version, line.OwnReturns, line.MatchedRefunds = f.ID, f.Version+1, f.OwnReturns, f.MatchedRefunds
	line.ReturnedUnits, line.ReturnedAll = f.ReturnedUnits, f.ReturnedAll
	line.LastReturn, line.ReturnedAt = f.LastReturn, f.ReturnedAt
	if line.ReturnedAll || line.ReturnedUnits >= line.Quantity {
		line.ReturnAll()
	} else {
		line.countReturned()
	}
	return line
}

// Return gives units back, all of them if there are no more. Nothing is returned twice:
// units beyond those paid for are not counted.
func (f *Fulfillment) Return(units int) {
	f.ReturnedUnits += units
	if !f.Expected && f.ReturnedUnits >= f.Quantity {
		f.ReturnAll()
		return
	}
	f.countReturned()
}

// ReturnOwn gives units back that a person returns under an id of his own. A refund of the
// platform may follow, and be of the same units.
func (f *Fulfillment) ReturnOwn(id string, units int) {
	f.OwnReturns = append(slices.Clip(f.OwnReturns), OwnReturn{id, units})
	f.Return(units)
}

// Refund gives units back that the platform refunded, but for those that persons returned
// before, under ids of their own: most likely that is the money of those. It returns how many
// these are. Of a line of which nothing is left, there are none.
func (f *Fulfillment) Refund(id string, units int) (answered int) {
	if f.ReturnedAll {
		return 0
	}
	var left []OwnReturn
	for _, own := range f.OwnReturns {
		n := min(own.Units, units-answered)
		answered += n
		if own.Units > n {
			left = append(left, OwnReturn{own.ID, own.Units - n})
		}
	}
	f.OwnReturns = left
	if units > answered {
		f.Return(units - answered)
	}
	if answered > 0 && !f.ReturnedAll {
		f.MatchedRefunds = append(slices.Clip(f.MatchedRefunds), id)
	}
	return answered
}

// ConfirmOwn notes that the platform tells of a refund, and reports whether a person returned
// units under its id before: nothing else answers that return.
func (f *Fulfillment) ConfirmOwn(refund string) bool {
	others := slices.DeleteFunc(slices.Clone(f.OwnReturns), func(own OwnReturn) bool { return own.ID == refund })
	known := len(others) < len(f.OwnReturns)
	f.OwnReturns = others
	return known
}

// Unmatch notes that a person calls a refund another than those it was taken for, and reports
// whether it was taken for any.
func (f *Fulfillment) Unmatch(refund string) bool {
	others := slices.DeleteFunc(slices.Clone(f.MatchedRefunds), func(id string) bool { return id == refund })
	was := len(others) < len(f.MatchedRefunds)
	f.MatchedRefunds = others
	return was
}

// ReturnAll gives all units back.
func (f *Fulfillment) ReturnAll() {
	f.ReturnedAll = true
	if !f.Expected {
		f.ReturnedUnits = f.Quantity
	}
	f.countReturned()
}

// NoteReturn notes the return that last gave something of the line back. One at no time is
// not its platform's.
func (f *Fulfillment) NoteReturn(by string, at time.Time) {
	if at.IsZero() {
		by = ""
	}
	f.LastReturn, f.ReturnedAt = by, at
}

// PaidSince reports whether a payment of the line, which its platform had given back in
// full, is later than that: the shop has taken the return back, or was paid once more.
// ChangedAt is when the payment's order last changed, zero where the platform does not say;
// then only a payment of another time can be later. A payment that is reported late, or
// again as it was, is not.
func (f Fulfillment) PaidSince(changedAt, paidAt time.Time) bool {
	if f.State() != Returned || f.ReturnedAt.IsZero() {
		return false
	}
	later := changedAt
	if changedAt.IsZero() && !SameMoment(paidAt, f.PaidAt) {
		later = paidAt
	}
	return later.Truncate(time.Millisecond).After(f.ReturnedAt)
}

// SameMoment compares times as they are stored, to the millisecond.
func SameMoment(a, b time.Time) bool {
	return a.Truncate(time.Millisecond).Equal(b.Truncate(time.Millisecond))
}

// countReturned counts the keys that are not due any more. Where the number of keys does
// not depend on the units, all of them are due until the last unit is returned.
func (f *Fulfillment) countReturned() {
	if f.ReturnedAll {
		f.Returned = f.Wanted
		return
	}
	f.Returned = min(f.ReturnedUnits*f.KeysPerUnit, f.Wanted)
}

// IsOf reports whether a customer is the line's, by the keyed hash of the address that it has,
// or had before a person corrected it.
func (f Fulfillment) IsOf(customerHash string) bool {
	return f.CustomerHash == customerHash || customerHash != "" && slices.Contains(f.FormerHashes, customerHash)
}

// Identity is all that names the line.
func (f Fulfillment) Identity() Identity {
	return Identity{Merchant: f.Merchant, Side: f.Side, Origin: f.Origin, Order: f.Order, Line: f.Line}
}

// PoolID names the pool side that feeds the line.
func (f Fulfillment) PoolID() pool.ID {
	return pool.ID{Merchant: f.Merchant, Pool: f.Pool, Side: f.Side}
}

// HashAddress returns the keyed hash by which a customer's orders can be found,
// under the merchant's salt: "" for no address. Addresses that differ in letter case or
// in blanks around them have the same hash.
func HashAddress(salt []byte, address string) string {
	address = plainAddress(address)
	if address == "" {
		return ""
	}
	mac := hmac.New(sha256.New, salt)
	io.WriteString(mac, "address:")
	io.WriteString(mac, address)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// SameCustomer reports whether a customer may be the one who paid for the line. It
// compares addresses and not their hashes, so that a repeat is known under whatever
// salt it is hashed. A side without an address is the same customer, and so is one with an
// address of the line's that a person corrected: its platform goes on telling that.
func (f Fulfillment) SameCustomer(c Customer) bool {
	given := plainAddress(c.Email)
	return f.Customer.Email == "" || given == "" || f.HasAddress(c.Email) ||
		slices.ContainsFunc(f.Former, func(former string) bool { return plainAddress(former) == given })
}

// HasAddress reports whether the line's mails go to an address.
func (f Fulfillment) HasAddress(email string) bool {
	return plainAddress(f.Customer.Email) == plainAddress(email)
}

func plainAddress(address string) string { return strings.ToLower(strings.TrimSpace(address)) }
