package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"

	"keypool/shared/catalog"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/problem"
	"keypool/shared/retry"
	"keypool/shared/settings"
)

// Every error has its status, wherever it stands in a chain.
func TestProblem(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err     error
		status  int
		says    string
		headers http.Header
	}{
		"no token":               {ErrUnauthorized, 401, "Bearer kp_", http.Header{"Www-Authenticate": {"Bearer"}}},
		"not the operator":       {ErrForbidden, 403, "Signature Version 4", nil},
		"another's, or nobody's": {settings.ErrNotFound, 404, "no such thing", nil},
		"no order":               {order.ErrNoOrder, 404, "no such order", nil},
		"no line":                {order.ErrNoLine, 404, "lacks a line", nil},
		"in use":                 {&settings.InUseError{Thing: "pool", Reasons: []string{"one", "two"}}, 409, "The pool is in use: one; two.", nil},
		"several":                {&order.AmbiguousError{Matches: []order.Match{{Account: "shop-eu", Side: pool.Test}}}, 409, "Say in the query", nil},
		"by hand, used":          {&order.NumberUsedError{Account: catalog.ByHandName}, 409, "nothing was stored", nil},
		"an account's number":    {&order.NumberUsedError{Account: "shop-eu"}, 409, "The account shop-eu has an order of this number", nil},
		"stale":                  {&order.StaleError{}, 409, "nothing was done", nil},
		"stale, others done":     {&order.StaleError{Done: []string{"1", "2"}}, 409, "done to these lines: 1, 2.", nil},
		"of another state":       {&order.StateError{State: order.Returned}, 409, "Keys are replaced only of a line that is fulfilled. This one is returned, and nothing was changed.", nil},
		"on hold":                {&order.StateError{State: order.OnHold}, 409, "nothing was changed. It has to come off hold first: get-order shows what holds it.", nil},
		"exists":                 {settings.ErrExists, 412, "exists already", nil},
		"deleted":                {catalog.ErrMissing, 412, "deleted", nil},
		"changed":                {catalog.ErrConflict, 412, "changed since", nil},
		"invalid":                {&settings.InvalidError{}, 422, "see errors", nil},
		"no condition":           {settings.ErrUnconditional, 428, "If-Match", nil},
		"cut off":                {&settings.CutOffError{Done: 1, Of: 3, Err: context.DeadlineExceeded}, 503, "1 of 3 changes were made, and stay. For the others there was no time", http.Header{"Retry-After": {"2"}}},
		"cut off by another":     {&settings.CutOffError{Done: 1, Of: 3, Err: catalog.ErrConflict}, 409, "1 of 3 changes were made, and stay. Then another could not be made", nil},
		"cut off, no more valid": {&settings.CutOffError{Done: 2, Of: 3, Err: &settings.InvalidError{}}, 409, "2 of 3 changes were made", nil},
		"cut off by ours":        {&settings.CutOffError{Done: 1, Of: 3, Err: errors.New("table keypool-catalog")}, 500, "on our side", nil},
		"throttled":              {retry.ErrThrottled, 503, "try again", http.Header{"Retry-After": {"2"}}},
		"in conflict":            {retry.ErrChanged, 503, "try again", http.Header{"Retry-After": {"2"}}},
		"out of time":            {context.DeadlineExceeded, 503, "try again", http.Header{"Retry-After": {"2"}}},
		"ours":                   {errors.New("table keypool-catalog of 123456789012"), 500, "on our side", nil},
	} {
		got, headers := problemOf(t.Context(), "put-pool", fmt.Errorf("store pool elden: %w", c.err))
		if got.Status != c.status || got.Title != http.StatusText(c.status) || !strings.Contains(got.Detail, c.says) || strings.Contains(got.Detail, "keypool-catalog") {
			t.Errorf("%s: %+v, want %d and %q", name, got, c.status, c.says)
		}
		if len(headers) != len(c.headers) {
			t.Errorf("%s: headers %v, want %v", name, headers, c.headers)
		}
		for key := range c.headers {
			if headers.Get(key) != c.headers.Get(key) {
				t.Errorf("%s: headers %v, want %v", name, headers, c.headers)
			}
		}
	}
}

// A line that has changed is shown as it is now, with no word of its customer or its keys.
func TestProblem_staleLine(t *testing.T) {
	t.Parallel()
	line := order.Fulfillment{
		Line: "7", Version: 5, Quantity: 3, Wanted: 3, Allocated: 2, ReturnedUnits: 1, Returned: 1, Pool: "elden",
		Holds: []order.Hold{order.HoldByHand, order.HoldCap}, Customer: order.Customer{Email: "ada@example.com"},
		Keys: []pool.Key{{ID: "acme#live#1", Text: pool.Conceal("AAAA-BBBB")}}, Mail: outbox.Entry{State: outbox.Sent},
	}
	got, _ := problemOf(t.Context(), "hold-order", fmt.Errorf("hold line 7: %w", &order.StaleError{Lines: []order.Fulfillment{line}}))
	if diff := cmp.Diff([]problem.Place{{
		Message: `is now at version 5: on_hold ["by hand" "cap"]; it holds 2 of 3 keys, and 1 of 3 units were given back; its mail is sent`, Location: "body.versions.7",
	}}, got.Errors); diff != "" {
		t.Error(diff)
	}
	for detail, e := range map[string]*order.StaleError{
		"and nothing was done. errors says": {},
		"done to these lines: 1, 2. Others": {Done: []string{"1", "2"}},
		"This call dropped no dispute, because lines changed meanwhile: errors says how they are now. It released these lines from whatever else held them: 1. ": {Done: []string{"1"}, Disputes: true},
		"changed since the versions that you named, and nothing": {Disputes: true},
	} {
		e.Lines = []order.Fulfillment{line}
		if got, _ := problemOf(t.Context(), "release-order", e); got.Status != 409 || !strings.Contains(got.Detail, detail) {
			t.Errorf("%+v: %d %s", e.Done, got.Status, got.Detail)
		}
	}
}

// A mistake in a setting carries its place in the request.
func TestProblem_places(t *testing.T) {
	t.Parallel()
	wrong := []settings.Problem{{Path: "texts.de.body", Message: "it has no {KEY}"}, {Path: "id", Message: "it is too long"}}
	got, _ := problemOf(t.Context(), "put-product", &settings.InvalidError{Problems: wrong[:1]})
	if diff := cmp.Diff([]problem.Place{{Message: "it has no {KEY}", Location: "body.texts.de.body"}}, got.Errors); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]error{
		&huma.ErrorDetail{Message: "it has no {KEY}", Location: "body.texts.de.body", Value: ours{}},
		&huma.ErrorDetail{Message: "it is too long", Location: "path.product", Value: ours{}},
	}, Mistakes(wrong, InPath{"id": "product"})); diff != "" {
		t.Error(diff)
	}
}

// Of very many mistakes the first hundred are told: all would be larger than a response can be.
func TestProblem_manyMistakes(t *testing.T) {
	t.Parallel()
	told := func(n int) *huma.ErrorModel {
		model := &huma.ErrorModel{Status: 422}
		for i := range n {
			model.Errors = append(model.Errors, &huma.ErrorDetail{Location: fmt.Sprintf("body.%d", i)})
		}
		return model
	}
	for _, n := range []int{100, 102, 100_000} {
		got, _ := problemOf(t.Context(), "put-catalog", &settings.InvalidError{Problems: make([]settings.Problem, n)})
		ours, humas := told(0), told(n)
		for _, e := range got.Errors {
			ours.Errors = append(ours.Errors, &huma.ErrorDetail{Message: e.Message, Location: fmt.Sprintf("body.%d", len(ours.Errors))})
		}
		for name, model := range map[string]*huma.ErrorModel{"ours": ours, "huma's": humas} {
			if _, err := tidy(nil, "422", model); err != nil {
				t.Fatal(err)
			}
			want, last := n, ""
			if n > 100 {
				want, last = 101, fmt.Sprintf("mistakes that are not listed here: %d; mend these first", n-100)
			}
			if len(model.Errors) != want || model.Errors[want-1].Message != last {
				t.Errorf("%s, of %d: %d, the last %q", name, n, len(model.Errors), model.Errors[len(model.Errors)-1].Message)
			}
		}
	}
}
