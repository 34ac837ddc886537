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

// reserve is the part of an invocation's time that is kept for ending the last items.
const reserve = 5 * time.Second

// handle answers a tick of the scheduler. The tick holds nothing to read: the tables
// and the time say what is to be done.
//
// Each error has the same outcome: it rings the alarm, and the next tick looks at
// the items again.
func (h handler) handle(ctx context.Context) error {
	until := h.now().Add(time.Minute)
	if deadline, ok := ctx.Deadline(); ok {
		until = deadline.Add(-reserve)
	}
	swept, err := h.sweeper.Sweep(ctx, until)
	if swept != (sweep.Swept{}) {
		slog.InfoContext(ctx, "items.swept", "mails", swept.Mails, "waiting", swept.Waiting,
			"told", swept.Told, "uploads", swept.Uploads, "jobs", swept.Jobs, "reminded", swept.Reminded)
	}
	return err
}
