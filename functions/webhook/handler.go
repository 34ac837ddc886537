package main

import (
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"

	"keypool/shared/intake"
	"keypool/shared/platform"
	"keypool/shared/problem"
)

// handler receives the webhooks of payment platforms, each at the address of a
// merchant's account: /webhooks/{merchant}/{account}, with or without a slash at its end.
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

	// Some platforms try an address, without a signature, before they send webhooks there.
	if answer, ok := h.accounts.Ping(request); ok {
		write(w, answer)
		return
	}

	// The sender is the account whose secret signed the request.
	merchant, account := address(r)
	sender, err := h.accounts.Verify(ctx, merchant, account, request)
	var failure *platform.SignatureError
	if errors.As(err, &failure) {
		h.intake.NotSigned(ctx, failure) // a shop may sign with the wrong secret
	}
	if errors.Is(err, platform.ErrSignature) {
		problem.New(http.StatusUnauthorized, "The signature does not match.").Write(w, r)
		return
	}
	if err != nil {
		askToRetry(w, r, err)
		return
	}

	// The events are what the request reports: an order was paid, refunded, disputed.
	events, err := sender.Decode(ctx, request)

	// Package intake applies them, each kind in a case of its function applyOne. A paid
	// order (platform.Paid) becomes claims. A refund (platform.Returned) takes keys back, a
	// dispute (platform.Disputed) holds its order, whether that was paid yet or not.
	var results []platform.Result
	if err == nil {
		results = h.intake.Apply(ctx, sender.Account, request, events)
	} else {
		results = h.intake.Refuse(ctx, sender.Account, request, err)
	}

	// Each platform is told in its own way what was received.
	write(w, sender.Answer(results))
}

func write(w http.ResponseWriter, answer platform.Response) {
	maps.Copy(w.Header(), answer.Header)
	w.WriteHeader(answer.Status)
	w.Write(answer.Body)
}

// address returns the merchant and the account that a request's address names. The
// gateway has no route that ends in a slash: such an address comes by the route
// /webhooks/{proxy+}. An address of another form names nobody, whom nobody can sign for.
func address(r *http.Request) (merchant, account string) {
	if merchant = r.PathValue("merchant"); merchant != "" {
		return merchant, r.PathValue("account")
	}
	named, _ := strings.CutPrefix(r.URL.Path, "/webhooks/")
	merchant, account, _ = strings.Cut(strings.TrimSuffix(named, "/"), "/")
	return merchant, account
}

// askToRetry answers 503 to a webhook that could not be verified for a temporary reason.
func askToRetry(w http.ResponseWriter, r *http.Request, err error) {
	slog.ErrorContext(r.Context(), "webhook.not_verified", "error", err)
	w.Header().Set("Retry-After", "5")
	problem.New(http.StatusServiceUnavailable, "Nothing was stored: send the same again.").Write(w, r)
}
