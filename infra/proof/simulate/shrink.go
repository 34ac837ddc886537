package simulate

import (
	"slices"
	"strings"
	"time"
)

// shape is a problem without what names the one case: its time, orders and numbers.
func shape(problem string) string {
	_, says, _ := strings.Cut(problem, " s  ")
	words := strings.Fields(says)
	for i, word := range words {
		if strings.ContainsAny(word, "0123456789") {
			words[i] = "#"
		}
	}
	return strings.Join(slices.Compact(words), " ") // a list may be shorter
}

// shrink makes a plan that breaks the promise shorter, and its weather better,
// for as long as it still breaks it. Chance follows from names, so what is left
// of a plan happens as it did in the whole of it, as far as it does not meet what
// is gone.
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
		func(w *Weather) { w.Tear = 0 },
		func(w *Weather) { w.Skew = 0 },
		func(w *Weather) { w.Partition = 0 },
	} {
		fair := plan
		better(&fair.Weather)
		if fair.Weather != plan.Weather {
			try(fair)
		}
	}
	for fewer := plan.Recoveries / 2; plan.Recoveries > 0; fewer = plan.Recoveries - 1 {
		early := plan
		early.Recoveries = fewer
		if !try(early) && fewer == plan.Recoveries-1 {
			break
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
