package dynamo_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/idempotency"
)

func TestIdempotentCall(t *testing.T) {
	t.Parallel()
	store, _ := dynamotest.Open(t)
	ctx := t.Context()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	first := idempotency.Call{ID: "call", Request: "request", Owner: "first", Until: now.Add(time.Minute), ExpiresAt: now.Add(time.Hour)}
	second := first
	second.Owner = "second"
	begin := func(c idempotency.Call, at time.Time) idempotency.Call {
		t.Helper()
		there, begun, err := store.BeginCall(ctx, c, at)
		if err != nil {
			t.Fatal(err)
		}
		if begun {
			return c
		}
		return there
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	same := func(want, got idempotency.Call) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	same(first, begin(first, now))
	same(first, begin(second, now.Add(time.Minute-time.Millisecond)))
	second.Until = now.Add(2 * time.Minute)
	same(second, begin(second, now.Add(time.Minute))) // the lease of the first has ended

	// The first comes late: it changes nothing.
	done := first
	done.Done, done.Until = true, time.Time{}
	done.Answer = idempotency.Answer{Status: 201, Headers: map[string]string{"Content-Type": "application/json"}, Body: []byte("{}")}
	must(store.EndCall(ctx, done))
	must(store.ForgetCall(ctx, first))
	same(second, begin(first, now))

	done.Owner = second.Owner
	must(store.EndCall(ctx, done))
	same(done, begin(first, now.Add(time.Hour-time.Millisecond)))
	first.ExpiresAt = now.Add(2 * time.Hour)
	same(first, begin(first, now.Add(time.Hour)))

	must(store.ForgetCall(ctx, first))
	same(second, begin(second, now))
}
