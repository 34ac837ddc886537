package dynamo_test

import (
	"errors"
	"testing"
	"time"

	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/retry"
)

// A mailer marks the mail of a line only while the line is as it knows it.
func TestMark_changedMeanwhile(t *testing.T) {
	t.Parallel()
	s := openShop(t, 1)
	sold := s.sell("1", 1, s.keys[0])
	due := order.ChangeOf(sold)
	due.After.Mail = due.After.Mail.Next(outbox.Keys, stockNoon)
	s.commit(due)
	mails := s.store.LineMails()
	leased, _, ok, err := mails.Lease(t.Context(), string(sold.ID), stockNoon)
	if err != nil || !ok {
		t.Fatalf("%v, %v", ok, err)
	}
	held := order.ChangeOf(s.line(sold.ID))
	held.After.Hold(order.HoldByHand)
	s.commit(held)
	leased.Mail = leased.Mail.Completed(outbox.Sent, "ses-1", "", stockNoon)
	if err := mails.Mark(t.Context(), leased, nil, nil); !errors.Is(err, retry.ErrChanged) {
		t.Errorf("marked: %v", err)
	}
	entry := order.History{Line: sold.ID, At: stockNoon, Event: order.MailSent, By: "deliver", Mail: 1}
	if err := mails.Mark(t.Context(), leased, &entry, nil); !errors.Is(err, retry.ErrChanged) {
		t.Errorf("marked with its history: %v", err)
	}
	if now := s.line(sold.ID); now.Version != held.After.Version || now.Mail.State != outbox.Sending {
		t.Errorf("version %d, its mail %s", now.Version, now.Mail.State)
	}
}

// A lease that has ended is taken once, however many mailers want it.
func TestLease_endedOneIsTakenOnce(t *testing.T) {
	t.Parallel()
	s := openShop(t, 1)
	sold := s.sell("1", 1, s.keys[0])
	due := order.ChangeOf(sold)
	due.After.Mail = due.After.Mail.Next(outbox.Keys, stockNoon)
	s.commit(due)
	mails := s.store.LineMails()
	for n, now := range []time.Time{stockNoon, stockNoon.Add(outbox.Lease)} {
		leased, again, ok, err := mails.Lease(t.Context(), string(sold.ID), now)
		if err != nil || !ok || again != (n > 0) || leased.Mail.Number != n+1 {
			t.Errorf("lease %d: %+v, again %v, %v, %v", n, leased.Mail, again, ok, err)
		}
		if _, _, ok, err := mails.Lease(t.Context(), string(sold.ID), now); ok || err != nil {
			t.Errorf("leased twice: %v, %v", ok, err)
		}
	}
}
