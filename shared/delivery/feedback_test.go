package delivery_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keypool/shared/access"
	"keypool/shared/catalog"
	"keypool/shared/delivery"
	"keypool/shared/mail"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
)

// TestApplyFeedback_neverBack applies the same events in every order: the mail ends at the
// highest rank of what was told.
func TestApplyFeedback_neverBack(t *testing.T) {
	all := []order.EventKind{order.MailSent, order.MailDelivered, order.MailBounced, order.MailComplained}
	s := newScene(t)
	for n, told := range permutations(all) {
		id := s.line(fmt.Sprintf("p%d", n), 1, 1)
		s.mailLine(id)
		highest := 0
		for i, what := range told {
			s.applyFeedback(feedback(id, 1, what, noon.Add(time.Duration(i)*time.Second)))
			s.applyFeedback(feedback(id, 1, what, noon.Add(time.Duration(i)*time.Second)))
			for rank, of := range all {
				if of == what {
					highest = max(highest, rank)
				}
			}
			want := []outbox.State{outbox.Sent, outbox.Delivered, outbox.Bounced, outbox.Complained}[highest]
			if got := s.fulfillment(id).Mail; got.State != want || !got.DueAt.IsZero() {
				t.Fatalf("after %v the mail is %s, want %s; due at %s", told[:i+1], got.State, want, got.DueAt)
			}
		}
	}
}

func permutations[T any](all []T) [][]T {
	if len(all) == 0 {
		return [][]T{nil}
	}
	var made [][]T
	for i := range all {
		rest := append(append([]T(nil), all[:i]...), all[i+1:]...)
		for _, tail := range permutations(rest) {
			made = append(made, append([]T{all[i]}, tail...))
		}
	}
	return made
}

func TestApplyFeedback_delivered(t *testing.T) {
	s := newScene(t)
	id := s.line("a1", 1, 1)
	s.mailLine(id)
	s.applyFeedback(feedback(id, 1, order.MailDelayed, noon.Add(time.Minute)))
	s.applyFeedback(feedback(id, 1, order.MailDelivered, noon.Add(2*time.Minute)))
	s.applyFeedback(feedback(id, 1, order.MailDelivered, noon.Add(2*time.Minute)))
	s.wantMail(id, outbox.Entry{State: outbox.Delivered, Kind: outbox.Keys, Number: 1, MessageID: "ses-of-1"})
	s.wantHistory(id, "mail-sent 1 deliver", "mail-delayed 1 ses", "mail-delivered 1 ses")
}

// TestApplyFeedback_olderMail applies feedback of a mail that is not the last: it goes to
// the history, and neither to the line nor to the merchant.
func TestApplyFeedback_olderMail(t *testing.T) {
	s := newScene(t)
	id := s.line("a1", 1, 1, func(f *order.Fulfillment) { f.Mail.Number = 2 })
	s.mailLine(id)
	sent := s.fulfillment(id)
	for range 2 {
		s.applyFeedback(feedback(id, 1, order.MailBounced, noon.Add(time.Second)))
	}
	if diff := cmp.Diff(sent.Mail, s.fulfillment(id).Mail); diff != "" {
		t.Errorf("feedback of mail 1 changed mail 2:\n%s", diff)
	}
	s.wantHistory(id, "mail-sent 2 deliver", "mail-bounced 1 ses Permanent/General")
	if got := len(s.notices(notice.Bounced)); got != 0 {
		t.Errorf("%d notices", got)
	}
}

func TestApplyFeedback_rejectedAfterItWasTaken(t *testing.T) {
	s := newScene(t)
	id := s.line("a1", 1, 1)
	s.mailLine(id)
	for range 2 {
		s.applyFeedback(feedback(id, 1, order.MailFailed, noon.Add(time.Second)))
	}
	s.wantMail(id, outbox.Entry{State: outbox.Failed, Kind: outbox.Keys, Number: 1, MessageID: "ses-of-1", Code: "Reject", FailedAt: noon})
	if got := len(s.notices(notice.MailFailed)); got != 1 {
		t.Errorf("%d notices, want 1", got)
	}
}

func TestApplyFeedback_unknownLine(t *testing.T) {
	s := newScene(t)
	s.applyFeedback(feedback(newID("nobody"), 1, order.MailBounced, noon))
	s.applyFeedback(delivery.Feedback{Item: outbox.NoticeItem("nova#empty#nothing"), Number: 1, Event: order.MailBounced, At: noon})
}

// TestApplyFeedback_bouncesGather tells each bounce once: the first of an hour at once,
// the others together when the hour ends.
func TestApplyFeedback_bouncesGather(t *testing.T) {
	s := newScene(t)
	bounce := func(number string) {
		id := s.line(number, 1, 1)
		s.mailLine(id)
		s.ses.mails = nil // the customer's
		s.applyFeedback(feedback(id, 1, order.MailBounced, s.now))
		s.applyFeedback(feedback(id, 1, order.MailBounced, s.now))
	}
	const first, rest = "nova#bounced#2026-11-23T12:00", "nova#bounced#2026-11-23T12:00#rest"
	bounce("a1")
	s.mail(outbox.NoticeItem(first))
	s.wantSent("1 ops@nova.example: 1 mail to a customer came back")

	s.now = noon.Add(10 * time.Minute)
	bounce("a2")
	s.now = noon.Add(59 * time.Minute)
	bounce("a3")
	end := noon.Add(time.Hour)
	want := notice.Notice{
		ID: rest, Version: 1, Merchant: "nova", Kind: notice.Bounced, RaisedAt: noon.Add(10 * time.Minute),
		Facts: notice.Facts{Orders: []string{"a2", "a3"}, Count: 2},
		Mail:  outbox.Entry{State: outbox.Due, Kind: outbox.Notice, Number: 1, TryAt: end, DueAt: end},
	}
	gathered, _, err := s.store.Notice(t.Context(), rest)
	if diff := cmp.Diff(want, gathered); diff != "" || err != nil {
		t.Fatalf("the notice (-want +got):\n%s%v", diff, err)
	}
	s.mail(outbox.NoticeItem(rest)) // the hour is not over
	s.wantSent()
	s.now = end
	s.mail(outbox.NoticeItem(rest))
	s.wantSent("1 ops@nova.example: 2 mails to customers came back")

	// A mailer whose clock is behind comes to the hour that has been told.
	s.now = end.Add(-time.Second)
	bounce("a4")
	late, ok, err := s.store.Notice(t.Context(), "nova#bounced#2026-11-23T13:00")
	if err != nil || !ok || late.Facts.Count != 1 || !late.Mail.TryAt.IsZero() {
		t.Errorf("a late bounce: %+v, %v, %v", late, ok, err)
	}
}

// TestApplyFeedback_bouncesAtOnce has more bounces at once than the notice names.
func TestApplyFeedback_bouncesAtOnce(t *testing.T) {
	s := newScene(t)
	const all = notice.KeptOrders + 10
	var ids []order.LineID
	for n := range all {
		ids = append(ids, s.line(fmt.Sprintf("a%d", n), 1, 1))
		s.mailLine(ids[n])
	}
	work := make(chan order.LineID)
	var followers sync.WaitGroup
	for range 4 {
		followers.Go(func() {
			for id := range work {
				for s.mailer.ApplyFeedback(t.Context(), feedback(id, 1, order.MailBounced, noon)) != nil {
					// as Lambda does with an event that was not taken in
				}
			}
		})
	}
	for _, id := range ids {
		work <- id
	}
	close(work)
	followers.Wait()
	told := s.notices(notice.Bounced)
	if len(told) != 1 || told[0].Facts.Count != all || len(told[0].Facts.Orders) != notice.KeptOrders {
		t.Errorf("the notices count and name %+v, want %d and %d", told, all, notice.KeptOrders)
	}
}

// A changed notice address is mailed to the former address and to the new one, whatever
// the settings say by then. That a former address is gone is no news to the operator.
func TestNotice_toAFormerAddress(t *testing.T) {
	s := newScene(t)
	for n, c := range []struct{ to, next string }{
		{"former@nova.example", "new@nova.example"}, {"new@nova.example", ""},
	} {
		raised := notice.New("nova", notice.ChangedAddress, c.to, notice.Facts{Address: c.next}, noon)
		raised.To = c.to
		if err := s.store.RaiseNotice(t.Context(), raised); err != nil {
			t.Fatal(err)
		}
		s.mail(outbox.NoticeItem(raised.ID))
		s.applyFeedback(delivery.Feedback{Item: outbox.NoticeItem(raised.ID), Number: 1, Event: order.MailBounced, At: noon})
		if told := len(s.notices(notice.Bounced)); told != n { // only of the second, the new address
			t.Errorf("after a bounce at %s the operator is told %d times, want %d", c.to, told, n)
		}
	}
	s.wantSent(
		"1 former@nova.example: Notices for Nova Software go to another address now",
		"1 new@nova.example: Notices for Nova Software come here now",
	)
}

// A warning to a further address of a pool is a mail of its own, and none where the notice
// address is the same. What becomes of it is told to the merchant, and the others are mailed.
func TestNotice_toFurtherAddresses(t *testing.T) {
	s := newScene(t)
	_, warnings := notice.Alert{Pool: pool.ID{Merchant: "nova", Pool: "elden", Side: pool.Live}}.After(notice.StockView{Available: 3},
		catalog.Pool{LowStock: 10, NoticeAddresses: []string{"gone@nova.example", "OPS@nova.example", "stock@nova.example"}}, noon)
	for _, n := range warnings {
		if err := s.store.RaiseNotice(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		s.mail(outbox.NoticeItem(n.ID))
		s.mail(outbox.NoticeItem(n.ID))
	}
	s.wantSent(
		"1 gone@nova.example: elden has 3 keys left",
		"1 ops@nova.example: elden has 3 keys left",
		"1 stock@nova.example: elden has 3 keys left",
	)
	for _, made := range s.ses.mails {
		for _, other := range []string{"ops@", "gone@", "stock@"} {
			if strings.Contains(made.Text+made.HTML, other) {
				t.Errorf("the mail to %s shows an address:\n%s", made.To.Address, made.Text)
			}
		}
	}
	for range 2 {
		s.applyFeedback(delivery.Feedback{Item: outbox.NoticeItem(warnings[1].ID), Number: 1, Event: order.MailBounced, At: noon})
	}
	s.applyFeedback(delivery.Feedback{Item: outbox.NoticeItem(warnings[3].ID), Number: 1, Event: order.MailComplained, At: noon})
	told := s.notices(notice.UnreadWarning)
	if len(told) != 2 || len(s.notices(notice.Bounced))+len(s.notices(notice.Complained)) > 0 {
		t.Fatalf("told of them: %+v", told)
	}
	s.mail(outbox.NoticeItem(told[0].ID), outbox.NoticeItem(told[1].ID))
	s.wantSent(
		"1 gone@nova.example: elden has 3 keys left",
		"1 ops@nova.example: A warning of elden did not reach gone@nova.example",
		"1 ops@nova.example: A warning of elden is not wanted at stock@nova.example",
		"1 ops@nova.example: elden has 3 keys left",
		"1 stock@nova.example: elden has 3 keys left",
	)
	s.applyFeedback(delivery.Feedback{Item: outbox.NoticeItem(told[0].ID), Number: 1, Event: order.MailBounced, At: noon})
	if gathered := s.notices(notice.Bounced); len(gathered) != 1 || gathered[0].Merchant != "" {
		t.Errorf("that the notice address is gone is told %+v, want it told to the operator", gathered)
	}
}

// A merchant is told of a token a week before it expires, unless it was revoked.
func TestNotice_ofATokenThatExpires(t *testing.T) {
	s := newScene(t)
	used, revoked := access.Token{Hash: "aaaa0123456789abcdef", Merchant: "nova"}, access.Token{Hash: "bbbb0123456789abcdef", Merchant: "nova"}
	raise := func(t access.Token, name string) notice.Notice {
		facts := notice.Facts{Changed: []notice.Changed{{Name: name, ID: t.ID(), Until: noon.AddDate(0, 0, 90)}}}
		return notice.New("nova", notice.ExpiringToken, t.ID(), facts, noon).At(noon.AddDate(0, 0, 83))
	}
	_, noted := s.store.UseToken(t.Context(), used, noon.AddDate(0, 0, 80), 0)
	for _, err := range []error{
		noted, s.store.PutToken(t.Context(), used), s.store.RaiseNotice(t.Context(), raise(used, "nightly")),
		s.store.PutToken(t.Context(), revoked), s.store.RaiseNotice(t.Context(), raise(revoked, "old")),
		s.store.DeleteToken(t.Context(), revoked),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	items := []outbox.Item{outbox.NoticeItem(raise(used, "").ID), outbox.NoticeItem(raise(revoked, "").ID)}
	s.mail(items...)
	s.wantSent()
	s.now = noon.AddDate(0, 0, 83)
	s.mail(items...)
	s.wantSent("1 ops@nova.example: The API token nightly expires on 21 February")
	if body := s.ses.mails[0].Text; !strings.Contains(body, "Last used: 11 February 2027") {
		t.Errorf("the mail does not say when it was last used:\n%s", body)
	}
}

func TestNotice_toItsMerchant(t *testing.T) {
	s := newScene(t)
	if err := s.store.PutPool(t.Context(), catalog.Pool{Merchant: "nova", Name: "elden", Title: "Elden"}); err != nil {
		t.Fatal(err)
	}
	n := notice.New("nova", notice.Empty, "elden#live#1", notice.Facts{Pool: "elden", Waiting: 1, Missing: 1}, noon)
	if err := s.store.RaiseNotice(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	s.mail(outbox.NoticeItem(n.ID), outbox.NoticeItem(n.ID))
	s.mail(outbox.NoticeItem(n.ID))
	s.wantSent("1 ops@nova.example: Elden has no keys left, and 1 paid order waits")

	item, number, ok := mail.ItemOf(map[string][]string{"notice": {s.ses.mails[0].Tags["notice"]}, "mail": {"1"}})
	if !ok || number != 1 || item != outbox.NoticeItem(n.ID) {
		t.Errorf("the tags name %+v, %d, %v", item, number, ok)
	}
	got, _, err := s.store.Notice(t.Context(), n.ID)
	want := outbox.Entry{State: outbox.Sent, Kind: outbox.Notice, Number: 1, MessageID: "ses-1"}
	if diff := cmp.Diff(want, got.Mail); diff != "" || err != nil {
		t.Errorf("the outbox entry (-want +got):\n%s%v", diff, err)
	}
}

func TestNotice_toTheOperator(t *testing.T) {
	s := newScene(t)
	if err := s.store.PutMerchant(t.Context(), catalog.Merchant{Name: "quiet"}); err != nil {
		t.Fatal(err)
	}
	for _, merchant := range []string{"", "gone", "quiet"} {
		n := notice.New(merchant, notice.Misplaced, "u1", notice.Facts{File: "uploads/x", Cause: "misplaced"}, noon)
		if err := s.store.RaiseNotice(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		s.mail(outbox.NoticeItem(n.ID))
	}
	for _, sent := range s.ses.sent() {
		if !strings.HasPrefix(sent, "1 operator@keypool.example: ") {
			t.Errorf("sent %s", sent)
		}
	}
	if len(s.ses.sent()) != 3 {
		t.Errorf("%d mails, want 3", len(s.ses.sent()))
	}
}

// TestNotice_thatCannotArrive tells the operator of a merchant whose notice
// address does not work, and nobody of the operator's own.
func TestNotice_thatCannotArrive(t *testing.T) {
	s := newScene(t)
	raise := func(n notice.Notice) string {
		if err := s.store.RaiseNotice(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		return n.ID
	}
	s.ses.answer = refuses(mail.Permanent, "BadRequestException")
	refused := raise(notice.New("nova", notice.Unconnected, "p1", notice.Facts{Product: "p1"}, noon))
	s.mail(outbox.NoticeItem(refused))
	told := s.notices(notice.MailFailed)
	if len(told) != 1 || told[0].Merchant != "" || told[0].Facts.Cause != "BadRequestException" {
		t.Fatalf("the operator is told %+v", told)
	}
	s.mail(outbox.NoticeItem(told[0].ID))
	if again := s.notices(notice.MailFailed); len(again) != 1 || again[0].Mail.State != outbox.Failed {
		t.Errorf("the operator's own notice: %+v", again)
	}

	s.ses.answer = nil
	bounces := raise(notice.New("nova", notice.Unconnected, "p2", notice.Facts{Product: "p2"}, noon))
	s.mail(outbox.NoticeItem(bounces))
	for range 2 {
		s.applyFeedback(delivery.Feedback{Item: outbox.NoticeItem(bounces), Number: 1, Event: order.MailBounced, At: noon})
	}
	gathered := s.notices(notice.Bounced)
	if len(gathered) != 1 || gathered[0].Merchant != "" || gathered[0].Facts.Count != 1 {
		t.Errorf("the operator is told %+v", gathered)
	}
}

// TestNotice_ofALongName keeps an identity that a tag can carry.
func TestNotice_ofALongName(t *testing.T) {
	long := strings.Repeat("é", 200)
	one := notice.New("nova", notice.Unconnected, long+"#2026-11-23", notice.Facts{}, noon)
	two := notice.New("nova", notice.Unconnected, long+"#2026-11-24", notice.Facts{}, noon)
	if one.ID == two.ID || len(one.ID) > 192 {
		t.Errorf("identities %q and %q", one.ID, two.ID)
	}
}

func TestItemOf_tagsOfOthers(t *testing.T) {
	id := string(newID("a1"))
	for name, tags := range map[string]map[string][]string{
		"none":              nil,
		"no number":         {"line": {id}},
		"a number in words": {"line": {id}, "mail": {"one"}},
		"number zero":       {"line": {id}, "mail": {"0"}},
		"no item":           {"mail": {"1"}},
		"half a line":       {"line": {id[:20]}, "mail": {"1"}},
		"a broken notice":   {"notice": {"ä"}, "mail": {"1"}},
		"two lines":         {"line": {id, id}, "mail": {"1"}},
	} {
		if item, number, ok := mail.ItemOf(tags); ok {
			t.Errorf("%s: %+v, %d", name, item, number)
		}
	}
	if item, number, ok := mail.ItemOf(map[string][]string{"line": {id}, "mail": {"3"}}); !ok || item != outbox.LineItem(id) || number != 3 {
		t.Errorf("our own: %+v, %d, %v", item, number, ok)
	}
}
