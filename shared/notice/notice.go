// Package notice holds the notices that Keypool mails to a merchant or the operator,
// and the stock alerts.
//
// A notice is written together with the change that causes it, in one transaction
// if there is one. Its ID holds a dedup key, which bounds how often a cause is told:
// the same cause in the same hour or day, or of the same upload, has the same ID,
// and a notice that is written twice is stored once. Events that come in a rush are
// gathered in one notice: see Gather.
package notice

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/job"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// Kind is the kind of a notice.
type Kind string

// The kinds of notices, each with the parts of its dedup key.
const (
	LowStock        Kind = "low-stock"         // an alert of a pool: fewer than Threshold keys left
	Empty           Kind = "empty"             // an alert of a pool: no key left, whether or not orders wait
	Unconnected     Kind = "unconnected"       // an account and a day: products that were paid for and got no keys: no pool feeds them, or the shop ships them
	UploadReport    Kind = "upload-report"     // five minutes: small uploads, and what became of their lines
	UploadLimit     Kind = "upload-limit"      // a day: files that wait, since they bring more than a day may
	CallLimit       Kind = "call-limit"        // a day: the calls of the API that it has are made
	MailLimit       Kind = "mail-limit"        // a day: notices that were not mailed, since the day had no mails left
	JobEnded        Kind = "job-ended"         // a job that somebody asked for: what it has done
	LargeUpload     Kind = "large-upload"      // an upload of more than one range: what became of each line
	UploadReminder  Kind = "upload-reminder"   // five minutes: uploads that were not read days ago and still lie there
	Misplaced       Kind = "misplaced"         // five minutes: uploads without a known merchant, told to the operator
	OrderRefused    Kind = "order-refused"     // an hour: signed orders that could not be taken
	PaidBefore      Kind = "paid-before"       // a day: orders paid before their account delivers, which got no keys
	NoAddress       Kind = "no-address"        // an account and an hour: orders without an address, on hold
	PaymentIgnored  Kind = "payment-ignored"   // a day: payments that are no order, for which nothing was delivered
	MailFailed      Kind = "mail-failed"       // a mail: SES refuses it for good
	Bounced         Kind = "bounced"           // an hour: customers' mails that came back
	Complained      Kind = "complained"        // an hour: customers who called a mail spam
	ChangedRepeat   Kind = "changed-repeat"    // a line: paid again with other content
	RefundFailed    Kind = "refund-failed"     // an account, an order and a refund: the customer has no money back
	RefundUnclear   Kind = "refund-unclear"    // an account, an order and a refund: nobody can tell for what
	RefundMatched   Kind = "refund-matched"    // an account, an order and a refund: units that a person had returned were refunded, and it took no further ones
	PaidAfterReturn Kind = "paid-after-return" // an order: it was paid after it had been returned
	PaidAgain       Kind = "paid-again"        // an order and a return: it is paid again after that return
	AddressMended   Kind = "address-mended"    // a correction of an order's address: told to the merchant
	KeysElsewhere   Kind = "keys-elsewhere"    // a correction of an order's address: told to the customer's former one
	RiskAfterKeys   Kind = "risk-after-keys"   // an order: its platform calls it risky, and its keys are gone
	RenewalWaits    Kind = "renewal-waits"     // a line: the keys of the order that it renews cannot be mailed
	HeldForReview   Kind = "held-for-review"   // a side and an hour: lines that a rule holds; the first of the hour at once, others when it ends
	BigDay          Kind = "big-day"           // a day: it has sold far more than the days before
	UnknownEvent    Kind = "unknown-event"     // an account, a day and a type: signed events that nothing reads
	NotSigned       Kind = "not-signed"        // an account and an hour: webhooks that it did not sign, and seems to have sent
	CatchupFailed   Kind = "catch-up-failed"   // an account and a day: its platform's API cannot be read
	WebhookInactive Kind = "webhook-inactive"  // an account and a day: the platform sends no webhooks
	NewToken        Kind = "new-token"         // an hour: API tokens that were made
	ExpiringToken   Kind = "expiring-token"    // a token: it expires in a week, mailed then
	NewSecret       Kind = "new-secret"        // an hour: accounts that were given a signing secret
	ChangedAccount  Kind = "changed-account"   // an hour: accounts whose credentials or settings changed
	ChangedText     Kind = "changed-text"      // an hour: products whose mails say something else
	ChangedPerson   Kind = "changed-person"    // an hour: people who are new, or have another role or address
	ChangedWarnings Kind = "changed-warnings"  // an hour: pools whose warnings go to other addresses
	UnreadWarning   Kind = "unread-warning"    // a warning to a further address of a pool: it did not arrive, or is not wanted there
	SenderState     Kind = "sender-state"      // a look at the merchant's own sender, or a mail from it: it is verified, failed or refused now
	SampleMail      Kind = "sample-mail"       // a minute: a customer's mail without a real key, which the merchant asked for
	SignIn          Kind = "sign-in"           // a request to sign in: told to who has its address
	Invitation      Kind = "invitation"        // an address and a day: a person who may sign in from now on, told to that person
	LostInvitation  Kind = "lost-invitation"   // an invitation: it did not arrive, or is not wanted there
	OperatorHelp    Kind = "operator-help"     // a time that the operator opens a merchant's portal, told to the notice address and to each owner
	ChangedAddress  Kind = "changed-address"   // a change of the merchant and a side: the notice address, told to the new and the former one
)

// Kinds lists every kind.
var Kinds = []Kind{
	LowStock, Empty, Unconnected, UploadReport, UploadLimit, CallLimit, MailLimit, JobEnded, LargeUpload, UploadReminder, Misplaced,
	OrderRefused, PaidBefore, NoAddress, PaymentIgnored, MailFailed, Bounced, Complained, ChangedRepeat, RefundFailed, RefundUnclear, RefundMatched, PaidAfterReturn, PaidAgain, HeldForReview, BigDay, RiskAfterKeys, RenewalWaits, AddressMended, KeysElsewhere, UnknownEvent, NotSigned,
	CatchupFailed, WebhookInactive,
	NewToken, ExpiringToken, NewSecret, ChangedAccount, ChangedText, ChangedPerson, ChangedWarnings, UnreadWarning, SenderState, SampleMail, SignIn, Invitation, LostInvitation, OperatorHelp, ChangedAddress,
}

// Place is where a page of the list of a merchant's notices ends, "" before the first.
type Place string

// Notice is one mail to a merchant or the operator.
type Notice struct {
	ID       string
	Version  int
	Merchant string // who is told; empty: the operator
	To       string // mail address, if it is told to another one than that of the merchant's settings
	Kind     Kind
	RaisedAt time.Time
	Facts    Facts
	Mail     outbox.Entry
}

// Facts are the facts of a notice. Each kind sets those that it tells. They hold no
// key and no customer's address.
type Facts struct {
	Pool      string
	Side      pool.Side
	Product   string
	Available int // keys left
	Threshold int // the pool's low-stock setting
	Waiting   int // orders waiting, of those counted
	Missing   int // keys they miss
	HeadNeeds int // keys the first of them misses: a large one holds back small ones

	Products []Product // that got no keys, the first KeptProducts
	Refused  []Refused // the first KeptRefused of Count
	Changed  []Changed // the first KeptChanged of Count
	Account  string    // with a payment platform
	Address  string    // the notice address from now on, in a notice to the former one; of a SenderState, the sender; of an UnreadWarning, a pool's; of a LostInvitation, the person's

	Mails []string // subjects of those that were not sent, the first KeptMails of Count

	Uploads []string  // ids of uploads, the first KeptUploads of Count
	File    string    // of the first upload: the object's name as the merchant wrote it
	Orders  []string  // as their platforms name them, the first KeptOrders of Count
	OrderID string    // the order that it is about, as we name it; empty: several, or none
	Count   int       // occurrences, where Orders, Refused or Uploads is cut short
	Cause   string    // machine-readable: a field, a code
	Limit   int64     // of a day
	Started time.Time // of an upload; of the oldest order's waiting; of a token's last use; of a return

	Job *Job // that has ended

	Sample *Sample // the mail that a SampleMail is

	SignIn string // the hash of the name of the request that a SignIn is about

	// Of KeysElsewhere: the line whose keys were mailed, and which of its former addresses is
	// told, from 0. The address itself stands in the line alone, which may forget it.
	Line   string
	Former int

	// These are not stored: the mailer reads them when it writes the mail.
	Held    []HeldLine
	Portal  string                  // the address of the Merchant Portal
	Link    string                  // of a SignIn
	Code    string                  // of a SignIn, as people read it
	Browser string                  // that asked for a SignIn
	Sold    catalog.Product         // of a Sample
	Common  map[string]catalog.Text // the merchant's texts, of a Sample
	Page    string                  // the address of the order's page, of a Sample that has one
}

// Sample says which mail the merchant asked for. It holds nothing of a customer's.
type Sample struct {
	Product  string        // empty: a made-up one
	Text     *catalog.Text // in place of the product's; nil: the product's
	Language string
	Keys     int // 0: an order that waits for them
	Test     bool
}

// Job is a job that has ended.
type Job struct {
	ID          string
	Kind        job.Kind
	To          string // the pool that it moved keys to
	Keys, Lines int    // that it has changed; of an export, the keys in its file
	Left        int    // lines that it left as they are, since they owe their customer something
	Cut         bool   // it ended before its work was done
	By          string // who asked for it
	CancelledBy string // who asked for its end; empty: nobody
}

// OfJob returns the notice of a job that has ended. It says nothing of a customer, nor of why
// the job was asked for: people may have written a customer's name.
func OfJob(j job.Job) Notice {
	facts := Facts{Pool: j.Pool, Started: j.CreatedAt, Job: &Job{
		ID: j.ID, Kind: j.Kind, To: j.To, Keys: j.Keys, Lines: j.Lines, Left: j.Look.Left, Cut: j.Cut, By: j.By, CancelledBy: j.CancelledBy,
	}}
	if j.Kind != job.Wipe { // the row is not of the side that it takes away
		facts.Side = j.Side
	}
	return New(j.Merchant, JobEnded, j.ID, facts, j.FinishedAt)
}

// HeldLine is a line that waits for the merchant's decision.
type HeldLine struct {
	Order    string
	Product  string // title, or the product where there is none
	Quantity int
	Why      []string // reasons of holds
	OrderID  string   // as we name it
}

// KeptHeld is the number of lines on hold that a notice shows.
const KeptHeld = 20

// CauseBounced is the cause of an AddressMended whose former address takes no mail.
const CauseBounced = "bounced"

// CauseUnwanted is the cause of an UnreadWarning that was marked as unwanted mail.
const CauseUnwanted = "unwanted"

// BrakeSet is the cause of a BigDay on which the brake set itself.
const BrakeSet = "brake-set"

// The causes of NotSigned.
const (
	CauseSecret = "secret" // no secret of the account fits
	CauseClock  = "clock"  // a secret fits, and the time that is signed is too far from now
)

// The causes of WebhookInactive.
const (
	CauseInactive = "inactive" // it is there, and switched off
	CauseMissing  = "missing"  // there is none, or it lacks events
)

// Uploaded returns the facts of a notice about an upload.
func Uploaded(u upload.Upload) Facts {
	return Facts{
		Pool: u.Pool, Side: u.Side, Uploads: []string{u.ID}, File: u.File, Count: 1,
		Cause: string(u.Cause), Started: u.ReceivedAt,
	}
}

// Refused is an order that was signed and could not be taken.
type Refused struct {
	Order   string // empty if it could not be read
	Account string
	Cause   string // the field at fault and the mistake, without its value
}

// Product is a product that was paid for.
type Product struct {
	ID     string
	Side   pool.Side
	Ships  bool     // a pool may feed it, but the shop ships what it sells
	Orders []string // the first KeptOfProduct of Count
	Count  int      // orders
}

// is reports whether another is the same product, sold in the same way.
func (p Product) is(other Product) bool {
	return p.ID == other.ID && p.Side == other.Side && p.Ships == other.Ships
}

// Changed is one change of a merchant's settings. It holds no token and no secret.
type Changed struct {
	Name  string    // of the token, the account, the product or the person
	ID    string    // of a token or a person
	Parts []string  // a token's scopes, or its person: see OfPerson; an account's new secrets by name; the parts of an account that changed, a credential as "credential api_key"; the parts of a product's mail that changed, a text as "text de"; a person's as "role owner"; the addresses of a pool: see AddressAdded
	Until time.Time // a token's expiry, zero: never; the end of an account's secrets before, zero: none stays good
	Ended int       // secrets of an account that are no longer good
	By    string    // who did it: see access.Principal
	At    time.Time
}

// OfPerson begins the part of a token that stands for a person: "person ada".
const OfPerson = "person "

// AddressAdded and AddressRemoved begin the parts of a pool whose warnings go to another
// address.
const (
	AddressAdded   = "added "
	AddressRemoved = "removed "
)

// AllProducts is the name of what changed where it is in the mails of all products.
const AllProducts = "all products"

// New returns a notice, due now. The dedup key (the number of an alert, an upload's
// ID, an hour) is part of its ID: notices of the same merchant, kind and dedup key are
// the same notice.
func New(merchant string, kind Kind, dedupKey string, facts Facts, now time.Time) Notice {
	return Notice{
		ID:       strings.Join([]string{merchant, string(kind), short(dedupKey)}, "#"),
		Merchant: merchant,
		Kind:     kind,
		RaisedAt: now,
		Facts:    facts,
		Mail:     outbox.Entry{}.Next(outbox.Notice, now),
	}
}

// At returns the notice, to be mailed at a later time.
func (n Notice) At(later time.Time) Notice {
	n.Mail.TryAt, n.Mail.DueAt = later, later
	return n
}

// short shortens a dedup key, so that the whole ID fits into a mail's tag, in
// base64url: a product may have a long name.
func short(dedupKey string) string {
	const limit = 100
	if len(dedupKey) <= limit {
		return dedupKey
	}
	sum := sha256.Sum256([]byte(dedupKey))
	return hex.EncodeToString(sum[:])
}

// KeptOrders is the number of orders that a notice names. It counts all of them.
const KeptOrders = 50

// KeptRefused is the number of refused orders that a notice names: more than a shop has
// in an hour, and few enough for one item. It counts all of them.
const KeptRefused = 250

// KeptProducts is the number of products that a notice names, and KeptOfProduct that of
// the orders of each.
const (
	KeptProducts  = 100
	KeptOfProduct = 5
)

// KeptChanged is the number of changed settings that a notice names. It counts all of
// them.
const KeptChanged = 100

// KeptUploads is the number of uploads that a notice names. It counts all of them.
const KeptUploads = 100

// KeptMails is the number of mails that were not sent that a notice names. It counts all of
// them.
const KeptMails = 100

// mayWait are the kinds that are not mailed to a merchant who has got the mails of a day: see
// MailLimit. All others go out in any case, since somebody has to act at once: warnings of
// stock, orders that get no keys, changes of who may do what. Those are bounded otherwise, by
// an hour or a day.
var mayWait = []Kind{
	UploadReport, LargeUpload, UploadReminder, PaymentIgnored, MailFailed, Bounced, Complained, ChangedRepeat,
	RefundFailed, RefundUnclear, RefundMatched, PaidAfterReturn, PaidAgain, RiskAfterKeys, RenewalWaits, UnknownEvent,
	UnreadWarning, JobEnded, SampleMail, Invitation,
}

// MayWait reports whether the notice is not mailed to a merchant who has got the mails of a
// day.
func (n Notice) MayWait() bool { return n.Counts() && slices.Contains(mayWait, n.Kind) }

// Counts reports whether the notice counts in the mails that a merchant gets in a day. It does
// not if it goes to the operator, or to a customer.
func (n Notice) Counts() bool { return n.Merchant != "" && n.Kind != KeysElsewhere }

// Unsent returns the notice to a merchant that one with that subject was not mailed.
func Unsent(n Notice, subject string, limit int, now time.Time) Notice {
	return Gather(n.Merchant, MailLimit, Facts{Mails: []string{subject}, Count: 1, Limit: int64(limit)}, now)
}

// gathering says how the events of a kind are told together. The first event of a window
// is told at once, the others when the window ends.
type gathering struct {
	window time.Duration

	// afterQuiet: only an event after a window without any is told at once. A rush that
	// goes on is one mail a window.
	afterQuiet bool

	// byAccount: the events of each account are told apart from others'.
	byAccount bool
}

// uploads: a merchant who drops a file now and then hears of it at once, and forty files
// in a minute, which touch two windows at most, are three mails at most.
var uploads = gathering{window: 5 * time.Minute, afterQuiet: true}

// gathered are the kinds whose notices tell of many events.
var gathered = map[Kind]gathering{
	Unconnected:     {window: 24 * time.Hour, afterQuiet: true, byAccount: true},
	Bounced:         {window: time.Hour},
	Complained:      {window: time.Hour},
	OrderRefused:    {window: time.Hour},
	PaidBefore:      {window: 24 * time.Hour},
	NoAddress:       {window: time.Hour, byAccount: true},
	PaymentIgnored:  {window: 24 * time.Hour},
	MailLimit:       {window: 24 * time.Hour},
	NewToken:        {window: time.Hour},
	NewSecret:       {window: time.Hour},
	ChangedAccount:  {window: time.Hour},
	ChangedText:     {window: time.Hour},
	ChangedPerson:   {window: time.Hour},
	ChangedWarnings: {window: time.Hour},
	UploadReport:    uploads,
	UploadReminder:  uploads,
	Misplaced:       uploads,
}

// Gathered reports whether one notice tells of many events of the kind: see Gather.
func (k Kind) Gathered() bool { return gathered[k].window > 0 }

// windowStart returns when the window of now began.
func (k Kind) windowStart(now time.Time) time.Time { return now.UTC().Truncate(gathered[k].window) }

// Gather returns the notice of the first event in the kind's window of now. The store
// adds the event to a notice of the window that is there and open, or that follows it:
// see Open and Overflow.
func Gather(merchant string, kind Kind, facts Facts, now time.Time) Notice {
	return New(merchant, kind, kind.windowKey(facts, now), facts, now)
}

// Held returns the notices of lines that a rule holds since now: the first is mailed at
// once, and the rest when the hour has ended, unless nothing else was held in it. The
// mailer lists what is held then, so that a rush writes no more than two notices an hour,
// and none of them often. The first is raised once the lines are stored: the rest does not
// tell of them again.
func Held(merchant string, side pool.Side, now time.Time) (first, rest Notice) {
	start := now.UTC().Truncate(time.Hour)
	key := string(side) + "#" + Hour(now)
	facts := Facts{Side: side}
	return New(merchant, HeldForReview, key, facts, now),
		New(merchant, HeldForReview, key+heldRest, facts, now).At(start.Add(time.Hour + heldStored))
}

const heldRest = "#rest"

// heldStored is how long claims that hold a line take to store it, but for very few.
const heldStored = time.Minute

// ToMerchant reports whether the notice is to those who work at a merchant: to the operator, to a
// customer, to somebody who signs in or is invited are others.
func (n Notice) ToMerchant() bool {
	return n.Merchant != "" && n.Kind != SignIn && n.Kind != Invitation && n.Kind != KeysElsewhere
}

// ToFurther reports whether the notice is a warning of a pool's stock to one of the pool's
// further addresses.
func (n Notice) ToFurther() bool { return n.To != "" && (n.Kind == LowStock || n.Kind == Empty) }

// FirstHeld returns the id of the notice that was mailed at once, of one that was to wait
// for the end of its hour; false of any other notice.
func (n Notice) FirstHeld() (id string, ok bool) {
	id, ok = strings.CutSuffix(n.ID, heldRest)
	return id, ok && n.Kind == HeldForReview
}

// Open reports whether another event can be added to the notice: no mailer has leased
// it yet.
func (n Notice) Open() bool { return n.Mail.State == outbox.Due && !n.Mail.LeaseExpired() }

// Overflow returns the notice for the next event when this one is not open any more.
// After the first notice of a window it is the one that waits for the window's end, and
// after that the first notice of the next window.
func (n Notice) Overflow() Notice {
	if !n.Mail.TryAt.IsZero() {
		return Gather(n.Merchant, n.Kind, n.Facts, n.Mail.TryAt)
	}
	return New(n.Merchant, n.Kind, n.Kind.windowKey(n.Facts, n.RaisedAt)+"#rest", n.Facts, n.RaisedAt).Held()
}

// Held returns the notice as one that waits for the end of its window.
func (n Notice) Held() Notice {
	return n.At(n.Kind.windowStart(n.RaisedAt).Add(gathered[n.Kind].window))
}

// Before returns the ID of the first notice of the window before. If there is such a
// notice, this one is to be held. It is false if the notice does not depend on that.
func (n Notice) Before() (id string, ok bool) {
	how := gathered[n.Kind]
	if !how.afterQuiet || !n.Mail.TryAt.IsZero() {
		return "", false
	}
	return Gather(n.Merchant, n.Kind, Facts{Account: n.Facts.Account}, n.RaisedAt.Add(-how.window)).ID, true
}

// Merge returns the notice with the events of another added to it.
func (n Notice) Merge(more Notice) Notice {
	n.Version++
	if len(more.Facts.Uploads) == 1 && slices.Contains(n.Facts.Uploads, more.Facts.Uploads[0]) {
		// The upload got further, and its record says how far.
		n.Facts.Cause = more.Facts.Cause
		return n
	}
	n.Facts.Count += more.Facts.Count
	uploads := append(slices.Clone(n.Facts.Uploads), more.Facts.Uploads...)
	n.Facts.Uploads = uploads[:min(len(uploads), KeptUploads)]
	orders := slices.Clone(n.Facts.Orders)
	for _, order := range more.Facts.Orders {
		if len(orders) < KeptOrders && !slices.Contains(orders, order) {
			orders = append(orders, order)
		}
	}
	n.Facts.Orders = orders
	if n.Facts.OrderID != more.Facts.OrderID {
		n.Facts.OrderID = ""
	}
	n.Facts.Products = mergeProducts(n.Facts.Products, more.Facts.Products)
	mails := append(slices.Clone(n.Facts.Mails), more.Facts.Mails...)
	n.Facts.Mails = mails[:min(len(mails), KeptMails)]
	refused := append(slices.Clone(n.Facts.Refused), more.Facts.Refused...)
	n.Facts.Refused = refused[:min(len(refused), KeptRefused)]
	changed := append(slices.Clone(n.Facts.Changed), more.Facts.Changed...)
	n.Facts.Changed = changed[:min(len(changed), KeptChanged)]
	return n
}

// mergeProducts adds orders of products to others.
func mergeProducts(products, more []Product) []Product {
	products = slices.Clone(products)
	for _, p := range more {
		i := slices.IndexFunc(products, p.is)
		if i < 0 {
			if len(products) < KeptProducts {
				products = append(products, p)
			}
			continue
		}
		products[i].Count += p.Count
		orders := append(slices.Clone(products[i].Orders), p.Orders...)
		products[i].Orders = orders[:min(len(orders), KeptOfProduct)]
	}
	return products
}

// Tells reports whether the notice tells of an event already: of an order of a product
// that it names.
func (n Notice) Tells(more Notice) bool {
	if len(more.Facts.Products) == 0 {
		return false
	}
	for _, p := range more.Facts.Products {
		i := slices.IndexFunc(n.Facts.Products, p.is)
		if i < 0 || slices.ContainsFunc(p.Orders, func(order string) bool { return !slices.Contains(n.Facts.Products[i].Orders, order) }) {
			return false
		}
	}
	return true
}

// windowKey is the dedup key of the kind's window of now.
func (k Kind) windowKey(facts Facts, now time.Time) string {
	key := k.windowStart(now).UTC().Format("2006-01-02T15:04")
	if gathered[k].byAccount {
		key += "#" + facts.Account
	}
	return key
}

// Hour names the hour of t in a dedup key.
func Hour(t time.Time) string { return t.UTC().Format("2006-01-02T15") }

// Day names the day of t in a dedup key.
func Day(t time.Time) string { return t.UTC().Format("2006-01-02") }

// AlertKey is the dedup key of the n-th alert of a pool side.
func AlertKey(p pool.ID, n int) string { return fmt.Sprintf("%s#%s#%d", p.Pool, p.Side, n) }
