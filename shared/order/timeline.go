package order

import (
	"slices"
	"time"
)

// Entry is an entry of a timeline: what happened to a line, or comes to it by itself.
type Entry struct {
	Line string // as the platform names it
	At   time.Time
	What string // an EventKind; of what comes, a StepKind
	By   string

	Mail      int
	MessageID string
	Code      string // of an event: see History

	Keys int    // that were taken; of InQueue, that are missing
	Pool string // of the keys; empty: no pool feeds the line

	Ahead bool // it comes by itself, unless something else comes first
}

// Timeline returns what happened to the line, by its record and its history, and after that
// what comes by itself. A repeat of its webhook that changed nothing leaves no trace. The
// history is in the order of its times; within one moment what the record tells comes first.
func (f Fulfillment) Timeline(history []History, now time.Time) []Entry {
	var entries []Entry
	add := func(e Entry) {
		e.Line = f.Line
		entries = append(entries, e)
	}
	if !f.Expected {
		if !slices.ContainsFunc(history, func(h History) bool { return h.Event == ByHand }) { // else nobody paid
			add(Entry{At: f.ReceivedAt, What: string(Received), By: f.BroughtBy})
		}
		if f.Claimed > 0 {
			add(Entry{At: f.ReceivedAt, What: string(KeysTaken), By: f.BroughtBy, Keys: f.Claimed, Pool: f.Pool})
		}
		if f.Waits() {
			add(Entry{At: f.ReceivedAt, What: string(InQueue), By: f.BroughtBy, Keys: f.Missing(), Pool: f.Pool})
		}
		if f.Filled > 0 {
			add(Entry{At: f.FilledAt, What: string(KeysTaken), By: "fill", Keys: f.Filled, Pool: f.Pool})
		}
	}
	for _, h := range history {
		add(Entry{At: h.At, What: string(h.Event), By: h.By, Mail: h.Mail, MessageID: h.MessageID, Code: h.Code})
	}
	for _, step := range f.Ahead(now) {
		add(Entry{At: step.At, What: string(step.What), Ahead: true})
	}
	SortTimeline(entries)
	return entries
}

// SortTimeline puts the entries of several lines in the order of their times; what comes by
// itself comes last.
func SortTimeline(entries []Entry) {
	slices.SortStableFunc(entries, func(a, b Entry) int {
		if a.Ahead != b.Ahead {
			if b.Ahead {
				return -1
			}
			return 1
		}
		return a.At.Compare(b.At)
	})
}
