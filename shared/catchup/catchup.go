// Package catchup finds what the payment platforms' webhooks did not tell: it asks their
// APIs what was paid, refunded and disputed, and hands it to the same intake as a webhook.
//
// # What it promises
//
// An order whose webhook never came, or was left to catch-up (platform.LeftError), gets its keys
// within a quarter of an hour, once. One that was refunded meanwhile gets none. An outage of
// days, of the platform or of ours, is made up: the watermark of an account, up to which
// everything is applied, is moved by success alone.
//
// # How
//
// A tick sends one message for each account that has credentials. A message is a run of
// one account, so that a platform that does not answer holds up no other: the run ends at
// the first call that fails for now, and the next tick goes on. A run that has no time left
// sends the message again, with the place where it stopped.
//
// A run asks for what changed since the watermark, and overlap before: lists lag, and
// clocks differ. So it meets most purchases several times. What is stored of them is read
// first, a hundred items by one BatchGetItem, and what is known is passed over: a read, and
// no claim.
//
// Refunds and disputes of a purchase are applied before an unknown line of it is claimed.
// If they cannot be, the line is not claimed either.
//
// A purchase that the API shows in a form that cannot be read is kept as a webhook that
// cannot be taken is, and the merchant is told, once. It holds up none after it, nor the
// watermark: nothing of it changes by asking again. An answer that cannot be read as a
// whole, and one that is an error, end the run.
//
// A purchase that cannot be stored holds up none after it, but the watermark: the next runs
// meet it again until it is. So does a test side whose API does not answer, for a day at most, and
// only while the time of a run is enough for what the live side lists since: live orders do not
// wait for it.
//
// # Decisions
//
// One run at a time an account, by a lease: the messages of a long catch-up and those of
// the clock would become more and more otherwise. The lease of a run that died ends soon
// after the time that the run had.
//
// Calls of a platform's API are limited to a few a second for each account, since the
// platform's own limit is for webhooks too, whose sender waits.
package catchup

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"keypool/shared/catalog"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/platform"
)

// Catchup catches up with accounts. It is safe for concurrent use.
type Catchup struct {
	Accounts  Accounts
	Store     Store
	Intake    Intake
	Adapters  map[string]platform.Adapter // by name
	Opener    platform.CredentialOpener
	Queue     Sender // of platform.CatchupRequest
	PublicURL string // of the API, as platforms reach it
	Now       func() time.Time

	// CallsASecond bounds the calls of a platform's API for one account; 0: it does not.
	CallsASecond int
}

// Accounts finds accounts with payment platforms.
type Accounts interface {
	// Account returns an account as it is now, false if there is none.
	Account(ctx context.Context, merchant, name string) (catalog.Account, bool, error)
	// FetchingAccounts calls see with each account that has credentials.
	FetchingAccounts(ctx context.Context, see func(merchant, account string) error) error
}

// Store keeps how far catch-up has come, and knows what was stored of orders.
type Store interface {
	// BeginCatchup takes the lease on an account's catch-up, and returns how far it has
	// come; false while another run has the lease.
	BeginCatchup(ctx context.Context, merchant, account string, now, leaseEndsAt time.Time) (catalog.Catchup, bool, error)
	// SaveCatchup stores how far the run of that lease has come, and ends the lease. It is
	// job.ErrFenced if another run has it.
	SaveCatchup(ctx context.Context, merchant, account string, c catalog.Catchup, leaseEndsAt time.Time, ends bool) error
	// Known returns what is stored of lines, of orders as a whole, and of refunds.
	Known(ctx context.Context, lines []order.LineID, orders []string, refunds []order.LineRefund) (order.Known, error)
	// RaiseNotice stores a notice, once: a notice with the same ID changes nothing.
	RaiseNotice(ctx context.Context, n notice.Notice) error
}

// Intake applies events, and keeps what cannot be read; see intake.Intake.
type Intake interface {
	Take(ctx context.Context, from platform.Account, events ...platform.Event) []platform.Result
	PassOver(ctx context.Context, from platform.Account, changedAt time.Time, mistake *platform.FieldError) []platform.Result
}

// Sender sends a message, to be received after the delay.
type Sender interface {
	Send(ctx context.Context, message any, delay time.Duration) error
}

// messagesAtOnce is how many messages a tick has in flight.
const messagesAtOnce = 10

// Tick asks for a run of each account that has credentials.
func (c *Catchup) Tick(ctx context.Context) error {
	var sends errgroup.Group
	sends.SetLimit(messagesAtOnce)
	asked := 0
	err := c.Accounts.FetchingAccounts(ctx, func(merchant, account string) error {
		asked++
		sends.Go(func() error { return c.Queue.Send(ctx, platform.AskCatchup(merchant, account), 0) })
		return nil
	})
	if sent := sends.Wait(); err == nil {
		err = sent
	}
	slog.InfoContext(ctx, "catchup.asked", "accounts", asked)
	return err
}
