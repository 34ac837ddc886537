package outbox

import "time"

// Leased returns the entry while a mailer sends the mail. DueAt stays: moving an
// item in the due index costs two writes, and a sweep that comes by meanwhile
// finds a lease that has not ended.
func (e Entry) Leased(now time.Time) Entry {
	if e.LeaseExpired() {
		e.Number++
	}
	e.State, e.TryAt, e.LeaseEndsAt, e.Code = Sending, time.Time{}, now.Add(Lease), ""
	return e
}

// Lapsed reports whether a mailer's lease ended unmarked, so that nobody knows
// whether the mail went out.
func (e Entry) LeaseExpired() bool { return !e.LeaseEndsAt.IsZero() }

// MayLease reports whether a mailer may take the mail now.
func (e Entry) MayLease(now time.Time) bool {
	switch e.State {
	case Due:
		return !e.TryAt.After(now)
	case Sending:
		return !e.LeaseEndsAt.After(now)
	default:
		return false
	}
}

// PutOff returns the entry of a mail that could not be sent this time, for a
// reason that passes.
func (e Entry) Retry(code string, now time.Time) Entry {
	e.Tries++
	e.State, e.LeaseEndsAt, e.Code = Due, time.Time{}, code
	e.TryAt = now.Add(BackOff(e.Tries))
	e.DueAt = e.TryAt
	return e
}

// BackOff is how long a mail waits after so many tries: a minute, doubled each
// time, an hour at most.
func BackOff(tries int) time.Duration {
	return min(time.Minute<<min(max(tries-1, 0), 10), time.Hour)
}

// Settled returns the entry of a mail that has come to the state, so that nothing
// is left to do for it. Whoever keeps the item due for another reason sets DueAt.
func (e Entry) Completed(state State, messageID, code string) Entry {
	e.State, e.Code = state, code
	e.TryAt, e.LeaseEndsAt, e.DueAt, e.Tries = time.Time{}, time.Time{}, time.Time{}, 0
	if messageID != "" {
		e.MessageID = messageID
	}
	return e
}
