package pool

import (
	"slices"
	"time"
)

// Take is keys that a line took from a pool at one moment. The count of a pool's keys
// hears of it later, and tells by the moment whether it includes the take already: see
// stock.Counts.
type Take struct {
	Keys int
	At   time.Time
}

// asOne is the time in which takes of one line are one take. It is less than half of the
// quiet time that a recount waits for, so that a recount includes both of them or none.
const asOne = time.Minute

// AddTake returns the takes of a line with a later one. It does not write to takes.
func AddTake(takes []Take, more Take) []Take {
	last := len(takes) - 1
	if last < 0 || more.At.Sub(takes[last].At) >= asOne {
		return append(slices.Clip(takes), more)
	}
	takes = slices.Clone(takes)
	takes[last].Keys += more.Keys
	return takes
}

// RemoveTake returns the takes of a line without one key of the last of them, and the
// moment of that, zero if there is none. It does not write to takes.
func RemoveTake(takes []Take) ([]Take, time.Time) {
	last := len(takes) - 1
	if last < 0 {
		return takes, time.Time{}
	}
	at := takes[last].At
	if takes[last].Keys == 1 {
		return slices.Clip(takes[:last]), at
	}
	takes = slices.Clone(takes)
	takes[last].Keys--
	return takes, at
}
