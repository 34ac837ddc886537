package intake

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"keypool/shared/catalog"
	"keypool/shared/notice"
	"keypool/shared/platform"
)

// calls gathers how often accounts were heard of, and what is still to be written of it.
// Its zero value is ready. It holds accounts that exist, and no name that a stranger
// made up.
type calls struct {
	mu       sync.Mutex
	accounts map[[2]string]*accountCalls // by merchant and account
}

// accountCalls is what a process knows of the webhooks of one account.
type accountCalls struct {
	unwritten catalog.Calls
	seen      *rate.Limiter // of writes for webhooks that the account signed
	failed    *rate.Limiter // of writes for those that it did not sign
	toldHour  string        // the hour in which the merchant was last told
}

// Webhooks that an account signed are written by the next one that comes 10 seconds later or
// more. Failures are written one by one, so that the API shows each, until a stranger sends
// them by the dozen: then they are gathered, and a process that ends may lose the last.
const (
	seenEvery   = 10 * time.Second
	failedEvery = 10 * time.Second
	failedBurst = 10
)

// update changes what is known of an account, one change at a time.
func (c *calls) update(merchant, account string, change func(a *accountCalls)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := [2]string{merchant, account}
	a, ok := c.accounts[key]
	if !ok {
		if c.accounts == nil {
			c.accounts = map[[2]string]*accountCalls{}
		}
		a = &accountCalls{
			seen:   rate.NewLimiter(rate.Every(seenEvery), 1),
			failed: rate.NewLimiter(rate.Every(failedEvery), failedBurst),
		}
		c.accounts[key] = a
	}
	change(a)
}

// take returns what is to be written, which is then no longer unwritten.
func (a *accountCalls) take() catalog.Calls {
	taken := a.unwritten
	a.unwritten = catalog.Calls{}
	return taken
}

// began notes that a webhook came that an account signed, for the API to show. That is best
// effort and costs its sender no time: it is written beside the work that the webhook asks
// for, at most once in seenEvery, together with what was gathered since the last time. What
// became of this one is not known then, and goes with the next write. A failure is written
// at once.
func (in *Intake) began(ctx context.Context, from platform.Account, call catalog.Call) (ended func([]platform.Result)) {
	now := in.Now()
	call.At = now.Truncate(time.Millisecond) // as it is stored, so that its end finds it there
	var write catalog.Calls
	in.calls.update(from.Merchant, from.Name, func(a *accountCalls) {
		if a.seen.AllowN(now, 1) {
			a.unwritten.LastSeenAt = now
			a.note(call)
			write = a.take()
		}
	})
	var writing sync.WaitGroup
	if !write.IsZero() {
		writing.Go(func() { in.addCalls(ctx, from.Merchant, from.Name, write) })
	}
	return func(results []platform.Result) {
		writing.Wait()
		call, failed := became(call, results)
		var write catalog.Calls
		in.calls.update(from.Merchant, from.Name, func(a *accountCalls) {
			a.note(call)
			if failed && a.failed.AllowN(now, 1) {
				write = a.take()
			}
		})
		in.addCalls(ctx, from.Merchant, from.Name, write)
	}
}

// note gathers a webhook, to be written.
func (a *accountCalls) note(call catalog.Call) {
	a.unwritten.Last = catalog.MergeCalls(a.unwritten.Last, []catalog.Call{call})
}

// callOf returns what is shown of a webhook by its first event that names an order, or its
// first one.
func callOf(events []platform.Event) catalog.Call {
	var first catalog.Call
	for _, event := range events {
		var call catalog.Call
		switch event := event.(type) {
		case platform.Paid:
			call = catalog.Call{Event: "paid", Order: event.Order}
		case platform.Returned:
			call = catalog.Call{Event: "refunded", Order: event.Order}
		case platform.Disputed:
			call = catalog.Call{Event: "disputed", Order: event.Order}
		case platform.Recorded:
			call = catalog.Call{Event: readable(event.Type), Order: event.Order}
		case platform.Ignored:
			call = catalog.Call{Event: readable(event.Type)}
		}
		if call.Order != "" {
			call.Order = readable(call.Order)
			return call
		}
		if first.Event == "" {
			first = call
		}
	}
	return first
}

// became returns a webhook with the worst of its results, and whether that is a failure.
func became(call catalog.Call, results []platform.Result) (catalog.Call, bool) {
	worst := platform.Skipped
	for _, r := range results {
		worst = max(worst, r.Outcome)
		if call.State == "" {
			call.State = r.State
		}
	}
	call.Became = map[platform.Outcome]string{
		platform.Skipped: "skipped", platform.Accepted: "accepted", platform.Changed: "changed", platform.Rejected: "rejected",
		platform.Left: "left_to_catchup", platform.Failed: "failed",
	}[worst]
	if worst != platform.Accepted {
		call.State = ""
	}
	return call, worst > platform.Accepted
}

// NotSigned counts a webhook that an account did not sign, and tells the merchant once
// an hour if it was well-formed: a shop whose secret or clock is wrong sells, and its
// customers get nothing. What cannot be stored is logged, since the sender is answered
// the same.
func (in *Intake) NotSigned(ctx context.Context, failure *platform.SignatureError) {
	now, cause := in.Now(), causeOf(failure)
	var write catalog.Calls
	tell := false
	in.calls.update(failure.Merchant, failure.Account, func(a *accountCalls) {
		tell = cause != "" && a.toldHour != notice.Hour(now)
		a.unwritten.Failed++
		a.unwritten.LastFailedAt = now
		a.unwritten.FailedHours = catalog.AddFailedHours(a.unwritten.FailedHours, []catalog.FailedHour{{From: now.Truncate(time.Hour), Webhooks: 1}})
		a.note(catalog.Call{At: now, Became: catalog.NotSigned})
		if a.failed.AllowN(now, 1) {
			write = a.take()
		}
	})
	in.addCalls(ctx, failure.Merchant, failure.Account, write)
	if !tell {
		return
	}
	facts := notice.Facts{Account: failure.Account, Cause: cause, Count: 1}
	dedupKey := failure.Account + "#" + notice.Hour(now)
	if err := in.Records.RaiseNotice(ctx, notice.New(failure.Merchant, notice.NotSigned, dedupKey, facts, now)); err != nil {
		slog.ErrorContext(ctx, "webhook.not_noticed", "merchant", failure.Merchant, "account", failure.Account, "error", err)
		return
	}
	in.calls.update(failure.Merchant, failure.Account, func(a *accountCalls) { a.toldHour = notice.Hour(now) })
}

// causeOf returns the cause of a failure as a notice names it, "" for one that no shop
// sends by mistake.
func causeOf(failure *platform.SignatureError) string {
	switch {
	case errors.Is(failure, platform.ErrSecret):
		return notice.CauseSecret
	case errors.Is(failure, platform.ErrClock):
		return notice.CauseClock
	}
	return ""
}

func (in *Intake) addCalls(ctx context.Context, merchant, account string, more catalog.Calls) {
	if more.IsZero() {
		return
	}
	if err := in.Records.AddCalls(ctx, merchant, account, more); err != nil {
		slog.WarnContext(ctx, "webhook.not_counted", "merchant", merchant, "account", account, "error", err)
	}
}
