// Package notice holds what Keypool tells a merchant, or the operator, by mail.
//
// A notice is written where its cause is decided, in the same transaction where
// there is one, and its identity says how often it may be told: the same cause
// in the same hour, day or edge has the same ID, and writing it twice is one notice.
package notice

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"keypool/shared/outbox"
	"keypool/shared/pool"
)

// Kind is what a notice is about.
type Kind string

// The kinds of notices, with what names their occasion.
const (
	LowStock       Kind = "low-stock"       // an edge of a pool: fewer than Threshold keys left
	Empty          Kind = "empty"           // an edge of a pool: nothing left, orders wait
	Unconnected    Kind = "unconnected"     // a product and a day: paid for, but no pool feeds it
	UploadReport   Kind = "upload-report"   // an upload: what became of each line
	UploadReminder Kind = "upload-reminder" // an upload that was refused days ago and still lies there
	Misplaced      Kind = "misplaced"       // an upload nobody can be told about: to the operator
	OrderRefused   Kind = "order-refused"   // a cause and an hour: signed orders we could not take
	MailFailed     Kind = "mail-failed"     // a mail: SES refuses it for good
	Bounced        Kind = "bounced"         // an hour: customers' mails that came back
	Complained     Kind = "complained"      // an hour: customers who called a mail spam
	ChangedRepeat  Kind = "changed-repeat"  // a line: paid again with other content
)

// Kinds lists every kind.
var Kinds = []Kind{
	LowStock, Empty, Unconnected, UploadReport, UploadReminder, Misplaced,
	OrderRefused, MailFailed, Bounced, Complained, ChangedRepeat,
}

// Notice is one thing to tell.
type Notice struct {
	ID       string
	Version  int
	Merchant string // whom to tell; empty: the operator
	Kind     Kind
	RaisedAt time.Time
	Facts    Facts
	Mail     outbox.Entry
}

// Facts is what a notice tells; each kind fills in what it speaks of. It holds
// no key and no customer's address.
type Facts struct {
	Pool      string
	Side      pool.Side
	Product   string
	Available int // keys left
	Threshold int // the pool's low-stock setting
	Waiting   int // orders waiting, of those counted
	Missing   int // keys they miss
	HeadNeeds int // keys the first of them misses: a large one holds back small ones

	Upload  string // upload id
	File    string // the object's name as the merchant wrote it
	Orders  []string
	Count   int       // occurrences, where Orders is cut short
	Cause   string    // machine-readable: a field, a code
	Started time.Time // of an upload; of the oldest order's waiting
}

// New returns a notice, due now. The occasion (an edge, an upload, an hour) makes
// its ID: the same merchant, kind and occasion is the same notice.
func New(merchant string, kind Kind, occasion string, facts Facts, now time.Time) Notice {
	return Notice{
		ID:       strings.Join([]string{merchant, string(kind), short(occasion)}, "#"),
		Merchant: merchant,
		Kind:     kind,
		RaisedAt: now,
		Facts:    facts,
		Mail:     outbox.Entry{}.Next(outbox.Notice, now),
	}
}

// short keeps an occasion short enough for the whole ID to go into a mail's tag,
// in base64url: a product may have a long name.
func short(occasion string) string {
	const limit = 100
	if len(occasion) <= limit {
		return occasion
	}
	sum := sha256.Sum256([]byte(occasion))
	return hex.EncodeToString(sum[:])
}

// KeptOrders is how many orders a notice names; it counts all of them.
const KeptOrders = 50

// Together reports whether what happens within an hour is told together: the
// first at once, the rest when the hour ends.
func (k Kind) Together() bool { return k == Bounced || k == Complained }

// Hourly returns the notice that tells of the first in the hour of now.
func Hourly(merchant string, kind Kind, facts Facts, now time.Time) Notice {
	return New(merchant, kind, Hour(now), facts, now)
}

// TakesMore reports whether more can be added to the notice: nobody has begun to
// mail it.
func (n Notice) TakesMore() bool { return n.Mail.State == outbox.Due && !n.Mail.LeaseExpired() }

// Rest returns the notice for what comes when this one takes no more: after the
// first of an hour the one that waits for the hour's end, after that the first of
// the next hour.
func (n Notice) Rest() Notice {
	if !n.Mail.TryAt.IsZero() {
		return Hourly(n.Merchant, n.Kind, n.Facts, n.Mail.TryAt)
	}
	rest := New(n.Merchant, n.Kind, Hour(n.RaisedAt)+"#rest", n.Facts, n.RaisedAt)
	rest.Mail.TryAt = n.RaisedAt.UTC().Truncate(time.Hour).Add(time.Hour)
	rest.Mail.DueAt = rest.Mail.TryAt
	return rest
}

// With returns the notice with what another tells added to it.
func (n Notice) With(more Notice) Notice {
	n.Version++
	n.Facts.Count += more.Facts.Count
	orders := slices.Clone(n.Facts.Orders)
	for _, order := range more.Facts.Orders {
		if len(orders) < KeptOrders && !slices.Contains(orders, order) {
			orders = append(orders, order)
		}
	}
	n.Facts.Orders = orders
	return n
}

// Hour names the hour of t as an occasion.
func Hour(t time.Time) string { return t.UTC().Format("2006-01-02T15") }

// Day names the day of t as an occasion.
func Day(t time.Time) string { return t.UTC().Format("2006-01-02") }

// Edge names the n-th edge of a pool side as an occasion.
func Edge(p pool.ID, n int) string { return fmt.Sprintf("%s#%s#%d", p.Pool, p.Side, n) }
