package sweep_test

import (
	"context"
	"testing"
	"time"

	"keypool/shared/catalog"
	"keypool/shared/sender"
)

// records are a domain whose records SES has found, or not.
type records bool

func (r records) Look(context.Context, string) (catalog.Identity, bool, error) {
	return catalog.Identity{MailFrom: "keys-1.nova.example", Sends: bool(r), Found: bool(r)}, true, nil
}

// A sender is looked at while its domain is not proven, then once a day, and not once it has
// failed.
func TestSweep_senders(t *testing.T) {
	t.Parallel()
	y := open(t)
	set := catalog.Sender{
		Merchant: "nova", Address: "keys@nova.example", MailFrom: "keys-1.nova.example", State: catalog.SenderPending, UnprovenSince: noon, DueAt: noon.Add(time.Minute),
	}
	if err := y.store.PutSender(t.Context(), set, noon); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after time.Duration
		found records
		looks int
		state catalog.SenderState
	}{
		{30 * time.Second, false, 0, catalog.SenderPending},
		{2 * time.Minute, false, 1, catalog.SenderPending},
		{5 * time.Minute, true, 0, catalog.SenderPending}, // it has its time
		{13 * time.Minute, true, 1, catalog.SenderVerified},
		{20 * time.Hour, false, 0, catalog.SenderVerified},
		{25 * time.Hour, false, 1, catalog.SenderFailed},
		{100 * time.Hour, true, 0, catalog.SenderFailed},
	} {
		y.sweeper.Senders = &sender.Looks{Store: y.store, Identities: c.found, Now: func() time.Time { return y.now }}
		if swept := y.sweep(c.after); swept.Senders != c.looks {
			t.Errorf("after %s: %d looks, want %d", c.after, swept.Senders, c.looks)
		}
		if s, err := y.store.Sender(t.Context(), "nova"); err != nil || s.State != c.state {
			t.Errorf("after %s: %s, %v, want %s", c.after, s.State, err, c.state)
		}
	}
}
