package main

import (
	"context"

	"keypool/shared/stock"
)

type handler struct{ checker *stock.Checker }

// handle answers a tick of the scheduler. The tick holds nothing to read: the tables
// and the time say what is to be done.
//
// Each error has the same outcome: it rings the alarm, and the next tick checks
// every pool again.
func (h handler) handle(ctx context.Context) error { return h.checker.Check(ctx) }
