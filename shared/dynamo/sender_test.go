package dynamo_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/due"
	"keypool/shared/retry"
)

// A domain is one merchant's while it is proven, or its time to be proven runs.
func TestPutSender_domain(t *testing.T) {
	t.Parallel()
	store, _ := dynamotest.Open(t)
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	of := func(merchant, domain string, version int) catalog.Sender {
		return catalog.Sender{
			Merchant: merchant, Version: version, Address: "keys@" + domain, MailFrom: merchant + "." + domain, State: catalog.SenderPending, UnprovenSince: now, LookedAt: now,
		}
	}
	put := func(what string, s catalog.Sender, at time.Time, want error) {
		t.Helper()
		if err := store.PutSender(t.Context(), s, at); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	put("new", of("nova", "nova.example", 0), now, nil)
	put("made twice", of("nova", "nova.example", 0), now, catalog.ErrConflict)
	put("another's", of("acme", "nova.example", 0), now, catalog.ErrTaken)
	put("another's, a moment before it is free", of("acme", "nova.example", 0), now.Add(catalog.ProveWithin-time.Millisecond), catalog.ErrTaken)
	put("another domain, which frees the first", of("nova", "other.example", 1), now, nil)
	put("free", of("acme", "nova.example", 0), now, nil)
	put("free by time", of("zeta", "other.example", 0), now.Add(catalog.ProveWithin), nil)

	// nova has lost its domain, and whatever it does leaves that of zeta's alone.
	lost, err := store.Sender(t.Context(), "nova")
	if err != nil {
		t.Fatal(err)
	}
	verified := lost
	verified.State, verified.UnprovenSince = catalog.SenderVerified, time.Time{}
	if err := store.SaveLook(t.Context(), lost, verified); !errors.Is(err, retry.ErrChanged) {
		t.Errorf("verified what is another's: %v", err)
	}
	if err := store.DeleteSender(t.Context(), "nova", lost.Version); err != nil {
		t.Fatal(err)
	}
	put("of who took it", of("nova", "other.example", 0), now, catalog.ErrTaken)

	// Proven, it is kept for ever.
	acme, err := store.Sender(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	proven := acme
	proven.State, proven.UnprovenSince, proven.LookedAt = catalog.SenderVerified, time.Time{}, now.Add(time.Hour)
	if err := store.SaveLook(t.Context(), acme, proven); err != nil {
		t.Fatal(err)
	}
	put("proven", of("nova", "nova.example", 0), now.Add(10*catalog.ProveWithin), catalog.ErrTaken)
	if err := store.DeleteSender(t.Context(), "acme", acme.Version); err != nil {
		t.Fatal(err)
	}
	put("given up", of("nova", "nova.example", 0), now, nil)
}

// Of two looks at once, one is stored. The sweep finds a sender by its time.
func TestSaveLook(t *testing.T) {
	t.Parallel()
	store, _ := dynamotest.Open(t)
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	s := catalog.Sender{Merchant: "nova", Address: "keys@nova.example", MailFrom: "a.nova.example", State: catalog.SenderPending, UnprovenSince: now, DueAt: now.Add(time.Minute)}
	if err := store.PutSender(t.Context(), s, now); err != nil {
		t.Fatal(err)
	}
	seen, err := store.Sender(t.Context(), "nova")
	if err != nil {
		t.Fatal(err)
	}
	found := seen.Seen(catalog.Identity{Sends: true, Found: true, MailFrom: s.MailFrom, Tokens: []string{"t1"}, Zone: "z"}, true, now.Add(time.Minute))
	if err := store.SaveLook(t.Context(), seen, found); err != nil {
		t.Fatal(err)
	}
	if err := store.SaveLook(t.Context(), seen, seen.Refused(now.Add(time.Minute))); !errors.Is(err, retry.ErrChanged) {
		t.Errorf("a second look at the same: %v", err)
	}
	got, err := store.Sender(t.Context(), "nova")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(found, got); diff != "" {
		t.Error(diff)
	}
	for at, want := range map[time.Duration]int{24 * time.Hour: 0, 25 * time.Hour: 1} {
		swept := 0
		for partition := range due.Partitions {
			err := store.Due(t.Context(), partition, now.Add(at), func(i due.Item) bool {
				if i.Sender != nil && i.Sender.Address == s.Address {
					swept++
				}
				return true
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if swept != want {
			t.Errorf("after %s the sweep finds %d, want %d", at, swept, want)
		}
	}
}
