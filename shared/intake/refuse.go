package intake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"

	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/platform"
)

// Refuse records that a signed request cannot be taken, and returns the result to
// answer. A *platform.FieldError is kept, and the merchant told once an hour and
// field; any other error may pass, so the platform is to send the request again.
func (in *Intake) Refuse(ctx context.Context, from platform.Account, r platform.Request, cause error) []platform.Result {
	var field *platform.FieldError
	if !errors.As(cause, &field) {
		slog.ErrorContext(ctx, "order.not_stored", "error", cause)
		return []platform.Result{{Outcome: platform.Failed}}
	}
	if err := in.keep(ctx, from, r, field); err != nil {
		slog.ErrorContext(ctx, "order.not_stored", "error", err)
		return []platform.Result{{Outcome: platform.Failed, Order: field.Order}}
	}
	slog.WarnContext(ctx, "order.refused", "field", field.Field)
	return []platform.Result{{Outcome: platform.Rejected, Order: field.Order, Field: field}}
}

// keep stores the refusal, and a notice of it.
func (in *Intake) keep(ctx context.Context, from platform.Account, r platform.Request, field *platform.FieldError) error {
	now := in.Now()
	sum := sha256.Sum256(r.Body)
	err := in.Records.KeepRefusal(ctx, order.Refusal{
		Merchant: from.Merchant, Account: from.Name, Order: field.Order, Body: hex.EncodeToString(sum[:]),
		Field: field.Field, Problem: field.Problem, At: now,
	})
	if err != nil {
		return err
	}
	facts := notice.Facts{Cause: field.Error(), Count: 1}
	if field.Order != "" {
		facts.Orders = []string{field.Order}
	}
	dedupKey := from.Name + "#" + field.Field + "#" + notice.Hour(now)
	return in.Records.RaiseNotice(ctx, notice.New(from.Merchant, notice.OrderRefused, dedupKey, facts, now))
}
