// Package job does long work that may be cut off at any moment and is then resumed
// by another worker: loading a key file, for example, or withdrawing its keys.
//
// A job has one or more parts. A part is on a queue, so two workers may have it at
// once. The worker that takes it gets a fencing token, higher than any before.
// Every save names the token, and the store refuses a lower one than the last it
// gave away: the earlier worker gets ErrFenced and stops, and the later one goes on
// from what was saved. Work that was done and not saved is done again, so a step
// must be harmless to repeat.
//
// The use case declares the store of its parts. It may write more in the same
// transaction as the end of a part: counts, for example.
package job

import (
	"context"
	"errors"
	"math"
	"time"
)

var (
	// ErrFenced means that another worker has taken the part over, or that the job
	// has ended. The worker may save nothing any more.
	ErrFenced = errors.New("another worker has taken over")

	// ErrUnfinished means that the worker ran out of time and saved its progress.
	// The part should go back to its queue at once: the next worker resumes it.
	ErrUnfinished = errors.New("out of time, to be continued")
)

// Token is a fencing token. It counts the workers that took a part, from 1.
type Token int

// Part is the progress of one part of a job. The use case embeds it in a type with
// the fields that it needs to resume.
type Part struct {
	Number  int // from 0
	Token   Token
	Done    bool
	SavedAt time.Time
}

// Work is the work on one part, by the worker that took it.
type Work interface {
	// Step does the next bit of work and reports whether it was the last. A step
	// takes a few seconds at most, or ends early when TimeLeft is used up.
	Step(ctx context.Context) (last bool, err error)

	// SaveDue reports whether so much is unsaved that a save is worth its price.
	SaveDue() bool

	// Save saves the progress of the steps so far, if there is any that is not
	// saved. It fails with ErrFenced if another worker has taken the part.
	Save(ctx context.Context) error

	// Finish saves the end of the part. It fails with ErrFenced as Save does.
	Finish(ctx context.Context) error
}

// Run works on a part to its end. It saves the progress now and then, and before
// it returns for any reason. It returns ErrUnfinished if the time runs out first,
// ErrFenced if another worker has taken the part, or the error of a step.
func Run(ctx context.Context, w Work) error {
	for {
		last, err := w.Step(ctx)
		if err != nil {
			return errors.Join(err, w.Save(ctx))
		}
		if last {
			return w.Finish(ctx)
		}
		outOfTime := TimeLeft(ctx) <= 0
		if outOfTime || w.SaveDue() {
			if err := w.Save(ctx); err != nil {
				return err
			}
		}
		if outOfTime {
			return ErrUnfinished
		}
	}
}

// Reserve is the time before the deadline that is left for the last step and save.
const Reserve = 20 * time.Second

// TimeLeft returns how long a worker may go on before it has to stop and save.
func TimeLeft(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return math.MaxInt64
	}
	return time.Until(deadline) - Reserve
}
