package catchup

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"keypool/shared/catalog"
	"keypool/shared/job"
	"keypool/shared/notice"
	"keypool/shared/outbound"
	"keypool/shared/platform"
)

// CallsASecond is how many calls a platform's API gets in a second, and at once, for one
// account. Stripe takes 25 in a sandbox, other platforms fewer, and a shop of one's own
// runs on a machine of its own.
const CallsASecond = 5

const (
	// overlap is how long before the watermark a run begins.
	overlap = 2 * time.Hour
	// grace is how long a lease outlives the time of its run.
	grace = time.Minute
	// saveEvery is how often a run stores how far it has come.
	saveEvery = 10 * time.Second
	// longestRun is more than any run takes from its first claim to its end, and than a webhook.
	longestRun = 15 * time.Minute
	// unreachableFor is how long a platform's API may not answer before its merchant is told: since
	// the first run that it did not answer.
	unreachableFor = 24 * time.Hour
)

// run is one look at one account.
type run struct {
	*Catchup
	account catalog.Account
	from    platform.Account
	state   catalog.Catchup
	lease   time.Time
	until   time.Time
	savedAt time.Time
	reached time.Time // up to where all that was listed is applied

	seen, applied int
	passed        int // purchases that cannot be read
	failed        int // purchases that were not stored: the watermark stays before the first
}

// Run looks at one account until the time is up. A failure of the platform's API is kept
// for the merchant to see, and no error: the next tick tries again. An error says that the
// store or a queue failed, and the message should come again.
func (c *Catchup) Run(ctx context.Context, request platform.CatchupRequest, until time.Time) error {
	account, ok, err := c.Accounts.Account(ctx, request.Merchant, request.Account)
	adapter := c.Adapters[account.Platform]
	if err != nil || !ok || len(account.Credentials) == 0 || !platform.CaughtUp(adapter) {
		return err
	}
	r := &run{Catchup: c, account: account, lease: until.Add(grace).Truncate(time.Millisecond), until: until, savedAt: c.Now()}
	var begun bool
	r.state, begun, err = c.Store.BeginCatchup(ctx, account.Merchant, account.Name, c.Now(), r.lease)
	if err != nil || !begun {
		return err
	}
	if r.from, err = platform.OpenCredentials(ctx, c.Opener, account); err != nil {
		return errors.Join(err, r.save(ctx, true))
	}
	if c.CallsASecond > 0 {
		ctx = outbound.Limited(ctx, rate.NewLimiter(rate.Limit(c.CallsASecond), c.CallsASecond))
	}
	goesOn, err := r.look(ctx, adapter, request.From)
	slog.InfoContext(ctx, "account.caught_up", "merchant", account.Merchant, "account", account.Name,
		"seen", r.seen, "applied", r.applied, "passed_over", r.passed, "failed", r.failed, "watermark", r.state.Watermark, "goes_on", goesOn)
	if err := errors.Join(err, r.save(ctx, true)); err != nil || !goesOn {
		return err
	}
	next := platform.AskCatchup(account.Merchant, account.Name)
	next.From = r.state.Watermark
	return c.Queue.Send(ctx, next, 0)
}

// look probes the webhook and lists what changed. It goes on in another run if there was
// no time for all of it.
func (r *run) look(ctx context.Context, adapter platform.Adapter, from time.Time) (goesOn bool, err error) {
	defer func() { r.state.RanAt = r.Now() }()
	if r.state.From.IsZero() || r.account.DeliversFrom.Before(r.state.From) {
		r.state.From, r.state.Watermark = r.begins(), time.Time{}
		from = time.Time{}
	}
	if from.After(r.state.Watermark) {
		from = time.Time{} // what lies between was applied by a run that had lost its lease
	}
	if now := r.Now(); r.state.From.After(now) {
		return false, nil // it does not deliver yet
	}
	if err := platform.CheckMarks(adapter, r.account); err != nil {
		return false, r.ended(ctx, err)
	}
	var failure error
	if prober, ok := adapter.(platform.Prober); ok && from.IsZero() {
		failure = r.probe(ctx, prober)
	}
	if lister, ok := adapter.(platform.Lister); ok {
		since := from
		if since.IsZero() {
			since = r.state.Since(overlap)
		}
		listed := r.list(ctx, lister, since)
		if errors.Is(listed, job.ErrUnfinished) {
			if r.reached.After(r.state.Watermark) {
				r.state.Watermark = r.reached // live orders do not wait for the test side
			}
			switch {
			case r.failed > 0:
				listed = nil // the next run meets them again
			case r.state.Watermark.After(since):
				return true, nil
			default:
				listed = errSlow
			}
		}
		if listed != nil {
			failure = listed
		}
	}
	return false, r.ended(ctx, failure)
}

// waits says whether the watermark waits for a test side that fails for now: for as long as an
// API may not answer. From then on each run would read more of the live side's again.
func (r *run) waits() bool {
	since := r.state.UnansweredSince
	return since.IsZero() || r.Now().Sub(since) <= unreachableFor
}

// begins returns the time at which an account's first run begins: never before it
// delivers.
func (r *run) begins() time.Time {
	if r.account.DeliversFrom.IsZero() {
		return r.Now().Add(-overlap)
	}
	return r.account.DeliversFrom
}

// The failures of a run that are none of the platform's.
var (
	errSlow      = errors.New("the platform's API is too slow: what changed could not be read in the time there is")
	errNotStored = errors.New("something that changed could not be stored; it is tried again")
	errUnread    = errors.New("the platform's API answered something that cannot be read; it is tried again")
)

// ended keeps how the run ended, and tells the merchant of what he is to mend. It returns
// the failure if it is of the store.
func (r *run) ended(ctx context.Context, failure error) error {
	var setup *platform.SetupError
	shown, tell := failure, false
	switch {
	case failure == nil && r.failed > 0:
		shown, r.state.UnansweredSince = errNotStored, time.Time{}
	case failure == nil:
		r.state.Error, r.state.SucceededAt, r.state.UnansweredSince = "", r.Now(), time.Time{}
		return nil
	case errors.As(failure, &setup):
		shown, tell, r.state.UnansweredSince = setup, true, time.Time{}
	case errors.Is(failure, platform.ErrTryAgain), errors.Is(failure, errSlow):
		if r.state.UnansweredSince.IsZero() {
			r.state.UnansweredSince = r.Now()
		}
		tell = r.Now().Sub(r.state.UnansweredSince) > unreachableFor
	case errors.Is(failure, errStore):
		return failure
	default:
		slog.ErrorContext(ctx, "account.not_caught_up", "merchant", r.account.Merchant, "account", r.account.Name, "error", failure)
		shown = errUnread
	}
	slog.WarnContext(ctx, "account.not_caught_up", "merchant", r.account.Merchant, "account", r.account.Name, "error", shown)
	r.state.Error = shown.Error()
	if !tell {
		return nil
	}
	return r.tell(ctx, notice.CatchupFailed, shown.Error())
}

// tell tells the merchant of the account, once a day.
func (r *run) tell(ctx context.Context, kind notice.Kind, cause string) error {
	now := r.Now()
	facts := notice.Facts{Account: r.account.Name, Cause: cause, Count: 1}
	return r.Store.RaiseNotice(ctx, notice.New(r.account.Merchant, kind, r.account.Name+"#"+notice.Day(now), facts, now))
}

// save stores how far the run has come. A run whose lease is another's has nothing to store.
func (r *run) save(ctx context.Context, ends bool) error {
	r.savedAt = r.Now()
	err := r.Store.SaveCatchup(ctx, r.account.Merchant, r.account.Name, r.state, r.lease, ends)
	if ends && errors.Is(err, job.ErrFenced) {
		return nil
	}
	return err
}

// probe asks the platform for its webhook, makes it where it is missing and the platform
// lets us, and tells the merchant if there is none that works.
func (r *run) probe(ctx context.Context, prober platform.Prober) error {
	address := r.PublicURL + platform.WebhookPath(r.account.Merchant, r.account.Name)
	status, err := prober.Probe(ctx, r.from, address)
	if subscriber, ok := prober.(platform.Subscriber); ok && err == nil && status == platform.WebhookMissing {
		if err = subscriber.Subscribe(ctx, r.from, address); err == nil {
			slog.InfoContext(ctx, "account.subscribed", "merchant", r.account.Merchant, "account", r.account.Name)
			status = platform.WebhookActive
		}
	}
	if err != nil {
		return err
	}
	r.state.Webhook = string(status)
	causes := map[platform.WebhookStatus]string{platform.WebhookInactive: notice.CauseInactive, platform.WebhookMissing: notice.CauseMissing}
	if cause, bad := causes[status]; bad {
		if err := r.tell(ctx, notice.WebhookInactive, cause); err != nil {
			return errors.Join(errStore, err)
		}
	}
	return nil
}
