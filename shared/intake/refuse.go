package intake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/platform"
	"keypool/shared/pool"
)

// Refuse records that a signed request cannot be taken, and returns the result to
// answer. A *platform.FieldError is kept, and the merchant told: of the first order of
// an hour at once, of the others when the hour ends. So is a *platform.SetupError, but the
// platform is to send the request again: the merchant may have mended the account by
// then. Of a *platform.LeftError nothing is kept but the account's call: catch-up will find
// its order. Any other error may pass, and the platform is to send the request again.
func (in *Intake) Refuse(ctx context.Context, from platform.Account, r platform.Request, cause error) []platform.Result {
	var call catalog.Call
	var field *platform.FieldError
	var setup *platform.SetupError
	var left *platform.LeftError
	switch {
	case errors.As(cause, &left):
		call.Order = readable(left.Order)
	case errors.As(cause, &field) && field.Order != "":
		call.Order = readable(field.Order)
	case errors.As(cause, &setup) && setup.Order != "":
		call.Order = readable(setup.Order)
	}
	ended := in.began(ctx, from, call)
	results := in.refuse(ctx, from, "", r, cause)
	ended(results)
	return results
}

// PassOver records that a platform's API shows a purchase that cannot be read, as Refuse does
// of a webhook, once. The account was not heard from by it.
func (in *Intake) PassOver(ctx context.Context, from platform.Account, changedAt time.Time, mistake *platform.FieldError) []platform.Result {
	// Where it has no number, its time tells it from others with the same mistake.
	return in.refuse(ctx, from, "", platform.Request{Body: []byte(changedAt.UTC().Format(time.RFC3339Nano))}, mistake)
}

// refuse refuses what was read of a request; the side is empty where it could not be.
func (in *Intake) refuse(ctx context.Context, from platform.Account, side pool.Side, r platform.Request, cause error) []platform.Result {
	var field *platform.FieldError
	var setup *platform.SetupError
	var left *platform.LeftError
	outcome := platform.Rejected
	switch {
	case errors.As(cause, &left):
		slog.WarnContext(ctx, "order.left_to_catchup", "merchant", from.Merchant, "account", from.Name, "error", left.Cause)
		return []platform.Result{{Outcome: platform.Left, Order: left.Order}}
	case errors.As(cause, &setup):
		field, outcome = &platform.FieldError{Field: setup.Field, Problem: setup.Problem, Order: setup.Order}, platform.Failed
	case !errors.As(cause, &field):
		slog.ErrorContext(ctx, "order.not_stored", "error", cause)
		return []platform.Result{{Outcome: platform.Failed}}
	}
	sum := sha256.Sum256(r.Body)
	if err := in.keep(ctx, from, order.Refusal{Side: side, Body: hex.EncodeToString(sum[:])}, field); err != nil {
		slog.ErrorContext(ctx, "order.not_stored", "error", err)
		return []platform.Result{{Outcome: platform.Failed, Order: field.Order}}
	}
	slog.WarnContext(ctx, "order.refused", "field", field.Field)
	return []platform.Result{{Outcome: outcome, Order: field.Order, Field: field}}
}

// keep stores the refusal, a notice of it, and entries of lines' histories.
func (in *Intake) keep(ctx context.Context, from platform.Account, r order.Refusal, field *platform.FieldError, history ...order.History) error {
	now := in.Now()
	facts := notice.Facts{Count: 1, Refused: []notice.Refused{{Order: field.Order, Account: from.Name, Cause: field.Error()}}}
	r.Merchant, r.Account, r.Order, r.Field, r.Problem, r.At = from.Merchant, from.Name, field.Order, field.Field, field.Problem, now
	return in.Records.KeepRefusal(ctx, r, notice.Gather(from.Merchant, notice.OrderRefused, facts, now), history...)
}
