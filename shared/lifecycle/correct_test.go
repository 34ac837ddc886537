package lifecycle_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/delivery"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
)

const right = "ada@right.example"

// mailsTo returns how many mails went to each address, as "2 with keys, 1 without", and mails
// what the store has due first.
func (s *shop) mailsTo() map[string]string {
	s.Helper()
	s.mailNotices()
	with, without := map[string]int{}, map[string]int{}
	for _, m := range s.ses.mails {
		without[m.To.Address]++
		if strings.Contains(m.Text, "K17") {
			with[m.To.Address]++
			without[m.To.Address]--
		}
	}
	all := map[string]string{}
	for to := range without {
		all[to] = fmt.Sprintf("%d with keys, %d without", with[to], without[to])
	}
	return all
}

// mailNotices mails the notices of corrections.
func (s *shop) mailNotices() {
	s.Helper()
	var items []outbox.Item
	for id := range s.notices() {
		items = append(items, outbox.NoticeItem(id))
	}
	for _, err := range s.mailer.Mail(s.Context(), items) {
		s.must(err)
	}
}

// notices returns the notices of corrections, by ID.
func (s *shop) notices() map[string]notice.Notice {
	s.Helper()
	all := map[string]notice.Notice{}
	for number := range 13 {
		for _, kind := range []notice.Kind{notice.AddressMended, notice.KeysElsewhere} {
			for _, of := range []string{"1", "2"} {
				id := notice.New("acme", kind, fmt.Sprintf("%s#%d", identity(of, "").OrderID(), number), notice.Facts{}, s.at).ID
				if n, ok, err := s.store.Notice(s.Context(), id); err != nil || ok {
					s.must(err)
					all[id] = n
				}
			}
		}
	}
	return all
}

func (s *shop) bounce(id order.LineID) {
	s.Helper()
	s.must(s.mailer.ApplyFeedback(s.Context(), delivery.Feedback{
		Item: outbox.LineItem(string(id)), Number: s.line(id).Mail.Number, Event: order.MailBounced, At: s.at, Code: "Permanent General",
	}))
}

func (s *shop) resendTo(id order.LineID, email string) order.Fulfillment {
	s.Helper()
	f, err := s.changes.ResendTo(s.Context(), id, email, ada)
	s.must(err)
	return f
}

// The keys go to the corrected address once. The former one is told, without keys, and so is
// the merchant; nobody sees an address in the history. A repeat of the act changes nothing,
// and a repeat of the webhook, with the address it always had, is the same line.
func TestResendTo(t *testing.T) {
	s := open(t, 5)
	line := s.pay("1", "1", "game", 2)
	s.mail(line.ID)
	for range 2 {
		f := s.resendTo(line.ID, right)
		if f.Customer.Email != right || !slices.Equal(f.Former, []string{"ada@example.com"}) || f.CustomerHash == line.CustomerHash {
			t.Errorf("corrected: %q, formerly %q", f.Customer.Email, f.Former)
		}
	}
	s.is(s.pay("1", "1", "game", 2), order.Fulfilled, 2, 0)
	s.settle(line.ID)
	want := map[string]string{"ada@example.com": "1 with keys, 1 without", right: "1 with keys, 0 without", "ops@acme.example": "0 with keys, 1 without"}
	if got := s.mailsTo(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("mails went to %v, want %v", got, want)
	}
	for _, m := range s.ses.mails {
		if m.To.Address != right && strings.Contains(m.Subject+m.Text+m.HTML, right) {
			t.Errorf("the mail to %s names the corrected address:\n%s", m.To.Address, m.Text)
		}
	}
	if got := s.history(line.ID); !slices.Equal(got, []string{"address-corrected by ada: looks odd"}) {
		t.Errorf("history %q", got)
	}
	if f := s.pay("1", "1", "game", 2); f.Customer.Email != right {
		t.Errorf("the webhook's repeat set the address back to %q", f.Customer.Email)
	}
}

// An address that mail came back from is not written to again. The line needs nobody's look
// any more.
func TestResendTo_afterABounce(t *testing.T) {
	s := open(t, 5)
	line := s.pay("1", "1", "game", 1)
	s.mail(line.ID)
	s.bounce(line.ID)
	if _, needed := s.line(line.ID).Attention(); !needed {
		t.Error("a bounce needs no look")
	}
	s.resendTo(line.ID, right)
	if _, needed := s.line(line.ID).Attention(); needed {
		t.Error("the corrected line needs a look")
	}
	s.settle(line.ID)
	want := map[string]string{"ada@example.com": "1 with keys, 0 without", right: "1 with keys, 0 without", "ops@acme.example": "0 with keys, 1 without"}
	if got := s.mailsTo(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("mails went to %v, want %v", got, want)
	}
}

// A mail that is due goes to the corrected address, at once though it was put off. One that a
// mailer has goes out where it was going, and another after it.
func TestResendTo_whileAMailIsUnderWay(t *testing.T) {
	s := open(t, 5)
	due, leased := s.pay("1", "1", "game", 1), s.pay("2", "1", "game", 1)
	s.paused = func() { s.resendTo(leased.ID, right) }
	s.mail(leased.ID)
	s.mails(1)
	f := s.resendTo(due.ID, right)
	if f.Mail.Number != 1 || f.Mail.State != outbox.Due {
		t.Errorf("the mail is %+v", f.Mail)
	}
	s.settle(due.ID, leased.ID)
	want := map[string]string{"ada@example.com": "1 with keys, 2 without", right: "2 with keys, 0 without", "ops@acme.example": "0 with keys, 2 without"}
	if got := s.mailsTo(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("mails went to %v, want %v", got, want)
	}
}

// Of a line that waits, the news goes to the corrected address, if there was any, and then its
// keys.
func TestResendTo_whileItWaits(t *testing.T) {
	s := open(t, 0)
	told, untold := s.pay("1", "1", "game", 1), s.pay("2", "1", "game", 1)
	s.is(told, order.Waiting, 0, 0)
	s.resendTo(untold.ID, right)
	if f := s.line(untold.ID); f.Mail.State != outbox.None {
		t.Errorf("a mail without news is due: %+v", f.Mail)
	}
	s.at = s.at.Add(time.Hour)
	s.sweeper.DelayMailAfter = time.Minute
	_, err := s.sweeper.Sweep(t.Context(), s.at.Add(time.Minute))
	s.must(err)
	s.mail(told.ID)
	s.resendTo(told.ID, right)
	s.mail(told.ID)
	if got := s.mailsTo(); got["ada@example.com"] != "0 with keys, 3 without" || got[right] != "0 with keys, 1 without" {
		t.Errorf("mails went to %v", got)
	}
	s.stock(5)
	s.settle(told.ID, untold.ID)
	if got := s.mailsTo(); !strings.HasPrefix(got[right], "2 with keys") || got["ada@example.com"] != "0 with keys, 3 without" {
		t.Errorf("mails went to %v", got)
	}
}

// Lines that are on hold, in dispute or given back are left as they are.
func TestResendTo_isRefused(t *testing.T) {
	for name, before := range map[string]func(s *shop, id order.LineID){
		"held":     func(s *shop, id order.LineID) { _, err := s.changes.Hold(s.Context(), id, ada); s.must(err) },
		"disputed": func(s *shop, _ order.LineID) { s.dispute("1", "CB-1", order.DisputeOpen) },
		"returned": func(s *shop, _ order.LineID) { s.returnOrder("1", "R1") },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, 5)
			line := s.pay("1", "1", "game", 1)
			before(s, line.ID)
			seen := s.line(line.ID)
			if _, err := s.changes.ResendTo(t.Context(), line.ID, right, ada); !errors.Is(err, order.ErrState) {
				t.Errorf("the error is %v", err)
			}
			if f := s.line(line.ID); f.Version != seen.Version || len(s.notices()) > 0 {
				t.Errorf("it was changed: %+v", f)
			}
		})
	}
	s := open(t, 0)
	if _, err := s.changes.ResendTo(t.Context(), identity("9", "1").ID(), right, ada); !errors.Is(err, order.ErrState) {
		t.Errorf("of a line that is not there the error is %v", err)
	}
}

// Three corrections of an order an hour, however many lines it has; at once too. A further
// one is refused until the hour has ended, and changes nothing.
func TestResendTo_isLimitedPerOrder(t *testing.T) {
	s := open(t, 9)
	lines := []order.LineID{s.pay("1", "1", "game", 1).ID, s.pay("1", "2", "game", 1).ID}
	for n := range order.CorrectionsOfOrder - 1 {
		for _, id := range lines {
			s.resendTo(id, fmt.Sprintf("ada%d@example.com", n))
		}
	}
	refused := 0
	var mu sync.Mutex
	var acts sync.WaitGroup
	for n := range 4 { // one more is allowed: of line 1, to one of four addresses
		acts.Go(func() {
			_, err := s.changes.ResendTo(t.Context(), lines[0], fmt.Sprintf("ada%d@right.example", n), ada)
			mu.Lock()
			defer mu.Unlock()
			var limit *order.CorrectionLimitError
			switch {
			case errors.As(err, &limit):
				refused++
				if !limit.OfOrder || limit.In != time.Hour {
					t.Errorf("the limit is %+v", limit)
				}
			case err != nil:
				t.Error(err)
			}
		})
	}
	acts.Wait()
	if f := s.line(lines[0]); refused != 3 || len(f.Former) != order.CorrectionsOfOrder {
		t.Errorf("%d of 4 were refused; it was corrected %d times", refused, len(f.Former))
	}
	s.at = s.at.Add(time.Hour)
	s.resendTo(lines[0], right)
}

// A merchant corrects so many orders an hour, and not one more.
func TestResendTo_isLimitedPerMerchant(t *testing.T) {
	s := open(t, order.CorrectionsOfMerchant+1)
	for n := range order.CorrectionsOfMerchant {
		s.resendTo(s.pay(fmt.Sprint("order-", n), "1", "game", 1).ID, right)
	}
	last := s.pay("1", "1", "game", 1)
	_, err := s.changes.ResendTo(t.Context(), last.ID, right, ada)
	if limit := (*order.CorrectionLimitError)(nil); !errors.As(err, &limit) || limit.OfOrder {
		t.Errorf("the error is %v", err)
	}
	if f := s.line(last.ID); f.Version != last.Version || len(s.notices()) > 0 {
		t.Errorf("it was changed: %+v", f)
	}
	if f, err := s.changes.ResendTo(t.Context(), last.ID, "ADA@example.com ", ada); err != nil || len(f.Former) > 0 {
		t.Errorf("the address that it has counts as another: %v", err)
	}
}

// An address is corrected ten times at most: the record of a line does not grow without end.
func TestResendTo_tenTimes(t *testing.T) {
	s := open(t, 1)
	line := s.pay("1", "1", "game", 1)
	for n := range order.MaxCorrections {
		s.resendTo(line.ID, fmt.Sprintf("ada%d@example.com", n))
		s.at = s.at.Add(time.Hour)
	}
	if _, err := s.changes.ResendTo(t.Context(), line.ID, right, ada); !errors.Is(err, order.ErrCorrections) {
		t.Errorf("the error is %v", err)
	}
	dynamotest.Audit(t, s.tables)
}

// The address of an order was corrected, and its platform reports a renewal with the former
// one: the keys do not go there. Once the renewal is corrected too they go to the right one.
func TestResendTo_renewals(t *testing.T) {
	s := open(t, 3)
	s.renews()
	parent := s.pay("1", "1", "game", 1)
	s.mail(parent.ID)
	s.resendTo(parent.ID, right)
	s.mail(parent.ID)
	renewal := s.renew("2", "1")
	s.mail(renewal.ID)
	if f := s.line(renewal.ID); f.Mail.State != outbox.Due || f.Mail.Code != "ParentOfAnother" {
		t.Errorf("the renewal's mail is %+v", f.Mail)
	}
	s.resendTo(renewal.ID, right)
	s.mail(renewal.ID)
	if got := s.mailsTo(); got[right] != "2 with keys, 0 without" || !strings.HasPrefix(got["ada@example.com"], "1 with keys") {
		t.Errorf("mails went to %v", got)
	}
}
