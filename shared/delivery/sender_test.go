package delivery_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/catalog"
	"keypool/shared/mail"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/sender"
)

const (
	own       = "keys@nova.example"
	operators = "keys@keypool.example"
)

// withSender gives the merchant a sender in a state.
func (s *scene) withSender(state catalog.SenderState) {
	s.t.Helper()
	s.mailer.Senders = sender.NewUsed(s.store, func() time.Time { return s.now })
	set := catalog.Sender{Merchant: "nova", Address: own, MailFrom: "keys-1.nova.example", State: state}
	if err := s.store.PutSender(s.t.Context(), set, s.now); err != nil {
		s.t.Fatal(err)
	}
}

// from returns whom each mail was from, in order.
func (f *fakeSES) from() (all []string) {
	for _, m := range f.mails {
		all = append(all, m.From.Name+" "+m.From.Address)
	}
	return all
}

// A customer's mail comes from the merchant's own address once that is verified, and a
// notice never.
func TestMail_comesFromTheMerchantsOwnAddress(t *testing.T) {
	for state, want := range map[catalog.SenderState]string{
		catalog.SenderPending: operators, catalog.SenderVerified: own, catalog.SenderFailed: operators, catalog.SenderRefused: operators,
	} {
		t.Run(string(state), func(t *testing.T) {
			s := newScene(t)
			s.withSender(state)
			s.mailLine(s.line("55", 1, 1))
			n := notice.New("nova", notice.Empty, "1", notice.Facts{Pool: "elden"}, noon)
			if err := s.store.RaiseNotice(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			s.mail(outbox.NoticeItem(n.ID))
			if diff := cmp.Diff([]string{"Nova Software " + want, "Keypool " + operators}, s.ses.from()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A mail is signed for the domain that it comes from, so it comes from an address that SES
// has an identity of, the merchant's or the operator's, and from no third. In both cases
// the customer's answer goes to the merchant, and the line has SES's id of the mail, by which it is found.
func TestMail_isAlignedAnsweredAndFound(t *testing.T) {
	for state, from := range map[catalog.SenderState]string{catalog.SenderVerified: own, catalog.SenderPending: operators} {
		t.Run(from, func(t *testing.T) {
			s := newScene(t)
			m, _, err := s.store.Merchant(t.Context(), "nova")
			if err != nil {
				t.Fatal(err)
			}
			m.ReplyTo = "help@nova-support.example"
			if err := s.store.PutMerchant(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			s.withSender(state)
			keys := s.line("55", 1, 1)
			s.mailLine(keys)
			delayed := s.line("56", 2, 1, func(f *order.Fulfillment) { f.Mail = outbox.Entry{}.Next(outbox.Delay, noon) })
			s.mailLine(delayed)
			for i, id := range []order.LineID{keys, delayed} {
				if sent := s.ses.mails[i]; sent.From.Address != from || sent.ReplyTo != m.ReplyTo {
					t.Errorf("from %s, answers to %s", sent.From.Address, sent.ReplyTo)
				}
				name := fmt.Sprintf("ses-%d", i+1)
				if got := s.fulfillment(id).Mail.MessageID; got != name {
					t.Errorf("the line has %q, and SES calls the mail %s", got, name)
				}
				history, err := s.store.History(t.Context(), id)
				if err != nil || !slices.ContainsFunc(history, func(h order.History) bool { return h.Event == order.MailSent && h.MessageID == name }) {
					t.Errorf("the history has no mail %s: %+v (%v)", name, history, err)
				}
			}
		})
	}
}

// A mail that SES refuses for its sender's sake goes from the operator's address, with the
// merchant's name, at once. The merchant is told once, and mails come from there from then on.
func TestMail_refusedSender(t *testing.T) {
	s := newScene(t)
	s.withSender(catalog.SenderVerified)
	s.ses.answer = func(m mail.Message) (string, error) {
		if m.From.Address == own {
			return "", &mail.SendError{Fault: mail.AccountFault, Code: "NotVerified"}
		}
		return "taken", nil
	}
	first, second := s.line("55", 1, 1), s.line("56", 1, 1)
	s.mailLine(first)
	s.mailLine(second) // its sender is cached as it was
	s.now = s.now.Add(time.Minute)
	s.mailLine(s.line("57", 1, 1))
	want := []string{"Nova Software " + own, "Nova Software " + operators, "Nova Software " + own, "Nova Software " + operators, "Nova Software " + operators}
	if diff := cmp.Diff(want, s.ses.from()); diff != "" {
		t.Error(diff)
	}
	if got := s.fulfillment(first).Mail; got.State != outbox.Sent || got.Tries > 1 {
		t.Errorf("the mail is %s after %d tries", got.State, got.Tries)
	}
	set, err := s.store.Sender(t.Context(), "nova")
	if err != nil || set.State != catalog.SenderRefused {
		t.Errorf("the sender is %s, %v", set.State, err)
	}
	told := s.notices(notice.SenderState)
	if len(told) != 1 || told[0].Facts.Cause != "refused" {
		t.Errorf("told %+v", told)
	}
}

// What SES refuses from the operator's address as well is not the sender's fault.
func TestMail_refusedAccount(t *testing.T) {
	s := newScene(t)
	s.withSender(catalog.SenderVerified)
	s.ses.answer = refuses(mail.AccountFault, "NotVerified") // so is a recipient of an account in the sandbox
	id := s.line("55", 1, 1)
	s.mailLine(id)
	set, err := s.store.Sender(t.Context(), "nova")
	if err != nil || set.State != catalog.SenderVerified {
		t.Errorf("the sender is %s, %v", set.State, err)
	}
	if got := s.fulfillment(id).Mail; got.State != outbox.Due {
		t.Errorf("the mail is %s", got.State)
	}

	// Nor is a mail that is refused for its own sake, or whose end is unknown.
	for code, fault := range map[string]mail.Fault{"MessageRejected": mail.Permanent, "NoAnswer": mail.Unknown} {
		s.ses.mails, s.ses.answer = nil, refuses(fault, code)
		s.mailLine(s.line(code, 1, 1))
		if len(s.ses.mails) != 1 {
			t.Errorf("%s: sent %d times", code, len(s.ses.mails))
		}
	}
}
