package upload

import (
	"bytes"
	"fmt"
	"time"
)

// Usage is what the files of a merchant bring in a day, by UTC, or what one file brings.
type Usage struct {
	Files int
	Bytes int64
	Keys  int
}

// Limits bound the usage of a merchant's day.
type Limits Usage

// DefaultLimits are the limits of a merchant for whom the operator set no others.
var DefaultLimits = Limits{Files: 500, Bytes: 2 << 30, Keys: 12_000_000}

// OrDefault returns the limits with the default for each that is zero.
func (l Limits) OrDefault() Limits {
	if l.Files == 0 {
		l.Files = DefaultLimits.Files
	}
	if l.Bytes == 0 {
		l.Bytes = DefaultLimits.Bytes
	}
	if l.Keys == 0 {
		l.Keys = DefaultLimits.Keys
	}
	return l
}

// Own is the reverse of OrDefault: a limit that is the default is zero.
func (l Limits) Own() Limits {
	if l.Files == DefaultLimits.Files {
		l.Files = 0
	}
	if l.Bytes == DefaultLimits.Bytes {
		l.Bytes = 0
	}
	if l.Keys == DefaultLimits.Keys {
		l.Keys = 0
	}
	return l
}

// Check returns an *OverLimitError if a file brings more than is left of a day.
func (l Limits) Check(day, file Usage) error {
	switch {
	case day.Files+file.Files > l.Files:
		return &OverLimitError{"files", int64(l.Files)}
	case day.Bytes+file.Bytes > l.Bytes:
		return &OverLimitError{"bytes", l.Bytes}
	case day.Keys+file.Keys > l.Keys:
		return &OverLimitError{"keys", int64(l.Keys)}
	default:
		return nil
	}
}

// OverLimitError means that a file brings more than is left of its merchant's day.
type OverLimitError struct {
	Limit string // files, bytes or keys
	Most  int64
}

func (e *OverLimitError) Error() string {
	return fmt.Sprintf("more than the %d %s of a day", e.Most, e.Limit)
}

// NextLook returns when the sweep looks again whether there is room for a file that waits
// for the next day: when that begins, and every hour, since the operator may raise the
// limit.
func NextLook(now time.Time) time.Time {
	hour, day := now.Add(time.Hour), now.UTC().Truncate(24*time.Hour).Add(24*time.Hour)
	if day.Before(hour) {
		return day
	}
	return hour
}

// Usage returns what the file brings, with its lines reckoned from its head.
func (u Upload) Usage(head []byte) Usage {
	usage := Usage{Files: 1, Bytes: u.Size}
	if len(head) > 0 {
		ended := bytes.TrimRight(head, "\r\n\x00")
		lines := int64(max(bytes.Count(ended, []byte("\n")), bytes.Count(ended, []byte("\r"))) + 1)
		usage.Keys = int(lines * u.Size / int64(len(head)))
	}
	return usage
}
