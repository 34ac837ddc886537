package intake

import (
	"context"
	"log/slog"
	"strings"
	"unicode"

	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/platform"
)

// skip passes over an event that does not concern Keypool. Of a type that the adapter
// does not know, the merchant is told once a day: the sender may mean a paid order. A payment
// that is no order is listed among the refusals, and told once.
func (in *Intake) skip(ctx context.Context, from platform.Account, event platform.Ignored) platform.Result {
	var err error
	switch {
	case event.Payment != "":
		err = in.tellPayment(ctx, from, event)
	case event.Unknown:
		now, name := in.Now(), readable(event.Type)
		facts := notice.Facts{Account: from.Name, Cause: name, Count: 1}
		dedupKey := from.Name + "#" + notice.Day(now) + "#" + name
		err = in.Records.RaiseNotice(ctx, notice.New(from.Merchant, notice.UnknownEvent, dedupKey, facts, now))
	}
	if err != nil {
		slog.ErrorContext(ctx, "event.not_noticed", "merchant", from.Merchant, "account", from.Name, "error", err)
		return platform.Result{Outcome: platform.Failed}
	}
	return platform.Result{Outcome: platform.Skipped, Type: event.Type}
}

// tellPayment lists a payment that is no order among the refusals, and tells the merchant: of
// the first of a day at once, of the others when the day ends.
func (in *Intake) tellPayment(ctx context.Context, from platform.Account, event platform.Ignored) error {
	now := in.Now()
	facts := notice.Facts{Count: 1, Refused: []notice.Refused{{Order: event.Payment, Account: from.Name, Cause: event.Why}}}
	return in.Records.KeepRefusal(ctx, order.Refusal{
		Merchant: from.Merchant, Account: from.Name, Order: event.Payment, Problem: event.Why, At: now,
	}, notice.Gather(from.Merchant, notice.PaymentIgnored, facts, now))
}

// readable returns the name of an event as it can be shown: printable characters, 60 of
// them at most.
func readable(name string) string {
	const most = 60
	runes := []rune(strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, name)))
	if len(runes) == 0 {
		return "(nothing that can be shown)"
	}
	if len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return string(runes)
}
