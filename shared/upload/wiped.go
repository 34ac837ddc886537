package upload

import "time"

// Wiped returns the record of an upload whose keys were wiped: that there was such a file, so
// that a repeat of its event does not load it again, and nothing of what was in it.
func (u Upload) Wiped(now time.Time) Upload {
	return Upload{
		Merchant: u.Merchant, ID: u.ID, Object: u.Object, File: u.File, Pool: u.Pool, Side: u.Side, Size: u.Size, Encoding: u.Encoding,
		State: Finished, Cause: Wiped, Counts: Counts{}, ReceivedAt: u.ReceivedAt, FinishedAt: now, Counted: u.Counted,
		Withdrawal: u.Withdrawal, WithdrawnAt: u.WithdrawnAt, MovedTo: u.MovedTo,
	}
}
