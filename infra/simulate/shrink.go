package simulate

import (
	"slices"
	"time"
)

// shrink makes a plan that breaks the promise shorter, and its weather better,
// for as long as it still breaks it. Chance follows from names, so what is left
// of a plan happens as it did in the whole of it, as far as it can.
func shrink(plan Plan, breaks func(Plan) bool, until time.Time) Plan {
	try := func(shorter Plan) bool {
		if time.Now().After(until) || !breaks(shorter) {
			return false
		}
		plan = shorter
		return true
	}
	for _, better := range []func(*Weather){
		func(w *Weather) { w.Trouble = 0 },
		func(w *Weather) { w.Death = 0 },
		func(w *Weather) { w.Mail = 0 },
		func(w *Weather) { w.Lost = 0 },
		func(w *Weather) { w.Twice = 0 },
		func(w *Weather) { w.Lag = 0 },
		func(w *Weather) { w.Hold = 0 },
		func(w *Weather) { w.Skew = 0 },
		func(w *Weather) { w.Partition = 0 },
	} {
		fair := plan
		better(&fair.Weather)
		if fair.Weather != plan.Weather {
			try(fair)
		}
	}
	for size := len(plan.Acts) / 2; size > 0; size /= 2 {
		for at := 0; at+size <= len(plan.Acts); {
			shorter := plan
			shorter.Acts = slices.Delete(slices.Clone(plan.Acts), at, at+size)
			if !try(shorter) {
				at += size
			}
		}
	}
	return plan
}
