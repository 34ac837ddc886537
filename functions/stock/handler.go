package main

import (
	"context"

	"keypool/shared/stock"
)

type handler struct{ checker *stock.Checker }

// handle answers a tick of the scheduler, in which there is nothing to read: what
// is to be done follows from the tables and the time. An error means that a pool
// could not be checked, and is for the alarm: the next tick checks them all again.
func (h handler) handle(ctx context.Context) error { return h.checker.Check(ctx) }
