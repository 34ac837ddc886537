package ingest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"time"

	"keypool/shared/job"
	"keypool/shared/pool"
	"keypool/shared/upload"
)

// report is the head of an upload's report. Its last field, the lines, is written one
// by one.
type report struct {
	V          int          `json:"v"`
	Upload     string       `json:"upload"`
	Merchant   string       `json:"merchant,omitempty"`
	Pool       string       `json:"pool,omitempty"`
	Side       pool.Side    `json:"side,omitempty"`
	File       string       `json:"file"`
	Size       int64        `json:"size"`
	State      upload.State `json:"state"`
	Cause      upload.Cause `json:"cause,omitempty"`
	ReceivedAt time.Time    `json:"receivedAt"`
	FinishedAt time.Time    `json:"finishedAt,omitzero"`

	// What was found in its first bytes: it is held for the one, loaded with the other.
	Findings []upload.Finding `json:"findings,omitempty"`
	Warnings []upload.Finding `json:"warnings,omitempty"`
	Table    *columns         `json:"table,omitempty"`
	Options  []string         `json:"options,omitempty"`  // that there are while it is held; that were chosen then
	AsBefore bool             `json:"asBefore,omitempty"` // chosen for an earlier file

	Read       int            `json:"linesRead"`
	Accepted   int            `json:"accepted"`
	Duplicates map[string]int `json:"duplicates"`
	Refused    map[string]int `json:"refused"`
	Skipped    map[string]int `json:"skipped,omitempty"`
	Unlisted   int            `json:"unlisted,omitempty"` // lines beyond maxListed
}

// columns are those of a table.
type columns struct {
	Columns int      `json:"columns"`
	Keys    int      `json:"keys,omitempty"`  // number of the column of keys, from 1
	Named   []string `json:"named,omitempty"` // names that are known for such
}

// maxListed is the number of lines that a report lists, so that any report can be
// written in the time of one invocation. The counts cover all lines.
const maxListed = 1_000_000

func newReport(u upload.Upload) report {
	r := report{
		V: 1, Upload: u.ID, Merchant: u.Merchant, Pool: u.Pool, Side: u.Side, File: u.File, Size: u.Size,
		State: u.State, Cause: u.Cause, ReceivedAt: u.ReceivedAt, FinishedAt: u.FinishedAt,
		Findings: u.Seen.Asked, Warnings: u.Seen.Warned, Options: u.Reading.Options(), AsBefore: u.Remembered,
		Read: u.Lines, Accepted: u.Counts[upload.Accepted],
		Duplicates: map[string]int{}, Refused: map[string]int{}, Skipped: map[string]int{},
	}
	if table := u.Seen.Table; table.Is() {
		r.Table = &columns{table.Columns, table.Column, table.Named}
	}
	if u.State == upload.NeedsConfirmation {
		r.Options = u.Seen.Offered()
	}
	for outcome, n := range u.Counts {
		switch {
		case outcome == upload.Accepted || n == 0:
		case outcome.Duplicate():
			r.Duplicates[string(outcome)] = n
		case outcome.Skipped():
			r.Skipped[string(outcome)] = n
		default:
			r.Refused[string(outcome)] = n
		}
	}
	r.Unlisted = max(0, u.Counts.Duplicates()+u.Counts.Rejected()+u.Counts.Skipped()-maxListed)
	return r
}

// writeReport streams the upload's report from its ranges, and keeps its first lines
// in the record. It ends before a range that is not done.
func (w *Worker) writeReport(ctx context.Context, u *upload.Upload, ranges []upload.Range) error {
	u.Kept = nil
	return w.Reports.Write(ctx, u.ReportName(), func(to io.Writer) error {
		out := bufio.NewWriter(to)
		head, err := json.MarshalIndent(newReport(*u), "", "  ")
		if err != nil {
			return err
		}
		out.Write(bytes.TrimSuffix(head, []byte("\n}")))
		out.WriteString(",\n  \"lines\": [")
		between, listed := "\n    ", 0
		for r, err := range w.rejectedLines(ctx, *u, ranges) {
			if err != nil {
				return err
			}
			line, err := json.Marshal(r)
			if err != nil {
				return err
			}
			if len(u.Kept) < upload.KeptRejected {
				u.Kept = append(u.Kept, r)
			}
			out.WriteString(between)
			out.Write(line)
			between = ",\n    "
			if listed++; listed == maxListed {
				break
			}
		}
		out.WriteString("\n  ]\n}\n")
		return out.Flush()
	})
}

// rejectedLines iterates over the rejected lines in order, numbered in the file. It
// ends before a range that is not done.
func (w *Worker) rejectedLines(ctx context.Context, u upload.Upload, ranges []upload.Range) iter.Seq2[upload.RejectedLine, error] {
	return func(yield func(upload.RejectedLine, error) bool) {
		before := 0
		for n, r := range ranges {
			if r.Number != n || !r.Done {
				return
			}
			for i, objects := range r.Objects {
				for object := range objects {
					lines, err := w.rejectedObject(ctx, u.RejectedName(n, job.Token(i+1), object))
					if err != nil {
						yield(upload.RejectedLine{}, fmt.Errorf("read the rejected lines of range %d: %w", n, err))
						return
					}
					for _, line := range lines {
						line.Line += before
						if !yield(line, nil) {
							return
						}
					}
				}
			}
			before += r.Lines
		}
	}
}

func (w *Worker) rejectedObject(ctx context.Context, name string) (lines []upload.RejectedLine, err error) {
	data, err := w.Reports.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	return lines, json.Unmarshal(data, &lines)
}
