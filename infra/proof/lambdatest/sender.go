package lambdatest

import (
	"time"

	"keypool/shared/catalog"
)

// planted is the merchant's own sender, whose records SES finds.
var planted = catalog.Sender{Merchant: Merchant, Address: "keys@nova.example", MailFrom: "keys-planted.nova.example"}

// PlantSender gives the merchant a sender in a state that is due to be looked at.
func (s *Sandbox) PlantSender(state catalog.SenderState) {
	s.Helper()
	there, err := s.Store.Sender(s.Context(), Merchant)
	if err != nil {
		s.Fatal(err)
	}
	next, now := planted, time.Now()
	next.Version, next.State, next.DueAt = there.Version, state, now.Add(-time.Minute)
	if state != catalog.SenderVerified {
		next.UnprovenSince = now
	}
	if err := s.Store.PutSender(s.Context(), next, now); err != nil {
		s.Fatal(err)
	}
}
