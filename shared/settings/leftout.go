package settings

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"keypool/shared/upload"
)

// LeftOut reads the lines of a key file that brought no new key.
type LeftOut struct {
	Store interface {
		// Upload returns an upload, false if there is none.
		Upload(ctx context.Context, merchant, id string) (upload.Upload, bool, error)
	}
	Reports interface {
		// Open opens a report. Its error is upload.ErrGone if it is not there.
		Open(ctx context.Context, name string) (io.ReadCloser, error)
	}
}

// MostLeftOut is how many lines are read: the report itself names more.
const MostLeftOut = 50_000

// Lines returns the first lines of an upload that brought no new key, with why, and how many more
// there are. Its error is ErrNotFound if there is no such upload, or no report of it.
func (l *LeftOut) Lines(ctx context.Context, merchant, id string) (lines []upload.RejectedLine, more int, err error) {
	u, ok, err := l.Store.Upload(ctx, merchant, id)
	if err != nil {
		return nil, 0, err
	}
	if !ok || u.State != upload.Finished {
		return nil, 0, ErrNotFound
	}
	report, err := l.Reports.Open(ctx, u.ReportName())
	if errors.Is(err, upload.ErrGone) {
		return nil, 0, ErrNotFound
	}
	if err != nil {
		return nil, 0, err
	}
	defer report.Close()
	if lines, err = linesOf(report, MostLeftOut); err != nil {
		return nil, 0, fmt.Errorf("read the report of %s: %w", id, err)
	}
	return lines, max(0, u.Counts.Duplicates()+u.Counts.Rejected()+u.Counts.Skipped()-len(lines)), nil
}

// linesOf reads up to most lines of a report, which has them last.
func linesOf(report io.Reader, most int) (lines []upload.RejectedLine, err error) {
	in := json.NewDecoder(report)
	if _, err := in.Token(); err != nil { // the beginning of the report
		return nil, err
	}
	for {
		name, err := in.Token()
		if err != nil {
			return nil, err
		}
		if name == "lines" {
			break
		}
		var other json.RawMessage
		if err := in.Decode(&other); err != nil {
			return nil, err
		}
	}
	if _, err := in.Token(); err != nil { // the beginning of the list
		return nil, err
	}
	for in.More() && len(lines) < most {
		var line upload.RejectedLine
		if err := in.Decode(&line); err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}
