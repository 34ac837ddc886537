package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	netmail "net/mail"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/google/go-cmp/cmp"

	"keypool/infra/proof/dynamotest"
	"keypool/shared/catalog"
	"keypool/shared/delivery"
	"keypool/shared/dynamo"
	"keypool/shared/mail"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/pool"
	"keypool/shared/retry"
	"keypool/shared/review"
)

// The line and the moment that the events speak of.
var (
	noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	line = order.Identity{Merchant: "nova", Side: pool.Live, Origin: "standard", Order: "A-5555555", Line: "1"}.ID()
)

const messageID = "0107018c3b5f0e1a-6d1c2f0a-7f1e-4b57-9a57-2f9a0d2b7c11-000000"

// fakeSES takes every mail and keeps it.
type fakeSES struct {
	mu    sync.Mutex
	mails []mail.Message
}

func (f *fakeSES) Send(_ context.Context, m mail.Message) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mails = append(f.mails, m)
	return messageID, nil
}

// scene is the function with a due line and a due notice in its tables.
type scene struct {
	*testing.T
	store *dynamo.Store
	ses   *fakeSES
	h     handler
}

func newScene(t *testing.T) *scene {
	t.Helper()
	store, _ := dynamotest.Open(t)
	ctx := t.Context()
	if err := store.PutMerchant(ctx, catalog.Merchant{Name: "nova", Title: "Nova Software", NoticeAddress: "ops@nova.example"}); err != nil {
		t.Fatal(err)
	}
	err := store.Commit(ctx, order.Change{After: order.Fulfillment{
		ID: line, Version: 1, Merchant: "nova", Side: pool.Live, Account: "standard", Origin: "standard", Order: "A-5555555", Line: "1",
		Product: "111111", Pool: "elden", Quantity: 1, Wanted: 1, Allocated: 1, Takes: []pool.Take{{Keys: 1, At: noon}}, ReceivedAt: noon,
		Keys:     []pool.Key{{ID: "nova#live#table", Text: pool.Conceal("KEY-OF-THE-TABLE")}},
		Customer: order.Customer{Name: "Anna Berg", Email: "anna.berg@example.com"},
		Mail:     outbox.Entry{}.Next(outbox.Keys, noon),
	}})
	if err != nil {
		t.Fatal(err)
	}
	facts := notice.Facts{Pool: "elden", Side: pool.Live, Waiting: 1, Missing: 1}
	if err := store.RaiseNotice(ctx, notice.New("nova", notice.Empty, "elden#live#1", facts, noon)); err != nil {
		t.Fatal(err)
	}
	s := &scene{T: t, store: store, ses: &fakeSES{}}
	clock := func() time.Time { return noon }
	s.h = handler{now: clock, mailer: &delivery.Mailer{
		Lines: store.LineMails(), Notices: store.NoticeMails(), Orders: store, History: store, Settings: catalog.NewCached(store, clock), Uploads: store, Counts: store,
		Held: store, Sales: &review.Sales{Store: store, Brakes: store, Notices: store, Now: clock}, PublicURL: "https://api.keypool.example",
		MailSender: s.ses, Sender: netmail.Address{Address: "keys@keypool.example"}, Operator: "operator@keypool.example", Now: clock,
	}}
	return s
}

// send calls the function with an event of events/, as Lambda does.
func (s *scene) send(event string) {
	s.Helper()
	answer, err := invoke(s.T, &s.h, event)
	if err != nil || strings.Contains(answer, "itemIdentifier") {
		s.Fatalf("%s: %s, %v", event, answer, err)
	}
}

func invoke(t *testing.T, h *handler, event string) (string, error) {
	t.Helper()
	payload, err := os.ReadFile("../../events/" + event + ".json")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := lambda.NewHandler(h.handle).Invoke(t.Context(), payload)
	return string(answer), err
}

func (s *scene) wantState(want outbox.State, code string) {
	s.Helper()
	f, ok, err := s.store.Fulfillment(s.Context(), line)
	if err != nil || !ok {
		s.Fatal(ok, err)
	}
	if f.Mail.State != want || f.Mail.Code != code {
		s.Errorf("the mail is %s (%q), want %s (%q)", f.Mail.State, f.Mail.Code, want, code)
	}
}

// TestHandler_mailsWhatTheTableHolds has a record of the stream whose image shows
// another key than the table by now.
func TestHandler_mailsWhatTheTableHolds(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.send("good_mail_due")
	s.send("again_mail_due")
	if len(s.ses.mails) != 1 {
		t.Fatalf("%d mails, want 1", len(s.ses.mails))
	}
	m := s.ses.mails[0]
	if !strings.Contains(m.Text, "KEY-OF-THE-TABLE") || strings.Contains(m.Text+m.HTML, "KEY-OF-THE-IMAGE") {
		t.Error("the mail does not show the key that the table holds")
	}
	s.wantState(outbox.Sent, "")
}

func TestHandler_notice(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.send("good_notice_due")
	s.send("good_notice_due")
	if len(s.ses.mails) != 1 || s.ses.mails[0].To.Address != "ops@nova.example" {
		t.Errorf("mails: %d", len(s.ses.mails))
	}
}

func TestHandler_nothingDue(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.send("good_mail_retry_later")
	s.send("bad_mail_record")
	s.wantState(outbox.Due, "")
	if len(s.ses.mails) != 0 {
		t.Errorf("%d mails", len(s.ses.mails))
	}
}

func TestHandler_feedback(t *testing.T) {
	for _, c := range []struct {
		event   string
		want    outbox.State
		code    string
		history string // the last of it
		told    int    // notices beside the scene's own
	}{
		{"good_ses_send", outbox.Sent, "", "mail-sent", 0},
		{"good_ses_delivery", outbox.Delivered, "", "mail-delivered", 0},
		{"good_ses_delay", outbox.Sent, "", "mail-delayed", 0},
		{"good_ses_bounce", outbox.Bounced, "Permanent/NoEmail", "mail-bounced", 1},
		{"good_ses_complaint", outbox.Complained, "abuse", "mail-complained", 1},
		{"good_ses_suppressed", outbox.Bounced, "Complaint/OnAccountSuppressionList", "mail-bounced", 1},
		{"good_ses_reject", outbox.Failed, "Reject", "mail-failed", 1},
		{"good_ses_rendering_failure", outbox.Failed, "Rendering Failure", "mail-failed", 1},
		{"bad_ses_mail_of_others", outbox.Sent, "", "mail-sent", 0},
	} {
		t.Run(c.event, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.send("good_mail_due")
			s.send(c.event)
			s.send(c.event)
			s.wantState(c.want, c.code)
			history, err := s.store.History(t.Context(), line)
			if err != nil || string(history[len(history)-1].Event) != c.history {
				t.Errorf("the history ends with %+v, %v", history, err)
			}
			told := 0
			for _, id := range []string{
				"nova#bounced#2026-11-23T12:00", "nova#complained#2026-11-23T12:00", "nova#mail-failed#" + string(line) + "#1",
			} {
				if n, ok, err := s.store.Notice(t.Context(), id); err != nil {
					t.Error(err)
				} else if ok {
					told += n.Facts.Count
				}
			}
			if told != c.told {
				t.Errorf("told %d times, want %d", told, c.told)
			}
		})
	}
}

// failing mails nothing and fails with what it is given.
type failing struct{ err error }

func (f failing) Mail(_ context.Context, items []outbox.Item) []error {
	errs := make([]error, len(items))
	for i := range errs {
		errs[i] = f.err
	}
	return errs
}
func (f failing) ApplyFeedback(context.Context, delivery.Feedback) error { return f.err }

func TestHandler_outcomes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want outcome
	}{
		{nil, done},
		{errors.New("the table is throttled"), again},
		{fmt.Errorf("lease: %w", context.DeadlineExceeded), again},
		{fmt.Errorf("lease: %w", outbox.ErrUnreadable), parked},
		{fmt.Errorf("mark: %w", retry.ErrChanged), parked},
	} {
		t.Run(fmt.Sprint(c.err), func(t *testing.T) {
			h := handler{mailer: failing{c.err}, now: func() time.Time { return noon }}
			answer, err := invoke(t, &h, "again_mail_due")
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				BatchItemFailures []struct{ ItemIdentifier string }
			}
			if err := json.Unmarshal([]byte(answer), &got); err != nil {
				t.Fatal(err)
			}
			var failed, want []string
			for _, f := range got.BatchItemFailures {
				failed = append(failed, f.ItemIdentifier)
			}
			if c.want == again {
				want = []string{"4421584500000000017450439095", "4421584500000000017450439096"}
			}
			if diff := cmp.Diff(want, failed); diff != "" {
				t.Errorf("records to be seen again (-want +got):\n%s", diff)
			}
			done := c.err == nil || errors.Is(c.err, outbox.ErrUnreadable)
			if _, err := invoke(t, &h, "good_ses_bounce"); (err == nil) != done {
				t.Errorf("an event of SES: %v", err)
			}
		})
	}
}

// SES says to the millisecond when something happened, and its events to the second: by those
// a mail would have arrived before it was sent.
func TestHandler_feedbackAtItsMoment(t *testing.T) {
	t.Parallel()
	for event, want := range map[string]string{
		"good_ses_send": "12:00:01.48", "good_ses_delivery": "12:00:02.48", "good_ses_delay": "12:00:03.48", "good_ses_bounce": "12:00:04.48",
		"good_ses_complaint": "12:00:05.48", "good_ses_reject": "12:00:02", // SES says no more of it
	} {
		t.Run(event, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			if event != "good_ses_send" { // told only of a mail whose sending nobody noted
				s.send("good_mail_due")
			}
			payload, err := os.ReadFile("../../events/" + event + ".json")
			if err != nil {
				t.Fatal(err)
			}
			exact := regexp.MustCompile(`("timestamp": ".*)\.000Z`).ReplaceAll(payload, []byte("$1.480Z"))
			if _, err := lambda.NewHandler(s.h.handle).Invoke(t.Context(), exact); err != nil {
				t.Fatal(err)
			}
			history, err := s.store.History(t.Context(), line)
			if err != nil || len(history) == 0 {
				t.Fatal(history, err)
			}
			if got := history[len(history)-1].At.Format("15:04:05.999"); got != want {
				t.Errorf("it stands in the history at %s, want %s", got, want)
			}
		})
	}
}

func TestHandler_noJSON(t *testing.T) {
	h := handler{mailer: failing{}, now: time.Now}
	if _, err := h.handle(t.Context(), json.RawMessage(`"x"`)); err == nil {
		t.Error("an event that is no object is taken")
	}
}

// TestHandler_logsNothingPrivate mails and bounces, and looks for the key and the
// address in what was logged. It runs alone: the log is everybody's.
func TestHandler_logsNothingPrivate(t *testing.T) {
	s := newScene(t)
	var logged bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(&logged, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	for _, event := range []string{"good_mail_due", "good_ses_delay", "good_ses_bounce", "bad_ses_mail_of_others"} {
		s.send(event)
	}
	for _, private := range []string{"KEY-OF", "anna.berg", "example.com"} {
		if strings.Contains(logged.String(), private) {
			t.Errorf("%s stands in the log", private)
		}
	}
}
