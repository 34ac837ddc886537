// Package catalog holds the settings of merchants: the merchant, and its pools,
// products and accounts with payment platforms. Package settings changes them.
// Cached reads them through a cache.
//
// Version counts the changes of a setting from 1; a setting of version 0 has not
// been stored.
package catalog

import (
	"encoding/json"
	"slices"
	"time"

	"keypool/shared/order"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// Merchant is a seller, the owner of pools, products and accounts.
type Merchant struct {
	Name    string // in addresses and paths; see pool.CheckName
	Version int

	Title         string // as customers know it
	NoticeAddress string // mail address that notices go to
	SenderName    string // shown as the sender of customers' mails; Title where empty
	ReplyTo       string
	Logo          string   // https address of a picture
	Languages     []string // BCP 47, the first is the default
	TimeZone      string   // IANA name; UTC where empty
	DefaultPool   string   // feeds products that name no pool

	Frames map[string]Frame // by BCP 47 tag: what stands around a text in place of Keypool's words
	Color  string           // of the brand: "#0b57c2"; Keypool's own where empty

	// ReturnedKeys is what becomes of keys that an order gives back, of products that do
	// not say so themselves; revoked where empty.
	ReturnedKeys order.Disposition

	Uploads upload.Limits // of what its files bring in a day; zeros: the defaults
	Calls   int           // of the API that its tokens may make in a day; 0: the default
	Mails   int           // notices that it gets in a day; 0: the default

	// Salt keys the hashes of the merchant's license keys and of its customers'
	// addresses. It is random, made with the merchant, never changed, never shown.
	Salt []byte

	// LinkKey is what links to the pages of its orders are signed by: see package link. It is
	// random, made with the merchant, never changed, never shown.
	LinkKey []byte
}

// DefaultCalls is the most that the tokens of a merchant call in a day, by UTC, if the
// operator set no other number.
const DefaultCalls = 100_000

// DefaultMails is the number of notices that a merchant gets in a day, by UTC, if the operator
// set no other number.
const DefaultMails = 500

// Pool holds the settings of a pool. Its live and its test side share them.
type Pool struct {
	Merchant string
	Name     string // see pool.CheckName
	Version  int

	Title    string
	LowStock int           // a notice is sent when fewer live keys are left; 0: never
	Reminder time.Duration // time between notices while stock stays low; 0: one notice only
	Shards   int           // index partitions of each side; only ever grows

	// NoticeAddresses are further mail addresses that get the warnings of the pool's stock,
	// each a mail of its own, besides the merchant's notice address.
	NoticeAddresses []string
}

// The defaults of a pool.
const (
	DefaultLowStock = 10
	DefaultReminder = 24 * time.Hour
)

// Mode is the unit that keys are counted for.
type Mode string

// The modes of a product.
const (
	PerUnit Mode = "per_unit" // Count keys for each unit
	PerLine Mode = "per_line" // Count keys for the line, however many units
	Shared  Mode = "shared"   // the product's code, which is everybody's and is not used up; Count is 1
)

// KeyRule gives the number of keys of an order line: 2 per unit, 1 per line, one code for
// everybody.
type KeyRule struct {
	Mode  Mode
	Count int // at least 1
}

// Wanted returns the number of keys of a line with that quantity.
func (r KeyRule) Wanted(quantity int) int {
	if r.Mode != PerUnit {
		return r.Count
	}
	return r.Count * quantity
}

// PerUnit returns the number of keys of each unit, 0 if the number of keys of a line does
// not depend on its units.
func (r KeyRule) PerUnit() int {
	if r.Mode != PerUnit {
		return 0
	}
	return r.Count
}

// Text is a merchant's own text of a customer's mail, with substitution tags such
// as {KEY}: see package text.
type Text struct {
	Subject string
	Body    string
	Format  string // how the body is written: see package text
}

// Frame is what a merchant has around a text in place of Keypool's words. What is empty is
// Keypool's.
type Frame struct {
	Greeting  string // one line, with tags of the customer's name, for a customer who has one
	Signature string // lines
	Footer    string // one line
}

// Product is one product that a shop sells.
type Product struct {
	Merchant string
	ID       string // chosen by the platform
	Version  int

	// Aliases are other ids of the product, by which other platforms sell it. An id names
	// one product.
	Aliases []string

	Title           string // full name
	ShortTitle      string // name without its subtitle; Title where empty
	Pool            string // feeds it; the merchant's default pool where empty
	PoolsByCurrency map[string]string
	Keys            KeyRule
	Codes           map[pool.Side]Code // for lines while Keys say so; a side without one sells nothing then
	Texts           map[string]Text    // by BCP 47 tag
	Instructions    string             // https address
	Download        string             // https address
	Redeem          Redeem             // until which day its keys are to be redeemed, as customers are told
	Original        string             // id of the product to inherit from, see Inherit
	ReturnedKeys    order.Disposition  // what becomes of keys that an order gives back; the merchant's setting where empty

	// Renewal is what an order gets that renews another; NewKey where empty.
	Renewal Renewal

	OrderPage OrderPage // the merchant's setting where empty

	// Review are rules of the product's own: its lines follow them alone. Nil: the
	// merchant's.
	Review *Rules

	// Ignored means that Keypool has no keys for the product, by the merchant's own
	// choice: no pool feeds it, not even the default pool, and no notice is sent.
	Ignored bool
}

// Code names the key that is the code of a product. Its text stands in the table of keys
// alone.
type Code struct {
	Product string // whose code it is: the product itself, or its original
	Key     pool.KeyID
	SetAt   time.Time
}

// Renewal is what the renewal of an order gets.
type Renewal string

// What a renewal may get.
const (
	NewKey    Renewal = "new_key"    // keys of its own, as any order
	ParentKey Renewal = "parent_key" // the keys of the order that it renews, mailed again
)

// IDs returns every id that the product is sold by: its own, and its aliases.
func (p Product) IDs() []string { return append([]string{p.ID}, p.Aliases...) }

// RenewsParent says whether a line that renews a parent delivers the parent's keys.
func (p Product) RenewsParent(parent string) bool {
	return p.Renewal == ParentKey && parent != "" && !p.Ignored
}

// PoolFor returns the name of the pool that feeds the product in an order of that
// currency: the pool of the currency, else the product's own pool, else the
// merchant's default pool. It returns false if there is none, or the product has a code.
func (p Product) PoolFor(currency string, m Merchant) (string, bool) {
	if p.Ignored || p.Keys.Mode == Shared {
		return "", false
	}
	for _, name := range []string{p.PoolsByCurrency[currency], p.Pool, m.DefaultPool} {
		if name != "" {
			return name, true
		}
	}
	return "", false
}

// NewCode is a key that becomes the code of a product.
type NewCode struct {
	Key       pool.KeyID
	OtherSide pool.KeyID // of the same text on the other side: there must be none
	Text      pool.Secret
}

// CodeFor returns the code that a line of the side gets, false if it gets keys of a pool, or
// there is none.
func (p Product) CodeFor(side pool.Side) (Code, bool) {
	if p.Ignored || p.Keys.Mode != Shared {
		return Code{}, false
	}
	code, set := p.Codes[side]
	return code, set
}

// Account is a merchant's account with a payment platform: who may report paid
// orders, and where.
type Account struct {
	Merchant string
	Name     string // the merchant's own name for it, in the webhook's address; see pool.CheckName
	Version  int

	Platform string // the platform's name, such as standard for Keypool's own scheme

	// Origin is the shop that the account's orders are paid in, as the platform
	// names it: a domain, a store, a seller's id. Keypool's own scheme names no
	// shop: there it is a random id, made when the account is created.
	//
	// It is part of the identity of every line paid through the account, so it
	// never changes, and another account's is never the same.
	Origin string

	// Secrets are the sealed signing secrets, newest first. There is more than one
	// while they are rotated, so that no webhook is refused meanwhile, and where the
	// platform signs each kind of event with a secret of its own.
	Secrets []SealedSecret

	// Credentials are the sealed credentials of the platform's API, by name.
	Credentials []SealedCredential

	// DeliversFrom is the time from which orders are delivered: one that was paid
	// before claims nothing. Zero: all are.
	DeliversFrom time.Time

	// OtherProducts is what becomes of paid products that the catalog does not know.
	OtherProducts OtherProducts

	// Settings are those of the platform, as its adapter checked them: a JSON object.
	Settings json.RawMessage
}

// Origins returns the origins of accounts, each once: those of one shop have the same, such
// as one for its live orders and one for its test orders.
func Origins(accounts []Account) (origins []string) {
	for _, account := range accounts {
		if !slices.Contains(origins, account.Origin) {
			origins = append(origins, account.Origin)
		}
	}
	return origins
}

// ByHand is the account of orders that people fulfil, and that no platform knows. Nobody
// can set it up, and no webhook comes to it.
func ByHand(merchant string) Account {
	return Account{Merchant: merchant, Name: ByHandName, Origin: "by hand"} // no shop has such a name
}

// ByHandName is the name that no other account may have.
const ByHandName = "by-hand"

// Roster is a merchant's accounts as they were at one moment. What no two accounts may have,
// such as a secret, is checked against it.
type Roster struct {
	Version  int // grows with each change of an account
	Accounts []Account
}

// OtherProducts is what becomes of a paid line whose product the catalog does not know.
type OtherProducts string

// What may become of other products.
const (
	OthersUnconnected OtherProducts = "unconnected" // the line waits until its product is connected, and the merchant is told
	OthersIgnored     OtherProducts = "ignore"      // the line is passed over, and nothing is stored
)

// SealedSecret is a signing secret, encrypted under the deployment's key with
// merchant and account as the encryption context.
type SealedSecret struct {
	Name        string // the merchant's own; empty in Keypool's own scheme
	Test        bool   // signs webhooks of the platform's test mode
	Blob        []byte
	Fingerprint []byte // the same for the same secret of a merchant: see package settings
	CreatedAt   time.Time
	ExpiresAt   time.Time // the secret is not accepted from then on; zero: never
}

// SealedCredential is a credential of a platform's API, encrypted under the
// deployment's key in another encryption context than a signing secret: with the name
// of the credential beside merchant and account.
type SealedCredential struct {
	Name        string
	Blob        []byte
	Fingerprint []byte // as that of a SealedSecret: the same text may be both; nil: it has not the form of a secret
	CreatedAt   time.Time
}

// Calls are the webhooks that came to an account's address.
type Calls struct {
	LastSeenAt   time.Time    // when the account last signed one, a minute ago or less; zero: never
	Failed       int          // those that it did not sign
	LastFailedAt time.Time    // zero: none
	FailedHours  []FailedHour // those it did not sign, by the hour, the newest first, KeptHours at most
	Last         []Call       // the newest first, KeptCalls at most; some may be missing
}

// FailedHour counts the webhooks of an hour that an account did not sign.
type FailedHour struct {
	From     time.Time // when the hour begins
	Webhooks int
}

// What is kept of an account's webhooks.
const (
	KeptCalls     = 20 // webhooks
	keptNotSigned = 5  // of these, such as it did not sign: strangers push out none of the shop's
	KeptHours     = 24 // counts of those that it did not sign
)

// NotSigned is what became of a webhook that its account did not sign.
const NotSigned = "not_signed"

// Call is a webhook that came to an account's address, and what became of it. It holds no
// more of the webhook's content.
type Call struct {
	At     time.Time
	Event  string      // paid, refunded, disputed, or the platform's own name of it; empty: it could not be read
	Order  string      // the platform's id of the order; empty: none
	Became string      // accepted, skipped, changed, rejected, left_to_catchup, failed, not_signed; empty: it was being taken, and nothing was heard of it since
	State  order.State // of the order's first line, of one that was accepted
}

// IsZero reports whether there is nothing to tell.
func (c Calls) IsZero() bool {
	return c.LastSeenAt.IsZero() && c.LastFailedAt.IsZero() && c.Failed == 0 && len(c.Last) == 0
}

// MergeCalls returns the newest of both, the newest first: KeptCalls at most, and few of those
// that were not signed. Of one that is in both, what more says of it counts.
func MergeCalls(calls, more []Call) []Call {
	all := slices.Clone(more)
	for _, c := range calls {
		if !slices.ContainsFunc(more, func(m Call) bool { return m.At.Equal(c.At) && m.Order == c.Order }) {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b Call) int { return b.At.Compare(a.At) })
	notSigned := 0
	all = slices.DeleteFunc(all, func(c Call) bool {
		if c.Became == NotSigned {
			notSigned++
		}
		return c.Became == NotSigned && notSigned > keptNotSigned
	})
	return all[:min(len(all), KeptCalls)]
}

// AddFailedHours returns the sums of both, the newest hour first.
func AddFailedHours(hours, more []FailedHour) []FailedHour {
	all := slices.Clone(hours)
	for _, m := range more {
		if i := slices.IndexFunc(all, func(h FailedHour) bool { return h.From.Equal(m.From) }); i >= 0 {
			all[i].Webhooks += m.Webhooks
		} else {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b FailedHour) int { return b.From.Compare(a.From) })
	return all[:min(len(all), KeptHours)]
}

// Stock counts the keys of one side of a pool. Available, Claimed, Revoked and Withdrawn
// together are the keys that uploads added to it. Available was exact at AsOf; zero: it
// was never counted key by key.
type Stock struct {
	Pool      pool.ID
	Available int
	Claimed   int
	Revoked   int
	Withdrawn int
	Waiting   int // lines in the queue, counted up to 1,000

	WaitingSince time.Time // when the first of them came in; zero: none waits

	AsOf time.Time
	Sold Sales
}

// Count is what uploads, mails and the last recount say of a pool side's keys.
type Count struct {
	Accepted  int // by uploads
	Taken     int // by lines, and not for sale again; see pool.Take
	Revoked   int // of them, given back by lines
	Withdrawn int // taken out of sale by hand

	// SettledAt is the moment up to which Taken includes all takes.
	SettledAt time.Time
	SettledOn string // the day of the recount that found it, 2006-01-02 in UTC
	Look      Look

	Sold Sales
}

// Settlement is what a recount found.
type Settlement struct {
	Taken int       // by lines, up to Until
	Until time.Time // a quiet moment
	Day   string    // whose recount is done, 2006-01-02 in UTC

	Late   int      // of Taken, those that were not counted until now: the day before is told to have sold them
	Forget []string // days that are told of no more
}

// Available is what the count says is for sale. A take that was lost is not in Taken until
// the next recount; keys that were given back since are not for sale all the same.
func (c Count) Available() int { return c.Accepted - max(c.Taken, c.Revoked) - c.Withdrawn }

// Look is a look of the recount at a pool side. Whatever is added to the count makes
// it void, so that a look that stands tells that no key came or was counted since.
type Look struct {
	At        time.Time // zero: none stands
	Counted   bool
	Available int // keys, if they were counted
}
