package simulate

import (
	"slices"
	"strings"
	"time"
)

// shape is the text of a problem without its time, orders and numbers.
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

// shrink removes actions and faults from a plan that breaks the promise, as long as it
// still breaks it. Random choices follow from names, so the remaining actions happen as
// before, unless they depend on a removed one.
func shrink(plan Plan, breaks func(Plan) bool, until time.Time) Plan {
	try := func(shorter Plan) bool {
		if time.Now().After(until) || !breaks(shorter) {
			return false
		}
		plan = shorter
		return true
	}
	for _, without := range []func(*Conditions){
		func(c *Conditions) { c.CallFaults = 0 },
		func(c *Conditions) { c.ProcessDeaths = 0 },
		func(c *Conditions) { c.MailFaults = 0 },
		func(c *Conditions) { c.MailsFollowed = 0 },
		func(c *Conditions) { c.LostMessages = 0 },
		func(c *Conditions) { c.DuplicateMessages = 0 },
		func(c *Conditions) { c.IndexLag = 0 },
		func(c *Conditions) { c.TransactionTime = 0 },
		func(c *Conditions) { c.ReadTime = 0 },
		func(c *Conditions) { c.ClockSkew = 0 },
		func(c *Conditions) { c.PartitionWrites = 0 },
	} {
		easier := plan
		without(&easier.Conditions)
		if easier.Conditions != plan.Conditions {
			try(easier)
		}
	}
	for fewer := plan.RecoveryRounds / 2; plan.RecoveryRounds > 0; fewer = plan.RecoveryRounds - 1 {
		early := plan
		early.RecoveryRounds = fewer
		if !try(early) && fewer == plan.RecoveryRounds-1 {
			break
		}
	}
	for size := len(plan.Actions) / 2; size > 0; size /= 2 {
		for at := 0; at+size <= len(plan.Actions); {
			shorter := plan
			shorter.Actions = slices.Delete(slices.Clone(plan.Actions), at, at+size)
			if !try(shorter) {
				at += size
			}
		}
	}
	return plan
}
