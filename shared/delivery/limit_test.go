package delivery_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/notice"
	"keypool/shared/outbox"
)

// limited lets the merchant have so many notices a day.
func (s *scene) limited(mails int) {
	s.t.Helper()
	m, _, err := s.store.Merchant(s.t.Context(), "nova")
	if err != nil {
		s.t.Fatal(err)
	}
	m.Mails = mails
	if err := s.store.PutMerchant(s.t.Context(), m); err != nil {
		s.t.Fatal(err)
	}
	s.mailer = s.newMailer() // the settings before are cached
	s.mailer.Days = s.store
}

// notify raises a notice of the kind about an order, and mails it.
func (s *scene) notify(kind notice.Kind, order string) notice.Notice {
	s.t.Helper()
	n := notice.New("nova", kind, order, notice.Facts{Orders: []string{order}, Count: 1, Pool: "elden"}, s.now)
	if err := s.store.RaiseNotice(s.t.Context(), n); err != nil {
		s.t.Fatal(err)
	}
	s.mail(outbox.NoticeItem(n.ID))
	return s.noticeAt(n.ID)
}

func (s *scene) noticeAt(id string) notice.Notice {
	s.t.Helper()
	n, ok, err := s.store.Notice(s.t.Context(), id)
	if err != nil || !ok {
		s.t.Fatalf("notice %s: %v, %v", id, ok, err)
	}
	return n
}

// Beyond the mails of a day, what can wait is told together: the first at once, the others
// when the day ends. What cannot wait is mailed, and so are customers. The next day begins anew.
func TestNotices_beyondTheLimitOfADay(t *testing.T) {
	s := newScene(t)
	s.limited(3)
	for i := range 3 {
		s.notify(notice.MailFailed, fmt.Sprintf("A-%d", i))
	}
	for i := 3; i < 6; i++ {
		n := s.notify(notice.MailFailed, fmt.Sprintf("A-%d", i))
		if n.Mail.State != outbox.None || !n.Mail.DueAt.IsZero() || !n.Mail.TryAt.IsZero() {
			t.Errorf("the notice that was held back is %+v", n.Mail)
		}
		s.mail(outbox.NoticeItem(n.ID)) // nothing is left of it to mail
		if i == 3 {
			s.mail(outbox.NoticeItem(limitNotice(s.now).ID))
		}
	}
	s.mail(outbox.LineItem(string(s.line("1001", 1, 1))))
	s.notify(notice.Empty, "A-9")
	rest := limitNotice(s.now).Overflow()
	s.mail(outbox.NoticeItem(rest.ID)) // too early

	want := []string{
		"1 1001@example.com: Your license key for Elden",
		"1 ops@nova.example: elden has no keys left",
		"1 ops@nova.example: 1 mail to you was not sent: the day's limit is reached",
	}
	for i := range 3 {
		want = append(want, fmt.Sprintf("1 ops@nova.example: The mail for order A-%d cannot be sent", i))
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, s.ses.sent()); diff != "" {
		t.Error(diff)
	}

	s.now = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	s.mail(outbox.NoticeItem(rest.ID))
	last := s.ses.mails[len(s.ses.mails)-1]
	if !strings.HasPrefix(last.Subject, "2 mails to you were not sent") || !strings.Contains(last.Text, "The mail for order A-4 cannot be sent") || !strings.Contains(last.Text, "The mail for order A-5 cannot be sent") {
		t.Errorf("when the day ended: %s\n%s", last.Subject, last.Text)
	}
	if n := s.notify(notice.MailFailed, "A-10"); n.Mail.State != outbox.Sent {
		t.Errorf("the next day: %+v", n.Mail)
	}
	for day, want := range map[time.Time]int{noon: 5, s.now: 2} {
		if mailed, err := s.store.Mailed(t.Context(), "nova", day); err != nil || mailed != want {
			t.Errorf("%d mails were counted on %s, want %d (%v)", mailed, day, want, err)
		}
	}
}

// limitNotice is the first of a day that tells of notices that were not mailed.
func limitNotice(now time.Time) notice.Notice {
	return notice.Unsent(notice.New("nova", notice.MailFailed, "", notice.Facts{}, now), "", 0, now)
}

// A notice that SES does not take is tried again, and counts once. Those to the operator, and
// to customers, count for nobody.
func TestNotices_countOnce(t *testing.T) {
	s := newScene(t)
	s.limited(100)
	s.ses.answer = refuses("temporary", "InternalFailure")
	n := s.notify(notice.MailFailed, "A-1")
	s.ses.answer = nil
	s.now = s.now.Add(time.Hour)
	s.mail(outbox.NoticeItem(n.ID))
	s.mail(outbox.NoticeItem(n.ID))
	operators := notice.New("", notice.MailFailed, "x", notice.Facts{Orders: []string{"nova"}, Count: 1}, s.now)
	if err := s.store.RaiseNotice(t.Context(), operators); err != nil {
		t.Fatal(err)
	}
	s.mail(outbox.NoticeItem(operators.ID), outbox.LineItem(string(s.line("1001", 1, 1))))
	for merchant, want := range map[string]int{"nova": 1, "": 0} {
		if mailed, err := s.store.Mailed(t.Context(), merchant, s.now); err != nil || mailed != want {
			t.Errorf("%q has got %d mails, want %d (%v)", merchant, mailed, want, err)
		}
	}
	if got := len(s.ses.sent()); got != 4 {
		t.Errorf("%d mails were offered", got)
	}
}

// Counting a notice takes a read and a write, and a customer's mail neither.
func TestNotices_countCosts(t *testing.T) {
	var calls dynamotest.Meter
	s := newScene(t, calls.Option)
	cost := func(mail func()) int {
		s.mailer = s.newMailer()
		calls.Reset()
		mail()
		plain := len(calls.Calls())
		s.mailer = s.newMailer()
		s.mailer.Days = s.store
		calls.Reset()
		mail()
		return len(calls.Calls()) - plain
	}
	next := 0
	if n := cost(func() { next++; s.notify(notice.MailFailed, fmt.Sprint(next)) }); n != 2 {
		t.Errorf("a notice takes %d calls more", n)
	}
	if n := cost(func() { next++; s.mailLine(s.line(fmt.Sprint(next), 1, 1)) }); n != 0 {
		t.Errorf("a customer's mail takes %d calls more", n)
	}
}

// An order's address that was corrected is told to the customer's former one, whatever the
// merchant got.
func TestNotice_toACustomerDoesNotCount(t *testing.T) {
	t.Parallel()
	for _, kind := range notice.Kinds {
		n := notice.New("nova", kind, "x", notice.Facts{}, noon)
		if n.Counts() != (kind != notice.KeysElsewhere) {
			t.Errorf("%s counts: %v", kind, n.Counts())
		}
		if n.Merchant = ""; n.Counts() || n.MayWait() {
			t.Errorf("%s to the operator counts, or waits", kind)
		}
	}
	for _, kind := range []notice.Kind{notice.Empty, notice.LowStock, notice.MailLimit, notice.CallLimit, notice.NewToken, notice.HeldForReview, notice.KeysElsewhere} {
		if notice.New("nova", kind, "x", notice.Facts{}, noon).MayWait() {
			t.Errorf("%s waits", kind)
		}
	}
}
