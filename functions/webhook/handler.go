package main

import (
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"

	"keypool/shared/intake"
	"keypool/shared/platform"
	"keypool/shared/problem"
)

// handler receives the webhooks of payment platforms, each at the address of a
// merchant's account: /webhooks/{merchant}/{account}.
type handler struct {
	accounts *platform.Accounts
	intake   *intake.Intake
}

// ServeHTTP verifies a webhook before anything in it is parsed, and answers it after
// everything in it is stored.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		askToRetry(w, r, err)
		return
	}
	request := platform.Request{Header: r.Header, Body: body}

	// The sender is the account whose secret signed the request.
	sender, err := h.accounts.Verify(ctx, r.PathValue("merchant"), r.PathValue("account"), request)
	if errors.Is(err, platform.ErrSignature) {
		problem.New(http.StatusUnauthorized, "The signature does not match.").Write(w, r)
		return
	}
	if err != nil {
		askToRetry(w, r, err)
		return
	}

	// The events are what the request reports: an order was paid, refunded, disputed.
	events, err := sender.Adapter.Decode(ctx, request, sender.Account)

	// Package intake applies them, each kind in a case of its function applyOne. A paid
	// order (platform.Paid) becomes claims. A refund (platform.Returned) or a dispute
	// (platform.Disputed) fails until it is handled, so the platform sends it again.
	var results []platform.Result
	if err == nil {
		results = h.intake.Apply(ctx, sender.Account, request, events)
	} else {
		results = h.intake.Refuse(ctx, sender.Account, request, err)
	}

	// Each platform is told in its own way what was received.
	answer := sender.Adapter.Answer(results)
	maps.Copy(w.Header(), answer.Header)
	w.WriteHeader(answer.Status)
	w.Write(answer.Body)
}

// askToRetry answers 503 to a webhook that could not be verified for a temporary reason.
func askToRetry(w http.ResponseWriter, r *http.Request, err error) {
	slog.ErrorContext(r.Context(), "webhook.not_verified", "error", err)
	w.Header().Set("Retry-After", "5")
	problem.New(http.StatusServiceUnavailable, "Nothing was stored: send the same again.").Write(w, r)
}
