package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"keypool/shared/catalog"
	"keypool/shared/catalog/check"
	"keypool/shared/retry"
)

// Every answer that is not a success is a problem as RFC 9457 has it. What a
// caller sent is never quoted back, since it may be a secret.

// sorry is all that a caller learns of what went wrong on our side.
const sorry = "Something went wrong on our side. Nothing is lost; please try again."

// missing is the answer for what is not there, or is another merchant's: there
// is no difference to see.
func missing() error { return refusal(http.StatusNotFound, "There is no such thing here.") }

// refusal is a problem that the caller can do something about.
func refusal(status int, detail string, details ...*huma.ErrorDetail) *huma.ErrorModel {
	return &huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail, Errors: details}
}

// invalid refuses settings for everything that is wrong with them; nil if nothing is.
func invalid(problems []check.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	var details []*huma.ErrorDetail
	for _, p := range problems {
		details = append(details, &huma.ErrorDetail{Message: p.Message, Location: "body." + p.Path})
	}
	return refusal(http.StatusUnprocessableEntity, unfit, details...)
}

const unfit = "These settings cannot be used; see errors."

// located gives each problem the place in the request where the setting stood:
// the one called name in the path, the others in the body.
func located(problems []check.Problem, name string) []error {
	var errs []error
	for _, p := range problems {
		location := "body." + p.Path
		if p.Path == "name" || p.Path == "id" {
			location = "path." + name
		}
		errs = append(errs, &huma.ErrorDetail{Message: p.Message, Location: location})
	}
	return errs
}

// problem sorts every error into the answer it gets, and its headers. What is
// not in the table is ours: logged with its chain, and answered without it.
func problem(ctx context.Context, operation string, err error) (*huma.ErrorModel, http.Header) {
	var ready *huma.ErrorModel
	switch {
	case errors.As(err, &ready):
		return ready, nil
	case errors.Is(err, catalog.ErrConflict):
		return refusal(http.StatusPreconditionFailed, "It was changed meanwhile. Read it again and repeat your change on what you find."), nil
	case errors.Is(err, catalog.ErrMissing):
		return refusal(http.StatusPreconditionFailed, "It was deleted meanwhile."), nil
	case retry.Temporary(err), errors.Is(err, context.DeadlineExceeded):
		slog.WarnContext(ctx, "put off", "operation", operation, "error", err)
		return refusal(http.StatusServiceUnavailable, "There is too much to do at this moment. Please try again."), http.Header{"Retry-After": {"2"}}
	default:
		slog.ErrorContext(ctx, "failed", "operation", operation, "error", err)
		return refusal(http.StatusInternalServerError, sorry), nil
	}
}

// tidy makes of huma's own problems what ours are: no values quoted, one message
// for each place, a missing field told where the field would stand.
func tidy(_ huma.Context, _ string, v any) (any, error) {
	p, ok := v.(*huma.ErrorModel)
	if !ok || len(p.Errors) == 0 {
		return v, nil
	}
	if p.Detail == "validation failed" {
		p.Detail = "The request cannot be understood; see errors."
		if p.Status == http.StatusUnprocessableEntity {
			p.Detail = unfit
		}
	}
	seen := map[string]bool{}
	var details []*huma.ErrorDetail
	for _, d := range p.Errors {
		if name, ok := strings.CutPrefix(d.Message, "expected required property "); ok {
			d.Location += "." + strings.TrimSuffix(name, " to be present")
			d.Message = "it is needed"
		}
		// A body that is no JSON has no settings yet that could be wrong.
		if seen[d.Location] || p.Status == http.StatusBadRequest && d.Location != "body" {
			continue
		}
		seen[d.Location] = true
		details = append(details, &huma.ErrorDetail{Message: d.Message, Location: d.Location})
	}
	p.Errors = details
	return p, nil
}

// writeProblem answers outside of any operation.
func writeProblem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(refusal(status, detail))
}

func stack() string { return string(debug.Stack()) }
