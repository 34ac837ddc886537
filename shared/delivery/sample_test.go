package delivery_test

import (
	"strings"
	"testing"

	"keypool/shared/catalog"
	"keypool/shared/notice"
	"keypool/shared/outbox"
)

// A sample that the merchant asked for is mailed to the notice address as the customer's mail
// would be, by the product's texts as they are then, and it is marked.
func TestNotice_ofASample(t *testing.T) {
	s := newScene(t)
	sold := catalog.Product{Merchant: "nova", ID: "4711", Title: "Elden", Keys: catalog.KeyRule{Mode: catalog.PerUnit, Count: 1}, Texts: map[string]catalog.Text{"en": {Body: "As it is now.\n\n{KEY}"}}}
	if err := s.store.PutProduct(t.Context(), sold); err != nil {
		t.Fatal(err)
	}
	n := notice.New("nova", notice.SampleMail, "2026-11-23T12:00", notice.Facts{Sample: &notice.Sample{Product: "4711", Language: "en", Keys: 1}}, s.now)
	for _, first := range []bool{true, false} {
		if raised, err := s.store.RaiseNewNotice(t.Context(), n); err != nil || raised != first {
			t.Fatalf("raised %v (%v), want %v", raised, err, first)
		}
	}
	s.mail(outbox.NoticeItem(n.ID))
	merchant, _, err := s.store.Merchant(t.Context(), "nova")
	if err != nil || len(s.ses.mails) != 1 {
		t.Fatalf("%d mails (%v)", len(s.ses.mails), err)
	}
	made := s.ses.mails[0]
	if made.To.Address != merchant.NoticeAddress || !strings.HasPrefix(made.Subject, "[Sample] ") {
		t.Errorf("to %s: %s", made.To.Address, made.Subject)
	}
	for _, want := range []string{"[Sample: no real key]", "As it is now.", "SAMPLE-0001-NO-REAL-KEY"} {
		if !strings.Contains(made.Text, want) {
			t.Errorf("no %q in\n%s", want, made.Text)
		}
	}
}

// A sample has the button that leads to the order's page where orders of its product have one.
func TestNotice_ofASampleWithAPage(t *testing.T) {
	s := newScene(t)
	s.mailer.Pages = s.store
	if err := s.store.PutOrderPages(t.Context(), catalog.OrderPages{Merchant: "nova", Default: catalog.OrderPageOn}); err != nil {
		t.Fatal(err)
	}
	n := notice.New("nova", notice.SampleMail, "2026-11-23T12:00", notice.Facts{Sample: &notice.Sample{Language: "fr", Keys: 1}}, s.now)
	if _, err := s.store.RaiseNewNotice(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	s.mail(outbox.NoticeItem(n.ID))
	if got := s.ses.mails[0].Text; !strings.Contains(got, "Voir vos clés :\nhttps://api.keypool.example/o/sample\n") {
		t.Errorf("the sample has no button:\n%s", got)
	}
}
