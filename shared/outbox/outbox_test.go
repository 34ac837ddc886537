package outbox_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/outbox"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestEntry_fromDueToSent(t *testing.T) {
	due := outbox.Entry{}.Next(outbox.Keys, noon)
	if !due.MayLease(noon) || due.LeaseExpired() {
		t.Fatalf("not to be leased: %+v", due)
	}
	leased := due.Leased(noon)
	want := outbox.Entry{
		State: outbox.Sending, Kind: outbox.Keys, Number: 1,
		LeaseEndsAt: noon.Add(outbox.Lease), DueAt: noon.Add(outbox.SweepAfter),
	}
	if diff := cmp.Diff(want, leased); diff != "" {
		t.Errorf("leased (-want +got):\n%s", diff)
	}
	sent := leased.Completed(outbox.Sent, "ses-1", "", noon)
	if diff := cmp.Diff(outbox.Entry{State: outbox.Sent, Kind: outbox.Keys, Number: 1, MessageID: "ses-1"}, sent); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if next := sent.Next(outbox.Keys, noon); next.Number != 2 || next.MessageID != "" {
		t.Errorf("the next mail: %+v", next)
	}
}

func TestEntry_expiredLeaseGetsTheNextNumber(t *testing.T) {
	leased := outbox.Entry{}.Next(outbox.Keys, noon).Leased(noon)
	end := noon.Add(outbox.Lease)
	if leased.MayLease(end.Add(-time.Millisecond)) {
		t.Error("leased twice")
	}
	if !leased.MayLease(end) || !leased.LeaseExpired() {
		t.Error("never leased again")
	}
	if again := leased.Leased(end); again.Number != 2 || !again.LeaseEndsAt.Equal(end.Add(outbox.Lease)) {
		t.Errorf("leased again: %+v", again)
	}
}

func TestEntry_retry(t *testing.T) {
	leased := outbox.Entry{}.Next(outbox.Keys, noon).Leased(noon)
	off := leased.Retry("Throttling", noon)
	want := outbox.Entry{
		State: outbox.Due, Kind: outbox.Keys, Number: 1, Tries: 1, Code: "Throttling",
		TryAt: noon.Add(time.Minute), DueAt: noon.Add(time.Minute),
	}
	if diff := cmp.Diff(want, off); diff != "" {
		t.Errorf("retried (-want +got):\n%s", diff)
	}
	if off.MayLease(off.TryAt.Add(-time.Millisecond)) || !off.MayLease(off.TryAt) || off.LeaseExpired() {
		t.Error("to be retried at another time than it says")
	}
	if off.Leased(off.TryAt).Number != 1 {
		t.Error("a mail that never went out counts as one")
	}
}

func TestBackOff(t *testing.T) {
	for tries, want := range map[int]time.Duration{0: time.Minute, 1: time.Minute, 2: 2 * time.Minute, 6: 32 * time.Minute, 7: time.Hour, 1000: time.Hour} {
		if got := outbox.BackOff(tries); got != want {
			t.Errorf("after %d tries: %s, want %s", tries, got, want)
		}
	}
}

func TestState_precedes(t *testing.T) {
	order := []outbox.State{outbox.Sending, outbox.Sent, outbox.Delivered, outbox.Bounced, outbox.Complained}
	for i, from := range order {
		for j, to := range order {
			if got := from.Precedes(to); got != (i < j) {
				t.Errorf("%s precedes %s: %v", from, to, got)
			}
		}
	}
}

// A mail that is only due is taken back as if it had never been. One that a mailer has is
// its mailer's, and what is over stays as it is.
func TestDropped(t *testing.T) {
	due := outbox.Entry{}.Next(outbox.Keys, noon)
	leased := due.Leased(noon)
	sent := leased.Completed(outbox.Sent, "ses-1", "", noon)
	retried := leased.Retry("Throttling", noon)
	withdrawn := retried
	withdrawn.State, withdrawn.TryAt, withdrawn.DueAt = outbox.None, time.Time{}, time.Time{}
	for name, test := range map[string]struct{ before, after outbox.Entry }{
		"due":     {due, outbox.Entry{}},
		"leased":  {leased, leased},
		"sent":    {sent, sent},
		"retried": {retried, withdrawn},
	} {
		if diff := cmp.Diff(test.after, test.before.Dropped()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if !withdrawn.KeysLeft() {
		t.Error("that a mailer had the keys is forgotten")
	}
}
