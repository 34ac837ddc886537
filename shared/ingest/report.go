package ingest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"keypool/shared/pool"
)

// report is the head of an upload's report; its last field, the lines, is
// written one by one.
type report struct {
	V          int            `json:"v"`
	Upload     string         `json:"upload"`
	Merchant   string         `json:"merchant,omitempty"`
	Pool       string         `json:"pool,omitempty"`
	Side       pool.Side      `json:"side,omitempty"`
	File       string         `json:"file"`
	Size       int64          `json:"size"`
	State      State          `json:"state"`
	Cause      Cause          `json:"cause,omitempty"`
	ReceivedAt time.Time      `json:"receivedAt"`
	FinishedAt time.Time      `json:"finishedAt,omitzero"`
	Read       int            `json:"linesRead"`
	Accepted   int            `json:"accepted"`
	Duplicates map[string]int `json:"duplicates"`
	Refused    map[string]int `json:"refused"`
}

func newReport(u Upload) report {
	r := report{
		V: 1, Upload: u.ID, Merchant: u.Merchant, Pool: u.Pool, Side: u.Side, File: u.File, Size: u.Size,
		State: u.State, Cause: u.Cause, ReceivedAt: u.ReceivedAt, FinishedAt: u.FinishedAt,
		Read: u.Lines, Accepted: u.Counts[Accepted],
		Duplicates: map[string]int{}, Refused: map[string]int{},
	}
	for outcome, n := range u.Counts {
		switch {
		case outcome == Accepted || n == 0:
		case outcome.Duplicate():
			r.Duplicates[string(outcome)] = n
		default:
			r.Refused[string(outcome)] = n
		}
	}
	return r
}

// writeReport streams the upload's report together from its ranges, and keeps
// the first lines of it in the record. It ends before a range that is not done.
func (w *Worker) writeReport(ctx context.Context, u *Upload, ranges []Range) error {
	u.Kept = nil
	return w.Reports.Write(ctx, u.ReportName(), func(to io.Writer) error {
		out := bufio.NewWriter(to)
		head, err := json.MarshalIndent(newReport(*u), "", "  ")
		if err != nil {
			return err
		}
		out.Write(bytes.TrimSuffix(head, []byte("\n}")))
		out.WriteString(",\n  \"lines\": [")
		between := "\n    "
		err = w.eachRefused(ctx, *u, ranges, func(r Refused) error {
			line, err := json.Marshal(r)
			if err != nil {
				return err
			}
			if len(u.Kept) < KeptRefused {
				u.Kept = append(u.Kept, r)
			}
			out.WriteString(between)
			out.Write(line)
			between = ",\n    "
			return nil
		})
		if err != nil {
			return err
		}
		out.WriteString("\n  ]\n}\n")
		return out.Flush()
	})
}

// eachRefused calls see with each line that brought no key, numbered in the
// file, in order.
func (w *Worker) eachRefused(ctx context.Context, u Upload, ranges []Range, see func(Refused) error) error {
	before := 0
	for n, r := range ranges {
		if r.Number != n || !r.Done {
			return nil
		}
		for turn, parts := range r.Parts {
			for part := range parts {
				data, err := w.Reports.Get(ctx, partName(u, n, turn+1, part))
				if err != nil {
					return err
				}
				var lines []Refused
				if err := json.Unmarshal(data, &lines); err != nil {
					return fmt.Errorf("read the refused lines of range %d: %w", n, err)
				}
				for _, line := range lines {
					line.Line += before
					if err := see(line); err != nil {
						return err
					}
				}
			}
		}
		before += r.Lines
	}
	return nil
}

// partName names an object that holds refused lines of one turn on a range.
func partName(u Upload, n, turn, part int) string {
	return fmt.Sprintf("refused/%s/%s/%05d-%d-%d.json", u.owner(), u.ID, n, turn, part)
}

// told is how many lines the sentences tell one by one.
const told = 10

// Sentences tells what became of the upload as a person would, for a mail: one
// sentence each. Title is the pool's; days are those of the merchant's zone.
func (u Upload) Sentences(title string, zone *time.Location) []string {
	if title == "" {
		title = u.Pool
	}
	if u.Side == pool.Test {
		title = "the test side of " + title
	}
	if why, unread := causes[u.Cause]; unread {
		return []string{strings.ReplaceAll(why, "{pool}", title)}
	}
	added := count(u.Counts[Accepted], "key", "keys") + " added to " + title + "."
	if u.Counts[Accepted] == 0 {
		added = "No key was added to " + title + "."
	}
	sentences := []string{added}
	if u.Cause == Gone {
		sentences = append(sentences, "The file was removed before it was read to its end.")
	}
	others := u.Counts.Duplicates() + u.Counts.Refused()
	if others > told {
		for _, outcome := range Outcomes {
			if n := u.Counts[outcome]; n > 0 && outcome != Accepted {
				sentences = append(sentences, count(n, "line", "lines")+" "+reasons[outcome]+".")
			}
		}
	}
	for _, line := range u.Kept[:min(len(u.Kept), told)] {
		sentences = append(sentences, "Line "+thousands(line.Line)+": "+line.why(u.FinishedAt, zone)+".")
	}
	if more := others - told; more > 0 {
		sentences = append(sentences, "The report lists "+count(more, "more line", "more lines")+".")
	}
	return sentences
}

// causes says why nothing was read.
var causes = map[Cause]string{
	Empty:           "The file is empty: no line of it holds a key.",
	Binary:          "The file was not read: it is not a text file in UTF-8 or UTF-16 with one key a line.",
	Misplaced:       "The file was not read: its name does not say which pool it is for. Name it uploads/<merchant>/<pool>/<file>, or uploads/<merchant>/<pool>/test/<file> for test keys.",
	UnknownMerchant: "The file was not read: its name does not begin with uploads/ and a merchant we know.",
	UnknownPool:     "There is no pool {pool} yet. The file is kept and will be read as soon as you create the pool.",
}

// reasons says what is the matter with lines, after "3 lines".
var reasons = map[Outcome]string{
	SameFile:         "of this file repeated another",
	ThisPool:         "already in this pool",
	AnotherPool:      "already in another pool",
	OtherSide:        "already on the live side",
	Sold:             "already sold",
	Withdrawn:        "already taken out of sale",
	TooLong:          "longer than 2,048 bytes",
	ControlCharacter: "with a control or invisible character",
	InvalidText:      "with text that is not valid",
	NotStorable:      "that could not be stored",
}

// why says what is the matter with one line, after "Line 17: ".
func (r Refused) why(now time.Time, zone *time.Location) string {
	switch r.Reason {
	case SameFile:
		return "the same key as on another line of this file"
	case Sold:
		if r.SoldAt.IsZero() {
			return "already sold"
		}
		day := r.SoldAt.In(zone)
		if day.Year() == now.In(zone).Year() {
			return "already sold on " + day.Format("2 January")
		}
		return "already sold on " + day.Format("2 January 2006")
	case ControlCharacter:
		return "holds a control or invisible character"
	case InvalidText:
		return "holds text that is not valid"
	case NotStorable:
		return "could not be stored"
	default:
		return reasons[r.Reason]
	}
}

// count writes "1 key" or "1,998 keys".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + many
}

// thousands writes 1998 as "1,998".
func thousands(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
