package stripe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"keypool/shared/outbound"
	"keypool/shared/platform"
)

// apiVersion is the version of the API that is called, whatever version the merchant's
// account and event destination have.
const apiVersion = "2026-08-26.dahlia"

var host = outbound.API("api.stripe.com")

// api is Stripe's API, as an account may call it on one side.
type api struct {
	client *outbound.Client
	key    string // empty: the account has none
	test   bool
}

// apiOf returns the API of an account's side. Its calls fail if the account has no key.
func (a Adapter) apiOf(account platform.Account, test bool) api {
	called := api{client: a.API, test: test}
	if key, ok := account.Credentials[credentialOf(test)]; ok {
		called.key = string(key.Reveal())
	}
	return called
}

func credentialOf(test bool) string {
	if test {
		return testKey
	}
	return liveKey
}

// pageSize is the number of objects that are asked for at once, Stripe's maximum.
const pageSize = "100"

// get reads an object.
func (a api) get(ctx context.Context, path string, query url.Values, v any) error {
	if a.key == "" {
		return &platform.SetupError{
			Field:   "credentials." + credentialOf(a.test),
			Problem: "is missing: make a restricted key in Stripe (Developers, API keys) and enter it, since Stripe's webhooks do not say what was bought",
		}
	}
	answer, err := a.client.Do(ctx, outbound.Call{
		Host: host, Path: path, Query: query,
		Header: http.Header{"Authorization": {"Bearer " + a.key}, "Stripe-Version": {apiVersion}},
	})
	var mend *outbound.Error
	switch {
	case errors.As(err, &mend):
		return &refusedError{mend.Status, &platform.SetupError{Field: "credentials." + credentialOf(a.test), Problem: "does not serve: " + mend.Error()}}
	case err != nil:
		return err
	}
	if err := read(answer.Body, v); err != nil {
		// Not of the webhook's body, and not what its sender or the merchant could mend.
		unread := fmt.Errorf("an answer of api.stripe.com cannot be read: %w", platform.ErrTryAgain)
		var mistake *platform.FieldError
		if errors.As(err, &mistake) && mistake.Field != "" {
			return &platform.UnfitError{Cause: unread, Mistake: mistake}
		}
		return unread
	}
	return nil
}

// refusedError is a *platform.SetupError of a call that was refused.
type refusedError struct {
	status int
	mend   *platform.SetupError
}

func (e *refusedError) Error() string { return e.mend.Error() }

func (e *refusedError) Unwrap() error { return e.mend }

// page is a page of a list.
type page[T any] struct {
	HasMore bool `json:"has_more"`
	Data    []T  `json:"data"`
}

// list reads all pages of a list, each of pageSize objects unless the query has a limit.
func list[T interface{ name() string }](ctx context.Context, a api, path string, query url.Values) ([]T, error) {
	var all []T
	if !query.Has("limit") {
		query.Set("limit", pageSize)
	}
	err := outbound.Pages(host, func() (bool, error) {
		var next page[T]
		if err := a.get(ctx, path, query, &next); err != nil {
			return false, err
		}
		all = append(all, next.Data...)
		if len(next.Data) == 0 {
			return false, nil
		}
		query.Set("starting_after", next.Data[len(next.Data)-1].name())
		return next.HasMore, nil
	})
	var mend *outbound.Error
	if errors.As(err, &mend) {
		return nil, &platform.FieldError{Field: strings.TrimSuffix(within, "."), Problem: mend.Error()}
	}
	return all, err
}

// first reads the first object of a list; false if it is empty.
func first[T any](ctx context.Context, a api, path string, query url.Values) (T, bool, error) {
	var found page[T]
	query.Set("limit", "1")
	err := a.get(ctx, path, query, &found)
	if err != nil || len(found.Data) == 0 {
		var none T
		return none, false, err
	}
	return found.Data[0], true, nil
}

// isID says whether a text can be the id of an object of this kind: "cs_", "in_".
func isID(text, kind string) bool {
	rest, ok := strings.CutPrefix(text, kind)
	return ok && rest != "" && len(text) <= 255 && !strings.ContainsFunc(rest, isNotOfTokens) && !strings.Contains(rest, "/")
}
