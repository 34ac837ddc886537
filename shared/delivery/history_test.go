package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"keypool/shared/delivery"
	"keypool/shared/mail"
	"keypool/shared/notice"
	"keypool/shared/order"
	"keypool/shared/outbox"
	"keypool/shared/sweep"
)

// TestMail_randomHistories lets mailers, sweeps and SES's events meet a line in
// any order, with SES refusing for a while, taking mails without an answer, and
// mailers dying before they mark. Whatever happens, the customer has the keys in
// the end; and a second time only for each time that nobody could know.
func TestMail_randomHistories(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			s := newScene(t)
			r := rand.New(rand.NewPCG(seed, 0))
			ses := &moody{r: r}
			s.ses.answer = ses.answer
			lines := &mortal{Store: s.store.LineMails()}
			s.mailer.Lines = lines
			sweeper := &sweep.Sweeper{Store: s.store, Catalog: s.store, Now: func() time.Time { return s.now }}
			id := s.line("a1", 1, 1)

			attempt := func() { // what fails is tried again by the next step
				s.mailer.Mail(t.Context(), []outbox.Item{outbox.LineItem(string(id))})
			}
			tell := func(what order.EventKind) {
				if len(ses.taken) > 0 {
					s.applyFeedback(feedback(id, ses.taken[r.IntN(len(ses.taken))], what, s.now))
				}
			}
			for range 30 {
				switch r.IntN(6) {
				case 0, 1:
					attempt()
				case 2:
					lines.dies = true
					attempt()
					lines.dies = false
				case 3:
					if _, err := sweeper.Sweep(t.Context(), s.now.Add(time.Hour)); err != nil {
						t.Fatal(err)
					}
				case 4:
					tell([]order.EventKind{order.MailSent, order.MailDelivered, order.MailBounced}[r.IntN(3)])
				case 5:
					s.now = s.now.Add(time.Duration(r.IntN(12*60)) * time.Second)
				}
			}

			ses.calm = true
			for hours := 0; ; hours++ {
				f := s.fulfillment(id)
				if f.Mail.DueAt.IsZero() {
					break
				}
				if hours == 10 {
					t.Fatalf("still not mailed: %+v", f.Mail)
				}
				s.now = s.now.Add(time.Hour)
				if _, err := sweeper.Sweep(t.Context(), s.now.Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
				attempt()
			}
			if len(ses.taken) == 0 {
				t.Error("the customer never had a mail")
			}
			if limit := 1 + ses.unanswered + lines.deaths; len(ses.taken) > limit {
				t.Errorf("%d mails, at most %d could not be known of", len(ses.taken), limit)
			}
			seen := map[int]bool{}
			for _, number := range ses.taken {
				if seen[number] {
					t.Errorf("two mails have the number %d", number)
				}
				seen[number] = true
			}
			if f := s.fulfillment(id); !outbox.None.Precedes(f.Mail.State) || f.Allocated != 1 {
				t.Errorf("in the end the mail is %s, and the line holds %d keys", f.Mail.State, f.Allocated)
			}
		})
	}
}

// moody is an SES that answers as it likes, until it is calm.
type moody struct {
	r          *rand.Rand
	calm       bool
	taken      []int // the numbers of the mails it took
	unanswered int
}

func (m *moody) answer(letter mail.Message) (string, error) {
	mood := m.r.IntN(5)
	if m.calm {
		mood = 0
	}
	if mood <= 2 {
		var number int
		fmt.Sscan(letter.Tags["mail"], &number)
		m.taken = append(m.taken, number)
	}
	switch mood {
	case 2, 3:
		m.unanswered++
		return "", &mail.SendError{Fault: mail.Unknown, Code: "NoAnswer"}
	case 4:
		return "", &mail.SendError{Fault: mail.Temporary, Code: "Throttling"}
	default:
		return fmt.Sprint("ses-", len(m.taken)), nil
	}
}

// mortal are lines whose mailer dies before it can mark.
type mortal struct {
	delivery.Store[order.Fulfillment]
	dies   bool
	deaths int
}

func (m *mortal) Mark(ctx context.Context, f order.Fulfillment, h *order.History, tell *notice.Notice) error {
	if m.dies {
		m.deaths++
		return errors.New("killed")
	}
	return m.Store.Mark(ctx, f, h, tell)
}
