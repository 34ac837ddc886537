package catalog_test

import (
	"testing"
	"time"

	"keypool/shared/catalog"
)

// A look at a domain tells how far its sender is.
func TestSender_seen(t *testing.T) {
	t.Parallel()
	claimed := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	good := catalog.Identity{Sends: true, Tokens: []string{"a", "b", "c"}, Zone: "dkim.amazonses.com", MailFrom: "keys-1.nova.example", Found: true}
	with := func(change func(*catalog.Identity)) catalog.Identity {
		i := good
		change(&i)
		return i
	}
	for name, c := range map[string]struct {
		was   catalog.SenderState
		found catalog.Identity
		known bool
		after time.Duration
		want  catalog.SenderState
		next  time.Duration // of the sweep; 0: none
	}{
		"all records are there": {catalog.SenderPending, good, true, time.Hour, catalog.SenderVerified, 24 * time.Hour},
		"none yet":              {catalog.SenderPending, catalog.Identity{MailFrom: good.MailFrom}, true, time.Hour, catalog.SenderPending, 10 * time.Minute},
		"dkim alone, which another may have left":     {catalog.SenderPending, with(func(i *catalog.Identity) { i.Found = false }), true, time.Hour, catalog.SenderPending, 10 * time.Minute},
		"the envelope's domain alone":                 {catalog.SenderPending, with(func(i *catalog.Identity) { i.Sends = false }), true, time.Hour, catalog.SenderPending, 10 * time.Minute},
		"the records of another merchant's":           {catalog.SenderPending, with(func(i *catalog.Identity) { i.MailFrom = "keys-2.nova.example" }), true, time.Hour, catalog.SenderFailed, 0},
		"three days without":                          {catalog.SenderPending, catalog.Identity{MailFrom: good.MailFrom}, true, 72 * time.Hour, catalog.SenderFailed, 0},
		"SES gave up":                                 {catalog.SenderPending, catalog.Identity{MailFrom: good.MailFrom, Lost: true}, true, time.Hour, catalog.SenderFailed, 0},
		"deleted in SES":                              {catalog.SenderVerified, catalog.Identity{}, false, time.Hour, catalog.SenderFailed, 0},
		"verified, dkim gone":                         {catalog.SenderVerified, with(func(i *catalog.Identity) { i.Sends = false }), true, time.Hour, catalog.SenderFailed, 0},
		"verified, the envelope's domain gone":        {catalog.SenderVerified, with(func(i *catalog.Identity) { i.Found = false }), true, time.Hour, catalog.SenderVerified, 24 * time.Hour},
		"verified, and another merchant's by now":     {catalog.SenderVerified, with(func(i *catalog.Identity) { i.MailFrom = "keys-2.nova.example" }), true, time.Hour, catalog.SenderFailed, 0},
		"failed, and the records are there after all": {catalog.SenderFailed, good, true, 200 * time.Hour, catalog.SenderVerified, 24 * time.Hour},
		"refused by a mail":                           {catalog.SenderRefused, good, true, time.Hour, catalog.SenderRefused, 0},
	} {
		s := catalog.Sender{Address: "keys@nova.example", MailFrom: "keys-1.nova.example", State: c.was, UnprovenSince: claimed}
		now := claimed.Add(c.after)
		got := s.Seen(c.found, c.known, now)
		var next time.Duration
		if !got.DueAt.IsZero() {
			next = got.DueAt.Sub(now)
		}
		if got.State != c.want || next != c.next || !got.LookedAt.Equal(now) {
			t.Errorf("%s: %s, looked at again after %s; want %s, %s", name, got.State, next, c.want, c.next)
		}
	}
}

// A domain is kept for who has proven it, and for three days for who has not, however often
// that one looks.
func TestSender_freeAt(t *testing.T) {
	t.Parallel()
	claimed := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	free := claimed.Add(catalog.ProveWithin)
	s := catalog.Sender{MailFrom: "keys-1.nova.example", State: catalog.SenderPending, UnprovenSince: claimed}
	unproven := catalog.Identity{MailFrom: s.MailFrom}
	if got := s.Seen(unproven, true, claimed.Add(time.Hour)).FreeAt(); !got.Equal(free) {
		t.Errorf("pending: free at %s, want %s", got, free)
	}
	if got := s.Seen(unproven, true, claimed.Add(100*time.Hour)).Seen(unproven, true, claimed.Add(200*time.Hour)).FreeAt(); !got.Equal(free) {
		t.Errorf("failed: free at %s, want %s", got, free)
	}
	verified := s.Seen(catalog.Identity{MailFrom: s.MailFrom, Sends: true, Found: true}, true, claimed.Add(time.Hour))
	if got := verified.FreeAt(); !verified.Proven() || !got.IsZero() {
		t.Errorf("%s: free at %s, want never", verified.State, got)
	}
	refused := verified.Refused(claimed.Add(200 * time.Hour))
	if got, want := refused.FreeAt(), claimed.Add(272*time.Hour); refused.Proven() || !got.Equal(want) {
		t.Errorf("%s: free at %s, want %s", refused.State, got, want)
	}
}
