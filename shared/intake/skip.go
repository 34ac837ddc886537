package intake

import (
	"context"
	"log/slog"
	"strings"
	"unicode"

	"keypool/shared/notice"
	"keypool/shared/platform"
)

// skip passes over an event that does not concern Keypool. Of a type that the adapter
// does not know, the merchant is told once a day: the sender may mean a paid order.
func (in *Intake) skip(ctx context.Context, from platform.Account, event platform.Ignored) platform.Result {
	skipped := platform.Result{Outcome: platform.Skipped, Type: event.Type}
	if !event.Unknown {
		return skipped
	}
	now, name := in.Now(), readable(event.Type)
	facts := notice.Facts{Cause: name, Count: 1}
	dedupKey := from.Name + "#" + notice.Day(now) + "#" + name
	if err := in.Records.RaiseNotice(ctx, notice.New(from.Merchant, notice.UnknownEvent, dedupKey, facts, now)); err != nil {
		slog.ErrorContext(ctx, "event.not_noticed", "merchant", from.Merchant, "account", from.Name, "error", err)
		return platform.Result{Outcome: platform.Failed}
	}
	return skipped
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
