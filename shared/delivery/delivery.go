// Package delivery mails what is due: keys and news of them to customers,
// notices to merchants and the operator.
//
// # What it promises
//
// Whatever is due is mailed at least once, and a second time only if a mailer
// dies between handing the mail to SES and writing so down. SES has no token for
// "send this once", so a mail is leased by a conditional write before it is sent
// and marked by another after. A lease that ends unmarked leaves it open whether
// the mail went out: unless SES tells within that time it is sent again, as the
// next number, and the line's history shows it.
//
// What is mailed is what the lease's own answer shows. The stream's image only
// says where to look: the key in it may have been replaced since.
//
// A mail that SES is too busy for is offered again, and all others slower: the
// stream keeps what waits. One refused for itself fails, and its merchant is told
// in the same transaction. A mail that meets trouble of the account or of the moment stays
// due with a back-off; the sweep sets it due again when its time has come.
//
// # What becomes of a mail
//
// SES reports it by events, which arrive twice, late and out of order. Each
// carries the line and the number of the mail as tags. States have ranks and
// never go back; news of an older mail of the line goes to its history alone.
package delivery

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	netmail "net/mail"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"keypool/shared/catalog"
	"keypool/shared/mail"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/random"
	"keypool/shared/upload"
)

// Lines keeps the lines.
type Lines interface {
	// LeaseLine takes the line's mail for one mailer and returns the line as it
	// stands then, with all its keys. Again says that an earlier mailer's lease
	// ended unmarked, and that this mail is the next number therefore. Not ok: there
	// is nothing to be mailed now, or another mailer has it.
	LeaseLine(ctx context.Context, id order.LineID, now time.Time) (f order.Fulfillment, again, ok bool, err error)

	// Fulfillment returns the line as it stands, its first keys only.
	Fulfillment(ctx context.Context, id order.LineID) (order.Fulfillment, bool, error)

	// MarkLine stores the line's Mail and Counted as they are in f, with the history
	// entry and the notice, if any: all or nothing. A notice that is stored already
	// is left as it is, or added to: see notice.Kind.Together. It fails with
	// retry.ErrChanged if the line is not at f's version any more.
	MarkLine(ctx context.Context, f order.Fulfillment, history *order.History, tell *notice.Notice) error

	// AddHistory adds to a line's history. The same entry twice is one.
	AddHistory(ctx context.Context, h order.History) error
}

// Notices keeps the notices, as Lines keeps the lines.
type Notices interface {
	LeaseNotice(ctx context.Context, id string, now time.Time) (n notice.Notice, ok bool, err error)
	Notice(ctx context.Context, id string) (notice.Notice, bool, error)
	MarkNotice(ctx context.Context, n notice.Notice, tell *notice.Notice) error
}

// Mark is what is written when a mail has come further.
type mark struct {
	Mail    outbox.Entry
	Counted int            // of a line: see order.Fulfillment
	History *order.History // of a line
	Tell    *notice.Notice // stored unless it is there; see notice.Kind.Together
}

// Settings are what mails are made with beside their items; at most half a
// minute old, but for uploads.
type Settings interface {
	Merchant(ctx context.Context, name string) (catalog.Merchant, bool, error)
	Pool(ctx context.Context, merchant, name string) (catalog.Pool, bool, error)
	Product(ctx context.Context, merchant, id string) (catalog.Product, bool, error)
}

// Uploads keeps the records of uploads, which reports are written from.
type Uploads interface {
	Upload(ctx context.Context, merchant, id string) (upload.Upload, bool, error)
}

// Counts keeps the counts that are shown.
type Counts interface {
	// AddTaken adds to the count of a pool side's taken keys.
	AddTaken(ctx context.Context, p pool.ID, n int) error
}

// Post sends mails.
type Post interface {
	// Send hands a mail over and returns its name there, or a *SendError.
	Send(ctx context.Context, m mail.Message) (messageID string, err error)
}

// Mailer mails what is due and follows what becomes of it.
type Mailer struct {
	Lines    Lines
	Notices  Notices
	Settings Settings
	Uploads  Uploads
	Counts   Counts
	Post     Post
	Sender   netmail.Address // every mail is sent from its address
	Operator string          // address for what no merchant can be told
	Now      func() time.Time

	pace pace
}

const (
	// atOnce is how many mails one invocation sends side by side.
	atOnce = 10
	// keyBytes is how much their keys may have together; a mail that has more goes
	// alone. Text, HTML and attachment take a dozen times that of memory.
	keyBytes = 1 << 20
)

// Mail mails each item that is due, and returns what went wrong, in the order of
// the items. A mail that was put off, or failed for good, is nil: its state says
// so, and nobody has to try the item again.
func (m *Mailer) Mail(ctx context.Context, items []outbox.Item) []error {
	failed := make([]error, len(items))
	var taken takings
	room := semaphore.NewWeighted(keyBytes)
	var mails errgroup.Group
	mails.SetLimit(atOnce)
	for i, item := range items {
		ctx := random.Split(ctx, item.ID)
		mails.Go(func() error {
			switch item.Kind {
			case outbox.Lines:
				failed[i] = m.mailLine(ctx, order.LineID(item.ID), room, &taken)
			case outbox.Notices:
				failed[i] = m.mailNotice(ctx, item.ID)
			}
			return nil
		})
	}
	mails.Wait()
	taken.addTo(ctx, m.Counts)
	return failed
}

// sendFor is how long SES may take for one mail.
const sendFor = 20 * time.Second

// send hands a mail over. What SES is too busy to take is offered again, slower,
// while there is time: to put it off would cost writes, and a minute.
func (m *Mailer) send(ctx context.Context, made mail.Message) (string, error) {
	busy := &mail.SendError{Fault: mail.Throttled, Code: "NoTurn"}
	for range offers {
		offered, ok := m.pace.turn(ctx)
		if !ok {
			break
		}
		messageID, err := m.offer(ctx, made)
		if err == nil {
			m.pace.taken()
			return messageID, nil
		}
		refused, answered := errors.AsType[*mail.SendError](err)
		if !answered || refused.Fault != mail.Throttled {
			return "", err
		}
		busy = refused
		m.pace.tooFast(ctx, offered)
	}
	return "", busy
}

// offers bounds how often one mailer offers a mail.
const offers = 12

func (m *Mailer) offer(ctx context.Context, made mail.Message) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, sendFor)
	defer cancel()
	return m.Post.Send(ctx, made)
}

// takings gathers the keys that one invocation's first mails made known, so that
// orders in a rush share a write of their pool's count.
type takings struct {
	mu   sync.Mutex
	keys map[pool.ID]int
}

func (t *takings) add(p pool.ID, n int) {
	if n <= 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keys == nil {
		t.keys = map[pool.ID]int{}
	}
	t.keys[p] += n
}

// addTo adds them to the counts that are shown. What is lost here is put right at night.
func (t *takings) addTo(ctx context.Context, counts Counts) {
	for _, p := range slices.SortedFunc(maps.Keys(t.keys), pool.ID.Compare) {
		n := t.keys[p]
		if err := counts.AddTaken(ctx, p, n); err != nil {
			slog.WarnContext(ctx, "taken keys not counted until tonight", "pool", p.String(), "keys", n, "error", err)
		}
	}
}
