// Package delivery mails what is due: license keys to customers, notices to
// merchants and the operator.
//
// # What it promises
//
// Every mail that is due is sent at least once, and a second time only if a mailer
// dies between handing the mail to SES and marking it as sent. SES has no token for
// "send this once", so a mail is leased by a conditional write before it is sent
// and marked by another after. A lease that ends unmarked leaves it open whether
// the mail went out. Unless SES reports the mail within that time, it is sent again
// as the next number, and the line's history shows it.
//
// After the lease, the mailer reads what is known of the order as a whole. A mail whose
// order was returned or is in dispute is put off: it stays due until the line itself shows
// that, which then takes the mail back.
//
// A renewal may deliver the keys of its parent, as they are when it is mailed. It is put
// off while those must not leave, with growing pauses up to an hour, and so finds a parent
// that is paid or filled later, after as long again as it has waited. Nothing else wakes it.
//
// A mail is made of the item that the lease returns. The stream's image only names
// the item: a key in it may have been replaced since.
//
// A mail that SES throttles is offered again, and all others slower: the stream
// keeps the rest waiting. Customers' mails go before notices: a notice lets those of its
// process go first, and is tried a minute later or more while SES throttles. A mail that
// fails for good is marked as failed, and its merchant is told in the same transaction.
// Any other failure leaves the mail due with a back-off; the sweep sets it due again when
// its time has come.
//
// A merchant gets so many notices in a day. Beyond that, one that can wait is taken back: it
// is added to a notice that lists all such, of which the first of the day is mailed at once
// and the others when the day ends, so that nothing is mailed or tried late. Those that are
// under way when the limit is reached may pass. Customers' mails do not count.
//
// A customer's mail comes from the merchant's own address where that is proven. One that
// SES refuses, as it does once the domain's records are gone, goes from the operator's
// address at once, and the merchant is told.
//
// # Feedback
//
// SES reports what becomes of a mail by events. They arrive twice, late and out of
// order. Each carries the item and the number of the mail as tags. The states of a
// mail have ranks and never go back. Feedback of an older mail goes to the line's
// history only.
//
// # Kinds
//
// Lines and notices are mailed in the same way: lease, compose, send, mark. The
// file mailing.go holds that way, lines.go and notices.go the differences. Another
// kind needs an outbox.ItemKind, a Store, the five methods of the interface kind
// and a case in Mailer.Mail and Mailer.ApplyFeedback.
package delivery

import (
	"context"
	"log/slog"
	"maps"
	netmail "net/mail"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/mail"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/random"
	"keypool/shared/upload"
)

// Store keeps the items of one kind that are mailed.
type Store[T any] interface {
	// Lease takes the mail of an item for one mailer, and returns the whole item as it
	// stands with the lease. Again means that the lease of an earlier mailer ended
	// without a mark, so that this mail has the next number. Not ok: nothing is to be
	// mailed now, or another mailer has the lease.
	Lease(ctx context.Context, id string, now time.Time) (item T, again, ok bool, err error)

	// Read returns an item as it stands, false if there is none. A line comes with its
	// first keys only.
	Read(ctx context.Context, id string) (item T, ok bool, err error)

	// Mark stores the outbox entry of an item, and a line's Counted, with a history
	// entry and a notice, if any: all or nothing. A notice that is stored already is
	// left as it is, or added to: see notice.Gather. It fails with
	// retry.ErrChanged if the item is not at its version any more.
	Mark(ctx context.Context, item T, history *order.History, tell *notice.Notice) error
}

// Orders knows orders as a whole, and the lines that renewals renew.
type Orders interface {
	// Whole returns what is known of an order now, of version 0 if that is nothing.
	Whole(ctx context.Context, orderID string) (order.Whole, error)
	// Lines returns the lines of an order as they stand now, each with its first keys.
	Lines(ctx context.Context, orderID string) ([]order.Fulfillment, error)
	// Chunks returns the chunks of a line as they stand now, oldest first.
	Chunks(ctx context.Context, id order.LineID) ([]order.Chunk, error)
}

// History keeps the history of lines.
type History interface {
	// AddHistory adds an entry. The same entry twice is stored once.
	AddHistory(ctx context.Context, h order.History) error
}

// Settings are the settings that mails are made with, at most half a minute old.
type Settings interface {
	Merchant(ctx context.Context, name string) (catalog.Merchant, bool, error)
	Pool(ctx context.Context, merchant, name string) (catalog.Pool, bool, error)
	Product(ctx context.Context, merchant, id string) (catalog.Product, bool, error)
}

// Senders knows the addresses of merchants' own that their customers' mails come from.
type Senders interface {
	// Sender returns a merchant's own sender, at most half a minute old, of version 0 if it
	// has none.
	Sender(ctx context.Context, merchant string) (catalog.Sender, error)
	// Refused notes that SES refused a mail from a merchant's sender that it took from the
	// operator.
	Refused(ctx context.Context, merchant string) error
}

// Uploads keeps the records of uploads, which reports are written from.
type Uploads interface {
	Upload(ctx context.Context, merchant, id string) (upload.Upload, bool, error)
}

// Tokens lists a merchant's API tokens.
type Tokens interface {
	Tokens(ctx context.Context, merchant string) ([]access.Token, error)
}

// SignIns keeps the requests to sign in, and knows who has an address.
type SignIns interface {
	// SignIn returns a request by the hash of its name, of version 0 if there is none.
	SignIn(ctx context.Context, hash string) (access.SignIn, error)
	// PutSignIn stores it; catalog.ErrConflict if it was changed, or used, meanwhile.
	PutSignIn(ctx context.Context, r access.SignIn) error
	// Addressed returns the people, of whatever merchant, who have an address.
	Addressed(ctx context.Context, address string) ([]access.Whom, error)
}

// Counts keeps the counts that are shown.
type Counts interface {
	// AddTaken adds to the count of a pool side's taken keys, but for takes that a
	// recount has counted already.
	AddTaken(ctx context.Context, p pool.ID, takes []pool.Take) error
}

// Held lists the lines that rules of a merchant's hold.
type Held interface {
	// Held returns up to limit of them, oldest first, those after the place that the last
	// call returned as next: "" to begin with, and after the last one.
	Held(ctx context.Context, merchant string, side pool.Side, after string, limit int) (held []order.HeldLine, next string, err error)
}

// Sales watches what merchants sell.
type Sales interface {
	// Sold is told of keys of the live side that were mailed for the first time.
	Sold(ctx context.Context, merchant string, keys int) error
}

// Days counts the notices that merchants get in a day, by UTC.
type Days interface {
	// Mailed returns how many a merchant has got in the day of that time.
	Mailed(ctx context.Context, merchant string, now time.Time) (int, error)
	// AddMailed counts one.
	AddMailed(ctx context.Context, merchant string, now time.Time) error
}

// MailSender sends mails.
type MailSender interface {
	// Send hands a mail over and returns SES's id of it, or a *mail.SendError.
	Send(ctx context.Context, m mail.Message) (messageID string, err error)
}

// Mailer mails what is due and applies SES's feedback. It is safe for concurrent use.
type Mailer struct {
	Lines      Store[order.Fulfillment]
	Notices    Store[notice.Notice]
	Orders     Orders
	History    History
	Settings   Settings
	Texts      catalog.TextReader      // at most half a minute old; nil: merchants have none
	Pages      catalog.OrderPageReader // at most half a minute old; nil: orders have no pages
	Uploads    Uploads
	Tokens     Tokens
	SignIns    SignIns
	Counts     Counts
	Held       Held
	Sales      Sales
	Senders    Senders // nil: all mails come from the operator's address
	Days       Days    // nil: a merchant gets all notices
	MailSender MailSender
	Sender     netmail.Address // the operator's: mails come from its address, but those of merchants with a proven one of their own
	Operator   string          // address for what no merchant can be told
	PublicURL  string          // of the API; links in mails begin with it
	Now        func() time.Time

	limiter rateLimiter
}

const (
	// atOnce is the number of mails that one invocation sends side by side.
	atOnce = 10
	// keyBytes bounds the keys of those mails together; a mail with more goes alone.
	// Text, HTML and attachment take a dozen times that of memory.
	keyBytes = 1 << 20
)

// Mail mails each item that is due, and returns the errors in the order of the
// items. The error is nil for a mail that is to be tried later or failed for good:
// its state says so, and the caller need not try the item again.
func (m *Mailer) Mail(ctx context.Context, items []outbox.Item) []error {
	failed := make([]error, len(items))
	var taken takings
	room := semaphore.NewWeighted(keyBytes)
	lines, notices := m.lines(&taken), m.notices()
	var mails errgroup.Group
	mails.SetLimit(atOnce)
	for i, item := range items {
		ctx := random.Split(ctx, item.ID)
		mails.Go(func() error {
			switch item.Kind {
			case outbox.Lines:
				failed[i] = lines.mail(ctx, item.ID, room)
			case outbox.Notices:
				failed[i] = notices.mail(ctx, item.ID, room)
			}
			return nil
		})
	}
	mails.Wait()
	taken.addTo(ctx, m.Counts, m.Sales)
	return failed
}

// ApplyFeedback applies one event that SES reports of a mail. The same event twice
// is applied once.
func (m *Mailer) ApplyFeedback(ctx context.Context, f Feedback) error {
	if f.Item.Kind != outbox.Lines {
		return m.notices().applyFeedback(ctx, f)
	}
	var taken takings
	err := m.lines(&taken).applyFeedback(ctx, f)
	taken.addTo(ctx, m.Counts, m.Sales)
	return err
}

// takings gathers the keys that one invocation mailed for the first time, so that
// many orders share one write of their pool's count.
type takings struct {
	mu    sync.Mutex
	takes map[pool.ID][]pool.Take
}

func (t *takings) add(p pool.ID, takes []pool.Take) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.takes == nil {
		t.takes = map[pool.ID][]pool.Take{}
	}
	t.takes[p] = append(t.takes[p], takes...)
}

// addTo adds them to the counts that are shown, and to what each merchant sells in a day.
// A lost addition to a count is put right at night; what a day sells is good enough
// without.
func (t *takings) addTo(ctx context.Context, counts Counts, sales Sales) {
	sold := map[string]int{}
	for p, takes := range t.takes {
		for _, take := range takes {
			if p.Side == pool.Live {
				sold[p.Merchant] += take.Keys
			}
		}
	}
	for _, merchant := range slices.Sorted(maps.Keys(sold)) {
		if err := sales.Sold(ctx, merchant, sold[merchant]); err != nil {
			slog.WarnContext(ctx, "sales.not_counted", "merchant", merchant, "keys", sold[merchant], "error", err)
		}
	}
	for _, p := range slices.SortedFunc(maps.Keys(t.takes), pool.ID.Compare) {
		if p.Pool == "" {
			continue // codes of products, which no pool counts
		}
		if err := counts.AddTaken(ctx, p, t.takes[p]); err != nil {
			slog.WarnContext(ctx, "count.not_updated", "pool", p.String(), "takes", len(t.takes[p]), "error", err)
		}
	}
}
