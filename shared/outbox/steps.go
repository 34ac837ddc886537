package outbox

import "time"

// Leased returns the entry while a mailer sends the mail. DueAt stays: to move an
// item in the due index costs two writes, and a sweep that looks meanwhile finds a
// lease that has not ended.
func (e Entry) Leased(now time.Time) Entry {
	if e.LeaseExpired() {
		e.Number++
	}
	e.State, e.TryAt, e.LeaseEndsAt, e.Code = Sending, time.Time{}, now.Add(Lease), ""
	return e
}

// LeaseExpired reports, of a mail that may be leased, whether an earlier mailer's lease
// ended unmarked, so that nobody knows whether the mail went out.
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

// Retry returns the entry of a mail that was not sent for a temporary reason. It is
// due again after a back-off.
func (e Entry) Retry(code string, now time.Time) Entry {
	e.Tries++
	e.State, e.LeaseEndsAt, e.Code = Due, time.Time{}, code
	e.TryAt = now.Add(BackOff(e.Tries))
	e.DueAt = e.TryAt
	return e
}

// BackOff is the time that a mail waits after a number of tries: a minute, doubled
// with each try, an hour at most.
func BackOff(tries int) time.Duration {
	return min(time.Minute<<min(max(tries-1, 0), 10), time.Hour)
}

// Completed returns the entry of a mail that has come to a state in which nothing is
// left to do. The caller sets DueAt if the item stays due for another reason.
func (e Entry) Completed(state State, messageID, code string, now time.Time) Entry {
	e.State, e.Code = state, code
	e.TryAt, e.LeaseEndsAt, e.DueAt, e.Tries = time.Time{}, time.Time{}, time.Time{}, 0
	if messageID != "" {
		e.MessageID = messageID
	}
	e.FailedAt = time.Time{}
	if e.ReachedNobody() {
		e.FailedAt = now
	}
	return e
}
