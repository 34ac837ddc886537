package main

import (
	"testing"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/pool"
)

// TestThrottles_askToTryAgain throttles the last call that each answer takes.
func TestThrottles_askToTryAgain(t *testing.T) {
	t.Parallel()
	for path, c := range map[string]struct {
		operation string
		after     int // calls of that operation
	}{
		"/v1/pools":          {"Query", 0},
		"/v1/uploads":        {"Query", 0},
		"/v1/tokens":         {"Query", 1},   // the first one finds the tokens, this one their last uses
		"/v1/uploads/x":      {"GetItem", 1}, // the first one finds the token
		"/v1/orders/1001":    {"Query", 9},   // the first ones find accounts, and lines and histories of two shops and sides, this one the line's place in its queue
		"/v1/products/4711x": {"GetItem", 1},
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			faults := dynamotest.NewFaults(t, 1)
			w := open(t, faults.Option)
			bearer := w.merchant("acme")
			w.claim("acme", "elden", pool.Live, "1001", 1)
			faults.After(c.operation, c.after, dynamotest.SDKAttempts, dynamotest.Throttled)
			got := w.shop(bearer, "GET", path, nil).Want(503)
			if got.Headers["Retry-After"] == "" {
				t.Errorf("the answer does not say when to try again: %v", got.Headers)
			}
			w.shop(bearer, "GET", "/v1/pools", nil).Want(200)
		})
	}
}
