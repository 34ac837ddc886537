package main

import (
	"context"
	"log/slog"
	"time"

	"keypool/shared/sweep"
)

type handler struct {
	sweeper *sweep.Sweeper
	now     func() time.Time
}

// spare is what a sweep leaves of the invocation's time, to end what it has begun.
const spare = 5 * time.Second

// handle answers a tick of the scheduler, in which there is nothing to read: what
// is to be done follows from the tables and the time. An error means that
// something could not be looked at, and is for the alarm: the next tick tries again.
func (h handler) handle(ctx context.Context) error {
	until := h.now().Add(time.Minute)
	if deadline, ok := ctx.Deadline(); ok {
		until = deadline.Add(-spare)
	}
	swept, err := h.sweeper.Sweep(ctx, until)
	if swept != (sweep.Swept{}) {
		slog.InfoContext(ctx, "swept", "mails", swept.Mails, "waiting", swept.Waiting,
			"told", swept.Told, "uploads", swept.Uploads, "reminded", swept.Reminded)
	}
	return err
}
