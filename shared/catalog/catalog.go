// Package catalog holds what a merchant sets up: who they are, their pools,
// products and accounts with payment platforms.
package catalog

import (
	"time"

	"keypool/shared/pool"
)

// Merchant sells; it owns pools, products, accounts and mail settings.
type Merchant struct {
	Name    string // in addresses and paths; see pool.CheckName
	Version int

	Title         string // as customers know it
	NoticeAddress string // where notices go
	SenderName    string // shown as the sender of customers' mails; Title where empty
	ReplyTo       string
	Logo          string   // https address of a picture
	Languages     []string // BCP 47, the first is the default
	TimeZone      string   // IANA name; UTC where empty
	DefaultPool   string   // feeds products that name no pool

	// Salt keys the hashes of this merchant's keys and addresses. It is random,
	// made once with the merchant, never changed and never shown.
	Salt []byte
}

// Pool is the settings of a pool, both sides.
type Pool struct {
	Merchant string
	Name     string // see pool.CheckName
	Version  int

	Title    string
	LowStock int           // told when fewer than this many live keys are left; 0: never
	Reminder time.Duration // told again while still low; 0: never
	Shards   int           // index partitions of each side; only ever grows
}

// The settings of a pool that names none.
const (
	DefaultLowStock = 10
	DefaultReminder = 24 * time.Hour
)

// Mode says how the number of keys follows from the units paid for.
type Mode string

// The modes of a product.
const (
	PerUnit Mode = "per_unit" // Count keys for each unit
	PerLine Mode = "per_line" // Count keys for the line, however many units
)

// KeyRule says how many keys a line of a product gets.
type KeyRule struct {
	Mode  Mode
	Count int // at least 1
}

// Wanted returns the number of keys due for so many units.
func (r KeyRule) Wanted(quantity int) int {
	if r.Mode == PerLine {
		return r.Count
	}
	return r.Count * quantity
}

// Text is a merchant's own words in a customer's mail, with substitution tags;
// see package text.
type Text struct {
	Subject string
	Body    string
}

// Product is what the shop sells.
type Product struct {
	Merchant string
	ID       string // as the platform writes it
	Version  int

	Title           string // full name
	ShortTitle      string // name without its subtitle; Title where empty
	Pool            string // feeds it; the merchant's default pool where empty
	PoolsByCurrency map[string]string
	Keys            KeyRule
	Texts           map[string]Text // by BCP 47 tag
	Instructions    string          // https address
	Download        string          // https address
	Original        string          // product to inherit from

	// Ignored says that Keypool has no keys for the product, and that this is
	// right: no pool feeds it, not even the default one, and nobody is told.
	Ignored bool
}

// PoolFor returns the name of the pool that feeds the product for an order in
// the currency, false if none does: the pool of the currency, else the
// product's own, else the merchant's default.
func (p Product) PoolFor(currency string, m Merchant) (string, bool) {
	if p.Ignored {
		return "", false
	}
	for _, name := range []string{p.PoolsByCurrency[currency], p.Pool, m.DefaultPool} {
		if name != "" {
			return name, true
		}
	}
	return "", false
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
	// while they are rotated, so that no webhook is refused meanwhile.
	Secrets []SealedSecret
}

// SealedSecret is a signing secret as the catalog holds it: encrypted under the
// deployment's key, with merchant and account as the encryption context.
type SealedSecret struct {
	Blob      []byte
	CreatedAt time.Time
	ExpiresAt time.Time // no longer accepted from then on; zero: never
}

// Stock counts one side of a pool. Available is exact when AsOf is now.
type Stock struct {
	Pool      pool.ID
	Available int
	Claimed   int
	Revoked   int
	Waiting   int // lines in the queue; counted to 1,000
	AsOf      time.Time
}
