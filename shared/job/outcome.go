package job

import "errors"

// Outcome is what becomes of the message that asked for work.
type Outcome string

// The outcomes of a message.
const (
	Done    Outcome = "done"
	Waiting Outcome = "waiting" // it ran out of time: it goes back to the queue, to be received at once
	Again   Outcome = "again"   // it comes again when its time is up, until the queue puts it in the dead-letter queue; the sweep asks anew
)

// outcomes sorts the errors of a message. Every other error is temporary: Again.
var outcomes = []struct {
	err error
	is  Outcome
}{
	{nil, Done},
	{ErrPaused, Done},
	{ErrUnfinished, Waiting},
}

// OutcomeOf returns what becomes of a message, by the error of its work.
func OutcomeOf(err error) Outcome {
	for _, known := range outcomes {
		if errors.Is(err, known.err) {
			return known.is
		}
	}
	return Again
}
